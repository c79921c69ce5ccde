package diff_test

import (
	"bytes"
	"slices"
	"testing"

	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/pcapng"

	"github.com/google/go-cmp/cmp"
)

// without is a trace without some of its events.
func without(t *testing.T, tr *trace.Trace, leave func(*trace.Event) bool) *bender {
	t.Helper()
	b := bend(t, tr)
	for i := range b.t.Events {
		if leave(&b.t.Events[i]) {
			b.gone[b.t.Events[i].N] = true
		}
	}
	return b
}

func isControl(e *trace.Event) bool { _, ok := e.Detail.(*trace.Control); return ok }
func isState(e *trace.Event) bool   { _, ok := e.Detail.(*trace.StateChange); return ok }

// capture is the only connection of a capture of a trace's link.
func capture(t *testing.T, tr *trace.Trace) *trace.Trace {
	t.Helper()
	bare := throughFile(t, tr)
	var events []trace.Event
	for _, e := range bare.Events {
		_, sent := e.Detail.(*trace.Sent)
		_, arrived := e.Detail.(*trace.Arrived)
		_, fate := e.Detail.(*trace.Fate)
		if sent || arrived || fate {
			events = append(events, e)
		}
	}
	bare.Events = events
	var b bytes.Buffer
	if err := pcapng.Write(&b, bare, pcapng.Wire); err != nil {
		t.Fatal(err)
	}
	var captured *trace.Trace
	if _, err := pcapng.Read(&b, "wire.pcapng", func(c *pcapng.Connection) error {
		captured = c.Trace
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return captured
}

// TestNotObservableIsNoDivergence: what one of the traces does not show is told to be left out, and nothing diverges.
func TestNotObservableIsNoDivergence(t *testing.T) {
	plain := recorded(t, "plain")
	rows := []struct {
		name  string
		other func(t *testing.T) *trace.Trace
		want  []diff.Omission
	}{
		{"no control information was recorded", func(t *testing.T) *trace.Trace {
			b := without(t, plain, isControl)
			b.t.Header.Control = false
			return b.finish()
		}, []diff.Omission{{Aspect: diff.Control, Why: "no-control"}}},
		{"the data were not recorded", func(t *testing.T) *trace.Trace {
			b := bend(t, plain)
			b.t.Header.Data = false
			for i := range b.t.Events {
				var p *trace.Packet
				switch d := b.t.Events[i].Detail.(type) {
				case *trace.Sent:
					p = d.Packet
				case *trace.Arrived:
					p = d.Packet
				default:
					continue
				}
				p.Octets = p.Octets[:p.Len-p.TCP.DataLen]
			}
			return b.finish()
		}, []diff.Omission{{Aspect: diff.Data, Why: "no-data"}}},
		{"the server's stack does not let its sockets be looked at", func(t *testing.T) *trace.Trace {
			b := without(t, plain, func(e *trace.Event) bool { return e.Host == "server" && (isControl(e) || isState(e)) })
			h := b.t.Header.Host("server")
			h.Capabilities = slices.DeleteFunc(h.Capabilities, func(s string) bool { return s == trace.CapabilityControl })
			return b.finish()
		}, []diff.Omission{{Aspect: diff.States, Host: "server", Why: "no-states"}, {Aspect: diff.Control, Host: "server", Why: "no-control"}}},
		{"another stack on the client", func(t *testing.T) *trace.Trace {
			b := bend(t, plain)
			b.t.Header.Host("client").Stack = "other"
			for i := range b.t.Events {
				if c, ok := b.t.Events[i].Detail.(*trace.Control); ok && b.t.Events[i].Host == "client" {
					c.Changes = c.Changes[:1]
				}
			}
			return b.finish()
		}, []diff.Omission{{Aspect: diff.Control, Host: "client", Why: "other-stack"}}},
		{"a run in real time", func(t *testing.T) *trace.Trace {
			b := bend(t, plain)
			b.t.Header.RealTime = true
			for i := range b.t.Events {
				b.t.Events[i].At += b.t.Events[i].At/7 + 3
			}
			b.t.End.At *= 2
			return b.finish()
		}, []diff.Omission{{Aspect: diff.Time, Why: "no-times"}}},
		{"a capture", func(t *testing.T) *trace.Trace { return capture(t, plain) }, []diff.Omission{
			{Aspect: diff.Calls, Why: "no-calls"}, {Aspect: diff.Returns, Why: "no-calls"}, {Aspect: diff.World, Why: "no-calls"}, {Aspect: diff.Fates, Why: "no-fates"},
			{Aspect: diff.End, Why: "no-end"}, {Aspect: diff.Time, Why: "no-times"}, {Aspect: diff.States, Why: "no-states"},
			{Aspect: diff.Control, Why: "no-control"},
		}},
		{"a run with another seed", func(t *testing.T) *trace.Trace { return record(t, run{"plain", "gvisor", "gvisor", 2}) }, []diff.Omission{
			{Aspect: diff.Data, Why: "other-seed"},
		}},
	}
	reasons := map[string]bool{}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			other := row.other(t)
			r := diff.Compare(plain, other, diff.Options{})
			if r.First != nil || len(r.Rest) > 0 || r.Moves < 11 {
				t.Errorf("%d moves, first divergence %s: %+v", r.Moves, brief(r.First), r.First)
			}
			if d := cmp.Diff(row.want, r.NotCompared); d != "" {
				t.Errorf("not compared (-want +got)\n%s", d)
			}
			mirror(t, plain, other, diff.Options{})
			for _, o := range r.NotCompared {
				reasons[o.Why] = true
			}
		})
	}
	for _, why := range diff.Reasons() {
		if !reasons[why] {
			t.Errorf("%s: no trace that is not compared because of it", why)
		}
	}
}

// TestCapturesAreCompared: two captures are compared with the states that follow from their packets.
func TestCapturesAreCompared(t *testing.T) {
	a, b := capture(t, recorded(t, "plain")), capture(t, record(t, run{"plain", "gvisor", "gvisor", 2}))
	if r := diff.Compare(a, b, diff.Options{Ignore: []diff.Aspect{diff.Data}}); r.First != nil || r.Moves < 20 {
		t.Errorf("%d moves, first divergence %s: %+v", r.Moves, brief(r.First), r.First)
	}
	other := bend(t, recorded(t, "plain"))
	n := other.segment("server", trace.FIN|trace.ACK, false, 1)
	other.tcp(n, func(tcp []byte) { tcp[13] &^= byte(trace.FIN) })
	if r := diff.Compare(a, capture(t, other.finish()), diff.Options{}); r.First == nil || r.First.Differences[0].Aspect != diff.ControlBits {
		t.Errorf("without the server's FIN the first divergence is %s", brief(r.First))
	}
}

// TestFromFileAsLive: a trace that was read from a file gives the same result as the live one.
func TestFromFileAsLive(t *testing.T) {
	for _, name := range []string{"plain", "half-open-b", "syn-cookies", "hole", "ethernet", "ipv6"} {
		a, b := recorded(t, name), record(t, run{name, "gvisor", "gvisor", 2})
		if name != "ethernet" && name != "syn-cookies" {
			b = record(t, run{name, "gvisor", "handwritten", 2})
		}
		live := diff.Compare(a, b, diff.Options{})
		if d := cmp.Diff(live, diff.Compare(throughFile(t, a), throughFile(t, b), diff.Options{})); d != "" {
			t.Errorf("%s: (-live +file)\n%s", name, d)
		}
	}
}

// TestIgnore: what is ignored is named, and is no divergence.
func TestIgnore(t *testing.T) {
	a, b := recorded(t, "plain"), record(t, run{"plain", "handwritten", "handwritten", 1})
	r := diff.Compare(a, b, diff.Options{Ignore: diff.Aspects()})
	if r.First != nil || len(r.Rest) > 0 {
		t.Errorf("with all aspects ignored the first divergence is %s", brief(r.First))
	}
	if d := cmp.Diff(diff.Aspects(), r.Ignored); d != "" {
		t.Errorf("ignored (-want +got)\n%s", d)
	}
	for _, ignored := range [][]diff.Aspect{{diff.TCPOptions}, {diff.TCPOptions, diff.Window, diff.IP}, {diff.Packets, diff.States}} {
		r := diff.Compare(a, b, diff.Options{Ignore: ignored})
		for _, d := range divergences(r) {
			for _, x := range d.Differences {
				if slices.Contains(ignored, x.Aspect) {
					t.Errorf("%v ignored: %v", ignored, x)
				}
			}
		}
		if len(r.Ignored) != len(ignored) {
			t.Errorf("%v ignored: named are %v", ignored, r.Ignored)
		}
	}
}

// divergences are all that a result shows.
func divergences(r *diff.Result) []*diff.Divergence {
	var all []*diff.Divergence
	for _, d := range []*diff.Divergence{r.First, r.FirstBroken} {
		if d != nil {
			all = append(all, d)
		}
	}
	for i := range r.Rest {
		all = append(all, r.Rest[i].First)
	}
	return all
}
