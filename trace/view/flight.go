package view

import "connectlab/trace"

// A side of the ladder.
type side int

const (
	left side = iota
	right
)

func (s side) other() side { return 1 - s }

// A flight is the way of one packet over the link, from the event in which it was sent until the last in which
// something came of it.
type flight struct {
	from     side
	packet   *trace.Packet
	sent     int  // N
	end      int  // N of the last event; behind the last of the trace if it was still on the way
	landings int  // arrivals, and losses at the far end, that are still to come
	lost     bool // where it was sent
	crowd    bool // with too many others to have a lane
	lane     int  // the number of its lane; -1: none
	rows     int  // that were drawn since it was sent
}

// steps returns, for each event of a trace, the N of the first event of its step.
func steps(t *trace.Trace) []int {
	first := make([]int, len(t.Events))
	for i := range t.Events {
		e := &t.Events[i]
		begins := i == 0 || e.At != t.Events[i-1].At
		switch e.Detail.(type) {
		case *trace.Call, *trace.Timer, *trace.HostChange, *trace.Note, *trace.Arrived:
			begins = true
		case *trace.Fate:
			// A packet that nobody took: the loss is a step of its own.
			begins = begins || e.Cause < first[i-1]
		case *trace.Return, *trace.Sent, *trace.StateChange, *trace.Control:
		}
		if begins {
			first[i] = e.N
		} else {
			first[i] = first[i-1]
		}
	}
	return first
}

// eachStep calls do with the events of each step of a trace, in order.
func eachStep(t *trace.Trace, do func([]trace.Event)) {
	first := steps(t)
	for from := 0; from < len(t.Events); {
		to := from + 1
		for to < len(t.Events) && first[to] == first[from] {
			to++
		}
		do(t.Events[from:to])
		from = to
	}
}

// flights returns the flights of a trace by the N of their Sent. Where more than lanes packets are on the way in
// one direction, all that are connected in time fly without a lane.
func flights(t *trace.Trace, first []int, sideOf func(host string) side, lanes int) map[int]*flight {
	all := make(map[int]*flight)
	for i := range t.Events {
		e := &t.Events[i]
		f := all[e.Cause]
		switch d := e.Detail.(type) {
		case *trace.Sent:
			all[e.N] = &flight{from: sideOf(e.Host), packet: d.Packet, sent: e.N, end: len(t.Events) + 1, lane: -1}
		case *trace.Arrived:
			if f != nil {
				f.end = e.N
				f.landings++
			}
		case *trace.Fate:
			switch {
			case f == nil || !d.Kind.Lost():
			case first[i] == first[f.sent-1]:
				f.lost = true
			default:
				f.end = e.N
				f.landings++
			}
		default: // nothing else flies
		}
	}
	for _, from := range []side{left, right} {
		markCrowds(t, all, from, lanes)
	}
	return all
}

// markCrowds finds the clusters of flights of one direction that overlap, and those of them that are too wide.
func markCrowds(t *trace.Trace, all map[int]*flight, from side, lanes int) {
	var cluster []*flight
	ends := make(map[int]int) // how many flights end with an event
	aloft, widest := 0, 0
	for i := range t.Events {
		n := t.Events[i].N
		aloft -= ends[n]
		if aloft == 0 {
			closeCluster(cluster, widest > lanes)
			cluster, widest = cluster[:0], 0
		}
		if f := all[n]; f != nil && f.from == from && (f.landings > 0 || !f.lost) {
			cluster = append(cluster, f)
			ends[f.end]++
			aloft++
			widest = max(widest, aloft)
		}
	}
	closeCluster(cluster, widest > lanes)
}

func closeCluster(cluster []*flight, crowd bool) {
	for _, f := range cluster {
		f.crowd = crowd
	}
}
