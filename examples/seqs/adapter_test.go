package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/soypat/seqs"
	"github.com/soypat/seqs/stacks"
)

// others are the stacks that seqs meets.
var others = []netns.Factory{&gvisor.Factory{}, &handwritten.Factory{}, factory{}}

// stories are what seqs can do, with the lines that do not hold where it is the client and where it is the server.
var stories = []struct {
	name           string
	client, server []string
}{
	{name: "plain", client: []string{"30 state(client 3) = TIME-WAIT"}},
	{name: "ethernet", client: []string{"30 state(client 3) = TIME-WAIT"}},
	{name: "refused", server: []string{
		"connect(3, server:80) = -1 ECONNREFUSED (Connection refused)", ".025 state(client 3) = CLOSED",
	}},
	{
		name:   "simultaneous-close",
		client: []string{"1.015 state(client 3) = CLOSING", "1.025 state(client 3) = TIME-WAIT"},
		server: []string{"1.015 state(server 3#1) = CLOSING", "1.025 state(server 3#1) = TIME-WAIT"},
	},
	{name: "fresh-send"},
	{name: "idle-year"},
	{name: "many"},
}

func TestStories(t *testing.T) {
	ran := map[string]int{}
	for _, want := range stories {
		story, err := script.Builtin(want.name)
		if err != nil {
			t.Fatal(err)
		}
		check := func(client, server netns.Factory, lines []string) {
			t.Helper()
			r, err := script.Run(story, netns.Config{Client: client, Server: server, Seed: 1})
			if lack := (*netns.LackError)(nil); errors.As(err, &lack) && lack.Stack == "handwritten" {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			pair := fmt.Sprintf("%s, %s to %s", want.name, client.Info().Name, server.Info().Name)
			var got []string
			for _, f := range r.Failures {
				got = append(got, f.Text)
			}
			slices.Sort(got)
			slices.Sort(lines)
			if !slices.Equal(got, lines) {
				t.Errorf("%s: what does not hold is %q, want %q", pair, got, lines)
			}
			for i, h := range r.Received {
				if h.Wrong {
					t.Errorf("%s: wrong octets arrived at host %d", pair, i)
				}
			}
			ran[want.name]++
		}
		for _, other := range others[:2] {
			check(factory{}, other, slices.Clone(want.client))
			check(other, factory{}, slices.Clone(want.server))
		}
		check(factory{}, factory{}, slices.Concat(want.client, want.server))
	}
	for _, want := range stories {
		n := 5
		if want.name == "ethernet" {
			n = 3 // handwritten has no Ethernet
		}
		if ran[want.name] != n {
			t.Errorf("%s ran in %d pairs, want %d", want.name, ran[want.name], n)
		}
	}
}

// What seqs does otherwise than RFC 9293, a story each, with seqs on the side that its name begins with and gVisor on the other.
func TestDepartures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.story")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 14 {
		t.Fatalf("found %d stories, want at least 14", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".story")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			story, err := script.Parse(file, string(text))
			if err != nil {
				t.Fatal(err)
			}
			cfg := netns.Config{Client: factory{}, Server: &gvisor.Factory{}, Seed: 1}
			if side, _, _ := strings.Cut(name, "-"); side == netns.Server {
				cfg.Client, cfg.Server = cfg.Server, cfg.Client
			}
			r, err := script.Run(story, cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Failures {
				t.Error(f)
			}
			if r.NotObservable > 0 || !r.AsWritten {
				t.Errorf("%d lines were not observable, as written %v; want 0 and true", r.NotObservable, r.AsWritten)
			}
			// The story says what seqs does, not what any stack does.
			cfg.Client, cfg.Server = &gvisor.Factory{}, &gvisor.Factory{}
			if r, err = script.Run(story, cfg); err != nil {
				t.Fatal(err)
			}
			if len(r.Failures) == 0 {
				t.Error("the story holds on gVisor, too")
			}
		})
	}
}

// The clock on the wall leaves no mark: a run is the same each time, octet for octet.
func TestSameRunTwice(t *testing.T) {
	for _, want := range stories {
		story, err := script.Builtin(want.name)
		if err != nil {
			t.Fatal(err)
		}
		var first []byte
		for i := range 3 {
			var file bytes.Buffer
			if _, err := script.Run(story, netns.Config{Client: factory{}, Server: factory{}, Seed: 7, Writer: &file}); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = file.Bytes()
			} else if !bytes.Equal(first, file.Bytes()) {
				t.Errorf("%s: run %d is not the first", want.name, i+1)
			}
		}
	}
}

// A RST in SYN-SENT counts whatever it acknowledges, and leads to LISTEN (RFC 9293, Section 3.10.7.3: only one whose ACK is
// acceptable, and to CLOSED).
func TestResetInSynSent(t *testing.T) {
	var block seqs.ControlBlock
	if err := block.Open(1000, 2048, seqs.StateSynSent); err != nil {
		t.Fatal(err)
	}
	if err := block.Send(seqs.Segment{SEQ: 1000, Flags: seqs.FlagSYN, WND: 2048}); err != nil {
		t.Fatal(err)
	}
	_ = block.Recv(seqs.Segment{SEQ: 0, ACK: 77, Flags: seqs.FlagRST | seqs.FlagACK})
	if got := block.State(); got != seqs.StateListen {
		t.Errorf("the state is %v, want Listen: seqs has been mended", got)
	}
}

// Why the adapter has listeners of its own, and buffers of the size that they are.
func TestWhatTheAdapterDoesWithout(t *testing.T) {
	ports := stacks.NewPortStack(stacks.PortStackConfig{MaxOpenPortsTCP: 1, MTU: 1514})
	l, err := stacks.NewTCPListener(ports, stacks.TCPListenerConfig{MaxConnections: 1, ConnTxBufSize: 100, ConnRxBufSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.StartListening(80); err != nil {
		t.Fatal(err)
	}
	if err := ports.RecvEth(wire.Append(nil, &trace.Packet{
		Link: trace.LinkEthernet,
		IP:   trace.IPHeader{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), TTL: 64},
		TCP:  trace.Segment{SrcPort: 5000, DstPort: 80, Seq: 1000, Flags: trace.SYN, Window: 1000},
	}, nil)); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 1514)
	n, err := ports.HandleEth(frame)
	if err != nil {
		t.Fatal(err)
	}
	p := trace.Packet{Octets: frame[:n], Len: n, Link: trace.LinkEthernet}
	if wire.Decode(&p); p.TCP.Flags != trace.SYN|trace.ACK {
		t.Fatalf("the SYN is answered with %v", p.TCP.Flags)
	}
	if p.TCP.Seq != 0 {
		t.Errorf("the initial sequence number is %d, want 0: seqs has been mended", p.TCP.Seq)
	}
	if l.Close() == nil {
		t.Error("an open TCPListener could be closed: seqs has been mended")
	}
	defer func() {
		if recover() == nil {
			t.Error("buffers of 65535 octets each way are there: seqs has been mended")
		}
	}()
	_, _ = stacks.NewTCPConn(ports, stacks.TCPConnConfig{TxBufSize: 65535, RxBufSize: 65535})
}

func TestTooLargeMTU(t *testing.T) {
	cfg := netns.Config{Client: factory{}, Server: factory{}, MTU: maxMTU + 1}
	want := fmt.Sprintf("client: start the stack: an MTU of %d: seqs takes up to %d octets", maxMTU+1, maxMTU)
	if _, err := netns.New(cfg); err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	cfg.MTU = maxMTU
	if sb, err := netns.New(cfg); err != nil {
		t.Error(err)
	} else {
		sb.Close()
	}
}

func TestVersion(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "github.com/soypat/seqs "+version+"\n") {
		t.Errorf("go.mod does not require %s", version)
	}
	if info := (factory{}).Info(); info.Version != version || !slices.Contains(info.Capabilities, trace.CapabilityEthernet) {
		t.Errorf("the header would have %+v", info)
	}
}
