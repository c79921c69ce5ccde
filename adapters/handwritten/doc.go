// Package handwritten is a TCP that follows RFC 9293 rule by rule, made to be read beside it. It shares no code with other stacks,
// nor with what judges them: it has header code of its own.
//
//	sb, err := netns.New(netns.Config{Client: &handwritten.Factory{}, Server: &handwritten.Factory{}})
//
// The ideas in order: a stack is called and answers at once, it has no goroutine and no clock (stack.go); octets become a
// segment and back (header.go); a connection is a record of the variables of Section 3.3.1 (tcb.go), with names and a first number
// (names.go); what a segment does to it is Section 3.10.7, step by step (arrive.go, reassembly.go), and what an ICMP message does
// Section 3.9.2.2 (icmp.go); what may be sent now is one question, asked after each change (send.go), and how much the network can
// bear is another (congestion.go); what nobody asked for comes from a timer (timer.go); the calls are those of Section 3.9.1, as BSD
// has them (socket.go, options.go); and all of it can be looked at (report.go).
//
// A section without a number of an RFC is one of RFC 9293, and so are MUST-1, SHLD-1 and MAY-1.
//
// # Limits
//
// A host has one address, of one family; Ethernet is not spoken, and fragments are not put together. There are no SYN cookies. Blocks
// of SACK are sent, and not read: recovery is that of RFC 6582. Urgent octets stay among the data, and no call tells where they
// are. Buffers have the size that they got when the connection began; to set an option later changes that of the next one.
// Path MTU discovery is not done: packets may be fragmented on their way. While a listener's accept queue is full, the ACK that
// would complete a connection is dropped. Declared has the rows of RFC 9293's table of transitions that it does not do.
package handwritten
