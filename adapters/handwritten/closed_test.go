package handwritten_test

import (
	"errors"
	"net/netip"

	"connectlab/netns"
	"connectlab/trace"
)

// closedRows are the rows of CLOSED: sockets without a connection, and segments for which there is none.
func (s scenarios) closedRows() {
	s.add("T001", scenario{ways: fresh, event: func(p *peer) { p.sock = nil; p.listen() }, after: (*peer).wantTaking})
	s.add("T002", scenario{ways: nobody[:1], event: (*peer).active})

	unspecified := func(p *peer) netip.AddrPort {
		if p.host.Addr().Is6() {
			return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	s.add("T003",
		scenario{name: "no address", ways: fresh, event: connectFails(func(*peer) netip.AddrPort { return netip.AddrPort{} })},
		scenario{name: "address and port 0", ways: fresh, event: connectFails(unspecified)},
		scenario{name: "port 0", ways: fresh,
			event: connectFails(func(p *peer) netip.AddrPort { return netip.AddrPortFrom(p.other.Addr(), 0) })})
	for _, a := range [][2]string{{"255.255.255.255", "ff02::1"}, {"224.0.0.1", "ff05::2"}, {"192.0.2.255", "ff0e::1"}} {
		s.add("T004", scenario{name: a[0] + " or " + a[1], ways: fresh, event: connectFails(func(p *peer) netip.AddrPort {
			address := netip.MustParseAddr(a[0])
			if p.host.Addr().Is6() {
				address = netip.MustParseAddr(a[1])
			}
			return netip.AddrPortFrom(address, 80)
		})})
	}
	s.add("T005", scenario{ways: fresh, event: sendFails(netns.ErrNotConnected, netns.ErrPipe)})
	s.add("T006", scenario{ways: fresh, event: receiveFails(netns.ErrNotConnected)})
	s.add("T007", scenario{name: "shutdown", ways: fresh, event: func(p *peer) {
		p.wantError("shutdown", p.sock.Shutdown(netns.ShutWrite), netns.ErrNotConnected)
		p.take()
	}})
	s.add("T008", scenario{ways: fresh, event: func(p *peer) {
		// There is nothing to abort; a program gives the socket up with it all the same.
		if err := p.sock.Abort(); err != nil && !errors.Is(err, netns.ErrNotConnected) {
			p.Errorf("abort returned %v, want nothing or %v", err, netns.ErrNotConnected)
		}
		p.take()
	}})
	s.add("T009", scenario{ways: fresh, event: func(p *peer) {
		if a := p.sock.RemoteAddr(); a.IsValid() {
			p.Errorf("the socket's peer is %v, want none", a)
		}
	}})

	s.add("T010", each([]form{
		{"RST", trace.RST, "", 0}, {"RST,ACK", trace.RST | trace.ACK, "", 0}, {"SYN,RST", trace.SYN | trace.RST, "", 0},
		{"FIN,RST,ACK", trace.FIN | trace.RST | trace.ACK, "", 0}, {"RST with data", trace.RST, "hello", 0},
	}, arrives(nobody))...)
	s.add("T011", each([]form{
		{"SYN", trace.SYN, "", 0}, {"FIN", trace.FIN, "", 0}, {"none", 0, "", 0}, {"PSH with data", trace.PSH, "hello", 0},
		{"SYN with data", trace.SYN, "hello", 0}, {"SYN,FIN with data", trace.SYN | trace.FIN, "hello", 0}, {"URG", trace.URG, "", 0},
	}, arrives(nobody))...)
	s.add("T012", each([]form{
		{"ACK", trace.ACK, "", 0}, {"SYN,ACK", trace.SYN | trace.ACK, "", 0}, {"FIN,ACK", trace.FIN | trace.ACK, "", 0},
		{"PSH,ACK with data", trace.PSH | trace.ACK, "hello", 0}, {"URG,ACK", trace.URG | trace.ACK, "", 0},
	}, arrives(nobody))...)
}

// arrives makes scenarios of segments with any numbers.
func arrives(ways []way) func(form) scenario {
	return func(f form) scenario {
		return scenario{name: f.name, ways: ways, event: func(p *peer) { p.segment(f.flags, 1000, 77, f.data) }, after: func(*peer) {}}
	}
}

// connectFails calls connect, which finds at once that it cannot be.
func connectFails(to func(*peer) netip.AddrPort) func(*peer) {
	return func(p *peer) {
		if err := p.sock.Connect(to(p)); err == nil || errors.Is(err, netns.ErrInProgress) || errors.Is(err, netns.ErrWouldBlock) {
			p.Errorf("connect to %v returned %v, want an error that says it cannot be", to(p), err)
		}
		p.take()
	}
}

// listenRows are the rows of LISTEN.
func (s scenarios) listenRows() {
	listener := func(p *peer) { p.sock = p.listener }
	stays := (*peer).wantTaking
	onListener := func(call func(*peer)) func(*peer) {
		return func(p *peer) { listener(p); call(p); p.sock = nil }
	}
	s.add("T014", scenario{ways: listening,
		event: onListener(connectFails(func(*peer) netip.AddrPort { return netip.AddrPort{} })), after: stays})
	s.add("T016", scenario{ways: listening, event: onListener(sendFails(netns.ErrNotConnected, netns.ErrPipe)), after: stays})
	// The RECEIVE of the RFC waits for a connection to come; recv of a socket that has none says so.
	s.add("T017", scenario{ways: listening, event: onListener(receiveFails(netns.ErrNotConnected)), after: stays})
	gone := func(p *peer) {
		p.mark()
		p.segment(trace.SYN, p.irs, 0, "")
		if len(p.sent) != 1 || p.sent[0].TCP.Flags != trace.RST|trace.ACK {
			p.Errorf("afterwards a SYN drew %s, want RST,ACK: nobody listens", describe(p.sent))
		}
	}
	s.add("T018", scenario{ways: listening, event: func(p *peer) { listener(p); p.must(p.sock.Close()); p.take() }, after: gone})
	s.add("T019", scenario{ways: listening, event: func(p *peer) { listener(p); p.must(p.sock.Abort()); p.take() }, after: gone})
	s.add("T020", scenario{ways: listening, event: func(*peer) {}, after: stays})

	anything := func(forms ...form) []scenario {
		all := each(forms, arrives(listening))
		for i := range all {
			all[i].after = stays
		}
		return all
	}
	s.add("T021", anything(
		form{"RST", trace.RST, "", 0}, form{"RST,ACK", trace.RST | trace.ACK, "", 0}, form{"SYN,RST", trace.SYN | trace.RST, "", 0},
		form{"SYN,RST,ACK", trace.SYN | trace.RST | trace.ACK, "", 0}, form{"RST with data", trace.RST, "hello", 0})...)
	s.add("T022", anything(
		form{"ACK", trace.ACK, "", 0},
		form{"FIN,ACK", trace.FIN | trace.ACK, "", 0}, form{"PSH,ACK with data", trace.PSH | trace.ACK, "hello", 0})...)
	s.add("T023", anything(form{"SYN,ACK", trace.SYN | trace.ACK, "", 0})...)
	s.add("T029", anything(
		form{"none", 0, "", 0},
		form{"FIN", trace.FIN, "", 0}, form{"PSH with data", trace.PSH, "hello", 0}, form{"URG", trace.URG, "", 0})...)

	syn := func(flags trace.Flags, data string) func(*peer) {
		return func(p *peer) { p.segment(flags, p.irs, 0, data); p.rcv = p.irs.Add(1) }
	}
	s.add("T024", scenario{ways: listening, event: syn(trace.SYN, ""), after: func(p *peer) {
		p.wantNotAccepted()
		p.mark()
		p.ack()
		p.accept()
		p.wantState("when the ACK of its SYN had come", trace.Established)
	}})
	s.add("T024", scenario{name: "ECN is on", ecn: true, ways: listening, event: syn(trace.SYN, "")}) // a plain SYN's answer has no ECE
	s.add("T025", scenario{ways: listening, event: syn(trace.SYN, "hello"), after: func(p *peer) {
		p.wantNotAccepted()
		p.again(trace.PSH|trace.ACK, "hello")
		p.accept()
		p.wantState("when the ACK of its SYN and the data had come again", trace.Established)
		p.wantReceived("hello")
		p.wantStands(trace.Established)
	}})
	s.add("T025", scenario{name: "not sent again", ways: listening, event: syn(trace.SYN, "hello"), after: func(p *peer) {
		p.kept(5)
		p.accept()
		p.wantReceived("hello")
		p.wantStands(trace.Established)
	}})
	s.add("T026", scenario{name: "not sent again", ways: listening, event: syn(trace.SYN|trace.FIN, "hello"), after: func(p *peer) {
		p.kept(6)
		p.accept()
		p.wantReceived("hello")
		p.wantEnd()
		p.wantStands(trace.CloseWait)
	}})
	s.add("T026", scenario{ways: listening, event: syn(trace.SYN|trace.FIN, ""), after: func(p *peer) {
		p.wantNotAccepted()
		p.again(trace.FIN|trace.ACK, "")
		p.accept()
		p.wantState("when the ACK of its SYN and the FIN had come again", trace.CloseWait)
		p.wantEnd()
		p.wantStands(trace.CloseWait)
	}})
	s.add("T027",
		scenario{name: "SYN,ECE,CWR", ways: listening, event: syn(trace.SYN|trace.ECE|trace.CWR, ""), signal: func(p *peer) {
			if p.last.TCP.Flags.Has(trace.ECE) {
				p.Errorf("the stack sent %s, want no ECE: ECN is off", describe(p.sent))
			}
		}},
		scenario{name: "SYN,ECE,CWR, ECN is on", ecn: true, ways: listening,
			event: syn(trace.SYN|trace.ECE|trace.CWR, ""), signal: func(p *peer) {
				if !p.last.TCP.Flags.Has(trace.ECE) {
					p.Errorf("the stack sent %s, want ECE: it agrees on ECN", describe(p.sent))
				}
			}},
		scenario{name: "SYN,ECE,CWR,AE", ways: listening, event: syn(trace.SYN|trace.ECE|trace.CWR|trace.AE, "")},
		scenario{name: "reserved bits", ways: listening, event: func(p *peer) {
			packet := p.packet(trace.SYN, p.irs, 0, "")
			packet.TCP.Reserved = 7
			p.put(packet, "")
			p.rcv = p.irs.Add(1)
		}})

	for _, a := range []struct{ name, to4, to6, from4, from6 string }{
		{"to broadcast or all nodes", "255.255.255.255", "ff02::1", "", ""},
		{"to the network's broadcast or multicast", "192.0.2.255", "ff05::2", "", ""},
		{"to multicast", "224.0.0.1", "ff0e::1", "", ""}, {"from broadcast or multicast", "", "", "255.255.255.255", "ff02::1"},
		{"from the network's broadcast or multicast", "", "", "192.0.2.255", "ff05::2"},
		{"from multicast", "", "", "224.0.0.1", "ff0e::1"},
		{"from loopback", "", "", "127.0.0.1", "::1"}, {"from unspecified", "", "", "0.0.0.0", "::"},
	} {
		s.add("T030", scenario{name: a.name, ways: listening, event: func(p *peer) {
			packet := p.packet(trace.SYN, p.irs, 0, "")
			to, source := a.to4, a.from4
			if p.host.Addr().Is6() {
				to, source = a.to6, a.from6
			}
			if to != "" {
				packet.IP.Dst = netip.MustParseAddr(to)
			} else {
				packet.IP.Src = netip.MustParseAddr(source)
			}
			p.put(packet, "")
		}, after: stays})
	}
	s.add("T031", scenario{name: "SYN", ways: listening, event: func(p *peer) { p.damaged(trace.SYN, p.irs, 0) }, after: stays})
	// What would end a connection in any other state does nothing either.
	damagedReset := func(p *peer) { p.damaged(trace.RST|trace.ACK, p.rcv, p.nxt) }
	s.add("T031", scenario{name: "RST", ways: synSent, state: trace.SynSent,
		event: damagedReset}, scenario{name: "RST", ways: synReceived, state: trace.SynReceived, event: damagedReset})
	for _, state := range trace.States() {
		if synchronized[state] != nil {
			s.add("T031", scenario{name: "RST", ways: synchronized[state], state: state, event: damagedReset})
		}
	}
}

// again is what the peer sends again, with the ACK of the stack's SYN, of what came with its own SYN: the stack may have kept it or not.
func (p *peer) again(flags trace.Flags, data string) {
	p.Helper()
	p.mark()
	p.segment(flags, p.rcv, p.nxt, data)
	p.accepted()
	p.una = p.nxt
	p.pass(ackLimit - 1)
	if len(p.sent) == 0 || p.sent[len(p.sent)-1].TCP.Ack != p.rcv {
		p.Errorf("the stack sent %s, want <ACK=%d>", describe(p.sent), p.rcv)
	}
}

// kept has the peer acknowledge the stack's SYN and no more: what came with its own SYN was queued (RFC 9293, Section 3.10.7.2), and comes to
// effect now.
func (p *peer) kept(length uint32) {
	p.Helper()
	p.mark()
	p.segment(trace.ACK, p.rcv.Add(length), p.nxt, "")
	p.rcv, p.una = p.rcv.Add(length), p.nxt
	p.pass(ackLimit - 1)
	if len(p.sent) != 1 || p.sent[0].TCP.Flags != trace.ACK || p.sent[0].TCP.Ack != p.rcv {
		p.Errorf("the stack sent %s, want <CTL=ACK><ACK=%d>", describe(p.sent), p.rcv)
	}
}

// damaged delivers a segment whose checksum is wrong.
func (p *peer) damaged(flags trace.Flags, seq, ack trace.Seq) {
	p.Helper()
	p.octets(damage(p.packet(flags, seq, ack, "")))
}
