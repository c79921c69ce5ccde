// Package main holds a stack that somebody else wrote, github.com/soypat/seqs, against gVisor: its adapter to netns.Stack in
// stack.go and socket.go, what it shows of its inside in inspect.go, and the program in main.go.
//
// seqs is written for a loop that owns a network card: PortStack.RecvEth takes a frame, PortStack.HandleEth makes the next
// one, TCPConn is a net.Conn. What that loop would do is here. Each connection gets a PortStack and a TCPConn of its own,
// and the adapter sorts what arrives by addresses and ports, because TCPListener.Accept can only block.
package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/soypat/seqs"
	"github.com/soypat/seqs/eth"
	"github.com/soypat/seqs/stacks"
)

// version is that of seqs in go.mod.
const version = "v0.0.0-20260125140838-2c1c6b1bd69e"

type factory struct{}

func (factory) Info() netns.Info {
	return netns.Info{
		Name: "seqs", Version: version, Capabilities: []string{trace.CapabilityEthernet},
		Settings: []trace.Setting{
			{Name: "buffers", Value: "2048 octets each way, the library's default"},
			// A run takes milliseconds of it, so nothing of this shows.
			{Name: "clock", Value: "the wall's: where the machine stands still for 3 s, a SYN goes out twice or a close gives up"},
		},
		Unsupported: []string{"abort", "getsockopt", "setsockopt", "shutdown", "SO_ERROR"},
	}
}

// maxMTU is what fits into a PortStack, which counts the Ethernet header as well.
const maxMTU = 2048 - eth.SizeEthernetHeader

func (factory) New(env netns.Env) (netns.Stack, error) {
	if env.MTU > maxMTU {
		return nil, fmt.Errorf("an MTU of %d: seqs takes up to %d octets", env.MTU, maxMTU)
	}
	s := &stack{
		env: env, random: rand.New(rand.NewChaCha8(env.Seed)), mac: env.MAC,
		conns: map[pair]*socket{}, macs: map[netip.Addr][6]byte{},
	}
	if env.Link == trace.LinkIP {
		// seqs knows frames only: these two are in no packet that leaves the adapter.
		s.mac, s.peer = [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{2, 0, 0, 0, 0, 2}
	}
	s.nextPort = 49152 + uint16(s.random.IntN(1<<13)) // among the dynamic ports (RFC 6335, Section 6)
	s.frame = make([]byte, env.MTU+eth.SizeEthernetHeader)
	s.ports = s.newPortStack()
	return s, nil
}

// A stack is that of one host.
type stack struct {
	env       netns.Env
	random    *rand.Rand
	mac, peer [6]byte
	macs      map[netip.Addr][6]byte // that ARP has found
	ports     *stacks.PortStack      // does ARP, and gets what is for nobody
	conns     map[pair]*socket
	listeners []*socket
	resolving []*socket // connect was called, and ARP has not answered
	nextPort  uint16
	frame     []byte   // room for the one that is being made
	out       [][]byte // made, and not taken
	touched   []netns.Socket
}

// A pair names a connection.
type pair struct{ local, remote netip.AddrPort }

// newPortStack makes a PortStack for one connection.
func (s *stack) newPortStack() *stacks.PortStack {
	p := stacks.NewPortStack(stacks.PortStackConfig{MaxOpenPortsTCP: 1, MAC: s.mac, MTU: uint16(len(s.frame))})
	p.SetAddr(s.env.Address.Addr())
	return p
}

// seqs has no timer: it looks at the clock on the wall whenever it is called.
func (*stack) Advance(time.Duration)           {}
func (*stack) Deadline() (time.Duration, bool) { return 0, false }
func (*stack) Expire() netns.Expired           { return netns.Expired{} }
func (*stack) Close()                          {}

func (s *stack) Socket(family netns.Family) (netns.Socket, error) {
	if family != netns.IPv4 {
		return nil, netns.ErrAddressFamily
	}
	k := &socket{stack: s}
	s.touch(k)
	return k, nil
}

func (s *stack) Deliver(packet []byte) {
	p := trace.Packet{Octets: packet, Len: len(packet), Link: s.env.Link}
	wire.Decode(&p)
	frame := packet
	if s.env.Link == trace.LinkIP {
		header := eth.EthernetHeader{Destination: s.mac, Source: s.peer, SizeOrEtherType: uint16(eth.EtherTypeIPv4)}
		frame = make([]byte, eth.SizeEthernetHeader, eth.SizeEthernetHeader+len(packet))
		header.Put(frame)
		frame = append(frame, packet...)
	}
	if k := s.receiver(&p); k != nil {
		k.arrives(frame)
		return
	}
	_ = s.ports.RecvEth(frame) // as in arrives
	s.resolved()
}

// receiver is the socket that a packet is for: the connection, or the one that its SYN makes; nil: none.
func (s *stack) receiver(p *trace.Packet) *socket {
	if p.Kind != trace.PacketTCP {
		return nil
	}
	at := pair{p.Destination(), p.Source()}
	if k := s.conns[at]; k != nil {
		return k
	}
	if p.TCP.Flags == trace.SYN {
		for _, l := range s.listeners {
			if l.local == at.local && len(l.half)+len(l.queue) <= l.backlog { // else it is dropped, as in TCPListener
				return l.child(at)
			}
		}
	}
	return nil
}

// resolved lets those connect whose peer ARP has found.
func (s *stack) resolved() {
	addr, mac, err := s.ports.ARP().ResultAs6()
	if err != nil {
		return
	}
	s.macs[addr] = mac
	s.resolving = slices.DeleteFunc(s.resolving, func(k *socket) bool {
		if k.remote.Addr() == addr {
			k.dial(mac)
		}
		return k.remote.Addr() == addr
	})
}

// Settle has seqs make what it has to send: it changes its state only when it makes the segment. So this is done before the
// driver looks, not when it takes the packets.
func (s *stack) Settle() {
	s.drain(s.ports)
	for i := 0; i < len(s.touched); i++ {
		if k := s.touched[i].(*socket); k.ports != nil {
			k.unsent -= s.drain(k.ports)
			k.settled()
		}
	}
}

// drain takes all that p has to send and returns how many octets of data there were.
func (s *stack) drain(p *stacks.PortStack) (data int) {
	for {
		n, err := p.HandleEth(s.frame)
		if err != nil || n == 0 {
			return data
		}
		packet := slices.Clone(s.frame[:n])
		if eth.DecodeEthernetHeader(packet).AssertType() == eth.EtherTypeIPv4 {
			data += n - eth.SizeEthernetHeader - eth.SizeIPv4Header - eth.SizeTCPHeader // it sends no options
		}
		if s.env.Link == trace.LinkIP {
			packet = packet[eth.SizeEthernetHeader:]
		}
		s.out = append(s.out, packet)
	}
}

func (s *stack) Take(buf []byte) (packet []byte, lost, ok bool) {
	if len(s.out) == 0 {
		return buf, false, false
	}
	packet, s.out = append(buf, s.out[0]...), s.out[1:]
	return packet, false, true
}

// iss is an initial sequence number. TCPListener would take 0 for each connection.
func (s *stack) iss() seqs.Value { return seqs.Value(s.random.Uint32()) }

// touch notes that something may have changed for k.
func (s *stack) touch(k *socket) {
	if !slices.Contains(s.touched, netns.Socket(k)) {
		s.touched = append(s.touched, k)
	}
}
