// Package gvisor puts gVisor's netstack behind netns.Stack: unchanged code of gVisor's, on virtual time, with all
// that is random drawn from a seed.
//
//	sb, err := netns.New(netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}})
//
// The ideas in order: a stack has a clock of its own, whose timers the driver runs one at a time (clock.go); after a
// packet was delivered, Settle waits until gVisor's workers have nothing left to do (settle.go); what the stack sends
// waits in a channel endpoint (link.go). A socket is a gVisor endpoint with a name that lives as long as the
// endpoint (touched.go), and its inside is read where gVisor keeps it, at offsets found by reflection (offsets.go,
// report.go).
//
// # Limits
//
// A host has one address, of one family, and no other is spoken; it does not talk to itself: what it sends to its own
// address goes out on the link. While it waits for the MAC addresses of more than 64 neighbors at once, gVisor gives up
// the oldest on a goroutine of its own, and a run is not repeatable. close() does not wait with SO_LINGER. abort() is
// gVisor's Abort, which sends a RST in CLOSING, LAST-ACK and TIME-WAIT too, where RFC 9293, Section 3.10.5, has none.
// gVisor does not know urgent data, and takes the two lower bits of TOS for its own. Its log, which is one for the
// process, is silenced as soon as a stack is made.
package gvisor

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"connectlab/netns"
	"connectlab/trace"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Version is the version of gVisor that this package is built with, as in go.mod.
const Version = "v0.0.0-20260905035102-160fafc42237"

// nic is the number of the stack's only network interface.
const nic tcpip.NICID = 1

// A Factory makes gVisor stacks. The zero value makes them as the library has them by default.
type Factory struct {
	// QueueLength is how many packets a stack can send in one step; those above are lost and recorded as such. 0: 1024.
	QueueLength int
}

var _ netns.Factory = (*Factory)(nil)

// Info describes gVisor's stack with the defaults that shape what it does.
func (f *Factory) Info() netns.Info {
	return netns.Info{
		Name: "gvisor", Version: Version, Unsupported: slices.Clone(unsupported), Capabilities: slices.Clone(capabilities),
		Settings: append(slices.Clone(settings()), trace.Setting{Name: "queue to the link", Value: fmt.Sprintf("%d packets", f.queueLength())}),
	}
}

// capabilities are those that a run can need. gVisor does not know ECN (it keeps the two bits of TOS zero) nor urgent data.
// A listener answers with SYN cookies where its SYN queue is full: with a backlog of 0, always.
var capabilities = []string{trace.CapabilityEthernet, trace.CapabilityIPv6, trace.CapabilitySYNCookies}

func (f *Factory) queueLength() int { return cmp.Or(f.QueueLength, 1024) }

// New makes a stack with one address. It sends nothing before it is called or a packet comes: in IPv6 it does not look
// whether somebody else has its address, asks for no router and reports no multicast group.
func (f *Factory) New(env netns.Env) (netns.Stack, error) {
	silence()
	length := f.queueLength()
	if length < 0 {
		return nil, fmt.Errorf("gvisor: queue length %d is negative", length)
	}
	address := env.Address.Addr().Unmap()
	least := header.IPv4MinimumMTU
	if address.Is6() {
		least = header.IPv6MinimumMTU
	}
	switch {
	case !env.Address.IsValid():
		return nil, errors.New("gvisor: a host needs an address")
	case env.MTU < least || env.MTU > 1<<16-1:
		return nil, fmt.Errorf("gvisor: MTU of %d octets: %d to 65535 are possible", env.MTU, least)
	}

	s := &netstack{
		clock:   newClock(env.Start, env.Now),
		link:    newLink(length, &env),
		sockets: newTable(),
		texts:   make(map[tcpip.Address]string),
	}
	s.clock.putsOff = env.Link == trace.LinkEthernet
	random := &random{source: rand.NewChaCha8(env.Seed)}
	options := stack.Options{
		Clock: s.clock, RandSource: random, SecureRNG: random,
		// The rules that accept everything are many allocations; none at all accept everything too.
		IPTables: &stack.IPTables{},
	}
	if address.Is4() {
		s.family, s.network = netns.IPv4, ipv4.ProtocolNumber
		options.NetworkProtocols = []stack.NetworkProtocolFactory{newIPv4()}
		if env.Link == trace.LinkEthernet {
			options.NetworkProtocols = append(options.NetworkProtocols, arp.NewProtocol)
		}
		options.TransportProtocols = []stack.TransportProtocolFactory{tcp.NewProtocol, icmp.NewProtocol4}
	} else {
		s.family, s.network = netns.IPv6, ipv6.ProtocolNumber
		options.NetworkProtocols = []stack.NetworkProtocolFactory{ipv6.NewProtocol}
		options.TransportProtocols = []stack.TransportProtocolFactory{tcp.NewProtocol, icmp.NewProtocol6}
	}
	s.stack = stack.New(options)
	var err error
	if s.barrier, err = newBarrier(s.stack.TransportProtocolInstance(tcp.ProtocolNumber)); err != nil {
		s.stack.Destroy()
		return nil, fmt.Errorf("gvisor: %w", err)
	}
	if err := s.attach(netip.PrefixFrom(address, env.Address.Bits())); err != nil {
		s.Close()
		return nil, fmt.Errorf("gvisor: %v: %v", env.Address, err)
	}
	return s, nil
}

// newIPv4 makes IPv4 for a stack. To make this function, gVisor draws 8 KiB from the machine's randomness, for a table that
// no stack of this version reads: so it is made once.
var newIPv4 = sync.OnceValue(func() stack.NetworkProtocolFactory { return ipv4.NewProtocolWithOptions(ipv4.Options{}) })

// attach gives the stack its interface, address and route.
func (s *netstack) attach(own netip.Prefix) tcpip.Error {
	if err := s.stack.CreateNIC(nic, s.link.attached()); err != nil {
		return err
	}
	address := tcpip.ProtocolAddress{
		Protocol:          s.network,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: addressOf(own.Addr()), PrefixLen: own.Bits()},
	}
	if err := s.stack.AddProtocolAddress(nic, address, stack.AddressProperties{}); err != nil {
		return err
	}
	s.stack.SetRouteTable([]tcpip.Route{{Destination: address.AddressWithPrefix.Subnet(), NIC: nic}})
	return nil
}

// A netstack is one host's stack. Only the driver calls it.
type netstack struct {
	stack   *stack.Stack
	clock   *clock
	link    *link
	barrier *barrier
	family  netns.Family
	network tcpip.NetworkProtocolNumber

	sockets   table
	arrived   arrival // the packet that was delivered last
	unsettled bool    // it was delivered, and Settle was not called yet
	fresh     []*timer
	texts     map[tcpip.Address]string // of addresses
}

var (
	_ netns.Stack     = (*netstack)(nil)
	_ netns.Inspector = (*netstack)(nil)
)

// Advance moves the clock; it runs no timer.
func (s *netstack) Advance(now time.Duration) { s.clock.advance(now) }

// Take returns the next packet that was sent.
func (s *netstack) Take(buf []byte) (packet []byte, lost, ok bool) { return s.link.take(buf[:0]) }

// Deadline is the time at which the next timer is due.
func (s *netstack) Deadline() (time.Duration, bool) { return s.clock.deadline() }

// Expire runs the timer that is due first. One that gVisor has disabled without stopping it does nothing.
func (s *netstack) Expire() netns.Expired {
	s.begin()
	t := s.clock.take()
	if t == nil {
		return netns.Expired{}
	}
	t.run()
	s.finishSoon()
	expired := netns.Expired{Name: t.name}
	if t.owner != nil {
		expired.Socket = t.owner
		s.touchWithListener(t.owner)
	}
	s.end()
	return expired
}

// Socket makes a TCP socket.
func (s *netstack) Socket(family netns.Family) (netns.Socket, error) {
	if family != s.family {
		return nil, netns.ErrAddressFamily
	}
	ep, err := s.stack.NewEndpoint(tcp.ProtocolNumber, s.network, &waiter.Queue{})
	if err != nil {
		return nil, errno(err)
	}
	s.begin()
	made := s.adopt(ep.(*tcp.Endpoint))
	made.described = true
	s.end()
	return made, nil
}

// Close destroys the stack. It aborts the sockets itself, in the order in which they were seen: the stack would do it
// in the order of a map.
func (s *netstack) Close() {
	for _, w := range s.sockets.all() {
		if !w.closed() {
			w.ep.Abort()
		}
	}
	s.barrier.release()
	s.stack.Destroy()
}

// random is the source of all that is random in a stack. Workers draw from it too.
type random struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

// Read fills p.
func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}

// Int63 is for math/rand.Source.
func (r *random) Int63() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.source.Uint64() >> 1)
}

// Seed is for math/rand.Source. The seed is fixed, and gVisor does not call it.
func (r *random) Seed(int64) { panic("gvisor: a stack's random source was seeded again") }

// settings are the library's defaults as a stack tells them.
var settings = sync.OnceValue(func() []trace.Setting {
	silence()
	made, err := (&Factory{}).New(netns.Env{Address: netip.MustParsePrefix("192.0.2.1/24"), MTU: 1500})
	if err != nil {
		panic("gvisor: " + err.Error())
	}
	s := made.(*netstack)
	defer s.Close()
	one, err := s.Socket(netns.IPv4)
	if err != nil {
		panic("gvisor: " + err.Error())
	}
	return readSettings(s.stack, one.(*socket).ep)
})

func readSettings(s *stack.Stack, ep *tcp.Endpoint) []trace.Setting {
	var list []trace.Setting
	add := func(name, value string) { list = append(list, trace.Setting{Name: name, Value: value}) }
	get := func(option tcpip.GettableTransportProtocolOption) {
		if err := s.TransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			panic(fmt.Sprintf("gvisor: reading %T: %v", option, err))
		}
	}
	onOff := func(on bool) string {
		if on {
			return "on"
		}
		return "off"
	}
	var (
		control  tcpip.CongestionControlOption
		sack     tcpip.TCPSACKEnabled
		recovery tcpip.TCPRecovery
		nagle    tcpip.TCPDelayEnabled
		moderate tcpip.TCPModerateReceiveBufferOption
		send     tcpip.TCPSendBufferSizeRangeOption
		receive  tcpip.TCPReceiveBufferSizeRangeOption
		timeWait tcpip.TCPTimeWaitTimeoutOption
		reuse    tcpip.TCPTimeWaitReuseOption
		finWait2 tcpip.TCPLingerTimeoutOption
		minRTO   tcpip.TCPMinRTOOption
		maxRTO   tcpip.TCPMaxRTOOption
		retries  tcpip.TCPMaxRetriesOption
		syns     tcpip.TCPSynRetriesOption
		cookies  tcpip.TCPAlwaysUseSynCookies
	)
	for _, option := range []tcpip.GettableTransportProtocolOption{&control, &sack, &recovery, &nagle, &moderate, &send, &receive,
		&timeWait, &reuse, &finWait2, &minRTO, &maxRTO, &retries, &syns, &cookies} {
		get(option)
	}
	neighbors := stack.DefaultNUDConfigurations()
	add("congestion control", string(control))
	add("initial cwnd", strconv.Itoa(tcp.InitialCwnd)+" segments")
	add("SACK", onOff(bool(sack)))
	add("RACK loss detection", onOff(recovery&tcpip.TCPRACKLossDetection != 0))
	add("Nagle", onOff(bool(nagle)))
	add("delayed ACK", onOff(!ep.SocketOptions().GetQuickAck()))
	add("send buffer", fmt.Sprintf("%d, %d to %d octets", send.Default, send.Min, send.Max))
	add("receive buffer", fmt.Sprintf("%d, %d to %d octets", receive.Default, receive.Min, receive.Max))
	add("receive buffer moderation", onOff(bool(moderate)))
	add("RTO", fmt.Sprintf("%v to %v", time.Duration(minRTO), time.Duration(maxRTO)))
	add("initial RTO", tcp.InitialRTO.String())
	add("retransmissions", fmt.Sprintf("%d at most", uint64(retries)))
	// gVisor's own comment: changing it does not change the retransmissions of a SYN, which end with the greatest RTO.
	add("SYN retransmissions", fmt.Sprintf("%d, not heeded", int(syns)))
	add("always SYN cookies", onOff(bool(cookies)))
	add("TIME-WAIT", time.Duration(timeWait).String())
	add("TIME-WAIT reuse", map[tcpip.TCPTimeWaitReuseOption]string{
		tcpip.TCPTimeWaitReuseDisabled: "off", tcpip.TCPTimeWaitReuseGlobal: "on", tcpip.TCPTimeWaitReuseLoopbackOnly: "loopback only",
	}[reuse])
	add("FIN-WAIT-2 after close", time.Duration(finWait2).String())
	add("neighbor solicitations", fmt.Sprintf("%d, one each %v, then no route to host", neighbors.MaxMulticastProbes, neighbors.RetransmitTimer))
	add("neighbor reachable", fmt.Sprintf("%v, times %g to %g", neighbors.BaseReachableTime, neighbors.MinRandomFactor, neighbors.MaxRandomFactor))
	return list
}
