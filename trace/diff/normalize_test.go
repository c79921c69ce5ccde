package diff_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"connectlab/trace"
	"connectlab/trace/diff"
)

// A change is one thing changed in a recorded trace, and what Compare has to say of it, which is all that differs.
type change struct {
	name  string
	story string
	bend  func(b *bender) (at int) // changes it, and returns the event that is changed
	want  diff.Aspect
	field string
	a, b  string // what each side has there
	// only: the event is only in the recorded trace, or, if added, only in the changed one.
	only, added bool
	// more: what else must differ, because it follows.
	more []diff.Aspect
}

// check compares the recorded trace with the changed one, both ways round, and the changed one of another seed.
func (c *change) check(t *testing.T, o diff.Options) {
	t.Helper()
	a := recorded(t, c.story)
	b := bend(t, a)
	at := c.bend(b)
	changed := b.finish()
	r := diff.Compare(a, changed, o)
	if r.First == nil {
		t.Fatalf("no divergence")
	}
	d := r.First.Differences[0]
	if d.Aspect != c.want || d.Field != c.field || d.A != c.a || d.B != c.b {
		t.Errorf("first difference %v %s: %q, %q; want %v %s: %q, %q", d.Aspect, d.Field, d.A, d.B, c.want, c.field, c.a, c.b)
	}
	wantA, wantB := at, at
	switch {
	case c.only:
		wantB = 0
	case c.added:
		wantA = 0
	}
	if r.First.A.Event != wantA || r.First.B.Event != wantB && !c.added || c.added && r.First.B.Event == 0 {
		t.Errorf("first divergence at #%d and #%d, want #%d and #%d: %+v", r.First.A.Event, r.First.B.Event, wantA, wantB, *r.First)
	}
	for i := range r.Rest {
		if g := &r.Rest[i]; !slices.Contains(c.more, g.Aspect) {
			t.Errorf("%v differs too, %d times, first %+v", g.Aspect, g.N, *g.First)
		}
	}
	for _, d := range r.First.Differences[1:] {
		if d.Aspect != c.want && !slices.Contains(c.more, d.Aspect) {
			t.Errorf("%v %s differs too: %q, %q", d.Aspect, d.Field, d.A, d.B)
		}
	}
	mirror(t, a, changed, o)
	// What the normalisations take out hides it no more than nothing does.
	other := diff.Compare(record(t, run{c.story, "gvisor", "gvisor", 2}), changed, o)
	if c.want != diff.Data && (other.First == nil || brief(other.First) != brief(r.First) || other.First.Differences[0].Field != d.Field) {
		t.Errorf("to seed 2 the first divergence is %s, want %s", brief(other.First), brief(r.First))
	}
	ignored := diff.Compare(a, changed, diff.Options{Raw: o.Raw, Ignore: append(slices.Clone(c.more), c.want)})
	if ignored.First != nil || !slices.Contains(ignored.Ignored, c.want) {
		t.Errorf("with %v ignored the first divergence is %s; ignored %v", c.want, brief(ignored.First), ignored.Ignored)
	}
}

// hidden are differences that look like what a normalisation takes out, and that it must not hide.
var hidden = map[diff.Normalization][]change{
	diff.InitialSequenceNumbers: {
		{name: "a SYN is sent again with another number", story: "syn-lost", bend: func(b *bender) int {
			n := b.segment("client", trace.SYN, false, 2)
			b.tcp(n, func(tcp []byte) { add(tcp, 4, 1000) })
			return n
		}, want: diff.Numbers, field: "SEG.SEQ", a: "0", b: "1000"},
		{name: "a SYN,ACK is sent again with another number", story: "synack-lost", bend: func(b *bender) int {
			n := b.segment("server", trace.SYN|trace.ACK, false, 2)
			b.tcp(n, func(tcp []byte) { add(tcp, 4, 1000) })
			return n
		}, want: diff.Numbers, field: "SEG.SEQ", a: "0", b: "1000"},
		{name: "the SYN,ACK acknowledges one too few", story: "plain", bend: func(b *bender) int {
			n := b.segment("server", trace.SYN|trace.ACK, false, 1)
			b.tcp(n, func(tcp []byte) { add(tcp, 8, ^uint32(0)) })
			return n
		}, want: diff.Numbers, field: "SEG.ACK", a: "1", b: "0"},
		{name: "data begin one number late", story: "plain", bend: func(b *bender) int {
			n := b.segment("client", trace.ACK, true, 1)
			b.tcp(n, func(tcp []byte) { add(tcp, 4, 1) })
			return n
		}, want: diff.Numbers, field: "SEG.SEQ", a: "1", b: "2"},
		{name: "the RST to no connection does not acknowledge the SYN", story: "refused", bend: func(b *bender) int {
			n := b.segment("server", trace.RST|trace.ACK, false, 1)
			b.tcp(n, func(tcp []byte) { add(tcp, 8, ^uint32(0)) })
			return n
		}, want: diff.Numbers, field: "SEG.ACK", a: "1", b: "0"},
		{name: "the RST to no connection has a number of its own", story: "refused", bend: func(b *bender) int {
			n := b.segment("server", trace.RST|trace.ACK, false, 1)
			b.tcp(n, func(tcp []byte) { add(tcp, 4, 77) })
			return n
		}, want: diff.Numbers, field: "SEG.SEQ", a: "=0", b: "1"},
		{name: "the RST does not take its number from what was acknowledged", story: "half-open-b", bend: func(b *bender) int {
			n := b.segment("client", trace.RST, false, 1)
			b.tcp(n, func(tcp []byte) { add(tcp, 4, 5) })
			return n
		}, want: diff.Numbers, field: "SEG.SEQ", a: "1'", b: "6'"},
		{name: "a RST has the number 0", story: "half-open-b", bend: func(b *bender) int {
			n := b.segment("client", trace.RST, false, 1)
			b.tcp(n, func(tcp []byte) { copy(tcp[4:8], []byte{0, 0, 0, 0}) })
			return n
		}, want: diff.Numbers, field: "SEG.SEQ", a: "1'", b: "=0"},
		{name: "an edge of a SACK block", story: "hole", bend: func(b *bender) int {
			n := b.sack(1)
			b.options(n, func(o []byte) []byte {
				at := optionAt(o, trace.OptionSACK)
				add(o, at+2, 1)
				return o
			})
			return n
		}, want: diff.TCPOptions, field: "option-SACK", a: "2841-4261", b: "2842-4261"},
	},
	diff.Ports: {
		{name: "the answer comes from another port", story: "refused", bend: func(b *bender) int {
			n := b.segment("server", trace.RST|trace.ACK, false, 1)
			b.tcp(n, func(tcp []byte) { binary.BigEndian.PutUint16(tcp, 81) })
			return n
		}, want: diff.Packets, field: "connection", a: "192.0.2.2:80 > 192.0.2.1:(1)", b: "192.0.2.2:(1) > 192.0.2.1:(1)", more: []diff.Aspect{diff.Numbers}},
		{name: "the answer goes to another port", story: "refused", bend: func(b *bender) int {
			n := b.segment("server", trace.RST|trace.ACK, false, 1)
			b.tcp(n, func(tcp []byte) { binary.BigEndian.PutUint16(tcp[2:], binary.BigEndian.Uint16(tcp[2:])+1) })
			return n
		}, want: diff.Packets, field: "connection", a: "192.0.2.2:80 > 192.0.2.1:(1)", b: "192.0.2.2:80 > 192.0.2.1:(2)", more: []diff.Aspect{diff.Numbers}},
		{name: "a SYN is sent again from another port", story: "syn-lost", bend: func(b *bender) int {
			n := b.segment("client", trace.SYN, false, 2)
			b.tcp(n, func(tcp []byte) { binary.BigEndian.PutUint16(tcp, binary.BigEndian.Uint16(tcp)+1) })
			return n
		}, want: diff.Packets, field: "connection", a: "192.0.2.1:(1) > 192.0.2.2:80", b: "192.0.2.1:(2) > 192.0.2.2:80"},
		{name: "accept() tells of another port", story: "plain", bend: func(b *bender) int {
			n := b.returned(b.call("server", "accept", 1))
			r := b.t.Event(n).Detail.(*trace.Return)
			r.Addr = netip.AddrPortFrom(r.Addr.Addr(), r.Addr.Port()+1)
			return n
		}, want: diff.Returns, field: "connection", a: "192.0.2.1:(1)", b: "192.0.2.1:(2)"},
		{name: "two connections come from one port", story: "two-refused", bend: func(b *bender) int {
			first := b.t.Event(b.segment("client", trace.SYN, false, 1)).Detail.(*trace.Sent).Packet.TCP.SrcPort
			n := b.segment("client", trace.SYN, false, 2)
			b.tcp(n, func(tcp []byte) { binary.BigEndian.PutUint16(tcp, first) })
			return n
		}, want: diff.Packets, field: "connection", a: "192.0.2.1:(2) > 192.0.2.2:80", b: "192.0.2.1:(1) > 192.0.2.2:80", more: []diff.Aspect{diff.Numbers, diff.Control}},
	},
	diff.TimestampValues: {
		{name: "TSecr echoes the segment before", story: "plain", bend: func(b *bender) int {
			n := b.segment("server", trace.ACK, false, 2) // that of the FIN
			b.options(n, func(o []byte) []byte { add(o, optionAt(o, trace.OptionTimestamps)+6, ^uint32(19)); return o })
			return n
		}, want: diff.TCPOptions, field: "option-timestamps", a: "TSval 40, TSecr 40", b: "TSval 40, TSecr 20"},
		{name: "TSecr echoes nothing", story: "plain", bend: func(b *bender) int {
			n := b.segment("server", trace.SYN|trace.ACK, false, 1)
			b.options(n, func(o []byte) []byte { add(o, optionAt(o, trace.OptionTimestamps)+6, 7); return o })
			return n
		}, want: diff.TCPOptions, field: "option-timestamps", a: "TSval 0, TSecr 0", b: "TSval 0, TSecr 7"},
		{name: "TSecr is 0", story: "plain", bend: func(b *bender) int {
			n := b.segment("server", trace.SYN|trace.ACK, false, 1)
			b.options(n, func(o []byte) []byte {
				at := optionAt(o, trace.OptionTimestamps)
				copy(o[at+6:at+10], []byte{0, 0, 0, 0})
				return o
			})
			return n
		}, want: diff.TCPOptions, field: "option-timestamps", a: "TSval 0, TSecr 0", b: "TSval 0, TSecr =0"},
		{name: "TSval goes back", story: "plain", bend: func(b *bender) int {
			n := b.segment("client", trace.FIN|trace.ACK, false, 1)
			b.options(n, func(o []byte) []byte { add(o, optionAt(o, trace.OptionTimestamps)+2, ^uint32(99)); return o })
			return n
		}, want: diff.TCPOptions, field: "option-timestamps", a: "TSval 40, TSecr 20", b: "TSval -60, TSecr 20", more: []diff.Aspect{diff.TCPOptions, diff.Control}},
	},
	diff.OptionOrder: {
		{name: "an option is there twice", story: "plain", bend: func(b *bender) int {
			n := b.segment("client", trace.SYN, false, 1)
			b.options(n, func(o []byte) []byte { return append(o, trace.OptionMSS, 4, 5, 180) })
			return n
		}, want: diff.TCPOptions, field: "option-MSS", a: "", b: "1460"},
		{name: "an option is missing", story: "plain", bend: func(b *bender) int {
			n := b.segment("client", trace.SYN, false, 1)
			b.options(n, func(o []byte) []byte {
				at := optionAt(o, trace.OptionSACKPermitted)
				return slices.Replace(o, at, at+2, 1, 1)
			})
			return n
		}, want: diff.TCPOptions, field: "option-SACK-permitted", a: "1", b: ""},
		{name: "an option is another one", story: "plain", bend: func(b *bender) int {
			n := b.segment("client", trace.SYN, false, 1)
			b.options(n, func(o []byte) []byte {
				o[optionAt(o, trace.OptionSACKPermitted)] = 253
				return o
			})
			return n
		}, want: diff.TCPOptions, field: "option-SACK-permitted", a: "1", b: ""},
		{name: "an option cannot be read", story: "plain", bend: func(b *bender) int {
			n := b.segment("client", trace.SYN, false, 1)
			b.options(n, func(o []byte) []byte { return append(o, 1, 1, 253, 9) })
			return n
		}, want: diff.TCPOptions, field: "option-other", a: "", b: "fd09"},
		{name: "something stands behind the end of the list", story: "plain", bend: func(b *bender) int {
			n := b.segment("client", trace.SYN, false, 1)
			b.options(n, func(o []byte) []byte { return append(o, trace.OptionEnd, 0, 0, 7) })
			return n
		}, want: diff.TCPOptions, field: "option-other", a: "", b: "000007"},
	},
}

func TestNormalisationsDoNotHide(t *testing.T) {
	for _, n := range diff.Normalizations() {
		if len(hidden[n]) == 0 {
			t.Errorf("%v: no difference that it must not hide", n)
		}
		for i := range hidden[n] {
			c := &hidden[n][i]
			t.Run(n.String()+"/"+c.name, func(t *testing.T) { c.check(t, diff.Options{}) })
		}
	}
}

// TestOptionOrder: options in another order, and padded otherwise, are the same; where the order is compared, they are not.
func TestOptionOrder(t *testing.T) {
	a := recorded(t, "plain")
	b := bend(t, a)
	n := b.segment("client", trace.SYN, false, 1)
	b.options(n, func(o []byte) []byte {
		var list [][]byte
		for opt := range trace.Options(o).All() {
			if opt.Kind > trace.OptionNOP {
				list = append(list, append([]byte{opt.Kind, byte(len(opt.Data) + 2)}, opt.Data...))
			}
		}
		slices.Reverse(list)
		return slices.Concat(list...)
	})
	turned := b.finish()
	if r := diff.Compare(a, turned, diff.Options{}); r.First != nil {
		t.Errorf("first divergence %s", brief(r.First))
	}
	r := diff.Compare(a, turned, diff.Options{Raw: []diff.Normalization{diff.OptionOrder}})
	if want := "options option-order #21 #21"; brief(r.First) != want {
		t.Errorf("with the order as it stands: %s, want %s", brief(r.First), want)
	}
	if want := "diff.rule.option-order"; r.First != nil && r.First.Ruling.Rule != want {
		t.Errorf("rule %s, want %s", r.First.Ruling.Rule, want)
	}
}

// mirror holds Compare(a, b) against Compare(b, a): it is the same with the sides exchanged.
func mirror(t *testing.T, a, b *trace.Trace, o diff.Options) {
	t.Helper()
	one, two := diff.Compare(a, b, o), diff.Compare(b, a, o)
	turned(two)
	if d := compared(one, two); d != "" {
		t.Errorf("the other way round it is not the same:\n%s", d)
	}
}
