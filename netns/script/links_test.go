package script_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
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

// withEverything is a story with an option of each kind.
const withEverything = `--link=ethernet
--ipv6
--delay=.002
--mtu=1400
--needs="IPv6"
--fault="drop client SYN#1"
--until=30
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, nobody:80)
`

func parsed(t *testing.T, text string) *script.Story {
	t.Helper()
	s, err := script.Parse("test.story", text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConfigOverridesTheStory: what the base of a run says outright goes before what the story says, also where it is the default of
// runs without a story; what it does not say is the story's.
func TestConfigOverridesTheStory(t *testing.T) {
	s := parsed(t, withEverything)
	for name, c := range map[string]struct {
		base, want netns.Config
	}{
		"nothing":           {netns.Config{}, netns.Config{Link: trace.LinkEthernet, Family: netns.IPv6}},
		"no Ethernet":       {netns.Config{Link: netns.IPLink}, netns.Config{Family: netns.IPv6}},
		"no IPv6":           {netns.Config{Family: netns.OnlyIPv4}, netns.Config{Link: trace.LinkEthernet}},
		"neither, and more": {netns.Config{Link: netns.IPLink, Family: netns.OnlyIPv4, Seed: 7}, netns.Config{Seed: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.Config(c.base)
			if got.Link != c.want.Link || got.Family != c.want.Family || got.Seed != c.want.Seed || got.MTU != 1400 || len(got.Faults) != 1 {
				t.Errorf("got %+v", got)
			}
		})
	}
	got := s.Config(netns.Config{Needs: []string{trace.CapabilityIPv6, trace.CapabilityECN}}).Needs
	if d := cmp.Diff([]string{trace.CapabilityIPv6, trace.CapabilityECN}, got); d != "" {
		t.Errorf("needs (-want +got):\n%s", d)
	}
	cfg := gvisorPair()
	cfg.Link, cfg.Family = netns.IPLink, netns.OnlyIPv4
	r, err := script.Run(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Trace.Header; h.Link != trace.LinkIP || h.Hosts[0].Address != "192.0.2.1/24" || r.AsWritten {
		t.Errorf("the run was on %v between %s, as written %v", h.Link, h.Hosts[0].Address, r.AsWritten)
	}
}

// TestRunOfAHeader: a story is run again from the header of its run, whatever the story and the base of that run said.
func TestRunOfAHeader(t *testing.T) {
	s := parsed(t, withEverything)
	more, err := netns.ParseFault("drop client SYN#1") // which the story has, too
	if err != nil {
		t.Fatal(err)
	}
	for name, base := range map[string]netns.Config{
		"as written":      {},
		"another link":    {Link: netns.IPLink, Family: netns.OnlyIPv4},
		"one fault twice": {Faults: []netns.Fault{more}, Needs: []string{trace.CapabilityEthernet}},
	} {
		t.Run(name, func(t *testing.T) {
			base.Client, base.Server = gvisorPair().Client, gvisorPair().Server
			first, err := script.Run(s, base)
			if err != nil {
				t.Fatal(err)
			}
			again, err := netns.ConfigOf(&first.Trace.Header)
			if err != nil {
				t.Fatal(err)
			}
			again.Client, again.Server = base.Client, base.Server
			second, err := script.Run(s, again)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(first.Trace.Header, second.Trace.Header); d != "" {
				t.Errorf("header (-first +second):\n%s", d)
			}
			if first.AsWritten != (name == "as written") || second.AsWritten != first.AsWritten {
				t.Errorf("as written: %v, then %v", first.AsWritten, second.AsWritten)
			}
			var a, b bytes.Buffer
			if err := errors.Join(trace.Write(&a, first.Trace), trace.Write(&b, second.Trace)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
				t.Errorf("the second trace is another, %v", err)
			}
		})
	}
}
