package rfc9293

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"connectlab/trace"
)

// A judge goes over a trace once, beside a walk, which knows sockets, connections and which changes of state are paths. What is met
// is told from the numbers when it comes, and judged when its step has ended; an ACK that may wait is judged when it comes, or when its
// time is up.
type judge struct {
	*walk
	list    []Answer
	numbers []numbers             // of each connection
	holds   map[socketKey]holding // the control information of sockets, as it is now
	shows   map[string]bool       // hosts whose states are in the trace
	owed    []*debt               // ACKs that may wait, by the time at which they came
	owing   [][]*debt             // those of each connection

	// Of the step:
	root    *trace.Event
	first   int   // the index of its first answer
	met     []met // what is judged when it ends
	sents   []int // TCP segments, by N
	changes []int // of state, by N
}

// holding is what a socket's control information says of its receive window.
type holding struct {
	next, window           int64
	nextKnown, windowKnown bool
}

// met is what is to be judged when the step has ended.
type met struct {
	answer  int // the index in list
	conn    int32
	segment *trace.Segment // nil: a call, or a timer
	must    trace.State    // where the edges lead; NotObserved: nowhere
	low     trace.Seq      // what an ACK has to acknowledge at least
	high    trace.Seq      // and at most
	sndNxt  trace.Seq
	held    bool // it came behind a gap, and may be looked at when that is closed
	quiet   bool // an ACK was sent within the last second: another may be left out
}

// debt is an ACK that is owed within half a second.
type debt struct {
	answer int
	conn   int32
	host   string
	upTo   trace.Seq
	until  time.Duration
	short  int // the N of an ACK that acknowledges less; 0: none
}

// delayedACK is the time within which an ACK is to be sent: less than half a second (RFC 9293, Section 3.8.6.3, MUST-40).
const delayedACK = 500 * time.Millisecond

func (m *machine) answers(t *trace.Trace) []Answer {
	j := judge{walk: m.newWalk(t), holds: make(map[socketKey]holding), shows: make(map[string]bool)}
	for i := range t.Header.Hosts {
		j.shows[t.Header.Hosts[i].Name] = slices.Contains(t.Header.Hosts[i].Capabilities, trace.CapabilityControl)
	}
	for i := range t.Events {
		if _, ok := t.Events[i].Detail.(*trace.StateChange); ok {
			j.shows[t.Events[i].Host] = true
		}
	}
	for i := range t.Events {
		j.event(&t.Events[i])
	}
	if j.brokenOff() {
		for i := range j.met {
			j.verdict(j.met[i].answer, NotObservable, 0, "the trace ends in its step")
		}
	} else {
		j.endStep(len(t.Events))
	}
	j.finish()
	slices.SortStableFunc(j.list, func(a, b Answer) int { return cmp.Compare(a.N, b.N) })
	return j.list
}

func (j *judge) event(e *trace.Event) {
	switch d := e.Detail.(type) {
	case *trace.Call:
		j.begin(e, e)
		j.call(e, d)
		j.walk.event(e)
	case *trace.Arrived:
		j.begin(e, e)
		done := j.arrives(e, d.Packet)
		j.walk.event(e)
		done()
	case *trace.Timer:
		j.begin(e, e)
		j.walk.event(e)
	case *trace.HostChange:
		j.begin(e, e)
		j.walk.event(e)
		if d.What == trace.Reboot {
			j.reboot(e.Host)
		}
	case *trace.Sent:
		if j.root == nil || e.Cause != j.root.N {
			j.begin(e, nil)
		}
		j.send(e, d.Packet)
	case *trace.StateChange:
		j.changes = append(j.changes, e.N)
		j.walk.event(e)
		if d.To == trace.TimeWait {
			j.of(j.socket(e).conn).timeWaitAt = e.At
		}
	case *trace.Control:
		j.control(e, d)
	case *trace.Return, *trace.Fate, *trace.Note:
		j.walk.event(e)
	}
}

// begin ends the step before, and begins another at an event. root is nil where the trace has nothing that began it.
func (j *judge) begin(e, root *trace.Event) {
	j.endStep(e.N - 1)
	j.expire(e.At)
	j.root, j.first = root, len(j.list)
}

// endStep judges what the step has met, now that all that came of it is known.
func (j *judge) endStep(last int) {
	j.walk.endStep(last)
	if j.root != nil {
		if d, ok := j.root.Detail.(*trace.Timer); ok {
			j.ranOut(j.root, d)
		}
	}
	for i := range j.met {
		j.settle(&j.met[i])
	}
	for _, n := range j.changes {
		e := &j.t.Events[n-1]
		c := j.socket(e).conn
		switch d := e.Detail.(*trace.StateChange); {
		case d.To == trace.Closed:
			j.release(c)
		case d.Listener != 0 && d.From == trace.NotObserved && d.To != trace.SynReceived:
			j.of(c).begin(&j.connections[c].Endpoint, nil) // from a SYN cookie, and maybe not the first from it
			a, ok := detail[*trace.Arrived](j.root)
			j.of(c).strange = !ok || !j.fitsCookie(c, &a.Packet.TCP)
		}
	}
	j.met, j.sents, j.changes = j.met[:0], j.sents[:0], j.changes[:0]
}

// of are the numbers of a connection.
func (j *judge) of(c int32) *numbers {
	for len(j.numbers) <= int(c) {
		j.numbers = append(j.numbers, numbers{})
	}
	return &j.numbers[c]
}

// meets notes that a rule is met, which keeps it until it turns out otherwise.
func (j *judge) meets(e *trace.Event, socket int, state trace.State, rule int) int {
	j.list = append(j.list, Answer{N: e.N, Host: e.Host, Socket: socket, State: state, Rule: &rules[rule], Keeping: Keeps})
	return len(j.list) - 1
}

// verdict writes down what became of an answer, if that is worse than what is known already. Of a host whose states are not in the trace
// nobody knows whether it was in the state that has the rule: with a full accept queue it is not ESTABLISHED, and TIME-WAIT ends unseen.
func (j *judge) verdict(answer int, k Keeping, by int, why string, args ...any) {
	if k == Breaks && !j.shows[j.list[answer].Host] && !j.list[answer].Rule.any {
		k = NotObservable
	}
	rank := [...]int{Keeps: 0, NotObservable: 1, Open: 2, Breaks: 3}
	if a := &j.list[answer]; rank[k] > rank[a.Keeping] || a.By == 0 && k == a.Keeping {
		a.Keeping, a.By, a.why = k, by, fmt.Sprintf(why, args...)
	}
}

// control takes in what a socket holds now.
func (j *judge) control(e *trace.Event, d *trace.Control) {
	key := socketKey{j.host(e.Host), e.Socket}
	h := j.holds[key]
	for i := range d.Changes {
		c := &d.Changes[i]
		v := c.New()
		switch c.Item {
		case trace.RcvNxt:
			h.next, h.nextKnown = v.Num, v.Kind == trace.Number
		case trace.RcvWnd:
			h.window, h.windowKnown = v.Num, v.Kind == trace.Number
		default:
		}
	}
	j.holds[key] = h
}

// reboot: the host owes nothing any more.
func (j *judge) reboot(host string) {
	for _, d := range j.owed {
		if d.host == host && d.answer >= 0 {
			j.verdict(d.answer, NotObservable, 0, "its host was rebooted")
			d.answer = -1
		}
	}
}

// release: a connection that is over owes nothing any more.
func (j *judge) release(c int32) {
	if c == 0 {
		return
	}
	for _, d := range j.debts(c) {
		j.verdict(d.answer, NotObservable, 0, "the connection is over")
		d.answer = -1
	}
}

// delays notes that an ACK is owed, and may wait.
func (j *judge) delays(d *debt) {
	j.owed = append(j.owed, d)
	for len(j.owing) <= int(d.conn) {
		j.owing = append(j.owing, nil)
	}
	j.owing[d.conn] = append(j.owing[d.conn], d)
}

// debts are the ACKs that a connection still owes.
func (j *judge) debts(c int32) []*debt {
	if int(c) >= len(j.owing) {
		return nil
	}
	j.owing[c] = slices.DeleteFunc(j.owing[c], func(d *debt) bool { return d.answer < 0 })
	return j.owing[c]
}

// cancel ends a debt of a connection.
func (j *judge) cancel(c int32, answer int, k Keeping, why string) {
	for _, d := range j.debts(c) {
		if d.answer == answer {
			j.verdict(answer, k, 0, "%s", why)
			d.answer = -1
		}
	}
}

// expire judges the ACKs whose time is up.
func (j *judge) expire(now time.Duration) {
	for len(j.owed) > 0 && (j.owed[0].answer < 0 || j.owed[0].until <= now) {
		j.missed(j.owed[0])
		j.owed[0].answer = -1
		j.owed = j.owed[1:]
	}
}

func (j *judge) missed(d *debt) {
	switch {
	case d.answer < 0:
	case j.asking[j.host(d.host)]:
		j.verdict(d.answer, NotObservable, 0, "it waits for a MAC")
	case d.short != 0:
		j.verdict(d.answer, Breaks, d.short, "an ACK of less than %d", d.upTo)
	default:
		j.verdict(d.answer, Breaks, 0, "no ACK of %d within 0.5 s", d.upTo)
	}
}

// finish judges what is still owed at the end: if nothing was to come any more, it never came.
func (j *judge) finish() {
	end := &j.t.End
	for _, d := range j.owed {
		switch {
		case d.answer < 0:
		case end.Reason == trace.Finished, end.Reason == trace.Idle, end.At >= d.until, end.Reason == trace.UntilReached && j.t.Header.Until >= d.until:
			j.missed(d)
		default:
			j.verdict(d.answer, NotObservable, 0, "the trace ends before")
		}
	}
}
