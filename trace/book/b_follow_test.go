package book

import (
	"testing"
)

// TestWhatArrivesBehindAGapIsKept: however many segments are in flight when one is lost, what had arrived is known once it is
// filled; and where more gaps are open than are followed, that it is not known.
func TestWhatArrivesBehindAGapIsKept(t *testing.T) {
	tests := []struct {
		name   string
		arrive func(take func(from, to int64, fin bool))
		rcvNxt int64
		unsure bool
	}{
		{"2000 segments in order", func(take func(int64, int64, bool)) {
			for i := range int64(2000) {
				take(11+10*i, 21+10*i, false)
			}
			take(1, 11, false)
		}, 20011, false},
		{"2000 segments, the last first, with a FIN", func(take func(int64, int64, bool)) {
			for i := range int64(2000) {
				take(20001-10*i, 20011-10*i, i == 0)
			}
			take(1, 11, false)
		}, 20012, false},
		{"every other, then those between", func(take func(int64, int64, bool)) {
			for i := range int64(1000) {
				take(11+20*i, 21+20*i, false)
			}
			for i := range int64(1001) {
				take(1+20*i, 11+20*i, false)
			}
		}, 20011, false},
		{"a FIN alone behind the gap", func(take func(int64, int64, bool)) {
			take(21, 21, true)
			take(11, 21, false)
			take(1, 11, false)
		}, 22, false},
		{"a longer one over both sides of a gap", func(take func(int64, int64, bool)) {
			take(11, 21, false)
			take(31, 41, true)
			take(5, 31, false)
			take(1, 6, false)
		}, 42, false},
		{"more gaps than are followed", func(take func(int64, int64, bool)) {
			for i := range int64(maxBeyond + 1) {
				take(11+20*i, 21+20*i, false)
			}
			take(1, 11, false)
		}, 21, true},
	}
	for _, tt := range tests {
		h := tcb{rcvNxt: 1, rcvLeast: 1, rcvEdge: 1 << 30}
		tt.arrive(func(from, to int64, fin bool) { h.take(span{from, to, fin}, false) })
		if h.rcvNxt != tt.rcvNxt || h.unsure != tt.unsure {
			t.Errorf("%s: all has arrived up to %d, unsure %v; want %d, %v", tt.name, h.rcvNxt, h.unsure, tt.rcvNxt, tt.unsure)
		}
	}
}
