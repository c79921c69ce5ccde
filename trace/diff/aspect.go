package diff

import "fmt"

// Aspect is something in which two traces can differ.
type Aspect uint8

// The aspects.
const (
	// Header: what the two runs were. Only Result.Headers has it.
	Header Aspect = iota
	// Calls: which calls the programs made, and with what.
	Calls
	// States: to which states the sockets came.
	States
	// Packets: one side has a packet where the other has none, or one that is of another kind or connection.
	Packets
	// ControlBits: SYN, FIN, RST and ACK, and the reserved bits.
	ControlBits
	// Numbers: SEG.SEQ and SEG.ACK.
	Numbers
	// Segmentation: how many octets of data a segment has.
	Segmentation
	// Data: which octets these are.
	Data
	// TCPOptions: the options of a segment.
	TCPOptions
	// Window: SEG.WND, scaled.
	Window
	// Push: the bit PSH.
	Push
	// Urgent: the bit URG, and the urgent pointer where it is set.
	Urgent
	// ECN: the bits ECE, CWR and AE, and the two of the IP header.
	ECN
	// IP: what else the IP header says.
	IP
	// Link: what the Ethernet header says, and what packets say that look for a neighbor.
	Link
	// Checksums: a checksum that is wrong, a packet that cannot be read.
	Checksums
	// Time: how long after what caused it a move was made.
	Time
	// Fates: what the link did to a packet.
	Fates
	// Returns: what calls returned.
	Returns
	// Control: the control information of sockets, on hosts where both runs had the same stack.
	Control
	// World: what was done to hosts and link, and what observers expected in vain.
	World
	// End: why the run ended, and which calls had not come back.
	End
)

var aspectNames = [...]string{
	"header", "calls", "states", "packets", "control-bits", "numbers", "segmentation", "data", "options", "window", "push", "urgent", "ecn",
	"ip", "link", "checksums", "time", "fates", "returns", "control", "world", "end",
}

// String prints the aspect in lower case with hyphens: "control-bits". The catalogue has it under "diff.aspect." and that.
func (a Aspect) String() string { return nameOf("Aspect", aspectNames[:], a) }

// MarshalText is String, for JSON.
func (a Aspect) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Aspects are all that can be compared, Header left out.
func Aspects() []Aspect { return allOf[Aspect](len(aspectNames))[Calls:] }

// Normalization is something that is taken out of both traces before they are compared, since no two runs need have it alike.
type Normalization uint8

// The normalisations.
const (
	// InitialSequenceNumbers: numbers are counted from the first SYN of their end of the connection. One that is sent again with another
	// number, or a number that does not fit, is a difference.
	InitialSequenceNumbers Normalization = iota
	// Ports: ephemeral ports, which no program has named, are counted in the order in which an address first uses them. Another than
	// the one that the connection began with is a difference.
	Ports
	// TimestampValues: TSval is counted from the first of its end of the connection, TSecr from the first of the peer's.
	TimestampValues
	// OptionOrder: the options of a segment may stand in any order, with any padding. One that is missing, or is there twice, is
	// a difference, and so is padding that is none: other octets than zeros behind the end of the list.
	OptionOrder
)

var normalizationNames = [...]string{"isn", "ports", "timestamps", "option-order"}

// String prints "isn", "ports", "timestamps" or "option-order". The catalogue has it under "diff.normalized." and that.
func (n Normalization) String() string { return nameOf("Normalization", normalizationNames[:], n) }

// MarshalText is String, for JSON.
func (n Normalization) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// Normalizations are all, in the order in which they are named.
func Normalizations() []Normalization { return allOf[Normalization](len(normalizationNames)) }

func allOf[T ~uint8](n int) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = T(i)
	}
	return all
}

func nameOf[T ~uint8](what string, names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", what, uint8(v))
}
