package script_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
)

// The full count, in one command:
//
//	go test ./netns/script -run Repeatable -timeout 2h -plain-runs 20000 -story-runs 1000
var (
	plainRuns = flag.Int("plain-runs", unlessRace(200, 48), "how often TestRepeatable runs the plain story (in full: 20000)")
	storyRuns = flag.Int("story-runs", unlessRace(12, 6), "how often TestRepeatable runs each other story (in full: 1000)")
)

// unlessRace is a count, or the smaller one that is enough with the race detector: it looks for other things than
// repetition does, and takes its time.
func unlessRace(n, race int) int {
	if script.UnderRace {
		return race
	}
	return n
}

// processors are the values of GOMAXPROCS under which a run must be the same. A stack reads it when it is made: it has
// that many workers.
var processors = []int{1, 2, 8}

// seeds are those that the tests of repeatability use.
var seeds = []uint64{1, 2, 3, 1 << 63}

// someSeeds are those of the tests that take long enough with one or two.
var someSeeds = seeds[:unlessRace(2, 1)]

func onGVisor(seed uint64) netns.Config {
	return netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: seed}
}

func storyNamed(t testing.TB, name string) *script.Story {
	t.Helper()
	story, err := script.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return story
}

// traceOf runs a story and returns its trace.
func traceOf(t testing.TB, name string, seed uint64) *trace.Trace {
	t.Helper()
	result, err := script.Run(storyNamed(t, name), onGVisor(seed))
	if err != nil {
		t.Fatalf("%s, seed %d: %v", name, seed, err)
	}
	return result.Trace
}

// fileOf runs a story and returns its trace file, written as it happened.
func fileOf(name string, seed uint64) ([]byte, error) {
	story, err := script.Builtin(name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	config := onGVisor(seed)
	config.Writer = &b
	_, err = script.Run(story, config)
	return b.Bytes(), err
}

// hashOf is the SHA-256 of a run's trace file.
func hashOf(name string, seed uint64) (string, error) {
	b, err := fileOf(name, seed)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

// run is a story and a seed, which is all that a run may depend on.
type run struct {
	story string
	seed  uint64
}

func (r run) String() string { return fmt.Sprintf("%s with seed %d", r.story, r.seed) }

// hashes collects one hash for each run. Goroutines may share it.
type hashes struct {
	mu    sync.Mutex
	first map[run]string
	count int
}

// check runs a story once more. It says where the hash is another than before.
func (h *hashes) check(t testing.TB, r run, where string) {
	t.Helper()
	got, err := hashOf(r.story, r.seed)
	if err != nil {
		t.Errorf("%v, %s: %v", r, where, err)
		return
	}
	h.add(t, r, got, where)
}

func (h *hashes) add(t testing.TB, r run, got, where string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.first == nil {
		h.first = map[run]string{}
	}
	h.count++
	if want, ok := h.first[r]; !ok {
		h.first[r] = got
	} else if got != want {
		t.Errorf("%v, %s: the trace file's SHA-256 is %s, and was %s before", r, where, got, want)
	}
}

func TestRepeatable(t *testing.T) {
	for _, name := range gvisorStories() {
		t.Run(name, func(t *testing.T) {
			count := *storyRuns
			if name == "plain" {
				count = *plainRuns
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
			var seen hashes
			for p, n := range processors {
				runtime.GOMAXPROCS(n)
				for i := p; i < count; i += len(processors) {
					seen.check(t, run{name, seeds[i/len(processors)%len(seeds)]}, fmt.Sprintf("GOMAXPROCS %d", n))
					if t.Failed() {
						return // thousands of the same lines tell no more
					}
				}
			}
			distinct := map[string]bool{}
			for _, sum := range seen.first {
				distinct[sum] = true
			}
			if len(distinct) != len(seen.first) {
				t.Errorf("%d seeds made %d files: two seeds must differ", len(seen.first), len(distinct))
			}
			t.Logf("%d runs at GOMAXPROCS %v: one hash for each of %d seeds", seen.count, processors, len(seen.first))
		})
	}
}

// processSeeds are those that other processes repeat.
var processSeeds = seeds[:unlessRace(len(seeds), 1)]

// hashesVariable makes TestPrintHashes, in a process of its own, print.
const hashesVariable = "CONNECTLAB_PRINT_HASHES"

// TestPrintHashes is what TestRepeatableInOtherProcesses runs in other processes.
func TestPrintHashes(t *testing.T) {
	if os.Getenv(hashesVariable) == "" {
		t.Skip("it runs in the processes that TestRepeatableInOtherProcesses starts")
	}
	fmt.Printf("processors %d\n", runtime.GOMAXPROCS(0))
	names := gvisorStories()
	slices.Reverse(names) // what ran before is another story than there
	for _, name := range names {
		for _, seed := range processSeeds {
			sum, err := hashOf(name, seed)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("hash %s %d %s\n", name, seed, sum)
		}
	}
}

func TestRepeatableInOtherProcesses(t *testing.T) {
	var seen hashes
	for _, name := range gvisorStories() {
		for _, seed := range processSeeds {
			seen.check(t, run{name, seed}, "this process")
		}
	}
	for _, n := range processors {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		where := fmt.Sprintf("another process with GOMAXPROCS %d", n)
		cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestPrintHashes$", "-test.count=1")
		cmd.Env = append(os.Environ(), hashesVariable+"=1", fmt.Sprintf("GOMAXPROCS=%d", n))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", where, err, out)
		}
		if want := fmt.Sprintf("processors %d\n", n); !strings.Contains(string(out), want) {
			t.Errorf("%s: its output has no %q:\n%s", where, want, out)
		}
		found := 0
		for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
			var r run
			var sum string
			if n, _ := fmt.Sscanf(lines.Text(), "hash %s %d %s", &r.story, &r.seed, &sum); n == 3 {
				found++
				seen.add(t, r, sum, where)
			}
		}
		if want := len(processSeeds) * len(gvisorStories()); found != want {
			t.Errorf("%s: %d hashes, want %d:\n%s", where, found, want, out)
		}
	}
}

// A run depends neither on what ran before it in the process, nor on what runs beside it.
func TestRepeatableBesideOthers(t *testing.T) {
	var runs []run
	for _, name := range gvisorStories() {
		for _, seed := range someSeeds {
			runs = append(runs, run{name, seed})
		}
	}
	var seen hashes
	for _, r := range runs {
		seen.check(t, r, "alone")
	}
	const worlds = 3
	var group sync.WaitGroup
	for w := range worlds {
		order := slices.Clone(runs)
		rng := rand.New(rand.NewPCG(uint64(w), 0))
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		group.Go(func() {
			for i, r := range order {
				before := "nothing"
				if i > 0 {
					before = order[i-1].String()
				}
				seen.check(t, r, fmt.Sprintf("beside %d others and after %s", worlds-1, before))
			}
		})
	}
	group.Wait()
	if want := (worlds + 1) * len(runs); seen.count != want {
		t.Errorf("%d runs, want %d", seen.count, want)
	}
}

// The file that is written as it happens is that of the trace in memory.
func TestStreamedFileIsTheTraceWritten(t *testing.T) {
	t.Parallel()
	for _, name := range gvisorStories() {
		for _, seed := range someSeeds {
			streamed, err := fileOf(name, seed)
			if err != nil {
				t.Fatal(err)
			}
			var written bytes.Buffer
			if err := trace.Write(&written, traceOf(t, name, seed)); err != nil {
				t.Fatal(err)
			}
			if at := firstDifference(streamed, written.Bytes()); at != "" {
				t.Errorf("%s, seed %d: the streamed file and the written trace differ: %s", name, seed, at)
			}
		}
	}
}

// firstDifference shows the first line in which two files differ; empty where they do not.
func firstDifference(a, b []byte) string {
	if bytes.Equal(a, b) {
		return ""
	}
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return fmt.Sprintf("line %d\n%s\n%s", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines and %d", len(x), len(y))
}
