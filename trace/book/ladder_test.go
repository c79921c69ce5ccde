package book

import (
	"slices"
	"strings"
	"testing"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// rungs are the steps that a ladder has, each in a line: how it matches, and what was seen.
func rungs(steps []Step) []string {
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.Match.String()+" "+strings.TrimPrefix(s.Seen.Key, "book.ladder."))
	}
	return lines
}

func TestLadder(t *testing.T) {
	const handshake = `differs made.own
same asks.seen
untold untold.state
same header.seen
same ip.seen
same arrives.seen
same found.seen
`
	tests := []struct{ story, why, want string }{
		{"plain", "a new socket records the SYN, SYN,ACK answers it, the address was there before; the close is not the book's", handshake + `differs records.new
differs answers.seen
same returns.seen
same looks.success
differs completes.before
same acknowledges.seen
differs pipe.new
untold untold.late
untold untold.call
same closes.seen
untold untold.state
untold untold.sent
untold untold.state
untold untold.sent
untold untold.state
untold untold.sent
untold untold.state
untold untold.time-wait
untold untold.sent
untold untold.state
untold untold.state`},
		{"refused", "the book knows no answer but success", `differs made.own
same asks.seen
untold untold.state
same header.seen
same ip.seen
same arrives.seen
none found.none
none records.none
differs answers.seen
same returns.seen
differs looks.refused
untold untold.state
untold untold.call
none completes.never
none nothing-sent
none pipe.none
none pipe.none`},
		{"syn-cookies", "no socket records the SYN; a new one is there with the ACK", handshake + `none records.none
differs answers.seen
same returns.seen
same looks.success
differs completes.before
same acknowledges.seen
differs pipe.new
same closes.seen
untold untold.state
untold untold.sent
untold untold.late-new
untold untold.call
untold untold.state
untold untold.sent
untold untold.state
untold untold.sent
untold untold.state
untold untold.time-wait
untold untold.sent
untold untold.state
untold untold.state`},
		{"simultaneous-open", "the socket that is found is connecting itself, and the answer's SYN completes nothing", `differs made.own
untold untold.call
same asks.seen
untold untold.state
same header.seen
same ip.seen
untold untold.call
untold untold.call
untold untold.call
untold untold.state
untold untold.sent
same arrives.seen
differs found.connecting
same records.seen
differs answers.seen
same returns.seen
untold untold.state
untold untold.sent
differs looks.other
untold untold.sent
untold untold.state
differs completes.before
same acknowledges.seen
same pipe.seen
same closes.seen
untold untold.state
untold untold.sent
untold untold.state
untold untold.sent
untold untold.state
untold untold.sent
untold untold.state
untold untold.time-wait
untold untold.sent
untold untold.state
untold untold.state`},
		{"silent-host", "the SYN goes out again and again, and nothing else of the book's course happens", `differs made.own
same asks.seen
untold untold.state
same header.seen
same ip.lost
untold untold.again-lost
untold untold.state
untold untold.call
untold untold.call
none never-arrived
none never-arrived
none never-arrived
none no-answer
none no-answer
none no-answer
none completes.never
none nothing-sent
none pipe.none
none pipe.none`},
		{"synack-lost", "the second answer is the one that arrives", handshake + `differs records.new
differs answers.seen
untold untold.again
untold untold.sent
differs returns.again
same looks.success
differs completes.before
same acknowledges.seen
untold untold.state
untold untold.sent
untold untold.late
untold untold.call
untold untold.state
untold untold.sent
differs pipe.new
same closes.seen
untold untold.state
untold untold.sent
untold untold.state
untold untold.time-wait
untold untold.sent
untold untold.state
untold untold.state`},
		{"half-open-a", "a reboot takes the server's end away, and a RST the client's", handshake + `differs records.new
differs answers.seen
same returns.seen
same looks.success
differs completes.before
same acknowledges.seen
untold untold.late
untold untold.call
differs pipe.new
untold untold.reboot
untold untold.lost
untold untold.state
untold untold.arrives
untold untold.state
differs closes.reset`},
		{"ethernet", "MAC addresses are asked for before the SYN goes out, and the book does not tell of it", `differs made.own
same asks.seen
untold untold.state
untold untold.other
untold untold.other
same header.seen
same ip.seen`},
		{"fresh-send", "no connection was asked for", ""},
	}
	for _, tt := range tests {
		got := strings.Join(rungs(Ladder(story(t, tt.story))), "\n")
		if tt.story == "ethernet" { // from there on it is the plain one
			got = got[:min(len(got), len(tt.want))]
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s: (-want +got)\n%s", tt.story, tt.why, diff)
		}
	}
}

// TestLadderTellsAll: on every story all steps of the book are there, in its order, and all that happened to the client's socket
// is in some step, once as untold at most.
func TestLadderTellsAll(t *testing.T) {
	var book []string
	for _, s := range Ladder(story(t, "plain")) {
		if s.Match != Untold {
			book = append(book, s.Text.Key)
		}
	}
	if len(book) != 14 {
		t.Fatalf("the book's course has %d steps, want 14: %v", len(book), book)
	}
	for _, name := range builtinStories() {
		tr := story(t, name)
		steps := Ladder(tr)
		if steps == nil && !strings.HasPrefix(name, "fresh-send") {
			t.Errorf("%s: there is no ladder", name)
		}
		var told []string
		in := map[int]int{}
		for i, s := range steps {
			if !slices.IsSorted(s.Events) {
				t.Errorf("%s: the events of step %d do not rise: %v", name, i, s.Events)
			}
			if (s.Match == None) != (len(s.Events) == 0) {
				t.Errorf("%s: step %d, %s, is %v with events %v", name, i, s.Text.Key, s.Match, s.Events)
			}
			if s.Match == Untold {
				for _, n := range s.Events {
					in[n]++
				}
			} else {
				told = append(told, s.Text.Key)
				for _, id := range s.Statements {
					if StatementOf(id) == nil && len(sectionC) > 0 {
						t.Errorf("%s: step %s is told by %s, which there is not", name, s.Text.Key, id)
					}
				}
			}
		}
		if steps == nil {
			continue
		}
		if diff := cmp.Diff(book, told); diff != "" {
			t.Errorf("%s: the steps of the book: (-want +got)\n%s", name, diff)
		}
		for n, times := range in {
			if times > 1 {
				t.Errorf("%s: event %d is untold %d times", name, n, times)
			}
		}
		for _, s := range steps {
			if s.Match != Untold {
				for _, n := range s.Events {
					if in[n] > 0 {
						t.Errorf("%s: event %d is told by %s and untold", name, n, s.Text.Key)
					}
					in[n] = -1
				}
			}
		}
		open := newRecord(tr).opens()[0]
		for i := range tr.Events {
			e := &tr.Events[i]
			if e.Host != open.event.Host || e.Socket != open.socket || in[e.N] != 0 {
				continue
			}
			switch d := e.Detail.(type) {
			case *trace.Sent, *trace.Arrived, *trace.Call, *trace.Return:
				t.Errorf("%s: event %d, %T, is in no step", name, e.N, d)
			case *trace.StateChange:
				if d.From != d.To {
					t.Errorf("%s: event %d, to %v, is in no step", name, e.N, d.To)
				}
			case *trace.Fate, *trace.Control, *trace.Timer, *trace.HostChange, *trace.Note:
			}
		}
	}
}

// TestLadderOfACapture: without calls the first SYN is followed; steps that are calls, or that only a socket shows, are not there.
func TestLadderOfACapture(t *testing.T) {
	var got []string
	for _, rung := range rungs(Ladder(capture(t, "plain"))) {
		if !strings.HasPrefix(rung, "untold") {
			got = append(got, rung)
		}
	}
	want := []string{
		"none book.no-calls", "none book.no-calls", "same header.seen", "same ip.seen", "same arrives.seen", "none book.no-control", "none book.no-control",
		"differs answers.seen", "same returns.seen", "same looks.success", "same completes.seen", "same acknowledges.seen", "differs pipe.new",
		"none book.no-calls",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// capture is a story as a packet capture has it: what was sent and what arrived, and the states that follow from it.
func capture(t *testing.T, name string) *trace.Trace {
	t.Helper()
	e := edit(t, name)
	for i := range e.t.Events {
		switch d := e.t.Events[i].Detail.(type) {
		case *trace.Sent, *trace.Arrived:
		case *trace.StateChange:
			d.Source, d.Word = trace.Inferred, ""
		default:
			e.gone[i+1] = true
		}
	}
	e.t.End.Blocked = nil
	tr := e.finish(t)
	tr.Header.Capture, tr.Header.Control = true, false
	return tr
}
