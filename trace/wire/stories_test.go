package wire_test

import (
	"fmt"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire/internal/oracle"
)

// tally counts what the oracle has compared.
type tally struct{ packets, fields int }

// compare has the oracle look at each packet of a run: as it was sent, and as it arrived.
func (n *tally) compare(t *testing.T, name string, seed uint64, faults ...string) {
	t.Helper()
	n.compareOn(t, netns.Config{Seed: seed}, name, faults...)
}

func (n *tally) compareOn(t *testing.T, config netns.Config, name string, faults ...string) {
	t.Helper()
	story, err := script.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	config.Client, config.Server = &gvisor.Factory{}, &gvisor.Factory{}
	for _, rule := range faults {
		f, err := netns.ParseFault(rule)
		if err != nil {
			t.Fatal(err)
		}
		config.Faults = append(config.Faults, f)
	}
	result, err := script.Run(story, config)
	if err != nil {
		t.Fatalf("%s, seed %d, faults %q: %v", name, config.Seed, faults, err)
	}
	for _, e := range result.Trace.Events {
		var p *trace.Packet
		switch d := e.Detail.(type) {
		case *trace.Sent:
			p = d.Packet
		case *trace.Arrived:
			p = d.Packet
		default:
			continue
		}
		fields, err := oracle.Compare(p.Link, p.Octets)
		n.packets++
		n.fields += fields
		if err != nil {
			t.Errorf("%s, seed %d, faults %q, event %d: %v\n%x", name, config.Seed, faults, e.N, err, p.Octets)
		}
	}
}

// storyPackets are the stories' packets, of each story one of each set of control bits and each length.
func storyPackets(tb testing.TB) (packets [][]byte) {
	tb.Helper()
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		story, err := script.Builtin(name)
		if err != nil {
			tb.Fatal(err)
		}
		result, err := script.Run(story, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
		if err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		type sort struct {
			flags  trace.Flags
			length int
		}
		seen := map[sort]bool{}
		for _, e := range result.Trace.Events {
			if s, ok := e.Detail.(*trace.Sent); ok && !seen[sort{s.Packet.TCP.Flags, s.Packet.Len}] {
				seen[sort{s.Packet.TCP.Flags, s.Packet.Len}] = true
				packets = append(packets, s.Packet.Octets)
			}
		}
	}
	return packets
}

// gopacket/layers agrees with package wire on every packet of every story.
func TestAgainstGopacketInStories(t *testing.T) {
	var all tally
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		before := all
		for _, seed := range []uint64{1, 2, 3} {
			all.compare(t, name, seed)
		}
		all.compareOn(t, netns.Config{Link: trace.LinkEthernet}, name)
		all.compareOn(t, netns.Config{Link: trace.LinkEthernet, Family: netns.IPv6}, name)
		t.Logf("%-18s %5d packets %7d fields", name, all.packets-before.packets, all.fields-before.fields)
	}
	t.Logf("%-18s %5d packets %7d fields", "all stories", all.packets, all.fields)
	if all.packets <= 500 || all.fields < 40*all.packets {
		t.Errorf("%d packets and %d fields were compared: want more than 500, with 40 fields of each TCP header", all.packets, all.fields)
	}
}

// And on packets that the link has corrupted, in any octet of the IP header and anywhere in the segment.
func TestAgainstGopacketInCorruptedStories(t *testing.T) {
	var all tally
	for seed := range uint64(10) {
		all.compare(t, "plain", seed, "corrupt client any 50%", "corrupt server any 50%")
		all.compare(t, "send-and-close", seed, "corrupt client any 30%")
		for _, family := range []netns.Family{netns.IPv4, netns.IPv6} { // ARP and neighbor discovery too
			all.compareOn(t, netns.Config{Seed: seed, Link: trace.LinkEthernet, Family: family}, "plain", "corrupt client any 50%", "corrupt server any 50%")
		}
	}
	const header = 60 // of IP, without options, and TCP with those of a SYN
	for octet := 1; octet < header; octet++ {
		bit := fmt.Sprintf("%d.%d", octet, octet%8)
		all.compare(t, "plain", 1, "corrupt client SYN#1 "+bit, "corrupt server SYN,ACK#1 "+bit)
		all.compare(t, "plain", 2, "corrupt client data#1 "+bit)
	}
	t.Logf("%-18s %5d packets %7d fields", "corrupted", all.packets, all.fields)
	if all.packets <= 500 || all.fields <= 500 {
		t.Errorf("%d packets and %d fields were compared: want more than 500 of each", all.packets, all.fields)
	}
}
