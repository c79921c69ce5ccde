package compare_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/compare"
	"connectlab/netns/internal/toy"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"

	"github.com/google/go-cmp/cmp"
)

func story(t *testing.T, name string) *script.Story {
	t.Helper()
	s, err := script.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func grid(t *testing.T, name string, base netns.Config, stacks ...netns.Factory) *diff.Grid {
	t.Helper()
	g, err := compare.RunKeeping(story(t, name), base, stacks)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var gv, hand, toys netns.Factory = &gvisor.Factory{}, &handwritten.Factory{}, toy.Factory{}

// Each cell is the very run that the two stacks make by themselves: its trace is, to the octet, and what the cell says of it is what
// its events say, counted here in another way.
func TestCellsAreTheRunsOfTheirPairs(t *testing.T) {
	stacks := []netns.Factory{gv, hand, toys}
	for _, name := range script.Names() {
		g := grid(t, name, netns.Config{Seed: 7}, stacks...)
		if diff := cmp.Diff([]string{"gvisor", "handwritten", "toy"}, g.Stacks); diff != "" || g.Story != name || len(g.Cells) != 3 {
			t.Fatalf("%s: the grid of %s has %d rows, stacks (-want +got)\n%s", name, g.Story, len(g.Cells), diff)
		}
		for i := range g.Cells {
			for j := range g.Cells[i] {
				c := &g.Cells[i][j]
				where := fmt.Sprintf("%s, %s to %s", name, g.Stacks[i], g.Stacks[j])
				r, err := script.Run(story(t, name), netns.Config{Seed: 7, Client: stacks[i], Server: stacks[j]})
				if lack := (*netns.LackError)(nil); errors.As(err, &lack) {
					if len(c.Lacks) == 0 || c.Trace != nil || len(c.Differs) > 0 || c.Outcome.Hosts != nil {
						t.Errorf("%s: the pair cannot do it, and the cell is %+v", where, c)
					}
					continue
				} else if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(file(t, c.Trace), file(t, r.Trace)) {
					t.Errorf("%s: the cell's trace is another than that of the run", where)
				}
				var failures []string
				for _, f := range r.Failures {
					failures = append(failures, f.String())
				}
				if diff := cmp.Diff(failures, c.Failures); diff != "" || c.Error != "" || len(c.Lacks) > 0 || c.AsWritten != r.AsWritten {
					t.Errorf("%s: error %q, lacks %v, failures (-want +got)\n%s", where, c.Error, c.Lacks, diff)
				}
				if diff := cmp.Diff(factsOf(r), factsOfCell(c)); diff != "" {
					t.Errorf("%s (-want +got)\n%s", where, diff)
				}
			}
		}
	}
}

// facts are what a cell says, in a form that is easy to count.
type facts struct {
	Connects, Errors     []string
	Received, Checked    [2]int64
	Wrong                [2]bool
	Segments             [2]int
	End, LastReturn      time.Duration
	Reason               trace.EndReason
	Blocked, Connections int
}

func factsOf(r *script.Result) facts {
	f := facts{End: r.End.At, Reason: r.End.Reason, Blocked: len(r.End.Blocked)}
	calls := map[int]string{}
	for _, e := range r.Trace.Events {
		host := 0
		if e.Host == netns.Server {
			host = 1
		}
		switch d := e.Detail.(type) {
		case *trace.Call:
			calls[e.N] = fmt.Sprintf("%s %s", e.Host, d.Name)
			if d.Name == "connect" {
				f.Connections++
			}
		case *trace.Return:
			text := fmt.Sprintf("%s = %d %s", calls[d.Call], d.Result, d.Errno)
			f.LastReturn = max(f.LastReturn, e.At)
			if strings.Contains(text, " connect ") {
				f.Connects = append(f.Connects, fmt.Sprintf("%s after %v", text, e.At-r.Trace.Events[d.Call-1].At))
			} else if d.Result < 0 {
				f.Errors = append(f.Errors, fmt.Sprintf("%s %s", calls[d.Call], d.Errno))
			}
			if strings.HasSuffix(calls[d.Call], " recv") || strings.HasSuffix(calls[d.Call], " recvall") {
				f.Received[host] += max(d.Result, 0) + d.Count
			}
		case *trace.Sent:
			if d.Packet.Kind == trace.PacketTCP {
				f.Segments[host]++
			}
		default:
		}
	}
	for i := range r.Received {
		f.Checked[i], f.Wrong[i] = r.Received[i].Checked, r.Received[i].Wrong
	}
	slices.Sort(f.Connects)
	slices.Sort(f.Errors)
	return f
}

func factsOfCell(c *diff.Cell) facts {
	o := &c.Outcome
	f := facts{End: o.At, LastReturn: o.Returned, Reason: o.Reason, Blocked: o.Blocked, Connections: len(o.Connects)}
	for _, call := range o.Connects {
		if call.Returned {
			f.Connects = append(f.Connects, fmt.Sprintf("%s connect = %d %s after %v", call.Host, call.Result, call.Errno, call.After))
		}
	}
	for i, h := range o.Hosts {
		f.Received[i], f.Checked[i], f.Wrong[i], f.Segments[i] = h.Received, h.Checked, h.Wrong, h.Segments
		for _, text := range h.Errors {
			f.Errors = append(f.Errors, h.Host+" "+text)
		}
	}
	slices.Sort(f.Connects)
	slices.Sort(f.Errors)
	return f
}

func file(t *testing.T, tr *trace.Trace) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, tr); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Run says of each story what RunKeeping says, and has no trace.
func TestRunKeepsNoTrace(t *testing.T) {
	stacks := []netns.Factory{gv, hand, toys}
	for _, name := range script.Names() {
		got, err := compare.Run(story(t, name), netns.Config{Seed: 3}, stacks)
		if err != nil {
			t.Fatal(err)
		}
		want := grid(t, name, netns.Config{Seed: 3}, stacks...)
		for _, row := range want.Cells {
			for i := range row {
				if c := &row[i]; (c.Trace == nil) != (len(c.Lacks) > 0) {
					t.Errorf("%s: kept is the trace %v of a cell that lacks %v", name, c.Trace != nil, c.Lacks)
				}
				row[i].Trace = nil
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-keeping +run)\n%s", name, diff)
		}
	}
}

// lacksOf lists the lacks of a grid, cell by cell.
func lacksOf(g *diff.Grid) (list []string) {
	for i, row := range g.Cells {
		for j := range row {
			list = append(list, fmt.Sprintf("%s %s %v", g.Stacks[i], g.Stacks[j], row[j].Lacks))
		}
	}
	return list
}

func TestWhatAPairLacks(t *testing.T) {
	for name, want := range map[string][]string{
		"plain":       {"gvisor gvisor []", "gvisor toy []", "toy gvisor []", "toy toy []"},
		"ethernet":    {"gvisor gvisor []", "gvisor toy [{server toy Ethernet}]", "toy gvisor [{client toy Ethernet}]", "toy toy [{client toy Ethernet} {server toy Ethernet}]"},
		"ecn":         {"gvisor gvisor [{client gvisor ECN} {server gvisor ECN}]", "gvisor toy [{client gvisor ECN}]", "toy gvisor [{server gvisor ECN}]", "toy toy []"},
		"syn-cookies": {"gvisor gvisor []", "gvisor toy [{server toy SYN cookies}]", "toy gvisor []", "toy toy [{server toy SYN cookies}]"},
	} {
		if diff := cmp.Diff(want, lacksOf(grid(t, name, netns.Config{Seed: 1}, gv, toys))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// differs lists what a cell is held against, and the fields that differ.
func differs(c *diff.Cell) (list []string) {
	fields := func(differences []diff.Difference) string {
		var names []string
		for _, d := range differences {
			host, _, ok := strings.Cut(d.A, ": ")
			if name := d.Field; ok {
				names = append(names, host+" "+name)
			} else {
				names = append(names, name)
			}
		}
		return strings.Join(names, ", ")
	}
	for _, d := range c.Differs {
		list = append(list, fmt.Sprintf("%s: got %s; went %s", d.With, fields(d.Got), fields(d.Went)))
	}
	return list
}

// A bent stack is another with one thing wrong.
type bent struct {
	netns.Factory
	name string
	bend func(netns.Stack) netns.Stack
}

func (b bent) Info() netns.Info {
	info := b.Factory.Info()
	info.Name = b.name
	return info
}

func (b bent) New(env netns.Env) (netns.Stack, error) {
	s, err := b.Factory.New(env)
	if err != nil {
		return nil, err
	}
	return b.bend(s), nil
}

// onPacket is a stack that does something else with one packet that comes to it.
type onPacket struct {
	netns.Stack
	nth, packets int
	do           func(packet []byte) []byte // nil: it is not delivered
}

func (s *onPacket) Deliver(packet []byte) {
	if s.packets++; s.packets == s.nth {
		if packet = s.do(packet); packet == nil {
			return
		}
	}
	s.Stack.Deliver(packet)
}

// lying hands another octet to the program than came, but on connections that it accepted.
type lying struct{ netns.Stack }

func (s lying) Socket(f netns.Family) (netns.Socket, error) {
	k, err := s.Stack.Socket(f)
	return lyingSocket{k}, err
}

type lyingSocket struct{ netns.Socket }

func (k lyingSocket) Receive(b []byte) (int, error) {
	n, err := k.Socket.Receive(b)
	if n > 0 {
		b[0] ^= 1
	}
	return n, err
}

// The same stack by another name differs in nothing, so whatever a cell says is a difference of stacks.
func TestTheSameStackDiffersInNothing(t *testing.T) {
	twin := bent{gv, "twin", func(s netns.Stack) netns.Stack { return s }}
	for _, name := range script.Names() {
		g := grid(t, name, netns.Config{Seed: 1}, gv, twin)
		for _, row := range g.Cells {
			for i := range row {
				if got := differs(&row[i]); got != nil {
					t.Errorf("%s: %v", name, got)
				}
			}
		}
	}
}

// What is wrong with one stack shows in the cells that it is in, and in what.
func TestWrongStackShows(t *testing.T) {
	lossy := bent{gv, "lossy", func(s netns.Stack) netns.Stack {
		return &onPacket{Stack: s, nth: 1, do: func([]byte) []byte { return nil }}
	}}
	liar := bent{gv, "liar", func(s netns.Stack) netns.Stack { return lying{s} }}
	for _, test := range []struct {
		name, story string
		wrong       netns.Factory
		want        [4][]string // gvisor to gvisor, gvisor to the wrong one, the wrong one to gvisor, the wrong one to itself
		failures    [4]int
	}{
		{"first packet lost", "plain", lossy, [4][]string{
			nil,
			{ // The SYN is lost at the server: all is a second later.
				"gvisor: got ; went client segments, client segments-again, connect, returned, ended",
				"lossy: got ; went server segments, server segments-again, connect, returned, ended",
			},
			{ // The SYN,ACK is lost at the client.
				"lossy: got ; went server segments, connect, returned",
				"gvisor: got ; went client segments, client segments-again, server segments, server segments-again, connect, returned, ended",
			},
			{"gvisor: got ; went client segments, client segments-again, server segments, server segments-again, connect, returned, ended"},
		}, [4]int{0, 1, 1, 0}}, // of what a bent stack lets be seen
		{"wrong octets", "half-close", liar, [4][]string{
			nil,
			{"liar: got client octets-wrong; went ended"},
			{"gvisor: got client octets-wrong; went ended"},
			{"gvisor: got client octets-wrong; went ended"},
		}, [4]int{0, 0, 1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := grid(t, test.story, netns.Config{Seed: 1}, gv, test.wrong)
			for n := range 4 {
				c := &g.Cells[n/2][n%2]
				if diff := cmp.Diff(test.want[n], differs(c)); diff != "" {
					t.Errorf("cell %d (-want +got)\n%s", n, diff)
				}
				if test.failures[n] != len(c.Failures) {
					t.Errorf("cell %d: failures %q, want %d", n, c.Failures, test.failures[n])
				}
			}
		})
	}
}

var errBroken = errors.New("no second life")

// once makes stacks that cannot be made a second time.

type once struct{ netns.Factory }

func (o once) Info() netns.Info {
	info := o.Factory.Info()
	info.Name = "once"
	return info
}

func (o once) New(env netns.Env) (netns.Stack, error) {
	if env.Generation > 0 {
		return nil, errBroken
	}
	return o.Factory.New(env)
}

// A stack that breaks is a cell with an error, and the other cells are as they would be without it. Nothing is held against such a cell.
func TestStackThatBreaksIsACell(t *testing.T) {
	g := grid(t, "half-open-a", netns.Config{Seed: 1}, gv, once{gv}) // the server is rebooted
	for i, row := range g.Cells {
		for j := range row {
			c := &row[j]
			if breaks := j == 1; breaks != strings.Contains(c.Error, errBroken.Error()) || breaks != (c.Outcome.Reason == trace.BrokenOff) {
				t.Errorf("%s to %s: error %q, the run ended %v", g.Stacks[i], g.Stacks[j], c.Error, c.Outcome.Reason)
			}
			if c.Differs != nil && (j == 1 || c.Differs[0].With == "once") {
				t.Errorf("%s to %s is held against a run that broke off: %v", g.Stacks[i], g.Stacks[j], c.Differs)
			}
		}
	}
}

// What is wrong with the call, and not with a stack, is an error.
func TestWhatCannotBeCompared(t *testing.T) {
	for want, call := range map[string]struct {
		story  string
		base   netns.Config
		stacks []netns.Factory
	}{
		"no stack":               {"plain", netns.Config{}, nil},
		"the stack gvisor twice": {"plain", netns.Config{}, []netns.Factory{gv, &gvisor.Factory{QueueLength: 1}}},
		"an MTU of 100":          {"plain", netns.Config{MTU: 100}, []netns.Factory{gv, hand}},
		"an MTU of 1000":         {"ipv6", netns.Config{MTU: 1000}, []netns.Factory{gv, hand}},
		`unknown need "speed"`:   {"plain", netns.Config{Needs: []string{"speed"}}, []netns.Factory{gv, hand}},
	} {
		g, err := compare.Run(story(t, call.story), call.base, call.stacks)
		if err == nil || !strings.Contains(err.Error(), want) || g != nil {
			t.Errorf("grid %v, error %v, want %q", g != nil, err, want)
		}
	}
}

// The base's own stacks and writer are not heeded.
func TestBaseSaysNothingOfStacks(t *testing.T) {
	var b bytes.Buffer
	stacks := []netns.Factory{gv, hand}
	got, err := compare.Run(story(t, "plain"), netns.Config{Seed: 1, Client: toys, Server: toys, Writer: &b}, stacks)
	if err != nil {
		t.Fatal(err)
	}
	want, err := compare.Run(story(t, "plain"), netns.Config{Seed: 1}, stacks)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || b.Len() > 0 {
		t.Errorf("%d octets written, (-want +got)\n%s", b.Len(), diff)
	}
}

// What a caller has forgotten is an error, and no panic of something within.
func TestNothingToRunIsAnError(t *testing.T) {
	plain := story(t, "plain")
	for want, run := range map[string]func() error{
		"compare: no story to run: it is nil": func() error {
			_, err := compare.Run(nil, netns.Config{}, []netns.Factory{gv})
			return err
		},
		"compare: stack 2 of 2 is nil: it has to be a Factory": func() error {
			_, err := compare.Run(plain, netns.Config{}, []netns.Factory{gv, nil})
			return err
		},
		"script: no story to run: it is nil": func() error {
			_, err := script.Run(nil, netns.Config{Client: gv, Server: gv})
			return err
		},
		"configure: client and server need a stack each: set Config.Client and Config.Server": func() error {
			_, err := script.Run(plain, netns.Config{Client: gv})
			return err
		},
	} {
		if err := run(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// A breach of its contract by one stack is told in its cells, and the others are run.
func TestStackWithoutAStackIsToldInItsCells(t *testing.T) {
	none := bent{gv, "none", func(netns.Stack) netns.Stack { return nil }}
	g := grid(t, "plain", netns.Config{}, gv, none)
	want := []string{
		"", "server: start the stack: the stack none answered no stack and no error, which a Factory never does",
		"client: start the stack: the stack none answered no stack and no error, which a Factory never does",
		"client: start the stack: the stack none answered no stack and no error, which a Factory never does",
	}
	var got []string
	for _, row := range g.Cells {
		for i := range row {
			got = append(got, row[i].Error)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got)\n%s", diff)
	}
}
