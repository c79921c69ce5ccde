package trace

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxLine is the longest line that Read takes, octets. The longest packet makes one of 0.2 MB; the rest is for stories.
const maxLine = 16 << 20

// What is more than these is no trace's. They keep what a hostile file can cost in proportion to its size.
const (
	maxHosts  = 64
	maxFields = 1000 // of a packet
	maxWord   = 100  // octets of a key, a word or an address
)

// Read reads what Write wrote. name stands in errors. decode fills a Packet from its Octets and Len: it is wire.Decode, handed
// in because this package knows no octets; nil panics.
//
// A trace that Read returns without an error can be relied on: events number from 1 without a gap, causes come before their
// effects, time does not go backwards, hosts and calls that are named are there, a call returns to the host that made it, and
// what the file says of each packet is what its octets say, which are whole where the header says so. Only a checksum that
// covers octets which were not kept is taken on trust. Which sockets there are and what they do is not looked at: an event
// may name any number.
//
// Every error is a *ParseError. If it wraps ErrTruncated, the header and the events up to there are returned beside it
// (nil where not even the header is whole); its End is BrokenOff, at the time of the last event. Memory stays within a
// small multiple of the file's size.
func Read(r io.Reader, name string, decode func(p *Packet)) (*Trace, error) {
	if decode == nil {
		panic("trace: Read without a decoder: hand in wire.Decode")
	}
	rd := reader{in: bufio.NewReaderSize(r, 64<<10), decode: decode}
	err := rd.read()
	switch {
	case err == nil:
		return &rd.trace, nil
	case errors.Is(err, ErrTruncated) && rd.line > 1:
		rd.trace.End = End{Reason: BrokenOff}
		if n := len(rd.trace.Events); n > 0 {
			rd.trace.End.At = rd.trace.Events[n-1].At
		}
		return &rd.trace, &ParseError{File: name, Line: rd.line, Err: err}
	}
	return nil, &ParseError{File: name, Line: rd.line, Err: err}
}

// reader is a Read in progress.
type reader struct {
	cursor
	arenas
	in     *bufio.Reader
	decode func(*Packet)
	line   int // of the line that was read last, from 1
	trace  Trace
	ended  bool

	long    []byte // a line that did not fit into in
	scratch []byte // a packet, written anew
	kept    []byte // octets of packets
}

// readLine returns the next line, without its end. whole: it had one. At the end of the file the error is io.EOF. The slice is
// good until the next call.
func (r *reader) readLine() (line []byte, whole bool, err error) {
	line, err = r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		r.long = r.long[:0]
		for errors.Is(err, bufio.ErrBufferFull) && len(r.long) <= maxLine {
			r.long = append(r.long, line...)
			line, err = r.in.ReadSlice('\n')
		}
		r.long = append(r.long, line...)
		line = r.long
	}
	if len(line) > 0 || err == nil {
		r.line++
	}
	switch {
	case len(line) > maxLine:
		return nil, false, fmt.Errorf("a line of more than %d octets: no trace has one", maxLine)
	case err == nil:
		return line[:len(line)-1], true, nil
	case err == io.EOF && len(line) > 0:
		return line, false, nil
	}
	return nil, false, err
}

func (r *reader) read() error {
	line, whole, err := r.readLine()
	if errors.Is(err, io.EOF) {
		r.line = 1
		return errors.New("not a trace: the file is empty")
	} else if err != nil {
		return err
	}
	if err := r.readHeader(line); err != nil {
		if begun := min(len(line), len(firstLine)); !whole && string(line[:begun]) == firstLine[:begun] {
			return fmt.Errorf("%w: the file ends within its header; run the story again", ErrTruncated)
		}
		return err
	}
	for !r.ended {
		line, whole, err := r.readLine()
		if errors.Is(err, io.EOF) {
			r.line++
			return r.truncated()
		} else if err != nil {
			return err
		}
		if err := r.readEvent(line); err != nil {
			if !whole {
				return r.truncated()
			}
			return err
		}
	}
	if _, _, err := r.readLine(); err == nil {
		return errors.New("a line behind the end line: the file holds more than one trace, or it was changed")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (r *reader) truncated() error {
	return fmt.Errorf("%w: no end line; events up to %d were read; the run broke off, or the file is not whole", ErrTruncated, len(r.trace.Events))
}

// firstLine is how each trace of this version begins.
var firstLine = `{"trace":"` + fileKind + `","version":` + strconv.Itoa(Version)

func (r *reader) readHeader(line []byte) error {
	r.start(line)
	isTrace := false
	r.object("the first line", 3, []string{"trace", "version", "header"}, func(key string) {
		switch key {
		case "trace":
			isTrace = r.text() == fileKind
		case "version":
			if v := r.int(); v != Version && isTrace && r.err == nil {
				r.failWith(fmt.Errorf("a trace of version %d, and this program reads version %d: use the connectlab that wrote it, or run the story again", v, Version))
			}
		case "header":
			r.header(&r.trace.Header)
		}
		if !isTrace {
			r.fail("another trace")
		}
	})
	r.end()
	if !isTrace {
		return fmt.Errorf("not a trace: the first line of one begins with %s", firstLine)
	}
	return r.err
}

func (r *reader) header(h *Header) {
	keys := []string{"seed", "link", "story", "delay_ns", "mtu_octets", "needs", "faults", "until_ns", "start", "data", "control", "capture", "real_time", "hosts"}
	r.object("the header", 2, keys, func(key string) {
		switch key {
		case "seed":
			h.Seed = r.uint64()
		case "story":
			r.object("the story", 0, []string{"name", "text"}, func(key string) {
				switch key {
				case "name":
					h.Story.Name = r.text()
				case "text":
					h.Story.Text = r.text()
				}
			})
		case "link":
			h.Link = word[LinkType](&r.cursor, "link", linkNames[:])
		case "delay_ns":
			h.Delay = r.duration()
		case "mtu_octets":
			h.MTU = r.count()
		case "needs":
			h.Needs = r.texts()
		case "faults":
			h.Faults = r.texts()
		case "until_ns":
			h.Until = r.duration()
		case "start":
			h.Start = parsed(&r.cursor, parseStart)
		case "data":
			h.Data = r.bool()
		case "control":
			h.Control = r.bool()
		case "capture":
			h.Capture = r.bool()
		case "real_time":
			h.RealTime = r.bool()
		case "hosts":
			r.list(func() {
				if h.Hosts = append(h.Hosts, r.hostInfo(h)); len(h.Hosts) > maxHosts {
					r.fail("more than %d hosts", maxHosts)
				}
			})
		}
	})
}

func parseStart(s string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, s)
	if y := at.UTC().Year(); err != nil || y < 1 || y > 9999 {
		return time.Time{}, fmt.Errorf("%q is not a time as 2006-01-02T15:04:05Z", s)
	}
	return at.UTC(), nil
}

func (r *reader) hostInfo(h *Header) (info HostInfo) {
	r.object("a host", 1, []string{"name", "address", "mac", "stack", "version", "settings", "capabilities", "unsupported"}, func(key string) {
		switch key {
		case "name":
			info.Name = r.text()
			if h.Host(info.Name) != nil {
				r.fail("two hosts of the name %q", clip(info.Name))
			}
		case "address":
			info.Address = r.text()
		case "mac":
			info.MAC = parsed(&r.cursor, parseMAC)
		case "stack":
			info.Stack = r.text()
		case "version":
			info.Version = r.text()
		case "settings":
			r.list(func() {
				var s Setting
				r.object("a setting", 0, []string{"name", "value"}, func(key string) {
					switch key {
					case "name":
						s.Name = r.text()
					case "value":
						s.Value = r.text()
					}
				})
				info.Settings = append(info.Settings, s)
			})
		case "capabilities":
			info.Capabilities = r.texts()
		case "unsupported":
			info.Unsupported = r.texts()
		}
	})
	return info
}

func parseMAC(s string) (m MAC, err error) {
	octets, err := net.ParseMAC(s)
	if err != nil || len(octets) != len(m) || MAC(octets).String() != s {
		return m, fmt.Errorf("%q is not a MAC address as 00:00:5e:00:53:01", s)
	}
	return MAC(octets), nil
}

var eventKeys = []string{
	"n", "at_ns", "host", "socket", "cause",
	"call", "return", "sent", "arrived", "fate", "state", "control", "timer", "host_change", "note",
}

// readEvent reads an event's line or the end line.
func (r *reader) readEvent(line []byte) error {
	r.start(line)
	if bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte(`{"end"`)) {
		r.object("the last line", 1, []string{"end"}, func(string) { r.endOfRun(&r.trace.End) })
		r.end()
		r.ended = r.err == nil
		return r.err
	}
	var e Event
	r.object("an event", 2, eventKeys, func(key string) {
		switch key {
		case "n":
			e.N = r.int()
			if want := len(r.trace.Events) + 1; e.N != want {
				r.fail("n is %d, and event %d is due: a line is missing, too many, or out of order", e.N, want)
			}
		case "at_ns":
			e.At = r.duration()
			if n := len(r.trace.Events); n > 0 && e.At < r.trace.Events[n-1].At {
				r.fail("at_ns is %d, before the last event's %d: time does not go backwards", int64(e.At), int64(r.trace.Events[n-1].At))
			}
		case "host":
			name := r.text()
			if e.Host = name; r.trace.Header.Host(name) == nil {
				r.fail("the header has no host %q", clip(name))
			}
		case "socket":
			e.Socket = r.count()
		case "cause":
			if e.Cause = r.count(); e.Cause > len(r.trace.Events) {
				r.fail("event %d is caused by event %d: a cause comes before its effect", len(r.trace.Events)+1, e.Cause)
			}
		default:
			if e.Detail != nil {
				r.fail("an event with two details: the second is %q", key)
				return
			}
			e.Detail = r.detail(key)
		}
	})
	r.end()
	if e.Detail == nil {
		r.failWith(fmt.Errorf("an event without a detail: one of %s", strings.Join(eventKeys[5:], ", ")))
	}
	if d, ok := e.Detail.(*Return); ok && r.err == nil {
		if call := r.trace.Event(d.Call); call.Host != e.Host {
			r.failWith(fmt.Errorf("a return to %q of event %d, a call of %q", clip(e.Host), d.Call, clip(call.Host)))
		}
	}
	if r.err == nil {
		r.trace.Events = append(r.trace.Events, e)
	}
	return r.err
}

func (r *reader) endOfRun(e *End) {
	r.object("the end", 2, []string{"at_ns", "reason", "blocked"}, func(key string) {
		switch key {
		case "at_ns":
			e.At = r.duration()
			if n := len(r.trace.Events); n > 0 && e.At < r.trace.Events[n-1].At {
				r.fail("the run ends at %d ns, before its last event", int64(e.At))
			}
		case "reason":
			e.Reason = word[EndReason](&r.cursor, "reason", endNames[:])
		case "blocked":
			r.list(func() { e.Blocked = append(e.Blocked, r.callNumber()) })
		}
	})
}

// callNumber reads the N of a Call that was made.
func (r *reader) callNumber() int {
	n := r.int()
	e := r.trace.Event(n)
	if e == nil {
		r.fail("there is no event %d yet", n)
	} else if _, ok := e.Detail.(*Call); !ok {
		r.fail("event %d is no call", n)
	}
	return n
}

// detail reads what stands behind one of the last of eventKeys.
func (r *reader) detail(key string) Detail {
	switch key {
	case "call":
		return r.call()
	case "return":
		return r.returned()
	case "sent":
		return r.sents.put(Sent{r.packet(key)})
	case "arrived":
		return r.arriveds.put(Arrived{r.packet(key)})
	case "fate":
		return r.fate()
	case "state":
		return r.state()
	case "control":
		return r.control()
	case "timer":
		var d Timer
		r.object("a timer", 0, []string{"name"}, func(string) { d.Name = r.text() })
		return r.timers.put(d)
	case "host_change":
		var d HostChange
		r.object("a host_change", 1, []string{"what"}, func(string) { d.What = word[HostEvent](&r.cursor, "change of a host", hostEventNames[:]) })
		return r.hostEvents.put(d)
	default:
		var d Note
		r.object("a note", 0, []string{"text", "failed", "line"}, func(key string) {
			switch key {
			case "text":
				d.Text = r.text()
			case "failed":
				d.Failed = r.bool()
			case "line":
				d.Line = r.count()
			}
		})
		return r.notes.put(d)
	}
}

func (r *reader) call() Detail {
	d := Call{FD: -1, Len: NoLen}
	r.object("a call", 0, []string{"name", "fd", "addr", "len", "text", "program", "line"}, func(key string) {
		switch key {
		case "name":
			d.Name = r.text()
		case "fd":
			d.FD = r.int()
		case "addr":
			d.Addr = r.addrPort()
		case "len":
			d.Len = r.int()
		case "text":
			d.Text = r.text()
		case "program":
			d.Program = r.text()
		case "line":
			d.Line = r.count()
		}
	})
	return r.calls.put(d)
}

func (r *reader) returned() Detail {
	var d Return
	r.object("a return", 2, []string{"call", "result", "errno", "value", "count_octets", "addr", "accepted"}, func(key string) {
		switch key {
		case "call":
			d.Call = r.callNumber()
		case "result":
			d.Result = r.int64()
		case "errno":
			d.Errno = r.text()
		case "value":
			if r.next() == '"' {
				d.Value = Value{Kind: Text, Text: r.text()}
			} else {
				d.Value = Value{Kind: Number, Num: r.int64()}
			}
		case "count_octets":
			if d.Count = r.int64(); d.Count < 0 {
				r.fail("%d is negative", d.Count)
			}
		case "addr":
			d.Addr = r.addrPort()
		case "accepted":
			d.Accepted = r.count()
		}
	})
	return r.returns.put(d)
}

func (r *reader) fate() Detail {
	var d Fate
	r.object("a fate", 1, []string{"kind", "rule", "delay_ns", "octet", "bit"}, func(key string) {
		switch key {
		case "kind":
			d.Kind = word[FateKind](&r.cursor, "fate", fateNames[:])
		case "rule":
			d.Rule = r.text()
		case "delay_ns":
			d.Delay = time.Duration(r.int64())
		case "octet":
			d.Octet = r.count()
		case "bit":
			d.Bit = r.count()
		}
	})
	return r.fates.put(d)
}

func (r *reader) state() Detail {
	var d StateChange
	r.object("a state", 3, []string{"from", "to", "source", "word", "listener"}, func(key string) {
		switch key {
		case "from":
			d.From = parsed(&r.cursor, ParseState)
		case "to":
			d.To = parsed(&r.cursor, ParseState)
		case "word":
			d.Word = r.text()
		case "source":
			d.Source = parsed(&r.cursor, parseSource)
		case "listener":
			d.Listener = r.count()
		}
	})
	return r.states.put(d)
}

func (r *reader) control() Detail {
	var d Control
	r.object("a control", 1, []string{"changes"}, func(string) {
		r.list(func() { d.Changes = append(d.Changes, r.change()) })
	})
	return r.controls.put(d)
}

func (r *reader) change() (ch Change) {
	var old, new int // where the values stand: how they read depends on the item
	r.object("a change", 5, []string{"item", "by", "source", "old", "new", "field"}, func(key string) {
		switch key {
		case "item":
			ch.Item = parsed(&r.cursor, ParseItem)
		case "by":
			ch.By = word[Bringer](&r.cursor, "bringer", bringerNames[:])
		case "field":
			ch.Field = word[Field](&r.cursor, "field", fieldNames[:])
		case "source":
			ch.Source = parsed(&r.cursor, parseSource)
		case "old":
			r.next()
			old = r.i
			r.skip()
		case "new":
			r.next()
			new = r.i
			r.skip()
		}
	})
	if r.err != nil {
		return Change{}
	}
	behind := r.i
	r.i = old
	was := r.value(ch.Item)
	r.i = new
	now := r.value(ch.Item)
	r.i = behind
	return ch.With(was, now)
}

// value reads the value of an item.
func (r *reader) value(i Item) Value {
	if r.next() == 'n' {
		r.null()
		return Value{}
	}
	if r.next() == '"' {
		at := r.i
		s := r.text()
		switch {
		case s == notObservableWord:
			return Value{Kind: NotObservable}
		case i.Unit() == UnitText:
			return Value{Kind: Text, Text: s}
		case s == unlimitedWord:
			return Value{Kind: Unlimited}
		}
		r.i = at
		r.fail("%v cannot be %q", i, clip(s))
		return Value{}
	}
	switch i.Unit() {
	case UnitText:
		r.fail("%v is a text, and %s stands here", i, r.here())
		return Value{}
	case UnitBool:
		v := Value{Kind: Number}
		if r.bool() {
			v.Num = 1
		}
		return v
	default:
		return Value{Kind: Number, Num: r.int64()}
	}
}

var (
	packetKeys = []string{"octets", "len_octets", "kind", "malformed", "ethernet", "arp", "ip", "icmp", "tcp"}
	tcpKeys    = []string{
		"src_port", "dst_port", "seq", "ack", "header_octets", "reserved", "flags", "window", "sum", "urgent", "options", "options_rest",
		"data_octets", "checksum",
	}
)

// packet reads a packet. Its octets say what it is; the rest of what stands there must be the same.
func (r *reader) packet(key string) *Packet {
	r.next()
	from := r.i
	p := Packet{Link: r.trace.Header.Link}
	var recorded Checksum
	r.object("a packet", 2, packetKeys, func(key string) {
		switch key {
		case "octets":
			p.Octets = r.hex()
		case "len_octets":
			p.Len = r.count()
		case "tcp":
			r.object("a packet's tcp", 0, tcpKeys, func(key string) {
				if key == "checksum" {
					recorded = word[Checksum](&r.cursor, "checksum", checksumNames[:])
					return
				}
				r.skip()
			})
		default:
			r.skip()
		}
	})
	if r.err == nil && p.Len < len(p.Octets) {
		r.fail("%s.len_octets is %d, and there are %d octets", key, p.Len, len(p.Octets))
	}
	if r.err == nil && p.Len > len(p.Octets) && r.trace.Header.Data {
		r.fail("%s.len_octets is %d, and there are %d octets: the header says that data are in the record", key, p.Len, len(p.Octets))
	}
	if r.err != nil {
		return nil
	}
	r.decode(&p)
	if r.trace.Header.Capture {
		p.AsCaptured()
	}
	if p.TCP.Checksum == ChecksumUnverified && p.Kind == PacketTCP && recorded != ChecksumUncomputed {
		p.TCP.Checksum = recorded
	}
	r.scratch = append(appendPacket(append(r.scratch[:0], '{'), &p), '}')
	if said := r.b[from:r.i]; !bytes.Equal(said, r.scratch) {
		r.failWith(disagreement(key, said, r.scratch))
	}
	return r.packets.put(p)
}

// disagreement compares two packets in JSON, the one in the file and the one that its octets make, and names the first
// field in which they differ; nil if it is only the order or the white space.
func disagreement(path string, file, octets []byte) error {
	type leaf struct{ path, value string }
	var said []leaf
	leaves := map[string]string{}
	c := cursor{b: file}
	c.walk(path, 0, func(path, value string) {
		if _, twice := leaves[path]; twice {
			c.failWith(fmt.Errorf("%s stands there twice", path))
		}
		leaves[path] = value
		if said = append(said, leaf{path, value}); len(said) > maxFields {
			c.failWith(fmt.Errorf("%s has more fields than a packet can have", path))
		}
	})
	if c.err != nil {
		return c.err
	}
	var err error
	fail := func(format string, args ...any) {
		if err == nil {
			err = fmt.Errorf(format+": the file was changed after it was written", args...)
		}
	}
	known := map[string]bool{path + ".octets": true}
	c = cursor{b: octets}
	c.walk(path, 0, func(p, value string) {
		known[p] = true
		switch v, ok := leaves[p]; {
		case p == path+".octets":
		case !ok:
			fail("%s is missing, the octets say %s", p, value)
		case v != value:
			fail("%s: the file says %s, the octets say %s", p, clip(v), value)
		}
	})
	for _, l := range said {
		if !known[l.path] {
			fail("%s: the file says %s, the octets say nothing of it", l.path, clip(l.value))
		}
	}
	return err
}

// hex reads octets in hexadecimal. They are kept.
func (r *reader) hex() []byte {
	s := r.octets()
	n := len(s) / 2
	if r.kept == nil || cap(r.kept)-len(r.kept) < n {
		r.kept = make([]byte, 0, max(min(2*cap(r.kept), 64<<10), 4<<10, n))
	}
	from := len(r.kept)
	r.kept = r.kept[:from+n]
	octets := r.kept[from : from+n : from+n]
	if _, err := hex.Decode(octets, s); err != nil {
		r.fail("octets are not hexadecimal: %v", err)
	}
	return octets
}

func (r *reader) duration() time.Duration {
	n := r.int64()
	if n < 0 {
		r.fail("%d is negative", n)
	}
	return time.Duration(n)
}

func (r *reader) texts() (texts []string) {
	r.list(func() { texts = append(texts, r.text()) })
	return texts
}

func (r *reader) addrPort() netip.AddrPort { return parsed(&r.cursor, netip.ParseAddrPort) }

// parsed reads a text with parse.
func parsed[T any](c *cursor, parse func(string) (T, error)) T {
	c.next()
	at := c.i
	s := c.text()
	if c.err != nil {
		var zero T
		return zero
	}
	if len(s) > maxWord {
		c.i = at
		c.fail("a text of %d octets, where a word or an address is expected", len(s))
	}
	v, err := parse(s)
	if err != nil {
		c.i = at
		c.fail("%w", err)
	}
	return v
}

// word reads one of a closed set of words.
func word[T ~uint8](c *cursor, what string, words []string) T {
	return parsed(c, func(s string) (T, error) {
		v, err := parseName[T](what, words, s)
		if err != nil {
			err = fmt.Errorf("%w: it is one of %s", err, strings.TrimPrefix(strings.Join(words, ", "), ", "))
		}
		return v, err
	})
}

// clip shortens a text of the file for an error.
func clip(s string) string {
	if len(s) > maxWord {
		return s[:maxWord] + "…"
	}
	return s
}
