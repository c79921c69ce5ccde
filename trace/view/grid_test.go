package view

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/diff"
)

// gridKeys are the keys that the views of grids make out of names.
func gridKeys() []string {
	keys := []string{"grid.blocked.one", "grid.failures.one", "grid.field.time", "grid.lack-client", "grid.lack-server"}
	for r := trace.Finished; r <= trace.Stopped; r++ {
		keys = append(keys, keyed("grid.end.", r.String()))
	}
	for _, capability := range capabilities {
		keys = append(keys, keyed("grid.need.", capability))
	}
	for _, wrong := range []string{"malformed", "checksum", "too-long"} {
		keys = append(keys, "grid."+wrong, "grid."+wrong+".one")
	}
	for _, field := range outcomeFields {
		keys = append(keys, "grid.field."+field)
	}
	return keys
}

// outcomeFields are those of diff.Fields in which outcomes differ, but for times.
var outcomeFields = []string{
	"connect", "octets-sent", "octets-received", "octets-wrong", "errors", "end-state", "reason", "blocked", "segments", "segments-again", "malformed", "checksum", "too-long",
}

// Each field in which two outcomes can differ has a word.
func TestFieldsOfOutcomesHaveWords(t *testing.T) {
	a := gridCell(1, 0)
	b := diff.Outcome{
		Connects: []diff.Connect{{Host: "client"}}, Ends: []diff.EndState{{Host: "client", State: trace.TimeWait}}, Returned: 9, At: 9, Reason: trace.Idle, Blocked: 3,
		Hosts: []diff.HostOutcome{{Host: "client", Sent: 9, Received: 9, Wrong: true, Errors: []string{"send EPIPE"}, Segments: 9, Again: 9, Malformed: 9, BadChecksum: 9, TooLong: 9}},
	}
	got, went := a.Outcome.Differs(&b)
	var fields []string
	for _, d := range slices.Concat(got, went) {
		if d.Aspect != diff.Time && !slices.Contains(fields, d.Field) {
			fields = append(fields, d.Field)
		}
	}
	slices.Sort(fields)
	if want := slices.Sorted(slices.Values(outcomeFields)); !slices.Equal(want, fields) {
		t.Errorf("outcomes that differ in all differ in %q, want %q", fields, want)
	}
}

// gridCell is a cell in which a connect() took so many milliseconds, and a number of octets arrived each way.
func gridCell(ms, octets int) diff.Cell {
	at := time.Duration(ms) * time.Millisecond
	return diff.Cell{AsWritten: true, Outcome: diff.Outcome{
		Connects: []diff.Connect{{Host: "client", Program: "client", Event: 5, Returned: true, After: at}},
		Hosts: []diff.HostOutcome{
			{Host: "client", Sent: int64(octets), Received: int64(octets), Checked: int64(octets), Segments: 6},
			{Host: "server", Sent: int64(octets), Received: int64(octets), Checked: int64(octets), Segments: 5},
		},
		Ends: []diff.EndState{{Host: "client", Socket: 1, State: trace.Closed}, {Host: "server", Socket: 2, State: trace.Closed}},
		At:   60*time.Second + at,
	}}
}

// grids are what there can be in a grid: nothing that differs, everything that differs, what cannot be run, and what broke.
func grids() []*diff.Grid {
	of := func(story string, cells ...diff.Cell) *diff.Grid {
		g := &diff.Grid{Story: story, Stacks: []string{"gvisor", "handwritten"}, Cells: [][]diff.Cell{cells[:2], cells[2:]}}
		g.Compare()
		return g
	}
	lack := func(lacks ...diff.Lack) diff.Cell { return diff.Cell{Lacks: lacks} }
	client, server := diff.Lack{Host: "client", Stack: "handwritten", Need: "Ethernet"}, diff.Lack{Host: "server", Stack: "handwritten", Need: "Ethernet"}
	ecn := func(host, stack string) diff.Lack { return diff.Lack{Host: host, Stack: stack, Need: "ECN"} }
	wrong, blocked, failed, refused := gridCell(20, 5), gridCell(20, 5), gridCell(20, 5), gridCell(20, 5)
	wrong.Outcome.Hosts[0].Wrong = true
	wrong.Outcome.Hosts[1].Received, wrong.Outcome.Hosts[1].Checked = 9, 3
	blocked.Outcome.Connects[0].Returned = false
	blocked.Outcome.Reason, blocked.Outcome.Blocked = trace.Idle, 2
	blocked.Outcome.Ends[0].State = trace.SynSent
	failed.Failures = []string{"line 3: send(3, ..., 5, 0) = 5: expected 5, got 4"}
	failed.Outcome.Reason = trace.UntilReached
	failed.Outcome.Hosts[0].Errors = []string{"recv ECONNRESET", "send EPIPE", "send EPIPE"}
	failed.Outcome.Hosts[0].Received, failed.Outcome.Hosts[0].Checked = 5, 0
	refused.Outcome.Connects[0].Result, refused.Outcome.Connects[0].Errno = -1, "ECONNREFUSED"
	refused.Outcome.Connects = append(refused.Outcome.Connects, refused.Outcome.Connects[0], diff.Connect{Host: "client"})
	return []*diff.Grid{
		of("the same", gridCell(20, 5), gridCell(20, 5), gridCell(20, 5), gridCell(20, 5)),
		of("another time", gridCell(20, 3000), gridCell(30, 3000), gridCell(20, 3000), gridCell(20, 3000)),
		of("ethernet", gridCell(20, 5), lack(server), lack(client), lack(client, server)),
		of("ecn", lack(ecn("client", "gvisor"), ecn("server", "gvisor")), lack(ecn("client", "gvisor"), ecn("server", "handwritten")),
			lack(ecn("client", "handwritten"), ecn("server", "gvisor")), lack(ecn("client", "handwritten"), ecn("server", "handwritten"))),
		of("wrong", gridCell(20, 5), wrong, blocked, refused),
		of("failed", gridCell(20, 5), failed, diff.Cell{Error: "server: start the stack: no memory\x1b[2J"}, gridCell(20, 5)),
	}
}

func TestGrids(t *testing.T) {
	golden(t, "testdata/grids.txtar", nil, []named{
		{"grids", func(w io.Writer, _ *trace.Trace, o Options) error { return Grids(w, grids(), o) }},
		{"one", func(w io.Writer, _ *trace.Trace, o Options) error { return Grids(w, grids()[4:5], o) }},
		{"markdown", func(w io.Writer, _ *trace.Trace, o Options) error { return GridsMarkdown(w, grids(), o) }},
	})
}

// What a story asks of one host alone is told with the host, in a line and for all pairs.
func TestLackOfOneHostNamesIt(t *testing.T) {
	g := func(hosts ...string) *diff.Grid {
		grid := &diff.Grid{Story: "cookies", Stacks: []string{"gvisor", "toy"}, Cells: [][]diff.Cell{make([]diff.Cell, 2), make([]diff.Cell, 2)}}
		for i := range grid.Cells {
			for j := range grid.Cells[i] {
				for _, host := range hosts {
					if toy := map[string]int{"client": i, "server": j}[host]; toy == 1 {
						grid.Cells[i][j].Lacks = append(grid.Cells[i][j].Lacks, diff.Lack{Host: host, Stack: "toy", Need: "SYN cookies"})
					}
				}
			}
		}
		return grid
	}
	for _, c := range []struct {
		want  string
		hosts []string
		cells int
	}{
		{"SYN cookies (toy as server)", []string{"server"}, 2},
		{"SYN cookies (toy as client)", []string{"client"}, 2},
		{"SYN cookies (toy)", []string{"client", "server"}, 3},
	} {
		grid := g(c.hosts...)
		if got := GridLacks(grid, English); got != c.want {
			t.Errorf("all pairs lack %q, want %q", got, c.want)
		}
		var b strings.Builder
		if err := Grids(&b, []*diff.Grid{grid}, Options{Language: English}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "cannot: "+c.want); n != c.cells {
			t.Errorf("%d lines say %q, want %d:\n%s", n, c.want, c.cells, b.String())
		}
	}
}

// No line is wider than the columns, and nothing that is to be said gets lost for that, however long the names of stacks are.
func TestGridsFitTheColumns(t *testing.T) {
	for _, columns := range []int{60, 80, 100, 200} {
		for _, l := range languages {
			for _, name := range []string{"gvisor", "handwritten+ws+ts+sack", strings.Repeat("long", 20)} {
				all := grids()
				for _, g := range all {
					g.Stacks[0] = name
					g.Compare()
				}
				o := Options{Columns: columns, Language: l}
				var b strings.Builder
				if err := Grids(&b, all, o); err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(b.String()) {
					if w := width(strings.TrimSuffix(line, "\n")); w > columns {
						t.Errorf("%d columns, %s, %s: a line of %d cells: %s", columns, l, name, w, line)
					}
				}
				text := strings.Join(strings.Fields(b.String()), "")
				for _, want := range []string{
					name + "→handwritten", "-1ECONNREFUSED×2", "3000+3000", "6+5", "60.03", "recvECONNRESET,sendEPIPE×2", "SYN-SENT",
					strings.Join(strings.Fields(o.text("grid.cannot", o.text("grid.lack", "ECN", "gvisor, handwritten"))), ""),
				} {
					if !strings.Contains(text, want) {
						t.Errorf("%d columns, %s, %s: nothing says %q:\n%s", columns, l, name, want, b.String())
					}
				}
			}
		}
	}
}

// Where there is room the facts of all stories stand below their heads, whatever one of them has to put there; names that are too long
// to stand beside stand above.
func TestGridsLineUp(t *testing.T) {
	for _, name := range []string{"gvisor", strings.Repeat("long", 20)} {
		all := grids()[:5]
		for _, g := range all {
			g.Stacks[0] = name
			g.Compare()
		}
		var b strings.Builder
		if err := Grids(&b, all, Options{Columns: 100}); err != nil {
			t.Fatal(err)
		}
		at, rows := -1, 0
		for line := range strings.Lines(b.String()) {
			if at < 0 {
				at = strings.Index(line, "segments")
				if at > 0 {
					at = width(line[:at])
				}
			}
			before, _, ok := strings.Cut(line, "6+5 ")
			if !ok {
				continue
			}
			rows++
			if got := width(before); got != at {
				t.Errorf("%s: the segments stand at %d, their head at %d: %s", name, got, at, line)
			}
		}
		if rows != 10 {
			t.Errorf("%s: %d rows, want 10:\n%s", name, rows, b.String())
		}
	}
}

// That the only pair that can do a story is not unlike another says nothing: it is not counted among the stories in which all get the
// same.
func TestAPairAloneIsNotTheSameAsOthers(t *testing.T) {
	var b strings.Builder
	if err := Grids(&b, grids()[:3], Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ethernet · only one pair can do it: there is none to compare it with\n",
		"Stories: 3. The programs get the same from all pairs that can do it in: 2.\nOnly one pair can do it: 1 (ethernet).\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, b.String())
		}
	}
}

// A name or an error that comes out of a trace does not move the cursor of whoever looks at it.
func TestGridsAreClean(t *testing.T) {
	all := grids()[5:]
	all[0].Story, all[0].Stacks[1] = "\x1b[2Jstory", "stack\r\x07"
	for name, print := range map[string]func(io.Writer, []*diff.Grid, Options) error{"text": Grids, "Markdown": GridsMarkdown} {
		var b strings.Builder
		if err := print(&b, all, Options{}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(b.String(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }) {
			t.Errorf("%s: control characters in %q", name, b.String())
		}
	}
}

// TestOfSeveralConnectsTheLongestIsMarked: unless all took the same time.
func TestOfSeveralConnectsTheLongestIsMarked(t *testing.T) {
	took := func(times ...time.Duration) *diff.Outcome {
		var out diff.Outcome
		for _, d := range times {
			out.Connects = append(out.Connects, diff.Connect{Returned: true, After: d})
		}
		return &out
	}
	ms := time.Millisecond
	for want, out := range map[string]*diff.Outcome{
		"0 ×2, ≤ 40 ms": took(40*ms, 20*ms), "0 ×2, 20 ms": took(20*ms, 20*ms), "0, 3 ms": took(3 * ms),
	} {
		if got := (&Options{}).gridConnect(out); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
