package view

import (
	"net/netip"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/wire"
)

var (
	clientAddr = netip.MustParseAddrPort("192.0.2.1:49152")
	serverAddr = netip.MustParseAddrPort("192.0.2.2:80")
)

const (
	clientISN = 4_000_000_000
	serverISN = 1_000
)

// synOptions are MSS 1460, SACK permitted, timestamps 1 and 0, NOP, window scale 7.
var synOptions = trace.Options{2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7}

// segment makes a packet from one address to another.
func segment(from, to netip.AddrPort, s trace.Segment, data string) *trace.Packet {
	s.SrcPort, s.DstPort = from.Port(), to.Port()
	p := &trace.Packet{Kind: trace.PacketTCP, IP: trace.IPHeader{Src: from.Addr(), Dst: to.Addr(), Protocol: 6, TTL: 64}, TCP: s}
	q := &trace.Packet{Octets: wire.Append(nil, p, []byte(data))}
	q.Len = len(q.Octets)
	wire.Decode(q)
	return q
}

func fromClient(flags trace.Flags, seq, ack uint32, data string) *trace.Packet {
	s := trace.Segment{Flags: flags, Seq: trace.Seq(seq).Add(clientISN), Window: 512}
	if flags.Has(trace.ACK) {
		s.Ack = trace.Seq(ack).Add(serverISN)
	}
	if flags.Has(trace.SYN) {
		s.Window, s.Options = 65535, synOptions
	}
	return segment(clientAddr, serverAddr, s, data)
}

func fromServer(flags trace.Flags, seq, ack uint32, data string) *trace.Packet {
	s := trace.Segment{Flags: flags, Seq: trace.Seq(seq).Add(serverISN), Ack: trace.Seq(ack).Add(clientISN), Window: 512}
	if flags.Has(trace.SYN) {
		s.Window, s.Options = 65535, synOptions
	}
	return segment(serverAddr, clientAddr, s, data)
}

// A script records steps of two hosts.
type recording struct {
	*trace.Recorder
	t   testing.TB
	at  time.Duration
	now map[socketKey]trace.State
}

func record(t testing.TB, faults ...string) *recording {
	h := trace.Header{
		Delay: 10 * time.Millisecond, Faults: faults, Data: true, Control: true,
		Hosts: []trace.HostInfo{{Name: "client", Address: "192.0.2.1/24", Stack: "toy"}, {Name: "server", Address: "192.0.2.2/24", Stack: "toy"}},
	}
	return &recording{Recorder: trace.NewRecorder(h), t: t, now: make(map[socketKey]trace.State)}
}

// state records that a socket came to another state.
func (r *recording) state(host string, socket, cause int, to trace.State, word string) {
	key := socketKey{host, socket}
	listener := 0
	if host == "server" && socket > 1 {
		listener = 1
	}
	r.State(r.at, host, socket, cause, trace.StateChange{From: r.now[key], To: to, Word: word, Listener: listener})
	r.now[key] = to
}

// call records a call, and its return if it has a result.
func (r *recording) call(host string, socket int, c trace.Call, returns bool, result int64) int {
	n := r.Call(r.at, host, socket, c)
	if returns {
		r.Return(r.at, host, socket, n, trace.Return{Call: n, Result: result})
	}
	return n
}

func (r *recording) sent(host string, socket, cause int, p *trace.Packet) int {
	return r.Sent(r.at, host, socket, cause, r.Keep(p))
}

func (r *recording) arrived(host string, socket, cause int, p *trace.Packet) int {
	return r.Arrived(r.at, host, socket, cause, r.Keep(p))
}

func (r *recording) finish(reason trace.EndReason, blocked ...int) *trace.Trace {
	r.t.Helper()
	tr, err := r.Finish(trace.End{At: r.at, Reason: reason, Blocked: blocked})
	if err != nil {
		r.t.Fatal(err)
	}
	return tr
}

// troubled is a run in which everything happens to packets that can: a lost SYN and its retransmission, packets that
// cross, one that comes twice, one that is changed, a link that goes down, a reboot, a call that never returns.
func troubled(t testing.TB) *trace.Trace {
	r := record(t, "drop client SYN#1")
	listen := r.call("server", 1, trace.Call{Name: "listen", FD: 3, Len: 128, Program: "server"}, true, 0)
	r.state("server", 1, listen, trace.Listen, "LISTEN")
	accept := r.call("server", 1, trace.Call{Name: "accept", FD: 3, Len: trace.NoLen, Program: "server"}, false, 0)
	connect := r.call("client", 1, trace.Call{Name: "connect", FD: 3, Addr: serverAddr, Len: trace.NoLen, Program: "client"}, false, 0)
	r.state("client", 1, connect, trace.SynSent, "SYN-SENT")
	var none, info trace.ControlInfo
	info.SetText(trace.LocalAddress, "192.0.2.1")
	info.SetNumber(trace.LocalPort, 49152)
	info.SetText(trace.RemoteAddress, "192.0.2.2")
	info.SetNumber(trace.RemotePort, 80)
	info.SetNumber(trace.ISS, clientISN)
	info.SetNumber(trace.SndNxt, clientISN+1)
	info.Infer(trace.SndNxt)
	info.Hide(trace.SRTT)
	info.SetNumber(trace.RTO, int64(time.Second))
	info.SetUnlimited(trace.Ssthresh)
	r.Control(r.at, "client", 1, connect, &none, &info, func(c *trace.Change) {
		if c.Item == trace.RemoteAddress || c.Item == trace.RemotePort {
			c.By = trace.ByApplication
		}
	})
	syn := r.sent("client", 1, connect, fromClient(trace.SYN, 0, 0, ""))
	r.Fate(r.at, "client", 1, syn, trace.Fate{Kind: trace.Dropped, Rule: "drop client SYN#1"})

	r.at = time.Second
	timer := r.Timer(r.at, "client", 1, "retransmit")
	syn = r.sent("client", 1, timer, fromClient(trace.SYN, 0, 0, ""))
	r.at += 10 * time.Millisecond
	a := r.arrived("server", 1, syn, fromClient(trace.SYN, 0, 0, ""))
	r.state("server", 2, a, trace.SynReceived, "SYN-RCVD")
	synack := r.sent("server", 2, a, fromServer(trace.SYN|trace.ACK, 0, 1, ""))
	r.at += 10 * time.Millisecond
	a = r.arrived("client", 1, synack, fromServer(trace.SYN|trace.ACK, 0, 1, ""))
	r.state("client", 1, a, trace.Established, "ESTABLISHED")
	before := info
	info.SetNumber(trace.IRS, serverISN)
	info.SetNumber(trace.RcvNxt, serverISN+1)
	info.SetNumber(trace.SndWnd, 65535)
	info.SetNumber(trace.SndWindShift, 7)
	info.SetBool(trace.SACKPermitted, true)
	info.SetNumber(trace.ReceiveBufferUsed, 0)
	r.Control(r.at, "client", 1, a, &before, &info, func(c *trace.Change) {
		c.By = trace.BySegment
		switch c.Item {
		case trace.IRS, trace.RcvNxt:
			c.Field = trace.FieldSequenceNumber
		case trace.SndWnd:
			c.Field = trace.FieldWindow
		case trace.SndWindShift:
			c.Field = trace.FieldWindowScale
		case trace.SACKPermitted:
			c.Field = trace.FieldSACKPermitted
		default:
			c.By = trace.ByStack
		}
	})
	ack := r.sent("client", 1, a, fromClient(trace.ACK, 1, 1, ""))
	r.Return(r.at, "client", 1, a, trace.Return{Call: connect})
	r.at += 10 * time.Millisecond
	a = r.arrived("server", 2, ack, fromClient(trace.ACK, 1, 1, ""))
	r.state("server", 2, a, trace.Established, "ESTABLISHED")
	r.Return(r.at, "server", 1, a, trace.Return{Call: accept, Result: 4, Addr: clientAddr, Accepted: 2})

	// Data of both sides cross; the client's comes twice, the server's is changed.
	r.at = 2 * time.Second
	send := r.call("client", 1, trace.Call{Name: "send", FD: 3, Len: 5, Program: "client"}, true, 5)
	up := r.sent("client", 1, send, fromClient(trace.PSH|trace.ACK, 1, 1, "hello"))
	r.Fate(r.at, "client", 1, up, trace.Fate{Kind: trace.Duplicated, Delay: 5 * time.Millisecond, Rule: "duplicate client data#1 .005"})
	send = r.call("server", 2, trace.Call{Name: "send", FD: 4, Len: 3, Program: "server"}, true, 3)
	down := r.sent("server", 2, send, fromServer(trace.PSH|trace.ACK, 1, 1, "abc"))
	r.Fate(r.at, "server", 2, down, trace.Fate{Kind: trace.Corrupted, Octet: 42, Bit: 3})
	recv := r.call("client", 1, trace.Call{Name: "recv", FD: 3, Len: 100, Program: "client"}, false, 0)
	r.at += 10 * time.Millisecond
	r.arrived("server", 2, up, fromClient(trace.PSH|trace.ACK, 1, 1, "hello"))
	bad := fromServer(trace.PSH|trace.ACK, 1, 1, "abc")
	bad.Octets[42] ^= 0x10
	wire.Decode(bad)
	r.arrived("client", 1, down, bad)
	r.at += 5 * time.Millisecond
	r.arrived("server", 2, up, fromClient(trace.PSH|trace.ACK, 1, 1, "hello"))

	r.at = 90 * time.Second
	r.HostChange(r.at, "", trace.LinkGoesDown)
	r.Note(r.at, "server", 0, trace.Note{Text: "state(server 3#1) = ESTABLISHED"})
	r.Note(r.at, "client", 0, trace.Note{Text: "state(client 3) = CLOSED: expected CLOSED, got ESTABLISHED", Failed: true})
	r.at = 91 * time.Second
	r.HostChange(r.at, "server", trace.Reboot)
	rst := r.sent("server", 2, 0, fromServer(trace.RST|trace.ACK, 4, 6, ""))
	r.Fate(r.at, "server", 2, rst, trace.Fate{Kind: trace.HostGone})
	return r.finish(trace.Idle, recv)
}
