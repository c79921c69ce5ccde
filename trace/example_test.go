package trace_test

import (
	"bytes"
	"fmt"
	"log"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// A trace is read whole, and each event tells what caused it.
func ExampleRead() {
	file, err := runStory("plain") // or os.Open("plain.trace")
	if err != nil {
		log.Fatal(err)
	}
	t, err := trace.Read(bytes.NewReader(file), "plain.trace", wire.Decode)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range trace.Sockets(t) {
		fmt.Print(s.Host, " ", s.Number, ":")
		for _, stay := range s.Stays {
			fmt.Print(" ", stay.State)
		}
		fmt.Println()
	}
	// Output:
	// server 1: CLOSED CLOSED LISTEN CLOSED
	// client 1: CLOSED SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED
	// server 2: SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED
}

// Sequence numbers are compared on a circle.
func ExampleSeq_Less() {
	last := trace.Seq(0xffffffff)
	fmt.Println(last.Less(last.Add(10)), last.Add(10))
	// Output: true 9
}
