package compare_test

import (
	"fmt"
	"log"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/compare"
	"connectlab/netns/script"
)

// Nobody has connected the socket, and the program sends: it is an error on both stacks, but not the same one.
func Example() {
	story, err := script.Builtin("fresh-send")
	if err != nil {
		log.Fatal(err)
	}
	grid, err := compare.Run(story, netns.Config{Seed: 1}, []netns.Factory{&gvisor.Factory{}, &handwritten.Factory{}})
	if err != nil {
		log.Fatal(err)
	}
	for i, client := range grid.Stacks {
		for j, server := range grid.Stacks {
			fmt.Println(client, "to", server)
			for _, d := range grid.Cells[i][j].Differs {
				for _, got := range d.Got {
					fmt.Printf("  unlike %s: %s: %q, there %q\n", d.With, got.Field, got.A, got.B)
				}
			}
		}
	}
	// Output:
	// gvisor to gvisor
	// gvisor to handwritten
	//   unlike handwritten: errors: "client: send EPIPE", there "client: send ENOTCONN"
	// handwritten to gvisor
	//   unlike gvisor: errors: "client: send ENOTCONN", there "client: send EPIPE"
	// handwritten to handwritten
	//   unlike gvisor: errors: "client: send ENOTCONN", there "client: send EPIPE"
}
