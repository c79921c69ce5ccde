package diff

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectlab/trace"
)

// An Outcome is what came of a run, in short. Only what the trace shows is in it: a capture has no calls, and so on.
type Outcome struct {
	// Connects are the calls of connect(), in the order in which they were made.
	Connects []Connect
	// Hosts are the header's, in its order.
	Hosts []HostOutcome
	// Ends are the sockets that had a peer and did not listen, host by host, in the order in which they were first seen.
	Ends []EndState
	// Returned is the virtual time at which the last call came back; 0: none did, or all at once.
	Returned time.Duration
	// At is the virtual time at which the run ended, and Reason why. Blocked is how many calls had not come back.
	At      time.Duration
	Reason  trace.EndReason
	Blocked int
}

// A Connect is one call of connect() and what it came to.
type Connect struct {
	Host, Program string
	Event         int // the N of the Call
	Returned      bool
	Result        int64
	Errno         string        // empty: no error
	After         time.Duration // from call to return
}

// A HostOutcome is what the programs of a host got, and how many segments it took.
type HostOutcome struct {
	Host string
	// Sent and Received are octets of data, as calls returned them.
	Sent, Received int64
	// Checked is how many of those received were held against what the peer sent, and Wrong whether others were among them. A trace
	// does not tell: netns/compare does.
	Checked int64
	Wrong   bool
	// Errors are what other calls than connect() returned in error, in the order in which they returned: "recv ECONNRESET".
	Errors []string
	// Segments is how many TCP segments it sent, Again how many of those had nothing new in them but were sent before.
	Segments, Again int
	// Unseen: the trace does not show in which states the host's sockets were.
	Unseen bool
	// Malformed is how many packets it sent that could not be read to their end, BadChecksum how many of the others had a wrong checksum, TooLong
	// how many of all were longer than the link takes. A stack that is in order sends none.
	Malformed, BadChecksum, TooLong int
}

// An EndState is a socket with a peer, and the state in which the run left it.
type EndState struct {
	Host   string
	Socket int
	State  trace.State // NotObserved: the trace does not show it
}

// OutcomeOf folds a trace into what came of it.
func OutcomeOf(t *trace.Trace) Outcome {
	o := Outcome{At: t.End.At, Reason: t.End.Reason, Blocked: len(t.End.Blocked)}
	for i := range t.Header.Hosts {
		o.Hosts = append(o.Hosts, HostOutcome{Host: t.Header.Hosts[i].Name, Unseen: !shows(&t.Header.Hosts[i])})
	}
	connects := make(map[int]int) // the index of each by the N of its Call
	listens := make(map[listener]bool)
	sent := make(map[path]wayNumbers)
	for i := range t.Events {
		e := &t.Events[i]
		switch d := e.Detail.(type) {
		case *trace.Call:
			switch d.Name {
			case "connect":
				connects[e.N] = len(o.Connects)
				o.Connects = append(o.Connects, Connect{Host: e.Host, Program: d.Program, Event: e.N})
			case "listen":
				listens[listener{e.Host, e.Socket}] = true
			}
		case *trace.Return:
			o.Returned = e.At
			call := t.Event(d.Call)
			if at, ok := connects[d.Call]; ok {
				c := &o.Connects[at]
				c.Returned, c.Result, c.Errno, c.After = true, d.Result, d.Errno, e.At-call.At
			} else if h := o.host(e.Host); h != nil && call != nil {
				h.returned(call.Detail.(*trace.Call).Name, d)
			}
		case *trace.Sent:
			if h := o.host(e.Host); h != nil {
				h.sent(d.Packet)
				if d.Packet.Kind == trace.PacketTCP && again(sent, d.Packet) {
					h.Again++
				}
			}
		case *trace.StateChange:
			if h := o.host(e.Host); h != nil {
				h.Unseen = false
			}
		case *trace.Fate:
			if h := o.host(e.Host); h != nil && d.Kind == trace.TooLong {
				h.TooLong++
			}
		case *trace.Arrived, *trace.Control, *trace.Timer, *trace.HostChange, *trace.Note:
		}
	}
	sockets := trace.Sockets(t)
	for _, h := range o.Hosts {
		for i := range sockets {
			if s := &sockets[i]; s.Host == h.Host && s.Remote.IsValid() && !listens[listener{s.Host, s.Number}] {
				o.Ends = append(o.Ends, EndState{Host: s.Host, Socket: s.Number, State: s.At(len(t.Events)).State})
			}
		}
	}
	return o
}

// A listener is a socket on which listen() was called.
type listener struct {
	host   string
	socket int
}

// host is what is known of a host; nil: the header has none of that name.
func (o *Outcome) host(name string) *HostOutcome {
	for i := range o.Hosts {
		if o.Hosts[i].Host == name {
			return &o.Hosts[i]
		}
	}
	return nil
}

// sent counts a packet that the host sent.
func (h *HostOutcome) sent(p *trace.Packet) {
	if p.Kind == trace.PacketTCP {
		h.Segments++
	}
	bad := func(c trace.Checksum) bool { return c == trace.ChecksumBad }
	switch {
	case p.Malformed != "":
		h.Malformed++
	case bad(p.IP.Checksum) || bad(p.TCP.Checksum) || bad(p.ICMP.Checksum):
		h.BadChecksum++
	}
}

// returned counts what a call other than connect() returned.
func (h *HostOutcome) returned(name string, r *trace.Return) {
	n := max(r.Result, 0) + r.Count
	switch name {
	case "send", "sendall":
		h.Sent += n
	case "recv", "recvall":
		h.Received += n
	}
	errno := r.Errno
	if errno == "" && r.Value.Kind == trace.Text && r.Value.Text != "0" {
		errno = r.Value.Text // the pending error of a connect() that did not wait, or of what came later
	}
	if errno != "" {
		h.Errors = append(h.Errors, name+" "+errno)
	}
}

// A path is from where to where a segment goes.
type path struct{ from, to netip.AddrPort }

// wayNumbers are what was sent on a path: the SYN's number, and the one that is to come.
type wayNumbers struct{ isn, next trace.Seq }

// again reports whether a segment has nothing that was not sent before on its way.
func again(sent map[path]wayNumbers, p *trace.Packet) bool {
	way, seg := path{p.Source(), p.Destination()}, &p.TCP
	if seg.Len() == 0 {
		return false
	}
	n, begun := sent[way]
	if syn := seg.Flags.Has(trace.SYN); !begun || syn && seg.Seq != n.isn {
		sent[way] = wayNumbers{seg.Seq, seg.Seq.Add(seg.Len())}
		return false
	}
	behind := seg.Seq.Add(seg.Len())
	if behind.LessEq(n.next) {
		return true
	}
	sent[way] = wayNumbers{n.isn, behind}
	return false
}

// Differs says in what o differs from p: got in what the programs got (what connect() returned, octets, errors, states at the end), went in how
// it went (virtual time, segments). A is what o has, B what p has. Times are exact.
func (o *Outcome) Differs(p *Outcome) (got, went []Difference) {
	add := func(list *[]Difference, aspect Aspect, field, a, b string) {
		if a != b {
			*list = append(*list, Difference{Aspect: aspect, Field: field, A: a, B: b})
		}
	}
	hosts := max(len(o.Hosts), len(p.Hosts))
	for i := range hosts {
		a, b := o.at(i), p.at(i)
		name := cmp.Or(a.Host, b.Host) + ": "
		text := func(aspect Aspect, list *[]Difference, field string, a, b any) {
			add(list, aspect, field, name+fmt.Sprint(a), name+fmt.Sprint(b))
		}
		text(Returns, &got, "connect", o.connects(a.Host), p.connects(b.Host))
		text(Returns, &got, "octets-sent", a.Sent, b.Sent)
		text(Returns, &got, "octets-received", a.Received, b.Received)
		text(Data, &got, "octets-wrong", a.Wrong, b.Wrong)
		text(Returns, &got, "errors", Counted(slices.Sorted(slices.Values(a.Errors))), Counted(slices.Sorted(slices.Values(b.Errors))))
		if ends, others := o.ends(a.Host), p.ends(b.Host); ends != nil && others != nil && !a.Unseen && !b.Unseen {
			text(States, &got, "end-state", Counted(ends), Counted(others))
		}
		text(Packets, &went, "segments", a.Segments, b.Segments)
		text(Packets, &went, "segments-again", a.Again, b.Again)
		text(Packets, &went, "malformed", a.Malformed, b.Malformed)
		text(Packets, &went, "checksum", a.BadChecksum, b.BadChecksum)
		text(Packets, &went, "too-long", a.TooLong, b.TooLong)
	}
	add(&got, End, "reason", o.Reason.String(), p.Reason.String())
	add(&got, End, "blocked", strconv.Itoa(o.Blocked), strconv.Itoa(p.Blocked))
	add(&went, Time, "connect", o.connectTimes(), p.connectTimes())
	add(&went, Time, "returned", o.Returned.String(), p.Returned.String())
	add(&went, Time, "ended", o.At.String(), p.At.String())
	return got, went
}

// at is what is known of the host at index i of the header.
func (o *Outcome) at(i int) HostOutcome {
	if i < len(o.Hosts) {
		return o.Hosts[i]
	}
	return HostOutcome{}
}

// connects is what the connect() calls of a host came to. In which order programs beside each other came to it says nothing.
func (o *Outcome) connects(host string) string {
	var results []string
	for i := range o.Connects {
		if o.Connects[i].Host == host {
			results = append(results, o.Connects[i].String())
		}
	}
	slices.Sort(results)
	return Counted(results)
}

// String prints what the call returned: "0", "-1 ECONNREFUSED"; "blocked" if it did not.
func (c *Connect) String() string {
	switch {
	case !c.Returned:
		return "blocked"
	case c.Errno != "":
		return fmt.Sprintf("%d %s", c.Result, c.Errno)
	}
	return strconv.FormatInt(c.Result, 10)
}

// connectTimes is how long each connect() took that came back, the shortest first.
func (o *Outcome) connectTimes() string {
	var times []time.Duration
	for i := range o.Connects {
		if o.Connects[i].Returned {
			times = append(times, o.Connects[i].After)
		}
	}
	slices.Sort(times)
	var texts []string
	for _, t := range times {
		texts = append(texts, t.String())
	}
	return Counted(texts)
}

// ends are the states at the end of a host's sockets that had a peer, in the order of their names; nil if one was not observed.
func (o *Outcome) ends(host string) []string {
	states := []string{}
	for _, e := range o.Ends {
		if e.Host != host {
			continue
		}
		if e.State == trace.NotObserved {
			return nil
		}
		states = append(states, e.State.String())
	}
	slices.Sort(states)
	return states
}

// Counted prints each of some texts once, in the order in which they first stand there, with how often if that is more than once:
// "0 ×99, -1 ETIMEDOUT". Of none it is "-".
func Counted(texts []string) string {
	if len(texts) == 0 {
		return "-"
	}
	var each []string
	times := make(map[string]int)
	for _, text := range texts {
		if times[text]++; times[text] == 1 {
			each = append(each, text)
		}
	}
	for i, text := range each {
		if n := times[text]; n > 1 {
			each[i] = fmt.Sprintf("%s ×%d", text, n)
		}
	}
	return strings.Join(each, ", ")
}
