package pcapng_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"connectlab/trace"
	"connectlab/trace/pcapng"
)

// tshark reads every frame of every side of every world, and agrees with the trace in each field that both have. What its
// experts note is true of the story, and nothing comes from how the file was written.
func TestWriteAsTsharkReadsIt(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		missing(t, "no tshark here: %v", err)
	}
	config := t.TempDir()
	all := worlds()
	tallies := make([]tally, len(all))
	t.Run("worlds", func(t *testing.T) {
		for i, w := range all {
			t.Run(w.String(), func(t *testing.T) {
				t.Parallel()
				tr, dir := w.run(t), t.TempDir()
				for _, side := range pcapng.Sides {
					file := filepath.Join(dir, side.String()+".pcapng")
					if err := os.WriteFile(file, capture(t, tr, side), 0o666); err != nil {
						t.Fatal(err)
					}
					tallies[i].compare(t, side.String(), frames(tr, side), readByTshark(t, tshark, config, file))
				}
			})
		}
	})
	var sum tally
	for i, n := range tallies {
		t.Logf("%-34v %5d packets %7d fields %5d expert notes", all[i], n.packets, n.fields, n.notes)
		sum = tally{sum.packets + n.packets, sum.fields + n.fields, sum.notes + n.notes}
	}
	t.Logf("%-34s %5d packets %7d fields %5d expert notes", "all worlds", sum.packets, sum.fields, sum.notes)
	if sum.packets < 1000 || sum.fields < 30*sum.packets || sum.notes < 500 {
		t.Errorf("%+v: want more than 1000 packets, 30 fields of each, 500 notes", sum)
	}
}

// missing skips a test for want of something that CI has. There it fails, since a test that is skipped is not seen.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI is to have it: "+format, args...)
	}
	t.Skipf(format, args...)
}

type tally struct{ packets, fields, notes int }

// separators of tshark's output: no text of a story has them.
const (
	betweenFields = "\t"
	betweenValues = "|"
)

// readByTshark returns the fields of each frame, by their names in Wireshark. A field that is there several times is joined. tshark
// reads twice, so that what it says of a stream as a whole stands at each of its frames.
func readByTshark(t *testing.T, tshark, config, file string) (read []map[string]string) {
	t.Helper()
	args := []string{"-n", "-2", "-r", file, "--disable-protocol", "http", // a story's data are nobody's protocol
		"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
		"-o", "tcp.relative_sequence_numbers:FALSE", "-T", "fields",
		"-E", "separator=" + betweenFields, "-E", "aggregator=" + betweenValues, "-E", "occurrence=a"}
	names := []string{"tcp.completeness", "_ws.expert.message", "frame.comment"}
	for _, f := range fields {
		names = append(names, f.name)
	}
	for _, name := range names {
		args = append(args, "-e", name)
	}
	c := exec.CommandContext(t.Context(), tshark, args...)
	c.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+config, "LC_ALL=C") // not what the user prefers
	out, err := c.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("tshark: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		values := strings.Split(strings.TrimSuffix(line, "\n"), betweenFields)
		if len(values) != len(names) {
			t.Fatalf("tshark printed %d fields, want %d: %q", len(values), len(names), line)
		}
		frame := map[string]string{}
		for i, name := range names {
			frame[name] = values[i]
		}
		read = append(read, frame)
	}
	return read
}

// fields are what Wireshark and a trace both have, each with what the trace says; empty: the frame has no such field.
var fields = []struct {
	name string
	of   func(f *frame) string
}{
	{"frame.interface_name", func(f *frame) string { return f.event.Host }},
	{"frame.time_epoch", func(f *frame) string { return fmt.Sprintf("%d.%09d", f.at.Unix(), f.at.Nanosecond()) }},
	{"frame.len", func(f *frame) string { return strconv.Itoa(f.packet.Len) }},
	{"frame.cap_len", func(f *frame) string { return strconv.Itoa(len(f.packet.Octets)) }},

	{"eth.dst", ethernet(func(h *trace.EthernetHeader) any { return h.Dst })},
	{"eth.src", ethernet(func(h *trace.EthernetHeader) any { return h.Src })},
	{"eth.type", ethernet(func(h *trace.EthernetHeader) any { return fmt.Sprintf("0x%04x", h.EtherType) })},
	{"arp.opcode", arp(func(a *trace.ARP) any { return a.Operation })},
	{"arp.src.hw_mac", arp(func(a *trace.ARP) any { return a.SenderMAC })},
	{"arp.src.proto_ipv4", arp(func(a *trace.ARP) any { return a.SenderIP })},
	{"arp.dst.hw_mac", arp(func(a *trace.ARP) any { return a.TargetMAC })},
	{"arp.dst.proto_ipv4", arp(func(a *trace.ARP) any { return a.TargetIP })},
	{"icmp.type", icmp(4, func(m *trace.ICMP) any { return m.Type })},
	{"icmp.code", icmp(4, func(m *trace.ICMP) any { return m.Code })},
	{"icmp.checksum.status", icmp(4, func(m *trace.ICMP) any { return status(m.Checksum) })},
	{"icmpv6.type", icmp6(func(m *trace.ICMP) any { return m.Type })},
	{"icmpv6.code", icmp6(func(m *trace.ICMP) any { return m.Code })},
	{"icmpv6.checksum.status", icmp6(func(m *trace.ICMP) any { return status(m.Checksum) })},
	{"icmpv6.nd.ns.target_address", target(neighborSolicitation)},
	{"icmpv6.nd.na.target_address", target(neighborAdvertisement)},
	{"icmpv6.opt.linkaddr", icmp6(func(m *trace.ICMP) any {
		if m.MAC == (trace.MAC{}) {
			return ""
		}
		return m.MAC
	})},

	{"ip.version", func(f *frame) string {
		if f.packet.IP.Version == 0 {
			return ""
		}
		return fmt.Sprint(f.packet.IP.Version)
	}},
	{"ip.src", v4(func(h *trace.IPHeader) any { return h.Src })},
	{"ip.dst", v4(func(h *trace.IPHeader) any { return h.Dst })},
	{"ip.hdr_len", v4(func(h *trace.IPHeader) any { return h.HeaderLen })},
	{"ip.len", datagram(4, 0)},
	{"ip.frag_offset", v4(func(h *trace.IPHeader) any { return h.FragOff })},
	{"ip.checksum", func(f *frame) string {
		return v4(func(*trace.IPHeader) any {
			return fmt.Sprintf("0x%x", f.packet.Octets[f.packet.Ethernet.HeaderLen+10:][:2])
		})(f)
	}},
	{"ip.ttl", v4(func(h *trace.IPHeader) any { return h.TTL })},
	{"ip.id", v4(func(h *trace.IPHeader) any { return fmt.Sprintf("0x%04x", h.ID) })},
	{"ip.proto", v4(func(h *trace.IPHeader) any { return h.Protocol })},
	{"ip.dsfield", v4(func(h *trace.IPHeader) any { return fmt.Sprintf("0x%02x", h.TOS) })},
	{"ip.flags.df", v4(func(h *trace.IPHeader) any { return bit(h.DF) })},
	{"ip.flags.mf", v4(func(h *trace.IPHeader) any { return bit(h.MF) })},
	{"ip.checksum.status", v4(func(h *trace.IPHeader) any { return status(h.Checksum) })},
	{"ipv6.src", v6(func(h *trace.IPHeader) any { return h.Src })},
	{"ipv6.dst", v6(func(h *trace.IPHeader) any { return h.Dst })},
	{"ipv6.plen", datagram(6, 40)},
	{"ipv6.nxt", v6(func(h *trace.IPHeader) any { return h.Protocol })},
	{"ipv6.hlim", v6(func(h *trace.IPHeader) any { return h.TTL })},
	{"ipv6.tclass", v6(func(h *trace.IPHeader) any { return fmt.Sprintf("0x%08x", h.TOS) })},

	{"tcp.srcport", tcp(func(s *trace.Segment) any { return s.SrcPort })},
	{"tcp.dstport", tcp(func(s *trace.Segment) any { return s.DstPort })},
	{"tcp.seq_raw", tcp(func(s *trace.Segment) any { return s.Seq })},
	{"tcp.ack_raw", tcp(func(s *trace.Segment) any { return s.Ack })},
	{"tcp.hdr_len", tcp(func(s *trace.Segment) any { return s.HeaderLen })},
	{"tcp.flags", tcp(func(s *trace.Segment) any { return fmt.Sprintf("0x%04x", uint16(s.Reserved)<<9|uint16(s.Flags)) })},
	{"tcp.flags.ae", flag(trace.AE)},
	{"tcp.flags.cwr", flag(trace.CWR)},
	{"tcp.flags.ece", flag(trace.ECE)},
	{"tcp.flags.urg", flag(trace.URG)},
	{"tcp.flags.ack", flag(trace.ACK)},
	{"tcp.flags.push", flag(trace.PSH)},
	{"tcp.flags.reset", flag(trace.RST)},
	{"tcp.flags.syn", flag(trace.SYN)},
	{"tcp.flags.fin", flag(trace.FIN)},
	{"tcp.window_size_value", tcp(func(s *trace.Segment) any { return s.Window })},
	{"tcp.urgent_pointer", tcp(func(s *trace.Segment) any { return s.Urgent })},
	{"tcp.checksum", tcp(func(s *trace.Segment) any { return fmt.Sprintf("0x%04x", s.Sum) })},
	{"tcp.checksum.status", func(f *frame) string {
		if len(f.packet.Octets) < f.packet.Len { // the trace knows it from before the data were left out
			return tcp(func(*trace.Segment) any { return status(trace.ChecksumUnverified) })(f)
		}
		return tcp(func(s *trace.Segment) any { return status(s.Checksum) })(f)
	}},
	{"tcp.len", tcp(func(s *trace.Segment) any { return s.DataLen })},
	{"tcp.payload", func(f *frame) string { return hex.EncodeToString(f.packet.Data()) }},
	{"tcp.options", tcp(func(s *trace.Segment) any { return hex.EncodeToString(s.Options) })},
	{"tcp.options.mss_val", option(trace.OptionMSS, 2, func(o trace.Options) any { v, _ := o.MSS(); return v })},
	{"tcp.options.wscale.shift", option(trace.OptionWindowScale, 1, func(o trace.Options) any { v, _ := o.WindowScale(); return v })},
	{"tcp.options.sack_perm", option(trace.OptionSACKPermitted, 0, func(o trace.Options) any { return "0402" })},
	{"tcp.options.timestamp.tsval", option(trace.OptionTimestamps, 8, func(o trace.Options) any { v, _, _ := o.Timestamps(); return v })},
	{"tcp.options.timestamp.tsecr", option(trace.OptionTimestamps, 8, func(o trace.Options) any { _, v, _ := o.Timestamps(); return v })},
	{"tcp.options.sack_le", edges(func(left, _ trace.Seq) trace.Seq { return left })},
	{"tcp.options.sack_re", edges(func(_, right trace.Seq) trace.Seq { return right })},
}

func ethernet(of func(*trace.EthernetHeader) any) func(*frame) string {
	return func(f *frame) string {
		if f.packet.Link != trace.LinkEthernet {
			return ""
		}
		return fmt.Sprint(of(&f.packet.Ethernet))
	}
}

func arp(of func(*trace.ARP) any) func(*frame) string {
	return func(f *frame) string {
		if f.packet.Kind != trace.PacketARP {
			return ""
		}
		return fmt.Sprint(of(&f.packet.ARP))
	}
}

func icmp6(of func(*trace.ICMP) any) func(*frame) string { return icmp(6, of) }

func icmp(version uint8, of func(*trace.ICMP) any) func(*frame) string {
	return func(f *frame) string {
		if f.packet.Kind != trace.PacketICMP || f.packet.IP.Version != version {
			return ""
		}
		return fmt.Sprint(of(&f.packet.ICMP))
	}
}

// Types of ICMPv6 messages (RFC 4861, Section 4).
const (
	neighborSolicitation  = 135
	neighborAdvertisement = 136
)

func target(kind uint8) func(*frame) string {
	return icmp6(func(m *trace.ICMP) any {
		if m.Type != kind {
			return ""
		}
		return m.Target
	})
}

// v4 is a field of the IPv4 header.
func v4(of func(*trace.IPHeader) any) func(*frame) string { return ip(4, of) }

// v6 is a field of the IPv6 header.
func v6(of func(*trace.IPHeader) any) func(*frame) string { return ip(6, of) }

func ip(version uint8, of func(*trace.IPHeader) any) func(*frame) string {
	return func(f *frame) string {
		if f.packet.IP.Version != version {
			return ""
		}
		return fmt.Sprint(of(&f.packet.IP))
	}
}

// datagram is how many octets an IP packet has behind the first few: no frame is filled up.
func datagram(version uint8, behind int) func(*frame) string {
	return func(f *frame) string {
		return ip(version, func(*trace.IPHeader) any { return f.packet.Len - f.packet.Ethernet.HeaderLen - behind })(f)
	}
}

func tcp(of func(*trace.Segment) any) func(*frame) string {
	return func(f *frame) string {
		if f.packet.Kind != trace.PacketTCP {
			return ""
		}
		return fmt.Sprint(of(&f.packet.TCP))
	}
}

func flag(bit_ trace.Flags) func(*frame) string {
	return tcp(func(s *trace.Segment) any { return bit(s.Flags.Has(bit_)) })
}

// option is what the options say if one has this kind and this many octets of data.
func option(kind uint8, n int, of func(trace.Options) any) func(*frame) string {
	return tcp(func(s *trace.Segment) any {
		for o := range s.Options.All() {
			if o.Kind == kind && len(o.Data) == n {
				return of(s.Options)
			}
		}
		return ""
	})
}

// edges are one side of all blocks of SACK options.
func edges(of func(left, right trace.Seq) trace.Seq) func(*frame) string {
	return tcp(func(s *trace.Segment) any {
		var all []string
		for o := range s.Options.All() {
			for left, right := range o.SACKBlocks() {
				all = append(all, fmt.Sprint(of(left, right)))
			}
		}
		return strings.Join(all, betweenValues)
	})
}

func bit(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

// status is Wireshark's number for what a checksum is.
func status(c trace.Checksum) string {
	return [...]string{trace.ChecksumBad: "0", trace.ChecksumGood: "1", trace.ChecksumUnverified: "2"}[c]
}

func (n *tally) compare(t *testing.T, name string, want []frame, got []map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: tshark read %d frames, want %d", name, len(got), len(want))
		return
	}
	streams, of := map[[2]netip.AddrPort]*stream{}, make([]*stream, len(want))
	for i := range want {
		of[i] = streamOf(streams, &want[i])
	}
	for i := range want {
		f, s := &want[i], of[i]
		n.packets++
		for _, field := range fields {
			n.equal(t, name, f, field.name, field.of(f), got[i][field.name])
		}
		ours, _, _ := strings.Cut(got[i]["frame.comment"], ";") // what follows is compared with the trace without tshark
		n.equal(t, name, f, "frame.comment", fmt.Sprintf("event %d", f.event.N), ours)
		if s != nil {
			n.equal(t, name, f, "tcp.completeness", strconv.Itoa(s.completeness), got[i]["tcp.completeness"])
		}
		for note := range strings.SplitSeq(got[i]["_ws.expert.message"], betweenValues) {
			if ours, _, _ := strings.Cut(note, ";"); note == "" || ours == fmt.Sprintf("event %d", f.event.N) { // our comment is a note, too
				continue
			}
			n.notes++
			if problem := s.judge(f, note); problem != "" {
				t.Errorf("%s: event %d (%v): tshark notes %q: %s", name, f.event.N, f.packet.TCP.Flags, note, problem)
			}
		}
		if s != nil {
			s.add(f)
		}
	}
}

// equal compares a field of a frame, if one of the two has it.
func (n *tally) equal(t *testing.T, name string, f *frame, field, trace, tshark string) {
	t.Helper()
	if trace == "" && tshark == "" {
		return
	}
	n.fields++
	if trace != tshark {
		t.Errorf("%s: event %d, %s: the trace says %q, tshark says %q", name, f.event.N, field, trace, tshark)
	}
}
