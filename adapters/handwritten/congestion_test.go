package handwritten_test

import (
	"testing"
	"time"

	"connectlab/adapters/handwritten"
	"connectlab/trace"
)

// openedECN is a connection with ECN, and 8 segments under way after as many ACKs as made cwnd so large.
func openedECN(t *testing.T) *peer {
	t.Helper()
	p := newPeer(t, plain, ipv4, true)
	p.options = mssOption
	p.listen()
	p.segment(trace.SYN|trace.ECE|trace.CWR, p.irs, 0, "")
	p.rcv = p.irs.Add(1)
	p.answered(trace.SYN | trace.ACK | trace.ECE)
	p.segment(trace.ACK, p.rcv, p.nxt, "")
	p.accept()
	p.write(40 * mss)
	for i := range 5 {
		p.ackUpTo((i + 1) * mss)
	}
	p.mark()
	return p
}

// echoUpTo is an ACK of the first n octets of data that tells of congestion.
func (p *peer) echoUpTo(n int) {
	p.Helper()
	p.segment(trace.ACK|trace.ECE, p.rcv, p.iss.Add(uint32(n)+1), "")
}

// RFC 3168, Section 6.1.2: one answer to what is lost and what is marked in one window of data.
func TestLossAndECEOfOneWindowAreAnsweredOnce(t *testing.T) {
	for _, test := range []struct {
		name string
		tell func(*peer)
	}{
		{"loss, then ECE", func(p *peer) {
			for range 3 {
				p.ackUpTo(5 * mss)
			}
			p.echoUpTo(6 * mss)
		}},
		{"ECE, then loss", func(p *peer) {
			p.echoUpTo(5 * mss)
			for range 3 {
				p.ackUpTo(5 * mss)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := openedECN(t)
			test.tell(p)
			p.wantItem("half of 8 segments", trace.Ssthresh, 4)
			for i := 6; i <= 20; i++ {
				p.ackUpTo(i * mss)
			}
			p.mark()
			p.echoUpTo(21 * mss)
			if got := p.number(trace.Ssthresh); got >= 4 {
				t.Errorf("congestion in the next window: ssthresh is %d", got)
			}
		})
	}
}

// RFC 3168, Section 6.1.2: CWR goes with the first new data after cwnd was reduced, for whatever reason.
func TestCWRIsSentAfterALoss(t *testing.T) {
	t.Run("fast retransmit", func(t *testing.T) {
		p := openedECN(t)
		p.ackUpTo(5 * mss)
		p.ackUpTo(5 * mss)
		p.mark()
		p.ackUpTo(5 * mss)
		p.wantOut("what is sent again", "7300+1460")
		for range 4 {
			p.ackUpTo(5 * mss)
		}
		p.wantOut("new data", "21900+1460,CWR")
	})
	t.Run("timeout", func(t *testing.T) {
		p := openedECN(t)
		p.untilSent(2 * time.Second)
		p.wantOut("what is sent again", "7300+1460")
		p.ackUpTo(13 * mss)
		p.wantOut("new data", "18980+1460,CWR 20440+1460")
	})
}

// RFC 3168, Section 6.1.2: cwnd is never the greater for it.
func TestECEDoesNotOpenCwnd(t *testing.T) {
	p := openedECN(t)
	p.untilSent(2 * time.Second)
	p.ackUpTo(12 * mss)
	p.untilSent(3 * time.Second)
	p.ackUpTo(13 * mss)
	p.wantItem("after two timeouts", trace.Cwnd, 2)
	p.untilSent(5 * time.Second)
	p.wantItem("after three", trace.Cwnd, 1)
	p.echoUpTo(15 * mss)
	p.wantItem("after three and ECE", trace.Cwnd, 1)
}

// RFC 3042: duplicate ACKs let new data go beyond cwnd, and not what is sent again after a timeout.
func TestDuplicateACKsAfterATimeoutSendNothingBeyondCwnd(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(20 * mss)
	for i := range 5 {
		p.ackUpTo((i + 1) * mss)
	}
	p.mark()
	p.untilSent(2 * time.Second)
	p.wantOut("after RTO", "7300+1460")
	p.ackUpTo(5 * mss)
	p.ackUpTo(5 * mss)
	p.wantOut("two duplicates of the flight before", "")
}

// RFC 9293, Section 3.8.3: a peer whose SYN has a window of 0, and of whom nothing more is heard, is given up like any other.
func TestSYNWithAClosedWindowDoesNotHoldTheConnection(t *testing.T) {
	p := newPeer(t, plain, ipv4, false)
	p.active()
	p.mark()
	p.window = 0
	p.crossing()
	p.wantState("the SYNs have crossed", trace.SynReceived)
	p.pass(4 * time.Minute)
	p.wantState("after R2 of a SYN", trace.Closed)
}

// RFC 7323, Section 2.2: the window of a SYN is not scaled, whatever comes with it.
func TestWindowOfASYNWithTextIsNotScaled(t *testing.T) {
	p := newPeer(t, &handwritten.Factory{WindowScale: true}, ipv4, false)
	p.options = []byte{1, 3, 3, 4}
	p.active()
	p.mark()
	p.crossing()
	p.window = 1000
	p.segment(trace.SYN|trace.ACK, p.irs, p.nxt, "x")
	p.wantState("the SYN,ACK with text", trace.Established)
	p.wantItem("the SYN,ACK with text", trace.SndWnd, 992) // what is left of it in units of 16
}
