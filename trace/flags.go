package trace

import (
	"fmt"
	"strings"
)

// Flags are the control bits of a segment (RFC 9293, Section 3.1), with AE, the ninth (RFC 9768). The bits stand
// where they stand in octets 12 and 13 of the header. The zero value is no bit.
type Flags uint16

// The control bits.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
	AE
)

// AllFlags is every control bit.
const AllFlags = FIN | SYN | RST | PSH | ACK | URG | ECE | CWR | AE

// flagOrder is the order in which bits print: the two that make a connection first, as in "SYN,ACK" and "FIN,ACK".
var flagOrder = [...]struct {
	bit  Flags
	name string
}{
	{SYN, "SYN"}, {FIN, "FIN"}, {RST, "RST"}, {PSH, "PSH"}, {ACK, "ACK"}, {URG, "URG"}, {ECE, "ECE"}, {CWR, "CWR"}, {AE, "AE"},
}

// flagNames holds the printed form of each set, so that printing one allocates nothing.
var flagNames = func() (names [AllFlags + 1]string) {
	for f := range names {
		var set []string
		for _, o := range flagOrder {
			if Flags(f)&o.bit != 0 {
				set = append(set, o.name)
			}
		}
		names[f] = strings.Join(set, ",")
	}
	names[0] = "none"
	return names
}()

// String prints f as the CTL field of the RFC's ladders: "SYN,ACK"; "none" without a bit.
func (f Flags) String() string { return flagNames[f&AllFlags] }

// Has reports whether every bit of g is set in f.
func (f Flags) Has(g Flags) bool { return f&g == g }

// ParseFlags reads what String prints; the order of the names does not matter.
func ParseFlags(s string) (Flags, error) {
	if s == "none" {
		return 0, nil
	}
	var f Flags
names:
	for name := range strings.SplitSeq(s, ",") {
		for _, o := range flagOrder {
			if o.name == name {
				f |= o.bit
				continue names
			}
		}
		return 0, fmt.Errorf("unknown control bit %q: the bits are SYN, FIN, RST, PSH, ACK, URG, ECE, CWR and AE", name)
	}
	return f, nil
}
