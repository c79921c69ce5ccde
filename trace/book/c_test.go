package book

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns/script"
	"connectlab/trace"
)

// changesC are the changes for section C.
var changesC = []change{
	{statement: "C1", name: "as it is", story: "plain", want: Holds},
	{statement: "C1", name: "connect() on a descriptor that names no socket", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.t.Event(e.call(t, "client", "connect", 1)).Detail.(*trace.Call).FD = 5
	}},

	{statement: "C2", name: "as it is", story: "plain", want: Holds},
	{statement: "C2", name: "the SYN comes of nothing", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.t.Event(e.segment(t, "client", trace.SYN, 1)).Cause = 0
	}},

	{statement: "C3", name: "as it is", story: "plain", want: Holds},
	{statement: "C3", name: "a second socket of the server has the port", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.listener(t, 80)
	}},

	{statement: "C4", name: "as it is", story: "plain", want: Holds},
	{statement: "C4", name: "SYN is clear in a first segment that is lost", story: "lost-syn", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.flags(e.segment(t, "client", trace.SYN, 1), 0, trace.SYN)
	}},

	{statement: "C5", name: "as it is", story: "plain", want: Holds},
	{statement: "C5", name: "a SYN that is lost names another host as its source", story: "syn-lost", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.octets(e.segment(t, "client", trace.SYN, 1), func(b []byte) []byte {
			b[15] = 99
			return b
		})
	}},

	{statement: "C6", name: "as it is", story: "plain", want: Holds},
	{statement: "C6", name: "the SYN comes to a socket of another port", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		syn := e.segment(t, "client", trace.SYN, 1)
		arrived := e.find(t, syn, func(ev *trace.Event) bool { return ev.Cause == syn })
		e.t.Event(arrived).Socket = e.listener(t, 8080)
	}},

	{statement: "C7", name: "the sockets of a simultaneous open", story: "simultaneous-open", want: Holds},
	{statement: "C7", name: "a SYN cookie", story: "syn-cookies", want: Contradicted},
	{statement: "C7", name: "what the new socket becomes is not of the SYN", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.t.Event(e.into(t, "server", trace.SynReceived)).Cause = 0
	}},

	{statement: "C8", name: "as it is", story: "plain", want: Contradicted},
	{statement: "C8", name: "a bare ACK stands before the SYN,ACK", story: "plain", want: Holds, edit: func(t *testing.T, e *editor) {
		answer := e.segment(t, "server", trace.SYN|trace.ACK, 1)
		arrived := e.find(t, answer, func(ev *trace.Event) bool { return ev.Cause == answer })
		bare := *e.t.Event(answer).Detail.(*trace.Sent).Packet
		rewrite(&bare, func(b []byte) []byte {
			b = b[:40] // the options go with the SYN
			b[32], b[33] = 5<<4, byte(trace.ACK)
			return b
		})
		there := bare
		e.insert(answer-1, trace.Event{N: -1, Socket: 2, Cause: e.t.Event(answer).Cause, Detail: &trace.Sent{Packet: &bare}})
		e.insert(arrived-1, trace.Event{Host: "client", Socket: 1, At: e.t.Event(arrived).At, Cause: -1, Detail: &trace.Arrived{Packet: &there}})
	}},

	{statement: "C9", name: "as it is", story: "plain", want: Holds},
	{statement: "C9", name: "connect() comes back of itself, behind the answer", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		call := e.call(t, "client", "connect", 1)
		e.t.Event(e.find(t, call, func(ev *trace.Event) bool {
			r, ok := ev.Detail.(*trace.Return)
			return ok && r.Call == call
		})).Cause = 0
	}},

	{statement: "C10", name: "as it is", story: "plain", want: Contradicted},
	{statement: "C10", name: "the socket gets address and port at the answer", story: "plain", want: Holds, edit: func(t *testing.T, e *editor) {
		call, established := e.call(t, "client", "connect", 1), e.into(t, "client", trace.Established)
		control := func(n int) *trace.Control {
			return e.t.Event(e.find(t, n, func(ev *trace.Event) bool { _, ok := ev.Detail.(*trace.Control); return ok })).Detail.(*trace.Control)
		}
		remote := func(c trace.Change) bool { return c.Item == trace.RemoteAddress || c.Item == trace.RemotePort }
		early, late := control(call), control(established)
		for _, c := range early.Changes {
			if remote(c) {
				c.By, c.Field = trace.BySegment, trace.FieldSourceAddress
				if c.Item == trace.RemotePort {
					c.Field = trace.FieldSourcePort
				}
				late.Changes = append(late.Changes, c)
			}
		}
		early.Changes = slices.DeleteFunc(early.Changes, remote)
	}, also: map[string]string{
		"A4": "it speaks of the same item at the same moment, the other way round",
	}},

	{statement: "C11", name: "as it is", story: "plain", want: Holds},
	{statement: "C11", name: "ACK is clear in a third segment that is lost", story: "lost-ack", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.flags(e.segment(t, "client", trace.ACK, 1), 0, trace.ACK)
	}},

	{statement: "C12", name: "two sockets that both connected", story: "both-open", want: Holds},
	{statement: "C12", name: "an octet less comes out than went in", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		call := e.call(t, "server", "recvall", 1)
		e.t.Event(e.find(t, call, func(ev *trace.Event) bool { _, ok := ev.Detail.(*trace.Return); return ok })).Detail.(*trace.Return).Result--
	}},

	{statement: "C13", name: "as it is", story: "plain", want: Holds},
	{statement: "C13", name: "a timer ends the connection in the silence", story: "idle-year", want: Contradicted, edit: func(t *testing.T, e *editor) {
		silence := e.call(t, "server", "recvall", 1)
		at := e.t.Event(silence).At + time.Hour
		e.insert(silence, trace.Event{N: -1, At: at, Host: "client", Socket: 1, Detail: &trace.Timer{Name: "keepalive.timer"}})
		e.insert(silence, trace.Event{At: at, Host: "client", Socket: 1, Cause: -1, Detail: &trace.StateChange{From: trace.Established, To: trace.Closed}})
	}},
}

// listener puts a second listening socket into the server, behind its listen(), and returns its number.
func (e *editor) listener(t *testing.T, port uint16) int {
	t.Helper()
	const number, fd = 99, 99
	at := e.find(t, e.call(t, "server", "listen", 1), func(ev *trace.Event) bool { _, ok := ev.Detail.(*trace.Return); return ok })
	address := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port)
	for _, ev := range []trace.Event{
		{N: -1, Detail: &trace.Call{Name: "bind", FD: fd, Addr: address, Len: trace.NoLen}},
		{Cause: -1, Detail: &trace.Control{Changes: []trace.Change{
			trace.Change{Item: trace.LocalPort, By: trace.ByApplication}.With(trace.Value{}, trace.Value{Kind: trace.Number, Num: int64(port)}),
		}}},
		{Cause: -1, Detail: &trace.Return{Call: -1}},
		{N: -2, Detail: &trace.Call{Name: "listen", FD: fd, Len: 128}},
		{Cause: -2, Detail: &trace.StateChange{To: trace.Listen}},
		{Cause: -2, Detail: &trace.Return{Call: -2}},
	} {
		ev.Socket = number
		e.insert(at, ev)
	}
	return number
}

// into returns the number of the first event by which a socket of a host comes to a state.
func (e *editor) into(t *testing.T, host string, to trace.State) int {
	t.Helper()
	return e.find(t, 0, func(ev *trace.Event) bool {
		s, ok := ev.Detail.(*trace.StateChange)
		return ok && ev.Host == host && s.To == to
	})
}

// TestSectionCOnStories: what each story says of each statement. h holds, r refined, c contradicted, n not exercised.
func TestSectionCOnStories(t *testing.T) {
	want := map[string]string{
		//                   C1-C13
		"plain":              "hhhhhhrchchrh",
		"refused":            "hhnhhrnnhnnnn", // nobody has the port: C6's reset; C9: no SYN in the answer, no success
		"silent-host":        "hhnhhnnnnnnnn", // the SYN is sent, and nothing else happens
		"syn-lost":           "hhhhhhrchchnh", // C12: no data
		"synack-lost":        "hhhhhrrchchnh", // C6: the second SYN finds the new socket by all four
		"last-ack-lost":      "hhhhhhrchchnh",
		"fresh-send":         "nnnnnnnnnnnnn", // nobody connects
		"simultaneous-open":  "hhhhhhhccchnh", // C7: the socket found is the one; C9: SYN alone is no success
		"simultaneous-close": "hhhhhhrchchnh",
		"half-close":         "hhhhhhrchchrh", // C13: shutdown() ends one direction, close() the connection
		"abort":              "hhhhhhrchchnh",
		"half-open-a":        "hhhhhhrchchnc", // C13: a reboot ends it
		"half-open-b":        "hhchhrrchchnc", // C3, C6: the second SYN meets the old connection
		"full-accept-queue":  "hhchhhcchchnn", // C7: two of three are cookies; nobody closes
		"syn-cookies":        "hhhhhhcchchnh",
		"send-and-close":     "hhhhhhrchchnh",
		"idle-year":          "hhhhhhrchchnh",
		"many":               "hhchhhrchchnh", // C3: of a hundred connections to port 80 the port names none
		"ipv6":               "hhhhhhrchchrh",
		"ethernet":           "hhhhhhrchchrh", // ARP stands between the call and the SYN
		"nobody-ethernet":    "nnnnnnnnnnnnn", // no SYN is sent
		"corrupted":          "hhhhhhrchchnh",
		"reordered":          "hhhhhhrchchnh",
		"slow-reader":        "hhhhhhrchchnh",
	}
	letters := map[Verdict]byte{Holds: 'h', Refined: 'r', Contradicted: 'c', NotExercised: 'n', NotObservable: 'o'}
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		var got []byte
		r := newRecord(story(t, name))
		for _, s := range sectionC {
			got = append(got, letters[s.on(r).Verdict])
		}
		if w, ok := want[name]; !ok {
			t.Errorf("%s says %s, and nothing is wanted of it", name, got)
		} else if string(got) != w {
			t.Errorf("%s says %s, want %s", name, got, w)
		}
	}
}

// casesC are more traces on which a statement has to be judged, each with the reason. What others say of them is not looked at.
var casesC = []change{
	{statement: "C1", name: "no call at all", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.drop(e.call(t, "client", "connect", 1))
	}},
	{statement: "C1", name: "the SYN stands before the call", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		call := e.call(t, "client", "connect", 1)
		syn := *e.t.Event(e.segment(t, "client", trace.SYN, 1)).Detail.(*trace.Sent)
		e.insert(call-1, trace.Event{Host: "client", Socket: 1, Detail: &syn})
	}},
	{statement: "C2", name: "no call at all: C1 speaks of that", story: "plain", want: NotExercised, edit: func(t *testing.T, e *editor) {
		e.drop(e.call(t, "client", "connect", 1))
	}},
	{statement: "C2", name: "the call was given another port", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.t.Event(e.call(t, "client", "connect", 1)).Detail.(*trace.Call).Addr = netip.MustParseAddrPort("192.0.2.2:81")
	}},
	{statement: "C2", name: "two SYNs wait for one answer of ARP", story: "two-wait", want: Holds},
	{statement: "C2", name: "or of neighbor discovery", story: "two-wait-ipv6", want: Holds},
	{statement: "C2", name: "the answer came before the call", story: "two-wait", want: Contradicted, edit: func(t *testing.T, e *editor) {
		second := e.find(t, e.segment(t, "client", trace.SYN, 1), func(ev *trace.Event) bool { _, ok := ev.Detail.(*trace.Sent); return ok })
		call := e.call(t, "client", "connect", 2)
		e.insert(second, trace.Event{N: -1, Socket: e.t.Event(call).Socket, Detail: e.t.Event(call).Detail})
		e.insert(second, trace.Event{Socket: e.t.Event(call).Socket, Cause: e.t.Event(second).Cause, Detail: e.t.Event(second).Detail})
		e.drop(second, call)
	}},
	{statement: "C2", name: "the call waits for nothing", story: "nonblocking", want: Holds},
	{statement: "C3", name: "a second socket of the client has the source port", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		port := e.t.Event(e.segment(t, "client", trace.SYN, 1)).Detail.(*trace.Sent).Packet.TCP.SrcPort
		call := e.call(t, "client", "connect", 1)
		e.insert(call, trace.Event{Socket: 99, Detail: &trace.StateChange{To: trace.Established}})
		e.insert(call, trace.Event{Socket: 99, Detail: &trace.Control{Changes: []trace.Change{
			trace.Change{Item: trace.LocalPort}.With(trace.Value{}, trace.Value{Kind: trace.Number, Num: int64(port)}),
		}}})
	}},
	{statement: "C4", name: "ECN is asked for", story: "plain", want: Refined, edit: func(t *testing.T, e *editor) {
		e.flags(e.segment(t, "client", trace.SYN, 1), trace.ECE|trace.CWR, 0)
	}},
	{statement: "C4", name: "RST with SYN", story: "syn-lost", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.flags(e.segment(t, "client", trace.SYN, 1), trace.RST, 0)
	}},
	{statement: "C4", name: "of the SYNs of a silent host one has FIN", story: "silent-host", want: Refined, edit: func(t *testing.T, e *editor) {
		e.flags(e.segment(t, "client", trace.SYN, 3), trace.FIN, 0)
	}},
	{statement: "C5", name: "a SYN that is lost goes to a third host", story: "syn-lost", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.octets(e.segment(t, "client", trace.SYN, 1), func(b []byte) []byte {
			b[19] = 99
			return b
		})
	}},
	{statement: "C6", name: "the first SYN is corrupted and was not received", story: "corrupted-syn", want: Holds},
	{statement: "C6", name: "a reset where somebody listens", story: "refused", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.insert(1, trace.Event{Host: "server", Socket: 99, Detail: &trace.StateChange{To: trace.Listen}})
		e.insert(1, trace.Event{Host: "server", Socket: 99, Detail: &trace.Control{Changes: []trace.Change{
			trace.Change{Item: trace.LocalPort}.With(trace.Value{}, trace.Value{Kind: trace.Number, Num: 80}),
		}}})
	}},
	{statement: "C7", name: "the first SYN is corrupted and was not received", story: "corrupted-syn", want: Refined},
	{statement: "C7", name: "the new socket has not recorded the peer's number", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		received := e.into(t, "server", trace.SynReceived)
		control := e.t.Event(received + 1).Detail.(*trace.Control)
		control.Changes = slices.DeleteFunc(control.Changes, func(c trace.Change) bool { return c.Item == trace.IRS })
	}},
	{statement: "C7", name: "the new socket has recorded another number than the peer's", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.items("server", 2, func(i trace.Item, n int64) int64 {
			if i == trace.IRS {
				n += 5
			}
			return n
		})
	}},
	{statement: "C7", name: "the stack hides the peer's number", story: "plain", want: NotObservable, edit: func(t *testing.T, e *editor) {
		control := e.t.Event(e.into(t, "server", trace.SynReceived) + 1).Detail.(*trace.Control)
		for i, c := range control.Changes {
			if c.Item == trace.IRS {
				control.Changes[i] = c.With(trace.Value{}, trace.Value{Kind: trace.NotObservable})
			}
		}
	}},
	{statement: "C8", name: "the only answer acknowledges something else", story: "plain", want: NotExercised, edit: func(t *testing.T, e *editor) {
		e.header(e.segment(t, "server", trace.SYN|trace.ACK, 1), func(tcp []byte) { tcp[11] ^= 0x80 })
	}},
	{statement: "C8", name: "SYN is clear in the answer", story: "plain", want: Holds, edit: func(t *testing.T, e *editor) {
		e.flags(e.segment(t, "server", trace.SYN|trace.ACK, 1), 0, trace.SYN)
	}},
	{statement: "C9", name: "the call waits for nothing", story: "nonblocking", want: Holds},
	{statement: "C9", name: "the first SYN,ACK is corrupted and was not received", story: "corrupted-synack", want: Holds},
	{statement: "C9", name: "SYN is clear in the answer", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.flags(e.segment(t, "server", trace.SYN|trace.ACK, 1), 0, trace.SYN)
	}},
	{statement: "C9", name: "connect() succeeds on a reset", story: "refused", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.find(t, e.call(t, "client", "connect", 1), func(ev *trace.Event) bool {
			s, ok := ev.Detail.(*trace.StateChange)
			if ok && s.To == trace.Closed {
				s.To = trace.Established
			}
			r, ok := ev.Detail.(*trace.Return)
			if ok {
				*r = trace.Return{Call: r.Call}
			}
			return ok
		})
	}},
	{statement: "C9", name: "the record breaks off at the answer", story: "plain", want: NotExercised, edit: func(t *testing.T, e *editor) {
		answer := e.segment(t, "server", trace.SYN|trace.ACK, 1)
		arrived := e.find(t, answer, func(ev *trace.Event) bool { return ev.Cause == answer })
		e.t.Events = e.t.Events[:arrived]
		e.t.End = trace.End{At: e.t.Events[arrived-1].At, Reason: trace.BrokenOff}
	}},
	{statement: "C10", name: "the address is never recorded", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		control := e.t.Event(e.call(t, "client", "connect", 1) + 2).Detail.(*trace.Control)
		control.Changes = slices.DeleteFunc(control.Changes, func(c trace.Change) bool {
			return c.Item == trace.RemoteAddress || c.Item == trace.RemotePort
		})
	}},
	{statement: "C10", name: "complete before the answer", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.t.Event(e.into(t, "client", trace.SynSent)).Detail.(*trace.StateChange).To = trace.Established
	}},
	{statement: "C11", name: "the answer is reset", story: "plain", want: NotExercised, edit: func(t *testing.T, e *editor) {
		for n := e.segment(t, "client", trace.ACK, 1); n <= len(e.t.Events); n++ {
			if s, ok := e.t.Event(n).Detail.(*trace.Sent); ok && e.t.Event(n).Host == "client" {
				e.flags(n, trace.RST, s.Packet.TCP.Flags)
			}
		}
	}},
	{statement: "C11", name: "the third segment acknowledges nothing new", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.header(e.segment(t, "client", trace.ACK, 1), func(tcp []byte) {
			binary.BigEndian.PutUint32(tcp[8:], binary.BigEndian.Uint32(tcp[8:])-1)
		})
	}},
	{statement: "C11", name: "the third segment acknowledges what never arrived", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.header(e.segment(t, "client", trace.ACK, 1), func(tcp []byte) {
			binary.BigEndian.PutUint32(tcp[8:], binary.BigEndian.Uint32(tcp[8:])+1000)
		})
	}},
	{statement: "C11", name: "the first that it sends back acknowledges data as well", story: "undelivered", want: Holds, edit: func(t *testing.T, e *editor) {
		e.drop(e.segment(t, "client", trace.ACK, 1)) // the server sends first
	}},
	{statement: "C12", name: "more comes out than went in", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.result(t, "server", "recvall").Result++
	}},
	{statement: "C12", name: "less comes out, and the program did not ask for all", story: "plain", want: NotExercised, edit: func(t *testing.T, e *editor) {
		e.result(t, "server", "recvall").Result--
		e.t.Event(e.call(t, "server", "recvall", 1)).Detail.(*trace.Call).Len--
		e.drop(e.call(t, "server", "recvall", 2))
	}},
	{statement: "C12", name: "an octet is another where it arrives", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		n := e.data(t, "client", 1)
		arrived := e.find(t, n, func(ev *trace.Event) bool { return ev.Cause == n && ev.Host == "server" })
		rewrite(e.t.Event(arrived).Detail.(*trace.Arrived).Packet, func(b []byte) []byte {
			b[len(b)-1] ^= 1
			return b
		})
	}},
	{statement: "C12", name: "data that came out had not arrived", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		n := e.data(t, "client", 1)
		e.gone[e.find(t, n, func(ev *trace.Event) bool { return ev.Cause == n && ev.Host == "server" })] = true
	}},
	{statement: "C12", name: "a program waits for octets that never come, and nobody sends them any more", story: "undelivered", want: Contradicted},
	{statement: "C12", name: "lost and sent again, on a bad link", story: "bad-link", want: Refined},
	{statement: "C13", name: "nobody calls close()", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.drop(e.call(t, "client", "close", 1), e.call(t, "server", "close", 1))
	}},
	{statement: "C13", name: "shutdown() on both sides", story: "shutdown", want: Contradicted},
	{statement: "C13", name: "the peer answers no more, and time runs out", story: "gone", want: Contradicted},
	{statement: "C13", name: "time runs out behind close(), with data on their way", story: "undelivered", want: Contradicted},
	{statement: "C13", name: "a reset, behind close(): data came to who had closed", story: "late-data", want: Contradicted},
	{statement: "C13", name: "abort() is no close()", story: "plain", want: Contradicted, edit: func(t *testing.T, e *editor) {
		e.t.Event(e.call(t, "client", "close", 1)).Detail.(*trace.Call).Name = "abort"
		e.t.Event(e.into(t, "client", trace.FinWait1)).Detail.(*trace.StateChange).To = trace.Closed
	}},
	{statement: "C13", name: "close() with a reset is one, too", story: "abort", want: Holds},
}

// result is what the first call of a name on a host gave back.
func (e *editor) result(t *testing.T, host, name string) *trace.Return {
	t.Helper()
	call := e.call(t, host, name, 1)
	return e.t.Event(e.find(t, call, func(ev *trace.Event) bool {
		r, ok := ev.Detail.(*trace.Return)
		return ok && r.Call == call
	})).Detail.(*trace.Return)
}

func TestCasesOfSectionC(t *testing.T) {
	for _, c := range casesC {
		t.Run(c.statement+"/"+c.name, func(t *testing.T) {
			e := edit(t, c.story)
			if c.edit != nil {
				c.edit(t, e)
			}
			if f := StatementOf(c.statement).on(newRecord(e.finish(t))); f.Verdict != c.want {
				t.Errorf("%s is %v, want %v; observed %v, evidence %v", c.statement, f.Verdict, c.want, f.Observed, f.Evidence)
			}
		})
	}
}
