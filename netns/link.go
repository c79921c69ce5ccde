package netns

import (
	"slices"
	"time"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// A flight is a packet on its way to a host.
type flight struct {
	at     time.Duration // when it arrives
	order  uint64        // of sending; decides between packets that arrive at one instant
	to     *host
	octets []byte        // what will be delivered
	packet trace.Packet  // octets decoded
	kept   *trace.Packet // packet as the record has it; nil without a recorder
	sent   int           // the N of its Sent
	wait   int           // reordered: how many packets must still overtake it
	behind time.Duration // reordered: when the last of those that overtake it arrives
}

// headerOf is how many octets of a packet the MTU does not count.
var headerOf = [...]int{trace.LinkIP: 0, trace.LinkEthernet: 14}

// link carries packets between the two hosts.
type link struct {
	s       *Sandbox
	up      bool
	heap    heap[*flight] // by arrival, and then by sending
	free    []*flight
	retired []*flight // done with, but the open step of the record may still refer to them
	order   uint64
	rules   []*rule
	waiting []*flight // reordered flights that nothing has overtaken yet
}

func (f *flight) before(g *flight) bool { return f.at < g.at || f.at == g.at && f.order < g.order }

// pop takes the flight that arrives first.
func (l *link) pop() *flight {
	f := l.heap.pop()
	for i, w := range l.waiting {
		if w == f { // its time was up before anything overtook it
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			break
		}
	}
	return f
}

// next is when the first flight arrives.
func (l *link) next() (time.Duration, bool) {
	f, ok := l.heap.first()
	if !ok {
		return 0, false
	}
	return f.at, true
}

func (l *link) get() *flight {
	if n := len(l.free); n > 0 {
		f := l.free[n-1]
		l.free = l.free[:n-1]
		return f
	}
	return &flight{}
}

// copy returns a flight with the same octets on the same way, not decoded yet.
func (l *link) copy(f *flight) *flight {
	c := l.get()
	c.octets = append(c.octets[:0], f.octets...)
	c.at, c.order, c.to, c.sent = f.at, f.order, f.to, f.sent
	return c
}

// put gives a flight back. It is used again only behind the open step, whose events may refer to its packet.
func (l *link) put(f *flight) { l.retired = append(l.retired, f) }

// recycle frees what was put back before the step was committed.
func (l *link) recycle() {
	for _, f := range l.retired {
		*f = flight{octets: f.octets[:0]}
	}
	l.free = append(l.free, l.retired...)
	l.retired = l.retired[:0]
}

// send takes over a flight whose packet a host has just sent, and records its fate if that is not simply to arrive.
func (l *link) send(from *host, f *flight, socket int) {
	fate := func(ft trace.Fate) {
		if l.s.rec != nil {
			l.s.rec.Fate(l.s.now, from.name, socket, f.sent, ft)
		}
	}
	lose := func(ft trace.Fate) {
		fate(ft)
		l.put(f)
	}
	switch {
	case !l.up:
		lose(trace.Fate{Kind: trace.LinkDown})
		return
	case f.packet.Len > l.s.cfg.MTU+headerOf[l.s.cfg.Link]:
		lose(trace.Fate{Kind: trace.TooLong})
		return
	}
	l.order++
	f.order = l.order
	f.at = l.s.arrival()
	f.to = l.s.hosts[1-from.index]
	r := l.decide(from, f)
	if r == nil {
		l.depart(f)
		return
	}
	switch r.Action {
	case FaultDrop:
		lose(trace.Fate{Kind: trace.Dropped, Rule: r.text})
	case FaultDelay:
		fate(trace.Fate{Kind: trace.Delayed, Rule: r.text, Delay: r.Delay})
		f.at = later(f.at, r.Delay)
		l.depart(f)
	case FaultDuplicate:
		fate(trace.Fate{Kind: trace.Duplicated, Rule: r.text, Delay: r.Delay})
		again := l.copy(f)
		l.s.read(again)
		l.depart(f)
		l.order++
		again.order, again.at = l.order, later(f.at, r.Delay)
		l.heap.push(again)
	case FaultCorrupt:
		octet, bit := r.bit(&f.packet)
		fate(trace.Fate{Kind: trace.Corrupted, Rule: r.text, Octet: octet, Bit: bit})
		broken := l.copy(f) // the record keeps what was sent
		broken.octets[f.packet.Ethernet.HeaderLen+octet] ^= 0x80 >> bit
		l.s.read(broken)
		l.put(f)
		l.depart(broken)
	case FaultReorder:
		fate(trace.Fate{Kind: trace.Reordered, Rule: r.text})
		f.wait = r.Overtake
		f.at = later(f.at, reorderLimit)
		l.heap.push(f)
		l.waiting = append(l.waiting, f)
	}
}

// arrival is when a packet that is sent now arrives. Where goroutines make calls in real time, it is not before the wall clock's time:
// else a link without delay would keep the run at one instant for as long as it has something to carry.
func (s *Sandbox) arrival() time.Duration {
	if s.cfg.RealTime && s.cfg.Delay == 0 && len(s.lanes) > 0 {
		return max(s.now, s.elapsed())
	}
	return later(s.now, s.cfg.Delay)
}

// decide asks the rules. Each counts all packets that it is for, whichever decides in the end.
func (l *link) decide(from *host, f *flight) (first *rule) {
	for _, r := range l.rules {
		if r.Host == from.name && r.hits(&f.packet) && first == nil {
			first = r
		}
	}
	return first
}

// depart puts a flight on its way; flights that wait to be overtaken may follow it.
func (l *link) depart(f *flight) {
	l.heap.push(f)
	rest := l.waiting[:0]
	for _, w := range l.waiting {
		if w.to == f.to && f.at <= w.at { // else w is there first: it has waited for long enough
			w.wait--
			w.behind = max(w.behind, f.at)
		}
		if w.wait > 0 {
			rest = append(rest, w)
			continue
		}
		l.order++
		w.at, w.order = w.behind, l.order
		l.heap.changed(slices.Index(l.heap.items, w))
	}
	l.waiting = rest
}

// read decodes a flight's octets anew and gives the record a packet of its own for it.
func (s *Sandbox) read(f *flight) {
	f.packet = trace.Packet{Octets: f.octets, Len: len(f.octets), Link: s.cfg.Link}
	if s.rec == nil && len(s.link.rules) == 0 {
		return
	}
	wire.Decode(&f.packet)
	f.kept = nil
	if s.rec != nil {
		f.kept = s.rec.Keep(&f.packet)
	}
}
