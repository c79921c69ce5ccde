package handwritten

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// Version is the version of this stack.
const Version = "1"

// defaultHalfOpen is Factory.HalfOpen where it is zero.
const defaultHalfOpen = 128

// A Factory makes stacks. Of its zero value segments carry no option but the MSS in those with SYN. The options are offered in a SYN
// and answered in that of a peer who offers them.
type Factory struct {
	WindowScale   bool // RFC 7323, Section 2
	Timestamps    bool // RFC 7323, Section 3
	SACKPermitted bool // RFC 2018
	HalfOpen      int  // connections in SYN-RECEIVED that a listener keeps, further SYNs are dropped in silence; 0: 128
}

var _ netns.Factory = (*Factory)(nil)

// Info describes the stack with the defaults that shape what it does.
func (f *Factory) Info() netns.Info {
	name := "handwritten"
	for _, o := range []struct {
		on   bool
		name string
	}{{f.WindowScale, "+ws"}, {f.Timestamps, "+ts"}, {f.SACKPermitted, "+sack"}} {
		if o.on {
			name += o.name
		}
	}
	return netns.Info{
		Name: name, Version: Version,
		Unsupported:  []string{"SO_OOBINLINE off"},
		Capabilities: []string{trace.CapabilityIPv6, trace.CapabilityECN, trace.CapabilityUrgent},
		Settings: []trace.Setting{
			{Name: "congestion control", Value: "NewReno"},
			{Name: "initial cwnd", Value: "2 to 4 segments"},
			{Name: "Nagle", Value: "on"},
			{Name: "delayed ACK", Value: ackDelay.String()},
			{Name: "send buffer", Value: fmt.Sprintf("%d octets", defaultBuffer)},
			{Name: "receive buffer", Value: fmt.Sprintf("%d octets", f.receiveBuffer())},
			{Name: "RTO", Value: fmt.Sprintf("%v to %v", minRTO, maxRTO)},
			{Name: "initial RTO", Value: initialRTO.String()},
			{Name: "user timeout", Value: fmt.Sprintf("%v, of a SYN %v", dataR2, synR2)},
			{Name: "TIME-WAIT", Value: (2 * msl).String()},
			{Name: "SYN-RECEIVED", Value: fmt.Sprintf("%d a listener", f.halfOpen())},
			{Name: "challenge ACKs", Value: fmt.Sprintf("%d a second and connection", challengeLimit)},
		},
	}
}

func (f *Factory) halfOpen() int { return cmp.Or(f.HalfOpen, defaultHalfOpen) }

func (f *Factory) receiveBuffer() int {
	if f.WindowScale {
		return scaledBuffer
	}
	return defaultBuffer
}

// New makes a stack with one address. It sends nothing before it is called or a packet comes.
func (f *Factory) New(env netns.Env) (netns.Stack, error) {
	own := env.Address.Addr().Unmap()
	least := 68 // RFC 791, Section 3.2
	if own.Is6() {
		least = 1280 // RFC 8200, Section 5
	}
	switch {
	case !env.Address.IsValid():
		return nil, errors.New("handwritten: a host needs an address")
	case env.Link != trace.LinkIP:
		return nil, errors.New("handwritten: only a link of IP packets is possible")
	case env.MTU < least || env.MTU > 1<<16-1:
		return nil, fmt.Errorf("handwritten: MTU of %d octets: %d to 65535 are possible", env.MTU, least)
	case f.HalfOpen < 0:
		return nil, fmt.Errorf("handwritten: %d connections in SYN-RECEIVED are negative", f.HalfOpen)
	}
	s := &stack{
		factory: *f, ecn: env.ECN, mtu: env.MTU, own: own, prefix: env.Address, now: env.Now, family: netns.IPv4,
		connections: make(map[tuple]*tcb), listeners: make(map[uint16]*tcb),
		random: rand.New(rand.NewChaCha8(env.Seed)),
	}
	if own.Is6() {
		s.family = netns.IPv6
	}
	for i := range s.secret {
		s.secret[i] = byte(s.random.Uint32())
	}
	s.text = own.String()
	return s, nil
}

// A stack is one host's TCP and IP.
type stack struct {
	factory Factory
	ecn     bool
	mtu     int
	own     netip.Addr
	prefix  netip.Prefix
	text    string // own, as text
	family  netns.Family
	now     time.Duration
	random  *rand.Rand
	secret  [32]byte

	connections map[tuple]*tcb  // in any state but CLOSED and LISTEN
	listeners   map[uint16]*tcb // by port
	bound       []*tcb          // that an application has bound to a port
	timers      timers
	out         queue
	pool        [][]byte
	id          uint16
	arrived     segment

	seen     uint64 // how many sockets there were
	stimulus uint64 // how many stimuli there were
	touched  []netns.Socket
}

var (
	_ netns.Stack     = (*stack)(nil)
	_ netns.Inspector = (*stack)(nil)
)

// A tuple names a connection. The host's own address is the same in all.
type tuple struct {
	remote netip.AddrPort
	port   uint16
}

// A queue holds the packets that wait to be taken, in a ring of slots whose memory is used again.
type queue struct {
	slots [][]byte
	head  int
	n     int
}

// slot makes room for one more packet at the end of the queue.
func (q *queue) slot() *[]byte {
	if q.n == len(q.slots) {
		slots := make([][]byte, max(2*q.n, 8))
		for i := range q.n {
			slots[i] = q.slots[(q.head+i)%q.n]
		}
		q.slots, q.head = slots, 0
	}
	q.n++
	return &q.slots[(q.head+q.n-1)%len(q.slots)]
}

// Take returns the next packet that was sent. None is ever lost here.
func (s *stack) Take(buf []byte) (packet []byte, lost, ok bool) {
	q := &s.out
	if q.n == 0 {
		return buf[:0], false, false
	}
	packet = append(buf[:0], q.slots[q.head]...)
	q.head = (q.head + 1) % len(q.slots)
	q.n--
	return packet, false, true
}

// Advance moves the clock.
func (s *stack) Advance(now time.Duration) { s.now = now }

// Settle has nothing to do: each call does all its work before it returns.
func (s *stack) Settle() {}

// Touched returns the sockets that the last stimulus may have changed.
func (s *stack) Touched() []netns.Socket { return s.touched }

// begin starts a stimulus.
func (s *stack) begin() {
	clear(s.touched)
	s.touched = s.touched[:0]
	s.stimulus++
}

// touch says that the stimulus may have changed c. Touched sockets are kept in the order of first sight.
func (s *stack) touch(c *tcb) {
	if c.stimulus == s.stimulus {
		return
	}
	c.stimulus = s.stimulus
	list := append(s.touched, c)
	for i := len(list) - 1; i > 0 && list[i-1].(*tcb).seen > c.seen; i-- {
		list[i-1], list[i] = c, list[i-1]
	}
	s.touched = list
}

// touchWithListener touches c, and the listener in whose queues it counts.
func (s *stack) touchWithListener(c *tcb) {
	s.touch(c)
	if c.waiting {
		s.touch(c.listener)
	}
}

// Socket makes a TCP socket, whose connection is in CLOSED: "no connection state at all".
func (s *stack) Socket(family netns.Family) (netns.Socket, error) {
	if family != s.family {
		return nil, netns.ErrAddressFamily
	}
	s.begin()
	c := s.newTCB(defaultOptions(&s.factory))
	c.described = true
	return c, nil
}

// Close destroys the stack: connections are aborted in the order in which they came.
func (s *stack) Close() {
	s.begin()
	all := slices.SortedFunc(maps.Values(s.connections), func(a, b *tcb) int { return cmp.Compare(a.seen, b.seen) })
	for _, c := range all {
		c.abort(netns.ErrAborted)
	}
}

// Deliver takes in a packet that is for this host (Sections 3.9.2 and 3.10.7).
func (s *stack) Deliver(packet []byte) {
	s.begin()
	ip, ok := readIP(packet, false)
	if !ok || ip.dst != s.own || !s.valid(ip.src) { // MUST-57, MUST-63
		return
	}
	switch {
	case ip.protocol == protocolTCP:
		if readSegment(&ip, &s.arrived) {
			s.segmentArrives(&s.arrived)
			s.arrived.data = nil
		}
	case ip.protocol == protocolICMP && s.own.Is4(), ip.protocol == protocolICMPv6 && s.own.Is6():
		s.errorArrives(&ip)
	}
}

// valid tells whether a host can have the address (MUST-46, MUST-63).
func (s *stack) valid(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && !s.broadcast(a)
}

// broadcast tells whether an address is that of all hosts, here or on this network.
func (s *stack) broadcast(a netip.Addr) bool {
	if !a.Is4() || !s.own.Is4() {
		return false
	}
	v := binary.BigEndian.Uint32(a.AsSlice())
	if v == 1<<32-1 {
		return true
	}
	hosts := uint32(1)<<(32-s.prefix.Bits()) - 1
	return s.prefix.Bits() < 31 && s.prefix.Contains(a) && v&hosts == hosts
}

// segmentArrives finds the connection, else the listener, that a segment is for.
func (s *stack) segmentArrives(g *segment) {
	c := s.connections[tuple{g.remote, g.local.Port()}]
	switch {
	case c != nil && !(c.state == trace.TimeWait && c.reopens(g)):
		s.touchWithListener(c)
		c.segmentArrives(g)
	case s.listeners[g.local.Port()] != nil:
		l := s.listeners[g.local.Port()]
		s.touch(l)
		l.listen(g)
	default:
		s.closed(g)
	}
}

// closed answers a segment that no connection is there for (Section 3.10.7.1).
func (s *stack) closed(g *segment) {
	switch {
	case g.ctl.Has(trace.RST): // a reset is never answered with a reset
	case g.ctl.Has(trace.ACK):
		s.reset(g, g.ack, 0, trace.RST)
	default:
		s.reset(g, 0, g.seq.Add(g.len()), trace.RST|trace.ACK)
	}
}

// reset answers a segment with a RST.
func (s *stack) reset(g *segment, seq, ack trace.Seq, ctl trace.Flags) {
	r := segment{local: g.local, remote: g.remote, seq: seq, ack: ack, ctl: ctl, options: options{shift: -1}}
	s.transmit(&r, 0, defaultTTL, nil, nil, nil)
}

// transmit puts a segment into the queue towards the link.
func (s *stack) transmit(g *segment, tos, ttl uint8, blocks []span, one, two []byte) {
	s.id++
	slot := s.out.slot()
	*slot = appendPacket((*slot)[:0], envelope{tos: tos, ttl: ttl, id: s.id}, g, blocks, one, two)
}
