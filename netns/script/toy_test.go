package script_test

import (
	"fmt"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/internal/toy"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/view"

	"github.com/google/go-cmp/cmp"
)

// The plain story goes on a stack that is nothing like gVisor and tells nothing of its inside, and between the two. What
// observers cannot see of it is not judged, and the views say that it is not observable.
func TestPlainStoryOnTheToy(t *testing.T) {
	gv, toys := &gvisor.Factory{}, toy.Factory{}
	observers := map[string]int{} // the story's, of each host
	for _, l := range namedStory(t, "plain").Lines {
		if o, ok := l.What.(*script.Observation); ok {
			observers[o.Who.Host]++
		}
	}
	if observers[netns.Client] == 0 || observers[netns.Server] == 0 {
		t.Fatalf("the plain story has the observers %v: it should look at both hosts", observers)
	}
	for _, test := range []struct {
		name           string
		client, server netns.Factory
		silent         []string // the hosts that tell nothing
	}{
		{"toy to toy", toys, toys, []string{netns.Client, netns.Server}},
		{"gVisor to toy", gv, toys, []string{netns.Server}},
		{"toy to gVisor", toys, gv, []string{netns.Client}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := judge(t, namedStory(t, "plain"), netns.Config{Client: test.client, Server: test.server, Seed: 1})
			for _, f := range r.Failures {
				t.Errorf("%v (event %d)", f, f.Event)
			}
			want := 0
			for _, host := range test.silent {
				want += observers[host]
			}
			if r.NotObservable != want || !r.AsWritten {
				t.Errorf("%d lines not observable, as written %v; want %d and true", r.NotObservable, r.AsWritten, want)
			}
			if diff := cmp.Diff(connectOutcomes["plain"], r.Connect); diff != "" {
				t.Errorf("connect() (-want +got)\n%s", diff)
			}
			if r.End.Reason != trace.Finished {
				t.Errorf("the run ended %v, want finished", r.End.Reason)
			}
			notes := map[string]int{}
			for _, e := range r.Trace.Events {
				switch d := e.Detail.(type) {
				case *trace.Note:
					if strings.HasSuffix(d.Text, " = not observed") {
						notes[e.Host]++
					}
				case *trace.StateChange, *trace.Control:
					for _, host := range test.silent {
						if e.Host == host {
							t.Errorf("event %d of the %s is %+v: its stack tells nothing", e.N, e.Host, d)
						}
					}
				case *trace.Call, *trace.Return, *trace.Sent, *trace.Fate, *trace.Arrived, *trace.Timer, *trace.HostChange:
				}
			}
			for _, host := range []string{netns.Client, netns.Server} {
				want := 0
				if fmt.Sprint(test.silent) == fmt.Sprint([]string{host}) || len(test.silent) == 2 {
					want = observers[host]
				}
				if notes[host] != want {
					t.Errorf("%d notes that the %s is not observed, want %d", notes[host], host, want)
				}
			}
			drawAll(t, r.Trace, test.silent)
		})
	}
}

// drawAll draws the views of a run in which some hosts tell nothing, and checks that they say so.
func drawAll(t *testing.T, tr *trace.Trace, silent []string) {
	t.Helper()
	var ladder, control, header strings.Builder
	if err := view.Ladder(&ladder, tr, view.Options{}); err != nil {
		t.Fatal("ladder: ", err)
	}
	if err := view.Control(&control, tr, view.Options{}); err != nil {
		t.Fatal("control: ", err)
	}
	if err := view.Header(&header, tr, 0, view.Options{}); err != nil {
		t.Fatal("header: ", err)
	}
	for _, want := range []string{"connect(3, 192.0.2.2:80)", "SYN,ACK", "toy", "The end: all programs have returned"} {
		if !strings.Contains(ladder.String(), want) {
			t.Errorf("the ladder does not say %q:\n%s", want, ladder.String())
		}
	}
	if want := "control bits"; !strings.Contains(strings.ToLower(header.String()), want) {
		t.Errorf("the header view does not say %q:\n%s", want, header.String())
	}
	items := 0
	for _, host := range silent {
		sockets := map[string]int{netns.Client: 1, netns.Server: 2}[host] // a listener, and its connection
		items += sockets * trace.NumItems
		for i := range sockets {
			if want := fmt.Sprintf("%s socket %d", host, i+1); !strings.Contains(control.String(), want) {
				t.Errorf("control information has no %q:\n%s", want, control.String())
			}
		}
		if want := fmt.Sprintf("state(%s 3) = not observed", host); !strings.Contains(ladder.String(), want) {
			t.Errorf("the ladder does not say %q:\n%s", want, ladder.String())
		}
	}
	if n := strings.Count(control.String(), "not observable"); n < items {
		t.Errorf("control information is %d times not observable, want %d, for each item of each socket:\n%s", n, items, control.String())
	}
}

// A stack that tells nothing does not make a wrong expectation of a call right.
func TestCallsAreJudgedOnTheToy(t *testing.T) {
	s, err := script.Parse("test.story", strings.Replace(connectedPair, "*:80", "server:80", 1)+"client: sendall(8, 10) = 11\nclient: abort(8) = 0\n.015 info(server 3#1, \"SND.NXT\") = 1\n1 state(client 9)\n"+
		"client.2: socket(..., SOCK_STREAM, IPPROTO_TCP) = 9\nclient.2: close(9) = 0\n2 state(client.2 9) = CLOSED\n")
	if err != nil {
		t.Fatal(err)
	}
	r := judge(t, s, netns.Config{Client: toy.Factory{}, Server: toy.Factory{}, Seed: 1})
	var got []string
	for _, f := range r.Failures {
		got = append(got, f.String())
	}
	want := []string{
		"line 7: sendall(8, 10) = 11: expected 11, got 10",
		"line 8: abort(8) = 0: expected 0, got -1 EOPNOTSUPP (Operation not supported)",
		"line 10: 1 state(client 9): expected a socket, got nothing: the client has no descriptor 9 at that time",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if r.NotObservable != 2 {
		t.Errorf("%d lines not observable, want 2", r.NotObservable)
	}
}
