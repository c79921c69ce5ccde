package handwritten_test

import (
	"bytes"
	"runtime"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace/rfc9293"
)

// TestStories: every story that both can do comes out as written, and each connection goes ways that RFC 9293 has.
func TestStories(t *testing.T) {
	stacks := map[string]netns.Factory{"gvisor": &gvisor.Factory{}, "handwritten": &handwritten.Factory{}}
	for client, c := range stacks {
		for server, s := range stacks {
			for _, name := range script.NamesFor(c, s) {
				if client == "gvisor" && server == "gvisor" {
					continue
				}
				t.Run(client+"-"+server+"/"+name, func(t *testing.T) {
					story, err := script.Builtin(name)
					if err != nil {
						t.Fatal(err)
					}
					r, err := script.Run(story, netns.Config{Client: c, Server: s, Seed: 1})
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range r.Failures {
						t.Errorf("%v", f)
					}
					for _, p := range rfc9293.Paths(r.Trace) {
						t.Errorf("not a path of the RFC: %+v", p)
					}
				})
			}
		}
	}
}

// TestStoriesAreRepeatable: the record of a story is the same to the octet, on one processor and on more.
func TestStoriesAreRepeatable(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	f := &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true}
	for _, name := range script.NamesFor(f, f) {
		t.Run(name, func(t *testing.T) {
			story, err := script.Builtin(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, seed := range []uint64{1, 1 << 63} {
				var first []byte
				for _, processors := range []int{1, 2, 8} {
					runtime.GOMAXPROCS(processors)
					var record bytes.Buffer
					if _, err := script.Run(story, netns.Config{Client: f, Server: f, Seed: seed, Writer: &record, Faults: badLink(1)}); err != nil {
						t.Fatal(err)
					}
					if first == nil {
						first = record.Bytes()
					}
					if !bytes.Equal(first, record.Bytes()) || len(first) < 1000 {
						t.Errorf("seed %d, %d processors: %d octets of record, not those of the first run, %d", seed, processors, record.Len(), len(first))
					}
				}
			}
		})
	}
}
