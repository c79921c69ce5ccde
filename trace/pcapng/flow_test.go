package pcapng_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/pcapng"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
)

func raw(frames ...captured) []byte { return pcapFile(binary.LittleEndian, true, 101, frames...) }

// one reads a capture with one connection.
func one(t *testing.T, name string, frames ...captured) kept {
	t.Helper()
	all, _ := mustRead(t, name, raw(frames...))
	if len(all) != 1 {
		t.Fatalf("%s: %d connections, want one", name, len(all))
	}
	return all[0]
}

func TestWhoIsTheClient(t *testing.T) {
	const us, them = "192.0.2.1", "192.0.2.2"
	for _, tt := range []struct {
		name   string
		talk   *talk
		ports  [2]uint16
		client string
	}{
		{"sent the SYN", newTalk().handshake(), [2]uint16{80, 40000}, us},
		{"is sent the SYN,ACK", newTalk().send(1, syn|ack, "").send(0, ack, ""), [2]uint16{80, 40000}, us},
		{"has the higher port", newTalk().send(1, ack, "data").send(0, ack, ""), [2]uint16{40000, 80}, us},
		{"has the higher port and sends first", newTalk().send(0, ack, "data"), [2]uint16{40000, 80}, us},
		{"has the higher port, the other way", newTalk().send(0, ack, "data"), [2]uint16{80, 40000}, them},
		{"is seen first where ports are equal", newTalk().send(1, ack, "data"), [2]uint16{80, 80}, them},
	} {
		again := newTalk()
		again.ports = tt.ports
		for _, f := range tt.talk.frames { // the same segments with the other ports
			p := trace.Packet{Octets: f.octets, Len: f.length}
			wire.Decode(&p)
			from := 0
			if p.IP.Src != again.addresses[0] {
				from = 1
			}
			p.TCP.SrcPort, p.TCP.DstPort = tt.ports[from], tt.ports[1-from]
			f.octets = wire.Append(nil, &p, p.Data())
			again.frames = append(again.frames, f)
		}
		c := one(t, tt.name, again.frames...)
		if got := c.Header.Hosts[0].Address; got != tt.client {
			t.Errorf("the client %s: it is %s, want %s", tt.name, got, tt.client)
		}
	}
}

func TestPartialCaptures(t *testing.T) {
	whole := newTalk().whole().frames
	direction := func(from string) (frames []captured) {
		for _, f := range whole {
			if p := (trace.Packet{Octets: f.octets, Len: f.length}); from == "" {
				frames = append(frames, f)
			} else if wire.Decode(&p); p.IP.Src.String() == from {
				frames = append(frames, f)
			}
		}
		return frames
	}
	for _, tt := range []struct {
		name           string
		frames         []captured
		client, server string
	}{
		{"without the handshake", whole[3:], "1: ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT", "1: ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED"},
		{"without the SYN", whole[1:], clientPath[len("1: SYN-SENT "):], serverPath},
		{"without the end", whole[:6], "1: SYN-SENT ESTABLISHED", "1: SYN-RECEIVED ESTABLISHED"},
		{"the client's SYN alone", whole[:1], "1: SYN-SENT", ""},
	} {
		c := one(t, tt.name, tt.frames...)
		client, server := path(c.Trace, "client"), path(c.Trace, "server")
		if strings.TrimPrefix(client, "1: ") != strings.TrimPrefix(tt.client, "1: ") || server != tt.server {
			t.Errorf("%s: the client goes %q, the server %q; want %q, %q", tt.name, client, server, tt.client, tt.server)
		}
	}
	// What only one side sent shows how that side went as far as it knows; nothing is made up.
	for _, from := range []string{"192.0.2.1", "192.0.2.2"} {
		c := one(t, "only "+from, direction(from)...)
		for _, host := range []string{"client", "server"} {
			t.Logf("of %s alone: the %s goes %q", from, host, path(c.Trace, host))
		}
		if c.End.Reason == trace.Finished && from == "192.0.2.1" {
			t.Errorf("of %s alone nobody can tell that it is over", from)
		}
	}
}

// The four-tuple comes back: after the end it is another connection; in the middle it is another socket.
func TestFourTupleComesBack(t *testing.T) {
	talk := newTalk().whole()
	talk.seq = [2]trace.Seq{500_000, 700_000}
	talk.whole()
	all, sum := mustRead(t, "twice", raw(talk.frames...))
	if len(all) != 2 || sum.Connections != 2 || all[0].number != 1 || all[1].number != 2 {
		t.Fatalf("%d connections, %+v, want 2", len(all), sum)
	}
	for _, c := range all {
		if client, server := path(c.Trace, "client"), path(c.Trace, "server"); client != clientPath || server != serverPath {
			t.Errorf("connection %d: %s, %s", c.number, client, server)
		}
	}
	if all[1].frames[0] != 11 {
		t.Errorf("the second connection begins with frame %d, want 11", all[1].frames[0])
	}

	again := newTalk()
	for range 3 { // as some stacks do it: the refused SYN once more, as it was
		again.seq = [2]trace.Seq{1000, 0}
		again.send(0, syn, "").send(1, rst|ack, "")
	}
	refused := one(t, "refused three times", again.frames...)
	if got, want := path(refused.Trace, "client"), "1: SYN-SENT CLOSED 2: SYN-SENT CLOSED 3: SYN-SENT CLOSED"; got != want {
		t.Errorf("the client goes %s, want %s", got, want)
	}

	rebooted := newTalk().handshake()
	rebooted.seq[0] = 500_000
	rebooted.send(0, syn, "") // into the old connection
	rebooted.seq[0] = 1001
	rebooted.send(1, ack, "") // which says what it expects
	rebooted.seq[0] = 1001
	rebooted.send(0, rst, "")
	rebooted.seq = [2]trace.Seq{500_000, 700_000}
	rebooted.whole()
	c := one(t, "rebooted", rebooted.frames...)
	if got, want := path(c.Trace, "client"), "1: SYN-SENT ESTABLISHED 2:"+clientPath[2:]; got != want {
		t.Errorf("the client goes %s, want %s", got, want)
	}
	if got, want := path(c.Trace, "server"), "1: SYN-RECEIVED ESTABLISHED CLOSED 2:"+serverPath[2:]; got != want {
		t.Errorf("the server goes %s, want %s", got, want)
	}
}

// A reset in the handshake ends a connection: a passive socket is in LISTEN again, where nothing more is to come of it.
func TestResetInSynReceivedIsTheEnd(t *testing.T) {
	talk := newTalk().send(0, syn, "").send(1, syn|ack, "").send(0, rst, "")
	scan := one(t, "a scan for ports", talk.frames...)
	if got, want := path(scan.Trace, "server"), "1: SYN-RECEIVED LISTEN"; got != want || scan.End.Reason != trace.Finished {
		t.Errorf("the server goes %s and it ends %v, want %s and %v", got, scan.End.Reason, want, trace.Finished)
	}
	talk.seq = [2]trace.Seq{500_000, 700_000}
	talk.whole() // of the same names: another connection
	if all, sum := mustRead(t, "a scan and a connection", raw(talk.frames...)); len(all) != 2 || sum.Connections != 2 {
		t.Errorf("%d parts, %+v, want 2 connections", len(all), sum)
	}
}

// damage writes another checksum into a segment of a captured packet.
func damage(f captured, sum uint16) captured {
	f.octets = bytes.Clone(f.octets)
	binary.BigEndian.PutUint16(f.octets[36:], sum)
	return f
}

// pseudo is the sum that a stack leaves for the network card to go on from.
func pseudo(f captured, length int) uint16 {
	sum := uint32(6 + length)
	for at := 12; at < 20; at += 2 {
		sum += uint32(binary.BigEndian.Uint16(f.octets[at:]))
	}
	return uint16(sum>>16 + sum)
}

// A capture on the sending machine sees checksums that are still to be computed: the trace says so, and the connection goes on.
func TestChecksumOffload(t *testing.T) {
	for name, sum := range map[string]func(captured) uint16{
		"the pseudo header":                    func(f captured) uint16 { return pseudo(f, f.length-20) },
		"the pseudo header without its length": func(f captured) uint16 { return pseudo(f, 0) },
		"zero":                                 func(captured) uint16 { return 0 },
	} {
		talk := newTalk().whole()
		want := 0
		for i, f := range talk.frames {
			if p := (trace.Packet{Octets: f.octets, Len: f.length}); i > 0 {
				if wire.Decode(&p); p.IP.Src == talk.addresses[0] {
					talk.frames[i] = damage(f, sum(f))
					want++
				}
			}
		}
		c := one(t, name, talk.frames...)
		if client, server := path(c.Trace, "client"), path(c.Trace, "server"); client != clientPath || server != serverPath {
			t.Errorf("%s: the client goes %s, the server %s", name, client, server)
		}
		if c.uncomputed != [2]int{want, 0} {
			t.Errorf("%s: uncomputed %v, want %d of the client", name, c.uncomputed, want)
		}
		uncomputed := 0
		for i := range c.Events {
			if s, ok := c.Events[i].Detail.(*trace.Sent); ok && s.Packet.TCP.Checksum == trace.ChecksumUncomputed {
				uncomputed++
			}
		}
		if uncomputed != want {
			t.Errorf("%s: the trace calls %d uncomputed, want %d", name, uncomputed, want)
		}
	}
}

// Where the network card is to cut a packet up its total length may be 0 in a capture: the frame tells it. The trace has it, and its
// octets say the same when they are read again.
func TestTotalLengthThatIsNotSetYet(t *testing.T) {
	long := strings.Repeat("0123456789", 5000)
	unset := func(f captured, ipSum, tcpSum uint16) captured {
		f.octets = bytes.Clone(f.octets)
		binary.BigEndian.PutUint16(f.octets[2:], 0)
		binary.BigEndian.PutUint16(f.octets[10:], ipSum)
		return damage(f, tcpSum)
	}
	for name, tt := range map[string]struct {
		snap int
		sum  func(captured) uint16 // in the TCP header
	}{
		"the pseudo header without its length": {1 << 16, func(f captured) uint16 { return pseudo(f, 0) }},
		"the pseudo header":                    {1 << 16, func(f captured) uint16 { return pseudo(f, f.length-20) }},
		"cut":                                  {100, func(f captured) uint16 { return pseudo(f, 0) }},
	} {
		for _, ipSum := range []uint16{0, 0x1234} {
			talk := newTalk().handshake().send(0, ack, long).send(1, ack, "").goodbye()
			f := unset(talk.frames[3], ipSum, tt.sum(talk.frames[3]))
			f.octets = f.octets[:min(len(f.octets), tt.snap)]
			talk.frames[3] = f
			capture := raw(talk.frames...)
			whole := bytes.Clone(capture)
			all, sum := mustRead(t, name, capture) // it holds the trace against what comes back when it is written and read
			if !bytes.Equal(whole, capture) || sum.Unreadable != 0 || len(all) != 1 {
				t.Fatalf("%s: %+v, %d connections", name, sum, len(all))
			}
			c := all[0]
			if client, server := path(c.Trace, "client"), path(c.Trace, "server"); client != clientPath || server != serverPath {
				t.Errorf("%s: the client goes %s, the server %s", name, client, server)
			}
			var p *trace.Packet
			for i := range c.Events {
				if s, ok := c.Events[i].Detail.(*trace.Sent); ok && s.Packet.TCP.DataLen > 0 {
					p = s.Packet
				}
			}
			if p == nil || p.TCP.DataLen != len(long) || p.Len != 40+len(long) || p.IP.Checksum != trace.ChecksumUncomputed || c.uncomputed != [2]int{1, 0} {
				t.Errorf("%s: the segment with data is %+v, uncomputed %v", name, p, c.uncomputed)
			}
		}
	}
	// What fills a short frame up cannot be told from data then, and a length that does not fit is none.
	talk := newTalk().handshake().send(0, ack, long)
	talk.frames[3] = unset(talk.frames[3], 0, 0)
	talk.frames[3].length = 1 << 16
	if _, sum := mustRead(t, "too long", raw(talk.frames...)); sum.Unreadable != 1 || sum.TCP != 3 {
		t.Errorf("%+v, want the one that is too long to be unreadable", sum)
	}
}

// Nothing follows from a segment that was damaged: its receiver drops it.
func TestDamagedSegments(t *testing.T) {
	talk := newTalk().handshake()
	reset := newTalk()
	reset.seq = talk.seq
	talk.frames = append(talk.frames, damage(reset.send(0, rst, "").frames[0], 0x1234))
	talk.frames[3].at = talk.frames[2].at
	talk.send(0, ack, "hello").send(1, ack, "").goodbye()
	c := one(t, "a damaged RST", talk.frames...)
	if client, server := path(c.Trace, "client"), path(c.Trace, "server"); client != clientPath || server != serverPath {
		t.Errorf("the client goes %s, the server %s", client, server)
	}
	if c.uncomputed != [2]int{} {
		t.Errorf("uncomputed %v", c.uncomputed)
	}
	if n := len(octetsOf(c.Trace)); n != len(talk.frames) {
		t.Errorf("%d segments, want all %d: what is damaged is told of nevertheless", n, len(talk.frames))
	}
}

// Where the capture cut segments in their data they count, with their lengths; where it cut headers they cannot be read.
func TestSnapLength(t *testing.T) {
	long := strings.Repeat("0123456789", 50)
	talk := newTalk().handshake().send(0, ack, long).send(1, ack, "").goodbye()
	for _, snap := range []int{40, 41, 100, 539} {
		frames := slices.Clone(talk.frames)
		for i := range frames {
			frames[i].octets = frames[i].octets[:min(len(frames[i].octets), snap)]
		}
		c := one(t, fmt.Sprint("snap length ", snap), frames...)
		if client, server := path(c.Trace, "client"), path(c.Trace, "server"); client != clientPath || server != serverPath {
			t.Errorf("%d: the client goes %s, the server %s", snap, client, server)
		}
		if c.Header.Data {
			t.Errorf("%d: the header says that data are in the record", snap)
		}
		for i := range c.Events {
			if s, ok := c.Events[i].Detail.(*trace.Sent); ok && s.Packet.TCP.DataLen > 0 {
				if p := s.Packet; p.Len != 540 || p.TCP.DataLen != 500 || string(p.Data()) != long[:snap-40] || p.TCP.Checksum != trace.ChecksumUnverified {
					t.Errorf("%d: the segment with data is %+v", snap, p)
				}
			}
		}
	}
	frames := slices.Clone(talk.frames)
	frames[3].octets = frames[3].octets[:39]
	_, sum := mustRead(t, "a header that is cut", raw(frames...))
	if want := (pcapng.Summary{Frames: 9, TCP: 8, Unreadable: 1, Connections: 1}); sum != want {
		t.Errorf("%+v, want %+v", sum, want)
	}
}

// What is not TCP is counted.
func TestSummary(t *testing.T) {
	talk := newTalk().handshake()
	udp := bytes.Clone(talk.frames[0].octets)
	udp[9] = 17
	fragment := bytes.Clone(talk.frames[0].octets)
	fragment[6] = 0x20
	wire.FixChecksums(udp)
	wire.FixChecksums(fragment)
	frames := append(slices.Clone(talk.frames), captured{second, udp, len(udp)}, captured{second, fragment, len(fragment)},
		captured{second, []byte{0x45}, 40}, captured{second, nil, 0}, captured{second, []byte("rubbish"), 7})
	_, sum := mustRead(t, "mixed", raw(frames...))
	if want := (pcapng.Summary{Frames: 8, TCP: 3, Other: 2, Unreadable: 3, Connections: 1}); sum != want {
		t.Errorf("%+v, want %+v", sum, want)
	}
}

// Connections are handed out when they are over and quiet, the rest at the end of the capture in the order of their first frames,
// and so in each reading.
func TestOrder(t *testing.T) {
	var frames []captured
	begin := func(port uint16, at time.Duration, end bool) {
		talk := newTalk()
		talk.ports[0] = port
		if talk.handshake(); end {
			talk.goodbye()
		}
		for _, f := range talk.frames {
			f.at += int64(at)
			frames = append(frames, f)
		}
	}
	begin(1, 0, false)
	begin(2, time.Second, true)
	begin(3, 2*time.Second, true)
	begin(4, 65*time.Second, false) // the second and the third are old now
	begin(5, 66*time.Second, true)
	slices.SortStableFunc(frames, func(a, b captured) int { return int(a.at - b.at) })
	for range 3 {
		all, sum := mustRead(t, "order", raw(frames...))
		var got []uint16
		for _, c := range all {
			got = append(got, c.Events[0].Detail.(*trace.Sent).Packet.TCP.SrcPort)
		}
		if diff := cmp.Diff([]uint16{2, 3, 1, 4, 5}, got); diff != "" || sum.Connections != 5 {
			t.Fatalf("%+v (-want +got)\n%s", sum, diff)
		}
		for i, c := range all {
			if want := []int{2, 3, 1, 4, 5}[i]; c.number != want || c.part != 1 {
				t.Errorf("connection %d has number %d and part %d", want, c.number, c.part)
			}
		}
	}
}

// Times count from the capture's first frame, whatever it is.
func TestTimesCountFromTheFirstFrame(t *testing.T) {
	talk := newTalk().whole()
	c := one(t, "something before it", append([]captured{{second - 5e9, []byte("rubbish"), 7}}, talk.frames...)...)
	if got := times(c.Trace); got[0] != 5*time.Second || !c.Header.Start.Equal(time.Unix(0, second-5e9)) || c.frames[0] != 2 {
		t.Errorf("the first segment is at %v from %v, frame %d", got[0], c.Header.Start, c.frames[0])
	}
}

// Time does not go backwards in a trace, whatever a capture says.
func TestTimesThatGoBackwards(t *testing.T) {
	talk := newTalk().whole()
	talk.frames[4].at -= 500_000_000
	c := one(t, "backwards", talk.frames...)
	if got := times(c.Trace); got[4] != got[3] || got[5] <= got[4] {
		t.Errorf("times %v", got)
	}
}

// A long connection comes in parts, each a trace of its own, which together are the whole.
func TestParts(t *testing.T) {
	talk := newTalk().handshake()
	for i := range 5000 {
		talk.send(0, ack, fmt.Sprint("segment ", i)).send(1, ack, "")
	}
	talk.goodbye()
	all, sum := mustRead(t, "long", raw(talk.frames...))
	if len(all) != 3 || sum.Connections != 1 || sum.Split != 1 || sum.TCP != len(talk.frames) {
		t.Fatalf("%d parts, %+v, want 3 of one connection", len(all), sum)
	}
	var octets [][]byte
	frame := 0
	for i, c := range all {
		if c.number != 1 || c.part != i+1 {
			t.Errorf("part %d has number %d and part %d", i+1, c.number, c.part)
		}
		octets = append(octets, octetsOf(c.Trace)...)
		for j := range c.Events {
			if _, ok := c.Events[j].Detail.(*trace.Sent); ok {
				if frame++; c.frames[j] != frame {
					t.Fatalf("event %d of part %d comes from frame %d, want %d", j+1, i+1, c.frames[j], frame)
				}
			}
		}
		if c.more != (i < 2) {
			t.Errorf("part %d: more is %v", i+1, c.more)
		}
		if want := trace.BrokenOff; i < 2 && c.End.Reason != want {
			t.Errorf("part %d ends %v, want %v", i+1, c.End.Reason, want)
		}
	}
	var want [][]byte
	for _, f := range talk.frames {
		want = append(want, f.octets)
	}
	if !slices.EqualFunc(want, octets, bytes.Equal) {
		t.Error("the parts together are not the whole")
	}
	if got := path(all[2].Trace, "client"); got != "1: ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT" {
		t.Errorf("the client's last part goes %s", got)
	}

	// What a later part begins with: both states, and the numbers up to there.
	c := all[1]
	if !c.Header.Control || all[0].Header.Control {
		t.Error("the second part has control information, the first has none")
	}
	info := map[string]*trace.ControlInfo{}
	for i := range 4 {
		e := &c.Events[i]
		if e.Cause != 0 || c.frames[i] != 0 || e.Socket != 1 {
			t.Errorf("event %d is %+v of frame %d", e.N, e, c.frames[i])
		}
		switch d := e.Detail.(type) {
		case *trace.StateChange:
			if d.From != trace.NotObserved || d.To != trace.Established || d.Source != trace.Inferred {
				t.Errorf("event %d is %+v", e.N, d)
			}
		case *trace.Control:
			info[e.Host] = &trace.ControlInfo{}
			info[e.Host].Apply(d.Changes)
		default:
			t.Errorf("event %d is a %T", e.N, d)
		}
	}
	next := c.Events[4].Detail.(*trace.Sent).Packet.TCP
	for _, tt := range []struct {
		host string
		item trace.Item
		want trace.Seq
	}{
		{"client", trace.ISS, 1000}, {"client", trace.IRS, 0xfffffff0}, {"server", trace.ISS, 0xfffffff0}, {"server", trace.IRS, 1000},
		{"client", trace.RcvNxt, 0xfffffff1}, {"server", trace.SndNxt, 0xfffffff1}, {"server", trace.SndUna, 0xfffffff1},
	} {
		v := info[tt.host].Value(tt.item)
		if v.Kind != trace.Number || trace.Seq(v.Num) != tt.want || info[tt.host].Source(tt.item) != trace.Inferred {
			t.Errorf("%s, %v: %v, want %d", tt.host, tt.item, v, tt.want)
		}
	}
	if c.Events[4].Host == "client" && trace.Seq(info["client"].Value(trace.SndNxt).Num) != next.Seq {
		t.Errorf("SND.NXT is %v, the next segment has %v", info["client"].Value(trace.SndNxt), next.Seq)
	}
}

// Connections that are open at the same time are handed out as they are when one comes after the other: whole.
func TestInterleavedConnectionsStayWhole(t *testing.T) {
	const frames = 10
	connections := 30_000
	if underRace {
		connections = 3_000
	}
	var inTurn, mixed []captured
	for i := range connections {
		talk := newTalk(fmt.Sprintf("10.1.%d.%d", i>>8, i&0xff), "192.0.2.2")
		talk.seq = [2]trace.Seq{trace.Seq(i * 1000003), trace.Seq(i * 7919)}
		inTurn = append(inTurn, talk.whole().frames...)
	}
	for step := range frames {
		for i := range connections {
			mixed = append(mixed, inTurn[i*frames+step])
		}
	}
	tell := func(frames []captured) []string {
		all := make([]string, connections+1)
		sum, err := pcapng.Read(bytes.NewReader(raw(frames...)), "many", func(c *pcapng.Connection) error {
			all[c.Number] += fmt.Sprint(c.Part, c.Trace.End.Reason, path(c.Trace, "client"), path(c.Trace, "server"))
			for _, octets := range octetsOf(c.Trace) {
				all[c.Number] += string(octets)
			}
			return nil
		})
		if want := (pcapng.Summary{Frames: len(frames), TCP: len(frames), Connections: connections}); err != nil || sum != want {
			t.Errorf("%+v, %v; want %+v", sum, err, want)
		}
		return all
	}
	got, want := tell(mixed), tell(inTurn)
	different := 0
	for i := range want {
		if got[i] != want[i] {
			different++
		}
	}
	if different > 0 || want[1] == "" {
		t.Errorf("%d of %d connections are told otherwise; the first %.60q, want %.60q", different, connections, got[1], want[1])
	}
}

// The four-tuples of a flood of SYNs are followed as far as there is room, and all are handed out.
func TestManyOpenConnections(t *testing.T) {
	const flood = 70_000
	var frames []captured
	for i := range flood {
		talk := newTalk(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff), "192.0.2.2")
		talk.send(0, syn, "")
		frames = append(frames, talk.frames...)
	}
	capture := raw(frames...)
	frames = nil
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	most := uint64(0)
	seen := map[int]bool{}
	sum, err := pcapng.Read(bytes.NewReader(capture), "flood", func(c *pcapng.Connection) error {
		if seen[c.Number] || c.Part != 1 || len(c.Trace.Events) != 3 {
			return fmt.Errorf("connection %d, part %d, with %d events", c.Number, c.Part, len(c.Trace.Events))
		}
		if seen[c.Number] = true; len(seen)%5000 == 0 {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse-min(before.HeapInuse, now.HeapInuse))
		}
		return nil
	})
	t.Logf("at most %d KiB of heap", most>>10)
	if most > 128<<20 {
		t.Errorf("%d octets of heap, which is more than what is kept of open connections", most)
	}
	// Those that were given up for others may have gone on.
	if want := (pcapng.Summary{Frames: flood, TCP: flood, Connections: flood, Split: flood - 65536}); err != nil || sum != want || len(seen) != flood {
		t.Errorf("%+v, %d seen, %v; want %+v", sum, len(seen), err, want)
	}
}
