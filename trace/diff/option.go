package diff

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"connectlab/trace"
)

// options compares the options of two segments: as they stand in order, and where that is not the same, kind by kind.
func (d *differences) options(a, b *packet) {
	if d.c.ignores(TCPOptions) || sameInOrder(d.c, a, b) {
		return
	}
	before := len(d.list)
	left, right := a.options(), b.options()
	for i := range left {
		if j := slices.IndexFunc(right, func(o option) bool { return !o.gone && sameOption(a, b, left[i].Option, o.Option) }); j >= 0 {
			left[i].gone, right[j].gone = true, true
		}
	}
	for _, o := range left {
		if o.gone {
			continue
		}
		other := ""
		if j := slices.IndexFunc(right, func(u option) bool { return !u.gone && u.Kind == o.Kind }); j >= 0 {
			other = b.optionText(right[j].Option)
			right[j].gone = true
		}
		d.add(TCPOptions, optionField(o.Kind), a.optionText(o.Option), other)
	}
	for _, o := range right {
		if !o.gone {
			d.add(TCPOptions, optionField(o.Kind), "", b.optionText(o.Option))
		}
	}
	if l, r := broken(a), broken(b); l != r {
		d.add(TCPOptions, "option-other", l, r)
	}
	slices.SortStableFunc(d.list[before:], func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Field, y.Field), cmp.Compare(min(x.A, x.B), min(y.A, y.B)), cmp.Compare(max(x.A, x.B), max(y.A, y.B)))
	})
	if len(d.list) == before && !d.c.normalizes(OptionOrder) {
		d.add(TCPOptions, "option-order", kinds(a.p.TCP.Options), kinds(b.p.TCP.Options))
	}
}

type option struct {
	trace.Option
	gone bool // it has its counterpart
}

// options are those that say something.
func (v *packet) options() []option {
	var all []option
	for o := range v.p.TCP.Options.All() {
		if o.Kind != trace.OptionEnd && o.Kind != trace.OptionNOP {
			all = append(all, option{Option: o})
		}
	}
	return all
}

// sameInOrder reports whether the options are the same one after the other. It is the common case, and nothing is set aside for it.
func sameInOrder(c *comparison, a, b *packet) bool {
	x, y := a.p.TCP.Options, b.p.TCP.Options
	if c.normalizes(OptionOrder) && len(x) != len(y) {
		return false
	}
	if bytes.Equal(x, y) && !a.stamped && !hasSACK(x) {
		return true
	}
	if len(x) != len(y) {
		return false
	}
	for len(x) > 0 {
		if x[0] != y[0] {
			return false
		}
		n := 1
		if x[0] > trace.OptionNOP {
			if len(x) < 2 || x[1] < 2 || int(x[1]) > len(x) || x[1] != y[1] {
				return bytes.Equal(x, y)
			}
			n = int(x[1])
			if !sameOption(a, b, trace.Option{Kind: x[0], Data: x[2:n]}, trace.Option{Kind: y[0], Data: y[2:n]}) {
				return false
			}
		}
		x, y = x[n:], y[n:]
	}
	return true
}

func hasSACK(o trace.Options) bool {
	for opt := range o.All() {
		if opt.Kind == trace.OptionSACK {
			return true
		}
	}
	return false
}

// sameOption reports whether an option of a is one of b, with what is in it counted as its segment counts.
func sameOption(a, b *packet, o, u trace.Option) bool {
	switch {
	case o.Kind != u.Kind || len(o.Data) != len(u.Data):
		return false
	case o.Kind == trace.OptionTimestamps && len(o.Data) == 8:
		return a.stamped && b.stamped && sameClock(a, b) && sameEcho(a, b)
	case o.Kind == trace.OptionSACK:
		return a.sackText(o) == b.sackText(u)
	}
	return bytes.Equal(o.Data, u.Data)
}

// ticks are those that clocks of timestamps have (RFC 7323, Section 5.4: from 1 ms to 1 s; some are finer).
var ticks = []time.Duration{
	time.Microsecond, time.Millisecond, 2 * time.Millisecond, 4 * time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second,
}

// sameClock reports whether two TSvals are what one clock would show: the same at the same time, and of two that were sent at other times, as
// on a link with another delay, as much further as time is.
func sameClock(a, b *packet) bool {
	if a.tsval == b.tsval || a.elapsed == b.elapsed {
		return a.tsval == b.tsval
	}
	shows := func(v *packet, tick time.Duration) bool { // the first may have been sent anywhere between two ticks
		return max(v.tsval, -v.tsval) < math.MaxInt32 && (time.Duration(v.tsval)*tick-v.elapsed).Abs() <= tick
	}
	return slices.ContainsFunc(ticks, func(tick time.Duration) bool { return shows(a, tick) && shows(b, tick) })
}

// sameEcho reports whether both echo the same packet of the peer's, or else a value as far from the peer's first.
func sameEcho(a, b *packet) bool {
	if a.unechoed || b.unechoed || a.echoedBefore != b.echoedBefore {
		return a.unechoed && b.unechoed
	}
	return a.tsecr == b.tsecr || a.echoed && b.echoed && a.echoes.first <= b.echoes.last && b.echoes.first <= a.echoes.last
}

func optionField(kind uint8) string {
	switch kind {
	case trace.OptionMSS:
		return "option-MSS"
	case trace.OptionWindowScale:
		return "option-window-scale"
	case trace.OptionSACKPermitted:
		return "option-SACK-permitted"
	case trace.OptionSACK:
		return "option-SACK"
	case trace.OptionTimestamps:
		return "option-timestamps"
	}
	return "option-other"
}

// optionText is what an option says.
func (v *packet) optionText(o trace.Option) string {
	one := trace.Options(append([]byte{o.Kind, byte(len(o.Data) + 2)}, o.Data...))
	if mss, ok := one.MSS(); ok {
		return fmt.Sprint(mss)
	}
	if shift, ok := one.WindowScale(); ok {
		return fmt.Sprint(shift)
	}
	switch {
	case o.Kind == trace.OptionSACKPermitted && len(o.Data) == 0:
		return "1"
	case o.Kind == trace.OptionTimestamps && len(o.Data) == 8 && v.stamped:
		return fmt.Sprintf("TSval %d, TSecr %s", v.tsval, v.echoText())
	case o.Kind == trace.OptionSACK:
		return v.sackText(o)
	}
	return fmt.Sprintf("%d: %x", o.Kind, o.Data)
}

func (v *packet) echoText() string {
	if v.unechoed {
		return "=0" // as it stands in the packet
	}
	return number{n: v.tsecr, before: v.echoedBefore}.String()
}

// sackText are the edges of a SACK option, counted as SEG.ACK is. Option and segment have the same offset between what is counted
// and what stands there.
func (v *packet) sackText(o trace.Option) string {
	text := ""
	for left, right := range o.SACKBlocks() {
		if text != "" {
			text += " "
		}
		text += fmt.Sprintf("%d-%d", v.ack.n+int64(int32(left.Sub(v.p.TCP.Ack))), v.ack.n+int64(int32(right.Sub(v.p.TCP.Ack))))
	}
	return text
}

// broken are the octets of options that cannot be read. What stands behind the end of the list is padding as long as it is zeros
// (RFC 9293, Section 3.1, MUST-69).
func broken(v *packet) string {
	rest := v.p.TCP.Options.Rest()
	zeros := true
	for _, octet := range rest {
		zeros = zeros && octet == 0
	}
	if len(rest) == 0 || zeros && endsList(v.p.TCP.Options) {
		return ""
	}
	return fmt.Sprintf("%x", rest)
}

func endsList(o trace.Options) bool {
	for opt := range o.All() {
		if opt.Kind == trace.OptionEnd {
			return true
		}
	}
	return false
}

func kinds(o trace.Options) string {
	text := ""
	for opt := range o.All() {
		if text != "" {
			text += " "
		}
		text += fmt.Sprint(opt.Kind)
	}
	return text
}
