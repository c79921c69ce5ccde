// Package diff holds two finished traces against each other: where they part first, what differs there, which rule is about it and who
// keeps it, and what differs behind it.
//
//	r := diff.Compare(a, b, diff.Options{})
//	if r.First != nil {
//		fmt.Println(r.First.A.Event, r.First.B.Event, r.First.Differences, r.First.Ruling.Section)
//	}
//
// The ideas in order.
//
// A trace becomes lanes of moves (side): what a program calls and gets back, what a host sends for a connection, the states that a socket
// comes to, the control information that it holds, what is done to the world. What arrives is no move: it follows from what was sent and
// from its fate. Lanes and moves are named in words that no run chooses (numbering): sequence numbers count from the SYN, ephemeral ports
// in the order in which an address uses them, timestamps from the first, sockets in the order in which a program makes them. What is
// taken out in this way is a Normalization; each can be left out, and each lets differences through that only look like what it takes
// out.
//
// Lane by lane the moves are aligned (align) by what identifies them, and counterparts compared field by field. Absolute times are not
// compared, but how long after what caused it a move is made: after the call or the arrival, and of what a timer brings after the last
// packet before it on the connection. So a segment that is sent again a second late is one difference, and not one for all that comes
// behind it.
//
// What was found is put into the order of the record: by how much of what agrees in both lies before it. The first is the first on both
// sides, and if it is the answer to a packet that differs itself, then that packet.
//
// What one of the traces does not show is no difference, and no agreement: Result.NotCompared tells of it. Control information is
// compared only where both runs have the same stack on a host, since each stack has its own.
//
// Which rule a difference is about is said by package rfc9293 for what a connection or a listener owes to what it meets, and for the rest
// by a table of this package (judge). Where the RFC leaves it to the stack, the sides keep the rule in two ways: open.
//
// OutcomeOf tells in short what came of a trace, and a Grid holds the outcomes of one story, with each of several stacks as client and as server,
// against those of each stack with itself.
//
// # Limits
//
// Behind the first divergence two runs go their own ways, and what is the counterpart of what is a matter of opinion: the rest is counted
// in groups. An alignment is the shortest one up to a bound (Result.Bounded). The identification of IP datagrams and the fields of
// checksums are never compared, nor what an ICMP message quotes, the names of timers, and the stack's own words for states. A four-tuple
// that is used again is taken for a new connection when another socket sends the SYN, or its host was rebooted.
package diff
