package script_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// pairStacks are two stacks that have nothing in common but the RFC, one of them with and without the options that can be asked for.
var pairStacks = []netns.Factory{
	&gvisor.Factory{}, &handwritten.Factory{}, &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true},
}[:unlessRace(3, 2)]

// Every story that two stacks can do comes out as written on each pair of them, whichever is the client; its connections end, by ways
// that RFC 9293 has; and the same run again is the same to the octet.
func TestStoriesOnAllPairs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	ran := map[string]int{}
	for _, client := range pairStacks {
		for _, server := range pairStacks {
			for _, name := range script.NamesFor(client, server) {
				ran[name]++
				t.Run(name+"/"+client.Info().Name+"-"+server.Info().Name, func(t *testing.T) {
					cfg := netns.Config{Client: client, Server: server, Seed: 1}
					runtime.GOMAXPROCS(2)
					r := judge(t, namedStory(t, name), cfg)
					holdsOnPair(t, r)
					first := fileOfTrace(t, r.Trace)
					for _, n := range []int{2, 1} {
						runtime.GOMAXPROCS(n)
						again := fileOfTrace(t, judge(t, namedStory(t, name), cfg).Trace)
						if at := firstDifference(first, again); at != "" {
							t.Errorf("again at GOMAXPROCS %d: %s", n, at)
						}
					}
				})
			}
		}
	}
	for _, name := range script.Names() {
		if ran[name] == 0 {
			t.Errorf("%s ran on no pair", name)
		}
	}
	if ran["plain"] != len(pairStacks)*len(pairStacks) {
		t.Errorf("plain ran on %d pairs", ran["plain"])
	}
}

// faultsForPairs are what TestPairsWithFaults draws from, of a host and a percentage.
var faultsForPairs = []string{
	"drop %s any %d%%", "duplicate %s any %d%%", "reorder %s any %d%% 2", "delay %s any %d%% .030", "drop %s data %d%%", "drop %s FIN %d%%",
	"drop %s SYN %d%%", "corrupt %s data %d%%",
}

// On a link that loses, doubles, delays and turns packets, each pair hands its programs the right octets and no others, and leaves no
// connection behind that no program has. What the handwritten stack does is a path of RFC 9293 then, too; gVisor's is known not to be:
// it aborts a closed connection whose FIN was lost when the peer acknowledges what is behind it.
func TestPairsWithFaults(t *testing.T) {
	names := []string{
		"plain", "half-close", "send-and-close", "simultaneous-close", "simultaneous-open", "slow-reader", "reordered", "full-accept-queue", "last-ack-lost",
	}
	runs, lost := 0, 0
	for seed := range uint64(unlessRace(12, 3)) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var faults []netns.Fault
		for range 1 + rng.IntN(3) {
			f, err := netns.ParseFault(fmt.Sprintf(faultsForPairs[rng.IntN(len(faultsForPairs))], []string{"client", "server"}[rng.IntN(2)], 5+rng.IntN(30)))
			if err != nil {
				t.Fatal(err)
			}
			faults = append(faults, f)
		}
		for _, name := range names {
			for _, client := range pairStacks {
				for _, server := range pairStacks {
					where := fmt.Sprintf("%s, %s to %s, seed %d, faults %v", name, client.Info().Name, server.Info().Name, seed, faults)
					r := judge(t, namedStory(t, name), netns.Config{Client: client, Server: server, Seed: seed, Faults: faults})
					runs++
					for i := range r.Received {
						if got := r.Received[i]; got.Wrong || got.Checked != got.Octets {
							t.Errorf("%s: %+v", where, got)
						}
					}
					for _, s := range leftBehind(r.Trace) {
						t.Errorf("%s: socket %d of the %s is left behind in %v", where, s.Number, s.Host, s.Stays[len(s.Stays)-1].State)
					}
					for _, p := range rfc9293.Paths(r.Trace) {
						if stack := map[string]netns.Factory{netns.Client: client, netns.Server: server}[p.Host].Info().Name; stack != "gvisor" {
							t.Errorf("%s: no path of RFC 9293: %v", where, p)
						}
					}
					for _, e := range r.Trace.Events {
						if f, ok := e.Detail.(*trace.Fate); ok && f.Kind.Lost() {
							lost++
						}
					}
				}
			}
		}
	}
	if lost < runs/4 {
		t.Errorf("%d packets lost in %d runs: that is hardly a link with faults", lost, runs)
	}
}

// holdsOnPair checks what has to be true of a story's run on any two stacks.
func holdsOnPair(t *testing.T, r *script.Result) {
	t.Helper()
	for _, f := range r.Failures {
		t.Errorf("%v (event %d)", f, f.Event)
	}
	if !r.AsWritten || r.NotObservable > 0 {
		t.Errorf("as written %v, %d lines not observable", r.AsWritten, r.NotObservable)
	}
	if r.End.Reason != trace.Finished || len(r.End.Blocked) > 0 {
		t.Errorf("the run ended %v with the calls %v blocked, want finished", r.End.Reason, r.End.Blocked)
	}
	for _, p := range rfc9293.Paths(r.Trace) {
		t.Errorf("no path of RFC 9293: %v", p)
	}
	for i, what := range []string{"client", "server"} {
		if got := r.Received[i]; got.Wrong || got.Checked != got.Octets {
			t.Errorf("the %s received %d octets, %d of them checked, wrong %v", what, got.Octets, got.Checked, got.Wrong)
		}
	}
	for _, s := range leftBehind(r.Trace) {
		t.Errorf("socket %d of the %s is left in %v, and no descriptor names it", s.Number, s.Host, s.Stays[len(s.Stays)-1].State)
	}
}

// leftBehind are the sockets that had a peer, are not closed at the end of the run, and that no descriptor names.
func leftBehind(tr *trace.Trace) (list []trace.Socket) {
	for _, s := range trace.Sockets(tr) {
		named := slices.ContainsFunc(s.Descriptors, func(d trace.Descriptor) bool { return d.To == 0 })
		if len(s.Stays) > 0 && s.At(len(tr.Events)).State != trace.Closed && s.Remote.IsValid() && !named {
			list = append(list, s)
		}
	}
	return list
}

// fileOfTrace is a trace's file.
func fileOfTrace(t *testing.T, tr *trace.Trace) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, tr); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
