package handwritten

import "connectlab/trace"

// mostSpans is how many pieces with gaps between them are kept: a peer that sends each second octet shall not make us search for long.
const mostSpans = 100

// hold puts text where it belongs in the buffer, and notes which octets are there (SHLD-31).
func (c *tcb) hold(seq trace.Seq, data []byte) {
	if room := c.rcvBuf.free() - int(seq.Sub(c.rcvNxt)); len(data) > room {
		data = data[:max(room, 0)]
	}
	if len(data) == 0 {
		return
	}
	c.rcvBuf.put(c.rcvBuf.n+int(seq.Sub(c.rcvNxt)), data)
	c.newest = insert(&c.spans, span{seq, seq.Add(uint32(len(data)))})
	if len(c.spans) > mostSpans {
		c.spans = c.spans[:mostSpans] // the last ones come again: they were not acknowledged (RFC 2018, Section 8)
	}
}

// insert adds octets to those that are there, in order and with no two that touch, and returns the span that they are in now.
func insert(list *[]span, n span) span {
	spans := *list
	i := 0
	for i < len(spans) && spans[i].to.Less(n.from) {
		i++
	}
	j := i
	for j < len(spans) && spans[j].from.LessEq(n.to) {
		if spans[j].from.Less(n.from) {
			n.from = spans[j].from
		}
		if n.to.Less(spans[j].to) {
			n.to = spans[j].to
		}
		j++
	}
	if i == j {
		spans = append(spans, span{})
		copy(spans[i+1:], spans[i:])
	} else {
		spans = append(spans[:i+1], spans[j:]...)
	}
	spans[i] = n
	*list = spans
	return n
}

// deliver moves RCV.NXT over the octets that are there without a gap: the application can read them.
func (c *tcb) deliver() {
	if len(c.spans) == 0 || c.spans[0].from != c.rcvNxt {
		return
	}
	n := c.spans[0].to.Sub(c.rcvNxt)
	c.rcvBuf.n += int(n)
	c.rcvNxt = c.rcvNxt.Add(n)
	c.rcvWnd -= min(n, c.rcvWnd)
	copy(c.spans, c.spans[1:])
	c.spans = c.spans[:len(c.spans)-1]
}
