package handwritten_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"testing"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"
)

var sequences = flag.Int("sequences", 3000, "how many sequences of forged segments TestForgedSegments throws (in full: 1000000)")

// TestForgedSegments throws segments that neither stack has sent at the connections of two stacks, in whatever states random programs
// have brought them to. No stack panics; no program gets an octet that neither the other program nor a forged segment has had at its
// place; a segment that is not acceptable changes nothing; and no connection is stuck: where all forged segments were
// unacceptable what was sent arrives, whatever they were both ends come to rest when their programs close.
//
// The full count, in one command:
//
//	go test ./adapters/handwritten -run ForgedSegments -v -timeout 1h -sequences 1000000
func TestForgedSegments(t *testing.T) {
	var sums [2]tally // one a goroutine: sequences have nothing in common
	var done sync.WaitGroup
	for i := range sums {
		done.Go(func() {
			for seed := uint64(i); seed < uint64(*sequences) && !t.Failed(); seed += uint64(len(sums)) {
				if throwSegments(seed, false, &sums[i]) != "" {
					t.Errorf("sequence %d: %s", seed, throwSegments(seed, true, new(tally)))
				}
			}
		})
	}
	done.Wait()
	sum := sums[0]
	sum.add(&sums[1])
	t.Logf("%d sequences of %d segments, %d of these acceptable; in %d sequences none was, in the others %d ends stood; states: %v",
		*sequences, sum.segments, sum.acceptable, sum.harmless, sum.stand, sum.states)
	if sum.harmless*10 < *sequences || sum.acceptable*5 < sum.segments {
		t.Errorf("too few sequences without, or too few acceptable segments: the test says little")
	}
	for state := trace.Closed; state <= trace.TimeWait; state++ {
		if sum.states[state] == 0 {
			t.Errorf("no segment was thrown at a socket in %v", state)
		}
	}
}

// tally counts what a test has thrown.
type tally struct {
	segments, acceptable, harmless, stand int
	states                                [trace.TimeWait + 1]int
}

func (t *tally) add(o *tally) {
	t.segments += o.segments
	t.acceptable += o.acceptable
	t.harmless += o.harmless
	t.stand += o.stand
	for i := range t.states {
		t.states[i] += o.states[i]
	}
}

// A failure ends one sequence.
type failure string

// A catcher is a failer whose Fatalf panics with a failure.
type catcher struct{}

func (catcher) Helper() {}

func (catcher) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// throwSegments runs one sequence. What it returns is empty, or says what was wrong.
func throwSegments(seed uint64, keep bool, sum *tally) (wrong string) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			wrong = string(r)
		default:
			wrong = fmt.Sprintf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	c := choose(rand.New(rand.NewPCG(seed, 1)).IntN)
	w := drawWorld(catcher{}, c, keep)
	w.serve(c)
	w.deliverAll(c(6))
	for range c(30) {
		w.act(c)
	}
	for range c(4) { // the later states
		if e := w.some(c, isOpen); e != nil {
			e.closing(c)
			w.deliverAll(c(3))
		}
	}
	harmless := true
	for range 1 + c(8) {
		if e := w.target(c); e != nil {
			acceptable := w.throw(e, c, sum)
			harmless = harmless && !acceptable
		}
		for range c(4) {
			w.act(c)
		}
	}
	if harmless {
		sum.harmless++
		w.settle()
		w.exchange()
		w.settle()
		w.finish()
		return ""
	}
	w.calm(settled, func() bool { return w.missing() == nil })
	stand := w.inStep()
	sum.stand += len(stand)
	w.exchange()
	w.calm(settled, func() bool { return w.missing() == nil })
	for _, e := range stand {
		if p := e.partner(); e.ended || p.ended || e.numbers().rcvNxt != p.numbers().sndNxt {
			w.fatalf("stuck: %v has not got what %v has sent", e, p)
		}
	}
	w.closeAll()
	// An ACK that was forged can have told a stack that its FIN has come: then its peer waits for it in FIN-WAIT-2 for ever.
	w.gone(func(e *end) bool { return e.state == trace.FinWait2 })
	return ""
}

// closing is a program that is done.
func (e *end) closing(c choose) {
	e.receiveAll()
	if c(2) == 0 {
		e.shutdown(netns.ShutWrite)
	} else {
		e.close(false)
	}
}

// numbers are what an end shows of its sequence variables.
func (e *end) numbers() (n struct{ sndUna, sndNxt, rcvNxt trace.Seq }) {
	var info trace.ControlInfo
	e.socket.Report(&info)
	n.sndUna, n.sndNxt, n.rcvNxt = number(&info, trace.SndUna), number(&info, trace.SndNxt), number(&info, trace.RcvNxt)
	return n
}

// inStep are the connections that forged segments have not ended, and whose ends agree on the numbers of both directions. Where a stack
// may hold forged octets, or a FIN, which wait for those before them, they will not agree for long; and where a forged segment has
// ended the listener's record, another one with the same ISS, made of the same SYN at the same time, is another connection.
func (w *world) inStep() (list []*end) {
	for _, h := range w.hosts {
		for _, e := range h.ends {
			p := e.partner()
			if len(e.partners()) != 1 || len(p.partners()) != 1 {
				continue
			}
			if !e.agree(p) || !e.held || !p.held || e.impatient || p.impatient || e.state != trace.Established || p.state != trace.Established || w.tookForged(e) || w.tookForged(p) {
				continue
			}
			a, b := e.numbers(), p.numbers()
			if a.rcvNxt == b.sndNxt && b.rcvNxt == a.sndNxt && a.sndUna == a.sndNxt && b.sndUna == b.sndNxt {
				list = append(list, e)
			}
		}
	}
	return list
}

// act has something happen.
func (w *world) act(c choose) { actionOf[c(len(actionOf))].do(w, c) }

// actionOf has each action as often as it shall happen.
var actionOf = func() (list []*action) {
	for i := range actions {
		for range actions[i].much {
			list = append(list, &actions[i])
		}
	}
	return list
}()

// exchange has each program send something.
func (w *world) exchange() {
	for _, h := range w.hosts {
		for _, e := range h.ends {
			if e.held && e.stood {
				e.send(2000, false)
			}
		}
	}
}

// target is a socket of either host at which a segment is thrown: a connection rather than a listener.
func (w *world) target(c choose) *end {
	h := w.hosts[c(2)]
	if len(h.ends) == 0 {
		h = h.other
	}
	var best *end
	for range 4 {
		if len(h.ends) == 0 {
			return nil
		}
		if e := h.ends[c(len(h.ends))]; best == nil || best.state <= trace.Listen && c(4) != 0 {
			best = e
		}
	}
	if best.local.Port() == 0 && best.port == 0 {
		return nil
	}
	return best
}

// forged is a segment that neither stack has sent.
type forged struct {
	to   *host
	seg  trace.Segment
	data []byte
	// acceptable: not dropped for sure
	acceptable bool
}

// combinations are the control bits that mean something; others are thrown too.
var combinations = []trace.Flags{
	trace.ACK, trace.ACK, trace.ACK, trace.PSH | trace.ACK, trace.FIN | trace.ACK, trace.FIN | trace.ACK, trace.RST, trace.RST | trace.ACK, trace.SYN,
	trace.SYN | trace.ACK, trace.SYN | trace.FIN, 0, trace.FIN, trace.URG | trace.ACK, trace.ACK | trace.ECE, trace.ACK | trace.CWR, trace.SYN | trace.ECE | trace.CWR,
}

// throw throws one segment at a socket, and tells whether it was acceptable there: if it was not, nothing may have changed.
func (w *world) throw(e *end, c choose, sum *tally) (acceptable bool) {
	var before trace.ControlInfo
	e.socket.Report(&before)
	f := forged{to: e.h}
	p := trace.Packet{IP: trace.IPHeader{Src: e.h.other.address, Dst: e.h.address, TTL: 64}}
	s := &p.TCP
	s.SrcPort, s.DstPort = e.remote.Port(), e.local.Port()
	if e.state == trace.Listen || !e.opened {
		s.SrcPort, s.DstPort = uint16(1000+c(3)), e.port
		if o := e.h.other; len(o.ends) > 0 && c(2) == 0 {
			s.SrcPort = o.ends[c(len(o.ends))].local.Port()
		}
	}
	rcvNxt, rcvWnd := number(&before, trace.RcvNxt), uint32(before.Value(trace.RcvWnd).Num)
	una, nxt := number(&before, trace.SndUna), number(&before, trace.SndNxt)
	near := func(places ...trace.Seq) trace.Seq {
		at := places[c(len(places))]
		switch c(4) {
		case 0:
			return at
		case 1:
			return at.Add(uint32(c(5)) - 2)
		case 2:
			return at.Add(uint32(c(6000)) - 3000)
		}
		return at.Add(uint32(c(1<<17)) - 1<<16)
	}
	s.Seq = near(rcvNxt, rcvNxt, rcvNxt, rcvNxt.Add(rcvWnd), rcvNxt.Add(rcvWnd), e.irs, rcvNxt.Add(1<<31), trace.Seq(c(1<<32)))
	s.Ack = near(una, una, nxt, nxt, e.iss, nxt.Add(1<<31), trace.Seq(c(1<<32)))
	s.Flags = combinations[c(len(combinations))]
	if c(4) == 0 {
		s.Flags = trace.Flags(c(1<<12)) & trace.AllFlags
	}
	s.Window = uint16([]int{0, 1, c(3000), c(1 << 16), 65535}[c(5)])
	s.Urgent = uint16([]int{0, 1, c(3000), 65535}[c(4)])
	s.Options = forgedOptions(c, &before)
	if n := []int{0, 0, 0, 1, c(100), 1400, int(min(rcvWnd, 20_000)) + c(3) - 1, int(min(rcvWnd, 20_000)) + c(1500)}[c(8)]; n > 0 && n+len(s.Options)+100 < 1<<16 {
		f.data = make([]byte, n)
		first := s.Seq.Sub(e.irs.Add(1))
		for i := range f.data {
			f.data[i] = octet(e.irs, first+uint32(i)) // as the peer has it, if there is one
			if c(2) == 0 {
				f.data[i] ^= 0x55
			}
		}
	}
	s.DataLen = len(f.data)
	f.seg = *s
	octets := wire.Append(nil, &p, f.data)
	sound := c(8) != 0
	if !sound {
		octets = broken(c, octets)
	} else {
		w.forged = append(w.forged, f)
	}
	if acceptable = sound && !w.unacceptable(e, &f, &before); !acceptable && e.state == trace.Closed {
		acceptable = sound // a connection of another record may have its ports
	}
	if sound {
		w.forged[len(w.forged)-1].acceptable = acceptable
	}
	if w.keep {
		w.note("forged for %v: %s, sound %v, acceptable %v", e, describeSegment(s), sound, acceptable)
	}
	sum.segments++
	sum.states[e.state]++
	e.h.arrives(octets)
	if acceptable {
		sum.acceptable++
		return true
	}
	var after trace.ControlInfo
	e.socket.Report(&after)
	for _, item := range []trace.Item{
		trace.ISS, trace.IRS, trace.SndUna, trace.SndNxt, trace.SndWnd, trace.RcvNxt, trace.SendBufferUsed, trace.ReceiveBufferUsed, trace.TSRecent, trace.SynQueue,
		trace.AcceptQueue, trace.PendingError, trace.EffSendMSS, trace.SRTT,
	} {
		if before.Value(item) != after.Value(item) {
			w.fatalf("a segment that is not acceptable changed %v of %v from %v to %v: %s", item, e, before.Value(item), after.Value(item), describeSegment(s))
		}
	}
	return false
}

// unacceptable tells whether RFC 9293 has the socket drop the segment, whatever it answers. What is in doubt is not.
func (w *world) unacceptable(e *end, f *forged, info *trace.ControlInfo) bool {
	s := &f.seg
	switch {
	case e.state == trace.Closed || e.gone:
		return false
	case e.state == trace.Listen:
		return !s.Flags.Has(trace.SYN) && !w.connected(e.h, s)
	case e.state == trace.SynSent:
		return s.Flags.Has(trace.ACK) && (s.Ack.LessEq(e.iss) || number(info, trace.SndNxt).Less(s.Ack)) || s.Flags&(trace.SYN|trace.RST) == 0
	case e.state == trace.TimeWait && s.Flags.Has(trace.SYN):
		return false // it may open a new connection
	}
	rcvNxt, rcvWnd, length := number(info, trace.RcvNxt), uint32(info.Value(trace.RcvWnd).Num), s.Len()
	if s.Flags.Has(trace.RST) {
		return s.Seq != rcvNxt && !s.Seq.InWindow(rcvNxt, rcvWnd)
	}
	// Section 3.4, Table 6, and the zero window of Section 3.10.7.4: ACK and URG of such a segment count.
	inside := s.Seq.InWindow(rcvNxt, rcvWnd) || s.Seq == rcvNxt || length > 0 && s.Seq.Add(length-1).InWindow(rcvNxt, rcvWnd)
	return !inside
}

// connected tells whether the host has a connection that a segment to a listener's port belongs to.
func (w *world) connected(h *host, s *trace.Segment) bool {
	for _, e := range h.ends {
		if !e.ended && e.local.Port() == s.DstPort && e.remote.Port() == s.SrcPort {
			return true
		}
	}
	return false
}

// forgedOptions are none, good ones, or broken ones.
func forgedOptions(c choose, info *trace.ControlInfo) trace.Options {
	recent := uint32(info.Value(trace.TSRecent).Num)
	stamps := binary.BigEndian.AppendUint32([]byte{1, 1, 8, 10}, recent+uint32(c(5))-2)
	stamps = binary.BigEndian.AppendUint32(stamps, uint32(c(1<<32)))
	switch c(9) {
	case 0, 1:
		return stamps
	case 2:
		return trace.Options{2, 4, byte(c(256)), byte(c(256))}
	case 3:
		return append(trace.Options{2, 4, 0, byte(c(256)), 1, 3, 3, byte(c(256)), 1, 1, 4, 2}, stamps...)
	case 4:
		return trace.Options{byte(c(10)), byte(c(14)), byte(c(256)), byte(c(10))} // whatever length
	case 5:
		random := make(trace.Options, 4*c(11))
		for i := range random {
			random[i] = byte(c(256))
		}
		return random
	}
	return nil
}

// broken has one thing wrong with it that checksums and lengths show.
func broken(c choose, octets []byte) []byte {
	switch c(4) {
	case 0:
		return octets[:c(len(octets))]
	case 3:
		return withOffset(c, octets)
	case 1:
		octets[8+c(len(octets)-8)] ^= 1 << c(8) // what comes before does not count in a checksum of IPv6
	default:
		octets[len(octets)-1-c(20)] ^= byte(1 + c(255))
	}
	return octets
}

// withOffset gives a packet a data offset that lies in the header or beyond the packet, and makes its checksum right.
func withOffset(c choose, octets []byte) []byte {
	at, pseudo := 20, append([]byte{0, 6}, octets[12:20]...)
	if octets[0]>>4 == 6 {
		at, pseudo = 40, append([]byte{0, 6}, octets[8:40]...)
	}
	tcp := octets[at:]
	offset := c(5)
	if len(tcp) < 60 && c(2) == 0 {
		offset = len(tcp)/4 + 1
	}
	tcp[12] = byte(offset)<<4 | tcp[12]&15
	binary.BigEndian.PutUint16(tcp[16:], 0)
	binary.BigEndian.PutUint16(tcp[16:], checksum(append(append(pseudo, byte(len(tcp)>>8), byte(len(tcp))), tcp...)))
	return octets
}

// wasForged tells whether a forged segment carried the octet at a number to an end.
func (w *world) wasForged(e *end, number trace.Seq, have byte) bool {
	for i := range w.forged {
		f := &w.forged[i]
		if f.to == e.h && f.seg.SrcPort == e.remote.Port() && f.seg.DstPort == e.local.Port() {
			first := f.seg.Seq
			if f.seg.Flags.Has(trace.SYN) {
				first++
			}
			if at := number.Sub(first); at < uint32(len(f.data)) && f.data[at] == have {
				return true
			}
		}
	}
	return false
}

// tookForged tells whether an end may have taken a number from a forged segment into its account.
func (w *world) tookForged(e *end) bool {
	for i := range w.forged {
		f := &w.forged[i]
		if f.to == e.h && f.acceptable && f.seg.Len() > 0 && f.seg.SrcPort == e.remote.Port() && f.seg.DstPort == e.local.Port() {
			return true
		}
	}
	return false
}

// finForged tells whether somebody has forged a FIN to an end.
func (w *world) finForged(e *end) bool {
	for i := range w.forged {
		f := &w.forged[i]
		if f.to == e.h && f.seg.Flags.Has(trace.FIN) && f.seg.SrcPort == e.remote.Port() && f.seg.DstPort == e.local.Port() {
			return true
		}
	}
	return false
}
