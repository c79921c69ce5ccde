package netns_test

import (
	"slices"
	"testing"
	"time"

	"connectlab/netns"
)

// connects is how many connects a run of BenchmarkDial makes.
const connects = 200

// question and answer are what one connect carries.
var question, answer = []byte("hello"), []byte("world")

// repeat is a program of first, and then of again so many times.
func repeat(first, again []netns.Call) netns.Program {
	return netns.Calls(slices.Concat(first, slices.Repeat(again, connects))...)
}

func byPrograms(b *testing.B, sb *netns.Sandbox) {
	for host, p := range map[string]netns.Program{
		netns.Server: repeat([]netns.Call{
			{Op: netns.OpSocket}, {Op: netns.OpSetOption, FD: 3, Option: netns.ReuseAddress, N: 1},
			{Op: netns.OpBind, FD: 3, Addr: serverPort}, {Op: netns.OpListen, FD: 3, N: 128},
		}, []netns.Call{
			{Op: netns.OpAccept, FD: 3}, {Op: netns.OpReceive, FD: 4, N: 64}, {Op: netns.OpSendAll, FD: 4, Data: answer}, {Op: netns.OpClose, FD: 4},
		}),
		netns.Client: repeat([]netns.Call{{At: time.Millisecond, Op: netns.OpSocket}, {Op: netns.OpClose, FD: 3}}, []netns.Call{
			{Op: netns.OpSocket}, {Op: netns.OpConnect, FD: 3, Addr: serverPort}, {Op: netns.OpSendAll, FD: 3, Data: question},
			{Op: netns.OpReceive, FD: 3, N: 64}, {Op: netns.OpClose, FD: 3},
		}),
	} {
		if err := sb.Program(host, host, p); err != nil {
			b.Fatal(err)
		}
	}
}

func byGoroutines(b *testing.B, sb *netns.Sandbox) {
	server, client := sb.Host(netns.Server), sb.Host(netns.Client)
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	server.Go(func() {
		l, err := server.Listen("tcp", "server:80")
		check(err)
		buf := make([]byte, 64)
		for range connects {
			c, err := l.Accept()
			check(err)
			_, err = c.Read(buf)
			check(err)
			_, err = c.Write(answer)
			check(err)
			check(c.Close())
		}
	})
	client.Go(func() {
		client.Sleep(time.Millisecond)
		buf := make([]byte, 64)
		for range connects {
			c, err := client.Dial("tcp", "server:80")
			check(err)
			_, err = c.Write(question)
			check(err)
			_, err = c.Read(buf)
			check(err)
			check(c.Close())
		}
	})
}

// BenchmarkDial: what a Dial, Write, Read and Close cost, with what the server does for them, beside the same calls of programs.
// Both run by turns, so that they see the same machine. Not recorded, the ratio is the largest.
func BenchmarkDial(b *testing.B) {
	for name, level := range map[string]netns.RecordLevel{"all": netns.RecordAll, "nothing": netns.RecordNothing} {
		b.Run("record="+name, func(b *testing.B) {
			b.ReportAllocs()
			var took [3]time.Duration
			for b.Loop() {
				for i, set := range []func(*testing.B, *netns.Sandbox){byPrograms, byGoroutines, byGoroutines} {
					cfg := onGVisor(1)
					cfg.Record = level
					if i == 2 {
						cfg.Wall = wallClock
					}
					sb, err := netns.New(cfg)
					if err != nil {
						b.Fatal(err)
					}
					set(b, sb)
					start := time.Now()
					if _, err := sb.Run(); err != nil {
						b.Fatal(err)
					}
					took[i] += time.Since(start)
				}
			}
			for i, of := range []string{"program", "go", "watched-go"} {
				b.ReportMetric(took[i].Seconds()*1e6/float64(b.N*connects), "µs/"+of)
			}
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "go/program")
			b.ReportMetric(took[2].Seconds()/took[0].Seconds(), "watched/program")
		})
	}
}
