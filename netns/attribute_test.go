package netns

import (
	"net/netip"
	"testing"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// brought says who brought each item under one stimulus, "stack" left out: "application", or a field's name.
type brought map[trace.Item]string

// who asks an attribution about an item.
func who(a *attribution, i trace.Item, v trace.Value, source trace.Source) string {
	c := trace.Change{Item: i, Source: source}.With(trace.Value{}, v)
	a.by(&c)
	switch c.By {
	case trace.BySegment:
		return c.Field.String()
	case trace.ByApplication:
		return "application"
	case trace.ByStack:
	}
	if c.Field != trace.NoField {
		return "stack, but with the field " + c.Field.String()
	}
	return ""
}

// number and text make values.
func number(n int64) trace.Value { return trace.Value{Kind: trace.Number, Num: n} }
func text(s string) trace.Value  { return trace.Value{Kind: trace.Text, Text: s} }

// TestByCall: a call brings what it was given and what it does, and no other item at all.
func TestByCall(t *testing.T) {
	closes := brought{
		trace.SndNxt: "application", trace.SendBufferUsed: "application", trace.ReceiveBufferUsed: "application",
		trace.ReceiveMemoryUsed: "application", trace.SynQueue: "application", trace.AcceptQueue: "application", trace.Backlog: "application",
	}
	sends := brought{trace.SendBufferUsed: "application", trace.SndNxt: "application"}
	receives := brought{trace.ReceiveBufferUsed: "application", trace.ReceiveMemoryUsed: "application", trace.RcvWnd: "application"}
	for name, c := range map[string]struct {
		call Call
		want brought
	}{
		"socket":                     {Call{Op: OpSocket}, brought{trace.Protocol: "application"}},
		"bind":                       {Call{Op: OpBind, Addr: netip.MustParseAddrPort("192.0.2.2:1")}, brought{trace.LocalPort: "application"}},
		"listen":                     {Call{Op: OpListen, N: 5}, brought{trace.Backlog: "application"}},
		"accept":                     {Call{Op: OpAccept}, brought{trace.AcceptQueue: "application"}},
		"connect":                    {Call{Op: OpConnect}, brought{trace.RemoteAddress: "application", trace.RemotePort: "application"}},
		"send":                       {Call{Op: OpSend}, sends},
		"sendall":                    {Call{Op: OpSendAll}, sends},
		"recv":                       {Call{Op: OpReceive}, receives},
		"recvall":                    {Call{Op: OpReceiveAll}, receives},
		"shutdown":                   {Call{Op: OpShutdown}, closes},
		"close":                      {Call{Op: OpClose}, closes},
		"abort":                      {Call{Op: OpAbort}, closes},
		"getsockopt(SO_ERROR)":       {Call{Op: OpGetError}, nil}, // see TestErrorTaken
		"getsockopt":                 {Call{Op: OpGetOption, Option: SendBuffer}, nil},
		"setsockopt(SO_SNDBUF)":      {Call{Op: OpSetOption, Option: SendBuffer}, brought{trace.SendBufferLimit: "application"}},
		"setsockopt(SO_RCVBUF)":      {Call{Op: OpSetOption, Option: ReceiveBuffer}, brought{trace.ReceiveBufferLimit: "application"}},
		"setsockopt of another kind": {Call{Op: OpSetOption, Option: TTL}, nil},
		"fcntl":                      {Call{Op: OpNonBlocking}, nil},
	} {
		got := brought{}
		for i := range trace.Item(trace.NumItems) {
			if w := who(&attribution{call: &c.call}, i, number(1), trace.Sampled); w != "" {
				got[i] = w
			}
		}
		if c.want == nil {
			c.want = brought{}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestByBind: the application brings the names that it gave, "any address" too; those that the stack chose instead it did not.
func TestByBind(t *testing.T) {
	for _, c := range []struct {
		given string
		item  trace.Item
		value trace.Value
		want  string
	}{
		{"192.0.2.2:80", trace.LocalAddress, text("192.0.2.2"), "application"},
		{"192.0.2.2:80", trace.LocalPort, number(80), "application"},
		{"0.0.0.0:80", trace.LocalAddress, text("0.0.0.0"), "application"},
		{"0.0.0.0:80", trace.LocalAddress, text("192.0.2.2"), ""},
		{"192.0.2.2:0", trace.LocalPort, number(49152), ""},
	} {
		a := attribution{call: &Call{Op: OpBind, Addr: netip.MustParseAddrPort(c.given)}}
		if got := who(&a, c.item, c.value, trace.Sampled); got != c.want {
			t.Errorf("bind(%s), %s becomes %s: by %q, want %q", c.given, c.item, c.value, got, c.want)
		}
	}
}

// TestErrorTaken: whichever call returned the pending error took it.
func TestErrorTaken(t *testing.T) {
	for op := OpSocket; op <= OpNonBlocking; op++ {
		if got := who(&attribution{call: &Call{Op: op}}, trace.PendingError, trace.Value{}, trace.Sampled); got != "application" {
			t.Errorf("%s: by %q, want the application", op, got)
		}
	}
}

// TestSendBufferFreed: as many octets as an acknowledgment number is ahead of SND.UNA leave the send buffer by it. Anything else
// is the stack's doing: a buffer that is made or thrown away.
func TestSendBufferFreed(t *testing.T) {
	const una = 2900 // and the segment acknowledges up to 3000
	for _, c := range []struct {
		flags    trace.Flags
		old, now trace.Value
		want     string
	}{
		{trace.ACK, number(100), number(0), "acknowledgment number"},
		{trace.ACK | trace.FIN, number(140), number(40), "acknowledgment number"},
		{trace.ACK, number(99), number(0), "acknowledgment number"}, // and the FIN behind them
		{trace.ACK, number(150), number(0), ""},
		{trace.ACK, number(0), number(100), ""},
		{trace.ACK, trace.Value{}, number(0), ""},
		{trace.ACK | trace.RST, number(100), number(0), ""},
		{trace.SYN, number(100), number(0), ""},
	} {
		var before trace.ControlInfo
		before.SetNumber(trace.SndUna, una)
		change := trace.Change{Item: trace.SendBufferUsed}.With(c.old, c.now)
		(&attribution{packet: arrival(c.flags, 0), before: &before, now: &trace.ControlInfo{}}).by(&change)
		if got := change.Field.String(); got != c.want {
			t.Errorf("%s, %s → %s: by %q, want %q", c.flags, c.old, c.now, got, c.want)
		}
	}
	// The octet that is said to leave was never in sequence: SND.UNA is not ahead.
	var before trace.ControlInfo
	before.SetNumber(trace.SndUna, 3000)
	change := trace.Change{Item: trace.SendBufferUsed}.With(number(-1), number(0))
	(&attribution{packet: arrival(trace.ACK, 0), before: &before, now: &trace.ControlInfo{}}).by(&change)
	if change.By != trace.ByStack {
		t.Errorf("a buffer of -1 octets becomes 0 by %s", change.Field)
	}
}

// TestByTimer: what changes when a timer ran out, the stack brought.
func TestByTimer(t *testing.T) {
	for i := range trace.Item(trace.NumItems) {
		if w := who(&attribution{}, i, number(1), trace.Sampled); w != "" {
			t.Errorf("%s by %s", i, w)
		}
	}
}

// arrival is a segment with a field for each item that a segment can bring, each with a value of its own.
func arrival(flags trace.Flags, data int) *trace.Packet {
	return &trace.Packet{
		Kind: trace.PacketTCP,
		IP:   trace.IPHeader{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")},
		TCP: trace.Segment{
			SrcPort: 1001, DstPort: 1002, Seq: 2000, Ack: 3000, Flags: flags, Window: 4000, DataLen: data,
			Options: trace.Options{2, 4, 0x13, 0x88 /* MSS 5000 */, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0x17, 0x70 /* TSval 6000 */, 0, 0, 0, 1, 0},
		},
	}
}

// TestBySegment: the field whose value an item takes on brought it; where no field has it, the stack did.
func TestBySegment(t *testing.T) {
	const ack, syn, rst, fin = trace.ACK, trace.SYN, trace.RST, trace.FIN
	for _, c := range []struct {
		flags trace.Flags
		data  int
		item  trace.Item
		value trace.Value
		want  string
	}{
		{syn, 0, trace.LocalAddress, text("192.0.2.2"), "destination address"},
		{syn, 0, trace.LocalAddress, text("192.0.2.1"), ""},
		{syn, 0, trace.RemoteAddress, text("192.0.2.1"), "source address"},
		{syn, 0, trace.RemoteAddress, text("192.0.2.9"), ""},
		{syn, 0, trace.LocalPort, number(1002), "destination port"},
		{syn, 0, trace.LocalPort, number(1001), ""},
		{syn, 0, trace.RemotePort, number(1001), "source port"},
		{syn, 0, trace.RemotePort, number(1002), ""},
		{syn, 0, trace.Protocol, text("TCP"), ""},
		{syn, 0, trace.IRS, number(2000), "sequence number"},
		{ack, 0, trace.IRS, number(1999), "sequence number"}, // from a cookie
		{syn, 0, trace.IRS, number(2001), ""},
		{syn, 0, trace.ISS, number(2999), ""}, // chosen
		{syn, 0, trace.RcvNxt, number(2001), "sequence number"},
		{syn | ack, 0, trace.RcvNxt, number(2001), "sequence number"},
		{ack, 10, trace.RcvNxt, number(2010), "sequence number"},
		{ack | fin, 10, trace.RcvNxt, number(2011), "sequence number"},
		{ack, 10, trace.RcvNxt, number(2500), "data"}, // what had come before its turn joined
		{ack, 0, trace.RcvNxt, number(2500), ""},
		{syn | ack, 0, trace.SndUna, number(3000), "acknowledgment number"},
		{syn | ack, 0, trace.SndUna, number(2999), ""},
		{syn, 0, trace.SndUna, number(3000), ""}, // the field has no meaning without ACK
		{ack, 0, trace.SndNxt, number(3000), ""},
		{ack, 0, trace.SndWnd, number(4000 << 2), "window"},
		{ack, 0, trace.SndWnd, number(4000), ""},
		{syn | ack, 0, trace.SndWnd, number(4000), "window"}, // never scaled in a SYN
		{syn | ack, 0, trace.SndWnd, number(4000 << 2), ""},
		{syn, 0, trace.SendMSS, number(5000), "option MSS"},
		{syn, 0, trace.SendMSS, number(536), ""},
		{syn, 0, trace.ReceiveMSS, number(5000), ""},
		{syn, 0, trace.SndWindShift, number(7), "option window scale"},
		{syn, 0, trace.SndWindShift, number(0), ""},
		{syn, 0, trace.RcvWindShift, number(7), ""},
		{syn, 0, trace.SACKPermitted, number(1), "option SACK permitted"},
		{syn, 0, trace.SACKPermitted, number(0), ""},
		{syn, 0, trace.Timestamps, number(1), "option timestamps"},
		{syn, 0, trace.Timestamps, number(0), ""},
		{ack, 0, trace.TSRecent, number(6000), "option timestamps"},
		{ack, 0, trace.TSRecent, number(1), ""},
		{ack, 5, trace.ReceiveBufferUsed, number(5), "data"},
		{ack, 5, trace.ReceiveMemoryUsed, number(500), "data"},
		{ack, 0, trace.ReceiveBufferUsed, number(5), ""},
		{syn, 0, trace.SynQueue, number(1), "control bits"},
		{ack, 0, trace.AcceptQueue, number(1), "control bits"},
		{rst, 0, trace.PendingError, text("ECONNRESET"), "control bits"},
		{syn, 0, trace.PendingError, text("ECONNRESET"), "control bits"},
		{ack, 0, trace.PendingError, text("ETIMEDOUT"), ""},
		{ack, 0, trace.RTO, number(2000), ""},
		{ack, 0, trace.SRTT, number(2000), ""},
		{ack, 0, trace.Cwnd, number(3000), ""},
		{ack, 0, trace.Ssthresh, trace.Value{Kind: trace.Unlimited}, ""},
		{ack, 0, trace.RcvWnd, number(4000), ""},
	} {
		var info trace.ControlInfo
		info.SetNumber(trace.SndWindShift, 2)
		a := attribution{packet: arrival(c.flags, c.data), before: &info, now: &info}
		if got := who(&a, c.item, c.value, trace.Sampled); got != c.want {
			t.Errorf("%s with %d octets of data, %s becomes %s: by %q, want %q", c.flags, c.data, c.item, c.value, got, c.want)
		}
	}
}

// TestInferredISS: of a connection from a SYN cookie the ISS comes back in the acknowledgment number.
func TestInferredISS(t *testing.T) {
	for _, c := range []struct {
		flags trace.Flags
		n     int64
		want  string
	}{{trace.ACK, 2999, "acknowledgment number"}, {trace.ACK, 3000, ""}, {trace.SYN, 2999, ""}} {
		a := attribution{packet: arrival(c.flags, 0), before: &trace.ControlInfo{}, now: &trace.ControlInfo{}}
		if got := who(&a, trace.ISS, number(c.n), trace.Inferred); got != c.want {
			t.Errorf("%s, ISS %d: by %q, want %q", c.flags, c.n, got, c.want)
		}
	}
}

// TestWhatIsGone: no field brings an item's absence, even where the field is 0.
func TestWhatIsGone(t *testing.T) {
	p := arrival(trace.RST|trace.ACK, 5)
	p.TCP.Seq, p.TCP.Ack, p.TCP.Window, p.TCP.DataLen = 0, 0, 0, 0
	for i := range trace.Item(trace.NumItems) {
		for _, v := range []trace.Value{{}, {Kind: trace.NotObservable}} {
			if w := who(&attribution{packet: p, before: &trace.ControlInfo{}, now: &trace.ControlInfo{}}, i, v, trace.Sampled); w != "" {
				t.Errorf("%s becomes %s by %s", i, v, w)
			}
		}
	}
}

// TestByOtherPackets: an ICMP message brings an error and a path's MTU; what is neither it nor TCP brings nothing.
func TestByOtherPackets(t *testing.T) {
	for kind, want := range map[trace.PacketKind]brought{
		trace.PacketICMP:      {trace.PendingError: "ICMP message", trace.EffSendMSS: "ICMP message"},
		trace.PacketOther:     {},
		trace.PacketMalformed: {},
	} {
		got := brought{}
		for i := range trace.Item(trace.NumItems) {
			if w := who(&attribution{packet: &trace.Packet{Kind: kind}, before: &trace.ControlInfo{}, now: &trace.ControlInfo{}}, i, number(0), trace.Sampled); w != "" {
				got[i] = w
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", kind, d)
		}
	}
}
