package book

import (
	"testing"

	"connectlab/netns/script"

	"github.com/google/go-cmp/cmp"
)

// TestVerdictsSideBySide: what all built-in stories together say of each statement, a column a stack. B21 is of pairs of two makers.
func TestVerdictsSideBySide(t *testing.T) {
	stacks := append([]string{"gvisor"}, otherStacks...)
	want := map[string]string{
		"A1": "hhh", "A2": "rrr", "A3": "hhh", "A4": "hhh",
		"A5": "rhh", // a SYN cookie lets the server know nothing of the client until its ACK
		"A6": "hhh", "A7": "hhh",
		"A8":  "chh", // who follows the book takes memory with connect() and with the SYN, gVisor with the first data
		"B1":  "rhr", // timestamps make headers differ once connected
		"B2":  "hcc", // ECN is told by bits that the book has as unused; gVisor has none
		"B3":  "rrr",
		"B4":  "rrr",
		"B5":  "rrr",
		"B6":  "hhh",
		"B7":  "-hh", // gVisor sends no urgent data
		"B8":  "rrr",
		"B9":  "rrr",
		"B10": "rrr", "B11": "hhh", "B12": "rrr",
		"B13": "rrr", // without scaled windows stories with more than one segment refine it
		"B14": "hhh",
		"B15": "-hh",
		"B16": "chc", // timestamps, RFC 7323
		"B17": "hhh",
		"B18": "hrr", // a FIN rides on the last data
		"B19": "rrr", "B20": "hhh", "B21": "hhh",
		"C1": "hhh", "C2": "hhh", "C3": "rrr",
		"C4": "hrr", // SYN,ECE,CWR asks for ECN
		"C5": "hhh", "C6": "rrr", "C7": "rrr", "C8": "ccc", "C9": "rrr", "C10": "ccc", "C11": "hhh", "C12": "rrr", "C13": "rrr",
	}
	letters := map[Verdict]byte{Holds: 'h', Refined: 'r', Contradicted: 'c', NotExercised: '-', NotObservable: '?'}
	got := map[string]string{}
	for _, word := range stacks {
		var own, pairs Joiner
		for _, name := range on(word, script.NamesFor(testStacks[word], testStacks[word])) {
			own.Add(Judged{Findings: Judge(story(t, name)), Run: Run{Name: name}, Plain: name == on(word, []string{"plain"})[0]})
		}
		for _, other := range stacks {
			if other != word {
				pairs.Add(Judged{Findings: Judge(story(t, "plain on "+word+","+other)), Plain: true})
			}
		}
		results := own.Results()
		for i, r := range pairs.Results() {
			if r.Statement.ID == "B21" {
				results[i] = r
			}
		}
		for _, r := range results {
			got[r.Statement.ID] += string(letters[r.Verdict])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("on %q (-want +got)\n%s", stacks, diff)
	}
}
