package handwritten_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// transitions is a table of what RFC 9293 says of every state and event, which was written apart from the stack: the columns of it
// that a test can decide by. The whole of it, with what other stacks do, is no part of the project.
const (
	transitions      = "testdata/transitions.tsv"
	wholeTransitions = "../../../shared/rfc/rfc9293-transitions.tsv"
)

// A row is one of the table's.
type row struct {
	id     string
	from   trace.State
	kind   string // "call", "segment", "icmp" or "timeout"
	event  string
	answer string // the control bits of the answer; "-": none
	fields string // <SEQ=...><ACK=...> of it
	to     trace.State
}

// rows reads the table.
func rows(t testing.TB) []row {
	t.Helper()
	b, err := os.ReadFile(transitions)
	if err != nil {
		t.Fatal(err)
	}
	read := csv.NewReader(bytes.NewReader(b))
	read.Comma, read.LazyQuotes = '\t', true
	lines, err := read.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	for _, line := range lines[1:] {
		cell := func(name string) string { return line[slices.Index(lines[0], name)] }
		r := row{id: cell("id"), kind: cell("kind"), event: cell("event"), answer: cell("seg_out"), fields: cell("seg_out_fields")}
		for name, state := range map[string]*trace.State{"from": &r.from, "to": &r.to} {
			if *state, err = trace.ParseState(cell(name)); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, r)
	}
	return all
}

// TestTransitionsAreTheTables: where the whole table is at hand, ours is cut from it.
func TestTransitionsAreTheTables(t *testing.T) {
	whole, err := os.ReadFile(wholeTransitions)
	if err != nil {
		t.Skip("the whole table is not here: ", err)
	}
	got, err := os.ReadFile(transitions)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(got), "\n")
	var want strings.Builder
	var columns []string
	for line := range strings.Lines(string(whole)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if columns == nil {
			columns = cells
		}
		var kept []string
		for _, name := range strings.Split(head, "\t") {
			kept = append(kept, cells[slices.Index(columns, name)])
		}
		want.WriteString(strings.Join(kept, "\t") + "\n")
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", transitions, diff)
	}
}

// A way brings the connection into a state, by calls and segments that there can be.
type way struct {
	name string
	take func(*peer)
}

// then makes longer ways: each of them goes on with one more step.
func then(ways []way, name string, step func(*peer)) []way {
	var longer []way
	for _, w := range ways {
		longer = append(longer, way{w.name + ", " + name, func(p *peer) { w.take(p); step(p) }})
	}
	return longer
}

// A scenario is one way to meet a row of the table: the row's event in one of its forms.
type scenario struct {
	name    string      // of this form; empty: the row has one
	state   trace.State // in which the row is met, and stays, in place of its own; zero: its own
	ways    []way       // into the row's state
	ecn     bool        // the stack uses ECN
	stamped bool        // it is about timestamps
	before  func(*peer) // shapes the peer before everything else
	event   func(*peer)
	late    bool        // the answer may wait as long as an ACK may
	signal  func(*peer) // what the program must come to know; nil: nothing is said
	after   func(*peer) // in place of what is looked at last: that the connection still stands, or does no more
}

// scenarios has the scenarios of each row.
type scenarios map[string][]scenario

// add adds scenarios to a row.
func (s scenarios) add(id string, more ...scenario) { s[id] = append(s[id], more...) }

// family adds scenarios to each row that has an event, in the synchronized states. ways are those into a state; a state without any is none
// of the family's.
func (s scenarios) family(all []row, event string, ways states, more ...scenario) {
	for _, r := range all {
		if r.event != event || ways[r.from] == nil {
			continue
		}
		for _, one := range more {
			one.ways = ways[r.from]
			s.add(r.id, one)
		}
	}
}

// each makes a scenario of every form of an event.
func each[T any](forms []T, make func(T) scenario) []scenario {
	var all []scenario
	for _, form := range forms {
		all = append(all, make(form))
	}
	return all
}

// settings are what each row is met under: both versions of IP, without options and with all that the stack has.
var settings = []struct {
	name, network string
	factory       netns.Factory
	before        func(*peer)
}{
	{"IPv4", "192.0.2.0/24", &handwritten.Factory{}, nil},
	{"IPv6", "2001:db8::/64", &handwritten.Factory{}, nil},
	{"IPv4 with options", "192.0.2.0/24", &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true}, withOptions},
}

// withOptions has the peer ask for all options: a shift of 0 (RFC 7323, Section 2.2), SACK (RFC 2018) and timestamps.
func withOptions(p *peer) {
	p.options = []byte{1, 3, 3, 0, 1, 1, 4, 2}
	p.timestamps, p.tsval = true, 1000
}

// TestTransitions meets each row of the table in each of its forms, on each way into its state, and holds the stack's answer and its
// next state against the row.
func TestTransitions(t *testing.T) {
	all := rows(t)
	cases := everyScenario(all)
	for _, r := range all {
		if len(cases[r.id]) == 0 {
			continue
		}
		t.Run(r.id, func(t *testing.T) {
			for _, s := range cases[r.id] {
				r := r
				if s.state != trace.NotObserved {
					r.from, r.to = s.state, s.state
				}
				for _, w := range s.ways {
					for _, set := range settings {
						if s.stamped && set.before == nil {
							continue // it is about timestamps, and there are none
						}
						name := strings.ReplaceAll(strings.Join([]string{r.from.String(), w.name, s.name, set.name}, "/"), " ", "_")
						t.Run(name, func(t *testing.T) {
							p := newPeer(t, set.factory, set.network, s.ecn)
							if set.before != nil {
								set.before(p)
							}
							s.run(p, t, r, w)
						})
					}
				}
			}
		})
	}
}

// run meets a row.
func (s *scenario) run(p *peer, t *testing.T, r row, w way) {
	if s.before != nil {
		s.before(p)
	}
	w.take(p)
	p.wantState("before the event", r.from)
	p.wantNumbers("before the event", r.from)
	p.mark()
	nxt, at := p.nxt, p.now
	s.event(p)
	to := r.to
	if to == trace.Listen && p.sock != nil {
		to = trace.Closed // it is the listener that is in LISTEN, and the connection's own record is gone
	}
	p.wantState("after the event", to)
	if r.kind != "timeout" {
		p.pass(ackLimit - 1) // an ACK may come so late; nothing else may come with it
	}
	p.wantAnswer(r, nxt)
	if r.kind != "timeout" && r.answer != "-" && !s.late && len(p.sent) > 0 && p.sent[0].at != at {
		p.Errorf("the answer came after %v, want it at once", p.sent[0].at-at)
	}
	p.wantNumbers("after the event", r.to)
	if s.signal != nil {
		s.signal(p)
	}
	if t.Failed() {
		return // what follows would fail for the same reason
	}
	if s.after != nil {
		s.after(p)
	} else {
		p.wantAfter(r.to)
	}
}

var field = regexp.MustCompile(`<(\w+)=([^>]*)>`)

// wantAnswer holds what the stack sent against the row. nxt is SND.NXT before the event.
func (p *peer) wantAnswer(r row, nxt trace.Seq) {
	p.Helper()
	want := r.answer
	switch {
	case want == "-":
		if len(p.sent) > 0 {
			p.Errorf("the stack sent %s, want nothing", describe(p.sent))
		}
		return
	case want == "ACK(MAY)" && len(p.sent) == 0:
		return
	}
	bits, extra, _ := strings.Cut(want, "(")
	flags, err := trace.ParseFlags(bits)
	if err != nil {
		p.Fatal(err)
	}
	if len(p.sent) != 1 {
		p.Errorf("the stack sent %s, want one segment %s %s", describe(p.sent), want, r.fields)
		return
	}
	got := p.sent[0].TCP
	text := describeSegment(&got)
	given := got.Flags
	if extra == "+ECE)" {
		given &^= trace.ECE
	}
	if given != flags {
		p.Errorf("the stack sent %s, want %s %s", text, want, r.fields)
	}
	if extra == "+data)" && got.DataLen == 0 {
		p.Errorf("the stack sent %s, want data in it", text)
	}
	if extra == "" && got.DataLen > 0 {
		p.Errorf("the stack sent %s, want no data in it", text)
	}
	for _, f := range field.FindAllStringSubmatch(r.fields, -1) {
		var number trace.Seq
		switch f[2] {
		case "0":
		case "ISS":
			number = p.iss
		case "IRS+2":
			number = p.irs.Add(2)
		case "SND.NXT":
			number = nxt
		case "SND.UNA":
			number = p.una
		case "RCV.NXT", "RCV.NXT incl. data":
			number = p.rcv
		case "SEG.ACK":
			number = p.seg.Ack
		case "SEG.SEQ+1":
			number = p.seg.Seq.Add(1)
		case "SEG.SEQ+SEG.LEN":
			number = p.seg.Seq.Add(p.seg.Len())
		case "new ISS", "ISS larger than old":
			if number = p.iss; !nxt.Less(got.Seq) {
				p.Errorf("the new ISS is %d, want one above the old SND.NXT %d", got.Seq, nxt)
			}
		default:
			p.Fatalf("%s: no meaning is known of %s", r.id, f[0])
		}
		in := map[string]trace.Seq{"SEQ": got.Seq, "ACK": got.Ack, "win": trace.Seq(got.Window)}[f[1]]
		if in != number {
			p.Errorf("the stack sent %s, want %s, which is %d", text, f[0], number)
		}
	}
}

// TestEveryRowIsAccountedFor: each row has scenarios, or is out of reach, or is one that the stack declares not to keep; never two of these.
func TestEveryRowIsAccountedFor(t *testing.T) {
	all := rows(t)
	cases, declared := everyScenario(all), declaredRows(t)
	if len(all) != 249 {
		t.Errorf("the table has %d rows, want 249", len(all))
	}
	known := map[string]bool{}
	for _, r := range all {
		if known[r.id] {
			t.Errorf("%s is twice in the table", r.id)
		}
		known[r.id] = true
		in := 0
		for _, is := range []bool{len(cases[r.id]) > 0, outOfReach[r.id] != "", declared[r.id] != ""} {
			if is {
				in++
			}
		}
		if in != 1 {
			t.Errorf("%s, %v and %s: has %d scenarios, out of reach: %q, declared: %q; want one of the three",
				r.id, r.from, r.event, len(cases[r.id]), outOfReach[r.id], declared[r.id])
		}
		for _, s := range cases[r.id] {
			if len(s.ways) == 0 || s.event == nil {
				t.Errorf("%s has a scenario %q that meets nothing", r.id, s.name)
			}
		}
	}
	for id := range cases {
		if !known[id] {
			t.Errorf("there are scenarios of %s, which is no row", id)
		}
	}
	for id := range outOfReach {
		if !known[id] {
			t.Errorf("%s is out of reach, and no row", id)
		}
	}
	for id := range declared {
		if !known[id] {
			t.Errorf("%s is declared, and no row", id)
		}
	}
}
