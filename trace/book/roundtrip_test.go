package book

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
)

// A said is a finding without the pointer to its statement.
type said struct {
	Verdict            Verdict
	Evidence           []int
	Expected, Observed string
}

// sayings judges a trace, by the statements' ids.
func sayings(t *trace.Trace) map[string]said {
	all := map[string]said{}
	for _, f := range Judge(t) {
		all[f.Statement.ID] = said{f.Verdict, f.Evidence, fmt.Sprint(f.Expected), fmt.Sprint(f.Observed)}
	}
	return all
}

// written is a trace as a file has it.
func written(t *testing.T, tr *trace.Trace) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, tr); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, b []byte) *trace.Trace {
	t.Helper()
	tr, err := trace.Read(bytes.NewReader(b), "again", wire.Decode)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// allStories are the built-in stories and those that are told for the tests, on all stacks.
func allStories() []string {
	names := append(builtinStories(), pairs...)
	for _, word := range []string{"gvisor", "handwritten"} {
		names = append(names, on(word, slices.DeleteFunc(slices.Sorted(maps.Keys(ownStories)), func(name string) bool {
			return !canTell(name, word) || name == "transfer" || name == "there-and-back" // they are long, and are there for what long ones show
		}))...)
	}
	return names
}

func TestASavedTraceIsJudgedAsALiveOne(t *testing.T) {
	for _, name := range allStories() {
		live := story(t, name)
		if diff := cmp.Diff(sayings(live), sayings(read(t, written(t, live)))); diff != "" {
			t.Errorf("%s (-live +saved)\n%s", name, diff)
		}
	}
}

func TestJudgingChangesNothing(t *testing.T) {
	for _, name := range allStories() {
		tr := read(t, written(t, story(t, name)))
		before := written(t, tr)
		first, second := sayings(tr), sayings(tr)
		if !bytes.Equal(before, written(t, tr)) {
			t.Errorf("%s: the trace is another when it has been judged", name)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s: judged twice (-first +second)\n%s", name, diff)
		}
	}
}

// TestNoVerdictDependsOnNames: the same run of stacks of other names, of another story that says other things, with other
// remarks, is judged the same, and joined the same.
func TestNoVerdictDependsOnNames(t *testing.T) {
	var renamed []*trace.Trace
	names := allStories()
	for _, name := range names {
		tr := read(t, written(t, story(t, name)))
		tr.Header.Story = trace.Story{Name: "another", Text: "// Nothing is known of it."}
		tr.Header.Hosts[0].Stack, tr.Header.Hosts[1].Stack = "x", "y"
		for i := range tr.Header.Hosts {
			tr.Header.Hosts[i].Version, tr.Header.Hosts[i].Settings = "0", nil
		}
		for i := range tr.Events {
			if note, ok := tr.Events[i].Detail.(*trace.Note); ok {
				note.Text = "a remark"
			}
			if state, ok := tr.Events[i].Detail.(*trace.StateChange); ok {
				state.Word = "word"
			}
		}
		if diff := cmp.Diff(sayings(story(t, name)), sayings(tr)); diff != "" {
			t.Errorf("%s (-as it was +renamed)\n%s", name, diff)
		}
		renamed = append(renamed, tr)
	}
	var was, is Joiner
	for i, name := range names {
		was.Add(Judged{Findings: Judge(story(t, name)), Run: Run{Name: name}})
		is.Add(Judged{Findings: Judge(renamed[i]), Run: Run{Name: "plain"}})
	}
	for i, r := range is.Results() {
		if want := was.Results()[i]; result(&r) != result(&want) {
			t.Errorf("%s of all: %s, want %s", r.Statement.ID, result(&r), result(&want))
		}
	}
}

// TestHostsMayHaveOtherNames: "client" and "server" are names as others.
func TestHostsMayHaveOtherNames(t *testing.T) {
	for _, name := range allStories() {
		tr := read(t, written(t, story(t, name)))
		names := map[string]string{"": "", "client": "anna", "server": "berta"}
		for i := range tr.Header.Hosts {
			tr.Header.Hosts[i].Name = names[tr.Header.Hosts[i].Name]
		}
		for i := range tr.Events {
			tr.Events[i].Host = names[tr.Events[i].Host]
		}
		was, is := sayings(story(t, name)), sayings(tr)
		for id := range was {
			if was[id].Verdict != is[id].Verdict || !cmp.Equal(was[id].Evidence, is[id].Evidence) {
				t.Errorf("%s: %s was %v by %v, and is %v by %v", name, id, was[id].Verdict, was[id].Evidence, is[id].Verdict, is[id].Evidence)
			}
		}
	}
}

// TestWithoutControlInformation: what a trace does not show makes a verdict not observable and never another one.
func TestWithoutControlInformation(t *testing.T) {
	lost := map[string]bool{}
	for _, name := range builtinStories() {
		bare, client, server := storyOn(name)
		s, err := script.Builtin(bare)
		if err != nil {
			t.Fatal(err)
		}
		run, err := script.Run(s, netns.Config{Client: client, Server: server, Seed: 1, Record: netns.RecordNoControl})
		if err != nil {
			t.Fatal(err)
		}
		full, without := sayings(story(t, name)), sayings(run.Trace)
		for id, was := range full {
			switch is := without[id]; {
			case is.Verdict == NotObservable:
				lost[id] = true
			case is.Verdict != was.Verdict:
				t.Errorf("%s: %s is %v, and without control information %v: %s", name, id, was.Verdict, is.Verdict, is.Observed)
			}
		}
	}
	for _, s := range Statements() {
		if s.WireDecides && lost[s.ID] {
			t.Errorf("%s: the wire decides, and it was not observable without control information", s.ID)
		}
	}
	for _, id := range []string{"C7", "C10"} {
		if !lost[id] {
			t.Errorf("%s is judged without control information, of which it speaks", id)
		}
	}
}

// captured makes of a trace what a capture on its link shows: each packet when it was sent, and taken to arrive at once.
func captured(tr *trace.Trace) *trace.Trace {
	c := &trace.Trace{Header: trace.Header{Capture: true, MTU: tr.Header.MTU, Start: tr.Header.Start, Data: true}, End: trace.End{At: tr.End.At}}
	for _, h := range tr.Header.Hosts {
		c.Header.Hosts = append(c.Header.Hosts, trace.HostInfo{Name: h.Name, Address: h.Address})
	}
	for i := range tr.Events {
		e := &tr.Events[i]
		s, ok := e.Detail.(*trace.Sent)
		if !ok {
			continue
		}
		n := len(c.Events) + 1
		there := *s.Packet
		to := tr.Header.Hosts[0].Name
		if to == e.Host {
			to = tr.Header.Hosts[1].Name
		}
		c.Events = append(c.Events,
			trace.Event{N: n, At: e.At, Host: e.Host, Detail: &trace.Sent{Packet: s.Packet}},
			trace.Event{N: n + 1, At: e.At, Host: to, Cause: n, Detail: &trace.Arrived{Packet: &there}})
	}
	return c
}

// TestOnACapture: what packets alone decide is decided the same on a capture. The other statements of section C never are: where
// the trace came to the point they are not observable.
func TestOnACapture(t *testing.T) {
	for _, name := range allStories() {
		full, capture := sayings(story(t, name)), sayings(captured(story(t, name)))
		for _, s := range Statements() {
			was, is := full[s.ID], capture[s.ID]
			switch {
			case s.WireDecides && is.Verdict != was.Verdict:
				t.Errorf("%s: %s is %v, and on a capture %v: %s", name, s.ID, was.Verdict, is.Verdict, is.Observed)
			case s.ID[0] == 'C' && !s.WireDecides && is.Verdict.Decides():
				t.Errorf("%s: %s is %v on a capture, though packets do not decide it: %s", name, s.ID, is.Verdict, is.Observed)
			}
		}
	}
	plain := sayings(captured(story(t, "plain")))
	for _, id := range []string{"C1", "C2", "C3", "C6", "C7", "C9", "C10", "C12", "C13"} {
		if plain[id].Verdict != NotObservable {
			t.Errorf("%s is %v on a capture of the plain story, want it not observable: it came to the point", id, plain[id].Verdict)
		}
	}
}

// TestOnALoopback: both hosts have one address there.
func TestOnALoopback(t *testing.T) {
	tr := captured(story(t, "plain"))
	for i := range tr.Header.Hosts {
		tr.Header.Hosts[i].Address = "127.0.0.1"
	}
	for i := range tr.Events {
		e := &tr.Events[i]
		p := func() *trace.Packet {
			if s, ok := e.Detail.(*trace.Sent); ok {
				return s.Packet
			}
			return e.Detail.(*trace.Arrived).Packet
		}()
		here := *p
		rewrite(&here, func(b []byte) []byte {
			copy(b[12:], []byte{127, 0, 0, 1, 127, 0, 0, 1})
			return b
		})
		if _, ok := e.Detail.(*trace.Sent); ok {
			e.Detail = &trace.Sent{Packet: &here}
		} else {
			e.Detail = &trace.Arrived{Packet: &here}
		}
	}
	got := sayings(tr)
	for id, want := range map[string]Verdict{"C4": Holds, "C5": NotObservable, "C8": Contradicted, "C11": Holds} {
		if got[id].Verdict != want {
			t.Errorf("%s is %v on a loopback, want %v: %s", id, got[id].Verdict, want, got[id].Observed)
		}
	}
}

// TestOnPartOfACapture: a capture that begins late, ends early, or shows one direction is judged without complaint, and says nothing
// of section C that the whole does not.
func TestOnPartOfACapture(t *testing.T) {
	for _, name := range []string{"plain", "half-open-b", "simultaneous-open", "synack-lost", "bad-link"} {
		whole := captured(story(t, name))
		full := sayings(whole)
		part := func(what string, keep func(i int, e *trace.Event) bool) {
			var events []trace.Event
			now := map[int]int{}
			for i, e := range whole.Events {
				if keep(i, &e) {
					now[e.N] = len(events) + 1
					e.N, e.Cause = len(events)+1, now[e.Cause]
					events = append(events, e)
				}
			}
			for id, is := range sayings(&trace.Trace{Header: whole.Header, Events: events, End: whole.End}) {
				if s := StatementOf(id); id[0] == 'C' && s.WireDecides && is.Verdict.Decides() && is.Verdict != full[id].Verdict {
					t.Errorf("%s, %s: %s is %v, and %v of the whole", name, what, id, is.Verdict, full[id].Verdict)
				}
			}
		}
		for n := range len(whole.Events)/2 + 1 {
			part(fmt.Sprintf("without the first %d packets", n), func(i int, _ *trace.Event) bool { return i >= 2*n })
			part(fmt.Sprintf("only the first %d packets", n), func(i int, _ *trace.Event) bool { return i < 2*n })
		}
		for _, host := range []string{"client", "server"} {
			part("only what comes from the "+host, func(i int, _ *trace.Event) bool { return whole.Events[i&^1].Host == host })
		}
	}
}
