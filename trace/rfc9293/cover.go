package rfc9293

import "connectlab/trace"

// A Cover is an edge that a trace went along.
type Cover struct {
	Edge Edge
	// Events are the N of the changes of state that went along it, in order.
	Events []int
}

// Covered returns the edges that the changes of state of a trace went along, in the order of the table: a change that is no path of
// the machine went along none. Of several paths that a sampled change may have taken it is the shortest.
func Covered(t *trace.Trace) []Cover {
	w := standard.walk(t)
	var list []Cover
	for i, events := range w.covered {
		if len(events) > 0 {
			list = append(list, Cover{w.edges[i], events})
		}
	}
	return list
}
