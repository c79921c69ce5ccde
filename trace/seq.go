package trace

// Seq is a sequence number. The space is circular (RFC 9293, Section 3.4), so numbers are compared with the
// methods below and never with the operators < and >. The zero value is the number 0, an ordinary one.
type Seq uint32

// Add returns s moved forward by n octets.
func (s Seq) Add(n uint32) Seq { return s + Seq(n) }

// Sub returns the distance from t forward to s.
func (s Seq) Sub(t Seq) uint32 { return uint32(s - t) }

// Less reports whether s comes before t: whether t is reached from s by going forward less than half the circle.
func (s Seq) Less(t Seq) bool { return int32(s-t) < 0 }

// LessEq reports whether s comes before t or is t.
func (s Seq) LessEq(t Seq) bool { return int32(s-t) <= 0 }

// InWindow reports whether s is one of the n numbers that begin with first.
func (s Seq) InWindow(first Seq, n uint32) bool { return uint32(s-first) < n }
