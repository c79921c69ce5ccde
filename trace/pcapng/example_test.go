package pcapng_test

import (
	"bytes"
	"fmt"
	"log"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/pcapng"
)

// A story's packets go out as a capture and come back as a trace, from which the states can be told again.
func ExampleRead() {
	story, err := script.Builtin("plain")
	if err != nil {
		log.Fatal(err)
	}
	result, err := script.Run(story, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}})
	if err != nil {
		log.Fatal(err)
	}
	var capture bytes.Buffer
	if err := pcapng.Write(&capture, result.Trace, pcapng.Wire); err != nil {
		log.Fatal(err)
	}
	summary, err := pcapng.Read(&capture, "wire.pcapng", func(c *pcapng.Connection) error {
		for _, e := range c.Trace.Events {
			if s, ok := e.Detail.(*trace.StateChange); ok {
				fmt.Printf("frame %2d  %-6s  %v (%v)\n", c.Frames[e.N-1], e.Host, s.To, s.Source)
			}
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d frames, %d of TCP, %d connection\n", summary.Frames, summary.TCP, summary.Connections)
	// Output:
	// frame  1  client  SYN-SENT (inferred)
	// frame  2  server  SYN-RECEIVED (inferred)
	// frame  2  client  ESTABLISHED (inferred)
	// frame  3  server  ESTABLISHED (inferred)
	// frame  8  client  FIN-WAIT-1 (inferred)
	// frame  8  server  CLOSE-WAIT (inferred)
	// frame  9  client  FIN-WAIT-2 (inferred)
	// frame 10  server  LAST-ACK (inferred)
	// frame 10  client  TIME-WAIT (inferred)
	// frame 11  server  CLOSED (inferred)
	// 11 frames, 11 of TCP, 1 connection
}
