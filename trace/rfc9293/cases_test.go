package rfc9293

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// What the cases below are written in. A line is a step, and what came of it:
//
//	call connect -> SYN-SENT | SYN 100
//	in SYN,ACK 300 101 -> ESTABLISHED | ACK 101 301
//	in SYN 300 -> 2:SYN-RECEIVED | SYN,ACK 100 301
//
// A segment is its control bits, its number, its acknowledgment number, and +5 for five octets of data, or data=hello at its end for these,
// win=0, ts=7, ws=3, mss=540, bad for one with a bad checksum. Before
// a state stands the socket, if it is another one than before; what does not name one is about the last one. Other steps are
// "timer", "timer SO_RCVTIMEO", "icmp 3/2" (type and code; it quotes a segment of ours), "accepted 2" (accept() hands out socket 2) and "reboot"; an answer
// can be "ARP" too, a question for the peer's MAC. Each step is a second after the one before, but for one that begins with "at once". All changes are reported, each one edge,
// unless "sampled" stands behind the state.

var (
	us   = netip.MustParseAddrPort("192.0.2.1:1000")
	them = netip.MustParseAddrPort("192.0.2.2:80")
)

// story is a trace of one host.
func story(t testing.TB, text string) *trace.Trace {
	t.Helper()
	r := trace.NewRecorder(trace.Header{Hosts: []trace.HostInfo{{Name: "host", Capabilities: []string{trace.CapabilityControl}}}})
	states, socket, at := map[int]trace.State{}, 0, time.Duration(0)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		r.Begin()
		line, once := strings.CutPrefix(line, "at once ")
		if !once {
			at += time.Second
		}
		line, answers, _ := strings.Cut(line, " | ")
		stimulus, changes, _ := strings.Cut(line, " -> ")
		root := 0
		switch words := strings.Fields(stimulus); words[0] {
		case "call":
			on, name, other := strings.Cut(words[1], ":")
			if !other {
				name = on
			} else {
				socket = number(t, on)
			}
			if name == "socket" {
				socket = 0
			}
			root = r.Call(at, "host", socket, trace.Call{Name: name, Text: strings.Join(words[2:], " ")})
			if name == "socket" {
				socket = len(states) + 1
			}
		case "in":
			root = r.Arrived(at, "host", socket, 0, packet(t, them, us, words[1:]))
		case "icmp":
			kind, code, _ := strings.Cut(words[1], "/")
			root = r.Arrived(at, "host", 0, 0, icmp(byte(number(t, kind)), byte(number(t, code))))
		case "timer":
			root = r.Timer(at, "host", socket, strings.Join(words[1:], " "))
		case "accepted":
			r.Return(at, "host", 1, 0, trace.Return{Accepted: number(t, words[1])})
		case "ARP":
			root = r.Arrived(at, "host", 0, 0, arp(trace.ARPReply))
		case "reboot":
			root = r.HostChange(at, "host", trace.Reboot)
		default:
			t.Fatalf("a step %q", words[0])
		}
		for _, change := range strings.Split(changes, ", ") {
			if change == "" {
				continue
			}
			c := trace.StateChange{Source: trace.Reported}
			name, sampled := strings.CutSuffix(change, " sampled")
			if sampled {
				c.Source = trace.Sampled
			}
			if on, of, other := strings.Cut(name, ":"); other {
				socket, name = number(t, on), of
				if socket > 1 {
					c.Listener = 1
				}
			}
			to, err := trace.ParseState(name)
			if err != nil {
				t.Fatal(err)
			}
			c.From, c.To = states[socket], to
			states[socket] = to
			r.State(at, "host", socket, root, c)
		}
		for _, answer := range strings.Split(answers, "; ") {
			switch answer {
			case "":
			case "ARP":
				r.Sent(at, "host", 0, root, arp(trace.ARPRequest))
			default:
				r.Sent(at, "host", socket, root, packet(t, us, them, strings.Fields(answer)))
			}
		}
		r.Commit()
	}
	tr, err := r.Finish(trace.End{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func packet(t testing.TB, from, to netip.AddrPort, words []string) *trace.Packet {
	t.Helper()
	p := &trace.Packet{
		Kind: trace.PacketTCP, IP: trace.IPHeader{Version: 4, Src: from.Addr(), Dst: to.Addr()},
		TCP: segment(t, from.Port(), to.Port(), words),
	}
	if data, ok := strings.CutPrefix(words[len(words)-1], "data="); ok {
		p.Octets = []byte(data)
	}
	return p
}

func segment(t testing.TB, from, to uint16, words []string) trace.Segment {
	t.Helper()
	flags, err := trace.ParseFlags(words[0])
	if err != nil {
		t.Fatal(err)
	}
	s := trace.Segment{SrcPort: from, DstPort: to, Flags: flags, Window: 1000}
	numbers := 0
	for _, word := range words[1:] {
		switch value, window := strings.CutPrefix(word, "win="); {
		case window:
			s.Window = uint16(number(t, value))
		case strings.HasPrefix(word, "ts="):
			s.Options = binary.BigEndian.AppendUint32(trace.Options{8, 10}, uint32(number(t, word[3:])))
			s.Options = append(s.Options, 0, 0, 0, 0)
		case strings.HasPrefix(word, "ws="):
			s.Options = trace.Options{3, 3, byte(number(t, word[3:]))}
		case strings.HasPrefix(word, "mss="):
			s.Options = binary.BigEndian.AppendUint16(trace.Options{2, 4}, uint16(number(t, word[4:])))
		case strings.HasPrefix(word, "data="):
			s.DataLen = len(word) - len("data=")
		case word == "bad":
			s.Checksum = trace.ChecksumBad
		case word[0] == '+':
			s.DataLen = number(t, word[1:])
		default:
			n, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			if numbers++; numbers == 1 {
				s.Seq = trace.Seq(n)
			} else {
				s.Ack = trace.Seq(n)
			}
		}
	}
	return s
}

// arp is a question for a MAC, or the answer.
func arp(operation uint16) *trace.Packet {
	return &trace.Packet{Link: trace.LinkEthernet, Kind: trace.PacketARP, ARP: trace.ARP{Operation: operation}}
}

// icmp is a message that quotes a segment of ours.
func icmp(kind, code byte) *trace.Packet {
	b := make([]byte, 20+8+20+8)
	b[20], b[21] = kind, code
	quote := b[28:]
	quote[0], quote[9] = 0x45, 6
	copy(quote[12:], us.Addr().AsSlice())
	copy(quote[16:], them.Addr().AsSlice())
	binary.BigEndian.PutUint16(quote[20:], us.Port())
	binary.BigEndian.PutUint16(quote[22:], them.Port())
	return &trace.Packet{Octets: b, Kind: trace.PacketICMP, IP: trace.IPHeader{Version: 4, HeaderLen: 20, Src: them.Addr(), Dst: us.Addr(), Protocol: 1}, ICMP: trace.ICMP{Type: kind, Code: code}}
}

// The ways into each state.
const (
	closed      = "call socket -> CLOSED\n"
	listening   = closed + "call listen -> LISTEN\n"
	connecting  = closed + "call connect -> SYN-SENT | SYN 100\n"
	received    = listening + "in SYN 300 -> 2:SYN-RECEIVED | SYN,ACK 100 301\n" // it came to a listener
	crossed     = connecting + "in SYN 300 -> SYN-RECEIVED | SYN,ACK 100 301\n"  // simultaneous open
	established = connecting + "in SYN,ACK 300 101 -> ESTABLISHED | ACK 101 301\n"
	finWait1    = established + "call close -> FIN-WAIT-1 | FIN,ACK 101 301\n"
	shutWait1   = established + "call shutdown SHUT_WR -> FIN-WAIT-1 | FIN,ACK 101 301\n"
	finWait2    = finWait1 + "in ACK 301 102 -> FIN-WAIT-2\n"
	shutWait2   = shutWait1 + "in ACK 301 102 -> FIN-WAIT-2\n"
	closeWait   = established + "in FIN,ACK 301 101 -> CLOSE-WAIT | ACK 101 302\n"
	lastAck     = closeWait + "call close -> LAST-ACK | FIN,ACK 101 302\n"
	closing     = finWait1 + "in FIN,ACK 301 101 -> CLOSING | ACK 102 302\n"
	timeWait    = finWait2 + "in FIN,ACK 301 102 -> TIME-WAIT | ACK 102 302\n"
)

// pathCase is a trace to judge. The last change of state is what it is about.
type pathCase struct {
	name, trace string
	along       string // the edges that the last change of state went along; empty: none
	wrong       string // a part of what is wrong with it; empty: nothing
}

var pathCases = []pathCase{
	// A row of the table each.
	{name: "CLOSED/listen/LISTEN", trace: listening, along: "CLOSED: OPEN passive"},
	{name: "CLOSED/connect/SYN-SENT", trace: connecting, along: "CLOSED: OPEN active"},

	{name: "LISTEN/connect/SYN-SENT", trace: listening + "call connect -> SYN-SENT | SYN 100", along: "LISTEN: OPEN active"},
	{name: "LISTEN/send/SYN-SENT", trace: listening + "call send -> SYN-SENT | SYN 100", along: "LISTEN: SEND"},
	{name: "LISTEN/close/CLOSED", trace: listening + "call close -> CLOSED", along: "LISTEN: CLOSE"},
	{name: "LISTEN/abort/CLOSED", trace: listening + "call abort -> CLOSED", along: "LISTEN: ABORT"},
	{name: "LISTEN/SYN/SYN-RECEIVED", trace: received, along: "LISTEN: SYN"},
	{name: "LISTEN/SYN with data/SYN-RECEIVED", trace: listening + "in SYN 300 +5 -> 2:SYN-RECEIVED | SYN,ACK 100 301", along: "LISTEN: SYN"},
	{name: "LISTEN/SYN,FIN/SYN-RECEIVED", trace: listening + "in SYN,FIN 300 -> 2:SYN-RECEIVED | SYN,ACK 100 301", along: "LISTEN: SYN"},

	{name: "SYN-SENT/close/CLOSED", trace: connecting + "call close -> CLOSED", along: "SYN-SENT: CLOSE"},
	{name: "SYN-SENT/abort/CLOSED", trace: connecting + "call abort -> CLOSED", along: "SYN-SENT: ABORT"},
	{name: "SYN-SENT/RST with acceptable ACK/CLOSED", trace: connecting + "in RST,ACK 0 101 -> CLOSED", along: "SYN-SENT: RST with the ACK of its SYN"},
	{name: "SYN-SENT/SYN,ACK/ESTABLISHED", trace: established, along: "SYN-SENT: SYN,ACK with the ACK of its SYN"},
	{name: "SYN-SENT/SYN,ACK with data/ESTABLISHED", trace: connecting + "in SYN,ACK 300 101 +5 -> ESTABLISHED | ACK 101 306", along: "SYN-SENT: SYN,ACK with the ACK of its SYN"},
	{name: "SYN-SENT/SYN,ACK,FIN/CLOSE-WAIT", trace: connecting + "in SYN,FIN,ACK 300 101 -> CLOSE-WAIT | ACK 101 302", along: "SYN-SENT: SYN,ACK,FIN with the ACK of its SYN"},
	{name: "SYN-SENT/SYN/SYN-RECEIVED", trace: crossed, along: "SYN-SENT: SYN"},
	{name: "SYN-SENT/protocol unreachable/CLOSED", trace: connecting + "icmp 3/2 -> CLOSED", along: "SYN-SENT: hard ICMP error"},
	{name: "SYN-SENT/timeout/CLOSED", trace: connecting + "timer -> CLOSED", along: "SYN-SENT: user timeout"},

	{name: "SYN-RECEIVED/close/FIN-WAIT-1", trace: crossed + "call close -> FIN-WAIT-1 | FIN,ACK 101 301", along: "SYN-RECEIVED: CLOSE"},
	{name: "SYN-RECEIVED/abort/CLOSED", trace: crossed + "call abort -> CLOSED | RST 101", along: "SYN-RECEIVED: ABORT"},
	{name: "SYN-RECEIVED/passive, RST/back", trace: received + "in RST 301 -> CLOSED", along: "SYN-RECEIVED: RST at RCV.NXT (passive)"},
	{name: "SYN-RECEIVED/passive, RST/LISTEN", trace: received + "in RST 301 -> LISTEN", along: "SYN-RECEIVED: RST at RCV.NXT (passive)"},
	{name: "SYN-RECEIVED/active, RST/CLOSED", trace: crossed + "in RST 301 -> CLOSED", along: "SYN-RECEIVED: RST at RCV.NXT (active)"},
	{name: "SYN-RECEIVED/passive, SYN in the window/LISTEN", trace: received + "in SYN 310 -> LISTEN", along: "SYN-RECEIVED: SYN in the window (passive)"},
	{name: "SYN-RECEIVED/active, SYN in the window, a RST is the answer/CLOSED", trace: crossed + "in SYN 310 -> CLOSED | RST 101", along: "SYN-RECEIVED: SYN in the window (active)"},
	{name: "SYN-RECEIVED/ACK/ESTABLISHED", trace: received + "in ACK 301 101 -> ESTABLISHED", along: "SYN-RECEIVED: ACK of its SYN"},
	{name: "SYN-RECEIVED/ACK with data/ESTABLISHED", trace: received + "in PSH,ACK 301 101 +5 -> ESTABLISHED | ACK 101 306", along: "SYN-RECEIVED: ACK of its SYN"},
	{name: "SYN-RECEIVED/FIN,ACK/CLOSE-WAIT", trace: received + "in FIN,ACK 301 101 -> CLOSE-WAIT | ACK 101 302", along: "SYN-RECEIVED: FIN with the ACK of its SYN"},
	{name: "SYN-RECEIVED/crossing SYN,ACK/ESTABLISHED", trace: crossed + "in SYN,ACK 300 101 -> ESTABLISHED", along: "SYN-RECEIVED: SYN,ACK that crosses its own (active)"},
	{name: "SYN-RECEIVED/passive, timeout/CLOSED", trace: received + "timer -> CLOSED", along: "SYN-RECEIVED: user timeout"},
	{name: "SYN-RECEIVED/active, timeout/CLOSED", trace: crossed + "timer -> CLOSED", along: "SYN-RECEIVED: user timeout"},
	{name: "SYN-RECEIVED/passive, port unreachable/CLOSED", trace: received + "icmp 3/3 -> CLOSED", along: "SYN-RECEIVED: hard ICMP error"},
	{name: "SYN-RECEIVED/active, port unreachable/CLOSED", trace: crossed + "icmp 3/3 -> CLOSED", along: "SYN-RECEIVED: hard ICMP error"},

	{name: "ESTABLISHED/close/FIN-WAIT-1", trace: finWait1, along: "ESTABLISHED: CLOSE"},
	{name: "ESTABLISHED/abort/CLOSED", trace: established + "call abort -> CLOSED | RST 101", along: "ESTABLISHED: ABORT"},
	{name: "ESTABLISHED/abort/TIME-WAIT", trace: established + "call abort -> TIME-WAIT | RST 101", along: "ESTABLISHED: ABORT (Note 3)"},
	{name: "ESTABLISHED/close that sends a RST/CLOSED", trace: established + "call close -> CLOSED | RST 101", along: "ESTABLISHED: ABORT"},
	{name: "ESTABLISHED/RST/CLOSED", trace: established + "in RST 301 -> CLOSED", along: "ESTABLISHED: RST at RCV.NXT"},
	{name: "ESTABLISHED/RST and a window of 0/CLOSED", trace: established + "in PSH,ACK 301 101 +5 | ACK 101 306 win=0\nin RST 306 -> CLOSED", along: "ESTABLISHED: RST at RCV.NXT"},
	{name: "ESTABLISHED/SYN in the window, a RST is the answer/CLOSED", trace: established + "in SYN 310 -> CLOSED | RST 101", along: "ESTABLISHED: SYN in the window"},
	{name: "ESTABLISHED/FIN/CLOSE-WAIT", trace: closeWait, along: "ESTABLISHED: FIN in order"},
	{name: "ESTABLISHED/data and FIN/CLOSE-WAIT", trace: established + "in FIN,PSH,ACK 301 101 +5 -> CLOSE-WAIT | ACK 101 307", along: "ESTABLISHED: FIN in order"},
	{name: "ESTABLISHED/port unreachable/CLOSED", trace: established + "icmp 3/3 -> CLOSED", along: "ESTABLISHED: hard ICMP error"},
	{name: "ESTABLISHED/timeout/CLOSED", trace: established + "call send | PSH,ACK 101 301 +5\ntimer -> CLOSED", along: "ESTABLISHED: user timeout"},

	{name: "FIN-WAIT-1/abort/CLOSED", trace: shutWait1 + "call abort -> CLOSED | RST 102", along: "FIN-WAIT-1: ABORT"},
	{name: "FIN-WAIT-1/RST/CLOSED", trace: finWait1 + "in RST 301 -> CLOSED", along: "FIN-WAIT-1: RST at RCV.NXT"},
	{name: "FIN-WAIT-1/SYN in the window, a RST is the answer/CLOSED", trace: finWait1 + "in SYN 310 -> CLOSED | RST 102", along: "FIN-WAIT-1: SYN in the window"},
	{name: "FIN-WAIT-1/ACK of FIN/FIN-WAIT-2", trace: finWait2, along: "FIN-WAIT-1: ACK of its FIN"},
	{name: "FIN-WAIT-1/FIN/CLOSING", trace: closing, along: "FIN-WAIT-1: FIN in order"},
	{name: "FIN-WAIT-1/FIN with ACK of FIN/TIME-WAIT", trace: finWait1 + "in FIN,ACK 301 102 -> TIME-WAIT | ACK 102 302", along: "FIN-WAIT-1: FIN with the ACK of its FIN"},
	{name: "FIN-WAIT-1/data and FIN with ACK of FIN/TIME-WAIT", trace: finWait1 + "in FIN,PSH,ACK 301 102 +5 -> TIME-WAIT | ACK 102 307", along: "FIN-WAIT-1: FIN with the ACK of its FIN"},
	{name: "FIN-WAIT-1/data after close/CLOSED", trace: finWait1 + "in PSH,ACK 301 101 +5 -> CLOSED | RST 102", along: "FIN-WAIT-1: data after its CLOSE"},
	{name: "FIN-WAIT-1/timeout/CLOSED", trace: finWait1 + "timer -> CLOSED", along: "FIN-WAIT-1: user timeout"},
	{name: "FIN-WAIT-1/port unreachable/CLOSED", trace: finWait1 + "icmp 3/3 -> CLOSED", along: "FIN-WAIT-1: hard ICMP error"},

	{name: "FIN-WAIT-2/abort/CLOSED", trace: shutWait2 + "call abort -> CLOSED | RST 102", along: "FIN-WAIT-2: ABORT"},
	{name: "FIN-WAIT-2/RST/CLOSED", trace: finWait2 + "in RST 301 -> CLOSED", along: "FIN-WAIT-2: RST at RCV.NXT"},
	{name: "FIN-WAIT-2/SYN in the window, a RST is the answer/CLOSED", trace: finWait2 + "in SYN 310 -> CLOSED | RST 102", along: "FIN-WAIT-2: SYN in the window"},
	{name: "FIN-WAIT-2/FIN/TIME-WAIT", trace: timeWait, along: "FIN-WAIT-2: FIN in order"},
	{name: "FIN-WAIT-2/data and FIN/TIME-WAIT", trace: finWait2 + "in FIN,PSH,ACK 301 102 +5 -> TIME-WAIT | ACK 102 307", along: "FIN-WAIT-2: FIN in order"},
	{name: "FIN-WAIT-2/data after close/CLOSED", trace: finWait2 + "in PSH,ACK 301 102 +5 -> CLOSED | RST 102", along: "FIN-WAIT-2: data after its CLOSE"},
	{name: "FIN-WAIT-2/timeout of a socket that has a descriptor/CLOSED", trace: shutWait2 + "timer | ACK 101 301\ntimer -> CLOSED", along: "FIN-WAIT-2: user timeout"},
	{name: "FIN-WAIT-2/timeout of a socket that has none/CLOSED", trace: finWait2 + "timer -> CLOSED", along: "FIN-WAIT-2: FIN-WAIT-2 timeout"},
	{name: "FIN-WAIT-2/port unreachable/CLOSED", trace: finWait2 + "icmp 3/3 -> CLOSED", along: "FIN-WAIT-2: hard ICMP error"},

	{name: "CLOSE-WAIT/close/LAST-ACK", trace: lastAck, along: "CLOSE-WAIT: CLOSE"},
	{name: "CLOSE-WAIT/abort/CLOSED", trace: closeWait + "call abort -> CLOSED | RST 101", along: "CLOSE-WAIT: ABORT"},
	{name: "CLOSE-WAIT/RST/CLOSED", trace: closeWait + "in RST 302 -> CLOSED", along: "CLOSE-WAIT: RST at RCV.NXT"},
	{name: "CLOSE-WAIT/SYN in the window, a RST is the answer/CLOSED", trace: closeWait + "in SYN 310 -> CLOSED | RST 101", along: "CLOSE-WAIT: SYN in the window"},
	{name: "CLOSE-WAIT/timeout/CLOSED", trace: closeWait + "call send | PSH,ACK 101 302 +5\ntimer -> CLOSED", along: "CLOSE-WAIT: user timeout"},
	{name: "CLOSE-WAIT/port unreachable/CLOSED", trace: closeWait + "icmp 3/3 -> CLOSED", along: "CLOSE-WAIT: hard ICMP error"},

	{name: "CLOSING/abort/CLOSED", trace: shutWait1 + "in FIN,ACK 301 101 -> CLOSING | ACK 102 302\ncall abort -> CLOSED", along: "CLOSING: ABORT"},
	{name: "CLOSING/RST/CLOSED", trace: closing + "in RST 302 -> CLOSED", along: "CLOSING: RST at RCV.NXT"},
	{name: "CLOSING/SYN in the window, a RST is the answer/CLOSED", trace: closing + "in SYN 310 -> CLOSED | RST 102", along: "CLOSING: SYN in the window"},
	{name: "CLOSING/ACK of FIN/TIME-WAIT", trace: closing + "in ACK 302 102 -> TIME-WAIT", along: "CLOSING: ACK of its FIN"},
	{name: "CLOSING/timeout/CLOSED", trace: closing + "timer -> CLOSED", along: "CLOSING: user timeout"},
	{name: "CLOSING/port unreachable/CLOSED", trace: closing + "icmp 3/3 -> CLOSED", along: "CLOSING: hard ICMP error"},

	{name: "LAST-ACK/abort/CLOSED", trace: closeWait + "call shutdown SHUT_WR -> LAST-ACK | FIN,ACK 101 302\ncall abort -> CLOSED", along: "LAST-ACK: ABORT"},
	{name: "LAST-ACK/RST/CLOSED", trace: lastAck + "in RST 302 -> CLOSED", along: "LAST-ACK: RST at RCV.NXT"},
	{name: "LAST-ACK/SYN in the window, a RST is the answer/CLOSED", trace: lastAck + "in SYN 310 -> CLOSED | RST 102", along: "LAST-ACK: SYN in the window"},
	{name: "LAST-ACK/ACK of FIN/CLOSED", trace: lastAck + "in ACK 302 102 -> CLOSED", along: "LAST-ACK: ACK of its FIN"},
	{name: "LAST-ACK/timeout/CLOSED", trace: lastAck + "timer -> CLOSED", along: "LAST-ACK: user timeout"},
	{name: "LAST-ACK/port unreachable/CLOSED", trace: lastAck + "icmp 3/3 -> CLOSED", along: "LAST-ACK: hard ICMP error"},

	{name: "TIME-WAIT/abort/CLOSED", trace: shutWait2 + "in FIN,ACK 301 102 -> TIME-WAIT | ACK 102 302\ncall abort -> CLOSED", along: "TIME-WAIT: ABORT"},
	{name: "TIME-WAIT/RST/CLOSED", trace: timeWait + "in RST 302 -> CLOSED", along: "TIME-WAIT: RST at RCV.NXT"},
	{name: "TIME-WAIT/SYN with a newer timestamp, answered/CLOSED", trace: finWait2 + `in FIN,ACK 301 102 ts=7 -> TIME-WAIT | ACK 102 302
		in SYN 200 ts=8 -> CLOSED | SYN,ACK 900 201`, along: "TIME-WAIT: SYN with a newer timestamp"},
	{name: "TIME-WAIT/SYN with a newer timestamp, answered/SYN-RECEIVED", trace: finWait2 + `in FIN,ACK 301 102 ts=7 -> TIME-WAIT | ACK 102 302
		in SYN 200 ts=8 -> SYN-RECEIVED | SYN,ACK 900 201`, along: "TIME-WAIT: SYN with a newer timestamp"},
	{name: "TIME-WAIT/SYN beyond, answered/SYN-RECEIVED", trace: timeWait + "in SYN 5000 -> SYN-RECEIVED | SYN,ACK 900 5001", along: "TIME-WAIT: SYN beyond RCV.NXT"},
	{name: "TIME-WAIT/timeout/CLOSED", trace: timeWait + "timer -> CLOSED", along: "TIME-WAIT: TIME-WAIT timeout"},

	// Paths that are more than an edge, or not quite one.
	{name: "a call that waits for another state", trace: established + "in FIN,ACK 301 101 -> CLOSE-WAIT | ACK 101 302\ncall shutdown SHUT_WR\nin ACK 302 101 -> LAST-ACK | FIN,ACK 101 302", along: "CLOSE-WAIT: CLOSE"},
	{name: "states that lived within a step", trace: finWait1 + "in FIN,ACK 301 102 -> TIME-WAIT sampled | ACK 102 302", along: "FIN-WAIT-1: FIN with the ACK of its FIN"},
	{name: "FIN with ACK of FIN, each edge reported", trace: finWait1 + "in FIN,ACK 301 102 -> FIN-WAIT-2, TIME-WAIT | ACK 102 302", along: "FIN-WAIT-2: FIN in order"},
	{name: "a FIN that goes out when the peer's has come", trace: established + "call shutdown SHUT_WR\nin FIN,ACK 301 101 -> LAST-ACK sampled | FIN,ACK 101 302", along: "ESTABLISHED: FIN in order, CLOSE-WAIT: CLOSE"},
	{name: "FIN with ACK of FIN, and the FIN is thrown away", trace: finWait1 + "in FIN,ACK 301 102 -> FIN-WAIT-2 | ACK 102 301", along: "FIN-WAIT-1: ACK of its FIN"},
	{name: "FIN with ACK of SYN, each edge reported", trace: received + "in FIN,ACK 301 101 -> ESTABLISHED, CLOSE-WAIT | ACK 101 302", along: "ESTABLISHED: FIN in order"},
	{name: "FIN with ACK of SYN, and the FIN is thrown away", trace: received + "in FIN,ACK 301 101 -> ESTABLISHED | ACK 101 301", along: "SYN-RECEIVED: ACK of its SYN"},
	{name: "SYN,ACK,FIN, each edge reported", trace: connecting + "in SYN,FIN,ACK 300 101 -> ESTABLISHED, CLOSE-WAIT | ACK 101 302", along: "ESTABLISHED: FIN in order"},
	{name: "SYN,ACK,FIN, and the FIN is thrown away", trace: connecting + "in SYN,FIN,ACK 300 101 -> ESTABLISHED | ACK 101 301", along: "SYN-SENT: SYN,ACK with the ACK of its SYN"},
	{name: "the same FIN, reported as one edge", trace: established + "call shutdown SHUT_WR\nin FIN,ACK 301 101 -> LAST-ACK | FIN,ACK 101 302", wrong: "no edge leads there"},
	{name: "a FIN that came before a gap was closed", trace: established + "in FIN,ACK 306 101 | ACK 101 301\nin PSH,ACK 301 101 +5 -> CLOSE-WAIT | ACK 101 307", along: "ESTABLISHED: FIN in order"},
	{name: "a connection from a SYN cookie", trace: listening + "in SYN 300 | SYN,ACK 100 301\nin ACK 301 101 -> 2:ESTABLISHED", along: "SYN-RECEIVED: ACK of its SYN, LISTEN: SYN"},
	{name: "a SYN cookie after another", trace: listening + "in SYN 300 | SYN,ACK 100 301\nin SYN 300 | SYN,ACK 120 301\nin ACK 301 101 -> 2:ESTABLISHED", along: "SYN-RECEIVED: ACK of its SYN, LISTEN: SYN"},
	{name: "an ACK that the stack dropped, and the next", trace: received + "in PSH,ACK 301 101 +5\nin PSH,ACK 301 101 +5 -> ESTABLISHED | ACK 101 306", along: "SYN-RECEIVED: ACK of its SYN"},
	{name: "a keep-alive that nobody answers", trace: established + "timer | ACK 100 301\ntimer -> CLOSED | RST 101", along: "ESTABLISHED: user timeout"},
	{name: "data that had no ACK yet when others came", trace: established + "call send | PSH,ACK 101 301 +5\nin PSH,ACK 301 101 +5 | ACK 106 306\ntimer -> CLOSED", along: "ESTABLISHED: user timeout"},
	{name: "data for which there is no window", trace: established + "in ACK 301 101 win=0\ncall send | ACK 100 301\nin ACK 301 101 win=0\ntimer -> CLOSED | RST 101", along: "ESTABLISHED: user timeout"},
	{name: "a SYN that waits for a MAC", trace: closed + "call connect -> SYN-SENT | ARP", along: "CLOSED: OPEN active"},
	{name: "a SYN,ACK that waits for a MAC", trace: listening + "in SYN 300 -> 2:SYN-RECEIVED | ARP", along: "LISTEN: SYN"},
	{name: "a MAC that nobody tells", trace: closed + "call connect -> SYN-SENT | ARP\ntimer -> CLOSED", along: "SYN-SENT: user timeout"},
	{name: "the listener of a half-open connection is closed", trace: received + "call 1:close -> 1:CLOSED, 2:CLOSED", along: "SYN-RECEIVED: ABORT"},
	{name: "a reboot", trace: established + "reboot -> CLOSED"},
	{name: "another word for the same state, at a reboot", trace: closed + "reboot -> CLOSED"},
	{name: "another word for the same state", trace: established + "in ACK 301 101 -> ESTABLISHED"},
	{name: "a RST where data were that the stack dropped", trace: established + "in PSH,ACK 301 101 +5 | ACK 101 301\nin RST 301 -> CLOSED", along: "ESTABLISHED: RST at RCV.NXT"},
	{name: "the listener is closed before accept()", trace: received + "in ACK 301 101 -> ESTABLISHED\ncall 1:close -> 1:CLOSED, 2:CLOSED | RST 101", along: "ESTABLISHED: ABORT"},

	// What is no path.
	{name: "CLOSED to SYN-SENT without a SYN", trace: closed + "call connect -> SYN-SENT", wrong: "no edge leads there"},
	{name: "CLOSED to SYN-SENT without a SYN, the MAC is known", trace: closed + "call connect | ARP\nARP\ncall connect -> SYN-SENT", wrong: "no edge leads there"},
	{name: "CLOSED to SYN-SENT without a SYN, rebooted since it asked for a MAC", trace: closed + "call connect | ARP\nreboot -> CLOSED\ncall socket -> CLOSED\ncall connect -> SYN-SENT", wrong: "no edge leads there"},
	{name: "LISTEN to SYN-SENT without a SYN", trace: listening + "call send -> SYN-SENT", wrong: "no edge leads there"},
	{name: "LISTEN to SYN-RECEIVED without a SYN,ACK", trace: listening + "in SYN 300 -> 2:SYN-RECEIVED", wrong: "no edge leads there"},
	{name: "LISTEN to SYN-RECEIVED with an ACK instead", trace: listening + "in SYN 300 -> 2:SYN-RECEIVED | ACK 100 301", wrong: "no edge leads there"},
	{name: "SYN-SENT to SYN-RECEIVED without a SYN,ACK", trace: connecting + "in SYN 300 -> SYN-RECEIVED", wrong: "no edge leads there"},
	{name: "SYN-RECEIVED to CLOSED on an ABORT without a RST", trace: crossed + "call abort -> CLOSED", wrong: "no edge leads there"},
	{name: "ESTABLISHED to CLOSED on an ABORT without a RST", trace: established + "call abort -> CLOSED", wrong: "no edge leads there"},
	{name: "ESTABLISHED to TIME-WAIT on an ABORT without a RST", trace: established + "call abort -> TIME-WAIT", wrong: "no edge leads there"},
	{name: "ESTABLISHED to CLOSED when its listener is closed, without a RST", trace: received + "in ACK 301 101 -> ESTABLISHED\ncall 1:close -> 1:CLOSED, 2:CLOSED", wrong: "no edge leads there"},
	{name: "FIN-WAIT-1 to CLOSED on an ABORT without a RST", trace: shutWait1 + "call abort -> CLOSED", wrong: "no edge leads there"},
	{name: "FIN-WAIT-2 to CLOSED on an ABORT without a RST", trace: shutWait2 + "call abort -> CLOSED", wrong: "no edge leads there"},
	{name: "CLOSE-WAIT to CLOSED on an ABORT without a RST", trace: closeWait + "call abort -> CLOSED", wrong: "no edge leads there"},
	{name: "ESTABLISHED to CLOSED on a timer, with nothing to wait for", trace: established + "timer -> CLOSED", wrong: "nothing happened"},
	{name: "ESTABLISHED to CLOSED on a timer, when all has its ACK", trace: established + "call send | PSH,ACK 101 301 +5\nin ACK 301 106\ntimer -> CLOSED", wrong: "nothing happened"},
	{name: "ESTABLISHED to CLOSED on a timer, when the keep-alive was answered", trace: established + "timer | ACK 100 301\nin ACK 301 101\ntimer -> CLOSED", wrong: "nothing happened"},
	{name: "ESTABLISHED to CLOSED on the deadline of a call", trace: established + "call send | PSH,ACK 101 301 +5\ntimer SO_SNDTIMEO -> CLOSED", wrong: "nothing happened"},
	{name: "FIN-WAIT-2 to CLOSED on a timer, with a descriptor and nothing to wait for", trace: shutWait2 + "timer -> CLOSED", wrong: "nothing happened"},
	{name: "CLOSE-WAIT to CLOSED on a timer, with nothing to wait for", trace: closeWait + "timer -> CLOSED", wrong: "nothing happened"},
	{name: "TIME-WAIT to CLOSED on a timer at once", trace: timeWait + "at once timer -> CLOSED", wrong: "nothing happened"},
	{name: "SYN-SENT to ESTABLISHED without a SYN", trace: connecting + "in ACK 301 101 -> ESTABLISHED", wrong: "nothing happened"},
	{name: "SYN-SENT to ESTABLISHED on another's SYN,ACK", trace: connecting + "in SYN,ACK 300 77 -> ESTABLISHED", wrong: "nothing happened"},
	{name: "SYN-SENT to ESTABLISHED on a timer", trace: connecting + "timer -> ESTABLISHED", wrong: "no edge leads there by what happened: user timeout (event"},
	{name: "SYN-SENT to CLOSED on a RST without ACK", trace: connecting + "in RST 0 -> CLOSED", wrong: "nothing happened"},
	{name: "SYN-SENT to CLOSED on a RST with another ACK", trace: connecting + "in RST,ACK 0 77 -> CLOSED", wrong: "nothing happened"},
	{name: "SYN-SENT to CLOSED on a soft error", trace: connecting + "icmp 3/1 -> CLOSED", wrong: "nothing happened"},
	{name: "FIN-WAIT-1 to CLOSED on a soft error", trace: finWait1 + "icmp 3/1 -> CLOSED", wrong: "nothing happened"},
	{name: "TIME-WAIT to CLOSED on a hard error", trace: timeWait + "icmp 3/3 -> CLOSED", wrong: "no edge leads there"},
	{name: "SYN-RECEIVED to ESTABLISHED on an ACK of nothing that was sent", trace: received + "in ACK 301 150 -> ESTABLISHED", wrong: "nothing happened"},
	{name: "SYN-RECEIVED to ESTABLISHED on the SYN once more", trace: received + "in SYN 300 -> ESTABLISHED", wrong: "by what happened: SYN (event"},
	{name: "ESTABLISHED to CLOSED on data", trace: established + "in PSH,ACK 301 101 +5 -> CLOSED", wrong: "no edge leads there"},
	{name: "ESTABLISHED to CLOSED on data, with a RST", trace: established + "in PSH,ACK 301 101 +5 -> CLOSED | RST 101", wrong: "no edge leads there"},
	{name: "ESTABLISHED to CLOSED on a RST in the window", trace: established + "in RST 305 -> CLOSED", wrong: "nothing happened"},
	{name: "ESTABLISHED to CLOSED on a RST where data were that it has acknowledged", trace: established + "in PSH,ACK 301 101 +5 | ACK 101 306\nin RST 301 -> CLOSED", wrong: "nothing happened"},
	{name: "ESTABLISHED to CLOSED on close()", trace: established + "call close -> CLOSED | FIN,ACK 101 301", wrong: "no edge leads there by what happened: CLOSE (event"},
	{name: "ESTABLISHED to CLOSED on a SYN in the window that an ACK answers", trace: established + "in SYN 310 -> CLOSED | ACK 101 301", wrong: "no edge leads there"},
	{name: "ESTABLISHED to CLOSE-WAIT on a FIN behind a gap", trace: established + "in FIN,ACK 306 101 -> CLOSE-WAIT | ACK 101 301", wrong: "no edge leads there"},
	{name: "ESTABLISHED to CLOSE-WAIT on a FIN of long ago", trace: established + "in FIN,ACK 200 101 -> CLOSE-WAIT", wrong: "nothing happened"},
	{name: "ESTABLISHED to FIN-WAIT-1 without a call", trace: established + "in ACK 301 101 -> FIN-WAIT-1 | FIN,ACK 101 301", wrong: "no edge leads there"},
	{name: "ESTABLISHED to FIN-WAIT-1 on shutdown() of receiving", trace: established + "call shutdown SHUT_RD -> FIN-WAIT-1", wrong: "nothing happened"},
	{name: "ESTABLISHED to FIN-WAIT-2 reported as one edge", trace: established + "call close -> FIN-WAIT-2 | FIN,ACK 101 301", wrong: "no edge leads there"},
	{name: "FIN-WAIT-1 to FIN-WAIT-2 on an ACK of less", trace: finWait1 + "in ACK 301 101 -> FIN-WAIT-2", wrong: "no edge leads there"},
	{name: "FIN-WAIT-1 to TIME-WAIT reported, on a FIN that acknowledges less", trace: finWait1 + "in FIN,ACK 301 101 -> TIME-WAIT | ACK 102 302", wrong: "no edge leads there"},
	{name: "FIN-WAIT-1 to CLOSING on a FIN with the ACK of its FIN", trace: finWait1 + "in FIN,ACK 301 102 -> CLOSING | ACK 102 302", wrong: "no edge leads there"},
	{name: "FIN-WAIT-1 to CLOSING on that, and the FIN is thrown away", trace: finWait1 + "in FIN,ACK 301 102 -> CLOSING | ACK 102 301", wrong: "no edge leads there"},
	{name: "FIN-WAIT-1 to FIN-WAIT-2 on a FIN with the ACK of its FIN", trace: finWait1 + "in FIN,ACK 301 102 -> FIN-WAIT-2 | ACK 102 302", wrong: "no edge leads there"},
	{name: "FIN-WAIT-1 to FIN-WAIT-2 on that, sampled", trace: finWait1 + "in FIN,ACK 301 102 -> FIN-WAIT-2 sampled | ACK 102 302", wrong: "no edge leads there"},
	{name: "SYN-RECEIVED to ESTABLISHED on a FIN with the ACK of its SYN", trace: received + "in FIN,ACK 301 101 -> ESTABLISHED | ACK 101 302", wrong: "no edge leads there"},
	{name: "SYN-RECEIVED to FIN-WAIT-1 on that, and a CLOSE that waited", trace: crossed + "call shutdown SHUT_WR\nin FIN,ACK 301 101 -> FIN-WAIT-1 sampled | FIN,ACK 101 302", wrong: "no edge leads there"},
	{name: "SYN-SENT to ESTABLISHED on a SYN,ACK,FIN", trace: connecting + "in SYN,FIN,ACK 300 101 -> ESTABLISHED | ACK 101 302", wrong: "no edge leads there"},
	{name: "FIN-WAIT-2 to CLOSED on data after shutdown()", trace: shutWait2 + "in PSH,ACK 301 102 +5 -> CLOSED | RST 102", wrong: "no edge leads there"},
	{name: "FIN-WAIT-2 to CLOSED on an ACK behind a gap", trace: finWait2 + "in ACK 302 102 -> CLOSED | RST 102", wrong: "no edge leads there"},
	{name: "LAST-ACK to TIME-WAIT", trace: lastAck + "in ACK 302 102 -> TIME-WAIT", wrong: "no edge leads there"},
	{name: "CLOSING to CLOSED on the ACK of its FIN", trace: closing + "in ACK 302 102 -> CLOSED", wrong: "no edge leads there"},
	{name: "TIME-WAIT to SYN-RECEIVED on an old SYN", trace: timeWait + "in SYN 200 -> SYN-RECEIVED | SYN,ACK 900 201", wrong: "no edge leads there"},
	{name: "TIME-WAIT to SYN-RECEIVED on a SYN with an old timestamp", trace: finWait2 + `in FIN,ACK 301 102 ts=7 -> TIME-WAIT | ACK 102 302
		in SYN 5000 ts=6 -> SYN-RECEIVED | SYN,ACK 900 5001`, wrong: "no edge leads there"},
	{name: "LISTEN to ESTABLISHED without a SYN", trace: listening + "in ACK 301 101 -> 2:ESTABLISHED", wrong: "nothing happened"},
	{name: "LISTEN to ESTABLISHED on an ACK that fits no SYN cookie", trace: listening + "in SYN 300 | SYN,ACK 100 301\nin ACK 301 150 -> 2:ESTABLISHED", wrong: "nothing happened"},
	{name: "an embryo on a segment that is no SYN", trace: listening + "in ACK 300 101 -> 2:SYN-RECEIVED | SYN,ACK 100 301", wrong: "nothing happened"},
	{name: "a first state that is none", trace: "call socket -> ESTABLISHED", wrong: "a socket begins in CLOSED"},
	{name: "a socket that nobody made", trace: "timer -> 1:CLOSED", wrong: "nobody has made a socket"},
	{name: "CLOSED and on", trace: established + "in RST 301 -> CLOSED\nin SYN,ACK 300 101 -> ESTABLISHED", wrong: "nothing happened"},
	{name: "after a reboot", trace: established + "reboot -> CLOSED\ncall listen -> LISTEN", wrong: "rebooted before"},
	{name: "CLOSED without a reboot, and rebooted before", trace: established + "reboot\ntimer -> CLOSED", wrong: "rebooted before"},
	{name: "a reboot to another state", trace: established + "reboot -> TIME-WAIT", wrong: "rebooted before"},
	{name: "the listener is closed after accept()", trace: received + "in ACK 301 101 -> ESTABLISHED\naccepted 2\ncall 1:close -> 1:CLOSED, 2:CLOSED", wrong: "nothing happened"},
}

// outcome is what comes of a case: what is wrong, and the edges of the last change of state.
func (c *pathCase) outcome(t testing.TB, m *machine) (wrong []string, along string) {
	tr := story(t, c.trace)
	w := m.walk(tr)
	for i := range w.errors {
		wrong = append(wrong, w.errors[i].Error())
	}
	last := 0
	for i := range tr.Events {
		if _, ok := tr.Events[i].Detail.(*trace.StateChange); ok {
			last = tr.Events[i].N
		}
	}
	var edges []string
	for i, events := range w.covered {
		if slices.Contains(events, last) {
			edges = append(edges, m.edges[i].ID)
		}
	}
	slices.Sort(edges)
	return wrong, strings.Join(edges, ", ")
}

func TestPaths(t *testing.T) {
	for _, c := range pathCases {
		t.Run(c.name, func(t *testing.T) {
			wrong, along := c.outcome(t, standard)
			want := strings.Split(c.along, ", ")
			slices.Sort(want)
			if diff := cmp.Diff(strings.Join(want, ", "), along); diff != "" {
				t.Errorf("edges (-want +got)\n%s", diff)
			}
			switch {
			case c.wrong == "" && len(wrong) > 0:
				t.Errorf("it is a path, and this was found wrong: %q", wrong)
			case c.wrong != "" && (len(wrong) != 1 || !strings.Contains(wrong[0], c.wrong)):
				t.Errorf("found wrong: %q; want one that has %q", wrong, c.wrong)
			}
		})
	}
}

// segmentCase is one side of a connection by its segments: "> SYN 100: SYN-SENT" was sent, "< SYN,ACK 300 101: ESTABLISHED"
// arrived, and behind the colon stands the state then, if it has changed.
type segmentCase struct{ name, segments string }

const (
	sees        = "> SYN 100: SYN-SENT\n< SYN,ACK 300 101: ESTABLISHED\n> ACK 101 301\n"
	seesPassive = "< SYN 300\n> SYN,ACK 100 301: SYN-RECEIVED\n"
)

var segmentCases = []segmentCase{
	{"active", sees + "> PSH,ACK 101 301 +5\n< ACK 301 106\n< PSH,ACK 301 106 +5\n> ACK 106 306"},
	{"passive", seesPassive + "< ACK 301 101: ESTABLISHED"},
	{"passive, data with the ACK", seesPassive + "< PSH,ACK 301 101 +5: ESTABLISHED"},
	{"passive, FIN with the ACK", seesPassive + "< FIN,ACK 301 101: CLOSE-WAIT"},
	{"passive, the SYN again", seesPassive + "< SYN 300\n> SYN,ACK 100 301\n< ACK 301 101: ESTABLISHED"},
	{"passive, RST", seesPassive + "< RST 301: LISTEN\n< SYN 900\n> SYN,ACK 700 901: SYN-RECEIVED\n< ACK 901 701: ESTABLISHED"},
	{"passive, RST in the window", seesPassive + "< RST 310"},
	{"passive, another SYN", seesPassive + "< SYN 310: LISTEN"},
	{"passive, ACK of nothing that was sent", seesPassive + "< ACK 301 150\n> RST 150"},
	{"passive, abort", seesPassive + "> RST 101: CLOSED"},
	{"passive, close", seesPassive + "> FIN,ACK 101 301: FIN-WAIT-1\n< ACK 301 102: FIN-WAIT-2"},
	{"SYN cookies", "< SYN 300\n> SYN,ACK 100 301: SYN-RECEIVED\n< SYN 300\n> SYN,ACK 120 301\n< ACK 301 101: ESTABLISHED\n< FIN,ACK 301 101: CLOSE-WAIT"},
	{"nobody listens", "< SYN 300\n> RST,ACK 0 301: CLOSED"},
	{"nobody answers", "< SYN 300\n< SYN 300"},
	{"refused", "> SYN 100: SYN-SENT\n< RST,ACK 0 101: CLOSED"},
	{"RST without ACK to SYN-SENT", "> SYN 100: SYN-SENT\n< RST 0"},
	{"RST with another ACK to SYN-SENT", "> SYN 100: SYN-SENT\n< RST,ACK 0 100"},
	{"half-open, the other side has forgotten", sees + "> PSH,ACK 101 301 +5\n< RST 301: CLOSED"},
	{"half-open, this side has forgotten", sees + "> SYN 500: SYN-SENT\n< ACK 301 101\n> RST 101\n> SYN 500\n< SYN,ACK 900 501: ESTABLISHED"},
	{"half-open, the other side connects again", sees + "< SYN 900\n> ACK 101 301\n< RST 301: CLOSED\n< SYN 900\n> SYN,ACK 700 901: SYN-RECEIVED\n< ACK 901 701: ESTABLISHED"},
	{"there is no connection", sees + "< SYN 900\n> RST,ACK 0 901: CLOSED"},
	{"old SYN,ACK", "> SYN 100: SYN-SENT\n< SYN,ACK 300 77\n> RST 77\n< SYN,ACK 400 101: ESTABLISHED"},
	{"SYN,ACK and FIN", "> SYN 100: SYN-SENT\n< SYN,FIN,ACK 300 101: ESTABLISHED\n> ACK 101 302: CLOSE-WAIT"},
	{"SYN,ACK and a FIN that is ignored", "> SYN 100: SYN-SENT\n< SYN,FIN,ACK 300 101: ESTABLISHED\n> ACK 101 301\n< FIN,ACK 301 101: CLOSE-WAIT"},
	{"simultaneous open", "> SYN 100: SYN-SENT\n< SYN 300: SYN-RECEIVED\n> SYN,ACK 100 301\n< SYN,ACK 300 101\n> ACK 101 301\n< ACK 301 101: ESTABLISHED"},
	{"simultaneous open of Figure 7", "> SYN 100: SYN-SENT\n< SYN 300: SYN-RECEIVED\n> SYN,ACK 100 301\n< SYN,ACK 300 101\n> PSH,ACK 101 301 +5: ESTABLISHED"},
	{"simultaneous open, and the peer's SYN is captured before", "< SYN 300\n> SYN 100: SYN-SENT\n> SYN,ACK 100 301: SYN-RECEIVED\n< SYN,ACK 300 101\n< ACK 301 101: ESTABLISHED"},
	{"simultaneous open, and the peer's SYN and SYN,ACK are captured before", "< SYN 300\n> SYN 100: SYN-SENT\n< SYN,ACK 300 101: SYN-RECEIVED\n> SYN,ACK 100 301\n> ACK 101 301\n< ACK 301 101: ESTABLISHED"},
	{"a SYN that nobody answered, and another connection", "< SYN 300\n> SYN 100: SYN-SENT\n< SYN,ACK 900 101: ESTABLISHED"},
	{"simultaneous open, RST", "> SYN 100: SYN-SENT\n< SYN 300: SYN-RECEIVED\n> SYN,ACK 100 301\n< RST 301: CLOSED"},
	{"simultaneous open, SYN in the window, RST", "> SYN 100: SYN-SENT\n< SYN 300: SYN-RECEIVED\n> SYN,ACK 100 301\n< SYN 310\n> RST 101: CLOSED"},

	{"closes first", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< ACK 301 102: FIN-WAIT-2\n< PSH,ACK 301 102 +5\n> ACK 102 306\n< FIN,ACK 306 102: TIME-WAIT\n> ACK 102 307"},
	{"closes first, FIN with the ACK", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< FIN,ACK 301 102: TIME-WAIT"},
	{"closes at the same time", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< FIN,ACK 301 101: CLOSING\n> ACK 102 302\n< ACK 302 102: TIME-WAIT"},
	{"closes at the same time, and the peer's FIN is captured before", sees + "< FIN,ACK 301 101: CLOSE-WAIT\n> FIN,ACK 101 301: CLOSING\n< ACK 302 102: TIME-WAIT\n> ACK 102 302"},
	{"closes at the same time, with data on the way", sees + "< FIN,PSH,ACK 301 101 +5: CLOSE-WAIT\n> FIN,PSH,ACK 101 301 +5: CLOSING\n> ACK 107 307\n< ACK 307 107: TIME-WAIT"},
	{"closes second, with an older ACK", sees + "< FIN,ACK 301 101: CLOSE-WAIT\n> ACK 101 302\n> FIN,ACK 101 301: LAST-ACK"},
	{"closes second", sees + "< FIN,ACK 301 101: CLOSE-WAIT\n> ACK 101 302\n> FIN,ACK 101 302: LAST-ACK\n< ACK 302 102: CLOSED"},
	{"FIN behind data", sees + "> FIN,PSH,ACK 101 301 +5: FIN-WAIT-1\n< ACK 301 106\n< ACK 301 107: FIN-WAIT-2"},
	{"FIN again", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n> FIN,ACK 101 301\n< ACK 301 102: FIN-WAIT-2\n< FIN,ACK 301 102: TIME-WAIT\n< FIN,ACK 301 102\n> ACK 102 302"},
	{"the peer's FIN again", sees + "< FIN,ACK 301 101: CLOSE-WAIT\n< FIN,ACK 301 101\n> FIN,ACK 101 302: LAST-ACK"},
	{"FIN before a gap is closed", sees + "< FIN,ACK 306 101\n> ACK 101 301\n< PSH,ACK 301 101 +5\n> ACK 101 307: CLOSE-WAIT"},
	{"FIN before a gap is closed, and closes with its ACK", sees + "< FIN,ACK 306 101\n> ACK 101 301\n< PSH,ACK 301 101 +5\n> FIN,ACK 101 307: LAST-ACK\n< ACK 307 102: CLOSED"},
	{"FIN before a gap is closed, both close", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< FIN,ACK 306 102: FIN-WAIT-2\n> ACK 102 301\n< PSH,ACK 301 102 +5\n> ACK 102 307: TIME-WAIT"},
	{"FIN to a closed window", sees + "< PSH,ACK 301 101 +1000\n> ACK 101 1301 win=0\n< FIN,ACK 1301 101\n> ACK 101 1301 win=0\n> ACK 101 1301 win=9\n< FIN,ACK 1301 101: CLOSE-WAIT"},
	{"one octet to a closed window", sees + "< PSH,ACK 301 101 +1000\n> ACK 101 1301 win=0\n< PSH,ACK 1301 101 +1\n> ACK 101 1301 win=0\n< RST 1301: CLOSED"},
	{"old segment with the ACK of the FIN", sees + "< PSH,ACK 301 101 +5\n> ACK 101 306\n> FIN,ACK 101 306: FIN-WAIT-1\n< PSH,ACK 301 102 +5\n< ACK 306 102: FIN-WAIT-2"},
	{"FIN that acknowledges what was never sent", sees + "< FIN,ACK 301 500\n> ACK 101 301"},
	{"FIN that acknowledges what was sent and not seen", sees + "< FIN,ACK 301 500\n> ACK 500 302: CLOSE-WAIT"},
	{"FIN where data were that the stack dropped", sees + "< PSH,ACK 300 101 +9\n> ACK 101 301\n< FIN,ACK 301 101: CLOSE-WAIT"},
	{"FIN where data were", sees + "< FIN,ACK 301 500\n> ACK 101 301\n< PSH,ACK 301 101 +5\n> ACK 101 306\n< FIN,ACK 306 101: CLOSE-WAIT"},
	{"numbers wrap", "> SYN 4294967295: SYN-SENT\n< SYN,ACK 4294967294 0: ESTABLISHED\n> PSH,ACK 0 4294967295 +5\n< FIN,PSH,ACK 4294967295 5 +5: CLOSE-WAIT\n> FIN,ACK 5 5: LAST-ACK\n< ACK 5 6: CLOSED"},

	{"RST to ESTABLISHED", sees + "< RST 301: CLOSED"},
	{"RST beside RCV.NXT", sees + "< RST 302\n< RST 300\n< RST,ACK 302 101"},
	{"RST where data were that the stack dropped", sees + "< PSH,ACK 301 101 +5\n> ACK 101 301\n< RST 301: CLOSED"},
	{"RST where data were that came after its ACK", sees + "< PSH,ACK 301 101 +5\n< RST 301"},
	{"RST where data were that the stack dropped and took then", sees + "< PSH,ACK 301 101 +5\n> ACK 101 301\n< PSH,ACK 301 101 +5\n> ACK 101 306\n< RST 301"},
	{"RST to FIN-WAIT-1", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< RST 301: CLOSED"},
	{"RST to FIN-WAIT-2", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< ACK 301 102: FIN-WAIT-2\n< RST 301: CLOSED"},
	{"RST to CLOSE-WAIT", sees + "< FIN,ACK 301 101: CLOSE-WAIT\n< RST 302: CLOSED"},
	{"RST to CLOSING", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< FIN,ACK 301 101: CLOSING\n< RST 302: CLOSED"},
	{"RST to LAST-ACK", sees + "< FIN,ACK 301 101: CLOSE-WAIT\n> FIN,ACK 101 302: LAST-ACK\n< RST 302: CLOSED"},
	{"RST to TIME-WAIT", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< FIN,ACK 301 102: TIME-WAIT\n< RST 302: CLOSED"},
	{"abort", sees + "> RST,ACK 101 301: CLOSED"},
	{"abort in FIN-WAIT-1", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n> RST 102: CLOSED"},
	{"abort in FIN-WAIT-2", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< ACK 301 102: FIN-WAIT-2\n> RST 102: CLOSED"},
	{"abort in CLOSE-WAIT", sees + "< FIN,ACK 301 101: CLOSE-WAIT\n> RST 101: CLOSED"},
	{"data after close", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< PSH,ACK 301 101 +5\n> RST 102: CLOSED"},
	{"data after close, in FIN-WAIT-2", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< ACK 301 102: FIN-WAIT-2\n< PSH,ACK 301 102 +5\n> RST 102: CLOSED"},
	{"SYN in the window that is answered with an ACK", sees + "< SYN 310\n> ACK 101 301"},
	{"SYN in the window that is answered with a RST", sees + "< SYN 310\n> RST 101: CLOSED"},
	{"TIME-WAIT, SYN beyond", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< FIN,ACK 301 102: TIME-WAIT\n< SYN 5000\n> SYN,ACK 900 5001: SYN-RECEIVED\n< ACK 5001 901: ESTABLISHED"},
	{"TIME-WAIT, SYN with a newer timestamp", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< FIN,ACK 301 102 ts=7: TIME-WAIT\n< SYN 200 ts=9\n> SYN,ACK 900 201: SYN-RECEIVED"},
	{"TIME-WAIT, old SYN", sees + "> FIN,ACK 101 301: FIN-WAIT-1\n< FIN,ACK 301 102: TIME-WAIT\n< SYN 200\n> ACK 102 302"},

	// Joined in the middle.
	{"joined, data and ACK", "> PSH,ACK 101 301 +5\n< ACK 301 106: ESTABLISHED\n< FIN,ACK 301 106: CLOSE-WAIT\n> FIN,ACK 106 302: LAST-ACK\n< ACK 302 107: CLOSED"},
	{"joined, the other way", "< ACK 301 101\n> PSH,ACK 101 301 +5: ESTABLISHED\n> FIN,ACK 106 301: FIN-WAIT-1\n< FIN,ACK 301 107: TIME-WAIT"},
	{"SYN with data that are taken", "< SYN 300 +5\n> SYN,ACK 100 306: SYN-RECEIVED\n< ACK 306 101: ESTABLISHED\n< FIN,ACK 306 101: CLOSE-WAIT"},
	{"SYN with data that are not taken", "< SYN 300 +5\n> SYN,ACK 100 301: SYN-RECEIVED\n< PSH,ACK 301 101 +5: ESTABLISHED\n> ACK 101 306\n< RST 306: CLOSED"},
	{"joined, one way only", "> PSH,ACK 101 301 +5\n> PSH,ACK 106 301 +5"},
	{"joined, the SYN,ACK is the first", "< SYN,ACK 300 101\n> ACK 101 301: ESTABLISHED"},
	{"joined, the SYN,ACK is missing", "> SYN 100: SYN-SENT\n> ACK 101 301: ESTABLISHED\n< FIN,ACK 301 101: CLOSE-WAIT"},
	{"joined, our FIN is the first", "> FIN,ACK 101 301\n< ACK 301 102\n< FIN,ACK 301 102: TIME-WAIT"},
	{"joined, our FIN is the first, and the peer sends data", "> FIN,ACK 101 301\n< PSH,ACK 301 101 +5: FIN-WAIT-1\n< ACK 306 102: FIN-WAIT-2"},
	{"joined, our FIN is the first and acknowledged, and the peer sends data", "> FIN,ACK 101 301\n< ACK 301 102\n< PSH,ACK 301 102 +5: FIN-WAIT-2"},
	{"joined, FINs cross", "> FIN,ACK 101 301\n< FIN,ACK 301 101: CLOSING"},
	{"joined, the peer's FIN is the first", "< FIN,ACK 301 101\n> ACK 101 302\n> PSH,ACK 101 302 +5: CLOSE-WAIT"},
	{"joined, both FINs", "< FIN,ACK 301 101\n> FIN,ACK 101 302: LAST-ACK\n< ACK 302 102: CLOSED"},
	{"joined, the ACK of the last FIN only", "< ACK 301 101"},
	{"joined, RST", "< PSH,ACK 301 101 +5\n< RST 306: CLOSED"},
	{"joined, RST that may be anybody's", "< RST 306"},
	{"joined, it sends a RST", "> RST 306: CLOSED"},
	{"joined, FINs cross, and the peer's is captured before", "< FIN,ACK 301 101\n> FIN,ACK 101 301: CLOSING\n< ACK 302 102: TIME-WAIT"},
	{"joined, then another connection", "> PSH,ACK 101 301 +5\n< ACK 301 106: ESTABLISHED\n> SYN 900: SYN-SENT"},
}

// states are those after each segment.
func (c *segmentCase) states(t testing.TB, m *machine) (want, got []string) {
	t.Helper()
	var e Endpoint
	for line := range strings.Lines(c.segments) {
		line, state, changes := strings.Cut(strings.TrimSpace(line), ": ")
		words := strings.Fields(line)
		before := e.State
		s := segment(t, 0, 0, words[1:])
		var changed bool
		if words[0] == ">" {
			changed = e.move(m, e.sent(&s), true)
		} else {
			changed = e.move(m, e.arrived(&s), false)
		}
		if changed != (e.State != before) {
			t.Errorf("%s: changed is %v, from %v to %v", line, changed, before, e.State)
		}
		if !changes {
			state = before.String()
			if len(want) > 0 {
				state = strings.TrimPrefix(want[len(want)-1][strings.Index(want[len(want)-1], ": "):], ": ")
			}
		}
		want, got = append(want, line+": "+state), append(got, fmt.Sprintf("%s: %v", line, e.State))
	}
	return want, got
}

func TestEndpoint(t *testing.T) {
	for _, c := range segmentCases {
		t.Run(c.name, func(t *testing.T) {
			want, got := c.states(t, standard)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("states (-want +got)\n%s", diff)
			}
		})
	}
}

// TestCasesReachEveryRow: there is a case about each row, and the cases' own names of rows are names of rows.
func TestCasesReachEveryRow(t *testing.T) {
	cases := map[string]bool{}
	for _, c := range pathCases {
		for id := range strings.SplitSeq(c.along, ", ") {
			cases[id] = true
		}
	}
	delete(cases, "")
	for _, e := range Edges() {
		if !cases[e.ID] {
			t.Errorf("no case is about %s", e.ID)
		}
		delete(cases, e.ID)
	}
	for id := range cases {
		t.Errorf("no row is %s", id)
	}
}

// TestMutatedTable: a table with a row less, or with a row that leads to another state, judges at least one of the cases
// otherwise. If it did not, nothing would hold that row.
func TestMutatedTable(t *testing.T) {
	start := time.Now()
	paths := make([]string, len(pathCases))
	for i := range pathCases {
		wrong, along := pathCases[i].outcome(t, standard)
		paths[i] = fmt.Sprint(wrong, along)
	}
	segments := make([]string, len(segmentCases))
	for i := range segmentCases {
		_, got := segmentCases[i].states(t, standard)
		segments[i] = fmt.Sprint(got)
	}
	mutants := 0
	differs := func(what string, edges []Edge) {
		t.Helper()
		mutants++
		m := newMachine(edges)
		for i := range segmentCases {
			if _, got := segmentCases[i].states(t, m); fmt.Sprint(got) != segments[i] {
				return
			}
		}
		for i := range pathCases {
			if wrong, along := pathCases[i].outcome(t, m); fmt.Sprint(wrong, along) != paths[i] {
				return
			}
		}
		t.Errorf("%s: no case notices", what)
	}
	for i := range table {
		differs(table[i].ID+" deleted", slices.Delete(Edges(), i, i+1))
		for _, to := range trace.States() {
			if to != table[i].To && to != table[i].From {
				mutant := Edges()
				mutant[i].To = to
				differs(fmt.Sprintf("%s to %v", table[i].ID, to), mutant)
			}
		}
		// A row that leads nowhere is a row that is not there.
		mutant := Edges()
		mutant[i].To = mutant[i].From
		differs(table[i].ID+" stays", mutant)
	}
	t.Logf("%d mutants of %d rows against %d cases in %v", mutants, len(table), len(pathCases)+len(segmentCases), time.Since(start))
}

// TestEndpointKnows: what an Endpoint knows beside its state, and what it says that it does not know.
func TestEndpointKnows(t *testing.T) {
	all := KnowsISS | KnowsIRS | KnowsSndUna | KnowsSndNxt | KnowsRcvNxt | KnowsShifts
	for _, c := range []struct {
		name, segments string
		want           Endpoint
	}{
		{"nothing", "", Endpoint{}},
		{"SYN", "> SYN 100", Endpoint{Origin: Active, Knows: KnowsISS | KnowsSndUna | KnowsSndNxt, ISS: 100, SndUna: 100, SndNxt: 101}},
		{"both scale", "> SYN 100 ws=3\n< SYN,ACK 300 101 ws=15\n> PSH,ACK 101 301 +7\n< ACK 301 105", Endpoint{
			Origin: Active, Knows: all, ISS: 100, IRS: 300, SndUna: 105, SndNxt: 108, RcvNxt: 301, SndWindShift: 14, RcvWindShift: 3}},
		{"one scales", "> SYN 100 ws=3\n< SYN,ACK 300 101", Endpoint{Origin: Active, Knows: all, ISS: 100, IRS: 300, SndUna: 101, SndNxt: 101, RcvNxt: 301}},
		{"passive", "< SYN 300 ws=2\n> SYN,ACK 100 301 ws=1\n< PSH,ACK 301 101 +5", Endpoint{
			Origin: Passive, Knows: all, ISS: 100, IRS: 300, SndUna: 101, SndNxt: 101, RcvNxt: 306, SndWindShift: 2, RcvWindShift: 1}},
		{"the SYN is missing", "> SYN,ACK 100 301 ws=1", Endpoint{
			Origin: Passive, Knows: all &^ KnowsShifts, ISS: 100, IRS: 300, SndUna: 100, SndNxt: 101, RcvNxt: 301}},
		{"both FINs", "> SYN 100\n< SYN,ACK 300 101\n> FIN,ACK 101 301\n< FIN,ACK 301 102", Endpoint{
			Origin: Active, Knows: all, ISS: 100, IRS: 300, SndUna: 102, SndNxt: 102, RcvNxt: 302}},
		{"data with the SYN,ACK, taken", "> SYN 100\n< SYN,ACK 300 101 +5\n> ACK 101 306", Endpoint{
			Origin: Active, Knows: all, ISS: 100, IRS: 300, SndUna: 101, SndNxt: 101, RcvNxt: 306}},
		{"data with the SYN,ACK, not taken", "> SYN 100\n< SYN,ACK 300 101 +5\n> ACK 101 301", Endpoint{
			Origin: Active, Knows: all, ISS: 100, IRS: 300, SndUna: 101, SndNxt: 101, RcvNxt: 301}},
		{"a gap", "> SYN 100\n< SYN,ACK 300 101\n< PSH,ACK 306 101 +5", Endpoint{Origin: Active, Knows: all, ISS: 100, IRS: 300, SndUna: 101, SndNxt: 101, RcvNxt: 301}},
		{"a gap that was closed", "> SYN 100\n< SYN,ACK 300 101\n< PSH,ACK 306 101 +5\n< PSH,ACK 301 101 +5\n> ACK 101 311", Endpoint{
			Origin: Active, Knows: all, ISS: 100, IRS: 300, SndUna: 101, SndNxt: 101, RcvNxt: 311}},
		{"what it sends only", "> PSH,ACK 101 301 +5\n> PSH,ACK 106 301 +5", Endpoint{Knows: KnowsSndNxt | KnowsRcvNxt, SndUna: 101, SndNxt: 111, RcvNxt: 301}},
		{"what reaches it only", "< PSH,ACK 301 101 +5\n< PSH,ACK 306 150 +5", Endpoint{
			Knows: KnowsSndUna | KnowsSndNxt | KnowsRcvNxt, SndUna: 150, SndNxt: 150, RcvNxt: 311}},
		{"another connection", "> SYN 100 ws=3\n< SYN,ACK 300 101 ws=4\n> ACK 101 301\n> SYN 900", Endpoint{
			Origin: Active, Knows: KnowsISS | KnowsSndUna | KnowsSndNxt, ISS: 900, SndUna: 900, SndNxt: 901}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e Endpoint
			for line := range strings.Lines(c.segments) {
				words := strings.Fields(line)
				if s := segment(t, 0, 0, words[1:]); words[0] == ">" {
					e.Sent(&s)
				} else {
					e.Arrived(&s)
				}
			}
			got := Endpoint{
				Origin: e.Origin, Knows: e.Knows, ISS: e.ISS, IRS: e.IRS, SndUna: e.SndUna, SndNxt: e.SndNxt, RcvNxt: e.RcvNxt,
				SndWindShift: e.SndWindShift, RcvWindShift: e.RcvWindShift,
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(Endpoint{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
