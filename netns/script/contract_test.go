package script_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// A misreporter makes gVisor stacks that tell something else of their sockets than is true. What a record says comes from what
// the stack reports: so what it reports wrongly must show up wrong, and not be put right on the way.
type misreporter struct {
	gvisor.Factory
	status  func(netns.Status) netns.Status
	control func(netns.Status, *trace.ControlInfo)
}

func (m *misreporter) New(env netns.Env) (netns.Stack, error) {
	s, err := m.Factory.New(env)
	if err != nil {
		return nil, err
	}
	return &misreportingStack{Stack: s, inspector: s.(netns.Inspector), liar: m, sockets: map[netns.Socket]*misreportingSocket{}}, nil
}

type misreportingStack struct {
	netns.Stack
	inspector netns.Inspector
	liar      *misreporter
	sockets   map[netns.Socket]*misreportingSocket
}

// of is the lying socket around a true one; nil for none.
func (s *misreportingStack) of(sock netns.Socket) netns.Socket {
	if sock == nil {
		return nil
	}
	l := s.sockets[sock]
	if l == nil {
		l = &misreportingSocket{Reporter: sock.(netns.Reporter), stack: s}
		s.sockets[sock] = l
	}
	return l
}

func (s *misreportingStack) Socket(f netns.Family) (netns.Socket, error) {
	sock, err := s.Stack.Socket(f)
	return s.of(sock), err
}

func (s *misreportingStack) Expire() netns.Expired {
	e := s.Stack.Expire()
	e.Socket = s.of(e.Socket)
	return e
}

func (s *misreportingStack) Touched() []netns.Socket {
	touched := slices.Clone(s.inspector.Touched())
	for i := range touched {
		touched[i] = s.of(touched[i])
	}
	return touched
}

type misreportingSocket struct {
	netns.Reporter
	stack *misreportingStack
}

func (m *misreportingSocket) Accept() (netns.Socket, error) {
	sock, err := m.Reporter.Accept()
	return m.stack.of(sock), err
}

func (m *misreportingSocket) Status() netns.Status {
	st := m.Reporter.Status()
	st.Listener = m.stack.of(st.Listener)
	if m.stack.liar.status != nil {
		st = m.stack.liar.status(st)
	}
	return st
}

func (m *misreportingSocket) Report(info *trace.ControlInfo) {
	m.Reporter.Report(info)
	if m.stack.liar.control != nil {
		m.stack.liar.control(m.Reporter.Status(), info)
	}
}

// TestTrueStubTellsTheTruth: around a stack that does not lie the stub changes nothing, so what changes below is the lie.
func TestTrueStubTellsTheTruth(t *testing.T) {
	story, err := script.Builtin("plain")
	if err != nil {
		t.Fatal(err)
	}
	r, err := script.Run(story, netns.Config{Client: &misreporter{}, Server: &misreporter{}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(factsOf(t, runBuiltin(t, "plain").Trace), factsOf(t, r.Trace), cmp.AllowUnexported(factSheet{})); diff != "" || len(r.Failures) > 0 {
		t.Errorf("%v (-without +with the stub)\n%s", r.Failures, diff)
	}
}

// TestWrongReportsShowUpWrong: the story's observers fail, the trace has the lie as it was told, and the walk over the trace
// finds it.
func TestWrongReportsShowUpWrong(t *testing.T) {
	inState := func(was, is trace.State) func(netns.Status) netns.Status {
		return func(st netns.Status) netns.Status {
			if st.State == was {
				st.State = is
			}
			return st
		}
	}
	tests := []struct {
		name     string
		server   *misreporter
		failures []string // a part of each expectation that fails, in order
		courses  string   // of the server's new socket
		complain string   // a part of a complaint of the walk; empty: it cannot know
	}{
		{
			name: "ESTABLISHED for SYN-RECEIVED", server: &misreporter{status: inState(trace.SynReceived, trace.Established)},
			failures: []string{
				"state(server 3#1) = SYN-RECEIVED: expected SYN-RECEIVED, got ESTABLISHED",
				"state(server 3#1) = SYN-RECEIVED: expected SYN-RECEIVED, got ESTABLISHED",
			},
			courses:  "ESTABLISHED 10ms, CLOSE-WAIT 50ms, LAST-ACK 50ms, CLOSED 70ms",
			complain: "not observed → ESTABLISHED is caused by",
		},
		{
			name: "LISTEN for SYN-RECEIVED", server: &misreporter{status: inState(trace.SynReceived, trace.Listen)},
			failures: []string{"expected SYN-RECEIVED, got LISTEN", "expected SYN-RECEIVED, got LISTEN"},
			courses:  "LISTEN 10ms, ESTABLISHED 30ms, CLOSE-WAIT 50ms, LAST-ACK 50ms, CLOSED 70ms",
			complain: "there is no such transition",
		},
		{
			name: "the listener goes to SYN-RECEIVED", server: &misreporter{status: inState(trace.Listen, trace.SynReceived)},
			failures: []string{"expected LISTEN, got SYN-RECEIVED", "expected LISTEN, got SYN-RECEIVED"},
			courses:  "SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 50ms, LAST-ACK 50ms, CLOSED 70ms",
			complain: "CLOSED → SYN-RECEIVED",
		},
		{
			name: "FIN-WAIT-2 for CLOSE-WAIT", server: &misreporter{status: inState(trace.CloseWait, trace.FinWait2)},
			courses:  "SYN-RECEIVED 10ms, ESTABLISHED 30ms, FIN-WAIT-2 50ms, LAST-ACK 50ms, CLOSED 70ms",
			complain: "ESTABLISHED → FIN-WAIT-2 is caused by",
		},
		{
			name: "it never closes", server: &misreporter{status: inState(trace.LastAck, trace.CloseWait)},
			courses:  "SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 50ms, CLOSED 70ms",
			complain: "CLOSE-WAIT → CLOSED is caused by",
		},
		{
			name: "SND.UNA beside the acknowledgment number", server: &misreporter{control: func(st netns.Status, info *trace.ControlInfo) {
				if v := info.Value(trace.SndUna); st.State == trace.Established && v.Kind == trace.Number {
					info.SetNumber(trace.SndUna, v.Num+1)
				}
			}},
			courses:  "SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 50ms, LAST-ACK 50ms, CLOSED 70ms",
			complain: "has SEQ",
		},
		{
			name: "RCV.NXT beside what is acknowledged", server: &misreporter{control: func(st netns.Status, info *trace.ControlInfo) {
				if v := info.Value(trace.RcvNxt); st.State == trace.Established && v.Kind == trace.Number {
					info.SetNumber(trace.RcvNxt, v.Num-1)
				}
			}},
			courses:  "SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 50ms, LAST-ACK 50ms, CLOSED 70ms",
			complain: "RCV.NXT",
		},
		{
			name: "a window that was not offered", server: &misreporter{control: func(st netns.Status, info *trace.ControlInfo) {
				if v := info.Value(trace.RcvWnd); st.State == trace.CloseWait && v.Kind == trace.Number {
					info.SetNumber(trace.RcvWnd, v.Num/2)
				}
			}},
			courses:  "SYN-RECEIVED 10ms, ESTABLISHED 30ms, CLOSE-WAIT 50ms, LAST-ACK 50ms, CLOSED 70ms",
			complain: "RCV.WND",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			story, err := script.Builtin("plain")
			if err != nil {
				t.Fatal(err)
			}
			r, err := script.Run(story, netns.Config{Client: &gvisor.Factory{}, Server: test.server, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Failures) != len(test.failures) {
				t.Errorf("failures of the story: %v; there should be %d", r.Failures, len(test.failures))
			}
			for i, f := range r.Failures[:min(len(r.Failures), len(test.failures))] {
				if !strings.Contains(f.String(), test.failures[i]) {
					t.Errorf("failure %d is %v, and should have %q", i+1, f, test.failures[i])
				}
			}
			if got := strings.Join(course(r.Trace, socketIn(t, r.Trace, "server", 2)), ", "); got != test.courses {
				t.Errorf("the trace says %s, and the stack told %s", got, test.courses)
			}
			complaints := walk(r.Trace)
			if !slices.ContainsFunc(complaints, func(c string) bool { return strings.Contains(c, test.complain) }) {
				t.Errorf("no complaint of the walk has %q: %s", test.complain, strings.Join(complaints, "\n"))
			}
			// The client is true, and what is said of it stays so.
			if got, want := factsOf(t, r.Trace).connects, factsOf(t, runBuiltin(t, "plain").Trace).connects; !slices.Equal(got, want) {
				t.Errorf("connects: %q", got)
			}
		})
	}
}

// What a socket must know in each state. What is known in a state stays known in the later ones.
var (
	itemsOfAny  = []trace.Item{trace.Protocol, trace.SendBufferLimit, trace.SendBufferUsed, trace.ReceiveBufferLimit, trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed}
	itemsOfName = []trace.Item{trace.LocalAddress, trace.LocalPort}
	itemsOfPeer = []trace.Item{trace.RemoteAddress, trace.RemotePort}
	// of a socket that has sent its SYN
	itemsOfSYN = []trace.Item{trace.ISS, trace.SndUna, trace.SndNxt, trace.RcvWnd, trace.ReceiveMSS, trace.RcvWindShift, trace.RTO}
	// and that has the peer's
	itemsOfSynced = []trace.Item{trace.IRS, trace.RcvNxt, trace.SendMSS, trace.SndWindShift, trace.SACKPermitted, trace.Timestamps}
	// and that is connected
	itemsOfConnected = []trace.Item{trace.SndWnd, trace.EffSendMSS, trace.SRTT, trace.RTTVar, trace.Cwnd, trace.Ssthresh}
	itemsOfListener  = []trace.Item{trace.Backlog, trace.SynQueue, trace.AcceptQueue}
)

func itemsOf(s trace.State) []trace.Item {
	switch s {
	case trace.Listen:
		return slices.Concat(itemsOfAny, itemsOfName, itemsOfListener)
	case trace.SynSent:
		return slices.Concat(itemsOfAny, itemsOfName, itemsOfPeer, itemsOfSYN)
	case trace.SynReceived:
		return slices.Concat(itemsOfAny, itemsOfName, itemsOfPeer, itemsOfSYN, itemsOfSynced)
	case trace.Established, trace.FinWait1, trace.FinWait2, trace.CloseWait, trace.Closing, trace.LastAck, trace.TimeWait:
		return slices.Concat(itemsOfAny, itemsOfName, itemsOfPeer, itemsOfSYN, itemsOfSynced, itemsOfConnected)
	case trace.Closed:
		return itemsOfAny
	case trace.NotObserved:
	}
	return nil
}

// TestEveryItemIsObservable: on gVisor each item of control information is seen in each state that has it, but for the
// MSS that a SYN cookie has not kept. It prints how often each was seen.
func TestEveryItemIsObservable(t *testing.T) {
	var numbers, hidden [trace.NumItems]int
	for _, name := range gvisorStories() {
		tr := runBuiltin(t, name).Trace
		infos := map[socketID]*trace.ControlInfo{}
		states := map[socketID]trace.State{}
		cookie := map[socketID]bool{}
		// Between two steps each socket that the step has changed is looked at as a whole.
		changed := map[socketID]int{}
		look := func() {
			for id, n := range changed {
				for _, item := range itemsOf(states[id]) {
					if infos[id].Value(item).Kind == trace.None {
						t.Errorf("%s, event %d: %v in %v does not know its %v", name, n, id, states[id], item)
					}
				}
			}
			clear(changed)
		}
		for i := range tr.Events {
			e := &tr.Events[i]
			id := idOf(e)
			if infos[id] == nil {
				infos[id] = &trace.ControlInfo{}
			}
			switch d := e.Detail.(type) {
			case *trace.StateChange:
				states[id] = d.To
				cookie[id] = cookie[id] || d.From == trace.NotObserved && d.To == trace.Established
				if d.Source != trace.Inferred {
					changed[id] = e.N
				}
			case *trace.Control:
				infos[id].Apply(d.Changes)
				for _, c := range d.Changes {
					if c.New().Kind != trace.NotObservable {
						if c.New().Kind != trace.None {
							numbers[c.Item]++
						}
						continue
					}
					hidden[c.Item]++
					if c.Item != trace.SendMSS || !cookie[id] {
						t.Errorf("%s, event %d: %v of %v is not observable", name, e.N, c.Item, id)
					}
				}
				changed[id] = e.N
			case *trace.Call, *trace.Arrived, *trace.Timer, *trace.HostChange, *trace.Note:
				look()
			case *trace.Return, *trace.Sent, *trace.Fate:
			}
		}
		look()
	}
	var table strings.Builder
	for i := range trace.Item(trace.NumItems) {
		fmt.Fprintf(&table, "\n%-22v %5d values seen, %d not observable", i, numbers[i], hidden[i])
		if numbers[i] == 0 {
			t.Errorf("no story shows a %v", i)
		}
	}
	t.Log(table.String())
	if hidden[trace.SendMSS] != 3 {
		t.Errorf("the MSS of %d connections is not observable; SYN cookies made 3", hidden[trace.SendMSS])
	}
}
