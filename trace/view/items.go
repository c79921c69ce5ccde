package view

import (
	"io"
	"slices"
	"strings"

	"connectlab/trace"
	"connectlab/trace/book"
)

// An ItemColumn is what the sockets of one stack hold.
type ItemColumn struct {
	Stack string
	// Run is where they were seen. Without a name it is not told.
	Run   book.Run
	Items *book.Items
}

// An ItemRow is what stacks hold of one item, side by side.
type ItemRow struct {
	Name    string // of the item as a file has it; "state" for the state
	Text    string // what it is called in the language of the view
	Sharing book.Sharing
	// Values are one a stack, and Texts what is printed of them: "-" for none.
	Values []trace.Value
	Texts  []string
	// Elsewhere is of each whether only another socket held it than that of a connection.
	Elsewhere []bool
	// Made and MadeTexts are the same of a socket just made. The state has none.
	Made      []trace.Value
	MadeTexts []string
}

// ItemRows are the state and all items: those that all stacks hold first, then each one's own, those of the first stack before those of
// the second, then those of which it is not observable who holds them, then those that some held in another socket than that of a connection,
// then those that none of them was seen to hold.
func ItemRows(columns []ItemColumn, l Language) []ItemRow {
	o := Options{Language: l}
	row := func(name string, i trace.Item, held func(*book.Items) book.Held) ItemRow {
		r := ItemRow{Name: name, Text: o.text(keyed("item.", name))}
		for _, c := range columns {
			h := held(c.Items)
			r.Values = append(r.Values, h.Value)
			r.Texts = append(r.Texts, o.value(i, h.Value, &h.With))
			r.Elsewhere = append(r.Elsewhere, h.Elsewhere)
		}
		r.Sharing = book.SharingOf(r.Values)
		return r
	}
	rows := make([]ItemRow, 0, trace.NumItems+1)
	for i := range trace.Item(trace.NumItems) {
		r := row(i.String(), i, func(of *book.Items) book.Held { return of.Held(i) })
		for _, c := range columns {
			v := c.Items.Made(i)
			r.Made, r.MadeTexts = append(r.Made, v), append(r.MadeTexts, o.value(i, v, &trace.ControlInfo{}))
		}
		rows = append(rows, r)
		if i == trace.RemotePort { // what netstat shows stands together
			rows = append(rows, row("state", trace.Protocol, func(of *book.Items) book.Held { return book.Held{Value: of.State()} }))
		}
	}
	order := []string{"book.items.common", "book.items.own", "book.items.unknown", "book.items.elsewhere", "book.items.nobodys"}
	slices.SortStableFunc(rows, func(a, b ItemRow) int {
		x, y := a.part(), b.part()
		if x == y && x == "book.items.own" {
			return slices.IndexFunc(a.Values, holds) - slices.IndexFunc(b.Values, holds)
		}
		return slices.Index(order, x) - slices.Index(order, y)
	})
	return rows
}

// part is the head under which an item stands.
func (r *ItemRow) part() string {
	if slices.Contains(r.Elsewhere, true) {
		return "book.items.elsewhere"
	}
	return "book.items." + r.Sharing.String()
}

func holds(v trace.Value) bool { return v.Kind != trace.None && v.Kind != trace.NotObservable }

// ItemColumns prints what sockets of several stacks hold, side by side, in the order of ItemRows. There is at least one column; the
// only errors are w's.
func ItemColumns(w io.Writer, columns []ItemColumn, o Options) error {
	c := newCanvas(w, &o)
	const nameX, gap = 2, 2
	names := make([]string, len(columns))
	for i, col := range columns {
		names[i] = col.Stack
	}
	rows := ItemRows(columns, o.Language)
	nameWidth := 0
	for _, r := range rows {
		nameWidth = max(nameWidth, min(width(r.Text), o.columns()*2/5))
	}
	const widest = 22 // cells that a value needs: a long address is wrapped
	s := o.stacks(nameX+nameWidth+gap, widest, names)
	c.line(0, o.text("book.items.head"), bold)
	var told []string
	for _, col := range columns {
		run := clean(col.Run.Name) + " " + o.text("book.columns.pair", clean(col.Run.Client), clean(col.Run.Server))
		if col.Run.Name != "" && !slices.Contains(told, run) {
			told = append(told, run)
			c.paragraph(nameX, o.text("book.items.run", run), plain)
		}
	}
	c.paragraph(nameX, o.text("book.items.what"), dim)
	c.flush()
	s.head(c)
	line := func(name string, values []trace.Value, texts []string, elsewhere []bool) {
		row := []column{{x: nameX, width: nameWidth, text: name}}
		for j, text := range texts {
			st := plain
			if !holds(values[j]) {
				st = dim
			}
			if elsewhere != nil && elsewhere[j] {
				text += " *"
			}
			row = append(row, s.cell(j, text, st))
		}
		c.row(row...)
	}
	var nobodys []string
	common, part := 0, ""
	for _, r := range rows {
		if r.Made != nil && r.part() == "book.items.common" { // the state is no item
			common++
		}
	}
	for _, r := range rows {
		if r.part() == "book.items.nobodys" {
			nobodys = append(nobodys, r.Text)
			continue
		}
		if r.part() != part {
			if part = r.part(); part != rows[0].part() {
				c.flush()
			}
			head := o.text(part)
			if part == "book.items.common" {
				head += o.text("book.items.count", common)
			}
			c.line(0, head, bold)
		}
		line(r.Text, r.Values, r.Texts, r.Elsewhere)
	}
	if made := slices.DeleteFunc(rows, func(r ItemRow) bool { return book.SharingOf(r.Made) == book.Nobodys }); len(made) > 0 {
		c.flush()
		c.line(0, o.text("book.items.made"), bold)
		for _, r := range made {
			line(r.Text, r.Made, r.MadeTexts, nil)
		}
	}
	if len(nobodys) > 0 {
		c.flush()
		c.line(0, o.text("book.items.nobodys"), bold)
		c.paragraph(nameX, strings.Join(nobodys, "; "), dim)
	}
	return c.end()
}
