package handwritten_test

import (
	"errors"
	"strings"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// The forms of a segment relative to the window that the stack announced.

// outside are segments none of whose octets is in the window: left of it and right of it, as near as they can be and further away.
func outside(ways []way, kinds ...trace.Flags) []scenario {
	var all []scenario
	for _, flags := range kinds {
		data := ""
		if flags.Has(trace.PSH) {
			data = "hello"
		}
		length := len(data)
		if flags.Has(trace.FIN) {
			length++
		}
		for _, f := range []struct {
			name string
			seq  func(*peer) trace.Seq
		}{
			{"just left of the window", func(p *peer) trace.Seq { return from(p.rcv, -max(length, 1)) }},
			{"left of the window", func(p *peer) trace.Seq { return from(p.rcv, -100_000) }},
			{"just right of the window", func(p *peer) trace.Seq { return p.edge }},
			{"right of the window", func(p *peer) trace.Seq { return from(p.edge, 100_000) }},
		} {
			all = append(all, scenario{name: flags.String() + " " + f.name, ways: ways,
				event: func(p *peer) { p.segment(flags, f.seq(p), p.una, data) }})
		}
	}
	return all
}

func outsideResets(ways []way) []scenario {
	all := outside(ways, trace.RST)
	return append(all, outside(ways, trace.RST|trace.ACK)...)
}

// resets are resets at RCV.NXT, which end the connection.
func resets(ways []way, signal func(*peer)) []scenario {
	return each([]form{
		{"RST", trace.RST, "", 0}, {"RST,ACK", trace.RST | trace.ACK, "", 0}, {"RST with data", trace.RST, "a reason", 0},
		{"SYN,RST", trace.SYN | trace.RST, "", 0}, {"FIN,RST,ACK", trace.FIN | trace.RST | trace.ACK, "", 0},
	}, func(f form) scenario {
		return scenario{name: f.name, ways: ways, event: func(p *peer) { p.segment(f.flags, p.rcv, p.una, f.data) }, signal: signal}
	})
}

// resetsInside are resets in the window that are not at RCV.NXT.
func resetsInside(ways []way) []scenario {
	var all []scenario
	for _, flags := range []trace.Flags{trace.RST, trace.RST | trace.ACK} {
		all = append(all,
			scenario{name: flags.String() + " behind RCV.NXT", ways: ways,
				event: func(p *peer) { p.segment(flags, p.rcv.Add(1), p.una, "") }},
			scenario{name: flags.String() + " at the end of the window", ways: ways,
				event: func(p *peer) { p.segment(flags, p.inside, p.una, "") }})
	}
	return all
}

// synsInside are SYNs in the window.
func synsInside(ways []way) []scenario {
	return each([]form{{"SYN at RCV.NXT", trace.SYN, "", 0}, {"SYN in the window", trace.SYN, "", 1000}}, func(f form) scenario {
		return scenario{name: f.name, ways: ways, event: func(p *peer) { p.segment(f.flags, from(p.rcv, f.off), p.una, f.data) }}
	})
}

// synsAnywhere are SYNs with any number.
func synsAnywhere() []scenario {
	var all []scenario
	for _, flags := range []trace.Flags{trace.SYN, trace.SYN | trace.ACK} {
		for _, f := range []struct {
			name string
			seq  func(*peer) trace.Seq
		}{
			{"at RCV.NXT", func(p *peer) trace.Seq { return p.rcv }}, {"in the window", func(p *peer) trace.Seq { return p.rcv.Add(1000) }},
			{"at IRS", func(p *peer) trace.Seq { return p.irs }},
			{"left of the window", func(p *peer) trace.Seq { return from(p.rcv, -100_000) }},
			{"right of the window", func(p *peer) trace.Seq { return from(p.edge, 100_000) }},
		} {
			all = append(all, scenario{name: flags.String() + " " + f.name, event: func(p *peer) { p.segment(flags, f.seq(p), p.una, "") }})
		}
	}
	return all
}

// unacknowledging makes scenarios of segments in sequence.
func unacknowledging(ways []way) func(form) scenario {
	return func(f form) scenario {
		return scenario{name: f.name, ways: ways, event: func(p *peer) { p.segment(f.flags, p.rcv, 0, f.data) }}
	}
}

// The rows that each of the synchronized states has.
func (s scenarios) everyState(all []row) {
	s.family(all, "unacceptable sequence, no RST", synchronized, outside(nil, trace.ACK, trace.PSH|trace.ACK, trace.FIN|trace.ACK)...)
	s.family(all, "unacceptable sequence with RST", synchronized, outsideResets(nil)...)
	s.family(all, "RST in window, not RCV.NXT", synchronized, resetsInside(nil)...)
	s.family(all, "SYN, any sequence", synchronized, synsAnywhere()...)
	s.family(all, "in-sequence segment without ACK bit", synchronized,
		each([]form{{"none", 0, "", 0}, {"PSH with data", trace.PSH, "hello", 0}, {"FIN", trace.FIN, "", 0}}, unacknowledging(nil))...)

	told := states{trace.Established: established, trace.FinWait1: finWait1Kept, trace.FinWait2: finWait2Kept}
	s.family(all, "RST at RCV.NXT", told, resets(nil, receiveFails(netns.ErrReset))...)
	s.family(all, "RST at RCV.NXT", states{trace.CloseWait: closeWait}, resets(nil, func(p *peer) {
		p.wantError("the pending error", p.sock.PendingError(), netns.ErrReset)
	})...)
	s.family(all, "RST at RCV.NXT", states{trace.FinWait1: finWait1Given, trace.FinWait2: finWait2Given}, resets(nil, func(*peer) {})...)
	untold := states{trace.Closing: closing, trace.LastAck: lastAck, trace.TimeWait: timeWait}
	s.family(all, "RST at RCV.NXT", untold, resets(nil, func(p *peer) {
		if !p.closed {
			p.wantError("the pending error", p.sock.PendingError(), nil, netns.ErrUnsupported)
			p.wantEnd()
		}
	})...)

	s.family(all, "duplicate ACK", synchronized,
		scenario{name: "ACK=SND.UNA", event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.una, "") }},
		scenario{name: "ACK before SND.UNA", event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.una-1, "") }},
		scenario{name: "oldest ACK that is acceptable", event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.una-65535, "") }})
	s.family(all, "ACK beyond SND.NXT", synchronized,
		scenario{name: "by one", event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.nxt.Add(1), "") }},
		scenario{name: "by far", event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.nxt.Add(100_000), "") }},
		scenario{name: "by one, with data",
			event: func(p *peer) { p.segment(trace.PSH|trace.ACK, p.rcv, p.nxt.Add(1), "hello") }, after: unreceived})
	s.family(all, "ACK older than SND.UNA-MAX.SND.WND", synchronized,
		scenario{name: "by one", event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.una-65536, "") }},
		scenario{name: "by one, with data",
			event: func(p *peer) { p.segment(trace.PSH|trace.ACK, p.rcv, p.una-65536, "hello") }, after: unreceived},
		scenario{name: "by far, with data",
			event: func(p *peer) { p.segment(trace.PSH|trace.ACK, p.rcv, p.una-1_000_000, "hello") }, after: unreceived})

	s.family(all, "in-order data", receiving, scenario{event: func(p *peer) {
		p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "hello")
		p.accepted()
	}, late: true, signal: func(p *peer) { p.wantReceived("hello"); p.wantNothing() }})
	s.family(all, "in-order data", further(receiving, "data received", func(p *peer) {
		p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "hel")
		p.accepted()
		p.answered(trace.ACK)
		p.wantReceived("hel")
		p.mark()
	}), scenario{name: "behind what came before", event: func(p *peer) {
		p.segment(trace.PSH|trace.ACK, p.rcv-3, p.una, "hello")
		p.accepted()
	}, late: true, signal: func(p *peer) { p.wantReceived("lo"); p.wantNothing() }})
	nearlyFull := further(receiving, "window filled but for 64 octets", (*peer).fillNearly)
	s.family(all, "in-order data", nearlyFull, scenario{name: "more than the window",
		event: func(p *peer) {
			p.segment(trace.PSH|trace.ACK, p.rcv, p.una, strings.Repeat("y", 100))
			p.rcv = p.rcv.Add(64)
		}, late: true})
	s.family(all, "out-of-order data in window", receiving, scenario{
		event:  func(p *peer) { p.segment(trace.PSH|trace.ACK, p.rcv.Add(5), p.una, "world") },
		signal: (*peer).wantNothing,
		after: func(p *peer) {
			p.mark()
			p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "hello")
			p.rcv = p.rcv.Add(10)
			if len(p.sent) != 1 || p.sent[0].TCP.Ack != p.rcv {
				p.Errorf("when the gap was filled the stack sent %s, want one segment <ACK=%d> at once", describe(p.sent), p.rcv)
			}
			p.wantReceived("helloworld")
		},
	})
	s.family(all, "URG", receiving, scenario{before: func(p *peer) {
		p.prepare = func(s netns.Socket) {
			if err := s.SetOption(netns.OOBInline, 1); err != nil && !errors.Is(err, netns.ErrUnsupported) {
				p.Fatal(err)
			}
		}
	}, event: func(p *peer) {
		packet := p.packet(trace.URG|trace.ACK, p.rcv, p.una, "hello")
		packet.TCP.Urgent = 5
		p.put(packet, "hello")
		p.accepted()
	}, late: true, signal: func(p *peer) { p.wantReceived("hello") }})
	s.family(all, "text or URG after peer FIN", synchronized,
		scenario{name: "text", event: func(p *peer) { p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "hello") }, after: unreceived},
		scenario{name: "URG", event: func(p *peer) {
			packet := p.packet(trace.URG|trace.ACK, p.rcv, p.una, "")
			packet.TCP.Urgent = 5
			p.put(packet, "")
		}})
	s.family(all, "retransmitted FIN", states{trace.CloseWait: closeWait, trace.Closing: closing, trace.LastAck: lastAck},
		scenario{event: func(p *peer) { p.segment(trace.FIN|trace.ACK, p.rcv-1, p.una, "") }})

	s.family(all, "OPEN", kept, scenario{event: openAgain})
	s.family(all, "STATUS", kept, scenario{event: (*peer).wantNames})
	s.family(all, "SEND", halfClosed, scenario{event: sendFails(netns.ErrPipe)}, scenario{name: "urgent", event: func(p *peer) {
		_, err := p.sock.(netns.UrgentSender).SendUrgent([]byte("!"))
		p.wantError("send with MSG_OOB", err, netns.ErrPipe)
		p.take()
	}})
	s.family(all, "RECEIVE", states{
		trace.CloseWait: closeWait, trace.Closing: closingKept, trace.LastAck: lastAckKept, trace.TimeWait: timeWaitKept,
	}, scenario{event: receiveFails(nil)})
	s.family(all, "RECEIVE", further(receiving, "data", func(p *peer) {
		p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "hello")
		p.accepted()
		p.answered(trace.ACK)
	}), scenario{event: func(p *peer) { p.wantReceived("hello") }})
	// A program closes a second time with shutdown, after which close gives the socket up: neither is a second FIN.
	s.family(all, "CLOSE", halfClosed, scenario{name: "shutdown again", event: func(p *peer) {
		p.wantError("the second shutdown", p.sock.Shutdown(netns.ShutWrite), nil, netns.ErrNotConnected, netns.ErrPipe)
		p.take()
	}}, scenario{name: "shutdown, then close", event: func(p *peer) {
		p.wantError("close", p.sock.Close(), nil)
		p.closed = true
		p.take()
	}})
	s.family(all, "ABORT", kept, scenario{event: abort})
	s.family(all, "USER / R2", states{trace.Established: withData}, scenario{event: givesUp(100*time.Second, day),
		signal: receiveFails(netns.ErrTimeout)})
	s.family(all, "USER / R2", states{trace.FinWait1: finWait1Kept}, scenario{event: givesUp(100*time.Second, day),
		signal: receiveFails(netns.ErrTimeout)})
	s.family(all, "USER / R2", states{
		trace.FinWait1: join(finWait1Given, finWait1Data), trace.CloseWait: closeWaitData, trace.Closing: closing, trace.LastAck: lastAck,
	}, scenario{event: givesUp(100*time.Second, day), signal: func(p *peer) {
		if !p.closed {
			p.wantError("the pending error", p.sock.PendingError(), netns.ErrTimeout)
		}
	}})
	// The timeout that a program sets counts for what is sent from then on, and for what was sent before.
	setBefore := func(p *peer) {
		p.prepare = func(s netns.Socket) { p.must(s.SetOption(netns.UserTimeout, 30_000)) }
	}
	timedOut := func(p *peer) { p.wantError("the pending error", p.sock.PendingError(), netns.ErrTimeout) }
	unacknowledged := states{
		trace.Established: withData, trace.FinWait1: finWait1Kept, trace.CloseWait: closeWaitData,
		trace.Closing: closingKept, trace.LastAck: lastAckKept,
	}
	for state, ways := range unacknowledged {
		s.family(all, "USER / R2", states{state: ways},
			scenario{name: "timeout of the socket", before: setBefore, event: givesUp(30*time.Second, time.Minute), signal: timedOut})
		s.family(all, "USER / R2", states{state: then(ways, "user timeout", userTimeout)},
			scenario{event: givesUp(30*time.Second, time.Minute), signal: timedOut})
	}
	s.family(all, "RETRANSMISSION", states{
		trace.Established: withData, trace.FinWait1: finWait1, trace.CloseWait: closeWaitData, trace.Closing: closing, trace.LastAck: lastAck,
	}, scenario{event: retransmitted})
	s.family(all, "ACK for new data", states{trace.Established: withData, trace.FinWait1: finWait1Data, trace.CloseWait: closeWaitData},
		scenario{name: "all of it", event: func(p *peer) { p.una = p.una.Add(5); p.segment(trace.ACK, p.rcv, p.una, "") }},
		scenario{name: "some of it", event: func(p *peer) { p.una = p.una.Add(2); p.segment(trace.ACK, p.rcv, p.una, "") }})
}

// waitingRows are rows of a connection that nobody has accepted yet.
func (s scenarios) waitingRows(all []row) {
	waiting := []way{{"passive, not accepted", func(p *peer) { synReceivedPassive[0].take(p); p.ack() }}}
	in := states{trace.Established: waiting, trace.CloseWait: then(waiting, "FIN", finNothingNew)}
	s.family(all, "unacceptable sequence, no RST", in, outside(nil, trace.ACK, trace.PSH|trace.ACK, trace.FIN|trace.ACK)...)
	s.family(all, "unacceptable sequence with RST", in, outsideResets(nil)...)
	s.family(all, "RST in window, not RCV.NXT", in, resetsInside(nil)...)
	s.family(all, "SYN, any sequence", in, synsAnywhere()...)
	s.family(all, "duplicate ACK", in, scenario{event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.una, "") }})
	s.family(all, "ACK beyond SND.NXT", in, scenario{event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.nxt.Add(1), "") }})
	s.family(all, "in-order data", in, scenario{event: func(p *peer) {
		p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "hello")
		p.accepted()
	}, late: true, signal: func(p *peer) { p.accept(); p.wantReceived("hello"); p.wantNothing() }})
	s.family(all, "FIN in order", in, scenario{event: func(p *peer) {
		p.segment(trace.FIN|trace.ACK, p.rcv, p.una, "")
		p.accepted()
	}, signal: func(p *peer) { p.accept(); p.wantEnd() }})
	s.family(all, "RST at RCV.NXT", in, resets(nil, func(*peer) {})...)
}

// unreceived: data that came with an ACK that was not acceptable, or behind the peer's FIN, do not reach the program.
func unreceived(p *peer) {
	p.wantStands(p.state())
	if p.closed {
		return
	}
	if p.state() <= trace.FinWait2 {
		p.wantNothing()
	} else {
		p.wantEnd()
	}
}

// closeEvents are the program's CLOSE with what there is to call, and the FIN that it sends.
func closeEvents() []scenario {
	return []scenario{
		{name: "close", event: func(p *peer) { p.must(p.sock.Close()); p.closed = true; p.take() }},
		{name: "shutdown", event: func(p *peer) { p.must(p.sock.Shutdown(netns.ShutWrite)); p.take() }},
	}
}

// establishedRows are the rows that ESTABLISHED alone has.
func (s scenarios) establishedRows(all []row) {
	only := states{trace.Established: established, trace.CloseWait: closeWait}
	s.family(all, "SEND", only, scenario{event: func(p *peer) { p.send("hello") }})
	s.family(all, "CLOSE", only, closeEvents()...)
	s.add("T099", scenario{ways: established,
		event: func(p *peer) { p.segment(trace.FIN|trace.ACK, p.rcv, p.una, ""); p.accepted() }, signal: (*peer).wantEnd})
	s.add("T100", scenario{ways: established, event: func(p *peer) {
		p.segment(trace.FIN|trace.PSH|trace.ACK, p.rcv, p.una, "hello")
		p.accepted()
	}, signal: func(p *peer) { p.wantReceived("hello"); p.wantEnd() }})
	s.add("T101", scenario{ways: established,
		event: func(p *peer) { p.segment(trace.FIN|trace.ACK, p.rcv.Add(5), p.una, "") }, signal: (*peer).wantNothing,
		after: func(p *peer) {
			p.mark()
			p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "hello")
			p.rcv = p.rcv.Add(5)
			p.pass(ackLimit - 1)
			if len(p.sent) == 0 {
				p.Fatal("nothing acknowledges the data that filled the gap")
			}
			if p.state() == trace.Established { // the FIN was not kept: it comes again
				p.segment(trace.FIN|trace.ACK, p.rcv, p.una, "")
			}
			p.rcv = p.rcv.Add(1)
			p.wantState("when the gap was filled", trace.CloseWait)
			p.wantReceived("hello")
			p.wantEnd()
			p.wantStands(trace.CloseWait)
		}})
	full := then(established, "window filled", (*peer).fill)
	s.add("T102",
		scenario{name: "one octet", ways: full, event: func(p *peer) { p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "y") }},
		scenario{name: "a segment", ways: full, event: func(p *peer) { p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "yyyyyyyyyy") }})
	s.add("T103", resets(full, func(p *peer) {
		buf := make([]byte, 1<<20)
		for {
			n, err := p.sock.Receive(buf)
			if err != nil {
				p.wantError("receive", err, netns.ErrReset)
				return
			}
			if n == 0 {
				p.Error("receive told the end of the peer's data, want a reset")
				return
			}
		}
	})...)
	s.add("T104", each(hard, func(m message) scenario {
		return scenario{name: m.name, ways: withData, event: func(p *peer) { p.icmp(m) }, signal: func(p *peer) {
			if err := p.sock.PendingError(); err == nil {
				p.Error("there is no pending error, want one")
			}
		}}
	})...)
	s.add("T105", each(soft, func(m message) scenario {
		return scenario{name: m.name, ways: withData, event: func(p *peer) { p.icmp(m) }}
	})...)
	s.add("T105", each(soft, func(m message) scenario {
		return scenario{name: m.name + ", then no answer", ways: withData,
			event: func(p *peer) { p.icmp(m) }, after: wantSoft(func(p *peer) error {
				_, err := p.sock.Receive(make([]byte, 100))
				return err
			})}
	})...)
}

// closingRows are the rows of the states that lead from ESTABLISHED to the end.
func (s scenarios) closingRows() {
	ackOfFIN := func(p *peer) { p.una = p.nxt; p.segment(trace.ACK, p.rcv, p.nxt, "") }
	allButFIN := func(p *peer) { p.una = p.nxt - 1; p.segment(trace.ACK, p.rcv, p.una, "") }
	fin := func(flags trace.Flags, data string, all bool) func(*peer) {
		return func(p *peer) {
			if all {
				p.una = p.nxt
			}
			p.segment(flags, p.rcv, p.una, data)
			p.accepted()
		}
	}
	end := func(p *peer) {
		if !p.closed {
			p.wantEnd()
		}
	}
	dataAndEnd := func(p *peer) { p.wantReceived("hello"); p.wantEnd() }
	s.add("T131", scenario{ways: join(finWait1, finWait1Data), event: ackOfFIN})
	notAll := []scenario{
		{name: "nothing new", ways: finWait1, event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.una, "") }},
		{name: "all but the FIN", ways: finWait1Data, event: allButFIN},
	}
	s.add("T132", notAll...)
	s.add("T133", scenario{ways: finWait1, event: fin(trace.FIN|trace.ACK, "", false), signal: end},
		scenario{name: "FIN with ACK of the data alone", ways: finWait1Data,
			event: func(p *peer) { p.una = p.nxt - 1; fin(trace.FIN|trace.ACK, "", false)(p) }, signal: end})
	s.add("T134", scenario{ways: join(finWait1, finWait1Data), event: fin(trace.FIN|trace.ACK, "", true), signal: end})
	s.add("T135", scenario{ways: finWait1Kept, event: fin(trace.FIN|trace.PSH|trace.ACK, "hello", true), signal: dataAndEnd})
	afterClose := func(ways []way, ack func(*peer)) scenario {
		return scenario{ways: ways,
			event: func(p *peer) { ack(p); p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "hello") }, signal: func(p *peer) {
				if len(p.sent) == 0 || p.sent[0].TCP.Seq != p.nxt {
					p.Errorf("the stack sent %s, want <SEQ=%d>: a reset that the peer takes", describe(p.sent), p.nxt)
				}
			}}
	}
	none, one := func(*peer) {}, func(p *peer) { p.una = p.nxt }
	nothing, acking := afterClose(finWait1Given, none), afterClose(finWait1Given, one)
	nothing.name, acking.name = "ACK of nothing new", "ACK of FIN"
	s.add("T136", nothing, acking)
	s.add("T162", afterClose(finWait2Given, none))
	s.add("T153", scenario{ways: then(finWait2Kept, "keep-alive on", keepAlive),
		event: givesUp(10*time.Second, time.Minute), signal: receiveFails(netns.ErrTimeout)})
	s.add("T160", scenario{ways: finWait2, event: fin(trace.FIN|trace.ACK, "", true), signal: end})
	s.add("T161", scenario{ways: finWait2Kept, event: fin(trace.FIN|trace.PSH|trace.ACK, "hello", true), signal: dataAndEnd})

	closingData, lastAckData := then(finWait1Data, "FIN", finNothingNew), then(closeWaitData, "shutdown", (*peer).shutdown)
	s.add("T204", scenario{ways: join(closing, closingData), event: ackOfFIN})
	s.add("T205", scenario{name: "all but the FIN", ways: closingData, event: allButFIN})
	s.add("T227", scenario{name: "all but the FIN", ways: lastAckData, event: allButFIN})
	s.add("T205", scenario{ways: closing, event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.una, "") }})
	s.add("T226", scenario{ways: join(lastAck, lastAckData), event: ackOfFIN, signal: func(p *peer) {
		if !p.closed {
			p.wantEnd()
			p.wantError("the pending error", p.sock.PendingError(), nil, netns.ErrUnsupported)
		}
	}})
	s.add("T227", scenario{ways: lastAck, event: func(p *peer) { p.segment(trace.ACK, p.rcv, p.una, "") }})
}

// keepAlive has the connection ask every second, after ten seconds of silence, whether the peer is still there.
func keepAlive(p *peer) {
	for _, o := range []struct {
		option netns.Option
		value  int
	}{{netns.KeepIdle, 10}, {netns.KeepInterval, 1}, {netns.KeepCount, 3}, {netns.KeepAlive, 1}} {
		p.must(p.sock.SetOption(o.option, o.value))
	}
}

// userTimeout has the connection end when data are not acknowledged for half a minute.
func userTimeout(p *peer) { p.must(p.sock.SetOption(netns.UserTimeout, 30_000)) }

// twoMSL is how long TIME-WAIT lasts: MSL is two minutes (RFC 9293, Section 3.4.2).
const twoMSL = 4 * time.Minute

// timeWaitRows are the rows that TIME-WAIT alone has.
func (s scenarios) timeWaitRows() {
	later := func(p *peer) { p.pass(twoMSL - time.Minute) }
	s.add("T243", scenario{ways: then(timeWait, "three minutes", later), event: func(p *peer) {
		p.segment(trace.FIN|trace.ACK, p.rcv-1, p.una, "")
	}, after: func(p *peer) {
		p.pass(twoMSL - time.Second - ackLimit)
		p.wantState("a second before twice MSL is over, counted from the last FIN", trace.TimeWait)
		p.pass(2 * time.Second)
		p.wantState("twice MSL after the last FIN", trace.Closed)
	}})
	s.add("T248", scenario{ways: timeWait, event: func(p *peer) {
		p.pass(twoMSL - time.Second)
		p.wantState("a second before twice MSL is over", trace.TimeWait)
		p.pass(2 * time.Second)
	}})
	anew := func(seq func(*peer) trace.Seq, ticks int) func(*peer) {
		return func(p *peer) {
			p.sock, p.issKnown = nil, false
			p.irs = seq(p)
			p.tsval += uint32(int32(ticks))
			p.segment(trace.SYN, p.irs, 0, "")
			p.rcv = p.irs.Add(1)
		}
	}
	higher := func(p *peer) trace.Seq { return p.rcv.Add(1) }
	lower := func(p *peer) trace.Seq { return p.rcv - 1000 }
	connected := func(p *peer) {
		p.mark()
		p.ack()
		p.accept()
		p.wantState("when the ACK of its SYN had come", trace.Established)
		p.wantStands(trace.Established)
	}
	s.add("T244",
		scenario{name: "newer timestamp, lower SEQ", stamped: true, ways: ofPassive(timeWait), event: anew(lower, 1), after: connected},
		scenario{name: "same timestamp, higher SEQ", stamped: true, ways: ofPassive(timeWait), event: anew(higher, 0), after: connected})
	s.add("T245", scenario{ways: ofPassive(timeWait), event: anew(higher, 0), after: connected})
	s.add("T244",
		scenario{name: "no timestamp any more, higher SEQ", stamped: true, ways: ofPassive(timeWait), event: func(p *peer) {
			p.timestamps = false
			anew(higher, 0)(p)
		}, after: connected})
	old := func(seq func(*peer) trace.Seq, ticks int) func(*peer) {
		return func(p *peer) { p.tsval += uint32(int32(ticks)); p.segment(trace.SYN, seq(p), 0, "") }
	}
	s.add("T246",
		scenario{name: "SEQ=IRS", ways: timeWait, event: old(func(p *peer) trace.Seq { return p.irs }, 0)},
		scenario{name: "SEQ=RCV.NXT", ways: timeWait, event: old(func(p *peer) trace.Seq { return p.rcv }, 0)},
		scenario{name: "older timestamp", stamped: true, ways: timeWait, event: old(func(p *peer) trace.Seq { return p.irs }, -1)},
		scenario{name: "older timestamp, higher SEQ", stamped: true, ways: timeWait, event: old(higher, -1)})
}
