package book

import (
	"encoding/binary"
	"slices"
	"testing"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// lastACK is the segment of the plain story that nothing answers: the client's from TIME-WAIT.
func lastACK(t *testing.T, e *editor) int { return e.segment(t, "client", trace.ACK, 4) }

// put32 writes a number of 32 bits into a header.
func put32(at int, change func(uint32) uint32) func([]byte) {
	return func(tcp []byte) { binary.BigEndian.PutUint32(tcp[at:], change(binary.BigEndian.Uint32(tcp[at:]))) }
}

// put16 writes a number of 16 bits into a header.
func put16(at int, n uint16) func([]byte) {
	return func(tcp []byte) { binary.BigEndian.PutUint16(tcp[at:], n) }
}

// Where the fields stand in the header.
const (
	atDestinationPort = 2
	atSeq             = 4
	atAck             = 8
	atOffset          = 12
	atWindow          = 14
	atUrgent          = 18
)

// flipped changes an octet of the header.
func flipped(at int, mask byte) func([]byte) { return func(tcp []byte) { tcp[at] ^= mask } }

// urgentAt sets URG on the client's first data and lets the pointer point.
func urgentAt(pointer uint16) func(*testing.T, *editor) {
	return func(t *testing.T, e *editor) {
		n := e.data(t, "client", 1)
		e.flags(n, trace.URG, 0)
		e.header(n, put16(atUrgent, pointer))
	}
}

// changesB are the changes for section B.
var changesB = []change{
	{
		statement: "B1", name: "options while connecting alone", story: "plain", want: Holds, edit: optionsInSYNs,
		also: map[string]string{"B16": "what makes the items of a header vary are its options"},
	},
	{
		statement: "B1", name: "a header shorter than a header is", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.raw(lastACK(t, e), func(b []byte) { b[int(b[0]&15)*4+atOffset] = 4 << 4 })
		},
	},
	{statement: "B2", name: "as it is", story: "plain", want: Holds},
	{
		statement: "B2", name: "a reserved bit", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) { e.header(lastACK(t, e), flipped(atOffset, 0x08)) },
	},
	{
		statement: "B2", name: "ECE", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) { e.flags(lastACK(t, e), trace.ECE, 0) },
	},
	{statement: "B3", name: "as it is", story: "plain", want: Holds},
	{
		statement: "B3", name: "another destination port", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) { e.header(lastACK(t, e), flipped(atDestinationPort+1, 0x01)) },
	},
	{
		statement: "B4", name: "counted from 0 at the SYN", story: "idle-year", want: Holds,
		edit: func(_ *testing.T, e *editor) { e.renumber("client", 0) },
	},
	{
		statement: "B4", name: "a number seven too high", story: "half-open-a", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.header(e.data(t, "client", 1), put32(atSeq, func(n uint32) uint32 { return n + 7 }))
		},
	},
	{
		statement: "B4", name: "other octets at the same place", story: "full-accept-queue", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.octets(e.data(t, "client", 4), func(b []byte) []byte { // repeats the third connection's data
				b[len(b)-1]++
				return b
			})
		},
	},
	{
		statement: "B5", name: "the octets counted alone", story: "full-accept-queue", want: Holds,
		edit: func(_ *testing.T, e *editor) {
			e.renumber("client", 0xffffffff)
			e.renumber("server", 0xffffffff)
		},
	},
	{
		statement: "B5", name: "less than had arrived", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.header(lastACK(t, e), put32(atAck, func(n uint32) uint32 { return n - 1 }))
		},
	},
	{
		statement: "B5", name: "more than was ever sent", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.header(lastACK(t, e), put32(atAck, func(n uint32) uint32 { return n + 1000 }))
		},
		also: map[string]string{"B8": "what was never sent cannot be acknowledged: such a number is not valid"},
	},
	{statement: "B6", name: "as it is", story: "plain", want: Holds},
	{
		statement: "B6", name: "a word less", story: "half-open-a", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.header(e.data(t, "client", 1), func(tcp []byte) { tcp[atOffset] -= 1 << 4 })
		},
		also: map[string]string{"B17": "where the header is said to end too early, a part of an option stands among the data"},
	},
	{
		statement: "B7", name: "URG with a pointer", story: "plain", want: Holds, edit: urgentAt(5),
		also: map[string]string{"B15": "the same pointer points somewhere"},
	},
	{statement: "B7", name: "URG without a pointer", story: "plain", want: Contradicted, edit: urgentAt(0)},
	{
		statement: "B8", name: "no ACK where nothing had arrived", story: "plain", want: Holds,
		edit: func(t *testing.T, e *editor) { e.flags(e.data(t, "client", 1), 0, trace.ACK) },
		also: map[string]string{"B5": "data without ACK are not taken (RFC 9293, Section 3.10.7.4): what acknowledges them claims too much"},
	},
	{
		statement: "B8", name: "a number that was never sent", story: "abort", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.header(e.segment(t, "client", trace.RST|trace.ACK, 1), put32(atAck, func(n uint32) uint32 { return n + 1000 }))
		},
	},
	{
		statement: "B9", name: "what is written is to be sent at once", story: "plain", want: Holds,
		edit: func(t *testing.T, e *editor) {
			for i, host := range []string{"client", "server"} {
				at := e.call(t, host, "sendall", 1) - 1
				socket, fd := e.t.Event(at+1).Socket, e.t.Event(at+1).Detail.(*trace.Call).FD
				n := -1 - i
				e.insert(at, trace.Event{N: n, Host: host, Socket: socket, Detail: &trace.Call{
					Name: "setsockopt", FD: fd, Len: trace.NoLen, Text: "IPPROTO_TCP, TCP_NODELAY, [1]", Program: host,
				}})
				e.insert(at, trace.Event{N: -10 - i, Host: host, Socket: socket, Cause: n, Detail: &trace.Return{Call: n}})
			}
		},
	},
	{
		statement: "B9", name: "PSH in the middle of a write", story: "send-and-close", want: Contradicted,
		edit: func(t *testing.T, e *editor) { e.flags(e.data(t, "client", 1), trace.PSH, 0) },
	},
	{statement: "B10", name: "as it is", story: "abort", want: Holds},
	{
		statement: "B10", name: "the connection goes on", story: "abort", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.drop(e.find(t, e.segment(t, "client", trace.RST|trace.ACK, 1), func(ev *trace.Event) bool {
				s, ok := ev.Detail.(*trace.StateChange)
				return ok && ev.Host == "server" && s.To == trace.Closed
			}))
		},
	},
	{statement: "B11", name: "as it is", story: "plain", want: Holds},
	{
		statement: "B11", name: "another initial number in the client's socket", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			iss := int64(e.t.Event(e.segment(t, "client", trace.SYN, 1)).Detail.(*trace.Sent).Packet.TCP.Seq)
			e.items("client", 0, func(i trace.Item, n int64) int64 {
				if n == iss && (i == trace.ISS || i == trace.SndUna) {
					n++
				}
				return n
			})
		},
	},
	{statement: "B12", name: "as it is", story: "plain", want: Holds},
	{
		statement: "B12", name: "a FIN that nobody asked for", story: "half-open-b", want: Contradicted,
		edit: func(t *testing.T, e *editor) { e.flags(e.segment(t, "server", trace.ACK, 1), trace.FIN, 0) },
	},
	{statement: "B13", name: "as it is, without window scale", story: "syn-cookies", want: Holds},
	{
		statement: "B13", name: "a window of 3", story: "syn-cookies", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.header(e.segment(t, "server", trace.SYN|trace.ACK, 1), put16(atWindow, 3))
			told := 0
			e.items("client", 0, func(i trace.Item, n int64) int64 {
				if i == trace.SndWnd && told < 2 { // what the SYN,ACK brought, and what stands before the next change
					told++
					n = 3
				}
				return n
			})
		},
	},
	{
		statement: "B14", name: "a damaged copy", story: "plain", want: Holds,
		edit: func(t *testing.T, e *editor) {
			n := e.data(t, "client", 1)
			p := *e.t.Event(n).Detail.(*trace.Sent).Packet
			damage(&p)
			e.insert(len(e.t.Events), trace.Event{Host: "server", Cause: n, Detail: &trace.Arrived{Packet: &p}})
		},
	},
	{
		statement: "B14", name: "a damaged segment that is heeded", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			damage(e.t.Event(e.find(t, lastACK(t, e), func(ev *trace.Event) bool {
				_, ok := ev.Detail.(*trace.Arrived)
				return ok
			})).Detail.(*trace.Arrived).Packet)
		},
	},
	{
		statement: "B14", name: "an error that the checksum does not show", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			p := e.t.Event(e.find(t, lastACK(t, e), func(ev *trace.Event) bool {
				_, ok := ev.Detail.(*trace.Arrived)
				return ok
			})).Detail.(*trace.Arrived).Packet
			rewrite(p, func(b []byte) []byte {
				put16(atWindow, 1)(b[p.IP.HeaderLen:])
				return b
			})
		},
	},
	{
		statement: "B15", name: "the data's last octet", story: "plain", want: Holds, edit: urgentAt(5),
		also: map[string]string{"B7": "URG is set"},
	},
	{
		statement: "B15", name: "an octet that was never sent", story: "plain", want: Contradicted, edit: urgentAt(1000),
		also: map[string]string{"B7": "URG is set"},
	},
	{statement: "B16", name: "as it is, with timestamps", story: "plain", want: Contradicted},
	{
		statement: "B16", name: "no options but in the SYNs", story: "plain", want: Holds, edit: optionsInSYNs,
		also: map[string]string{"B1": "without options the items of a header are those that are fixed"},
	},
	{statement: "B17", name: "as it is", story: "plain", want: Holds},
	{
		statement: "B17", name: "an octet that no program wrote", story: "half-open-a", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.octets(e.data(t, "client", 1), func(b []byte) []byte { return append(b, 'x') })
		},
	},
}

// withoutOptions cuts the options out of a packet.
func withoutOptions(b []byte) []byte {
	ip := int(b[0]&15) * 4
	header := int(b[ip+atOffset]>>4) * 4
	b[ip+atOffset] = b[ip+atOffset]&15 | 5<<4
	return slices.Delete(b, ip+20, ip+header)
}

// damage turns a bit of a packet's last octet, and leaves the checksum.
func damage(p *trace.Packet) {
	b := slices.Clone(p.Octets)
	b[len(b)-1] ^= 0x10
	*p = trace.Packet{Octets: b, Len: len(b)}
	wire.Decode(p)
}

// TestWithoutUrgentDataTheReasonIsTold: no stack here can, and one that could was not asked to.
func TestWithoutUrgentDataTheReasonIsTold(t *testing.T) {
	for _, id := range []string{"B7", "B15"} {
		for _, can := range []bool{false, true} {
			e := edit(t, "plain")
			want := "book.cannot-urgent"
			if can {
				e.t.Header.Hosts[0].Capabilities = append(e.t.Header.Hosts[0].Capabilities, trace.CapabilityUrgent)
				want = "book.no-urgent"
			}
			e.header(lastACK(t, e), put16(atUrgent, 9))
			f := StatementOf(id).on(newRecord(e.finish(t)))
			if f.Verdict != NotExercised || f.Observed.Key != want || f.Observed.Args[0] != 1 {
				t.Errorf("%s, can %v: %v, %v; want not-exercised, %s and the pointer without URG", id, can, f.Verdict, f.Observed, want)
			}
		}
	}
}

// TestASYNThatNobodyAskedForContradicts: no program called connect(), and no SYN had come.
func TestASYNThatNobodyAskedForContradicts(t *testing.T) {
	e := edit(t, "plain")
	syn := *e.t.Event(e.segment(t, "server", trace.SYN|trace.ACK, 1)).Detail.(*trace.Sent).Packet
	rewrite(&syn, func(b []byte) []byte {
		tcp := b[syn.IP.HeaderLen:]
		put32(atSeq, func(n uint32) uint32 { return n + 1e9 })(tcp)
		put32(atAck, func(uint32) uint32 { return 0 })(tcp)
		tcp[atOffset+1] &^= byte(trace.ACK)
		return b
	})
	last := lastACK(t, e)
	e.insert(last, trace.Event{Host: "server", Socket: 1, Detail: &trace.Sent{Packet: &syn}}) // it gets lost
	if f := StatementOf("B11").on(newRecord(e.finish(t))); f.Verdict != Contradicted || len(f.Evidence) != 1 {
		t.Errorf("B11 is %v by %v, want contradicted by the SYN alone", f.Verdict, f.Evidence)
	}
}

// TestWhatNoStackHereDoes: an ECN handshake, and data on a SYN that are sent again with the connection up.
func TestWhatNoStackHereDoes(t *testing.T) {
	ecn := edit(t, "plain")
	ecn.flags(ecn.segment(t, "client", trace.SYN, 1), trace.ECE|trace.CWR, 0)
	ecn.flags(ecn.segment(t, "server", trace.SYN|trace.ACK, 1), trace.ECE, 0)
	open := edit(t, "plain")
	data := open.t.Event(open.data(t, "client", 1)).Detail.(*trace.Sent).Packet.Data()
	open.octets(open.segment(t, "client", trace.SYN, 1), func(b []byte) []byte { return append(b, data...) })
	other := edit(t, "plain")
	other.octets(other.segment(t, "client", trace.SYN, 1), func(b []byte) []byte { return append(b, 'x') })
	for _, tt := range []struct {
		name string
		e    *editor
		want map[string]Verdict
	}{
		{"ECN asked for", ecn, map[string]Verdict{"B2": Contradicted, "B8": Refined, "B11": Holds}},
		{"data on the SYN", open, map[string]Verdict{"B4": Refined, "B5": Refined, "B9": Refined, "B13": Refined, "B17": Holds}},
		{"other data on the SYN", other, map[string]Verdict{"B4": Contradicted, "B5": Refined}},
	} {
		r := newRecord(tt.e.finish(t))
		for id, want := range tt.want {
			if f := StatementOf(id).on(r); f.Verdict != want {
				t.Errorf("%s: %s is %v, want %v; observed %v", tt.name, id, f.Verdict, want, f.Observed)
			}
		}
	}
}

// TestVerdictsOfB are those of stories on which a statement is not as it is on the plain one.
func TestVerdictsOfB(t *testing.T) {
	tests := []struct {
		story, statement string
		want             Verdict
		because          string
	}{
		{"plain", "B13", Refined, "the window scale option multiplies the number in the header"},
		{"plain", "B14", NotExercised, "nothing was damaged"},
		{"refused", "B3", Refined, "nobody has the port to which the SYN goes, and from which the reset comes"},
		{"refused", "B8", NotExercised, "only the SYN is acknowledged"},
		{"refused", "B10", Refined, "it refuses a connection that never was"},
		{"refused", "B11", NotExercised, "the server never sent a SYN"},
		{"refused", "B16", NotExercised, "the reset belongs to the connect operation"},
		{"silent-host", "B11", NotExercised, "no SYN was acknowledged"},
		{"simultaneous-open", "B3", Holds, "the port had its program when the SYN arrived"},
		{"simultaneous-open", "B11", Holds, "each side's SYN was acknowledged"},
		{"half-close", "B12", Refined, "data come back after the FIN"},
		{"simultaneous-close", "B12", Holds, "both sides had called close()"},
		{"half-open-a", "B10", Refined, "the reset answers data that belong to no connection"},
		{"half-open-b", "B10", Refined, "the reset answers an ACK of the connection before"},
		{"half-open-b", "B8", NotExercised, "no data; the old connection's ACK number is one that the old client had sent"},
		{"half-open-b", "B11", Holds, "two connections, each with its own numbers"},
		{"full-accept-queue", "B5", Refined, "data that were dropped before the connection stood are not acknowledged"},
		{"syn-cookies", "B11", Holds, "the listener answered first, and the new socket holds both numbers"},
		{"fresh-send", "B1", NotExercised, "no segment at all"},
		{"ipv6", "B2", Holds, "TCP's header is the same on IPv6"},
		{"ipv6", "B3", Holds, "ports are the same on IPv6"},
		{"ethernet", "B2", Holds, "TCP's header is found behind those of Ethernet and IP"},
		{"ethernet", "B17", Holds, "the data are found behind three headers"},
		{"nobody-ethernet", "B1", NotExercised, "ARP is no segment"},
		{"corrupted", "B14", Holds, "the damaged segment was dropped, and nothing came of it"},
		{"corrupted", "B5", Refined, "damaged data are not acknowledged"},
		{"reordered", "B5", Refined, "data behind a gap are not acknowledged before it is filled"},
		{"slow-reader", "B4", Refined, "the octet of a window probe is none of the data"},
		{"slow-reader", "B13", Refined, "a window of 0 is probed, and windows are scaled"},
		{"slow-reader", "B17", Holds, "no octet of a probe counts as data"},
	}
	for _, tt := range tests {
		if f := StatementOf(tt.statement).on(newRecord(story(t, tt.story))); f.Verdict != tt.want {
			t.Errorf("%s: %s is %v, want %v: %s; observed %v", tt.story, tt.statement, f.Verdict, tt.want, tt.because, f.Observed)
		}
	}
}

// TestPartsOfTracesDoNotContradict: what is missing is no counterexample, wherever a capture begins and whichever direction it has.
func TestPartsOfTracesDoNotContradict(t *testing.T) {
	for _, name := range builtinStories() {
		whole := map[string]Verdict{}
		for _, f := range Judge(story(t, name)) {
			whole[f.Statement.ID] = f.Verdict
		}
		var sent []int
		e := edit(t, name)
		for i := range e.t.Events {
			if _, ok := e.t.Events[i].Detail.(*trace.Sent); ok {
				sent = append(sent, e.t.Events[i].N)
			}
		}
		for _, part := range []string{"from the middle", "to the middle", "the client's", "the server's", "every other"} {
			e := edit(t, name)
			for i, n := range sent {
				host := e.t.Event(n).Host
				if part == "from the middle" && i < len(sent)/2 || part == "to the middle" && i >= len(sent)/2 ||
					part == "the client's" && host != "client" || part == "the server's" && host != "server" || part == "every other" && i%2 == 0 {
					e.drop(n)
				}
			}
			e.capture()
			tr := e.finish(t)
			tr.Header.Capture = true
			if len(tr.Events) > 0 {
				tr.End.At = tr.Events[len(tr.Events)-1].At
			}
			for _, f := range Judge(tr) {
				was := whole[f.Statement.ID]
				if f.Statement.ID == "B16" && was == Refined {
					continue // it counts a share, and of a part that is another
				}
				if f.Verdict == Contradicted && was != Contradicted {
					t.Errorf("%s, %s: %s is contradicted by %v; of the whole it is %v: %v", name, part, f.Statement.ID, f.Evidence, was, f.Observed)
				}
			}
		}
	}
}

// TestWhatIsOtherwiseContradictsB: what else must not pass, each a real trace with one thing changed.
func TestWhatIsOtherwiseContradictsB(t *testing.T) {
	atTheEdge := func(octets int) func(*testing.T, *editor) { // of the window of 29184 that the SYN,ACK offers
		return func(t *testing.T, e *editor) {
			n := e.data(t, "client", 1)
			e.octets(n, func(b []byte) []byte {
				ip := int(b[0]&15) * 4
				return b[:ip+int(b[ip+atOffset]>>4)*4+octets]
			})
			e.header(n, put32(atSeq, func(n uint32) uint32 { return n + 29184 }))
		}
	}
	forgets := func(host string, item trace.Item) func(*testing.T, *editor) {
		return func(_ *testing.T, e *editor) {
			for i := range e.t.Events {
				if _, ok := e.t.Events[i].Detail.(*trace.Control); ok && e.t.Events[i].Host == host {
					e.forget(e.t.Events[i].N, item)
				}
			}
		}
	}
	for _, tt := range []struct {
		statement, name, story string
		edit                   func(*testing.T, *editor)
	}{
		{"B10", "another socket is CLOSED by the reset", "abort", func(t *testing.T, e *editor) {
			ev := e.t.Event(e.find(t, e.segment(t, "client", trace.RST|trace.ACK, 1), func(ev *trace.Event) bool {
				s, ok := ev.Detail.(*trace.StateChange)
				return ok && ev.Host == "server" && s.To == trace.Closed
			}))
			ev.Socket, ev.Detail.(*trace.StateChange).From = 1, trace.Listen
		}},
		{"B11", "no socket of the client holds its own number", "plain", forgets("client", trace.ISS)},
		{"B11", "no socket of the client holds the server's number", "plain", forgets("client", trace.IRS)},
		{"B11", "no socket of the server holds the client's number", "plain", forgets("server", trace.IRS)},
		{"B12", "shutdown() of reading asks for no FIN", "shutdown", func(_ *testing.T, e *editor) {
			for i := range e.t.Events {
				if c, ok := e.t.Events[i].Detail.(*trace.Call); ok && c.Name == "shutdown" {
					c.Text = "SHUT_RD"
				}
			}
		}},
		{"B13", "one octet beyond a window that is open", "plain", atTheEdge(1)},
		{"B13", "two octets beyond a window that is open", "plain", atTheEdge(2)},
		{"B14", "sent with a wrong checksum, and dropped", "plain", func(t *testing.T, e *editor) {
			n := e.data(t, "client", 1)
			sent, came := *e.t.Event(n).Detail.(*trace.Sent).Packet, trace.Packet{}
			damage(&sent)
			came = sent
			e.insert(n, trace.Event{N: -1, Socket: e.t.Event(n).Socket, Detail: &trace.Sent{Packet: &sent}})
			e.insert(n, trace.Event{Host: "server", Cause: -1, Detail: &trace.Arrived{Packet: &came}})
		}},
		{"B17", "data of a program that wrote none", "plain", func(t *testing.T, e *editor) { e.drop(e.call(t, "server", "sendall", 1)) }},
		{"B17", "data of the other program that wrote none", "plain", func(t *testing.T, e *editor) { e.drop(e.call(t, "client", "sendall", 1)) }},
	} {
		e := edit(t, tt.story)
		tt.edit(t, e)
		f := StatementOf(tt.statement).on(newRecord(e.finish(t)))
		if f.Verdict != Contradicted || len(f.Evidence) == 0 {
			t.Errorf("%s, %s: %s is %v by %v, want contradicted; observed %v", tt.story, tt.name, tt.statement, f.Verdict, f.Evidence, f.Observed)
		}
	}
}

// TestWhatAStackHidesIsNotObservable: an item that a stack has and does not show is no counterexample.
func TestWhatAStackHidesIsNotObservable(t *testing.T) {
	for _, tt := range []struct {
		statement string
		item      trace.Item
		want      Verdict
	}{
		{"B3", trace.LocalPort, NotObservable},
		{"B3", trace.RemotePort, NotObservable},
		{"B11", trace.ISS, NotObservable},
		{"B11", trace.IRS, NotObservable},
	} {
		e := edit(t, "plain")
		for i := range e.t.Events {
			c, ok := e.t.Events[i].Detail.(*trace.Control)
			for j := 0; ok && j < len(c.Changes); j++ {
				if ch := &c.Changes[j]; ch.Item == tt.item && ch.New().Kind != trace.None {
					*ch = trace.Change{Item: tt.item, By: trace.ByStack, Source: ch.Source}.With(trace.Value{}, trace.Value{Kind: trace.NotObservable})
				}
			}
		}
		if f := StatementOf(tt.statement).on(newRecord(e.finish(t))); f.Verdict != tt.want {
			t.Errorf("%s, %v hidden: %v by %v, want %v; observed %v", tt.statement, tt.item, f.Verdict, f.Evidence, tt.want, f.Observed)
		}
	}
}

// optionsInSYNs takes the options out of all segments without SYN, and what they brought out of the sockets.
func optionsInSYNs(_ *testing.T, e *editor) {
	for i := range e.t.Events {
		s, ok := e.t.Events[i].Detail.(*trace.Sent)
		if ok && !s.Packet.TCP.Flags.Has(trace.SYN) {
			e.octets(e.t.Events[i].N, withoutOptions)
		}
		c, ok := e.t.Events[i].Detail.(*trace.Control)
		if a := e.t.Event(e.t.Events[i].Cause); ok && a != nil {
			if a, ok := a.Detail.(*trace.Arrived); ok && !a.Packet.TCP.Flags.Has(trace.SYN) {
				c.Changes = slices.DeleteFunc(c.Changes, func(c trace.Change) bool { return c.Item == trace.TSRecent })
				e.gone[e.t.Events[i].N] = len(c.Changes) == 0
			}
		}
	}
}
