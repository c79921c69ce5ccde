package handwritten_test

import (
	"errors"
	"slices"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// A form is one segment in which an event can come.
type form struct {
	name  string
	flags trace.Flags
	data  string
	off   int // from the number that the event speaks of
}

// from is a number some octets on or back.
func from(s trace.Seq, off int) trace.Seq { return s + trace.Seq(int32(off)) }

// openAgain is an OPEN of a connection that exists: by the socket that has it, and by another that is bound to the same address and port.
func openAgain(p *peer) {
	p.Helper()
	if state := p.state(); state >= trace.Established {
		err := p.sock.Connect(p.other)
		if p.take(); state <= trace.CloseWait {
			p.wantError("connect on the connected socket", err, netns.ErrConnected)
		} else if err == nil || errors.Is(err, netns.ErrInProgress) || errors.Is(err, netns.ErrWouldBlock) {
			p.Errorf("connect on the connected socket returned %v, want an error", err)
		}
	}
	second := p.socket()
	if err := second.SetOption(netns.ReuseAddress, 1); err != nil && !errors.Is(err, netns.ErrUnsupported) {
		p.Fatal(err)
	}
	err := second.Bind(p.host)
	if err == nil {
		err = second.Connect(p.other)
	}
	p.take()
	p.wantError("bind and connect of a second socket", err, netns.ErrAddressInUse, netns.ErrAddressNotOurs, netns.ErrAlready, netns.ErrConnected)
}

// queued is a SEND before the connection stands: the stack takes the data over, or has the program wait. sent is what it sends when the
// connection stands.
func queued(p *peer) {
	p.Helper()
	n, err := p.sock.Send([]byte("hello"))
	if p.take(); n == 0 && !errors.Is(err, netns.ErrWouldBlock) || n > 0 && (n != 5 || err != nil) {
		p.Errorf("send took %d octets, error %v, want all 5 or %v", n, err, netns.ErrWouldBlock)
	}
}

// queuedGoes: the data go out when the peer's segment has made the connection.
func queuedGoes(complete func(*peer)) func(*peer) {
	return func(p *peer) {
		p.mark()
		complete(p)
		p.wantState("when the peer had answered", trace.Established)
		if err := p.sock.Connect(p.other); err != nil {
			p.Errorf("connect returned %v", err)
		}
		if len(p.sent) == 0 || p.sent[len(p.sent)-1].TCP.DataLen == 0 {
			p.mark()
			p.send("hello")
		}
		if last := p.sent[len(p.sent)-1]; string(last.Data()) != "hello" || last.TCP.Seq != p.iss.Add(1) {
			p.Errorf("the stack sent %s with data %q, want the data that were queued", describe(p.sent), last.Data())
		}
	}
}

// synSentRows are the rows of SYN-SENT.
func (s scenarios) synSentRows() {
	s.add("T032", scenario{ways: synSent, event: openAgain})
	s.add("T033", scenario{ways: synSent, event: queued, after: queuedGoes(func(p *peer) {
		p.segment(trace.SYN|trace.ACK, p.irs, p.nxt, "")
		p.rcv, p.una = p.irs.Add(1), p.nxt
	})})
	s.add("T034", scenario{ways: synSent, event: receiveFails(netns.ErrWouldBlock, netns.ErrNotConnected)})
	late := func(p *peer) { // the SYN,ACK comes late, and there is no connection any more
		p.pass(time.Minute)
		if len(p.sent) > 0 {
			p.Errorf("afterwards the stack sent %s, want nothing", describe(p.sent))
		}
		p.mark()
		p.segment(trace.SYN|trace.ACK, p.irs, p.nxt, "")
		if len(p.sent) != 1 || p.sent[0].TCP.Flags != trace.RST || p.sent[0].TCP.Seq != p.nxt {
			p.Errorf("the late SYN,ACK drew %s, want <CTL=RST><SEQ=%d>", describe(p.sent), p.nxt)
		}
	}
	s.add("T035", scenario{ways: synSent, event: func(p *peer) { p.must(p.sock.Close()); p.take() }, after: late})
	s.add("T036", scenario{ways: synSent, event: func(p *peer) { p.must(p.sock.Abort()); p.take() }, after: late})
	s.add("T037", scenario{ways: synSent, event: func(p *peer) { p.wantNames() }})

	bad := []struct {
		name string
		ack  func(*peer) trace.Seq
	}{
		{"ACK=ISS", func(p *peer) trace.Seq { return p.iss }}, {"ACK before ISS", func(p *peer) trace.Seq { return p.iss - 1000 }},
		{"ACK beyond SND.NXT", func(p *peer) trace.Seq { return p.nxt.Add(1) }},
	}
	for _, b := range bad {
		for id, flags := range map[string]trace.Flags{"T038": trace.ACK, "T039": trace.SYN | trace.ACK, "T040": trace.RST | trace.ACK} {
			s.add(id, scenario{name: b.name, ways: synSent, event: func(p *peer) { p.segment(flags, p.irs, b.ack(p), "") }})
		}
	}
	s.add("T041", scenario{ways: synSent,
		event: func(p *peer) { p.segment(trace.RST|trace.ACK, 0, p.nxt, "") }, signal: wantConnect(netns.ErrRefused)})
	s.add("T042", scenario{ways: synSent, event: func(p *peer) { p.segment(trace.RST, 0, 0, "") }},
		scenario{name: "SYN,RST", ways: synSent, event: func(p *peer) { p.segment(trace.SYN|trace.RST, p.irs, 0, "") }})
	answer := func(flags trace.Flags, data string) func(*peer) {
		return func(p *peer) { p.segment(flags, p.irs, p.nxt, data); p.accepted(); p.una = p.nxt }
	}
	s.add("T043", scenario{ways: synSent, event: answer(trace.SYN|trace.ACK, ""), signal: (*peer).wantConnected})
	s.add("T044", scenario{ways: synSent, event: func(p *peer) {
		answer(trace.SYN|trace.ACK, "hello")(p)
		if len(p.sent) == 1 && p.sent[0].TCP.Ack == p.irs.Add(1) { // it left the data out: they come again
			p.mark()
			p.segment(trace.PSH|trace.ACK, p.irs.Add(1), p.nxt, "hello")
		}
	}, late: true, signal: func(p *peer) { p.wantConnected(); p.wantReceived("hello") }})
	s.add("T045", scenario{ways: synSent,
		event: answer(trace.SYN|trace.ACK|trace.FIN, ""), signal: func(p *peer) { p.wantConnected(); p.wantEnd() }})
	crossing := func(flags trace.Flags, data string) func(*peer) {
		return func(p *peer) { p.segment(flags, p.irs, 0, data); p.rcv = p.irs.Add(1) }
	}
	s.add("T046", scenario{ways: synSent,
		event: crossing(trace.SYN, ""), after: func(p *peer) { p.wantAfter(trace.SynReceived); p.wantConnected() }})
	s.add("T047",
		scenario{name: "data", ways: synSent, event: crossing(trace.SYN, "hello"), after: func(p *peer) {
			p.again(trace.PSH|trace.ACK, "hello")
			p.wantConnected()
			p.wantReceived("hello")
			p.wantStands(trace.Established)
		}},
		scenario{name: "FIN", ways: synSent, event: crossing(trace.SYN|trace.FIN, ""), after: func(p *peer) {
			p.again(trace.FIN|trace.ACK, "")
			p.wantConnected()
			p.wantEnd()
			p.wantStands(trace.CloseWait)
		}})
	s.add("T047", scenario{name: "data and FIN, not sent again", ways: synSent,
		event: crossing(trace.SYN|trace.FIN, "hello"), after: func(p *peer) {
			p.kept(6)
			p.wantConnected()
			p.wantReceived("hello")
			p.wantEnd()
			p.wantStands(trace.CloseWait)
		}})
	s.add("T048", each([]form{
		{"ACK", trace.ACK, "", 0}, {"FIN,ACK", trace.FIN | trace.ACK, "", 0}, {"PSH,ACK with data", trace.PSH | trace.ACK, "hello", 0},
	}, func(f form) scenario {
		return scenario{name: f.name, ways: synSent, event: func(p *peer) { p.segment(f.flags, p.irs, p.nxt, f.data) }}
	})...)
	s.add("T049", each([]form{
		{"none", 0, "", 0}, {"FIN", trace.FIN, "", 0}, {"PSH with data", trace.PSH, "hello", 0},
	}, func(f form) scenario {
		return scenario{name: f.name, ways: synSent, event: func(p *peer) { p.segment(f.flags, p.irs, 0, f.data) }}
	})...)
	s.add("T050", scenario{ways: synSent, event: retransmitted})
	s.add("T051", scenario{ways: synSent, event: givesUp(3*time.Minute, day), signal: wantConnect(netns.ErrTimeout)})
	s.add("T052", each(hard, func(m message) scenario {
		return scenario{name: m.name, ways: synSent, event: func(p *peer) { p.icmp(m) }, signal: func(p *peer) {
			if err := p.sock.Connect(p.other); err == nil || errors.Is(err, netns.ErrInProgress) || errors.Is(err, netns.ErrWouldBlock) {
				p.Errorf("connect returned %v, want an error", err)
			}
		}}
	})...)
	s.add("T053", each(soft, func(m message) scenario {
		return scenario{name: m.name, ways: synSent, event: func(p *peer) { p.icmp(m) }}
	})...)
	s.add("T053", each(soft, func(m message) scenario {
		return scenario{name: m.name + ", then no answer", ways: synSent,
			event: func(p *peer) { p.icmp(m) }, after: wantSoft(func(p *peer) error {
				return p.sock.Connect(p.other)
			})}
	})...)
}

// retransmitted waits for the stack to send again. It does that after a second and not earlier (RFC 6298, Section 2.4).
func retransmitted(p *peer) {
	p.Helper()
	from := p.now
	p.untilSent(time.Minute)
	if p.now-from < time.Second-ackLimit {
		p.Errorf("sent again after %v, want a second at least", p.now-from)
	}
}

const day = 24 * time.Hour

// givesUp lets time pass until the stack gives the connection up, which it may not do too early, nor too late. What it sent before, for
// the last time, is not the event's; a reset that it sends as it gives up may be.
func givesUp(atLeast, atMost time.Duration) func(*peer) {
	return func(p *peer) {
		p.Helper()
		from, retransmissions := p.now, 0
		for p.state() != trace.Closed {
			if retransmissions += len(p.sent); !p.expire(from + atMost) {
				p.Fatalf("the stack does not give up within %v", atMost)
			}
			p.sent = slices.DeleteFunc(p.sent, func(s sent) bool { return s.TCP.Flags.Has(trace.RST) })
			if p.state() != trace.Closed {
				retransmissions += len(p.sent)
				p.mark()
			}
		}
		if p.now-from < atLeast {
			p.Errorf("gave up after %v, want %v at least", p.now-from, atLeast)
		}
		if retransmissions < 3 {
			p.Errorf("sent %d times again, want 3 at least", retransmissions)
		}
	}
}

// synReceivedRows are the rows of SYN-RECEIVED.
func (s scenarios) synReceivedRows() {
	s.add("T054", scenario{ways: synReceived, event: openAgain})
	s.add("T055", scenario{ways: synReceivedActive, event: queued, after: queuedGoes(func(p *peer) {
		p.segment(trace.ACK, p.rcv, p.iss.Add(1), "")
		p.una = p.iss.Add(1)
	})})
	s.add("T056", scenario{ways: synReceivedActive, event: receiveFails(netns.ErrWouldBlock, netns.ErrNotConnected)})
	s.add("T057",
		scenario{name: "close", ways: synReceivedActive,
			event: func(p *peer) { p.must(p.sock.Close()); p.take() }, after: (*peer).wantClosingOpen},
		scenario{name: "shutdown", ways: synReceivedActive,
			event: func(p *peer) { p.must(p.sock.Shutdown(netns.ShutWrite)); p.take() }, after: (*peer).wantClosingOpen})
	s.add("T058",
		scenario{name: "close", ways: synReceivedActive,
			event: func(p *peer) { p.send("hello"); p.must(p.sock.Close()); p.take() }, after: (*peer).wantDeferred},
		scenario{name: "shutdown", ways: synReceivedActive, event: func(p *peer) {
			p.send("hello")
			p.must(p.sock.Shutdown(netns.ShutWrite))
			p.take()
		}, after: (*peer).wantDeferred})
	s.add("T059", scenario{ways: synReceivedActive, event: abort})
	s.add("T060", scenario{ways: synReceived, event: func(p *peer) { p.wantNames() }})
	s.add("T061", scenario{ways: synReceivedPassive, event: func(p *peer) { p.segment(trace.SYN, p.irs, 0, "") }})
	s.add("T062", outside(synReceived, trace.ACK, trace.PSH|trace.ACK)...)
	s.add("T063", outsideResets(synReceived)...)
	s.add("T064", resets(synReceivedPassive, func(*peer) {})...)
	s.add("T065", resets(synReceivedActive, wantConnect(netns.ErrRefused))...)
	s.add("T066", resetsInside(synReceived)...)
	s.add("T067", synsInside(synReceivedPassive)...)
	s.add("T068", synsInside(synReceivedActive)...)
	s.add("T070", each([]form{{"none", 0, "", 0}, {"FIN", trace.FIN, "", 0},
		{"PSH with data", trace.PSH, "hello", 0}}, unacknowledging(synReceived))...)
	made := func(flags trace.Flags, data string) func(*peer) {
		return func(p *peer) {
			p.segment(flags, p.rcv, p.nxt, data)
			p.accepted()
			p.una = p.nxt
		}
	}
	s.add("T071", scenario{ways: synReceived, event: made(trace.ACK, ""), signal: (*peer).wantConnected})
	s.add("T072", scenario{ways: synReceived,
		event: made(trace.PSH|trace.ACK, "hello"), late: true, signal: func(p *peer) { p.wantConnected(); p.wantReceived("hello") }})
	s.add("T073", scenario{ways: synReceived,
		event: made(trace.FIN|trace.ACK, ""), late: true, signal: func(p *peer) { p.wantConnected(); p.wantEnd() }})
	for _, b := range []struct {
		name string
		ack  func(*peer) trace.Seq
	}{
		{"ACK=SND.UNA", func(p *peer) trace.Seq { return p.una }}, {"ACK before SND.UNA", func(p *peer) trace.Seq { return p.una - 1000 }},
		{"ACK beyond SND.NXT", func(p *peer) trace.Seq { return p.nxt.Add(1) }},
	} {
		s.add("T074", scenario{name: b.name, ways: synReceived, event: func(p *peer) { p.segment(trace.ACK, p.rcv, b.ack(p), "") }})
	}
	s.add("T076", scenario{ways: synReceivedActive,
		event: func(p *peer) { p.segment(trace.SYN|trace.ACK, p.irs, p.nxt, "") }, after: func(p *peer) {
			p.wantAfter(trace.SynReceived)
			p.wantConnected()
		}})
	s.add("T077", scenario{ways: synReceived, event: retransmitted})
	s.add("T078",
		scenario{ways: synReceivedActive, event: givesUp(3*time.Minute, day), signal: wantConnect(netns.ErrTimeout)},
		scenario{ways: synReceivedPassive, event: givesUp(3*time.Minute, day), after: (*peer).wantListener})
}

// wantClosingOpen: an ACK of both SYN and FIN leads a connection on that was closed before it stood.
func (p *peer) wantClosingOpen() {
	p.mark()
	p.segment(trace.ACK, p.rcv, p.iss.Add(1), "")
	p.una = p.iss.Add(1)
	p.wantState("when the ACK of its SYN had come", trace.FinWait1)
	p.ack()
	p.wantState("when the ACK of its FIN had come", trace.FinWait2)
	p.wantStands(trace.FinWait2)
}

// wantDeferred: data and FIN go when the connection stands.
func (p *peer) wantDeferred() {
	p.mark()
	p.segment(trace.ACK, p.rcv, p.nxt, "")
	p.una = p.nxt
	p.wantState("when the ACK of its SYN had come", trace.FinWait1)
	var data []byte
	fin := false
	for _, s := range p.sent {
		data, fin = append(data, s.Data()...), fin || s.TCP.Flags.Has(trace.FIN)
	}
	if string(data) != "hello" || !fin {
		p.Errorf("then the stack sent %s with data %q, want the data and a FIN", describe(p.sent), data)
	}
	p.mark()
	p.ack()
	p.wantState("when the ACK of data and FIN had come", trace.FinWait2)
}

// abort is the program's ABORT.
func abort(p *peer) {
	p.must(p.sock.Abort())
	p.closed = true
	p.take()
}
