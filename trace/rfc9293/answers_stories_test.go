package rfc9293_test

import (
	"fmt"
	"testing"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/rfc9293"

	"github.com/google/go-cmp/cmp"
)

// departed is a way in which a stack breaks a rule, and how it is told from any other.
type departed struct {
	rule, why string
	is        func(t *trace.Trace, a *rfc9293.Answer) bool
}

// departures are where gVisor does otherwise than RFC 9293 says.
var departures = []departed{
	{"SYN-SENT: user timeout", "it gives up after 127 s (MUST-23: 3 minutes at least)", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return true
	}},
	{"connection: ACK", "the FIN was lost, and the ACK behind it aborts what close() has closed", resetByACK},
	{"connection: ACK of its FIN", "the same, where that ACK acknowledges its FIN", resetByACK},
	{"sent again: the same octets", "a probe of the window is an octet 0 in the place of the last one sent", func(t *trace.Trace, a *rfc9293.Answer) bool {
		p := t.Event(a.By).Detail.(*trace.Sent).Packet
		_, timer := t.Event(a.N).Detail.(*trace.Timer)
		return timer && p.TCP.DataLen == 1 && p.Data()[0] == 0
	}},
	{"sent again: later each time", "when it has reset a half-open connection its SYNs go out after microseconds", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return a.State == trace.SynSent && t.Event(a.By).Detail.(*trace.Sent).Packet.TCP.Flags == trace.SYN
	}},
	{"sent: data in the window", "the window of an old ACK counts", func(t *trace.Trace, a *rfc9293.Answer) bool {
		arrived, ok := t.Event(a.N).Detail.(*trace.Arrived)
		return ok && arrived.Packet.TCP.Flags == trace.ACK && arrived.Packet.TCP.Ack.Less(t.Event(a.By).Detail.(*trace.Sent).Packet.TCP.Seq)
	}},
	{"LISTEN: RST", "a listener that was shut down answers a RST with a RST", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return t.Event(a.By).Detail.(*trace.Sent).Packet.TCP.Flags.Has(trace.RST)
	}},
	{"LISTEN: segment with ACK", "a SYN cookie is good for another connection, also with the ACK of something else", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return a.By == 0 || !sent(t, a).Flags.Has(trace.RST) // it makes a connection, or the accept queue is full
	}},
}

// toHostile are those that only segments show that no peer sends.
var toHostile = []departed{
	{"connection: ACK beyond SND.NXT", "of a segment that acknowledges what was not sent the rest is taken", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return a.By == 0 || sent(t, a).Flags == trace.ACK
	}},
	{"sent: ACK of what has come", "and acknowledged", func(t *trace.Trace, a *rfc9293.Answer) bool { return true }},
	{"connection: ACK", "close() has closed it, and what comes behind a gap aborts it", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return a.State == trace.FinWait1 || a.State == trace.FinWait2
	}},
	{"connection: FIN in order", "a FIN behind data that have come already is thrown away", func(t *trace.Trace, a *rfc9293.Answer) bool {
		s := &t.Event(a.N).Detail.(*trace.Arrived).Packet.TCP
		return s.DataLen > 0 && s.Flags.Has(trace.FIN)
	}},
	{"connection: FIN behind a gap", "close() has closed it, and what comes behind a gap aborts it", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return sent(t, a).Flags.Has(trace.RST)
	}},
	{"SYN-RECEIVED: SYN in the window (passive)", "it answers with a RST", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return sent(t, a).Flags.Has(trace.RST)
	}},
	{"SYN-RECEIVED: unacceptable ACK", "in a simultaneous open any ACK makes it ESTABLISHED", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return sent(t, a).Flags == trace.ACK
	}},
	{"TIME-WAIT: SYN", "a SYN,ACK is the listener's, which resets", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return sent(t, a).Flags == trace.RST
	}},
	{"connection: RST at RCV.NXT", "in SYN-RECEIVED a RST anywhere in the window is believed", func(t *trace.Trace, a *rfc9293.Answer) bool {
		return a.State == trace.SynReceived
	}},
}

// sent is what decided.
func sent(t *trace.Trace, a *rfc9293.Answer) *trace.Segment {
	if d, ok := t.Event(a.By).Detail.(*trace.Sent); ok {
		return &d.Packet.TCP
	}
	return &trace.Segment{}
}

func resetByACK(t *trace.Trace, a *rfc9293.Answer) bool {
	d := t.Event(a.By).Detail.(*trace.StateChange)
	return reasonFor(t, &rfc9293.PathError{N: a.By, From: d.From, To: d.To}) != ""
}

// departure names which one an answer is; empty: none that is known.
func departure(t *trace.Trace, a *rfc9293.Answer, known ...departed) string {
	for _, d := range append(known, departures...) {
		if d.rule == a.Rule.ID && d.is(t, a) {
			return d.why
		}
	}
	return ""
}

// TestAnswersOfStories: over good links and bad ones, whatever programs do, gVisor breaks no rule but in the ways that are known.
func TestAnswersOfStories(t *testing.T) {
	times, first, met := map[string]int{}, map[string]string{}, map[string]map[rfc9293.Keeping]int{}
	see := func(what string, tr *trace.Trace) {
		for _, a := range rfc9293.Answers(tr) {
			if met[a.Rule.ID] == nil {
				met[a.Rule.ID] = map[rfc9293.Keeping]int{}
			}
			met[a.Rule.ID][a.Keeping]++
			if a.Keeping != rfc9293.Breaks {
				continue
			}
			why := departure(tr, &a)
			if why == "" {
				t.Errorf("%s: %v", what, &a)
			}
			if times[why]++; times[why] == 1 {
				first[why] = fmt.Sprintf("%s, event %d", what, a.N)
			}
		}
	}
	for _, name := range stories(t) {
		for _, link := range []trace.LinkType{trace.LinkIP, trace.LinkEthernet} {
			for _, family := range []netns.Family{netns.IPv4, netns.IPv6} {
				see(fmt.Sprintf("%s, link %v, family %v", name, link, family), recorded(t, builtin(t, name), netns.Config{Link: link, Family: family}))
			}
		}
	}
	overBadLinks(t, func(name string, seed uint64, tr *trace.Trace) { see(fmt.Sprintf("%s, link %d", name, seed), tr) })
	for seed := range unlessRace(1000, 100) {
		see(fmt.Sprintf("random story %d", seed), recorded(t, randomStory(t, seed), badLink(t, seed%3/2*seed)))
	}
	for _, d := range departures {
		t.Logf("%d times, first in %s: %s", times[d.why], first[d.why], d.why)
		if times[d.why] == 0 && !underRace {
			t.Errorf("not met any more: %s", d.why)
		}
	}
	for _, r := range rfc9293.Rules() {
		t.Logf("%-50s %v", r.ID, met[r.ID])
	}
	if want := int(unlessRace(40, 35)); len(met) < want {
		t.Errorf("only %d rules were met", len(met))
	}
}

// TestAnswersWithoutControlInformation: without it RCV.NXT and the windows are what the segments show, and no other rule is broken.
func TestAnswersWithoutControlInformation(t *testing.T) {
	answers := 0
	overBadLinks(t, func(name string, seed uint64, tr *trace.Trace) {
		for i := range tr.Events {
			if _, ok := tr.Events[i].Detail.(*trace.Control); ok {
				tr.Events[i].Detail = &trace.Note{}
			}
		}
		for _, a := range rfc9293.Answers(tr) {
			if answers++; a.Keeping == rfc9293.Breaks && departure(tr, &a) == "" {
				t.Errorf("%s, link %d: %v", name, seed, &a)
			}
		}
	})
	t.Logf("%d answers", answers)
	if answers < int(unlessRace(20000, 4000)) {
		t.Errorf("only %d answers", answers)
	}
}

// TestCapturesHaveNoAnswers: when a segment reached the host is not in a capture.
func TestCapturesHaveNoAnswers(t *testing.T) {
	tr := captured(recorded(t, builtin(t, "plain"), netns.Config{}), 0, 1<<30)
	if got := rfc9293.Answers(tr); got != nil {
		t.Errorf("%v", got)
	}
}

// sameAnswers compares answers, and their rules by identity.
var sameAnswers = cmp.Options{cmp.AllowUnexported(rfc9293.Answer{}), cmp.Comparer(func(a, b *rfc9293.Rule) bool { return a == b })}

// FuzzAnswers: a trace that is bent in any way has answers, or none, and nothing panics. Five octets are a bend: what, where, and how.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{"", "a\x00\x10bc", "b\x00\x20cd", "c\x00\x30\x00\x01d\x00\x15\x01\x01e\x00\x25\x05\x06", "\x00\x00\x08\x80\x01\x01\x00\x12\x80\x01\x05\x00\x1c\x02\x02"} {
		f.Add([]byte(seed))
	}
	var whole []*trace.Trace
	for _, name := range []string{"plain", "reordered", "half-open-b", "syn-cookies", "slow-reader", "ethernet"} {
		whole = append(whole, recorded(f, builtin(f, name), badLink(f, 211)))
	}
	f.Fuzz(func(t *testing.T, bends []byte) {
		for _, w := range whole {
			tr := *w
			tr.Events = append([]trace.Event(nil), w.Events...)
			for b := bends; len(b) >= 5; b = b[5:] {
				bend(&tr, b)
			}
			seen := 0
			for _, a := range rfc9293.Answers(&tr) {
				if a.N < seen || a.N > len(tr.Events) || a.Rule == nil {
					t.Errorf("%v comes behind event %d", &a, seen)
				}
				seen = a.N
			}
		}
	})
}

// bend changes one event of a trace: another's detail, socket, host, cause or time; a segment's bits, numbers or length.
func bend(tr *trace.Trace, b []byte) {
	e := &tr.Events[(int(b[1])<<8|int(b[2]))%len(tr.Events)]
	other := &tr.Events[(int(b[3])<<8|int(b[4]))%len(tr.Events)]
	change := func(change func(*trace.Packet)) {
		switch d := e.Detail.(type) {
		case *trace.Sent:
			p := *d.Packet
			change(&p)
			e.Detail = &trace.Sent{Packet: &p}
		case *trace.Arrived:
			p := *d.Packet
			change(&p)
			e.Detail = &trace.Arrived{Packet: &p}
		default:
		}
	}
	how := int(b[3])<<8 | int(b[4])
	switch b[0] % 10 {
	case 0:
		e.Detail, other.Detail = other.Detail, e.Detail
	case 1:
		e.Socket = how % 5
	case 2:
		e.Host = other.Host
	case 3:
		e.Cause = how % (e.N + 1)
	case 4:
		e.Detail = &trace.Note{}
	case 5:
		change(func(p *trace.Packet) { p.TCP.Flags = trace.Flags(how) & trace.AllFlags })
	case 6:
		change(func(p *trace.Packet) { p.TCP.Seq = p.TCP.Seq.Add(uint32(how) << (b[2] & 16)) })
	case 7:
		change(func(p *trace.Packet) { p.TCP.Ack = p.TCP.Ack.Add(uint32(how) << (b[2] & 16)) })
	case 8:
		change(func(p *trace.Packet) { p.TCP.DataLen = how })
	case 9:
		e.Detail = &trace.StateChange{From: trace.State(b[3] % 12), To: trace.State(b[4] % 12), Listener: int(b[2] % 3)}
	}
}
