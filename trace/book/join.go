package book

import (
	"connectlab/trace"
)

// A Run tells those who read a Result where a trace came from. A Joiner asks only whether two parts are of one.
type Run struct {
	Name           string // the story, the file
	Client, Server string // the stacks; empty: not known
	// Trace is the trace itself; nil: it was not kept.
	Trace *trace.Trace
	// Frames are the frames of a capture that the trace's events were made from, the first event's first; nil: it was not
	// made from a capture.
	Frames []int
}

// A Judged is a trace and what it says of the statements.
type Judged struct {
	Findings []Finding
	Run      Run
	// Plain: the run tells the normal course of a connect, which decides statements of the scope Course. What runs a story
	// knows; its name alone does not tell.
	Plain bool
	// Part counts the parts of a run that is judged in several, from 1 on: they follow each other and have one Run.Name, which no
	// other run has. 0: it is judged as a whole. More: further parts may come.
	Part int
	More bool
}

// A Result is what a set of runs says of one statement.
type Result struct {
	Statement *Statement
	Verdict   Verdict
	// Of are the findings that the verdict rests on, each with the index of its trace in the set: the one that decides first.
	// Where no trace decided it is the one that came nearest.
	Of []Of
	// More is how many further runs have findings that the verdict rests on and that were not kept: see Joiner.
	More int
}

// Of is one finding of one trace.
type Of struct {
	Trace int
	Run   Run
	Finding
}

// Numbers are what to look up of the evidence: the numbers of events, or, of a capture, those of its frames. Both rise.
func (o *Of) Numbers() []int {
	if o.Run.Frames == nil {
		return o.Evidence
	}
	frames := make([]int, 0, len(o.Evidence))
	for _, n := range o.Evidence {
		if n <= len(o.Run.Frames) && o.Run.Frames[n-1] > 0 {
			frames = append(frames, o.Run.Frames[n-1])
		}
	}
	return rising(frames)
}

// A Joiner joins what traces say, one after the other, by the statements' scopes.
//
// Every: the worst verdict of all, contradicted before refined before holds; the findings are those that have it. Course: the
// plain run decides, or, where it does not come to the point, the first that does; a holds becomes refined by
// each other trace that is otherwise, and their findings stand behind.
type Joiner struct {
	// Keep is how many findings a Result keeps: a capture can have any number of connections. 0: all. Parts of one run that say the
	// same are one.
	Keep int

	n        int
	joined   []joined
	findings []Finding             // of the first trace, for what nothing decides
	had      map[string][]verdicts // by the names of runs of which more parts may come: what their parts have said of each statement
}

// verdicts is a set of verdicts.
type verdicts uint8

func (s *verdicts) add(v Verdict)     { *s |= 1 << v }
func (s verdicts) has(v Verdict) bool { return s&(1<<v) != 0 }

// joined is what was found of one statement until now.
type joined struct {
	// nearest is the first finding of the verdict that is highest, deciding or not.
	nearest Of
	// base is the finding that decides a course; its Verdict is NotExercised as long as none does.
	base  Of
	plain bool // base is of the plain run
	// same are the findings that have nearest's verdict, other those above holds, base left out; more are those not kept.
	same, other         []Of
	moreSame, moreOther int
}

// Add takes in what one more trace says: the findings of Judge, in its order. The Joiner keeps what it needs of them.
func (j *Joiner) Add(t Judged) {
	if j.joined == nil {
		j.joined = make([]joined, len(t.Findings))
		j.findings = t.Findings
		j.had = map[string][]verdicts{}
	}
	var had []verdicts
	if t.Part > 1 {
		had = j.had[t.Run.Name]
	}
	if had == nil {
		had = make([]verdicts, len(t.Findings))
	}
	if t.More {
		j.had[t.Run.Name] = had
	} else if t.Part > 1 {
		delete(j.had, t.Run.Name)
	}
	for i, f := range t.Findings {
		j.joined[i].add(Of{j.n, t.Run, f}, t.Plain, j.Keep, had[i].has(f.Verdict))
		had[i].add(f.Verdict)
	}
	j.n++
}

// add takes in a finding. again: a part of the same run before it had the same verdict, which counts once.
func (s *joined) add(o Of, plain bool, keep int, again bool) {
	switch {
	case s.same == nil || o.Verdict > s.nearest.Verdict:
		s.nearest, s.same, s.moreSame = o, []Of{o}, 0
	case o.Verdict == s.nearest.Verdict && o.Verdict.Decides() && !again:
		put(&s.same, &s.moreSame, o, keep)
	}
	if !o.Verdict.Decides() {
		return
	}
	if first := s.base.Statement == nil; first || plain && !s.plain {
		if s.base.Verdict > Holds { // it stood before all others
			others := s.other
			s.other = nil
			put(&s.other, &s.moreOther, s.base, keep)
			for _, other := range others {
				put(&s.other, &s.moreOther, other, keep)
			}
		}
		s.base, s.plain = o, plain
		return
	}
	if o.Verdict > Holds && !again {
		put(&s.other, &s.moreOther, o, keep)
	}
}

// put appends o to list unless that has keep entries; then it is counted.
func put(list *[]Of, more *int, o Of, keep int) {
	if keep > 0 && len(*list) >= keep {
		*more++
		return
	}
	*list = append(*list, o)
}

// Results are one a statement, in the book's order; none without any trace.
func (j *Joiner) Results() []Result {
	results := make([]Result, 0, len(j.joined))
	for i := range j.joined {
		s := &j.joined[i]
		r := Result{Statement: j.findings[i].Statement, Verdict: s.nearest.Verdict, Of: []Of{s.nearest}}
		switch {
		case !r.Verdict.Decides():
		case r.Statement.Scope == Every:
			r.Of, r.More = s.same, s.moreSame
		default:
			r.Verdict, r.Of = s.base.Verdict, []Of{s.base}
			if r.Verdict == Holds && len(s.other) > 0 {
				r.Verdict, r.Of, r.More = Refined, append(r.Of, s.other...), s.moreOther
			}
		}
		results = append(results, r)
	}
	return results
}
