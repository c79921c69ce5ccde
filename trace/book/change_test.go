package book

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// A change is a real trace with the one thing changed of which a statement speaks.
type change struct {
	statement string
	name      string // what was changed
	story     string
	edit      func(t *testing.T, e *editor)
	want      Verdict
	// also are the other statements whose verdict this changes too, each with the reason why it cannot be otherwise.
	also map[string]string
}

// changes are those of all sections.
func changes() []change { return slices.Concat(changesA, changesB, changesC) }

func TestChanges(t *testing.T) {
	for _, c := range changes() {
		t.Run(c.statement+"/"+c.name, func(t *testing.T) {
			s := StatementOf(c.statement)
			if s == nil {
				t.Fatalf("there is no statement %s", c.statement)
			}
			before := Judge(story(t, c.story))
			e := edit(t, c.story)
			if c.edit != nil {
				c.edit(t, e)
			}
			after := Judge(e.finish(t))
			for i := range after {
				id := after[i].Statement.ID
				was, is := before[i].Verdict, after[i].Verdict
				why, other := c.also[id]
				switch {
				case id == c.statement:
					if is != c.want {
						t.Errorf("%s is %v, want %v; observed %v", id, is, c.want, after[i].Observed)
					}
				case other && was == is:
					t.Errorf("%s is %v as before, though it should change: %s", id, is, why)
				case !other && was != is:
					t.Errorf("%s was %v and is %v now: the change is not only of what %s speaks; observed %v", id, was, is, c.statement, after[i].Observed)
				}
			}
		})
	}
}

// TestEachStatementHasItsChanges: for each there is a trace on which it holds and one on which it is contradicted.
func TestEachStatementHasItsChanges(t *testing.T) {
	have := map[string]bool{}
	for _, c := range changes() {
		have[c.statement+" "+c.want.String()] = true
	}
	for _, s := range Statements() {
		for _, v := range []Verdict{Holds, Contradicted} {
			if !have[s.ID+" "+v.String()] {
				t.Errorf("%s: no trace on which it is %v", s.ID, v)
			}
		}
	}
}

// TestWithoutItsEvidenceAVerdictIsAnother takes the evidence of each verdict of each story out of the trace.
func TestWithoutItsEvidenceAVerdictIsAnother(t *testing.T) {
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		for i, f := range Judge(story(t, name)) {
			if !f.Verdict.Decides() {
				if len(f.Evidence) > 0 {
					t.Errorf("%s: %s is %v and has evidence %v", name, f.Statement.ID, f.Verdict, f.Evidence)
				}
				continue
			}
			if len(f.Evidence) == 0 {
				t.Errorf("%s: %s is %v and has no evidence", name, f.Statement.ID, f.Verdict)
				continue
			}
			e := edit(t, name)
			e.drop(f.Evidence...)
			if without := f.Statement.on(newRecord(e.finish(t))); without.Verdict == f.Verdict {
				t.Errorf("%s: %s is %v without events %v too, by %v; observed %v", name, f.Statement.ID, f.Verdict, f.Evidence, without.Evidence, Judge(story(t, name))[i].Observed)
			}
		}
	}
}

var stories sync.Map // name: func() (*trace.Trace, error)

// story is the trace of a built-in story. It is not to be changed.
func story(t *testing.T, name string) *trace.Trace {
	t.Helper()
	run, _ := stories.LoadOrStore(name, sync.OnceValues(func() (*trace.Trace, error) {
		s, err := script.Builtin(name)
		if err != nil {
			return nil, err
		}
		r, err := script.Run(s, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
		if err != nil {
			return nil, err
		}
		return r.Trace, nil
	}))
	tr, err := run.(func() (*trace.Trace, error))()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// An editor changes a trace of its own. Events keep the numbers that they had in the story until finish.
type editor struct {
	t      *trace.Trace
	gone   map[int]bool
	behind map[int][]trace.Event // events to be put in behind an event, with the story's numbers as causes
}

// edit begins to change a copy of a story's trace.
func edit(t *testing.T, name string) *editor {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, story(t, name)); err != nil {
		t.Fatal(err)
	}
	tr, err := trace.Read(&b, name, wire.Decode)
	if err != nil {
		t.Fatal(err)
	}
	return &editor{t: tr, gone: map[int]bool{}, behind: map[int][]trace.Event{}}
}

// find returns the number of the first event that is as wanted, behind event n.
func (e *editor) find(t *testing.T, n int, want func(*trace.Event) bool) int {
	t.Helper()
	for i := n; i < len(e.t.Events); i++ {
		if want(&e.t.Events[i]) {
			return i + 1
		}
	}
	t.Fatal("the trace has no such event")
	return 0
}

// segment returns the number of the nth segment (from 1) that a host sent with exactly these control bits, PSH aside.
func (e *editor) segment(t *testing.T, host string, flags trace.Flags, nth int) int {
	t.Helper()
	return e.find(t, 0, func(ev *trace.Event) bool {
		s, ok := ev.Detail.(*trace.Sent)
		if ok && ev.Host == host && s.Packet.Kind == trace.PacketTCP && s.Packet.TCP.Flags&^trace.PSH == flags {
			nth--
			return nth == 0
		}
		return false
	})
}

// data returns the number of the nth segment (from 1) with data that a host sent.
func (e *editor) data(t *testing.T, host string, nth int) int {
	t.Helper()
	return e.find(t, 0, func(ev *trace.Event) bool {
		s, ok := ev.Detail.(*trace.Sent)
		if ok && ev.Host == host && s.Packet.TCP.DataLen > 0 {
			nth--
			return nth == 0
		}
		return false
	})
}

// call returns the number of the nth call (from 1) of a name on a host.
func (e *editor) call(t *testing.T, host, name string, nth int) int {
	t.Helper()
	return e.find(t, 0, func(ev *trace.Event) bool {
		c, ok := ev.Detail.(*trace.Call)
		if ok && ev.Host == host && c.Name == name {
			nth--
			return nth == 0
		}
		return false
	})
}

// drop takes events out. A packet that was not sent did not arrive either and has no fate; a call that was not made
// did not return.
func (e *editor) drop(numbers ...int) {
	for _, n := range numbers {
		e.gone[n] = true
	}
	for i := range e.t.Events {
		ev := &e.t.Events[i]
		switch d := ev.Detail.(type) {
		case *trace.Arrived, *trace.Fate:
			if e.gone[ev.Cause] {
				e.gone[ev.N] = true
			}
		case *trace.Return:
			if e.gone[d.Call] {
				e.gone[ev.N] = true
			}
		}
	}
}

// insert puts an event in behind event n. Its cause is one of the story's events; its number does not matter. Time and host are
// those of event n where it has none.
func (e *editor) insert(n int, ev trace.Event) {
	if ev.At == 0 {
		ev.At = e.t.Event(n).At
	}
	if ev.Host == "" {
		ev.Host = e.t.Event(n).Host
	}
	e.behind[n] = append(e.behind[n], ev)
}

// octets changes the octets of the packet that event n, a Sent, sent, and those of its arrivals. They begin with the IP
// header; checksums are mended afterwards.
func (e *editor) octets(n int, change func([]byte) []byte) {
	for i := range e.t.Events {
		ev := &e.t.Events[i]
		switch d := ev.Detail.(type) {
		case *trace.Sent:
			if ev.N == n {
				rewrite(d.Packet, change)
			}
		case *trace.Arrived:
			if ev.Cause == n {
				rewrite(d.Packet, change)
			}
		}
	}
}

// header changes the TCP header, options included, of the segment that event n sent; data keep behind it.
func (e *editor) header(n int, change func(tcp []byte)) {
	e.octets(n, func(b []byte) []byte {
		change(b[int(b[0]&15)*4:])
		return b
	})
}

// flags changes the control bits of the segment that event n sent.
func (e *editor) flags(n int, set, clear trace.Flags) {
	e.header(n, func(tcp []byte) {
		f := binary.BigEndian.Uint16(tcp[12:])
		binary.BigEndian.PutUint16(tcp[12:], f&^uint16(clear)|uint16(set))
	})
}

// rewrite changes an IPv4 packet's octets, mends its checksums and decodes it again.
func rewrite(p *trace.Packet, change func([]byte) []byte) {
	b := change(slices.Clone(p.Octets))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	*p = trace.Packet{Octets: b, Len: len(b)}
	wire.Decode(p)
	p.Octets = wire.Append(nil, p, p.Data())
	p.Len = len(p.Octets)
	wire.Decode(p)
}

// finish numbers the events anew and returns the trace, which Read accepts.
func (e *editor) finish(t *testing.T) *trace.Trace {
	t.Helper()
	now := map[int]int{} // the numbers of the story's events
	var events []trace.Event
	for i := range e.t.Events {
		ev := e.t.Events[i]
		old := ev.N
		if !e.gone[old] {
			now[old] = len(events) + 1
			events = append(events, ev)
		}
		events = append(events, e.behind[old]...)
	}
	number := func(n int) int {
		for n != 0 && now[n] == 0 {
			n = e.t.Event(n).Cause
		}
		return now[n]
	}
	for i := range events {
		ev := &events[i]
		ev.N, ev.Cause = i+1, number(ev.Cause)
		if r, ok := ev.Detail.(*trace.Return); ok {
			r.Call = number(r.Call)
		}
	}
	var blocked []int
	for _, n := range e.t.End.Blocked {
		if !e.gone[n] {
			blocked = append(blocked, now[n])
		}
	}
	tr := &trace.Trace{Header: e.t.Header, Events: events, End: e.t.End}
	tr.End.Blocked = blocked
	var b bytes.Buffer
	if err := trace.Write(&b, tr); err != nil {
		t.Fatal(err)
	}
	read, err := trace.Read(&b, "changed", wire.Decode)
	if err != nil {
		t.Fatalf("the changed trace is none: %v", err)
	}
	return read
}
