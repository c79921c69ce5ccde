package script_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// What the gVisor host does while packets are thrown at it: it listens, with a queue and with SYN cookies, has
// connections of its own and of others in many states, and tries to make some more.
const targetStory = `
--until=200

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80)
server: listen(3, 3)
server: accept(3, ..., ...) = 4
server: accept(3, ..., ...) = 5
server: repeat 5 {
    accept(3, ..., ...) = 6
    recv(6, ..., 100, 0)
    send(6, ..., 10, 0)
    close(6)
}

// The first connection carries data both ways, the second is closed by the server.
server.2: .050 recvall(4)
server.3: .050 sendall(4, 5000)
server.3: 60 close(4)
server.4: .050 close(5)

// A connection that the peer accepts, one that it does not answer, and one from a fixed port to a fixed port.
server.5: .005 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server.5: connect(3, client:7001)
server.5: send(3, ..., 10, 0)
server.5: recvall(3)
server.6: .005 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server.6: connect(3, client:7002)
server.6: send(3, ..., 10, 0)
server.7: .005 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server.7: bind(3, server:5000)
server.7: connect(3, client:5000)
server.7: recvall(3)

server.8: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server.8: bind(3, server:81)
server.8: listen(3, 0)
server.8: repeat 5 {
    accept(3, ..., ...) = 6
    close(6)
}
`

var (
	throwerAddress = netip.MustParseAddr("192.0.2.1")
	targetAddress  = netip.MustParseAddr("192.0.2.2")
)

// A missile is a packet to be thrown, and how.
type missile struct {
	gap    uint8 // how long after the one before: below 200 in ms, from there on in seconds
	aim    uint8 // see (*thrower).throw
	nudge  uint8
	octets []byte
}

// The bits of missile.aim.
const (
	aimAt    = 7      // at which of the thrower's peers the packet is aimed, if there is one
	aimSum   = 1 << 3 // its checksums are made right
	aimSeq   = 4      // shift of two bits: what happens to the sequence number
	aimAck   = 6      // and to the acknowledgment number
	aimExact = 0      // it becomes the one that is expected
	aimAhead = 1      // it lies ahead of that
	aimBack  = 2      // it lies behind
	aimOwn   = 3      // it stays
)

const (
	maxMissiles = 48
	missileHead = 5
)

// missiles splits a fuzzer's input.
func missiles(input []byte) (list []missile) {
	for len(input) >= missileHead && len(list) < maxMissiles {
		n := int(binary.BigEndian.Uint16(input[3:]))
		m := missile{gap: input[0], aim: input[1], nudge: input[2]}
		input = input[missileHead:]
		n = min(n, len(input))
		m.octets, input = input[:n], input[n:]
		list = append(list, m)
	}
	return list
}

func (m missile) append(b []byte) []byte {
	b = append(b, m.gap, m.aim, m.nudge)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.octets)))
	return append(b, m.octets...)
}

// A thrower is a host's stack that is none: it makes two connections and answers one, and then throws packets whatever
// comes. It does know what the target expects next, so that a packet can be aimed.
type thrower struct {
	now  time.Duration
	next time.Duration // when it throws next
	left []missile
	out  [][]byte
	// peers are the connections that it knows of, in the order in which it learned of them.
	peers []*peer
	// opened: its own two SYNs were sent.
	opened bool
}

type peer struct {
	own, target uint16
	seq, ack    trace.Seq // what the target expects, and what it sends next
}

// firstThrow is when the connections stand and the throwing begins.
const firstThrow = 100 * time.Millisecond

type throwerFactory struct{ left []missile }

func (f throwerFactory) Info() netns.Info { return netns.Info{Name: "thrower", Version: "1"} }

func (f throwerFactory) New(netns.Env) (netns.Stack, error) {
	return &thrower{left: f.left, next: time.Millisecond}, nil
}

func (t *thrower) Advance(now time.Duration) { t.now = now }
func (*thrower) Settle()                     {}
func (*thrower) Close()                      {}

func (*thrower) Socket(netns.Family) (netns.Socket, error) { return nil, netns.ErrUnsupported }

func (t *thrower) Take(buf []byte) ([]byte, bool, bool) {
	if len(t.out) == 0 {
		return buf, false, false
	}
	p := t.out[0]
	t.out = t.out[1:]
	return append(buf, p...), false, true
}

func (t *thrower) Deadline() (time.Duration, bool) { return t.next, !t.opened || len(t.left) > 0 }

func (t *thrower) Expire() netns.Expired {
	if !t.opened {
		t.opened = true
		t.next = firstThrow
		for port := range uint16(2) {
			p := &peer{own: 1000 + port, target: 80, seq: 1000}
			t.peers = append(t.peers, p)
			t.segment(p, trace.SYN, "\x02\x04\x05\xb4\x04\x02\x01\x01"[:4+4*port])
			p.seq++
		}
		return netns.Expired{Name: "open"}
	}
	m := t.left[0]
	t.left = t.left[1:]
	if octets := t.throw(m); len(octets) > 0 {
		t.out = append(t.out, octets)
	}
	if len(t.left) > 0 {
		t.next = t.now + time.Duration(t.left[0].gap)*time.Millisecond
		if g := t.left[0].gap; g >= 200 {
			t.next = t.now + time.Duration(g-199)*time.Second
		}
	}
	return netns.Expired{Name: "throw"}
}

// segment sends a segment without data.
func (t *thrower) segment(p *peer, flags trace.Flags, options string) {
	packet := trace.Packet{
		Kind: trace.PacketTCP,
		IP:   trace.IPHeader{Version: 4, Src: throwerAddress, Dst: targetAddress, Protocol: 6, TTL: 64},
		TCP: trace.Segment{
			SrcPort: p.own, DstPort: p.target, Seq: p.seq, Flags: flags, Window: 60000, Options: trace.Options(options),
		},
	}
	if flags.Has(trace.ACK) {
		packet.TCP.Ack = p.ack
	}
	t.out = append(t.out, wire.Append(nil, &packet, nil))
}

// throw makes the octets of a missile.
func (t *thrower) throw(m missile) []byte {
	octets := bytes.Clone(m.octets)
	p := trace.Packet{Octets: octets, Len: len(octets)}
	wire.Decode(&p)
	if at := int(m.aim & aimAt); at < len(t.peers) && p.Kind == trace.PacketTCP && p.IP.Version == 4 {
		peer := t.peers[at]
		src, dst := throwerAddress.As4(), targetAddress.As4()
		copy(octets[12:], src[:])
		copy(octets[16:], dst[:])
		tcp := octets[p.IP.HeaderLen:]
		binary.BigEndian.PutUint16(tcp, peer.own)
		binary.BigEndian.PutUint16(tcp[2:], peer.target)
		aim := func(how uint8, expected trace.Seq, field []byte) {
			const far = 97 // so that a nudge reaches beyond a segment, and beyond a window
			switch how & 3 {
			case aimExact:
			case aimAhead:
				expected = expected.Add(uint32(m.nudge) * far)
			case aimBack:
				expected = expected.Add(-uint32(m.nudge) * far)
			case aimOwn:
				return
			}
			binary.BigEndian.PutUint32(field, uint32(expected))
		}
		aim(m.aim>>aimSeq, peer.seq, tcp[4:])
		aim(m.aim>>aimAck, peer.ack, tcp[8:])
	}
	if m.aim&aimSum != 0 {
		wire.FixChecksums(octets)
	}
	return octets
}

// Deliver learns what the target expects, and, as long as nothing is thrown, answers what makes a connection.
func (t *thrower) Deliver(octets []byte) {
	p := trace.Packet{Octets: octets, Len: len(octets)}
	if wire.Decode(&p); p.Kind != trace.PacketTCP {
		return
	}
	s := &p.TCP
	var k *peer
	for _, known := range t.peers {
		if known.own == s.DstPort && known.target == s.SrcPort {
			k = known
		}
	}
	if k == nil {
		k = &peer{own: s.DstPort, target: s.SrcPort, seq: 5000}
		t.peers = append(t.peers, k)
	}
	if s.Flags.Has(trace.ACK) {
		k.seq = s.Ack
	}
	k.ack = s.Seq.Add(s.Len())
	switch {
	case t.now >= firstThrow:
	case s.Flags == trace.SYN|trace.ACK:
		t.segment(k, trace.ACK, "")
	case s.Flags == trace.SYN && k.own == 7001:
		t.segment(k, trace.SYN|trace.ACK, "")
	}
}

// wallGuard is how long one run may take before it is said to hang. It takes a few milliseconds.
const wallGuard = 2 * time.Minute

// throwAll runs the target story against missiles, and checks that the run ends by itself and leaves a record that can be
// believed.
func throwAll(t testing.TB, story *script.Story, left []missile, seed uint64) *trace.Trace {
	t.Helper()
	config := netns.Config{Client: throwerFactory{left}, Server: &gvisor.Factory{}, Seed: seed}
	type outcome struct {
		result *script.Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := script.Run(story, config)
		done <- outcome{result, err}
	}()
	var out outcome
	guard := time.NewTimer(wallGuard)
	defer guard.Stop()
	select {
	case out = <-done:
	case <-guard.C:
		stacks := make([]byte, 1<<20)
		t.Fatalf("the run hangs:\n%s", stacks[:runtime.Stack(stacks, true)])
	}
	if out.err != nil {
		t.Fatalf("the run broke off: %v", out.err)
	}
	wellFormed(t, out.result.Trace)
	return out.result.Trace
}

// wellFormed checks that a trace is what its file says, and that nothing in it comes before its cause.
func wellFormed(t testing.TB, tr *trace.Trace) {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, tr); err != nil {
		t.Fatal(err)
	}
	read, err := trace.Read(bytes.NewReader(b.Bytes()), "written", wire.Decode)
	if err != nil {
		t.Fatalf("reading what was written: %v", err)
	}
	for i := range tr.Events {
		e := &tr.Events[i]
		if !reflect.DeepEqual(e, &read.Events[i]) {
			t.Fatalf("event %d is not what was written:\n%+v %+v\n%+v %+v", e.N, *e, e.Detail, read.Events[i], read.Events[i].Detail)
		}
		if e.N != i+1 || e.Cause < 0 || e.Cause >= e.N || i > 0 && e.At < tr.Events[i-1].At {
			t.Fatalf("event %d: number %d, cause %d, at %v", i+1, e.N, e.Cause, e.At)
		}
		var cause *trace.Event
		if e.Cause > 0 {
			cause = tr.Event(e.Cause)
		}
		wrong := ""
		switch d := e.Detail.(type) {
		case *trace.Call, *trace.Timer, *trace.HostChange, *trace.Note:
			if cause != nil {
				wrong = "the root of a step has a cause"
			}
		case *trace.Arrived:
			if cause == nil {
				wrong = "a packet that nobody sent"
			} else if _, ok := cause.Detail.(*trace.Sent); !ok || cause.Host == e.Host {
				wrong = "a packet that the other host did not send"
			}
		case *trace.Fate:
			if cause == nil || cause.Host != e.Host {
				wrong = "the fate of no packet"
			}
		case *trace.Return:
			call := tr.Event(d.Call)
			if cause == nil || call == nil || d.Call >= e.N {
				wrong = "a return of no call"
			} else if _, ok := call.Detail.(*trace.Call); !ok || call.Host != e.Host {
				wrong = "a return of no call on its host"
			}
		case *trace.Sent, *trace.StateChange, *trace.Control:
			if cause == nil || cause.Host != e.Host || cause.At != e.At {
				wrong = "its cause is not of its host and its moment"
			}
		}
		if wrong != "" {
			t.Fatalf("event %d (%T): %s: %+v caused by %+v", e.N, e.Detail, wrong, *e, cause)
		}
	}
	if !reflect.DeepEqual(tr.Header, read.Header) || !reflect.DeepEqual(tr.End, read.End) || len(tr.Events) != len(read.Events) {
		t.Fatalf("header, end or number of events are not what was written:\n%+v\n%+v\n%+v\n%+v", tr.Header, read.Header, tr.End, read.End)
	}
}

func target(t testing.TB) *script.Story {
	t.Helper()
	story, err := script.Parse("target.story", targetStory)
	if err != nil {
		t.Fatal(err)
	}
	return story
}

// ammunition are the packets that a story's hosts send.
func ammunition(t testing.TB, name string) (packets [][]byte) {
	t.Helper()
	for _, e := range traceOf(t, name, 1).Events {
		if s, ok := e.Detail.(*trace.Sent); ok {
			packets = append(packets, s.Packet.Octets)
		}
	}
	return packets
}

// FuzzStack throws the fuzzer's packets at a gVisor host through the link.
func FuzzStack(f *testing.F) {
	story := target(f)
	for i, name := range gvisorStories() {
		var input []byte
		for k, octets := range ammunition(f, name) {
			if k == maxMissiles/2 {
				break
			}
			input = missile{gap: 5, aim: aimSum | uint8((i+k)%6), octets: octets}.append(input)
			input = missile{gap: uint8(7 * k), aim: aimSum | aimOwn<<aimSeq | aimAhead<<aimAck | 7, nudge: 3, octets: octets}.append(input)
		}
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input []byte) { throwAll(t, story, missiles(input), 1) })
}

// mutate makes a missile of one of the packets.
func mutate(rng *rand.Rand, packets [][]byte) missile {
	m := missile{gap: uint8(rng.IntN(20)), aim: uint8(rng.Uint32()), nudge: uint8(rng.Uint32())}
	if rng.IntN(20) == 0 {
		m.gap = uint8(rng.Uint32())
	}
	if rng.IntN(10) > 0 {
		m.aim = m.aim&^uint8(aimAt) | aimSum | uint8(rng.IntN(6))
	}
	if rng.IntN(2) > 0 {
		m.aim &= aimAt | aimSum // just what is expected
	}
	m.octets = bytes.Clone(packets[rng.IntN(len(packets))])
	const tcp = 20 // where the TCP header begins in the stories' packets
	switch rng.IntN(8) {
	case 0: // as it is
	case 1: // other control bits
		m.octets[tcp+13] = uint8(rng.Uint32())
	case 2: // another window, checksum, urgent pointer
		m.octets[tcp+14+rng.IntN(6)] = uint8(rng.Uint32())
	case 3: // other options
		for range 1 + rng.IntN(4) {
			if n := len(m.octets); n > tcp+20 {
				m.octets[tcp+20+rng.IntN(n-tcp-20)] = uint8(rng.Uint32())
			}
		}
	case 4: // some bits anywhere
		for range 1 + rng.IntN(4) {
			m.octets[rng.IntN(len(m.octets))] ^= 1 << rng.IntN(8)
		}
	case 5: // cut short
		m.octets = m.octets[:rng.IntN(len(m.octets))]
	case 6: // with data, the total length with it
		more := make([]byte, rng.IntN(1400))
		m.octets = append(m.octets[:min(len(m.octets), 80)], more...)
		binary.BigEndian.PutUint16(m.octets[2:], uint16(len(m.octets)))
	case 7: // an ICMP error about one of the target's packets
		quoted := m.octets[:min(len(m.octets), 28+rng.IntN(20))]
		copy(quoted[12:], m.octets[16:20])
		m.octets = append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
			3, uint8(rng.IntN(6)), 0, 0, 0, 0, uint8(rng.IntN(6)), uint8(rng.Uint32())}, quoted...)
		binary.BigEndian.PutUint16(m.octets[2:], uint16(len(m.octets)))
		sum := uint32(0)
		for i := 20; i < len(m.octets); i++ {
			sum += uint32(m.octets[i]) << (8 * (1 - uint(i)%2))
		}
		for sum > 0xffff {
			sum = sum&0xffff + sum>>16
		}
		binary.BigEndian.PutUint16(m.octets[22:], ^uint16(sum))
	}
	return m
}

// A stack that thousands of random packets are thrown at, most of them aimed at its connections, neither hangs nor
// panics, the record stays whole, and the same packets make the same run.
func TestStackStandsRandomPackets(t *testing.T) {
	const each = 40
	worlds := unlessRace(80, 40)
	story := target(t)
	var packets [][]byte
	for _, name := range gvisorStories() {
		packets = append(packets, ammunition(t, name)...)
	}
	thrown, reached := 0, map[string]int{}
	for w := range uint64(worlds) {
		rng := rand.New(rand.NewPCG(w, 0))
		var left []missile
		for range each {
			left = append(left, mutate(rng, packets))
		}
		tr := throwAll(t, story, left, w)
		if w%10 == 0 {
			again := throwAll(t, story, left, w)
			if !reflect.DeepEqual(tr, again) {
				t.Errorf("world %d: the same packets made another run", w)
			}
		}
		for _, e := range tr.Events {
			switch d := e.Detail.(type) {
			case *trace.Arrived:
				if e.Host == netns.Server && e.At > firstThrow {
					thrown++
				}
			case *trace.StateChange:
				if _, arrived := tr.Event(e.Cause).Detail.(*trace.Arrived); arrived && e.At > firstThrow {
					reached[fmt.Sprintf("%v to %v", d.From, d.To)]++
				}
			default:
			}
		}
	}
	t.Logf("%d packets in %d worlds; they brought sockets from %v", thrown, worlds, reached)
	if want := worlds * each * 15 / 16; thrown < want {
		t.Errorf("%d packets arrived: want %d", thrown, want)
	}
	// Without these the packets were not aimed well, and the test shows little.
	for _, change := range []string{
		"not observed to SYN-RECEIVED", "SYN-RECEIVED to ESTABLISHED", "SYN-SENT to ESTABLISHED", "ESTABLISHED to CLOSE-WAIT",
		"ESTABLISHED to CLOSED", "SYN-SENT to CLOSED", "FIN-WAIT-1 to FIN-WAIT-2",
	} {
		if reached[change] == 0 {
			t.Errorf("no packet brought a socket from %s", change)
		}
	}
}
