package script_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/internal/toy"
	"connectlab/netns/script"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// The stories that gVisor cannot do are those that need ECN or urgent data; the toy can do these two, and no Ethernet, and no SYN
// cookies, which are asked of the server alone.
func TestNamesForAreThoseThatBothStacksCanDo(t *testing.T) {
	gv, toys := &gvisor.Factory{}, toy.Factory{}
	without := func(names ...string) []string {
		return slices.DeleteFunc(script.Names(), func(name string) bool { return slices.Contains(names, name) })
	}
	for _, test := range []struct {
		name           string
		client, server netns.Factory
		want           []string
	}{
		{"gVisor to gVisor", gv, gv, without("ecn", "urgent")},
		{"toy to toy", toys, toys, without("ethernet", "nobody-ethernet", "syn-cookies")},
		{"gVisor to toy", gv, toys, without("ecn", "urgent", "ethernet", "nobody-ethernet", "syn-cookies")},
		{"toy to gVisor", toys, gv, without("ecn", "urgent", "ethernet", "nobody-ethernet")},
	} {
		if diff := cmp.Diff(test.want, script.NamesFor(test.client, test.server)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
	}
}

// A run that a stack cannot do is refused before anything has happened, and the error says which stack lacks what.
func TestStoryThatAStackCannotDoIsRefused(t *testing.T) {
	_, err := script.Run(namedStory(t, "ecn"), netns.Config{Client: toy.Factory{}, Server: &gvisor.Factory{}})
	var lack *netns.LackError
	var op *netns.OpError
	if !errors.As(err, &lack) || !errors.As(err, &op) {
		t.Fatalf("error %v, want an OpError with a LackError", err)
	}
	if diff := cmp.Diff(netns.LackError{Stack: "gvisor", Lacks: []string{"ECN"}}, *lack); diff != "" || op.Host != netns.Server {
		t.Errorf("of the %s (-want +got)\n%s", op.Host, diff)
	}
}

// onToys runs a story whose every expectation must hold between two toys, and returns the segments of each host.
func onToys(t *testing.T, name string) (segments map[string][]trace.Packet) {
	t.Helper()
	r := judge(t, namedStory(t, name), netns.Config{Client: toy.Factory{}, Server: toy.Factory{}, Seed: 1})
	for _, f := range r.Failures {
		t.Errorf("%v (event %d)", f, f.Event)
	}
	if !r.AsWritten || r.End.Reason != trace.Finished {
		t.Errorf("as written %v, end %v", r.AsWritten, r.End.Reason)
	}
	segments = map[string][]trace.Packet{}
	for i := range r.Trace.Events {
		if d, ok := r.Trace.Events[i].Detail.(*trace.Sent); ok {
			segments[r.Trace.Events[i].Host] = append(segments[r.Trace.Events[i].Host], *d.Packet)
		}
	}
	return segments
}

// RFC 3168, Sections 6.1.1 and 6.1.2: the wish for ECN reaches the stacks, which agree on it, and then mark their data.
func TestECNIsAskedForAndAgreedOn(t *testing.T) {
	segments := onToys(t, "ecn")
	if got := segments["client"][0].TCP.Flags; got != trace.SYN|trace.ECE|trace.CWR {
		t.Errorf("the SYN has %v, want ECE and CWR", got)
	}
	if got := segments["server"][0].TCP.Flags; got != trace.SYN|trace.ACK|trace.ECE {
		t.Errorf("the SYN,ACK has %v, want ECE alone", got)
	}
	const ect0 = 2
	for host, list := range segments {
		for _, p := range list {
			if want := map[bool]uint8{true: ect0}[p.TCP.DataLen > 0]; p.IP.TOS&3 != want {
				t.Errorf("%v of the %s, %d octets of data: ECN field %d, want %d", p.TCP.Flags, host, p.TCP.DataLen, p.IP.TOS&3, want)
			}
		}
	}
	for host, list := range onToys(t, "plain") {
		if list[0].TCP.Flags.Has(trace.ECE) {
			t.Errorf("the %s asks for ECN, and nobody wants it", host)
		}
	}
}

// RFC 9293, Section 3.8.5: one octet is urgent, and the pointer points behind it.
func TestUrgentDataReachTheStack(t *testing.T) {
	var urgent []trace.Packet
	for _, p := range onToys(t, "urgent")["client"] {
		if p.TCP.Flags.Has(trace.URG) {
			urgent = append(urgent, p)
		}
	}
	if len(urgent) != 1 || urgent[0].TCP.DataLen != 1 || urgent[0].TCP.Urgent != 1 {
		t.Errorf("urgent segments: %+v, want one of one octet", urgent)
	}
}

// A stack without the second interface answers that it cannot do it, and is not asked.
func TestUrgentDataOnAStackThatCannot(t *testing.T) {
	s, err := script.Parse("test.story", strings.Replace(connectedPair, "*:80", "server:80", 1)+
		"client: send(8, ..., 1, MSG_OOB) = -1 EOPNOTSUPP\nclient: send(8, \"!\", 1, MSG_OOB) = -1 EOPNOTSUPP\n")
	if err != nil {
		t.Fatal(err)
	}
	r := judge(t, s, gvisorPair())
	for _, f := range r.Failures {
		t.Error(f)
	}
	var calls []string
	for i := range r.Trace.Events {
		if c, ok := r.Trace.Events[i].Detail.(*trace.Call); ok && c.Name == "send" {
			calls = append(calls, c.String())
		}
	}
	if diff := cmp.Diff([]string{"send(3, MSG_OOB, 1)", `send(3, "!", MSG_OOB, 1)`}, calls); diff != "" {
		t.Errorf("the calls (-want +got)\n%s", diff)
	}
}
