package trace_test

import (
	"net/netip"
	"testing"
	"time"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// A teller records steps of control information.
type teller struct {
	*trace.Recorder
	t  *testing.T
	at time.Duration
}

func tell(t *testing.T) *teller {
	return &teller{Recorder: trace.NewRecorder(trace.Header{Control: true, Hosts: []trace.HostInfo{{Name: "client"}, {Name: "server"}}}), t: t}
}

// holds records that item of a socket came to be n.
func (r *teller) holds(host string, socket, cause int, item trace.Item, n int64, by trace.Bringer, f trace.Field) int {
	var before, now trace.ControlInfo
	now.SetNumber(item, n)
	return r.Control(r.at, host, socket, cause, &before, &now, func(c *trace.Change) { c.By, c.Field = by, f })
}

func (r *teller) named(host string, socket, cause int, local, remote string) {
	l, p := netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	var before, now trace.ControlInfo
	now.SetText(trace.LocalAddress, l.Addr().String())
	now.SetText(trace.RemoteAddress, p.Addr().String())
	now.SetNumber(trace.LocalPort, int64(l.Port()))
	now.SetNumber(trace.RemotePort, int64(p.Port()))
	r.Control(r.at, host, socket, cause, &before, &now, nil)
}

func (r *teller) call(host string, socket int, name string) int {
	return r.Call(r.at, host, socket, trace.Call{Name: name, FD: 3, Len: trace.NoLen})
}

// arrival records a packet that comes to host, and the step that it begins.
func (r *teller) arrival(host string, cause int) int {
	r.at += time.Millisecond
	from := "client"
	if host == from {
		from = "server"
	}
	p := &trace.Packet{Kind: trace.PacketOther}
	return r.Arrived(r.at, host, 0, r.Sent(r.at, from, 1, cause, r.Keep(p)), r.Keep(p))
}

func (r *teller) finish() *trace.Trace {
	r.t.Helper()
	tr, err := r.Finish(trace.End{At: r.at})
	if err != nil {
		r.t.Fatal(err)
	}
	return tr
}

func TestToldNamesWhatBroughtTheValue(t *testing.T) {
	r := tell(t)
	socket := r.call("client", 0, "socket")
	made := r.holds("client", 1, socket, trace.SendBufferLimit, 7, trace.ByStack, trace.NoField)
	r.Return(0, "client", 1, socket, trace.Return{Call: socket, Result: 3})
	connect := r.call("client", 1, "connect")
	port := r.holds("client", 1, connect, trace.RemotePort, 80, trace.ByApplication, trace.NoField)
	synAck := r.arrival("client", connect)
	window := r.holds("client", 1, synAck, trace.SndWnd, 500, trace.BySegment, trace.FieldWindow)
	r.Return(r.at, "client", 1, synAck, trace.Return{Call: connect})
	recv := r.call("client", 1, "recv")
	send := r.call("client", 1, "send")
	data := r.arrival("client", 0)
	// What arrives lets recv go on, and it comes back; then more of what send was given fits, and it does not.
	// The link loses what is sent meanwhile.
	taken := r.holds("client", 1, data, trace.ReceiveBufferUsed, 0, trace.ByApplication, trace.NoField)
	update := r.Sent(r.at, "client", 1, data, r.Keep(&trace.Packet{Kind: trace.PacketOther}))
	r.Fate(r.at, "client", 1, update, trace.Fate{Kind: trace.Dropped})
	r.Return(r.at, "client", 1, data, trace.Return{Call: recv, Result: 5})
	ack := r.arrival("client", 0)
	next := r.holds("client", 1, ack, trace.SndNxt, 9, trace.ByApplication, trace.NoField)
	r.at += time.Second
	timer := r.Timer(r.at, "client", 1, "resend")
	rto := r.holds("client", 1, timer, trace.RTO, 400, trace.ByStack, trace.NoField)
	odd := r.holds("client", 1, timer, trace.IRS, 5, trace.BySegment, trace.FieldSequenceNumber)
	later := r.arrival("client", 0)
	window2 := r.holds("client", 1, later, trace.SndWnd, 600, trace.BySegment, trace.FieldWindow)
	tr := r.finish()

	want := map[trace.Item]trace.Origin{
		trace.SendBufferLimit:   {N: made, By: trace.ByStack, Cause: socket},
		trace.RemotePort:        {N: port, By: trace.ByApplication, Cause: connect},
		trace.SndWnd:            {N: window, By: trace.BySegment, Field: trace.FieldWindow, Cause: synAck},
		trace.ReceiveBufferUsed: {N: taken, By: trace.ByApplication, Cause: recv},
		trace.SndNxt:            {N: next, By: trace.ByApplication, Cause: send},
		trace.RTO:               {N: rto, By: trace.ByStack, Cause: timer},
		trace.IRS:               {N: odd, By: trace.BySegment, Field: trace.FieldSequenceNumber}, // no segment is there
	}
	origins := func(upTo int) map[trace.Item]trace.Origin {
		all := trace.Told(tr, upTo)
		if len(all) != 1 || all[0].Host != "client" || all[0].Socket != 1 {
			t.Fatalf("got %d sockets, want the client's", len(all))
		}
		got := map[trace.Item]trace.Origin{}
		for i, o := range all[0].Origins {
			if o != (trace.Origin{}) {
				got[trace.Item(i)] = o
			}
		}
		return got
	}
	if diff := cmp.Diff(want, origins(later)); diff != "" {
		t.Errorf("up to event %d (-want +got):\n%s", later, diff)
	}
	want[trace.SndWnd] = trace.Origin{N: window2, By: trace.BySegment, Field: trace.FieldWindow, Cause: later}
	if diff := cmp.Diff(want, origins(len(tr.Events)+100)); diff != "" {
		t.Errorf("to the end (-want +got):\n%s", diff)
	}
	if got := trace.Told(tr, later)[0].Info.Value(trace.SndWnd); got != (trace.Value{Kind: trace.Number, Num: 500}) {
		t.Errorf("SND.WND up to event %d is %v, want 500", later, got)
	}
	if got := trace.Told(tr, socket); len(got) != 0 {
		t.Errorf("%d sockets hold something before anything was recorded", len(got))
	}
}

func TestUntold(t *testing.T) {
	text := func(i trace.Item, s string) func(*trace.ControlInfo) {
		return func(c *trace.ControlInfo) { c.SetText(i, s) }
	}
	number := func(i trace.Item, n int64) func(*trace.ControlInfo) {
		return func(c *trace.ControlInfo) { c.SetNumber(i, n) }
	}
	over6 := func(mss int64) func(*trace.ControlInfo) {
		return func(c *trace.ControlInfo) {
			c.SetText(trace.LocalAddress, "2001:db8::1")
			c.SetNumber(trace.SendMSS, mss)
		}
	}
	segment, stack, application := trace.Origin{N: 9, By: trace.BySegment, Cause: 8}, trace.Origin{N: 9, By: trace.ByStack, Cause: 8}, trace.Origin{N: 9, By: trace.ByApplication, Cause: 8}
	missing := trace.Origin{N: 9, By: trace.BySegment}
	for _, tt := range []struct {
		what string
		item trace.Item
		set  func(*trace.ControlInfo)
		from trace.Origin
		want bool
	}{
		{"the peer's number by a segment", trace.IRS, number(trace.IRS, 5), segment, false},
		{"the peer's number by the stack", trace.IRS, number(trace.IRS, 5), stack, true},
		{"the peer's number by a segment that is not there", trace.IRS, number(trace.IRS, 5), missing, true},
		{"the peer's number by the application", trace.IRS, number(trace.IRS, 5), application, true},
		{"the peer's address by a call", trace.RemoteAddress, text(trace.RemoteAddress, "192.0.2.2"), application, false},
		{"the peer's address by a segment", trace.RemoteAddress, text(trace.RemoteAddress, "192.0.2.2"), segment, false},
		{"the peer's address by the stack", trace.RemoteAddress, text(trace.RemoteAddress, "192.0.2.2"), stack, true},
		{"the peer's port by the stack", trace.RemotePort, number(trace.RemotePort, 80), stack, true},
		{"the own port by the stack", trace.LocalPort, number(trace.LocalPort, 49152), stack, false},
		{"no value", trace.SndWnd, func(*trace.ControlInfo) {}, stack, false},
		{"not observable", trace.SendMSS, func(c *trace.ControlInfo) { c.Hide(trace.SendMSS) }, stack, false},
		{"the peer's MSS by the stack", trace.SendMSS, number(trace.SendMSS, 1460), stack, true},
		{"the default MSS over IPv4", trace.SendMSS, number(trace.SendMSS, 536), stack, false},
		{"the default MSS over IPv6", trace.SendMSS, over6(1220), stack, false},
		{"the default MSS of IPv6 over IPv4", trace.SendMSS, number(trace.SendMSS, 1220), stack, true},
		{"the default MSS of IPv4 over IPv6", trace.SendMSS, over6(536), stack, true},
		{"no window scale", trace.SndWindShift, number(trace.SndWindShift, 0), stack, false},
		{"a window scale by the stack", trace.SndWindShift, number(trace.SndWindShift, 7), stack, true},
		{"SACK off", trace.SACKPermitted, func(c *trace.ControlInfo) { c.SetBool(trace.SACKPermitted, false) }, stack, false},
		{"SACK on by the stack", trace.SACKPermitted, func(c *trace.ControlInfo) { c.SetBool(trace.SACKPermitted, true) }, stack, true},
		{"nothing acknowledged", trace.SndUna, func(c *trace.ControlInfo) { c.SetNumber(trace.ISS, 5); c.SetNumber(trace.SndUna, 5) }, stack, false},
		{"acknowledged by nobody", trace.SndUna, func(c *trace.ControlInfo) { c.SetNumber(trace.ISS, 5); c.SetNumber(trace.SndUna, 6) }, stack, true},
	} {
		var h trace.Holding
		tt.set(&h.Info)
		h.Origins[tt.item] = tt.from
		if got := h.Untold(tt.item); got != tt.want {
			t.Errorf("%s: untold is %v, want %v", tt.what, got, tt.want)
		}
	}
}

func TestFirstConnection(t *testing.T) {
	const client, server, other = "192.0.2.1:1000", "192.0.2.2:80", "192.0.2.1:1001"
	state := func(r *teller, host string, socket, cause int, to trace.State) int {
		return r.State(r.at, host, socket, cause, trace.StateChange{To: to})
	}
	t.Run("nobody is ESTABLISHED", func(t *testing.T) {
		r := tell(t)
		r.named("client", 1, 0, client, server)
		state(r, "client", 1, 0, trace.SynSent)
		if m, ok := trace.FirstConnection(r.finish()); ok {
			t.Errorf("got %+v", m)
		}
	})
	t.Run("only one side is", func(t *testing.T) {
		r := tell(t)
		r.named("client", 1, 0, client, server)
		state(r, "client", 1, 0, trace.Established)
		r.named("server", 2, 0, server, other)
		state(r, "server", 2, 0, trace.Established)
		if m, ok := trace.FirstConnection(r.finish()); ok {
			t.Errorf("got %+v", m)
		}
	})
	t.Run("without names", func(t *testing.T) {
		r := tell(t)
		state(r, "client", 1, 0, trace.Established)
		state(r, "server", 1, 0, trace.Established)
		if m, ok := trace.FirstConnection(r.finish()); ok {
			t.Errorf("got %+v", m)
		}
	})
	for _, first := range []string{"client", "server"} {
		t.Run("the "+first+" is first and goes on", func(t *testing.T) {
			sockets := map[string]int{"client": 4, "server": 2}
			names := map[string][2]string{"client": {client, server}, "server": {server, client}}
			second := "server"
			if first == second {
				second = "client"
			}
			r := tell(t)
			r.named("client", 3, 0, other, server) // another, that does not come about
			state(r, "client", 3, 0, trace.Established)
			call := r.call(first, sockets[first], "close")
			r.named(first, sockets[first], call, names[first][0], names[first][1])
			state(r, first, sockets[first], call, trace.Established)
			state(r, first, sockets[first], call, trace.FinWait1)
			a := r.arrival(second, call)
			r.named(second, sockets[second], a, names[second][0], names[second][1])
			state(r, second, sockets[second], a, trace.Established)
			last := r.holds(second, sockets[second], a, trace.SndWnd, 5, trace.BySegment, trace.FieldWindow)
			r.call(second, sockets[second], "send")
			m, ok := trace.FirstConnection(r.finish())
			if !ok || m.Client.Number != 4 || m.Client.Host != "client" || m.Server.Number != 2 || m.Server.Host != "server" || m.N != last {
				t.Errorf("got %+v, %v, want client 4 and server 2 at %d", m, ok, last)
			}
		})
	}
}
