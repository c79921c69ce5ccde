// Package rfc9293 is the state machine of RFC 9293 as a table, and what can be judged by it: whether the states of a trace
// form a path, which edges they went along, and in which states the two sides of a packet capture must have been. A second table has
// what the RFC owes to whatever a connection meets, and tells whether the stack kept to it.
//
//	for _, p := range rfc9293.Paths(t) {
//		fmt.Println(&p) // event 43: socket 1 of client, ESTABLISHED to CLOSED (sampled): nothing happened that …
//	}
//	for _, a := range rfc9293.Answers(t) {
//		fmt.Println(&a) // event 31: socket 1 of client, ESTABLISHED: keeps "connection: data in order" (Section 3.8.6.3) by event 33
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
// The other table (Rules) has a row for each thing that Section 3.10 has an answer to, also where no state changes: a segment that draws a
// RST, a challenge ACK or nothing, a call that sends a FIN, a timer that sends something again. Answers tells of each that was met
// whether the rule was kept. Breaks is a hard word, so it is said only of what no reading of the RFC permits: what is advised, what one of two
// texts allows, and what may have been left out because the same was said a moment before is Open; what the trace cannot show is
// NotObservable; and of what could be one thing or another by what is known nothing is said.
//
// # Limits
//
// Of the paths: self loops are no rows: that a segment is ignored, or answered and then ignored, changes no state. Security and
// compartment (Appendix A.1) are left out. Names of timers are the stack's own: a timer that ran out is the time that the
// state waits for, if it waits for one; whether it was long enough is not looked at. Nor is whether a FIN goes out with its
// CLOSE, or an ACK with what came: both may wait. A connection that a SYN cookie makes anew from an old segment stays CLOSED for an
// Endpoint.
//
// Of the answers: an answer that is owed at once is looked for in the step of what was met. How soon a retransmission timer runs out is not
// measured, but that it does not run out sooner each time, and that a SYN waits for a second. Congestion control, the silly window, urgent data and
// options are left out, and so are the errors that calls return.
package rfc9293
