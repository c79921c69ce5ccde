package trace_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"connectlab/trace"
)

// recordStep records a step with an event of each kind that a run has many of.
func recordStep(r *trace.Recorder, p *trace.Packet, before, now *trace.ControlInfo) {
	const at = 10 * time.Millisecond
	r.Begin()
	call := r.Call(at, "client", 1, trace.Call{Name: "send", FD: 3, Len: 5})
	r.State(at, "client", 1, call, trace.StateChange{From: trace.Closed, To: trace.SynSent, Word: "SYN-SENT"})
	r.Control(at, "client", 1, call, before, now, nil)
	sent := r.Sent(at, "client", 1, call, r.Keep(p))
	r.Fate(at, "client", 1, sent, trace.Fate{Kind: trace.Dropped, Rule: "drop client any"})
	r.Arrived(at, "server", 1, sent, r.Keep(p))
	r.Return(at, "client", 1, call, trace.Return{Call: call, Result: 5})
	r.Commit()
}

const stepLength = 7

// recordInput is a packet of 60 octets with 20 of data, and control information in which five numbers differ.
func recordInput() (p trace.Packet, before, now trace.ControlInfo) {
	p = *packet(trace.ACK, "", 20, true)
	for _, i := range []trace.Item{trace.SndUna, trace.SndNxt, trace.SndWnd, trace.TSRecent, trace.Cwnd} {
		before.SetNumber(i, 1)
		now.SetNumber(i, 2)
	}
	return p, before, now
}

// An event costs no allocation where it is written as it happens.
func TestRecordingAllocatesNothing(t *testing.T) {
	p, before, now := recordInput()
	r := trace.NewWriter(io.Discard, trace.Header{Data: true})
	if n := testing.AllocsPerRun(1000, func() { recordStep(r, &p, &before, &now) }); n != 0 {
		t.Errorf("%v allocations a step of %d events, want 0", n, stepLength)
	}
}

// Where it is kept, what is allocated is memory for many events at once: less than one allocation for twenty.
func TestKeepingAllocatesByTheChunk(t *testing.T) {
	p, before, now := recordInput()
	r := trace.NewRecorder(trace.Header{Data: true})
	if n := testing.AllocsPerRun(1000, func() { recordStep(r, &p, &before, &now) }); n > stepLength/20.0 {
		t.Errorf("%v allocations a step of %d events, want at most %v", n, stepLength, stepLength/20.0)
	}
}

// A record of many steps, also of long ones, has all events in order, each once; a step that is taken back leaves
// nothing behind.
func TestStepsAcrossChunks(t *testing.T) {
	r := trace.NewRecorder(trace.Header{})
	want := 0
	for step := range 400 {
		r.Begin()
		length := step % 70
		for range length {
			r.Note(0, "client", 0, trace.Note{Text: "kept", Line: want + r.Step() + 1})
		}
		if r.Step() != length {
			t.Fatalf("step %d: %d events, want %d", step, r.Step(), length)
		}
		if step%3 == 0 {
			r.Undo()
		} else {
			want += length
		}
		r.Commit()
		if r.N() != want {
			t.Fatalf("step %d: the last event is %d, want %d", step, r.N(), want)
		}
	}
	tr, err := r.Finish(trace.End{})
	if err != nil || len(tr.Events) != want {
		t.Fatalf("%d events and %v, want %d", len(tr.Events), err, want)
	}
	for i, e := range tr.Events {
		if n := e.Detail.(*trace.Note); e.N != i+1 || n.Line != i+1 {
			t.Fatalf("Events[%d] has number %d and is what was recorded as %d", i, e.N, n.Line)
		}
	}
}

// What Keep returns does not change with the packet; without data it ends with the last header.
func TestKeep(t *testing.T) {
	for _, data := range []bool{true, false} {
		p, _, _ := recordInput()
		want := len(p.Octets)
		if !data {
			want -= p.TCP.DataLen
		}
		kept := trace.NewRecorder(trace.Header{Data: data}).Keep(&p)
		first := kept.Octets[0]
		clear(p.Octets)
		if len(kept.Octets) != want || kept.Len != p.Len || kept.Octets[0] != first {
			t.Errorf("data %v: kept %d of %d octets, the first %#x, want %d and %#x", data, len(kept.Octets), kept.Len, kept.Octets[0], want, first)
		}
	}
}

// brokenPipe fails from the second write on.
type brokenPipe struct{ writes int }

var errPipe = errors.New("the pipe is broken")

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.writes++; b.writes > 1 {
		return 0, errPipe
	}
	return len(p), nil
}

// The first error of the writer stays.
func TestWriterFails(t *testing.T) {
	var pipe brokenPipe
	r := trace.NewWriter(&pipe, trace.Header{})
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	for range 3 {
		r.Begin()
		r.Note(0, "", 0, trace.Note{Text: "lost"})
		r.Commit()
	}
	if _, err := r.Finish(trace.End{}); !errors.Is(err, errPipe) || !errors.Is(r.Err(), errPipe) || pipe.writes != 2 {
		t.Errorf("Finish: %v, Err: %v, %d writes; want the first error, and no write behind it", err, r.Err(), pipe.writes)
	}
}

// BenchmarkRecord is a step of seven events, and what it allocates.
func BenchmarkRecord(b *testing.B) {
	p, before, now := recordInput()
	for _, kind := range []struct {
		name string
		make func() *trace.Recorder
	}{
		{"kept", func() *trace.Recorder { return trace.NewRecorder(trace.Header{Data: true}) }},
		{"written", func() *trace.Recorder { return trace.NewWriter(io.Discard, trace.Header{Data: true}) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			b.ReportAllocs()
			r := kind.make()
			for n := 0; b.Loop(); n++ {
				if n%1000 == 999 {
					r = kind.make() // a record that is kept for ever says nothing of one that is used
				}
				recordStep(r, &p, &before, &now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*stepLength), "ns/event")
		})
	}
}
