// Package rfc9293 is the state machine of RFC 9293 as a table, and what can be judged by it: whether the states of a trace
// form a path, which edges they went along, and in which states the two sides of a packet capture must have been.
//
//	for _, p := range rfc9293.Paths(t) {
//		fmt.Println(&p) // event 43: socket 1 of client, ESTABLISHED to CLOSED (sampled): nothing happened that …
//	}
//
// The ideas in order.
//
// The table (Edges) has a row for each state, each thing that can happen to it, and the state after that, if it is
// another one: calls, segments, ICMP messages, times that run out. It is Section 3.10 and not Figure 5, which leaves out
// much (each reset but one). What a stack may do and need not is a row with a Variant. Nothing else in the package says
// which state comes after which.
//
// What a segment is, is decided apart from the state that it meets: from the numbers of the connection alone (has this
// ACK our FIN, is that FIN in order, is the RST at RCV.NXT). One segment can be several things, as a FIN that also
// acknowledges ours. So the same code serves for the two that ask the table:
//
//   - An Endpoint goes along it by the segments that one side sent and got, where nothing else is known.
//   - Paths looks for a way from each recorded state to the next, by what happened in the step: each edge on the way needs
//     its stimulus there, in order. A lenient check is worthless, so an edge is not believed without the SYN, the SYN,ACK or the
//     RST that it sends, a variant not without what shows it, an ABORT not without a call, a time not where nothing waits for
//     it, and numbers that do not fit bring nothing.
//
// A record has a socket for each connection, where the machine has one that goes back to LISTEN: that a connection that
// came to a listener ends from SYN-RECEIVED is that edge. So is the end of a TIME-WAIT whose four-tuple a SYN takes over.
//
// # Limits
//
// Self loops are no rows: that a segment is ignored, or answered and then ignored, changes no state. Security and
// compartment (Appendix A.1) are left out. Names of timers are the stack's own: a timer that ran out is the time that the
// state waits for, if it waits for one; whether it was long enough is not looked at. Nor is whether a FIN goes out with its
// CLOSE, or an ACK with what came: both may wait. A connection that a SYN cookie makes anew from an old segment stays CLOSED for an
// Endpoint.
package rfc9293
