package diff

import "connectlab/trace"

// A Grid is what came of one story with each of several stacks as client and as server.
type Grid struct {
	Story  string
	Stacks []string
	// Cells are those of each client, and of that those of each server: Cells[client][server], in the order of Stacks.
	Cells [][]Cell
}

// A Cell is one run.
type Cell struct {
	// Lacks is what stacks of this pair cannot do and the story needs. If there is any it was not run, and all else is zero.
	Lacks []Lack
	// Error is why the run could not be made or not be finished; empty: it was.
	Error    string
	Outcome  Outcome
	Failures []string // expectations of the story that did not hold, a sentence each; none of a run that was not finished
	// AsWritten: the run was the one that the story was written for. If not, what observers saw is not among Failures.
	AsWritten bool
	// Differs says in what the outcome differs from those of the pairs of the same stack: of the client's, then of the server's. A cell on the
	// diagonal is held against the first of the diagonal. There is none for a pair that it does not differ from, or that was not run.
	Differs []CellDifference
	Trace   *trace.Trace // nil: it was not kept
}

// A Lack is something that a story needs of a stack that cannot do it.
type Lack struct {
	Host, Stack, Need string
}

// A CellDifference says in what a cell differs from one on the diagonal.
type CellDifference struct {
	With string // the stack of that one
	// Got is what the programs got that is different, Went how it went. A is the cell's, B that of the diagonal.
	Got, Went []Difference
}

// Compare fills Differs of all cells.
func (g *Grid) Compare() {
	diagonal := func(i int) *Cell {
		if c := &g.Cells[i][i]; c.ran() {
			return c
		}
		return nil
	}
	for client := range g.Cells {
		for server := range g.Cells[client] {
			c := &g.Cells[client][server]
			c.Differs = nil
			with := []int{client, server}
			if client == server {
				with = []int{0}
			}
			if !c.ran() {
				continue
			}
			for _, i := range with {
				same := diagonal(i)
				if same == nil || same == c {
					continue
				}
				got, went := c.Outcome.Differs(&same.Outcome)
				if len(got)+len(went) > 0 {
					c.Differs = append(c.Differs, CellDifference{With: g.Stacks[i], Got: got, Went: went})
				}
			}
		}
	}
}

func (c *Cell) ran() bool { return len(c.Lacks) == 0 && c.Error == "" }
