// Package script is the one script language of connectlab, in packetdrill's notation: it reads, formats and runs
// stories.
//
// A story is what the programs on two real hosts do. No packet is written out; what the stacks make of it is what a
// run shows.
//
//	// One connect, and nothing else.
//	server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
//	server: bind(3, server:80) = 0
//	server: listen(3, 128) = 0
//
//	client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
//	client: connect(3, server:80) = 0
//	.015 state(server 3#1) = SYN-RECEIVED
//
// In Go:
//
//	story, err := script.Parse("one.story", text)
//	…
//	result, err := script.Run(story, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}})
//	…
//	fmt.Println(result.Connect.At, result.Failures)
//
// # Lines
//
// A line ends with the line, but not within brackets. // and /* */ are comments.
//
// Options come first: --link=ethernet, --ipv6, --delay=.010 (of the link, one way), --mtu=1500, --until=60 (when the
// run is cut off), --fault="drop server SYN,ACK#1" (as often as needed, see netns.ParseFault), --needs="ECN" (what only
// some stacks can do, see netns.Needed; others do not run the story) or --needs="server SYN cookies" (what the server's
// has to, and the client's need not), --define=BYTES=5, which puts a number, a word or a string wherever the word BYTES
// stands. The command line overrides them.
//
// An address is a host and a port, as server:80, of the family that the run has; nobody:80 is one that no host has, and
// 192.0.2.2:80 or [2001:db8::2]:80 that very one.
//
// A program's line names a host, as `client:`. A host's lines run one after the other; a call blocks until it
// returns. Before the call may stand a time: `+1` counts from the return of the line before, `1` from the start of
// the run. `client.2:` is a line of a second program on the host, `client.1-100:` one of each of a hundred.
// `client: repeat 100 {` begins lines, without a host, that run a hundred times, up to a `}`.
//
// A result, as `= 0` or `= -1 ECONNREFUSED`, is an expectation. Without it, whatever comes is recorded. The number of
// a descriptor is a label: `socket(…) = 3` calls 3 whatever descriptor the host hands out. A program also knows the
// descriptors that the host's program 1 made, whose lines have no number. A label that was closed names no descriptor
// until it is made again.
//
// Octets written `...` are those of a stream that depends on the seed and on the sender alone (netns.Stream); what is
// received is compared with it, unless the peer sends strings too.
//
// An observer's line has a time first: `.015 state(server 3#1) = SYN-RECEIVED`, where 3#1 is the first connection that
// came to listening socket 3, before and after accept, and `.015 info(client 3, "SND.UNA") = 1` for an item of control
// information. SND.UNA, SND.NXT and RCV.NXT count from the initial sequence number of their direction. Descriptor 3 is
// the socket that it named last, also when it has been closed since. What observers see at a time depends on the run: if
// the command line gives it another delay, MTU, end or value of a word, or more faults, it is recorded and not judged
// (Result.AsWritten). So is what a stack does not let be seen (Result.NotObservable).
//
// The world's lines have a time first, too: `1 reboot server`, `2 link down`, `2.5 link up`.
//
// At one instant, lines run in the order of the text, after all packets and timers of the instant.
//
// # Limits
//
// A call that is blocked when another program closes its descriptor comes back with EBADF. Scripts of packetdrill, in
// which the peer's packets are written out, are not read yet; nor are UDP, flags of send and recv but
// send's MSG_OOB, and messages (sendmsg).
package script
