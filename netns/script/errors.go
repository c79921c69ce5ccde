package script

import "fmt"

// An Error is what is wrong with a text, and where.
type Error struct {
	File   string // the name that was given to Parse
	Line   int    // from 1
	Column int    // in characters, from 1
	Msg    string // what was expected, and what was found
}

// Error prints "plain.story:12:9: expected a call or a time, found `}`".
func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg) }

// A Pos is a place in a text.
type Pos struct{ Line, Column int }
