package book

import (
	"bytes"
	"reflect"
	"testing"

	"connectlab/trace"
	"connectlab/trace/pcapng"
)

// judgedOfCapture writes a trace's packets as a capture of its link and returns what that says of each statement, joined over its
// connections. Of states and calls nothing is left that a comment could tell.
func judgedOfCapture(t *testing.T, tr *trace.Trace) map[string]Result {
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
	var joiner Joiner
	if _, err := pcapng.Read(&b, "wire.pcapng", func(c *pcapng.Connection) error {
		joiner.Add(Judged{Findings: Judge(c.Trace)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	all := map[string]Result{}
	for _, r := range joiner.Results() {
		all[r.Statement.ID] = r
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
		for id, r := range judgedOfCapture(t, story(t, name)) {
			if id == "B16" && name == "half-open-b on handwritten+ws+ts+sack" {
				continue // of the first of its two connections only a reset is left, which has no options
			}
			if was := full[id]; r.Statement.WireDecides && r.Verdict != was.Verdict {
				t.Errorf("%s: %s is %v, and of the capture %v: %v", name, id, was.Verdict, r.Verdict, r.Of[0].Observed)
			}
		}
	}
}

// TestWhatIsWrongIsWrongInACapture: of a trace in which only packets were changed its capture says the same of each statement that
// the wire decides, but where what was captured cannot tell.
func TestWhatIsWrongIsWrongInACapture(t *testing.T) {
	type otherwise struct {
		want    Verdict
		because string
	}
	hidden := map[string]otherwise{
		"B1/a header shorter than a header is":            {Refined, "what cannot be read belongs to no connection; it is counted beside"},
		"B4/a number seven too high":                      {NotObservable, "seven octets before it may not have been captured"},
		"B5/less than had arrived":                        {Refined, "what was captured may arrive later, or never"},
		"B5 of B8/no ACK where nothing had arrived":       {NotObservable, "what was captured may arrive in another way"},
		"B8/a number that was never sent":                 {NotObservable, "its connection has no FIN: more may have been sent than was captured"},
		"B12/a FIN that nobody asked for":                 {Holds, "calls are not captured, and no data are behind the FIN"},
		"C4/SYN is clear in a first segment that is lost": {Holds, "calls are not captured: the connect begins with its SYN"},
	}
	for _, c := range changes() {
		if c.edit == nil {
			continue
		}
		e := edit(t, c.story)
		c.edit(t, e)
		changed := e.finish(t)
		if !onlyPacketsDiffer(story(t, c.story), changed) {
			continue
		}
		name := c.statement + "/" + c.name
		live := sayings(changed)
		for id, r := range judgedOfCapture(t, changed) {
			want := live[id].Verdict
			exception := name
			if id != c.statement {
				exception = id + " of " + name
			}
			if o, ok := hidden[exception]; ok {
				want = o.want
				delete(hidden, exception)
			}
			if r.Statement.WireDecides && r.Verdict != want {
				t.Errorf("%s (%s): %s is %v, and of the capture %v: %v", name, c.story, id, live[id].Verdict, r.Verdict, r.Of[0].Observed)
			}
		}
	}
	for name := range hidden {
		t.Errorf("%s: there is no such change of packets alone", name)
	}
}

// TestDataBehindTheFINAreWrongInACapture: no frame that is missing can explain them. What was acknowledged in their stead may have
// been in one.
func TestDataBehindTheFINAreWrongInACapture(t *testing.T) {
	e := edit(t, "plain")
	e.header(e.data(t, "client", 1), put32(atSeq, func(n uint32) uint32 { return n + 1000 }))
	of := judgedOfCapture(t, e.finish(t))
	for id, want := range map[string]Verdict{"B4": Contradicted, "B5": NotObservable} {
		if of[id].Verdict != want {
			t.Errorf("%s is %v, want %v: %v", id, of[id].Verdict, want, of[id].Of[0].Observed)
		}
	}
}

// onlyPacketsDiffer reports whether two traces have the same events but for the octets of packets.
func onlyPacketsDiffer(a, b *trace.Trace) bool {
	if len(a.Events) != len(b.Events) {
		return false
	}
	differ := false
	for i := range a.Events {
		x, y := &a.Events[i], &b.Events[i]
		var p, q *trace.Packet
		switch d := x.Detail.(type) {
		case *trace.Sent:
			other, ok := y.Detail.(*trace.Sent)
			if !ok {
				return false
			}
			p, q = d.Packet, other.Packet
		case *trace.Arrived:
			other, ok := y.Detail.(*trace.Arrived)
			if !ok {
				return false
			}
			p, q = d.Packet, other.Packet
		default:
			if !reflect.DeepEqual(x.Detail, y.Detail) {
				return false
			}
			continue
		}
		differ = differ || !bytes.Equal(p.Octets, q.Octets)
	}
	return differ
}

// TestTheLastPartOfALongConnectionKnowsItsConnect: a capture's long connection comes in parts, and is judged as one.
func TestTheLastPartOfALongConnectionKnowsItsConnect(t *testing.T) {
	tr := story(t, "there-and-back")
	live, of := sayings(tr), judgedOfCapture(t, tr)
	for id, r := range of {
		if was := live[id]; r.Statement.WireDecides && r.Verdict != was.Verdict {
			t.Errorf("%s is %v, and of the capture %v: %v", id, was.Verdict, r.Verdict, r.Of[0].Observed)
		}
	}
	if len(of["B2"].Of) < 2 {
		t.Error("the capture has one part only: it shows nothing")
	}

	// What is wrong in the last part is wrong.
	last := 0
	for i := range tr.Events {
		if s, ok := tr.Events[i].Detail.(*trace.Sent); ok && tr.Events[i].Host == "server" && s.Packet.TCP.Flags.Has(trace.ACK) {
			last = i + 1
		}
	}
	e := edit(t, "there-and-back")
	e.header(last, put32(atAck, func(n uint32) uint32 { return n + 1000 }))
	of = judgedOfCapture(t, e.finish(t))
	for _, id := range []string{"B5", "B8"} {
		if r := of[id]; r.Verdict != Contradicted || len(r.Of) != 1 || len(r.Of[0].Evidence) != 1 {
			t.Errorf("%s is %v by %v, want contradicted by the one number", id, r.Verdict, r.Of[0].Evidence)
		}
	}
}
