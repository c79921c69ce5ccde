package script_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// otherOutcome is what the client's connect() returns if that is not what the story expects: on Ethernet a host that
// hears nothing does not answer ARP either, and on another link it does not come out that there is nobody.
func otherOutcome(name string, link netns.Config) netns.Errno {
	if name == "silent-host" && link.Link == trace.LinkEthernet {
		return netns.ErrHostUnreachable
	}
	return ""
}

// TestStoriesOnEveryLink runs each story on Ethernet, between IPv6 addresses, and both. The calls return what they return
// everywhere, the record is right in the walker's eyes, is read again, and is the same however many processors there are.
func TestStoriesOnEveryLink(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, name := range gvisorStories() {
		for _, link := range []netns.Config{
			{Link: trace.LinkEthernet}, {Family: netns.IPv6}, {Link: trace.LinkEthernet, Family: netns.IPv6},
		} {
			t.Run(fmt.Sprintf("%s/%v, family %d", name, link.Link, link.Family), func(t *testing.T) {
				var first []byte
				for _, n := range []int{1, 2, 8} {
					runtime.GOMAXPROCS(n)
					cfg := gvisorPair()
					cfg.Link, cfg.Family = link.Link, link.Family
					r, err := script.Run(namedStory(t, name), cfg)
					if err != nil {
						t.Fatal(err)
					}
					if other := otherOutcome(name, link); other != "" {
						if len(r.Failures) != 1 || r.Connect.Errno != other {
							t.Errorf("connect() returned %v, want %v; failures %v", r.Connect, other, r.Failures)
						}
						r.Failures = nil
					}
					for _, f := range r.Failures {
						t.Errorf("%v (event %d)", f, f.Event)
					}
					var b bytes.Buffer
					if err := trace.Write(&b, r.Trace); err != nil {
						t.Fatal(err)
					}
					if first != nil {
						if !bytes.Equal(first, b.Bytes()) {
							t.Fatalf("with GOMAXPROCS %d the trace is another", n)
						}
						continue
					}
					first = slices.Clone(b.Bytes())
					for _, complaint := range walk(r.Trace) {
						t.Error(complaint)
					}
					if _, err := trace.Read(&b, "test.trace", wire.Decode); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}
