package handwritten_test

import (
	"strings"
	"testing"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/trace"
)

// What the table has no row for: events that a row names by half, and rows that meet.

// on runs a test from the end of each of some ways.
func on(t *testing.T, ways []way, test func(*peer)) {
	t.Helper()
	for _, w := range ways {
		t.Run(strings.ReplaceAll(w.name, " ", "_"), func(t *testing.T) {
			p := newPeer(t, &handwritten.Factory{}, settings[0].network, false)
			w.take(p)
			p.mark()
			test(p)
		})
	}
}

// wantSent holds what was sent against what shall have been: segments by their control bits, and the data of all of them.
func (p *peer) wantSent(when, flags, data string) {
	p.Helper()
	var bits []string
	var octets []byte
	for _, s := range p.sent {
		bits = append(bits, s.TCP.Flags.String())
		octets = append(octets, s.Data()...)
	}
	if got := strings.Join(bits, " "); got != flags || string(octets) != data {
		p.Errorf("%s the stack sent %s with data %q, want %s with data %q", when, describe(p.sent), octets, flags, data)
	}
	p.mark()
}

// A CLOSE waits for the data before it (RFC 9293, Section 3.10.4): ESTABLISHED is left at once all the same, CLOSE-WAIT when the FIN
// goes out.
func TestCloseWithDataThatMayNotBeSentYetKeepsTheFINBehindThem(t *testing.T) {
	shut := func(p *peer) { p.window = 0; p.segment(trace.ACK, p.rcv, p.nxt, ""); p.mark() }
	for _, c := range []struct {
		from          []way
		meanwhile, to trace.State
	}{{established, trace.FinWait1, trace.FinWait1}, {closeWait, trace.CloseWait, trace.LastAck}} {
		on(t, then(c.from, "window shut", shut), func(p *peer) {
			p.send("hello")
			p.must(p.sock.Shutdown(netns.ShutWrite))
			p.take()
			p.wantSent("while the window is shut", "", "")
			p.wantState("while the window is shut", c.meanwhile)
			p.window = 1000
			p.segment(trace.ACK, p.rcv, p.nxt, "")
			p.wantState("when the window has opened", c.to)
			last := p.last.TCP
			if !last.Flags.Has(trace.FIN) || p.nxt != p.una.Add(6) {
				p.Errorf("when the window had opened the stack sent %s, want five octets and a FIN", describe(p.sent))
			}
		})
	}
}

// A FIN behind data that did not fit into the window has not come (RFC 9293, Section 3.10.7.4: what is outside the window is cut off, SYN and
// FIN included).
func TestFINBehindDataThatOverrunTheWindowIsNotTaken(t *testing.T) {
	on(t, then(established, "window filled but for 64 octets", (*peer).fillNearly), func(p *peer) {
		p.segment(trace.FIN|trace.PSH|trace.ACK, p.rcv, p.una, strings.Repeat("y", 100))
		p.rcv = p.rcv.Add(64)
		p.pass(ackLimit - 1)
		p.wantSent("on data of which 64 octets fit", "ACK", "")
		if p.last.TCP.Ack != p.rcv || p.last.TCP.Window != 0 {
			p.Errorf("the stack sent %s, want <ACK=%d><WND=0>", describeSegment(&p.last.TCP), p.rcv)
		}
		p.wantState("on data of which 64 octets fit", trace.Established)
	})
}

// A program that closes with data unread loses them, and the peer is told by a reset (RFC 9293, Section 3.6.1, SHLD-3).
func TestCloseWithUnreadDataResets(t *testing.T) {
	unread := func(p *peer) {
		p.segment(trace.PSH|trace.ACK, p.rcv, p.una, "hello")
		p.accepted()
		p.answered(trace.ACK)
	}
	on(t, append(then(established, "data", unread), then(then(established, "data", unread), "FIN", finNothingNew)...), func(p *peer) {
		p.must(p.sock.Close())
		p.closed = true
		p.take()
		if len(p.sent) != 1 || !p.sent[0].TCP.Flags.Has(trace.RST) || p.sent[0].TCP.Seq != p.nxt {
			p.Errorf("the stack sent %s, want <CTL=RST><SEQ=%d>", describe(p.sent), p.nxt)
		}
		p.wantState("after close", trace.Closed)
		p.mark()
		p.wantNoConnection()
	})
}

// The same of data that come with the peer's FIN when the program has closed already.
func TestDataWithFINAfterCloseResets(t *testing.T) {
	on(t, join(finWait1Given, finWait2Given), func(p *peer) {
		p.segment(trace.FIN|trace.PSH|trace.ACK, p.rcv, p.nxt, "hello")
		p.wantSent("on data and FIN", "RST", "")
		p.wantState("on data and FIN", trace.Closed)
	})
}

// An ICMP error that quotes a segment which the connection has not under way is not about it (RFC 5927, Section 4.1).
func TestHardErrorThatQuotesAnotherSegmentDoesNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		ways  []way
		state trace.State
	}{{"SYN-SENT", synSent, trace.SynSent}, {"ESTABLISHED", withData, trace.Established}} {
		for _, quoted := range []struct {
			name string
			at   int // octet of the TCP header that is another
		}{{"port", 1}, {"sequence number", 5}} {
			t.Run(c.name+"/"+strings.ReplaceAll(quoted.name, " ", "_"), func(t *testing.T) {
				on(t, c.ways, func(p *peer) {
					p.last.Octets[20+quoted.at] ^= 0x40
					p.icmp(hard[1])
					p.wantSent("on the error", "", "")
					p.wantState("on the error", c.state)
				})
			})
		}
	}
}

// A SYN with a timestamp is newer than a connection that had none, whatever its number (RFC 6191, Section 2).
func TestSYNWithTimestampReopensTIMEWAITOfAConnectionWithout(t *testing.T) {
	for _, w := range ofPassive(timeWait) {
		t.Run(strings.ReplaceAll(w.name, " ", "_"), func(t *testing.T) {
			p := newPeer(t, &handwritten.Factory{Timestamps: true}, settings[0].network, false)
			w.take(p)
			p.mark()
			p.sock, p.issKnown, p.timestamps, p.tsval, p.irs = nil, false, true, 1000, p.rcv-1000
			p.syn()
			p.ack()
			p.accept()
			p.wantState("when the ACK of its SYN had come", trace.Established)
		})
	}
}
