package trace

import (
	"io"
	"slices"
	"time"
)

// A Recorder writes a trace, event by event, in steps. The events of a step become part of the record when it is
// committed. Nothing allocates but the recorder's own growth, and a change of control information that is a text.
//
// A Recorder that keeps (NewRecorder) ends in a Trace. One that writes (NewWriter) hands each step to an io.Writer as a
// whole, in one Write, and keeps nothing, so that its memory does not grow with the run. Goroutines may not share
// a Recorder.
type Recorder struct {
	header Header
	w      io.Writer // nil: it keeps
	buf    []byte
	err    error

	n      int       // the N of the last event, uncommitted ones included
	full   [][]Event // chunks of events, all committed
	events []Event   // the chunk in work
	from   int       // index in events of the first uncommitted event

	octets  []byte
	changes []Change
	arenas
}

// arenas hold the details of events, each kind in chunks of its own, so that an event costs no allocation.
type arenas struct {
	packets    arena[Packet]
	calls      arena[Call]
	returns    arena[Return]
	sents      arena[Sent]
	arriveds   arena[Arrived]
	fates      arena[Fate]
	states     arena[StateChange]
	controls   arena[Control]
	timers     arena[Timer]
	hostEvents arena[HostChange]
	notes      arena[Note]
}

type arena[T any] struct{ chunk []T }

// Chunk sizes grow from the first to the last, so that a record of one connect stays small.
const (
	firstChunk  = 32
	lastChunk   = 256
	firstEvents = 128
	lastEvents  = 512 // a chunk of 32 KiB: the allocator has larger ones from the operating system each time
	stepEvents  = 16  // a step seldom has more; one that has makes its chunk grow
)

func (a *arena[T]) put(v T) *T {
	if len(a.chunk) == cap(a.chunk) {
		a.chunk = make([]T, 0, min(max(2*cap(a.chunk), firstChunk), lastChunk))
	}
	a.chunk = append(a.chunk, v)
	return &a.chunk[len(a.chunk)-1]
}

func (a *arena[T]) reset() { a.chunk = a.chunk[:0] }

// NewRecorder returns a recorder that keeps all events for Finish.
func NewRecorder(h Header) *Recorder { return &Recorder{header: h} }

// NewWriter returns a recorder that writes the trace to w as it happens: the header at once, each step when it is
// committed. Finish writes the end and returns no trace.
func NewWriter(w io.Writer, h Header) *Recorder {
	r := &Recorder{header: h, w: w}
	r.buf = appendHeader(r.buf, &h)
	r.flush()
	return r
}

func (r *Recorder) flush() {
	if r.err == nil && len(r.buf) > 0 {
		_, r.err = r.w.Write(r.buf)
	}
	r.buf = r.buf[:0]
}

// Err is the first error of the writer. The record is of no use behind it.
func (r *Recorder) Err() error { return r.err }

// Begin opens a step.
func (r *Recorder) Begin() {
	// A new chunk begins between steps, so that Undo finds its step in one piece.
	if r.w == nil && cap(r.events)-len(r.events) < stepEvents {
		if len(r.events) > 0 {
			r.full = append(r.full, r.events)
		}
		r.events = make([]Event, 0, min(max(2*cap(r.events), firstEvents), lastEvents))
	}
	r.from = len(r.events)
}

// Step is the number of events in the open step.
func (r *Recorder) Step() int { return len(r.events) - r.from }

// Undo takes the open step's events back.
func (r *Recorder) Undo() {
	r.n -= r.Step()
	r.events = r.events[:r.from]
}

// Commit closes the step. A recorder that writes does so now, and the details of the step's events may not be
// used behind it.
func (r *Recorder) Commit() {
	if r.w != nil && len(r.events) > 0 {
		for i := range r.events {
			r.buf = appendEvent(r.buf, &r.events[i])
		}
		r.flush()
		r.events = r.events[:0]
		r.changes = r.changes[:0]
		r.calls.reset()
		r.returns.reset()
		r.sents.reset()
		r.arriveds.reset()
		r.fates.reset()
		r.states.reset()
		r.controls.reset()
		r.timers.reset()
		r.hostEvents.reset()
		r.notes.reset()
	}
	r.from = len(r.events)
}

// Flush hands what the open step has so far to the writer, if there is one. The step cannot be undone then.
func (r *Recorder) Flush() {
	if r.w != nil {
		r.Commit()
	}
}

// N is the number of the last event; 0 before the first.
func (r *Recorder) N() int { return r.n }

// Finish ends the record. The Trace is nil if the recorder writes.
func (r *Recorder) Finish(e End) (*Trace, error) {
	r.Commit()
	if r.w != nil {
		r.buf = appendEnd(r.buf, &e)
		r.flush()
		return nil, r.err
	}
	events := r.events
	if len(r.full) > 0 {
		events = slices.Concat(append(r.full, r.events)...)
	}
	return &Trace{Header: r.header, Events: events, End: e}, nil
}

// Keep returns a packet that the record may hold: p itself where the recorder writes, else a copy, octets and
// all. Where the header says that data are not kept, the octets of the result end with the last header.
func (r *Recorder) Keep(p *Packet) *Packet {
	octets := p.Octets
	if !r.header.Data && p.Kind == PacketTCP {
		octets = octets[:min(len(octets), p.headers())]
	}
	if r.w != nil {
		p.Octets = octets
		return p
	}
	if cap(r.octets)-len(r.octets) < len(octets) {
		r.octets = make([]byte, 0, max(min(2*cap(r.octets), 64<<10), 4<<10, len(octets)))
	}
	from := len(r.octets)
	r.octets = append(r.octets, octets...)
	q := r.packets.put(*p)
	q.Octets = r.octets[from:len(r.octets):len(r.octets)]
	if p.Kind == PacketTCP {
		at := p.headers() - len(p.TCP.Options)
		q.TCP.Options = Options(q.Octets[at : at+len(p.TCP.Options)])
	}
	return q
}

func (r *Recorder) add(at time.Duration, host string, socket, cause int, d Detail) int {
	r.n++
	r.events = append(r.events, Event{N: r.n, At: at, Host: host, Socket: socket, Cause: cause, Detail: d})
	return r.n
}

// Call records a call and returns its N.
func (r *Recorder) Call(at time.Duration, host string, socket int, c Call) int {
	return r.add(at, host, socket, 0, r.calls.put(c))
}

// Return records that a call came back.
func (r *Recorder) Return(at time.Duration, host string, socket, cause int, ret Return) int {
	return r.add(at, host, socket, cause, r.returns.put(ret))
}

// Sent records a packet that was sent. p must come from Keep.
func (r *Recorder) Sent(at time.Duration, host string, socket, cause int, p *Packet) int {
	return r.add(at, host, socket, cause, r.sents.put(Sent{p}))
}

// Arrived records a packet that arrived. p must come from Keep.
func (r *Recorder) Arrived(at time.Duration, host string, socket, cause int, p *Packet) int {
	return r.add(at, host, socket, cause, r.arriveds.put(Arrived{p}))
}

// Fate records what the link did to a packet.
func (r *Recorder) Fate(at time.Duration, host string, socket, cause int, f Fate) int {
	return r.add(at, host, socket, cause, r.fates.put(f))
}

// State records another state of a socket.
func (r *Recorder) State(at time.Duration, host string, socket, cause int, s StateChange) int {
	return r.add(at, host, socket, cause, r.states.put(s))
}

// Control records how control information differs from what it was before. by names who brought each change; it
// may be nil. Nothing is recorded where nothing differs. It returns the event's N, or 0.
func (r *Recorder) Control(at time.Duration, host string, socket, cause int, before, now *ControlInfo, by func(*Change)) int {
	if cap(r.changes)-len(r.changes) < NumItems {
		r.changes = make([]Change, 0, max(4*NumItems, min(2*cap(r.changes), 32*NumItems)))
	}
	from := len(r.changes)
	r.changes = now.Diff(before, r.changes)
	changes := r.changes[from:len(r.changes):len(r.changes)]
	if len(changes) == 0 {
		return 0
	}
	if by != nil {
		for i := range changes {
			by(&changes[i])
		}
	}
	return r.add(at, host, socket, cause, r.controls.put(Control{changes}))
}

// Timer records a timer that ran out.
func (r *Recorder) Timer(at time.Duration, host string, socket int, name string) int {
	return r.add(at, host, socket, 0, r.timers.put(Timer{name}))
}

// HostChange records what was done to a host; an empty host means the link.
func (r *Recorder) HostChange(at time.Duration, host string, what HostEvent) int {
	return r.add(at, host, 0, 0, r.hostEvents.put(HostChange{what}))
}

// Note records a remark.
func (r *Recorder) Note(at time.Duration, host string, socket int, n Note) int {
	return r.add(at, host, socket, 0, r.notes.put(n))
}
