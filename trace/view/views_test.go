package view

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/book"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// story runs a story between two gVisor stacks.
func story(t testing.TB, name string) *trace.Trace {
	t.Helper()
	s, err := script.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := script.Run(s, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Trace
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// checkView draws a view in all ways and looks at its lines.
func checkView(t testing.TB, what string, draw func(*bytes.Buffer, Options) error) {
	t.Helper()
	for _, l := range languages {
		for _, columns := range []int{60, 80, 120} {
			o := Options{Language: l, Columns: columns}
			var b, colored bytes.Buffer
			if err := draw(&b, o); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			n := 0
			for line := range strings.Lines(b.String()) {
				n++
				line = strings.TrimSuffix(line, "\n")
				if w := width(line); w > columns {
					t.Errorf("%s in %s: line %d is %d cells wide, want at most %d:\n%s", what, l, n, w, columns, line)
				}
				if strings.HasSuffix(line, " ") {
					t.Errorf("%s in %s: line %d ends with a blank:\n%s", what, l, n, line)
				}
			}
			if strings.Contains(b.String(), "\x1b") {
				t.Errorf("%s in %s: an escape sequence without Color", what, l)
			}
			if strings.Contains(b.String(), "%!") {
				t.Errorf("%s in %s: a text got the wrong arguments:\n%s", what, l, b.String())
			}
			o.Color = true
			if err := draw(&colored, o); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if !strings.Contains(colored.String(), "\x1b[") {
				t.Errorf("%s in %s: no escape sequence with Color", what, l)
			}
			if diff := cmp.Diff(b.String(), escape.ReplaceAllString(colored.String(), "")); diff != "" {
				t.Errorf("%s in %s: colour changes the text: (-plain +coloured)\n%s", what, l, diff)
			}
		}
	}
}

func TestNoViewIsWiderThanItsColumns(t *testing.T) {
	traces := map[string]*trace.Trace{"trouble": troubled(t)}
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		traces[name] = story(t, name)
	}
	for name, tr := range traces {
		for _, v := range slices.Concat(views, bookViews, columnViews) {
			checkView(t, name+": "+v.name, func(b *bytes.Buffer, o Options) error { return v.draw(b, tr, o) })
		}
	}
}

// anyTrace draws events without sense: a file may hold whatever the reader lets pass.
func anyTrace(rt *rapid.T) *trace.Trace {
	r := trace.NewRecorder(trace.Header{Control: true, Delay: time.Duration(rapid.IntRange(0, 2000).Draw(rt, "delay")) * time.Millisecond})
	hosts := []string{"client", "server", "호스트", ""}
	text := rapid.SampledFrom([]string{"", "plain", "한국어 글", strings.Repeat("long ", 40), strings.Repeat("x", 200), "\x1b[2J\r\n\t"})
	var at time.Duration
	for n := range rapid.IntRange(0, 40).Draw(rt, "events") {
		at += rapid.SampledFrom([]time.Duration{0, 0, 1, time.Millisecond, time.Second, 24 * time.Hour}).Draw(rt, "later")
		host := rapid.SampledFrom(hosts).Draw(rt, "host")
		socket := rapid.IntRange(0, 3).Draw(rt, "socket")
		cause := rapid.IntRange(0, n).Draw(rt, "cause")
		flags := trace.Flags(rapid.IntRange(0, int(trace.AllFlags)).Draw(rt, "flags"))
		from, to := clientAddr, serverAddr
		if host == "server" {
			from, to = to, from
		}
		packet := segment(from, to, trace.Segment{Flags: flags, Seq: trace.Seq(rapid.Uint32().Draw(rt, "seq")), Ack: trace.Seq(rapid.Uint32().Draw(rt, "ack"))},
			strings.Repeat("d", rapid.IntRange(0, 1500).Draw(rt, "data")))
		packet.Kind = rapid.SampledFrom([]trace.PacketKind{trace.PacketTCP, trace.PacketTCP, trace.PacketOther, trace.PacketICMP, trace.PacketMalformed}).Draw(rt, "kind")
		if packet.Kind != trace.PacketTCP {
			packet.Malformed = text.Draw(rt, "malformed")
		}
		switch rapid.IntRange(0, 9).Draw(rt, "event") {
		case 0:
			r.Call(at, host, socket, trace.Call{Name: text.Draw(rt, "name"), FD: rapid.IntRange(-1, 4).Draw(rt, "fd"), Len: trace.NoLen, Text: text.Draw(rt, "text")})
		case 1:
			r.Return(at, host, socket, cause, trace.Return{
				Call: cause, Result: int64(rapid.IntRange(-1, 5).Draw(rt, "result")), Accepted: socket, Errno: text.Draw(rt, "errno"),
				Value: rapid.SampledFrom([]trace.Value{{}, {Kind: trace.Number, Num: 1}, {Kind: trace.Text, Text: "ECONNREFUSED"}}).Draw(rt, "value"),
				Count: rapid.SampledFrom([]int64{0, 50}).Draw(rt, "count"),
			})
		case 2:
			r.Sent(at, host, socket, cause, r.Keep(packet))
		case 3:
			r.Arrived(at, host, socket, cause, r.Keep(packet))
		case 4:
			r.Fate(at, host, socket, cause, trace.Fate{Kind: trace.FateKind(rapid.IntRange(0, int(trace.TooLong)).Draw(rt, "fate")), Rule: text.Draw(rt, "rule")})
		case 5:
			r.State(at, host, socket, cause, trace.StateChange{
				From: trace.Established, To: trace.State(rapid.IntRange(0, int(trace.TimeWait)).Draw(rt, "state")), Word: text.Draw(rt, "word"), Listener: cause,
			})
		case 6:
			var before, now trace.ControlInfo
			for i := range trace.Item(trace.NumItems) {
				switch rapid.IntRange(0, 5).Draw(rt, "item") {
				case 0:
					now.SetNumber(i, rapid.Int64().Draw(rt, "number"))
				case 1:
					now.Hide(i)
				case 2:
					if i.Unit() != trace.UnitText {
						continue
					}
					now.SetText(i, text.Draw(rt, "value"))
				}
			}
			r.Control(at, host, socket, cause, &before, &now, nil)
		case 7:
			r.Timer(at, host, socket, text.Draw(rt, "timer"))
		case 8:
			r.HostChange(at, host, trace.HostEvent(rapid.IntRange(0, 2).Draw(rt, "change")))
		case 9:
			r.Note(at, host, socket, trace.Note{Text: text.Draw(rt, "note"), Failed: rapid.Bool().Draw(rt, "failed")})
		}
	}
	tr, err := r.Finish(trace.End{At: at, Reason: trace.Idle, Blocked: []int{1, 1000}})
	if err != nil {
		rt.Fatal(err)
	}
	return tr
}

func TestAnyTraceCanBeDrawn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tr := anyTrace(rt)
		drawn := slices.Concat(views, bookViews, columnViews)
		for i := range drawn {
			if drawn[i].name == statements { // one at a time is enough here
				which := rapid.IntRange(0, len(book.Statements())-1).Draw(rt, "statement")
				drawn[i].draw = func(w io.Writer, t *trace.Trace, o Options) error { return Statement(w, &judged(t)[which], o) }
			}
		}
		for _, o := range []Options{{}, {Language: Korean, Columns: 60, Absolute: true}} {
			for _, v := range drawn {
				var b bytes.Buffer
				if err := v.draw(&b, tr, o); err != nil {
					rt.Fatal(err)
				}
				for line := range strings.Lines(b.String()) {
					if w := width(strings.TrimSuffix(line, "\n")); w > o.columns() {
						rt.Fatalf("%s: a line of %d cells, want at most %d:\n%s", v.name, w, o.columns(), line)
					}
				}
				if strings.ContainsAny(b.String(), "\x1b\r\t") {
					rt.Fatalf("%s: a control character of the trace is on the screen", v.name)
				}
			}
		}
	})
}

// TestNothingIsDrawnOverHalfACharacter: what is two cells wide stands in both of its columns.
func TestNothingIsDrawnOverHalfACharacter(t *testing.T) {
	c := newCanvas(io.Discard, &Options{})
	c.put(0, "a한", plain)
	var got []string
	for x := range 4 {
		got = append(got, c.at(x))
	}
	if diff := cmp.Diff([]string{"a", "한", "한", ""}, got); diff != "" {
		t.Errorf("what stands in the columns (-want +got):\n%s", diff)
	}
}

func TestLadderSaysWhatHappened(t *testing.T) {
	tests := []struct {
		story string
		lines []string // each is somewhere, in this order
	}{
		{"plain", []string{
			"socket() = 3", "listen(3, 128) = 0", "accept(3) …", "connect(3, 192.0.2.2:80) …", "SYN seq 0 len 0", "<mss 1460,sackOK,TS,ws 7>",
			"2:SYN-RECEIVED", "SYN,ACK seq 0 ack 1", "ESTABLISHED", "… connect = 0", "FIN,ACK", "TIME-WAIT", "timer: ",
		}},
		{"refused", []string{"connect(3, 192.0.2.2:80) …", "RST,ACK seq 0 ack 1", "… connect = -1 ECONNREFUSED"}},
		{"syn-lost", []string{"✗ lost, by rule: drop client SYN#1", "nothing for", "timer: ", "SYN retransmitted seq 0", "… connect = 0"}},
		{"silent-host", []string{"nothing for 2 s", "SYN retransmitted", "127.000", "connect = -1 ETIMEDOUT"}},
		{"half-open-a", []string{"server reboots", "lost: the host is gone", "RST seq 1", "ECONNRESET"}},
		{"half-open-b", []string{"client reboots", "SYN seq 0", "ACK seq 1 ack 1", "(of the connection", "RST seq 1"}},
		{"idle-year", []string{"nothing for 365 days", "31536000.020"}},
		{"full-accept-queue", []string{"→80 SYN seq 0", "→80 SYN seq 0", "→80 SYN seq 0"}},
		{"many", []string{"100:SYN-SENT", "101:SYN-RECEIVED", "100:ESTABLISHED"}},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := Ladder(&b, story(t, tt.story), Options{Columns: 120}); err != nil {
			t.Fatal(err)
		}
		rest := b.String()
		for _, want := range tt.lines {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Errorf("%s: the ladder does not say %q behind what stands before it in this test:\n%s", tt.story, want, b.String())
				break
			}
			rest = after
		}
	}
}

// TestEveryPacketIsDrawn counts the tails and heads of arrows against the events.
func TestEveryPacketIsDrawn(t *testing.T) {
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		tr := story(t, name)
		sent, arrived := 0, 0
		for i := range tr.Events {
			switch tr.Events[i].Detail.(type) {
			case *trace.Sent:
				sent++
			case *trace.Arrived:
				arrived++
			default:
			}
		}
		var b bytes.Buffer
		if err := Ladder(&b, tr, Options{}); err != nil {
			t.Fatal(err)
		}
		out, _, _ := strings.Cut(b.String(), "\n\n") // the legend has arrows, too
		heads := strings.Count(out, "►") + strings.Count(out, "◄")
		bar := regexp.MustCompile(`(?m)^.{0,40}├─|─┤`)
		if tails := len(bar.FindAllString(out, -1)); tails != sent {
			t.Errorf("%s: %d arrows leave a host, want %d", name, tails, sent)
		}
		if heads != arrived {
			t.Errorf("%s: %d arrows reach a host, want %d", name, heads, arrived)
		}
	}
}

// TestLegendExplainsWhatIsDrawn: each sign that a ladder has, and no other.
func TestLegendExplainsWhatIsDrawn(t *testing.T) {
	const (
		numbers = "seq, ack: counted from each side's SYN · win: as in the header"
		note    = "•: what an observer of the story saw"
		socket  = "1:CLOSED: the number of the host's socket, then its state"
		nth     = "3#1: of the connections that came to descriptor 3, number 1"
		stub    = "─╌ and ╌──►: a packet for which no lane is free; where it arrives it is named again"
	)
	window := func(header, shift int) string {
		return fmt.Sprintf("win %d (%d): %d in the header, times %d by the window scale: %d octets", header, header<<shift, header, 1<<shift, header<<shift)
	}
	tests := []struct {
		story string
		want  []string
	}{
		{"plain", []string{numbers, window(228, 7), socket, note, nth}},
		{"refused", []string{numbers, note}},
		{"syn-lost", []string{numbers, window(228, 7), socket, note, nth}},
		{"synack-lost", []string{numbers, window(29184, 7), socket, note, nth}},
		{"fresh-send", []string{note}},
		{"send-and-close", []string{numbers, window(228, 7), stub, socket, note, nth}},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := Ladder(&b, story(t, tt.story), Options{Columns: 120}); err != nil {
			t.Fatal(err)
		}
		_, legend, _ := strings.Cut(strings.TrimSuffix(b.String(), "\n"), "\n\n")
		if diff := cmp.Diff(strings.Join(tt.want, "\n"), legend); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.story, diff)
		}
	}
}

// TestStatesOfSocketsWithoutNames: a stack that tells neither addresses nor ports of a connection does not make the
// other column go back and forth between it and the listener.
func TestStatesOfSocketsWithoutNames(t *testing.T) {
	r := record(t)
	listen := r.call("server", 1, trace.Call{Name: "bind", FD: 3, Addr: serverAddr, Len: trace.NoLen, Program: "server"}, true, 0)
	r.state("server", 1, listen, trace.Listen, "")
	connect := r.call("client", 1, trace.Call{Name: "connect", FD: 3, Addr: serverAddr, Len: trace.NoLen, Program: "client"}, false, 0)
	r.state("client", 1, connect, trace.SynSent, "")
	cross := func(from string, cause int, p *trace.Packet) int {
		sent := r.sent(from, 0, cause, p)
		r.at += 10 * time.Millisecond
		return r.arrived(map[string]string{"client": "server", "server": "client"}[from], 0, sent, p)
	}
	a := cross("client", connect, fromClient(trace.SYN, 0, 0, ""))
	r.state("server", 2, a, trace.SynReceived, "")
	a = cross("server", a, fromServer(trace.SYN|trace.ACK, 0, 1, ""))
	r.state("client", 1, a, trace.Established, "")
	r.Return(r.at, "client", 1, a, trace.Return{Call: connect})
	a = cross("client", a, fromClient(trace.ACK, 1, 1, ""))
	r.state("server", 2, a, trace.Established, "")
	r.call("client", 1, trace.Call{Name: "send", FD: 3, Len: 5, Program: "client"}, true, 5)
	r.call("server", 1, trace.Call{Name: "accept", FD: 3, Len: trace.NoLen, Program: "server"}, false, 0)
	r.call("client", 1, trace.Call{Name: "send", FD: 3, Len: 5, Program: "client"}, true, 5)
	var b bytes.Buffer
	if err := Ladder(&b, r.finish(trace.Idle), Options{Columns: 100}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		if m := regexp.MustCompile(`│ (\d:[A-Z-]+)$`).FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			got = append(got, m[1])
		}
	}
	want := []string{
		"1:LISTEN", "1:LISTEN", // bind, connect
		"2:SYN-RECEIVED", "2:SYN-RECEIVED", "2:ESTABLISHED", // SYN, SYN,ACK, ACK
		"2:ESTABLISHED", "1:LISTEN", "2:ESTABLISHED", // send, accept, send
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states of the server: (-want +got)\n%s\n%s", diff, b.String())
	}
}

func TestAbsoluteNumbers(t *testing.T) {
	tr := troubled(t)
	for _, v := range []struct {
		absolute  bool
		want, not string
	}{{false, "seq 0 ack 1", "4000000001"}, {true, "seq 1000 ack 4000000001", "seq 0 "}} {
		var b bytes.Buffer
		if err := Ladder(&b, tr, Options{Columns: 120, Absolute: v.absolute}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), v.want) || strings.Contains(b.String(), v.not) {
			t.Errorf("absolute %v: want %q and no %q in\n%s", v.absolute, v.want, v.not, b.String())
		}
	}
}

func TestNumbering(t *testing.T) {
	back := func(p *trace.Packet) *trace.Packet {
		q := *p
		q.IP.Src, q.IP.Dst, q.TCP.SrcPort, q.TCP.DstPort = p.IP.Dst, p.IP.Src, p.TCP.DstPort, p.TCP.SrcPort
		return &q
	}
	syn := func(isn uint32) *trace.Packet {
		return segment(clientAddr, serverAddr, trace.Segment{Flags: trace.SYN, Seq: trace.Seq(isn), Options: synOptions}, "")
	}
	synAck := func(isn, ack uint32) *trace.Packet {
		return back(segment(clientAddr, serverAddr, trace.Segment{Flags: trace.SYN | trace.ACK, Seq: trace.Seq(isn), Ack: trace.Seq(ack), Options: synOptions}, ""))
	}
	data := func(seq, ack uint32, octets string) *trace.Packet {
		return segment(clientAddr, serverAddr, trace.Segment{Flags: trace.ACK, Seq: trace.Seq(seq), Ack: trace.Seq(ack), Window: 2}, octets)
	}
	type want struct {
		seq, ack   uint32
		again, old bool
		scaled     bool
	}
	tests := []struct {
		name    string
		packets []*trace.Packet
		want    want // of the last packet
	}{
		{"SYN", []*trace.Packet{syn(7)}, want{}},
		{"SYN once more", []*trace.Packet{syn(7), syn(7)}, want{again: true}},
		{"SYN of a new connection", []*trace.Packet{syn(7), syn(9000)}, want{}},
		{"SYN,ACK", []*trace.Packet{syn(7), synAck(100, 8)}, want{ack: 1}},
		{"SYN,ACK behind a SYN of the same side is new", []*trace.Packet{back(syn(100)), syn(7), synAck(100, 8)}, want{ack: 1}},
		{"numbers pass zero", []*trace.Packet{syn(0xffffffff), synAck(0xffffffff, 0), data(0, 0, "ab")}, want{seq: 1, ack: 1, scaled: true}},
		{"data once more", []*trace.Packet{syn(7), synAck(100, 8), data(8, 101, "ab"), data(8, 101, "ab")}, want{seq: 1, ack: 1, again: true, scaled: true}},
		{"more data", []*trace.Packet{syn(7), synAck(100, 8), data(8, 101, "ab"), data(10, 101, "c")}, want{seq: 3, ack: 1, scaled: true}},
		{"an ACK has no number of its own", []*trace.Packet{syn(7), synAck(100, 8), data(8, 101, "ab"), data(8, 101, "")}, want{seq: 1, ack: 1, scaled: true}},
		{"no SYN was seen", []*trace.Packet{data(50, 60, "ab")}, want{seq: 50, ack: 60}},
		{
			"an ACK for the connection before (RFC 9293, Section 3.5.1, Figure 9)",
			[]*trace.Packet{syn(7), synAck(100, 8), data(8, 101, ""), syn(90000), back(data(101, 8, ""))},
			want{seq: 1, ack: 1, old: true, scaled: true},
		},
	}
	for _, tt := range tests {
		r := trace.NewRecorder(trace.Header{})
		for _, p := range tt.packets {
			r.Sent(0, "host", 1, 0, r.Keep(p))
		}
		tr, err := r.Finish(trace.End{})
		if err != nil {
			t.Fatal(err)
		}
		last := tt.packets[len(tt.packets)-1].TCP
		n := numberings(tr)[len(tt.packets)]
		got := want{seq: n.seq(last.Seq), again: n.again, old: n.old, scaled: n.scaled}
		if last.Flags.Has(trace.ACK) {
			got.ack = n.ack(last.Ack)
		}
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestControlNeverInventsAValue(t *testing.T) {
	r := record(t)
	var none, info trace.ControlInfo
	info.Hide(trace.SRTT)
	info.Hide(trace.SndUna)
	info.SetNumber(trace.SendBufferUsed, 0)
	call := r.call("client", 1, trace.Call{Name: "socket", FD: -1, Len: trace.NoLen}, false, 0)
	r.state("client", 1, call, trace.Closed, "INITIAL")
	r.Control(0, "client", 1, call, &none, &info, nil)
	// A socket whose stack tells its state and nothing else.
	r.state("server", 1, r.call("server", 1, trace.Call{Name: "socket", FD: -1, Len: trace.NoLen}, false, 0), trace.Closed, "")
	var b bytes.Buffer
	if err := Control(&b, r.finish(trace.Finished), Options{Columns: 120}); err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(b.String(), "The end.")
	if !ok {
		t.Fatalf("no table at the end:\n%s", b.String())
	}
	want := map[string][2]string{
		"smoothed round trip (SRTT)": {"not observable", "not observable"},
		"unacknowledged (SND.UNA)":   {"not observable", "not observable"},
		"send buffer, in use":        {"0 octets", "not observable"},
		"congestion window (cwnd)":   {"-", "not observable"},
		"state":                      {"CLOSED (INITIAL)", "CLOSED"},
	}
	found := 0
	for line := range strings.Lines(table) {
		for name, values := range want {
			rest, ok := strings.CutPrefix(strings.TrimSpace(line), name+" ")
			if !ok {
				continue
			}
			found++
			if got := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(rest), -1); !cmp.Equal(got, values[:]) {
				t.Errorf("%s: got %q, want %q", name, got, values)
			}
		}
	}
	if found != len(want) {
		t.Errorf("%d of %d items are in the table:\n%s", found, len(want), table)
	}
}

// TestTableLeavesOutWhatNobodyHas: no row of the full tables is without a value.
func TestTableLeavesOutWhatNobodyHas(t *testing.T) {
	for _, columns := range []int{80, 120, 200} {
		var b bytes.Buffer
		if err := Control(&b, story(t, "plain"), Options{Columns: columns}); err != nil {
			t.Fatal(err)
		}
		_, table, ok := strings.Cut(b.String(), "The connection stands.")
		if !ok || !strings.Contains(table, "LISTEN") || !strings.Contains(table, "left out, as no socket shown here has them: ") {
			t.Fatalf("%d columns: no full table with the listener:\n%s", columns, b.String())
		}
		if row := regexp.MustCompile(`(?m)^  \w[^*\n]{26}(  +-)+$`).FindString(table); row != "" {
			t.Errorf("%d columns: the row %q says nothing", columns, row)
		}
		if strings.Contains(table, "pending error") {
			t.Errorf("%d columns: there is no pending error", columns)
		}
	}
}

func TestControlTellsWhoBroughtWhat(t *testing.T) {
	var b bytes.Buffer
	if err := Control(&b, story(t, "plain"), Options{Columns: 120}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`\* remote address +- → 192\.0\.2\.2 +application`,
		`\* local port +- → \d+ +stack`,
		`\* remote port +- → \d+ +#\d+ source port`,
		`\* peer's initial number \(IRS\) +- → 0 \(\d+\) +#\d+ sequence number`,
		`\* unacknowledged \(SND\.UNA\) +0 → 1 \(\d+\) +#\d+ acknowledgment number`,
		`\* state +SYN-SENT → ESTABLISHED +stack`,
		`\* state +- → SYN-RECEIVED \(SYN-RCVD\) +stack`,
	} {
		if !regexp.MustCompile(want).MatchString(b.String()) {
			t.Errorf("the view has no line like %s", want)
		}
	}
	if strings.Contains(b.String(), "not observable") {
		t.Error("an item of a gVisor socket is not observable")
	}
}

func TestControlOfATraceWithoutControlInformation(t *testing.T) {
	tr := troubled(t)
	tr.Header.Control = false
	var b bytes.Buffer
	if err := Control(&b, tr, Options{}); err != nil {
		t.Fatal(err)
	}
	if want := Text(English, "control.not-recorded") + "\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestIPv6FitsTheLadder(t *testing.T) {
	client, server := netip.MustParseAddrPort("[2001:db8::1]:49152"), netip.MustParseAddrPort("[2001:db8::2]:80")
	r := trace.NewRecorder(trace.Header{})
	call := r.Call(0, "client", 1, trace.Call{Name: "connect", FD: 3, Addr: server, Len: trace.NoLen})
	p := segment(client, server, trace.Segment{Flags: trace.SYN, Options: synOptions}, "")
	r.Arrived(1, "server", 0, r.Sent(0, "client", 1, call, r.Keep(p)), r.Keep(p))
	tr, err := r.Finish(trace.End{})
	if err != nil {
		t.Fatal(err)
	}
	checkView(t, "IPv6", func(b *bytes.Buffer, o Options) error { return Ladder(b, tr, o) })
	var b bytes.Buffer
	if err := Ladder(&b, tr, Options{}); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("connect(3, %v) …", server); !strings.Contains(b.String(), want) {
		t.Errorf("no %q in\n%s", want, b.String())
	}
}

func BenchmarkLadder(b *testing.B) {
	tr := story(b, "many")
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		if err := Ladder(&out, tr, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(tr.Events)), "events")
}
