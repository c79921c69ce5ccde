package book

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// A change is a real trace with the one thing changed of which a statement speaks.
type change struct {
	statement string
	name      string // what was changed
	story     string
	edit      func(t *testing.T, e *editor)
	want      Verdict
	// also are the other statements whose verdict this changes too, each with the reason why it cannot be otherwise.
	also map[string]string
}

// changes are those of all sections.
func changes() []change { return slices.Concat(changesA, changesB, changesB2, changesC) }

func TestChanges(t *testing.T) {
	for _, c := range changes() {
		t.Run(c.statement+"/"+c.name, func(t *testing.T) {
			s := StatementOf(c.statement)
			if s == nil {
				t.Fatalf("there is no statement %s", c.statement)
			}
			before := Judge(story(t, c.story))
			e := edit(t, c.story)
			if c.edit != nil {
				c.edit(t, e)
			}
			after := Judge(e.finish(t))
			for i := range after {
				id := after[i].Statement.ID
				was, is := before[i].Verdict, after[i].Verdict
				why, other := c.also[id]
				switch {
				case id == c.statement:
					if is != c.want {
						t.Errorf("%s is %v, want %v; observed %v", id, is, c.want, after[i].Observed)
					}
				case other && was == is:
					t.Errorf("%s is %v as before, though it should change: %s", id, is, why)
				case !other && was != is:
					t.Errorf("%s was %v and is %v now: the change is not only of what %s speaks; observed %v", id, was, is, c.statement, after[i].Observed)
				}
			}
		})
	}
}

// TestEachStatementHasItsChanges: for each there is a trace on which it holds and one on which it is contradicted.
func TestEachStatementHasItsChanges(t *testing.T) {
	have := map[string]bool{}
	for _, c := range changes() {
		have[c.statement+" "+c.want.String()] = true
	}
	for _, s := range Statements() {
		for _, v := range []Verdict{Holds, Contradicted} {
			if !have[s.ID+" "+v.String()] {
				t.Errorf("%s: no trace on which it is %v", s.ID, v)
			}
		}
	}
}

// TestWithoutItsEvidenceAVerdictIsAnother takes the evidence of each verdict of each story out of the trace.
func TestWithoutItsEvidenceAVerdictIsAnother(t *testing.T) {
	for _, name := range allStories() {
		if underRace && name == "many" || strings.HasPrefix(name, "many on ") {
			continue // a hundred times the same
		}
		for i, f := range Judge(story(t, name)) {
			if !f.Verdict.Decides() {
				if len(f.Evidence) > 0 {
					t.Errorf("%s: %s is %v and has evidence %v", name, f.Statement.ID, f.Verdict, f.Evidence)
				}
				continue
			}
			if len(f.Evidence) == 0 {
				t.Errorf("%s: %s is %v and has no evidence", name, f.Statement.ID, f.Verdict)
				continue
			}
			e := edit(t, name)
			e.drop(f.Evidence...)
			if without := f.Statement.on(newRecord(e.finish(t))); without.Verdict == f.Verdict {
				t.Errorf("%s: %s is %v without events %v too, by %v; observed %v", name, f.Statement.ID, f.Verdict, f.Evidence, without.Evidence, Judge(story(t, name))[i].Observed)
			}
		}
	}
}

var stories sync.Map // name: func() (*trace.Trace, error)

// ownStories are told for the tests alone.
var ownStories = map[string]string{
	// A simultaneous open with data both ways: no socket of it was made for a connection.
	"both-open": `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: connect(3, client:80) = 0
server: recvall(3, 5) = 5
server: sendall(3, 5) = 5
server: close(3) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:80) = 0
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: recvall(3) = 5
client: close(3) = 0
`,
	// Nothing takes any time, so that not every socket measures a round trip.
	"no-delay": `--delay=0` + ownServer + ownClient,
	// Two connects wait for one answer: which MAC address the server has.
	"two-wait": `
--link=ethernet
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: accept(3, ..., ...) = 5

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client.2: socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
client.2: connect(4, server:80) = 0
`,
	"two-wait-ipv6": `
--link=ethernet
--ipv6
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: accept(3, ..., ...) = 5

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client.2: socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
client.2: connect(4, server:80) = 0
`,
	"lost-syn": `--fault="drop client SYN#1"` + ownServer + ownClient,
	// The client is silent until its ACK has got through.
	"lost-ack": `--fault="drop client ACK#1"` + ownServer + `
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: +3 sendall(3, 5) = 5
client: recvall(3, 5) = 5
client: close(3) = 0
`,
	"corrupted-syn":    `--fault="corrupt client SYN#1"` + ownServer + ownClient,
	"corrupted-synack": `--fault="corrupt server SYN,ACK#1"` + ownServer + ownClient,
	"nonblocking": ownServer + `
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
client: connect(3, server:80) = -1 EINPROGRESS (Operation now in progress)
client: +.1 connect(3, server:80)
client: fcntl(3, F_SETFL, O_RDWR) = 0
client: sendall(3, 5) = 5
client: recvall(3, 5) = 5
client: close(3) = 0
`,
	"bad-link": `
--fault="drop client data#2"
--fault="drop server data#3"
--fault="duplicate client data#4"
--fault="reorder client data#6"
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 30000) = 30000
server: sendall(4, 30000) = 30000
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 30000) = 30000
client: recvall(3, 30000) = 30000
client: close(3) = 0
`,
	"transfer": `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 10000000
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 10000000) = 10000000
client: close(3) = 0
`,
	// So long that a capture of it has several parts, and one write back in the last.
	"there-and-back": `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 5000000) = 5000000
server: sendall(4, 5) = 5
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5000000) = 5000000
client: recvall(3, 5) = 5
client: close(3) = 0
`,
	"shutdown": `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 5
server: shutdown(4, SHUT_WR) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: shutdown(3, SHUT_WR) = 0
client: recvall(3) = 0
`,
	// All but the first two segments of the client's data are lost, as long as it tries.
	"undelivered": `
--fault="drop client data#3-9999"
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: sendall(4, 5) = 5
server: recvall(4)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: recvall(3, 5) = 5
client: sendall(3, 30000) = 30000
client: close(3) = 0
`,
	"late-data": `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 5
server: +30 sendall(4, 5)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: +.1 close(3) = 0
`,
	"gone": `
--fault="drop server data"
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: 1 sendall(4, 5) = 5
server: recvall(4)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: recvall(3)
`,
}

// A server that takes five octets and sends as many back, and its client.
const (
	ownServer = `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 5) = 5
server: sendall(4, 5) = 5
server: recvall(4) = 0
server: close(4) = 0
`
	ownClient = `
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: recvall(3, 5) = 5
client: close(3) = 0
`
)

// story is the trace of a story, built-in or of ownStories, on gVisor or the stack that its name says. It is not to be changed.
func story(t testing.TB, name string) *trace.Trace {
	t.Helper()
	run, _ := stories.LoadOrStore(name, sync.OnceValues(func() (*trace.Trace, error) {
		bare, client, server := storyOn(name)
		s, err := script.Builtin(bare)
		if text, ok := ownStories[bare]; ok {
			s, err = script.Parse(bare, text)
		}
		if err != nil {
			return nil, err
		}
		r, err := script.Run(s, netns.Config{Client: client, Server: server, Seed: 1})
		if err != nil {
			return nil, err
		}
		return r.Trace, nil
	}))
	tr, err := run.(func() (*trace.Trace, error))()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// An editor changes a trace of its own. Events keep the numbers that they had in the story until finish.
type editor struct {
	t      *trace.Trace
	gone   map[int]bool
	behind map[int][]trace.Event // events to be put in behind an event, with the story's numbers as causes
}

// edit begins to change a copy of a story's trace.
func edit(t *testing.T, name string) *editor {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, story(t, name)); err != nil {
		t.Fatal(err)
	}
	tr, err := trace.Read(&b, name, wire.Decode)
	if err != nil {
		t.Fatal(err)
	}
	return &editor{t: tr, gone: map[int]bool{}, behind: map[int][]trace.Event{}}
}

// find returns the number of the first event that is as wanted, behind event n.
func (e *editor) find(t *testing.T, n int, want func(*trace.Event) bool) int {
	t.Helper()
	for i := n; i < len(e.t.Events); i++ {
		if want(&e.t.Events[i]) {
			return i + 1
		}
	}
	t.Fatal("the trace has no such event")
	return 0
}

// segment returns the number of the nth segment (from 1) that a host sent with exactly these control bits, PSH aside.
func (e *editor) segment(t *testing.T, host string, flags trace.Flags, nth int) int {
	t.Helper()
	return e.find(t, 0, func(ev *trace.Event) bool {
		s, ok := ev.Detail.(*trace.Sent)
		if ok && ev.Host == host && s.Packet.Kind == trace.PacketTCP && s.Packet.TCP.Flags&^trace.PSH == flags {
			nth--
			return nth == 0
		}
		return false
	})
}

// data returns the number of the nth segment (from 1) with data that a host sent.
func (e *editor) data(t *testing.T, host string, nth int) int {
	t.Helper()
	return e.find(t, 0, func(ev *trace.Event) bool {
		s, ok := ev.Detail.(*trace.Sent)
		if ok && ev.Host == host && s.Packet.TCP.DataLen > 0 {
			nth--
			return nth == 0
		}
		return false
	})
}

// call returns the number of the nth call (from 1) of a name on a host.
func (e *editor) call(t *testing.T, host, name string, nth int) int {
	t.Helper()
	return e.find(t, 0, func(ev *trace.Event) bool {
		c, ok := ev.Detail.(*trace.Call)
		if ok && ev.Host == host && c.Name == name {
			nth--
			return nth == 0
		}
		return false
	})
}

// returned returns the number of the Return of a call.
func (e *editor) returned(t *testing.T, call int) int {
	t.Helper()
	return e.find(t, call, func(ev *trace.Event) bool {
		r, ok := ev.Detail.(*trace.Return)
		return ok && r.Call == call
	})
}

// control returns the number of the first event, behind event n, with control information of a socket.
func (e *editor) control(t *testing.T, n int, host string, socket int) int {
	t.Helper()
	return e.find(t, n, func(ev *trace.Event) bool {
		_, ok := ev.Detail.(*trace.Control)
		return ok && ev.Host == host && ev.Socket == socket
	})
}

// state returns the number of the event with which a socket came to a state.
func (e *editor) state(t *testing.T, host string, socket int, s trace.State) int {
	t.Helper()
	return e.find(t, 0, func(ev *trace.Event) bool {
		c, ok := ev.Detail.(*trace.StateChange)
		return ok && ev.Host == host && ev.Socket == socket && c.To == s
	})
}

// forget takes items out of the control information that event n tells. An event that would tell nothing goes.
func (e *editor) forget(n int, items ...trace.Item) {
	c := e.t.Event(n).Detail.(*trace.Control)
	c.Changes = slices.DeleteFunc(c.Changes, func(c trace.Change) bool { return slices.Contains(items, c.Item) })
	e.gone[n] = e.gone[n] || len(c.Changes) == 0
}

// learn puts a change to a value into the control information that event n tells.
func (e *editor) learn(n int, change trace.Change, now trace.Value) {
	c := e.t.Event(n).Detail.(*trace.Control)
	c.Changes = append(c.Changes, change.With(trace.Value{}, now))
	slices.SortStableFunc(c.Changes, func(a, b trace.Change) int { return int(a.Item) - int(b.Item) })
}

// brought says of items that event n tells that somebody else brought them, by no field.
func (e *editor) brought(n int, by trace.Bringer, items ...trace.Item) {
	c := e.t.Event(n).Detail.(*trace.Control)
	for i := range c.Changes {
		if slices.Contains(items, c.Changes[i].Item) {
			c.Changes[i].By, c.Changes[i].Field = by, trace.NoField
		}
	}
}

// drop takes events out. A packet that was not sent did not arrive either and has no fate; a call that was not made
// did not return.
func (e *editor) drop(numbers ...int) {
	for _, n := range numbers {
		e.gone[n] = true
	}
	for i := range e.t.Events {
		ev := &e.t.Events[i]
		switch d := ev.Detail.(type) {
		case *trace.Arrived, *trace.Fate:
			if e.gone[ev.Cause] {
				e.gone[ev.N] = true
			}
		case *trace.Return:
			if e.gone[d.Call] {
				e.gone[ev.N] = true
			}
		default:
		}
	}
}

// insert puts an event in behind event n. Its cause is one of the story's events, or an inserted one that has a negative number.
// Time and host are those of event n where it has none; what happens to the world has no host.
func (e *editor) insert(n int, ev trace.Event) {
	if ev.At == 0 {
		ev.At = e.t.Event(n).At
	}
	if _, world := ev.Detail.(*trace.HostChange); ev.Host == "" && !world {
		ev.Host = e.t.Event(n).Host
	}
	e.behind[n] = append(e.behind[n], ev)
}

// octets changes the octets of the packet that event n, a Sent, sent, and those of its arrivals. They begin with the IP
// header; checksums are mended afterwards.
func (e *editor) octets(n int, change func([]byte) []byte) {
	for _, p := range e.packets(n) {
		rewrite(p, change)
	}
}

// header changes the TCP header, options included, of the segment that event n sent; data keep behind it.
func (e *editor) header(n int, change func(tcp []byte)) {
	e.octets(n, func(b []byte) []byte {
		change(b[int(b[0]&15)*4:])
		return b
	})
}

// raw changes the octets of the packet that event n sent, and those of its arrivals, and mends nothing.
func (e *editor) raw(n int, change func(b []byte)) {
	for _, p := range e.packets(n) {
		b := slices.Clone(p.Octets)
		change(b)
		*p = trace.Packet{Octets: b, Len: len(b)}
		wire.Decode(p)
	}
}

// packets are the packet that event n sent and those that arrived of it.
func (e *editor) packets(n int) []*trace.Packet {
	var all []*trace.Packet
	for i := range e.t.Events {
		ev := &e.t.Events[i]
		switch d := ev.Detail.(type) {
		case *trace.Sent:
			if ev.N == n {
				all = append(all, d.Packet)
			}
		case *trace.Arrived:
			if ev.Cause == n {
				all = append(all, d.Packet)
			}
		default:
		}
	}
	return all
}

// items changes the numbers that a socket holds, wherever they appear in its control information. Socket 0 is each of the host's.
func (e *editor) items(host string, number int, change func(trace.Item, int64) int64) {
	for i := range e.t.Events {
		ev := &e.t.Events[i]
		c, ok := ev.Detail.(*trace.Control)
		if !ok || ev.Host != host || number != 0 && ev.Socket != number {
			continue
		}
		for j := range c.Changes {
			ch := &c.Changes[j]
			old, now := ch.Old(), ch.New()
			if old.Kind == trace.Number {
				old.Num = change(ch.Item, old.Num)
			}
			if now.Kind == trace.Number {
				now.Num = change(ch.Item, now.Num)
			}
			*ch = ch.With(old, now)
		}
	}
}

// renumber lets each of a host's connections begin with the number iss: in its segments, in those that acknowledge them, and in
// the sockets on both sides. Its addresses have no other connection.
func (e *editor) renumber(host string, iss trace.Seq) {
	type ends struct{ local, remote netip.AddrPort }
	by := map[ends]uint32{}
	for i := range e.t.Events {
		s, ok := e.t.Events[i].Detail.(*trace.Sent)
		if ok && e.t.Events[i].Host == host && s.Packet.TCP.Flags.Has(trace.SYN) {
			by[ends{s.Packet.Source(), s.Packet.Destination()}] = iss.Sub(s.Packet.TCP.Seq)
		}
	}
	for i := range e.t.Events {
		s, ok := e.t.Events[i].Detail.(*trace.Sent)
		if !ok {
			continue
		}
		move := by[ends{s.Packet.Source(), s.Packet.Destination()}]
		at := 4
		if e.t.Events[i].Host != host {
			move, at = by[ends{s.Packet.Destination(), s.Packet.Source()}], 8
		}
		if at == 4 || s.Packet.TCP.Flags.Has(trace.ACK) {
			e.header(e.t.Events[i].N, func(tcp []byte) {
				binary.BigEndian.PutUint32(tcp[at:], binary.BigEndian.Uint32(tcp[at:])+move)
			})
		}
	}
	for _, s := range trace.Sockets(e.t) {
		move, items := by[ends{s.Local, s.Remote}], []trace.Item{trace.ISS, trace.SndUna, trace.SndNxt}
		if s.Host != host {
			move, items = by[ends{s.Remote, s.Local}], []trace.Item{trace.IRS, trace.RcvNxt}
		}
		e.items(s.Host, s.Number, func(i trace.Item, n int64) int64 {
			if slices.Contains(items, i) {
				n = int64(trace.Seq(n).Add(move))
			}
			return n
		})
	}
}

// capture leaves what a capture of the packets has: each arrives when it is sent. The header is to be told.
func (e *editor) capture() {
	for i := range e.t.Events {
		ev := &e.t.Events[i]
		s, ok := ev.Detail.(*trace.Sent)
		if !ok {
			e.gone[ev.N] = true
		} else if !e.gone[ev.N] {
			host := e.t.Header.Hosts[0].Name
			if ev.Host == host {
				host = e.t.Header.Hosts[1].Name
			}
			p := *s.Packet
			e.insert(ev.N, trace.Event{Host: host, Cause: ev.N, Detail: &trace.Arrived{Packet: &p}})
			ev.Cause = 0
		}
	}
}

// flags changes the control bits of the segment that event n sent.
func (e *editor) flags(n int, set, clear trace.Flags) {
	e.header(n, func(tcp []byte) {
		f := binary.BigEndian.Uint16(tcp[12:])
		binary.BigEndian.PutUint16(tcp[12:], f&^uint16(clear)|uint16(set))
	})
}

// rewrite changes an IPv4 packet's octets, mends its checksums and decodes it again.
func rewrite(p *trace.Packet, change func([]byte) []byte) {
	b := change(slices.Clone(p.Octets))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	*p = trace.Packet{Octets: b, Len: len(b)}
	wire.Decode(p)
	p.Octets = wire.Append(nil, p, p.Data())
	p.Len = len(p.Octets)
	wire.Decode(p)
}

// finish numbers the events anew and returns the trace, which Read accepts.
func (e *editor) finish(t *testing.T) *trace.Trace {
	t.Helper()
	now := map[int]int{} // the numbers of the story's events
	var events []trace.Event
	for i := range e.t.Events {
		ev := e.t.Events[i]
		old := ev.N
		if !e.gone[old] {
			now[old] = len(events) + 1
			events = append(events, ev)
		}
		for _, ev := range e.behind[old] {
			events = append(events, ev)
			if ev.N < 0 {
				now[ev.N] = len(events)
			}
		}
	}
	number := func(n int) int {
		for n > 0 && now[n] == 0 {
			n = e.t.Event(n).Cause
		}
		return now[n]
	}
	for i := range events {
		ev := &events[i]
		ev.N, ev.Cause = i+1, number(ev.Cause)
		if r, ok := ev.Detail.(*trace.Return); ok {
			r.Call = number(r.Call)
		}
	}
	var blocked []int
	for _, n := range e.t.End.Blocked {
		if !e.gone[n] {
			blocked = append(blocked, now[n])
		}
	}
	tr := &trace.Trace{Header: e.t.Header, Events: events, End: e.t.End}
	tr.End.Blocked = blocked
	var b bytes.Buffer
	if err := trace.Write(&b, tr); err != nil {
		t.Fatal(err)
	}
	read, err := trace.Read(&b, "changed", wire.Decode)
	if err != nil {
		t.Fatalf("the changed trace is none: %v", err)
	}
	return read
}
