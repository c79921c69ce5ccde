package script_test

import (
	"fmt"
	"log"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
)

// A story from a text, run on two gVisor stacks.
func Example() {
	s, err := script.Parse("lost.story", `
--fault="drop client SYN#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0

.5 state(client 3) = ESTABLISHED
`)
	if err != nil {
		log.Fatal(err)
	}
	r, err := script.Run(s, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("connect() returned", r.Connect.Result, "after", r.Connect.At)
	for _, f := range r.Failures {
		fmt.Println(f)
	}
	// Output:
	// connect() returned 0 after 1.02s
	// line 11: .5 state(client 3) = ESTABLISHED: expected ESTABLISHED, got SYN-SENT
}
