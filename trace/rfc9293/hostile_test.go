package rfc9293_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/rfc9293"
	"connectlab/trace/wire"
)

// hostile makes stacks that send what they send, and now and then the same once more with other control bits and numbers. The states of
// such a host are not in the record.
type hostile struct{ netns.Factory }

func (h hostile) Info() netns.Info {
	info := h.Factory.Info()
	info.Capabilities = nil
	return info
}

func (h hostile) New(env netns.Env) (netns.Stack, error) {
	s, err := h.Factory.New(env)
	return &hostileStack{Stack: s, rng: rand.New(rand.NewPCG(binary.BigEndian.Uint64(env.Seed[:]), 5961))}, err
}

type hostileStack struct {
	netns.Stack
	rng  *rand.Rand
	next [][]byte
}

func (h *hostileStack) Take(buf []byte) (packet []byte, lost, ok bool) {
	if len(h.next) > 0 {
		packet, h.next = append(buf[:0], h.next[0]...), h.next[1:]
		return packet, false, true
	}
	packet, lost, ok = h.Stack.Take(buf)
	for ok && len(packet) >= 40 && packet[0] == 0x45 && packet[9] == 6 && h.rng.IntN(3) == 0 {
		h.next = append(h.next, h.bent(packet))
	}
	return packet, lost, ok
}

// bent is a segment over IPv4 with other control bits, or other numbers.
func (h *hostileStack) bent(packet []byte) []byte {
	b := append([]byte(nil), packet...)
	flags := []trace.Flags{trace.RST, trace.SYN, trace.FIN | trace.ACK, 0, trace.PSH, trace.SYN | trace.ACK, trace.RST | trace.ACK, trace.ACK, trace.FIN, trace.ACK | trace.PSH}
	if h.rng.IntN(4) > 0 {
		b[33] = byte(flags[h.rng.IntN(len(flags))])
	}
	add := func(at int) {
		far := []uint32{1, 2, 5, 100, 1460, 3000, 20000, 70000, 1 << 20, 1 << 30}[h.rng.IntN(10)]
		switch h.rng.IntN(5) {
		case 0:
			binary.BigEndian.PutUint32(b[at:], binary.BigEndian.Uint32(b[at:])+far)
		case 1:
			binary.BigEndian.PutUint32(b[at:], binary.BigEndian.Uint32(b[at:])-far)
		}
	}
	const seq, ack = 24, 28
	add(seq)
	add(ack)
	wire.FixChecksums(b)
	return b
}

// overHostilePeers runs stories whose one host meets bent segments.
func overHostilePeers(t *testing.T, judged netns.Factory, each func(what string, tr *trace.Trace)) {
	for _, name := range script.Names() {
		if name == "many" || name == "idle-year" {
			continue
		}
		for seed := range unlessRace(40, 4) {
			cfg := badLink(t, seed%2*seed)
			cfg.Seed = seed + 1
			cfg.Client, cfg.Server = netns.Factory(hostile{&gvisor.Factory{}}), judged
			if seed%4 < 2 {
				cfg.Client, cfg.Server = cfg.Server, cfg.Client
			}
			r, err := script.Run(builtin(t, name), cfg)
			var lack *netns.LackError
			if errors.As(err, &lack) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			each(fmt.Sprintf("%s, seed %d", name, seed), r.Trace)
		}
	}
}

// TestAnswersToHostilePeers: segments that no honest peer sends show no other departures of gVisor than those that are known.
func TestAnswersToHostilePeers(t *testing.T) {
	met := map[string]map[rfc9293.Keeping]int{}
	overHostilePeers(t, &gvisor.Factory{}, func(what string, tr *trace.Trace) {
		for _, a := range rfc9293.Answers(tr) {
			if tr.Header.Host(a.Host).Capabilities == nil {
				continue // it is the hostile one
			}
			if met[a.Rule.ID] == nil {
				met[a.Rule.ID] = map[rfc9293.Keeping]int{}
			}
			met[a.Rule.ID][a.Keeping]++
			if a.Keeping == rfc9293.Breaks && departure(tr, &a, toHostile...) == "" {
				t.Errorf("%s: %v", what, &a)
			}
		}
	})
	for _, r := range rfc9293.Rules() {
		t.Logf("%-50s %v", r.ID, met[r.ID])
	}
	if want := int(unlessRace(38, 25)); len(met) < want {
		t.Errorf("only %d rules were met", len(met))
	}
}
