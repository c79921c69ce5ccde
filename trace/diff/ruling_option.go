package diff

import (
	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// option: where a rule decides who may send an option, or what may be in it, that; else it is the stack's.
func (j *judge) option(f *found, d *Difference, each eachSide) (*rule, rfc9293.Keeping, rfc9293.Keeping) {
	var tests []optionTest
	var free *rule
	switch d.Field {
	case "option-MSS":
		tests, free = []optionTest{{&ruleMSSInSYN, mssInSYN}, {&ruleMSSFits, j.mssFits}}, &ruleMSS
	case "option-window-scale":
		tests, free = []optionTest{{&ruleScaleAnswered, scaleAnswered}, {&ruleScaleLimit, scaleLimit}}, &ruleScale
	case "option-timestamps":
		tests = []optionTest{
			{&ruleTimestampsAll, timestampsAlways}, {&ruleTSAnswered, timestampsAnswered}, {&ruleTSEcho, timestampsEcho}, {&ruleTSValue, timestampsRise},
		}
		free = &ruleTimestamps
		if f.a.packet.stamped && f.b.packet.stamped {
			free = &ruleTSValue
			if !sameEcho(f.a.packet, f.b.packet) {
				free = &ruleTSEcho
			}
		}
	case "option-SACK-permitted":
		tests, free = []optionTest{{&ruleSACKInSYN, sackInSYN}}, &ruleSACKPermitted
	case "option-SACK":
		tests, free = []optionTest{{&ruleSACKAllowed, sackAllowed}}, &ruleSACK
	case "option-order":
		free = &ruleOptionOrder
	default:
		free = &ruleOptions
	}
	for _, t := range tests {
		if r, a, b := each(t.rule, t.keeps); a == rfc9293.Breaks || b == rfc9293.Breaks {
			return r, a, b
		}
	}
	return free, rfc9293.Open, rfc9293.Open
}

type optionTest struct {
	rule  *rule
	keeps func(*move, *packet) rfc9293.Keeping
}

func isSYN(v *packet) bool { return v.p.TCP.Flags.Has(trace.SYN) }

func isSYNACK(v *packet) bool { return v.p.TCP.Flags.Has(trace.SYN | trace.ACK) }

func mssInSYN(_ *move, v *packet) rfc9293.Keeping {
	_, has := v.p.TCP.Options.MSS()
	return keeps(!has || isSYN(v))
}

func (j *judge) mssFits(m *move, v *packet) rfc9293.Keeping {
	mss, has := v.p.TCP.Options.MSS()
	mtu := j.c.a.t.Header.MTU
	if has && mtu > 0 && mtu == j.c.b.t.Header.MTU && !j.c.a.t.Header.Capture {
		const ipv4, ipv6, tcp = 20, 40, 20
		room := mtu - ipv4 - tcp
		if v.p.IP.Version == 6 {
			room = mtu - ipv6 - tcp
		}
		return keeps(int(mss) <= room)
	}
	return rfc9293.NotObservable
}

func scaleAnswered(_ *move, v *packet) rfc9293.Keeping {
	_, has := v.p.TCP.Options.WindowScale()
	return keeps(!has || isSYN(v) && (!isSYNACK(v) || !v.peer.sawSYN || v.peer.shift >= 0))
}

func scaleLimit(_ *move, v *packet) rfc9293.Keeping {
	shift, has := v.p.TCP.Options.WindowScale()
	return keeps(!has || shift <= 14)
}

// timestampsAlways: where both have offered them, each segment but a RST has them.
func timestampsAlways(_ *move, v *packet) rfc9293.Keeping {
	if isSYN(v) || v.p.TCP.Flags.Has(trace.RST) || !v.own.timestamps || !v.peer.timestamps {
		return rfc9293.NotObservable
	}
	return keeps(v.stamped)
}

func timestampsAnswered(_ *move, v *packet) rfc9293.Keeping {
	if !isSYNACK(v) || !v.stamped || !v.peer.sawSYN {
		return rfc9293.NotObservable
	}
	return keeps(v.peer.timestamps)
}

// timestampsRise: the clock never goes back.
func timestampsRise(_ *move, v *packet) rfc9293.Keeping {
	val, _, ok := v.p.TCP.Options.Timestamps()
	if !ok || !v.own.tsKnown {
		return rfc9293.NotObservable
	}
	return keeps(int32(val-v.own.tsLast) >= 0)
}

// timestampsEcho: TSecr should be 0 without an ACK; else it is a TSval of the peer's, and where the segment answers one that brought what was
// next and nothing waited before it, of that.
func timestampsEcho(m *move, v *packet) rfc9293.Keeping {
	_, ecr, ok := v.p.TCP.Options.Timestamps()
	last := v.own.lastArrived
	switch {
	case !ok:
		return rfc9293.NotObservable
	case !v.p.TCP.Flags.Has(trace.ACK):
		if ecr != 0 {
			return rfc9293.Open // RFC 7323, Section 3.2: it should be 0
		}
		return rfc9293.Keeps
	case v.peer.tsKnown && !v.echoed && !v.p.TCP.Flags.Has(trace.RST):
		return rfc9293.Breaks
	case m.root != nil && last.known && last.fresh && last.n == m.root.N && v.own.acked && last.seq == v.own.ack && last.seq < v.own.edge:
		return keeps(ecr == last.tsval)
	}
	return rfc9293.NotObservable
}

func sackInSYN(_ *move, v *packet) rfc9293.Keeping {
	return keeps(!v.p.TCP.Options.SACKPermitted() || isSYN(v))
}

func sackAllowed(_ *move, v *packet) rfc9293.Keeping {
	if !v.peer.sawSYN {
		return rfc9293.NotObservable
	}
	return keeps(!hasSACK(v.p.TCP.Options) || v.peer.sack)
}
