package pcapng_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"connectlab/trace"
	"connectlab/trace/pcapng"
	"connectlab/trace/rfc9293"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
)

// A kept connection is one that may be kept: as it is when its trace has been written and read.
type kept struct {
	*trace.Trace
	frames       []int
	number, part int
	more         bool
	uncomputed   [2]int
}

// readAll reads a capture, and holds each connection's trace against what comes back when it is written and read.
func readAll(t testing.TB, name string, capture []byte) (all []kept, sum pcapng.Summary, err error) {
	t.Helper()
	sum, err = pcapng.Read(bytes.NewReader(capture), name, func(c *pcapng.Connection) error {
		for _, e := range rfc9293.Paths(c.Trace) {
			t.Errorf("%s, connection %d: no path of the RFC's machine: %v", name, c.Number, e)
		}
		all = append(all, kept{throughFile(t, name, c.Trace), append([]int(nil), c.Frames...), c.Number, c.Part, c.More, c.Uncomputed})
		poison(c)
		return nil
	})
	return all, sum, err
}

// poison spoils all of a connection: it is each's only until it returns, so that neither what Read does next nor what a test keeps
// may rest on it.
func poison(c *pcapng.Connection) {
	for i := range c.Trace.Events {
		switch d := c.Trace.Events[i].Detail.(type) {
		case *trace.Sent:
			for j := range d.Packet.Octets {
				d.Packet.Octets[j] = 0xee
			}
			*d.Packet, *d = trace.Packet{Malformed: "poison"}, trace.Sent{}
		case *trace.Arrived:
			*d = trace.Arrived{}
		case *trace.StateChange:
			*d = trace.StateChange{From: trace.TimeWait, To: trace.TimeWait}
		case *trace.Control:
			clear(d.Changes)
		default: // a capture has nothing else
		}
		c.Trace.Events[i] = trace.Event{N: -1}
		c.Frames[i] = -1
	}
	for i := range c.Trace.Header.Hosts {
		c.Trace.Header.Hosts[i] = trace.HostInfo{Name: "poison"}
	}
	*c.Trace = trace.Trace{Header: trace.Header{Hosts: c.Trace.Header.Hosts[:0]}}
	*c = pcapng.Connection{}
}

func throughFile(t testing.TB, name string, tr *trace.Trace) *trace.Trace {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, tr); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	again, err := trace.Read(&b, name, wire.Decode)
	if err != nil {
		t.Fatalf("%s: the trace is not valid: %v", name, err)
	}
	if !reflect.DeepEqual(tr, again) {
		diff := cmp.Diff(tr, again, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }))
		t.Fatalf("%s: the trace, written and read (-want +got)\n%s", name, diff)
	}
	return again
}

func mustRead(t testing.TB, name string, capture []byte) ([]kept, pcapng.Summary) {
	t.Helper()
	all, sum, err := readAll(t, name, capture)
	if err != nil {
		t.Fatal(err)
	}
	return all, sum
}

// path is the states of a host's sockets in a trace, in order, each socket's behind its number.
func path(tr *trace.Trace, host string) string {
	var b strings.Builder
	socket := 0
	for i := range tr.Events {
		e := &tr.Events[i]
		if d, ok := e.Detail.(*trace.StateChange); ok && e.Host == host {
			if e.Socket != socket {
				socket = e.Socket
				fmt.Fprintf(&b, " %d:", socket)
			}
			fmt.Fprintf(&b, " %v", d.To)
			if d.Source != trace.Inferred {
				b.WriteString(" which is not inferred")
			}
		}
	}
	return strings.TrimSpace(b.String())
}

// What each side of each world saw comes back: each segment with its octets, in order, in its connection.
func TestReadWhatWriteWrote(t *testing.T) {
	for _, w := range worlds() {
		tr := w.run(t)
		for _, side := range pcapng.Sides {
			type names [2]netip.AddrPort
			want, got := map[names][][]byte{}, map[names][][]byte{}
			total := 0
			for _, f := range frames(tr, side) {
				if p := f.packet; p.Kind == trace.PacketTCP {
					want[names{p.Source(), p.Destination()}] = append(want[names{p.Source(), p.Destination()}], p.Octets[p.Ethernet.HeaderLen:])
					total++
				}
			}
			if total == 0 {
				continue
			}
			name := fmt.Sprintf("%v, %v", w, side)
			all, sum := mustRead(t, name, capture(t, tr, side))
			if sum.TCP != total {
				t.Errorf("%s: %+v, want %d segments", name, sum, total)
			}
			for _, c := range all {
				for i := range c.Events {
					if s, ok := c.Events[i].Detail.(*trace.Sent); ok {
						key := names{s.Packet.Source(), s.Packet.Destination()}
						got[key] = append(got[key], s.Packet.Octets)
					}
				}
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Errorf("%s: octets (-want +got)\n%s", name, diff)
			}
		}
	}
}

// States are inferred as the stacks went through them, from the wire and from each side.
func TestStatesAreInferred(t *testing.T) {
	const (
		opens, closes = "1: SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT", "1: SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED"
		all           = "wire client server"
	)
	for _, tt := range []struct{ story, sides, client, server string }{
		{"plain", all, opens, closes},
		{"refused", all, "1: SYN-SENT CLOSED", "1: CLOSED"},
		{"silent-host", "wire client", "1: SYN-SENT", ""},
		{"syn-lost", all, opens, closes},
		{"synack-lost", all, opens, closes},
		{"last-ack-lost", all, opens, closes},
		{"half-close", all, opens, closes},
		{"syn-cookies", all, opens, closes},
		{"send-and-close", all, opens, closes},
		{"idle-year", all, opens, closes},
		{"abort", all, "1: SYN-SENT ESTABLISHED CLOSED", "1: SYN-RECEIVED ESTABLISHED CLOSED"},
		{"half-open-a", all, "1: SYN-SENT ESTABLISHED CLOSED", "1: SYN-RECEIVED ESTABLISHED CLOSED"},
		{"half-open-b", "server", "1: SYN-SENT ESTABLISHED 2:" + opens[2:], "1: SYN-RECEIVED ESTABLISHED CLOSED 2:" + closes[2:]},
		// Whoever captures sees one SYN and one FIN before the other. Each side's own view has what it went through itself; of the other a
		// FIN that does not acknowledge shows that CLOSE-WAIT was too early.
		{"simultaneous-close", "client", "1: SYN-SENT ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT", "1: SYN-RECEIVED ESTABLISHED CLOSE-WAIT CLOSING TIME-WAIT"},
		{"simultaneous-close", "wire server", "1: SYN-SENT ESTABLISHED CLOSE-WAIT CLOSING TIME-WAIT", "1: SYN-RECEIVED ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT"},
		{"simultaneous-open", "client", "1: SYN-SENT SYN-RECEIVED ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT", "1: SYN-SENT SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED"},
		// There the server's SYN is the first, so that it is called the client.
		{"simultaneous-open", "wire server", "1: SYN-SENT SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED", "1: SYN-SENT SYN-RECEIVED ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT"},
	} {
		tr := world{name: tt.story, seed: 1}.run(t)
		for _, side := range pcapng.Sides {
			if !strings.Contains(tt.sides, side.String()) {
				continue
			}
			got, _ := mustRead(t, tt.story, capture(t, tr, side))
			if len(got) != 1 {
				t.Errorf("%s, %v: %d connections", tt.story, side, len(got))
				continue
			}
			if client, server := path(got[0].Trace, "client"), path(got[0].Trace, "server"); client != tt.client || server != tt.server {
				t.Errorf("%s, %v: the client goes %q, the server %q; want %q, %q", tt.story, side, client, server, tt.client, tt.server)
			}
		}
	}
}
