package netns

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"connectlab/trace"
)

// A Fault is a rule of the link: what it does to which packets of a host.
type Fault struct {
	Action FaultAction
	Host   string // whose packets
	// What the packet must be, all of it.
	Bits    trace.Flags // with MatchBits: exactly these of SYN, FIN, RST and ACK, and of the other bits at least these
	Match   FaultMatch
	First   int     // of the packets that match, from which one on, from 1; 0: from the first
	Last    int     // and up to which; 0: to the last
	Percent float64 // and how many in a hundred of these; 0: all
	// Delay is how much later, up to MaxTime: of a delayed packet, or of a duplicate.
	Delay time.Duration
	// Overtake is how many of the host's packets overtake a reordered one; 0: one.
	Overtake int
	// Octet and Bit say what to flip in a corrupted packet, counted from the IP header (without one, from the end of the
	// Ethernet header); Octet 0: any of the TCP segment, or of a packet that is none. A rule that corrupts is not for
	// packets that have no such octet, and does not count them.
	Octet, Bit int

	text string // as it was written
}

// FaultAction is what a Fault does.
type FaultAction uint8

// What a Fault can do.
const (
	FaultDrop FaultAction = iota
	FaultDelay
	FaultDuplicate
	FaultCorrupt
	FaultReorder
)

var faultActions = [...]string{"drop", "delay", "duplicate", "corrupt", "reorder"}

// FaultMatch is what a Fault looks at.
type FaultMatch uint8

// What a Fault can look at.
const (
	MatchAny FaultMatch = iota
	MatchData
	MatchBits
)

// decisiveBits are those that a rule's bits name completely; the others count only when named.
const decisiveBits = trace.SYN | trace.FIN | trace.RST | trace.ACK

// reorderLimit is how long a packet waits at most for others to overtake it.
const reorderLimit = time.Second

// A FaultError is a rule that cannot be read.
type FaultError struct {
	Text   string
	Offset int // in Text, octets
	Msg    string
}

// Error shows the rule and the place.
func (e *FaultError) Error() string {
	return fmt.Sprintf("fault %q, column %d: %s", e.Text, e.Offset+1, e.Msg)
}

const faultForm = "ACTION HOST PACKETS [ARGUMENT], as in \"drop server SYN,ACK#1\" or \"delay client data#2-3 .050\""

// ParseFault reads a rule: an action (drop, delay, duplicate, corrupt, reorder), a host, which packets (control bits,
// "data" or "any", then "#2" or "#2-4" to count, then "10%"), and an argument: for delay the time, for duplicate how
// much later the second comes (default none), for reorder how many packets overtake it (default 1), for corrupt the
// octet and bit to flip, as "32.7", counted from the IP header (default: any of the TCP segment; the rule is not for
// packets that are too short).
func ParseFault(text string) (Fault, error) {
	f := Fault{text: strings.Join(strings.Fields(text), " ")}
	words, at := splitWords(text)
	fail := func(i int, format string, args ...any) (Fault, error) {
		offset := len(text)
		if i < len(words) {
			offset = at[i]
		}
		return Fault{}, &FaultError{text, offset, fmt.Sprintf(format, args...)}
	}
	if len(words) < 3 {
		return fail(len(words), "expected %s", faultForm)
	}
	found := false
	for a, name := range faultActions {
		if words[0] == name {
			f.Action, found = FaultAction(a), true
		}
	}
	if !found {
		return fail(0, "unknown action %q: the actions are %s", words[0], strings.Join(faultActions[:], ", "))
	}
	if f.Host = words[1]; f.Host != Client && f.Host != Server {
		return fail(1, "unknown host %q: the hosts are client and server", words[1])
	}
	i := 2
	if !strings.HasSuffix(words[i], "%") {
		if msg := f.parsePackets(words[i]); msg != "" {
			return fail(i, "%s", msg)
		}
		i++
	}
	if i < len(words) && strings.HasSuffix(words[i], "%") {
		p, err := strconv.ParseFloat(strings.TrimSuffix(words[i], "%"), 64)
		if err != nil || !(p > 0 && p <= 100) {
			return fail(i, "expected a percentage above 0 and up to 100, found %q", words[i])
		}
		f.Percent = p
		i++
	}
	if i < len(words) {
		if msg := f.parseArgument(words[i]); msg != "" {
			return fail(i, "%s", msg)
		}
		i++
	} else if f.Action == FaultDelay {
		return fail(i, "expected how much later, as .050 or 50ms")
	}
	if f.Action == FaultReorder && f.Overtake == 0 {
		f.Overtake = 1
	}
	if i < len(words) {
		return fail(i, "expected the end of the rule, found %q", words[i])
	}
	return f, nil
}

// parsePackets reads "SYN,ACK#1", "data#2-4", "any"; it returns what is wrong, or "".
func (f *Fault) parsePackets(word string) string {
	kind, count, counted := strings.Cut(word, "#")
	switch kind {
	case "any":
		f.Match = MatchAny
	case "data":
		f.Match = MatchData
	default:
		bits, err := trace.ParseFlags(kind)
		if err != nil {
			return fmt.Sprintf("expected control bits (SYN,ACK), data or any, found %q", kind)
		}
		f.Match, f.Bits = MatchBits, bits
	}
	if !counted {
		return ""
	}
	first, last, ranged := strings.Cut(count, "-")
	if !ranged {
		last = first
	}
	var err1, err2 error
	f.First, err1 = strconv.Atoi(first)
	f.Last, err2 = strconv.Atoi(last)
	if err1 != nil || err2 != nil || f.First < 1 || f.Last < f.First {
		return fmt.Sprintf("expected a count from 1 behind #, as #2 or #2-4, found %q", count)
	}
	return ""
}

// parseArgument reads what stands behind the packets; it returns what is wrong, or "".
func (f *Fault) parseArgument(word string) string {
	switch f.Action {
	case FaultDelay, FaultDuplicate:
		d, err := ParseTime(word)
		if err != nil {
			return err.Error()
		}
		f.Delay = d
	case FaultReorder:
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return fmt.Sprintf("expected how many packets overtake it, from 1, found %q", word)
		}
		f.Overtake = n
	case FaultCorrupt:
		octet, bit, ok := strings.Cut(word, ".")
		o, err1 := strconv.Atoi(octet)
		b, err2 := strconv.Atoi(bit)
		if !ok || err1 != nil || err2 != nil || o < 1 || b < 0 || b > 7 {
			return fmt.Sprintf("expected the octet and bit to flip, as 32.7, found %q", word)
		}
		f.Octet, f.Bit = o, b
	case FaultDrop:
		return fmt.Sprintf("expected the end of the rule, found %q", word)
	}
	return ""
}

// String is the rule as it was written, or, of one made in Go, as it would be.
func (f Fault) String() string {
	if f.text != "" {
		return f.text
	}
	if f.check() != nil { // an action without a name, too
		return fmt.Sprintf("%#v", f)
	}
	b := fmt.Appendf(nil, "%s %s ", faultActions[f.Action], f.Host)
	switch f.Match {
	case MatchAny:
		b = append(b, "any"...)
	case MatchData:
		b = append(b, "data"...)
	case MatchBits:
		b = append(b, f.Bits.String()...)
	}
	switch {
	case f.Last > max(f.First, 1):
		b = fmt.Appendf(b, "#%d-%d", max(f.First, 1), f.Last)
	case f.Last > 0:
		b = fmt.Appendf(b, "#%d", f.Last)
	case f.First > 1:
		b = fmt.Appendf(b, "#%d-%d", f.First, math.MaxInt)
	}
	if f.Percent > 0 {
		b = append(strconv.AppendFloat(append(b, ' '), f.Percent, 'g', -1, 64), '%')
	}
	switch {
	case f.Action == FaultDelay, f.Action == FaultDuplicate && f.Delay > 0:
		b = fmt.Appendf(b, " %v", f.Delay)
	case f.Action == FaultReorder && f.Overtake > 1:
		b = fmt.Appendf(b, " %d", f.Overtake)
	case f.Action == FaultCorrupt && f.Octet > 0:
		b = fmt.Appendf(b, " %d.%d", f.Octet, f.Bit)
	}
	return string(b)
}

// check returns what is wrong with a rule made in Go.
func (f *Fault) check() error {
	switch {
	case int(f.Action) >= len(faultActions):
		return fmt.Errorf("an action %d, which there is not", f.Action)
	case f.Host != Client && f.Host != Server:
		return fmt.Errorf("unknown host %q: the hosts are client and server", f.Host)
	case f.Match > MatchBits:
		return fmt.Errorf("a match %d, which there is not", f.Match)
	case f.First < 0 || f.Last < 0 || f.Last > 0 && f.Last < f.First:
		return fmt.Errorf("packets from number %d to number %d", f.First, f.Last)
	case !(f.Percent >= 0 && f.Percent <= 100):
		return fmt.Errorf("%v percent: it must be between 0 and 100", f.Percent)
	case f.Delay < 0:
		return fmt.Errorf("a delay of %v: it cannot be negative", f.Delay)
	case f.Delay > MaxTime:
		return fmt.Errorf("a delay of %v: it cannot be longer than 100 years", f.Delay)
	case f.Overtake < 0:
		return fmt.Errorf("overtaken by %d packets", f.Overtake)
	case f.Octet < 0 || f.Bit < 0 || f.Bit > 7:
		return fmt.Errorf("octet %d, bit %d: bits are numbered from 0 to 7", f.Octet, f.Bit)
	}
	return nil
}

// splitWords splits text at white space and tells where each word begins.
func splitWords(text string) (words []string, at []int) {
	for i := 0; i < len(text); {
		if text[i] == ' ' || text[i] == '\t' {
			i++
			continue
		}
		j := i
		for j < len(text) && text[j] != ' ' && text[j] != '\t' {
			j++
		}
		words, at = append(words, text[i:j]), append(at, i)
		i = j
	}
	return words, at
}

// ParseTime reads a time of a story or a flag: seconds, as "1", ".010" or "1.5", or a number with a unit, as "10ms".
// It is at most MaxTime.
func ParseTime(word string) (time.Duration, error) {
	tooLong := fmt.Errorf("expected a time up to 100 years, found %q", word)
	if d, err := time.ParseDuration(word); err == nil && d > MaxTime {
		return 0, tooLong
	} else if err == nil && d >= 0 {
		return d, nil
	}
	whole, fraction, _ := strings.Cut(word, ".")
	if (whole == "" && fraction == "") || len(whole) > 10 || len(fraction) > 9 || !digits(whole) || !digits(fraction) {
		return 0, fmt.Errorf("expected a time, in seconds (1, .010) or with a unit (10ms), found %q", word)
	}
	s, _ := strconv.ParseInt("0"+whole, 10, 64)
	ns, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if s > int64(MaxTime/time.Second) {
		return 0, tooLong
	}
	d := time.Duration(s)*time.Second + time.Duration(ns)
	if d > MaxTime {
		return 0, tooLong
	}
	return d, nil
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// rule is a Fault at work: it counts.
type rule struct {
	Fault
	seen int
	rng  *rand.Rand
}

func newRule(f Fault, seed uint64, index int) *rule {
	f.text = f.String()
	f.Overtake = max(f.Overtake, 1)
	k := stackSeed(seed, "fault", index)
	return &rule{Fault: f, rng: rand.New(rand.NewChaCha8(k))}
}

// hits reports whether the rule is for this packet of its host, and counts it.
func (r *rule) hits(p *trace.Packet) bool {
	if r.Action == FaultCorrupt && r.Octet >= p.Len-p.Ethernet.HeaderLen {
		return false // nor is there one in an empty packet
	}
	switch r.Match {
	case MatchAny:
	case MatchData:
		if p.Kind != trace.PacketTCP || p.TCP.DataLen == 0 {
			return false
		}
	case MatchBits:
		if p.Kind != trace.PacketTCP || p.TCP.Flags&(decisiveBits|r.Bits) != r.Bits {
			return false
		}
	}
	r.seen++
	if r.seen < r.First || r.Last > 0 && r.seen > r.Last {
		return false
	}
	return r.Percent == 0 || r.rng.Float64()*100 < r.Percent
}

// bit chooses what to flip: what the rule says, or any bit of the TCP segment. The octet counts from the end of the
// Ethernet header. It goes by the length on the wire: the record may have left the data out.
func (r *rule) bit(p *trace.Packet) (octet, bit int) {
	if r.Octet > 0 {
		return r.Octet, r.Bit
	}
	from := 0
	if p.Kind == trace.PacketTCP {
		from = p.IP.HeaderLen
	}
	return from + r.rng.IntN(p.Len-p.Ethernet.HeaderLen-from), r.rng.IntN(8)
}
