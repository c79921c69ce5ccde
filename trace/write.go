package trace

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

// The append functions below write the format of FORMAT.md. They are written by hand because an event is written in
// the middle of a run: none of them allocates. A key whose value says nothing is left out; which keys these are, FORMAT.md
// tells.

// fileKind is the value of the first key of a trace file.
const fileKind = "connectlab"

// Write writes t to w as JSON Lines, as FORMAT.md tells. The error is w's, or says that the trace holds something that
// the format cannot: a start outside the years 1 to 9999.
//
// Read gives back an equal Trace, apart from what JSON cannot tell: an empty slice is nil then (but a Packet's Octets
// and a segment's Options never are), texts that are not UTF-8 get U+FFFD, and Start is in UTC.
func Write(w io.Writer, t *Trace) error {
	if y := t.Header.Start.UTC().Year(); y < 1 || y > 9999 {
		return fmt.Errorf("trace: the start of a run must lie in the years 1 to 9999, not in %d", y)
	}
	const enough = 64 << 10
	b := appendHeader(make([]byte, 0, enough+enough/8), &t.Header)
	for i := range t.Events {
		b = appendEvent(b, &t.Events[i])
		if len(b) >= enough {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	_, err := w.Write(appendEnd(b, &t.End))
	return err
}

// appendHeader appends the first line of a file.
func appendHeader(b []byte, h *Header) []byte {
	b = append(b, `{"trace":"`+fileKind+`","version":`...)
	b = strconv.AppendInt(b, Version, 10)
	b = append(b, `,"header":{"seed":`...)
	b = strconv.AppendUint(b, h.Seed, 10)
	if h.Story != (Story{}) {
		b = append(b, `,"story":{`...)
		b = appendTextKey(b, "name", h.Story.Name)
		b = appendTextKey(b, "text", h.Story.Text)
		b = append(b, '}')
	}
	b = appendWordKey(b, "link", h.Link.String())
	b = appendIntKey(b, "delay_ns", int64(h.Delay))
	b = appendIntKey(b, "mtu_octets", int64(h.MTU))
	b = appendTextsKey(b, "needs", h.Needs)
	b = appendTextsKey(b, "faults", h.Faults)
	b = appendIntKey(b, "until_ns", int64(h.Until))
	if !h.Start.IsZero() {
		b = append(b, `,"start":"`...)
		b = h.Start.UTC().AppendFormat(b, time.RFC3339Nano)
		b = append(b, '"')
	}
	b = appendTrueKey(b, "data", h.Data)
	b = appendTrueKey(b, "control", h.Control)
	b = appendTrueKey(b, "capture", h.Capture)
	b = appendTrueKey(b, "real_time", h.RealTime)
	if len(h.Hosts) > 0 {
		b = appendKey(b, "hosts")
		b = append(b, '[')
		for i := range h.Hosts {
			b = appendHostInfo(appendComma(b), &h.Hosts[i])
		}
		b = append(b, ']')
	}
	return append(b, "}}\n"...)
}

func appendHostInfo(b []byte, h *HostInfo) []byte {
	b = append(b, '{')
	b = appendTextKey(b, "name", h.Name)
	b = appendTextKey(b, "address", h.Address)
	b = appendMACKey(b, "mac", h.MAC)
	b = appendTextKey(b, "stack", h.Stack)
	b = appendTextKey(b, "version", h.Version)
	if len(h.Settings) > 0 {
		b = appendKey(b, "settings")
		b = append(b, '[')
		for _, s := range h.Settings {
			b = append(appendComma(b), '{')
			b = appendTextKey(b, "name", s.Name)
			b = appendTextKey(b, "value", s.Value)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	b = appendTextsKey(b, "capabilities", h.Capabilities)
	b = appendTextsKey(b, "unsupported", h.Unsupported)
	return append(b, '}')
}

// appendEnd appends the last line of a file.
func appendEnd(b []byte, e *End) []byte {
	b = append(b, `{"end":{"at_ns":`...)
	b = strconv.AppendInt(b, int64(e.At), 10)
	b = appendWordKey(b, "reason", e.Reason.String())
	if len(e.Blocked) > 0 {
		b = appendKey(b, "blocked")
		b = append(b, '[')
		for _, n := range e.Blocked {
			b = strconv.AppendInt(appendComma(b), int64(n), 10)
		}
		b = append(b, ']')
	}
	return append(b, "}}\n"...)
}

// appendEvent appends an event's line.
func appendEvent(b []byte, e *Event) []byte {
	b = append(b, `{"n":`...)
	b = strconv.AppendInt(b, int64(e.N), 10)
	b = append(b, `,"at_ns":`...)
	b = strconv.AppendInt(b, int64(e.At), 10)
	b = appendTextKey(b, "host", e.Host)
	b = appendIntKey(b, "socket", int64(e.Socket))
	b = appendIntKey(b, "cause", int64(e.Cause))
	switch d := e.Detail.(type) {
	case *Call:
		b = append(b, `,"call":{`...)
		b = appendTextKey(b, "name", d.Name)
		b = appendOptIntKey(b, "fd", d.FD, d.FD != -1)
		b = appendAddrPortKey(b, "addr", d.Addr)
		b = appendOptIntKey(b, "len", d.Len, d.Len != NoLen)
		b = appendTextKey(b, "text", d.Text)
		b = appendTextKey(b, "program", d.Program)
		b = appendIntKey(b, "line", int64(d.Line))
	case *Return:
		b = append(b, `,"return":{"call":`...)
		b = strconv.AppendInt(b, int64(d.Call), 10)
		b = append(b, `,"result":`...)
		b = strconv.AppendInt(b, d.Result, 10)
		b = appendTextKey(b, "errno", d.Errno)
		switch d.Value.Kind {
		case Number:
			b = strconv.AppendInt(appendKey(b, "value"), d.Value.Num, 10)
		case Text:
			b = appendString(appendKey(b, "value"), d.Value.Text)
		case None, NotObservable, Unlimited: // no call reads these
		}
		b = appendIntKey(b, "count_octets", d.Count)
		b = appendAddrPortKey(b, "addr", d.Addr)
		b = appendIntKey(b, "accepted", int64(d.Accepted))
	case *Sent:
		b = append(b, `,"sent":{`...)
		b = appendPacket(b, d.Packet)
	case *Arrived:
		b = append(b, `,"arrived":{`...)
		b = appendPacket(b, d.Packet)
	case *Fate:
		b = append(b, `,"fate":{`...)
		b = appendWordKey(b, "kind", d.Kind.String())
		b = appendTextKey(b, "rule", d.Rule)
		b = appendIntKey(b, "delay_ns", int64(d.Delay))
		b = appendOptIntKey(b, "octet", d.Octet, d.Octet != 0 || d.Kind == Corrupted)
		b = appendOptIntKey(b, "bit", d.Bit, d.Bit != 0 || d.Kind == Corrupted)
	case *StateChange:
		b = append(b, `,"state":{`...)
		b = appendWordKey(b, "from", d.From.String())
		b = appendWordKey(b, "to", d.To.String())
		b = appendTextKey(b, "word", d.Word)
		b = appendWordKey(b, "source", d.Source.String())
		b = appendIntKey(b, "listener", int64(d.Listener))
	case *Control:
		b = append(b, `,"control":{"changes":[`...)
		for i := range d.Changes {
			b = appendChange(appendComma(b), &d.Changes[i])
		}
		b = append(b, ']')
	case *Timer:
		b = append(b, `,"timer":{`...)
		b = appendTextKey(b, "name", d.Name)
	case *HostChange:
		b = append(b, `,"host_change":{`...)
		b = appendWordKey(b, "what", d.What.String())
	case *Note:
		b = append(b, `,"note":{`...)
		b = appendTextKey(b, "text", d.Text)
		b = appendTrueKey(b, "failed", d.Failed)
		b = appendIntKey(b, "line", int64(d.Line))
	default:
		panic(fmt.Sprintf("trace: event %d has no detail that can be written: %T", e.N, e.Detail))
	}
	return append(b, "}}\n"...)
}

func appendChange(b []byte, c *Change) []byte {
	b = append(b, '{')
	b = appendWordKey(b, "item", c.Item.String())
	b = appendWordKey(b, "by", c.By.String())
	b = appendTextKey(b, "field", c.Field.String())
	b = appendWordKey(b, "source", c.Source.String())
	b = append(b, `,"old":`...)
	b = appendValue(b, c.Item, c.Old())
	b = append(b, `,"new":`...)
	b = appendValue(b, c.Item, c.New())
	return append(b, '}')
}

func appendValue(b []byte, i Item, v Value) []byte {
	switch v.Kind {
	case NotObservable:
		return append(b, `"`+notObservableWord+`"`...)
	case Unlimited:
		return append(b, `"`+unlimitedWord+`"`...)
	case Text:
		return appendString(b, v.Text)
	case Number:
		if i.Unit() == UnitBool {
			return strconv.AppendBool(b, v.Num != 0)
		}
		return strconv.AppendInt(b, v.Num, 10)
	case None:
	}
	return append(b, "null"...)
}

// appendPacket appends what stands between a packet's braces. Octets and length come first: the rest follows from
// them, as far as the octets were kept.
func appendPacket(b []byte, p *Packet) []byte {
	b = append(b, `"octets":"`...)
	b = hex.AppendEncode(b, p.Octets)
	b = append(b, `","len_octets":`...)
	b = strconv.AppendInt(b, int64(p.Len), 10)
	b = appendWordKey(b, "kind", p.Kind.String())
	b = appendTextKey(b, "malformed", p.Malformed)
	if p.Ethernet.HeaderLen > 0 {
		b = appendEthernet(b, &p.Ethernet)
	}
	if p.Kind == PacketARP {
		b = appendARP(b, &p.ARP)
	}
	if p.IP.Version == 0 {
		return b
	}
	b = append(b, `,"ip":{"version":`...)
	b = strconv.AppendUint(b, uint64(p.IP.Version), 10)
	b = append(b, `,"header_octets":`...)
	b = strconv.AppendInt(b, int64(p.IP.HeaderLen), 10)
	b = append(b, `,"src":"`...)
	b = p.IP.Src.AppendTo(b)
	b = append(b, `","dst":"`...)
	b = p.IP.Dst.AppendTo(b)
	b = append(b, `","protocol":`...)
	b = strconv.AppendUint(b, uint64(p.IP.Protocol), 10)
	b = append(b, `,"ttl":`...)
	b = strconv.AppendUint(b, uint64(p.IP.TTL), 10)
	b = appendIntKey(b, "tos", int64(p.IP.TOS))
	b = appendIntKey(b, "id", int64(p.IP.ID))
	b = appendTrueKey(b, "df", p.IP.DF)
	b = appendTrueKey(b, "mf", p.IP.MF)
	b = appendIntKey(b, "frag_off_octets", int64(p.IP.FragOff))
	b = appendWordKey(b, "checksum", p.IP.Checksum.String())
	b = append(b, '}')
	switch p.Kind {
	case PacketICMP:
		b = appendICMP(b, &p.ICMP)
	case PacketTCP:
		b = appendTCP(b, &p.TCP)
	case PacketMalformed, PacketOther, PacketARP:
	}
	return b
}

func appendEthernet(b []byte, h *EthernetHeader) []byte {
	b = append(b, `,"ethernet":{"header_octets":`...)
	b = strconv.AppendInt(b, int64(h.HeaderLen), 10)
	b = append(b, `,"dst":"`...)
	b = h.Dst.AppendTo(b)
	b = append(b, `","src":"`...)
	b = h.Src.AppendTo(b)
	b = append(b, `","ether_type":`...)
	b = strconv.AppendUint(b, uint64(h.EtherType), 10)
	return append(b, '}')
}

func appendARP(b []byte, a *ARP) []byte {
	b = append(b, `,"arp":{"operation":`...)
	b = strconv.AppendUint(b, uint64(a.Operation), 10)
	b = append(b, `,"sender_mac":"`...)
	b = a.SenderMAC.AppendTo(b)
	b = append(b, `","sender_ip":"`...)
	b = a.SenderIP.AppendTo(b)
	b = append(b, `","target_mac":"`...)
	b = a.TargetMAC.AppendTo(b)
	b = append(b, `","target_ip":"`...)
	b = a.TargetIP.AppendTo(b)
	return append(b, `"}`...)
}

func appendICMP(b []byte, m *ICMP) []byte {
	b = append(b, `,"icmp":{"type":`...)
	b = strconv.AppendUint(b, uint64(m.Type), 10)
	b = appendIntKey(b, "code", int64(m.Code))
	b = appendWordKey(b, "checksum", m.Checksum.String())
	if m.Target.IsValid() {
		b = append(b, `,"target":"`...)
		b = m.Target.AppendTo(b)
		b = append(b, '"')
	}
	b = appendMACKey(b, "mac", m.MAC)
	return append(b, '}')
}

func appendTCP(b []byte, s *Segment) []byte {
	b = append(b, `,"tcp":{"src_port":`...)
	b = strconv.AppendUint(b, uint64(s.SrcPort), 10)
	b = append(b, `,"dst_port":`...)
	b = strconv.AppendUint(b, uint64(s.DstPort), 10)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, uint64(s.Seq), 10)
	b = append(b, `,"ack":`...)
	b = strconv.AppendUint(b, uint64(s.Ack), 10)
	b = append(b, `,"header_octets":`...)
	b = strconv.AppendInt(b, int64(s.HeaderLen), 10)
	b = appendIntKey(b, "reserved", int64(s.Reserved))
	b = appendWordKey(b, "flags", s.Flags.String())
	b = append(b, `,"window":`...)
	b = strconv.AppendUint(b, uint64(s.Window), 10)
	b = append(b, `,"sum":`...)
	b = strconv.AppendUint(b, uint64(s.Sum), 10)
	b = appendIntKey(b, "urgent", int64(s.Urgent))
	if len(s.Options) > 0 {
		b = appendOptions(b, s.Options)
	}
	b = append(b, `,"data_octets":`...)
	b = strconv.AppendInt(b, int64(s.DataLen), 10)
	b = appendWordKey(b, "checksum", s.Checksum.String())
	return append(b, '}')
}

// appendOptions appends the options one by one, and what stands behind the last that could be read. It walks with
// next, since Options.All would cost an allocation.
func appendOptions(b []byte, o Options) []byte {
	b = append(b, `,"options":[`...)
	for len(o) > 0 {
		opt, rest, ok := o.next()
		if !ok {
			break
		}
		b = appendOption(appendComma(b), opt)
		o = rest
		if opt.Kind == OptionEnd {
			break
		}
	}
	b = append(b, ']')
	if len(o) > 0 {
		b = appendKey(b, "options_rest")
		b = appendHex(b, o)
	}
	return b
}

func appendOption(b []byte, o Option) []byte {
	b = append(b, `{"kind":`...)
	b = strconv.AppendUint(b, uint64(o.Kind), 10)
	if len(o.Data) > 0 {
		b = append(b, `,"data":`...)
		b = appendHex(b, o.Data)
	}
	u32 := func(i int) uint64 {
		d := o.Data[i:]
		return uint64(d[0])<<24 | uint64(d[1])<<16 | uint64(d[2])<<8 | uint64(d[3])
	}
	switch n := len(o.Data); {
	case o.Kind == OptionMSS && n == 2:
		b = append(b, `,"mss_octets":`...)
		b = strconv.AppendUint(b, uint64(o.Data[0])<<8|uint64(o.Data[1]), 10)
	case o.Kind == OptionWindowScale && n == 1:
		b = append(b, `,"shift":`...)
		b = strconv.AppendUint(b, uint64(o.Data[0]), 10)
	case o.Kind == OptionSACKPermitted && n == 0:
		b = append(b, `,"sack_permitted":true`...)
	case o.Kind == OptionTimestamps && n == 8:
		b = append(b, `,"tsval":`...)
		b = strconv.AppendUint(b, u32(0), 10)
		b = append(b, `,"tsecr":`...)
		b = strconv.AppendUint(b, u32(4), 10)
	case o.Kind == OptionSACK && n > 0 && n%8 == 0:
		b = append(b, `,"sack":[`...)
		for i := 0; i < n; i += 8 {
			b = append(appendComma(b), '[')
			b = strconv.AppendUint(b, u32(i), 10)
			b = append(b, ',')
			b = strconv.AppendUint(b, u32(i+4), 10)
			b = append(b, ']')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendComma appends a comma unless nothing stands in the object or list yet.
func appendComma(b []byte) []byte {
	if c := b[len(b)-1]; c == '{' || c == '[' {
		return b
	}
	return append(b, ',')
}

// appendKey appends a key that needs no escapes, and what goes before it.
func appendKey(b []byte, key string) []byte {
	b = append(appendComma(b), '"')
	b = append(b, key...)
	return append(b, `":`...)
}

// appendIntKey appends a number that says nothing where it is 0.
func appendIntKey(b []byte, key string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(appendKey(b, key), n, 10)
}

// appendOptIntKey appends a number if it is there.
func appendOptIntKey(b []byte, key string, n int, there bool) []byte {
	if !there {
		return b
	}
	return strconv.AppendInt(appendKey(b, key), int64(n), 10)
}

func appendTrueKey(b []byte, key string, v bool) []byte {
	if !v {
		return b
	}
	return append(appendKey(b, key), "true"...)
}

// appendTextKey appends a text that says nothing where it is empty.
func appendTextKey(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(appendKey(b, key), s)
}

// appendWordKey appends one of the program's own words, which need no escapes.
func appendWordKey(b []byte, key, word string) []byte {
	b = append(appendKey(b, key), '"')
	b = append(b, word...)
	return append(b, '"')
}

func appendTextsKey(b []byte, key string, texts []string) []byte {
	if len(texts) == 0 {
		return b
	}
	b = append(appendKey(b, key), '[')
	for _, s := range texts {
		b = appendString(appendComma(b), s)
	}
	return append(b, ']')
}

func appendAddrPortKey(b []byte, key string, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return b
	}
	b = appendKey(b, key)
	if a.Addr().Zone() != "" { // may hold anything
		return appendString(b, a.String())
	}
	b = append(b, '"')
	b = a.AppendTo(b)
	return append(b, '"')
}

// appendMACKey appends an address that says nothing where it is zero.
func appendMACKey(b []byte, key string, m MAC) []byte {
	if m == (MAC{}) {
		return b
	}
	b = append(appendKey(b, key), '"')
	b = m.AppendTo(b)
	return append(b, '"')
}

func appendHex(b, octets []byte) []byte {
	b = append(b, '"')
	b = hex.AppendEncode(b, octets)
	return append(b, '"')
}

// appendString appends s as JSON. An octet that is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
