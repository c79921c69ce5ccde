// Blocking Go in virtual time: a client and a server written as with package net. A second passes in no time, and the run is the
// same whenever it is run.
package main

import (
	"fmt"
	"io"
	"log"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/trace"
)

func main() {
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
		question, err := io.ReadAll(c)
		fmt.Printf("%v the server was asked %q, %v\n", sb.Now(), question, err)
		server.Sleep(time.Second)
		fmt.Fprint(c, "Not yet.")
		c.Close()
	})
	client.Go(func() {
		c, err := client.Dial("tcp", "server:80")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(c, "Are we there?")
		c.(*netns.Conn).CloseWrite()
		_ = c.SetReadDeadline(client.Now().Add(500 * time.Millisecond))
		_, err = io.ReadAll(c)
		fmt.Printf("%v %v\n", sb.Now(), err)
		_ = c.SetReadDeadline(time.Time{})
		answer, err := io.ReadAll(c)
		fmt.Printf("%v the client was answered %q, %v\n", sb.Now(), answer, err)
		c.Close()
	})
	t, err := sb.Run()
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range t.Events {
		if r, ok := e.Detail.(*trace.Return); ok && e.Host == netns.Client {
			fmt.Printf("%v %v = %v\n", e.At, t.Event(r.Call).Detail.(*trace.Call), r)
		}
	}
}
