package gvisor

import (
	"reflect"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// A version of gVisor that keeps something elsewhere is to be found out here, field by field.
func TestEveryFieldIsFound(t *testing.T) {
	for _, field := range fields.missing {
		t.Errorf("gVisor %s: %s was not found", Version, field)
	}
}

func TestMissingFieldsAreNamed(t *testing.T) {
	type inner struct{ b uint32 }
	type outer struct {
		*inner
		a    uint16
		part inner
		ptr  *inner
	}
	var l layout
	var to field
	in := reflect.TypeOf(outer{&inner{b: 1}, 1, inner{}, nil})
	if l.find(&to, in, "a", "uint16"); to != (field{in.Field(1).Offset, true}) {
		t.Errorf("a: %+v", to)
	}
	if l.find(&to, in, "part.b", "uint32"); to != (field{in.Field(2).Offset, true}) {
		t.Errorf("part.b: %+v", to)
	}
	if elem := l.find(&to, in, "ptr", "*gvisor.inner"); elem != reflect.TypeFor[inner]() {
		t.Errorf("ptr points to %v", elem)
	}
	to = field{}
	l.find(&to, in, "a", "uint32")
	l.find(&to, in, "c", "uint32")
	l.find(&to, in, "b", "uint32") // it is in the embedded struct, which is elsewhere
	l.find(&to, in, "a.b", "uint32")
	l.find(&to, nil, "x", "uint32")
	want := []string{"outer.a: uint16, not uint32", "outer.c", "outer.b", "outer.a.b", "….x"}
	if diff := cmp.Diff(want, l.missing); diff != "" || to.found {
		t.Errorf("missing (-want +got):\n%s; found: %v", diff, to.found)
	}
}

// What is read from a field that is not there is hidden, never shown as a zero.
func TestMissingFieldsHideItems(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	l := p.listen(5)
	fresh := p.socket(p.client)
	half := p.dial()
	c, _ := p.connect(l)

	whole := fields
	defer func() { fields = whole }()
	fields = findLayout(reflect.TypeFor[struct{}](), reflect.TypeFor[struct{}]())
	for _, f := range everyField(fields) {
		if f.in(fields).found {
			t.Errorf("%s was found in a struct without fields", f.name)
		}
	}
	for name, w := range map[string]*socket{"fresh": fresh, "connecting": half, "connected": c, "listening": l} {
		var info, before trace.ControlInfo
		fields = whole
		w.Report(&before)
		fields = findLayout(reflect.TypeFor[struct{}](), reflect.TypeFor[struct{}]())
		w.Report(&info)
		for i := range trace.Item(trace.NumItems) {
			was, got := before.Value(i), info.Value(i)
			switch i {
			case trace.Protocol, trace.LocalAddress, trace.LocalPort, trace.RemoteAddress, trace.RemotePort, trace.SendBufferLimit,
				trace.ReceiveBufferLimit, trace.ReceiveBufferUsed:
				if got != was { // gVisor tells these itself
					t.Errorf("%s: %v is %v, want %v", name, i, got, was)
				}
			default:
				if was.Kind != trace.None && got.Kind != trace.NotObservable && got.Kind != trace.None || was.Kind == trace.Number && got.Kind == trace.Number {
					t.Errorf("%s: %v is %v without its field, it was %v", name, i, got, was)
				}
			}
		}
	}

	// Each field alone: no item may read as another number.
	for _, missing := range everyField(whole) {
		part := *whole
		*missing.in(&part) = field{}
		for name, w := range map[string]*socket{"fresh": fresh, "connecting": half, "connected": c, "listening": l} {
			var info, before trace.ControlInfo
			fields = whole
			w.Report(&before)
			fields = &part
			w.Report(&info)
			for i := range trace.Item(trace.NumItems) {
				if was, got := before.Value(i), info.Value(i); got != was && got.Kind != trace.NotObservable && got.Kind != trace.None {
					t.Errorf("without %s, %s: %v is %v, want %v or hidden", missing.name, name, i, got, was)
				}
			}
		}
	}
}

type namedField struct {
	name string
	in   func(*layout) *field
}

// everyField are the fields of a layout.
func everyField(l *layout) (all []namedField) {
	var walk func(v reflect.Value, name string, at func(*layout) reflect.Value)
	walk = func(v reflect.Value, name string, at func(*layout) reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			get := func(l *layout) reflect.Value { return at(l).Field(i) }
			switch {
			case f.Type == reflect.TypeFor[field]():
				all = append(all, namedField{name + f.Name, func(l *layout) *field { return (*field)(get(l).Addr().UnsafePointer()) }})
			case f.Type.Kind() == reflect.Struct:
				walk(v.Field(i), name+f.Name+".", get)
			}
		}
	}
	root := func(l *layout) reflect.Value { return reflect.ValueOf(l).Elem() }
	walk(root(l), "", root)
	return all
}

func TestTimersHaveNames(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	// What a timer did must be seen to say that it ran.
	seen := make(map[string]string)
	p.expired = func(e *end, expired netns.Expired) {
		if expired.Socket == nil || expired.Name == "" {
			t.Errorf("at %v a timer of the %s ran that has owner %v and name %q", p.now, e.name, expired.Socket, expired.Name)
			return
		}
		seen[expired.Name] += e.name + " "
	}
	only := func(want string) {
		t.Helper()
		if seen[want] == "" {
			t.Errorf("%s did not run; there ran %v", want, seen)
		}
		clear(seen)
	}

	// The SYN and the SYN,ACK are lost once each.
	lost := 0
	p.drop = func(f flight) bool {
		if f.flags().Has(trace.SYN) && lost < 2 {
			lost++
			return lost != 2 || f.from == p.server
		}
		return false
	}
	l := p.listen(5)
	c := p.dial()
	p.run(5 * time.Second)
	only("h.retransmitTimer")

	// Data are lost: a probe, then a retransmission.
	p.must(c.Connect(p.server.addr))
	s, err := l.Accept()
	p.must(err)
	p.drop = func(f flight) bool { return f.from == p.client }
	if _, err := c.Send([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	p.settle(p.client, 20*time.Second)
	if seen["snd.probeTimer"] == "" {
		t.Errorf("no probe for the lost data; there ran %v", seen)
	}
	only("snd.resendTimer")
	p.drop = nil
	p.run(time.Minute)

	// One of many segments is lost, those after it tell so before a retransmission is due.
	n := 0
	p.drop = func(f flight) bool {
		if f.from == p.client && len(f.octets) > 1000 {
			n++
		}
		return n == 3
	}
	if _, err := c.Send(make([]byte, 20_000)); err != nil {
		t.Fatal(err)
	}
	p.settle(p.client, 10*time.Second)
	only("snd.reorderTimer")
	p.drop = nil

	p.must(c.SetOption(netns.KeepAlive, 1))
	p.run(3 * time.Hour)
	only("keepalive.timer")
	p.must(c.SetOption(netns.KeepAlive, 0))

	p.must(c.Close())
	p.settle(p.client, 2*time.Minute)
	only("finWait2Timer")
	p.must(s.Abort())
	p.settle(p.server, time.Minute)

	c, s2 := p.connect(l)
	p.must(c.Close())
	p.settle(p.client, delay*2)
	p.must(s2.Close())
	p.settle(p.server, timeWait)
	only("timeWaitTimer")
}

// The words are gVisor's, the states those of RFC 9293, Section 3.3.2.
func TestStates(t *testing.T) {
	want := map[tcp.EndpointState]trace.State{
		tcp.StateInitial: trace.Closed, tcp.StateBound: trace.Closed, tcp.StateConnecting: trace.Closed, tcp.StateError: trace.Closed,
		tcp.StateClose: trace.Closed, tcp.StateListen: trace.Listen, tcp.StateSynSent: trace.SynSent, tcp.StateSynRecv: trace.SynReceived,
		tcp.StateEstablished: trace.Established, tcp.StateFinWait1: trace.FinWait1, tcp.StateFinWait2: trace.FinWait2,
		tcp.StateCloseWait: trace.CloseWait, tcp.StateClosing: trace.Closing, tcp.StateLastAck: trace.LastAck, tcp.StateTimeWait: trace.TimeWait,
	}
	for s := tcp.StateEstablished; s <= tcp.StateError; s++ {
		if got := stateOf(s); got != want[s] || got == trace.NotObserved {
			t.Errorf("%v is %v, want %v", s, got, want[s])
		}
	}
	if got := stateOf(tcp.StateError + 1); got != trace.NotObserved {
		t.Errorf("a state that gVisor does not have is %v, want not observed", got)
	}
}
