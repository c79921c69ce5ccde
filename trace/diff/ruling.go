package diff

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// ruling is the rule that a divergence is about: one that a side breaks, else one of the package's own where the divergence shows of what
// it is, else what was owed to what the step began with.
func (j *judge) ruling(f *found, d *Difference) Ruling {
	switch d.Aspect {
	case Calls, World, End, Fates, Header:
		return Ruling{} // programs, stories and links have no rule
	default:
	}
	if r, ok := j.gaveUp(f, d); ok {
		return r
	}
	owed, ok := j.owed(f, d)
	if ok && (owed.A == rfc9293.Breaks || owed.B == rfc9293.Breaks) {
		return owed
	}
	r, a, b := j.own(f, d)
	if ok && r == &ruleStates { // what was owed says more, and that there is no such way in the machine may be all that is seen of it
		if owed.A == rfc9293.NotObservable && a == rfc9293.Breaks {
			owed.A = a
		}
		if owed.B == rfc9293.NotObservable && b == rfc9293.Breaks {
			owed.B = b
		}
		return owed
	}
	if r == nil || ok && r.general && a != rfc9293.Breaks && b != rfc9293.Breaks && (r != &ruleReturns || owed.A != owed.B) {
		return owed
	}
	return Ruling{Rule: r.key(), Section: r.section, Requirement: r.requirement, A: a, B: b, EventA: f.A.Event, EventB: f.B.Event}
}

// owed looks for the answers to what the step began with, on both sides: of a rule that one side breaks, else of one that they keep in
// another way, else of the first.
func (j *judge) owed(f *found, d *Difference) (Ruling, bool) {
	switch d.Aspect {
	case States, Packets, ControlBits, Numbers, Returns, Segmentation, Data, Time:
	default:
		return Ruling{}, false
	}
	a, b := j.answersAt(0, f.A.Root), j.answersAt(1, f.B.Root)
	if f.a != nil && f.b != nil { // what one side does because of one thing, the other may do because of another
		if root := j.c.a.counterpart(f.a.root, j.c.b); root != nil && root != f.b.root {
			b = slices.Concat(j.answersAt(1, root.N), b)
		}
		if root := j.c.b.counterpart(f.b.root, j.c.a); root != nil && root != f.a.root {
			a = slices.Concat(j.answersAt(0, root.N), a)
		}
	}
	if x, y := j.waited(f); x+y != 0 {
		a, b = slices.Concat(j.answersAt(0, x), a), slices.Concat(j.answersAt(1, y), b)
	}
	var rules []*rfc9293.Rule
	for _, x := range slices.Concat(a, b) {
		if !slices.Contains(rules, x.Rule) {
			rules = append(rules, x.Rule)
		}
	}
	if len(rules) == 0 {
		return Ruling{}, false
	}
	keeping := func(list []*rfc9293.Answer, r *rfc9293.Rule) (k rfc9293.Keeping, n int) {
		for _, x := range list {
			if x.Rule == r && (n == 0 || x.Keeping == rfc9293.Breaks) {
				k, n = x.Keeping, x.N
			}
		}
		return k, n
	}
	weight := func(r *rfc9293.Rule) int {
		x, _ := keeping(a, r)
		y, _ := keeping(b, r)
		switch {
		case x == rfc9293.Breaks || y == rfc9293.Breaks:
			return 0
		case x != y && x != rfc9293.NotObservable && y != rfc9293.NotObservable:
			return 1
		case strings.HasPrefix(r.ID, "sent"):
			return 3 // it is about any segment
		}
		return 2
	}
	slices.SortStableFunc(rules, func(r, s *rfc9293.Rule) int {
		return cmp.Or(cmp.Compare(weight(r), weight(s)), cmp.Compare(r.ID, s.ID))
	})
	r := rules[0]
	out := Ruling{Rule: r.Key(), Section: section(r.Section), Requirement: r.Requirement}
	out.A, out.EventA = keeping(a, r)
	out.B, out.EventB = keeping(b, r)
	return out, true
}

// gaveUp is the ruling about a SYN that only one side sends once more: the other has given up instead.
func (j *judge) gaveUp(f *found, d *Difference) (r Ruling, ok bool) {
	m, s, other := f.a, j.c.a, j.c.b
	if m == nil {
		m, s, other = f.b, j.c.b, j.c.a
	}
	if d.Aspect != Packets || (f.a == nil) == (f.b == nil) || m.packet == nil || !m.packet.again || !isSYN(m.packet) || rootKind(m.root) != 't' {
		return r, false
	}
	key := laneKey{m.event.Host, stateLane, s.socket(m.event).name}
	if other.gaveUp(key) == nil {
		return r, false
	}
	keeping := func(i int) (k rfc9293.Keeping, n int) {
		end := j.side(i).gaveUp(key)
		if end == nil {
			return rfc9293.NotObservable, 0
		}
		for _, x := range j.answersAt(i, end.root.N) {
			if x.Socket == end.event.Socket && x.State == trace.SynSent {
				r.Rule, r.Section, r.Requirement, ok = x.Rule.Key(), section(x.Rule.Section), x.Rule.Requirement, true
				return x.Keeping, x.N
			}
		}
		return rfc9293.NotObservable, 0
	}
	r.A, r.EventA = keeping(0)
	r.B, r.EventB = keeping(1)
	return r, ok
}

// section is a section with the RFC's name.
func section(s string) string {
	if name, number, other := strings.Cut(s, ", "); other {
		return name + ", Section " + number
	}
	return "RFC 9293, Section " + s
}

// waited are the arrivals, on both sides, that a segment answers which waited for a timer and which one side does not have: an ACK that was delayed.
func (j *judge) waited(f *found) (a, b int) {
	last := func(m *move, s, other *side) (n, counterpart int) {
		if m == nil || m.packet == nil || rootKind(m.root) != 't' {
			return 0, 0
		}
		n = m.packet.own.lastArrived.n
		if root := s.counterpart(s.t.Event(n), other); root != nil {
			counterpart = root.N
		}
		return n, counterpart
	}
	switch {
	case f.b == nil:
		a, b = last(f.a, j.c.a, j.c.b)
	case f.a == nil:
		b, a = last(f.b, j.c.b, j.c.a)
	}
	return a, b
}

func (j *judge) side(i int) *side {
	if i == 0 {
		return j.c.a
	}
	return j.c.b
}

// answersAt are the answers to what a step began with.
func (j *judge) answersAt(i, root int) []*rfc9293.Answer {
	if root == 0 {
		return nil
	}
	if j.answers[i] == nil {
		j.answers[i] = map[int][]*rfc9293.Answer{}
		all := rfc9293.Answers(j.side(i).t)
		for k := range all {
			j.answers[i][all[k].N] = append(j.answers[i][all[k].N], &all[k])
		}
	}
	return j.answers[i][root]
}

// noPath reports whether a change of state is no path of the machine.
func (j *judge) noPath(i int, m *move) rfc9293.Keeping {
	if m == nil {
		return rfc9293.NotObservable
	}
	if j.wrong[i] == nil {
		j.wrong[i] = map[int]bool{}
		for _, p := range rfc9293.Paths(j.side(i).t) {
			j.wrong[i][p.N] = true
		}
	}
	if j.wrong[i][m.event.N] {
		return rfc9293.Breaks
	}
	return rfc9293.Keeps
}

// own finds the rule in the package's table. nil: none.
func (j *judge) own(f *found, d *Difference) (r *rule, a, b rfc9293.Keeping) {
	// each holds both sides against one rule.
	each := func(r *rule, of func(m *move, v *packet) rfc9293.Keeping) (*rule, rfc9293.Keeping, rfc9293.Keeping) {
		keeping := func(m *move) rfc9293.Keeping {
			if m == nil || m.packet == nil {
				return rfc9293.NotObservable
			}
			return of(m, m.packet)
		}
		return r, keeping(f.a), keeping(f.b)
	}
	open := func(r *rule) (*rule, rfc9293.Keeping, rfc9293.Keeping) { return r, rfc9293.Open, rfc9293.Open }
	unknown := func(r *rule) (*rule, rfc9293.Keeping, rfc9293.Keeping) {
		return r, rfc9293.NotObservable, rfc9293.NotObservable
	}
	switch d.Aspect {
	case States:
		return &ruleStates, j.noPath(0, f.a), j.noPath(1, f.b)
	case Packets:
		return j.packet(f, each)
	case ControlBits:
		if d.Field == "reserved-bits" {
			return each(&ruleReserved, func(_ *move, v *packet) rfc9293.Keeping { return keeps(v.p.TCP.Reserved == 0) })
		}
		return unknown(&ruleExchange)
	case Numbers:
		if isSYN(f.a.packet) && isSYN(f.b.packet) && d.Field == "SEG.SEQ" {
			return each(&ruleISN, func(_ *move, v *packet) rfc9293.Keeping { return keeps(v.seq == (number{})) })
		}
		if d.Field == "SEG.ACK" {
			return each(&ruleAcknowledged, acknowledged)
		}
		if r, a, b := each(&ruleNumbers, numbered); a == rfc9293.Breaks || b == rfc9293.Breaks || f.a.packet.again == f.b.packet.again {
			return r, a, b
		}
		return open(&ruleFast) // what was lost is sent again, or something new instead
	case Segmentation:
		return j.segmentation(each)
	case Data:
		return unknown(&ruleData)
	case TCPOptions:
		return j.option(f, d, each)
	case Window:
		return open(&ruleWindow)
	case Push:
		return each(&rulePush, j.pushed(f))
	case Urgent:
		return open(&ruleUrgent)
	case ECN:
		if r, a, b := each(&ruleECTNever, notCapable); a == rfc9293.Breaks || b == rfc9293.Breaks {
			return r, a, b
		}
		return open(&ruleECN)
	case IP:
		switch d.Field {
		case "TTL":
			return open(&ruleTTL)
		case "DSCP":
			return open(&ruleDSCP)
		case "DF", "fragment":
			return open(&ruleFragment)
		}
		return open(&ruleIP)
	case Link:
		if d.Field == "ICMP" && !f.a.packet.p.Neighbor() {
			return open(&ruleICMP)
		}
		return open(&ruleNeighbor)
	case Checksums:
		return each(&ruleChecksum, func(_ *move, v *packet) rfc9293.Keeping {
			const bad = trace.ChecksumBad
			return keeps(v.p.TCP.Checksum != bad && v.p.IP.Checksum != bad && v.p.ICMP.Checksum != bad && v.p.Malformed == "")
		})
	case Time:
		return j.time(f, each)
	case Returns:
		return unknown(&ruleReturns)
	case Control:
		switch item(d) {
		case trace.RTO, trace.SRTT, trace.RTTVar:
			return open(&ruleRTO)
		case trace.Cwnd, trace.Ssthresh:
			return open(&ruleCongestion)
		case trace.RcvWnd, trace.SndWnd:
			return open(&ruleWindow)
		default:
			return open(&ruleControl)
		}
	case Header, Calls, Fates, World, End:
	}
	return nil, 0, 0
}

type eachSide = func(r *rule, of func(*move, *packet) rfc9293.Keeping) (*rule, rfc9293.Keeping, rfc9293.Keeping)

func keeps(is bool) rfc9293.Keeping {
	if is {
		return rfc9293.Keeps
	}
	return rfc9293.Breaks
}

// item is the item that a difference in control information is about; Protocol where it is about none that is known.
func item(d *Difference) trace.Item {
	name, _, _ := strings.Cut(max(d.A, d.B), " = ")
	i, err := trace.ParseItem(name)
	if err != nil {
		return trace.Protocol
	}
	return i
}

// numbered: what is sent has numbers that follow those sent before it, or are among them.
func numbered(_ *move, v *packet) rfc9293.Keeping {
	switch {
	case !v.own.sawSYN, v.p.TCP.Flags.Has(trace.RST), v.place < 0:
		return rfc9293.NotObservable
	case v.place > v.own.next:
		return rfc9293.Breaks
	}
	return rfc9293.NotObservable
}

// acknowledged: an ACK covers the SYN, nothing that the peer has not sent, and never less than one before it. That it covers nothing
// that has not come is seen where nothing came out of order.
func acknowledged(_ *move, v *packet) rfc9293.Keeping {
	switch {
	case !v.p.TCP.Flags.Has(trace.ACK), v.p.TCP.Flags.Has(trace.RST), !v.peer.sawSYN, v.ack.before, v.seq.before:
		return rfc9293.NotObservable
	case v.ack.n > v.peer.next, v.ack.n < 1, v.own.acked && v.ack.n < v.own.ack:
		return rfc9293.Breaks
	case v.ack.n <= max(v.own.received, v.own.ack, 1):
		return rfc9293.Keeps
	}
	return rfc9293.NotObservable
}

// packet: a packet that only one side has. What it is tells which rule has it sent.
func (j *judge) packet(f *found, each eachSide) (*rule, rfc9293.Keeping, rfc9293.Keeping) {
	m := f.a
	switch {
	case f.a != nil && f.b != nil: // of another kind, or on another connection
		return &ruleExchange, rfc9293.NotObservable, rfc9293.NotObservable
	case m == nil:
		m = f.b
	}
	v := m.packet
	if v.p.Kind != trace.PacketTCP {
		if v.p.Kind == trace.PacketICMP && !v.p.Neighbor() {
			return &ruleICMP, rfc9293.Open, rfc9293.Open
		}
		return &ruleNeighbor, rfc9293.Open, rfc9293.Open
	}
	s := &v.p.TCP
	bare := s.DataLen == 0 && s.Flags&essential == trace.ACK
	side := func(r *rule, k rfc9293.Keeping) (*rule, rfc9293.Keeping, rfc9293.Keeping) {
		switch {
		case f.b == nil:
			return r, k, rfc9293.NotObservable
		case f.a == nil:
			return r, rfc9293.NotObservable, k
		}
		return r, rfc9293.NotObservable, rfc9293.NotObservable
	}
	both := func(r *rule) (*rule, rfc9293.Keeping, rfc9293.Keeping) { return r, rfc9293.Open, rfc9293.Open }
	switch {
	case bare && j.tooOld(0, &f.A, f.a) != j.tooOld(1, &f.B, f.b):
		return &rulePAWS, j.tooOld(0, &f.A, f.a), j.tooOld(1, &f.B, f.b)
	case bare && v.own.acked && v.ack.n > v.own.ack:
		return both(&ruleDelayedACK)
	case bare && v.own.acked && v.ack.n == v.own.ack && v.ack.n+v.window > v.own.edge:
		return both(&ruleWindowUpdate)
	case s.DataLen > 0 && v.again && rootKind(m.root) == 'a':
		return both(&ruleFast)
	case s.DataLen == 1 && rootKind(m.root) == 't' && (v.again || v.peer.acked && v.place >= v.peer.edge): // beyond the window, or old
		return both(&ruleProbe)
	case s.Len() > 0 && rootKind(m.root) == 't' && v.place < v.own.next: // it may have new octets behind the old ones
		if k := backedOff(m, v); k == rfc9293.Breaks {
			return side(&ruleBackOff, k)
		}
		return both(&ruleRTO)
	case s.DataLen > 0 && v.own.una < v.own.next && s.DataLen+optionRoom < v.sendMSS(): // small, with others under way
		return both(&ruleSegmentation)
	case s.DataLen > 0 && v.own.una <= 1 && v.own.signs == 0:
		return each(&ruleInitialWindow, initialWindow)
	case s.DataLen > 0 && s.Flags&(trace.SYN|trace.FIN|trace.RST) == 0:
		return both(&ruleCongestion)
	}
	return &ruleExchange, rfc9293.NotObservable, rfc9293.NotObservable
}

// tooOld: in a connection a segment with a TSval older than the one to be echoed is acknowledged, and thrown away.
func (j *judge) tooOld(i int, p *Place, sent *move) rfc9293.Keeping {
	s := j.side(i)
	if p.Root == 0 || !s.numbers.old[p.Root] || s.stateBefore(p.Host, p.Socket, p.Root) < trace.Established {
		return rfc9293.NotObservable
	}
	if sent != nil {
		return rfc9293.Keeps
	}
	for n := p.Root + 1; n <= len(s.t.Events) && s.root[n] == int32(p.Root); n++ {
		if _, ok := s.t.Event(n).Detail.(*trace.Sent); ok {
			return rfc9293.NotObservable // something else goes out
		}
	}
	return rfc9293.Breaks
}

// optionRoom is how many octets of a full segment a stack may keep for options.
const optionRoom = 40

// backedOff: the time until a segment is sent once more has doubled (RFC 6298, Section 5.5), up to the 60 s where it may stop. A clock is
// no finer than some part of it.
func backedOff(m *move, v *packet) rfc9293.Keeping {
	const most, part = 60 * time.Second, 16
	switch {
	case rootKind(m.root) != 't' || v.gapBefore <= 0:
		return rfc9293.NotObservable
	case v.gap >= most:
		return rfc9293.Keeps
	}
	return keeps(v.gap+v.gap/part >= 2*v.gapBefore)
}

// initialWindow: before anything of the data was acknowledged, RFC 5681, Section 3.1 has up to four segments sent, and RFC 6928, which is
// an experiment, ten.
func initialWindow(_ *move, v *packet) rfc9293.Keeping {
	mss := int64(v.sendMSS())
	first := 4 * mss
	switch {
	case mss > 2190:
		first = 2 * mss
	case mss > 1095:
		first = 3 * mss
	}
	switch octets := v.place + int64(v.p.TCP.DataLen) - 1; {
	case !v.own.sawSYN || v.own.una > 1:
		return rfc9293.NotObservable
	case octets <= first:
		return rfc9293.Keeps
	case octets <= max(10*mss, 14600):
		return rfc9293.Open
	}
	return rfc9293.Breaks
}

// sendMSS is what the peer has announced, or what holds without (RFC 9293, Section 3.7.1, MUST-15).
func (v *packet) sendMSS() int {
	switch {
	case v.peer.mss > 0:
		return v.peer.mss
	case v.p.IP.Version == 6:
		return 1220
	}
	return 536
}

// segmentation: no segment is larger than the peer's MSS; how data are cut up below that is the stack's.
func (j *judge) segmentation(each eachSide) (*rule, rfc9293.Keeping, rfc9293.Keeping) {
	r, a, b := each(&ruleSegmentFits, func(_ *move, v *packet) rfc9293.Keeping {
		if !v.peer.sawSYN {
			return rfc9293.NotObservable
		}
		return keeps(v.p.TCP.DataLen <= v.sendMSS())
	})
	if a == rfc9293.Breaks || b == rfc9293.Breaks {
		return r, a, b
	}
	return &ruleSegmentation, rfc9293.Open, rfc9293.Open
}

// pushed: without a PUSH parameter in the call, the last segment of what there is to send has PSH; others may have it.
func (j *judge) pushed(f *found) func(*move, *packet) rfc9293.Keeping {
	return func(m *move, v *packet) rfc9293.Keeping {
		s := j.c.a
		if m == f.b && m != f.a {
			s = j.c.b
		}
		l := s.laneOf[m.event.N]
		if v.p.TCP.DataLen == 0 || l == nil {
			return rfc9293.Open
		}
		end := v.place + int64(v.p.TCP.Len())
		if v.again && v.own.next > end {
			return rfc9293.Open // it is not the last
		}
		last := v.p.TCP.Flags.Has(trace.FIN) // nothing waited behind it
		for at := int(s.placeOf[m.event.N]) + 1; at < len(l.moves) && !last; at++ {
			next := &l.moves[at]
			w := next.packet
			if w.p.TCP.Len() == 0 || w.p.TCP.Flags.Has(trace.RST) || w.again || w.place < end {
				continue
			}
			if w.p.TCP.DataLen > 0 && (rootKind(next.root) != 'c' || next.root == m.root) {
				return rfc9293.Open // there was more to send
			}
			last = true
		}
		switch {
		case v.p.TCP.Flags.Has(trace.PSH):
			return rfc9293.Keeps
		case !last: // nothing more was sent, whatever waited
			return rfc9293.NotObservable
		}
		return rfc9293.Breaks
	}
}

// notCapable: the IP header says of no segment that ECN can be used on it that opens a connection, is a bare ACK, or is sent again. Of a FIN
// or a RST without data RFC 3168 says nothing.
func notCapable(_ *move, v *packet) rfc9293.Keeping {
	if v.p.IP.TOS&3 == 0 || v.p.Kind != trace.PacketTCP {
		return rfc9293.Keeps
	}
	s := &v.p.TCP
	switch {
	case s.Flags.Has(trace.SYN), s.DataLen == 0 && s.Flags&essential == trace.ACK, v.again:
		return rfc9293.Breaks
	case s.DataLen == 0:
		return rfc9293.Open
	}
	return rfc9293.Keeps
}

// time: what a move was that was made earlier or later tells which rule sets its time.
func (j *judge) time(f *found, each eachSide) (*rule, rfc9293.Keeping, rfc9293.Keeping) {
	switch f.lane.kind {
	case packetLane:
	case otherLane:
		return &ruleNeighbor, rfc9293.Open, rfc9293.Open
	case stateLane:
		if (leaves(f.a, trace.TimeWait) || leaves(f.b, trace.TimeWait)) && rootKind(f.a.root) == rootKind(f.b.root) {
			return &ruleTimeWait, j.c.a.timeWait(f.a), j.c.b.timeWait(f.b)
		}
		return &ruleStates, rfc9293.Open, rfc9293.Open
	default:
		return &ruleReturns, rfc9293.NotObservable, rfc9293.NotObservable
	}
	v := f.a.packet
	s := &v.p.TCP
	switch {
	case v.again || f.b.packet.again:
		if r, a, b := each(&ruleBackOff, backedOff); a == rfc9293.Breaks || b == rfc9293.Breaks {
			return r, a, b
		}
		return each(&ruleRTO, func(m *move, v *packet) rfc9293.Keeping {
			if max(m.after, v.gap) >= time.Second {
				return rfc9293.Keeps
			}
			return rfc9293.Open // less than a second is advised against (Section 2.4)
		})
	case s.DataLen == 0 && s.Flags&essential == trace.ACK:
		r, a, b := each(&ruleACKDelay, ackDelay)
		if a == rfc9293.Breaks || b == rfc9293.Breaks {
			return r, a, b
		}
		return &ruleDelayedACK, rfc9293.Open, rfc9293.Open
	case s.DataLen > 0:
		return &ruleSilly, rfc9293.Open, rfc9293.Open
	}
	return &ruleExchange, rfc9293.Open, rfc9293.Open
}

// ackDelay: what has come is acknowledged within half a second. What acknowledges nothing new may come at any time: it tells of a window, or
// asks whether the peer is there.
func ackDelay(m *move, v *packet) rfc9293.Keeping {
	switch {
	case m.after < 500*time.Millisecond:
		return rfc9293.Keeps
	case v.own.acked && v.ack.n <= v.own.ack:
		return rfc9293.Open
	}
	return rfc9293.Breaks
}

// leaves reports whether a move is a change from a state.
func leaves(m *move, s trace.State) bool {
	c, ok := m.event.Detail.(*trace.StateChange)
	return ok && c.From == s
}

// timeWait: TIME-WAIT lasts twice the MSL, which is two minutes, and which a stack may set otherwise (RFC 9293, Section 3.4.2).
func (s *side) timeWait(m *move) rfc9293.Keeping {
	stayed := m.after
	if k := s.states[socketKey{m.event.Host, m.event.Socket}]; k != nil {
		if since := s.t.Event(k.At(m.event.N - 1).N); since != nil {
			stayed = max(stayed, m.event.At-since.At) // what has come meanwhile need not have made it longer
		}
	}
	if stayed >= 4*time.Minute {
		return rfc9293.Keeps
	}
	return rfc9293.Open
}
