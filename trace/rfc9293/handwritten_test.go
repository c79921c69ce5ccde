package rfc9293_test

import (
	"errors"
	"fmt"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// TestHandwrittenKeepsAllRules: against itself, gVisor and a hostile peer, over good links and bad ones, the handwritten stack breaks no rule
// and all its states are paths.
func TestHandwrittenKeepsAllRules(t *testing.T) {
	met := map[string]int{}
	see := func(what string, tr *trace.Trace) {
		ours := func(host string) bool {
			h := tr.Header.Host(host)
			return h.Stack != "gvisor" && h.Capabilities != nil
		}
		for _, a := range rfc9293.Answers(tr) {
			if !ours(a.Host) {
				continue
			}
			if met[a.Rule.ID]++; a.Keeping == rfc9293.Breaks {
				t.Errorf("%s: %v", what, &a)
			}
		}
		for _, p := range rfc9293.Paths(tr) {
			if ours(p.Host) {
				t.Errorf("%s: %v", what, &p)
			}
		}
	}
	plain, all := &handwritten.Factory{}, &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true}
	for i, pair := range [][2]netns.Factory{{plain, plain}, {all, all}, {plain, &gvisor.Factory{}}, {&gvisor.Factory{}, plain}, {all, &gvisor.Factory{}}, {&gvisor.Factory{}, all}} {
		run := func(what string, story *script.Story, seed uint64) {
			cfg := badLink(t, seed)
			cfg.Client, cfg.Server = pair[0], pair[1]
			r, err := script.Run(story, cfg)
			var lack *netns.LackError
			if errors.As(err, &lack) {
				return
			}
			if err != nil {
				t.Fatalf("%s, pair %d: %v", what, i, err)
			}
			see(fmt.Sprintf("%s, pair %d, link %d", what, i, seed), r.Trace)
		}
		for _, name := range script.Names() {
			if name == "many" || name == "idle-year" {
				continue
			}
			for n := range unlessRace(10, 2) {
				run(name, builtin(t, name), n*apart)
			}
		}
		for seed := range unlessRace(100, 10) {
			run(fmt.Sprint("random story ", seed), randomStory(t, seed), seed%3/2*seed)
		}
	}
	overHostilePeers(t, plain, see)
	overHostilePeers(t, all, see)
	t.Logf("%d rules were met", len(met))
	if want := int(unlessRace(45, 40)); len(met) < want {
		t.Errorf("only %d rules were met", len(met))
	}
}
