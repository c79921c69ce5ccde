package book

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectlab/trace"
)

// evidenceOf are the kinds of events that a statement's verdicts can rest on, and how many events of the plain story its verdict there
// rests on. TestWithoutItsEvidenceAVerdictIsAnother says that nothing is missing, this that nothing is there for no reason.
var evidenceOf = map[string]struct {
	kinds string
	plain int
}{
	"A1":  {"Arrived Call HostChange Sent", 3},
	"A2":  {"Call Control", 4},
	"A3":  {"Call Return Sent", 0},
	"A4":  {"Call Control", 2},
	"A5":  {"Arrived Control", 2},
	"A6":  {"Control StateChange", 6},
	"A7":  {"Sent Control", 6},
	"A8":  {"Arrived Call Control Sent StateChange", 10},
	"B1":  {"Sent", 8},
	"B2":  {"Sent", 11},
	"B3":  {"Sent", 11},
	"B4":  {"Sent", 2},
	"B5":  {"Sent", 10},
	"B6":  {"Sent", 11},
	"B7":  {"Sent", 0},
	"B8":  {"Sent", 1},
	"B9":  {"Sent", 2},
	"B10": {"Sent StateChange", 0},
	"B11": {"Control Sent", 6},
	"B12": {"Sent", 2},
	"B13": {"Sent", 2},
	"B14": {"Arrived", 0},
	"B15": {"Sent", 0},
	"B16": {"Sent", 8},
	"B17": {"Sent", 2},
	"B18": {"Sent", 5},
	"B19": {"Control", 20},
	"B20": {"Arrived Call Control", 22},
	"B21": {"Call Control StateChange", 0},
	"C1":  {"Call Sent", 2},
	"C2":  {"Call Sent", 2},
	"C3":  {"Sent", 1},
	"C4":  {"Sent", 1},
	"C5":  {"Sent", 1},
	"C6":  {"Arrived Sent", 1},
	"C7":  {"Arrived Control Sent StateChange", 3},
	"C8":  {"Sent", 2},
	"C9":  {"Arrived Return StateChange", 3},
	"C10": {"Arrived Control Return StateChange", 4},
	"C11": {"Sent", 2},
	"C12": {"Call Return Sent", 7},
	"C13": {"Call StateChange", 3},
}

func TestEvidenceIsOfWhatAStatementSpeaks(t *testing.T) {
	for _, name := range allStories() {
		tr := story(t, name)
		for _, f := range Judge(tr) {
			want := evidenceOf[f.Statement.ID]
			for _, n := range f.Evidence {
				if kind := kindOf(tr.Event(n)); !slices.Contains(strings.Fields(want.kinds), kind) {
					t.Errorf("%s: %s rests on event %d, which is of %s; it speaks of: %s", name, f.Statement.ID, n, kind, want.kinds)
				}
			}
			if name == "plain" && len(f.Evidence) != want.plain {
				t.Errorf("%s rests on %d events, want %d: %v", f.Statement.ID, len(f.Evidence), want.plain, f.Evidence)
			}
		}
	}
}

// kindOf names what an event tells: "StateChange".
func kindOf(e *trace.Event) string { return strings.TrimPrefix(fmt.Sprintf("%T", e.Detail), "*trace.") }
