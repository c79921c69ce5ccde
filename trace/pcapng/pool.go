package pcapng

import "math/bits"

// A pool has slices that are free, by their capacity, which is a power of two.
type pool[T any] struct{ free [32][][]T }

// get returns an empty slice with room for n elements.
func (p *pool[T]) get(n int) []T {
	class := bits.Len(uint(n - 1))
	if free := p.free[class]; len(free) > 0 {
		s := free[len(free)-1]
		p.free[class] = free[:len(free)-1]
		return s[:0]
	}
	return make([]T, 0, 1<<class)
}

// put takes back a slice that came from get.
func (p *pool[T]) put(s []T) {
	if cap(s) > 0 {
		class := bits.Len(uint(cap(s) - 1))
		p.free[class] = append(p.free[class], s)
	}
}
