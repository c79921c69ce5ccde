package pcapng_test

import (
	"net/netip"
	"strings"

	"connectlab/trace"
)

// A stream is what a capture has shown of one connection so far: what tshark's experts can know. It is apart from tshark's
// own bookkeeping, so that what they note can be held against what there is.
type stream struct {
	names [2]netip.AddrPort // of the ends
	ends  [2]end
	// completeness is what Wireshark calls so: 1 a SYN, 2 a SYN,ACK, 4 an ACK, 8 data, 16 a FIN, 32 a RST was seen.
	completeness int
	// reused: the four-tuple had another connection before, or has one within this one, as after a reboot.
	reused bool
}

// end is one end of a stream, as a sender.
type end struct {
	segments []*trace.Segment
	next     trace.Seq // the highest sequence number behind what it sent
	began    bool
	isn      trace.Seq
	hasISN   bool
}

// streamOf finds the stream of a frame, and begins another one where a SYN with another initial sequence number comes:
// Wireshark does so, whatever the connection does.
func streamOf(streams map[[2]netip.AddrPort]*stream, f *frame) *stream {
	if f.packet.Kind != trace.PacketTCP {
		return nil
	}
	names := [2]netip.AddrPort{f.packet.Source(), f.packet.Destination()}
	if names[1].Compare(names[0]) < 0 {
		names[0], names[1] = names[1], names[0]
	}
	s := streams[names]
	if s == nil {
		s = &stream{names: names}
		streams[names] = s
	}
	seg := &f.packet.TCP
	e := s.sender(f)
	if seg.Flags.Has(trace.SYN) && e.hasISN && e.isn != seg.Seq {
		s = &stream{names: names, reused: true}
		streams[names] = s
		e = s.sender(f)
	}
	if seg.Flags.Has(trace.SYN) {
		e.isn, e.hasISN = seg.Seq, true
	}
	switch {
	case seg.Flags&(trace.SYN|trace.ACK) == trace.SYN:
		s.completeness |= 1
	case seg.Flags.Has(trace.SYN | trace.ACK):
		s.completeness |= s.completeness & 1 << 1 // to Wireshark it is none without a SYN in front of it
	case seg.Flags.Has(trace.ACK) && seg.DataLen > 0:
		s.completeness |= 8
	case seg.Flags.Has(trace.ACK):
		s.completeness |= 4
	}
	if seg.Flags.Has(trace.FIN | trace.ACK) {
		s.completeness |= 16
	}
	if seg.Flags.Has(trace.RST) {
		s.completeness |= 32
	}
	return s
}

func (s *stream) sender(f *frame) *end   { return &s.ends[s.index(f)] }
func (s *stream) receiver(f *frame) *end { return &s.ends[1-s.index(f)] }

func (s *stream) index(f *frame) int {
	if f.packet.Source() == s.names[0] {
		return 0
	}
	return 1
}

// add takes a frame in, behind the judging of its notes.
func (s *stream) add(f *frame) {
	e, seg := s.sender(f), &f.packet.TCP
	if next := seg.Seq.Add(seg.Len()); !e.began || e.next.Less(next) {
		e.next, e.began = next, true
	}
	e.segments = append(e.segments, seg)
}

// last is the last segment that an end sent; nil: none.
func (e *end) last() *trace.Segment {
	if len(e.segments) == 0 {
		return nil
	}
	return e.segments[len(e.segments)-1]
}

// flagged reports whether an end sent these bits.
func (e *end) flagged(bits trace.Flags) bool {
	for _, s := range e.segments {
		if s.Flags.Has(bits) {
			return true
		}
	}
	return false
}

// notes are what tshark's experts may say, each with what must be so in the story. A note that is not here comes from how the
// file was written until somebody shows that it does not.
var notes = []struct {
	begins string
	// is reports whether it is true of the frame, which comes behind what s has seen.
	is  func(s *stream, f *frame) bool
	why string
	// alone: it is said of a frame without a connection, too.
	alone bool
}{
	{"Connection establish request (SYN)", bits(trace.SYN, trace.ACK), "the segment is a SYN", false},
	{"Connection establish acknowledge (SYN+ACK)", bits(trace.SYN|trace.ACK, 0), "the segment is a SYN,ACK", false},
	{"Connection finish (FIN)", bits(trace.FIN, 0), "the segment has FIN", false},
	{"Connection reset (RST)", bits(trace.RST, 0), "the segment has RST", false},
	{"This frame initiates the connection closing", func(s *stream, f *frame) bool {
		return f.packet.TCP.Flags.Has(trace.FIN) && !s.receiver(f).flagged(trace.FIN)
	}, "the first end sends FIN", false},
	{"This frame undergoes the connection closing", func(s *stream, f *frame) bool {
		return f.packet.TCP.Flags.Has(trace.FIN) && s.receiver(f).flagged(trace.FIN)
	}, "the second end sends FIN", false},
	{"This frame is a (suspected) retransmission", again, "the story loses, or sends before the answer can be there", false},
	{"This frame is a (suspected) fast retransmission", again, "three duplicate ACKs came before it", false},
	{"This frame is a (suspected) spurious retransmission", func(s *stream, f *frame) bool {
		return again(s, f) && s.acknowledged(f, f.packet.TCP.Seq.Add(f.packet.TCP.Len()))
	}, "what it brings was acknowledged already: the ACK was lost, or is still on its way", false},
	{"This frame is a (suspected) out-of-order segment", again, "the link reordered, or what fills the gap comes soon", false},
	{"Duplicate ACK", func(s *stream, f *frame) bool {
		last := s.sender(f).last()
		return last != nil && f.packet.TCP.DataLen == 0 && last.Ack == f.packet.TCP.Ack
	}, "the same acknowledgment number again: something is missing, or came twice", false},
	{"TCP window update", func(s *stream, f *frame) bool {
		last := s.sender(f).last()
		return last != nil && f.packet.TCP.DataLen == 0 && last.Ack == f.packet.TCP.Ack && last.Window != f.packet.TCP.Window
	}, "the same acknowledgment number with another window", false},
	{"TCP Zero Window segment", func(s *stream, f *frame) bool { return f.packet.TCP.Window == 0 }, "the reader is slow", false},
	{"TCP window specified by the receiver is now completely full", func(s *stream, f *frame) bool {
		return f.packet.TCP.DataLen > 0
	}, "the sender has filled what the reader has left", false},
	{"TCP keep-alive segment", func(s *stream, f *frame) bool {
		return f.packet.TCP.DataLen <= 1 && again(s, f) || f.packet.TCP.Seq.Add(1) == s.sender(f).next
	}, "a probe of a closed window is an old octet, which is what a keep-alive looks like", false},
	{"ACK to a TCP keep-alive segment", func(s *stream, f *frame) bool { return f.packet.TCP.DataLen == 0 }, "the answer to a probe", false},
	{"TCP Zero Window Probe", func(s *stream, f *frame) bool {
		last := s.receiver(f).last()
		return last != nil && last.Window == 0
	}, "the reader's window is closed", false},
	{"ACK to a TCP Zero Window Probe", func(s *stream, f *frame) bool { return f.packet.TCP.DataLen == 0 }, "the answer to a probe", false},
	{"A new tcp session is started with the same ports", func(s *stream, f *frame) bool {
		return f.packet.TCP.Flags.Has(trace.SYN) && s.reused && !s.sender(f).flagged(trace.SYN)
	}, "the four-tuple comes back, with another initial sequence number", false},
	{"Previous segment(s) not captured", func(s *stream, f *frame) bool {
		e := s.sender(f)
		return s.reused || e.began && e.next.Less(f.packet.TCP.Seq)
	}, "a segment was lost on the way to this host; or tshark has two streams for one connection, as its SYN came before the reset", false},
	{"ACKed segment that wasn't captured", func(s *stream, f *frame) bool {
		e := s.receiver(f)
		return s.reused || e.began && e.next.Less(f.packet.TCP.Ack)
	}, "this host acknowledges what the other has not sent; or tshark has two streams for one connection, as its SYN came before the reset", false},
	{"D-SACK Sequence", func(_ *stream, f *frame) bool {
		for o := range f.packet.TCP.Options.All() {
			for _, right := range o.SACKBlocks() {
				return right.LessEq(f.packet.TCP.Ack)
			}
		}
		return false
	}, "the first SACK block is acknowledged already: something came twice (RFC 2883, Section 4)", false},
	{"The acknowledgment number field is nonzero while the ACK flag is not set", func(_ *stream, f *frame) bool {
		return f.packet.TCP.Ack != 0 && f.packet.TCP.Flags&trace.ACK == 0
	}, "the link flipped the bit ACK", false},
	{"Bad checksum", func(s *stream, f *frame) bool {
		return f.packet.TCP.Checksum == trace.ChecksumBad || f.packet.IP.Checksum == trace.ChecksumBad
	}, "the link flipped a bit", true},
}

// bits are segments that have some control bits and not others.
func bits(has, hasNot trace.Flags) func(*stream, *frame) bool {
	return func(_ *stream, f *frame) bool {
		return f.packet.TCP.Flags.Has(has) && f.packet.TCP.Flags&hasNot == 0
	}
}

// again reports whether the sender has sent the segment's first number before, whether this host could read it or not.
func again(s *stream, f *frame) bool {
	e, seg := s.sender(f), &f.packet.TCP
	return f.again || e.began && seg.Seq.Less(e.next) && seg.Len() > 0
}

// acknowledged reports whether the receiver has acknowledged all before a number.
func (s *stream) acknowledged(f *frame, n trace.Seq) bool {
	for _, seg := range s.receiver(f).segments {
		if seg.Flags.Has(trace.ACK) && n.LessEq(seg.Ack) {
			return true
		}
	}
	return false
}

// judge says what is wrong with a note; nothing: it is true of the story. s is nil for a frame that is no whole segment: nothing is
// said of its connection then.
func (s *stream) judge(f *frame, note string) string {
	for _, n := range notes {
		if s == nil && !n.alone || !strings.HasPrefix(note, n.begins) {
			continue
		}
		if n.is(s, f) {
			return ""
		}
		return "it is not true that " + n.why
	}
	return "nothing in the story says so"
}
