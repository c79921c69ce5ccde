package netns_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"connectlab/netns"
	"connectlab/netns/internal/toy"
	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
)

var macClient, macServer = trace.MAC{0, 0, 0x5e, 0, 0x53, 1}, trace.MAC{0, 0, 0x5e, 0, 0x53, 2}

// frame is segment on Ethernet.
func frame(flags trace.Flags, seq trace.Seq, n int) []byte {
	p := trace.Packet{
		Link: trace.LinkEthernet, Ethernet: trace.EthernetHeader{Dst: macServer, Src: macClient},
		IP:  trace.IPHeader{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), TTL: 64},
		TCP: trace.Segment{SrcPort: 80, DstPort: 80, Seq: seq, Flags: flags, Window: 1000},
	}
	return wire.Append(nil, &p, make([]byte, n))
}

// arp is a frame of 42 octets that asks for 192.0.2.2.
var arp = []byte("\xff\xff\xff\xff\xff\xff\x00\x00\x5e\x00\x53\x01\x08\x06" +
	"\x00\x01\x08\x00\x06\x04\x00\x01\x00\x00\x5e\x00\x53\x01\xc0\x00\x02\x01\x00\x00\x00\x00\x00\x00\xc0\x00\x02\x02")

// onEthernet has the client send frames, all at the start.
func onEthernet(t *testing.T, cfg netns.Config, frames ...[]byte) *trace.Trace {
	t.Helper()
	cfg.Link, cfg.Server = trace.LinkEthernet, blind(nil)
	cfg.Client = blind(func(p *puppet) {
		p.at(0, "talk", func() {
			for _, f := range frames {
				p.out = append(p.out, outgoing{octets: f})
			}
		})
	})
	return run(t, cfg, func(*netns.Sandbox) {})
}

// TestHostsOnEthernet: what the stacks are told, and the header.
func TestHostsOnEthernet(t *testing.T) {
	var envs []netns.Env
	puppet := blind(func(p *puppet) { envs = append(envs, p.env) })
	cfg := netns.Config{Client: puppet, Server: puppet, Link: trace.LinkEthernet, Family: netns.IPv6, Needs: []string{trace.CapabilityECN}}
	h := run(t, cfg, func(*netns.Sandbox) {}).Header
	for i, want := range []trace.HostInfo{
		{Name: "client", Address: "2001:db8::1/64", MAC: macClient}, {Name: "server", Address: "2001:db8::2/64", MAC: macServer},
	} {
		e := envs[i]
		if e.Host != want.Name || e.Address.String() != want.Address || e.MAC != want.MAC || e.Link != trace.LinkEthernet || e.MTU != 1500 || !e.ECN {
			t.Errorf("the %s's stack was told %+v", want.Name, e)
		}
		want.Stack, want.Version, want.Capabilities = "puppet", "1", netns.Needed()
		if d := cmp.Diff(want, h.Hosts[i]); d != "" {
			t.Errorf("header (-want +got):\n%s", d)
		}
	}
	if d := cmp.Diff([]string{"ECN"}, h.Needs); d != "" || h.Link != trace.LinkEthernet {
		t.Errorf("header: link %v, needs (-want +got):\n%s", h.Link, d)
	}
	again, err := netns.ConfigOf(&h)
	if err != nil {
		t.Fatal(err)
	}
	again.Client, again.Server = puppet, puppet
	if d := cmp.Diff(h, run(t, again, func(*netns.Sandbox) {}).Header); d != "" {
		t.Errorf("header of the run that it repeats (-want +got):\n%s", d)
	}
}

// TestMTUOnEthernet: the MTU does not count the Ethernet header, with a record and without.
func TestMTUOnEthernet(t *testing.T) {
	tr := onEthernet(t, netns.Config{MTU: 600}, frame(trace.ACK, 1, 560), frame(trace.ACK, 2, 561))
	if d := cmp.Diff([]string{"10ms #1"}, arrivals(tr, netns.Server)); d != "" {
		t.Errorf("arrivals (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{`0s client #2 too-long by ""`}, fates(tr)); d != "" {
		t.Errorf("fates (-want +got):\n%s", d)
	}
	lengths := []int{}
	server := blind(func(p *puppet) {
		p.onDeliver = func(_ *puppet, packet *trace.Packet) { lengths = append(lengths, packet.Len) }
	})
	client := blind(func(p *puppet) {
		p.at(0, "talk", func() {
			p.out = append(p.out, outgoing{octets: frame(trace.ACK, 1, 560)}, outgoing{octets: frame(trace.ACK, 2, 561)})
		})
	})
	run(t, netns.Config{MTU: 600, Link: trace.LinkEthernet, Client: client, Server: server, Record: netns.RecordNothing}, func(*netns.Sandbox) {})
	if d := cmp.Diff([]int{614}, lengths); d != "" {
		t.Errorf("lengths that arrived without a record (-want +got):\n%s", d)
	}
}

// TestFaultsOnEthernet: ARP counts for "any" alone.
func TestFaultsOnEthernet(t *testing.T) {
	for rule, want := range map[string][]string{
		"drop client any#1":  {"arp"},
		"drop client any#2":  {"SYN"},
		"drop client SYN#1":  {"SYN"},
		"drop client data#1": {"ACK 5 octets"},
		"drop client none":   nil,
		"drop client any":    {"arp", "SYN", "ACK 5 octets"},
	} {
		tr := onEthernet(t, netns.Config{Faults: faults(t, rule)}, arp, frame(trace.SYN, 1, 0), frame(trace.ACK, 2, 5))
		var got []string
		for _, e := range tr.Events {
			if _, ok := e.Detail.(*trace.Fate); !ok {
				continue
			}
			p := tr.Event(e.Cause).Detail.(*trace.Sent).Packet
			switch {
			case p.Kind != trace.PacketTCP:
				got = append(got, p.Kind.String())
			case p.TCP.DataLen > 0:
				got = append(got, fmt.Sprintf("%v %d octets", p.TCP.Flags, p.TCP.DataLen))
			default:
				got = append(got, p.TCP.Flags.String())
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", rule, d)
		}
	}
}

// TestCorruptedOnEthernet: octets count from the end of the Ethernet header, which is never hit; a packet without that octet
// is not meant.
func TestCorruptedOnEthernet(t *testing.T) {
	for _, c := range []struct {
		rule        string
		frame       []byte
		first, last int // where the octet may be, counted as in the rule; 0: nowhere
	}{
		{"corrupt client any 27.7", arp, 27, 27},
		{"corrupt client any 28.7", arp, 0, 0},
		{"corrupt client any", arp, 0, 27},
		{"corrupt client any 1.0", frame(trace.SYN, 1, 0), 1, 1},
		{"corrupt client SYN", frame(trace.SYN, 1, 0), 20, 39},
		{"corrupt client data", frame(trace.ACK, 1, 3), 20, 42},
		{"corrupt client any", arp[:14], 0, 0},
		{"corrupt client any", arp[:13], 0, 12},
	} {
		for seed := range uint64(40) {
			tr := onEthernet(t, netns.Config{Seed: seed, Faults: faults(t, c.rule)}, c.frame)
			var fate *trace.Fate
			var arrived []byte
			for _, e := range tr.Events {
				if d, ok := e.Detail.(*trace.Fate); ok {
					fate = d
				}
				if d, ok := e.Detail.(*trace.Arrived); ok {
					arrived = d.Packet.Octets
				}
			}
			if c.last == 0 {
				if fate != nil || !bytes.Equal(arrived, c.frame) {
					t.Errorf("%s, %d octets: fate %+v", c.rule, len(c.frame), fate)
				}
				continue
			}
			if fate == nil || fate.Octet < c.first || fate.Octet > c.last {
				t.Fatalf("%s, %d octets: fate %+v, want octet %d to %d", c.rule, len(c.frame), fate, c.first, c.last)
			}
			want := bytes.Clone(c.frame)
			behind := 14
			if len(want) < behind {
				behind = 0
			}
			want[behind+fate.Octet] ^= 0x80 >> fate.Bit
			if !bytes.Equal(arrived, want) {
				t.Errorf("%s, octet %d, bit %d:\n got %x\nwant %x", c.rule, fate.Octet, fate.Bit, arrived, want)
			}
		}
	}
}

// TestCapable: a Config tells what its stacks lack before a sandbox is made.
func TestCapable(t *testing.T) {
	cfg := netns.Config{Client: blind(nil), Server: toy.Factory{}, Link: trace.LinkEthernet, Family: netns.IPv6, Needs: []string{trace.CapabilityUrgent}}
	var lack *netns.LackError
	var op *netns.OpError
	if err := cfg.Capable(); !errors.As(err, &lack) || !errors.As(err, &op) || op.Host != netns.Server {
		t.Fatalf("error %v, want an OpError of the server with a LackError", err)
	}
	if d := cmp.Diff(netns.LackError{Stack: toy.Name, Lacks: []string{"Ethernet"}}, *lack); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	cfg.Link = trace.LinkIP
	if err := cfg.Capable(); err != nil {
		t.Errorf("without Ethernet: %v", err)
	}
}

// TestNeedsByHost: what is asked of one host's stack need not be there on the other, and the stack is not asked to use it.
func TestNeedsByHost(t *testing.T) {
	for name, c := range map[string]struct {
		needs []string
		lacks []string // of the client and of the server, which are toys
		ecn   [2]bool
	}{
		"both":               {[]string{"SYN cookies"}, []string{"SYN cookies", "SYN cookies"}, [2]bool{}},
		"the client":         {[]string{"client SYN cookies"}, []string{"SYN cookies", ""}, [2]bool{}},
		"the server":         {[]string{"server SYN cookies"}, []string{"", "SYN cookies"}, [2]bool{}},
		"each":               {[]string{"server SYN cookies", "client SYN cookies", "SYN cookies"}, []string{"SYN cookies", "SYN cookies"}, [2]bool{}},
		"the server asks":    {[]string{"server ECN"}, []string{"", ""}, [2]bool{false, true}},
		"the client asks":    {[]string{"client ECN"}, []string{"", ""}, [2]bool{true, false}},
		"both ask":           {[]string{"ECN"}, []string{"", ""}, [2]bool{true, true}},
		"one name, and more": {[]string{"client urgent data", "server IPv6"}, []string{"", ""}, [2]bool{}},
	} {
		cfg := netns.Config{Client: toy.Factory{}, Server: toy.Factory{}, Needs: c.needs}
		for i, host := range []string{netns.Client, netns.Server} {
			if got := strings.Join(cfg.Lacks(host, toy.Factory{}), ", "); got != c.lacks[i] {
				t.Errorf("%s: the %s lacks %q, want %q", name, host, got, c.lacks[i])
			}
		}
		if err, want := cfg.Check(), strings.Join(c.lacks, "") != ""; (err != nil) != want {
			t.Errorf("%s: error %v, want one: %v", name, err, want)
		}
		var ecn [2]bool
		puppets := func(i int) netns.Factory {
			return factory(func(env netns.Env) (netns.Stack, error) {
				ecn[i] = env.ECN
				return &puppet{env: env}, nil
			})
		}
		cfg.Client, cfg.Server = puppets(0), puppets(1)
		if _, err := netns.New(cfg); err != nil || ecn != c.ecn {
			t.Errorf("%s: client and server are asked for ECN %v (error %v), want %v", name, ecn, err, c.ecn)
		}
	}
	for _, need := range []string{"router ECN", "client", "client ", "server client ECN", "Server ECN", "server  ECN", "ECN ", ""} {
		if host, capability, ok := netns.ParseNeed(need); ok {
			t.Errorf("the need %q is %q of %q, want none", need, capability, host)
		}
	}
}

// urgentSocket is a puppet's socket that can send urgent data, at most two octets at once.
type urgentSocket struct {
	*puppetSocket
	got []string
}

func (u *urgentSocket) SendUrgent(data []byte) (int, error) {
	n := min(len(data), 2)
	u.got = append(u.got, string(data[:n]))
	return n, nil
}

type urgentStack struct {
	*puppet
	socket *urgentSocket
}

func (u urgentStack) Socket(f netns.Family) (netns.Socket, error) {
	s, err := u.puppet.Socket(f)
	u.socket.puppetSocket = s.(*puppetSocket)
	return u.socket, err
}

// TestUrgentSend: urgent octets go to SendUrgent, up to the last; a socket without it is not asked.
func TestUrgentSend(t *testing.T) {
	sock := &urgentSocket{}
	can := factory(func(env netns.Env) (netns.Stack, error) { return urgentStack{&puppet{env: env}, sock}, nil })
	for name, c := range map[string]struct {
		client netns.Factory
		want   string
	}{
		"can":    {can, "0s send(3, 5) = 5"},
		"cannot": {blind(nil), "0s send(3, 5) = -1 EOPNOTSUPP"},
	} {
		tr := run(t, netns.Config{Client: c.client, Server: blind(nil)}, func(sb *netns.Sandbox) {
			of(t, sb, netns.Client, netns.Call{Op: netns.OpSocket}, netns.Call{Op: netns.OpSend, FD: 3, Data: []byte("hurry"), Urgent: true})
		})
		if d := cmp.Diff([]string{"0s socket() = 3", c.want}, returns(tr, netns.Client)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if d := cmp.Diff([]string{"hu", "rr", "y"}, sock.got); d != "" {
		t.Errorf("what reached the stack (-want +got):\n%s", d)
	}
}
