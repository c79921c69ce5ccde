package rfc9293_test

import (
	"fmt"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// The states of one side of a connection, by its segments.
func ExampleEndpoint() {
	var client rfc9293.Endpoint
	sent := func(s trace.Segment) {
		client.Sent(&s)
		fmt.Println("sent   ", s.Flags, client.State)
	}
	arrived := func(s trace.Segment) {
		client.Arrived(&s)
		fmt.Println("arrived", s.Flags, client.State)
	}
	sent(trace.Segment{Seq: 100, Flags: trace.SYN})
	arrived(trace.Segment{Seq: 300, Ack: 101, Flags: trace.SYN | trace.ACK})
	sent(trace.Segment{Seq: 101, Ack: 301, Window: 1000, Flags: trace.FIN | trace.ACK})
	arrived(trace.Segment{Seq: 301, Ack: 101, Flags: trace.FIN | trace.ACK}) // it crosses ours
	arrived(trace.Segment{Seq: 302, Ack: 102, Flags: trace.ACK})
	fmt.Println("SND.UNA", client.SndUna, "RCV.NXT", client.RcvNxt)
	// Output:
	// sent    SYN SYN-SENT
	// arrived SYN,ACK ESTABLISHED
	// sent    FIN,ACK FIN-WAIT-1
	// arrived FIN,ACK CLOSING
	// arrived ACK TIME-WAIT
	// SND.UNA 102 RCV.NXT 302
}

// What is wrong with a trace in which a connect() succeeds and no SYN has come.
func ExamplePaths() {
	r := trace.NewRecorder(trace.Header{Hosts: []trace.HostInfo{{Name: "client"}}})
	socket := r.Call(0, "client", 0, trace.Call{Name: "socket"})
	r.State(0, "client", 1, socket, trace.StateChange{To: trace.Closed})
	connect := r.Call(0, "client", 1, trace.Call{Name: "connect"})
	r.State(0, "client", 1, connect, trace.StateChange{From: trace.Closed, To: trace.Established})
	t, err := r.Finish(trace.End{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range rfc9293.Paths(t) {
		fmt.Println(&p)
	}
	// Output:
	// event 4: socket 1 of client, CLOSED to ESTABLISHED (sampled): no edge leads there by what happened: OPEN active (event 3)
}

// The edges that a story goes along.
func ExampleCovered() {
	story, err := script.Builtin("simultaneous-close")
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := script.Run(story, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range rfc9293.Covered(result.Trace) {
		fmt.Printf("%s → %v: RFC 9293, Section %s, %d time(s)\n", c.Edge.ID, c.Edge.To, c.Edge.Section, len(c.Events))
	}
	// Output:
	// CLOSED: OPEN passive → LISTEN: RFC 9293, Section 3.10.1, 1 time(s)
	// CLOSED: OPEN active → SYN-SENT: RFC 9293, Section 3.10.1, 1 time(s)
	// LISTEN: SYN → SYN-RECEIVED: RFC 9293, Section 3.10.7.2, 1 time(s)
	// SYN-SENT: SYN,ACK with the ACK of its SYN → ESTABLISHED: RFC 9293, Section 3.10.7.3, 1 time(s)
	// SYN-RECEIVED: ACK of its SYN → ESTABLISHED: RFC 9293, Section 3.10.7.4, 1 time(s)
	// ESTABLISHED: CLOSE → FIN-WAIT-1: RFC 9293, Section 3.10.4, 2 time(s)
	// FIN-WAIT-1: FIN in order → CLOSING: RFC 9293, Section 3.10.7.4, 2 time(s)
	// CLOSING: ACK of its FIN → TIME-WAIT: RFC 9293, Section 3.10.7.4, 2 time(s)
	// TIME-WAIT: TIME-WAIT timeout → CLOSED: RFC 9293, Section 3.10.8, 2 time(s)
}

// Where a stack does otherwise than the RFC has it: gVisor gives a SYN up after two minutes.
func ExampleAnswers() {
	story, err := script.Builtin("silent-host")
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := script.Run(story, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range rfc9293.Answers(result.Trace) {
		if a.Keeping == rfc9293.Breaks {
			fmt.Println(&a)
			fmt.Println(a.Rule.Requirement, a.Rule.Key())
		}
	}
	// Output:
	// event 48: socket 1 of client, SYN-SENT: breaks "SYN-SENT: user timeout" (Section 3.8.3) by event 49: after 2m7s
	// MUST-23 rfc.rule.syn-sent-user-timeout
}
