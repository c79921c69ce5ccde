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
		statement: "B21", name: "one of the two sets no limits to the buffers of a socket just made", story: "plain", want: Holds,
		edit: func(t *testing.T, e *editor) {
			e.forget(e.control(t, 0, "client", 1), trace.SendBufferLimit, trace.ReceiveBufferLimit)
			e.learn(e.control(t, e.call(t, "client", "connect", 1), "client", 1), trace.Change{Item: trace.SendBufferLimit}, trace.Value{Kind: trace.Number, Num: 4096})
			e.learn(e.control(t, e.call(t, "client", "connect", 1), "client", 1), trace.Change{Item: trace.ReceiveBufferLimit}, trace.Value{Kind: trace.Number, Num: 4096})
		},
	},
	{
		statement: "B21", name: "one of the two does not keep the protocol", story: "plain", want: Contradicted,
		edit: func(t *testing.T, e *editor) { e.forget(e.control(t, 0, "server", 2), trace.Protocol) },
	},
}

// TestLeftOver: what the stack knows of the peer by itself is left over for B20, and untold for who shows what a socket holds.
func TestLeftOver(t *testing.T) {
	number := func(n int64) trace.Value { return trace.Value{Kind: trace.Number, Num: n} }
	tests := []struct {
		item  trace.Item
		value trace.Value
		want  bool
	}{
		{trace.SndWnd, number(0), false}, // what holds where nobody has told anything
		{trace.SndWnd, number(1), true},
		{trace.IRS, number(0), false},
		{trace.TSRecent, number(7), true},
		{trace.Timestamps, number(0), false},
		{trace.SendMSS, number(536), false},
		{trace.SendMSS, number(1460), true},
		{trace.RemoteAddress, trace.Value{Kind: trace.Text, Text: "192.0.2.9"}, true},
	}
	for _, tt := range tests {
		e := edit(t, "fresh-send")
		n := e.control(t, 0, "client", 1)
		e.learn(n, trace.Change{Item: tt.item}, tt.value)
		tr := e.finish(t)
		if got := StatementOf("B20").on(newRecord(tr)).Verdict == Contradicted; got != tt.want {
			t.Errorf("%v %v: left over is %v, want %v", tt.item, tt.value, got, tt.want)
		}
		if got := trace.Told(tr, n)[0].Untold(tt.item); got != tt.want {
			t.Errorf("%v %v: untold is %v, want %v", tt.item, tt.value, got, tt.want)
		}
	}
}

// TestHiddenItems: where a stack does not let us see an item, no verdict turns to another that decides.
func TestHiddenItems(t *testing.T) {
	for _, name := range []string{"plain", "simultaneous-open", "syn-cookies", "fresh-send"} {
		before := Judge(story(t, name))
		for item := range trace.Item(trace.NumItems) {
			for i, f := range Judge(hide(t, name, item)) {
				if f.Verdict != before[i].Verdict && f.Verdict != NotObservable {
					t.Errorf("%s without %v: %s was %v and is %v; observed %v", name, item, f.Statement.ID, before[i].Verdict, f.Verdict, f.Observed)
				}
			}
		}
	}
}

// TestWhatRestsOnAnItem: a statement that needs an item is not observable where a stack hides it.
func TestWhatRestsOnAnItem(t *testing.T) {
	tests := []struct {
		item  trace.Item
		story string
		ids   []string
	}{
		{trace.RemoteAddress, "plain", []string{"A4", "A5", "A6", "B20", "C7", "C10"}},
		{trace.RemotePort, "plain", []string{"A4", "A5", "A6", "B20", "C7", "C10"}},
		{trace.IRS, "plain", []string{"A6", "B20", "C7"}},
		{trace.SndWnd, "plain", []string{"A6", "B20"}},
		{trace.RcvNxt, "plain", []string{"A6", "B20"}},
		{trace.ISS, "plain", []string{"B20"}},
		{trace.ReceiveMemoryUsed, "plain", []string{"A8"}},
		{trace.Cwnd, "plain", []string{"B21"}},
	}
	for _, tt := range tests {
		for _, f := range Judge(hide(t, tt.story, tt.item)) {
			if slices.Contains(tt.ids, f.Statement.ID) && f.Verdict != NotObservable {
				t.Errorf("%v is hidden, and %s is %v; observed %v", tt.item, f.Statement.ID, f.Verdict, f.Observed)
			}
		}
	}
	e := edit(t, "plain")
	for item := range trace.Item(trace.NumItems) {
		e.hide(item)
	}
	for _, f := range Judge(e.finish(t)) {
		if slices.Contains([]string{"A2", "A4", "A5", "A6", "A8", "B19", "B20", "B21", "C7", "C10"}, f.Statement.ID) && f.Verdict != NotObservable {
			t.Errorf("all is hidden, and %s is %v; observed %v", f.Statement.ID, f.Verdict, f.Observed)
		}
	}
}

// hide is a story as a stack shows it that hides an item.
func hide(t *testing.T, story string, item trace.Item) *trace.Trace {
	t.Helper()
	e := edit(t, story)
	e.hide(item)
	return e.finish(t)
}

// hide lets all stacks hide an item: it is not observable wherever it had a value, and nobody is said to have brought it.
func (e *editor) hide(item trace.Item) {
	for i := range e.t.Events {
		c, ok := e.t.Events[i].Detail.(*trace.Control)
		if !ok {
			continue
		}
		for j := range c.Changes {
			if ch := &c.Changes[j]; ch.Item == item && ch.New().Kind != trace.None {
				*ch = trace.Change{Item: item, Source: ch.Source}.With(trace.Value{}, trace.Value{Kind: trace.NotObservable})
			}
		}
	}
}
