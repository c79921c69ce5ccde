package book

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
)

// onBadLink tells a story on a link with further faults. nil: the stacks cannot do it.
func onBadLink(t *testing.T, name string, seed uint64, faults ...string) *trace.Trace {
	t.Helper()
	bare, client, server := storyOn(name)
	s, err := script.Builtin(bare)
	if text, ok := ownStories[bare]; ok {
		s, err = script.Parse(bare, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := netns.Config{Client: client, Server: server, Seed: seed}
	for _, text := range faults {
		f, err := netns.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Faults = append(cfg.Faults, f)
	}
	if run := s.Config(cfg); run.Capable() != nil {
		return nil
	}
	r, err := script.Run(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r.Trace
}

// TestWhatALinkDoesContradictsNothing: each was once judged otherwise.
func TestWhatALinkDoesContradictsNothing(t *testing.T) {
	tests := []struct {
		story     string
		seed      uint64
		faults    []string
		statement string
		want      Verdict
		because   string
	}{
		{"plain", 1, []string{"reorder client SYN#1"}, "A5", Holds, "the SYN that came first was sent second"},
		{"plain on handwritten", 1, []string{"reorder client SYN#1"}, "A5", Holds, "the SYN that came first was sent second"},
		{
			"half-open-b on handwritten,gvisor", 7857, []string{"reorder server SYN,ACK#1", "duplicate client any#2 .458"}, "A5", Holds,
			"a SYN of the connection before makes a socket too",
		},
		{
			"reordered on handwritten+ws+ts+sack", 115, []string{"reorder client data#3"}, "B5", Refined,
			"a segment whose timestamp is older than the newest is thrown away",
		},
		{
			"idle-year on handwritten,gvisor", 2386, []string{"reorder client ACK#2", "reorder server ACK#2"}, "B5", Refined,
			"a FIN that comes with data which were all there is no data",
		},
		{
			"full-accept-queue on handwritten,gvisor", 489, []string{"corrupt server SYN,ACK#3"}, "C11", Holds,
			"the first answer was damaged, and the second begins with another number",
		},
		{
			"half-open-b on handwritten", 376, []string{"corrupt client any#1", "corrupt server any#1"}, "C9", Holds,
			"a SYN,ACK of the connection before is no answer",
		},
	}
	for _, tt := range tests {
		f := StatementOf(tt.statement).on(newRecord(onBadLink(t, tt.story, tt.seed, tt.faults...)))
		if f.Verdict != tt.want {
			t.Errorf("%s, %s: %s is %v, want %v: %s; observed %v, by %v", tt.story, tt.faults, tt.statement, f.Verdict, tt.want, tt.because, f.Observed, f.Evidence)
		}
	}
}

// otherwise are the statements that some runs contradict, on a good link too or on a bad one: words of which the run's name has one, and the
// reason.
var otherwise = map[string]struct {
	in  []string
	why string
}{
	"A8":  {[]string{"gvisor"}, "gVisor holds memory with data alone"},
	"B2":  {[]string{"ecn"}, "ECN uses bits that are unused in the book"},
	"B9":  {[]string{"gvisor"}, "gVisor pushes in the middle of long writes, and in front of a closed window"},
	"B13": {[]string{"slow-reader on gvisor"}, "gVisor takes three answers to probes of a closed window for a loss, and sends beyond it"},
	"B16": {[]string{"gvisor", "+ts"}, "timestamps are on each segment"},
	"C3":  {[]string{"half-open-b", "full-accept-queue"}, "several sockets have port 80"},
	"C7":  {[]string{"full-accept-queue"}, "a SYN cookie leaves nothing behind"},
	"C8":  {[]string{""}, "the answer has SYN and ACK"},
	"C9":  {[]string{"simultaneous-open", "both-open"}, "a SYN alone is a simultaneous open"},
	"C10": {[]string{""}, "the address is there with the call"},
	"C13": {[]string{"half-open", "shutdown", "abort"}, "a reboot, a call or a reset ends it too"},
}

// TestBadLinksContradictNothing: whatever a link does to a story on any pair of stacks, every other statement stands.
func TestBadLinksContradictNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 3))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	runs := 500
	if underRace {
		runs = 50
	}
	names := append(slices.DeleteFunc(script.Names(), func(name string) bool {
		return name == "many" || name == "syn-cookies" // long; and gVisor makes of a cookie what the first segment says, and that twice
	}), "bad-link", "both-open", "shutdown", "nonblocking")
	for n := range runs {
		name := one(names...) + " on " + one("gvisor", "handwritten", "handwritten+ws+ts+sack") + "," + one("gvisor", "handwritten", "handwritten+ws+ts+sack")
		var faults []string
		for range 1 + random.IntN(4) {
			action := one("drop", "duplicate", "delay", "reorder", "corrupt")
			fault := fmt.Sprintf("%s %s %s#%d", action, one("client", "server"), one("any", "data", "SYN", "ACK", "FIN", "SYN,ACK"), 1+random.IntN(5))
			if action == "duplicate" || action == "delay" {
				fault += fmt.Sprintf(" .%03d", 1+random.IntN(900))
			}
			faults = append(faults, fault)
		}
		tr := onBadLink(t, name, uint64(n), faults...)
		if tr == nil {
			continue
		}
		for _, f := range Judge(tr) {
			expected := slices.ContainsFunc(otherwise[f.Statement.ID].in, func(word string) bool { return strings.Contains(name, word) })
			if f.Verdict == Contradicted && !expected {
				t.Errorf("%s with seed %d and %s: %s is contradicted: %v, by %v", name, n, strings.Join(faults, "; "), f.Statement.ID, f.Observed, f.Evidence)
			}
		}
	}
}
