package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// one is a trace of a call and one packet.
func one(t *testing.T, p *trace.Packet) *trace.Trace {
	r := record(t)
	r.call("client", 1, trace.Call{Name: "connect", FD: 3, Addr: serverAddr, Len: trace.NoLen}, false, 0)
	r.sent("client", 1, 1, p)
	return r.finish(trace.Finished)
}

func TestHeaderFieldsOfASYN(t *testing.T) {
	got, err := HeaderFields(one(t, fromClient(trace.SYN|trace.ECE|trace.CWR, 0, 0, "")), 0)
	if err != nil {
		t.Fatal(err)
	}
	type field struct {
		bit, bits    int
		name, korean string
		value        uint64
		text         string
	}
	want := []field{
		{0, 16, "Source Port", "송신처 포트 번호", 49152, ""},
		{16, 16, "Destination Port", "수신처 포트 번호", 80, ""},
		{32, 32, "Sequence Number", "시퀀스 번호", clientISN, "0 from the SYN on"},
		{64, 32, "Acknowledgment Number", "ACK 번호", 0, "no ACK: not valid"},
		{96, 4, "Data Offset", "데이터 오프셋", 10, "40 octets"},
		{100, 3, "Reserved", "사용하지 않음", 0, ""},
		{103, 1, "AE", "AE (책: 사용 안 함)", 0, ""},
		{104, 1, "CWR", "CWR (책: 사용 안 함)", 1, ""},
		{105, 1, "ECE", "ECE (책: 사용 안 함)", 1, ""},
		{106, 1, "URG", "컨트롤 비트 URG", 0, ""},
		{107, 1, "ACK", "컨트롤 비트 ACK", 0, ""},
		{108, 1, "PSH", "컨트롤 비트 PSH", 0, ""},
		{109, 1, "RST", "컨트롤 비트 RST", 0, ""},
		{110, 1, "SYN", "컨트롤 비트 SYN", 1, ""},
		{111, 1, "FIN", "컨트롤 비트 FIN", 0, ""},
		{112, 16, "Window", "윈도우", 65535, ""},
		{128, 16, "Checksum", "체크섬", 0, ""}, // its value is looked at below
		{144, 16, "Urgent Pointer", "긴급 포인터", 0, "no URG: not valid"},
		{160, 32, "Option", "옵션", 2, "maximum segment size 1460 octets"},
		{192, 16, "Option", "옵션", 4, "SACK permitted"},
		{208, 80, "Option", "옵션", 8, "timestamps: value 1, echo 0"},
		{288, 8, "Option", "옵션", 1, "no operation"},
		{296, 24, "Option", "옵션", 3, "window scale, shift 7"},
	}
	var fields []field
	for _, f := range got {
		if f.Name == "Checksum" {
			if f.Value == 0 || !strings.HasSuffix(f.Text, ", right") {
				t.Errorf("checksum %d (%s), want one that is right", f.Value, f.Text)
			}
			f.Value, f.Text = 0, ""
		}
		fields = append(fields, field{f.Bit, f.Bits, f.Name, f.Korean, f.Value, f.Text})
	}
	if diff := cmp.Diff(want, fields, cmp.AllowUnexported(field{})); diff != "" {
		t.Errorf("fields: (-want +got)\n%s", diff)
	}
}

// TestHeaderFieldsCoverTheHeader looks for gaps and overlaps between fields, in headers with and without options.
func TestHeaderFieldsCoverTheHeader(t *testing.T) {
	packets := map[string]*trace.Packet{
		"no options":      fromClient(trace.ACK, 1, 1, "data"),
		"options":         fromClient(trace.SYN, 0, 0, ""),
		"end and padding": segment(clientAddr, serverAddr, trace.Segment{Flags: trace.SYN, Options: trace.Options{2, 4, 5, 180, 0, 0, 0, 0}}, ""),
		"broken options":  segment(clientAddr, serverAddr, trace.Segment{Flags: trace.SYN, Options: trace.Options{1, 200, 3, 4}}, ""),
		"unknown option":  segment(clientAddr, serverAddr, trace.Segment{Flags: trace.SYN, Options: trace.Options{254, 4, 0xca, 0xfe}}, ""),
		"SACK":            segment(clientAddr, serverAddr, trace.Segment{Flags: trace.ACK, Options: trace.Options{1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9}}, ""),
	}
	for name, p := range packets {
		list, err := HeaderFields(one(t, p), 2)
		if err != nil {
			t.Fatal(err)
		}
		next := 0
		for _, f := range list {
			if f.Bit != next {
				t.Errorf("%s: %s begins at bit %d, want %d", name, f.Name, f.Bit, next)
			}
			next = f.Bit + f.Bits
		}
		if next != 8*p.TCP.HeaderLen {
			t.Errorf("%s: the fields end at bit %d, want %d", name, next, 8*p.TCP.HeaderLen)
		}
		checkView(t, name, func(b *bytes.Buffer, o Options) error { return Header(b, one(t, p), 2, o) })
	}
}

func TestHeaderFieldsAsJSON(t *testing.T) {
	list, err := HeaderFields(one(t, fromClient(trace.SYN, 0, 0, "")), 2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(list[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"bit":0,"bits":16,"name":"Source Port","english":"source port","korean":"송신처 포트 번호","value":49152}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestHeaderShowsBothPictures(t *testing.T) {
	tests := []struct {
		language Language
		want     []string
	}{
		{English, []string{"IP 20 · TCP 40 · data 0 (headers only)", "IP 20 · TCP 20 · data 5 (with data)", "┌", "│ data 5 │"}},
		{Korean, []string{"IP 20 · TCP 40 · 데이터 0 (헤더뿐인 패킷)", "IP 20 · TCP 20 · 데이터 5 (데이터가 있는 패킷)", "│ 데이터 5 │"}},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := Header(&b, troubled(t), 0, Options{Language: tt.language}); err != nil {
			t.Fatal(err)
		}
		rest := b.String()
		for _, want := range tt.want {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Errorf("%s: no %q where it should be in\n%s", tt.language, want, b.String())
				break
			}
			rest = after
		}
	}
}

func TestBarIsInProportion(t *testing.T) {
	var b bytes.Buffer
	p := fromClient(trace.ACK, 1, 1, strings.Repeat("d", 1200))
	if err := Header(&b, one(t, p), 2, Options{}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "  ┌") {
			continue
		}
		var cells []int
		for part := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "┌┐"), "┬") {
			cells = append(cells, width(part))
		}
		// Both headers are as narrow as their names, and the data have the rest.
		if want := []int{7, 8, 80 - 2 - 4 - 15}; !cmp.Equal(cells, want) {
			t.Errorf("the bar's parts are %v cells wide, want %v", cells, want)
		}
		return
	}
	t.Errorf("no bar in\n%s", b.String())
}

func TestHeaderOfAnEventWithoutOne(t *testing.T) {
	icmp := &trace.Packet{Kind: trace.PacketICMP, IP: trace.IPHeader{Version: 4, HeaderLen: 20, Protocol: 1}, Octets: make([]byte, 28), Len: 28}
	r := record(t)
	r.call("client", 1, trace.Call{Name: "connect", FD: 3, Addr: serverAddr, Len: trace.NoLen}, false, 0)
	r.sent("client", 1, 1, icmp)
	r.sent("client", 1, 1, fromClient(trace.ACK, 1, 1, ""))
	r.sent("client", 1, 1, fromClient(trace.SYN, 0, 0, ""))
	withSYN := r.finish(trace.Finished)
	tests := []struct {
		name  string
		trace *trace.Trace
		event int
		want  EventError
		text  string
	}{
		{"behind the last", withSYN, 9, EventError{Event: 9, Problem: NoSuchEvent, Last: 4, Try: 4}, "there is no event 9: the trace has events 1 to 4; event 4 has one"},
		{"before the first", withSYN, -1, EventError{Event: -1, Problem: NoSuchEvent, Last: 4, Try: 4}, "there is no event -1: the trace has events 1 to 4; event 4 has one"},
		{"a call", withSYN, 1, EventError{Event: 1, Problem: NoPacket, Last: 4, Try: 4}, "event 1 is not a packet that was sent or that arrived; event 4 has one"},
		{"ICMP", withSYN, 2, EventError{Event: 2, Problem: NoTCP, Last: 4, Try: 4}, "the packet of event 2 has no TCP header; event 4 has one"},
		{"no TCP at all", one(t, icmp), 2, EventError{Event: 2, Problem: NoTCP, Last: 2}, "the packet of event 2 has no TCP header; no packet of this trace has one"},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		err := Header(&b, tt.trace, tt.event, Options{})
		var got *EventError
		if !errors.As(err, &got) || *got != tt.want || err.Error() != tt.text || b.Len() > 0 {
			t.Errorf("%s: got %#v (%v) and %d octets of output, want %#v (%s)", tt.name, err, err, b.Len(), tt.want, tt.text)
		}
		if _, err := HeaderFields(tt.trace, tt.event); err == nil || err.Error() != tt.text {
			t.Errorf("%s: HeaderFields: %v, want %s", tt.name, err, tt.text)
		}
		if ko := got.In(Korean); ko == tt.text || !strings.Contains(ko, "이벤트") {
			t.Errorf("%s: the Korean text is %q", tt.name, ko)
		}
	}
	var b bytes.Buffer
	if err := Header(&b, one(t, icmp), 0, Options{}); err != nil || b.String() != Text(English, "error.no-header")+"\n" {
		t.Errorf("the default event of a trace without TCP: %v, %q", err, b.String())
	}
	if _, err := HeaderFields(one(t, icmp), 0); err == nil {
		t.Error("HeaderFields of a trace without TCP has no error")
	}
}
