package netns

import "encoding/binary"

// A Stream is the octets that one side of each connection sends where a program names no others: octet k depends on
// the seed, on the sending host and on k alone, so the receiver can tell that each is the right one in the right
// place.
type Stream struct{ key uint64 }

// NewStream returns the stream of what a host sends.
func NewStream(seed uint64, host string) Stream {
	k := stackSeed(seed, "stream "+host, 0)
	return Stream{binary.BigEndian.Uint64(k[:])}
}

// word returns octets 8i to 8i+7, the first in the lowest place (the finalizer of splitmix64 over a counter).
func (s Stream) word(i uint64) uint64 {
	z := s.key + (i+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// At returns octet k.
func (s Stream) At(k uint64) byte { return byte(s.word(k/8) >> (8 * (k % 8))) }

// Fill writes the octets from k on into b.
func (s Stream) Fill(b []byte, k uint64) {
	for len(b) > 0 && k%8 != 0 {
		b[0] = s.At(k)
		b, k = b[1:], k+1
	}
	for ; len(b) >= 8; b, k = b[8:], k+8 {
		binary.LittleEndian.PutUint64(b, s.word(k/8))
	}
	for i := range b {
		b[i] = s.At(k + uint64(i))
	}
}

// Mismatch returns the index of the first octet of b that is not the stream's, b[0] standing at k; -1: none.
func (s Stream) Mismatch(b []byte, k uint64) int {
	i := 0
	for ; i < len(b) && (k+uint64(i))%8 != 0; i++ {
		if b[i] != s.At(k+uint64(i)) {
			return i
		}
	}
	for ; len(b)-i >= 8; i += 8 {
		if binary.LittleEndian.Uint64(b[i:]) != s.word((k+uint64(i))/8) {
			break
		}
	}
	for ; i < len(b); i++ {
		if b[i] != s.At(k+uint64(i)) {
			return i
		}
	}
	return -1
}
