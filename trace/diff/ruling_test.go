package diff_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/rfc9293"
	"connectlab/trace/wire"
)

var (
	plain = run{"plain", "gvisor", "gvisor", 1}
	bare  = run{"plain", "handwritten", "gvisor", 1} // a SYN without options but the MSS
)

// rulings are recorded traces with one thing changed, and which rule that is about: how the recorded trace keeps it, and how the changed
// one.
var rulings = []struct {
	rule string
	run  run
	bend func(b *bender)
	a, b rfc9293.Keeping
}{
	{"mss", plain, option("server", trace.SYN|trace.ACK, change2(trace.OptionMSS, 2, 24)), rfc9293.Open, rfc9293.Open},
	{"mss-in-syn", plain, option("client", trace.ACK, also(trace.OptionMSS, 4, 5, 180)), rfc9293.Keeps, rfc9293.Breaks},
	{"mss-fits", plain, option("client", trace.SYN, change2(trace.OptionMSS, 5, 181)), rfc9293.Keeps, rfc9293.Breaks},
	{"window-scale", plain, option("client", trace.SYN, change2(trace.OptionWindowScale, 6)), rfc9293.Open, rfc9293.Open},
	{"window-scale-limit", plain, option("client", trace.SYN, change2(trace.OptionWindowScale, 15)), rfc9293.Keeps, rfc9293.Breaks},
	{"window-scale-answered", bare, option("server", trace.SYN|trace.ACK, also(trace.OptionWindowScale, 3, 7)), rfc9293.Keeps, rfc9293.Breaks},
	{"timestamps", plain, option("client", trace.SYN, no(trace.OptionTimestamps)), rfc9293.Open, rfc9293.Open},
	{"timestamps-always", plain, option("client", trace.FIN|trace.ACK, no(trace.OptionTimestamps)), rfc9293.Keeps, rfc9293.Breaks},
	{"timestamps-answered", bare, option("server", trace.SYN|trace.ACK, also(trace.OptionTimestamps, 10, 0, 0, 0, 1, 0, 0, 0, 0)), rfc9293.NotObservable, rfc9293.Breaks},
	{"timestamps-value", plain, option("client", trace.FIN|trace.ACK, more(trace.OptionTimestamps, 2, 5)), rfc9293.Open, rfc9293.Open},
	{"timestamps-value", plain, option("client", trace.FIN|trace.ACK, more(trace.OptionTimestamps, 2, ^uint32(50))), rfc9293.Keeps, rfc9293.Breaks},
	{"timestamps-echo", plain, option("server", trace.SYN|trace.ACK, more(trace.OptionTimestamps, 6, 7)), rfc9293.NotObservable, rfc9293.Breaks},
	{"timestamps-echo", plain, option("client", trace.SYN, more(trace.OptionTimestamps, 6, 7)), rfc9293.Open, rfc9293.Open}, // it should be 0
	{"paws", run{"overtaken", "handwritten+", "handwritten+", 1}, func(b *bender) { b.drop(b.segment("client", trace.ACK, false, 3)) }, rfc9293.Keeps, rfc9293.Breaks},
	{"sack-permitted", plain, option("client", trace.SYN, no(trace.OptionSACKPermitted)), rfc9293.Open, rfc9293.Open},
	{"sack-permitted-in-syn", plain, option("client", trace.ACK, also(trace.OptionSACKPermitted, 2)), rfc9293.Keeps, rfc9293.Breaks},
	{"sack", run{"hole", "gvisor", "gvisor", 1}, func(b *bender) { b.options(b.sack(1), more(trace.OptionSACK, 2, 1)) }, rfc9293.Open, rfc9293.Open},
	{"sack-allowed", bare, option("server", trace.ACK, also(trace.OptionSACK, 10, 0, 0, 0, 1, 0, 0, 0, 2)), rfc9293.Keeps, rfc9293.Breaks},
	{"options", plain, option("client", trace.SYN, also(253, 4, 1, 2)), rfc9293.Open, rfc9293.Open},
	{"push", plain, tcp("client", trace.ACK, true, func(tcp []byte) { tcp[13] &^= byte(trace.PSH) }), rfc9293.Keeps, rfc9293.Breaks},
	{"push", plain, func(b *bender) { // aborted: nobody knows whether more waited behind it
		b.tcp(b.segment("client", trace.FIN|trace.ACK, false, 1), func(tcp []byte) { tcp[13] = byte(trace.RST | trace.ACK) })
		b.tcp(b.segment("client", trace.ACK, true, 1), func(tcp []byte) { tcp[13] &^= byte(trace.PSH) })
	}, rfc9293.Keeps, rfc9293.NotObservable},
	{"push", run{"flight", "gvisor", "gvisor", 1}, tcp("client", trace.ACK, true, func(tcp []byte) { tcp[13] |= byte(trace.PSH) }), rfc9293.Open, rfc9293.Open},
	{"segment-fits", plain, func(b *bender) {
		b.octets(b.segment("client", trace.ACK, true, 1), func(o []byte) []byte { return append(o, make([]byte, 1456)...) })
	}, rfc9293.Keeps, rfc9293.Breaks},
	{"segmentation", plain, func(b *bender) {
		b.octets(b.segment("client", trace.ACK, true, 1), func(o []byte) []byte { return o[:len(o)-1] })
	}, rfc9293.Open, rfc9293.Open},
	{"silly-window", run{"slow-reader", "handwritten", "handwritten", 1}, func(b *bender) {
		b.later(b.find(1, func(e *trace.Event) bool {
			s, ok := e.Detail.(*trace.Sent)
			_, timer := causeOf(b.t, e).(*trace.Timer)
			return ok && timer && s.Packet.TCP.DataLen > 1
		}), 100*time.Millisecond)
	}, rfc9293.Open, rfc9293.Open},
	{"delayed-ack", plain, func(b *bender) { b.drop(b.segment("server", trace.ACK, false, 1)) }, rfc9293.Open, rfc9293.Open},
	{"ack-delay", plain, func(b *bender) { b.later(b.segment("server", trace.ACK, false, 1), 600*time.Millisecond) }, rfc9293.Keeps, rfc9293.Breaks},
	{"retransmission-time", run{"syn-lost", "gvisor", "gvisor", 1}, func(b *bender) {
		b.later(b.t.Event(b.segment("client", trace.SYN, false, 2)).Cause, -200*time.Millisecond)
	}, rfc9293.Keeps, rfc9293.Open},
	{"back-off", run{"silent-host", "gvisor", "gvisor", 1}, func(b *bender) {
		b.later(b.t.Event(b.segment("client", trace.SYN, false, 3)).Cause, -500*time.Millisecond)
	}, rfc9293.Keeps, rfc9293.Breaks},
	{"fast-retransmit", run{"hole", "gvisor", "gvisor", 1}, func(b *bender) { b.drop(b.again(1)) }, rfc9293.Open, rfc9293.Open},
	{"initial-window", run{"flight", "gvisor", "gvisor", 1}, func(b *bender) { b.drop(b.segment("client", trace.ACK, true, 5)) }, rfc9293.Open, rfc9293.NotObservable},
	{"congestion-window", run{"flight", "gvisor", "gvisor", 1}, func(b *bender) { b.drop(b.segment("client", trace.ACK, true, 50)) }, rfc9293.Open, rfc9293.Open},
	{"ect-never", plain, func(b *bender) { //nolint:misspell // ECN-capable transport
		b.octets(b.segment("client", trace.SYN, false, 1), func(o []byte) []byte { o[1] |= 2; return o })
	}, rfc9293.Keeps, rfc9293.Breaks},
	{"ect-never", plain, func(b *bender) { //nolint:misspell // ECN-capable transport
		b.octets(b.segment("server", trace.ACK, false, 1), func(o []byte) []byte { o[1] |= 2; return o })
	}, rfc9293.Keeps, rfc9293.Breaks},
	{"ecn", plain, func(b *bender) { // no rule says that a FIN has none
		b.octets(b.segment("client", trace.FIN|trace.ACK, false, 1), func(o []byte) []byte { o[1] |= 2; return o })
	}, rfc9293.Open, rfc9293.Open},
	{"ip", plain, func(b *bender) {
		for _, p := range b.packets(b.segment("client", trace.FIN|trace.ACK, false, 1)) {
			o := slices.Concat(p.Octets[:20], []byte{1, 1, 1, 0}, p.Octets[20:])
			o[0], o[3] = 0x46, byte(len(o))
			*p = trace.Packet{Octets: o, Len: len(o)}
			wire.Decode(p)
		}
	}, rfc9293.Open, rfc9293.Open},
	{"icmp", plain, func(b *bender) {
		n := b.segment("server", trace.SYN|trace.ACK, false, 1)
		e := b.copyOf(n)
		p := e.Detail.(*trace.Sent).Packet
		p.Octets = append(slices.Clone(p.Octets[:20]), 3, 1, 0, 0, 0, 0, 0, 0)
		p.Octets[9], p.Octets[3], p.Len = 1, 28, 28
		wire.Decode(p)
		b.insert(n, e)
	}, rfc9293.Open, rfc9293.Open},
	{"initial-number", run{"syn-lost", "gvisor", "gvisor", 1}, tcpNth("client", trace.SYN, 2, func(tcp []byte) { add(tcp, 4, 1000) }), rfc9293.Keeps, rfc9293.Breaks},
	{"numbers", plain, tcp("client", trace.ACK, true, func(tcp []byte) { add(tcp, 4, 1) }), rfc9293.NotObservable, rfc9293.Breaks},
	{"time-wait", plain, func(b *bender) {
		b.later(b.t.Event(b.find(1, func(e *trace.Event) bool {
			s, ok := e.Detail.(*trace.StateChange)
			return ok && s.From == trace.TimeWait
		})).Cause, 3*time.Minute)
	}, rfc9293.Open, rfc9293.Keeps},
	{"returns", plain, func(b *bender) {
		b.t.Event(b.returned(b.call("client", "sendall", 1))).Detail.(*trace.Return).Result = 4
	}, rfc9293.NotObservable, rfc9293.NotObservable},
}

func causeOf(t *trace.Trace, e *trace.Event) trace.Detail {
	if c := t.Event(e.Cause); c != nil {
		return c.Detail
	}
	return nil
}

// sack returns the number of the nth segment with a SACK option, again that of the nth with data that were sent before.
func (b *bender) sack(nth int) int {
	return b.find(nth, func(e *trace.Event) bool {
		s, ok := e.Detail.(*trace.Sent)
		return ok && optionOf(s.Packet, trace.OptionSACK)
	})
}

// optionOf reports whether a packet has an option.
func optionOf(p *trace.Packet, kind uint8) bool {
	return slices.ContainsFunc(slices.Collect(p.TCP.Options.All()), func(o trace.Option) bool { return o.Kind == kind })
}

func (b *bender) again(nth int) int {
	seen := map[trace.Seq]bool{}
	return b.find(nth, func(e *trace.Event) bool {
		s, ok := e.Detail.(*trace.Sent)
		if !ok || s.Packet.TCP.DataLen == 0 {
			return false
		}
		before := seen[s.Packet.TCP.Seq]
		seen[s.Packet.TCP.Seq] = true
		return before
	})
}

// option changes the options of the first segment without data that a host sent with these control bits.
func option(host string, flags trace.Flags, change func([]byte) []byte) func(*bender) {
	return func(b *bender) { b.options(b.segment(host, flags, false, 1), change) }
}

func tcp(host string, flags trace.Flags, data bool, change func([]byte)) func(*bender) {
	return func(b *bender) { b.tcp(b.segment(host, flags, data, 1), change) }
}

func tcpNth(host string, flags trace.Flags, nth int, change func([]byte)) func(*bender) {
	return func(b *bender) { b.tcp(b.segment(host, flags, false, nth), change) }
}

// change2 gives an option other octets behind its length.
func change2(kind byte, octets ...byte) func([]byte) []byte {
	return func(o []byte) []byte {
		copy(o[optionAt(o, kind)+2:], octets)
		return o
	}
}

// more adds to a number in an option, at so many octets from its kind.
func more(kind byte, at int, n uint32) func([]byte) []byte {
	return func(o []byte) []byte {
		add(o[optionAt(o, kind):], at, n)
		return o
	}
}

// also appends an option, no takes one out.
func also(octets ...byte) func([]byte) []byte {
	return func(o []byte) []byte { return append(o, octets...) }
}

func no(kind byte) func([]byte) []byte {
	return func(o []byte) []byte {
		at := optionAt(o, kind)
		for i := range int(o[at+1]) {
			o[at+i] = trace.OptionNOP
		}
		return o
	}
}

func TestRulings(t *testing.T) {
	have := map[string]bool{}
	for _, row := range rulings {
		t.Run(row.rule, func(t *testing.T) {
			a := record(t, row.run)
			b := bend(t, a)
			row.bend(b)
			r := diff.Compare(a, b.finish(), diff.Options{})
			if r.First == nil {
				t.Fatal("no divergence")
			}
			have["diff.rule."+row.rule] = true
			got, want := fmt.Sprint(r.First.Ruling.Rule, " ", r.First.Ruling.A, " ", r.First.Ruling.B), fmt.Sprint("diff.rule.", row.rule, " ", row.a, " ", row.b)
			if got != want {
				t.Errorf("got %s, want %s: %s %+v", got, want, brief(r.First), *r.First)
			}
			broken := row.a == rfc9293.Breaks || row.b == rfc9293.Breaks
			if broken && (r.FirstBroken == nil || brief(r.FirstBroken) != brief(r.First)) {
				t.Errorf("the first rule is broken at %s", brief(r.FirstBroken))
			}
		})
	}
	for i := range aspects {
		c := &aspects[i]
		a := recorded(t, c.story)
		b := bend(t, a)
		c.bend(b)
		for _, d := range divergences(diff.Compare(a, b.finish(), diff.Options{})) {
			have[d.Ruling.Rule] = true
		}
	}
	for _, p := range []run{{"slow-reader", "handwritten+", "handwritten", 1}, {"flight", "handwritten", "handwritten", 1}} {
		for _, d := range divergences(diff.Compare(recorded(t, p.story), record(t, p), diff.Options{})) {
			have[d.Ruling.Rule] = true
		}
	}
	fin := bend(t, record(t, plain)) // of what is captured nothing is owed that could be seen
	tcp("server", trace.FIN|trace.ACK, false, func(tcp []byte) { tcp[13] &^= byte(trace.FIN) })(fin)
	for _, d := range divergences(diff.Compare(capture(t, record(t, plain)), capture(t, fin.finish()), diff.Options{})) {
		have[d.Ruling.Rule] = true
	}
	for _, rule := range diff.Rules() {
		if !have[rule] && rule != "diff.rule.option-order" && rule != "diff.rule.acknowledged" { // TestOptionOrder, TestWrongAcknowledgment
			t.Errorf("%s: no divergence that is about it", rule)
		}
	}
}

// unseen is a trace of stacks that do not let their sockets be looked at.
func unseen(t *testing.T, tr *trace.Trace) *trace.Trace {
	t.Helper()
	b := without(t, tr, func(e *trace.Event) bool { return isControl(e) || isState(e) })
	for i := range b.t.Header.Hosts {
		h := &b.t.Header.Hosts[i]
		h.Capabilities = slices.DeleteFunc(h.Capabilities, func(s string) bool { return s == trace.CapabilityControl })
	}
	return b.finish()
}

// TestWrongAcknowledgment: an ACK of an octet too many, or of fewer than before, is about acknowledgment, and the right one keeps that rule.
func TestWrongAcknowledgment(t *testing.T) {
	for _, row := range []struct {
		name, host string
		flags      trace.Flags
		data       bool
		nth        int
		more       uint32
	}{
		{"a SYN,ACK acknowledges an octet too many", "server", trace.SYN | trace.ACK, false, 1, 1},
		{"a SYN,ACK does not acknowledge the SYN", "server", trace.SYN | trace.ACK, false, 1, ^uint32(0)},
		{"an ACK acknowledges an octet too many", "server", trace.ACK, false, 1, 1},
		{"an ACK acknowledges fewer octets than one before", "client", trace.FIN | trace.ACK, false, 1, ^uint32(5)},
		{"a segment with data acknowledges an octet too many", "client", trace.ACK, true, 1, 1},
	} {
		for _, story := range []run{plain, {"plain", "handwritten", "handwritten", 1}} {
			a := unseen(t, record(t, story))
			b := bend(t, a)
			if row.host == "server" && row.flags == trace.ACK && story.server == "handwritten" {
				continue // its ACK has data
			}
			n := b.segment(row.host, row.flags, row.data, row.nth)
			b.tcp(n, func(tcp []byte) { add(tcp, 8, row.more) })
			r := diff.Compare(a, b.finish(), diff.Options{})
			if want := fmt.Sprintf("numbers SEG.ACK #%d #%d", n, n); brief(r.First) != want {
				t.Errorf("%s, %s: first %s, want %s", row.name, story.client, brief(r.First), want)
				continue
			}
			got := r.First.Ruling
			if got.Rule != "diff.rule.acknowledged" && got.Rule != "rfc.rule.sent-ack-of-what-has-come" || got.A != rfc9293.Keeps || got.B != rfc9293.Breaks {
				t.Errorf("%s, %s: %s, %v and %v, want a rule about acknowledgment that A keeps and B breaks", row.name, story.client, got.Rule, got.A, got.B)
			}
		}
	}
}

// TestOneGivesUpEarlier: a SYN that only one side sends, since the other has given up, is about for how long it has to be sent, and how long
// that was is told from the call on.
func TestOneGivesUpEarlier(t *testing.T) {
	o := diff.Options{Ignore: []diff.Aspect{diff.TCPOptions, diff.Window, diff.IP}}
	a, b := record(t, run{"silent-host", "gvisor", "gvisor", 1}), record(t, run{"silent-host", "handwritten", "handwritten", 1})
	r := diff.Compare(a, b, o)
	if r.First == nil || r.First.Differences[0].Aspect != diff.Packets || r.First.A.Event != 0 {
		t.Fatalf("first %s, want a packet that only B has", brief(r.First))
	}
	got := fmt.Sprintln(r.First.Ruling.Section, r.First.Ruling.Requirement, r.First.Ruling.A, r.First.Ruling.B)
	if want := fmt.Sprintln("RFC 9293, Section 3.8.3", "MUST-23", rfc9293.Breaks, rfc9293.Keeps); got != want {
		t.Errorf("got %swant %s", got, want)
	}
	if r.FirstBroken == nil || brief(r.FirstBroken) != brief(r.First) {
		t.Errorf("the first rule is broken at %s", brief(r.FirstBroken))
	}
	times := 0
	for _, d := range divergences(r) {
		if x := d.Differences[0]; x.Aspect == diff.Time {
			times++
			if x.A != "2m7s" || x.B != "3m0s" {
				t.Errorf("%s: %s and %s, want 2m7s and 3m0s", brief(d), x.A, x.B)
			}
		}
	}
	if times == 0 {
		t.Error("no time differs")
	}
	mirror(t, a, b, o)
}

// TestBackOffFromAShortTime: a SYN that is sent again after 2 µs, 4 µs and so on is sent too early, and backs off.
func TestBackOffFromAShortTime(t *testing.T) {
	a, b := record(t, run{"half-open-b", "handwritten", "handwritten", 1}), record(t, run{"half-open-b", "gvisor", "gvisor", 1})
	for _, d := range divergences(diff.Compare(a, b, diff.Options{Ignore: []diff.Aspect{diff.TCPOptions, diff.Window, diff.IP}})) {
		if d.Ruling.A == rfc9293.Breaks || d.Ruling.B == rfc9293.Breaks {
			t.Errorf("%s: %s: %v and %v", brief(d), d.Ruling.Rule, d.Ruling.A, d.Ruling.B)
		}
	}
}

// What a host sends while it is taken off the link is seen by nobody, and no difference.
func TestPacketsOfAHostThatIsGone(t *testing.T) {
	o := diff.Options{Ignore: []diff.Aspect{diff.TCPOptions, diff.Window, diff.IP}}
	a, b := record(t, run{"half-open-a", "gvisor", "gvisor", 1}), record(t, run{"half-open-a", "handwritten", "handwritten", 1})
	if r := diff.Compare(a, b, o); r.First != nil || r.Moves == 0 {
		t.Errorf("%d moves have a counterpart, and the first divergence is %s", r.Moves, brief(r.First))
	}
}

// TestNothingNewMayWait: an ACK that acknowledges nothing new, as one that asks whether the peer is there, has no half second to keep.
func TestNothingNewMayWait(t *testing.T) {
	tr := record(t, run{"overtaken", "handwritten", "handwritten", 1})
	before := trace.Seq(0) // what was acknowledged before
	asks := bend(t, tr)
	n := asks.find(1, func(e *trace.Event) bool {
		s, ok := e.Detail.(*trace.Sent)
		if !ok || e.Host != "server" || !s.Packet.TCP.Flags.Has(trace.ACK) {
			return false
		}
		if _, timer := causeOf(asks.t, e).(*trace.Timer); timer {
			return true
		}
		before = s.Packet.TCP.Ack
		return false
	})
	asks.tcp(n, func(tcp []byte) { binary.BigEndian.PutUint32(tcp[8:], uint32(before)) })
	a := asks.finish()
	later := bend(t, a)
	later.later(later.t.Event(n).Cause, time.Hour)
	r := diff.Compare(a, later.finish(), diff.Options{})
	if want := fmt.Sprintf("time time #%d #%d", n, n); brief(r.First) != want {
		t.Fatalf("first divergence %s, want %s", brief(r.First), want)
	}
	if got := r.First.Ruling; got.A != rfc9293.Open || got.B != rfc9293.Open {
		t.Errorf("%s: %v and %v, want open on both sides", got.Rule, got.A, got.B)
	}
}
