package diff

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"connectlab/trace"
)

// headers are the differences of two runs, as their headers tell them.
func headers(a, b *trace.Header) []Difference {
	d := differences{c: &comparison{}}
	text := func(field, left, right string) { d.text(Header, field, left, right) }
	yes := func(field string, left, right bool) { d.yes(Header, field, left, right) }
	text("story", a.Story.Name, b.Story.Name)
	if a.Story.Text != b.Story.Text {
		d.add(Header, "story-text", otherLine(a.Story.Text, b.Story.Text), otherLine(b.Story.Text, a.Story.Text))
	}
	if otherSeed(a, b) {
		text("seed", strconv.FormatUint(a.Seed, 10), strconv.FormatUint(b.Seed, 10))
	}
	text("link", a.Link.String(), b.Link.String())
	text("delay", a.Delay.String(), b.Delay.String())
	text("mtu", strconv.Itoa(a.MTU), strconv.Itoa(b.MTU))
	text("needs", strings.Join(a.Needs, ", "), strings.Join(b.Needs, ", "))
	text("faults", strings.Join(a.Faults, "; "), strings.Join(b.Faults, "; "))
	text("until", a.Until.String(), b.Until.String())
	text("start", a.Start.UTC().Format(time.RFC3339Nano), b.Start.UTC().Format(time.RFC3339Nano))
	yes("data", a.Data, b.Data)
	yes("control", a.Control, b.Control)
	yes("capture", a.Capture, b.Capture)
	yes("real-time", a.RealTime, b.RealTime)
	names := func(h *trace.Header) string {
		var list []string
		for i := range h.Hosts {
			list = append(list, h.Hosts[i].Name)
		}
		return strings.Join(list, ", ")
	}
	text("hosts", names(a), names(b))
	for i := range a.Hosts {
		if h, g := &a.Hosts[i], b.Host(a.Hosts[i].Name); g != nil {
			host(&d, h, g)
		}
	}
	return d.list
}

// host compares what two headers say of a host. Each side begins with the host's name.
func host(d *differences, h, g *trace.HostInfo) {
	text := func(field, left, right string) {
		if left != right {
			d.add(Header, field, h.Name+" "+left, h.Name+" "+right)
		}
	}
	text("address", h.Address, g.Address)
	text("mac", h.MAC.String(), g.MAC.String())
	text("stack", h.Stack, g.Stack)
	text("version", h.Version, g.Version)
	if h.Stack == g.Stack { // of two stacks each has its own
		settings := func(h *trace.HostInfo) []string {
			var list []string
			for _, s := range h.Settings {
				list = append(list, s.Name+"="+s.Value)
			}
			return list
		}
		left, right := settings(h), settings(g)
		text("settings", alone(left, right), alone(right, left))
	}
	text("capabilities", alone(h.Capabilities, g.Capabilities), alone(g.Capabilities, h.Capabilities))
	text("unsupported", alone(h.Unsupported, g.Unsupported), alone(g.Unsupported, h.Unsupported))
}

// alone are those of a list that are not in another.
func alone(list, other []string) string {
	var only []string
	for _, s := range list {
		if !slices.Contains(other, s) {
			only = append(only, s)
		}
	}
	return strings.Join(only, ", ")
}

// otherLine is the first line of a text that the other does not have at its place.
func otherLine(text, other string) string {
	lines, others := strings.Split(text, "\n"), strings.Split(other, "\n")
	for i, line := range lines {
		if i >= len(others) || line != others[i] {
			return strconv.Itoa(i+1) + ": " + line
		}
	}
	return ""
}

// omit finds out what cannot be compared: what one of the traces does not show.
func (c *comparison) omit(a, b *trace.Trace) {
	leave := func(host, why string, aspects ...Aspect) {
		for _, aspect := range aspects {
			if key := (omission{aspect, host}); !c.ignored[aspect] && !c.omitted[key] && !c.omitted[omission{aspect, ""}] {
				c.omitted[key] = true
				c.result.NotCompared = append(c.result.NotCompared, Omission{aspect, host, why})
			}
		}
	}
	x, y := &a.Header, &b.Header
	if x.Capture || y.Capture {
		leave("", "no-calls", Calls, Returns, World)
		leave("", "no-fates", Fates)
		leave("", "no-end", End)
		leave("", "no-times", Time)
	}
	if x.Capture != y.Capture {
		leave("", "no-states", States)
		leave("", "no-control", Control)
	}
	if x.RealTime || y.RealTime {
		leave("", "no-times", Time)
	}
	if !x.Data || !y.Data {
		leave("", "no-data", Data)
	}
	if otherSeed(x, y) {
		leave("", "other-seed", Data)
	}
	if !x.Control || !y.Control {
		leave("", "no-control", Control)
	}
	for i := range x.Hosts {
		h := &x.Hosts[i]
		g := y.Host(h.Name)
		if g == nil {
			continue
		}
		if !x.Capture && (!shows(h) || !shows(g)) {
			leave(h.Name, "no-states", States)
			leave(h.Name, "no-control", Control)
		}
		if h.Stack != g.Stack {
			leave(h.Name, "other-stack", Control)
		}
	}
	for _, t := range []*trace.Trace{a, b} {
		for i := range t.Events {
			if d, ok := t.Events[i].Detail.(*trace.StateChange); ok && d.Source != trace.Reported {
				c.settled[t.Events[i].Host] = true
			}
		}
	}
}

// otherSeed reports whether two runs are known to have had two seeds. A capture may not tell which it had.
func otherSeed(a, b *trace.Header) bool {
	unknown := func(h *trace.Header) bool { return h.Capture && h.Seed == 0 }
	return a.Seed != b.Seed && !unknown(a) && !unknown(b)
}

// shows reports whether a host's stack lets its sockets be looked at.
func shows(h *trace.HostInfo) bool { return slices.Contains(h.Capabilities, trace.CapabilityControl) }
