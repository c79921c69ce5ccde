package script_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
)

// The full count, in one command, with what it takes printed:
//
//	go test ./netns/script -run ManyConnects -v -timeout 30m -connects 100000
var connects = flag.Int("connects", unlessRace(2000, 300), "how many connects TestManyConnectsInOneWorld makes in one world (in full: 100000)")

const (
	// heapLimit is how much memory a run of any length may take.
	heapLimit = 200 << 20
	// What the live heap of ten times the connects may be above that of the tenth: a listening socket keeps the number of each
	// connection that came to it, and tables and caches of the stacks reach their size late.
	heapGrowthEach = 24
	heapGrowth     = 96 << 10
)

// connectsStory is a client that connects again and again, and reads 5 octets from a server that closes first.
func connectsStory(t *testing.T, n int) *script.Story {
	t.Helper()
	story, err := script.Parse("connects.story", fmt.Sprintf(`
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: repeat %[1]d {
    accept(3, ..., ...) = 4
    sendall(4, 5) = 5
    close(4) = 0
}
client: repeat %[1]d {
    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
    connect(3, server:80) = 0
    recvall(3) = 5
    close(3) = 0
}
`, n))
	if err != nil {
		t.Fatal(err)
	}
	return story
}

// scale is what a run of some connects took.
type scale struct {
	connects int
	took     time.Duration
	heap     uint64 // the most that was in use at a look, octets
	live     uint64 // the most that was left behind a garbage collection, octets
	looks    int
	file     int64 // octets
	virtual  time.Duration
}

func (s scale) String() string {
	return fmt.Sprintf("%7d connects: %8.3f s, %6.1f µs each; heap %5.1f MB, live %5.1f MB; file %7.1f MB; %v of virtual time",
		s.connects, s.took.Seconds(), float64(s.took.Microseconds())/float64(s.connects), float64(s.heap)/1e6, float64(s.live)/1e6,
		float64(s.file)/1e6, s.virtual.Round(time.Millisecond))
}

// heapWatch looks at the heap while a run is written: a step is a Write. Every twentieth look comes behind a garbage
// collection.
type heapWatch struct {
	io.Writer
	every  int
	writes int
	scale  *scale
}

func (h *heapWatch) Write(b []byte) (int, error) {
	if h.writes++; h.writes%h.every == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		h.scale.heap = max(h.scale.heap, m.HeapInuse)
		if h.scale.looks++; h.scale.looks%20 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			h.scale.live = max(h.scale.live, m.HeapAlloc)
		}
	}
	return h.Writer.Write(b)
}

// connectMany makes n connects in one world, written to a file as they happen.
func connectMany(t *testing.T, n int, delay time.Duration) scale {
	t.Helper()
	story := connectsStory(t, n)
	f, err := os.Create(filepath.Join(t.TempDir(), "connects.trace"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)

	s := scale{connects: n}
	config := onGVisor(1)
	config.Delay = delay
	config.Writer = &heapWatch{Writer: w, every: max(1, n/25), scale: &s}
	runtime.GC()
	start := time.Now()
	result, err := script.Run(story, config)
	s.took = time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s.file, s.virtual = info.Size(), result.End.At
	if len(result.Failures) > 0 || result.End.Reason != trace.Finished {
		t.Errorf("%d connects: the run ended %v, failures %v", n, result.End.Reason, result.Failures)
	}
	if s.looks < 100 {
		t.Errorf("%d connects: %d looks at the heap, want 100", n, s.looks)
	}
	checkConnects(t, f.Name(), n)
	return s
}

// checkConnects counts in the file what must be there once for each connect.
func checkConnects(t *testing.T, name string, n int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	count := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	last := ""
	for lines.Scan() {
		last = lines.Text()
		for _, name := range []string{`"name":"connect"`, `"name":"accept"`, `"to":"TIME-WAIT"`} {
			if strings.Contains(last, name) {
				count[name]++
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`"name":"connect"`, `"name":"accept"`, `"to":"TIME-WAIT"`} {
		if count[name] != n {
			t.Errorf("%d connects: %d events with %s in the file", n, count[name], name)
		}
	}
	if !strings.HasPrefix(last, `{"end":`) {
		t.Errorf("%d connects: the file ends with %.200q", n, last)
	}
}

// Ten times the connects take ten times the time (printed: a machine that is busy says nothing), and the same memory.
func TestManyConnectsInOneWorld(t *testing.T) {
	n := *connects
	if n < 10 {
		t.Fatalf("-connects %d: at least 10", n)
	}
	// A connect takes four times the link's delay, and leaves a socket in TIME-WAIT for a minute. Both runs last so long that
	// there are as many of these as there can be at once.
	const timeWait = time.Minute
	delay := max(netns.DefaultDelay, timeWait/4/time.Duration(max(1, n/20)))
	few := connectMany(t, n/10, delay)
	t.Log(few)
	many := connectMany(t, n, delay)
	t.Log(many)
	t.Logf("%d times the connects: %.2f times the time, %.2f times the live heap (%+d octets)",
		n/(n/10), many.took.Seconds()/few.took.Seconds(), float64(many.live)/float64(few.live), int64(many.live)-int64(few.live))
	if many.heap > heapLimit {
		t.Errorf("%d connects: %d octets of heap, want at most %d", n, many.heap, heapLimit)
	}
	if limit := few.live + heapGrowth + heapGrowthEach*uint64(n); many.live > limit {
		t.Errorf("%d connects: %d octets live, want at most %d, since %d connects leave %d: memory grows with the run", n, many.live, limit, n/10, few.live)
	}
}
