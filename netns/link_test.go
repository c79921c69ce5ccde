package netns_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
)

const ms = time.Millisecond

// talk has the client send one segment at each of these times, numbered from 1 by sequence number.
func talk(t *testing.T, cfg netns.Config, times ...time.Duration) *trace.Trace {
	t.Helper()
	cfg.Client = blind(func(p *puppet) {
		for i, at := range times {
			p.at(at, "talk", func() { p.send(trace.ACK, trace.Seq(i+1)) })
		}
	})
	cfg.Server = blind(nil)
	return run(t, cfg, func(*netns.Sandbox) {})
}

// arrivals are the packets that a host got, each with its time and sequence number.
func arrivals(t *trace.Trace, host string) (l []string) {
	for _, e := range t.Events {
		if a, ok := e.Detail.(*trace.Arrived); ok && e.Host == host {
			l = append(l, fmt.Sprintf("%v #%d", e.At, a.Packet.TCP.Seq))
		}
	}
	return l
}

// fates are what the link did, each with the sender's segment.
func fates(t *trace.Trace) (l []string) {
	for _, e := range t.Events {
		if f, ok := e.Detail.(*trace.Fate); ok {
			s := fmt.Sprintf("%v %s #%d %s by %q", e.At, e.Host, t.Event(e.Cause).Detail.(*trace.Sent).Packet.TCP.Seq, f.Kind, f.Rule)
			if f.Delay != 0 {
				s += fmt.Sprintf(" +%v", f.Delay)
			}
			l = append(l, s)
		}
	}
	return l
}

// TestLink: which packets arrive when, and what the record says of those that do not simply arrive.
func TestLink(t *testing.T) {
	for name, c := range map[string]struct {
		rules []string
		times []time.Duration
		want  []string // arrivals
		fates []string
	}{
		"no rule": {
			times: []time.Duration{0, 1 * ms, 1 * ms},
			want:  []string{"10ms #1", "11ms #2", "11ms #3"},
		},
		"drop": {
			rules: []string{"drop client any#2"}, times: []time.Duration{0, 1 * ms, 2 * ms},
			want:  []string{"10ms #1", "12ms #3"},
			fates: []string{`1ms client #2 dropped by "drop client any#2"`},
		},
		"delay": {
			rules: []string{"delay client any#1 .005"}, times: []time.Duration{0, 1 * ms, 9 * ms},
			want:  []string{"11ms #2", "15ms #1", "19ms #3"},
			fates: []string{`0s client #1 delayed by "delay client any#1 .005" +5ms`},
		},
		"delayed to the instant of a later one, the first sent comes first": {
			rules: []string{"delay client any#1 1ms"}, times: []time.Duration{0, 1 * ms},
			want:  []string{"11ms #1", "11ms #2"},
			fates: []string{`0s client #1 delayed by "delay client any#1 1ms" +1ms`},
		},
		"duplicate at once": {
			rules: []string{"duplicate client any#1"}, times: []time.Duration{0, 0},
			want:  []string{"10ms #1", "10ms #1", "10ms #2"},
			fates: []string{`0s client #1 duplicated by "duplicate client any#1"`},
		},
		"duplicate later": {
			rules: []string{"duplicate client any#1 3ms"}, times: []time.Duration{0, 1 * ms},
			want:  []string{"10ms #1", "11ms #2", "13ms #1"},
			fates: []string{`0s client #1 duplicated by "duplicate client any#1 3ms" +3ms`},
		},
		"reorder, one overtakes": {
			rules: []string{"reorder client any#1"}, times: []time.Duration{0, 2 * ms, 4 * ms},
			want:  []string{"12ms #2", "12ms #1", "14ms #3"},
			fates: []string{`0s client #1 reordered by "reorder client any#1"`},
		},
		"reorder, two overtake": {
			rules: []string{"reorder client any#1 2"}, times: []time.Duration{0, 2 * ms, 4 * ms, 4 * ms},
			want:  []string{"12ms #2", "14ms #3", "14ms #1", "14ms #4"},
			fates: []string{`0s client #1 reordered by "reorder client any#1 2"`},
		},
		"reorder, nothing overtakes": {
			rules: []string{"reorder client any#2"}, times: []time.Duration{0, 1 * ms},
			want:  []string{"10ms #1", "1.011s #2"},
			fates: []string{`1ms client #2 reordered by "reorder client any#2"`},
		},
		"reorder, too few overtake": {
			rules: []string{"reorder client any#1 2"}, times: []time.Duration{0, 1 * ms, 2 * time.Second},
			want:  []string{"11ms #2", "1.01s #1", "2.01s #3"},
			fates: []string{`0s client #1 reordered by "reorder client any#1 2"`},
		},
		"reorder, two are overtaken by one": {
			rules: []string{"reorder client any#1-2"}, times: []time.Duration{0, 1 * ms, 2 * ms},
			want:  []string{"12ms #3", "12ms #1", "12ms #2"},
			fates: []string{`0s client #1 reordered by "reorder client any#1-2"`, `1ms client #2 reordered by "reorder client any#1-2"`},
		},
		"reorder, with others on their way": {
			rules: []string{"delay client any#1-3 .5", "reorder client any#4"}, times: []time.Duration{0, 1 * ms, 2 * ms, 3 * ms, 4 * ms},
			want: []string{"14ms #5", "14ms #4", "510ms #1", "511ms #2", "512ms #3"},
			fates: []string{
				`0s client #1 delayed by "delay client any#1-3 .5" +500ms`, `1ms client #2 delayed by "delay client any#1-3 .5" +500ms`,
				`2ms client #3 delayed by "delay client any#1-3 .5" +500ms`, `3ms client #4 reordered by "reorder client any#4"`,
			},
		},
		"reorder, what is lost overtakes nothing": {
			rules: []string{"reorder client any#1", "drop client any#2"}, times: []time.Duration{0, 1 * ms, 2 * ms},
			want:  []string{"12ms #3", "12ms #1"},
			fates: []string{`0s client #1 reordered by "reorder client any#1"`, `1ms client #2 dropped by "drop client any#2"`},
		},
		"reorder, what comes after the limit overtakes nothing": {
			rules: []string{"reorder client any#1", "delay client any#2 5"}, times: []time.Duration{0, 1 * ms},
			want:  []string{"1.01s #1", "5.011s #2"},
			fates: []string{`0s client #1 reordered by "reorder client any#1"`, `1ms client #2 delayed by "delay client any#2 5" +5s`},
		},
		"reorder, behind the later of two that overtake": {
			rules: []string{"reorder client any#1 2", "delay client any#2 .1"}, times: []time.Duration{0, 1 * ms, 2 * ms},
			want:  []string{"12ms #3", "111ms #2", "111ms #1"},
			fates: []string{`0s client #1 reordered by "reorder client any#1 2"`, `1ms client #2 delayed by "delay client any#2 .1" +100ms`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := talk(t, netns.Config{Faults: faults(t, c.rules...)}, c.times...)
			if d := cmp.Diff(c.want, arrivals(tr, netns.Server)); d != "" {
				t.Errorf("arrivals (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.fates, fates(tr)); d != "" {
				t.Errorf("fates (-want +got):\n%s", d)
			}
		})
	}
}

// TestReorderPerDirection: packets of the other direction overtake nothing, a rule made in Go without a number included.
func TestReorderPerDirection(t *testing.T) {
	tr := run(t, netns.Config{
		Client: blind(func(p *puppet) {
			p.at(0, "1", func() { p.send(trace.ACK, 1) })
			p.at(5*ms, "2", func() { p.send(trace.ACK, 2) })
		}),
		Server: blind(func(p *puppet) { p.at(1*ms, "1", func() { p.send(trace.ACK, 1) }) }),
		Faults: []netns.Fault{{Action: netns.FaultReorder, Host: netns.Client, First: 1, Last: 1}},
	}, func(*netns.Sandbox) {})
	if d := cmp.Diff([]string{"15ms #2", "15ms #1"}, arrivals(tr, netns.Server)); d != "" {
		t.Errorf("arrivals at the server (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{`0s client #1 reordered by "reorder client any#1"`}, fates(tr)); d != "" {
		t.Errorf("fates (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"reorder client any#1"}, tr.Header.Faults); d != "" {
		t.Errorf("rules in the header (-want +got):\n%s", d)
	}
}

// TestArrivalsOfOneInstant: with no delay and with one, packets of one instant arrive in the order of sending, answers
// at the same instant behind them.
func TestArrivalsOfOneInstant(t *testing.T) {
	for name, c := range map[string]struct{ delay, takes time.Duration }{"no delay": {netns.NoLinkDelay, 0}, "10 ms": {0, 10 * ms}} {
		t.Run(name, func(t *testing.T) {
			const n = 50
			var want []string
			tr := run(t, netns.Config{Delay: c.delay, Client: blind(func(p *puppet) {
				p.at(0, "burst", func() {
					for i := range n {
						p.send(trace.ACK, trace.Seq(i))
						want = append(want, fmt.Sprintf("%v #%d", c.takes, i))
					}
				})
			}), Server: blind(func(p *puppet) {
				p.onDeliver = func(_ *puppet, packet *trace.Packet) {
					if packet.TCP.Seq%10 == 0 {
						p.send(trace.ACK, packet.TCP.Seq)
					}
				}
			})}, func(*netns.Sandbox) {})
			if d := cmp.Diff(want, arrivals(tr, netns.Server)); d != "" {
				t.Errorf("arrivals (-want +got):\n%s", d)
			}
			var answers []string
			for i := 0; i < n; i += 10 {
				answers = append(answers, fmt.Sprintf("%v #%d", 2*c.takes, i))
			}
			if d := cmp.Diff(answers, arrivals(tr, netns.Client)); d != "" {
				t.Errorf("arrivals of the answers (-want +got):\n%s", d)
			}
			if c.takes == 0 {
				last := tr.Events[len(tr.Events)-1]
				if d, ok := last.Detail.(*trace.Arrived); !ok || last.Host != netns.Client || d.Packet.TCP.Seq != 40 {
					t.Errorf("the last event is %s, want the last answer's arrival: it was sent last", short(&last))
				}
			}
		})
	}
}

// TestLostSegmentEndsIdle: the toy retransmits nothing, so a loss leaves both programs waiting, and the record names their calls.
func TestLostSegmentEndsIdle(t *testing.T) {
	for rule, want := range map[string]struct {
		blocked []string
		end     time.Duration
	}{
		"drop client SYN#1":     {[]string{"connect(3, 192.0.2.2:80)", "accept(3)"}, 0},
		"drop server SYN,ACK#1": {[]string{"connect(3, 192.0.2.2:80)", "accept(3)"}, 10 * ms},
		"drop client data#1":    {[]string{"recvall(3, 5)", "recvall(4, 5)"}, 30 * ms},
	} {
		t.Run(rule, func(t *testing.T) {
			tr := run(t, toys(netns.Config{Faults: faults(t, rule)}), func(sb *netns.Sandbox) { plain(t, sb, 5) })
			if tr.End.Reason != trace.Idle || tr.End.At != want.end {
				t.Errorf("ended %s at %v, want idle at %v, the last event's time", tr.End.Reason, tr.End.At, want.end)
			}
			var blocked []string
			for _, n := range tr.End.Blocked {
				blocked = append(blocked, tr.Event(n).Detail.(*trace.Call).String())
			}
			if d := cmp.Diff(want.blocked, blocked); d != "" {
				t.Errorf("blocked calls (-want +got):\n%s", d)
			}
		})
	}
}

// corrupted finds the only corrupted packet: as it was sent, its fate, and as it arrived.
func corrupted(t *testing.T, tr *trace.Trace) (sent *trace.Packet, fate *trace.Fate, arrived *trace.Packet) {
	t.Helper()
	n := 0
	for _, e := range tr.Events {
		if f, ok := e.Detail.(*trace.Fate); ok && f.Kind == trace.Corrupted {
			n, sent, fate = e.Cause, tr.Event(e.Cause).Detail.(*trace.Sent).Packet, f
		}
	}
	for _, e := range tr.Events {
		if a, ok := e.Detail.(*trace.Arrived); ok && e.Cause == n {
			arrived = a.Packet
		}
	}
	if sent == nil || arrived == nil {
		t.Fatal("no packet was corrupted, or it did not arrive")
	}
	return sent, fate, arrived
}

// TestCorrupt: what arrives differs from what was sent in the bit that the fate names, and in no other. The checksum
// that covers the bit is bad. The record keeps what was sent.
func TestCorrupt(t *testing.T) {
	for rule, want := range map[string]struct{ octet, bit int }{
		"corrupt client data#1 41.0": {41, 0},
		"corrupt client data#1 44.7": {44, 7},
		"corrupt client data#1 34.3": {34, 3},
		"corrupt client data#1 8.7":  {8, 7},  // TTL
		"corrupt client any#1 44.1":  {44, 1}, // those before it have no octet 44 and do not count
		"corrupt client data#1":      {-1, -1},
	} {
		t.Run(rule, func(t *testing.T) {
			tr := run(t, toys(netns.Config{Faults: faults(t, rule)}), func(sb *netns.Sandbox) { plain(t, sb, 5) })
			sent, fate, arrived := corrupted(t, tr)
			if want.octet >= 0 && (fate.Octet != want.octet || fate.Bit != want.bit) {
				t.Errorf("the fate names octet %d, bit %d, want %d.%d", fate.Octet, fate.Bit, want.octet, want.bit)
			}
			if fate.Octet < 20 && want.octet < 0 {
				t.Errorf("octet %d was hit, want one of the TCP segment", fate.Octet)
			}
			repaired := slices.Clone(arrived.Octets)
			repaired[fate.Octet] ^= 0x80 >> fate.Bit
			if !bytes.Equal(repaired, sent.Octets) {
				t.Errorf("sent %x\narrived %x\nwant one bit apart, %d.%d", sent.Octets, arrived.Octets, fate.Octet, fate.Bit)
			}
			if sent.TCP.Checksum != trace.ChecksumGood || sent.IP.Checksum != trace.ChecksumGood {
				t.Error("the record has the packet that was sent with a bad checksum")
			}
			if fate.Octet < 20 {
				if arrived.IP.Checksum != trace.ChecksumBad {
					t.Errorf("the IP checksum is %s, want bad", arrived.IP.Checksum)
				}
			} else if arrived.TCP.Checksum != trace.ChecksumBad {
				t.Errorf("the TCP checksum is %s, want bad", arrived.TCP.Checksum)
			}
		})
	}
}

// TestWrittenIsKept: a record that is written as it happens is, octet for octet, what one that is kept would be written as,
// whatever the link does to packets, with data and without; and it reads back as the kept one.
func TestWrittenIsKept(t *testing.T) {
	for _, rule := range []string{
		"drop client data#2", "delay client data .005", "duplicate client data", "duplicate client data .5", "corrupt client data#1 41.0",
		"corrupt client data", "corrupt server any 20%", "reorder client data", "reorder client data 2", "duplicate server any 50%", "drop client any 5%",
	} {
		for _, omit := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, data left out %v", rule, omit), func(t *testing.T) {
				cfg := toys(netns.Config{Seed: 3, Faults: faults(t, rule), OmitData: omit})
				set := func(sb *netns.Sandbox) { plain(t, sb, 2500) }
				kept := run(t, cfg, set)
				var want, got bytes.Buffer
				if err := trace.Write(&want, kept); err != nil {
					t.Fatal(err)
				}
				cfg.Writer = &got
				if tr := run(t, cfg, set); tr != nil {
					t.Error("Run returned a trace with a Writer")
				}
				if len(fates(kept)) == 0 {
					t.Fatal("the rule hit nothing")
				}
				if !bytes.Equal(want.Bytes(), got.Bytes()) {
					t.Fatalf("kept and written (-kept +written):\n%s", cmp.Diff(want.String(), got.String()))
				}
				read, err := trace.Read(&got, "written", wire.Decode)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(lines(kept), lines(read)); d != "" {
					t.Errorf("read back (-kept +read):\n%s", d)
				}
			})
		}
	}
}

// TestWrittenControl: the same where a step has much to say of many sockets, and where timers are taken back.
func TestWrittenControl(t *testing.T) {
	cfg := netns.Config{Server: blind(nil), Client: glass(func(p *puppet) {
		p.onSocket = func(s *puppetSocket) {
			n := int64(0)
			s.info = func(info *trace.ControlInfo) {
				for i := range trace.Item(trace.NumItems) {
					if i.Unit() != trace.UnitText {
						info.SetNumber(i, n)
					}
				}
				info.SetText(trace.PendingError, fmt.Sprint("error ", n))
			}
			p.at(ms, "disabled", func() { p.touch(s) })
			p.at(2*ms, "all", func() { n++; s.status.State = trace.Listen; p.touch(p.sockets...); p.send(trace.ACK, 1) })
		}
	})}
	set := func(sb *netns.Sandbox) { of(t, sb, netns.Client, make([]netns.Call, 20)...) }
	var want, got bytes.Buffer
	kept := run(t, cfg, set)
	if err := trace.Write(&want, kept); err != nil {
		t.Fatal(err)
	}
	cfg.Writer = &got
	run(t, cfg, set)
	if d := cmp.Diff(want.String(), got.String()); d != "" {
		t.Errorf("kept and written (-kept +written):\n%s", d)
	}
	controls := 0
	for _, e := range kept.Events {
		if c, ok := e.Detail.(*trace.Control); ok && len(c.Changes) > 20 {
			controls++
		}
	}
	if controls != 40 {
		t.Errorf("%d large control events, want one for each socket's making and one for its timer", controls)
	}
}

// TestLinkDown: what is on its way arrives, what is sent while the link is down is lost, and what is sent when it is
// up again arrives.
func TestLinkDown(t *testing.T) {
	tr := run(t, netns.Config{Client: blind(func(p *puppet) {
		for i, at := range []time.Duration{0, 6 * ms, 19 * ms, 21 * ms} {
			p.at(at, "talk", func() { p.send(trace.ACK, trace.Seq(i+1)) })
		}
	}), Server: blind(nil)}, func(sb *netns.Sandbox) {
		sb.At(5*ms, 1, func() { sb.SetLink(false) })
		sb.At(20*ms, 2, func() { sb.SetLink(true) })
	})
	if d := cmp.Diff([]string{"10ms #1", "31ms #4"}, arrivals(tr, netns.Server)); d != "" {
		t.Errorf("arrivals (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{`6ms client #2 link-down by ""`, `19ms client #3 link-down by ""`}, fates(tr)); d != "" {
		t.Errorf("fates (-want +got):\n%s", d)
	}
	var changes []string
	for _, e := range tr.Events {
		if h, ok := e.Detail.(*trace.HostChange); ok {
			changes = append(changes, fmt.Sprintf("%v %q %s", e.At, e.Host, h.What))
		}
	}
	if d := cmp.Diff([]string{`5ms "" link down`, `20ms "" link up`}, changes); d != "" {
		t.Errorf("what happened to the link (-want +got):\n%s", d)
	}
}

// TestTooLong: a packet of the link's MTU arrives, one that is an octet longer is lost.
func TestTooLong(t *testing.T) {
	for _, mtu := range []int{netns.MinMTU, 0} {
		limit := mtu
		if mtu == 0 {
			limit = netns.DefaultMTU
		}
		tr := run(t, netns.Config{MTU: mtu, Client: blind(func(p *puppet) {
			if p.env.MTU != limit {
				t.Errorf("the stack was told an MTU of %d, want %d", p.env.MTU, limit)
			}
			p.at(0, "talk", func() {
				p.send(trace.ACK, 1, make([]byte, limit-40)...)
				p.send(trace.ACK, 2, make([]byte, limit-39)...)
			})
		}), Server: blind(nil)}, func(*netns.Sandbox) {})
		if d := cmp.Diff([]string{"10ms #1"}, arrivals(tr, netns.Server)); d != "" {
			t.Errorf("MTU %d, arrivals (-want +got):\n%s", limit, d)
		}
		if d := cmp.Diff([]string{`0s client #2 too-long by ""`}, fates(tr)); d != "" {
			t.Errorf("MTU %d, fates (-want +got):\n%s", limit, d)
		}
	}
}

// TestQueueFull: what a stack's own queue threw away was sent and never reached the link.
func TestQueueFull(t *testing.T) {
	tr := run(t, netns.Config{Client: blind(func(p *puppet) {
		p.at(0, "talk", func() {
			p.send(trace.ACK, 1)
			p.send(trace.ACK, 2)
			p.out[0].lost = true
		})
	}), Server: blind(nil), Faults: faults(t, "drop client any#2")}, func(*netns.Sandbox) {})
	if d := cmp.Diff([]string{`0s client #1 queue-full by ""`}, fates(tr)); d != "" {
		t.Errorf("fates: the rule counts what reaches the link (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"10ms #2"}, arrivals(tr, netns.Server)); d != "" {
		t.Errorf("arrivals (-want +got):\n%s", d)
	}
}

// TestCorruptNothing: a rule that corrupts lets a packet pass that does not have the octet, and an empty one.
func TestCorruptNothing(t *testing.T) {
	for name, c := range map[string]struct {
		rule   string
		packet []byte
	}{
		"too short":             {"corrupt client any 40.0", segment(netns.Client, trace.ACK, 1)},
		"empty":                 {"corrupt client any", []byte{}},
		"empty, an octet named": {"corrupt client any 1.0", []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := run(t, netns.Config{Server: blind(nil), Faults: faults(t, c.rule), Client: blind(func(p *puppet) {
				p.at(0, "talk", func() { p.out = append(p.out, outgoing{octets: c.packet}) })
			})}, func(*netns.Sandbox) {})
			if d := cmp.Diff([]string(nil), fates(tr)); d != "" {
				t.Errorf("fates (-want +got):\n%s", d)
			}
			last := tr.Events[len(tr.Events)-1]
			a, ok := last.Detail.(*trace.Arrived)
			if !ok || !bytes.Equal(a.Packet.Octets, c.packet) {
				t.Errorf("the last event is %s, want the arrival of %x", short(&last), c.packet)
			}
		})
	}
}

// TestLastTime: times that add up to more than can be counted do not begin anew. The run is cut off at MaxTime.
func TestLastTime(t *testing.T) {
	const most = netns.MaxTime
	cutOff := trace.End{At: most, Reason: trace.UntilReached}
	for name, c := range map[string]struct {
		cfg  netns.Config
		set  func(*testing.T, *netns.Sandbox)
		want []string // the events
	}{
		"calls": {
			set: func(t *testing.T, sb *netns.Sandbox) {
				of(t, sb, netns.Server, netns.Call{At: most / 2}, netns.Call{At: most / 2}, netns.Call{At: 1<<63 - 1})
			},
			want: []string{
				"1 438000h0m0s server/0 cause 0: socket()", "2 438000h0m0s server/1 cause 1: return of 1 = 3",
				"3 876000h0m0s server/0 cause 0: socket()", "4 876000h0m0s server/2 cause 3: return of 3 = 4",
			},
		},
		"a function": {set: func(_ *testing.T, sb *netns.Sandbox) { sb.At(1<<63-1, 1, func() { t.Error("it was called") }) }},
		"a delay of the link": {
			cfg: netns.Config{Delay: most, Faults: faults(t, "delay client any 876000h")},
			set: func(t *testing.T, sb *netns.Sandbox) {
				of(t, sb, netns.Client, netns.Call{At: most}, netns.Call{Op: netns.OpConnect, FD: 3, Addr: serverPort})
			},
			want: []string{
				"1 876000h0m0s client/0 cause 0: socket()", "2 876000h0m0s client/1 cause 1: return of 1 = 3",
				"3 876000h0m0s client/1 cause 0: connect(3, 192.0.2.2:80)", "4 876000h0m0s client/1 cause 3: sent SYN len 0",
				`5 876000h0m0s client/1 cause 4: delayed by "delay client any 876000h"`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := run(t, toys(c.cfg), func(sb *netns.Sandbox) { c.set(t, sb) })
			if d := cmp.Diff(c.want, lines(tr)); d != "" {
				t.Errorf("events (-want +got):\n%s", d)
			}
			tr.End.Blocked = nil
			if d := cmp.Diff(cutOff, tr.End); d != "" {
				t.Errorf("end (-want +got):\n%s", d)
			}
		})
	}
}
