package trace

import (
	"errors"
	"fmt"
)

// ErrTruncated is wrapped by the ParseError of a file that ends before its end line, as one does whose run broke off.
// Read returns what it read beside it.
var ErrTruncated = errors.New("truncated")

// A ParseError says why a file is not a trace that can be believed, and where.
type ParseError struct {
	File string // as it was given to Read
	Line int    // from 1
	Err  error  // what is wrong; test it for ErrTruncated or the reader's own error
}

// Error prints file and line before what is wrong, as compilers do.
func (e *ParseError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *ParseError) Unwrap() error { return e.Err }
