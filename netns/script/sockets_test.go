package script_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// listening is the beginning of most stories here: the server's socket 1.
const listening = `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
`

// walkedStory runs a story, holds its expectations, and walks over what came of it.
func walkedStory(t *testing.T, text string) *trace.Trace {
	t.Helper()
	tr := runStory(t, text)
	for _, c := range walk(tr) {
		t.Error(c)
	}
	return tr
}

// socketIn is one socket of a trace.
func socketIn(t *testing.T, tr *trace.Trace, host string, number int) trace.Socket {
	t.Helper()
	sockets := trace.Sockets(tr)
	i := slices.IndexFunc(sockets, func(s trace.Socket) bool { return s.Host == host && s.Number == number })
	if i < 0 {
		t.Fatalf("the trace has no socket %d on the %s", number, host)
	}
	return sockets[i]
}

// course is the states of a socket and the times when it came to them.
func course(tr *trace.Trace, s trace.Socket) []string {
	var list []string
	last := trace.NotObserved
	for _, stay := range s.Stays {
		if stay.State != last {
			list = append(list, fmt.Sprintf("%v %v", stay.State, tr.Event(stay.N).At))
		}
		last = stay.State
	}
	return list
}

func wantCourse(t *testing.T, tr *trace.Trace, host string, number int, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, course(tr, socketIn(t, tr, host, number))); diff != "" {
		t.Errorf("states of socket %d of the %s (-want +got)\n%s", number, host, diff)
	}
}

// TestEmbryoIsASocketBeforeAccept: it has its number, its states and its listener long before a descriptor names it, and
// accept() hands out that same socket.
func TestEmbryoIsASocketBeforeAccept(t *testing.T) {
	tr := walkedStory(t, listening+`
server: 1 accept(3, ..., ...) = 4
server: recvall(4) = 0
server: close(4) = 0
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: 2 close(3) = 0

.015 state(server 3#1) = SYN-RECEIVED
.5 state(server 3#1) = ESTABLISHED
1.5 state(server 3#1) = ESTABLISHED
1.5 state(server 4) = ESTABLISHED
3 state(server 3#1) = CLOSED
`)
	embryo := socketIn(t, tr, "server", 2)
	accept := findEvent(t, tr, returnOf(tr, "server", "accept"))
	if d := accept.Detail.(*trace.Return); d.Accepted != 2 || accept.Socket != 1 {
		t.Errorf("accept() on socket %d handed out socket %d", accept.Socket, d.Accepted)
	}
	if embryo.Listener != 1 {
		t.Errorf("the embryo came to socket %d", embryo.Listener)
	}
	closed := findEvent(t, tr, callNamed("server", "close"))
	if diff := cmp.Diff([]trace.Descriptor{{FD: 4, From: accept.N, To: closed.N}}, embryo.Descriptors); diff != "" {
		t.Errorf("descriptors (-want +got)\n%s", diff)
	}
	if at := tr.Event(embryo.First).At; at != 10*time.Millisecond || accept.At != time.Second {
		t.Errorf("it was first seen at %v and accepted at %v", at, accept.At)
	}
	// What is known of it is known before accept().
	for _, item := range []trace.Item{trace.RemotePort, trace.IRS, trace.ISS, trace.RcvNxt} {
		found := slices.ContainsFunc(tr.Events[:accept.N], func(e trace.Event) bool {
			return e.Host == "server" && e.Socket == 2 && (changeIn(&e, item, trace.BySegment) != nil || changeIn(&e, item, trace.ByStack) != nil)
		})
		if !found {
			t.Errorf("%v is not known before accept()", item)
		}
	}
}

// TestTimeWaitOutlivesItsDescriptor: the descriptor is given back and given out again, to another socket.
func TestTimeWaitOutlivesItsDescriptor(t *testing.T) {
	tr := walkedStory(t, listening+`
server: repeat 2 {
    accept(3, ..., ...) = 4
    recvall(4) = 0
    close(4) = 0
}
client: repeat 2 {
    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
    connect(3, server:80) = 0
    close(3) = 0
}
`)
	first, second := socketIn(t, tr, "client", 1), socketIn(t, tr, "client", 2)
	closed := first.Descriptors[0].To
	if len(first.Descriptors) != 1 || closed == 0 {
		t.Fatalf("descriptors of the first socket: %+v", first.Descriptors)
	}
	if first.Descriptors[0].FD != second.Descriptors[0].FD || second.Descriptors[0].From < closed {
		t.Errorf("the second socket has descriptors %+v", second.Descriptors)
	}
	// A live socket without a descriptor: from close() at 20 ms to the end of TIME-WAIT.
	wantCourse(t, tr, "client", 1, "CLOSED 0s", "SYN-SENT 0s", "ESTABLISHED 20ms", "FIN-WAIT-1 20ms", "FIN-WAIT-2 40ms", "TIME-WAIT 40ms", "CLOSED 1m0.04s")
	wantCourse(t, tr, "client", 2, "CLOSED 20ms", "SYN-SENT 20ms", "ESTABLISHED 40ms", "FIN-WAIT-1 40ms", "FIN-WAIT-2 60ms", "TIME-WAIT 60ms", "CLOSED 1m0.06s")
	if timer := tr.Event(tr.Event(first.Gone).Cause); timer.Socket != 1 || timer.At != 60*time.Second+40*time.Millisecond {
		t.Errorf("it is gone by event %+v", timer)
	}
	if first.Local == second.Local {
		t.Errorf("both sockets are %v", first.Local)
	}
}

// TestNextConnectionOnTheSameFourTuple: the server closed first and is in TIME-WAIT when a SYN comes with the same addresses
// and ports and a greater sequence number. The old socket gives way (RFC 9293, Section 3.10.7.4, MAY-2), the new one is another
// with a number of its own.
func TestNextConnectionOnTheSameFourTuple(t *testing.T) {
	tr := walkedStory(t, listening+`
server: accept(3, ..., ...) = 4
server: close(4) = 0
server: accept(3, ..., ...) = 5
server: recvall(5) = 5
server: close(5) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: connect(3, server:80) = 0
client: recvall(3) = 0
client: close(3) = 0
client: 1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: close(3) = 0

.9 state(server 3#1) = TIME-WAIT
1.005 state(server 3#1) = TIME-WAIT
1.015 state(server 3#1) = CLOSED
1.015 state(server 3#2) = SYN-RECEIVED
1.035 state(server 5) = LAST-ACK
`)
	before, after := socketIn(t, tr, "server", 2), socketIn(t, tr, "server", 3)
	if before.Remote != after.Remote || before.Local != after.Local || before.Listener != 1 || after.Listener != 1 {
		t.Fatalf("the two sockets are %v→%v and %v→%v", before.Local, before.Remote, after.Local, after.Remote)
	}
	wantCourse(t, tr, "server", 2, "SYN-RECEIVED 10ms", "ESTABLISHED 30ms", "FIN-WAIT-1 30ms", "FIN-WAIT-2 50ms", "TIME-WAIT 50ms", "CLOSED 1.01s")
	wantCourse(t, tr, "server", 3, "SYN-RECEIVED 1.01s", "ESTABLISHED 1.03s", "CLOSE-WAIT 1.03s", "LAST-ACK 1.03s", "CLOSED 1.05s")
	wantCourse(t, tr, "client", 2, "CLOSED 1s", "SYN-SENT 1s", "ESTABLISHED 1.02s", "FIN-WAIT-1 1.02s", "FIN-WAIT-2 1.04s", "TIME-WAIT 1.04s", "CLOSED 1m1.04s")

	// The SYN is for the old socket. It ends that, and begins the new one.
	syn := findEvent(t, tr, func(e *trace.Event) bool { return segmentWith("server", true, trace.SYN)(e) && e.At > time.Second })
	if syn.Socket != 2 {
		t.Errorf("the SYN is for socket %d", syn.Socket)
	}
	if gone, first := findEvent(t, tr, stateTo("server", trace.TimeWait, trace.Closed)), tr.Event(after.First); gone.Cause != syn.N || first.Cause != syn.N {
		t.Errorf("the old socket ends by %d, the new begins by %d, and the SYN is %d", gone.Cause, first.Cause, syn.N)
	}
	for i := range tr.Events {
		e := &tr.Events[i]
		if e.Host != "server" || e.N <= syn.N || packetOf(e) == nil {
			continue
		}
		if e.Socket != 3 {
			t.Errorf("event %d, behind the SYN, is for socket %d", e.N, e.Socket)
		}
	}
}

// TestClosedSocketKeepsItsDescriptorAndNoSegment: a connection that was reset is in CLOSED, "no connection state at all", though
// a descriptor still names it. The next SYN with its addresses and ports is the listener's.
func TestClosedSocketKeepsItsDescriptorAndNoSegment(t *testing.T) {
	tr := walkedStory(t, listening+`
server: accept(3, ..., ...) = 4
server: recv(4, ..., 100, 0) = -1 ECONNRESET
server: accept(3, ..., ...) = 5
server: recvall(5) = 0
server: close(5) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: connect(3, server:80) = 0
client: setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
client: .5 close(3) = 0
client: 1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: connect(3, server:80) = 0
client: close(3) = 0

.9 state(server 4) = CLOSED
1.015 state(server 4) = CLOSED
1.015 state(server 3#2) = SYN-RECEIVED
1.035 state(server 5) = LAST-ACK
`)
	syn := findEvent(t, tr, func(e *trace.Event) bool { return segmentWith("server", true, trace.SYN)(e) && e.At > time.Second })
	if syn.Socket != 1 {
		t.Errorf("event %d: the SYN is for socket %d, and should be for the listener, socket 1", syn.N, syn.Socket)
	}
	for i := range tr.Events {
		e := &tr.Events[i]
		_, state := e.Detail.(*trace.StateChange)
		_, control := e.Detail.(*trace.Control)
		if e.Host == "server" && e.Socket == 2 && e.N > syn.N && (state || control || packetOf(e) != nil) {
			t.Errorf("event %d (%T) happens to the closed socket", e.N, e.Detail)
		}
	}
	wantCourse(t, tr, "server", 2, "SYN-RECEIVED 10ms", "ESTABLISHED 30ms", "CLOSED 510ms")
	wantCourse(t, tr, "server", 3, "SYN-RECEIVED 1.01s", "ESTABLISHED 1.03s", "CLOSE-WAIT 1.03s", "LAST-ACK 1.03s", "CLOSED 1.05s")
}

// TestSegmentForNobodyIsNobodys: without a listener too, a segment for a closed socket is for none, and so is the answer.
func TestSegmentForNobodyIsNobodys(t *testing.T) {
	tr := walkedStory(t, `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: .001 connect(3, client:5000) = -1 ECONNREFUSED
server: 2 close(3) = 0

client: 1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: connect(3, server:80) = -1 ECONNREFUSED
client: close(3) = 0
`)
	syn := findEvent(t, tr, segmentWith("server", true, trace.SYN))
	rst := findEvent(t, tr, func(e *trace.Event) bool { return e.N > syn.N && segmentWith("server", false, trace.RST|trace.ACK)(e) })
	if syn.Socket != 0 || rst.Socket != 0 {
		t.Errorf("event %d: the SYN is for socket %d, its answer from %d; socket 1 is closed", syn.N, syn.Socket, rst.Socket)
	}
}

// TestChildrenHaveTheirListener: two listeners, whose connections are numbered apart in the story and together on the host.
func TestChildrenHaveTheirListener(t *testing.T) {
	tr := walkedStory(t, listening+`
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
server: bind(4, *:81) = 0
server: listen(4, 128) = 0
server: 1 accept(4, ..., ...) = 5
server: close(5) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
client: connect(4, server:81) = 0
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 5
client: connect(5, server:80) = 0

.015 state(server 3#1) = SYN-RECEIVED
.035 state(server 3#1) = ESTABLISHED
.035 state(server 4#1) = SYN-RECEIVED
.055 state(server 4#1) = ESTABLISHED
.055 state(server 3#2) = SYN-RECEIVED
.075 state(server 3#2) = ESTABLISHED
.5 info(server 3, "accept queue") = 2
.5 info(server 4, "accept queue") = 1
1.5 state(server 4#1) = FIN-WAIT-2
1.5 state(server 5) = FIN-WAIT-2
1.5 info(server 3#1, "local port") = 80
1.5 info(server 4#1, "local port") = 81
1.5 info(server 4#1, "local address") = "192.0.2.2"
1.5 info(server 4, "accept queue") = 0
`)
	got := map[int]int{}
	for _, s := range trace.Sockets(tr) {
		if s.Host == "server" {
			got[s.Number] = s.Listener
		}
	}
	if diff := cmp.Diff(map[int]int{1: 0, 2: 0, 3: 1, 4: 2, 5: 1}, got); diff != "" {
		t.Errorf("listener of each socket of the server (-want +got)\n%s", diff)
	}
}

// TestClosedListenerTakesItsChildrenAlong: the connections that nobody accepted end with their listener. gVisor resets the one
// that is established and forgets the embryo in silence.
func TestClosedListenerTakesItsChildrenAlong(t *testing.T) {
	tr := walkedStory(t, `--fault="drop client ACK#2"`+listening+`
server: .5 close(3) = 0
client.1-2: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client.1-2: connect(3, server:80) = 0
client.1: recvall(3) = -1 ECONNRESET

.4 state(server 3#1) = ESTABLISHED
.4 state(server 3#2) = SYN-RECEIVED
.4 info(server 3, "SYN queue") = 1
.4 info(server 3, "accept queue") = 1
.6 state(server 3) = CLOSED
.6 state(server 3#1) = CLOSED
.6 state(server 3#2) = CLOSED
`)
	closed := findEvent(t, tr, callNamed("server", "close"))
	for number := 1; number <= 3; number++ {
		s := socketIn(t, tr, "server", number)
		if last := s.Stays[len(s.Stays)-1]; last.State != trace.Closed || tr.Event(last.N).Cause != closed.N {
			t.Errorf("socket %d ends in %v by event %d", number, last.State, tr.Event(last.N).Cause)
		}
	}
	rst := findEvent(t, tr, segmentWith("server", false, trace.RST|trace.ACK))
	if rst.Socket != 2 || rst.Cause != closed.N {
		t.Errorf("the RST is from socket %d, caused by %d", rst.Socket, rst.Cause)
	}
}

// TestDescriptorsOfOneSocketAfterAnother: a host hands out the lowest descriptor that is free, and a number never again.
func TestDescriptorsOfOneSocketAfterAnother(t *testing.T) {
	tr := walkedStory(t, `
client: repeat 3 {
    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
    close(3) = 0
}
`)
	type named struct{ Number, FD int }
	var got []named
	for _, s := range trace.Sockets(tr) {
		for _, d := range s.Descriptors {
			got = append(got, named{s.Number, d.FD})
		}
	}
	if diff := cmp.Diff([]named{{1, 3}, {2, 3}, {3, 3}}, got); diff != "" {
		t.Errorf("sockets and descriptors (-want +got)\n%s", diff)
	}
}

// TestRebootedHostKeepsCounting: the sockets of the host's new life are other sockets, though it is given the same ports, and
// descriptors start again.
func TestRebootedHostKeepsCounting(t *testing.T) {
	tr := walkedStory(t, `
1 reboot client
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: 2 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
.5 state(client 3) = CLOSED
`)
	reboot := findEvent(t, tr, func(e *trace.Event) bool { _, ok := e.Detail.(*trace.HostChange); return ok })
	first, second := socketIn(t, tr, "client", 1), socketIn(t, tr, "client", 2)
	if first.Gone != reboot.N || first.Descriptors[0].To != reboot.N || second.First < reboot.N {
		t.Errorf("the first socket is gone at %d, the second comes at %d, the reboot is %d", first.Gone, second.First, reboot.N)
	}
	if second.Descriptors[0].FD != 3 || second.Gone != 0 {
		t.Errorf("the second socket: %+v", second)
	}
}

// A call on a descriptor that went with its host's reboot shows the number that the story wrote.
func TestLostDescriptorIsShown(t *testing.T) {
	tr := runStory(t, `client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
.5 reboot client
client: 1 sendall(3, 5) = -1 EBADF
client: close(3) = -1 EBADF
`)
	var got []string
	for _, e := range tr.Events {
		if c, ok := e.Detail.(*trace.Call); ok {
			got = append(got, c.String())
		}
	}
	if want := []string{"socket(..., SOCK_STREAM, IPPROTO_TCP)", "sendall(3, 5)", "close(3)"}; !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}

// O_NONBLOCK is for the calls that are made behind it: one that another program has blocked already goes on.
func TestNonBlockingComesTooLateForABlockedCall(t *testing.T) {
	const server = listening + `
server: accept(3, ..., ...) = 4
server: 1 sendall(4, 5) = 5
`
	r := runWith(t, server+`
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: recvall(3, 5) = 5
client.2: .005 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
client.2: .015 fcntl(3, F_SETFL, O_RDWR) = 0
client.2: .5 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
client.2: recv(3, ..., 5, 0) = -1 EAGAIN
`, onGVisor(1))
	for _, f := range r.Failures {
		t.Error(f)
	}
	if at := r.Connect.At; at != 20*time.Millisecond {
		t.Errorf("connect() returned at %v, want 20ms", at)
	}
	for _, c := range walk(r.Trace) {
		t.Error(c)
	}
}

// A descriptor that was closed is no descriptor any more, also when the host has handed its number out again.
func TestClosedDescriptorIsNobodyElses(t *testing.T) {
	r := runWith(t, `
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: close(3) = 0
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 7
client: close(3) = -1 EBADF
client: sendall(3, 5) = -1 EBADF
1 state(client 7) = CLOSED
client: 2 close(7) = 0
`, onGVisor(1))
	for _, f := range r.Failures {
		t.Error(f)
	}
}

// What is said of a call that did not come back names the call and its socket.
func TestFailureOfACallThatARebootEnds(t *testing.T) {
	r := runWith(t, listening+`
server: accept(3, ..., ...) = 4
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: recvall(3) = 5
1 reboot client
`, onGVisor(1))
	if len(r.Failures) != 1 {
		t.Fatalf("failures %v, want one", r.Failures)
	}
	e := r.Trace.Event(r.Failures[0].Event)
	if e == nil {
		t.Fatalf("the failure is about event %d, want the call", r.Failures[0].Event)
	}
	if c, ok := e.Detail.(*trace.Call); !ok || c.Name != "recvall" {
		t.Errorf("the failure is about %+v, want the call of recvall", e.Detail)
	}
	for _, n := range r.Trace.Events {
		if note, ok := n.Detail.(*trace.Note); ok && note.Failed && n.Socket != e.Socket {
			t.Errorf("the note %q is about socket %d, want %d", note.Text, n.Socket, e.Socket)
		}
	}
}
