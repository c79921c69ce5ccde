package view

import (
	"fmt"
	"strings"

	"connectlab/trace"
)

// Outcome tells in a line what came of the connects of a trace, and when: "connect = 0 at 0.020 s". Where several
// had the same result they are counted.
func Outcome(t *trace.Trace, l Language) string {
	o := &Options{Language: l}
	c := newClock(t)
	returns := make(map[int]*trace.Event) // by the N of the Call
	for i := range t.Events {
		if r, ok := t.Events[i].Detail.(*trace.Return); ok {
			returns[r.Call] = &t.Events[i]
		}
	}
	type result struct {
		text  string // "0", "-1 ECONNREFUSED", or empty: blocked
		count int
		at    string // of the last
	}
	var results []result
	for i := range t.Events {
		call, ok := t.Events[i].Detail.(*trace.Call)
		if !ok || call.Name != "connect" {
			continue
		}
		one := result{count: 1, at: c.print(t.End.At)}
		if e := returns[t.Events[i].N]; e != nil {
			r, _ := e.Detail.(*trace.Return)
			one.text, one.at = r.String(), c.print(e.At)
		}
		found := false
		for j := range results {
			if results[j].text == one.text {
				results[j].count++
				results[j].at = one.at
				found = true
			}
		}
		if !found {
			results = append(results, one)
		}
	}
	if len(results) == 0 {
		return o.text("outcome.none")
	}
	parts := make([]string, len(results))
	for i, r := range results {
		times := ""
		if r.count > 1 {
			times = fmt.Sprintf("%d × ", r.count)
		}
		if r.text == "" {
			parts[i] = times + o.text("outcome.blocked", r.at)
		} else {
			parts[i] = times + o.text("outcome.returned", clean(r.text), r.at)
		}
	}
	return strings.Join(parts, ", ")
}
