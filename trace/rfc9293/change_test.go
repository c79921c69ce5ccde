package rfc9293_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// with is a trace that differs in one event.
func with(t *trace.Trace, n int, d trace.Detail) *trace.Trace {
	other := *t
	other.Events = slices.Clone(t.Events)
	other.Events[n-1].Detail = d
	return &other
}

// withSegment is a trace in which an arrival's segment is changed, and what was sent is not.
func withSegment(t *trace.Trace, n int, change func(*trace.Segment)) *trace.Trace {
	p := *t.Event(n).Detail.(*trace.Arrived).Packet
	change(&p.TCP)
	return with(t, n, &trace.Arrived{Packet: &p})
}

// decisive are the control bits without which a segment does not bring a connection from one state to another.
func decisive(from, to trace.State) []trace.Flags {
	switch {
	case to == trace.SynReceived:
		return []trace.Flags{trace.SYN}
	case from == trace.SynSent && to == trace.Established:
		return []trace.Flags{trace.SYN, trace.ACK}
	case from == trace.SynReceived && to == trace.Established, from == trace.NotObserved && to == trace.Established,
		to == trace.FinWait2, from == trace.Closing && to == trace.TimeWait, from == trace.LastAck && to == trace.Closed:
		return []trace.Flags{trace.ACK}
	case to == trace.CloseWait, to == trace.Closing, from == trace.FinWait2 && to == trace.TimeWait:
		return []trace.Flags{trace.FIN}
	case to == trace.Closed:
		return []trace.Flags{trace.RST}
	}
	return nil
}

// TestChangedTracesAreNoPaths: a real story is a path, and with one thing changed it is not: another state, without what brought a
// state, with a control bit less, with a number beside the right one, with a state left out.
func TestChangedTracesAreNoPaths(t *testing.T) {
	count := map[string]int{}
	for _, name := range stories(t) {
		if name == "many" {
			continue // a hundred times plain
		}
		tr := recorded(t, builtin(t, name), netns.Config{})
		wrong := func(what string, e *trace.Event, changed *trace.Trace) {
			t.Helper()
			count[what]++
			d := e.Detail.(*trace.StateChange)
			for _, p := range rfc9293.Paths(changed) {
				if p.Host == e.Host && p.Socket == e.Socket && p.N >= e.N {
					return
				}
			}
			t.Errorf("%s, event %d, %s %d, %v to %v: it is still a path: %s", name, e.N, e.Host, e.Socket, d.From, d.To, what)
		}
		for i := range tr.Events {
			e := &tr.Events[i]
			d, ok := e.Detail.(*trace.StateChange)
			if !ok || d.From == d.To {
				continue
			}
			cause := tr.Event(e.Cause)
			for _, to := range append(trace.States(), trace.NotObserved) {
				if to == d.To || to == d.From {
					continue
				}
				if call, ok := cause.Detail.(*trace.Call); ok && call.Name == "close" && d.From == trace.Established && d.To == trace.Closed && to == trace.TimeWait {
					continue // Note 3 to Figure 5 has it: who sends a RST keeps TIME-WAIT
				}
				other := *d
				other.To = to
				wrong("another state", e, with(tr, e.N, &other))
			}
			wrong("without its cause", e, with(tr, cause.N, &trace.Note{}))
			if next := following(tr, e); next != nil {
				wrong("left out", next, with(tr, e.N, &trace.Note{}))
			}
			if _, ok := cause.Detail.(*trace.Arrived); !ok {
				continue
			}
			bits := decisive(d.From, d.To)
			if len(bits) == 0 {
				t.Errorf("%s, event %d: no control bit decides from %v to %v", name, e.N, d.From, d.To)
			}
			for _, bit := range bits {
				wrong("without "+bit.String(), e, withSegment(tr, cause.N, func(s *trace.Segment) { s.Flags &^= bit }))
				switch bit {
				case trace.ACK:
					wrong("with an ACK of less", e, withSegment(tr, cause.N, func(s *trace.Segment) { s.Ack-- }))
					wrong("with an ACK of more", e, withSegment(tr, cause.N, func(s *trace.Segment) { s.Ack += 1 << 20 }))
				case trace.FIN, trace.RST:
					wrong("behind a gap", e, withSegment(tr, cause.N, func(s *trace.Segment) { s.Seq++; s.Ack++ }))
				default:
				}
			}
			wrong("corrupted", e, withSegment(tr, cause.N, func(s *trace.Segment) { s.Checksum = trace.ChecksumBad }))
		}
	}
	t.Logf("changes that were found: %v", count)
	for what, n := range count {
		if n < 2 {
			t.Errorf("%s: %d changes", what, n)
		}
	}
}

// following is the next change of state of a socket.
func following(t *trace.Trace, e *trace.Event) *trace.Event {
	for i := e.N; i < len(t.Events); i++ {
		next := &t.Events[i]
		if _, ok := next.Detail.(*trace.StateChange); ok && next.Host == e.Host && next.Socket == e.Socket {
			return next
		}
	}
	return nil
}

// TestAnyTraceIsJudged: events in any order, with any cause, of any state, are judged and break nothing.
func TestAnyTraceIsJudged(t *testing.T) {
	wrong := 0
	for _, name := range []string{"plain", "half-open-b", "syn-cookies", "simultaneous-close"} {
		tr := recorded(t, builtin(t, name), netns.Config{})
		for _, whole := range []*trace.Trace{tr, captured(tr, 0, 1<<30)} {
			for seed := range uint64(300) {
				rng := rand.New(rand.NewPCG(seed, 1))
				other := *whole
				other.Events = slices.Clone(whole.Events)
				for range 1 + rng.IntN(20) {
					i, j := rng.IntN(len(other.Events)), rng.IntN(len(other.Events))
					e := &other.Events[i]
					switch rng.IntN(6) {
					case 0:
						e.Detail, other.Events[j].Detail = other.Events[j].Detail, e.Detail
					case 1:
						e.Cause = rng.IntN(2 * len(other.Events))
					case 2:
						e.Socket = rng.IntN(4)
					case 3:
						e.Host = other.Events[j].Host
					case 4:
						e.Detail = &trace.StateChange{
							From: trace.State(rng.IntN(12)), To: trace.State(rng.IntN(12)), Source: trace.Source(rng.IntN(3)), Listener: rng.IntN(3),
						}
					case 5:
						e.Detail = &trace.HostChange{What: trace.Reboot}
					}
				}
				for _, p := range rfc9293.Paths(&other) {
					if d, ok := other.Event(p.N).Detail.(*trace.StateChange); !ok || d.From != p.From || d.To != p.To || p.Why == "" {
						t.Fatalf("%s, seed %d: %v is not about a change of state of the trace", name, seed, &p)
					}
					wrong++
				}
			}
		}
	}
	if len(rfc9293.Paths(&trace.Trace{})) > 0 || len(rfc9293.Covered(&trace.Trace{})) > 0 {
		t.Error("an empty trace has no states")
	}
	t.Logf("%d errors", wrong)
}
