// A fault plan of one's own: a story written here, the link's rules beside it, and how long connect() took under each.
package main

import (
	"fmt"
	"log"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
)

const story = `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
`

func main() {
	s, err := script.Parse("connect.story", story)
	if err != nil {
		log.Fatal(err)
	}
	for _, plan := range [][]string{
		{},
		{"drop client SYN#1"},
		{"drop client SYN#1-2"},
		{"drop server SYN,ACK#1"},
		{"drop client ACK#1"},
		{"delay server any .250"},
	} {
		cfg := netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1}
		for _, rule := range plan {
			f, err := netns.ParseFault(rule)
			if err != nil {
				log.Fatal(err)
			}
			cfg.Faults = append(cfg.Faults, f)
		}
		r, err := script.Run(s, cfg)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%-28q connect() = %d after %v\n", plan, r.Connect.Result, r.Connect.At)
	}
}
