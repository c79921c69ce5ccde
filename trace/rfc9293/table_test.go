package rfc9293

import (
	"encoding/csv"
	"io"
	"os"
	"strings"
	"testing"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// transitions is a table of RFC 9293's transitions that was written apart from ours: of those that lead to another state, what
// our table has a column for. The whole of it, with what each stack does, is no part of the project.
const (
	transitions      = "testdata/transitions.tsv"
	wholeTransitions = "../../../shared/rfc/rfc9293-transitions.tsv"
)

// rowOf is which of our rows a transition is that leads to another state. Several can be one: data beside a SYN do not matter to
// where it leads.
var rowOf = map[string]string{
	"T001": "CLOSED: OPEN passive",
	"T002": "CLOSED: OPEN active",
	"T013": "LISTEN: OPEN active",
	"T015": "LISTEN: SEND",
	"T018": "LISTEN: CLOSE",
	"T019": "LISTEN: ABORT",
	"T024": "LISTEN: SYN",
	"T025": "LISTEN: SYN",
	"T026": "LISTEN: SYN",
	"T027": "LISTEN: SYN",
	"T035": "SYN-SENT: CLOSE",
	"T036": "SYN-SENT: ABORT",
	"T041": "SYN-SENT: RST with the ACK of its SYN",
	"T043": "SYN-SENT: SYN,ACK with the ACK of its SYN",
	"T044": "SYN-SENT: SYN,ACK with the ACK of its SYN",
	"T045": "SYN-SENT: SYN,ACK,FIN with the ACK of its SYN",
	"T046": "SYN-SENT: SYN",
	"T047": "SYN-SENT: SYN",
	"T051": "SYN-SENT: user timeout",
	"T052": "SYN-SENT: hard ICMP error",
	"T057": "SYN-RECEIVED: CLOSE",
	"T059": "SYN-RECEIVED: ABORT",
	"T064": "SYN-RECEIVED: RST at RCV.NXT (passive)",
	"T065": "SYN-RECEIVED: RST at RCV.NXT (active)",
	"T067": "SYN-RECEIVED: SYN in the window (passive)",
	"T069": "SYN-RECEIVED: SYN in the window (active)",
	"T071": "SYN-RECEIVED: ACK of its SYN",
	"T072": "SYN-RECEIVED: ACK of its SYN",
	"T073": "SYN-RECEIVED: FIN with the ACK of its SYN",
	"T075": "SYN-RECEIVED: SYN,ACK that crosses its own (active)",
	"T078": "SYN-RECEIVED: user timeout",
	"T082": "ESTABLISHED: CLOSE",
	"T083": "ESTABLISHED: ABORT",
	"T087": "ESTABLISHED: RST at RCV.NXT",
	"T090": "ESTABLISHED: SYN in the window",
	"T099": "ESTABLISHED: FIN in order",
	"T100": "ESTABLISHED: FIN in order",
	"T103": "ESTABLISHED: RST at RCV.NXT",
	"T104": "ESTABLISHED: hard ICMP error",
	"T107": "ESTABLISHED: user timeout",
	"T108": "ESTABLISHED: ABORT (Note 3)",
	"T112": "FIN-WAIT-1: RST at RCV.NXT",
	"T115": "FIN-WAIT-1: SYN in the window",
	"T124": "FIN-WAIT-1: user timeout",
	"T129": "FIN-WAIT-1: ABORT",
	"T131": "FIN-WAIT-1: ACK of its FIN",
	"T133": "FIN-WAIT-1: FIN in order",
	"T134": "FIN-WAIT-1: FIN with the ACK of its FIN",
	"T135": "FIN-WAIT-1: FIN with the ACK of its FIN",
	"T136": "FIN-WAIT-1: data after its CLOSE",
	"T141": "FIN-WAIT-2: RST at RCV.NXT",
	"T144": "FIN-WAIT-2: SYN in the window",
	"T153": "FIN-WAIT-2: user timeout",
	"T158": "FIN-WAIT-2: ABORT",
	"T160": "FIN-WAIT-2: FIN in order",
	"T161": "FIN-WAIT-2: FIN in order",
	"T162": "FIN-WAIT-2: data after its CLOSE",
	"T163": "FIN-WAIT-2: FIN-WAIT-2 timeout",
	"T167": "CLOSE-WAIT: RST at RCV.NXT",
	"T170": "CLOSE-WAIT: SYN in the window",
	"T178": "CLOSE-WAIT: user timeout",
	"T182": "CLOSE-WAIT: CLOSE",
	"T183": "CLOSE-WAIT: ABORT",
	"T189": "CLOSING: RST at RCV.NXT",
	"T192": "CLOSING: SYN in the window",
	"T197": "CLOSING: user timeout",
	"T202": "CLOSING: ABORT",
	"T204": "CLOSING: ACK of its FIN",
	"T211": "LAST-ACK: RST at RCV.NXT",
	"T214": "LAST-ACK: SYN in the window",
	"T219": "LAST-ACK: user timeout",
	"T224": "LAST-ACK: ABORT",
	"T226": "LAST-ACK: ACK of its FIN",
	"T233": "TIME-WAIT: RST at RCV.NXT",
	"T241": "TIME-WAIT: ABORT",
	"T244": "TIME-WAIT: SYN with a newer timestamp",
	"T245": "TIME-WAIT: SYN beyond RCV.NXT",
	"T248": "TIME-WAIT: TIME-WAIT timeout",
}

// leftOut are variants that our table leaves out, and why.
var leftOut = map[string]string{
	"mls": "security and compartment of a segment (RFC 9293, Appendix A.1) are used by no stack that connectlab runs, and are in no header that it reads",
}

// variants are our names of variants by those of the file.
var variants = map[string]string{
	"base": "", "793": variant793, "6191": variant6191, "MAY-2": variantMAY2, "fig7": variantFig7, "half-duplex": variantHalf, "note3": variantNote3,
	"extension": variantOrphan,
}

// beyond are our rows that the other table lacks, and why they are here.
var beyond = map[string]string{
	"SYN-RECEIVED: hard ICMP error": hardErrors,
	"FIN-WAIT-1: hard ICMP error":   hardErrors,
	"FIN-WAIT-2: hard ICMP error":   hardErrors,
	"CLOSE-WAIT: hard ICMP error":   hardErrors,
	"CLOSING: hard ICMP error":      hardErrors,
	"LAST-ACK: hard ICMP error":     hardErrors,
}

const hardErrors = "RFC 9293, Section 3.9.2.2, SHLD-26 names no state, and the other table has SYN-SENT and ESTABLISHED only"

// readTransitions reads a table of transitions, and where its columns are.
func readTransitions(t *testing.T, r io.Reader) (rows [][]string, column map[string]int) {
	t.Helper()
	read := csv.NewReader(r)
	read.Comma, read.LazyQuotes = '\t', true
	rows, err := read.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column = map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	return rows, column
}

// TestTransitionsAreWhole: where the whole table is at hand, ours is cut from it and lacks none that leads to another state.
func TestTransitionsAreWhole(t *testing.T) {
	f, err := os.Open(wholeTransitions)
	if err != nil {
		t.Skip("the whole table is not here: ", err)
	}
	defer f.Close()
	rows, column := readTransitions(t, f)
	got, err := os.ReadFile(transitions)
	if err != nil {
		t.Fatal(err)
	}
	columns := strings.Split(strings.TrimSpace(strings.SplitN(string(got), "\n", 2)[0]), "\t")
	var want strings.Builder
	for i, row := range rows {
		if i > 0 && row[column["from"]] == row[column["to"]] {
			continue
		}
		var cells []string
		for _, name := range columns {
			cells = append(cells, row[column[name]])
		}
		want.WriteString(strings.Join(cells, "\t") + "\n")
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", transitions, diff)
	}
}

// TestTableIsTheRFCs holds our table against another, both ways.
func TestTableIsTheRFCs(t *testing.T) {
	f, err := os.Open(transitions)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, column := readTransitions(t, f)
	byID, named, sections := map[string]*Edge{}, map[string]bool{}, map[string]string{}
	for _, e := range table {
		if byID[e.ID] != nil {
			t.Errorf("two rows are %s", e.ID)
		}
		byID[e.ID] = &e
	}
	known, out := map[string]bool{}, map[string]int{}
	for _, row := range rows[1:] {
		field := func(name string) string { return row[column[name]] }
		id, variant := field("id"), field("variant")
		known[id] = true
		ours, listed := rowOf[id]
		switch {
		case leftOut[variant] != "":
			if out[variant]++; listed {
				t.Errorf("%s is left out, and is listed as %s", id, ours)
			}
			continue
		case !listed:
			t.Errorf("%s: %s to %s by %s %s (%s) is no row of ours", id, field("from"), field("to"), field("kind"), field("event"), variant)
			continue
		}
		e := byID[ours]
		if e == nil {
			t.Errorf("%s is listed as %s, which is no row", id, ours)
			continue
		}
		named[ours] = true
		if e.From.String() != field("from") || e.To.String() != field("to") {
			t.Errorf("%s leads from %s to %s; our row from %v to %v", id, field("from"), field("to"), e.From, e.To)
		}
		if want, ok := variants[variant]; !ok || e.Variant != want {
			t.Errorf("%s is the variant %q; our row %q", id, variant, e.Variant)
		}
		if e.Origin == Passive && field("origin") != "passive" || e.Origin == Active && field("origin") != "active" ||
			e.Origin == AnyOrigin && (field("origin") == "passive" || field("origin") == "active") {
			t.Errorf("%s is for %s; our row %d", id, field("origin"), e.Origin)
		}
		if kind := kindOf(e.On); kind != field("kind") {
			t.Errorf("%s is a %s; our row a %s", id, field("kind"), kind)
		}
		sections[ours] += strings.ReplaceAll(field("section"), "Fig 7", "3.5") + "; "
	}
	for _, e := range table {
		if why := beyond[e.ID]; why != "" {
			if t.Logf("beyond the other table: %s: %s", e.ID, why); named[e.ID] {
				t.Errorf("the other table has %s now", e.ID)
			}
			continue
		}
		if !named[e.ID] {
			t.Errorf("%s is none of the RFC's transitions", e.ID)
		}
		if !strings.Contains(sections[e.ID], e.Section) || (e.Section == "") != (e.Variant == variantOrphan) {
			t.Errorf("%s is in Section %q; the RFC's transitions are in %s", e.ID, e.Section, sections[e.ID])
		}
	}
	for id := range rowOf {
		if !known[id] {
			t.Errorf("there is no %s", id)
		}
	}
	for id := range beyond {
		if byID[id] == nil {
			t.Errorf("%s is beyond the other table, and no row", id)
		}
	}
	for variant, why := range leftOut {
		t.Logf("left out: %d transitions of the variant %s: %s", out[variant], variant, why)
		if out[variant] == 0 {
			t.Errorf("nothing is left out as %s", variant)
		}
	}
	t.Logf("%d transitions, %d rows", len(rows)-1, len(table))
}

// kindOf is the kind of a stimulus in the file's words.
func kindOf(s Stimulus) string {
	switch {
	case s <= Abort:
		return "call"
	case s == HardError:
		return "icmp"
	case s >= UserTimeout:
		return "timeout"
	}
	return "segment"
}

// TestTableIsWhole: each state can be come to and left, no row stays where it is, and each stimulus has a name and a row.
func TestTableIsWhole(t *testing.T) {
	from, to, on := map[trace.State]bool{}, map[trace.State]bool{}, map[Stimulus]bool{}
	for _, e := range Edges() {
		from[e.From], to[e.To], on[e.On] = true, true, true
		if e.From == e.To {
			t.Errorf("%s stays", e.ID)
		}
	}
	for _, s := range trace.States() {
		if !from[s] || !to[s] {
			t.Errorf("%v: left %v, come to %v", s, from[s], to[s])
		}
	}
	for s := range Stimulus(numStimuli) {
		if !on[s] || s.String() == "" {
			t.Errorf("stimulus %d, %q: there is a row is %v", s, s, on[s])
		}
	}
	if Stimulus(numStimuli).String() != "unknown stimulus" {
		t.Error("one stimulus too many has a name")
	}
	edges := Edges()
	edges[0].To = trace.TimeWait
	if Edges()[0].To == trace.TimeWait {
		t.Error("a caller can change the table")
	}
}
