package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket/pcapgo"
)

var captureFiles = []string{"client.pcapng", "server.pcapng", "wire.pcapng"}

// packets counts the packets of a capture.
func packets(t *testing.T, file string) (n int) {
	t.Helper()
	r, err := pcapgo.NewNgReader(strings.NewReader(read(t, file)), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for ; ; n++ {
		if _, _, err := r.ReadPacketData(); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
}

// One run, its saved trace, and both formats give the same captures; what else is printed does not change with them.
func TestCaptures(t *testing.T) {
	t.Chdir(t.TempDir())
	plain := mustRun(t, "run", "plain", "--format", "json")
	if got := mustRun(t, "run", "plain", "--format", "json", "--pcapng", "json"); got != plain {
		t.Error("--format json prints another trace with --pcapng")
	}
	if got, want := mustRun(t, "run", "plain", "--pcapng", "a/text"), mustRun(t, "run", "plain"); got != want {
		t.Errorf("the text with --pcapng is another (-without +with)\n%s", cmp.Diff(want, got))
	}
	mustRun(t, "run", "plain", "--pcapng", "out", "--out", "plain.trace")
	mustRun(t, "run", "plain", "--pcapng", "outjson", "--out", "a/plain.trace", "--format", "json")
	mustRun(t, "show", "plain.trace", "--pcapng", "shown")
	mustRun(t, "show", "plain.trace", "--pcapng", "shown", "--format", "json") // those that are there are replaced
	for _, folder := range []string{"json", "a/text", "out", "outjson", "shown"} {
		if diff := cmp.Diff(captureFiles, files(t, folder)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", folder, diff)
		}
		for _, file := range captureFiles {
			if read(t, filepath.Join(folder, file)) != read(t, filepath.Join("json", file)) {
				t.Errorf("%s differs in %s and json", file, folder)
			}
		}
	}
	if got := packets(t, "json/wire.pcapng"); got != 11 {
		t.Errorf("the wire of plain has %d packets, want 11", got)
	}
}

func TestCapturesOfSeveralStories(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, "run", "--show", "ladder", "--pcapng", dir, "plain", "refused", "fresh-send")
	if diff := cmp.Diff([]string{"fresh-send", "plain", "refused"}, files(t, dir)); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	for story, want := range map[string]int{"plain": 11, "refused": 2, "fresh-send": 0} {
		if diff := cmp.Diff(captureFiles, files(t, filepath.Join(dir, story))); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", story, diff)
		}
		if got := packets(t, filepath.Join(dir, story, "wire.pcapng")); got != want {
			t.Errorf("the wire of %s has %d packets, want %d", story, got, want)
		}
	}
}

// All captures or none: what was there stays, and nothing half-written is left.
func TestCapturesAreWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	mustRun(t, "run", "plain", "--pcapng", "c")
	before := read(t, "c/wire.pcapng")
	if err := os.Chmod("c/server.pcapng", 0o444); err != nil {
		t.Fatal(err)
	}
	got := connectlab("run", "refused", "--pcapng", "c")
	if problem := notOneLine(got.stderr, "--pcapng", "server.pcapng", "read-only"); problem != "" || got.status != exitUsage {
		t.Errorf("exit status %d, stderr %q %s", got.status, got.stderr, problem)
	}
	if diff := cmp.Diff(captureFiles, files(t, "c")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if read(t, "c/wire.pcapng") != before {
		t.Error("one capture is of another run than the others")
	}
}

// A name that cannot be given, as another program took it meanwhile: none of the captures is there, nor what was to become them.
func TestCapturesOfWhichOneCannotBeNamed(t *testing.T) {
	dir := t.TempDir()
	var p program
	var parts []*partFile
	for _, file := range captureFiles {
		part, err := p.createPart(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
	}
	if err := os.Mkdir(filepath.Join(dir, captureFiles[1]), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := finishAll(parts); err == nil {
		t.Error("no error, though a folder has one's name")
	}
	if diff := cmp.Diff(captureFiles[1:2], files(t, dir)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Of a run that broke off there is what happened until then.
func TestCapturesOfATraceThatBrokeOff(t *testing.T) {
	t.Chdir(t.TempDir())
	whole := mustRun(t, "run", "plain", "--format", "json")
	write(t, ".", "part.trace", whole[:strings.LastIndex(whole[:len(whole)-1], "\n")+1])
	if got := connectlab("show", "part.trace", "--pcapng", "c"); got.status != exitUsage || packets(t, "c/wire.pcapng") != 11 {
		t.Errorf("exit status %d, %d packets; want %d and 11", got.status, packets(t, "c/wire.pcapng"), exitUsage)
	}
	if out, err := process(t, "run", "half-open-b", "--client", "once", "--pcapng", "d").CombinedOutput(); err == nil || packets(t, "d/wire.pcapng") != 4 {
		t.Errorf("%v, %d packets, want 4\n%s", err, packets(t, "d/wire.pcapng"), out)
	}
}

// Of a connection that comes in parts judge says so.
func TestJudgeSaysThatAConnectionIsInParts(t *testing.T) {
	var b []byte
	for _, v := range []uint32{0xa1b2c3d4, 2 | 4<<16, 0, 0, 1 << 16, 101} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	p := trace.Packet{
		IP:  trace.IPHeader{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), TTL: 64},
		TCP: trace.Segment{SrcPort: 40000, DstPort: 80, Seq: 1, Ack: 1, Flags: trace.ACK},
	}
	for n, want := range map[int]bool{4096: false, 4097: true} {
		capture := slices.Clone(b)
		for i := range n {
			for _, v := range []uint32{uint32(i), 0, 40, 40} {
				capture = binary.LittleEndian.AppendUint32(capture, v)
			}
			capture = wire.Append(capture, &p, nil)
		}
		out := mustRun(t, "judge", write(t, t.TempDir(), "long.pcap", string(capture)))
		if got := strings.Contains(strings.Join(strings.Fields(out), " "), "came in parts, or were given up while they were open: 1."); got != want {
			t.Errorf("of %d frames: it says so: %v, want %v\n%s", n, got, want, out[max(0, len(out)-400):])
		}
	}
}
