package script_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// The facts of a run, a line each:
//
//	20ms client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets, dropped by "…"
//	0s client asks for 192.0.2.2
//	10ms server 192.0.2.2 is 00:00:5e:00:53:02
//	client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms
//	client 1: connect 0s, 20ms = 0
//
// A segment has the socket that sent it, and the time when. Sequence numbers count from the initial one of their direction; an
// apostrophe stands behind those of the second connection with the same addresses and ports, and `=` before a number for
// which there was none. A state has the time at which it was reached.
type factSheet struct {
	segments, states, connects []string
	end                        string
}

func factsOf(t *testing.T, tr *trace.Trace) factSheet {
	t.Helper()
	var f factSheet
	numbers := relativeNumbers{}
	var ids []socketID
	stays := map[socketID][]string{}
	last := map[socketID]trace.State{}
	for i := range tr.Events {
		e := &tr.Events[i]
		id := idOf(e)
		switch d := e.Detail.(type) {
		case *trace.Sent:
			seg, isSegment := readSegment(d.Packet)
			talk, isTalk := readNeighborTalk(d.Packet)
			switch {
			case isSegment:
				f.segments = append(f.segments, fmt.Sprintf("%v %v %v %s", e.At, id, seg.flags, numbers.text(&seg)))
			case isTalk && talk.asks:
				f.segments = append(f.segments, fmt.Sprintf("%v %s asks for %v", e.At, e.Host, talk.of))
			case isTalk:
				f.segments = append(f.segments, fmt.Sprintf("%v %s %v is %v", e.At, e.Host, talk.of, talk.mac))
			default:
				t.Fatalf("event %d is neither a TCP segment nor about a neighbor", e.N)
			}
		case *trace.Fate:
			line := &f.segments[len(f.segments)-1]
			*line += ", " + d.Kind.String()
			if d.Rule != "" {
				*line += fmt.Sprintf(" by %q", d.Rule)
			}
		case *trace.StateChange:
			if stays[id] == nil {
				ids = append(ids, id)
				if d.Listener != 0 {
					stays[id] = append(stays[id], fmt.Sprintf("of %d", d.Listener))
				}
			}
			if last[id] != d.To {
				stays[id] = append(stays[id], fmt.Sprintf("%v %v", d.To, e.At))
			}
			last[id] = d.To
		case *trace.Return:
			call := tr.Event(d.Call)
			if call.Detail.(*trace.Call).Name == "connect" {
				f.connects = append(f.connects, fmt.Sprintf("%v: connect %v, %v = %v", id, call.At, e.At, d))
			}
		default:
		}
	}
	for _, id := range ids {
		f.states = append(f.states, fmt.Sprintf("%v: %s", id, strings.Join(stays[id], ", ")))
	}
	f.end = fmt.Sprintf("%v %v", tr.End.Reason, tr.End.At)
	return f
}

// relativeNumbers are the initial sequence numbers of each direction, in the order in which they were used.
type relativeNumbers map[string][]uint32

func (r relativeNumbers) text(s *segment) string {
	there, back := fmt.Sprint(s.src, s.dst), fmt.Sprint(s.dst, s.src)
	if s.flags.Has(trace.SYN) && !slices.Contains(r[there], s.seq) {
		r[there] = append(r[there], s.seq)
	}
	text := "<SEQ=" + r.number(there, s.seq) + ">"
	if s.flags.Has(trace.ACK) {
		text += "<ACK=" + r.number(back, s.ack) + ">"
	}
	if s.data > 0 {
		text += fmt.Sprintf(" %d octets", s.data)
	}
	return text
}

func (r relativeNumbers) number(direction string, n uint32) string {
	for i, isn := range slices.Backward(r[direction]) {
		if n-isn < 1<<20 {
			return fmt.Sprintf("%d%s", n-isn, strings.Repeat("'", i))
		}
	}
	return fmt.Sprintf("=%d", n)
}

// lines splits a want into its lines, without the spaces that put them into columns.
func lines(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// A storyFact is what must come of a built-in story between two gVisor stacks, over a link of 10 ms one way.
type storyFact struct {
	segments, states, connects, end string
}

// TIME-WAIT lasts 60 s in gVisor. It acknowledges each segment at once. Its full segment has 1420 octets at an MTU of
// 1500 with SACK and timestamps: it leaves room for 40 octets of options in each.
var storyFacts = map[string]storyFact{
	"plain": {
		segments: `
			0s   client 1 SYN     <SEQ=0>
			10ms server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms client 1 ACK     <SEQ=1><ACK=1>
			20ms client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets
			30ms server 2 ACK     <SEQ=1><ACK=6>
			30ms server 2 PSH,ACK <SEQ=1><ACK=6> 5 octets
			40ms client 1 ACK     <SEQ=6><ACK=6>
			40ms client 1 FIN,ACK <SEQ=6><ACK=6>
			50ms server 2 ACK     <SEQ=6><ACK=7>
			50ms server 2 FIN,ACK <SEQ=6><ACK=7>
			60ms client 1 ACK     <SEQ=7><ACK=7>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s, CLOSED 50ms
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 40ms, FIN-WAIT-2 60ms, TIME-WAIT 60ms, CLOSED 1m0.06s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 50ms, LAST-ACK 50ms, CLOSED 70ms`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m0.06s",
	},
	// RFC 9293, Section 3.10.7.1: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.
	"refused": {
		segments: `
			0s   client 1 SYN     <SEQ=0>
			10ms server 0 RST,ACK <SEQ==0><ACK=1>`,
		states:   `client 1: CLOSED 0s, SYN-SENT 0s, CLOSED 20ms`,
		connects: `client 1: connect 0s, 20ms = -1 ECONNREFUSED`,
		end:      "finished 25ms",
	},
	"silent-host": {
		segments: `
			0s    client 1 SYN <SEQ=0>, dropped by "drop client any"
			1s    client 1 SYN <SEQ=0>, dropped by "drop client any"
			3s    client 1 SYN <SEQ=0>, dropped by "drop client any"
			7s    client 1 SYN <SEQ=0>, dropped by "drop client any"
			15s   client 1 SYN <SEQ=0>, dropped by "drop client any"
			31s   client 1 SYN <SEQ=0>, dropped by "drop client any"
			1m3s  client 1 SYN <SEQ=0>, dropped by "drop client any"`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, CLOSED 2m7s`,
		connects: `client 1: connect 0s, 2m7s = -1 ETIMEDOUT`,
		end:      "finished 2m7s",
	},
	"syn-lost": {
		segments: `
			0s    client 1 SYN     <SEQ=0>, dropped by "drop client SYN#1"
			1s    client 1 SYN     <SEQ=0>
			1.01s server 2 SYN,ACK <SEQ=0><ACK=1>
			1.02s client 1 ACK     <SEQ=1><ACK=1>
			1.02s client 1 FIN,ACK <SEQ=1><ACK=1>
			1.03s server 2 ACK     <SEQ=1><ACK=2>
			1.03s server 2 FIN,ACK <SEQ=1><ACK=2>
			1.04s client 1 ACK     <SEQ=2><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 1.02s, FIN-WAIT-1 1.02s, FIN-WAIT-2 1.04s, TIME-WAIT 1.04s, CLOSED 1m1.04s
			server 2: of 1, SYN-RECEIVED 1.01s, ESTABLISHED 1.03s, CLOSE-WAIT 1.03s, LAST-ACK 1.03s, CLOSED 1.05s`,
		connects: `client 1: connect 0s, 1.02s = 0`,
		end:      "finished 1m1.04s",
	},
	// At 1.01 s the SYN comes a second time, and then the server's own timer, armed at 10 ms, runs out. RFC 9293, Section
	// 3.10.7.4: in SYN-RECEIVED a SYN with the old number is answered with an ACK. That is acceptable to the client in SYN-SENT, and
	// without a SYN of no use to it.
	"synack-lost": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>, dropped by "drop server SYN,ACK#1"
			1s    client 1 SYN     <SEQ=0>
			1.01s server 2 ACK     <SEQ=1><ACK=1>
			1.01s server 2 SYN,ACK <SEQ=0><ACK=1>
			1.02s client 1 ACK     <SEQ=1><ACK=1>
			1.02s client 1 FIN,ACK <SEQ=1><ACK=1>
			1.03s server 2 ACK     <SEQ=1><ACK=2>
			1.03s server 2 FIN,ACK <SEQ=1><ACK=2>
			1.04s client 1 ACK     <SEQ=2><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 1.02s, FIN-WAIT-1 1.02s, FIN-WAIT-2 1.04s, TIME-WAIT 1.04s, CLOSED 1m1.04s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 1.03s, CLOSE-WAIT 1.03s, LAST-ACK 1.03s, CLOSED 1.05s`,
		connects: `client 1: connect 0s, 1.02s = 0`,
		end:      "finished 1m1.04s",
	},
	"last-ack-lost": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>, dropped by "drop client ACK#1"
			1.01s server 2 SYN,ACK <SEQ=0><ACK=1>
			1.02s client 1 ACK     <SEQ=1><ACK=1>
			3.02s client 1 FIN,ACK <SEQ=1><ACK=1>
			3.03s server 2 ACK     <SEQ=1><ACK=2>
			3.03s server 2 FIN,ACK <SEQ=1><ACK=2>
			3.04s client 1 ACK     <SEQ=2><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 3.02s, FIN-WAIT-2 3.04s, TIME-WAIT 3.04s, CLOSED 1m3.04s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 1.03s, CLOSE-WAIT 3.03s, LAST-ACK 3.03s, CLOSED 3.05s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m3.04s",
	},
	"fresh-send": {
		states: `client 1: CLOSED 0s`,
		end:    "finished 1s",
	},
	// A SYN,ACK that comes to SYN-RECEIVED carries a SYN with an old number: by RFC 9293, Section 3.10.7.4, it is not acceptable and
	// is answered with an ACK, which then ends it. Figure 7 lets the SYN,ACK itself end it; gVisor does as the text says.
	"simultaneous-open": {
		segments: `
			0s    server 1 SYN     <SEQ=0>
			0s    client 1 SYN     <SEQ=0>
			10ms  client 1 SYN,ACK <SEQ=0><ACK=1>
			10ms  server 1 SYN,ACK <SEQ=0><ACK=1>
			20ms  server 1 ACK     <SEQ=1><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>
			1s    client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets
			1s    client 1 FIN,ACK <SEQ=6><ACK=1>
			1.01s server 1 ACK     <SEQ=1><ACK=6>
			1.01s server 1 ACK     <SEQ=1><ACK=7>
			1.01s server 1 FIN,ACK <SEQ=1><ACK=7>
			1.02s client 1 ACK     <SEQ=7><ACK=2>`,
		states: `
			server 1: CLOSED 0s, SYN-SENT 0s, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 1.01s, LAST-ACK 1.01s, CLOSED 1.03s
			client 1: CLOSED 0s, SYN-SENT 0s, SYN-RECEIVED 10ms, ESTABLISHED 30ms, FIN-WAIT-1 1s, FIN-WAIT-2 1.02s, TIME-WAIT 1.02s, CLOSED 1m1.02s`,
		connects: `
			client 1: connect 0s, 30ms = 0
			server 1: connect 0s, 30ms = 0`,
		end: "finished 1m1.02s",
	},
	"simultaneous-close": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>
			1s    server 2 FIN,ACK <SEQ=1><ACK=1>
			1s    client 1 FIN,ACK <SEQ=1><ACK=1>
			1.01s client 1 ACK     <SEQ=2><ACK=2>
			1.01s server 2 ACK     <SEQ=2><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 1s, CLOSING 1.01s, TIME-WAIT 1.02s, CLOSED 1m1.02s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, FIN-WAIT-1 1s, CLOSING 1.01s, TIME-WAIT 1.02s, CLOSED 1m1.02s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m1.02s",
	},
	"half-close": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>
			20ms  client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets
			20ms  client 1 FIN,ACK <SEQ=6><ACK=1>
			30ms  server 2 ACK     <SEQ=1><ACK=6>
			30ms  server 2 ACK     <SEQ=1><ACK=7>
			1.03s server 2 ACK     <SEQ=1><ACK=7> 1420 octets
			1.03s server 2 ACK     <SEQ=1421><ACK=7> 1420 octets
			1.03s server 2 PSH,ACK <SEQ=2841><ACK=7> 160 octets
			1.03s server 2 FIN,ACK <SEQ=3001><ACK=7>
			1.04s client 1 ACK     <SEQ=7><ACK=1421>
			1.04s client 1 ACK     <SEQ=7><ACK=2841>
			1.04s client 1 ACK     <SEQ=7><ACK=3001>
			1.04s client 1 ACK     <SEQ=7><ACK=3002>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 20ms, FIN-WAIT-2 40ms, TIME-WAIT 1.04s, CLOSED 1m1.04s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 30ms, LAST-ACK 1.03s, CLOSED 1.05s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m1.04s",
	},
	"abort": {
		segments: `
			0s   client 1 SYN     <SEQ=0>
			10ms server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms client 1 ACK     <SEQ=1><ACK=1>
			1s   client 1 RST,ACK <SEQ=1><ACK=1>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, CLOSED 1s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSED 1.01s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1.015s",
	},
	// RFC 9293, Figure 10. The RST of a stack that knows nothing has the number that the segment acknowledged, and no ACK.
	"half-open-a": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>
			1s    server 2 RST,ACK <SEQ=1><ACK=1>, host-gone
			2s    client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets
			2.01s server 0 RST     <SEQ=1>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s, CLOSED 1s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, CLOSED 2.02s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSED 1s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 2.025s",
	},
	// RFC 9293, Figure 9: a SYN, the ACK of the old connection, a RST with the number that it acknowledged, and the SYN again.
	// After such an ACK gVisor sends its SYN again at once: in 2 µs, and then in twice the time before, until it is answered.
	// The server acknowledges the second of them and then no more: it limits such acknowledgments.
	"half-open-b": {
		segments: `
			0s        client 1 SYN     <SEQ=0>
			10ms      server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms      client 1 ACK     <SEQ=1><ACK=1>
			1s        client 1 RST,ACK <SEQ=1><ACK=1>, host-gone
			2s        client 2 SYN     <SEQ=0'>
			2.01s     server 2 ACK     <SEQ=1><ACK=1>
			2.02s     client 2 RST     <SEQ=1>
			2.020002s client 2 SYN     <SEQ=0'>
			2.020006s client 2 SYN     <SEQ=0'>
			2.020014s client 2 SYN     <SEQ=0'>
			2.02003s  client 2 SYN     <SEQ=0'>
			2.020062s client 2 SYN     <SEQ=0'>
			2.020126s client 2 SYN     <SEQ=0'>
			2.020254s client 2 SYN     <SEQ=0'>
			2.02051s  client 2 SYN     <SEQ=0'>
			2.021022s client 2 SYN     <SEQ=0'>
			2.022046s client 2 SYN     <SEQ=0'>
			2.024094s client 2 SYN     <SEQ=0'>
			2.02819s  client 2 SYN     <SEQ=0'>
			2.030002s server 3 SYN,ACK <SEQ=0'><ACK=1'>
			2.030006s server 3 ACK     <SEQ=1'><ACK=1'>
			2.036382s client 2 SYN     <SEQ=0'>
			2.040002s client 2 ACK     <SEQ=1'><ACK=1'>
			2.040002s client 2 FIN,ACK <SEQ=1'><ACK=1'>
			2.050002s server 3 ACK     <SEQ=1'><ACK=2'>
			2.050002s server 3 FIN,ACK <SEQ=1'><ACK=2'>
			2.060002s client 2 ACK     <SEQ=2'><ACK=2'>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, CLOSED 1s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSED 2.03s
			client 2: CLOSED 2s, SYN-SENT 2s, ESTABLISHED 2.040002s, FIN-WAIT-1 2.040002s, FIN-WAIT-2 2.060002s, TIME-WAIT 2.060002s, CLOSED 1m2.060002s
			server 3: of 1, SYN-RECEIVED 2.030002s, ESTABLISHED 2.050002s, CLOSE-WAIT 2.050002s, LAST-ACK 2.050002s, CLOSED 2.070002s`,
		connects: `
			client 1: connect 0s, 20ms = 0
			client 2: connect 2s, 2.040002s = 0`,
		end: "finished 1m2.060002s",
	},
	// The backlog is 1. gVisor keeps one connection in SYN-RECEIVED and answers the others from SYN cookies; two fit into the
	// accept queue, and the third's ACK is dropped without a word. Its data go out again after 0.2, 0.4, 0.8, … s, and the first
	// that find room in the queue (from 5 s on) make the connection.
	"full-accept-queue": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			0s    client 2 SYN     <SEQ=0>
			0s    client 3 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>
			10ms  server 1 SYN,ACK <SEQ=0><ACK=1>
			10ms  server 1 SYN,ACK <SEQ=0><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>
			20ms  client 2 ACK     <SEQ=1><ACK=1>
			20ms  client 3 ACK     <SEQ=1><ACK=1>
			1s    client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets
			1s    client 2 PSH,ACK <SEQ=1><ACK=1> 5 octets
			1s    client 3 PSH,ACK <SEQ=1><ACK=1> 5 octets
			1.01s server 2 ACK     <SEQ=1><ACK=6>
			1.01s server 3 ACK     <SEQ=1><ACK=6>
			1.2s  client 3 PSH,ACK <SEQ=1><ACK=1> 5 octets
			1.6s  client 3 PSH,ACK <SEQ=1><ACK=1> 5 octets
			2.4s  client 3 PSH,ACK <SEQ=1><ACK=1> 5 octets
			4s    client 3 PSH,ACK <SEQ=1><ACK=1> 5 octets
			7.2s  client 3 PSH,ACK <SEQ=1><ACK=1> 5 octets
			7.21s server 4 ACK     <SEQ=1><ACK=6>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms
			client 2: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms
			client 3: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms
			server 3: of 1, ESTABLISHED 30ms
			server 4: of 1, ESTABLISHED 7.21s`,
		connects: `
			client 1: connect 0s, 20ms = 0
			client 2: connect 0s, 20ms = 0
			client 3: connect 0s, 20ms = 0`,
		end: "finished 7.22s",
	},
	"syn-cookies": {
		segments: `
			0s   client 1 SYN     <SEQ=0>
			10ms server 1 SYN,ACK <SEQ=0><ACK=1>
			20ms client 1 ACK     <SEQ=1><ACK=1>
			20ms client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets
			20ms client 1 FIN,ACK <SEQ=6><ACK=1>
			30ms server 2 ACK     <SEQ=1><ACK=6>
			30ms server 2 ACK     <SEQ=1><ACK=7>
			30ms server 2 FIN,ACK <SEQ=1><ACK=7>
			40ms client 1 ACK     <SEQ=7><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 20ms, FIN-WAIT-2 40ms, TIME-WAIT 40ms, CLOSED 1m0.04s
			server 2: of 1, ESTABLISHED 30ms, CLOSE-WAIT 30ms, LAST-ACK 30ms, CLOSED 50ms`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m0.04s",
	},
	"send-and-close": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1> 1420 octets
			20ms  client 1 ACK     <SEQ=1421><ACK=1> 1420 octets
			20ms  client 1 PSH,ACK <SEQ=2841><ACK=1> 160 octets
			20ms  client 1 FIN,ACK <SEQ=3001><ACK=1>
			30ms  server 2 ACK     <SEQ=1><ACK=1421>
			30ms  server 2 ACK     <SEQ=1><ACK=2841>
			30ms  server 2 ACK     <SEQ=1><ACK=3001>
			30ms  server 2 ACK     <SEQ=1><ACK=3002>
			1.03s server 2 FIN,ACK <SEQ=1><ACK=3002>
			1.04s client 1 ACK     <SEQ=3002><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 20ms, FIN-WAIT-2 40ms, TIME-WAIT 1.04s, CLOSED 1m1.04s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 30ms, LAST-ACK 1.03s, CLOSED 1.05s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m1.04s",
	},
	"ipv6": {
		segments: `
			0s   client 1 SYN     <SEQ=0>
			10ms server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms client 1 ACK     <SEQ=1><ACK=1>
			20ms client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets
			30ms server 2 ACK     <SEQ=1><ACK=6>
			30ms server 2 PSH,ACK <SEQ=1><ACK=6> 5 octets
			40ms client 1 ACK     <SEQ=6><ACK=6>
			40ms client 1 FIN,ACK <SEQ=6><ACK=6>
			50ms server 2 ACK     <SEQ=6><ACK=7>
			50ms server 2 FIN,ACK <SEQ=6><ACK=7>
			60ms client 1 ACK     <SEQ=7><ACK=7>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 40ms, FIN-WAIT-2 60ms, TIME-WAIT 60ms, CLOSED 1m0.06s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 50ms, LAST-ACK 50ms, CLOSED 70ms`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m0.06s",
	},
	// RFC 826: one question to all, one answer to who has asked, and the SYN leaves when the answer has come.
	"ethernet": {
		segments: `
			0s   client asks for 192.0.2.2
			10ms server 192.0.2.2 is 00:00:5e:00:53:02
			20ms client 1 SYN     <SEQ=0>
			30ms server 2 SYN,ACK <SEQ=0><ACK=1>
			40ms client 1 ACK     <SEQ=1><ACK=1>
			40ms client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets
			50ms server 2 ACK     <SEQ=1><ACK=6>
			50ms server 2 PSH,ACK <SEQ=1><ACK=6> 5 octets
			60ms client 1 ACK     <SEQ=6><ACK=6>
			60ms client 1 FIN,ACK <SEQ=6><ACK=6>
			70ms server 2 ACK     <SEQ=6><ACK=7>
			70ms server 2 FIN,ACK <SEQ=6><ACK=7>
			80ms client 1 ACK     <SEQ=7><ACK=7>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 40ms, FIN-WAIT-1 60ms, FIN-WAIT-2 80ms, TIME-WAIT 80ms, CLOSED 1m0.08s
			server 2: of 1, SYN-RECEIVED 30ms, ESTABLISHED 50ms, CLOSE-WAIT 70ms, LAST-ACK 70ms, CLOSED 90ms`,
		connects: `client 1: connect 0s, 40ms = 0`,
		end:      "finished 1m0.08s",
	},
	// gVisor asks three times, a second apart (RFC 4861, Section 10: MAX_MULTICAST_SOLICIT and RETRANS_TIMER, which it takes for
	// ARP too). No TCP segment is sent at any time.
	"nobody-ethernet": {
		segments: `
			0s client asks for 192.0.2.9
			1s client asks for 192.0.2.9
			2s client asks for 192.0.2.9`,
		states:   `client 1: CLOSED 0s, SYN-SENT 0s, CLOSED 3s`,
		connects: `client 1: connect 0s, 3s = -1 EHOSTUNREACH`,
		end:      "finished 3.5s",
	},
	// The segment that arrives broken at .030 has no answer. The tail loss probe sends it again.
	"corrupted": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>
			20ms  client 1 PSH,ACK <SEQ=1><ACK=1> 20 octets, corrupted by "corrupt client data#1 55.6"
			260ms client 1 PSH,ACK <SEQ=1><ACK=1> 20 octets
			270ms server 2 ACK     <SEQ=1><ACK=21>
			2s    client 1 FIN,ACK <SEQ=21><ACK=1>
			2.01s server 2 ACK     <SEQ=1><ACK=22>
			2.01s server 2 FIN,ACK <SEQ=1><ACK=22>
			2.02s client 1 ACK     <SEQ=22><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 2s, FIN-WAIT-2 2.02s, TIME-WAIT 2.02s, CLOSED 1m2.02s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 2.01s, LAST-ACK 2.01s, CLOSED 2.03s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m2.02s",
	},
	// Two segments that come too early have two acknowledgments of what is still missing, and nothing is sent again.
	"reordered": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1> 1420 octets, reordered by "reorder client data#1 2"
			20ms  client 1 ACK     <SEQ=1421><ACK=1> 1420 octets
			20ms  client 1 ACK     <SEQ=2841><ACK=1> 1420 octets
			20ms  client 1 PSH,ACK <SEQ=4261><ACK=1> 120 octets
			30ms  server 2 ACK     <SEQ=1><ACK=1>
			30ms  server 2 ACK     <SEQ=1><ACK=1>
			30ms  server 2 ACK     <SEQ=1><ACK=4261>
			30ms  server 2 ACK     <SEQ=1><ACK=4381>
			1s    client 1 FIN,ACK <SEQ=4381><ACK=1>
			1.01s server 2 ACK     <SEQ=1><ACK=4382>
			1.01s server 2 FIN,ACK <SEQ=1><ACK=4382>
			1.02s client 1 ACK     <SEQ=4382><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 1s, FIN-WAIT-2 1.02s, TIME-WAIT 1.02s, CLOSED 1m1.02s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 1.01s, LAST-ACK 1.01s, CLOSED 1.03s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m1.02s",
	},
	// The window of 3992 octets is full at .05. Each probe is the last octet that was acknowledged, and is answered with the
	// same acknowledgment; they go out after the RTO, and then after twice the time before. At 5 s the server reads, and says by
	// itself that there is room.
	"slow-reader": {
		segments: `
			0s    client 1 SYN     <SEQ=0>
			10ms  server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1>
			20ms  client 1 ACK     <SEQ=1><ACK=1> 1420 octets
			20ms  client 1 ACK     <SEQ=1421><ACK=1> 1420 octets
			30ms  server 2 ACK     <SEQ=1><ACK=1421>
			30ms  server 2 ACK     <SEQ=1><ACK=2841>
			40ms  client 1 ACK     <SEQ=2841><ACK=1> 1152 octets
			50ms  server 2 ACK     <SEQ=1><ACK=3993>
			320ms client 1 ACK     <SEQ=3992><ACK=1> 1 octets
			330ms server 2 ACK     <SEQ=1><ACK=3993>
			720ms client 1 ACK     <SEQ=3992><ACK=1> 1 octets
			730ms server 2 ACK     <SEQ=1><ACK=3993>
			1.52s client 1 ACK     <SEQ=3992><ACK=1> 1 octets
			1.53s server 2 ACK     <SEQ=1><ACK=3993>
			3.12s client 1 ACK     <SEQ=3992><ACK=1> 1 octets
			3.13s server 2 ACK     <SEQ=1><ACK=3993>
			5s    server 2 ACK     <SEQ=1><ACK=3993>
			5s    server 2 ACK     <SEQ=1><ACK=3993>
			5.01s client 1 ACK     <SEQ=3993><ACK=1> 1408 octets
			5.02s server 2 ACK     <SEQ=1><ACK=5401>
			5.03s client 1 ACK     <SEQ=5401><ACK=1> 1420 octets
			5.03s client 1 PSH,ACK <SEQ=6821><ACK=1> 1180 octets
			5.04s server 2 ACK     <SEQ=1><ACK=6821>
			5.04s server 2 ACK     <SEQ=1><ACK=6821>
			5.04s server 2 ACK     <SEQ=1><ACK=8001>
			5.05s client 1 FIN,ACK <SEQ=8001><ACK=1>
			5.06s server 2 ACK     <SEQ=1><ACK=8002>
			5.06s server 2 FIN,ACK <SEQ=1><ACK=8002>
			5.07s client 1 ACK     <SEQ=8002><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 120ms, FIN-WAIT-2 5.07s, TIME-WAIT 5.07s, CLOSED 1m5.07s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 5.06s, LAST-ACK 5.06s, CLOSED 5.08s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 1m5.07s",
	},
	"idle-year": {
		segments: `
			0s           client 1 SYN     <SEQ=0>
			10ms         server 2 SYN,ACK <SEQ=0><ACK=1>
			20ms         client 1 ACK     <SEQ=1><ACK=1>
			8760h0m0.02s client 1 PSH,ACK <SEQ=1><ACK=1> 5 octets
			8760h0m0.02s client 1 FIN,ACK <SEQ=6><ACK=1>
			8760h0m0.03s server 2 ACK     <SEQ=1><ACK=6>
			8760h0m0.03s server 2 ACK     <SEQ=1><ACK=7>
			8760h0m0.03s server 2 FIN,ACK <SEQ=1><ACK=7>
			8760h0m0.04s client 1 ACK     <SEQ=7><ACK=2>`,
		states: `
			server 1: CLOSED 0s, LISTEN 0s
			client 1: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, FIN-WAIT-1 8760h0m0.02s, FIN-WAIT-2 8760h0m0.04s, TIME-WAIT 8760h0m0.04s, CLOSED 8760h1m0.04s
			server 2: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 8760h0m0.03s, LAST-ACK 8760h0m0.03s, CLOSED 8760h0m0.05s`,
		connects: `client 1: connect 0s, 20ms = 0`,
		end:      "finished 8760h1m0.04s",
	},
	"many": manyFacts(100),
}

// manyFacts: at one instant all packets come before all lines of programs, and each kind in the order of the sockets.
func manyFacts(n int) storyFact {
	var segments, client, server, connects strings.Builder
	each := func(format string, plus int) {
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&segments, format+"\n", i+plus)
		}
	}
	each("0s client %d SYN <SEQ=0>", 0)
	each("10ms server %d SYN,ACK <SEQ=0><ACK=1>", 1)
	each("20ms client %d ACK <SEQ=1><ACK=1>", 0)
	each("20ms client %d PSH,ACK <SEQ=1><ACK=1> 5 octets", 0)
	each("30ms server %d ACK <SEQ=1><ACK=6>", 1)
	each("30ms server %d FIN,ACK <SEQ=1><ACK=6>", 1)
	each("40ms client %d ACK <SEQ=6><ACK=2>", 0)
	each("40ms client %d FIN,ACK <SEQ=6><ACK=2>", 0)
	each("50ms server %d ACK <SEQ=2><ACK=7>", 1)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&client, "client %d: CLOSED 0s, SYN-SENT 0s, ESTABLISHED 20ms, CLOSE-WAIT 40ms, LAST-ACK 40ms, CLOSED 60ms\n", i)
		fmt.Fprintf(&server, "server %d: of 1, SYN-RECEIVED 10ms, ESTABLISHED 30ms, FIN-WAIT-1 30ms, FIN-WAIT-2 50ms, TIME-WAIT 50ms, CLOSED 1m0.05s\n", i+1)
		fmt.Fprintf(&connects, "client %d: connect 0s, 20ms = 0\n", i)
	}
	return storyFact{
		segments: segments.String(), states: "server 1: CLOSED 0s, LISTEN 0s\n" + client.String() + server.String(),
		connects: connects.String(), end: "finished 1m0.05s",
	}
}

// TestFactsOfEachStory compares what happened in each built-in story with what must happen.
func TestFactsOfEachStory(t *testing.T) {
	for _, name := range gvisorStories() {
		t.Run(name, func(t *testing.T) {
			r := runBuiltin(t, name)
			for _, f := range r.Failures {
				t.Errorf("the story's own expectation: %v", f)
			}
			want, ok := storyFacts[name]
			if !ok {
				t.Fatal("no facts are written down for this story")
			}
			got := factsOf(t, r.Trace)
			if diff := cmp.Diff(lines(want.segments), got.segments); diff != "" {
				t.Errorf("segments (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(lines(want.states), got.states); diff != "" {
				t.Errorf("states (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(lines(want.connects), got.connects); diff != "" {
				t.Errorf("connects (-want +got)\n%s", diff)
			}
			if want.end != got.end {
				t.Errorf("it ended %s, and should have %s", got.end, want.end)
			}
		})
	}
}

// TestSilentHostEndsWhenTheSettingsSay reads initial and greatest RTO out of the trace's header. gVisor sends the SYN again
// whenever the RTO has run out and twice that RTO is not beyond the greatest; else connect() fails.
func TestSilentHostEndsWhenTheSettingsSay(t *testing.T) {
	tr := runBuiltin(t, "silent-host").Trace
	duration := func(name string) time.Duration {
		for _, s := range tr.Header.Host("client").Settings {
			if s.Name == name {
				text := s.Value[strings.LastIndex(s.Value, " ")+1:] // "200ms to 2m0s"
				d, err := time.ParseDuration(text)
				if err != nil {
					t.Fatal(err)
				}
				return d
			}
		}
		t.Fatalf("the header has no setting %q", name)
		return 0
	}
	rto, greatest := duration("initial RTO"), duration("RTO")
	wantSYNs, end := []time.Duration{0}, time.Duration(0)
	for {
		end += rto
		if rto *= 2; rto > greatest {
			break
		}
		wantSYNs = append(wantSYNs, end)
	}
	var syns []time.Duration
	for i := range tr.Events {
		if e := &tr.Events[i]; segmentWith("client", false, trace.SYN)(e) {
			syns = append(syns, e.At)
		}
	}
	if diff := cmp.Diff(wantSYNs, syns); diff != "" {
		t.Errorf("times of the SYNs (-want +got)\n%s", diff)
	}
	if c := runBuiltin(t, "silent-host").Connect; c.At != end || c.Result != -1 {
		t.Errorf("connect() returned %d at %v, and should have failed at %v", c.Result, c.At, end)
	}
	if end != 127*time.Second {
		t.Errorf("connect() fails at %v; with an initial RTO of 1 s and a greatest of 120 s it is 127 s", end)
	}
}

// TestNewSocketIsInSynReceivedBeforeTheLastACK: the new socket is in SYN-RECEIVED when the handshake's ACK is delivered, and
// the listener has never left LISTEN.
func TestNewSocketIsInSynReceivedBeforeTheLastACK(t *testing.T) {
	tr := runBuiltin(t, "plain").Trace
	sockets := trace.Sockets(tr)
	socket := func(number int) *trace.Socket {
		i := slices.IndexFunc(sockets, func(s trace.Socket) bool { return s.Host == "server" && s.Number == number })
		if i < 0 {
			t.Fatalf("there is no socket %d on the server", number)
		}
		return &sockets[i]
	}
	listener, child := socket(1), socket(2)
	ack := findEvent(t, tr, segmentWith("server", true, trace.ACK))
	if ack.Socket != 2 || child.Listener != 1 {
		t.Errorf("the ACK is for socket %d, which came to %d", ack.Socket, child.Listener)
	}
	if s := child.At(ack.N); s.State != trace.SynReceived {
		t.Errorf("when the ACK arrives the new socket is in %v", s.State)
	}
	next := child.Stays[slices.IndexFunc(child.Stays, func(s trace.Stay) bool { return s.N > ack.N })]
	if next.State != trace.Established || tr.Event(next.N).Cause != ack.N {
		t.Errorf("then it comes to %v, because of event %d", next.State, tr.Event(next.N).Cause)
	}
	closed := findEvent(t, tr, stateTo("server", trace.Listen, trace.Closed))
	for n := child.First; n < closed.N; n++ {
		if s := listener.At(n); s.State != trace.Listen {
			t.Fatalf("at event %d the listener is in %v", n, s.State)
		}
	}
	if call := tr.Event(closed.Cause).Detail.(*trace.Call); call.Name != "close" {
		t.Errorf("the listener is closed by %v", call)
	}
}

// TestSYNCookiesKnowNoSynReceived: no event of the record has that state, and no socket exists before the ACK.
func TestSYNCookiesKnowNoSynReceived(t *testing.T) {
	tr := runBuiltin(t, "syn-cookies").Trace
	ack := findEvent(t, tr, segmentWith("server", true, trace.ACK))
	for i := range tr.Events {
		e := &tr.Events[i]
		if d, ok := e.Detail.(*trace.StateChange); ok && (d.From == trace.SynReceived || d.To == trace.SynReceived) {
			t.Errorf("event %d: %v → %v", e.N, d.From, d.To)
		}
		if e.Host == "server" && e.Socket > 1 && e.N < ack.N {
			t.Errorf("event %d: socket %d exists before the ACK", e.N, e.Socket)
		}
		if c := changeIn(e, trace.SynQueue, trace.BySegment); c != nil {
			t.Errorf("event %d: SYN queue %v → %v", e.N, c.Old(), c.New())
		}
	}
}

// TestIdleYearCarriesData: what was sent after a year is what recvall() returned.
func TestIdleYearCarriesData(t *testing.T) {
	tr := runBuiltin(t, "idle-year").Trace
	e := findEvent(t, tr, returnOf(tr, "server", "recvall"))
	if d := e.Detail.(*trace.Return); d.Result != 5 || e.At < 365*24*time.Hour {
		t.Errorf("recvall() returned %v at %v", d, e.At)
	}
}

// TestManyConnectionsAreDistinct: a hundred four-tuples, a hundred sockets on each side, all established, accepted in the order
// in which they came.
func TestManyConnectionsAreDistinct(t *testing.T) {
	tr := runBuiltin(t, "many").Trace
	tuples := map[string]bool{}
	established := map[string]int{}
	var accepted []int
	for i := range tr.Events {
		e := &tr.Events[i]
		switch d := e.Detail.(type) {
		case *trace.Sent:
			if e.Host == "client" {
				tuples[fmt.Sprint(d.Packet.Source(), d.Packet.Destination())] = true
			}
		case *trace.StateChange:
			if d.To == trace.Established {
				established[e.Host]++
			}
		case *trace.Return:
			if d.Accepted != 0 {
				accepted = append(accepted, d.Accepted)
			}
		default:
		}
	}
	if len(tuples) != 100 || established["client"] != 100 || established["server"] != 100 {
		t.Errorf("%d four-tuples, and established on each side: %v", len(tuples), established)
	}
	want := make([]int, 100)
	for i := range want {
		want[i] = i + 2
	}
	if diff := cmp.Diff(want, accepted); diff != "" {
		t.Errorf("sockets in the order of accept() (-want +got)\n%s", diff)
	}
}
