package handwritten

import "slices"

// A ring holds octets in the order in which they were written, in memory of a fixed size. The zero value has no memory.
type ring struct {
	memory []byte
	head   int // where the first octet is
	n      int // how many there are
}

func (r *ring) free() int { return len(r.memory) - r.n }

// pieces are n octets from the offset off on, in the two pieces that they are in where the ring turns.
func (r *ring) pieces(off, n int) (one, two []byte) {
	if n == 0 {
		return nil, nil
	}
	start := r.head + off
	if start >= len(r.memory) {
		start -= len(r.memory)
	}
	if over := start + n - len(r.memory); over > 0 {
		return r.memory[start:], r.memory[:over]
	}
	return r.memory[start : start+n], nil
}

// put writes p at the offset off, which may lie behind the octets that there are: they are not counted yet.
func (r *ring) put(off int, p []byte) {
	one, two := r.pieces(off, len(p))
	copy(two, p[copy(one, p):])
}

// write adds as much of p as there is room for.
func (r *ring) write(p []byte) int {
	n := min(len(p), r.free())
	r.put(r.n, p[:n])
	r.n += n
	return n
}

// read takes out as many octets as p has room for.
func (r *ring) read(p []byte) int {
	n := min(len(p), r.n)
	one, two := r.pieces(0, n)
	copy(p[copy(p, one):], two)
	r.drop(n)
	return n
}

// drop forgets the first n octets.
func (r *ring) drop(n int) {
	r.n -= n
	if r.head += n; r.head >= len(r.memory) {
		r.head -= len(r.memory)
	}
}

// poolSize is how many rings a stack keeps for later connections.
const poolSize = 16

// ring makes a ring of a size, from memory that an earlier connection has left if there is some.
func (s *stack) ring(size int) ring {
	for i := len(s.pool) - 1; i >= 0; i-- {
		if m := s.pool[i]; len(m) == size {
			s.pool = append(s.pool[:i], s.pool[i+1:]...)
			return ring{memory: m}
		}
	}
	return ring{memory: make([]byte, size)}
}

// release gives a ring's memory back, in the place of the oldest where there is no room. What stands in it is not cleared.
func (s *stack) release(r *ring) {
	if r.memory != nil {
		if len(s.pool) == poolSize {
			s.pool = slices.Delete(s.pool, 0, 1)
		}
		s.pool = append(s.pool, r.memory)
	}
	*r = ring{}
}
