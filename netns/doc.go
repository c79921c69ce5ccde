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
// A stack of one's own takes part by implementing Stack and Socket; one that lets its sockets be looked at implements
// Inspector and Reporter as well.
//
// # Limits
//
// Two hosts, one link, one address a host: of IPv4, or of IPv6 (Config.Family). Time is virtual; a run takes as long as its
// packets take to be worked on.
package netns
