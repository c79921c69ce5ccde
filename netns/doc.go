// Package netns is the sandbox in which connects are run: two hosts, each with a TCP/IP stack, a link between them, a
// clock, and the driver that works them. It is not about the network namespaces of Linux: both hosts live in this
// process, no privilege is needed, and no packet leaves it.
//
//	sb, err := netns.New(netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
//	…
//	sb.Program(netns.Server, "server", netns.Calls(
//		netns.Call{Op: netns.OpSocket}, netns.Call{Op: netns.OpBind, FD: 3, Addr: server},
//		netns.Call{Op: netns.OpListen, FD: 3, N: 128}, netns.Call{Op: netns.OpAccept, FD: 3}))
//	sb.Program(netns.Client, "client", netns.Calls(
//		netns.Call{Op: netns.OpSocket}, netns.Call{Op: netns.OpConnect, FD: 3, Addr: server}))
//	t, err := sb.Run()
//
// The ideas in order. Only the driver works: stacks, link and timers act when it asks. It makes one step after the
// other, and each step is one stimulus: a packet that is delivered, a call, or a timer. Then it lets the stack settle,
// looks at the sockets that the stimulus touched, takes the packets that they sent, and tries blocked calls again on
// these sockets. So the cause of everything is known, and a run is the same whenever it is run: time, randomness and
// order come from the sandbox. What happened is in the trace that Run returns.
//
// A stack of one's own takes part by implementing Stack and Socket, as examples/mystack does in less than a hundred lines; one that
// lets its sockets be looked at implements Inspector and Reporter as well.
//
// # Blocking Go
//
// Instead of a Program a host can run Go code that is written as with package net: Sandbox.Host, and its Dial, Listen and
// Go, whose connections are net.Conn.
//
//	client := sb.Host(netns.Client)
//	client.Go(func() {
//		c, err := client.Dial("tcp", "server:80")
//		…
//		_ = c.SetReadDeadline(client.Now().Add(time.Second))
//		n, err := c.Read(b)
//	})
//
// Beneath, each goroutine is a program whose next call comes from a Conn, so the record and its causes are the same, and
// in virtual time a run with goroutines is as repeatable as any: one of them runs at a time, and the driver waits
// until it blocks again, or ends. What it may do meanwhile is with Host.
//
// # Real time
//
// With Config.RealTime the driver waits before each step until the wall clock has come to its time. It is the same loop; a
// run of programs leaves the same record, whose header tells it. Calls of goroutines are let in while it waits, at the time that it is then, from
// whatever goroutine they come: so code that has goroutines and clocks of its own, such as net/http, runs unchanged, and
// then no two runs need be the same.
//
// Alternatives considered. Goroutines as coroutines (iter.Pull) would hand control over faster, but nobody could then
// watch one that does not give it back: the driver stands still inside it. testing/synctest would let goroutines block on
// channels, too, but hangs with a stack that has goroutines of its own. In real time, holding goroutines to
// one at a time would make such runs no more repeatable, and net/http impossible.
//
// # Limits
//
// Two hosts, one link, one address a host: of IPv4, or of IPv6 (Config.Family). In virtual time a run takes as long as its
// packets take to be worked on.
package netns
