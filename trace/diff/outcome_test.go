package diff_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"

	"github.com/google/go-cmp/cmp"
)

// outcomeOf is what came of a story between two gVisor stacks.
func outcomeOf(t *testing.T, name, text string) diff.Outcome {
	t.Helper()
	s, err := script.Builtin(name)
	if text != "" {
		s, err = script.Parse(name+script.Extension, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := script.Run(s, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return diff.OutcomeOf(r.Trace)
}

// The outcomes of stories whose facts are known from the RFC and the story itself.
func TestOutcomeOf(t *testing.T) {
	const ms = time.Millisecond
	for name, want := range map[string]diff.Outcome{
		"plain": {
			Connects: []diff.Connect{{Host: "client", Program: "client", Event: 18, Returned: true, After: 20 * ms}},
			Hosts:    []diff.HostOutcome{{Host: "client", Sent: 5, Received: 5, Segments: 6}, {Host: "server", Sent: 5, Received: 5, Segments: 5}},
			Ends:     []diff.EndState{{Host: "client", Socket: 1, State: trace.Closed}, {Host: "server", Socket: 2, State: trace.Closed}},
			Returned: 50 * ms, At: 60060 * ms,
		},
		// Seven SYNs, of which six are the first again.
		"silent-host": {
			Connects: []diff.Connect{{Host: "client", Program: "client", Event: 17, Returned: true, Result: -1, Errno: "ETIMEDOUT", After: 127 * time.Second}},
			Hosts:    []diff.HostOutcome{{Host: "client", Segments: 7, Again: 6}, {Host: "server"}},
			Ends:     []diff.EndState{{Host: "client", Socket: 1, State: trace.Closed}},
			Returned: 127 * time.Second, At: 127 * time.Second,
		},
		// No peer, no connect().
		"fresh-send": {
			Hosts:    []diff.HostOutcome{{Host: "client", Errors: []string{"send EPIPE"}}, {Host: "server"}},
			Returned: time.Second, At: time.Second,
		},
		// The second incarnation's SYN has the same ports and another number: it is not the first one again, but the 13 behind it are
		// the second again.
		"half-open-b": {
			Connects: []diff.Connect{
				{Host: "client", Program: "client", Event: 22, Returned: true, After: 20 * ms},
				{Host: "client", Program: "client", Event: 56, Returned: true, After: 40002 * time.Microsecond},
			},
			Hosts: []diff.HostOutcome{{Host: "client", Segments: 21, Again: 13}, {Host: "server", Segments: 6, Errors: []string{"recv ECONNRESET"}}},
			Ends: []diff.EndState{
				{Host: "client", Socket: 1, State: trace.Closed}, {Host: "client", Socket: 2, State: trace.Closed},
				{Host: "server", Socket: 2, State: trace.Closed}, {Host: "server", Socket: 3, State: trace.Closed},
			},
			Returned: 2050002 * time.Microsecond, At: 62060002 * time.Microsecond,
		},
	} {
		got := outcomeOf(t, name, "")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

const pair = `server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 5) = 0
server: accept(3, ..., ...) = 4
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
`

// What a call returned before an error counts, a call that does not come back is blocked, and what is open at the end is told.
func TestOutcomeOfWhatWasNotFinished(t *testing.T) {
	got := outcomeOf(t, "unfinished", pair+"client: sendall(3, 5) = 5\nclient: 1 abort(3) = 0\nserver: recvall(4, 9)\nclient.2: 2 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5\n"+
		"client.2: connect(5, server:80) = 0\nclient.2: recv(5, ..., 9, 0)\n")
	server := got.Hosts[1]
	if server.Received != 5 || !slices.Equal(server.Errors, []string{"recvall ECONNRESET"}) {
		t.Errorf("the server received %d octets, errors %q; want 5 and the reset behind them", server.Received, server.Errors)
	}
	if got.Reason != trace.Idle || got.Blocked != 1 {
		t.Errorf("the run ended %v with %d calls blocked, want idle with 1", got.Reason, got.Blocked)
	}
	want := []diff.EndState{
		{Host: "client", Socket: 1, State: trace.Closed}, {Host: "client", Socket: 2, State: trace.Established},
		{Host: "server", Socket: 2, State: trace.Closed}, {Host: "server", Socket: 3, State: trace.Established},
	}
	if diff := cmp.Diff(want, got.Ends); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The pending error of a connect() that did not wait is an error that the program got.
func TestOutcomeOfAPendingError(t *testing.T) {
	got := outcomeOf(t, "pending", `client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
client: connect(3, server:80) = -1 EINPROGRESS
client: 1 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0
`)
	if want := []string{"getsockopt ECONNREFUSED"}; !slices.Equal(got.Hosts[0].Errors, want) {
		t.Errorf("errors %q, want %q", got.Hosts[0].Errors, want)
	}
	if c := got.Connects[0]; c.String() != "-1 EINPROGRESS" || c.After != 0 {
		t.Errorf("connect() %v after %v", &c, c.After)
	}
}

// sample is an outcome in which all is there that can differ.
func sample() diff.Outcome {
	return diff.Outcome{
		Connects: []diff.Connect{
			{Host: "client", Program: "client", Event: 3, Returned: true, After: 20},
			{Host: "client", Program: "client.2", Event: 9, Returned: true, Result: -1, Errno: "ECONNREFUSED", After: 30},
		},
		Hosts: []diff.HostOutcome{
			{Host: "client", Sent: 10, Received: 20, Checked: 20, Segments: 7, Again: 1},
			{Host: "server", Sent: 20, Received: 10, Checked: 10, Errors: []string{"recv ECONNRESET", "send EPIPE"}, Segments: 6},
		},
		Ends:     []diff.EndState{{Host: "client", Socket: 1, State: trace.Closed}, {Host: "server", Socket: 2, State: trace.Established}, {Host: "server", Socket: 3, State: trace.Closed}},
		Returned: 100, At: 200, Reason: trace.Finished,
	}
}

// Each thing that can differ makes its own difference, and no other; what says nothing makes none.
func TestOutcomesDiffer(t *testing.T) {
	for name, test := range map[string]struct {
		bend      func(*diff.Outcome)
		got, went []string
	}{
		"nothing":             {func(*diff.Outcome) {}, nil, nil},
		"result of connect()": {func(o *diff.Outcome) { o.Connects[1].Errno = "ETIMEDOUT" }, []string{"returns connect: client: -1 ECONNREFUSED, 0, there client: -1 ETIMEDOUT, 0"}, nil},
		"connect() blocked":   {func(o *diff.Outcome) { o.Connects[0] = diff.Connect{Host: "client"} }, []string{"returns connect: client: -1 ECONNREFUSED, 0, there client: -1 ECONNREFUSED, blocked"}, []string{"time connect: 20ns, 30ns, there 30ns"}},
		"another connect()":   {func(o *diff.Outcome) { o.Connects = o.Connects[:1] }, []string{"returns connect: client: -1 ECONNREFUSED, 0, there client: 0"}, []string{"time connect: 20ns, 30ns, there 20ns"}},
		"order of connect()":  {func(o *diff.Outcome) { slices.Reverse(o.Connects) }, nil, nil},
		"numbers of events":   {func(o *diff.Outcome) { o.Connects[0].Event = 8 }, nil, nil},
		"time of connect()":   {func(o *diff.Outcome) { o.Connects[0].After = 21 }, nil, []string{"time connect: 20ns, 30ns, there 21ns, 30ns"}},
		"octets sent":         {func(o *diff.Outcome) { o.Hosts[0].Sent = 9 }, []string{"returns octets-sent: client: 10, there client: 9"}, nil},
		"octets received":     {func(o *diff.Outcome) { o.Hosts[1].Received = 9 }, []string{"returns octets-received: server: 10, there server: 9"}, nil},
		"octets that are not": {func(o *diff.Outcome) { o.Hosts[1].Checked = 9 }, nil, nil},
		"wrong octets":        {func(o *diff.Outcome) { o.Hosts[1].Wrong = true }, []string{"data octets-wrong: server: false, there server: true"}, nil},
		"error":               {func(o *diff.Outcome) { o.Hosts[1].Errors = o.Hosts[1].Errors[:1] }, []string{"returns errors: server: recv ECONNRESET, send EPIPE, there server: recv ECONNRESET"}, nil},
		"no error":            {func(o *diff.Outcome) { o.Hosts[1].Errors = nil }, []string{"returns errors: server: recv ECONNRESET, send EPIPE, there server: -"}, nil},
		"order of errors":     {func(o *diff.Outcome) { slices.Reverse(o.Hosts[1].Errors) }, nil, nil},
		"state":               {func(o *diff.Outcome) { o.Ends[0].State = trace.TimeWait }, []string{"states end-state: client: CLOSED, there client: TIME-WAIT"}, nil},
		"order of states":     {func(o *diff.Outcome) { o.Ends[1].State, o.Ends[2].State = o.Ends[2].State, o.Ends[1].State }, nil, nil},
		"state not observed":  {func(o *diff.Outcome) { o.Ends[0].State = trace.NotObserved }, nil, nil},
		"a socket more": {func(o *diff.Outcome) {
			o.Ends = append(o.Ends, diff.EndState{Host: "server", Socket: 4, State: trace.Closed})
		}, []string{"states end-state: server: CLOSED, ESTABLISHED, there server: CLOSED ×2, ESTABLISHED"}, nil},
		"numbers of sockets":   {func(o *diff.Outcome) { o.Ends[0].Socket = 5 }, nil, nil},
		"reason of the end":    {func(o *diff.Outcome) { o.Reason = trace.UntilReached }, []string{"end reason: finished, there until"}, nil},
		"a call blocked":       {func(o *diff.Outcome) { o.Blocked = 1 }, []string{"end blocked: 0, there 1"}, nil},
		"segments":             {func(o *diff.Outcome) { o.Hosts[0].Segments = 8 }, nil, []string{"packets segments: client: 7, there client: 8"}},
		"segments once more":   {func(o *diff.Outcome) { o.Hosts[0].Again = 0 }, nil, []string{"packets segments-again: client: 1, there client: 0"}},
		"malformed packets":    {func(o *diff.Outcome) { o.Hosts[0].Malformed = 2 }, nil, []string{"packets malformed: client: 0, there client: 2"}},
		"wrong checksums":      {func(o *diff.Outcome) { o.Hosts[1].BadChecksum = 3 }, nil, []string{"packets checksum: server: 0, there server: 3"}},
		"packets too long":     {func(o *diff.Outcome) { o.Hosts[1].TooLong = 4 }, nil, []string{"packets too-long: server: 0, there server: 4"}},
		"time of the last one": {func(o *diff.Outcome) { o.Returned = 101 }, nil, []string{"time returned: 100ns, there 101ns"}},
		"time of the end":      {func(o *diff.Outcome) { o.At = 201 }, nil, []string{"time ended: 200ns, there 201ns"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := sample(), sample()
			test.bend(&b)
			got, went := a.Differs(&b)
			if diff := cmp.Diff([2][]string{test.got, test.went}, [2][]string{told(got, false), told(went, false)}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			got, went = b.Differs(&a)
			if diff := cmp.Diff([2][]string{test.got, test.went}, [2][]string{told(got, true), told(went, true)}); diff != "" {
				t.Errorf("the other way round (-want +got)\n%s", diff)
			}
		})
	}
}

// told prints differences, with the sides exchanged if swap says so.
func told(differences []diff.Difference, swap bool) (list []string) {
	for _, d := range differences {
		if swap {
			d.A, d.B = d.B, d.A
		}
		list = append(list, fmt.Sprintf("%v %s: %s, there %s", d.Aspect, d.Field, d.A, d.B))
		if !slices.Contains(diff.Fields(), d.Field) {
			list = append(list, "a field that there is not")
		}
	}
	return list
}

// A cell is held against its stacks with themselves, where these were run; one on the diagonal against the first of it.
func TestGridIsComparedWithItsDiagonal(t *testing.T) {
	cell := func(at time.Duration) diff.Cell {
		o := sample()
		o.At = at
		return diff.Cell{Outcome: o}
	}
	g := diff.Grid{Stacks: []string{"a", "b", "c"}, Cells: [][]diff.Cell{
		{cell(1), cell(2), cell(3)},
		{cell(1), cell(1), cell(3)},
		{cell(4), {Lacks: []diff.Lack{{Need: "ECN"}}}, {Error: "it broke"}},
	}}
	want := [][][]string{
		{nil, {"a 2ns 1ns", "b 2ns 1ns"}, {"a 3ns 1ns"}},
		{nil, nil, {"b 3ns 1ns"}},
		{{"a 4ns 1ns"}, nil, nil},
	}
	for range 2 { // a second time changes nothing
		g.Compare()
		for i, row := range g.Cells {
			for j := range row {
				var got []string
				for _, d := range row[j].Differs {
					got = append(got, fmt.Sprintf("%s %s %s", d.With, d.Went[0].A, d.Went[0].B))
				}
				if diff := cmp.Diff(want[i][j], got); diff != "" {
					t.Errorf("%s to %s (-want +got)\n%s", g.Stacks[i], g.Stacks[j], diff)
				}
			}
		}
	}
	g.Cells[1][1] = cell(9)
	g.Compare()
	if got := g.Cells[1][1].Differs; len(got) != 1 || got[0].With != "a" {
		t.Errorf("the second of the diagonal is held against %v, want a", got)
	}
}
