package script_test

import (
	"fmt"
	"testing"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
)

// TestEveryCauseIsRight walks each built-in story.
func TestEveryCauseIsRight(t *testing.T) {
	total := 0
	for _, name := range gvisorStories() {
		t.Run(name, func(t *testing.T) {
			tr := runBuiltin(t, name).Trace
			total += len(tr.Events)
			for _, c := range walk(tr) {
				t.Error(c)
			}
		})
	}
	t.Logf("%d events walked over", total)
}

// TestCausesOfOddStories walks stories of what the built-in ones do not do: calls that another call wakes, a window that
// closes, probes, a link that goes down, aborts, reboots in the middle of things.
func TestCausesOfOddStories(t *testing.T) {
	t.Parallel()
	const accepted = listening + `
server: accept(3, ..., ...) = 4
`
	const connecting = `
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80)
`
	tests := []struct{ name, story string }{
		{"slow reader", accepted + `
server: 30 recvall(4, 1500000) = 1500000
server: close(4) = 0
` + connecting + `
client: sendall(3, 1500000) = 1500000
client: close(3) = 0
`},
		{"non-blocking connect", accepted + `
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
client: connect(3, server:80) = -1 EINPROGRESS
client: connect(3, server:80) = -1 EALREADY
client: 1 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
client: close(3) = 0
`},
		{"keep-alive finds nobody", accepted + `
server: recvall(4)
` + connecting + `
client: setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0
client: setsockopt(3, SOL_TCP, TCP_KEEPIDLE, [5], 4) = 0
client: setsockopt(3, SOL_TCP, TCP_KEEPINTVL, [2], 4) = 0
client: setsockopt(3, SOL_TCP, TCP_KEEPCNT, [3], 4) = 0
client: recvall(3) = -1 ETIMEDOUT
30 link down
`},
		{"link down for two seconds", accepted + `
server: recvall(4) = 20000
server: close(4) = 0
` + connecting + `
client: 1 sendall(3, 20000) = 20000
client: close(3) = 0
.5 link down
3 link up
`},
		{"close wakes accept", listening + `
server: accept(3, ..., ...) = -1
server.2: 1 close(3) = 0
`},
		{"close wakes recv", accepted + `
server: recvall(4) = -1
server.2: 1 close(4) = 0
` + connecting + `
client: recvall(3) = 0
`},
		{"shutdown wakes recv, and what comes then is reset", accepted + `
server: recvall(4) = 0
server.2: 1 shutdown(4, SHUT_RDWR) = 0
` + connecting + `
client: recvall(3) = 0
client: sendall(3, 100) = 100
`},
		{"three wait in accept", listening + `
server.1-3: accept(3, ..., ...) = 4
client.1-3: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client.1-3: connect(3, server:80) = 0
client.2: 1 close(3) = 0
`},
		{"the listener is shut down over its children", listening + `
server: 1 shutdown(3, SHUT_RDWR) = 0
` + connecting + `
client: recvall(3) = -1 ECONNRESET
`},
		{"data are not read", accepted + `
server: 1 close(4) = 0
` + connecting + `
client: sendall(3, 10) = 10
client: recvall(3) = -1 ECONNRESET
`},
		{"abort in TIME-WAIT", accepted + `
server: recvall(4) = 0
server: close(4) = 0
` + connecting + `
client: shutdown(3, SHUT_WR) = 0
client: recvall(3) = 0
client: abort(3) = 0
`},
		{"reboot in the handshake", listening + connecting + `
.015 reboot server
`},
		{"both reboot", accepted + connecting + `
client: recvall(3)
1 reboot server
1 reboot client
`},
		{"SYN cookies for most", `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, *:80) = 0
server: listen(3, 5) = 0
server: repeat 20 {
    accept(3, ..., ...) = 4
    recvall(4, 5) = 5
    close(4) = 0
}
client.1-20: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client.1-20: connect(3, server:80) = 0
client.1-20: sendall(3, 5) = 5
client.1-20: recvall(3) = 0
client.1-20: close(3) = 0
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { walkedStory(t, test.story) })
	}
}

// TestCausesOverABadLink walks a story over links that lose, delay, duplicate, reorder and corrupt.
func TestCausesOverABadLink(t *testing.T) {
	t.Parallel()
	const story = `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 30000) = 30000
server: sendall(4, 30000) = 30000
server: recvall(4)
server: close(4)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 30000) = 30000
client: recvall(3, 30000) = 30000
client: close(3)
`
	faults := []struct {
		rule string
		want trace.FateKind
	}{
		{"drop client data#3", trace.Dropped},
		{"drop client any 20%", trace.Dropped},
		{"drop server any 30%", trace.Dropped},
		{"drop client FIN,ACK", trace.Dropped},
		{"delay client data#2 .3", trace.Delayed},
		{"delay client SYN#1 1.5", trace.Delayed},
		{"delay client ACK#1 .005", trace.Delayed},
		{"delay client FIN,ACK#1 3", trace.Delayed},
		{"duplicate client SYN", trace.Duplicated},
		{"duplicate client data#1-2 .005", trace.Duplicated},
		{"duplicate server FIN,ACK 2", trace.Duplicated},
		{"reorder client data#2", trace.Reordered},
		{"reorder client data#1 2", trace.Reordered},
		{"corrupt client data#2", trace.Corrupted},
		{"corrupt server SYN,ACK#1 32.7", trace.Corrupted},
		{"corrupt server ACK 40%", trace.Corrupted},
		{"corrupt client any 5%", trace.Corrupted},
	}
	for _, f := range faults {
		t.Run(f.rule, func(t *testing.T) {
			tr := runStory(t, fmt.Sprintf("--fault=%q\n%s", f.rule, story))
			for _, c := range walk(tr) {
				t.Error(c)
			}
			findEvent(t, tr, func(e *trace.Event) bool {
				d, ok := e.Detail.(*trace.Fate)
				return ok && d.Kind == f.want && d.Rule == f.rule
			})
		})
	}
}

// TestTransfersOnABadLink walks transfers both ways over a link that loses, doubles, delays, reorders and corrupts: all
// octets arrive, and every cause is right.
func TestTransfersOnABadLink(t *testing.T) {
	t.Parallel()
	plain, err := script.Builtin("plain")
	if err != nil {
		t.Fatal(err)
	}
	story, err := plain.With("BYTES", "30000")
	if err != nil {
		t.Fatal(err)
	}
	var faults []netns.Fault
	for _, host := range []string{"client", "server"} {
		for _, rule := range []string{
			"drop %s 4%%", "duplicate %s 4%% .003", "reorder %s 4%% 2", "delay %s 4%% .030", "corrupt %s 2%%",
		} {
			f, err := netns.ParseFault(fmt.Sprintf(rule, host))
			if err != nil {
				t.Fatal(err)
			}
			faults = append(faults, f)
		}
	}
	events, fates := 0, 0
	for seed := range uint64(30) {
		cfg := onGVisor(seed)
		cfg.Faults = faults
		r, err := script.Run(story, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Failures {
			t.Errorf("seed %d: %v", seed, f)
		}
		for _, c := range walk(r.Trace) {
			t.Errorf("seed %d: %s", seed, c)
		}
		for _, e := range r.Trace.Events {
			events++
			if _, ok := e.Detail.(*trace.Fate); ok {
				fates++
			}
		}
	}
	if fates < 100 {
		t.Errorf("%d packets met a fate, want at least 100", fates)
	}
	t.Logf("%d events walked over, %d packets met a fate", events, fates)
}
