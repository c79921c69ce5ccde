package gvisor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// reported are the items that a socket has, as text: "ISS 1234 inferred".
func reported(w *socket) map[trace.Item]string {
	var info trace.ControlInfo
	w.Report(&info)
	items := make(map[trace.Item]string)
	for i := range trace.Item(trace.NumItems) {
		if v := info.Value(i); v.Kind != trace.None {
			items[i] = v.String()
			if info.Source(i) == trace.Inferred {
				items[i] += " inferred"
			}
		}
	}
	return items
}

// wantReport compares what a socket reports with want.
func wantReport(t *testing.T, when string, w *socket, want map[trace.Item]string) {
	t.Helper()
	got := reported(w)
	show := func(m map[trace.Item]string) (lines []string) {
		for i := range trace.Item(trace.NumItems) {
			if v, ok := m[i]; ok {
				lines = append(lines, fmt.Sprintf("%v: %s", i, v))
			}
		}
		return lines
	}
	if diff := cmp.Diff(show(want), show(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// with is m with other items; an empty text takes an item away.
func with(m map[trace.Item]string, changes ...any) map[trace.Item]string {
	n := make(map[trace.Item]string)
	for i, v := range m {
		n[i] = v
	}
	for i := 0; i < len(changes); i += 2 {
		item, text := changes[i].(trace.Item), fmt.Sprint(changes[i+1])
		if text == "" {
			delete(n, item)
		} else {
			n[item] = text
		}
	}
	return n
}

func TestReportOfAHandshake(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	fresh := map[trace.Item]string{
		trace.Protocol: "TCP", trace.SendBufferLimit: "1048576", trace.SendBufferUsed: "0", trace.ReceiveBufferLimit: "1048576",
		trace.ReceiveBufferUsed: "0", trace.ReceiveMemoryUsed: "0",
	}
	l := p.socket(p.server)
	wantReport(t, "a new socket", l, fresh)
	p.must(l.Bind(p.server.addr))
	bound := with(fresh, trace.LocalAddress, "192.0.2.2", trace.LocalPort, port)
	wantReport(t, "bound", l, bound)
	p.must(l.Listen(5))
	listening := with(bound, trace.Backlog, 5, trace.SynQueue, 0, trace.AcceptQueue, 0)
	wantReport(t, "listening", l, listening)

	c := p.dial()
	syn := dissectTCP(p.sent[0].octets)
	iss := be32(syn[4:])
	synSent := with(fresh, trace.LocalAddress, "192.0.2.1", trace.LocalPort, c.LocalAddr().Port(), trace.RemoteAddress, "192.0.2.2", trace.RemotePort, port,
		trace.ISS, iss, trace.SndUna, fmt.Sprint(iss, " inferred"), trace.SndNxt, fmt.Sprint(iss+1, " inferred"), trace.RcvWnd, be16(syn[14:]),
		trace.ReceiveMSS, 1460, trace.RcvWindShift, 7, trace.RTO, time.Second.Nanoseconds())
	wantReport(t, "SYN-SENT", c, synSent)

	p.step(time.Hour)
	embryo := p.server.Touched()[1].(*socket)
	synAck := dissectTCP(p.sent[1].octets)
	irs := be32(synAck[4:])
	wantReport(t, "the listener with a connection in SYN-RECEIVED", l, with(listening, trace.SynQueue, 1))
	tsVal := func(segment []byte) uint32 { // SYN: MSS, SACK permitted, timestamps
		return be32(segment[20+4+2+2:])
	}
	// Octets for options are set aside: timestamps, and as many SACK blocks as find room.
	const effSendMSS = 1460 - 40
	synReceived := with(fresh, trace.LocalAddress, "192.0.2.2", trace.LocalPort, port, trace.RemoteAddress, "192.0.2.1", trace.RemotePort, c.LocalAddr().Port(),
		trace.ISS, irs, trace.IRS, iss, trace.SndUna, fmt.Sprint(irs, " inferred"), trace.SndNxt, fmt.Sprint(irs+1, " inferred"),
		trace.RcvNxt, iss+1, trace.RcvWnd, be16(synAck[14:]), trace.SendMSS, 1460, trace.ReceiveMSS, 1460, trace.SndWindShift, 7, trace.RcvWindShift, 7,
		trace.SACKPermitted, 1, trace.Timestamps, 1, trace.TSRecent, tsVal(syn), trace.RTO, time.Second.Nanoseconds())
	wantReport(t, "SYN-RECEIVED", embryo, synReceived)

	p.step(time.Hour)
	established := with(synSent, trace.IRS, irs, trace.SndUna, iss+1, trace.SndNxt, iss+1, trace.SndWnd, be16(synAck[14:]), trace.RcvNxt, irs+1,
		trace.SendMSS, 1460, trace.EffSendMSS, effSendMSS, trace.SndWindShift, 7, trace.SACKPermitted, 1, trace.Timestamps, 1, trace.TSRecent, tsVal(synAck),
		trace.SRTT, (2 * delay).Nanoseconds(), trace.RTTVar, delay.Nanoseconds(), trace.RTO, tcp.MinRTO.Nanoseconds(), trace.Cwnd, 10, trace.Ssthresh, "unlimited")
	wantReport(t, "the client in ESTABLISHED", c, established)

	p.step(time.Hour)
	wantReport(t, "the listener with a connection that waits", l, with(listening, trace.AcceptQueue, 1))
	s, err := l.Accept()
	p.must(err)
	wantReport(t, "the listener when it was accepted", l, listening)
	p.must(c.Connect(p.server.addr))

	// Data that wait at both ends.
	if _, err := c.Send([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if items := reported(c); items[trace.SendBufferUsed] != "5" || items[trace.SndNxt] != fmt.Sprint(iss+6) || items[trace.SndUna] != fmt.Sprint(iss+1) {
		t.Errorf("after a send of 5 octets: used %s, SND.NXT %s, SND.UNA %s", items[trace.SendBufferUsed], items[trace.SndNxt], items[trace.SndUna])
	}
	p.settle(p.client, 2*delay)
	if items := reported(c); items[trace.SendBufferUsed] != "0" || items[trace.SndUna] != fmt.Sprint(iss+6) {
		t.Errorf("after the ACK: used %s, SND.UNA %s", items[trace.SendBufferUsed], items[trace.SndUna])
	}
	items := reported(s.(*socket))
	if items[trace.ReceiveBufferUsed] != "5" || items[trace.RcvNxt] != fmt.Sprint(iss+6) || items[trace.ReceiveMemoryUsed] == "0" {
		t.Errorf("at the receiver: used %s, RCV.NXT %s, memory %s", items[trace.ReceiveBufferUsed], items[trace.RcvNxt], items[trace.ReceiveMemoryUsed])
	}

	// What a connection had when it ended stays.
	p.must(s.Abort())
	p.settle(p.server, delay)
	if items := reported(c); items[trace.PendingError] != "ECONNRESET" || items[trace.ISS] != fmt.Sprint(iss) || items[trace.RcvNxt] != fmt.Sprint(irs+1) {
		t.Errorf("after a RST: pending error %s, ISS %s, RCV.NXT %s", items[trace.PendingError], items[trace.ISS], items[trace.RcvNxt])
	}
	p.wantErr(c.PendingError(), netns.ErrReset)
	if items := reported(c); items[trace.PendingError] != "" {
		t.Errorf("after SO_ERROR was read the pending error is %s", items[trace.PendingError])
	}
}

// A SYN cookie keeps neither sequence numbers nor options: what the segment tells that made the connection is
// inferred, and only the MSS is not to be had.
func TestReportOfAConnectionFromACookie(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	l := p.listen(0)
	if items := reported(l); items[trace.Backlog] != "0" {
		t.Errorf("backlog %s, want 0", items[trace.Backlog])
	}
	c, s := p.connect(l)
	iss, irs := be32(dissectTCP(p.sent[1].octets)[4:]), be32(dissectTCP(p.sent[0].octets)[4:])
	items := reported(s)
	for item, want := range map[trace.Item]string{
		trace.ISS: fmt.Sprint(iss, " inferred"), trace.IRS: fmt.Sprint(irs, " inferred"), trace.SndNxt: fmt.Sprint(iss + 1), trace.RcvNxt: fmt.Sprint(irs + 1),
		trace.SendMSS: "not observable", trace.ReceiveMSS: "1460", trace.SndWindShift: "0", trace.RcvWindShift: "0", trace.SACKPermitted: "0", trace.Timestamps: "1",
	} {
		if items[item] != want {
			t.Errorf("%v: %s, want %s", item, items[item], want)
		}
	}
	if items := reported(c); items[trace.SndWindShift] != "0" || items[trace.RcvWindShift] != "0" {
		t.Errorf("the client's shifts are %s and %s, want 0: the SYN,ACK had no window scale", items[trace.SndWindShift], items[trace.RcvWindShift])
	}
}

// In a life with all that can happen, nothing but what a cookie did not keep is hidden.
func TestReportHidesNothing(t *testing.T) {
	for _, network := range []string{"192.0.2.0/24", "2001:db8::/64"} {
		p := newPair(t, network)
		look := func(e *end) {
			for _, w := range e.sockets.all() {
				for item, text := range reported(w) {
					if strings.Contains(text, "not observable") {
						t.Errorf("%s, %v: %v is not observable", e.name, w.Status().Word, item)
					}
				}
			}
		}
		p.delivered = look
		p.expired = func(e *end, _ netns.Expired) { look(e) }
		l := p.socket(p.server)
		p.must(l.Bind(p.server.addr))
		p.must(l.Listen(5))
		c, s := p.connect(l)
		if _, err := c.Send(make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		p.settle(p.client, time.Second)
		p.must(c.Close())
		p.settle(p.client, time.Second)
		p.must(s.Close())
		p.settle(p.server, timeWait)
		p.dial()
		p.drop = func(f flight) bool { return f.from == p.server }
		p.run(10 * time.Minute)
		p.must(l.Close())
		look(p.server)
	}
}

func TestReportDoesNotAllocate(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	l := p.listen(5)
	c, s := p.connect(l)
	var info trace.ControlInfo
	if n := testing.AllocsPerRun(100, func() {
		for _, w := range []*socket{l, c, s} {
			info.Reset()
			w.Report(&info)
			_ = w.Status()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
