package handwritten

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"

	"connectlab/trace"
)

// initialSequenceNumber is the ISS of a new connection (Section 3.4.1; RFC 6528): a clock that ticks each 4 µs, and what only this
// host can compute of the connection's names.
func (s *stack) initialSequenceNumber(local, remote netip.AddrPort) trace.Seq {
	hash := s.hash(local, remote)
	return trace.Seq(uint32(s.now/(4*time.Microsecond)) + binary.BigEndian.Uint32(hash[:]))
}

// timestampOffset is what a connection's timestamps are ahead of the clock (RFC 7323, Section 5.4): the same for the same names, so
// that the timestamps of a connection that follows another go on (RFC 6191).
func (s *stack) timestampOffset(local, remote netip.AddrPort) uint32 {
	hash := s.hash(local, remote)
	return binary.BigEndian.Uint32(hash[4:])
}

// hash is of the names of a connection, under the host's secret.
func (s *stack) hash(local, remote netip.AddrPort) [sha256.Size]byte {
	var room [32 + 16 + 2 + 16 + 2]byte
	p := append(room[:0], s.secret[:]...)
	a, b := local.Addr().As16(), remote.Addr().As16()
	p = binary.BigEndian.AppendUint16(append(p, a[:]...), local.Port())
	p = binary.BigEndian.AppendUint16(append(p, b[:]...), remote.Port())
	return sha256.Sum256(p)
}

// ephemeralPort is a port for a connection that was bound to none (RFC 6056, Section 3.3.1): one at random from all that are there
// for it, or the next that is free; 0: none is.
func (s *stack) ephemeralPort(remote netip.AddrPort) uint16 {
	const least, many = 1024, 65536 - 1024
	first := s.random.Uint32N(many)
	for i := range uint32(many) {
		port := uint16(least + (first+i)%many)
		if s.connections[tuple{remote, port}] == nil && s.portFree(port) {
			return port
		}
	}
	return 0
}

// portFree tells whether no application has bound a socket to the port.
func (s *stack) portFree(port uint16) bool {
	for _, c := range s.bound {
		if c.local.Port() == port {
			return false
		}
	}
	return true
}
