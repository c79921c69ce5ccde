package trace

import (
	"fmt"
	"strconv"
)

// An Item is one piece of control information that a socket holds (the book's second kind). The connection's state
// is not among them: it has an event of its own, StateChange.
type Item uint8

// The items. Names are those of RFC 9293, Section 3.3.1, RFC 7323, RFC 6298 and RFC 5681 where these have one.
const (
	Protocol Item = iota
	LocalAddress
	LocalPort
	RemoteAddress
	RemotePort
	ISS
	IRS
	SndUna
	SndNxt
	SndWnd
	RcvNxt
	RcvWnd
	SendMSS    // what the peer announced
	ReceiveMSS // what this side announces
	EffSendMSS // Eff.snd.MSS: data octets in a full segment, options and path taken off
	SndWindShift
	RcvWindShift
	SACKPermitted
	Timestamps // Snd.TS.OK
	TSRecent
	SendBufferLimit
	SendBufferUsed
	ReceiveBufferLimit
	ReceiveBufferUsed // data octets that wait for the application
	ReceiveMemoryUsed // octets of memory really held for them, the stack's own overhead included
	RTO
	SRTT
	RTTVar
	Cwnd
	Ssthresh
	Backlog     // the limit of the accept queue as the stack keeps it
	SynQueue    // a listener's connections in SYN-RECEIVED
	AcceptQueue // a listener's connections that wait for accept
	PendingError
	NumItems = iota
)

// Unit is what an item's number counts.
type Unit uint8

// The units.
const (
	UnitText Unit = iota // not a number
	UnitPort
	UnitSeq         // a sequence number
	UnitOctets      //
	UnitShift       // a shift count
	UnitBool        // 0 or 1
	UnitTicks       // the peer's timestamp clock
	UnitNanoseconds //
	UnitSegments    // full-sized segments
	UnitConnections //
)

var items = [NumItems]struct {
	name string
	unit Unit
}{
	Protocol:           {"protocol", UnitText},
	LocalAddress:       {"local address", UnitText},
	LocalPort:          {"local port", UnitPort},
	RemoteAddress:      {"remote address", UnitText},
	RemotePort:         {"remote port", UnitPort},
	ISS:                {"ISS", UnitSeq},
	IRS:                {"IRS", UnitSeq},
	SndUna:             {"SND.UNA", UnitSeq},
	SndNxt:             {"SND.NXT", UnitSeq},
	SndWnd:             {"SND.WND", UnitOctets},
	RcvNxt:             {"RCV.NXT", UnitSeq},
	RcvWnd:             {"RCV.WND", UnitOctets},
	SendMSS:            {"SendMSS", UnitOctets},
	ReceiveMSS:         {"ReceiveMSS", UnitOctets},
	EffSendMSS:         {"Eff.snd.MSS", UnitOctets},
	SndWindShift:       {"Snd.Wind.Shift", UnitShift},
	RcvWindShift:       {"Rcv.Wind.Shift", UnitShift},
	SACKPermitted:      {"SACK permitted", UnitBool},
	Timestamps:         {"timestamps", UnitBool},
	TSRecent:           {"TS.Recent", UnitTicks},
	SendBufferLimit:    {"send buffer limit", UnitOctets},
	SendBufferUsed:     {"send buffer used", UnitOctets},
	ReceiveBufferLimit: {"receive buffer limit", UnitOctets},
	ReceiveBufferUsed:  {"receive buffer used", UnitOctets},
	ReceiveMemoryUsed:  {"receive memory used", UnitOctets},
	RTO:                {"RTO", UnitNanoseconds},
	SRTT:               {"SRTT", UnitNanoseconds},
	RTTVar:             {"RTTVAR", UnitNanoseconds},
	Cwnd:               {"cwnd", UnitSegments},
	Ssthresh:           {"ssthresh", UnitSegments},
	Backlog:            {"backlog", UnitConnections},
	SynQueue:           {"SYN queue", UnitConnections},
	AcceptQueue:        {"accept queue", UnitConnections},
	PendingError:       {"pending error", UnitText},
}

// String prints the item's name, as it stands in a file.
func (i Item) String() string {
	if int(i) < NumItems {
		return items[i].name
	}
	return fmt.Sprintf("Item(%d)", uint8(i))
}

// Unit is what the item's number counts.
func (i Item) Unit() Unit { return items[i].unit }

// ParseItem reads what Item.String prints.
func ParseItem(name string) (Item, error) {
	for i := range items {
		if items[i].name == name {
			return Item(i), nil
		}
	}
	return 0, fmt.Errorf("unknown item of control information %q", name)
}

// ValueKind says what a Value is.
type ValueKind uint8

// The kinds of values.
const (
	// None: the socket has no such item, or not yet.
	None ValueKind = iota
	// NotObservable: the stack does not let us see it. Never shown as a zero.
	NotObservable
	// Number: Num counts the item's Unit; for UnitBool it is 0 or 1.
	Number
	// Text: Text holds it.
	Text
	// Unlimited: a number without a bound, as ssthresh at the start.
	Unlimited
)

// A Value is what an item holds. The zero value is None.
type Value struct {
	Kind ValueKind
	Num  int64
	Text string
}

// Words for values that are not numbers, in files and views.
const (
	notObservableWord = "not observable"
	unlimitedWord     = "unlimited"
)

// String prints the value without its unit; None prints as "-".
func (v Value) String() string {
	switch v.Kind {
	case None:
		return "-"
	case NotObservable:
		return notObservableWord
	case Number:
		return strconv.FormatInt(v.Num, 10)
	case Text:
		return v.Text
	case Unlimited:
		return unlimitedWord
	}
	return fmt.Sprintf("ValueKind(%d)", uint8(v.Kind))
}

// textItems are the items whose values are texts, so that a ControlInfo can hold these few apart.
var textItems = [...]Item{Protocol, LocalAddress, RemoteAddress, PendingError}

func textSlot(i Item) int {
	switch i {
	case Protocol:
		return 0
	case LocalAddress:
		return 1
	case RemoteAddress:
		return 2
	case PendingError:
		return 3
	default:
		panic("trace: " + i.String() + " is not a text")
	}
}

// ControlInfo is all control information of one socket at one moment: a value for each item. The zero value
// holds None for each. It is made to be filled and compared many times without allocating.
type ControlInfo struct {
	kinds    [NumItems]ValueKind
	nums     [NumItems]int64
	texts    [len(textItems)]string
	inferred uint64
}

// Reset makes c the zero value again.
func (c *ControlInfo) Reset() { *c = ControlInfo{} }

// SetNumber gives item i a number in its Unit.
func (c *ControlInfo) SetNumber(i Item, n int64) { c.kinds[i], c.nums[i] = Number, n }

// SetBool gives item i, of UnitBool, its value.
func (c *ControlInfo) SetBool(i Item, b bool) {
	c.kinds[i], c.nums[i] = Number, 0
	if b {
		c.nums[i] = 1
	}
}

// SetText gives item i its value. One that is not of UnitText panics.
func (c *ControlInfo) SetText(i Item, s string) { c.kinds[i], c.texts[textSlot(i)] = Text, s }

// SetUnlimited says that item i has no bound.
func (c *ControlInfo) SetUnlimited(i Item) { c.kinds[i], c.nums[i] = Unlimited, 0 }

// Hide says that item i is not observable.
func (c *ControlInfo) Hide(i Item) { c.kinds[i], c.nums[i] = NotObservable, 0 }

// Infer marks item i as concluded from segments.
func (c *ControlInfo) Infer(i Item) { c.inferred |= 1 << i }

// Value is what item i holds.
func (c *ControlInfo) Value(i Item) Value {
	v := Value{Kind: c.kinds[i], Num: c.nums[i]}
	if v.Kind == Text {
		v.Text = c.texts[textSlot(i)]
	}
	return v
}

// Source says how item i came to be known.
func (c *ControlInfo) Source(i Item) Source {
	if c.inferred&(1<<i) != 0 {
		return Inferred
	}
	return Sampled
}

// Diff appends to changes the items in which c differs from before, in the order of the items. By is left zero.
func (c *ControlInfo) Diff(before *ControlInfo, changes []Change) []Change {
	if c.kinds == before.kinds && c.texts == before.texts {
		// Most looks find a few numbers changed and nothing else: this is the case to be quick in.
		for i := range c.nums {
			if c.nums[i] != before.nums[i] {
				changes = append(changes, c.change(before, Item(i)))
			}
		}
		return changes
	}
	for i := range Item(NumItems) {
		if c.differs(before, i) {
			changes = append(changes, c.change(before, i))
		}
	}
	return changes
}

// change is how item i changed.
func (c *ControlInfo) change(before *ControlInfo, i Item) Change {
	change := Change{Item: i, Source: c.Source(i), kinds: [2]ValueKind{before.kinds[i], c.kinds[i]}, nums: [2]int64{before.nums[i], c.nums[i]}}
	if before.kinds[i] == Text || c.kinds[i] == Text {
		change.texts = &[2]string{before.Value(i).Text, c.Value(i).Text}
	}
	return change
}

// differs compares what item i holds.
func (c *ControlInfo) differs(before *ControlInfo, i Item) bool {
	return c.kinds[i] != before.kinds[i] || c.nums[i] != before.nums[i] || c.kinds[i] == Text && c.texts[textSlot(i)] != before.texts[textSlot(i)]
}

// Apply writes the new values of changes into c.
func (c *ControlInfo) Apply(changes []Change) {
	for i := range changes {
		ch := &changes[i]
		now := ch.New()
		c.kinds[ch.Item], c.nums[ch.Item] = now.Kind, now.Num
		if now.Kind == Text {
			c.texts[textSlot(ch.Item)] = now.Text
		}
		if ch.Source == Inferred {
			c.Infer(ch.Item)
		} else {
			c.inferred &^= 1 << ch.Item
		}
	}
}

// A Change is one item that changed, and who brought the new value. A record has very many of them, so their values are
// packed: With sets them, Old and New read them. Only an item of UnitText can have a Text.
type Change struct {
	Item   Item
	By     Bringer
	Field  Field // which field of the segment, where By is BySegment
	Source Source

	kinds [2]ValueKind // before, now
	nums  [2]int64
	texts *[2]string // nil: neither is a text
}

// With returns c with other values.
func (c Change) With(before, now Value) Change {
	c.kinds, c.nums, c.texts = [2]ValueKind{before.Kind, now.Kind}, [2]int64{before.Num, now.Num}, nil
	if before.Kind == Text || now.Kind == Text {
		c.texts = &[2]string{before.Text, now.Text}
	}
	return c
}

// Old is the value before.
func (c *Change) Old() Value { return c.value(0) }

// New is the value now.
func (c *Change) New() Value { return c.value(1) }

func (c *Change) value(i int) Value {
	v := Value{Kind: c.kinds[i], Num: c.nums[i]}
	if v.Kind == Text {
		v.Text = c.texts[i]
	}
	return v
}

// Equal reports whether two changes are the same.
func (c Change) Equal(d Change) bool {
	return c.Item == d.Item && c.By == d.By && c.Field == d.Field && c.Source == d.Source && c.Old() == d.Old() && c.New() == d.New()
}

// Bringer is who brought a piece of control information to a socket.
type Bringer uint8

// Who can bring control information.
const (
	// ByStack: the stack itself chose, measured or computed it.
	ByStack Bringer = iota
	// ByApplication: a call's arguments, or what the call does.
	ByApplication
	// BySegment: a field of the packet that arrived.
	BySegment
)

var bringerNames = [...]string{"stack", "application", "segment"}

// String prints "stack", "application" or "segment".
func (b Bringer) String() string { return nameOf("Bringer", bringerNames[:], b) }

// Field is a field of a packet that can bring control information.
type Field uint8

// The fields.
const (
	NoField Field = iota
	FieldSourceAddress
	FieldDestinationAddress
	FieldSourcePort
	FieldDestinationPort
	FieldSequenceNumber
	FieldAcknowledgmentNumber
	FieldControlBits
	FieldWindow
	FieldMSS
	FieldWindowScale
	FieldSACKPermitted
	FieldTimestamps
	FieldData
	FieldICMP
)

var fieldNames = [...]string{
	"", "source address", "destination address", "source port", "destination port", "sequence number", "acknowledgment number",
	"control bits", "window", "option MSS", "option window scale", "option SACK permitted", "option timestamps", "data", "ICMP message",
}

// String prints the field's name; NoField is empty.
func (f Field) String() string { return nameOf("Field", fieldNames[:], f) }
