package rfc9293_test

import (
	"testing"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// segments are what one side of a connection sent and what reached it, in order.
type exchanged struct {
	segment *trace.Segment
	sent    bool
}

func segmentsOf(tr *trace.Trace, host string) (list []exchanged) {
	for i := range tr.Events {
		if e := &tr.Events[i]; e.Host == host {
			if _, s, ok := sideOf(e); ok {
				_, sent := e.Detail.(*trace.Sent)
				list = append(list, exchanged{s, sent})
			}
		}
	}
	return list
}

// BenchmarkEndpoint: one operation is a segment. The connection is short: each eleventh segment begins the next.
func BenchmarkEndpoint(b *testing.B) {
	for _, name := range []string{"plain", "send-and-close"} {
		b.Run(name, func(b *testing.B) {
			list := segmentsOf(recorded(b, builtin(b, name), netns.Config{}), netns.Client)
			b.ReportAllocs()
			var e rfc9293.Endpoint
			for i := 0; b.Loop(); i++ {
				if x := list[i%len(list)]; x.sent {
					e.Sent(x.segment)
				} else {
					e.Arrived(x.segment)
				}
			}
		})
	}
}

// BenchmarkPaths: one operation is a trace; the events of a second are told beside it.
func BenchmarkPaths(b *testing.B) {
	for _, name := range []string{"plain", "many"} {
		b.Run(name, func(b *testing.B) {
			tr := recorded(b, builtin(b, name), netns.Config{})
			b.ReportAllocs()
			for b.Loop() {
				if len(rfc9293.Paths(tr)) > 0 {
					b.Fatal("no path")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(tr.Events)), "ns/event")
		})
	}
}

// TestEndpointAllocatesNothing: of a capture with very many connections, each segment goes through one.
func TestEndpointAllocatesNothing(t *testing.T) {
	list := segmentsOf(recorded(t, builtin(t, "send-and-close"), netns.Config{}), netns.Server)
	if n := testing.AllocsPerRun(10, func() {
		var e rfc9293.Endpoint
		for _, x := range list {
			if x.sent {
				e.Sent(x.segment)
			} else {
				e.Arrived(x.segment)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d segments", n, len(list))
	}
}
