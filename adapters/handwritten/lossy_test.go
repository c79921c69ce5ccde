package handwritten_test

import (
	"flag"
	"fmt"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

var lossySeeds = flag.Int("lossy-seeds", 3, "over how many bad links TestLossyBulk carries octets (in full: 200)")
var lossyOctets = flag.Int("lossy-octets", 100_000, "how many octets TestLossyBulk carries each way (in full: 1000000)")

// bulks are ways to send so many octets both ways: one after the other, and at once. Each side reads to the end of data.
var bulks = map[string]string{
	"in turn": `
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: sendall(4, BYTES) = BYTES
server: shutdown(4, SHUT_WR) = 0
server: recvall(4) = BYTES
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: recvall(3) = BYTES
client: sendall(3, BYTES) = BYTES
client: close(3) = 0
`,
	"at once": `
--until=7200

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: 30 sendall(4, BYTES) = BYTES
server: shutdown(4, SHUT_WR) = 0
server: 3600 close(4) = 0
server.2: 30 recvall(4) = BYTES

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: 30 sendall(3, BYTES) = BYTES
client: shutdown(3, SHUT_WR) = 0
client: 3600 close(3) = 0
client.2: 30 recvall(3) = BYTES
`,
}

// badLink loses, doubles and reorders packets of both hosts.
func badLink(percent float64) (faults []netns.Fault) {
	for _, host := range []string{netns.Client, netns.Server} {
		for _, a := range []netns.FaultAction{netns.FaultDrop, netns.FaultDuplicate, netns.FaultReorder} {
			faults = append(faults, netns.Fault{Action: a, Host: host, Percent: percent})
		}
	}
	return faults
}

// TestLossyBulk: over a bad link the same octets arrive, each connection ends, and its states are a way of the RFC's machine.
//
// The full count, in one command:
//
//	go test ./adapters/handwritten -run LossyBulk -v -timeout 2h -lossy-seeds 200 -lossy-octets 1000000
func TestLossyBulk(t *testing.T) {
	for name, text := range bulks {
		story, err := script.Parse(name, fmt.Sprintf("--define=BYTES=%d\n%s", *lossyOctets, text))
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range pairs() {
			t.Run(pair.name+" "+name, func(t *testing.T) {
				faults := 0
				for seed := range uint64(*lossySeeds) {
					faults += lossyRun(t, story, netns.Config{
						Client: pair.client, Server: pair.server, Seed: seed, Faults: badLink(2), OmitData: true, Record: netns.RecordNoControl,
					})
				}
				t.Logf("%d links with %d faults, %d octets each way", *lossySeeds, faults, *lossyOctets)
			})
		}
	}
}

// lossyRun runs a story over a bad link, and tells what that did to how many packets.
func lossyRun(t *testing.T, story *script.Story, config netns.Config) (faults int) {
	r, err := script.Run(story, config)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failures {
		t.Errorf("seed %d: %v", config.Seed, f)
	}
	for _, e := range rfc9293.Paths(r.Trace) {
		t.Errorf("seed %d: %v", config.Seed, &e)
	}
	if r.End.Reason != trace.Finished {
		t.Errorf("seed %d: the run ended %v at %v, want finished", config.Seed, r.End.Reason, r.End.At)
	}
	for i := range r.Trace.Events {
		if _, ok := r.Trace.Events[i].Detail.(*trace.Fate); ok {
			faults++
		}
	}
	return faults
}

type pair struct {
	name           string
	client, server netns.Factory
}

// pairs are those of gVisor's stack and this one, with and without options.
func pairs() []pair {
	plain, all := &handwritten.Factory{}, &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true}
	gv := &gvisor.Factory{}
	return []pair{
		{"gVisor to gVisor", gv, gv},
		{"handwritten to handwritten", plain, plain}, {"gVisor to handwritten", gv, plain}, {"handwritten to gVisor", plain, gv},
		{"all options", all, all}, {"gVisor to all options", gv, all}, {"all options to gVisor", all, gv}, {"all options to none", all, plain},
	}
}
