package trace_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"
)

var compareAddrs = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b time.Time) bool { return a == b }), // the location too
}

// write writes t into memory.
func write(t interface {
	Helper()
	Fatal(...any)
}, tr *trace.Trace) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, tr); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(file []byte) (*trace.Trace, error) {
	return trace.Read(bytes.NewReader(file), "test.trace", wire.Decode)
}

// roundTrip checks read(write(tr)) = tr, and write(read(file)) = file.
func roundTrip(t interface {
	Helper()
	Fatal(...any)
	Errorf(string, ...any)
}, tr *trace.Trace) {
	t.Helper()
	file := write(t, tr)
	got, err := read(file)
	if err != nil {
		t.Errorf("read(write(t)): %v\n%s", err, file)
		return
	}
	if diff := cmp.Diff(tr, got, compareAddrs); diff != "" {
		t.Errorf("read(write(t)) (-want +got):\n%s", diff)
	}
	if again := write(t, got); !bytes.Equal(file, again) {
		t.Errorf("write(read(file)) (-want +got):\n%s", cmp.Diff(string(file), string(again)))
	}
}

func TestReadIsTheInverseOfWrite(t *testing.T) {
	tests := map[string]*trace.Trace{
		"every detail": sample(),
		"Ethernet":     ethernetSample(),
		"zero":         {},
		"no events":    {Header: sample().Header, End: trace.End{At: 1<<63 - 1, Reason: trace.TooManySteps}},
	}
	for name, tr := range tests {
		t.Run(name, func(t *testing.T) { roundTrip(t, tr) })
	}
}

func TestReadIsTheInverseOfWriteForAnyTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { roundTrip(t, genTrace(t)) })
}

// A Recorder that writes leaves the same file as one that keeps and is written in the end.
func TestRecorderThatWrites(t *testing.T) {
	var file bytes.Buffer
	run := func(r *trace.Recorder) *trace.Trace {
		var before, now trace.ControlInfo
		for i := range 3 {
			at := time.Duration(i) * time.Second
			r.Begin()
			call := r.Call(at, "client", 1, trace.Call{Name: "send", FD: 3, Len: 5})
			before = now
			now.SetNumber(trace.SndNxt, int64(i+1))
			r.Control(at, "client", 1, call, &before, &now, func(c *trace.Change) { c.By = trace.ByApplication })
			r.Sent(at, "client", 1, call, r.Keep(packet(trace.PSH|trace.ACK, synOptions, 5, true)))
			r.Return(at, "client", 1, call, trace.Return{Call: call, Result: 5})
			r.Commit()
		}
		tr, err := r.Finish(trace.End{At: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	header := sample().Header
	header.Data = false
	tr := run(trace.NewRecorder(header))
	if run(trace.NewWriter(&file, header)) != nil {
		t.Error("a recorder that writes returned a trace")
	}
	if diff := cmp.Diff(string(write(t, tr)), file.String()); diff != "" {
		t.Errorf("the file (-kept +written):\n%s", diff)
	}
	roundTrip(t, tr)
}

// Every line is JSON for encoding/json too, with the same texts.
func TestLinesAreJSON(t *testing.T) {
	tr := sample()
	tr.Events[27].Detail.(*trace.Note).Text = "not UTF-8: \xff\xc3"
	lines := strings.SplitAfter(strings.TrimSuffix(string(write(t, tr)), "\n"), "\n")
	if want := len(tr.Events) + 2; len(lines) != want {
		t.Fatalf("%d lines, want %d", len(lines), want)
	}
	for i, line := range lines {
		var v struct {
			N    int
			Note struct{ Text string }
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("line %d: %v\n%s", i+1, err, line)
		}
		if v.N == 27 {
			if want := tr.Events[26].Detail.(*trace.Note).Text; v.Note.Text != want {
				t.Errorf("note %q, want %q", v.Note.Text, want)
			}
		}
		if v.N == 28 && v.Note.Text != "not UTF-8: \ufffd\ufffd" {
			t.Errorf("note %q, want the octets that are not UTF-8 replaced", v.Note.Text)
		}
	}
}

// What FORMAT.md shows is what is written: each of its examples is a line of the sample.
func TestFormatDocument(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	file := string(write(t, sample())) + string(write(t, ethernetSample()))
	examples := 0
	for line := range strings.Lines(string(doc)) {
		if strings.HasPrefix(line, "{") {
			examples++
			if !strings.Contains(file, line) {
				t.Errorf("FORMAT.md has an example that is not written so:\n%s", line)
			}
		}
	}
	if examples < 12 {
		t.Errorf("%d examples, want one for each detail, the header and the end", examples)
	}
	var keys func(v any)
	keys = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, v := range v {
				if !strings.Contains(string(doc), "`"+k+"`") {
					t.Errorf("FORMAT.md does not tell of the key %q", k)
				}
				keys(v)
			}
		case []any:
			for _, v := range v {
				keys(v)
			}
		}
	}
	for line := range strings.Lines(file) {
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		keys(v)
	}
	for i := range trace.Item(trace.NumItems) {
		if !strings.Contains(string(doc), "`"+i.String()+"`") {
			t.Errorf("FORMAT.md does not tell of the item %q", i)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	full := errors.New("disk full")
	if err := trace.Write(failingWriter{full}, sample()); !errors.Is(err, full) {
		t.Errorf("error %v, want the writer's", err)
	}
	tr := sample()
	tr.Header.Start = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := trace.Write(io.Discard, tr); err == nil || !strings.Contains(err.Error(), "10000") {
		t.Errorf("error %v, want one about the year 10000", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestReadRefuses(t *testing.T) {
	file := string(write(t, sample()))
	lines := strings.SplitAfter(file, "\n")
	change := func(old, new string) string {
		if strings.Count(file, old) == 0 {
			t.Fatalf("the sample has no %s", old)
		}
		return strings.Replace(file, old, new, 1)
	}
	without := func(line int) string {
		return strings.Join(append(append([]string{}, lines[:line-1]...), lines[line:]...), "")
	}
	tests := []struct {
		name, file string
		line       int
		want       string
	}{
		{"empty", "", 1, "not a trace: the file is empty"},
		{"text", "hello\n", 1, `not a trace: the first line of one begins with {"trace":"connectlab","version":2`},
		{"other JSON", `{"log":{"version":"1.2"}}` + "\n", 1, "not a trace"},
		{"another program's trace", `{"trace":"other","version":2,"header":{"seed":1,"link":"ip"}}` + "\n", 1, "not a trace"},
		{"pcap", "\xd4\xc3\xb2\xa1\x02\x00\x04\x00\n", 1, "not a trace"},
		{"another version", change(`"version":2`, `"version":1`), 1, "a trace of version 1, and this program reads version 2: use the connectlab that wrote it"},
		{"unknown key in the header", change(`"mtu_octets"`, `"mtu"`), 1, `the header has no key "mtu": its keys are seed`},
		{"no seed", change(`"seed":18446744073709551615,`, ``), 1, `the header has no "seed"`},
		{"seed beyond 64 bits", change(`18446744073709551615`, `18446744073709551616`), 1, "18446744073709551616 is out of range"},
		{"start", change(`2026-01-02T03:04:05.000000006Z`, `yesterday`), 1, `"yesterday" is not a time`},
		{"no link", change(`"link":"ip",`, ``), 1, `the header has no "link"`},
		{"unknown link", change(`"link":"ip"`, `"link":"wifi"`), 1, `unknown link "wifi": it is one of ip, ethernet`},
		{"another link", change(`"link":"ip"`, `"link":"ethernet"`), 6, `the octets say`},
		{"MAC", change(`"address":"192.0.2.1/24"`, `"address":"192.0.2.1/24","mac":"00-00-5e-00-53-01"`), 1, `"00-00-5e-00-53-01" is not a MAC address as 00:00:5e:00:53:01`},
		{"two hosts of one name", change(`{"name":"server"}`, `{"name":"client"}`), 1, `two hosts of the name "client"`},

		{"a line is missing", without(9), 9, "n is 9, and event 8 is due"},
		{"the first event is missing", without(2), 2, "n is 2, and event 1 is due"},
		{"a line is there twice", strings.Join(append(append([]string{}, lines[:5]...), lines[4:]...), ""), 6, "n is 4, and event 5 is due"},
		{"no n", change(`{"n":1,`, `{`), 2, `an event has no "n"`},
		{"effect before cause", change(`"n":3,"at_ns":0,"host":"client","socket":1,"cause":2`, `"n":3,"at_ns":0,"host":"client","socket":1,"cause":3`), 4, "event 3 is caused by event 3: a cause comes before its effect"},
		{"negative cause", change(`"cause":2`, `"cause":-2`), 4, "-2 is negative"},
		{"time goes backwards", change(`"n":14,"at_ns":31000000`, `"n":14,"at_ns":29999999`), 15, "at_ns is 29999999, before the last event's 30000000"},
		{"the end before the last event", change(`{"end":{"at_ns":31536000000000001`, `{"end":{"at_ns":1`), 39, "the run ends at 1 ns, before its last event"},
		{"unknown host", change(`"host":"server"`, `"host":"sever"`), 2, `the header has no host "sever"`},
		{"unknown state", change(`"to":"SYN-SENT"`, `"to":"SYN-RCVD"`), 4, `unknown state "SYN-RCVD"`},
		{"unknown source", change(`"source":"reported"`, `"source":"guessed"`), 4, `unknown source "guessed"`},
		{"unknown item", change(`"item":"ISS"`, `"item":"iss"`), 5, `unknown item of control information "iss"`},
		{"unknown bringer", change(`"by":"segment"`, `"by":"god"`), 5, `unknown bringer "god": it is one of stack, application, segment`},
		{"unknown field", change(`"field":"window"`, `"field":"windows"`), 5, `unknown field "windows": it is one of source address`},
		{"unknown fate", change(`"kind":"delayed"`, `"kind":"late"`), 7, `unknown fate "late": it is one of dropped, delayed`},
		{"unknown change of a host", change(`"what":"reboot"`, `"what":"boot"`), 25, `unknown change of a host "boot": it is one of reboot, link down, link up`},
		{"unknown reason", change(`"reason":"idle"`, `"reason":"bored"`), 39, `unknown reason "bored"`},
		{"a number that is a text", change(`"new":4294967295`, `"new":"many"`), 5, `ISS cannot be "many"`},
		{"a text that is a number", change(`"new":"192.0.2.2"`, `"new":1`), 5, "remote address is a text"},
		{"a bool that is a number", change(`"old":false,"new":true`, `"old":false,"new":1`), 5, "true or false is expected, not '1'"},
		{"a return of no call", change(`"return":{"call":1`, `"return":{"call":3`), 22, "event 3 is no call"},
		{"a return of a call to come", change(`"return":{"call":1`, `"return":{"call":29`), 22, "there is no event 29 yet"},
		{"blocked is no call", change(`"blocked":[29`, `"blocked":[28`), 39, "event 28 is no call"},
		{"a return of another host's call", change(`"return":{"call":1`, `"return":{"call":2`), 22, `a return to "server" of event 2, a call of "client"`},
		{"a negative count", change(`"count_octets":50`, `"count_octets":-50`), 38, "-50 is negative"},
		{"cut, and data are in the record", change(`"control":true`, `"data":true,"control":true`), 14, "sent.len_octets is 1040, and there are 40 octets: the header says that data are in the record"},
		{"address", change(`"addr":"192.0.2.2:80"`, `"addr":"192.0.2.2"`), 3, "not an ip:port"},
		{"no detail", change(`,"timer":{"name":"snd.resendTimer"}`, ``), 24, "an event without a detail: one of call, return"},
		{"two details", change(`"timer":{"name":"snd.resendTimer"}`, `"timer":{},"note":{}`), 24, `an event with two details: the second is "note"`},
		{"unknown detail", change(`"timer":`, `"alarm":`), 24, `an event has no key "alarm": its keys are n, at_ns`},
		{"a key twice", change(`{"n":1,`, `{"n":1,"n":1,`), 2, `an event has the key "n" twice`},
		{"a key in capitals", change(`"socket":1`, `"Socket":1`), 2, `an event has no key "Socket"`},
		{"a fraction", change(`"socket":1`, `"socket":1.5`), 2, "column 43: a whole number is expected, without leading zeros, fraction or exponent"},
		{"not JSON", change(`{"n":4,`, `{"n":4;`), 5, `column 7: ',' is expected, not ';'`},
		{"a line too much within", change("\n"+`{"n":4,`, "\n\n"+`{"n":4,`), 5, "'{' is expected, not the end of the line"},
		{"two values in a line", change("}}\n"+`{"n":2`, "}}{}\n"+`{"n":2`), 2, "the line should be over"},
		{"not UTF-8", change("snd.resendTimer", "snd\xff"), 24, "not UTF-8"},
		{"a lone surrogate", change("snd.resendTimer", `\ud83d`), 24, "an escape that JSON does not know"},
		{"a line behind the end", file + "{}\n", 40, "a line behind the end line"},
		{"two traces", file + file, 40, "a line behind the end line"},

		{"another window", change(`"window":65535`, `"window":65534`), 6, "sent.tcp.window: the file says 65534, the octets say 65535: the file was changed"},
		{"other flags", change(`"flags":"SYN"`, `"flags":"SYN,ACK"`), 6, `sent.tcp.flags: the file says "SYN,ACK", the octets say "SYN"`},
		{"another address", change(`"src":"192.0.2.1"`, `"src":"192.0.2.9"`), 6, `sent.ip.src: the file says "192.0.2.9", the octets say "192.0.2.1"`},
		{"another kind", change(`"kind":"tcp"`, `"kind":"other"`), 6, `sent.kind: the file says "other", the octets say "tcp"`},
		{"another MSS", change(`"mss_octets":1460`, `"mss_octets":1461`), 6, "sent.tcp.options[0].mss_octets: the file says 1461, the octets say 1460"},
		{"an option less", change(`{"kind":3,"data":"07","shift":7}`, `{"kind":3}`), 6, `sent.tcp.options[4].data is missing, the octets say "07"`},
		{"a field too many", change(`"shift":7`, `"shift":7,"shaft":8`), 6, "sent.tcp.options[4].shaft: the file says 8, the octets say nothing of it"},
		{"an unknown field of IP", change(`"ttl":64`, `"ttl":64,"hops":3`), 6, "sent.ip.hops: the file says 3, the octets say nothing of it"},
		{"a field twice", change(`"ttl":64`, `"ttl":64,"ttl":64`), 6, "sent.ip.ttl stands there twice"},
		{"a field less", change(`"seq":4294967295,`, ``), 6, "sent.tcp.seq is missing, the octets say 4294967295"},
		{"another octet", change(`"octets":"4500003c`, `"octets":"4501003c`), 6, "sent.ip.tos is missing, the octets say 1"},
		{"a checksum that is wrong", change(`"checksum":"good"}`, `"checksum":"bad"}`), 6, `sent.ip.checksum: the file says "bad", the octets say "good"`},
		{"the TCP checksum of whole octets", change(`"data_octets":0,"checksum":"good"`, `"data_octets":0,"checksum":"unverified"`), 6, `sent.tcp.checksum: the file says "unverified", the octets say "good"`},
		{"shorter than its octets", change(`"len_octets":60`, `"len_octets":59`), 6, "sent.len_octets is 59, and there are 60 octets"},
		{"longer than its octets", change(`"len_octets":60`, `"len_octets":61`), 6, ""},
		{"not hexadecimal", change(`"octets":"45`, `"octets":"4x`), 6, "octets are not hexadecimal"},
		{"half an octet", change(`"octets":"45`, `"octets":"5`), 6, "octets are not hexadecimal"},
		{"no octets", change(`"len_octets":60,`, ``), 6, `a packet has no "len_octets"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read([]byte(tt.file))
			if tt.want == "" { // a length on the wire that the octets do not contradict
				if err != nil {
					t.Errorf("error %v, want none", err)
				}
				return
			}
			var parse *trace.ParseError
			if !errors.As(err, &parse) {
				t.Fatalf("error %v, want a *ParseError", err)
			}
			if parse.File != "test.trace" || parse.Line != tt.line || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant test.trace:%d: … %s", err, tt.line, tt.want)
			}
			if got != nil || errors.Is(err, trace.ErrTruncated) {
				t.Error("a trace came beside the error, or the error says that the file was truncated")
			}
		})
	}
}

// Wherever a file ends too early, the error says so, and what was whole is returned.
func TestReadTruncated(t *testing.T) {
	want := sample()
	file := write(t, want)
	headerEnd := bytes.IndexByte(file, '\n')
	for cut := 1; cut < len(file)-1; cut++ {
		if cut%11 != 0 && !bytes.Contains(file[max(cut-2, 0):cut+2], []byte("\n")) && cut > 50 { // enough of them, and each that is near a line's end
			continue
		}
		got, err := read(file[:cut])
		if !errors.Is(err, trace.ErrTruncated) {
			t.Fatalf("cut at %d: error %v, want ErrTruncated", cut, err)
		}
		if cut < headerEnd {
			if got != nil {
				t.Fatalf("cut at %d: a trace without a whole header", cut)
			}
			continue
		}
		n := bytes.Count(file[:cut+1], []byte("\n")) - 1 // a line that wants nothing but its end is whole
		if len(got.Events) != n {
			t.Fatalf("cut at %d: %d events, want %d", cut, len(got.Events), n)
		}
		if cut%97 == 0 {
			if diff := cmp.Diff(want.Events[:n], got.Events, compareAddrs, cmp.Transformer("nil", func(e []trace.Event) []trace.Event { return e[:len(e):len(e)] })); n > 0 && diff != "" {
				t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
			}
		}
	}
	got, err := read(file[:bytes.Index(file, []byte(`{"end"`))])
	if want := "test.trace:39: truncated: no end line; events up to 37 were read"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if end := (trace.End{At: want.Events[36].At, Reason: trace.BrokenOff}); !cmp.Equal(got.End, end) {
		t.Errorf("the end is %+v, want %+v", got.End, end)
	}
	if _, err := read(file[:len(file)-1]); err != nil {
		t.Errorf("an end line that wants nothing but its line's end: %v", err)
	}
}

// White space and the order of keys are free; so is the case of hexadecimal digits.
func TestReadTakesReformattedFiles(t *testing.T) {
	want := sample()
	var file bytes.Buffer
	for line := range strings.Lines(string(write(t, want))) {
		if strings.HasPrefix(line, `{"n"`) {
			var v any
			d := json.NewDecoder(strings.NewReader(line))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(v) // keys in the order of the alphabet
			if err != nil {
				t.Fatal(err)
			}
			line = strings.NewReplacer(`":`, `" : `, `,"`, ",\t\"").Replace(string(b)) + "\r\n"
			line = strings.Replace(line, `"octets" : "45`, `"octets" : "4`+"\\u0035", 1)
			line = strings.Replace(line, "c000", "C000", 1)
		}
		file.WriteString(line)
	}
	got, err := read(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The checksum of a segment whose data were not kept is what the record says: it was verified when they were there.
func TestReadTrustsChecksumOfDataThatWereNotKept(t *testing.T) {
	for _, want := range []trace.Checksum{trace.ChecksumUnverified, trace.ChecksumGood, trace.ChecksumBad} {
		p := packet(trace.ACK, "", 9, false)
		p.TCP.Checksum = want
		tr := &trace.Trace{Events: []trace.Event{{N: 1, Detail: &trace.Sent{Packet: p}}}}
		got, err := read(write(t, tr))
		if err != nil {
			t.Fatal(err)
		}
		if c := got.Events[0].Detail.(*trace.Sent).Packet.TCP.Checksum; c != want {
			t.Errorf("checksum %v, want %v", c, want)
		}
	}
}

func TestReadErrorsOfTheReader(t *testing.T) {
	broken := errors.New("bad sector")
	file := write(t, sample())
	for _, n := range []int{0, 10, len(file) / 2, len(file)} {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
		if _, err := trace.Read(r, "test.trace", wire.Decode); !errors.Is(err, broken) {
			t.Errorf("broken behind %d octets: error %v, want the reader's", n, err)
		}
	}
	if got, err := trace.Read(iotest.OneByteReader(bytes.NewReader(file)), "", wire.Decode); err != nil || len(got.Events) != 37 {
		t.Errorf("read octet by octet: %v", err)
	}
}

func TestReadWithoutDecoderPanics(t *testing.T) {
	defer func() {
		if r := recover(); r != "trace: Read without a decoder: hand in wire.Decode" {
			t.Errorf("panic %v", r)
		}
	}()
	_, _ = trace.Read(strings.NewReader(""), "", nil)
}

// What a hostile file costs is bounded by its size.
func TestReadHostileFiles(t *testing.T) {
	header := "{\"trace\":\"connectlab\",\"version\":2,\"header\":{\"seed\":1,\"link\":\"ip\"}}\n"
	pkt := func(inside string) string {
		return header + `{"n":1,"at_ns":0,"sent":{"octets":"","len_octets":0,"kind":"malformed",` + inside + "}}\n"
	}
	for name, tt := range map[string]struct{ file, want string }{
		"nested deep":               {pkt(`"ip":` + strings.Repeat("[", 1<<20)), "nested more than 16 deep"},
		"a line too long":           {header + strings.Repeat(" ", 17<<20) + "\n", "more than 16777216 octets"},
		"a long key":                {header + `{"` + strings.Repeat("k", 1<<20) + `":1}` + "\n", "a key of 1048576 octets"},
		"a long number":             {header + `{"n":` + strings.Repeat("9", 1<<20) + `}` + "\n", "a number of 1048576 digits"},
		"a long word":               {header + `{"n":1,"at_ns":0,"state":{"from":"` + strings.Repeat("A", 1<<20) + `"}}` + "\n", "a text of 1048576 octets"},
		"many fields":               {pkt(`"ip":[` + strings.Repeat("1,", 1<<20) + "1]"), "more fields than a packet can have"},
		"a long value":              {pkt(`"malformed":"` + strings.Repeat("x", 1<<20) + `"`), `xxx…, the octets say`},
		"many hosts":                {`{"trace":"connectlab","version":2,"header":{"seed":1,"link":"ip","hosts":[` + strings.Repeat(`{"name":"a"},`, 1<<20) + "\n", "two hosts"},
		"many hosts, one name each": {`{"trace":"connectlab","version":2,"header":{"seed":1,"link":"ip","hosts":[` + manyHosts(1<<16) + "]}}\n", "more than 64 hosts"},
		"length as claimed":         {header + `{"n":1,"at_ns":0,"sent":{"octets":"45","len_octets":9223372036854775807,"kind":"tcp"}}` + "\n", "sent.kind"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read([]byte(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 500 {
				t.Errorf("error %.600v, want a short one with %s", err, tt.want)
			}
		})
	}
}

func manyHosts(n int) string {
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = fmt.Sprintf(`{"name":"%d"}`, i)
	}
	return strings.Join(hosts, ",")
}

// Whatever Read takes can be written and read again, and is the same.
func FuzzRead(f *testing.F) {
	file := write(f, sample())
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add([]byte(strings.Replace(string(file), `"window":65535`, `"window":1`, 1)))
	lines := strings.SplitAfter(string(file), "\n")
	for _, line := range lines[1 : len(lines)-2] {
		n := strings.Index(line, ",")
		f.Add([]byte(lines[0] + `{"n":1` + line[n:] + `{"end":{"at_ns":31536000000000001,"reason":"finished"}}` + "\n"))
	}
	f.Add([]byte("{\"trace\":\"connectlab\",\"version\":2,\"header\":{\"seed\":1,\"link\":\"ip\"}}\r\n {\"end\":{\"at_ns\":0,\"reason\":\"until\"}}"))
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		if name == "many" {
			continue // as plain, a hundred times
		}
		f.Add(storyFile(f, name))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := read(file)
		if err != nil {
			var parse *trace.ParseError
			if !errors.As(err, &parse) || parse.Line < 1 {
				t.Fatalf("error %#v, want a *ParseError with a line", err)
			}
			return
		}
		roundTrip(t, got)
	})
}

// storyFile is the trace that a story leaves.
func storyFile(tb testing.TB, name string) []byte {
	tb.Helper()
	file, err := runStory(name)
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return file
}

func runStory(name string) ([]byte, error) {
	story, err := script.Builtin(name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = script.Run(story, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1, Writer: &b})
	return b.Bytes(), err
}

// TestStoriesReadBack: what the stories leave reads back to the same octets, and the trace that was kept is the one
// that was written.
func TestStoriesReadBack(t *testing.T) {
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		file := storyFile(t, name)
		got, err := read(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(write(t, got), file) {
			t.Errorf("%s: written again, the file is another", name)
		}
	}
}

func TestAppendEventAllocatesNothing(t *testing.T) {
	tr := sample()
	tr.Events[29].Detail.(*trace.Call).Addr = netip.AddrPort{} // an address with a zone does
	buf := make([]byte, 0, 64<<10)
	for i := range tr.Events {
		e := &tr.Events[i]
		if n := testing.AllocsPerRun(10, func() { buf = trace.AppendEvent(buf[:0], e) }); n != 0 {
			t.Errorf("event %d, %T: %v allocations, want none", e.N, e.Detail, n)
		}
	}
}

// manyEvents is a trace of n events, the kinds mixed as in a connect.
func manyEvents(n int) *trace.Trace {
	tr := sample()
	events := make([]trace.Event, n)
	mix := []int{2, 3, 4, 5, 11, 12, 13, 22}
	for i := range events {
		e := tr.Events[mix[i%len(mix)]-1]
		e.N, e.At = i+1, time.Duration(i)*time.Microsecond
		if e.Cause > i {
			e.Cause = i
		}
		if r, ok := e.Detail.(*trace.Return); ok {
			e.Detail = &trace.Return{Call: i/len(mix)*len(mix) + 1, Result: r.Result, Errno: r.Errno}
		}
		events[i] = e
	}
	tr.Events = events
	tr.End = trace.End{At: time.Duration(n) * time.Microsecond}
	return tr
}

func BenchmarkWrite10000Events(b *testing.B) {
	tr := manyEvents(10000)
	b.ReportAllocs()
	b.SetBytes(int64(len(write(b, tr))))
	for b.Loop() {
		if err := trace.Write(io.Discard, tr); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead1000Events(b *testing.B) {
	file := write(b, manyEvents(1000))
	b.ReportAllocs()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := read(file); err != nil {
			b.Fatal(err)
		}
	}
}
