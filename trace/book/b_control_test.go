package book

import (
	"slices"
	"testing"

	"connectlab/trace"
)

// changesB2 are the changes for the rest of section B.
var changesB2 = []change{
	{statement: "B18", name: "as it was", story: "plain", want: Holds},
	{
		statement: "B18", name: "the reset carries data", story: "half-open-a", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.octets(e.segment(t, "server", trace.RST, 1), func(b []byte) []byte { return append(b, "gone"...) })
		},
	},
	{
		statement: "B19", name: "nothing is the stack's own", story: "fresh-send", want: Holds,
		edit: func(t *testing.T, e *editor) {
			n := e.control(t, 0, "client", 1)
			c := e.t.Event(n).Detail.(*trace.Control)
			c.Changes = slices.DeleteFunc(c.Changes, func(c trace.Change) bool { return c.By == trace.ByStack })
		},
	},
	{
		statement: "B19", name: "a limit that no call set is said to be the application's", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.brought(e.control(t, 0, "client", 1), trace.ByApplication, trace.SendBufferLimit)
		},
	},
	{statement: "B20", name: "as it was", story: "plain", want: Holds},
	{
		statement: "B20", name: "the server's stack knows the client's clock by itself", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) {
			e.brought(e.control(t, e.state(t, "server", 2, trace.Established), "server", 2), trace.ByStack, trace.TSRecent)
		},
	},
	{
		statement: "B21", name: "one of the two keeps no congestion window", story: "plain", want: Holds,
		edit: func(t *testing.T, e *editor) {
			for i := range e.t.Events {
				if _, ok := e.t.Events[i].Detail.(*trace.Control); ok && e.t.Events[i].Host == "server" {
					e.forget(i+1, trace.Cwnd)
				}
			}
		},
	},
	{
		statement: "B21", name: "one of the two does not keep the protocol", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) { e.forget(e.control(t, 0, "server", 2), trace.Protocol) },
	},
}
