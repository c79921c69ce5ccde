// A stack of one's own against gVisor: tcp.go is the stack, mystack.go makes it a netns.Stack, and this compares the two as
// client and as server. README.md tells it from the start.
package main

import (
	"log"
	"os"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/compare"
	"connectlab/netns/script"
	"connectlab/trace/diff"
	"connectlab/trace/view"
)

func main() {
	var grids []*diff.Grid
	for _, name := range []string{"plain", "refused", "syn-lost"} {
		story, err := script.Builtin(name)
		if err != nil {
			log.Fatal(err)
		}
		grid, err := compare.Run(story, netns.Config{Seed: 1}, []netns.Factory{&gvisor.Factory{}, factory{}})
		if err != nil {
			log.Fatal(err)
		}
		grids = append(grids, grid)
	}
	if err := view.Grids(os.Stdout, grids, view.Options{}); err != nil {
		log.Fatal(err)
	}
}
