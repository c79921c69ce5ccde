package main

import (
	"fmt"
	"log"
	"os"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/compare"
	"connectlab/netns/script"
	"connectlab/trace/diff"
	"connectlab/trace/view"
)

func main() {
	var grids []*diff.Grid
	for _, name := range []string{"plain", "refused", "simultaneous-close"} {
		story, err := script.Builtin(name)
		if err != nil {
			log.Fatal(err)
		}
		grid, err := compare.Run(story, netns.Config{Seed: 1}, []netns.Factory{&gvisor.Factory{}, &handwritten.Factory{}, factory{}})
		if err != nil {
			log.Fatal(err)
		}
		grids = append(grids, grid)
	}
	if err := view.Grids(os.Stdout, grids, view.Options{Columns: 100}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("\nWhat did not hold:")
	for _, g := range grids {
		for client, row := range g.Cells {
			for server := range row {
				for _, failure := range row[server].Failures {
					fmt.Printf("%s, %s → %s: %s\n", g.Story, g.Stacks[client], g.Stacks[server], failure)
				}
			}
		}
	}
}
