package compare_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/rfc9293"
)

var plans = flag.Int("plans", 40, "on how many random plans of faults TestWhereTheStacksPart runs a story (in full: 1000; with -v it lists what it found)")

// A plan is a story and what the link does to it. The one of number 0 of a story is the story alone.
type plan struct {
	story  string
	seed   uint64
	bytes  string // what the word BYTES says; empty: what the story says
	faults []string
}

// hardPlans are plans on which no rule is broken that it would be easy to take for broken: an ACK in the place of a SYN,ACK that was sent again; a
// timer that an ACK has started anew; a segment sent again that is not the last; an echo of what PAWS or a duplicate has kept from counting; more
// than the initial window after duplicate ACKs.
var hardPlans = []plan{
	{"full-accept-queue", 1211, "", []string{"duplicate client ACK#2 .082", "duplicate client any 28%", "drop client data#4"}},
	{"half-close", 1732, "", []string{"corrupt server ACK 20%"}},
	{"reordered", 1760, "", []string{"drop server any#4-6"}},
	{"half-close", 1291, "14961", []string{"reorder client ACK#2-4 1", "duplicate client any#2-4", "drop server data 43%"}},
	{"slow-reader", 1551, "", []string{"reorder client data 37% 2", "drop client SYN#1"}},
	{"corrupted", 1381, "15830", []string{"drop server ACK 42%"}},
	{"idle-year", 1594, "", []string{"drop server SYN#2-4", "reorder client data#1 2"}},
	{"last-ack-lost", 1749, "", []string{"duplicate server ACK 20% .187"}},
}

// String is the plan as words of the command line.
func (p plan) String() string {
	s := fmt.Sprintf("%s --seed %d", p.story, p.seed)
	if p.bytes != "" {
		s += " --bytes " + p.bytes
	}
	for _, f := range p.faults {
		s += fmt.Sprintf(" --fault %q", f)
	}
	return s
}

// planOf makes a plan from its number: one fault to three, counted or by chance, of every kind.
func planOf(seed uint64, stories []string) plan {
	rng := rand.New(rand.NewPCG(seed, 9293))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	p := plan{story: stories[int(seed)%len(stories)], seed: seed}
	for range 1 + rng.IntN(3) {
		f := pick("drop", "drop", "delay", "duplicate", "reorder", "corrupt") + " " + pick("client", "server") + " "
		action, _, _ := strings.Cut(f, " ")
		if rng.IntN(2) == 0 {
			f += fmt.Sprintf("%s %d%%", pick("any", "data", "ACK"), 5+rng.IntN(40))
		} else {
			first := 1 + rng.IntN(4)
			f += fmt.Sprintf("%s#%d", pick("any", "data", "ACK", "SYN", "SYN,ACK", "FIN,ACK"), first)
			if rng.IntN(3) == 0 {
				f += fmt.Sprintf("-%d", first+rng.IntN(3))
			}
		}
		switch action {
		case "delay":
			f += fmt.Sprintf(" .%03d", 1+rng.IntN(400))
		case "duplicate":
			f += pick("", fmt.Sprintf(" .%03d", 1+rng.IntN(200)))
		case "reorder":
			f += fmt.Sprintf(" %d", 1+rng.IntN(3))
		}
		p.faults = append(p.faults, f)
	}
	if s, err := script.Builtin(p.story); err == nil && slices.Contains(s.Defines(), "BYTES") && rng.IntN(2) == 0 {
		p.bytes = strconv.Itoa(1 + rng.IntN(20000))
	}
	return p
}

func (p plan) run(t *testing.T, stack netns.Factory) *script.Result {
	t.Helper()
	s := story(t, p.story)
	if p.bytes != "" {
		var err error
		if s, err = s.With("BYTES", p.bytes); err != nil {
			t.Fatal(err)
		}
	}
	cfg := netns.Config{Client: stack, Server: stack, Seed: p.seed}
	for _, text := range p.faults {
		f, err := netns.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Faults = append(cfg.Faults, f)
	}
	r, err := script.Run(s, cfg)
	if err != nil {
		t.Fatalf("%s, %s: %v", p, stack.Info().Name, err)
	}
	return r
}

// inside are aspects of what is in a segment that is the same otherwise: where nothing else differs, the runs are on one course.
var inside = []diff.Aspect{diff.TCPOptions, diff.Window, diff.Push, diff.Urgent, diff.ECN, diff.IP}

// kindOf says what the first divergence is that a comparison finds which leaves out some aspects: the first of all; the first where the runs are
// still on one course; or one behind the place where they went apart, which may only follow from that.
func kindOf(ignored []diff.Aspect) string {
	switch {
	case len(ignored) == 0:
		return "first of all"
	case !slices.ContainsFunc(ignored, func(a diff.Aspect) bool { return !slices.Contains(inside, a) }):
		return "first on one course"
	}
	return "behind that"
}

// A class is what divergences have in common that are one and the same disagreement.
type class struct {
	kind   string // as of kindOf, or that it is the first place at which a side breaks a rule
	aspect diff.Aspect
	field  string
	has    string // what the two sides have there, in short
	rule   string
	a, b   rfc9293.Keeping
}

func (c class) String() string {
	return fmt.Sprintf("%s: %v %s (%s): %s, gvisor %v, handwritten %v", c.kind, c.aspect, c.field, c.has, c.rule, c.a, c.b)
}

func classOf(kind string, d *diff.Divergence) class {
	first := d.Differences[0]
	c := class{kind, first.Aspect, first.Field, "both", d.Ruling.Rule, d.Ruling.A, d.Ruling.B}
	segment := func(text string) string {
		_, bits, _ := strings.Cut(text, "<CTL=")
		bits, rest, _ := strings.Cut(bits, ">")
		if bits = strings.ReplaceAll(bits, "PSH,", ""); strings.Contains(rest, "LEN=") {
			bits += " with data"
		}
		return bits
	}
	switch {
	case first.Aspect == diff.Packets:
		c.has = fmt.Sprintf("%q, %q", segment(first.A), segment(first.B))
	case first.Aspect == diff.Returns && first.Field == "result", first.Aspect == diff.States, first.Aspect == diff.End, first.Aspect == diff.ControlBits:
		c.has = fmt.Sprintf("%q, %q", first.A, first.B)
	case d.A.Event == 0:
		c.has = "handwritten only"
	case d.B.Event == 0:
		c.has = "gvisor only"
	}
	return c
}

// gvisorBreaks are the rules that gVisor is known to break, and how.
var gvisorBreaks = map[string]string{
	"rfc.rule.connection-ack-of-its-fin":  "RFC 9293, Section 3.10.7.4: an ACK that comes before the FIN in front of it ends a closed connection with a RST",
	"rfc.rule.connection-ack":             "RFC 9293, Section 3.10.7.4: so it does in FIN-WAIT-2",
	"rfc.rule.sent-again-the-same-octets": "RFC 9293, Section 3.4: a window probe is an octet 0 in the place of the last that was sent",
	"rfc.rule.sent-data-in-the-window":    "RFC 9293, Section 3.8.6: the window of an ACK that was overtaken counts, and data go beyond the one that was told later",
	"rfc.rule.syn-sent-user-timeout":      "RFC 9293, Section 3.8.3 (MUST-23): a SYN is given up after 127 s, and not three minutes",
	"rfc.rule.sent-again-later-each-time": "RFC 6298, Section 5.5: an unacceptable ACK in SYN-SENT makes the retransmission time microseconds, whatever it had grown to",
	"diff.rule.back-off":                  "RFC 6298, Section 5.5: the same",
	"diff.rule.timestamps-echo":           "RFC 7323, Section 4.3: the ACK of a FIN echoes what came before the FIN; a SYN,ACK sent again after a SYN echoes nothing",
	"diff.rule.timestamps-value":          "RFC 7323, Section 5.4: a SYN,ACK sent again has the TSval of the first, and the ACK before it a later one",
	"diff.rule.paws":                      "RFC 7323, Section 5.3: gVisor has no PAWS",
}

// A seen is where a class was seen: on how many stories as they are and plans of faults, with which stacks beside gVisor, in which states.
type seen struct {
	stories, plans int
	last           string
	beside, states map[string]bool
	example        string // the shortest
}

func (s *seen) String() string {
	list := func(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), " ") }
	return fmt.Sprintf("%d stories, %d plans; %s; %s\n\t%s", s.stories, s.plans, list(s.beside), list(s.states), s.example)
}

// note counts a plan, once.
func note[K comparable](all map[K]*seen, k K, p plan, beside string, state trace.State, example string) {
	s := all[k]
	if s == nil {
		s = &seen{beside: map[string]bool{}, states: map[string]bool{}}
		all[k] = s
	}
	s.beside[beside], s.states[state.String()] = true, true
	if s.last == p.String() {
		return
	}
	s.last = p.String()
	if p.faults == nil {
		s.stories++
	} else {
		s.plans++
	}
	if s.example == "" || len(example) < len(s.example) {
		s.example = example
	}
}

// Every story, and stories on links with random faults, on gVisor with itself and on the handwritten stack with itself, without and with options: the
// programs receive the same octets; where the traces part, the handwritten stack breaks no rule, and gVisor only those that it is known to break. With
// -v it lists where they part and how often; each is repeated by `connectlab run` with the words listed and --client, --server and --out, once for
// each stack, and `connectlab diff` with the --ignore listed.
func TestWhereTheStacksPart(t *testing.T) {
	stacks := []netns.Factory{hand, &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true}}
	stories := script.NamesFor(gv, stacks[0])
	var all []plan
	for _, name := range stories {
		all = append(all, plan{story: name, seed: 1})
	}
	all = append(all, hardPlans...)
	for seed := range uint64(*plans) {
		all = append(all, planOf(1000+seed, stories))
	}
	found := map[class]*seen{}
	breaks := map[string]*seen{}
	broken := func(p plan, stack string, tr *trace.Trace) {
		for _, a := range rfc9293.Answers(tr) {
			if a.Keeping != rfc9293.Breaks {
				continue
			}
			note(breaks, stack+": "+a.Rule.Key(), p, stack, a.State, fmt.Sprintf("%s (event %d)", p, a.N))
			if stack != "gvisor" || gvisorBreaks[a.Rule.Key()] == "" {
				t.Errorf("%s: %s breaks %s at event %d", p, stack, a.Rule.Key(), a.N)
			}
		}
	}
	for _, p := range all {
		a := p.run(t, gv)
		broken(p, "gvisor", a.Trace)
		for _, stack := range stacks {
			name := stack.Info().Name
			b := p.run(t, stack)
			broken(p, name, b.Trace)
			for i, host := range []string{"client", "server"} {
				if x, y := a.Received[i], b.Received[i]; x.Wrong || y.Wrong || x != y {
					t.Errorf("%s: the %s received %+v on gvisor, %+v on %s", p, host, x, y, name)
				}
			}
			// What is first hides all others: it is left out then, and the next is looked for.
			for o := (diff.Options{}); ; {
				r := diff.Compare(a.Trace, b.Trace, o)
				if r.First == nil {
					break
				}
				if r.Moves == 0 {
					t.Errorf("%s: nothing of gvisor has a counterpart in %s", p, name)
				}
				for i, d := range []*diff.Divergence{r.First, r.FirstBroken} {
					if d == nil {
						continue
					}
					kind := kindOf(o.Ignore)
					if i == 1 {
						kind = "first rule broken"
					}
					c, x := classOf(kind, d), d.Differences[0]
					note(found, c, p, name, d.State, fmt.Sprintf("%s [%s --ignore %v events %d, %d: %q, %q]", p, name, o.Ignore, d.A.Event, d.B.Event, x.A, x.B))
					if d.Ruling.B == rfc9293.Breaks || d.Ruling.A == rfc9293.Breaks && gvisorBreaks[d.Ruling.Rule] == "" {
						t.Errorf("%s: %v", p, c)
					}
				}
				o.Ignore = append(o.Ignore, r.First.Differences[0].Aspect)
			}
		}
	}
	broke := map[string]bool{}
	for c := range found {
		broke[c.rule] = broke[c.rule] || c.a == rfc9293.Breaks
	}
	for rule := range gvisorBreaks {
		if *plans >= 1000 && !broke[rule] {
			t.Errorf("gvisor is said to break %s, and nowhere does", rule)
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(found), func(a, b class) int { return cmp.Compare(a.String(), b.String()) }) {
		t.Logf("%v\n\t%v", c, found[c])
	}
	for _, key := range slices.Sorted(maps.Keys(breaks)) {
		t.Logf("%s\n\t%v", key, breaks[key])
	}
}
