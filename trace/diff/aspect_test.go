package diff_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/diff"
)

// aspects are recorded traces with one thing changed, that differ in one aspect, there where it was changed.
var aspects = []change{
	{name: "a call with another argument", story: "plain", bend: func(b *bender) int {
		n := b.call("client", "sendall", 1)
		b.t.Event(n).Detail.(*trace.Call).Len = 6
		return n
	}, want: diff.Calls, field: "arguments", a: "5", b: "6"},
	{name: "another call", story: "plain", bend: func(b *bender) int {
		n := b.call("client", "close", 1)
		b.t.Event(n).Detail.(*trace.Call).Name = "abort"
		return n
	}, want: diff.Calls, field: "call", a: "close", b: "abort", more: []diff.Aspect{diff.Returns}},
	{name: "a call is not made", story: "plain", bend: func(b *bender) int {
		n := b.call("server", "close", 2)
		b.drop(n, b.returned(n))
		return n
	}, want: diff.Calls, field: "call", a: "close", only: true, more: []diff.Aspect{diff.Returns}},
	{name: "another state", story: "plain", bend: func(b *bender) int {
		n := b.state("client", trace.FinWait2)
		b.t.Event(n).Detail.(*trace.StateChange).To = trace.Closing
		return n
	}, want: diff.States, field: "state", a: "FIN-WAIT-2", b: "CLOSING"},
	{name: "a state is not reached", story: "plain", bend: func(b *bender) int {
		n := b.state("server", trace.CloseWait)
		b.drop(n)
		return n
	}, want: diff.States, field: "state", a: "CLOSE-WAIT", only: true},
	{name: "a segment is not sent", story: "plain", bend: func(b *bender) int {
		n := b.segment("server", trace.ACK, false, 1)
		b.drop(n)
		return n
	}, want: diff.Packets, field: "packet", a: "<SEQ=1><ACK=6><CTL=ACK>", only: true, more: []diff.Aspect{diff.Control}},
	{name: "a segment is sent twice", story: "plain", bend: func(b *bender) int {
		n := b.segment("server", trace.ACK, false, 1)
		b.insert(n, b.copyOf(n))
		return n
	}, want: diff.Packets, field: "packet", b: "<SEQ=1><ACK=6><CTL=ACK>", added: true},
	{name: "RST for a RST,ACK", story: "refused", bend: func(b *bender) int {
		n := b.segment("server", trace.RST|trace.ACK, false, 1)
		b.tcp(n, func(tcp []byte) { tcp[13] &^= byte(trace.ACK) })
		return n
	}, want: diff.ControlBits, field: "control-bits", a: "RST,ACK", b: "RST"},
	{name: "a FIN is missing", story: "plain", bend: func(b *bender) int {
		n := b.segment("server", trace.FIN|trace.ACK, false, 1)
		b.tcp(n, func(tcp []byte) { tcp[13] &^= byte(trace.FIN) })
		return n
	}, want: diff.ControlBits, field: "control-bits", a: "FIN,ACK", b: "ACK"},
	{name: "a reserved bit", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.SYN, false, 1)
		b.tcp(n, func(tcp []byte) { tcp[12] |= 2 })
		return n
	}, want: diff.ControlBits, field: "reserved-bits", a: "0", b: "1"},
	{name: "an ACK of one octet more", story: "plain", bend: func(b *bender) int {
		n := b.segment("server", trace.ACK, false, 1)
		b.tcp(n, func(tcp []byte) { add(tcp, 8, 1) })
		return n
	}, want: diff.Numbers, field: "SEG.ACK", a: "6", b: "7"},
	{name: "an octet of data less", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.ACK, true, 1)
		b.octets(n, func(o []byte) []byte { return o[:len(o)-1] })
		return n
	}, want: diff.Segmentation, field: "data-length", a: "5", b: "4"},
	{name: "another octet", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.ACK, true, 1)
		b.octets(n, func(o []byte) []byte { o[len(o)-1] ^= 0x90; return o })
		return n
	}, want: diff.Data, field: "data-octets", a: "4: 78", b: "4: e8"},
	{name: "another MSS", story: "plain", bend: func(b *bender) int {
		n := b.segment("server", trace.SYN|trace.ACK, false, 1)
		b.options(n, func(o []byte) []byte {
			binary.BigEndian.PutUint16(o[optionAt(o, trace.OptionMSS)+2:], 536)
			return o
		})
		return n
	}, want: diff.TCPOptions, field: "option-MSS", a: "1460", b: "536"},
	{name: "another window", story: "plain", bend: func(b *bender) int {
		n := b.segment("server", trace.ACK, false, 1)
		b.tcp(n, func(tcp []byte) { binary.BigEndian.PutUint16(tcp[14:], 200) })
		return n
	}, want: diff.Window, field: "SEG.WND", a: "29056", b: "25600"},
	{name: "no PSH", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.ACK, true, 1)
		b.tcp(n, func(tcp []byte) { tcp[13] &^= byte(trace.PSH) })
		return n
	}, want: diff.Push, field: "PSH", a: "1", b: "0"},
	{name: "URG", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.ACK, true, 1)
		b.tcp(n, func(tcp []byte) {
			tcp[13] |= byte(trace.URG)
			tcp[19] = 5
		})
		return n
	}, want: diff.Urgent, field: "urgent-pointer", b: "5"},
	{name: "ECE", story: "plain", bend: func(b *bender) int {
		n := b.segment("server", trace.ACK, false, 1)
		b.tcp(n, func(tcp []byte) { tcp[13] |= byte(trace.ECE) })
		return n
	}, want: diff.ECN, field: "ECN-bits", a: "none", b: "ECE"},
	{name: "an ECN-capable segment", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.ACK, true, 1)
		b.octets(n, func(o []byte) []byte { o[1] |= 2; return o })
		return n
	}, want: diff.ECN, field: "ECN", a: "0", b: "2"},
	{name: "another TTL", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.FIN|trace.ACK, false, 1)
		b.octets(n, func(o []byte) []byte { o[8]--; return o })
		return n
	}, want: diff.IP, field: "TTL", a: "64", b: "63"},
	{name: "another service", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.FIN|trace.ACK, false, 1)
		b.octets(n, func(o []byte) []byte { o[1] |= 0x20; return o })
		return n
	}, want: diff.IP, field: "DSCP", a: "0", b: "8"},
	{name: "a packet that may be cut up", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.FIN|trace.ACK, false, 1)
		b.octets(n, func(o []byte) []byte { o[6] ^= 0x40; return o })
		return n
	}, want: diff.IP, field: "DF", a: "1", b: "0"},
	{name: "a frame from another address", story: "ethernet", bend: func(b *bender) int {
		n := b.segment("client", trace.FIN|trace.ACK, false, 1)
		for _, p := range b.packets(n) {
			p.Octets[11]++
			p.Ethernet.Src[5]++
		}
		return n
	}, want: diff.Link, field: "ethernet", a: "00:00:5e:00:53:01 > 00:00:5e:00:53:02, 0x0800", b: "00:00:5e:00:53:02 > 00:00:5e:00:53:02, 0x0800"},
	{name: "who has another address", story: "ethernet", bend: func(b *bender) int {
		n := b.find(1, func(e *trace.Event) bool {
			s, ok := e.Detail.(*trace.Sent)
			return ok && s.Packet.Kind == trace.PacketARP
		})
		for _, p := range b.packets(n) {
			p.Octets[31] = 3
			p.ARP.SenderIP = p.ARP.SenderIP.Next().Next()
		}
		return n
	}, want: diff.Link, field: "ARP", a: "1 00:00:5e:00:53:01 192.0.2.1 00:00:00:00:00:00 192.0.2.2", b: "1 00:00:5e:00:53:01 192.0.2.3 00:00:00:00:00:00 192.0.2.2"},
	{name: "a wrong checksum", story: "plain", bend: func(b *bender) int {
		n := b.segment("client", trace.FIN|trace.ACK, false, 1)
		b.raw(n, func(o []byte) { o[36]++ })
		return n
	}, want: diff.Checksums, field: "checksum", a: "good", b: "bad"},
	{name: "a segment is sent again later", story: "syn-lost", bend: func(b *bender) int {
		n := b.segment("client", trace.SYN, false, 2)
		b.later(b.t.Event(n).Cause, 200*time.Millisecond)
		return n
	}, want: diff.Time, field: "time", a: "1s", b: "1.2s"},
	{name: "TIME-WAIT lasts longer", story: "plain", bend: func(b *bender) int {
		n := b.find(1, func(e *trace.Event) bool {
			s, ok := e.Detail.(*trace.StateChange)
			return ok && s.From == trace.TimeWait
		})
		b.later(b.t.Event(n).Cause, 3*time.Minute)
		return n
	}, want: diff.Time, field: "time", a: "1m0s", b: "4m0s"},
	{name: "a state is reached because of another segment", story: "plain", bend: func(b *bender) int {
		n := b.state("server", trace.CloseWait)
		b.t.Event(n).Cause -= 2
		return n
	}, want: diff.States, field: "state", b: "CLOSE-WAIT", added: true, more: []diff.Aspect{diff.States}},
	{name: "a call returns because of another segment", story: "plain", bend: func(b *bender) int {
		n := b.find(1, func(e *trace.Event) bool {
			r, ok := e.Detail.(*trace.Return)
			return ok && e.Host == "server" && r.Result == 0 && r.Call == b.call("server", "recvall", 2)
		})
		b.t.Event(n).Cause -= 2
		return n
	}, want: diff.Time, field: "cause", a: "<SEQ=6><ACK=6><CTL=FIN,ACK> #1", b: "<SEQ=6><ACK=6><CTL=ACK> #1"},
	{name: "another segment is answered", story: "plain", bend: func(b *bender) int {
		n := b.segment("server", trace.ACK, false, 2)
		b.t.Event(n).Cause -= 2
		return n
	}, want: diff.Packets, field: "packet", b: "<SEQ=6><ACK=7><CTL=ACK>", added: true, more: []diff.Aspect{diff.Packets}},
	{name: "another fate", story: "syn-lost", bend: func(b *bender) int {
		n := b.segment("client", trace.SYN, false, 1)
		b.t.Event(b.find(1, func(e *trace.Event) bool {
			_, ok := e.Detail.(*trace.Fate)
			return ok && e.Cause == n
		})).Detail.(*trace.Fate).Kind = trace.LinkDown
		return n
	}, want: diff.Fates, field: "fate", a: "dropped", b: "link-down"},
	{name: "another error", story: "refused", bend: func(b *bender) int {
		n := b.returned(b.call("client", "connect", 1))
		b.t.Event(n).Detail.(*trace.Return).Errno = "ETIMEDOUT"
		return n
	}, want: diff.Returns, field: "result", a: "-1 ECONNREFUSED", b: "-1 ETIMEDOUT"},
	{name: "a call does not come back", story: "plain", bend: func(b *bender) int {
		call := b.call("server", "close", 2)
		n := b.returned(call)
		b.drop(n)
		b.t.End.Blocked = append(b.t.End.Blocked, call)
		return n
	}, want: diff.Returns, field: "result", a: "0", only: true, more: []diff.Aspect{diff.End}},
	{name: "another item", story: "plain", bend: func(b *bender) int {
		n := b.find(1, func(e *trace.Event) bool {
			c, ok := e.Detail.(*trace.Control)
			return ok && e.Host == "client" && hasItem(c, trace.Cwnd)
		})
		c := b.t.Event(n).Detail.(*trace.Control)
		for i := range c.Changes {
			if ch := &c.Changes[i]; ch.Item == trace.Cwnd {
				*ch = ch.With(ch.Old(), trace.Value{Kind: trace.Number, Num: 99})
			}
		}
		return n
	}, want: diff.Control, field: "item", a: "cwnd = 10", b: "cwnd = 99"},
	{name: "somebody else has brought an item", story: "plain", bend: func(b *bender) int {
		n := b.find(1, func(e *trace.Event) bool {
			c, ok := e.Detail.(*trace.Control)
			return ok && e.Host == "client" && hasItem(c, trace.SndWnd)
		})
		c := b.t.Event(n).Detail.(*trace.Control)
		for i := range c.Changes {
			if ch := &c.Changes[i]; ch.Item == trace.SndWnd {
				ch.By, ch.Field = trace.ByStack, trace.NoField
			}
		}
		return n
	}, want: diff.Control, field: "item", a: "SND.WND = 29184 (segment, window)", b: "SND.WND = 29184"},
	{name: "an initial number that is not the SYN's", story: "plain", bend: func(b *bender) int {
		n := b.find(1, func(e *trace.Event) bool {
			c, ok := e.Detail.(*trace.Control)
			return ok && e.Host == "client" && hasItem(c, trace.ISS)
		})
		c := b.t.Event(n).Detail.(*trace.Control)
		for i := range c.Changes {
			if ch := &c.Changes[i]; ch.Item == trace.ISS {
				*ch = ch.With(ch.Old(), trace.Value{Kind: trace.Number, Num: ch.New().Num + 3})
			}
		}
		return n
	}, want: diff.Control, field: "item", a: "ISS = 0", b: "ISS = 3"},
	{name: "something else is done to a host", story: "half-open-a", bend: func(b *bender) int {
		n := b.find(1, func(e *trace.Event) bool {
			h, ok := e.Detail.(*trace.HostChange)
			return ok && h.What == trace.Reboot
		})
		b.t.Event(n).Detail.(*trace.HostChange).What = trace.LinkComesUp
		return n
	}, want: diff.World, field: "host-change", a: "reboot", b: "link up"},
	{name: "an observer expected something else", story: "plain", bend: func(b *bender) int {
		n := b.find(1, func(e *trace.Event) bool { _, ok := e.Detail.(*trace.Note); return ok })
		note := b.t.Event(n).Detail.(*trace.Note)
		note.Failed, note.Text = true, "state(client 3): expected LISTEN, got SYN-SENT"
		return n
	}, want: diff.World, field: "note", a: "state(client 3) = SYN-SENT", b: "state(client 3): expected LISTEN, got SYN-SENT"},
	{name: "the run ends otherwise", story: "plain", bend: func(b *bender) int {
		b.t.End.Reason = trace.UntilReached
		return 0
	}, want: diff.End, field: "reason", a: "finished", b: "until"},
}

func hasItem(c *trace.Control, i trace.Item) bool {
	for k := range c.Changes {
		if c.Changes[k].Item == i {
			return true
		}
	}
	return false
}

func TestAspects(t *testing.T) {
	have := map[diff.Aspect]bool{}
	for i := range aspects {
		c := &aspects[i]
		have[c.want] = true
		t.Run(c.want.String()+"/"+c.name, func(t *testing.T) { c.check(t, diff.Options{}) })
	}
	for _, a := range diff.Aspects() {
		if !have[a] {
			t.Errorf("%v: no trace that differs in it", a)
		}
	}
}

// TestDataOfAnotherLength: that a segment has another length does not hide that its octets are others.
func TestDataOfAnotherLength(t *testing.T) {
	a := recorded(t, "plain")
	b := bend(t, a)
	n := b.segment("client", trace.ACK, true, 1)
	b.octets(n, func(o []byte) []byte {
		o[len(o)-2] ^= 1
		return o[:len(o)-1]
	})
	changed := b.finish()
	r := diff.Compare(a, changed, diff.Options{Ignore: []diff.Aspect{diff.Segmentation}})
	if want := fmt.Sprintf("data data-octets #%d #%d", n, n); brief(r.First) != want {
		t.Errorf("first divergence %s, want %s", brief(r.First), want)
	}
	mirror(t, a, changed, diff.Options{})
}
