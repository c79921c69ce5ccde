package view

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"connectlab/trace"
	"connectlab/trace/book"
)

// bookViews are the views of what the book's statements come to on one trace.
var bookViews = []named{
	{"book", func(w io.Writer, t *trace.Trace, o Options) error { return Book(w, judged(t), o) }},
	{statements, func(w io.Writer, t *trace.Trace, o Options) error {
		results := judged(t)
		for i := range results {
			if err := Statement(w, &results[i], o); err != nil {
				return err
			}
		}
		return nil
	}},
	{"book ladder", func(w io.Writer, t *trace.Trace, o Options) error { return BookLadder(w, t, book.Ladder(t), o) }},
	{"book short", func(w io.Writer, t *trace.Trace, o Options) error {
		c := newCanvas(w, &o)
		c.line(0, "a line with colour, which this view has none of", bold)
		if err := c.end(); err != nil {
			return err
		}
		return BookShort(w, book.Judge(t), o)
	}},
	{"ladder cut", func(w io.Writer, t *trace.Trace, o Options) error {
		return LadderOf(w, t, []int{1, 3, 5, 8, 13, 21, 34}, o)
	}},
}

// statements is the view of all statements at length.
const statements = "statements"

// judged are the results on one trace.
func judged(traces ...*trace.Trace) []book.Result {
	var j book.Joiner
	for _, t := range traces {
		j.Add(book.Judged{Findings: book.Judge(t), Run: book.Run{Name: t.Header.Story.Name, Trace: t}, Plain: t.Header.Story.Name == "plain"})
	}
	return j.Results()
}

func TestViewsOfTheBook(t *testing.T) {
	golden(t, "testdata/book.txtar", story(t, "plain"), []named{bookViews[0], bookViews[2], bookViews[3], {
		"statement C8", func(w io.Writer, t *trace.Trace, o Options) error {
			results := judged(t)
			at := slices.IndexFunc(results, func(r book.Result) bool { return r.Statement.ID == "C8" })
			return Statement(w, &results[at], o)
		}}})
}

// TestBookNamesEachStatement: each row has id, verdict and statement, in both languages, as text and as Markdown; the counts add up.
func TestBookNamesEachStatement(t *testing.T) {
	results := judged(story(t, "plain"), story(t, "refused"))
	for _, l := range languages {
		o := Options{Language: l, Columns: 200}
		var text, md bytes.Buffer
		if err := Book(&text, results, o); err != nil {
			t.Fatal(err)
		}
		if err := BookMarkdown(&md, results, o); err != nil {
			t.Fatal(err)
		}
		for i := range results {
			r := &results[i]
			row := regexp.MustCompile(`(?m)^` + r.Statement.ID + ` +` + regexp.QuoteMeta(Text(l, "verdict."+r.Verdict.String())) + ` +` + regexp.QuoteMeta(Text(l, "book."+r.Statement.ID)) + `$`)
			if !row.MatchString(text.String()) {
				t.Errorf("%s: no row %s in\n%s", l, row, &text)
			}
			if row := "| " + r.Statement.ID + " | " + markdown(Text(l, "book."+r.Statement.ID)) + " |"; !strings.Contains(md.String(), row) {
				t.Errorf("%s: no row %q in\n%s", l, row, &md)
			}
		}
		sum := 0
		lines := strings.Split(strings.TrimSpace(text.String()), "\n")
		for _, n := range regexp.MustCompile(`\d+`).FindAllString(lines[len(lines)-1], -1)[1:] {
			count, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			sum += count
		}
		if sum != len(results) {
			t.Errorf("%s: the counts in %q add up to %d, want %d", l, lines[len(lines)-1], sum, len(results))
		}
		for line := range strings.Lines(md.String()) {
			if cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); strings.HasPrefix(line, "|") && cells != 6 {
				t.Errorf("%s: a row of %d cells: %s", l, cells-1, line)
			}
		}
	}
}

// TestMarkdownOfHostileNames: a file's name cannot break out of its cell.
func TestMarkdownOfHostileNames(t *testing.T) {
	tr := story(t, "plain")
	var j book.Joiner
	j.Add(book.Judged{Findings: book.Judge(tr), Run: book.Run{Name: "a|b<script>`*_\n# x"}})
	var b bytes.Buffer
	if err := BookMarkdown(&b, j.Results(), Options{}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script>", "a|b", "\n# x"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the table has %q as it came", bad)
		}
	}
}

// TestLadderOfShowsWhatDecides: of the steps of the events that were asked for each is drawn, and how many others lie between.
func TestLadderOfShowsWhatDecides(t *testing.T) {
	tr := story(t, "plain")
	var b bytes.Buffer
	if err := LadderOf(&b, tr, []int{21, 28}, Options{}); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, want := range []string{"connect(3, 192.0.2.2:80)", "SYN,ACK seq 0 ack 1", "SYN-RECEIVED", "ESTABLISHED"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "close(") || strings.Contains(out, "FIN") {
		t.Errorf("more than was asked for in\n%s", out)
	}
	left := 0
	for _, m := range regexp.MustCompile(`⋮ (\d+) event`).FindAllStringSubmatch(out, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		left += n
	}
	drawn := 0
	eachStep(tr, func(step []trace.Event) {
		for i := range step {
			// The SYN and the SYN,ACK, and where each arrived.
			if n := step[i].N; n == 21 || n == 28 || tr.Event(n).Cause == 21 && n != 21 || n == 31 {
				drawn += len(step)
				return
			}
		}
	})
	if left+drawn != len(tr.Events) {
		t.Errorf("%d events are drawn and %d left out, of %d", drawn, left, len(tr.Events))
	}
}
