package diff

import (
	"fmt"
	"strings"

	"connectlab/trace"
)

// item is the value of an item that changed, without what a run has chosen.
func (s *side) item(m *move, ch *trace.Change) trace.Value {
	v := ch.New()
	e := m.event
	key := socketKey{e.Host, e.Socket}
	switch ch.Item {
	case trace.ISS, trace.SndUna, trace.SndNxt, trace.IRS, trace.RcvNxt:
		if v.Kind == trace.Number && s.numbers.c.normalizes(InitialSequenceNumbers) {
			v.Num = int64(trace.Seq(v.Num).Sub(s.initial(key, ch.Item == trace.IRS || ch.Item == trace.RcvNxt, trace.Seq(v.Num))))
		}
	case trace.TSRecent:
		if v.Kind == trace.Number && s.numbers.c.normalizes(TimestampValues) && v.Num != 0 {
			v.Num = s.recent(m, key, uint32(v.Num))
		}
	case trace.LocalPort, trace.RemotePort:
		if k := s.states[key]; v.Kind == trace.Number && k != nil {
			at := k.Local
			if ch.Item == trace.RemotePort {
				at = k.Remote
			}
			if int64(at.Port()) == v.Num && v.Num != 0 {
				v = trace.Value{Kind: trace.Text, Text: s.numbers.endpoint(at).String()}
			}
		}
	default:
	}
	return v
}

// initial is the number from which those of a socket, or of its peer, count. Where no segment has shown it, that is the first which
// the socket itself has known.
func (s *side) initial(key socketKey, peers bool, first trace.Seq) trace.Seq {
	b := s.numbers.bases[key]
	switch {
	case peers && b.knowsIRS:
		return b.irs
	case !peers && b.knowsISS:
		return b.iss
	case peers:
		b.irs, b.knowsIRS = first, true
	default:
		b.iss, b.knowsISS = first, true
	}
	s.numbers.bases[key] = b
	return first
}

// recent counts TS.Recent from the TSval of the segment that brought it, or else from the first that the socket had.
func (s *side) recent(m *move, key socketKey, now uint32) int64 {
	if m.root != nil {
		if a, ok := m.root.Detail.(*trace.Arrived); ok && a.Packet.Kind == trace.PacketTCP {
			if val, _, ok := a.Packet.TCP.Options.Timestamps(); ok {
				return int64(int32(now - val))
			}
		}
	}
	first, ok := s.recents[key]
	if !ok {
		first = now
		s.recents[key] = now
	}
	return int64(int32(now - first))
}

// itemText is an item and its value, and who brought it where that is not the stack.
func (s *side) itemText(m *move, ch *trace.Change) string {
	text := ch.Item.String() + " = " + s.item(m, ch).String()
	switch ch.By {
	case trace.BySegment:
		text += fmt.Sprintf(" (%v, %v)", ch.By, ch.Field)
	case trace.ByApplication:
		text += fmt.Sprintf(" (%v)", ch.By)
	case trace.ByStack:
	}
	return text
}

// itemsText names the items that changed.
func itemsText(c *trace.Control) string {
	var list []string
	for i := range c.Changes {
		list = append(list, c.Changes[i].Item.String())
	}
	return strings.Join(list, ", ")
}
