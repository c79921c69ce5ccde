package book

import (
	"slices"

	"connectlab/trace"
)

// A Judged is a trace and what it says of the statements.
type Judged struct {
	// Header is that of the trace. Nothing else of the trace is needed to join.
	Header   *trace.Header
	Findings []Finding
}

// A Result is what a set of runs says of one statement.
type Result struct {
	Statement *Statement
	Verdict   Verdict
	// Of are the findings that the verdict rests on, each with the index of its trace in the set: the one that decides first.
	// Where no trace decided it is the one that came nearest.
	Of []Of
}

// Of is one finding of one trace.
type Of struct {
	Trace int
	Finding
}

// plainStory is the story that tells the normal course.
const plainStory = "plain"

// Join makes one result a statement of what several traces say, by the statements' scopes. Every set has the findings of
// Judge, in its order. Without any trace there is no result.
//
// Every: the worst verdict of all, contradicted before refined before holds; the findings are those that have it. Course: the
// plain story decides, or, where it does not come to the point, the first that does; a holds becomes refined by
// each other trace that is otherwise, and their findings stand behind.
func Join(set []Judged) []Result {
	if len(set) == 0 {
		return nil
	}
	results := make([]Result, len(set[0].Findings))
	for i := range results {
		s := set[0].Findings[i].Statement
		results[i].Statement = s
		of := make([]Of, 0, len(set))
		for j := range set {
			of = append(of, Of{j, set[j].Findings[i]})
		}
		switch s.Scope {
		case Every:
			results[i].every(of)
		case Course:
			results[i].course(set, of)
		}
	}
	return results
}

// every takes the worst verdict. NotObservable stands before NotExercised: somewhere it came to the point.
func (r *Result) every(of []Of) {
	for _, o := range of {
		r.Verdict = max(r.Verdict, o.Verdict)
	}
	for _, o := range of {
		if o.Verdict == r.Verdict {
			r.Of = append(r.Of, o)
		}
	}
	if !r.Verdict.Decides() {
		r.Of = r.Of[:1]
	}
}

// course takes the verdict of the trace that decides and lets the others refine it.
func (r *Result) course(set []Judged, of []Of) {
	decides := func(o Of) bool { return o.Verdict.Decides() }
	at := slices.IndexFunc(of, func(o Of) bool { return set[o.Trace].Header.Story.Name == plainStory && decides(o) })
	if at < 0 {
		at = slices.IndexFunc(of, decides)
	}
	if at < 0 {
		r.every(of)
		return
	}
	r.Verdict = of[at].Verdict
	r.Of = append(r.Of, of[at])
	if r.Verdict != Holds {
		return
	}
	for _, o := range of {
		if o.Verdict > Holds {
			r.Verdict = Refined
			r.Of = append(r.Of, o)
		}
	}
}
