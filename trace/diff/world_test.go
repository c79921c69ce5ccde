package diff_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"

	"github.com/google/go-cmp/cmp"
)

// A run is a story that was run by two stacks with a seed.
type run struct {
	story          string
	client, server string
	seed           uint64
}

var stacks = map[string]netns.Factory{
	"gvisor": &gvisor.Factory{}, "handwritten": &handwritten.Factory{},
	"handwritten+": &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true},
}

var runs sync.Map // run: func() (*trace.Trace, error)

// record is the trace of a run, of a built-in story or one of ownStories. It is not to be changed.
func record(t testing.TB, r run) *trace.Trace {
	t.Helper()
	f, _ := runs.LoadOrStore(r, sync.OnceValues(func() (*trace.Trace, error) { return r.make(0) }))
	tr, err := f.(func() (*trace.Trace, error))()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// make runs the story, on a link with a delay; 0: the usual one.
func (r run) make(delay time.Duration) (*trace.Trace, error) {
	s, err := script.Builtin(r.story)
	if text, ok := ownStories[r.story]; ok {
		s, err = script.Parse(r.story, text)
	}
	if err != nil {
		return nil, err
	}
	done, err := script.Run(s, netns.Config{Client: stacks[r.client], Server: stacks[r.server], Seed: r.seed, Delay: delay})
	if err != nil {
		return nil, err
	}
	return done.Trace, nil
}

// recordDelayed is a run on a link with a delay.
func recordDelayed(t testing.TB, r run, delay time.Duration) *trace.Trace {
	t.Helper()
	tr, err := r.make(delay)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// recorded is a run of gVisor with seed 1.
func recorded(t testing.TB, story string) *trace.Trace {
	t.Helper()
	return record(t, run{story, "gvisor", "gvisor", 1})
}

var ownStories = map[string]string{
	// 1 MB both ways.
	"bulk": `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 1000000) = 1000000
server: sendall(4, 1000000) = 1000000
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 1000000) = 1000000
client: recvall(3, 1000000) = 1000000
client: close(3) = 0
`,
	// An ACK that data with a newer timestamp overtake.
	"overtaken": `
--fault="delay server ACK#1 .5"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 5) = 5
server: +.3 sendall(4, 5) = 5
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: recvall(3, 5) = 5
client: +1 close(3) = 0
`,
	// Data that arrive twice.
	"twice": `
--fault="duplicate client data#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 5) = 5
server: +.1 sendall(4, 5) = 5
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: recvall(3, 5) = 5
client: close(3) = 0
`,
	// More than the first flights can hold.
	"flight": `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 100000
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 100000) = 100000
client: close(3) = 0
`,
	// Two connections that nobody answers but with RST.
	"two-refused": `
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = -1 ECONNREFUSED (Connection refused)
client.2: socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
client.2: connect(4, server:80) = -1 ECONNREFUSED (Connection refused)
`,
	// Data behind a hole, so that there is SACK, and a fate that a count decides.
	"hole": `
--fault="drop client data#2"
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 8000) = 8000
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 8000) = 8000
client: close(3) = 0
`,
}

// everyStory are the built-in stories that a pair of stacks can do, and ownStories.
func everyStory(client, server string) []string {
	names := script.NamesFor(stacks[client], stacks[server])
	for name := range ownStories {
		names = append(names, name)
	}
	slices.Sort(names)
	if underRace {
		names = slices.DeleteFunc(names, func(name string) bool { return name == "many" || name == "bulk" })
	}
	return names
}

// brief is a divergence as a test wants it: aspect and fields, where on both sides.
func brief(d *diff.Divergence) string {
	if d == nil {
		return "none"
	}
	return fmt.Sprintf("%v %s #%d #%d", d.Differences[0].Aspect, d.Differences[0].Field, d.A.Event, d.B.Event)
}

// TestOtherSeedsDoNotDiverge: two runs of one story by the same stacks differ in their numbers, ports and timestamps, and in nothing else.
func TestOtherSeedsDoNotDiverge(t *testing.T) {
	for _, pair := range [][2]string{{"gvisor", "gvisor"}, {"handwritten", "handwritten"}, {"handwritten+", "gvisor"}, {"gvisor", "handwritten"}} {
		for _, name := range everyStory(pair[0], pair[1]) {
			if name == "many" && pair[0] != "gvisor" {
				continue // a hundred times plain
			}
			a := record(t, run{name, pair[0], pair[1], 1})
			for _, seed := range []uint64{1, 2, 3} {
				r := diff.Compare(a, record(t, run{name, pair[0], pair[1], seed}), diff.Options{})
				if r.First != nil || len(r.Rest) > 0 || r.Apart != nil || r.Bounded || r.FirstBroken != nil {
					t.Errorf("%s, %v, seeds 1 and %d: first %s: %+v", name, pair, seed, brief(r.First), r.First)
				}
				if r.Moves < 10 {
					t.Errorf("%s, %v: %d moves were compared", name, pair, r.Moves)
				}
				want := []diff.Difference{{Aspect: diff.Header, Field: "seed", A: "1", B: fmt.Sprint(seed)}}
				omitted := []diff.Omission{{Aspect: diff.Data, Why: "other-seed"}}
				if seed == 1 {
					want, omitted = nil, nil
				}
				if d := cmp.Diff(want, r.Headers); d != "" {
					t.Errorf("%s, %v: headers (-want +got)\n%s", name, pair, d)
				}
				if d := cmp.Diff(omitted, r.NotCompared); d != "" {
					t.Errorf("%s, %v: not compared (-want +got)\n%s", name, pair, d)
				}
			}
		}
	}
}

// TestWithoutNormalisationsSeedsDiverge: each normalisation is needed, and shows what it hides where it is not made.
func TestWithoutNormalisationsSeedsDiverge(t *testing.T) {
	a, b := recorded(t, "plain"), record(t, run{"plain", "gvisor", "gvisor", 2})
	want := map[diff.Normalization]diff.Difference{
		diff.InitialSequenceNumbers: {Aspect: diff.Numbers, Field: "SEG.SEQ"},
		diff.Ports:                  {Aspect: diff.Packets, Field: "connection"},
		diff.TimestampValues:        {Aspect: diff.TCPOptions, Field: "option-timestamps"},
	}
	for _, n := range diff.Normalizations() {
		r := diff.Compare(a, b, diff.Options{Raw: []diff.Normalization{n}, Ignore: []diff.Aspect{diff.Control}})
		if slices.Contains(r.Normalized, n) || len(r.Normalized) != len(diff.Normalizations())-1 {
			t.Errorf("without %v: %v were made", n, r.Normalized)
		}
		w, differs := want[n]
		switch {
		case !differs && r.First != nil:
			t.Errorf("without %v: %s", n, brief(r.First))
		case differs && (r.First == nil || r.First.Differences[0].Aspect != w.Aspect || r.First.Differences[0].Field != w.Field):
			t.Errorf("without %v: first %s, want %v %s", n, brief(r.First), w.Aspect, w.Field)
		}
	}
}
