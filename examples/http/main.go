// An HTTP client and an HTTP server of net/http, as they are, talk across the sandbox in real time. Then the request is
// looked for in the trace.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/trace"
)

func main() {
	sb, err := netns.New(netns.Config{
		Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1,
		RealTime: true, Wall: &netns.Wall{Now: time.Now, After: time.After},
	})
	if err != nil {
		log.Fatal(err)
	}
	server, client := sb.Host(netns.Server), sb.Host(netns.Client)
	client.Go(func() {
		defer sb.Stop()
		l, err := server.Listen("tcp", "server:80")
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "You asked for %s.", r.URL.Path)
			}))
		}()
		web := http.Client{Transport: &http.Transport{DialContext: client.DialContext}}
		answer, err := web.Get("http://server/books")
		if err != nil {
			log.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", answer.Status, body)
	})
	t, err := sb.Run()
	if err != nil {
		log.Fatal(err)
	}
	for _, words := range []string{"GET /books HTTP/1.1", "HTTP/1.1 200 OK"} {
		for _, e := range t.Events {
			if sent, ok := e.Detail.(*trace.Sent); ok && bytes.Contains(sent.Packet.Data(), []byte(words)) {
				fmt.Printf("event %d: the %s sends %q to port %d\n", e.N, e.Host, words, sent.Packet.TCP.DstPort)
			}
			if arrived, ok := e.Detail.(*trace.Arrived); ok && bytes.Contains(arrived.Packet.Data(), []byte(words)) {
				fmt.Printf("event %d: it arrives at the %s\n", e.N, e.Host)
			}
		}
	}
}
