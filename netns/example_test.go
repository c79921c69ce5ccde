package netns_test

import (
	"fmt"
	"io"
	"log"
	"net/netip"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/trace"
)

// A connect between two gVisor stacks: who sent what, and why.
func Example() {
	sb, err := netns.New(netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	port := netip.AddrPortFrom(sb.Address(netns.Server), 80)
	server := netns.Calls(
		netns.Call{Op: netns.OpSocket}, netns.Call{Op: netns.OpBind, FD: 3, Addr: port},
		netns.Call{Op: netns.OpListen, FD: 3, N: 128}, netns.Call{Op: netns.OpAccept, FD: 3},
	)
	client := netns.Calls(netns.Call{Op: netns.OpSocket}, netns.Call{Op: netns.OpConnect, FD: 3, Addr: port})
	if err := sb.Program(netns.Server, "server", server); err != nil {
		log.Fatal(err)
	}
	if err := sb.Program(netns.Client, "client", client); err != nil {
		log.Fatal(err)
	}
	t, err := sb.Run()
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range t.Events {
		if s, ok := e.Detail.(*trace.Sent); ok {
			fmt.Printf("%v %s sends %v because of %T\n", e.At, e.Host, s.Packet.TCP.Flags, t.Event(e.Cause).Detail)
		}
	}
	// Output:
	// 0s client sends SYN because of *trace.Call
	// 10ms server sends SYN,ACK because of *trace.Arrived
	// 20ms client sends ACK because of *trace.Arrived
}

// Blocking Go: a client and a server as one writes them with package net.
func ExampleSandbox_Host() {
	sb, err := netns.New(netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	server, client := sb.Host(netns.Server), sb.Host(netns.Client)
	server.Go(func() {
		l, err := server.Listen("tcp", "server:80")
		if err != nil {
			log.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		data, err := io.ReadAll(c)
		fmt.Printf("%v: %q, %v\n", sb.Now(), data, err)
	})
	client.Go(func() {
		c, err := client.Dial("tcp", "server:80")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(c, "hello")
		client.Sleep(time.Second)
		fmt.Println(sb.Now(), c.Close())
	})
	if _, err := sb.Run(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1.02s <nil>
	// 1.03s: "hello", <nil>
}

// Rules of the link are read from text.
func ExampleParseFault() {
	f, err := netns.ParseFault("drop server SYN,ACK#1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f, f.Host, f.Bits, f.First, f.Last)
	_, err = netns.ParseFault("drop server SYN,OK")
	fmt.Println(err)
	// Output:
	// drop server SYN,ACK#1 server SYN,ACK 1 1
	// fault "drop server SYN,OK", column 13: expected control bits (SYN,ACK), data or any, found "SYN,OK"
}
