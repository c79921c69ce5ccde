package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// ErrNoTCP is wrapped by the error of a capture in which no TCP segment could be read.
var ErrNoTCP = errors.New("no TCP inside")

// An Error says why a capture cannot be read, or cannot be read further.
type Error struct {
	File   string // as it was given to Read
	Frame  int    // the last frame that was read whole, from 1; 0: none
	Offset int64  // how many octets of the file were good
	Err    error  // what is wrong; test it for trace.ErrTruncated, ErrNoTCP or the reader's own error
}

// Error prints the file, and where in it something is wrong.
func (e *Error) Error() string {
	switch {
	case e.Offset == 0:
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	case e.Frame == 0:
		return fmt.Sprintf("%s: at octet %d: %v", e.File, e.Offset, e.Err)
	}
	return fmt.Sprintf("%s: behind frame %d, at octet %d: %v", e.File, e.Frame, e.Offset, e.Err)
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// A Summary counts the frames of a capture: each is one of TCP, Other and Unreadable.
type Summary struct {
	Frames int
	// TCP are segments with their whole header: those of connections.
	TCP int
	// Other are frames without IP, packets of another protocol, and fragments, which are not put together.
	Other int
	// Unreadable are packets that were captured only in part, up to within a header, or whose headers cannot be.
	Unreadable int
	// Connections are how many were handed out, each counted once whatever its parts.
	Connections int
	// Split are how many of them came in more than one part, or were given up for others while they were open: long ones,
	// and where more are open at once than there is room for.
	Split int
}

// Read reads a capture, pcap or pcapng, and hands its TCP connections to each, which gets a connection when it is over, else
// at the end of the capture; a long one in parts. The order is the same in each reading. name stands in errors.
//
// A Connection and all that it points to are each's only until it returns: they are used again. An error of each ends the
// reading and is returned as it is.
//
// Every other error is an *Error: the file is no capture, ends within a frame or is damaged (what came before is handed out
// first), has a link type that is not read, or no TCP. The Summary counts as far as the file was read.
func Read(r io.Reader, name string, each func(*Connection) error) (Summary, error) {
	rd := reader{flows: newFlows(each)}
	if err := rd.file.open(r); err != nil {
		return rd.sum, &Error{File: name, Err: err}
	}
	err := rd.read()
	rd.sum.Connections, rd.sum.Split = rd.flows.handed, rd.flows.split
	if failed := rd.flows.failed; failed != nil {
		return rd.sum, failed
	}
	if err != nil {
		return rd.sum, &Error{File: name, Frame: rd.sum.Frames, Offset: rd.whole, Err: err}
	}
	if rd.sum.TCP == 0 {
		return rd.sum, &Error{File: name, Err: rd.noTCP()}
	}
	return rd.sum, nil
}

// reader is a Read in progress.
type reader struct {
	file  file
	flows *flows
	sum   Summary
	whole int64 // octets of the file that were good

	last    int64  // the time of the frame before, for frames without
	filled  []byte // see withLength
	unknown link   // the first link type that could not be read, of a file with several
	strange bool   // there was one
}

func (r *reader) read() error {
	var rec record
	var p trace.Packet
	for {
		r.whole = r.file.offset
		switch err := r.file.next(&rec); {
		case errors.Is(err, io.EOF):
			return r.flows.end()
		case err != nil:
			// What came before the damage is whole.
			if endErr := r.flows.end(); endErr != nil {
				return endErr
			}
			return err
		}
		r.sum.Frames++
		if rec.at < 0 {
			rec.at = r.last
		}
		if r.last = rec.at; r.sum.Frames == 1 {
			r.flows.began = rec.at
		}
		if !r.packet(&rec, &p) {
			continue
		}
		if err := r.flows.add(&p, rec.at, r.sum.Frames); err != nil {
			return err
		}
	}
}

// packet decodes a frame. It reports whether it is a TCP segment.
func (r *reader) packet(rec *record, p *trace.Packet) bool {
	if !rec.link.known() {
		if !r.strange {
			r.unknown, r.strange = rec.link, true
		}
		r.sum.Other++
		return false
	}
	octets, length, content := rec.link.ip(rec.octets, rec.length)
	switch content {
	case contentOther:
		r.sum.Other++
		return false
	case contentShort:
		r.sum.Unreadable++
		return false
	case contentIP:
	}
	p.Octets, p.Len = r.withLength(octets, length), length
	wire.Decode(p)
	if p.Malformed != "" {
		r.sum.Unreadable++
		return false
	}
	if p.Kind != trace.PacketTCP {
		r.sum.Other++
		return false
	}
	// What stands behind the datagram fills a short frame up and is no part of it.
	if total := p.IP.HeaderLen + p.TCP.HeaderLen + p.TCP.DataLen; p.Len > total {
		p.Len = total
		p.Octets = p.Octets[:min(len(p.Octets), total)]
	}
	p.AsCaptured()
	r.sum.TCP++
	return true
}

// withLength writes the total length into an IPv4 header that has 0 there, as captures show what the network card is still to cut up
// (Linux and Windows call it TSO, LSO): what the frame has. The header's checksum is then still to be computed, too. The frame itself stays
// as it is.
func (r *reader) withLength(packet []byte, length int) []byte {
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[2] != 0 || packet[3] != 0 || length > math.MaxUint16 {
		return packet
	}
	r.filled = append(r.filled[:0], packet...)
	binary.BigEndian.PutUint16(r.filled[2:], uint16(length))
	binary.BigEndian.PutUint16(r.filled[10:], 0)
	return r.filled
}

func (r *reader) noTCP() error {
	if r.strange {
		return unknownLink(r.unknown)
	}
	s := r.sum
	return fmt.Errorf("%w: %d frames, of which %d are something else and %d cannot be read", ErrNoTCP, s.Frames, s.Other, s.Unreadable)
}

// date is a time in nanoseconds since 1970 as a date.
func date(at int64) time.Time { return time.Unix(0, min(at, math.MaxInt64)).UTC() }
