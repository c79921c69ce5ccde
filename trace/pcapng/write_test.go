package pcapng_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/pcapng"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Each side of each world, read by pcapgo: each frame is there, in order, with octets, lengths, time, interface, direction and
// comment, and the file tells nothing of the machine.
func TestWriteAsPcapgoReadsIt(t *testing.T) {
	for _, w := range worlds() {
		tr := w.run(t)
		for _, side := range pcapng.Sides {
			checkCapture(t, fmt.Sprintf("%v, %v", w, side), tr, side)
		}
	}
}

func checkCapture(t *testing.T, name string, tr *trace.Trace, side pcapng.Side) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(capture(t, tr, side)), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if diff := cmp.Diff(pcapgo.NgSectionInfo{Application: "connectlab"}, r.SectionInfo()); diff != "" {
		t.Errorf("%s: section (-want +got)\n%s", name, diff)
	}
	states := replay(tr)
	for i, want := range frames(tr, side) {
		data, info, options, err := r.ReadPacketDataWithOptions()
		if err != nil {
			t.Fatalf("%s: frame %d of event %d: %v", name, i+1, want.event.N, err)
		}
		p := want.packet
		if !bytes.Equal(data, p.Octets) || info.Length != p.Len || !info.Timestamp.Equal(want.at) {
			t.Errorf("%s: event %d is %d of %d octets at %v, want %d of %d at %v", name, want.event.N,
				len(data), info.Length, info.Timestamp, len(p.Octets), p.Len, want.at)
		}
		iface, err := r.Interface(info.InterfaceIndex)
		host := tr.Header.Host(want.event.Host)
		link := layers.LinkTypeRaw
		if tr.Header.Link == trace.LinkEthernet {
			link = layers.LinkTypeEthernet
		}
		if err != nil || iface.Name != host.Name || iface.LinkType != link || iface.OS != "" || iface.TimestampResolution != 9 ||
			iface.Description != strings.TrimSpace(host.Stack+" "+host.Version+" "+host.Address) {
			t.Errorf("%s: event %d of %s is on interface %+v, %v", name, want.event.N, want.event.Host, iface, err)
		}
		direction := pcapgo.NgEpbFlagDirectionOutbound
		if want.inbound {
			direction = pcapgo.NgEpbFlagDirectionInbound
		}
		switch {
		case side == pcapng.Wire && options.Flags != nil:
			t.Errorf("%s: event %d has a direction on the wire", name, want.event.N)
		case side != pcapng.Wire && (options.Flags == nil || options.Flags.Direction != direction):
			t.Errorf("%s: event %d has flags %+v, want direction %d", name, want.event.N, options.Flags, direction)
		}
		if len(options.Comments) != 1 {
			t.Fatalf("%s: event %d has comments %q, want one", name, want.event.N, options.Comments)
		}
		checkComment(t, name, tr, want, options.Comments[0], states)
	}
	if _, _, err := r.ReadPacketData(); !errors.Is(err, io.EOF) {
		t.Errorf("%s: a frame more than the trace has: %v", name, err)
	}
}

// replay is the state of each socket after each event, as events tell it: states[n] after event n.
func replay(tr *trace.Trace) []map[string]string {
	states := []map[string]string{{}}
	for i := range tr.Events {
		e := &tr.Events[i]
		now := states[i]
		switch d := e.Detail.(type) {
		case *trace.StateChange:
			now = maps.Clone(now)
			now[fmt.Sprintf("%s %d", e.Host, e.Socket)] = d.To.String()
		case *trace.HostChange:
			if d.What == trace.Reboot {
				now = maps.Clone(now)
				for socket := range now {
					if strings.HasPrefix(socket, e.Host+" ") {
						delete(now, socket)
					}
				}
			}
		default:
		}
		states = append(states, now)
	}
	return states
}

var commentForm = regexp.MustCompile(`^event (\d+)(?:; sent in event (\d+))?(?:; (client) (?:(\d+) ([A-Z0-9-]+|not observed)|no socket); (server) (?:(\d+) ([A-Z0-9-]+|not observed)|no socket))?(?:; (.+))?$`)

// checkComment holds a comment against the events: its numbers, the states of the sockets that it names after the event's
// step, the event's own socket, and what the link did.
func checkComment(t *testing.T, name string, tr *trace.Trace, f frame, comment string, states []map[string]string) {
	t.Helper()
	m := commentForm.FindStringSubmatch(comment)
	if m == nil {
		t.Errorf("%s: event %d: the comment %q has not the form", name, f.event.N, comment)
		return
	}
	cause := ""
	if f.inbound {
		cause = strconv.Itoa(f.event.Cause)
	}
	if m[1] != strconv.Itoa(f.event.N) || m[2] != cause {
		t.Errorf("%s: event %d: the comment %q names other events", name, f.event.N, comment)
	}
	// The step of an arrival has not ended with it: the changes that it caused stand behind it.
	n := f.event.N
	for i := n; i < len(tr.Events) && tr.Events[i].At == f.event.At; i++ {
		if _, ok := tr.Events[i].Detail.(*trace.StateChange); ok && tr.Events[i].Cause == f.event.N {
			n = i + 1
		}
	}
	if hasSockets := m[3] != ""; hasSockets != (f.packet.Kind == trace.PacketTCP) {
		t.Errorf("%s: event %d, %v: the comment is %q", name, f.event.N, f.packet.Kind, comment)
		return
	}
	for _, at := range []int{3, 6} {
		host, number, state := m[at], m[at+1], m[at+2]
		if number == "" {
			if host == f.event.Host && f.event.Socket != 0 && states[n][fmt.Sprintf("%s %d", host, f.event.Socket)] != "" {
				t.Errorf("%s: event %d of socket %d: the comment %q knows no socket of %s", name, f.event.N, f.event.Socket, comment, host)
			}
			continue
		}
		want, known := states[n][host+" "+number]
		if !known {
			want = trace.NotObserved.String()
		}
		if want != state {
			t.Errorf("%s: event %d: the comment %q says %s, the events say %s", name, f.event.N, comment, state, want)
		}
		if host == f.event.Host && !f.inbound && f.event.Socket != 0 && number != strconv.Itoa(f.event.Socket) {
			t.Errorf("%s: event %d of socket %d: the comment %q names another", name, f.event.N, f.event.Socket, comment)
		}
	}
	sent := f.event.N
	if f.inbound {
		sent = f.event.Cause
	}
	for i := range tr.Events {
		if fate, ok := tr.Events[i].Detail.(*trace.Fate); ok && tr.Events[i].Cause == sent {
			if !strings.Contains(m[9], fate.Kind.String()) || !strings.Contains(m[9], fate.Rule) {
				t.Errorf("%s: event %d: the comment %q does not tell of %+v", name, f.event.N, comment, fate)
			}
		} else if i+1 == len(tr.Events) && m[9] == "" {
			return
		}
	}
}

// What Read made of a capture can be written again: the same frames at the same times.
func TestWriteWhatReadRead(t *testing.T) {
	for _, w := range worlds() {
		tr := w.run(t)
		if len(frames(tr, pcapng.Wire)) == 0 || strings.HasPrefix(w.name, "nobody") {
			continue
		}
		all, _ := mustRead(t, w.String(), capture(t, tr, pcapng.Wire))
		for _, c := range all {
			for _, side := range pcapng.Sides {
				checkCapture(t, fmt.Sprintf("%v, connection %d, %v", w, c.number, side), c.Trace, side)
			}
			again, _ := mustRead(t, w.String(), capture(t, c.Trace, pcapng.Wire))
			if diff := cmp.Diff(octetsOf(c.Trace), octetsOf(again[0].Trace)); diff != "" || len(again) != 1 {
				t.Errorf("%v, connection %d: read, written and read again, %d connections (-want +got)\n%s", w, c.number, len(again), diff)
			}
		}
	}
}

func TestWriteIsRepeatable(t *testing.T) {
	w := world{name: "send-and-close", seed: 3, faults: []string{"corrupt client data 20%"}}
	for _, side := range pcapng.Sides {
		if !bytes.Equal(capture(t, w.run(t), side), capture(t, w.run(t), side)) {
			t.Errorf("%v: two runs of one seed gave two files", side)
		}
	}
}

// On a link that loses, duplicates and corrupts, the two ends do not see the same.
func TestSidesDifferAsTheLinkMadeThem(t *testing.T) {
	tr := world{name: "plain", seed: 1, faults: []string{"drop client SYN#1", "duplicate server SYN,ACK#1 .001", "corrupt client data#1 52.1"}}.run(t)
	count := func(side pcapng.Side, flags trace.Flags) (n, bad int) {
		r, err := pcapgo.NewNgReader(bytes.NewReader(capture(t, tr, side)), pcapgo.NgReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for {
			data, info, err := r.ReadPacketData()
			if err != nil {
				return n, bad
			}
			p := trace.Packet{Octets: data, Len: info.Length}
			wire.Decode(&p)
			if p.TCP.Flags == flags {
				n++
			}
			if p.TCP.Checksum == trace.ChecksumBad {
				bad++
			}
		}
	}
	type seen struct{ wire, client, server int }
	counted := func(flags trace.Flags) (s seen) {
		s.wire, _ = count(pcapng.Wire, flags)
		s.client, _ = count(pcapng.Client, flags)
		s.server, _ = count(pcapng.Server, flags)
		return s
	}
	if got, want := counted(trace.SYN), (seen{2, 2, 1}); got != want {
		t.Errorf("SYNs, the first of which was lost: %+v, want %+v", got, want)
	}
	if got, want := counted(trace.SYN|trace.ACK), (seen{1, 2, 1}); got != want {
		t.Errorf("a SYN,ACK that was duplicated: %+v, want %+v", got, want)
	}
	var bad seen
	_, bad.wire = count(pcapng.Wire, 0)
	_, bad.client = count(pcapng.Client, 0)
	_, bad.server = count(pcapng.Server, 0)
	if want := (seen{0, 0, 1}); bad != want {
		t.Errorf("bad checksums: %+v, want %+v", bad, want)
	}
}

// Where the record keeps no data, the capture ends with the header and tells the length nevertheless.
func TestWriteWithoutData(t *testing.T) {
	tr := world{name: "plain", seed: 1}.run(t)
	tr.Header.Data = false
	cut := 0
	for _, f := range frames(tr, pcapng.Wire) {
		if header := f.packet.IP.HeaderLen + f.packet.TCP.HeaderLen; f.packet.TCP.DataLen > 0 {
			f.packet.Octets = f.packet.Octets[:header]
			cut++
		}
	}
	if cut == 0 {
		t.Fatal("the story has no data")
	}
	checkCapture(t, "without data", tr, pcapng.Wire)
}

// Texts come from files: none may break the blocks that they stand in.
func TestWriteCutsLongTexts(t *testing.T) {
	tr := world{name: "syn-lost", seed: 1}.run(t)
	tr.Header.Hosts[0].Version = strings.Repeat("é", 40000)
	for i := range tr.Events {
		if f, ok := tr.Events[i].Detail.(*trace.Fate); ok {
			f.Rule = strings.Repeat("규칙", 40000)
		}
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(capture(t, tr, pcapng.Wire)), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range frames(tr, pcapng.Wire) {
		_, _, options, err := r.ReadPacketDataWithOptions()
		if err != nil {
			t.Fatal(err)
		}
		if c := options.Comments[0]; len(c) > 2010 || strings.ContainsRune(c, '\uFFFD') {
			t.Errorf("a comment of %d octets: %q", len(c), c)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	good := func() *trace.Trace {
		return &trace.Trace{Header: trace.Header{Start: time.Unix(0, 0), Hosts: []trace.HostInfo{{Name: "client"}, {Name: "server"}}}}
	}
	for _, tt := range []struct {
		name   string
		change func(*trace.Trace)
		want   string
	}{
		{"one host", func(t *trace.Trace) { t.Header.Hosts = t.Header.Hosts[:1] }, "this trace has 1"},
		{"no host", func(t *trace.Trace) { t.Header.Hosts = nil }, "this trace has 0"},
		{"before 1970", func(t *trace.Trace) { t.Header.Start = time.Unix(-1, 0) }, "1969"},
		{"ends behind 2262", func(t *trace.Trace) { t.Header.Start, t.End.At = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC), 1<<62 }, "2262"},
	} {
		tr := good()
		tt.change(tr)
		for _, side := range pcapng.Sides {
			if err := pcapng.Write(io.Discard, tr, side); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %v: error %v, want one that says %q", tt.name, side, err, tt.want)
			}
		}
	}
	if err := pcapng.Write(fullDisk{}, good(), pcapng.Wire); !errors.Is(err, errFullDisk) {
		t.Errorf("a full disk: error %v", err)
	}
	noStart := good()
	noStart.Header.Start = time.Time{}
	if err := pcapng.Write(io.Discard, noStart, pcapng.Wire); err != nil {
		t.Errorf("a trace without a date: %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFullDisk }

var errFullDisk = errors.New("the disk is full")
