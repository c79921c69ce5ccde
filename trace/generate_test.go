package trace_test

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"connectlab/trace"
	"connectlab/trace/wire"
)

const synOptions = "\x02\x04\x05\xb4\x04\x02\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x00\x01\x03\x03\x07"

// packet is a decoded packet of n octets of data, of which the record kept all or none.
func packet(flags trace.Flags, options string, n int, keepData bool) *trace.Packet {
	p := trace.Packet{
		IP: trace.IPHeader{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), TTL: 64, DF: true, ID: 7},
		TCP: trace.Segment{
			SrcPort: 40000, DstPort: 80, Seq: 4294967295, Ack: 1, Flags: flags, Window: 65535, Options: trace.Options(options),
		},
	}
	octets := wire.Append(nil, &p, make([]byte, n))
	return kept(octets, keepData)
}

// kept decodes whole octets that begin with the IP header, and then forgets the data as a Recorder does.
func kept(octets []byte, keepData bool) *trace.Packet { return keptOn(trace.LinkIP, octets, keepData) }

func keptOn(link trace.LinkType, octets []byte, keepData bool) *trace.Packet {
	p := &trace.Packet{Octets: octets, Len: len(octets), Link: link}
	wire.Decode(p)
	if headers := p.Ethernet.HeaderLen + p.IP.HeaderLen + p.TCP.HeaderLen; !keepData && p.Kind == trace.PacketTCP {
		p.Octets = octets[:headers:headers]
	}
	return p
}

// sample is a trace in which every detail occurs, each with all its fields and with none.
func sample() *trace.Trace {
	server := netip.MustParseAddrPort("192.0.2.2:80")
	v6 := trace.Packet{
		IP:  trace.IPHeader{Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2"), TTL: 1, TOS: 3},
		TCP: trace.Segment{Flags: trace.SYN | trace.ACK | trace.AE, Options: trace.Options("\x05\x12\x00\x00\x00\x01\x00\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x00\x00\xff")},
	}
	corrupted := wire.Append(nil, &v6, []byte("hello"))
	corrupted[len(corrupted)-1] ^= 1
	control := func(changes ...trace.Change) *trace.Control { return &trace.Control{Changes: changes} }
	number := func(n int64) trace.Value { return trace.Value{Kind: trace.Number, Num: n} }
	text := func(s string) trace.Value { return trace.Value{Kind: trace.Text, Text: s} }
	hidden, unlimited := trace.Value{Kind: trace.NotObservable}, trace.Value{Kind: trace.Unlimited}

	events := []trace.Event{
		{Host: "server", Socket: 1, Detail: &trace.Call{Name: "accept", FD: 3, Len: trace.NoLen, Program: "server", Line: 4}},
		{Host: "client", Socket: 1, Detail: &trace.Call{Name: "connect", FD: 3, Addr: server, Len: trace.NoLen, Program: "client", Line: 12}},
		{Host: "client", Socket: 1, Cause: 2, Detail: &trace.StateChange{To: trace.SynSent, Word: "SYN-SENT", Source: trace.Reported}},
		{Host: "client", Socket: 1, Cause: 2, Detail: control(
			trace.Change{Item: trace.RemoteAddress, By: trace.ByApplication}.With(trace.Value{}, text("192.0.2.2")),
			trace.Change{Item: trace.ISS, By: trace.ByStack}.With(trace.Value{}, number(4294967295)),
			trace.Change{Item: trace.Ssthresh}.With(hidden, unlimited),
			trace.Change{Item: trace.SndWnd, By: trace.BySegment, Field: trace.FieldWindow, Source: trace.Inferred}.With(number(0), hidden),
			trace.Change{Item: trace.Timestamps}.With(number(0), number(1)),
			trace.Change{Item: trace.PendingError}.With(text("ECONNREFUSED"), text("")),
			trace.Change{Item: trace.Protocol}.With(hidden, trace.Value{}),
			trace.Change{Item: trace.SRTT}.With(trace.Value{}, number(-1)),
		)},
		{Host: "client", Socket: 1, Cause: 2, Detail: &trace.Sent{Packet: packet(trace.SYN, synOptions, 0, true)}},
		{Host: "client", Socket: 1, Cause: 5, Detail: &trace.Fate{Kind: trace.Delayed, Rule: `delay client SYN#1 .020`, Delay: 20 * time.Millisecond}},
		{Host: "client", Socket: 1, Cause: 5, Detail: &trace.Fate{Kind: trace.Corrupted, Rule: "corrupt", Octet: 0, Bit: 0}},
		{Host: "client", Cause: 5, Detail: &trace.Fate{Kind: trace.Corrupted, Octet: 39, Bit: 7}},
		{Host: "client", Cause: 5, Detail: &trace.Fate{}},
		{Host: "client", Cause: 5, Detail: &trace.Fate{Kind: trace.TooLong}},
		{At: 30 * time.Millisecond, Host: "server", Socket: 2, Cause: 5, Detail: &trace.Arrived{Packet: packet(trace.SYN, synOptions, 0, true)}},
		{At: 30 * time.Millisecond, Host: "server", Socket: 2, Cause: 11, Detail: &trace.StateChange{From: trace.NotObserved, To: trace.SynReceived, Word: "SYN-RCVD", Listener: 1}},
		{At: 30 * time.Millisecond, Host: "server", Socket: 2, Cause: 11, Detail: &trace.Sent{Packet: packet(trace.ACK|trace.PSH, "", 1000, false)}},
		{At: 31 * time.Millisecond, Host: "server", Socket: 2, Cause: 11, Detail: &trace.Arrived{Packet: kept(corrupted, true)}},
		{At: 31 * time.Millisecond, Host: "server", Socket: 2, Cause: 11, Detail: &trace.Arrived{Packet: kept(corrupted, false)}},
		{At: 31 * time.Millisecond, Host: "server", Cause: 11, Detail: &trace.Arrived{Packet: packet(trace.RST, "\x02\x04\x05\xb4\x03\x00\x00\x00", 0, true)}},
		{At: 31 * time.Millisecond, Host: "server", Cause: 11, Detail: &trace.Arrived{Packet: kept([]byte("rubbish"), true)}},
		{At: 31 * time.Millisecond, Host: "server", Cause: 11, Detail: &trace.Arrived{Packet: kept([]byte{}, true)}},
		{At: 31 * time.Millisecond, Host: "server", Cause: 11, Detail: &trace.Arrived{Packet: kept([]byte(
			"\x45\x00\x00\x1c\x00\x01\x00\x00\x40\x01\xf6\xdb\xc0\x00\x02\x01\xc0\x00\x02\x02\x08\x00\xf7\xfe\x00\x01\x00\x00"), true)}},
		{At: 31 * time.Millisecond, Host: "server", Cause: 11, Detail: &trace.Arrived{Packet: kept([]byte(
			"\x45\xff\x00\x14\x00\x01\x20\x05\x40\x06\x00\x00\xc0\x00\x02\x01\xc0\x00\x02\x02"), true)}},
		{At: time.Second, Host: "server", Socket: 1, Cause: 11, Detail: &trace.Return{Call: 1, Result: 4, Addr: netip.MustParseAddrPort("192.0.2.1:40000"), Accepted: 2}},
		{At: time.Second, Host: "client", Socket: 1, Cause: 11, Detail: &trace.Return{Call: 2, Result: -1, Errno: "ECONNREFUSED"}},
		{At: time.Second, Host: "client", Socket: 1, Detail: &trace.Timer{Name: "snd.resendTimer"}},
		{At: time.Second, Host: "client", Detail: &trace.HostChange{What: trace.Reboot}},
		{At: time.Second, Detail: &trace.HostChange{What: trace.LinkGoesDown}},
		{At: time.Second, Detail: &trace.HostChange{What: trace.LinkComesUp}},
		{At: time.Second, Host: "client", Socket: 1, Detail: &trace.Note{Text: "state is \"SYN-SENT\",\tas \\ it\nshould\x00\x1f 시퀀스 \u2028", Failed: true, Line: 9}},
		{At: 365 * 24 * time.Hour, Detail: &trace.Note{}},
		{At: 365 * 24 * time.Hour, Host: "client", Detail: &trace.Call{FD: -1, Len: trace.NoLen}},
		{At: 365 * 24 * time.Hour, Host: "client", Detail: &trace.Call{Name: "bind", FD: 0, Addr: netip.MustParseAddrPort("[fe80::1%eth0]:0"), Len: 0, Text: "{…}", Program: "client.2"}},
		{At: 365 * 24 * time.Hour, Detail: &trace.Timer{}},
		{At: 365 * 24 * time.Hour, Host: "client", Socket: 1, Detail: &trace.Call{Name: "getsockopt", FD: 3, Len: trace.NoLen, Text: "SOL_SOCKET, SO_ERROR", Program: "client"}},
		{At: 365 * 24 * time.Hour, Host: "client", Socket: 1, Cause: 32, Detail: &trace.Return{Call: 32, Value: text("ECONNREFUSED")}},
		{At: 365 * 24 * time.Hour, Host: "client", Socket: 1, Cause: 32, Detail: &trace.Return{Call: 32, Value: number(0)}},
		{At: 365 * 24 * time.Hour, Host: "client", Socket: 1, Detail: &trace.Call{Name: "listen", FD: 3, Len: -1}},
		{At: 365 * 24 * time.Hour, Host: "client", Socket: 1, Detail: &trace.Call{Name: "recvall", FD: 3, Len: 100}},
		{At: 365 * 24 * time.Hour, Host: "client", Socket: 1, Cause: 11, Detail: &trace.Return{Call: 36, Result: -1, Errno: "ECONNRESET", Count: 50}},
	}
	for i := range events {
		events[i].N = i + 1
	}
	return &trace.Trace{
		Header: trace.Header{
			Story: trace.Story{Name: "plain", Text: "--delay=.010\nclient: connect(3, server:80) = 0\n"},
			Seed:  1<<64 - 1, Delay: 10 * time.Millisecond, MTU: 1500, Faults: []string{`drop client SYN#1`, `delay "x"`},
			Until: time.Hour, Start: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Control: true,
			Hosts: []trace.HostInfo{
				{
					Name: "client", Address: "192.0.2.1/24", Stack: "gvisor", Version: "v0.0.0-20260905035102-160fafc42237",
					Settings:     []trace.Setting{{Name: "SACK", Value: "true"}, {Name: "Nagle", Value: ""}},
					Capabilities: []string{"control"}, Unsupported: []string{"V6Only", ""},
				},
				{Name: "server"},
			},
		},
		Events: events,
		End:    trace.End{At: 365*24*time.Hour + 1, Reason: trace.Idle, Blocked: []int{29, 30}},
	}
}

// Frames that find a neighbor, written out by hand, the checksums computed apart from package wire.
const (
	arpRequest = "\xff\xff\xff\xff\xff\xff\x00\x00\x5e\x00\x53\x01\x08\x06" +
		"\x00\x01\x08\x00\x06\x04\x00\x01\x00\x00\x5e\x00\x53\x01\xc0\x00\x02\x01\x00\x00\x00\x00\x00\x00\xc0\x00\x02\x02"
	arpReply = "\x00\x00\x5e\x00\x53\x01\x00\x00\x5e\x00\x53\x02\x08\x06" +
		"\x00\x01\x08\x00\x06\x04\x00\x02\x00\x00\x5e\x00\x53\x02\xc0\x00\x02\x02\x00\x00\x5e\x00\x53\x01\xc0\x00\x02\x01"
	solicitation = "\x33\x33\xff\x00\x00\x02\x00\x00\x5e\x00\x53\x01\x86\xdd" +
		"\x60\x00\x00\x00\x00\x20\x3a\xff\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\x00\x00\x02" +
		"\x87\x00\x6d\x26\x00\x00\x00\x00\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x01\x01\x00\x00\x5e\x00\x53\x01"
)

// ethernetSample is a trace of a link that is Ethernet, with each kind of packet that there is only there.
func ethernetSample() *trace.Trace {
	frame := func(options string, n int, keepData bool) *trace.Packet {
		p := trace.Packet{
			Link:     trace.LinkEthernet,
			Ethernet: trace.EthernetHeader{Dst: trace.MAC{0, 0, 0x5e, 0, 0x53, 2}, Src: trace.MAC{0, 0, 0x5e, 0, 0x53, 1}},
			IP:       trace.IPHeader{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), TTL: 64},
			TCP:      trace.Segment{SrcPort: 40000, DstPort: 80, Seq: 7, Flags: trace.SYN, Options: trace.Options(options)},
		}
		return keptOn(trace.LinkEthernet, wire.Append(nil, &p, make([]byte, n)), keepData)
	}
	on := func(octets string) *trace.Packet { return keptOn(trace.LinkEthernet, []byte(octets), true) }
	events := []trace.Event{
		{Host: "client", Detail: &trace.Sent{Packet: on(arpRequest)}},
		{Host: "server", Cause: 1, Detail: &trace.Sent{Packet: on(arpReply)}},
		{Host: "client", Detail: &trace.Sent{Packet: on(solicitation)}},
		{Host: "client", Socket: 1, Cause: 2, Detail: &trace.Sent{Packet: frame("", 0, true)}},
		{Host: "client", Socket: 1, Cause: 2, Detail: &trace.Sent{Packet: frame(synOptions, 1000, false)}},
		{Host: "client", Detail: &trace.Sent{Packet: on(arpReply[:14])}},
		{Host: "client", Detail: &trace.Sent{Packet: on(arpReply[:13])}},
		{Host: "client", Detail: &trace.Sent{Packet: on("")}},
		{Host: "client", Detail: &trace.Sent{Packet: on(arpReply[:12] + "\x88\xcc\x02\x07")}},
		{Host: "client", Detail: &trace.Sent{Packet: on(arpReply[:12] + "\x08\x00\x60")}},
		{Host: "client", Detail: &trace.Sent{Packet: on(arpReply[:12] + "\x81\x00\x00\x07" + arpReply[12:])}},
	}
	for i := range events {
		events[i].N = i + 1
	}
	return &trace.Trace{
		Header: trace.Header{
			Seed: 1, Link: trace.LinkEthernet, MTU: 1500, Needs: []string{"ECN"},
			Hosts: []trace.HostInfo{
				{Name: "client", Address: "192.0.2.1/24", MAC: trace.MAC{0, 0, 0x5e, 0, 0x53, 1}},
				{Name: "server", Address: "192.0.2.2/24", MAC: trace.MAC{0, 0, 0x5e, 0, 0x53, 2}},
			},
		},
		Events: events,
	}
}

// genTrace draws a trace that holds together: any values in any fields.
func genTrace(t *rapid.T) *trace.Trace {
	text := func(name string) string {
		if rapid.Bool().Draw(t, name+" empty") {
			return ""
		}
		return rapid.StringN(0, 20, 80).Draw(t, name)
	}
	texts := func(name string) []string {
		s := rapid.SliceOfN(rapid.StringN(0, 5, 20), 0, 3).Draw(t, name)
		if len(s) == 0 {
			return nil
		}
		return s
	}
	count := func(name string) int { return rapid.IntRange(0, 1<<30).Draw(t, name) }
	addr := func(name string) netip.AddrPort {
		port := rapid.Uint16().Draw(t, name+" port")
		switch rapid.IntRange(0, 2).Draw(t, name) {
		case 0:
			return netip.AddrPort{}
		case 1:
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, name+" IPv4"))), port)
		default:
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name+" IPv6"))), port)
		}
	}
	data := rapid.Bool().Draw(t, "data")
	link := trace.LinkType(rapid.IntRange(0, int(trace.LinkEthernet)).Draw(t, "link"))
	mac := func(name string) trace.MAC { return trace.MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, name)) }
	pkt := func() *trace.Packet {
		if link == trace.LinkEthernet && rapid.Bool().Draw(t, "neighbor") {
			octets := []byte(rapid.SampledFrom([]string{arpRequest, arpReply, solicitation}).Draw(t, "frame"))
			octets[rapid.IntRange(0, len(octets)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "octet")
			return keptOn(link, octets[:rapid.IntRange(0, len(octets)).Draw(t, "cut")], true)
		}
		p := packet(
			trace.Flags(rapid.Uint16Range(0, uint16(trace.AllFlags)).Draw(t, "flags")),
			rapid.SampledFrom([]string{"", synOptions, "\x00\x00\x00\x00", "\x01\x01\x02\x09", "\x1e\x03\xff\x00"}).Draw(t, "options"),
			rapid.IntRange(0, 20).Draw(t, "data octets"), true)
		for range rapid.IntRange(0, 2).Draw(t, "mutations") {
			p.Octets[rapid.IntRange(0, len(p.Octets)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "octet")
		}
		octets := p.Octets
		if link == trace.LinkEthernet {
			dst, src := mac("destination MAC"), mac("source MAC")
			octets = slices.Concat(dst[:], src[:], []byte{8, 0}, octets)
		}
		return keptOn(link, octets, data || rapid.Bool().Draw(t, "data kept"))
	}
	value := func(i trace.Item) trace.Value {
		switch n := rapid.IntRange(0, 3).Draw(t, "value"); {
		case n == 0:
			return trace.Value{}
		case n == 1:
			return trace.Value{Kind: trace.NotObservable}
		case i.Unit() == trace.UnitText:
			return trace.Value{Kind: trace.Text, Text: strings.TrimPrefix(text("value"), trace.Value{Kind: trace.NotObservable}.String())}
		case n == 2:
			return trace.Value{Kind: trace.Unlimited}
		case i.Unit() == trace.UnitBool:
			return trace.Value{Kind: trace.Number, Num: rapid.Int64Range(0, 1).Draw(t, "bool")}
		}
		return trace.Value{Kind: trace.Number, Num: rapid.Int64().Draw(t, "number")}
	}
	hosts := []string{"client", "server", text("host")}
	tr := &trace.Trace{Header: trace.Header{
		Story: trace.Story{Name: text("name"), Text: text("text")}, Seed: rapid.Uint64().Draw(t, "seed"), Link: link, Needs: texts("needs"), Delay: time.Duration(count("delay")),
		MTU: count("MTU"), Faults: texts("faults"), Until: time.Duration(count("until")), Data: data, Control: rapid.Bool().Draw(t, "control"), Capture: rapid.Bool().Draw(t, "capture"), RealTime: rapid.Bool().Draw(t, "real time"),
	}}
	if rapid.Bool().Draw(t, "start") {
		tr.Header.Start = time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC()
	}
	for _, h := range hosts {
		if h != "" && tr.Header.Host(h) == nil {
			tr.Header.Hosts = append(tr.Header.Hosts, trace.HostInfo{Name: h, Address: text("address"), MAC: mac("MAC"), Stack: text("stack"), Version: text("version"), Capabilities: texts("capabilities"), Unsupported: texts("unsupported")})
		}
	}
	state := func(name string) trace.State {
		return trace.State(rapid.IntRange(0, int(trace.TimeWait)).Draw(t, name))
	}
	var calls []int
	callsOf := map[string][]int{} // of each host
	var at time.Duration
	for n := 1; n <= rapid.IntRange(0, 15).Draw(t, "events"); n++ {
		at += time.Duration(rapid.SampledFrom([]int64{0, 1, 1e9, 1 << 50}).Draw(t, "later"))
		e := trace.Event{N: n, At: at, Host: rapid.SampledFrom(hosts).Draw(t, "host"), Socket: count("socket"), Cause: rapid.IntRange(0, n-1).Draw(t, "cause")}
		switch rapid.IntRange(0, 9).Draw(t, "detail") {
		case 0:
			e.Detail = &trace.Call{Name: text("call"), FD: rapid.IntRange(-1, 99).Draw(t, "fd"), Addr: addr("addr"), Len: rapid.SampledFrom([]int{trace.NoLen, -1, 0, 1, 1 << 30}).Draw(t, "len"), Text: text("text"), Program: text("program"), Line: count("line")}
			calls, callsOf[e.Host] = append(calls, n), append(callsOf[e.Host], n)
		case 1:
			if len(callsOf[e.Host]) == 0 {
				e.Detail = &trace.Timer{Name: text("timer")}
				break
			}
			e.Detail = &trace.Return{
				Call: rapid.SampledFrom(callsOf[e.Host]).Draw(t, "call"), Result: rapid.Int64().Draw(t, "result"), Errno: text("errno"),
				Value: rapid.SampledFrom([]trace.Value{{}, {Kind: trace.Number}, {Kind: trace.Number, Num: -1 << 63}, {Kind: trace.Text}, {Kind: trace.Text, Text: "E"}}).Draw(t, "value"),
				Count: int64(count("count")), Addr: addr("addr"), Accepted: count("accepted"),
			}
		case 2:
			e.Detail = &trace.Sent{Packet: pkt()}
		case 3:
			e.Detail = &trace.Arrived{Packet: pkt()}
		case 4:
			e.Detail = &trace.Fate{Kind: trace.FateKind(rapid.IntRange(0, int(trace.TooLong)).Draw(t, "fate")), Rule: text("rule"), Delay: time.Duration(rapid.Int64().Draw(t, "delay")), Octet: count("octet"), Bit: count("bit")}
		case 5:
			e.Detail = &trace.StateChange{From: state("from"), To: state("to"), Word: text("word"), Source: trace.Source(rapid.IntRange(0, int(trace.Inferred)).Draw(t, "source")), Listener: count("listener")}
		case 6:
			c := &trace.Control{}
			for range rapid.IntRange(1, 4).Draw(t, "changes") {
				i := trace.Item(rapid.IntRange(0, trace.NumItems-1).Draw(t, "item"))
				c.Changes = append(c.Changes, trace.Change{
					Item: i, By: trace.Bringer(rapid.IntRange(0, int(trace.BySegment)).Draw(t, "by")), Field: trace.Field(rapid.IntRange(0, int(trace.FieldICMP)).Draw(t, "field")),
					Source: trace.Source(rapid.IntRange(0, int(trace.Inferred)).Draw(t, "source"))}.With(value(i), value(i)))
			}
			e.Detail = c
		case 7:
			e.Detail = &trace.Timer{Name: text("timer")}
		case 8:
			e.Detail = &trace.HostChange{What: trace.HostEvent(rapid.IntRange(0, int(trace.LinkComesUp)).Draw(t, "what"))}
		case 9:
			e.Detail = &trace.Note{Text: text("note"), Failed: rapid.Bool().Draw(t, "failed"), Line: count("line")}
		}
		tr.Events = append(tr.Events, e)
	}
	tr.End = trace.End{At: at, Reason: trace.EndReason(rapid.IntRange(0, int(trace.Stopped)).Draw(t, "reason")), Blocked: calls}
	return tr
}
