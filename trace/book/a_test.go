package book

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// changesA are the changes for section A.
var changesA = []change{
	{statement: "A1", name: "as it was", story: "plain", want: Holds},
	{
		statement: "A1", name: "the link comes up with connect()", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.insert(e.call(t, "server", "accept", 1), trace.Event{Detail: &trace.HostChange{What: trace.LinkGoesDown}})
			connect := e.call(t, "client", "connect", 1)
			e.insert(connect, trace.Event{Cause: connect, Detail: &trace.HostChange{What: trace.LinkComesUp}})
		},
	},
	{
		statement: "A2", name: "nothing is there yet", story: "fresh-send", want: Holds,
		edit: func(t *testing.T, e *editor) {
			n := e.control(t, e.call(t, "client", "socket", 1), "client", 1)
			e.forget(n, trace.Protocol, trace.SendBufferLimit, trace.ReceiveBufferLimit)
		},
	},
	{
		statement: "A2", name: "the peer's last timestamp is there", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			n := e.control(t, e.call(t, "client", "socket", 1), "client", 1)
			e.learn(n, trace.Change{Item: trace.TSRecent}, trace.Value{Kind: trace.Number, Num: 7})
		},
		also: map[string]string{"B20": "a fresh socket has received no segment, so nobody can have told it of a peer"},
	},
	{statement: "A3", name: "as it was", story: "fresh-send", want: Holds},
	{
		statement: "A3", name: "send() takes the octets", story: "fresh-send", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			r := e.t.Event(e.returned(t, e.call(t, "client", "send", 1))).Detail.(*trace.Return)
			r.Result, r.Errno = 5, ""
		},
	},
	{statement: "A4", name: "as it was", story: "plain", want: Holds},
	{
		statement: "A4", name: "the stack knew the server's address by itself", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			n := e.control(t, e.call(t, "client", "connect", 1), "client", 1)
			e.brought(n, trace.ByStack, trace.RemoteAddress, trace.RemotePort)
		},
		also: map[string]string{"B20": "an address of the peer that neither a call nor a header brought is left over"},
	},
	{statement: "A5", name: "as it was", story: "plain", want: Holds},
	{
		statement: "A5", name: "the server's stack knew the client by itself", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			n := e.control(t, 0, "server", 2)
			e.brought(n, trace.ByStack, trace.RemoteAddress, trace.RemotePort)
		},
		also: map[string]string{"B20": "an address of the peer that neither a call nor a header brought is left over"},
	},
	{statement: "A6", name: "as it was", story: "plain", want: Holds},
	{
		statement: "A6", name: "the server learns the client's window only from data", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			stands := e.state(t, "server", 2, trace.Established)
			e.forget(e.control(t, stands, "server", 2), trace.SndWnd)
		},
	},
	{statement: "A7", name: "as it was", story: "plain", want: Holds},
	{
		statement: "A7", name: "the client never acknowledges the server's data", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			data := e.data(t, "server", 1)
			first := e.t.Event(data).Detail.(*trace.Sent).Packet.TCP.Seq
			for i := data; i < len(e.t.Events); i++ {
				ev := &e.t.Events[i]
				if _, ok := ev.Detail.(*trace.Sent); ok && ev.Host == "client" {
					e.header(ev.N, func(tcp []byte) { binary.BigEndian.PutUint32(tcp[8:], uint32(first)) })
				}
				if _, ok := ev.Detail.(*trace.Control); ok && ev.Host == "server" {
					e.forget(ev.N, trace.SndUna, trace.SendBufferUsed)
				}
			}
			again := *e.t.Event(data).Detail.(*trace.Sent).Packet
			e.insert(e.returned(t, e.call(t, "server", "sendall", 1)), trace.Event{Socket: 2, Detail: &trace.Sent{Packet: &again}})
		},
		also: map[string]string{
			"B5": "data that arrived and are never acknowledged are data behind which the acknowledgment number stays",
		},
	},
	{statement: "A8", name: "as it was", story: "plain", want: Contradicted},
	{
		statement: "A8", name: "memory is taken with connect() and with the SYN, and kept", story: "plain", want: Holds,
		edit: func(t *testing.T, e *editor) {
			for i := range e.t.Events {
				if _, ok := e.t.Events[i].Detail.(*trace.Control); ok {
					e.forget(i+1, trace.ReceiveMemoryUsed)
				}
			}
			memory := trace.Value{Kind: trace.Number, Num: 65536}
			e.learn(e.control(t, e.call(t, "client", "connect", 1), "client", 1), trace.Change{Item: trace.ReceiveMemoryUsed}, memory)
			e.learn(e.control(t, 0, "server", 2), trace.Change{Item: trace.ReceiveMemoryUsed}, memory)
		},
	},
}

// ofA are the statements whose verdicts the tests of this file list.
var ofA = []string{"A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "B18", "B19", "B20", "B21"}

// letters are the verdicts on a trace in short: h, r, c; - not exercised, ? not observable.
func letters(findings []Finding, ids []string) string {
	var list []string
	for _, f := range findings {
		if slices.Contains(ids, f.Statement.ID) {
			list = append(list, map[Verdict]string{NotExercised: "-", NotObservable: "?", Holds: "h", Refined: "r", Contradicted: "c"}[f.Verdict])
		}
	}
	return strings.Join(list, " ")
}

func TestSectionAOnTheStories(t *testing.T) {
	// Where only the client sends data A7 says nothing; a pair of one maker cannot show B21; a reader of the SYN is all that A5 needs.
	const usual = "h r - h h h - c h r h -"
	tests := []struct{ story, want, why string }{
		{"plain", "h r - h h h h c h r h -", "data go both ways"},
		{"half-close", "h r - h h h h c h r h -", "data go both ways, one after the other"},
		{"refused", "h r - h - - - - h r - -", "no socket of the server is told, and no connection stands"},
		{"silent-host", "- r - h - - - - h r - -", "nothing crosses the link, so nothing shows that it was there"},
		{"fresh-send", "- r h - - - - - - r - -", "no connect() at all, and the only send on a fresh socket"},
		{"simultaneous-open", "h r - h - h - c h r h -", "two clients and no server"},
		{"syn-cookies", "h r - h r h - c h r ? -", "the ACK tells the server, not the SYN; the MSS that the cookie kept is not to be seen"},
		{"full-accept-queue", "h r - h r h - c h r ? -", "two of three connections begin with a cookie"},
		{"syn-lost", usual, "the second SYN crosses"},
		{"synack-lost", usual, "two answers, one handshake"},
		{"last-ack-lost", usual, "the second ACK ends the handshake"},
		{"half-open-a", usual, "what a reboot does to data is no matter of the handshake"},
		{"half-open-b", usual, "two connections of one four-tuple"},
		{"abort", usual, "a reset carries no data either"},
		{"simultaneous-close", usual, "no data"},
		{"send-and-close", usual, "data one way"},
		{"idle-year", usual, "data one way"},
		{"many", usual, "a hundred connections"},
		{"ipv6", "h r - h h h h c h r h -", "as over IPv4"},
		{"ethernet", "h r - h h h h c h r h -", "what asks for MAC addresses is no segment"},
		{"nobody-ethernet", "- r - h - - - - - r - -", "no segment was ever sent"},
		{"corrupted", usual, "what is corrupted brings nothing"},
		{"reordered", usual, "data one way, out of order"},
		{"slow-reader", usual, "data one way, through a closed window"},
	}
	listed := map[string]bool{}
	for _, tt := range tests {
		listed[tt.story] = true
		if got := letters(Judge(story(t, tt.story)), ofA); got != tt.want {
			t.Errorf("%s: %s, want %s: %s", tt.story, got, tt.want, tt.why)
		}
	}
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		if !listed[name] {
			t.Errorf("%s is not listed", name)
		}
	}
}

// TestSectionAOnACapture: what packets decide is judged as on the run, all else is not observable, or not exercised.
func TestSectionAOnACapture(t *testing.T) {
	for _, name := range builtinStories() {
		run := Judge(story(t, name))
		for i, f := range Judge(capture(t, name)) {
			switch id := f.Statement.ID; {
			case !slices.Contains(ofA, id):
			case f.Statement.WireDecides && f.Verdict != run[i].Verdict:
				t.Errorf("%s: %s is %v on a capture and %v on the run", name, id, f.Verdict, run[i].Verdict)
			case !f.Statement.WireDecides && f.Verdict.Decides():
				t.Errorf("%s: %s is %v on a capture, which cannot show it", name, id, f.Verdict)
			}
		}
	}
}

// TestSectionAOnOtherTraces: traces that no built-in story gives.
func TestSectionAOnOtherTraces(t *testing.T) {
	tests := []struct {
		name, statement, story string
		edit                   func(t *testing.T, e *editor)
		want                   Verdict
	}{
		{"a segment before connect()", "A1", "plain", func(t *testing.T, e *editor) {
			early := *e.t.Event(e.segment(t, "server", trace.SYN|trace.ACK, 1)).Detail.(*trace.Sent).Packet
			e.insert(e.returned(t, e.call(t, "server", "listen", 1)), trace.Event{Socket: 1, Detail: &trace.Sent{Packet: &early}})
		}, Contradicted},
		{"the link is down all the time", "A1", "silent-host", func(t *testing.T, e *editor) {
			e.insert(1, trace.Event{Detail: &trace.HostChange{What: trace.LinkGoesDown}})
		}, NotExercised},
		{"the world brings the link up", "A1", "plain", func(t *testing.T, e *editor) {
			e.insert(e.call(t, "server", "accept", 1), trace.Event{Detail: &trace.HostChange{What: trace.LinkGoesDown}})
			e.insert(e.call(t, "client", "connect", 1), trace.Event{Detail: &trace.HostChange{What: trace.LinkComesUp}})
		}, NotExercised},
		{"a default MSS is there from the start", "A2", "plain", func(t *testing.T, e *editor) {
			n := e.control(t, e.call(t, "client", "socket", 1), "client", 1)
			e.learn(n, trace.Change{Item: trace.SendMSS}, trace.Value{Kind: trace.Number, Num: 536})
		}, Refined},
		{"send() waits", "A3", "fresh-send", func(t *testing.T, e *editor) {
			e.gone[e.returned(t, e.call(t, "client", "send", 1))] = true
		}, Refined},
		{"send() fails, and sends", "A3", "fresh-send", func(t *testing.T, e *editor) {
			send := e.call(t, "client", "send", 1)
			syn := *story(t, "plain").Event(21).Detail.(*trace.Sent).Packet
			e.insert(send, trace.Event{Socket: 1, Cause: send, Detail: &trace.Sent{Packet: &syn}})
		}, Contradicted},
		{"the server's address comes only with the answer", "A4", "plain", func(t *testing.T, e *editor) {
			e.forget(e.control(t, e.call(t, "client", "connect", 1), "client", 1), trace.RemoteAddress, trace.RemotePort)
			n := e.control(t, e.state(t, "client", 1, trace.Established), "client", 1)
			e.learn(n, trace.Change{Item: trace.RemoteAddress, By: trace.BySegment, Field: trace.FieldSourceAddress}, trace.Value{Kind: trace.Text, Text: "192.0.2.2"})
			e.learn(n, trace.Change{Item: trace.RemotePort, By: trace.BySegment, Field: trace.FieldSourcePort}, trace.Value{Kind: trace.Number, Num: 80})
		}, Contradicted},
		{"connect() fails at once and leaves nothing", "A4", "fresh-send", func(t *testing.T, e *editor) {
			e.t.Event(e.call(t, "client", "send", 1)).Detail.(*trace.Call).Name = "connect"
		}, NotExercised},
		{"the listener knew the client", "A5", "plain", func(t *testing.T, e *editor) {
			n := e.control(t, e.call(t, "server", "listen", 1), "server", 1)
			e.learn(n, trace.Change{Item: trace.RemoteAddress}, trace.Value{Kind: trace.Text, Text: "192.0.2.1"})
		}, Contradicted},
		{"memory is there from socket() on", "A8", "plain", func(t *testing.T, e *editor) {
			n := e.control(t, e.call(t, "client", "socket", 1), "client", 1)
			e.forget(n, trace.ReceiveMemoryUsed)
			e.learn(n, trace.Change{Item: trace.ReceiveMemoryUsed}, trace.Value{Kind: trace.Number, Num: 4096})
		}, Contradicted},
		{"memory is taken in time on one side only", "A8", "plain", func(t *testing.T, e *editor) {
			n := e.control(t, e.call(t, "client", "connect", 1), "client", 1)
			e.learn(n, trace.Change{Item: trace.ReceiveMemoryUsed}, trace.Value{Kind: trace.Number, Num: 4096})
		}, Contradicted},
		{"most of the data never arrive", "A7", "undelivered", func(*testing.T, *editor) {}, Contradicted},
		{"the trace ends before it is clear what becomes of data sent again", "A7", "undelivered", func(t *testing.T, e *editor) {
			sent := newRecord(e.t).sentAt
			again := e.find(t, 0, func(ev *trace.Event) bool { return sent[ev.N] != nil && sent[ev.N].again })
			e.t.Events = e.t.Events[:again]
			e.t.End = trace.End{At: e.t.Events[again-1].At, Reason: trace.BrokenOff}
		}, Holds},
		{"only the limits are shown", "A8", "plain", func(t *testing.T, e *editor) {
			for i := range e.t.Events {
				if _, ok := e.t.Events[i].Detail.(*trace.Control); ok {
					e.forget(i+1, trace.ReceiveMemoryUsed)
				}
			}
		}, NotObservable},
		{"a FIN rides on data", "B18", "plain", func(t *testing.T, e *editor) {
			e.flags(e.data(t, "client", 1), trace.FIN, 0)
		}, Refined},
		{"data on a SYN without Fast Open", "B18", "plain", func(t *testing.T, e *editor) {
			e.octets(e.segment(t, "client", trace.SYN, 1), func(b []byte) []byte { return append(b, "data"...) })
		}, Contradicted},
		{"data on a SYN with a cookie of Fast Open", "B18", "plain", func(t *testing.T, e *editor) {
			e.octets(e.segment(t, "client", trace.SYN, 1), func(b []byte) []byte {
				b = append(b, 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1) // the option, padded; its data are behind
				b[32] += 3 << 4
				return append(b, "data"...)
			})
		}, Refined},
		{"a window that the field does not have", "B19", "plain", func(t *testing.T, e *editor) {
			n := e.control(t, e.state(t, "server", 2, trace.Established), "server", 2)
			e.forget(n, trace.SndWnd)
			e.learn(n, trace.Change{Item: trace.SndWnd, By: trace.BySegment, Field: trace.FieldWindow}, trace.Value{Kind: trace.Number, Num: 29185})
		}, Contradicted},
		{"a window that the field does not have", "B20", "plain", func(t *testing.T, e *editor) {
			n := e.control(t, e.state(t, "server", 2, trace.Established), "server", 2)
			e.forget(n, trace.SndWnd)
			e.learn(n, trace.Change{Item: trace.SndWnd, By: trace.BySegment, Field: trace.FieldWindow}, trace.Value{Kind: trace.Number, Num: 29185})
		}, Contradicted},
		{"data bring RCV.NXT beyond themselves", "B19", "reordered", func(t *testing.T, e *editor) {
			e.beyondData(1000)
		}, Contradicted},
		{"data bring RCV.NXT to before themselves", "B19", "reordered", func(t *testing.T, e *editor) {
			e.beyondData(-3000)
		}, Contradicted},
		{"data close a gap, and RCV.NXT goes beyond them", "B19", "bad-link", func(*testing.T, *editor) {}, Refined},
		{"as in a story that puts them in another order", "B20", "reordered", func(*testing.T, *editor) {}, Holds},
		{"a window of 0 that nobody told is no knowledge", "B20", "plain", func(t *testing.T, e *editor) {
			n := e.control(t, e.call(t, "client", "socket", 1), "client", 1)
			e.learn(n, trace.Change{Item: trace.SndWnd}, trace.Value{Kind: trace.Number})
		}, Holds},
		{"a socket that measured no round trip is not of another maker", "B21", "no-delay", func(*testing.T, *editor) {}, NotExercised},
		{"nor is one whose peer has no timestamps", "B21", "plain", func(t *testing.T, e *editor) {
			for i := range e.t.Events {
				if _, ok := e.t.Events[i].Detail.(*trace.Control); ok && e.t.Events[i].Host == "server" {
					e.forget(i+1, trace.Timestamps, trace.TSRecent)
				}
			}
		}, NotExercised},
		{"one of many connections is not where an item is missing", "B21", "many", func(t *testing.T, e *editor) {
			for i := range e.t.Events {
				if ev := &e.t.Events[i]; ev.Host == "server" && ev.Socket == 2 {
					if _, ok := ev.Detail.(*trace.Control); ok {
						e.forget(i+1, trace.IRS)
					}
				}
			}
		}, NotExercised},
		{"a stack that takes in a corrupted SYN", "B20", "plain", func(t *testing.T, e *editor) {
			for i := range e.t.Events {
				if a, ok := e.t.Events[i].Detail.(*trace.Arrived); ok && a.Packet.TCP.Flags == trace.SYN {
					a.Packet.Octets[36] ^= 1
					*a.Packet = trace.Packet{Octets: a.Packet.Octets, Len: a.Packet.Len}
					wire.Decode(a.Packet)
				}
			}
		}, Contradicted},
	}
	for _, tt := range tests {
		t.Run(tt.statement+"/"+tt.name, func(t *testing.T) {
			e := edit(t, tt.story)
			tt.edit(t, e)
			f := StatementOf(tt.statement).on(newRecord(e.finish(t)))
			if f.Verdict != tt.want {
				t.Errorf("%s is %v, want %v; observed %v", tt.statement, f.Verdict, tt.want, f.Observed)
			}
		})
	}
}

// TestTornTraces: whatever is missing in a trace, judging it and drawing its ladder comes to an end without a panic, and every
// verdict that decides has evidence.
func TestTornTraces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range builtinStories() {
		if underRace && strings.HasPrefix(name, "many") {
			continue // a hundred times the same
		}
		for range 8 {
			e := edit(t, name)
			for i := range e.t.Events {
				e.gone[i+1] = random.IntN(4) == 0
			}
			e.drop()
			tr := e.finish(t)
			for _, tr.Header.Capture = range []bool{false, true} {
				for _, f := range Judge(tr) {
					if f.Verdict.Decides() != (len(f.Evidence) > 0) {
						t.Errorf("%s: %s is %v with evidence %v", name, f.Statement.ID, f.Verdict, f.Evidence)
					}
				}
				Ladder(tr)
			}
		}
	}
}

// beyondData moves RCV.NXT wherever data brought it.
func (e *editor) beyondData(by int64) {
	for i := range e.t.Events {
		if c, ok := e.t.Events[i].Detail.(*trace.Control); ok {
			for j := range c.Changes {
				if ch := &c.Changes[j]; ch.Item == trace.RcvNxt && ch.Field == trace.FieldData {
					*ch = ch.With(ch.Old(), trace.Value{Kind: trace.Number, Num: ch.New().Num + by})
				}
			}
		}
	}
}
