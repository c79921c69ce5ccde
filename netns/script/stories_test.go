package script_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/view"

	"github.com/google/go-cmp/cmp"
)

func gvisorPair() netns.Config {
	return netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1}
}

func judge(t *testing.T, s *script.Story, cfg netns.Config) *script.Result {
	t.Helper()
	r, err := script.Run(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func namedStory(t *testing.T, name string) *script.Story {
	t.Helper()
	s, err := script.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What the client's first connect() returns on gVisor, and when.
var connectOutcomes = map[string]script.Connect{
	"plain":              {Called: true, Returned: true, At: 20 * time.Millisecond},
	"refused":            {Called: true, Returned: true, Result: -1, Errno: netns.ErrRefused, At: 20 * time.Millisecond},
	"silent-host":        {Called: true, Returned: true, Result: -1, Errno: netns.ErrTimeout, At: 127 * time.Second},
	"syn-lost":           {Called: true, Returned: true, At: 1020 * time.Millisecond},
	"synack-lost":        {Called: true, Returned: true, At: 1020 * time.Millisecond},
	"last-ack-lost":      {Called: true, Returned: true, At: 20 * time.Millisecond},
	"fresh-send":         {},
	"simultaneous-open":  {Called: true, Returned: true, At: 30 * time.Millisecond},
	"simultaneous-close": {Called: true, Returned: true, At: 20 * time.Millisecond},
	"half-close":         {Called: true, Returned: true, At: 20 * time.Millisecond},
	"abort":              {Called: true, Returned: true, At: 20 * time.Millisecond},
	"half-open-a":        {Called: true, Returned: true, At: 20 * time.Millisecond},
	"half-open-b":        {Called: true, Returned: true, At: 20 * time.Millisecond},
	"full-accept-queue":  {Called: true, Returned: true, At: 20 * time.Millisecond},
	"syn-cookies":        {Called: true, Returned: true, At: 20 * time.Millisecond},
	"send-and-close":     {Called: true, Returned: true, At: 20 * time.Millisecond},
	"idle-year":          {Called: true, Returned: true, At: 20 * time.Millisecond},
	"ipv6":               {Called: true, Returned: true, At: 20 * time.Millisecond},
	"ethernet":           {Called: true, Returned: true, At: 40 * time.Millisecond},
	"nobody-ethernet":    {Called: true, Returned: true, Result: -1, Errno: netns.ErrHostUnreachable, At: 3 * time.Second},
	"corrupted":          {Called: true, Returned: true, At: 20 * time.Millisecond},
	"reordered":          {Called: true, Returned: true, At: 20 * time.Millisecond},
	"slow-reader":        {Called: true, Returned: true, At: 20 * time.Millisecond},
	"many":               {Called: true, Returned: true, At: 20 * time.Millisecond},
}

// gvisorStories are the built-in stories that gVisor can do.
func gvisorStories() []string { return script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) }

func TestBuiltinStoriesHoldOnGvisor(t *testing.T) {
	for _, name := range gvisorStories() {
		t.Run(name, func(t *testing.T) {
			s := namedStory(t, name)
			r := judge(t, s, gvisorPair())
			for _, f := range r.Failures {
				t.Errorf("%v (event %d)", f, f.Event)
			}
			if diff := cmp.Diff(connectOutcomes[name], r.Connect); diff != "" {
				t.Errorf("connect() (-want +got)\n%s", diff)
			}
			if r.End.Reason != trace.Finished || len(r.End.Blocked) > 0 {
				t.Errorf("the run ended %v at %v with the calls %v blocked, want finished", r.End.Reason, r.End.At, r.End.Blocked)
			}
			if !r.AsWritten {
				t.Error("the run was not as written")
			}
			if diff := cmp.Diff(trace.Story{Name: name, Text: s.Text}, r.Trace.Header.Story); diff != "" {
				t.Errorf("the header's story (-want +got)\n%s", diff)
			}
			for i := 1; i <= 3; i++ {
				if key := fmt.Sprintf("story.%s.%d", name, i); !view.Has(key) {
					t.Errorf("the catalogue has no %s", key)
				}
			}
		})
	}
}

// The expectations of a story are worth something only if another stack, link or story could break them.
func TestBuiltinStoriesExpectSomething(t *testing.T) {
	for _, name := range gvisorStories() {
		s := namedStory(t, name)
		text := strings.NewReplacer(
			" = ESTABLISHED", " = LISTEN", " = SYN-SENT", " = LISTEN", " = SYN-RECEIVED", " = LISTEN", " = CLOSED", " = LISTEN",
			" = LISTEN", " = CLOSING", " = FIN-WAIT-1", " = LISTEN", " = TIME-WAIT", " = LISTEN", " = CLOSING", " = LISTEN",
			"queue\") = 0", "queue\") = 77",
		).Replace(s.Text)
		changed, err := script.Parse(name+script.Extension, text)
		if err != nil {
			t.Fatal(err)
		}
		if r := judge(t, changed, gvisorPair()); len(r.Failures) == 0 {
			t.Errorf("%s: with all states other than they are, no expectation fails", name)
		}
	}
}

// sentLines lists what was sent: time, host, control bits, and the fate of what did not arrive.
func sentLines(t *trace.Trace) []string {
	var list []string
	at := map[int]int{}
	for _, e := range t.Events {
		switch d := e.Detail.(type) {
		case *trace.Sent:
			at[e.N] = len(list)
			line := fmt.Sprintf("%v %s %v", e.At, e.Host, d.Packet.TCP.Flags)
			if n := d.Packet.TCP.DataLen; n > 0 {
				line += fmt.Sprintf(" data %d", n)
			}
			list = append(list, line)
		case *trace.Fate:
			list[at[e.Cause]] += " " + d.Kind.String()
		case *trace.Call, *trace.Return, *trace.Arrived, *trace.StateChange, *trace.Control, *trace.Timer, *trace.HostChange, *trace.Note:
		}
	}
	return list
}

func TestSegmentsOfStories(t *testing.T) {
	closing := func(at time.Duration) []string { // the client closes, the server at once after it
		a, b, c := at.String(), (at + 10*time.Millisecond).String(), (at + 20*time.Millisecond).String()
		return []string{a + " client FIN,ACK", b + " server ACK", b + " server FIN,ACK", c + " client ACK"}
	}
	handshake := []string{"0s client SYN", "10ms server SYN,ACK", "20ms client ACK"}
	for name, want := range map[string][]string{
		"plain": append(append(handshake[:3:3], "20ms client PSH,ACK data 5", "30ms server ACK", "30ms server PSH,ACK data 5", "40ms client ACK"),
			closing(40*time.Millisecond)...),
		"refused": {"0s client SYN", "10ms server RST,ACK"},
		"silent-host": {
			"0s client SYN dropped", "1s client SYN dropped", "3s client SYN dropped", "7s client SYN dropped", "15s client SYN dropped",
			"31s client SYN dropped", "1m3s client SYN dropped",
		},
		"syn-lost": append([]string{"0s client SYN dropped", "1s client SYN", "1.01s server SYN,ACK", "1.02s client ACK"}, closing(1020*time.Millisecond)...),
		"synack-lost": append([]string{"0s client SYN", "10ms server SYN,ACK dropped", "1s client SYN", "1.01s server ACK", "1.01s server SYN,ACK", "1.02s client ACK"},
			closing(1020*time.Millisecond)...),
		"last-ack-lost": append([]string{"0s client SYN", "10ms server SYN,ACK", "20ms client ACK dropped", "1.01s server SYN,ACK", "1.02s client ACK"},
			closing(3020*time.Millisecond)...),
		"fresh-send": nil,
		"simultaneous-open": append([]string{"0s server SYN", "0s client SYN", "10ms client SYN,ACK", "10ms server SYN,ACK", "20ms server ACK", "20ms client ACK",
			"1s client PSH,ACK data 5", "1s client FIN,ACK", "1.01s server ACK", "1.01s server ACK"}, closing(time.Second)[2:]...),
		"simultaneous-close": append(handshake[:3:3], "1s server FIN,ACK", "1s client FIN,ACK", "1.01s client ACK", "1.01s server ACK"),
		"abort":              append(handshake[:3:3], "1s client RST,ACK"),
		"half-open-a":        append(handshake[:3:3], "1s server RST,ACK host-gone", "2s client PSH,ACK data 5", "2.01s server RST"),
	} {
		t.Run(name, func(t *testing.T) {
			r := judge(t, namedStory(t, name), gvisorPair())
			if diff := cmp.Diff(want, sentLines(r.Trace)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSynCookiesLeaveNoSynReceived(t *testing.T) {
	r := judge(t, namedStory(t, "syn-cookies"), gvisorPair())
	born := false
	for _, e := range r.Trace.Events {
		if s, ok := e.Detail.(*trace.StateChange); ok && e.Host == netns.Server && e.Socket == 2 && !born {
			born = true
			if s.From != trace.NotObserved || s.To != trace.Established || s.Listener != 1 || e.At != 30*time.Millisecond {
				t.Errorf("the server's new socket: %v to %v at %v, listener %d; want ESTABLISHED at once, at 30ms", s.From, s.To, e.At, s.Listener)
			}
		}
		if s, ok := e.Detail.(*trace.StateChange); ok && s.To == trace.SynReceived {
			t.Errorf("event %d is SYN-RECEIVED", e.N)
		}
	}
	if !born {
		t.Error("no new socket on the server")
	}
}

const listener = "server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nserver: bind(3, *:80) = 0\nserver: listen(3, 5) = 0\n"
const connectedPair = listener + "server: accept(3, ..., ...) = 4\nclient: socket(..., SOCK_STREAM, IPPROTO_TCP) = 8\nclient: connect(8, server:80) = 0\n"

func TestWhatFailsAndWhatHolds(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"labels are not descriptors":       {connectedPair + "client: sendall(8, 10) = 10\nserver: recvall(4, 10) = 10", nil},
		"octets of strings":                {connectedPair + "client: send(8, \"GET /\", 3, 0) = 3\nserver: recv(4, \"GET\", 3, 0) = 3", nil},
		"strings are not the stream":       {connectedPair + "client: send(8, \"GET\", 3, 0) = 3\nserver: recv(4, ..., 3, 0) = 3", nil},
		"read and write":                   {connectedPair + "client: write(8, ..., 7) = 7\nserver: read(4, ..., 100) = 7", nil},
		"non-blocking connect":             {listener + "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\nclient: connect(3, server:80) = -1 EINPROGRESS (Operation now in progress)\nclient: connect(3, server:80) = -1 EALREADY\nclient: +.1 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0\nclient: recv(3, ..., 5, 0) = -1 EAGAIN", nil},
		"pending error":                    {"client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK)\nclient: connect(3, server:80) = -1 EINPROGRESS\nclient: +.1 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0\nclient: getsockopt(3, SOL_SOCKET, SO_ERROR, ..., ...) = 0", nil},
		"option's value":                   {"client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: setsockopt(3, IPPROTO_TCP, TCP_NODELAY, [1], 4) = 0\nclient: getsockopt(3, IPPROTO_TCP, TCP_NODELAY, [1], [4]) = 0", nil},
		"descriptors of program 1":         {connectedPair + "client.2: 1 sendall(8, 3) = 3\nserver.2: 1 recvall(4, 3) = 3\nclient.2: close(8) = 0\n2 state(client 8) = FIN-WAIT-2", nil},
		"program 1 is not the first named": {"client.2: socket(..., SOCK_STREAM, IPPROTO_TCP) = 8\n" + connectedPair + "client.3: 1 sendall(8, 3) = 3\nserver: recvall(4, 3) = 3\n.9 state(client 8) = ESTABLISHED\n.9 state(client.2 8) = CLOSED\n.9 state(client.9 8) = ESTABLISHED", nil},
		"repeats":                          {connectedPair + "client: repeat 3 {\nrepeat 2 {\nsendall(8, 1) = 1\n}\n}\nserver: recvall(4, 6) = 6", nil},
		"words":                            {"--define=N=6\n--define=P=80\n" + strings.ReplaceAll(connectedPair, ":80", ":P") + "client: sendall(8, N) = N\nserver: recvall(4, N) = N", nil},
		"sequence numbers from the first":  {connectedPair + "client: sendall(8, 10) = 10\n1 info(client 8, \"SND.NXT\") = 11\n1 info(server 3#1, \"RCV.NXT\") = 11\n1 info(client 8, \"remote port\") = 80\n1 info(client 8, \"protocol\") = \"TCP\"", nil},
		"link down and up":                 {".5 link down\n2.5 link up\n" + listener + "server: accept(3, ..., ...) = 4\nclient: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: 1 connect(3, server:80) = 0\n3.9 state(client 3) = SYN-SENT\n4.1 state(client 3) = ESTABLISHED", nil},
		"connections of a closed listener": {connectedPair + "server: close(3) = 0\n1 state(server 3) = CLOSED\n1 state(server 3#1) = ESTABLISHED", nil},
		"unknown results are recorded":     {"client: socket(..., SOCK_STREAM, IPPROTO_TCP)\nclient: connect(3, server:80)\n1 state(client 3)\n1 info(client 3, \"cwnd\")", nil},

		"wrong result":         {"client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: connect(3, server:80) = 0", []string{"line 2: connect(3, server:80) = 0: expected 0, got -1 ECONNREFUSED (Connection refused)"}},
		"wrong error":          {"client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: connect(3, server:80) = -1 ETIMEDOUT", []string{"line 2: connect(3, server:80) = -1 ETIMEDOUT: expected -1 ETIMEDOUT (Connection timed out), got -1 ECONNREFUSED (Connection refused)"}},
		"no error":             {connectedPair + "client: sendall(8, 3) = -1", []string{"line 7: sendall(8, 3) = -1: expected -1, got 3"}},
		"no program 1":         {"client.2: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient.3: 1 close(3) = 0\n1 state(client 3)", []string{"line 2: close(3) = 0: expected 0, got -1 EBADF (Bad file descriptor)", "line 3: 1 state(client 3): expected a socket, got nothing: the client has no descriptor 3 at that time"}},
		"descriptor of nobody": {connectedPair + "client: close(8) = 0\nclient: close(8) = 0", []string{"line 8: close(8) = 0: expected 0, got -1 EBADF (Bad file descriptor)"}},
		"blocked to the end":   {connectedPair + "client: recv(8, ..., 5, 0) = 5", []string{"line 7: recv(8, ..., 5, 0) = 5: expected 5, got no return up to the end of the run"}},
		"not reached":          {connectedPair + "client: recv(8, ..., 5, 0)\nclient: repeat 2 {\nrepeat 2 {\nclose(8) = 0\n}\n}", []string{"line 10: close(8) = 0: expected 0, got the end of the run before that"}},
		"died with its host":   {connectedPair + "server: recvall(4) = 0\n1 reboot server", []string{"line 7: recvall(4) = 0: expected 0, got no return: the server was rebooted"}},
		"other octets":         {connectedPair + "client: send(8, \"GET\", 3, 0) = 3\nserver: recv(4, \"PUT\", 3, 0) = 3", []string{`line 8: recv(4, "PUT", 3, 0) = 3: expected "PUT", got "GET"`}},
		"wrong option":         {"client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: getsockopt(3, IPPROTO_IP, IP_TTL, [7], [4]) = 0", []string{"line 2: getsockopt(3, IPPROTO_IP, IP_TTL, [7], [4]) = 0: expected the value 7, got 64"}},
		"wrong pending error":  {"client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: getsockopt(3, SOL_SOCKET, SO_ERROR, [EPIPE], [4]) = 0", []string{"line 2: getsockopt(3, SOL_SOCKET, SO_ERROR, [EPIPE], [4]) = 0: expected the pending error EPIPE, got 0"}},
		"wrong state":          {connectedPair + ".015 state(server 3#1) = ESTABLISHED", []string{"line 7: .015 state(server 3#1) = ESTABLISHED: expected ESTABLISHED, got SYN-RECEIVED"}},
		"no such connection":   {connectedPair + "1 state(server 3#2) = ESTABLISHED", []string{"line 7: 1 state(server 3#2) = ESTABLISHED: expected ESTABLISHED, got nothing: 1 connections have come to descriptor 3 at that time"}},
		"not yet a descriptor": {connectedPair + ".015 state(server 4)", []string{"line 7: .015 state(server 4): expected a socket, got nothing: the server has no descriptor 4 at that time"}},
		"wrong information":    {connectedPair + "1 info(client 8, \"SND.NXT\") = 2", []string{"line 7: 1 info(client 8, \"SND.NXT\") = 2: expected 2, got 1"}},
		"after the end":        {"--until=1\n" + connectedPair + "2 state(client 8) = ESTABLISHED", []string{"line 8: 2 state(client 8) = ESTABLISHED: expected ESTABLISHED, got the end of the run before that"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := script.Parse("test.story", test.text)
			if err != nil {
				t.Fatal(err)
			}
			r := judge(t, s, gvisorPair())
			var got []string
			for _, f := range r.Failures {
				got = append(got, f.String())
				if f.Event == 0 {
					continue
				}
				e := r.Trace.Event(f.Event)
				switch d := e.Detail.(type) {
				case *trace.Call:
					if d.Line != f.Line {
						t.Errorf("event %d is of line %d, want %d", f.Event, d.Line, f.Line)
					}
				case *trace.Note:
					if d.Line != f.Line || !d.Failed {
						t.Errorf("event %d is %+v, want a failed note of line %d", f.Event, d, f.Line)
					}
				default:
					t.Errorf("event %d is a %T", f.Event, d)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("failures (-want +got)\n%s", diff)
			}
		})
	}
}

// A link with other times than the story's own shows other states at the observers' times. That is no failure.
func TestAnotherLinkIsNotJudgedByObservers(t *testing.T) {
	cfg := gvisorPair()
	cfg.Delay = 50 * time.Millisecond
	r := judge(t, namedStory(t, "plain"), cfg)
	if r.AsWritten || len(r.Failures) > 0 {
		t.Errorf("as written: %v, failures: %v; want neither", r.AsWritten, r.Failures)
	}
	if r.Connect.At != 100*time.Millisecond {
		t.Errorf("connect() returned at %v, want 100ms", r.Connect.At)
	}
	var notes []string
	for _, e := range r.Trace.Events {
		if n, ok := e.Detail.(*trace.Note); ok && e.At < time.Second {
			notes = append(notes, fmt.Sprintf("%v %s", e.At, n.Text))
		}
	}
	want := []string{
		"5ms state(client 3) = SYN-SENT", "5ms state(server 3) = LISTEN",
		"15ms state(server 3#1) = nothing: 0 connections have come to descriptor 3 at that time", "15ms state(server 3) = LISTEN",
		"25ms state(client 3) = SYN-SENT", "25ms state(server 3#1) = nothing: 0 connections have come to descriptor 3 at that time",
		"35ms state(server 3#1) = nothing: 0 connections have come to descriptor 3 at that time",
	}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Errorf("what observers saw (-want +got)\n%s", diff)
	}
	cfg.Delay = netns.DefaultDelay
	if r := judge(t, namedStory(t, "plain"), cfg); !r.AsWritten {
		t.Error("the default delay, said aloud, is not as written")
	}
}

// A run that is cut off elsewhere, or in which words have other values, is not the one that the story was written for.
// What the calls that were made returned is judged all the same.
func TestAnotherEndOrValueIsNotJudgedByObservers(t *testing.T) {
	const wrong = "client: connect(8, server:81) = 0\n"
	for name, test := range map[string]struct {
		story         string // empty: plain
		until         time.Duration
		words, values []string
		asWritten     bool
		failures      []string
	}{
		"as written":                  {asWritten: true},
		"before the observers":        {until: 500 * time.Millisecond},
		"within a call":               {until: 15 * time.Millisecond},
		"between calls":               {until: 30 * time.Millisecond},
		"later than the run goes":     {until: 10 * time.Hour},
		"the story's own end":         {story: "--until=.5\n" + connectedPair + ".4 state(client 8) = CLOSED\n", until: 500 * time.Millisecond, asWritten: true, failures: []string{"line 8: .4 state(client 8) = CLOSED: expected CLOSED, got ESTABLISHED"}},
		"before the story's own end":  {story: "--until=.5\n" + connectedPair + ".3 state(client 8) = CLOSED\n.4 state(client 8) = CLOSED\n", until: 350 * time.Millisecond},
		"a call that came back":       {story: "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 8\n" + wrong, until: time.Second, failures: []string{"line 2: connect(8, server:81) = 0: expected 0, got -1 ECONNREFUSED (Connection refused)"}},
		"blocked, and nothing is due": {story: connectedPair + "client: recvall(8) = 0\n", until: 10 * time.Hour, failures: []string{"line 7: recvall(8) = 0: expected 0, got no return up to the end of the run"}},
		"a word":                      {words: []string{"BACKLOG"}, values: []string{"0"}},
		"two words":                   {words: []string{"BACKLOG", "BYTES"}, values: []string{"2", "20000"}},
		"a word's own value":          {words: []string{"BACKLOG"}, values: []string{"128"}, asWritten: true},
		"a word's own value again":    {words: []string{"BACKLOG", "BYTES", "BACKLOG", "BYTES"}, values: []string{"2", "9", "128", "5"}, asWritten: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := namedStory(t, "plain")
			var err error
			if test.story != "" {
				if s, err = script.Parse("test.story", test.story); err != nil {
					t.Fatal(err)
				}
			}
			for i, word := range test.words {
				if s, err = s.With(word, test.values[i]); err != nil {
					t.Fatal(err)
				}
			}
			cfg := gvisorPair()
			cfg.Until = test.until
			r := judge(t, s, cfg)
			var failures []string
			for _, f := range r.Failures {
				failures = append(failures, f.String())
			}
			if diff := cmp.Diff(test.failures, failures); diff != "" {
				t.Errorf("failures (-want +got)\n%s", diff)
			}
			if r.AsWritten != test.asWritten {
				t.Errorf("as written: %v, want %v", r.AsWritten, test.asWritten)
			}
		})
	}
}

func TestFaultsOfTheCommandLineComeAfterTheStorysOwn(t *testing.T) {
	f, err := netns.ParseFault("drop client SYN#2")
	if err != nil {
		t.Fatal(err)
	}
	cfg := gvisorPair()
	cfg.Faults = []netns.Fault{f}
	r := judge(t, namedStory(t, "syn-lost"), cfg)
	if diff := cmp.Diff([]string{"drop client SYN#1", "drop client SYN#2"}, r.Trace.Header.Faults); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if r.Connect.At != 3020*time.Millisecond {
		t.Errorf("connect() returned at %v, want 3.02s: both SYNs are lost", r.Connect.At)
	}
}

func TestStreamIsVerified(t *testing.T) {
	s, err := script.Parse("test.story", connectedPair+"client: sendall(8, 100000) = 100000\nclient: close(8) = 0\nserver: recvall(4) = 100000\n")
	if err != nil {
		t.Fatal(err)
	}
	cfg := gvisorPair()
	f, err := netns.ParseFault("reorder client data 20% 2")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Faults = []netns.Fault{f}
	if r := judge(t, s, cfg); len(r.Failures) > 0 {
		t.Errorf("reordered packets: %v, want all octets in their order", r.Failures)
	}
}

// liar is gVisor, but for one octet that it hands to the application.
type liar struct{ gvisor.Factory }

func (l *liar) New(env netns.Env) (netns.Stack, error) {
	s, err := l.Factory.New(env)
	return lyingStack{s}, err
}

type lyingStack struct{ netns.Stack }

func (s lyingStack) Socket(f netns.Family) (netns.Socket, error) {
	k, err := s.Stack.Socket(f)
	if err != nil {
		return nil, err
	}
	return &lyingSocket{Socket: k}, nil
}

type lyingSocket struct {
	netns.Socket
	received int
}

func (k *lyingSocket) Receive(b []byte) (int, error) {
	n, err := k.Socket.Receive(b)
	if i := 7 - k.received; i >= 0 && i < n {
		b[i] ^= 1
	}
	k.received += n
	return n, err
}

func TestWrongOctetIsAFailure(t *testing.T) {
	s, err := script.Parse("test.story", connectedPair+"server: sendall(4, 20) = 20\nclient: recvall(8, 20) = 20\n")
	if err != nil {
		t.Fatal(err)
	}
	cfg := gvisorPair()
	cfg.Client = &liar{}
	r := judge(t, s, cfg)
	var got []string
	for _, f := range r.Failures {
		got = append(got, f.String())
	}
	want := []string{"line 8: recvall(8, 20) = 20: expected the octets that the server sent, in their order, got another octet at position 7"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([2]script.Received{{Octets: 20, Checked: 20, Wrong: true}, {}}, r.Received); diff != "" {
		t.Errorf("what came (-want +got)\n%s", diff)
	}
}

// What a host's programs received is told with how much of it was compared with what the peer sent.
func TestReceivedOctetsAreCounted(t *testing.T) {
	for name, test := range map[string]struct {
		lines string
		want  [2]script.Received
	}{
		"nothing":          {"client: close(8) = 0\nserver: recvall(4) = 0\n", [2]script.Received{}},
		"the stream":       {"client: sendall(8, 20) = 20\nserver: recv(4, ..., 7, 0) = 7\nserver: recvall(4, 13) = 13\nserver: sendall(4, 3) = 3\nclient: recvall(8, 3) = 3\n", [2]script.Received{{Octets: 3, Checked: 3}, {Octets: 20, Checked: 20}}},
		"a string":         {"client: send(8, \"GET\", 3, 0) = 3\nserver: recv(4, ..., 9, 0) = 3\n", [2]script.Received{{}, {Octets: 3}}},
		"a known string":   {"client: send(8, \"GET\", 3, 0) = 3\nserver: recv(4, \"GET\", 3, 0) = 3\n", [2]script.Received{{}, {Octets: 3, Checked: 3}}},
		"another string":   {"client: send(8, \"GET\", 3, 0) = 3\nserver: recv(4, \"PUT\", 3, 0) = 3\n", [2]script.Received{{}, {Octets: 3, Checked: 3, Wrong: true}}},
		"before a reset":   {"client: sendall(8, 5) = 5\nclient: 1 abort(8) = 0\nserver: recvall(4, 9) = -1 ECONNRESET\n", [2]script.Received{{}, {Octets: 5, Checked: 5}}},
		"one that is open": {"client: sendall(8, 5) = 5\nserver: recvall(4)\n", [2]script.Received{}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := script.Parse("test.story", connectedPair+test.lines)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, judge(t, s, gvisorPair()).Received); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func BenchmarkParsePlain(b *testing.B) {
	s, err := script.Builtin("plain")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := script.Parse("plain.story", s.Text); err != nil {
			b.Fatal(err)
		}
	}
}
