package pcapng

import (
	"encoding/binary"
	"math/bits"
	"time"
)

// Sizes of chunks, octets. The first has room for a handshake, the last ones for many segments.
const (
	firstChunk = 1 << 8
	lastChunk  = 64 << 10
)

// A store has the memory that flows keep frames in: chunks of octets, of sizes that are powers of two. What one flow has given back
// goes to the next.
type store struct {
	free [33][][]byte // by the size's power
	used int          // octets of memory in flows
	held int          // and with what is free
}

// get returns an empty chunk with room for n octets. Chunks of other sizes that are free are given up for it rather than that more
// is held than the budget.
func (s *store) get(n int) []byte {
	class := bits.Len(uint(n - 1))
	size := 1 << class
	s.used += size
	if free := s.free[class]; len(free) > 0 {
		last := len(free) - 1
		chunk := free[last]
		free[last], s.free[class] = nil, free[:last]
		return chunk[:0]
	}
	if s.held += size; s.held > budget {
		clear(s.free[:])
		s.held = s.used
	}
	return make([]byte, 0, size)
}

// put takes back a chunk that came from get.
func (s *store) put(chunk []byte) {
	s.used -= cap(chunk)
	class := bits.Len(uint(cap(chunk) - 1))
	s.free[class] = append(s.free[class], chunk)
}

// kept is what a flow has kept of its frames since it was handed out last: no more than what was captured. Its trace is ten times as large,
// and is made when it is handed out.
type kept struct {
	chunks [][]byte // the last one is being filled
	size   int      // octets of memory
	frames int
}

// A frame is one that is kept.
type frame struct {
	at     time.Duration
	number int    // in the capture
	length int    // of the packet on the wire
	octets []byte // of the packet, from the IP header on
}

// frameHeader is how many octets stand before those of the packet: the time, the number, the length and how many octets there are.
const frameHeader = 8 + 8 + 4 + 4

// keep keeps a frame.
func (s *store) keep(k *kept, f *frame) {
	n := frameHeader + len(f.octets)
	last := len(k.chunks) - 1
	if last < 0 || cap(k.chunks[last])-len(k.chunks[last]) < n {
		// Half of what there is: so at most a third is empty.
		chunk := s.get(max(n, min(max(1<<bits.Len(uint(k.size/2))>>1, firstChunk), lastChunk)))
		k.chunks, last = append(k.chunks, chunk), last+1
		k.size += cap(chunk)
	}
	b := k.chunks[last]
	b = binary.NativeEndian.AppendUint64(b, uint64(f.at))
	b = binary.NativeEndian.AppendUint64(b, uint64(f.number))
	b = binary.NativeEndian.AppendUint32(b, uint32(f.length))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(f.octets)))
	k.chunks[last] = append(b, f.octets...)
	k.frames++
}

// next is the first frame of a chunk, and what follows it.
func next(chunk []byte) (f frame, rest []byte) {
	end := frameHeader + int(binary.NativeEndian.Uint32(chunk[20:]))
	return frame{
		at:     time.Duration(binary.NativeEndian.Uint64(chunk)),
		number: int(binary.NativeEndian.Uint64(chunk[8:])),
		length: int(binary.NativeEndian.Uint32(chunk[16:])),
		octets: chunk[frameHeader:end:end],
	}, chunk[end:]
}

// forget takes back what was kept.
func (s *store) forget(k *kept) {
	for _, chunk := range k.chunks {
		s.put(chunk)
	}
	clear(k.chunks)
	*k = kept{chunks: k.chunks[:0]}
}
