// Reading a trace: which segments crossed the link, and what became of each socket.
//
//	go run ./cmd/connectlab run --out plain.trace
//	go run ./examples/readtrace plain.trace
//
// Without a file it makes a trace of its own first, and reads that.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"
)

func main() {
	var from io.Reader
	name := "plain"
	if len(os.Args) > 1 {
		f, err := os.Open(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		defer f.Close()
		from, name = f, os.Args[1]
	} else {
		from = plain()
	}
	t, err := trace.Read(from, name, wire.Decode)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range t.Events {
		if s, ok := e.Detail.(*trace.Sent); ok && s.Packet.Kind == trace.PacketTCP {
			fmt.Printf("%v %s sends %v, %d octets of data, because of event %d\n",
				e.At, e.Host, s.Packet.TCP.Flags, s.Packet.TCP.DataLen, e.Cause)
		}
	}
	for _, s := range trace.Sockets(t) {
		fmt.Printf("%s, socket %d:", s.Host, s.Number)
		for _, stay := range s.Stays {
			fmt.Printf(" %v", stay.State)
		}
		fmt.Println()
	}
}

// plain runs the plain story and returns the file that it would have left.
func plain() io.Reader {
	s, err := script.Builtin("plain")
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	cfg := netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1, Writer: &file}
	if _, err := script.Run(s, cfg); err != nil {
		log.Fatal(err)
	}
	return &file
}
