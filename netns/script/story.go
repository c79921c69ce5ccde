package script

import (
	"time"

	"connectlab/trace"
)

// A Story is a text that was read and found good. It is not changed afterwards, so goroutines may share it.
type Story struct {
	Name    string // of the file, without folder and ".story"
	Text    string // as it was read
	Lines   []Line // what the text says, in its order
	code    *code
	written string // the Text before With changed it; empty: it is as it was read
}

// A Line is one line of a story; a call written over several lines is one. What is nil for a line that is blank or
// holds nothing but a comment.
type Line struct {
	Pos     Pos // zero where What is nil
	What    Node
	Comment string // "// …", behind What if there is one; empty: none
}

// A Node is what a line says: *Option, *Step, *Repeat, *Observation or *WorldChange.
type Node interface{ node() }

func (*Option) node()      {}
func (*Step) node()        {}
func (*Repeat) node()      {}
func (*Observation) node() {}
func (*WorldChange) node() {}

// An Option is --name=value, --define=Define=value, or --name.
type Option struct {
	Name   string
	Define string // with the name "define": the word that is given a value
	Value  Expr   // zero for a name that takes none
	at     int    // where the value begins and ends in the text, octets
	end    int
}

// Who names programs: a host, and which of its programs.
type Who struct {
	Host        string
	First, Last int // from 1; both 0: written without a number, which is the first
}

// A Time is when something happens. The zero value is "as soon as the line before has returned".
type Time struct {
	Absolute bool // counted from the start of the run, else from the return of the program's previous call
	At       time.Duration
}

// A Step is a call that a program makes.
type Step struct {
	Who  Who // zero inside a Repeat, which has it
	At   Time
	Call Call
}

// A Repeat is calls that programs make over and over.
type Repeat struct {
	Who     Who // zero inside another Repeat
	Times   Expr
	Comment string // behind the opening brace; the Line's is behind the closing one
	Body    []Line
}

// A Call is a socket call, as it is written.
type Call struct {
	Pos    Pos
	Name   string
	Args   []Expr
	Result *Expected // nil: whatever comes
}

// Expected is what a call is expected to return.
type Expected struct {
	Pos   Pos
	Value Expr
	Errno string // "ECONNREFUSED"; empty: not given
	Text  string // what stands in parentheses behind it
}

// An Observation looks at a socket at a time.
type Observation struct {
	At    time.Duration
	Name  string // "state" or "info"
	Who   Who
	FD    int64
	Child int64       // counted from 1, the connection that came to FD; 0: FD itself
	Item  string      // of info
	State trace.State // what state is expected to be; NotObserved: whatever is seen
	Want  *Expr       // what info is expected to be; nil: whatever is seen
	fdPos Pos
}

// A WorldChange is something done to a host or to the link.
type WorldChange struct {
	At   time.Duration
	What trace.HostEvent
	Host string // of a reboot
}

// An ExprKind says what an Expr is.
type ExprKind uint8

// The kinds of expressions.
const (
	Int      ExprKind = iota // Num, written in hexadecimal if Hex
	Word                     // Text
	String                   // Text
	Seconds                  // Num nanoseconds, written in seconds: the value of an option
	Ellipsis                 // ...
	Address                  // Text is a host's name, an IP address or "*"; Elems[0] is the port
	Or                       // Elems with `|` between them
	List                     // Elems in brackets
	Struct                   // Elems in braces
	Field                    // Text=Elems[0], in a Struct
)

// An Expr is an argument or a value.
type Expr struct {
	Pos   Pos
	Kind  ExprKind
	Hex   bool
	Num   int64
	Text  string
	Elems []Expr
}

// numbers is which programs: a line without a number belongs to the host's first program.
func (w Who) numbers() (first, last int) { return max(w.First, 1), max(w.Last, 1) }
