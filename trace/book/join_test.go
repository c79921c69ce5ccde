package book

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns/script"

	"github.com/google/go-cmp/cmp"
)

// judged are hand-made findings of one statement, a trace each, written "story:verdict".
func judged(s *Statement, findings string) []Judged {
	var set []Judged
	for i, f := range strings.Fields(findings) {
		name, word, _ := strings.Cut(f, ":")
		v := slices.IndexFunc(Verdicts(), func(v Verdict) bool { return v.String() == word })
		finding := Finding{Statement: s, Verdict: Verdicts()[v]}
		if finding.Verdict.Decides() {
			finding.Evidence = []int{i + 1}
		}
		set = append(set, Judged{Findings: []Finding{finding}, Run: Run{Name: name}, Plain: name == "plain"})
	}
	return set
}

// join makes one result a statement of what a whole set of traces says.
func join(set []Judged) []Result {
	var j Joiner
	for _, t := range set {
		j.Add(t)
	}
	return j.Results()
}

// result prints a result with the findings that it rests on: "refined: 0 holds, 2 contradicted".
func result(r *Result) string {
	var of []string
	for _, o := range r.Of {
		of = append(of, fmt.Sprintf("%d %v", o.Trace, o.Finding.Verdict))
	}
	s := r.Verdict.String() + ": " + strings.Join(of, ", ")
	if r.More > 0 {
		s += fmt.Sprintf(" and %d more", r.More)
	}
	return s
}

func TestJoin(t *testing.T) {
	tests := []struct {
		name     string
		scope    Scope
		findings string
		want     string
	}{
		{"course/plain alone decides", Course, "plain:holds", "holds: 0 holds"},
		{"course/others that hold are not needed", Course, "plain:holds a:holds", "holds: 0 holds"},
		{"course/plain decides wherever it stands", Course, "a:holds b:holds plain:contradicted", "contradicted: 2 contradicted"},
		{"course/without plain the first that came to the point decides", Course, "a:not-exercised b:contradicted c:holds", "contradicted: 1 contradicted"},
		{"course/where plain came not to the point, neither", Course, "plain:not-exercised a:holds b:contradicted", "refined: 1 holds, 2 contradicted"},
		{"course/nor where plain could not be observed", Course, "plain:not-observable a:holds", "holds: 1 holds"},
		{"course/a counterexample refines, with both", Course, "plain:holds a:contradicted", "refined: 0 holds, 1 contradicted"},
		{"course/so does a refinement", Course, "plain:holds a:refined", "refined: 0 holds, 1 refined"},
		{"course/all that are otherwise stand behind, in the set's order", Course, "a:contradicted b:holds c:refined plain:holds d:contradicted", "refined: 3 holds, 0 contradicted, 2 refined, 4 contradicted"},
		{"course/contradicted is never turned back", Course, "a:holds plain:contradicted b:refined c:holds", "contradicted: 1 contradicted"},
		{"course/refined stays, without the others", Course, "plain:refined a:holds b:contradicted", "refined: 0 refined"},
		{"course/what decides nothing refines nothing", Course, "plain:holds a:not-exercised b:not-observable", "holds: 0 holds"},
		{"course/of two plains the first decides", Course, "plain:holds plain:contradicted", "refined: 0 holds, 1 contradicted"},

		{"every/one that holds", Every, "a:not-exercised b:holds", "holds: 1 holds"},
		{"every/all that hold", Every, "plain:holds a:holds", "holds: 0 holds, 1 holds"},
		{"every/one counterexample contradicts, and plain does not help", Every, "plain:holds a:holds b:contradicted c:refined", "contradicted: 2 contradicted"},
		{"every/all counterexamples", Every, "a:contradicted b:holds c:contradicted", "contradicted: 0 contradicted, 2 contradicted"},
		{"every/refined before holds", Every, "a:holds b:refined", "refined: 1 refined"},

		{"course/not observable before not exercised", Course, "a:not-exercised b:not-observable c:not-observable", "not-observable: 1 not-observable"},
		{"every/not observable before not exercised", Every, "a:not-exercised b:not-observable c:not-exercised", "not-observable: 1 not-observable"},
		{"course/nowhere exercised: the first says why", Course, "a:not-exercised plain:not-exercised", "not-exercised: 0 not-exercised"},
		{"every/nowhere exercised: the first says why", Every, "a:not-exercised b:not-exercised", "not-exercised: 0 not-exercised"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Statement{ID: "T1", Scope: tt.scope}
			results := join(judged(s, tt.findings))
			if len(results) != 1 || results[0].Statement != s {
				t.Fatalf("results are %v, want one of the statement", results)
			}
			if got := result(&results[0]); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.findings, got, tt.want)
			}
		})
	}
}

// TestNamesDoNotJoin: a story that somebody has named plain is not the one that tells the normal course.
func TestNamesDoNotJoin(t *testing.T) {
	set := judged(&Statement{ID: "T1"}, "plain:contradicted plain:holds")
	set[0].Plain = false
	if got, want := result(&join(set)[0]), "refined: 1 holds, 0 contradicted"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestJoinOfNothing(t *testing.T) {
	if results := join(nil); len(results) != 0 {
		t.Errorf("no trace gives %v", results)
	}
}

// TestJoinerKeeps: what is not kept is counted, and the verdict is that of all.
func TestJoinerKeeps(t *testing.T) {
	tests := []struct {
		name     string
		scope    Scope
		findings string
		want     string
	}{
		{"course", Course, "a:contradicted b:contradicted plain:holds c:refined d:holds", "refined: 2 holds, 0 contradicted and 2 more"},
		{"every", Every, "a:holds b:contradicted c:contradicted d:contradicted", "contradicted: 1 contradicted and 2 more"},
		{"every, of those that hold", Every, "a:holds b:holds", "holds: 0 holds and 1 more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := Joiner{Keep: 1}
			for _, one := range judged(&Statement{Scope: tt.scope}, tt.findings) {
				j.Add(one)
			}
			if got := result(&j.Results()[0]); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.findings, got, tt.want)
			}
		})
	}
}

// TestJoinDoesNotDependOnTheOrder: where plain is in the set, its order says in which order findings stand, and no more.
func TestJoinDoesNotDependOnTheOrder(t *testing.T) {
	words := Verdicts()
	for _, scope := range []Scope{Course, Every} {
		for mask := range len(words) * len(words) * len(words) {
			findings := []string{"plain:" + words[mask%5].String(), "a:" + words[mask/5%5].String(), "b:" + words[mask/25].String()}
			want := join(judged(&Statement{Scope: scope}, strings.Join(findings, " ")))[0]
			if scope == Course && !words[mask%5].Decides() {
				continue // the first that came to the point decides
			}
			for _, order := range [][3]int{{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
				var other []string
				for _, i := range order {
					other = append(other, findings[i])
				}
				got := join(judged(&Statement{Scope: scope}, strings.Join(other, " ")))[0]
				if got.Verdict != want.Verdict || len(got.Of) != len(want.Of) {
					t.Errorf("%v: %v gives %s, %v gives %s", scope, findings, result(&want), other, result(&got))
				}
			}
		}
	}
}

// TestJoinOfStories: what all stories together say of each statement of section C, and on which story that rests.
func TestJoinOfStories(t *testing.T) {
	names := script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{})
	joined := func(names []string) map[string]*Result {
		var set []Judged
		for _, name := range names {
			tr := story(t, name)
			set = append(set, Judged{Findings: Judge(tr), Run: Run{Name: name}, Plain: name == "plain"})
		}
		results := map[string]*Result{}
		for _, r := range join(set) {
			results[r.Statement.ID] = &r
		}
		return results
	}
	all := joined(names)
	want := map[string]Verdict{
		"C1": Holds, "C2": Holds, "C3": Refined, "C4": Holds, "C5": Holds, "C6": Refined, "C7": Refined, "C8": Contradicted, "C9": Refined,
		"C10": Contradicted, "C11": Holds, "C12": Refined, "C13": Refined,
	}
	got := map[string]Verdict{}
	for id := range want {
		got[id] = all[id].Verdict
		if of := all[id].Of[0]; of.Run.Name != "plain" {
			t.Errorf("%s rests on %s first, want on plain", id, of.Run.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all stories (-want +got)\n%s", diff)
	}
	var refine []string
	for _, of := range all["C3"].Of[1:] {
		refine = append(refine, of.Run.Name)
	}
	if diff := cmp.Diff([]string{"half-open-b", "full-accept-queue", "many"}, refine); diff != "" {
		t.Errorf("what refines C3 (-want +got)\n%s", diff)
	}
	back := slices.Clone(names)
	slices.Reverse(back)
	for id, r := range joined(back) {
		if r.Verdict != all[id].Verdict && all[id].Of[0].Run.Name == "plain" {
			t.Errorf("%s is %v in the stories' order and %v in the other", id, all[id].Verdict, r.Verdict)
		}
	}
	if r := joined([]string{"refused", "syn-cookies", "plain"})["C7"]; r.Verdict != Refined {
		t.Errorf("C7 is %v: plain refines, and another story does not contradict it", r.Verdict)
	}
	if r := joined([]string{"refused", "syn-cookies", "many"})["C7"]; r.Verdict != Contradicted || r.Of[0].Trace != 1 {
		t.Errorf("C7 is %v by trace %d: without plain the first that came to the point decides", r.Verdict, r.Of[0].Trace)
	}
}

// TestPartsOfOneRunCountOnce: a long connection of a capture is judged in parts.
func TestPartsOfOneRunCountOnce(t *testing.T) {
	for _, tt := range []struct {
		scope Scope
		parts string // of runs a and b: those of one name follow each other
		keep  int
		want  string
	}{
		{Every, "a:holds a:holds b:holds b:refined a:holds", 0, "refined: 3 refined"},
		{Every, "a:refined b:refined a:refined b:refined a:refined", 0, "refined: 0 refined, 1 refined"},
		{Every, "a:refined a:holds a:refined b:refined", 1, "refined: 0 refined and 1 more"},
		{Every, "a:refined a:contradicted a:refined a:contradicted", 1, "contradicted: 1 contradicted"},
		{Course, "a:not-exercised a:holds a:holds b:refined b:refined", 0, "refined: 1 holds, 3 refined"},
	} {
		s := &Statement{ID: "X1", Scope: tt.scope}
		j := Joiner{Keep: tt.keep}
		set := judged(s, tt.parts)
		parts := map[string]int{}
		for i := range set {
			name := set[i].Run.Name
			parts[name]++
			set[i].Run.Name, set[i].Part, set[i].More = name, parts[name], i < len(set)-1
			j.Add(set[i])
		}
		results := j.Results()
		if got := result(&results[0]); got != tt.want {
			t.Errorf("%v, %s: %s, want %s", tt.scope, tt.parts, got, tt.want)
		}
		if len(j.had) > 1 {
			t.Errorf("%v, %s: %d runs are remembered", tt.scope, tt.parts, len(j.had))
		}
	}
}
