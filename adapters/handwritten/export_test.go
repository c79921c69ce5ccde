package handwritten

import "connectlab/netns"

// Held is how much a stack keeps: records of connections and of listeners, bound ports, timers that are armed, and what listeners
// count as half open. A stack at rest keeps nothing.
type Held struct{ Connections, Listeners, Bound, Timers, Waiting int }

// HeldBy tells what a stack keeps.
func HeldBy(n netns.Stack) Held {
	s := n.(*stack)
	return Held{Connections: len(s.connections), Listeners: len(s.listeners), Bound: len(s.bound), Timers: len(s.timers.heap), Waiting: s.out.n}
}

// MemoryOf is the memory that a socket has for octets to send and for octets that arrive.
func MemoryOf(n netns.Socket) (send, receive int) {
	c := n.(*tcb)
	return len(c.sndBuf.memory), len(c.rcvBuf.memory)
}
