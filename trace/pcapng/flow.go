package pcapng

import (
	"encoding/binary"
	"reflect"
	"slices"
	"time"

	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// Bounds of what is kept. They decide how much memory a capture can take, whatever is in it.
const (
	// partFrames is how many frames a part has at most.
	partFrames = 4096
	// lingering is how long a connection that is over waits for segments that come late, and lingerers how many do.
	lingering = 60 * time.Second
	lingerers = 1024
	// openFlows is how many connections are followed at once. The one that was quiet for longest is given up for a new one.
	openFlows = 65536
	// budget is how many octets of memory flows and what they keep have at most, with what is free for the next.
	budget = 128 << 20
)

// A flowKey names a connection: both addresses and ports, the lower end first, and the IP version.
type flowKey [2*18 + 1]byte

// keyOf is the key of a packet. fromLow: the lower end sent it.
func keyOf(p *trace.Packet) (key flowKey, fromLow bool) {
	src, dst := p.IP.Src.As16(), p.IP.Dst.As16()
	fromLow = p.TCP.SrcPort < p.TCP.DstPort
	if p.TCP.SrcPort == p.TCP.DstPort {
		fromLow = p.IP.Src.Compare(p.IP.Dst) <= 0
	}
	low, high := 0, 18
	if !fromLow {
		low, high = high, low
	}
	copy(key[low:], src[:])
	binary.BigEndian.PutUint16(key[low+16:], p.TCP.SrcPort)
	copy(key[high:], dst[:])
	binary.BigEndian.PutUint16(key[high+16:], p.TCP.DstPort)
	key[36] = p.IP.Version
	return key, fromLow
}

// A flow is a connection while it is followed.
type flow struct {
	key       flowKey
	number    int
	lowClient bool // the client is the lower end
	kept      kept
	ends      [2]end              // as they were before what is kept
	now       [2]rfc9293.Endpoint // as they are behind it
	last      time.Duration       // of its last frame
	parts     int                 // the number of the part in work
	over      bool                // both ends have done with it
	split     bool                // see Summary.Split

	in         *list
	prev, next *flow
}

// flowSize is how many octets of memory a flow has, with its place in flows.byKey, besides what it keeps.
var flowSize = int(reflect.TypeFor[flow]().Size() + 2*reflect.TypeFor[flowKey]().Size())

// An end is one side of a connection.
type end struct {
	rfc9293.Endpoint
	socket int
	synAt  int       // N of the last SYN that arrived in this part; 0: none did
	syn    trace.Seq // its sequence number
}

// known is the control information that follows from the segments.
func (e *end) known() (c trace.ControlInfo) {
	number := func(knows rfc9293.Knowledge, item trace.Item, n int64) {
		if e.Knows.Has(knows) {
			c.SetNumber(item, n)
			c.Infer(item)
		}
	}
	number(rfc9293.KnowsISS, trace.ISS, int64(e.ISS))
	number(rfc9293.KnowsIRS, trace.IRS, int64(e.IRS))
	number(rfc9293.KnowsSndUna, trace.SndUna, int64(e.SndUna))
	number(rfc9293.KnowsSndNxt, trace.SndNxt, int64(e.SndNxt))
	number(rfc9293.KnowsRcvNxt, trace.RcvNxt, int64(e.RcvNxt))
	number(rfc9293.KnowsShifts, trace.SndWindShift, int64(e.SndWindShift))
	number(rfc9293.KnowsShifts, trace.RcvWindShift, int64(e.RcvWindShift))
	return c
}

// done reports whether an end has nothing more to say but to answer. Back to LISTEN a passive end goes when it is reset.
func done(e *rfc9293.Endpoint) bool {
	return e.State == trace.Closed || e.State == trace.TimeWait || e.State == trace.Listen
}

// flows are the connections that are followed.
type flows struct {
	each   func(*Connection) error
	byKey  map[flowKey]*flow
	recent *flow // of the last frame: the next is often of the same
	open   list  // those that was seen last at the end
	over   list
	store  store
	free   []*flow
	made   int
	handed int
	split  int
	began  int64 // the time of the capture's first frame, nanoseconds since 1970
	part   part
	failed error // of each
}

func newFlows(each func(*Connection) error) *flows {
	return &flows{each: each, byKey: map[flowKey]*flow{}}
}

// add takes in a segment. number is that of its frame in the capture.
func (fs *flows) add(p *trace.Packet, at int64, number int) error {
	key, fromLow := keyOf(p)
	f := fs.recent
	if f == nil || f.key != key {
		f = fs.byKey[key]
	}
	seg := &p.TCP
	if f != nil && f.over && seg.Flags&(trace.SYN|trace.ACK) == trace.SYN {
		if e := &f.now[f.side(fromLow)]; !e.Knows.Has(rfc9293.KnowsISS) || e.ISS != seg.Seq { // the four-tuple comes back
			if err := fs.drop(f); err != nil {
				return err
			}
			f = nil
		}
	}
	if f == nil {
		if len(fs.byKey) == openFlows {
			given := fs.oldest()
			if !given.over {
				fs.splits(given)
			}
			if err := fs.drop(given); err != nil {
				return err
			}
		}
		f = fs.make(key, fromLow, seg)
	}
	fs.recent = f
	if f.kept.frames == partFrames {
		if err := fs.hand(f, true); err != nil {
			return err
		}
	}
	// Time does not go backwards in a trace; captures of several interfaces are not always in order.
	f.last = max(f.last, time.Duration(max(at-fs.began, 0)))
	fs.store.keep(&f.kept, &frame{f.last, number, p.Len, p.Octets})
	if whole(p) {
		from := f.side(fromLow)
		f.now[from].Sent(seg)
		f.now[1-from].Arrived(seg)
	}
	if f.over = done(&f.now[client]) && done(&f.now[server]); f.over {
		fs.over.push(f)
	} else {
		fs.open.push(f)
	}
	return fs.shrink(f.last)
}

// make makes a flow of its first segment.
func (fs *flows) make(key flowKey, fromLow bool, s *trace.Segment) *flow {
	var f *flow
	if n := len(fs.free); n > 0 {
		f, fs.free = fs.free[n-1], fs.free[:n-1]
	} else {
		f = new(flow)
		fs.store.used += flowSize
		fs.store.held += flowSize
	}
	fs.made++
	*f = flow{key: key, number: fs.made, parts: 1, kept: f.kept}
	switch {
	case s.Flags.Has(trace.SYN):
		f.lowClient = fromLow != s.Flags.Has(trace.ACK)
	case s.SrcPort == s.DstPort:
		f.lowClient = fromLow
	default: // the lower end has the lower port
	}
	f.ends[client].socket, f.ends[server].socket = 1, 1
	fs.byKey[key] = f
	return f
}

// side is the host of the lower or the higher end.
func (f *flow) side(low bool) int {
	if low == f.lowClient {
		return client
	}
	return server
}

// hand hands out what a flow has kept, if there is anything. more: the flow is followed further.
func (fs *flows) hand(f *flow, more bool) error {
	if f.kept.frames == 0 {
		return nil
	}
	if f.parts == 1 {
		fs.handed++
	} else {
		fs.splits(f)
	}
	if err := fs.each(fs.part.connection(f, fs.began, more)); err != nil {
		fs.failed = err
		return err
	}
	fs.store.forget(&f.kept)
	f.parts++
	return nil
}

// splits counts a flow whose connection is not handed out as one.
func (fs *flows) splits(f *flow) {
	if !f.split {
		f.split = true
		fs.split++
	}
}

// drop hands a flow out and forgets it.
func (fs *flows) drop(f *flow) error {
	if err := fs.hand(f, false); err != nil {
		return err
	}
	f.in.remove(f)
	delete(fs.byKey, f.key)
	if fs.recent == f {
		fs.recent = nil
	}
	fs.free = append(fs.free, f)
	return nil
}

// oldest is the flow to be given up first.
func (fs *flows) oldest() *flow {
	if fs.over.first != nil {
		return fs.over.first
	}
	return fs.open.first
}

// shrink brings what is kept within its bounds.
func (fs *flows) shrink(now time.Duration) error {
	for fs.over.n > lingerers || fs.over.n > 0 && fs.over.first.last < now-lingering {
		if err := fs.drop(fs.over.first); err != nil {
			return err
		}
	}
	if fs.store.used <= budget {
		return nil
	}
	// Those that are over are whole. Of the others those go on in another part that keep more than their share: long ones, so
	// that what is short stays whole, and those that were quiet for longest first.
	const enough = budget / 4 * 3
	for f := fs.over.first; f != nil && fs.store.used > enough; f = f.next {
		if err := fs.hand(f, true); err != nil {
			return err
		}
	}
	share := (enough - (len(fs.byKey)+len(fs.free))*flowSize) / len(fs.byKey)
	for f := fs.open.first; f != nil && fs.store.used > enough; f = f.next {
		if f.kept.size > share {
			if err := fs.hand(f, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// end hands out what is left, in the order of first frames.
func (fs *flows) end() error {
	rest := make([]*flow, 0, len(fs.byKey))
	for _, f := range fs.byKey {
		rest = append(rest, f)
	}
	slices.SortFunc(rest, func(a, b *flow) int { return a.number - b.number })
	for _, f := range rest {
		if err := fs.hand(f, false); err != nil {
			return err
		}
	}
	return nil
}

// A list has flows in the order in which they were seen last.
type list struct {
	first, last *flow
	n           int
}

// push puts a flow to the end, wherever it was.
func (l *list) push(f *flow) {
	if l.last == f {
		return
	}
	if f.in != nil {
		f.in.remove(f)
	}
	f.in, f.prev, f.next = l, l.last, nil
	if l.last != nil {
		l.last.next = f
	} else {
		l.first = f
	}
	l.last = f
	l.n++
}

func (l *list) remove(f *flow) {
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		l.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		l.last = f.prev
	}
	f.in, f.prev, f.next = nil, nil, nil
	l.n--
}
