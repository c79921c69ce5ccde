package netns_test

import (
	"bytes"
	"testing"

	"connectlab/netns"

	"pgregory.net/rapid"
)

// TestStreamFill: what Fill writes from any place on is what At says of each octet.
func TestStreamFill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := netns.NewStream(rapid.Uint64().Draw(t, "seed"), netns.Client)
		from := rapid.Uint64().Draw(t, "from")
		got := make([]byte, rapid.IntRange(0, 40).Draw(t, "octets"))
		s.Fill(got, from)
		for i := range got {
			if want := s.At(from + uint64(i)); got[i] != want {
				t.Fatalf("octet %d is %#x, At says %#x", i, got[i], want)
			}
		}
	})
}

// TestStreamMismatch: of octets with one or more wrong ones Mismatch finds the first.
func TestStreamMismatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := netns.NewStream(1, netns.Server)
		from := rapid.Uint64Range(0, 100).Draw(t, "from")
		b := make([]byte, rapid.IntRange(1, 60).Draw(t, "octets"))
		s.Fill(b, from)
		if got := s.Mismatch(b, from); got != -1 {
			t.Fatalf("mismatch at %d where there is none", got)
		}
		first := len(b)
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(b)-1), 1, 3, rapid.ID).Draw(t, "wrong") {
			b[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			first = min(first, i)
		}
		if got := s.Mismatch(b, from); got != first {
			t.Fatalf("mismatch at %d, want %d", got, first)
		}
	})
}

// TestStreamsDiffer: another seed, another direction and another place give other octets.
func TestStreamsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []struct {
		name   string
		stream netns.Stream
		from   uint64
	}{
		{"seed 1 client", netns.NewStream(1, netns.Client), 0},
		{"seed 1 server", netns.NewStream(1, netns.Server), 0},
		{"seed 2 client", netns.NewStream(2, netns.Client), 0},
		{"seed 1 client, 1 octet on", netns.NewStream(1, netns.Client), 1},
		{"seed 1 client, 8 octets on", netns.NewStream(1, netns.Client), 8},
	} {
		b := make([]byte, 16)
		s.stream.Fill(b, s.from)
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%s gives the octets of %s", s.name, other)
		}
		if bytes.Count(b, b[:1]) == len(b) {
			t.Errorf("%s is all %#x", s.name, b[0])
		}
		seen[string(b)] = s.name
	}
}
