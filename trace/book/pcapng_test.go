package book

import (
	"bytes"
	"testing"

	"connectlab/trace"
	"connectlab/trace/pcapng"
)

// connectionsOf writes a trace's packets as a capture of its link and returns the connections that are read from it. Of states and
// calls nothing is left that a comment could tell.
func connectionsOf(t *testing.T, tr *trace.Trace) []*pcapng.Connection {
	t.Helper()
	bare := *tr
	bare.Events = nil
	for i := range tr.Events {
		switch tr.Events[i].Detail.(type) {
		case *trace.Sent, *trace.Arrived, *trace.Fate:
			bare.Events = append(bare.Events, tr.Events[i])
		default:
		}
	}
	var b bytes.Buffer
	if err := pcapng.Write(&b, &bare, pcapng.Wire); err != nil {
		t.Fatal(err)
	}
	var all []*pcapng.Connection
	if _, err := pcapng.Read(&b, "wire.pcapng", func(c *pcapng.Connection) error {
		all = append(all, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestOnTheWiresCapture: a capture of a story's link says the same of each statement that the wire decides as the story itself.
func TestOnTheWiresCapture(t *testing.T) {
	for _, name := range allStories() {
		if len(newRecord(story(t, name)).segments) == 0 {
			continue // nothing to be captured
		}
		full := sayings(story(t, name))
		var joiner Joiner
		for _, c := range connectionsOf(t, story(t, name)) {
			joiner.Add(Judged{Header: &c.Trace.Header, Findings: Judge(c.Trace)})
		}
		for _, r := range joiner.Results() {
			if was := full[r.Statement.ID]; r.Statement.WireDecides && r.Verdict != was.Verdict {
				t.Errorf("%s: %s is %v, and of the capture %v: %v", name, r.Statement.ID, was.Verdict, r.Verdict, r.Of[0].Observed)
			}
		}
	}
}
