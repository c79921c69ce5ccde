package pcapng

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"connectlab/trace"
)

// maxCaptured is the longest frame that a file can have, octets: what tcpdump and Wireshark take for the longest.
const maxCaptured = 262144

// maxInterfaces is how many interfaces a section can have: what a hostile file can cost stays in proportion to its size.
const maxInterfaces = 65536

// bufferSize has room for the longest frame with what stands in front of it.
const bufferSize = 2 * maxCaptured

// Magic numbers: what the first four octets of a file say, taken as little-endian.
const (
	magicMicro        = 0xa1b2c3d4
	magicNano         = 0xa1b23c4d
	magicMicroSwapped = 0xd4c3b2a1
	magicNanoSwapped  = 0x4d3cb2a1
	magicSection      = 0x0a0d0d0a // of pcapng, the same both ways
	magicByteOrder    = 0x1a2b3c4d
)

// Blocks of pcapng that are read; others are passed over.
const (
	blockInterface = 1
	blockPacket    = 2 // of the format's first days
	blockSimple    = 3
	blockEnhanced  = 6
)

// IsCapture reports whether a file that begins with these octets, at least four, is a packet capture as Read takes it.
func IsCapture(begin []byte) bool {
	if len(begin) < 4 {
		return false
	}
	switch binary.LittleEndian.Uint32(begin) {
	case magicMicro, magicNano, magicMicroSwapped, magicNanoSwapped, magicSection:
		return true
	}
	return false
}

// A record is one frame of a file.
type record struct {
	link   link
	at     int64  // nanoseconds since 1970; negative: the file does not tell
	octets []byte // as far as they were captured; good until the next one is read
	length int    // on the wire
}

// A file is a capture while it is read, record by record.
type file struct {
	in     *bufio.Reader
	offset int64 // of what is read next, from the beginning of the file
	skip   int   // octets that belong to the record that was read last
	order  binary.ByteOrder
	big    bool
	ng     bool
	nano   bool // pcap: fractions of a second are nanoseconds

	link       link        // pcap: of all frames
	interfaces []netDevice // pcapng: of this section
}

// netDevice is an interface of a pcapng section.
type netDevice struct {
	link       link
	snap       uint32 // 0: no limit
	resolution uint8  // as in if_tsresol
	offset     int64  // seconds, as in if_tsoffset
}

// errShort is a file that ends where it should go on.
var errShort = fmt.Errorf("%w: the file ends within a frame or a block", trace.ErrTruncated)

// open reads how the file begins.
func (f *file) open(r io.Reader) error {
	f.in = bufio.NewReaderSize(r, bufferSize)
	begin, err := f.in.Peek(4)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case len(begin) == 0:
		return errors.New("not a packet capture: the file is empty")
	case len(begin) < 4:
		return errors.New("not a packet capture: the file has fewer than four octets")
	}
	switch binary.LittleEndian.Uint32(begin) {
	case magicMicro:
		f.order = binary.LittleEndian
	case magicNano:
		f.order, f.nano = binary.LittleEndian, true
	case magicMicroSwapped:
		f.order, f.big = binary.BigEndian, true
	case magicNanoSwapped:
		f.order, f.big, f.nano = binary.BigEndian, true, true
	case magicSection:
		f.ng = true
		return nil
	default:
		return f.somethingElse()
	}
	h, err := f.take(24)
	switch {
	case errors.Is(err, errShort):
		return fmt.Errorf("%w: the file ends within its header", trace.ErrTruncated)
	case err != nil:
		return err
	}
	if major := f.order.Uint16(h[4:]); major != 2 {
		return fmt.Errorf("a pcap file of version %d.%d: versions 2.x can be read", major, f.order.Uint16(h[6:]))
	}
	f.link = link(f.order.Uint32(h[20:]) & 0xffff) // above: whether frames end with a check sequence
	if !f.link.known() {
		return unknownLink(f.link)
	}
	return nil
}

// somethingElse is the error of a file that is no capture, with what it is if that can be seen.
func (f *file) somethingElse() error {
	begin, _ := f.in.Peek(64)
	const aTrace, aGzip = `{"trace":"`, "\x1f\x8b"
	switch text := string(begin); {
	case len(text) > len(aTrace) && text[:len(aTrace)] == aTrace:
		return errors.New("not a packet capture: it is a trace of connectlab's")
	case text[:2] == aGzip:
		return errors.New("not a packet capture: it is compressed; unpack it with gunzip first")
	}
	return fmt.Errorf("not a packet capture: pcap and pcapng files begin otherwise than with % x", begin[:4])
}

// take reads n octets. They are good until the next call. It is io.EOF if there is none at all.
func (f *file) take(n int) ([]byte, error) {
	b, err := f.in.Peek(n)
	if err != nil {
		switch {
		case !errors.Is(err, io.EOF):
			return nil, err
		case len(b) == 0:
			return nil, io.EOF
		}
		return nil, errShort
	}
	f.discard(n)
	return b, nil
}

// discard passes over octets that were peeked.
func (f *file) discard(n int) {
	_, _ = f.in.Discard(n) // they are in the buffer
	f.offset += int64(n)
}

// need is take for what has to be there.
func (f *file) need(n int) ([]byte, error) {
	b, err := f.take(n)
	if errors.Is(err, io.EOF) {
		err = errShort
	}
	return b, err
}

// pass passes over octets that nobody reads, however many there are.
func (f *file) pass(n int) error {
	done, err := f.in.Discard(n)
	f.offset += int64(done)
	if errors.Is(err, io.EOF) {
		err = errShort
	}
	return err
}

// next reads the next frame. At the end of the file it is io.EOF.
func (f *file) next(r *record) error {
	if f.ng {
		return f.nextBlock(r)
	}
	h, err := f.take(16)
	if err != nil {
		return err
	}
	captured, length := f.uint32(h[8:]), f.uint32(h[12:])
	fraction := int64(f.uint32(h[4:]))
	if !f.nano {
		fraction *= 1000
	}
	r.link, r.at = f.link, int64(f.uint32(h))*1e9+fraction
	return f.frame(r, captured, length)
}

func (f *file) uint32(b []byte) uint32 {
	if f.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// frame reads a frame's octets.
func (f *file) frame(r *record, captured, length uint32) (err error) {
	if captured > maxCaptured {
		return fmt.Errorf("it has %d octets, and no frame has more than %d: the file is damaged", captured, maxCaptured)
	}
	if captured == 0 {
		r.octets = nil
	} else if r.octets, err = f.need(int(captured)); err != nil {
		return err
	}
	r.length = int(min(max(length, captured), math.MaxInt32))
	return nil
}

// nextBlock reads blocks up to the next one that holds a frame.
func (f *file) nextBlock(r *record) error {
	for {
		if f.skip > 0 { // of the block before: its options and its length once more
			if err := f.blockEnd(); err != nil {
				return err
			}
		}
		h, err := f.take(8)
		if err != nil {
			return err
		}
		// The byte order of a section stands behind its length.
		if binary.LittleEndian.Uint32(h) == magicSection {
			if err := f.section(append([]byte(nil), h...)); err != nil {
				return err
			}
			continue
		}
		kind, total := f.uint32(h), f.uint32(h[4:])
		if total < 12 || total%4 != 0 || total > math.MaxInt32 {
			return fmt.Errorf("a block has a length of %d octets: the file is damaged", total)
		}
		body := int(total) - 12
		f.skip = body + 4
		switch kind {
		case blockInterface:
			err = f.device(body)
		case blockEnhanced, blockPacket, blockSimple:
			return f.packet(r, kind, body)
		}
		if err != nil {
			return err
		}
	}
}

// blockEnd passes over the rest of a block, which ends with its length. The length is not compared with that in front:
// where frames are cut out of a file by hand, they often differ, and nobody goes by it.
func (f *file) blockEnd() error {
	n := f.skip
	f.skip = 0
	return f.pass(n)
}

// section begins a section. h are the first 8 octets of its header.
func (f *file) section(h []byte) error {
	b, err := f.need(16)
	if err != nil {
		return err
	}
	switch {
	case binary.LittleEndian.Uint32(b) == magicByteOrder:
		f.order, f.big = binary.LittleEndian, false
	case binary.BigEndian.Uint32(b) == magicByteOrder:
		f.order, f.big = binary.BigEndian, true
	default:
		return fmt.Errorf("a section without byte order (% x): the file is damaged", b[:4])
	}
	if major := f.order.Uint16(b[4:]); major != 1 {
		return fmt.Errorf("a pcapng section of version %d.%d: versions 1.x can be read", major, f.order.Uint16(b[6:]))
	}
	total := f.order.Uint32(h[4:])
	if total < 28 || total%4 != 0 || total > math.MaxInt32 {
		return fmt.Errorf("a section header has a length of %d octets: the file is damaged", total)
	}
	f.interfaces = f.interfaces[:0]
	f.skip = int(total) - 24
	return nil
}

// body reads n of a block's octets.
func (f *file) body(n int) ([]byte, error) {
	if n > f.skip-4 {
		return nil, fmt.Errorf("a block of %d octets is too short for what it holds: the file is damaged", f.skip-4)
	}
	b, err := f.need(n)
	f.skip -= n
	return b, err
}

// device reads the description of an interface.
func (f *file) device(body int) error {
	if len(f.interfaces) == maxInterfaces {
		return fmt.Errorf("more than %d interfaces: the file is damaged", maxInterfaces)
	}
	b, err := f.body(8)
	if err != nil {
		return err
	}
	d := netDevice{link: link(f.order.Uint16(b)), snap: f.order.Uint32(b[4:]), resolution: 6}
	const (
		endOfOptions    = 0
		optionTsresol   = 9
		optionTsoffset  = 14
		lengthsOfOption = 4
	)
	for f.skip-4 >= lengthsOfOption {
		b, err := f.body(lengthsOfOption)
		if err != nil {
			return err
		}
		code, n := f.order.Uint16(b), int(f.order.Uint16(b[2:]))
		if code == endOfOptions {
			break
		}
		if b, err = f.body((n + 3) &^ 3); err != nil {
			return err
		}
		switch {
		case code == optionTsresol && n >= 1:
			d.resolution = b[0]
		case code == optionTsoffset && n >= 8:
			d.offset = int64(f.order.Uint64(b))
		}
	}
	f.interfaces = append(f.interfaces, d)
	return nil
}

// packet reads a block that holds a frame.
func (f *file) packet(r *record, kind uint32, body int) error {
	header := 20
	if kind == blockSimple {
		header = 4
	}
	b, err := f.body(header)
	if err != nil {
		return err
	}
	var device, captured, length uint32
	var stamp uint64
	switch kind {
	case blockSimple:
		length = f.uint32(b)
	case blockPacket:
		device = uint32(f.order.Uint16(b))
	case blockEnhanced:
		device = f.uint32(b)
	}
	if kind != blockSimple {
		stamp = uint64(f.uint32(b[4:]))<<32 | uint64(f.uint32(b[8:]))
		captured, length = f.uint32(b[12:]), f.uint32(b[16:])
	}
	if int64(device) >= int64(len(f.interfaces)) {
		return fmt.Errorf("it is of interface %d, and the section has %d: the file is damaged", device, len(f.interfaces))
	}
	d := &f.interfaces[device]
	if kind == blockSimple {
		captured = min(length, uint32(body-header))
		if d.snap != 0 {
			captured = min(captured, d.snap)
		}
		r.at = -1
	} else {
		r.at = d.nanoseconds(stamp)
	}
	if int64(captured) > int64(f.skip-4) {
		return fmt.Errorf("it has %d octets, more than its block: the file is damaged", captured)
	}
	r.link = d.link
	f.skip -= int(captured)
	return f.frame(r, captured, length)
}

// nanoseconds is a time stamp in nanoseconds since 1970, exact, and at the end of what can be counted where it lies beyond.
func (d *netDevice) nanoseconds(stamp uint64) int64 {
	var seconds, nanos uint64
	switch n := d.resolution & 0x7f; {
	case d.resolution&0x80 == 0 && n <= 19:
		unit := uint64(1)
		for range n {
			unit *= 10
		}
		seconds = stamp / unit
		hi, lo := bits.Mul64(stamp%unit, 1e9)
		nanos, _ = bits.Div64(hi, lo, unit)
	case d.resolution&0x80 == 0: // finer than what 64 bits can count a second in
	case n < 64:
		seconds = stamp >> n
		hi, lo := bits.Mul64(stamp&(1<<n-1), 1e9)
		nanos = hi<<(64-n) | lo>>n
	default:
		hi, _ := bits.Mul64(stamp, 1e9)
		nanos = hi >> (n - 64)
	}
	const most = math.MaxInt64 / 1_000_000_000 // seconds
	if seconds > most {
		seconds = most
	}
	total := int64(seconds) + min(max(d.offset, -most), most)
	if total >= most {
		return math.MaxInt64
	}
	return max(total*1e9+int64(nanos), 0)
}
