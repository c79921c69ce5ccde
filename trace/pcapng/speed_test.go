package pcapng_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"runtime"
	"strconv"
	"testing"

	"connectlab/trace"
	"connectlab/trace/book"
	"connectlab/trace/pcapng"
	"connectlab/trace/wire"
)

// A traffic is a pcap file that is made while it is read: connections one after the other, each with a handshake, segments of
// client and server by turns as step makes them, and an end.
type traffic struct {
	connections int // how many
	steps       int // of each connection, between handshake and end
	data        int // octets in each segment of the client's
	answers     int // the server acknowledges each time behind so many of them
	buf         []byte
	from        int
	frame       int // how many there are so far
	made        int // connections
	step        int // of the connection in work
	p           trace.Packet
	seq         [2]trace.Seq
	payload     []byte
}

func newTraffic(connections, steps, data, answers int) *traffic {
	t := &traffic{connections: connections, steps: steps, data: data, answers: answers, payload: bytes.Repeat([]byte("data"), data/4+1)[:data]}
	t.buf = binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	t.buf = append(t.buf, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0)
	return t
}

func (t *traffic) Read(b []byte) (int, error) {
	if t.from == len(t.buf) {
		t.buf, t.from = t.buf[:0], 0
		for len(t.buf) < 256<<10 && t.made < t.connections {
			t.more()
		}
		if len(t.buf) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(b, t.buf[t.from:])
	t.from += n
	return n, nil
}

var trafficHosts = [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}

// send appends a segment of the client (0) or the server (1).
func (t *traffic) send(from int, flags trace.Flags, data []byte) {
	ports := [2]uint16{uint16(1024 + t.made%60000), 80}
	t.p = trace.Packet{
		IP: trace.IPHeader{Src: trafficHosts[from], Dst: trafficHosts[1-from], TTL: 64, DF: true},
		TCP: trace.Segment{
			SrcPort: ports[from], DstPort: ports[1-from], Seq: t.seq[from], Ack: t.seq[1-from], Flags: flags, Window: 65535,
			Options: trace.Options("\x01\x01\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02"),
		},
	}
	if !flags.Has(trace.ACK) {
		t.p.TCP.Ack = 0
	}
	length := 52 + len(data)
	at := uint64(t.frame) * 1000
	for _, v := range []uint32{uint32(1e9 + at/1e9), uint32(at % 1e9), uint32(length), uint32(length)} {
		t.buf = binary.LittleEndian.AppendUint32(t.buf, v)
	}
	t.buf = wire.Append(t.buf, &t.p, data)
	t.seq[from] = t.seq[from].Add(uint32(len(data)))
	if flags&(trace.SYN|trace.FIN) != 0 {
		t.seq[from] = t.seq[from].Add(1)
	}
	t.frame++
}

// more makes the next step.
func (t *traffic) more() {
	switch {
	case t.step == 0:
		t.seq = [2]trace.Seq{trace.Seq(t.made * 1000003), trace.Seq(t.made * 7919)}
		t.send(0, trace.SYN, nil)
		t.send(1, trace.SYN|trace.ACK, nil)
		t.send(0, trace.ACK, nil)
	case t.step <= t.steps:
		if t.data > 0 || t.step%2 == 0 {
			t.send(0, trace.ACK, t.payload)
		}
		if t.data == 0 && t.step%2 == 1 || t.data > 0 && t.step%t.answers == 0 {
			t.send(1, trace.ACK, nil)
		}
	default:
		t.send(0, trace.FIN|trace.ACK, nil)
		t.send(1, trace.FIN|trace.ACK, nil)
		t.send(0, trace.ACK, nil)
		t.made++
		t.step = -1
	}
	t.step++
}

// inTurn is a capture whose connections come one after the other, each of as many segments.
func inTurn(b *testing.B, connections, steps, data int) []byte {
	b.Helper()
	capture, err := io.ReadAll(newTraffic(connections, steps, data, 2))
	if err != nil {
		b.Fatal(err)
	}
	return capture
}

// byTurns is the same with the connections' segments by turns: all are open at once.
func byTurns(b *testing.B, connections, steps, data int) []byte {
	b.Helper()
	const fileHeader, frameHeader = 24, 16
	capture := inTurn(b, connections, steps, data)
	var frames [][]byte
	for rest := capture[fileHeader:]; len(rest) > 0; {
		n := frameHeader + int(binary.LittleEndian.Uint32(rest[8:]))
		frames, rest = append(frames, rest[:n]), rest[n:]
	}
	each := len(frames) / connections
	mixed := bytes.Clone(capture[:fileHeader])
	for step := range each {
		for i := range connections {
			mixed = append(mixed, frames[i*each+step]...)
		}
	}
	return mixed
}

// flood is a SYN each of connections that never come to be.
func flood(connections int) []byte {
	t := newTraffic(connections, 0, 0, 1)
	for t.made = range connections {
		t.seq[0] = trace.Seq(t.made * 1000003)
		t.send(0, trace.SYN, nil)
	}
	return t.buf
}

func benchmark(b *testing.B, capture []byte, each func(*pcapng.Connection) error) {
	b.SetBytes(int64(len(capture)))
	b.ReportAllocs()
	frames := 0
	for b.Loop() {
		sum, err := pcapng.Read(bytes.NewReader(capture), "traffic", each)
		if err != nil {
			b.Fatal(err)
		}
		frames += sum.Frames
	}
	b.ReportMetric(float64(frames)/b.Elapsed().Seconds(), "packets/s")
}

func benchmarkRead(b *testing.B, connections, steps, data int) {
	benchmark(b, inTurn(b, connections, steps, data), func(*pcapng.Connection) error { return nil })
}

func BenchmarkReadFullSegments(b *testing.B) { benchmarkRead(b, 1, 80_000, 1448) }
func BenchmarkReadBareACKs(b *testing.B)     { benchmarkRead(b, 1, 1_500_000, 0) }
func BenchmarkReadConnections(b *testing.B)  { benchmarkRead(b, 100_000, 4, 100) }

// What connectlab judge does with a capture.
func BenchmarkReadAndJudge(b *testing.B) {
	for _, bb := range []struct {
		name    string
		capture func(*testing.B) []byte
	}{
		{"full segments", func(b *testing.B) []byte { return inTurn(b, 1, 80_000, 1448) }},
		{"bare ACKs", func(b *testing.B) []byte { return inTurn(b, 1, 500_000, 0) }},
		{"short connections", func(b *testing.B) []byte { return inTurn(b, 30_000, 4, 100) }},
		{"60,000 connections at once", func(b *testing.B) []byte { return byTurns(b, 60_000, 4, 100) }},
		{"a flood of SYNs", func(*testing.B) []byte { return flood(60_000) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			capture := bb.capture(b)
			joiner := book.Joiner{Keep: 3}
			benchmark(b, capture, func(c *pcapng.Connection) error {
				joiner.Add(book.Judged{Findings: book.Judge(c.Trace), Run: book.Run{Name: strconv.Itoa(c.Number)}, Part: c.Part, More: c.More})
				return nil
			})
		})
	}
}

// What is kept of a capture depends on what is open at once, not on how long it is.
func TestReadKeepsLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 2 GB")
	}
	scale := 1
	if underRace {
		scale = 10
	}
	for _, tt := range []struct {
		name                     string
		connections, steps, data int
		limit                    uint64 // octets of heap
	}{
		{"one connection of 1 GB", 1, 700_000 / scale, 1448, 64 << 20},
		{"2,000 connections of 0.7 MB", 2000 / scale, 500, 1448, 256 << 20},
		{"1,000,000 short connections", 1_000_000 / scale, 4, 200, 64 << 20},
	} {
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		var most uint64
		handed, events := 0, 0
		in := newTraffic(tt.connections, tt.steps, tt.data, 2)
		sum, err := pcapng.Read(in, tt.name, func(c *pcapng.Connection) error {
			events += len(c.Trace.Events)
			if handed++; handed%(1+tt.connections/100) == 0 {
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapInuse-min(before.HeapInuse, now.HeapInuse))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if sum.TCP != in.frame || sum.Connections != tt.connections || events < 2*in.frame {
			t.Errorf("%s: %+v and %d events of %d frames and %d connections", tt.name, sum, events, in.frame, tt.connections)
		}
		t.Logf("%s: %d frames, at most %d KiB of heap", tt.name, sum.Frames, most>>10)
		if most > tt.limit || most == 0 {
			t.Errorf("%s: %d octets of heap, want at most %d", tt.name, most, tt.limit)
		}
	}
}

// However the frames of many open connections come, what is kept stays within one bound: memory that was wanted in one size does not stay beside
// what is wanted in another.
func TestReadKeepsWithinItsBudget(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("reads 1 GB of 60,000 connections")
	}
	const flows = 60_000
	in, out := io.Pipe()
	go func() {
		talk := newTraffic(flows, 0, 1448, 1)
		seq := make([]trace.Seq, flows)
		out.Write(talk.buf)
		for run := 1; run <= 2048; run *= 2 { // longer and longer of one connection
			for i := range 100_000 / run {
				talk.made = i % flows
				talk.buf, talk.seq = talk.buf[:0], [2]trace.Seq{seq[talk.made], 1}
				for range run {
					talk.send(0, trace.ACK, talk.payload)
				}
				seq[talk.made] = talk.seq[0]
				out.Write(talk.buf)
			}
		}
		out.Close()
	}()
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var most uint64
	handed := 0
	sum, err := pcapng.Read(in, "growing", func(*pcapng.Connection) error {
		if handed++; handed%1000 == 0 {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse-min(before.HeapInuse, now.HeapInuse))
		}
		return nil
	})
	if err != nil || sum.TCP == 0 || sum.Connections != flows || sum.Split == 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	t.Logf("%+v, at most %d KiB of heap", sum, most>>10)
	if most > 300<<20 {
		t.Errorf("%d octets of heap, want at most 300 MiB: twice the budget, which is what the collector allows itself", most)
	}
}
