package view

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/book"
)

// columnViews are those of several stacks: what one trace says stands beside what others say.
var columnViews = []named{
	{"book columns", func(w io.Writer, t *trace.Trace, o Options) error { return BookColumns(w, columnsOf(t, 2), o) }},
	{"many book columns", func(w io.Writer, t *trace.Trace, o Options) error { return BookColumns(w, columnsOf(t, 9), o) }},
	{"item columns", func(w io.Writer, t *trace.Trace, o Options) error { return ItemColumns(w, itemsOf(t), o) }},
}

// columnsOf are n columns of which each second has no finding of t.
func columnsOf(t *trace.Trace, n int) []BookColumn {
	other := &trace.Trace{Header: t.Header}
	columns := make([]BookColumn, n)
	for i := range columns {
		columns[i] = BookColumn{fmt.Sprintf("handwritten+ws+ts+sack %d", i), judged(t)}
		if i%2 > 0 {
			columns[i] = BookColumn{"다른 스택", judged(other)}
		}
	}
	return columns
}

// itemsOf are the items of both hosts, and those of a stack that shows nothing.
func itemsOf(t *trace.Trace) []ItemColumn {
	var columns []ItemColumn
	for _, host := range []string{"client", "server"} {
		items := &book.Items{}
		items.Add(t, host)
		columns = append(columns, ItemColumn{Stack: host, Items: items})
	}
	dark := &book.Items{}
	dark.Add(&trace.Trace{}, "client")
	return append(columns, ItemColumn{Stack: "dark", Items: dark})
}

// TestColumnsOfTheBook: the plain story on two makers' stacks.
func TestColumnsOfTheBook(t *testing.T) {
	s, err := script.Builtin("plain")
	if err != nil {
		t.Fatal(err)
	}
	r, err := script.Run(s, netns.Config{Client: &handwritten.Factory{}, Server: &handwritten.Factory{}})
	if err != nil {
		t.Fatal(err)
	}
	columns := []BookColumn{{"gvisor", judged(story(t, "plain"))}, {"handwritten", judged(r.Trace)}}
	items := []ItemColumn{{Stack: "gvisor", Items: &book.Items{}}, {Stack: "handwritten", Items: &book.Items{}}}
	items[0].Items.Add(story(t, "plain"), "client")
	items[1].Items.Add(r.Trace, "client")
	items[1].Items.Add(r.Trace, "server") // whose listening socket holds what no connection's does
	items[1].Run = book.Run{Name: "plain", Client: "handwritten", Server: "handwritten"}
	golden(t, "testdata/book-columns.txtar", r.Trace, []named{
		{"book columns", func(w io.Writer, _ *trace.Trace, o Options) error { return BookColumns(w, columns, o) }},
		{"item columns", func(w io.Writer, _ *trace.Trace, o Options) error { return ItemColumns(w, items, o) }},
	})
}

// TestBookColumnsMarkWhatDiffers: of each statement a row with all verdicts; those that differ are marked, and told of below, with
// story and events, and no other is.
func TestBookColumnsMarkWhatDiffers(t *testing.T) {
	columns := []BookColumn{{"one", judged(story(t, "plain"))}, {"two", judged(story(t, "refused"))}}
	for _, l := range languages {
		o := Options{Language: l, Columns: 200}
		var text, md bytes.Buffer
		if err := BookColumns(&text, columns, o); err != nil {
			t.Fatal(err)
		}
		if err := BookColumnsMarkdown(&md, columns, o); err != nil {
			t.Fatal(err)
		}
		table, below, _ := strings.Cut(text.String(), regexp.MustCompile(`(?m)^.*: \d+.*$`).FindString(text.String()))
		differ := 0
		for i := range columns[0].Results {
			id := columns[0].Results[i].Statement.ID
			word := func(j int) string { return Text(l, "verdict."+columns[j].Results[i].Verdict.String()) }
			mark, told := " ", strings.Contains(below, "≠ "+id+"  ")
			if Differs(columns, i) {
				mark = "≠"
				differ++
			}
			if told != (mark == "≠") {
				t.Errorf("%s: %s is told of below: %v, and its verdicts are %s and %s", l, id, told, word(0), word(1))
			}
			row := regexp.MustCompile(`(?m)^` + mark + ` ` + id + ` +` + regexp.QuoteMeta(word(0)) + ` +` + regexp.QuoteMeta(word(1)) + ` +` + regexp.QuoteMeta(Text(l, "book."+id)) + `$`)
			if !row.MatchString(table) {
				t.Errorf("%s: no row %s in\n%s", l, row, table)
			}
			if row := "| " + id + " | " + markdown(Text(l, "book."+id)) + " | " + word(0) + " | " + word(1) + " |\n"; strings.Count(md.String(), row) != 1 {
				t.Errorf("%s: no row %q in\n%s", l, row, &md)
			}
		}
		if differ == 0 || differ == len(columns[0].Results) {
			t.Fatalf("%d of %d differ: this shows nothing", differ, len(columns[0].Results))
		}
		c4 := indexOf(t, columns[0].Results, "C4")
		if want := Say(l, columns[0].Results[c4].Of[0].Observed) + " · plain #"; Differs(columns, c4) || strings.Contains(below, want) {
			t.Errorf("%s: C4 is the same on both, and is told of:\n%s", l, below)
		}
		a7 := indexOf(t, columns[0].Results, "A7")
		if want := Say(l, columns[0].Results[a7].Of[0].Observed) + " · plain #"; !strings.Contains(below, want) || !strings.Contains(md.String(), markdown(want)) {
			t.Errorf("%s: what is not the same is not told of: no %q in\n%s", l, want, below)
		}
		for line := range strings.Lines(md.String()) {
			if cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") - 1; strings.HasPrefix(line, "|") && cells != 5 && cells != 4 {
				t.Errorf("%s: a row of %d cells: %s", l, cells, line)
			}
		}
	}
}

// indexOf is where a statement stands among results.
func indexOf(t *testing.T, results []book.Result, id string) int {
	t.Helper()
	i := slices.IndexFunc(results, func(r book.Result) bool { return r.Statement.ID == id })
	if i < 0 {
		t.Fatalf("no result of %s", id)
	}
	return i
}

// TestBookColumnsCount: the counts of each column add up to all statements.
func TestBookColumnsCount(t *testing.T) {
	columns := []BookColumn{{"one", judged(story(t, "plain"))}, {"two", judged(story(t, "refused"))}}
	for _, l := range languages {
		var b bytes.Buffer
		if err := BookColumns(&b, columns, Options{Language: l}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		var sum [2]int
		for _, line := range lines[len(lines)-len(shownVerdicts):] {
			var n [2]int
			fields := strings.Fields(line)
			if _, err := fmt.Sscan(strings.Join(fields[len(fields)-2:], " "), &n[0], &n[1]); err != nil {
				t.Fatalf("%s: %q: %v", l, line, err)
			}
			sum[0], sum[1] = sum[0]+n[0], sum[1]+n[1]
		}
		if want := len(columns[0].Results); sum != [2]int{want, want} {
			t.Errorf("%s: the counts add up to %v, want %d", l, sum, want)
		}
	}
}

// TestBookColumnsOfTheSame: where nothing differs that is said.
func TestBookColumnsOfTheSame(t *testing.T) {
	results := judged(story(t, "plain"))
	var b bytes.Buffer
	if err := BookColumns(&b, []BookColumn{{"one", results}, {"two", results}}, Options{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "≠") || !strings.Contains(b.String(), Text(English, "book.columns.same")) {
		t.Errorf("two that are the same:\n%s", &b)
	}
}

// TestPairsOfTwoMakersAreNamed: a run of two stacks is not the one stack's.
func TestPairsOfTwoMakersAreNamed(t *testing.T) {
	one, two := judged(story(t, "plain")), judged(story(t, "refused"))
	for i := range one {
		one[i].Of[0].Run.Client, one[i].Of[0].Run.Server = "left", "right"
		two[i].Of[0].Run.Client, two[i].Of[0].Run.Server = "left", "left"
	}
	var b bytes.Buffer
	if err := BookColumns(&b, []BookColumn{{"one", one}, {"two", two}}, Options{Columns: 300}); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`plain #[^\n]* \(client left, server right\)\n`).MatchString(b.String()) || strings.Contains(b.String(), "server left") {
		t.Errorf("the makers:\n%s", &b)
	}
}

// TestItemColumns: common items first, then those that another socket than the connection's holds, and what is hidden is never absent.
func TestItemColumns(t *testing.T) {
	columns := itemsOf(story(t, "plain"))
	rows := ItemRows(columns[:2], English)
	at := func(name string) int {
		return slices.IndexFunc(rows, func(r ItemRow) bool { return r.Name == name })
	}
	if len(rows) != trace.NumItems+1 || at("state") < 0 {
		t.Fatalf("%d rows, want all items and the state", len(rows))
	}
	for _, want := range []struct {
		item    string
		sharing book.Sharing
	}{{"protocol", book.Common}, {"state", book.Common}, {"cwnd", book.Common}, {"backlog", book.Own}, {"pending error", book.Nobodys}} {
		if got := rows[at(want.item)].Sharing; got != want.sharing {
			t.Errorf("%s is %v, want %v", want.item, got, want.sharing)
		}
	}
	if at("cwnd") > at("backlog") || at("backlog") > at("pending error") {
		t.Errorf("the order is %d, %d, %d: want common items, those of another socket, nobody's", at("cwnd"), at("backlog"), at("pending error"))
	}
	if made := rows[at("protocol")].MadeTexts; made[0] != "TCP" || made[1] != "TCP" || rows[at("remote port")].MadeTexts[0] != "-" {
		t.Errorf("of sockets just made: protocol %v, remote port %v", made, rows[at("remote port")].MadeTexts)
	}
	for _, r := range ItemRows(columns, English) {
		if r.Sharing == book.Common || r.Texts[2] != Text(English, "value.not-observable") {
			t.Errorf("%s of a stack that shows nothing is %q, and %v", r.Name, r.Texts[2], r.Sharing)
		}
	}
	for _, l := range languages {
		var b bytes.Buffer
		if err := ItemColumns(&b, columns[:2], Options{Language: l}); err != nil {
			t.Fatal(err)
		}
		out := b.String()
		common, other := strings.Index(out, Text(l, "book.items.common")), strings.Index(out, Text(l, "book.items.elsewhere"))
		backlog, cwnd := strings.Index(out, Text(l, "item.backlog")), strings.Index(out, Text(l, "item.cwnd"))
		if made := strings.Index(out, Text(l, "book.items.made")); made < backlog || !strings.Contains(out[made:], Text(l, "item.protocol")) || strings.Contains(out[made:], Text(l, "item.state")) {
			t.Errorf("%s: sockets just made:\n%s", l, out)
		}
		if common < 0 || cwnd < common || other < cwnd || backlog < other {
			t.Errorf("%s: common at %d, cwnd at %d, of another socket at %d, backlog at %d:\n%s", l, common, cwnd, other, backlog, out)
		}
	}
}
