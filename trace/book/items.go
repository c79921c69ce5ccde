package book

import "connectlab/trace"

// Items are what the sockets of one stack hold, item by item, over any number of runs: statement B21 compares makers by them. The
// zero value has seen no run.
type Items struct {
	held  [trace.NumItems]Held
	made  [trace.NumItems]trace.Value
	state trace.State
	dark  bool // of a run the control information does not show
}

// Held is what a socket held of one item.
type Held struct {
	// Value is None where no socket held any, and NotObservable where the stack does not let us see it.
	Value trace.Value
	// With is all that the socket held then, for the numbers from which sequence numbers count.
	With trace.ControlInfo
	// Elsewhere: no socket of a connection that stood held it, but another one, as that which listens.
	Elsewhere bool
}

// Add takes in what the sockets of a trace's host hold. What a connection holds when it stands comes before what others hold, and
// what was added first before what comes later.
func (i *Items) Add(t *trace.Trace, host string) {
	r := newRecord(t)
	if !r.showsControl(host) {
		i.dark = true
		return
	}
	if c := r.makes(host); c != nil {
		for item, h := range r.holds(host, c.socket, c.retN) {
			if (h.hidden() || h.says()) && i.made[item].Kind == trace.None {
				i.made[item] = h.change.New()
			}
		}
	}
	for at := range r.sockets {
		s := &r.sockets[at]
		if s.Host != host {
			continue
		}
		if n := r.stood(host, s.Number); n != 0 {
			if i.state == trace.NotObserved {
				i.state = s.At(n).State
			}
			i.take(r.info(host, s.Number, r.settled(n)), false)
		}
	}
	for at := range r.sockets {
		s := &r.sockets[at]
		if s.Host != host {
			continue
		}
		elsewhere := r.stood(host, s.Number) == 0
		var info trace.ControlInfo
		for _, n := range r.controls[socketKey{host, s.Number}] {
			info.Apply(r.t.Event(n).Detail.(*trace.Control).Changes)
			i.take(&info, elsewhere)
		}
	}
}

// take keeps what is not yet held, was hidden until now, or was held elsewhere alone.
func (i *Items) take(info *trace.ControlInfo, elsewhere bool) {
	for item := range trace.Item(trace.NumItems) {
		h, v := &i.held[item], info.Value(item)
		known := h.Value.Kind != trace.None && h.Value.Kind != trace.NotObservable
		switch {
		case v.Kind == trace.None, known && (elsewhere || !h.Elsewhere):
		case v.Kind != trace.NotObservable || h.Value.Kind == trace.None:
			*h = Held{v, *info, elsewhere}
		}
	}
}

// Held is what was seen of an item.
func (i *Items) Held(item trace.Item) Held {
	h := i.held[item]
	if i.dark && h.Value.Kind == trace.None {
		h.Value.Kind = trace.NotObservable
	}
	return h
}

// Made is what the first socket held of an item when socket() came back, as far as it says anything: not that there is no such option, nor
// what stands for nothing.
func (i *Items) Made(item trace.Item) trace.Value {
	if v := i.made[item]; v.Kind != trace.None || !i.dark {
		return v
	}
	return trace.Value{Kind: trace.NotObservable}
}

// State is the state of a connection that stood, as the text of a value: None where none did, NotObservable where the stack shows
// none. It is no item, and common to all that show it.
func (i *Items) State() trace.Value {
	switch {
	case i.state != trace.NotObserved:
		return trace.Value{Kind: trace.Text, Text: i.state.String()}
	case i.dark:
		return trace.Value{Kind: trace.NotObservable}
	}
	return trace.Value{}
}

// Sharing says which of several stacks hold an item.
type Sharing uint8

// The sharings.
const (
	// Nobodys: no stack was seen to hold it.
	Nobodys Sharing = iota
	// Common: all of them hold it.
	Common
	// Own: some hold it, and some do not.
	Own
	// Unknown: whether all hold it is not observable.
	Unknown
)

var sharingNames = [...]string{"nobodys", "common", "own", "unknown"}

// String prints the sharing as JSON has it.
func (s Sharing) String() string { return sharingNames[s] }

// SharingOf says who shares what the stacks hold of one thing, a value a stack.
func SharingOf(values []trace.Value) Sharing {
	var held, hidden, absent int
	for _, v := range values {
		switch v.Kind {
		case trace.None:
			absent++
		case trace.NotObservable:
			hidden++
		case trace.Number, trace.Text, trace.Unlimited:
			held++
		}
	}
	switch {
	case held > 0 && held == len(values):
		return Common
	case held > 0 && absent > 0:
		return Own
	case hidden > 0:
		return Unknown
	}
	return Nobodys
}
