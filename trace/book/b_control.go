package book

import (
	"slices"

	"connectlab/trace"
)

// sectionB2 is the rest of section B: packets without data, and the control information of the second kind, which is recorded
// in the socket.
var sectionB2 = []*Statement{
	{ID: "B18", Scope: Course, Text: "A packet without data, as in connecting, is headers only.", Source: "RFC 9293, Section 3.1", WireDecides: true, judge: b18},
	{ID: "B19", Scope: Every, Text: "A socket records what the application told it and the peer sent.", Source: "RFC 9293, Section 3.3.1", judge: b19},
	{ID: "B20", Scope: Every, Text: "Neither side sees the other's socket: headers told all it knows.", Source: "RFC 9293, Section 3.3.1", judge: b20},
	{ID: "B21", Scope: Course, Text: "What is recorded differs by maker, and some of it all have.", Source: "RFC 9293, Section 3.3.1", judge: b21},
}

// b18 looks for data in the segments that connect and disconnect: those with SYN, FIN or RST, and the ACK that ends the
// handshake.
func b18(r *record) Finding {
	var bare, riding, wrong []int
	var flags trace.Flags
	last := r.lastACKs()
	for _, s := range r.segments {
		seg := &s.packet.TCP
		if seg.Flags&(trace.SYN|trace.FIN|trace.RST) == 0 && !last[s] {
			continue
		}
		switch {
		case seg.DataLen == 0:
			bare = append(bare, s.n)
		case seg.Flags.Has(trace.RST), seg.Flags.Has(trace.SYN) && !s.fastOpen():
			wrong, flags = append(wrong, s.n), seg.Flags
		default:
			riding, flags = append(riding, s.n), seg.Flags
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B18.data", flags)}
	case len(riding) > 0:
		return Finding{Verdict: Refined, Evidence: riding, Observed: say("book.B18.riding", len(riding), flags)}
	case len(bare) > 0:
		return Finding{Verdict: Holds, Evidence: bare, Observed: say("book.B18.bare", len(bare))}
	}
	return Finding{Observed: say("book.B18.none")}
}

// lastACKs are the segments that end the handshakes: the first of each side that connected which acknowledges the other side's SYN.
func (r *record) lastACKs() map[*segment]bool {
	last := map[*segment]bool{}
	for _, e := range r.ends {
		if !e.active || e.syn == nil {
			continue
		}
		i := slices.IndexFunc(e.segments, func(s *segment) bool { return s.packet.TCP.Flags&(trace.ACK|trace.RST) == trace.ACK })
		if i < 0 {
			continue
		}
		if s := e.segments[i]; s.to != nil && s.to.syn != nil && s.to.syn.n < s.n {
			last[s] = true
		}
	}
	return last
}

// Options that ask for TCP Fast Open (RFC 7413, Section 4.1.1), or did as an experiment.
const (
	optionFastOpen   = 34
	optionExperiment = 254
	fastOpenMagic    = 0xf989
)

// fastOpen reports whether a SYN, or the one that it answers, has a cookie of TCP Fast Open, which lets it carry data.
func (s *segment) fastOpen() bool {
	for _, syn := range []*segment{s, s.from.syn} {
		if syn == nil || s.packet.TCP.Flags.Has(trace.ACK) {
			if s.to == nil || s.to.syn == nil {
				continue
			}
			syn = s.to.syn
		}
		for o := range syn.packet.TCP.Options.All() {
			magic := len(o.Data) >= 2 && int(o.Data[0])<<8|int(o.Data[1]) == fastOpenMagic
			if o.Kind == optionFastOpen || o.Kind == optionExperiment && magic {
				return true
			}
		}
	}
	return false
}

// b19 goes through all that sockets recorded and asks who brought it: the application, a field of a segment, or neither.
func b19(r *record) Finding {
	var all, own, untrue []int
	var count [3]int // by Bringer
	var hides []trace.Item
	hidden, stands := false, false
	for key, numbers := range r.controls {
		if !r.showsControl(key.host) {
			hidden = true
			continue
		}
		stands = stands || r.stood(key.host, key.number) != 0
		for _, n := range numbers {
			changes := r.t.Event(n).Detail.(*trace.Control).Changes
			for i := range changes {
				c := &changes[i]
				if c.New().Kind == trace.NotObservable {
					hides = append(hides, c.Item) // who would have brought it does not show
					continue
				}
				all = once(all, n)
				switch {
				case c.By == trace.ByStack:
					own = once(own, n)
				case !r.brings(c):
					untrue = append(untrue, n)
				}
				count[c.By]++
			}
		}
	}
	app, peer, stack := count[trace.ByApplication], count[trace.BySegment], count[trace.ByStack]
	switch {
	case len(untrue) > 0:
		return Finding{Verdict: Contradicted, Evidence: untrue, Observed: say("book.B19.untrue", len(untrue))}
	case stands && (app == 0 || peer == 0) && len(hides) == 0 && len(all) > 0:
		return Finding{Verdict: Contradicted, Evidence: all, Observed: say("book.B19.one-source", app, peer)}
	case len(own) > 0 && (len(hides) == 0 || app > 0 && peer > 0):
		return Finding{Verdict: Refined, Evidence: own, Observed: say("book.B19.third", app, peer, stack)}
	case len(hides) > 0:
		return unseen(hides)
	case len(all) > 0:
		return Finding{Verdict: Holds, Evidence: all, Observed: say("book.B19.two", app, peer)}
	case hidden || !r.showsControls() && len(r.segments)+len(r.calls) > 0:
		return unseen(nil)
	}
	return Finding{Observed: say("book.B19.none")}
}

// b20 goes through all that sockets recorded of a peer and asks which header brought it, or which call. Nothing may be left over.
func b20(r *record) Finding {
	var held, over []int
	var items, hides []trace.Item
	headers, calls := 0, 0
	hidden := false
	for key, numbers := range r.controls {
		if !r.showsControl(key.host) {
			hidden = true
			continue
		}
		var iss trace.Value
		for _, n := range numbers {
			changes := r.t.Event(n).Detail.(*trace.Control).Changes
			for i := range changes {
				c := &changes[i]
				if c.Item == trace.ISS {
					iss = c.New()
				}
				acknowledged := c.Item == trace.SndUna && c.New() != iss // at first the peer has acknowledged nothing
				switch {
				case !c.Item.AboutPeer() && !acknowledged:
				case c.New().Kind == trace.NotObservable, acknowledged && iss.Kind == trace.NotObservable && c.By == trace.ByStack:
					hides = append(hides, c.Item)
				case !says(c):
				case c.By == trace.BySegment && r.brings(c):
					headers++
					held = once(held, r.t.Event(n).Cause, n)
				case c.By == trace.ByApplication && r.brings(c):
					calls++
					held = once(held, r.t.Event(n).Cause, n)
				default:
					over, items = append(over, n), append(items, c.Item)
				}
			}
		}
	}
	switch {
	case len(over) > 0:
		return Finding{Verdict: Contradicted, Evidence: over, Observed: say("book.B20.left-over", rising(items))}
	case len(hides) > 0:
		return unseen(hides)
	case headers > 0:
		return Finding{Verdict: Holds, Evidence: held, Observed: say("book.B20.told", headers, calls)}
	case hidden || !r.showsControls() && len(r.segments) > 0:
		return unseen(nil)
	}
	return Finding{Observed: say("book.B20.none")}
}

// common is what every maker's sockets hold: what netstat shows, the state aside, which is no item.
var common = [...]trace.Item{trace.Protocol, trace.LocalAddress, trace.LocalPort, trace.RemoteAddress, trace.RemotePort}

// standing reports whether a stack that keeps an item holds it of every connection that stands. Else it need not come to: by an option
// of the peer's, a measurement, an error, or because it is a listener's.
func standing(i trace.Item) bool {
	switch i {
	case trace.SendMSS, trace.SndWindShift, trace.RcvWindShift, trace.SACKPermitted, trace.Timestamps, trace.TSRecent,
		trace.SRTT, trace.RTTVar, trace.Backlog, trace.SynQueue, trace.AcceptQueue, trace.PendingError:
		return false
	default:
		return true
	}
}

// b21 compares the items that the two hosts' stacks hold of connections that come to stand: what one holds of any of them, it keeps.
// Where these are the same it compares what sockets just made hold: what is recorded when is the maker's choice too.
func b21(r *record) Finding {
	var hosts [2]string
	for i := range min(len(r.t.Header.Hosts), len(hosts)) {
		hosts[i] = r.t.Header.Hosts[i].Name
	}
	var has [2][trace.NumItems]int // the event that brought it first; 0: none did
	var hides, both, lacking []trace.Item
	var evidence []int
	stood, hidden := [2]int{}, false
	looked := map[socketKey]bool{}
	for _, e := range r.ends {
		side := slices.Index(hosts[:], e.host)
		number := e.socket()
		if looked[socketKey{e.host, number}] {
			continue
		}
		looked[socketKey{e.host, number}] = true
		at := r.stood(e.host, number)
		if side < 0 || at == 0 {
			continue
		}
		if !r.showsControl(e.host) {
			hidden = true
			continue
		}
		stood[side]++
		evidence = append(evidence, at)
		for _, n := range r.controls[socketKey{e.host, number}] {
			changes := r.t.Event(n).Detail.(*trace.Control).Changes
			for i := range changes {
				switch c := &changes[i]; {
				case c.New().Kind == trace.NotObservable:
					hides = append(hides, c.Item)
				case c.New().Kind != trace.None && has[side][c.Item] == 0:
					has[side][c.Item] = n
					evidence = append(evidence, n)
				}
			}
		}
	}
	switch {
	case hidden:
		return unseen(nil)
	case stood[0] == 0 || stood[1] == 0:
		return Finding{Observed: say("book.B21.no-connection")}
	}
	hides = rising(hides)
	var own [2][]trace.Item
	for i := range trace.Item(trace.NumItems) {
		_, isHidden := slices.BinarySearch(hides, i)
		switch client, server := has[0][i] != 0, has[1][i] != 0; {
		case client && server:
			both = append(both, i)
		case isHidden:
		case slices.Contains(common[:], i):
			lacking = append(lacking, i)
		case client != server && standing(i):
			if client {
				own[0] = append(own[0], i)
			} else {
				own[1] = append(own[1], i)
			}
		}
	}
	switch {
	case len(lacking) > 0:
		return Finding{Verdict: Contradicted, Evidence: evidence, Observed: say("book.B21.lacking", lacking)}
	case slices.ContainsFunc(common[:], func(i trace.Item) bool { return !slices.Contains(both, i) }):
		return unseen(hides)
	case len(own[0])+len(own[1]) > 0:
		return Finding{Verdict: Holds, Evidence: evidence, Observed: sayOwn("book.B21.differ", "book.B21.differ.each", len(both), hosts, own)}
	}
	early, told := r.fresh(hosts)
	switch {
	case len(early[0])+len(early[1]) > 0:
		return Finding{Verdict: Holds, Evidence: append(evidence, told...), Observed: sayOwn("book.B21.early", "book.B21.early.each", len(both), hosts, early)}
	case slices.ContainsFunc(hides, standing):
		return unseen(hides)
	}
	return Finding{Observed: say("book.B21.same", len(both))}
}

// sayOwn says how many items both hosts hold, and which only one of them does, by its name: a verdict knows no stack's; each is for where
// both have their own.
func sayOwn(key, each string, both int, hosts [2]string, own [2][]trace.Item) Text {
	switch {
	case len(own[1]) == 0:
		return say(key, both, hosts[0], own[0])
	case len(own[0]) == 0:
		return say(key, both, hosts[1], own[1])
	}
	return say(each, both, hosts[0], own[0], hosts[1], own[1])
}

// fresh are the items that the first socket which a program made on one host held when socket() came back, and that of the other host did
// not, and the other way round, with the numbers of the events that tell so.
func (r *record) fresh(hosts [2]string) (own [2][]trace.Item, told []int) {
	var held [2][trace.NumItems]holding
	for side, host := range hosts {
		c := r.makes(host)
		if c == nil {
			return own, nil
		}
		told = append(told, c.n)
		held[side] = r.holds(host, c.socket, c.retN)
	}
	for i := range trace.Item(trace.NumItems) {
		client, server := held[0][i], held[1][i]
		if client.hidden() || server.hidden() || client.says() == server.says() || !standing(i) {
			continue
		}
		if client.says() {
			own[0], told = append(own[0], i), append(told, client.n)
		} else {
			own[1], told = append(own[1], i), append(told, server.n)
		}
	}
	return own, told
}

// makes is the first call by which a program made a socket on a host; nil: there is none.
func (r *record) makes(host string) *call {
	for _, c := range r.calls {
		if c.event.Host == host && c.call.Name == "socket" && c.ret != nil && c.ret.Errno == "" && c.socket != 0 {
			return c
		}
	}
	return nil
}

// says reports whether what is held says anything.
func (h holding) says() bool { return h.n != 0 && says(h.change) }

// showsControls reports whether the trace would show the control information of any host.
func (r *record) showsControls() bool {
	return slices.ContainsFunc(r.t.Header.Hosts, func(h trace.HostInfo) bool { return r.showsControl(h.Name) })
}

// brings reports whether who is said to have brought a change brought it: whether the field of the segment has the value, or a
// call was made that does it. Of what the stack itself brought nobody is named, so nothing can be checked.
func (r *record) brings(c *trace.Change) bool {
	if r.untrue == nil {
		r.untrue = r.check()
	}
	return !r.untrue[c]
}

// A told is what has to be known of a socket to check what it is told.
type told struct {
	shift   trace.Value    // Snd.Wind.Shift
	una     trace.Value    // SND.UNA
	pending map[string]int // blocking calls that have not come back, by name
}

// maxShift is the largest shift count that counts (RFC 7323, Section 2.3).
const maxShift = 14

// blocks reports whether a call may do its work long after it was made.
func blocks(name string) bool {
	return name == "accept" || name == "connect" || sends(name) || receives(name)
}

// check goes through all changes and names those that were not brought by whom they name.
func (r *record) check() map[*trace.Change]bool {
	untrue := map[*trace.Change]bool{}
	sockets := map[socketKey]*told{}
	at := func(host string, number int) *told {
		key := socketKey{host, number}
		if sockets[key] == nil {
			sockets[key] = &told{pending: map[string]int{}}
		}
		return sockets[key]
	}
	for i := range r.t.Events {
		e := &r.t.Events[i]
		switch d := e.Detail.(type) {
		case *trace.Call:
			if blocks(d.Name) {
				at(e.Host, e.Socket).pending[d.Name]++
			}
		case *trace.Return:
			if c := r.callOf[d.Call]; c != nil && blocks(c.call.Name) {
				at(c.event.Host, c.event.Socket).pending[c.call.Name]--
			}
		case *trace.Control:
			s := at(e.Host, e.Socket)
			before := s.una
			for j := range d.Changes {
				switch c := &d.Changes[j]; c.Item {
				case trace.SndWindShift:
					s.shift = c.New()
				case trace.SndUna:
					s.una = c.New()
				default:
				}
			}
			for j := range d.Changes {
				if c := &d.Changes[j]; !s.told(r, e, c, before) {
					untrue[c] = true
				}
			}
		case *trace.Sent, *trace.Arrived, *trace.Fate, *trace.StateChange, *trace.Timer, *trace.HostChange, *trace.Note:
		}
	}
	return untrue
}

// told checks one change of event e. una is SND.UNA before the event.
func (s *told) told(r *record, e *trace.Event, c *trace.Change, una trace.Value) bool {
	switch c.By {
	case trace.BySegment:
		cause := r.t.Event(e.Cause)
		if cause == nil || cause.Host != e.Host {
			return false
		}
		a, ok := cause.Detail.(*trace.Arrived)
		return ok && s.inField(a.Packet, c, una) && (c.Field != trace.FieldData || c.Item != trace.RcvNxt || r.joins(cause.N, c.New()))
	case trace.ByApplication:
		if call := r.callOf[e.Cause]; call != nil && call.event.Host == e.Host && calls(call.call, c) {
			return true
		}
		for name, n := range s.pending {
			if n > 0 && calls(&trace.Call{Name: name}, c) {
				return true
			}
		}
		return false
	case trace.ByStack:
	}
	return true
}

// joins reports whether RCV.NXT can have a value that data brought which arrived with event n: one past all that has arrived by then,
// data included that had come out of order. Where the trace does not tell, it is one past these data.
func (r *record) joins(n int, v trace.Value) bool {
	at, found := slices.BinarySearchFunc(r.arrivals, n, func(a arrival, n int) int { return a.n - n })
	if !found || v.Kind != trace.Number || r.t.Header.Capture {
		return false
	}
	a := &r.arrivals[at]
	joined := r.follow().joined[at]
	if joined[1] == 0 {
		return v.Num == int64(a.packet.TCP.Seq.Add(a.packet.TCP.Len()))
	}
	place := near(trace.Seq(v.Num), a.of.from.iss, joined[1])
	return place >= joined[0] && place <= joined[1]
}

// calls reports whether a call brings a change: as its argument, or as what it does.
func calls(call *trace.Call, c *trace.Change) bool {
	is := func(items ...trace.Item) bool { return slices.Contains(items, c.Item) }
	if is(trace.PendingError) {
		return c.New().Kind == trace.None // the call has returned it
	}
	addressed := func(address, port trace.Item) bool {
		return is(address) && c.New().Text == call.Addr.Addr().String() || is(port) && c.New().Num == int64(call.Addr.Port())
	}
	switch name := call.Name; {
	case name == "socket":
		return is(trace.Protocol)
	case name == "bind":
		return addressed(trace.LocalAddress, trace.LocalPort)
	case name == "connect":
		return addressed(trace.RemoteAddress, trace.RemotePort)
	case name == "listen":
		return is(trace.Backlog)
	case name == "accept":
		return is(trace.AcceptQueue)
	case sends(name):
		return is(trace.SendBufferUsed, trace.SndNxt)
	case receives(name):
		return is(trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed, trace.RcvWnd)
	case name == "setsockopt":
		return is(trace.SendBufferLimit, trace.ReceiveBufferLimit)
	case name == "shutdown", name == "close", name == "abort":
		return is(trace.SndNxt, trace.SendBufferUsed, trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed, trace.SynQueue, trace.AcceptQueue, trace.Backlog)
	}
	return false
}

// inField reports whether the field that a change names has its value in a packet, or the value follows from it.
func (s *told) inField(p *trace.Packet, c *trace.Change, una trace.Value) bool {
	seg, v := &p.TCP, c.New()
	if c.Field == trace.FieldICMP {
		return p.Kind == trace.PacketICMP && (c.Item == trace.PendingError || c.Item == trace.EffSendMSS)
	}
	if p.Kind != trace.PacketTCP || seg.Checksum == trace.ChecksumBad || v.Kind == trace.None {
		return false
	}
	before := func(n trace.Seq) int64 { return int64(n.Add(^uint32(0))) }
	switch c.Field {
	case trace.FieldSourceAddress:
		return c.Item == trace.RemoteAddress && v.Text == p.IP.Src.String()
	case trace.FieldDestinationAddress:
		return c.Item == trace.LocalAddress && v.Text == p.IP.Dst.String()
	case trace.FieldSourcePort:
		return c.Item == trace.RemotePort && v.Num == int64(seg.SrcPort)
	case trace.FieldDestinationPort:
		return c.Item == trace.LocalPort && v.Num == int64(seg.DstPort)
	case trace.FieldSequenceNumber:
		// A connection that was kept in a SYN cookie begins with the ACK, whose number is one past the SYN's.
		return c.Item == trace.IRS && (v.Num == int64(seg.Seq) || v.Num == before(seg.Seq)) ||
			c.Item == trace.RcvNxt && v.Num == int64(seg.Seq.Add(seg.Len()))
	case trace.FieldAcknowledgmentNumber:
		if !seg.Flags.Has(trace.ACK) {
			return false
		}
		// What is acknowledged leaves the buffer; a SYN or a FIN was not in it.
		acked, freed := int64(seg.Ack.Sub(trace.Seq(una.Num))), c.Old().Num-v.Num
		fits := una.Kind == trace.NotObservable || una.Kind == trace.Number && (freed == acked || freed+1 == acked)
		return c.Item == trace.SndUna && v.Num == int64(seg.Ack) || c.Item == trace.ISS && v.Num == before(seg.Ack) ||
			c.Item == trace.SendBufferUsed && freed > 0 && fits
	case trace.FieldWindow:
		least, most := int64(0), int64(0) // shifts
		switch {
		case seg.Flags.Has(trace.SYN):
		case s.shift.Kind == trace.NotObservable:
			most = maxShift
		default:
			least = min(max(s.shift.Num, 0), maxShift)
			most = least
		}
		for shift := least; shift <= most; shift++ {
			if c.Item == trace.SndWnd && v.Num == int64(seg.Window)<<shift {
				return true
			}
		}
		return false
	case trace.FieldMSS:
		mss, ok := seg.Options.MSS()
		return c.Item == trace.SendMSS && ok && v.Num == int64(mss)
	case trace.FieldWindowScale:
		shift, ok := seg.Options.WindowScale()
		return c.Item == trace.SndWindShift && ok && v.Num == min(int64(shift), maxShift)
	case trace.FieldSACKPermitted:
		return c.Item == trace.SACKPermitted && v.Num == 1 && seg.Options.SACKPermitted()
	case trace.FieldTimestamps:
		value, _, ok := seg.Options.Timestamps()
		return ok && (c.Item == trace.Timestamps && v.Num == 1 || c.Item == trace.TSRecent && v.Num == int64(value))
	case trace.FieldData:
		// How far RCV.NXT goes with them joins tells.
		return seg.DataLen > 0 && slices.Contains([]trace.Item{trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed, trace.RcvNxt}, c.Item)
	case trace.FieldControlBits:
		switch c.Item {
		case trace.PendingError:
			return seg.Flags&(trace.RST|trace.SYN) != 0
		case trace.SynQueue, trace.AcceptQueue:
			return true
		default:
			return false
		}
	case trace.NoField, trace.FieldICMP:
	}
	return false
}
