package script_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/trace"
)

// cloneTrace copies a trace so far that events and their details can be changed.
func cloneTrace(t *trace.Trace) *trace.Trace {
	c := *t
	c.Events = slices.Clone(t.Events)
	c.End.Blocked = slices.Clone(t.End.Blocked)
	for i := range c.Events {
		e := &c.Events[i]
		switch d := e.Detail.(type) {
		case *trace.Call:
			e.Detail = ptr(*d)
		case *trace.Return:
			e.Detail = ptr(*d)
		case *trace.Sent:
			e.Detail = &trace.Sent{Packet: clonePacket(d.Packet)}
		case *trace.Arrived:
			e.Detail = &trace.Arrived{Packet: clonePacket(d.Packet)}
		case *trace.Fate:
			e.Detail = ptr(*d)
		case *trace.StateChange:
			e.Detail = ptr(*d)
		case *trace.Control:
			e.Detail = &trace.Control{Changes: slices.Clone(d.Changes)}
		case *trace.Timer:
			e.Detail = ptr(*d)
		case *trace.HostChange:
			e.Detail = ptr(*d)
		case *trace.Note:
			e.Detail = ptr(*d)
		}
	}
	return &c
}

func ptr[T any](v T) *T { return &v }

func clonePacket(p *trace.Packet) *trace.Packet {
	c := *p
	c.Octets = slices.Clone(p.Octets)
	return &c
}

// swap lets two neighbours change places; each keeps the number of its place.
func swap(tr *trace.Trace, n int) {
	a, b := &tr.Events[n-1], &tr.Events[n]
	*a, *b = *b, *a
	a.N, b.N = n, n+1
}

// remove takes an event out and closes the gap in the numbers.
func remove(tr *trace.Trace, n int) {
	tr.Events = slices.Delete(tr.Events, n-1, n)
	down := func(m *int) {
		if *m > n {
			*m--
		}
	}
	for i := range tr.Events {
		e := &tr.Events[i]
		down(&e.N)
		down(&e.Cause)
		if d, ok := e.Detail.(*trace.Return); ok {
			down(&d.Call)
		}
	}
}

// TestTheWalkerSeesWhatIsWrong spoils true traces, one thing at a time, so that TestEveryCauseIsRight is known to be able to
// fail.
func TestTheWalkerSeesWhatIsWrong(t *testing.T) {
	const all = trace.SYN | trace.ACK
	tests := []struct {
		name, story string
		spoil       func(*testing.T, *trace.Trace)
		want        string // a part of one complaint
	}{
		{"a number is left out", "plain", func(t *testing.T, tr *trace.Trace) {
			tr.Events[40].N++
		}, "its number is"},
		{"time goes back", "plain", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, segmentWith("server", true, trace.SYN)).At = time.Millisecond
		}, "it happens at"},
		{"a cause behind its effect", "plain", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, stateTo("client", trace.SynSent, trace.Established))
			e.Cause = e.N + 1
		}, "an effect comes behind its cause"},
		{"a state before what caused it", "plain", func(t *testing.T, tr *trace.Trace) {
			swap(tr, findEvent(t, tr, stateTo("client", trace.SynSent, trace.Established)).N-1)
		}, "an effect comes behind its cause"},
		{"a state of the packet before", "send-and-close", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, stateTo("server", trace.Established, trace.CloseWait))
			for e.Cause--; packetOf(tr.Event(e.Cause)) == nil; {
				e.Cause--
			}
		}, "the root of its step is"},
		{"a state without a cause", "plain", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, stateTo("client", trace.FinWait2, trace.TimeWait)).Cause = 0
		}, "its cause is 0"},
		{"a state left out", "simultaneous-open", func(t *testing.T, tr *trace.Trace) {
			remove(tr, findEvent(t, tr, stateTo("client", trace.SynSent, trace.SynReceived)).N)
		}, "and the socket was in SYN-SENT"},
		{"ESTABLISHED for SYN-RECEIVED", "plain", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, stateTo("server", trace.NotObserved, trace.SynReceived)).Detail.(*trace.StateChange).To = trace.Established
		}, "an ACK to a listener makes a connection of a SYN cookie"},
		{"TIME-WAIT without CLOSING", "simultaneous-close", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, stateTo("client", trace.FinWait1, trace.Closing)).Detail.(*trace.StateChange).To = trace.TimeWait
		}, "a FIN that acknowledges ours does that"},
		{"another listener", "plain", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, stateTo("server", trace.SynReceived, trace.Established)).Detail.(*trace.StateChange).Listener = 2
		}, "it names the listener 2"},
		{"a socket number used again", "half-open-b", func(t *testing.T, tr *trace.Trace) {
			for i := range tr.Events {
				if e := &tr.Events[i]; e.Host == "client" && e.Socket == 2 {
					e.Socket = 1
				}
			}
		}, "the socket was in CLOSED"},
		{"a socket number left out", "many", func(t *testing.T, tr *trace.Trace) {
			for i := range tr.Events {
				if e := &tr.Events[i]; e.Host == "client" && e.Socket >= 50 {
					e.Socket++
				}
			}
		}, "a new socket has the number 51 and should have 50"},
		{"two embryos taken for each other", "many", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, func(e *trace.Event) bool {
				return e.Host == "server" && e.Socket == 9 && packetOf(e) != nil && e.Cause != 0
			}).Socket = 10
		}, "socket 10"},
		{"a frame to a MAC address that nobody told", "ethernet", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, segmentWith("client", false, trace.SYN)).Detail.(*trace.Sent).Packet.Octets[5]++
		}, "and the host has heard of"},
		{"a SYN before the answer", "ethernet", func(t *testing.T, tr *trace.Trace) {
			answer := findEvent(t, tr, func(e *trace.Event) bool { _, ok := e.Detail.(*trace.Arrived); return ok && e.Host == "client" })
			remove(tr, answer.N)
		}, "and the host has heard of"},
		{"an answer that nobody has asked for", "ethernet", func(t *testing.T, tr *trace.Trace) {
			for i := range tr.Events {
				if p := packetOf(&tr.Events[i]); p != nil && p.Kind == trace.PacketARP && p.ARP.Operation == trace.ARPRequest {
					p.Octets[41]++
				}
			}
		}, "and nobody has asked"},
		{"a neighbor's timer where there are none", "nobody-ethernet", func(t *testing.T, tr *trace.Trace) {
			tr.Header.Link = trace.LinkIP
		}, "a timer without a socket"},
		{"connect() ends with another error", "nobody-ethernet", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, returnOf(tr, "client", "connect")).Detail.(*trace.Return).Errno = "ETIMEDOUT"
		}, "comes back because of"},
		{"an arrival too early", "plain", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, segmentWith("server", true, trace.SYN))
			for ; e.At == 10*time.Millisecond; e = tr.Event(e.N + 1) {
				e.At -= time.Millisecond
			}
		}, "arrives at 9ms and should at 10ms"},
		{"an arrival of another packet", "plain", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, segmentWith("client", true, all))
			e.Cause = findEvent(t, tr, callNamed("client", "connect")).N
		}, "is no packet of the other host"},
		{"other octets arrive", "plain", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, segmentWith("client", true, all)).Detail.(*trace.Arrived).Packet.Octets[27] ^= 1
		}, "the octets are not those of"},
		{"a packet arrives twice", "plain", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, segmentWith("server", true, trace.FIN|trace.ACK))
			e.Cause = findEvent(t, tr, segmentWith("server", true, trace.PSH|trace.ACK)).Cause
			e.Detail = tr.Event(e.Cause).Detail
			e.Detail = &trace.Arrived{Packet: e.Detail.(*trace.Sent).Packet}
		}, "has arrived before"},
		{"a packet that was lost arrives", "last-ack-lost", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, segmentWith("server", true, trace.ACK))
			e.Cause = findEvent(t, tr, segmentWith("client", false, trace.ACK)).N
		}, "was lost"},
		{"a packet vanishes", "silent-host", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, func(e *trace.Event) bool { _, ok := e.Detail.(*trace.Fate); return ok })
			remove(tr, e.N)
		}, "neither arrived nor got lost"},
		{"a fate of a call", "silent-host", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, func(e *trace.Event) bool { _, ok := e.Detail.(*trace.Fate); return ok })
			e.Cause = findEvent(t, tr, callNamed("client", "connect")).N
		}, "is not a packet that was sent"},
		{"a rule that the link does not have", "syn-lost", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, func(e *trace.Event) bool { _, ok := e.Detail.(*trace.Fate); return ok }).Detail.(*trace.Fate).Rule = "drop client SYN#2"
		}, "the rules are"},
		{"a retransmission without its timer", "syn-lost", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, timerOf("client"))
			e.Detail = &trace.Timer{Name: "timeWaitTimer"}
		}, "the retransmission timer sends a SYN again"},
		{"a timer of another socket", "full-accept-queue", func(t *testing.T, tr *trace.Trace) {
			// Nothing retransmits in this story, so a call becomes the timer of a socket beside it.
			e := findEvent(t, tr, callNamed("client", "connect"))
			e.Detail, e.Socket = &trace.Timer{Name: "h.retransmitTimer"}, 2
		}, "another socket's timer"},
		{"a timer that did nothing", "silent-host", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, callNamed("client", "connect"))
			e.Detail = &trace.Timer{Name: "snd.resendTimer"}
			for i := range tr.Events {
				if tr.Events[i].Cause == e.N {
					tr.Events[i].Cause = e.N - 1
				}
			}
		}, "a timer that did nothing"},
		{"the FIN of nobody", "plain", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, callNamed("client", "close")).Detail.(*trace.Call).Name = "send"
		}, "nobody has closed"},
		{"an answer to another connection", "many", func(t *testing.T, tr *trace.Trace) {
			a := findEvent(t, tr, segmentWith("server", false, all))
			b := findEvent(t, tr, func(e *trace.Event) bool { return segmentWith("server", false, all)(e) && e.N > a.N })
			a.Detail, b.Detail = b.Detail, a.Detail
		}, "that is of another connection"},
		{"an acknowledgment of what did not come", "plain", func(t *testing.T, tr *trace.Trace) {
			p := packetOf(findEvent(t, tr, segmentWith("server", false, trace.ACK)))
			p.Octets[31]++
		}, "has arrived"},
		{"a chain of values that is broken", "plain", func(t *testing.T, tr *trace.Trace) {
			c := changeIn(findEvent(t, tr, changeOf("client", trace.SndUna, trace.BySegment)), trace.SndUna, trace.BySegment)
			was := c.Old()
			was.Num--
			*c = c.With(was, c.New())
		}, "SND.UNA was"},
		{"a value that the segment does not have", "plain", func(t *testing.T, tr *trace.Trace) {
			c := changeIn(findEvent(t, tr, changeOf("client", trace.SndWnd, trace.BySegment)), trace.SndWnd, trace.BySegment)
			now := c.New()
			now.Num++
			*c = c.With(c.Old(), now)
		}, "SND.WND"},
		{"the application brings the IRS", "plain", func(t *testing.T, tr *trace.Trace) {
			c := changeIn(findEvent(t, tr, changeOf("client", trace.IRS, trace.BySegment)), trace.IRS, trace.BySegment)
			c.By, c.Field = trace.ByApplication, trace.NoField
		}, "IRS"},
		{"the stack chooses the peer", "plain", func(t *testing.T, tr *trace.Trace) {
			changeIn(findEvent(t, tr, changeOf("client", trace.RemotePort, trace.ByApplication)), trace.RemotePort, trace.ByApplication).By = trace.ByStack
		}, "remote port"},
		{"the wrong field", "plain", func(t *testing.T, tr *trace.Trace) {
			changeIn(findEvent(t, tr, changeOf("server", trace.RcvNxt, trace.BySegment)), trace.RcvNxt, trace.BySegment).Field = trace.FieldAcknowledgmentNumber
		}, "RCV.NXT"},
		{"a change in which nothing changes", "plain", func(t *testing.T, tr *trace.Trace) {
			c := changeIn(findEvent(t, tr, changeOf("client", trace.Cwnd, trace.ByStack)), trace.Cwnd, trace.ByStack)
			*c = c.With(c.Old(), c.Old())
		}, "cwnd has not changed"},
		{"a return of another call", "plain", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, returnOf(tr, "client", "connect"))
			e.Detail.(*trace.Return).Call = findEvent(t, tr, callNamed("server", "accept")).N
		}, "was made on the server"},
		{"connect returns before its ACK", "plain", func(t *testing.T, tr *trace.Trace) {
			e := findEvent(t, tr, returnOf(tr, "client", "connect"))
			e.Cause = findEvent(t, tr, callNamed("client", "connect")).N
		}, "the root of its step is"},
		{"connect returns 0 without a connection", "refused", func(t *testing.T, tr *trace.Trace) {
			d := findEvent(t, tr, returnOf(tr, "client", "connect")).Detail.(*trace.Return)
			d.Result, d.Errno = 0, ""
		}, "connect() returned 0 in CLOSED"},
		{"accept hands out a stranger", "plain", func(t *testing.T, tr *trace.Trace) {
			findEvent(t, tr, returnOf(tr, "server", "accept")).Detail.(*trace.Return).Accepted = 1
		}, "did not come to socket 1"},
		{"a call that never came back and is not named", "half-open-a", func(t *testing.T, tr *trace.Trace) {
			remove(tr, findEvent(t, tr, returnOf(tr, "client", "close")).N)
		}, "those that have not come back are"},
		{"a run that ends with a connection", "plain", func(t *testing.T, tr *trace.Trace) {
			remove(tr, findEvent(t, tr, stateTo("server", trace.LastAck, trace.Closed)).N)
		}, "is in LAST-ACK"},
		{"something happens to a socket that is gone", "plain", func(t *testing.T, tr *trace.Trace) {
			last := tr.Events[len(tr.Events)-1]
			gone := *findEvent(t, tr, stateTo("server", trace.LastAck, trace.Closed))
			for i, d := range []trace.Detail{&trace.Timer{Name: "timeWaitTimer"}, &trace.StateChange{From: trace.Closed, To: trace.Closed, Word: "X", Listener: 1}} {
				e := trace.Event{N: last.N + 1 + i, At: last.At, Host: "server", Socket: gone.Socket, Cause: i * (last.N + 1), Detail: d}
				tr.Events = append(tr.Events, e)
			}
		}, "the socket is gone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := cloneTrace(runBuiltin(t, test.story).Trace)
			before := walk(tr)
			test.spoil(t, tr)
			after := walk(tr)
			// A true trace may have complaints already, as long as something in it is wrong; the new one is what counts.
			for _, c := range after {
				if strings.Contains(c, test.want) && !slices.Contains(before, c) {
					return
				}
			}
			t.Errorf("no complaint has %q; there are %d:\n%s", test.want, len(after), strings.Join(after[:min(len(after), 5)], "\n"))
		})
	}
}
