package view

// Options say how a view looks. The zero value is English, 80 columns, relative sequence numbers, no colour.
type Options struct {
	Language Language
	// Columns is the number of cells that no line exceeds; 0: 80. Fewer than 60 count as 60.
	Columns int
	// Absolute shows sequence numbers as on the wire, not counted from the SYN.
	Absolute bool
	// Color marks with ANSI escape sequences.
	Color bool
}

const (
	defaultColumns = 80
	minColumns     = 60
)

func (o *Options) columns() int {
	if o.Columns == 0 {
		return defaultColumns
	}
	return max(o.Columns, minColumns)
}

// text is the catalogue's text in the language of the view.
func (o *Options) text(key string, args ...any) string { return Text(o.Language, key, args...) }
