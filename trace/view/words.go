package view

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"connectlab/trace"
)

// keyed makes a name of package trace a part of a catalogue key: "local address" becomes "local-address".
func keyed(prefix, name string) string { return prefix + strings.ReplaceAll(name, " ", "-") }

// count is a number with its unit. One of it may have a text of its own.
func (o *Options) count(key string, n int64) string {
	if one := key + ".one"; n == 1 && Has(one) {
		key = one
	}
	return o.text(key, n)
}

// Span is a time in a language, in the largest unit that keeps it exact enough: "20 ms", "2 min 7 s".
func Span(d time.Duration, l Language) string { return (&Options{Language: l}).span(d) }

var sectionNumber = regexp.MustCompile(`Section ([0-9.]*[0-9])`)

// section is where a rule stands, "RFC 9293, Section 3.4", as the language has it.
func (o *Options) section(where string) string {
	return sectionNumber.ReplaceAllStringFunc(where, func(s string) string { return o.text("rfc.section", strings.TrimPrefix(s, "Section ")) })
}

// span is a length of time as people say it: "60 s", "2 min 7 s", "365 days".
func (o *Options) span(d time.Duration) string {
	decimal := func(unit time.Duration) string {
		return strconv.FormatFloat(float64(d.Round(unit/1000))/float64(unit), 'f', -1, 64)
	}
	const day = 24 * time.Hour
	switch {
	case d < time.Microsecond:
		return o.text("unit.ns", d.Nanoseconds())
	case d < time.Millisecond:
		return o.text("unit.us", decimal(time.Microsecond))
	case d < time.Second:
		return o.text("unit.ms", decimal(time.Millisecond))
	case d < 2*time.Minute:
		return o.text("unit.s", decimal(time.Second))
	case d < 2*time.Hour:
	case d < 2*day: // what is less than the smaller of two units says nothing about a long time
		d = d.Round(time.Minute)
	default:
		d = d.Round(time.Hour)
	}
	units := []struct {
		length time.Duration
		key    string
	}{{day, "unit.days"}, {time.Hour, "unit.h"}, {time.Minute, "unit.min"}}
	var parts []string
	for _, u := range units {
		if n := d / u.length; n > 0 && len(parts) < 2 {
			parts = append(parts, o.count(u.key, int64(n)))
			d %= u.length
		}
	}
	if d > 0 && len(parts) < 2 {
		parts = append(parts, o.text("unit.s", decimal(time.Second)))
	}
	return strings.Join(parts, " ")
}

// A clock prints times of a trace with the digits that the trace needs.
type clock struct {
	digits int // behind the point
	width  int
}

func newClock(t *trace.Trace) clock {
	c := clock{digits: 3}
	last := t.End.At
	for i := range t.Events {
		at := t.Events[i].At
		if at%time.Millisecond != 0 {
			c.digits = 6
		}
		last = max(last, at)
	}
	c.width = len(c.print(last))
	return c
}

// print is the time in seconds.
func (c clock) print(at time.Duration) string {
	s := fmt.Sprintf("%d.%09d", int64(at/time.Second), int64(at%time.Second))
	return s[:len(s)-9+c.digits]
}

// value prints a value of a socket's control information in its unit. info is all of that socket's control
// information at that moment, for the numbers from which sequence numbers count.
func (o *Options) value(i trace.Item, v trace.Value, info *trace.ControlInfo) string {
	switch v.Kind {
	case trace.None:
		return "-"
	case trace.NotObservable:
		return o.text("value.not-observable")
	case trace.Unlimited:
		return o.text("value.unlimited")
	case trace.Text:
		return clean(v.Text)
	case trace.Number:
	}
	switch i.Unit() {
	case trace.UnitSeq:
		return o.sequence(i, trace.Seq(v.Num), info)
	case trace.UnitOctets:
		return o.count("unit.octets", v.Num)
	case trace.UnitShift:
		if v.Num < 0 || v.Num > 32 {
			return strconv.FormatInt(v.Num, 10)
		}
		return fmt.Sprintf("%d (×%d)", v.Num, uint64(1)<<v.Num)
	case trace.UnitBool:
		if v.Num != 0 {
			return o.text("value.yes")
		}
		return o.text("value.no")
	case trace.UnitNanoseconds:
		return o.span(time.Duration(v.Num))
	case trace.UnitSegments:
		return o.count("unit.segments", v.Num)
	case trace.UnitConnections:
		return o.text("unit.connections", v.Num)
	case trace.UnitText, trace.UnitPort, trace.UnitTicks:
	}
	return strconv.FormatInt(v.Num, 10)
}

// sequence prints a sequence number of a socket: counted from the ISN of the side whose number it is, with the
// number on the wire in brackets.
func (o *Options) sequence(i trace.Item, s trace.Seq, info *trace.ControlInfo) string {
	base := trace.ISS
	if i == trace.IRS || i == trace.RcvNxt {
		base = trace.IRS
	}
	isn := info.Value(base)
	if o.Absolute || isn.Kind != trace.Number {
		return strconv.FormatUint(uint64(s), 10)
	}
	return fmt.Sprintf("%d (%d)", s.Sub(trace.Seq(isn.Num)), uint32(s))
}

// brought says who brought a change. cause is the N of the event that caused it.
func (o *Options) brought(c *trace.Change, cause int) string {
	var who string
	switch c.By {
	case trace.ByApplication:
		who = o.text("by.application")
	case trace.BySegment:
		who = fmt.Sprintf("#%d", cause)
		if c.Field != trace.NoField {
			who += " " + o.text(keyed("field.", c.Field.String()))
		}
	case trace.ByStack:
		who = o.text("by.stack")
	}
	if c.Source == trace.Inferred {
		who += o.text("by.inferred")
	}
	return who
}

// state prints a state with the stack's own word, where that is another.
func (o *Options) state(s trace.State, word string) string {
	name := o.stateName(s)
	if word == "" || word == s.String() {
		return name
	}
	return name + " (" + clean(word) + ")"
}

// stateName is the RFC's name, in every language.
func (o *Options) stateName(s trace.State) string {
	if s == trace.NotObserved {
		return o.text("state.not-observed")
	}
	return s.String()
}

// called prints the call of number n with what it returned in the step in which it was made, or that it did not come back there.
func (o *Options) called(step []trace.Event, n int, c *trace.Call) string {
	for i := range step {
		if r, ok := step[i].Detail.(*trace.Return); ok && r.Call == n && step[i].Cause == n {
			return callText(c) + " = " + o.returned(r)
		}
	}
	return callText(c) + " …"
}

// returned prints what a call gave back, behind the equals sign.
func (o *Options) returned(r *trace.Return) string {
	s := clean(r.String())
	if r.Count != 0 {
		s = o.text("call.after", s, o.count("unit.octets", r.Count))
	}
	if r.Addr.IsValid() {
		s = o.text("call.from", s, r.Addr)
	}
	return s
}

// callText is a call as in C.
func callText(c *trace.Call) string {
	if c.Name == "socket" {
		return "socket()" // its arguments are the same for each TCP socket
	}
	return clean(c.String())
}

// fate says what the link did to a packet.
func (o *Options) fate(f *trace.Fate) string {
	var s string
	switch f.Kind {
	case trace.Delayed, trace.Duplicated:
		if f.Kind == trace.Duplicated && f.Delay == 0 {
			s = o.text("fate.duplicated-at-once")
			break
		}
		s = o.text(keyed("fate.", f.Kind.String()), o.span(f.Delay))
	case trace.Corrupted:
		s = o.text("fate.corrupted", f.Octet, f.Bit)
	case trace.Dropped, trace.Reordered, trace.QueueFull, trace.LinkDown, trace.HostGone, trace.TooLong:
		s = o.text(keyed("fate.", f.Kind.String()))
	}
	if f.Rule != "" {
		s += o.text("fate.rule", clean(f.Rule))
	}
	return s
}

// timer says what a timer is for, and how the stack names it. What the catalogue does not know is shown as it is.
func (o *Options) timer(name string) string {
	if name == "" {
		return o.text("timer.unnamed")
	}
	if key := "timer-name." + name; Has(key) {
		return o.text("timer.known", o.text(key), name)
	}
	return o.text("timer", clean(name))
}

// option abbreviates one of a segment's options: "mss 1460". Padding gives nothing. SACK blocks count as
// acknowledgment numbers do.
func option(opt trace.Option, n *numbering, absolute bool) string {
	o := trace.Options(append([]byte{opt.Kind, byte(len(opt.Data) + 2)}, opt.Data...))
	switch opt.Kind {
	case trace.OptionEnd, trace.OptionNOP:
		return ""
	case trace.OptionMSS:
		if v, ok := o.MSS(); ok {
			return fmt.Sprintf("mss %d", v)
		}
	case trace.OptionWindowScale:
		if v, ok := o.WindowScale(); ok {
			return fmt.Sprintf("ws %d", v)
		}
	case trace.OptionSACKPermitted:
		if o.SACKPermitted() {
			return "sackOK"
		}
	case trace.OptionTimestamps:
		if _, _, ok := o.Timestamps(); ok {
			return "TS"
		}
	case trace.OptionSACK:
		var blocks []string
		for left, right := range opt.SACKBlocks() {
			if absolute {
				blocks = append(blocks, fmt.Sprintf("%d:%d", uint32(left), uint32(right)))
			} else {
				blocks = append(blocks, fmt.Sprintf("%d:%d", n.ack(left), n.ack(right)))
			}
		}
		return "sack " + strings.Join(blocks, " ")
	}
	return fmt.Sprintf("option %d", opt.Kind)
}

// endText is the key of the text that says how a trace ended. A capture knows of no program.
func endText(t *trace.Trace) string {
	switch {
	case !t.Header.Capture:
		return keyed("end.", t.End.Reason.String())
	case t.End.Reason == trace.Finished:
		return "end.capture-over"
	}
	return "end.capture-open"
}
