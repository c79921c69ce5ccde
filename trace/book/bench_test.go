package book

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
)

// BenchmarkJudge runs a story with its record and judges the record, in turns, and reports the second as a part of the first: it
// has to be less than 1. The run without a record is measured beside it, which shows what recording alone costs.
func BenchmarkJudge(b *testing.B) {
	for _, name := range []string{"plain", "many"} {
		b.Run(name, func(b *testing.B) {
			s, err := script.Builtin(name)
			if err != nil {
				b.Fatal(err)
			}
			run := func(level netns.RecordLevel) (*trace.Trace, time.Duration) {
				began := time.Now()
				r, err := script.Run(s, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1, Record: level})
				if err != nil {
					b.Fatal(err)
				}
				return r.Trace, time.Since(began)
			}
			var bare, recorded, judged time.Duration
			for b.Loop() {
				_, took := run(netns.RecordNothing)
				bare += took
				tr, took := run(netns.RecordAll)
				recorded += took
				began := time.Now()
				Judge(tr)
				judged += time.Since(began)
			}
			n := float64(b.N)
			b.ReportMetric(float64(judged)/float64(recorded), "judging/run")
			b.ReportMetric(float64(judged)/float64(recorded-bare), "judging/recording")
			b.ReportMetric(float64(judged)/n, "judging-ns/op")
			b.ReportMetric(float64(recorded)/n, "run-ns/op")
		})
	}
}

// BenchmarkJudgeConnections judges as many connections, one after the other, as its name says: an event must not cost more where there
// are ten times as many.
func BenchmarkJudgeConnections(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, err := script.Parse("connections", fmt.Sprintf(`
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: repeat %d {
    accept(3, ..., ...) = 4
    sendall(4, 5) = 5
    close(4) = 0
}

client: repeat %d {
    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
    connect(3, server:80) = 0
    recvall(3) = 5
    close(3) = 0
}
`, n, n))
			if err != nil {
				b.Fatal(err)
			}
			r, err := script.Run(s, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				Judge(r.Trace)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(len(r.Trace.Events)), "ns/event")
		})
	}
}

// BenchmarkJudgeCapture judges what a capture of a long transfer shows, and reports how many packets it judges in a second.
func BenchmarkJudgeCapture(b *testing.B) {
	tr := captured(story(b, "transfer"))
	for b.Loop() {
		Judge(tr)
	}
	packets := float64(len(tr.Events)) / 2 * float64(b.N)
	b.ReportMetric(packets/b.Elapsed().Seconds(), "packets/s")
}
