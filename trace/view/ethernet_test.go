package view

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// onEthernet is a frame, decoded: its hexadecimal digits may have spaces.
func onEthernet(t *testing.T, digits string) *trace.Packet {
	t.Helper()
	octets, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
	if err != nil {
		t.Fatal(err)
	}
	p := &trace.Packet{Octets: octets, Len: len(octets), Link: trace.LinkEthernet}
	wire.Decode(p)
	return p
}

const (
	arpRequest    = "ffffffffffff 00005e005301 0806 0001 0800 06 04 0001 00005e005301 c0000201 000000000000 c0000202"
	arpReply      = "00005e005301 00005e005302 0806 0001 0800 06 04 0002 00005e005302 c0000202 00005e005301 c0000201"
	arpOther      = "ffffffffffff 00005e005301 0806 0001 0800 06 04 0009 00005e005301 c0000201 000000000000 c0000202"
	solicitation  = "3333ff000002 00005e005301 86dd 60000000 0020 3a ff 20010db8000000000000000000000001 ff0200000000000000000001ff000002 87 00 6d26 00000000 20010db8000000000000000000000002 01 01 00005e005301"
	advertisement = "00005e005301 00005e005302 86dd 60000000 0020 3a ff 20010db8000000000000000000000002 20010db8000000000000000000000001 88 00 db70 60000000 20010db8000000000000000000000002 02 01 00005e005302"
	lldp          = "0180c200000e 00005e005301 88cc 0207"
)

// neighborly is a run on Ethernet in which there are all kinds of packets that are only there.
func neighborly(t *testing.T) *trace.Trace {
	r := record(t)
	h := trace.Header{
		Link: trace.LinkEthernet, Delay: 10 * time.Millisecond, Data: true, Control: true,
		Hosts: []trace.HostInfo{
			{Name: "client", Address: "192.0.2.1/24", Stack: "toy", MAC: trace.MAC{0, 0, 0x5e, 0, 0x53, 1}},
			{Name: "server", Address: "192.0.2.2/24", Stack: "toy", MAC: trace.MAC{0, 0, 0x5e, 0, 0x53, 2}},
		},
	}
	r.Recorder = trace.NewRecorder(h)
	cross := func(from, to string, cause int, digits string) int {
		sent := r.sent(from, 0, cause, onEthernet(t, digits))
		r.at += 10 * time.Millisecond
		return r.arrived(to, 0, sent, onEthernet(t, digits))
	}
	connect := r.call("client", 1, trace.Call{Name: "connect", FD: 3, Addr: serverAddr, Len: trace.NoLen, Program: "client"}, false, 0)
	a := cross("client", "server", connect, arpRequest)
	a = cross("server", "client", a, arpReply)
	syn := fromClient(trace.SYN, 0, 0, "")
	syn.Link, syn.Ethernet = trace.LinkEthernet, trace.EthernetHeader{Dst: trace.MAC{0, 0, 0x5e, 0, 0x53, 2}, Src: trace.MAC{0, 0, 0x5e, 0, 0x53, 1}}
	r.sent("client", 1, a, onEthernet(t, hex.EncodeToString(wire.Append(nil, syn, nil))))
	r.at = time.Second
	timer := r.Timer(r.at, "client", 0, "neighborEntry.timer")
	a = cross("client", "server", timer, solicitation)
	cross("server", "client", a, advertisement)
	broken := onEthernet(t, solicitation)
	sent := r.sent("client", 0, timer, broken)
	r.Fate(r.at, "client", 0, sent, trace.Fate{Kind: trace.Corrupted, Octet: 63, Bit: 7})
	bad := onEthernet(t, solicitation)
	bad.Octets[14+63] ^= 1
	wire.Decode(bad)
	r.at += 10 * time.Millisecond
	r.arrived("server", 0, sent, bad)
	for _, digits := range []string{arpOther, lldp, arpReply[:12]} {
		cross("client", "server", timer, digits)
	}
	return r.finish(trace.Idle, connect)
}

// TestBarBeginsWithMAC: the picture of a packet on Ethernet is MAC, IP, TCP, data.
func TestBarBeginsWithMAC(t *testing.T) {
	p := fromClient(trace.ACK, 1, 1, "some data")
	p.Link = trace.LinkEthernet
	p = onEthernet(t, hex.EncodeToString(wire.Append(nil, p, p.Data())))
	var b bytes.Buffer
	if err := Header(&b, one(t, p), 2, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MAC 14 · IP 20 · TCP 20 · data 9", "EtherType 0x0800, header of 14 octets"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for line := range strings.Lines(b.String()) {
		if parts := strings.FieldsFunc(line, func(r rune) bool { return r == '│' || r == ' ' || r == '\n' }); strings.HasPrefix(line, "  │") {
			if got := strings.Join(parts, " "); got != "MAC 14 IP 20 TCP 20 data 9" {
				t.Errorf("the bar says %s", got)
			}
			return
		}
	}
	t.Errorf("no bar in\n%s", b.String())
}
