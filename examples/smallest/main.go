// The smallest program: a connect between two gVisor stacks, and its ladder.
package main

import (
	"log"
	"net/netip"
	"os"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/trace/view"
)

func main() {
	sb, err := netns.New(netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	port := netip.AddrPortFrom(sb.Address(netns.Server), 80)
	server := netns.Calls(
		netns.Call{Op: netns.OpSocket}, // answers descriptor 3, the lowest that is free
		netns.Call{Op: netns.OpBind, FD: 3, Addr: port},
		netns.Call{Op: netns.OpListen, FD: 3, N: 128},
		netns.Call{Op: netns.OpAccept, FD: 3},
	)
	client := netns.Calls(
		netns.Call{Op: netns.OpSocket},
		netns.Call{Op: netns.OpConnect, FD: 3, Addr: port},
	)
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
	if err := view.Ladder(os.Stdout, t, view.Options{}); err != nil {
		log.Fatal(err)
	}
}
