package pcapng_test

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"connectlab/trace"
	"connectlab/trace/pcapng"
	"connectlab/trace/wire"
)

// Whatever stands in a file: nothing panics, each trace that is handed out is valid, all segments are handed out, an error is one
// of ours, and memory stays in proportion.
func FuzzRead(f *testing.F) {
	talk := newTalk().whole()
	six := newTalk("2001:db8::1", "2001:db8::2").handshake().send(0, rst, "")
	for _, order := range orders {
		f.Add(pcapFile(order, false, 101, talk.frames...))
		f.Add(pcapFile(order, true, 229, six.frames...))
		f.Add(pcapFile(order, true, 0, talk.in(func([]byte) []byte { return order.AppendUint32(nil, 2) })...))
		f.Add(pcapFile(order, true, 1, talk.in(func([]byte) []byte { return []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x81, 0, 0, 1, 8, 0} })[:4]...))
		f.Add(pcapFile(order, true, 113, talk.in(func([]byte) []byte { return []byte{0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0} })[:4]...))
		f.Add(pcapFile(order, true, 276, talk.in(func([]byte) []byte { return append([]byte{8, 0}, make([]byte, 18)...) })[:4]...))
		n := ng{order: order}
		n.section()
		n.iface(101, 60, n.option(9, 0x80|20)...)
		n.iface(101, 0, append(n.option(9, 9), n.option(14, 0, 0, 0, 0, 0, 0, 0, 1)...)...)
		n.block(5, n.words(1, 2, 3))
		for i, frame := range talk.frames {
			switch i % 3 {
			case 0:
				n.enhanced(uint32(i%2), uint64(frame.at), frame)
			case 1:
				n.simple(frame)
			case 2:
				n.old(1, uint64(frame.at), frame)
			}
		}
		f.Add(n.b)
		n.section()
		f.Add(append(n.b, n.b...))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		segments, parts := 0, map[int]int{}
		sum, err := pcapng.Read(bytes.NewReader(file), "fuzz", func(c *pcapng.Connection) error {
			if parts[c.Number]++; c.Part != parts[c.Number] || len(c.Frames) != len(c.Trace.Events) {
				t.Fatalf("part %d of connection %d, which has %d; %d frames of %d events", c.Part, c.Number, parts[c.Number], len(c.Frames), len(c.Trace.Events))
			}
			segments += len(octetsOf(c.Trace))
			var b bytes.Buffer
			if err := trace.Write(&b, c.Trace); err != nil {
				t.Fatal(err)
			}
			if _, err := trace.Read(&b, "fuzz", wire.Decode); err != nil {
				t.Fatal(err)
			}
			return nil
		})
		if e := (*pcapng.Error)(nil); err != nil && !errors.As(err, &e) {
			t.Fatalf("an error that is not the package's: %v", err)
		}
		if segments != sum.TCP || len(parts) != sum.Connections || sum.TCP+sum.Other+sum.Unreadable != sum.Frames {
			t.Fatalf("%d segments of %d connections were handed out: %+v", segments, len(parts), sum)
		}
		if err == nil && sum.TCP == 0 {
			t.Fatal("no TCP and no error")
		}
		runtime.ReadMemStats(&after)
		if used, limit := after.TotalAlloc-before.TotalAlloc, uint64(8<<20+2000*len(file)); used > limit {
			t.Fatalf("%d octets were allocated for a file of %d", used, len(file))
		}
	})
}
