package handwritten_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/trace"
)

const (
	mss  = 1460
	ipv4 = "192.0.2.0/24"
)

var mssOption = []byte{2, 4, mss >> 8, mss & 0xff}

// plain asks for no option.
var plain = &handwritten.Factory{}

// opened is a connection that came to a listener, accepted. Its peer announces an MSS, and answers the SYN,ACK after a time.
func opened(t *testing.T, f *handwritten.Factory, roundTrip time.Duration, prepare ...func(*peer)) *peer {
	t.Helper()
	p := newPeer(t, f, ipv4, false)
	p.options = mssOption
	for _, do := range prepare {
		do(p)
	}
	p.listen()
	p.syn()
	p.advance(p.now + roundTrip)
	p.segment(trace.ACK, p.rcv, p.nxt, "")
	p.una = p.nxt
	p.accept()
	p.mark()
	return p
}

// write has the program send n octets.
func (p *peer) write(n int) {
	p.Helper()
	p.send(strings.Repeat("d", n))
}

// out prints what the stack sent since the last mark: for each segment its first octet, counted from the first of the data, and its
// length; an ACK without data by what it acknowledges; and bits other than ACK and PSH.
func (p *peer) out() string {
	var words []string
	for _, s := range p.sent {
		seg := &s.TCP
		word := fmt.Sprintf("%d+%d", int32(seg.Seq-p.iss-1), seg.DataLen)
		if seg.DataLen == 0 {
			word = fmt.Sprintf("ack%d", int32(seg.Ack-p.irs-1))
		}
		if rest := seg.Flags &^ (trace.ACK | trace.PSH); rest != 0 {
			word += "," + rest.String()
		}
		words = append(words, word)
	}
	p.mark()
	return strings.Join(words, " ")
}

func (p *peer) wantOut(when, want string) {
	p.Helper()
	if got := p.out(); got != want {
		p.Errorf("%s: sent %q, want %q", when, got, want)
	}
}

// ackUpTo is an ACK of the first n octets of data.
func (p *peer) ackUpTo(n int) {
	p.Helper()
	p.segment(trace.ACK, p.rcv, p.iss.Add(uint32(n)+1), "")
}

// number is what an item of the connection holds.
func (p *peer) number(i trace.Item) int64 {
	var info trace.ControlInfo
	p.sock.(netns.Reporter).Report(&info)
	return info.Value(i).Num
}

func (p *peer) wantItem(when string, i trace.Item, want int64) {
	p.Helper()
	if got := p.number(i); got != want {
		p.Errorf("%s: %v is %d, want %d", when, i, got, want)
	}
}

// RFC 6298, Sections 2.1 and 5.5; RFC 9293, Section 3.8.3.
func TestSYNIsSentAgainWithBackOffForThreeMinutes(t *testing.T) {
	p := newPeer(t, plain, ipv4, false)
	p.active()
	p.pass(4 * time.Minute)
	var got []time.Duration
	for _, s := range p.sent {
		got = append(got, s.at/time.Second)
	}
	if want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 123}; !slices.Equal(got, want) {
		t.Errorf("SYNs at %d seconds, want %d", got, want)
	}
	if err := p.sock.Connect(p.other); !errors.Is(err, netns.ErrTimeout) {
		t.Errorf("connect returned %v, want %v", err, netns.ErrTimeout)
	}
	if p.wantState("in the end", trace.Closed); p.now < 3*time.Minute {
		t.Error("given up too early")
	}
}

// RFC 6298, Section 5.7; RFC 5681, Section 3.1: one segment.
func TestAfterALostSYNDataBeginWithThreeSecondsAndOneSegment(t *testing.T) {
	p := newPeer(t, plain, ipv4, false)
	p.options = mssOption
	p.active()
	p.pass(1500 * time.Millisecond)
	p.mark()
	p.synAck()
	p.write(4 * mss)
	p.wantOut("with a cwnd of one segment", "0+1460")
	p.pass(2999 * time.Millisecond)
	p.wantOut("before 3 s", "")
	p.pass(2 * time.Millisecond)
	p.wantOut("after 3 s", "0+1460")
}

// RFC 6298, Sections 2.2, 2.3, 3 and 5.5.
func TestRTOIsMeasuredAndBackedOff(t *testing.T) {
	p := opened(t, plain, 400*time.Millisecond)
	p.wantItem("after the first sample", trace.RTO, int64(1200*time.Millisecond))
	p.write(1)
	p.advance(p.now + 800*time.Millisecond)
	p.ackUpTo(1)
	// RTTVAR = 3/4 * 0.2 + 1/4 * 0.4 = 0.25; SRTT = 7/8 * 0.4 + 1/8 * 0.8 = 0.45.
	p.wantItem("after the second sample", trace.RTTVar, int64(250*time.Millisecond))
	p.wantItem("after the second sample", trace.SRTT, int64(450*time.Millisecond))
	p.wantItem("after the second sample", trace.RTO, int64(1450*time.Millisecond))
	p.mark()
	p.write(1)
	sent := p.now
	p.mark()
	p.pass(10 * time.Second)
	var at []time.Duration
	for _, s := range p.sent {
		at = append(at, (s.at - sent).Round(time.Millisecond))
	}
	if want := []time.Duration{1450 * time.Millisecond, 4350 * time.Millisecond}; !slices.Equal(at, want) {
		t.Errorf("sent again after %v, want %v", at, want)
	}
	p.ackUpTo(2)
	p.wantItem("after an ACK of what was sent twice", trace.SRTT, int64(450*time.Millisecond))
	p.wantItem("after an ACK of what was sent twice", trace.RTO, int64(5800*time.Millisecond))
}

// RFC 6298, Section 3. With the octets that were lost others go out that wait behind them: the segment is new, and the timing of it is not.
func TestWhatIsSentAgainWithMoreBehindItMeasuresNothing(t *testing.T) {
	p := opened(t, plain, 400*time.Millisecond)
	p.write(1)
	p.write(1) // Nagle holds it
	p.mark()
	p.pass(1500 * time.Millisecond)
	p.wantOut("after the RTO", "0+2")
	p.ackUpTo(2)
	p.wantItem("after the ACK", trace.SRTT, int64(400*time.Millisecond))
	p.wantItem("after the ACK", trace.RTO, int64(2400*time.Millisecond))
}

// RFC 6298, Section 2.4.
func TestRTOIsAtLeastOneSecond(t *testing.T) {
	p := opened(t, plain, time.Millisecond)
	p.write(1)
	p.mark()
	p.pass(999 * time.Millisecond)
	p.wantOut("before 1 s", "")
	p.pass(2 * time.Millisecond)
	p.wantOut("after 1 s", "0+1")
}

// RFC 5681, Section 3.1.
func TestSlowStartBeginsWithThreeSegmentsAndSendsTwoForEachACK(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(20 * mss)
	p.wantOut("IW", "0+1460 1460+1460 2920+1460")
	p.ackUpTo(mss)
	p.wantOut("first ACK", "4380+1460 5840+1460")
	p.ackUpTo(3 * mss)
	p.wantOut("an ACK of two segments", "7300+1460 8760+1460 10220+1460")
}

// RFC 5681, Section 3.2; RFC 3042; RFC 6582.
func TestThirdDuplicateACKSendsAgainAndAPartialACKTheNext(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(20 * mss)
	for i := range 3 {
		p.ackUpTo((i + 1) * mss)
	}
	p.out() // una is 3 segments; 6 are under way, 3 to 8
	p.ackUpTo(3 * mss)
	p.wantOut("first duplicate: a new one", "13140+1460")
	p.ackUpTo(3 * mss)
	p.wantOut("second duplicate: a new one", "14600+1460")
	p.ackUpTo(3 * mss)
	p.wantOut("third duplicate", "4380+1460")
	p.wantItem("half of the 6 segments before the duplicates", trace.Ssthresh, 3)
	p.wantItem("and three", trace.Cwnd, 6)
	p.ackUpTo(3 * mss)
	p.ackUpTo(3 * mss)
	p.wantOut("fifth: cwnd 8, as much as is under way", "")
	p.ackUpTo(3 * mss)
	p.wantOut("sixth: cwnd 9", "16060+1460")
	p.ackUpTo(5 * mss)
	p.wantOut("partial", "7300+1460 17520+1460")
	p.ackUpTo(11 * mss)
	if p.out() == "" {
		t.Error("recovery is over: nothing was sent")
	}
	p.wantItem("after recovery", trace.Cwnd, 3)
}

// RFC 6582, Section 3.2, step 5: only the first partial ACK starts the retransmission timer again.
func TestLaterPartialACKsLeaveTheTimerAlone(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(20 * mss)
	for i := range 5 {
		p.ackUpTo((i + 1) * mss)
	}
	for range 3 {
		p.ackUpTo(5 * mss)
	}
	p.pass(500 * time.Millisecond)
	p.ackUpTo(6 * mss)
	p.pass(500 * time.Millisecond)
	p.ackUpTo(7 * mss)
	p.mark()
	p.pass(499 * time.Millisecond)
	p.wantOut("before 1 s after the first", "")
	p.pass(2 * time.Millisecond)
	p.wantOut("1 s after the first", "10220+1460")
}

// RFC 6582, Section 3.2, step 2: duplicate ACKs of what was sent before a timeout are no sign of a new loss.
func TestDuplicateACKsOfTheOldFlightDoNotRetransmit(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(20 * mss)
	p.untilSent(2 * time.Second)
	p.ackUpTo(3 * mss) // all that was sent before the timeout
	p.ackUpTo(3 * mss)
	p.ackUpTo(3 * mss)
	p.mark()
	p.ackUpTo(3 * mss)
	p.wantOut("the third duplicate", "")
}

// RFC 6582, Section 4: a timeout ends the recovery.
func TestTimeoutInARecoveryBeginsSlowStart(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(20 * mss)
	for i := range 5 {
		p.ackUpTo((i + 1) * mss)
	}
	for range 3 {
		p.ackUpTo(5 * mss)
	}
	p.untilSent(2 * time.Second)
	p.wantOut("after RTO", "7300+1460")
	p.ackUpTo(6 * mss)
	p.wantItem("slow start", trace.Cwnd, 2)
	p.wantOut("slow start", "8760+1460 10220+1460")
}

// RFC 5681, Section 3.1, equation 4, and LW.
func TestTimeoutLeavesOneSegmentAndHalfTheFlight(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(20 * mss)
	for i := range 5 {
		p.ackUpTo((i + 1) * mss)
	}
	p.out() // 8 are under way
	p.untilSent(2 * time.Second)
	p.wantOut("after RTO", "7300+1460")
	p.wantItem("after RTO", trace.Cwnd, 1)
	p.wantItem("after RTO", trace.Ssthresh, 4)
	p.untilSent(3 * time.Second)
	p.wantOut("after RTO again", "7300+1460")
	p.wantItem("after RTO again", trace.Ssthresh, 4)
	p.ackUpTo(6 * mss)
	p.wantOut("slow start", "8760+1460 10220+1460")
	p.ackUpTo(8 * mss)
	p.wantOut("slow start", "11680+1460 13140+1460 14600+1460")
	p.ackUpTo(9 * mss)
	p.wantItem("at ssthresh", trace.Cwnd, 4)
	for i := 10; i <= 13; i++ {
		p.ackUpTo(i * mss)
	}
	p.wantItem("congestion avoidance: one segment in a window", trace.Cwnd, 5)
	for i := 14; i <= 17; i++ {
		p.ackUpTo(i * mss)
	}
	p.wantItem("congestion avoidance: four of five", trace.Cwnd, 5)
	p.ackUpTo(18 * mss)
	p.wantItem("congestion avoidance: the next window", trace.Cwnd, 6)
}

// RFC 5681, Section 4.1.
func TestAfterIdlenessTheFirstFlightIsThatOfTheBeginning(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(20 * mss)
	for i := range 20 {
		p.ackUpTo((i + 1) * mss)
	}
	p.out()
	p.write(5 * mss)
	p.wantOut("at once", "29200+1460 30660+1460 32120+1460 33580+1460 35040+1460")
	p.ackUpTo(25 * mss)
	p.pass(10 * time.Second)
	p.write(20 * mss)
	p.wantOut("after 10 s", "36500+1460 37960+1460 39420+1460")
}

// RFC 9293, Section 3.8.6.1: MUST-36, MUST-37, SHLD-29, SHLD-30.
func TestClosedWindowIsProbedWithoutEnd(t *testing.T) {
	p := opened(t, plain, 0, func(p *peer) { p.window = 0 })
	p.write(100)
	p.wantOut("into a closed window", "")
	began, last := p.now, p.now
	var gaps []time.Duration
	for p.now < began+time.Hour {
		p.untilSent(time.Minute)
		gaps, last = append(gaps, (p.now-last)/time.Second), p.now
		p.wantOut("probe", "0+1")
		p.ackUpTo(0)
	}
	if want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}; !slices.Equal(gaps[:8], want) {
		t.Errorf("probes after %d seconds, want %d", gaps[:8], want)
	}
	p.wantState("after an hour", trace.Established)
	for range 5 {
		p.ackUpTo(0)
	}
	p.wantOut("answers to a probe are no duplicate ACKs", "")
	p.window = 1000
	p.ackUpTo(0)
	p.wantOut("the window has opened", "0+100")
	p.window = 0
	p.ackUpTo(100)
	p.write(1)
	p.mark()
	p.pass(10 * time.Minute)
	p.wantState("nobody answers probes", trace.Closed)
}

// RFC 9293, Section 3.8.6.1: a FIN has a number too, and waits for the window.
func TestFINProbesAClosedWindow(t *testing.T) {
	p := opened(t, plain, 0, func(p *peer) { p.window = 0 })
	p.must(p.sock.Shutdown(netns.ShutWrite))
	p.take()
	p.wantOut("into a closed window", "")
	p.wantState("CLOSE", trace.FinWait1)
	p.untilSent(2 * time.Second)
	p.wantOut("probe", "ack0,FIN")
	p.segment(trace.ACK, p.rcv, p.nxt, "")
	p.wantState("the FIN is acknowledged", trace.FinWait2)
}

// RFC 9293, Section 3.8.6: MUST-34, SHLD-15, SHLD-16.
func TestShrunkWindowHoldsBackNewDataAndNotTheOld(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(10 * mss)
	p.out()
	p.window = 100
	p.ackUpTo(mss)
	p.wantOut("a window left of SND.NXT", "")
	p.untilSent(2 * time.Second)
	p.wantOut("old data inside it", "1460+100")
	p.window = 65535
	p.ackUpTo(mss + 100)
	p.wantOut("open again", "1560+1460")
}

// RFC 9293, Section 3.8.6.2.1: MUST-38.
func TestSmallWindowIsUsedAfterTheOverrideTime(t *testing.T) {
	p := opened(t, plain, 0, func(p *peer) { p.window = 4096 })
	p.write(8000)
	p.wantOut("full segments", "0+1460 1460+1460")
	p.window = 1176
	p.ackUpTo(2 * mss)
	p.wantOut("less than a segment, less than half of the widest", "")
	p.pass(499 * time.Millisecond)
	p.wantOut("before the override", "")
	p.pass(time.Millisecond)
	p.wantOut("override", "2920+1176")
	p.window = 2500
	p.ackUpTo(2*mss + 1176)
	p.wantOut("a full segment", "4096+1460")
	p.window = 2048
	p.ackUpTo(3*mss + 1176)
	p.wantOut("a full segment", "5556+1460")
}

// RFC 9293, Section 3.8.6.2.2: MUST-39.
func TestWindowOpensByASegmentOrNotAtAll(t *testing.T) {
	p := opened(t, plain, 0)
	p.fill()
	buf := make([]byte, 40_000)
	if n, err := p.sock.Receive(buf[:1000]); n != 1000 || err != nil {
		t.Fatal(n, err)
	}
	p.take()
	p.wantOut("1000 octets read", "")
	p.segment(trace.ACK, p.rcv, p.nxt, "p")
	if got := p.answered(trace.ACK); got.Window != 0 || got.Ack != p.rcv {
		t.Errorf("a probe is answered with window %d, ACK %d, want 0 and %d", got.Window, got.Ack, p.rcv)
	}
	if n, err := p.sock.Receive(buf); n != 40_000 || err != nil {
		t.Fatal(n, err)
	}
	p.take()
	if got := p.answered(trace.ACK); got.Window != 41_000 {
		t.Errorf("the update has window %d, want 41000", got.Window)
	}
}

// RFC 9293, Section 3.7.4: SHLD-7, MUST-17.
func TestNagleHoldsASmallSegmentUntilTheACK(t *testing.T) {
	p := opened(t, plain, 0)
	p.write(1)
	p.write(2)
	p.write(3)
	p.wantOut("one is under way", "0+1")
	p.ackUpTo(1)
	p.wantOut("acknowledged", "1+5")
	p.must(p.sock.SetOption(netns.NoDelay, 1))
	p.write(1)
	p.write(1)
	p.wantOut("without Nagle", "6+1 7+1")
}

// RFC 9293, Section 3.8.6.3: SHLD-18, SHLD-19, MUST-40.
func TestACKIsDelayedUntilTheSecondFullSegment(t *testing.T) {
	full := strings.Repeat("x", mss)
	p := opened(t, plain, 0)
	p.segment(trace.ACK, p.rcv, p.nxt, full)
	p.accepted()
	p.wantOut("the first", "")
	p.segment(trace.ACK, p.rcv, p.nxt, full)
	p.accepted()
	p.wantOut("the second", "ack2920")
	p.segment(trace.ACK, p.rcv, p.nxt, "x")
	p.accepted()
	p.pass(199 * time.Millisecond)
	p.wantOut("alone, before 200 ms", "")
	p.pass(time.Millisecond)
	p.wantOut("alone, after 200 ms", "ack2921")
	p.segment(trace.ACK, p.rcv, p.nxt, "x")
	p.accepted()
	p.write(1)
	p.wantOut("data take it along", "0+1")
	p.pass(900 * time.Millisecond)
	p.wantOut("nothing is owed", "")
}

// RFC 9293, Section 3.10.7.4, SHLD-31; RFC 5681, Section 4.2.
func TestOutOfOrderSegmentsAndFINWaitForWhatIsMissing(t *testing.T) {
	p := opened(t, plain, 0)
	p.segment(trace.FIN|trace.ACK, p.rcv.Add(9), p.nxt, "jkl")
	p.wantOut("data and FIN behind a gap", "ack0")
	p.segment(trace.ACK, p.rcv.Add(3), p.nxt, "def")
	p.wantOut("in the gap", "ack0")
	p.segment(trace.ACK, p.rcv.Add(5), p.nxt, "fgh")
	p.wantOut("over both", "ack0")
	p.wantState("with gaps", trace.Established)
	p.segment(trace.ACK, p.rcv, p.nxt, "abc")
	p.wantOut("the first gap is filled", "ack8")
	p.wantState("one gap is left", trace.Established)
	p.segment(trace.ACK, p.rcv.Add(7), p.nxt, "hij")
	p.wantOut("and the second", "ack13")
	p.wantState("the FIN is in order", trace.CloseWait)
	buf := make([]byte, 20)
	if n, err := p.sock.Receive(buf); string(buf[:n]) != "abcdefghijkl" || err != nil {
		t.Errorf("received %q, %v", buf[:n], err)
	}
	if n, err := p.sock.Receive(buf); n != 0 || err != nil {
		t.Errorf("then %d octets, %v, want the end of data", n, err)
	}
}

// Section 3.10.7.4, seventh: what comes out of order should be kept, of each second octet the first hundred.
func TestOfManyPiecesTheFirstAreKept(t *testing.T) {
	p := opened(t, plain, 0)
	first := p.rcv
	for i := 1; i < 300; i += 2 {
		p.segment(trace.ACK, first.Add(uint32(i)), p.nxt, "b")
	}
	for i := 0; i < 300; i += 2 {
		p.segment(trace.ACK, first.Add(uint32(i)), p.nxt, "a")
	}
	p.wantItem("the gaps are filled", trace.RcvNxt, int64(first.Add(201)))
	p.segment(trace.ACK, first, p.nxt, strings.Repeat("ab", 150))
	buf := make([]byte, 400)
	if n, err := p.sock.Receive(buf); string(buf[:n]) != strings.Repeat("ab", 150) || err != nil {
		t.Errorf("received %q, %v", buf[:n], err)
	}
}

// RFC 5961, Section 7.
func TestChallengeACKsAreLimitedAndAnswersToOldSegmentsAreNot(t *testing.T) {
	p := opened(t, plain, 0)
	for range 2 {
		for range 50 {
			p.segment(trace.RST, p.rcv.Add(1), 0, "")
		}
		if got := len(p.sent); got != 10 {
			t.Errorf("%d challenge ACKs in a second, want 10", got)
		}
		p.mark()
		p.pass(time.Second)
	}
	for range 50 {
		p.segment(trace.ACK, p.rcv.Add(^uint32(0)), p.nxt, "x")
	}
	if got := len(p.sent); got != 50 {
		t.Errorf("%d of 50 old segments answered", got)
	}
}

// Factory.HalfOpen.
func TestSYNsAboveTheLimitAreDroppedInSilence(t *testing.T) {
	p := newPeer(t, &handwritten.Factory{HalfOpen: 2}, ipv4, false)
	p.listen()
	syn := func(port uint16, flags trace.Flags, seq trace.Seq) {
		packet := p.packet(flags, seq, 0, "")
		packet.TCP.SrcPort = port
		p.other = netip.AddrPortFrom(p.other.Addr(), port)
		p.put(packet, "")
	}
	for port, want := range []int{1, 1, 0} {
		p.mark()
		syn(uint16(6000+port), trace.SYN, p.irs)
		if got := len(p.sent); got != want {
			t.Errorf("SYN %d: %d answers, want %d", port, got, want)
		}
	}
	syn(6000, trace.RST, p.irs.Add(1))
	p.mark()
	syn(6003, trace.SYN, p.irs)
	if len(p.sent) != 1 {
		t.Error("a SYN after one of two was reset has no answer")
	}
}

// RFC 9293, Section 3.6.1, SHLD-3.
func TestCloseWithUnreadDataAndDataAfterCloseReset(t *testing.T) {
	t.Run("unread", func(t *testing.T) {
		p := opened(t, plain, 0)
		p.segment(trace.ACK, p.rcv, p.nxt, "x")
		p.must(p.sock.Close())
		p.take()
		if len(p.sent) != 1 || p.sent[0].TCP.Flags != trace.RST || p.sent[0].TCP.Seq != p.nxt {
			t.Errorf("sent %s, want a RST at %d", describe(p.sent), p.nxt)
		}
	})
	t.Run("new data", func(t *testing.T) {
		p := opened(t, plain, 0)
		p.close()
		p.segment(trace.ACK, p.rcv, p.nxt, "x")
		if len(p.sent) != 1 || p.sent[0].TCP.Flags != trace.RST || p.sent[0].TCP.Seq != p.nxt {
			t.Errorf("sent %s, want a RST at %d", describe(p.sent), p.nxt)
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		p := opened(t, plain, 0)
		p.shutdown()
		p.segment(trace.ACK, p.rcv, p.nxt, "x")
		p.pass(ackLimit)
		p.wantOut("data after shutdown", "ack1")
	})
}

// RFC 7323, Sections 3.2, 5.3 and 5.5.
func TestOldTimestampIsDroppedWithAnACK(t *testing.T) {
	p := opened(t, &handwritten.Factory{Timestamps: true}, 0, func(p *peer) { p.timestamps, p.tsval = true, 1000 })
	data := func(tsval uint32) string {
		p.tsval = tsval
		p.segment(trace.PSH|trace.ACK, p.rcv, p.nxt, "x")
		for until := p.now + ackLimit; p.expire(until); {
		}
		return p.out()
	}
	if got := data(999); got != "ack0" {
		t.Errorf("an older one: %s, want ack0", got)
	}
	if got := data(1001); got != "ack1" {
		t.Errorf("a newer one: %s, want ack1", got)
	}
	p.accepted()
	without := func(flags trace.Flags, seq trace.Seq, data string) {
		packet := p.packet(flags, seq, p.nxt, data)
		packet.TCP.Options = nil
		p.put(packet, data)
	}
	without(trace.PSH|trace.ACK, p.rcv, "x")
	p.pass(ackLimit)
	p.wantOut("none", "")
	without(trace.RST, p.rcv.Add(1), "")
	p.wantOut("none, on a RST", "ack1")
	p.pass(25 * 24 * time.Hour)
	if got := data(10); got != "ack2" {
		t.Errorf("an older one after 25 days: %s, want ack2", got)
	}
}

// RFC 9293, Section 3.8.4: MUST-25, MUST-26, MUST-28, MUST-29, SHLD-12.
func TestKeepAliveAsksAfterTwoHoursAndGivesUpAfterNineProbes(t *testing.T) {
	p := opened(t, plain, 0)
	p.pass(24 * time.Hour)
	p.wantOut("off", "")
	p.must(p.sock.SetOption(netns.KeepAlive, 1))
	p.pass(2*time.Hour - time.Second)
	p.wantOut("before two hours", "")
	p.pass(2 * time.Second)
	if len(p.sent) != 1 || p.sent[0].TCP.Seq != p.nxt.Add(^uint32(0)) || p.sent[0].TCP.Len() != 0 {
		t.Fatalf("sent %s, want one octet before SND.NXT, %d", describe(p.sent), p.nxt)
	}
	p.ackUpTo(0)
	p.mark()
	p.pass(2*time.Hour + 8*75*time.Second)
	if got := len(p.sent); got != 9 {
		t.Errorf("%d probes without an answer, want 9", got)
	}
	p.wantState("the last one may be answered", trace.Established)
	p.pass(76 * time.Second)
	p.wantState("nobody has answered", trace.Closed)
}

// RFC 9293, Section 3.8.4, MUST-26.
func TestKeepAliveDoesNotAskWhileDataAreUnderWay(t *testing.T) {
	p := opened(t, plain, 0)
	p.must(p.sock.SetOption(netns.KeepAlive, 1))
	p.must(p.sock.SetOption(netns.KeepIdle, 5))
	p.write(10)
	p.mark()
	p.pass(10 * time.Second)
	p.wantOut("data sent again and nothing else", "0+10 0+10 0+10")
}

// RFC 6191, Section 2: the timestamps of one four-tuple go on.
func TestTimestampsOfTheNextConnectionGoOn(t *testing.T) {
	value := func(p *peer) uint32 {
		v, _, _ := p.last.TCP.Options.Timestamps()
		return v
	}
	p := opened(t, &handwritten.Factory{Timestamps: true}, 0, func(p *peer) { p.timestamps, p.tsval = true, 1000 })
	first := value(p)
	p.segment(trace.RST, p.rcv, 0, "")
	p.pass(10 * time.Millisecond)
	p.sock, p.issKnown = nil, false
	p.syn()
	if got := value(p); got != first+10 {
		t.Errorf("10 ms later the timestamp is %d, was %d", got, first)
	}
}

// RFC 9293, Sections 3.7.1; RFC 6691; RFC 7323, Section 2.3.
func TestSegmentsAreNoGreaterThanPeerAndLinkTake(t *testing.T) {
	ts := &handwritten.Factory{Timestamps: true}
	for _, test := range []struct {
		name    string
		factory *handwritten.Factory
		option  []byte
		want    int
	}{
		{"no option", plain, nil, 536},
		{"300", plain, []byte{2, 4, 1, 44}, 300},
		{"at an odd octet", plain, []byte{1, 2, 4, 1, 44, 0, 0, 0}, 300},
		{"behind an unknown one", plain, []byte{158, 6, 1, 2, 3, 4, 2, 4, 1, 44, 0, 0}, 300},
		{"more than the link takes", plain, []byte{2, 4, 35, 40}, 1460},
		{"with timestamps", ts, mssOption, 1448},
		{"length 3", plain, []byte{2, 3, 1, 0}, 536},
		{"length 0", plain, []byte{2, 0, 1, 0}, 536},
		{"length beyond the header", plain, []byte{2, 40, 1, 0}, 536},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := opened(t, test.factory, 0, func(p *peer) { p.options, p.timestamps = test.option, test.factory.Timestamps })
			p.write(5000)
			if got := p.sent[0].TCP.DataLen; got != test.want {
				t.Errorf("a segment of %d octets, want %d", got, test.want)
			}
		})
	}
}

// RFC 9293, Section 3.8.5, MUST-31: urgent data of any length, in each segment that has some of them.
func TestUrgentDataOfManySegmentsAreUrgentToTheirEnd(t *testing.T) {
	p := opened(t, plain, 0)
	urgent := func(n int) {
		if got, err := p.sock.(netns.UrgentSender).SendUrgent(make([]byte, n)); got != n || err != nil {
			t.Fatal(got, err)
		}
		p.take()
	}
	pointers := func() (list []uint16) {
		for _, s := range p.sent {
			list = append(list, s.TCP.Urgent)
		}
		return list
	}
	urgent(4 * mss)
	if got, want := pointers(), []uint16{4 * mss, 3 * mss, 2 * mss}; !slices.Equal(got, want) {
		t.Errorf("urgent pointers %d, want %d", got, want)
	}
	p.wantOut("urgent", "0+1460,URG 1460+1460,URG 2920+1460,URG")
	p.ackUpTo(mss)
	p.wantOut("the rest", "4380+1460,URG")
	p.write(2 * mss)
	p.wantOut("what follows is not urgent", "5840+1460")
	p.ackUpTo(5 * mss)
	p.wantOut("what follows is not urgent", "7300+1460")
}

// RFC 7323, Sections 3.2 and 4.3.
func TestTimestampsAreEchoed(t *testing.T) {
	p := newPeer(t, &handwritten.Factory{Timestamps: true}, ipv4, false)
	p.options, p.timestamps, p.tsval = mssOption, true, 1000
	p.listen()
	echo := func(when string, want uint32) {
		t.Helper()
		if len(p.sent) == 0 {
			t.Fatalf("%s: nothing was sent", when)
		}
		if _, got, ok := p.sent[len(p.sent)-1].TCP.Options.Timestamps(); !ok || got != want {
			t.Errorf("%s: TSecr %d, %v, want %d", when, got, ok, want)
		}
		p.mark()
	}
	p.segment(trace.SYN, p.irs, 0, "")
	p.rcv = p.irs.Add(1)
	echo("SYN,ACK", 1000)
	p.ack()
	p.accept()
	data := func(off uint32, tsval uint32) {
		p.tsval = tsval
		p.segment(trace.ACK, p.rcv.Add(off), p.nxt, "x")
	}
	data(0, 1001)
	data(1, 1002)
	p.pass(ackLimit)
	echo("of two segments the earlier", 1001)
	data(3, 1003)
	echo("a gap: the last in order", 1001)
	data(2, 1004)
	echo("the gap is filled", 1004)
}

// RFC 9293, Section 3.10.7.2, third: what comes with a SYN is not acknowledged before the connection stands, and not lost.
func TestTextAndFINOfASYNCountWhenTheConnectionStands(t *testing.T) {
	p := newPeer(t, plain, ipv4, false)
	p.listen()
	p.segment(trace.SYN|trace.FIN, p.irs, 0, "abc")
	p.rcv = p.irs.Add(1)
	p.wantOut("SYN,FIN with text", "ack0,SYN")
	p.wantState("SYN,FIN with text", trace.SynReceived)
	p.segment(trace.ACK, p.irs.Add(5), p.nxt, "")
	p.wantOut("the peer's ACK, behind its FIN", "ack4")
	p.wantState("the peer's ACK", trace.CloseWait)
	p.accept()
	buf := make([]byte, 10)
	if n, err := p.sock.Receive(buf); string(buf[:n]) != "abc" || err != nil {
		t.Errorf("received %q, %v", buf[:n], err)
	}
	if n, err := p.sock.Receive(buf); n != 0 || err != nil {
		t.Errorf("then %d octets, %v, want the end of data", n, err)
	}
}
