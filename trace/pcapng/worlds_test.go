package pcapng_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/pcapng"
)

// A world is a story, and rules of the link that the story does not have.
type world struct {
	name   string
	seed   uint64
	bytes  string // the value of the story's word BYTES; empty: as it is
	faults []string
	link   trace.LinkType
	family netns.Family
}

// worlds are all stories as they are, and some on a link that does everything that a link can do.
func worlds() (all []world) {
	for _, name := range script.Names() {
		if w := (world{name: name, seed: 1}); w.capable() {
			all = append(all, w)
		}
	}
	all = append(all,
		world{name: "plain", seed: 1, link: trace.LinkEthernet},
		world{name: "plain", seed: 1, family: netns.IPv6},
		world{name: "plain", seed: 1, link: trace.LinkEthernet, family: netns.IPv6},
	)
	return append(all,
		world{name: "plain", seed: 1, bytes: "20000", faults: []string{"drop client data 20%", "drop server any 10%"}},
		world{name: "plain", seed: 2, bytes: "20000", faults: []string{"duplicate client data 20% .003", "duplicate server any 20%", "delay client data 10% .015"}},
		world{name: "plain", seed: 3, bytes: "20000", faults: []string{"corrupt client data 20%", "corrupt server any 10%"}},
		world{name: "plain", seed: 4, faults: []string{"corrupt client SYN#1 20.3", "corrupt server SYN,ACK#1 12.0", "corrupt client data#1 52.1"}},
		world{name: "plain", seed: 5, faults: []string{"corrupt client SYN#1 1.1", "corrupt server SYN,ACK#1 9.7", "corrupt client data#1 33.3"}},
	)
}

func (w world) String() string {
	words := []string{w.name}
	if w.link == trace.LinkEthernet {
		words = append(words, "Ethernet")
	}
	if w.family == netns.IPv6 {
		words = append(words, "IPv6")
	}
	if w.faults != nil {
		words = append(words, fmt.Sprint("seed ", w.seed), "faults")
	}
	return strings.Join(words, ", ")
}

// config is how a world is run; the story's own options are not in it.
func (w world) config(tb testing.TB) netns.Config {
	tb.Helper()
	config := netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: w.seed, Link: w.link, Family: w.family}
	for _, rule := range w.faults {
		f, err := netns.ParseFault(rule)
		if err != nil {
			tb.Fatal(err)
		}
		config.Faults = append(config.Faults, f)
	}
	return config
}

// capable reports whether gVisor can do what a story needs.
func (w world) capable() bool {
	story, err := script.Builtin(w.name)
	if err != nil {
		panic(err)
	}
	config := story.Config(netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}})
	return config.Capable() == nil
}

// run runs a world on gVisor.
func (w world) run(tb testing.TB) *trace.Trace {
	tb.Helper()
	story, err := script.Builtin(w.name)
	if err != nil {
		tb.Fatal(err)
	}
	if w.bytes != "" {
		if story, err = story.With("BYTES", w.bytes); err != nil {
			tb.Fatal(err)
		}
	}
	result, err := script.Run(story, w.config(tb))
	if err != nil {
		tb.Fatalf("%v: %v", w, err)
	}
	return result.Trace
}

// capture writes one side of a trace.
func capture(tb testing.TB, t *trace.Trace, side pcapng.Side) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := pcapng.Write(&b, t, side); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// A frame is what a capture of a trace has to hold.
type frame struct {
	event   *trace.Event
	packet  *trace.Packet
	at      time.Time
	inbound bool
	again   bool // the same host had sent the same octets of the connection before
}

// frames are those of one side, in order: what was sent, and on a host's own side what reached it.
func frames(t *trace.Trace, side pcapng.Side) (all []frame) {
	type sender struct {
		host         string
		source, dest netip.AddrPort
	}
	again, next := map[int]bool{}, map[sender]trace.Seq{}
	for i := range t.Events {
		e := &t.Events[i]
		f := frame{event: e, at: t.Header.Start.Add(e.At)}
		switch d := e.Detail.(type) {
		case *trace.Sent:
			f.packet = d.Packet
			from, seg := sender{e.Host, f.packet.Source(), f.packet.Destination()}, &f.packet.TCP
			n, began := next[from]
			if again[e.N] = began && seg.Len() > 0 && seg.Seq.Less(n); !began || n.Less(seg.Seq.Add(seg.Len())) {
				next[from] = seg.Seq.Add(seg.Len())
			}
			f.again = again[e.N]
		case *trace.Arrived:
			f.packet, f.inbound, f.again = d.Packet, true, again[e.Cause]
		default:
			continue
		}
		if side == pcapng.Wire && !f.inbound || side != pcapng.Wire && e.Host == side.String() {
			all = append(all, f)
		}
	}
	return all
}
