package handwritten_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/rfc9293"
	"connectlab/trace/wire"
)

var (
	faultsToTry = flag.Int("faults", 2, "how many of the faults TestFaults builds into a stack (in full: 100)")
	recordWorld = flag.String("fault-world", "", "the world whose trace TestFaultWorld records")
	recordFile  = flag.String("fault-trace", "", "and the file that it goes to")
)

// A fault is one line of the stack that says something else.
type fault struct {
	name         string
	file         string
	line, broken string // the line as it stands there, once, without the tabs before it; and in its place
	caught       string // the test that turns red, as go test -run wants it
	world        string // one of faultWorlds, in which it shows
	// What diff says of the broken stack's trace against the sound one's: where they part first.
	first parting
}

// A parting is the first divergence in short.
type parting struct {
	host   string
	aspect diff.Aspect
	what   string          // "field: sound, broken"
	rule   string          // the catalogue's key
	keeps  rfc9293.Keeping // what the broken stack does with the rule
	broken string          // the first rule that it breaks, there or later; empty: none that the trace shows
}

// A faultWorld is a run of two stacks, the same on both sides, in which faults show.
type faultWorld struct {
	story   string // a built-in one, or a text
	faults  []string
	options handwritten.Factory
	client  []forgery // that come from the client's side of the link
	server  []forgery
}

// A forgery is a segment that a host's stack knows nothing of: its numbers count from what the host has sent and acknowledged last.
type forgery struct {
	at       time.Duration
	flags    trace.Flags
	seq, ack int
	data     string
}

// told is a story in which the client connects, and then each side's program makes its calls.
func told(server, client []string) string {
	server = append([]string{"socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "bind(3, server:80) = 0", "listen(3, 128) = 0", "accept(3, ..., ...) = 4"}, server...)
	client = append([]string{"socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "connect(3, server:80) = 0"}, client...)
	return "server: " + strings.Join(server, "\nserver: ") + "\nclient: " + strings.Join(client, "\nclient: ") + "\n"
}

var (
	bulkStory   = told([]string{"recvall(4) = 60000", "close(4) = 0"}, []string{"sendall(3, 60000) = 60000", "close(3) = 0"})
	idleStory   = told([]string{"recvall(4)"}, []string{"2 sendall(3, 5)", "close(3)"})
	twoStory    = told([]string{"recvall(4) = 2920", "close(4) = 0"}, []string{"sendall(3, 2920) = 2920", "close(3) = 0"})
	smallStory  = told([]string{"recvall(4) = 20", "close(4) = 0"}, []string{"sendall(3, 10) = 10", "sendall(3, 10) = 10", "+1 close(3) = 0"})
	narrowStory = strings.Replace(told([]string{"recvall(4) = 3000", "close(4) = 0"}, []string{"sendall(3, 3000) = 3000", "close(3) = 0"}),
		"server: listen", "server: setsockopt(3, IPPROTO_TCP, TCP_MAXSEG, [500], 4) = 0\nserver: listen", 1)
	unreadStory = told([]string{"1 close(4) = 0"}, []string{"sendall(3, 10) = 10", "2 close(3) = 0"})
)

var faultWorlds = map[string]faultWorld{
	"plain":              {story: "plain"},
	"scaled":             {story: "plain", options: handwritten.Factory{WindowScale: true}},
	"refused":            {story: "refused"},
	"silent-host":        {story: "silent-host"},
	"corrupted":          {story: "corrupted"},
	"ecn":                {story: "ecn"},
	"urgent":             {story: "urgent"},
	"half-close":         {story: "half-close"},
	"slow-reader":        {story: "slow-reader"},
	"simultaneous-close": {story: "simultaneous-close"},
	"full-accept-queue":  {story: "full-accept-queue"},
	"reordered":          {story: "reordered"},
	"bulk":               {story: bulkStory},
	"one lost":           {story: bulkStory, faults: []string{"drop client data#12"}},
	"many lost":          {story: bulkStory, faults: []string{"drop client data#12-30"}},
	"small":              {story: smallStory},
	"narrow":             {story: narrowStory},
	"unread":             {story: unreadStory},
	"data lost":          {story: smallStory, faults: []string{"drop client data#1"}},
	"FIN lost":           {story: "plain", faults: []string{"drop client FIN,ACK#1"}},
	"first lost":         {story: twoStory, faults: []string{"drop client data#1"}},

	"RST in the window":     {story: idleStory, client: []forgery{{at: time.Second, flags: trace.RST, seq: 100}}},
	"SYN in the window":     {story: idleStory, client: []forgery{{at: time.Second, flags: trace.SYN, seq: 100}}},
	"RST beside the window": {story: idleStory, client: []forgery{{at: time.Second, flags: trace.RST, seq: -100}}},
	"RST at LISTEN":         {story: "abort", client: []forgery{{at: 1100 * time.Millisecond, flags: trace.RST | trace.ACK}}},
	"ACK of nothing sent":   {story: idleStory, client: []forgery{{at: time.Second, flags: trace.ACK, ack: 1000}}},
	"RST of another SYN":    {story: "synack-lost", server: []forgery{{at: 500 * time.Millisecond, flags: trace.RST | trace.ACK, ack: 1000}}},
}

var faults = []fault{
	{name: "SYN,ACK acknowledges the SYN's own number", file: "arrive.go",
		line: "n.irs, n.rcvNxt = g.seq, g.seq.Add(1)", broken: "n.irs, n.rcvNxt = g.seq, g.seq", caught: "TestTransitions/T024", world: "plain",
		first: parting{"server", diff.Numbers, "SEG.ACK: 1, 0", "rfc.rule.listen-syn", rfc9293.Breaks, "rfc.rule.listen-syn"}},
	{name: "RST in the window is believed", file: "arrive.go",
		line: "case g.seq != c.rcvNxt: // 3", broken: "case false: // 3", caught: "TestTransitions/T088", world: "RST in the window",
		first: parting{"server", diff.States, "state: , CLOSED", "rfc.rule.connection-rst-in-the-window", rfc9293.Open, ""}},
	{name: "RST beside the window is answered", file: "arrive.go",
		line: "case g.seq != c.rcvNxt && !g.seq.InWindow(c.rcvNxt, c.rcvWnd): // 1", broken: "case false: // 1", caught: "TestTransitions/T086", world: "RST beside the window",
		first: parting{"server", diff.Packets, "packet: , <SEQ=1><ACK=1><CTL=ACK>", "rfc.rule.connection-unacceptable-rst", rfc9293.Breaks, "rfc.rule.connection-unacceptable-rst"}},
	{name: "RST at LISTEN is answered", file: "arrive.go",
		line: "case g.ctl.Has(trace.RST): // first", broken: "case false: // first", caught: "TestTransitions/T021", world: "RST at LISTEN",
		first: parting{"server", diff.Packets, "packet: , <SEQ=1><CTL=RST>", "rfc.rule.listen-rst", rfc9293.Breaks, "rfc.rule.listen-rst"}},
	{name: "RST of another SYN is believed", file: "arrive.go",
		line: "if g.ack.LessEq(c.iss) || c.sndNxt.Less(g.ack) {", broken: "if false {", caught: "TestTransitions/T040", world: "RST of another SYN",
		first: parting{"client", diff.States, "state: , CLOSED", "rfc.rule.syn-sent-rst-without-the-ack-of-its-syn", rfc9293.Breaks, "rfc.rule.syn-sent-rst-without-the-ack-of-its-syn"}},
	{name: "RST of a closed port acknowledges nothing", file: "stack.go",
		line: "s.reset(g, 0, g.seq.Add(g.len()), trace.RST|trace.ACK)", broken: "s.reset(g, 0, g.seq, trace.RST|trace.ACK)", caught: "TestTransitions/T011", world: "refused",
		first: parting{"server", diff.Numbers, "SEG.ACK: 1, 0", "rfc.rule.closed-segment-without-ack", rfc9293.Breaks, "rfc.rule.closed-segment-without-ack"}},
	{name: "SYN ends a connection", file: "arrive.go",
		line: "\tc.challenge()", broken: "\tc.end(netns.ErrReset)", caught: "TestTransitions/T089", world: "SYN in the window",
		first: parting{"server", diff.States, "state: , CLOSED", "rfc.rule.connection-syn", rfc9293.Breaks, "rfc.rule.connection-syn"}},
	{name: "ACK of what was never sent is taken", file: "arrive.go",
		line: "if g.ack.Less(c.sndUna.Add(-c.maxSndWnd)) || c.sndNxt.Less(g.ack) { // RFC 5961, Section 5 (MAY-12)", broken: "if g.ack.Less(c.sndUna.Add(-c.maxSndWnd)) {",
		caught: "TestTransitions/T094", world: "ACK of nothing sent",
		first: parting{"server", diff.Packets, "packet: <SEQ=1><ACK=1><CTL=ACK>, ", "rfc.rule.connection-ack-beyond-snd-nxt", rfc9293.Breaks, "rfc.rule.connection-ack-beyond-snd-nxt"}},
	{name: "FIN is lost when it comes out of order", file: "arrive.go",
		line: "if !c.finSeen || c.finAt != c.rcvNxt || !c.receives() {", broken: "if !g.ctl.Has(trace.FIN) || c.finAt != c.rcvNxt || !c.receives() {",
		caught: "TestOutOfOrderSegmentsAndFINWaitForWhatIsMissing", world: "first lost",
		first: parting{"server", diff.States, "state: CLOSE-WAIT, ", "rfc.rule.connection-data-in-order", rfc9293.Keeps, ""}},
	{name: "two FINs that pass each other end at once", file: "arrive.go",
		line: "c.state = trace.Closing // its own FIN is not acknowledged: that was looked at in the fifth step", broken: "c.waitTime()", caught: "TestTransitions/T133", world: "simultaneous-close",
		first: parting{"client", diff.States, "state: CLOSING, ", "rfc.rule.connection-fin-in-order", rfc9293.Breaks, "rfc.rule.connection-fin-in-order"}},
	{name: "nothing is taken in FIN-WAIT-2", file: "arrive.go",
		line: "return c.state == trace.Established || c.state == trace.FinWait1 || c.state == trace.FinWait2", broken: "return c.state == trace.Established || c.state == trace.FinWait1",
		caught: "TestTransitions/T150", world: "half-close",
		first: parting{"client", diff.Returns, "result: 3000, 0", "diff.rule.returns", rfc9293.NotObservable, ""}},
	{name: "what comes out of order is thrown away", file: "arrive.go",
		line: "c.hold(g.seq, g.data)", broken: "if g.seq == c.rcvNxt { c.hold(g.seq, g.data) }", caught: "TestOutOfOrderSegmentsAndFINWaitForWhatIsMissing", world: "reordered",
		first: parting{"server", diff.Packets, "packet: <SEQ=1><ACK=4381><CTL=ACK>, ", "diff.rule.delayed-ack", rfc9293.Open, ""}},
	{name: "two full segments draw no ACK at once", file: "arrive.go",
		line: "if c.ackOwed >= 2*c.effSndMSS || g.seq != c.rcvNxt || len(c.spans) > 0 { // SHLD-19; RFC 5681, Section 4.2", broken: "if g.seq != c.rcvNxt || len(c.spans) > 0 {",
		caught: "TestACKIsDelayedUntilTheSecondFullSegment", world: "bulk",
		first: parting{"server", diff.Packets, "packet: <SEQ=1><ACK=2921><CTL=ACK>, ", "diff.rule.delayed-ack", rfc9293.Open, ""}},
	{name: "an ACK is delayed for ten seconds", file: "arrive.go",
		line: "c.arm(delayedACK, ackDelay) // SHLD-18", broken: "c.arm(delayedACK, 10*time.Second)", caught: "TestACKIsDelayedUntilTheSecondFullSegment", world: "small",
		first: parting{"server", diff.Packets, "packet: <SEQ=1><ACK=11><CTL=ACK>, ", "rfc.rule.connection-data-in-order", rfc9293.Breaks, "rfc.rule.connection-data-in-order"}},
	{name: "the accept queue has no limit", file: "arrive.go",
		line: "if c.waiting && len(c.listener.queue) > c.listener.backlog {", broken: "if false {", caught: "TestStories", world: "full-accept-queue",
		first: parting{"server", diff.States, "state: , ESTABLISHED", "rfc.rule.syn-received-ack-of-its-syn", rfc9293.Keeps, ""}},
	{name: "the peer's MSS is not kept to", file: "tcb.go",
		line: "c.sndMSS = o.mss", broken: "c.sndMSS = max(o.mss, 1460)", caught: "TestSegmentsAreNoGreaterThanPeerAndLinkTake", world: "narrow",
		first: parting{"client", diff.Control, "item: SendMSS = 500 (segment, option MSS), SendMSS = 1460", "diff.rule.control", rfc9293.Open, "diff.rule.segment-fits"}},
	{name: "TIME-WAIT lasts half as long", file: "tcb.go",
		line: "c.arm(timeWait, 2*msl)", broken: "c.arm(timeWait, msl)", caught: "TestTransitions/T248", world: "plain",
		first: parting{"client", diff.Time, "time: 4m0s, 2m0s", "diff.rule.time-wait", rfc9293.Open, ""}},
	{name: "a checksum is not looked at", file: "header.go",
		line: "if fold(sum(p, pseudo(ip.src, ip.dst, protocolTCP, len(p)))) != 0xffff {", broken: "if false {", caught: "TestOneWrongBitIsSeen", world: "corrupted",
		first: parting{"server", diff.Time, "cause: <SEQ=1><ACK=1><CTL=PSH,ACK><LEN=20> #1, recvall", "rfc.rule.connection-data-in-order", rfc9293.NotObservable, ""}},
	{name: "retransmission without back-off", file: "timer.go",
		line: "c.rto = min(2*c.rto, maxRTO) // 5.5", broken: "c.rto = min(c.rto, maxRTO)", caught: "TestSYNIsSentAgainWithBackOffForThreeMinutes", world: "silent-host",
		first: parting{"client", diff.Control, "item: RTO, ", "diff.rule.retransmission-time", rfc9293.Open, "diff.rule.back-off"}},
	{name: "RTO without its least", file: "timer.go",
		line: "c.rto = min(max(c.srtt+4*c.rttvar, minRTO), maxRTO) // 2.4, 2.5", broken: "c.rto = min(c.srtt+4*c.rttvar, maxRTO)", caught: "TestRTOIsAtLeastOneSecond", world: "data lost",
		first: parting{"client", diff.Control, "item: , RTO = 60000000", "diff.rule.retransmission-time", rfc9293.Open, ""}},
	{name: "what was sent twice is measured", file: "timer.go",
		line: "c.timing = false             // Karn: what is sent twice measures nothing (RFC 6298, Section 3)", broken: "_ = c.timing", caught: "TestWhatIsSentAgainWithMoreBehindItMeasuresNothing", world: "data lost",
		first: parting{"client", diff.Control, "item: RTO = 1000000000, RTO = 1175000000", "diff.rule.retransmission-time", rfc9293.Open, ""}},
	{name: "retransmission of what was not lost", file: "timer.go",
		line: "c.resend = c.sndUna", broken: "c.resend = c.sndNxt", caught: "TestTransitions/T106", world: "data lost",
		first: parting{"client", diff.Packets, "packet: <SEQ=1><ACK=1><CTL=PSH,ACK><LEN=20>, ", "diff.rule.retransmission-time", rfc9293.Open, ""}},
	{name: "fast retransmit at the second duplicate", file: "congestion.go",
		line: "case c.dupAcks == 3 && c.recover.Less(c.sndUna):", broken: "case c.dupAcks == 2 && c.recover.Less(c.sndUna):",
		caught: "TestThirdDuplicateACKSendsAgainAndAPartialACKTheNext", world: "one lost",
		first: parting{"client", diff.Numbers, "SEG.SEQ: 30661, 16061", "diff.rule.fast-retransmit", rfc9293.Open, ""}},
	{name: "no fast retransmit", file: "congestion.go",
		line: "case c.dupAcks == 3 && c.recover.Less(c.sndUna):", broken: "case false:", caught: "TestThirdDuplicateACKSendsAgainAndAPartialACKTheNext", world: "one lost",
		first: parting{"client", diff.Control, "item: cwnd, ssthresh, ", "diff.rule.control", rfc9293.Open, ""}},
	{name: "cwnd does not grow", file: "congestion.go",
		line: "c.cwnd += min(n, mss)", broken: "c.cwnd += 0", caught: "TestSlowStartBeginsWithThreeSegmentsAndSendsTwoForEachACK", world: "bulk",
		first: parting{"client", diff.Packets, "packet: <SEQ=7301><ACK=1><CTL=ACK><LEN=1460>, ", "diff.rule.congestion-window", rfc9293.Open, ""}},
	{name: "the first flight has ten segments", file: "congestion.go",
		line: "return 3 * c.effSndMSS", broken: "return 10 * c.effSndMSS", caught: "TestSlowStartBeginsWithThreeSegmentsAndSendsTwoForEachACK", world: "bulk",
		first: parting{"client", diff.Control, "item: cwnd = 3, cwnd = 10", "diff.rule.congestion-window", rfc9293.Open, ""}},
	{name: "a timeout leaves cwnd as it was", file: "congestion.go",
		line: "c.cwnd = c.effSndMSS // LW", broken: "c.cwnd += 0 // LW", caught: "TestTimeoutLeavesOneSegmentAndHalfTheFlight", world: "many lost",
		first: parting{"client", diff.Packets, "packet: , <SEQ=17521><ACK=1><CTL=ACK><LEN=1460>", "diff.rule.retransmission-time", rfc9293.Open, ""}},
	{name: "a loss leaves ssthresh at the whole flight", file: "congestion.go",
		line: "c.ssthresh = max(min(c.flight(), c.cwnd)/2, 2*c.effSndMSS)", broken: "c.ssthresh = max(min(c.flight(), c.cwnd), 2*c.effSndMSS)",
		caught: "TestTimeoutLeavesOneSegmentAndHalfTheFlight", world: "one lost",
		first: parting{"client", diff.Packets, "packet: , <SEQ=32121><ACK=1><CTL=ACK><LEN=1460>", "diff.rule.congestion-window", rfc9293.Open, ""}},
	{name: "data beyond the window", file: "send.go",
		line: "edge := c.sndUna.Add(min(c.sndWnd, uint32(c.cwnd+c.limited())))", broken: "edge := c.sndUna.Add(uint32(c.cwnd+c.limited()))",
		caught: "TestShrunkWindowHoldsBackNewDataAndNotTheOld", world: "slow-reader",
		first: parting{"client", diff.Control, "item: SND.NXT = 2921 (application), SND.NXT = 4381 (application)", "diff.rule.control", rfc9293.Open, "rfc.rule.sent-data-in-the-window"}},
	{name: "a closed window is not probed", file: "send.go",
		line: "case c.sndWnd == 0: // SHLD-29, SHLD-30", broken: "case false:", caught: "TestClosedWindowIsProbedWithoutEnd", world: "slow-reader",
		first: parting{"client", diff.Packets, "packet: <SEQ=4097><ACK=1><CTL=ACK><LEN=1>, ", "diff.rule.window-probe", rfc9293.Open, ""}},
	{name: "no waiting for the ACK with small segments", file: "send.go",
		line: "idle := c.options.noDelay || c.resend == c.sndUna", broken: "idle := true", caught: "TestNagleHoldsASmallSegmentUntilTheACK", world: "small",
		first: parting{"client", diff.Packets, "packet: , <SEQ=11><ACK=1><CTL=PSH,ACK><LEN=10>", "diff.rule.segmentation", rfc9293.Open, ""}},
	{name: "a lost FIN is not sent again", file: "send.go",
		line: "fin := c.finQueued && n == left && usable > n", broken: "fin := c.finQueued && n == left && usable > n && !c.finSent()", caught: "TestTransitions/T137", world: "FIN lost",
		first: parting{"client", diff.Packets, "packet: <SEQ=6><ACK=6><CTL=FIN,ACK>, ", "diff.rule.retransmission-time", rfc9293.Open, ""}},
	{name: "the window does not know what waits to be read", file: "send.go",
		line: "free := c.rcvBuf.free()", broken: "free := len(c.rcvBuf.memory)", caught: "TestWindowOpensByASegmentOrNotAtAll", world: "slow-reader",
		first: parting{"server", diff.Window, "SEG.WND: 1176, 4096", "diff.rule.window", rfc9293.Open, "rfc.rule.connection-data-in-order"}},
	{name: "the window is scaled by one bit too few", file: "send.go",
		line: "return c.rcvWnd >> c.rcvShift", broken: "return c.rcvWnd >> max(c.rcvShift-1, 0)", caught: "TestTransitions", world: "scaled",
		first: parting{"client", diff.Window, "SEG.WND: 1048576, 0", "diff.rule.window", rfc9293.Open, ""}},
	{name: "the urgent pointer points at the last octet", file: "send.go",
		line: "g.up = min(c.sndUp.Sub(seq), 1<<16-1) // MUST-62", broken: "g.up = min(c.sndUp.Sub(seq), 1<<16-1) - 1", caught: "TestUrgent", world: "urgent",
		first: parting{"client", diff.Urgent, "urgent-pointer: 1, 0", "diff.rule.urgent", rfc9293.Open, ""}},
	{name: "ECN is agreed on with the wrong bit", file: "send.go",
		line: "ctl |= trace.ACK | trace.ECE // RFC 3168, Section 6.1.1", broken: "ctl |= trace.ACK | trace.CWR", caught: "TestECN", world: "ecn",
		first: parting{"server", diff.ECN, "ECN-bits: ECE, CWR", "diff.rule.ecn", rfc9293.Open, ""}},
	{name: "a close with data unread is a FIN", file: "socket.go",
		line: "case c.options.linger == 0, c.unread():", broken: "case c.options.linger == 0:", caught: "TestCloseWithUnreadDataAndDataAfterCloseReset", world: "unread",
		first: parting{"server", diff.States, "state: , FIN-WAIT-1", "rfc.rule.connection-abort", rfc9293.NotObservable, ""}},
}

// TestFaultsStandOnLinesThatThereAre: each line of the faults stands in its file once, so that an overlay breaks what it says.
func TestFaultsStandOnLinesThatThereAre(t *testing.T) {
	if len(faults) < 30 {
		t.Errorf("%d faults, want at least 30", len(faults))
	}
	for _, f := range faults {
		if _, err := f.apply(); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		if f.first == (parting{}) {
			t.Errorf("%s: it is not said where the traces part", f.name)
		}
		if _, ok := faultWorlds[f.world]; !ok {
			t.Errorf("%s: no such world: %s", f.name, f.world)
		}
	}
}

// apply is the file's text with the fault in it.
func (f *fault) apply() (string, error) {
	text, err := os.ReadFile(f.file)
	if err != nil {
		return "", err
	}
	lines := strings.SplitAfter(string(text), "\n")
	at := -1
	for i, line := range lines {
		bare := strings.TrimSuffix(line, "\n")
		if bare != f.line && (strings.HasPrefix(f.line, "\t") || strings.TrimLeft(bare, "\t") != f.line) {
			continue
		}
		if at >= 0 {
			return "", fmt.Errorf("%s has the line %q more than once", f.file, f.line)
		}
		at = i
	}
	if at < 0 {
		return "", fmt.Errorf("%s has no line %q", f.file, f.line)
	}
	lines[at] = strings.Replace(lines[at], f.line, f.broken, 1)
	return strings.Join(lines, ""), nil
}

// TestFaults builds each fault into the stack: a test must turn red, and the trace of a world with it must part from that of the sound
// stack where the fault shows first.
func TestFaults(t *testing.T) {
	for i := range faults[:min(*faultsToTry, len(faults))] {
		f := &faults[i]
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			binary := f.build(t)
			out, err := exec.Command(binary, "-test.run=^"+strings.ReplaceAll(f.caught, "/", "$/^")+"$", "-test.failfast", "-test.timeout=60s").CombinedOutput()
			exit := (*exec.ExitError)(nil)
			switch {
			case err == nil:
				t.Errorf("%s does not notice it:\n%s", f.caught, tail(out))
			case !errors.As(err, &exit) || !strings.Contains(string(out), "FAIL") && !strings.Contains(string(out), "panic"):
				t.Fatalf("%s could not be run: %v\n%s", f.caught, err, tail(out))
			}
			sound, err := faultWorlds[f.world].run()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "broken.trace")
			out, err = exec.Command(binary, "-test.run=^TestFaultWorld$", "-test.timeout=60s", "-fault-world="+f.world, "-fault-trace="+file).CombinedOutput()
			if err != nil {
				t.Fatalf("the world %s could not be run: %v\n%s", f.world, err, tail(out))
			}
			if got := partingOf(diff.Compare(sound, readTrace(t, file), diff.Options{})); got != f.first {
				t.Errorf("first divergence:\n got %+v\nwant %+v", got, f.first)
			}
		})
	}
}

// build makes the package's tests with the fault in it.
func (f *fault) build(t *testing.T) (binary string) {
	t.Helper()
	text, err := f.apply()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	source, err := filepath.Abs(f.file)
	if err != nil {
		t.Fatal(err)
	}
	broken, overlay, binary := filepath.Join(dir, f.file), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "broken.test")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {source: broken}})
	if err != nil {
		t.Fatal(err)
	}
	for file, octets := range map[string][]byte{broken: []byte(text), overlay: replace} {
		if err := os.WriteFile(file, octets, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go test -c -overlay: %v\n%s", err, out)
	}
	return binary
}

// TestFaultWorld records a world for TestFaults, in a process whose stack is broken.
func TestFaultWorld(t *testing.T) {
	if *recordWorld == "" {
		t.Skip("only TestFaults asks for it, with -fault-world")
	}
	recorded, err := faultWorlds[*recordWorld].run()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(*recordFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := trace.Write(file, recorded); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// run records the world. What the story expects does not matter here.
func (w faultWorld) run() (*trace.Trace, error) {
	var story *script.Story
	var err error
	if strings.Contains(w.story, "\n") {
		story, err = script.Parse("world.story", w.story)
	} else {
		story, err = script.Builtin(w.story)
	}
	if err != nil {
		return nil, err
	}
	cfg := netns.Config{Client: &forger{w.options, w.client}, Server: &forger{w.options, w.server}, Seed: 1}
	for _, text := range w.faults {
		f, err := netns.ParseFault(text)
		if err != nil {
			return nil, err
		}
		cfg.Faults = append(cfg.Faults, f)
	}
	result, err := script.Run(story, cfg)
	if err != nil {
		return nil, err
	}
	return result.Trace, nil
}

func readTrace(t *testing.T, file string) *trace.Trace {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read, err := trace.Read(f, file, wire.Decode)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// partingOf is the first divergence in short; zero: there is none.
func partingOf(r *diff.Result) parting {
	if r.First == nil {
		return parting{}
	}
	d := &r.First.Differences[0]
	p := parting{
		host: r.First.B.Host, aspect: d.Aspect, what: fmt.Sprintf("%s: %s, %s", d.Field, d.A, d.B), rule: r.First.Ruling.Rule, keeps: r.First.Ruling.B,
	}
	if f := r.FirstBroken; f != nil && f.Ruling.B == rfc9293.Breaks {
		p.broken = f.Ruling.Rule
	}
	return p
}

func tail(out []byte) []byte { return out[max(0, len(out)-2000):] }

// A forger is a host on whose side of the link forgeries come from time to time.
type forger struct {
	handwritten.Factory
	forgeries []forgery
}

func (f *forger) New(env netns.Env) (netns.Stack, error) {
	inner, err := f.Factory.New(env)
	if err != nil || len(f.forgeries) == 0 {
		return inner, err
	}
	return &forgingStack{Stack: inner, Inspector: inner.(netns.Inspector), left: slices.Clone(f.forgeries)}, nil
}

type forgingStack struct {
	netns.Stack
	netns.Inspector
	left  []forgery
	last  trace.Packet // of those that the stack sent
	heard trace.Packet // and of those that came to it
	queue [][]byte
	now   time.Duration
}

func (s *forgingStack) Advance(now time.Duration) { s.now = now; s.Stack.Advance(now) }

func (s *forgingStack) Deliver(packet []byte) {
	s.heard = trace.Packet{Octets: slices.Clone(packet), Len: len(packet)}
	wire.Decode(&s.heard)
	s.Stack.Deliver(packet)
}

func (s *forgingStack) Take(buf []byte) ([]byte, bool, bool) {
	packet, lost, ok := s.Stack.Take(buf)
	if ok {
		s.last = trace.Packet{Octets: slices.Clone(packet), Len: len(packet)}
		wire.Decode(&s.last)
		return packet, lost, ok
	}
	if len(s.queue) == 0 {
		return packet, false, false
	}
	packet = append(buf[:0], s.queue[0]...)
	s.queue = s.queue[1:]
	return packet, false, true
}

func (s *forgingStack) Deadline() (time.Duration, bool) {
	at, ok := s.Stack.Deadline()
	if len(s.left) > 0 && (!ok || s.left[0].at <= at) {
		return s.left[0].at, true
	}
	return at, ok
}

func (s *forgingStack) Expire() netns.Expired {
	if len(s.left) == 0 || s.left[0].at > s.now {
		return s.Stack.Expire()
	}
	f := s.left[0]
	s.left = s.left[1:]
	// From the last segment that came, since a SYN may be all that there was.
	p := trace.Packet{Kind: trace.PacketTCP, IP: trace.IPHeader{Src: s.heard.IP.Dst, Dst: s.heard.IP.Src, TTL: 64}}
	p.TCP = trace.Segment{
		SrcPort: s.heard.TCP.DstPort, DstPort: s.heard.TCP.SrcPort, Flags: f.flags, Window: 65535, DataLen: len(f.data),
		Seq: s.last.TCP.Seq.Add(s.last.TCP.Len() + uint32(f.seq)),
	}
	if f.flags.Has(trace.ACK) {
		p.TCP.Ack = s.heard.TCP.Seq.Add(s.heard.TCP.Len() + uint32(f.ack))
	}
	s.queue = append(s.queue, wire.Append(nil, &p, []byte(f.data)))
	return netns.Expired{Name: "forgery"}
}
