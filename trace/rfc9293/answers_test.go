package rfc9293

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectlab/trace"
)

// ruleCase is a trace, in the words of story, in which a rule is met: what became of it the last time.
type ruleCase struct {
	rule  int
	name  string
	want  Keeping
	trace string
}

// The connections below are those of story: us 100, them 300, windows of 1000 octets. A step is a second, so an ACK that does not come at
// once has not come within half a second.
const (
	sentFive   = established + "call send | PSH,ACK 101 301 data=hello\n"
	passive    = received + "in ACK 301 101 -> ESTABLISHED\n"
	deafListen = listening + "call shutdown SHUT_RD\n"
)

var ruleCases = []ruleCase{
	{closedRST, "silence", Keeps, "in RST 300"},
	{closedRST, "a RST", Breaks, "in RST 300 | RST,ACK 0 301"},
	{closedRST, "after a connection", Keeps, established + "in RST 301 -> CLOSED\nin RST 301"},
	{closedNoACK, "SYN", Keeps, "in SYN 300 | RST,ACK 0 301"},
	{closedNoACK, "SYN with data", Keeps, "in SYN 300 +5 | RST,ACK 0 306"},
	{closedNoACK, "silence", Breaks, "in SYN 300"},
	{closedNoACK, "without ACK", Breaks, "in SYN 300 | RST 0"},
	{closedNoACK, "another ACK", Breaks, "in SYN 300 | RST,ACK 0 300"},
	{closedNoACK, "a number", Breaks, "in SYN 300 | RST,ACK 1 301"},
	{closedNoACK, "another segment", Breaks, "in SYN 300 | SYN,ACK 100 301"},
	{closedNoACK, "it waits for a MAC", NotObservable, "in SYN 300 | ARP"},
	{closedACK, "RST", Keeps, "in ACK 301 101 | RST 101"},
	{closedACK, "RST with the ACK bit too", Open, "in ACK 301 101 | RST,ACK 101 301"},
	{closedACK, "another number", Breaks, "in ACK 301 101 | RST 102"},
	{closedACK, "silence", Breaks, "in ACK 301 101"},
	{closedOpen, "SYN", Keeps, connecting},
	{closedOpen, "no SYN", Breaks, closed + "call connect -> SYN-SENT"},
	{closedOpen, "it stays", Breaks, closed + "call connect | SYN 100"},
	{closedOpen, "it waits for a MAC", NotObservable, closed + "call connect -> SYN-SENT | ARP"},

	{listenRST, "silence", Keeps, listening + "in RST 300"},
	{listenRST, "with all else", Keeps, listening + "in SYN,RST,ACK 300 101"},
	{listenRST, "a RST", Breaks, listening + "in RST 300 | RST,ACK 0 301"},
	{listenRST, "a RST of a listener that was shut down", Breaks, deafListen + "in RST 300 | RST,ACK 0 301"},
	{listenACK, "RST", Keeps, listening + "in ACK 301 101 | RST 101"},
	{listenACK, "SYN,ACK", Keeps, listening + "in SYN,ACK 301 101 | RST 101"},
	{listenACK, "silence", Breaks, listening + "in ACK 301 101"},
	{listenACK, "another number", Breaks, listening + "in ACK 301 101 | RST 100"},
	{listenSYN, "SYN,ACK", Keeps, received},
	{listenSYN, "from a SYN cookie", Keeps, listening + "in SYN 300 | SYN,ACK 100 301"},
	{listenSYN, "dropped", Open, listening + "in SYN 300"},
	{listenSYN, "a RST", Breaks, listening + "in SYN 300 | RST,ACK 0 301"},
	{listenSYN, "another ACK", Breaks, listening + "in SYN 300 -> 2:SYN-RECEIVED | SYN,ACK 100 300"},
	{listenSYN, "ESTABLISHED", Breaks, listening + "in SYN 300 -> 2:ESTABLISHED | SYN,ACK 100 301"},
	{listenOther, "silence", Keeps, listening + "in FIN 300"},
	{listenOther, "a RST", Breaks, listening + "in FIN 300 | RST,ACK 0 301"},
	{listenClose, "CLOSED", Keeps, listening + "call close -> CLOSED"},
	{listenClose, "it stays", Breaks, listening + "call close"},

	{synSentBadACK, "SYN,ACK of another", Keeps, connecting + "in SYN,ACK 300 77 | RST 77"},
	{synSentBadACK, "ACK of another", Keeps, connecting + "in ACK 300 77 | RST 77"},
	{synSentBadACK, "silence", Breaks, connecting + "in SYN,ACK 300 77"},
	{synSentBadACK, "ESTABLISHED", Breaks, connecting + "in SYN,ACK 300 77 -> ESTABLISHED | ACK 101 301"},
	{synSentBadRST, "without ACK", Keeps, connecting + "in RST 0"},
	{synSentBadRST, "ACK of another", Keeps, connecting + "in RST,ACK 0 77"},
	{synSentBadRST, "CLOSED", Breaks, connecting + "in RST 0 -> CLOSED"},
	{synSentBadRST, "a RST", Breaks, connecting + "in RST,ACK 0 77 | RST 77"},
	{synSentRST, "CLOSED", Keeps, connecting + "in RST,ACK 0 101 -> CLOSED"},
	{synSentRST, "it stays", Open, connecting + "in RST,ACK 5 101"},
	{synSentRST, "a RST", Breaks, connecting + "in RST,ACK 0 101 -> CLOSED | RST 101"},
	{synSentSYNACK, "ESTABLISHED", Keeps, established},
	{synSentSYNACK, "with data, taken", Keeps, connecting + "in SYN,ACK 300 101 +5 -> ESTABLISHED | ACK 101 306"},
	{synSentSYNACK, "no ACK", Breaks, connecting + "in SYN,ACK 300 101 -> ESTABLISHED"},
	{synSentSYNACK, "another ACK", Breaks, connecting + "in SYN,ACK 300 101 -> ESTABLISHED | ACK 101 300"},
	{synSentSYNACK, "it stays", Breaks, connecting + "in SYN,ACK 300 101 | ACK 101 301"},
	{synSentSYN, "SYN,ACK", Keeps, crossed},
	{synSentSYN, "silence", Breaks, connecting + "in SYN 300"},
	{synSentSYN, "it stays", Breaks, connecting + "in SYN 300 | SYN,ACK 100 301"},
	{synSentSYN, "another ACK", Breaks, connecting + "in SYN 300 -> SYN-RECEIVED | SYN,ACK 100 300"},
	{synSentSYN, "a RST", Breaks, connecting + "in SYN 300 | RST,ACK 0 301"},
	{synSentOther, "silence", Keeps, connecting + "in ACK 300 101"},
	{synSentOther, "a FIN alone", Keeps, connecting + "in FIN 300"},
	{synSentOther, "ESTABLISHED", Breaks, connecting + "in ACK 300 101 -> ESTABLISHED"},
	{synSentOther, "an answer", Breaks, connecting + "in ACK 300 101 | ACK 101 300"},
	{synSentClose, "CLOSED", Keeps, connecting + "call close -> CLOSED"},
	{synSentClose, "it stays", Breaks, connecting + "call close"},
	{synSentClose, "a FIN", Breaks, connecting + "call close -> CLOSED | FIN 101"},
	{synSentTimeout, "after 3 minutes", Keeps, connecting + strings.Repeat("timer | SYN 100\n", 180) + "timer -> CLOSED"},
	{synSentTimeout, "at once", Breaks, connecting + "timer -> CLOSED"},
	{synSentTimeout, "as the program wants", Open, closed + "call setsockopt SOL_TCP, TCP_USER_TIMEOUT, [1]\ncall connect -> SYN-SENT | SYN 100\ntimer -> CLOSED"},
	{synSentTimeout, "without a MAC", Open, closed + "call connect -> SYN-SENT | ARP\ntimer -> CLOSED"},

	{synReceivedACK, "ESTABLISHED", Keeps, passive},
	{synReceivedACK, "with FIN", Keeps, received + "in FIN,ACK 301 101 -> CLOSE-WAIT | ACK 101 302"},
	{synReceivedACK, "dropped", Open, received + "in ACK 301 101"},
	{synReceivedACK, "CLOSED", Breaks, received + "in ACK 301 101 -> CLOSED"},
	{synReceivedBadACK, "RST", Keeps, received + "in ACK 301 77 | RST 77"},
	{synReceivedBadACK, "simultaneous open", Keeps, crossed + "in ACK 301 177 | RST 177"},
	{synReceivedBadACK, "silence", Breaks, received + "in ACK 301 77"},
	{synReceivedBadACK, "an ACK", Breaks, received + "in ACK 301 77 | ACK 101 301"},
	{synReceivedBadACK, "ESTABLISHED", Breaks, received + "in ACK 301 150 -> ESTABLISHED | RST 150"},
	{synReceivedSYN, "gone", Keeps, received + "in SYN 310 -> CLOSED"},
	{synReceivedSYN, "LISTEN", Keeps, received + "in SYN 310 -> LISTEN"},
	{synReceivedSYN, "it stays", Breaks, received + "in SYN 310"},
	{synReceivedSYN, "a RST", Breaks, received + "in SYN 310 -> CLOSED | RST 101"},
	{synReceivedCrossing, "Figure 7", Keeps, crossed + "in SYN,ACK 300 101 -> ESTABLISHED"},
	{synReceivedCrossing, "the first check", Keeps, crossed + "in SYN,ACK 300 101 | ACK 101 301"},
	{synReceivedCrossing, "an ACK was sent before", Open, crossed + "at once in SYN 300 | ACK 101 301\nat once in SYN,ACK 300 101"},
	{synReceivedCrossing, "neither", Breaks, crossed + "in SYN,ACK 300 101"},
	{synReceivedCrossing, "a RST", Breaks, crossed + "in SYN,ACK 300 101 | RST 101"},
	{synReceivedCrossing, "CLOSED", Breaks, crossed + "in SYN,ACK 300 101 -> CLOSED"},

	{unacceptable, "ACK", Keeps, established + "in PSH,ACK 290 101 +5 | ACK 101 301"},
	{unacceptable, "the SYN again", Keeps, received + "in SYN 300 | ACK 101 301"},
	{unacceptable, "the SYN again, and the SYN,ACK again", Open, received + "in SYN 300 | SYN,ACK 100 301"},
	{unacceptable, "beyond the window", Keeps, established + "in PSH,ACK 1301 101 +5 | ACK 101 301"},
	{unacceptable, "data for a window of 0", Keeps, established + "in PSH,ACK 301 101 +1000 | ACK 101 1301 win=0\nin PSH,ACK 1301 101 +1 | ACK 101 1301 win=0"},
	{unacceptable, "an ACK of before", Keeps, established + "in ACK 300 101 | ACK 101 301"},
	{unacceptable, "two within a second", Open, established + "in ACK 300 101 | ACK 101 301\nat once in ACK 300 101"},
	{unacceptable, "silence", Breaks, established + "in PSH,ACK 290 101 +5"},
	{unacceptable, "an ACK of what has not come", Breaks, established + "in PSH,ACK 1301 101 +5 | ACK 101 1306"},
	{unacceptable, "an ACK with an old number", Breaks, sentFive + "in ACK 300 101 | ACK 101 301"},
	{unacceptable, "CLOSED", Breaks, established + "in PSH,ACK 290 101 +5 -> CLOSED | ACK 101 301"},
	{unacceptableRST, "silence", Keeps, established + "in RST 300"},
	{unacceptableRST, "CLOSED", Breaks, established + "in RST 300 -> CLOSED"},
	{unacceptableRST, "an ACK", Breaks, established + "in RST 1302 | ACK 101 301"},
	{rstAtNext, "CLOSED", Keeps, established + "in RST 301 -> CLOSED"},
	{rstAtNext, "a window of 0", Keeps, established + "in PSH,ACK 301 101 +1000 | ACK 101 1301 win=0\nin RST 1301 -> CLOSED"},
	{rstAtNext, "passive", Keeps, received + "in RST 301 -> LISTEN"},
	{rstAtNext, "TIME-WAIT stays", Open, timeWait + "in RST 302"},
	{rstAtNext, "it stays", Breaks, established + "in RST 301"},
	{rstAtNext, "a RST", Breaks, established + "in RST 301 -> CLOSED | RST 101"},
	{rstInWindow, "ACK", Keeps, established + "in RST 310 | ACK 101 301"},
	{rstInWindow, "before RFC 5961", Open, established + "in RST 310 -> CLOSED"},
	{rstInWindow, "two within a second", Open, established + "in RST 310 | ACK 101 301\nat once in RST 310"},
	{rstInWindow, "silence", Breaks, established + "in RST 310"},
	{rstInWindow, "another state", Breaks, established + "in RST 310 -> CLOSE-WAIT | ACK 101 301"},
	{synConnected, "ACK", Keeps, established + "in SYN 300 | ACK 101 301"},
	{synConnected, "SYN,ACK in the window", Keeps, established + "in SYN,ACK 310 101 | ACK 101 301"},
	{synConnected, "simultaneous open", Keeps, crossed + "in SYN 310 | ACK 101 301"},
	{synConnected, "before RFC 5961", Open, established + "in SYN 310 -> CLOSED | RST 101"},
	{synConnected, "two within a second", Open, established + "in SYN 300 | ACK 101 301\nat once in SYN 300"},
	{synConnected, "silence", Breaks, established + "in SYN 300"},
	{synConnected, "CLOSED", Breaks, established + "in SYN 310 -> TIME-WAIT | ACK 101 301"},
	{timeWaitSYN, "ACK", Keeps, timeWait + "in SYN 200 | ACK 102 302"},
	{timeWaitSYN, "another connection", Keeps, timeWait + "in SYN 5000 -> SYN-RECEIVED | SYN,ACK 900 5001"},
	{timeWaitSYN, "silence", Open, timeWait + "in SYN 200"},
	{timeWaitSYN, "another connection from an old SYN", Breaks, timeWait + "in SYN 200 -> SYN-RECEIVED | SYN,ACK 900 201"},
	{timeWaitSYN, "a RST", Breaks, timeWait + "in SYN 5000 | RST,ACK 0 5001"},
	{timeWaitSYN, "an ACK of something else", Breaks, timeWait + "in SYN 200 | ACK 102 201"},
	{noACK, "silence", Keeps, established + "in PSH 301 +5"},
	{noACK, "a FIN", Keeps, established + "in FIN 301"},
	{noACK, "an ACK", Breaks, established + "in PSH 301 +5 | ACK 101 306"},
	{noACK, "CLOSE-WAIT", Breaks, established + "in FIN 301 -> CLOSE-WAIT"},
	{ackBeyond, "ACK", Keeps, established + "in ACK 301 150 | ACK 101 301"},
	{ackBeyond, "silence", Breaks, established + "at once in ACK 301 101\nin ACK 301 150\nin ACK 301 150"},
	{ackBeyond, "two within a second", Open, established + "in ACK 301 150 | ACK 101 301\nat once in ACK 301 150"},
	{ackBeyond, "a RST", Breaks, established + "in ACK 301 150 | RST 150"},
	{ackLongAgo, "ACK", Keeps, passive + "call send | PSH,ACK 101 301 +900\nin ACK 301 1001\ncall send | PSH,ACK 1001 301 +900\nin ACK 301 1901\nin PSH,ACK 301 101 +5 | ACK 1901 301"},
	{ackLongAgo, "CLOSED", Breaks, passive + "call send | PSH,ACK 101 301 +900\nin ACK 301 1001\ncall send | PSH,ACK 1001 301 +900\nin ACK 301 1901\nin PSH,ACK 301 101 +5 -> CLOSED"},
	{ackOnly, "nothing", Keeps, sentFive + "in ACK 301 106"},
	{ackOnly, "more data", Keeps, sentFive + "in ACK 301 106 | PSH,ACK 106 301 +5"},
	{ackOnly, "CLOSED", Breaks, sentFive + "in ACK 301 106 -> CLOSED"},
	{ackOfFIN, "FIN-WAIT-2", Keeps, finWait2},
	{ackOfFIN, "TIME-WAIT", Keeps, closing + "in ACK 302 102 -> TIME-WAIT"},
	{ackOfFIN, "CLOSED", Keeps, lastAck + "in ACK 302 102 -> CLOSED"},
	{ackOfFIN, "with data", Keeps, finWait1 + "in PSH,ACK 301 102 +5 -> FIN-WAIT-2 | ACK 102 306"},
	{ackOfFIN, "behind a gap, which may be held", Open, finWait1 + "in ACK 306 102"},
	{ackOfFIN, "it stays", Breaks, finWait1 + "in ACK 301 102"},
	{ackOfFIN, "LAST-ACK to TIME-WAIT", Breaks, lastAck + "in ACK 302 102 -> TIME-WAIT"},
	{dataInOrder, "ACK", Keeps, established + "in PSH,ACK 301 101 +5 | ACK 101 306"},
	{dataInOrder, "with data of its own", Keeps, established + "in PSH,ACK 301 101 +5 | PSH,ACK 101 306 +5"},
	{dataInOrder, "with the ACK of what came after it", Keeps, established + "in PSH,ACK 301 101 +5\nat once in PSH,ACK 306 101 +5 | ACK 101 311"},
	{dataInOrder, "partly again", Keeps, established + "in PSH,ACK 301 101 +5 | ACK 101 306\nin PSH,ACK 301 101 +9 | ACK 101 310"},
	{dataInOrder, "no ACK", Breaks, established + "in PSH,ACK 301 101 +5"},
	{dataInOrder, "an ACK after a second", Breaks, established + "in PSH,ACK 301 101 +5\ntimer | ACK 101 306"},
	{dataInOrder, "an ACK of less", Breaks, established + "in PSH,ACK 301 101 +5 | ACK 101 305"},
	{dataInOrder, "it is reset", NotObservable, established + "in PSH,ACK 301 101 +5\nat once call abort -> CLOSED | RST 101"},
	{dataInOrder, "it is rebooted", NotObservable, established + "in PSH,ACK 301 101 +5\nat once reboot -> CLOSED"},
	{dataInOrder, "it asks for a MAC", NotObservable, established + "in PSH,ACK 301 101 +5 | ARP"},
	{dataInOrder, "to a full accept queue", Open, received + "in PSH,ACK 301 101 +5"},
	{secondFull, "ACK", Keeps, full + "in ACK 301 101 +500\nat once in ACK 801 101 +500 | ACK 101 1301"},
	{secondFull, "no ACK yet", Open, full + "in ACK 301 101 +500\nat once in ACK 801 101 +500\nat once timer | ACK 101 1301"},
	{secondFull, "data go out first", Open, full + "in ACK 301 101 +500\nat once in ACK 801 101 +500 | PSH,ACK 101 801 +5\nat once timer | ACK 106 1301"},
	{secondFull, "the ACK of the first", Breaks, full + "in ACK 301 101 +500\nat once in ACK 801 101 +500 | ACK 101 801"},
	{dataBehindGap, "ACK", Keeps, established + "in PSH,ACK 306 101 +5 | ACK 101 301"},
	{dataBehindGap, "silence", Open, established + "in PSH,ACK 306 101 +5"},
	{dataBehindGap, "an ACK of it", Breaks, established + "in PSH,ACK 306 101 +5 | ACK 101 311"},
	{finInOrder, "CLOSE-WAIT", Keeps, closeWait},
	{finInOrder, "with data", Keeps, established + "in FIN,PSH,ACK 301 101 +5 -> CLOSE-WAIT | ACK 101 307"},
	{finInOrder, "CLOSING", Keeps, closing},
	{finInOrder, "TIME-WAIT", Keeps, timeWait},
	{finInOrder, "with the ACK of its FIN", Keeps, finWait1 + "in FIN,ACK 301 102 -> TIME-WAIT | ACK 102 302"},
	{finInOrder, "it stays", Breaks, established + "in FIN,ACK 301 101 | ACK 101 302"},
	{finInOrder, "no ACK", Breaks, established + "in FIN,ACK 301 101 -> CLOSE-WAIT"},
	{finInOrder, "an ACK of the data alone", Breaks, established + "in FIN,PSH,ACK 301 101 +5 -> CLOSE-WAIT | ACK 101 306"},
	{finInOrder, "FIN-WAIT-1 to FIN-WAIT-2", Breaks, finWait1 + "in FIN,ACK 301 102 -> FIN-WAIT-2 | ACK 102 302"},
	{finInOrder, "to a full accept queue", Open, received + "in FIN,ACK 301 101"},
	{finBehindGap, "ACK", Keeps, established + "in FIN,ACK 306 101 | ACK 101 301"},
	{finBehindGap, "silence", Open, established + "in FIN,ACK 306 101"},
	{finBehindGap, "CLOSE-WAIT", Breaks, established + "in FIN,ACK 306 101 -> CLOSE-WAIT | ACK 101 301"},
	{finBehindGap, "an ACK of it", Breaks, established + "in FIN,ACK 306 101 | ACK 101 307"},
	{finAgain, "ACK", Keeps, closeWait + "in FIN,ACK 301 101 | ACK 101 302"},
	{finAgain, "in TIME-WAIT", Keeps, timeWait + "in FIN,ACK 301 102 | ACK 102 302"},
	{finAgain, "two within a second", Open, timeWait + "in FIN,ACK 301 102 | ACK 102 302\nat once in FIN,ACK 301 102"},
	{finAgain, "silence", Breaks, timeWait + "in FIN,ACK 301 102"},
	{dataBehindFIN, "nothing", Keeps, closeWait + "in PSH,ACK 302 101 +5"},
	{dataBehindFIN, "CLOSED", Open, lastAck + "in PSH,ACK 302 101 +5 -> CLOSED | RST 102"},
	{dataBehindFIN, "another state", Breaks, closeWait + "in PSH,ACK 302 101 +5 -> TIME-WAIT"},
	{dataAfterClose, "RST", Keeps, finWait2 + "in PSH,ACK 301 102 +5 -> CLOSED | RST 102"},
	{dataAfterClose, "it takes them", Keeps, finWait2 + "in PSH,ACK 301 102 +5 | ACK 102 306"},
	{dataAfterClose, "silence", Breaks, finWait2 + "in PSH,ACK 301 102 +5"},
	{dataAfterClose, "it closes without a word", Breaks, finWait2 + "in PSH,ACK 301 102 +5 -> CLOSED"},

	{callClose, "FIN", Keeps, finWait1},
	{callClose, "LAST-ACK", Keeps, lastAck},
	{callClose, "shutdown", Keeps, shutWait1},
	{callClose, "its FIN waits for data", NotObservable, sentFive + "call close -> FIN-WAIT-1"},
	{callClose, "no FIN", Breaks, established + "call close -> FIN-WAIT-1"},
	{callClose, "no state", Breaks, established + "call close | FIN,ACK 101 301"},
	{callClose, "nothing", Breaks, closeWait + "call close"},
	{callClose, "CLOSED", Breaks, established + "call close -> CLOSED | FIN,ACK 101 301"},
	{callAbort, "RST", Keeps, established + "call abort -> CLOSED | RST 101"},
	{callAbort, "LAST-ACK", Keeps, closeWait + "call shutdown SHUT_WR -> LAST-ACK | FIN,ACK 101 302\ncall abort -> CLOSED"},
	{callAbort, "a close() that resets", Keeps, established + "call close -> CLOSED | RST 101"},
	{callAbort, "Note 3", Open, established + "call abort -> TIME-WAIT | RST 101"},
	{callAbort, "it waits for a MAC", NotObservable, established + "call abort -> CLOSED | ARP"},
	{callAbort, "no RST", Breaks, established + "call abort -> CLOSED"},
	{callAbort, "another number", Breaks, established + "call abort -> CLOSED | RST 100"},
	{callAbort, "it stays", Breaks, established + "call abort | RST 101"},
	{userTimeout, "after 100 s", Keeps, sentFive + strings.Repeat("timer | PSH,ACK 101 301 +5\n", 100) + "timer -> CLOSED"},
	{userTimeout, "at once", Open, sentFive + "timer -> CLOSED"},
	{timeWaitTimeout, "after 4 minutes", Keeps, timeWait + strings.Repeat("in RST 200\n", 240) + "timer -> CLOSED"},
	{timeWaitTimeout, "after a second", Open, timeWait + "timer -> CLOSED"},
	{hardICMP, "CLOSED", Keeps, established + "icmp 3/3 -> CLOSED"},
	{hardICMP, "it stays", Open, established + "icmp 3/3"},
	{hardICMP, "another state", Breaks, established + "icmp 3/3 -> CLOSE-WAIT"},
	{softICMP, "it stays", Keeps, established + "icmp 3/1"},
	{softICMP, "CLOSED", Breaks, connecting + "icmp 3/1 -> CLOSED"},
	{badChecksum, "silence", Keeps, established + "in FIN,ACK 301 101 bad"},
	{badChecksum, "an answer", Breaks, established + "in FIN,ACK 301 101 bad | ACK 101 302"},
	{badChecksum, "CLOSED", Breaks, established + "in RST 301 bad -> CLOSED"},
	{badChecksum, "nobody there", Breaks, "in SYN 300 bad | RST,ACK 0 301"},

	{sentAcknowledges, "what has come", Keeps, established + "in PSH,ACK 301 101 +5 | ACK 101 306"},
	{sentAcknowledges, "with what was behind a gap", Keeps, established + "in FIN,ACK 311 101 | ACK 101 301\nin PSH,ACK 306 101 +5 | ACK 101 301\nin PSH,ACK 301 101 +5 -> CLOSE-WAIT | ACK 101 312"},
	{sentAcknowledges, "what has not come", Breaks, established + "in PSH,ACK 306 101 +5 | ACK 101 311"},
	{sentAcknowledges, "less than before", Breaks, established + "in PSH,ACK 301 101 +5 | ACK 101 306\ntimer | ACK 101 301"},
	{sentInWindow, "up to the edge", Keeps, established + "call send | PSH,ACK 101 301 +1000"},
	{sentInWindow, "a probe", Keeps, established + "in ACK 301 101 win=0\ntimer | PSH,ACK 101 301 +1"},
	{sentInWindow, "SND.UNA goes on, and SND.WND stays", Keeps, sentFive + "in ACK 310 101 win=100\nin ACK 301 106 win=5\ncall send | PSH,ACK 106 301 +100"},
	{sentInWindow, "shrunk", Open, established + "in ACK 301 101 win=5\ncall send | PSH,ACK 101 301 +6"},
	{sentInWindow, "beyond", Breaks, established + "call send | PSH,ACK 101 301 +1001"},
	{sentInWindow, "the window of an old ACK", Breaks, sentFive + "in ACK 301 106 win=0\nin ACK 301 101 win=1000\ncall send | PSH,ACK 106 301 +999"},
	{sentInWindow, "a probe without a timer", Breaks, connecting + "in SYN,ACK 300 101 win=0 -> ESTABLISHED | ACK 101 301\ncall send | PSH,ACK 101 301 +1"},
	{sentFIN, "behind all", Keeps, sentFive + "call close -> FIN-WAIT-1 | FIN,ACK 106 301"},
	{sentFIN, "again", Keeps, finWait1 + "timer | FIN,ACK 101 301"},
	{sentFIN, "before the end", Breaks, sentFive + "call close -> FIN-WAIT-1 | FIN,ACK 103 301"},
	{sentFIN, "data behind it", Breaks, finWait1 + "call send | PSH,ACK 102 301 +5"},
	{sentFIN, "another", Breaks, finWait1 + "timer | FIN,ACK 101 301 +5"},
	{againByTimer, "SYN", Keeps, connecting + "timer | SYN 100"},
	{againByTimer, "data", Keeps, sentFive + "timer | PSH,ACK 101 301 +5"},
	{againByTimer, "FIN", Keeps, finWait1 + "timer | FIN,ACK 101 301"},
	{againByTimer, "what was acknowledged behind a gap", Keeps, sentFive + "in ACK 310 106\ntimer | PSH,ACK 101 301 +5"},
	{againByTimer, "SYN too early", Open, connecting + "at once timer | SYN 100"},
	{againByTimer, "what is not first", Open, sentFive + "timer | PSH,ACK 104 301 +2"},
	{againByTimer, "what was acknowledged", Breaks, sentFive + "in ACK 301 106\ntimer | PSH,ACK 101 301 +5"},
	{againOctets, "the same", Keeps, sentFive + "timer | PSH,ACK 101 301 data=hello"},
	{againOctets, "cut otherwise", Keeps, sentFive + "timer | PSH,ACK 103 301 data=llo"},
	{againOctets, "others", Breaks, sentFive + "timer | PSH,ACK 101 301 data=hallo"},
	{againOctets, "a probe with another octet", Breaks, sentFive + "in ACK 301 106 win=0\ntimer | PSH,ACK 105 301 data=x"},
	{againBackOff, "as long", Keeps, sentFive + strings.Repeat("timer | PSH,ACK 101 301 +5\n", 3)},
	{againBackOff, "shorter", Breaks, sentFive + "timer | PSH,ACK 101 301 +5\ntimer | PSH,ACK 101 301 +5\nat once timer | PSH,ACK 101 301 +5"},
}

// full is a connection whose segments are full with 500 octets.
const full = closed + "call connect -> SYN-SENT | SYN 100 mss=500\nin SYN,ACK 300 101 -> ESTABLISHED | ACK 101 301\n"

// outcome is what became of the case's rule, and whether any other was broken.
func (c *ruleCase) outcome(t testing.TB) (got string, other []string) {
	t.Helper()
	got = "not met"
	for _, a := range Answers(story(t, c.trace)) {
		if a.Rule == &rules[c.rule] {
			got = a.Keeping.String()
		} else if a.Keeping == Breaks {
			other = append(other, a.String())
		}
	}
	return got, other
}

// TestRules: of each rule traces that keep it, break it and leave it open. One that keeps a rule breaks no other.
func TestRules(t *testing.T) {
	seen := map[int][]Keeping{}
	for i := range ruleCases {
		c := &ruleCases[i]
		t.Run(fmt.Sprintf("%s/%s", rules[c.rule].ID, c.name), func(t *testing.T) {
			got, other := c.outcome(t)
			if got != c.want.String() {
				t.Errorf("it %s, want %s", got, c.want)
			}
			if c.want != Breaks && len(other) > 0 {
				t.Errorf("broken too: %s", strings.Join(other, "; "))
			}
		})
		seen[c.rule] = append(seen[c.rule], c.want)
	}
	for i := range rules {
		// How long R2 and 2 MSL are is left to a stack, but for a SYN.
		other := Breaks
		if i == userTimeout || i == timeWaitTimeout {
			other = Open
		}
		if !slices.Contains(seen[i], Keeps) || !slices.Contains(seen[i], other) {
			t.Errorf("%s: the cases are %v", rules[i].ID, seen[i])
		}
	}
}

// TestRulesAreWhole: each has a name, a section, states and a key of its own.
func TestRulesAreWhole(t *testing.T) {
	keys := map[string]bool{}
	for _, r := range Rules() {
		if r.ID == "" || r.Section == "" || len(r.States) == 0 || keys[r.Key()] || !slices.IsSorted(r.States) {
			t.Errorf("%+v", r)
		}
		keys[r.Key()] = true
	}
	if got, want := rules[synSentSYNACK].Key(), "rfc.rule.syn-sent-syn-ack-with-the-ack-of-its-syn"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	Rules()[0].ID = ""
	if rules[0].ID == "" {
		t.Error("a caller can change the table")
	}
}

// TestMutatedRules: without any of what a rule owes, leads to or permits, at least one of the cases turns out otherwise.
func TestMutatedRules(t *testing.T) {
	whole := rules
	defer func() { rules = whole }()
	want := make([]string, len(ruleCases))
	for i := range ruleCases {
		got, other := ruleCases[i].outcome(t)
		want[i] = fmt.Sprint(got, other)
	}
	mutants := 0
	differs := func(what string) {
		t.Helper()
		mutants++
		defer func() { rules = whole }()
		for i := range ruleCases {
			if got, other := ruleCases[i].outcome(t); fmt.Sprint(got, other) != want[i] {
				return
			}
		}
		t.Errorf("%s: no case notices", what)
	}
	for i := range rules {
		r := &rules[i]
		if r.owes != owesAny {
			r.owes = owesAny
			differs(r.ID + " owes nothing")
		}
		for _, other := range []owed{owesNothing, owesRSTAck, owesACK} {
			if judged := whole[i].owes != owesAny; judged && other != whole[i].owes {
				r.owes = other
				differs(fmt.Sprintf("%s owes %q", r.ID, notation[other]))
			}
		}
		if r.moves {
			r.moves = false
			differs(r.ID + " leads nowhere")
		}
		for bit := laxSilence; bit <= laxLimit; bit <<= 1 {
			if whole[i].lax&bit != 0 {
				r.lax &^= bit
				differs(fmt.Sprintf("%s without permission %d", r.ID, bit))
			}
		}
	}
	t.Logf("%d mutants against %d cases", mutants, len(ruleCases))
}

// TestNoStates: of a host whose states are not in the trace, what a state decides is not observable. What holds in each state is.
func TestNoStates(t *testing.T) {
	for i := range ruleCases {
		c := &ruleCases[i]
		tr := story(t, c.trace)
		tr.Header.Hosts[0].Capabilities = nil
		for n := range tr.Events {
			if _, ok := tr.Events[n].Detail.(*trace.StateChange); ok {
				tr.Events[n].Detail = &trace.Note{}
			}
		}
		broken := false
		for _, a := range Answers(tr) {
			if a.Keeping == Breaks && !a.Rule.any {
				t.Errorf("%s/%s: %v", rules[c.rule].ID, c.name, &a)
			}
			broken = broken || a.Keeping == Breaks && a.Rule == &rules[c.rule]
		}
		changes := strings.Contains(c.trace, "bad -> ") // only a state tells
		if want := c.want == Breaks && rules[c.rule].any && !changes; broken != want {
			t.Errorf("%s/%s: it is broken: %v, want %v", rules[c.rule].ID, c.name, broken, want)
		}
	}
}
