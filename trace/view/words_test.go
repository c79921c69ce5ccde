package view

import (
	"strings"
	"testing"
	"time"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

func TestSpan(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		d      time.Duration
		en, ko string
	}{
		{0, "0 ns", "0ns"},
		{999, "999 ns", "999ns"},
		{1500, "1.5 µs", "1.5µs"},
		{10 * time.Millisecond, "10 ms", "10ms"},
		{time.Second, "1 s", "1초"},
		{60 * time.Second, "60 s", "60초"},
		{59990 * time.Millisecond, "59.99 s", "59.99초"},
		{127 * time.Second, "2 min 7 s", "2분 7초"},
		{2 * time.Hour, "2 h", "2시간"},
		{2*time.Hour + 30*time.Minute, "2 h 30 min", "2시간 30분"},
		{365*day - 30*time.Millisecond, "365 days", "365일"},
		{day + 30*time.Minute, "1 day 30 min", "1일 30분"},
		{49 * time.Hour, "2 days 1 h", "2일 1시간"},
	}
	for _, tt := range tests {
		for l, want := range map[Language]string{English: tt.en, Korean: tt.ko} {
			if got := (&Options{Language: l}).span(tt.d); got != want {
				t.Errorf("span(%v) in %s is %q, want %q", tt.d, l, got, want)
			}
		}
	}
}

func TestOneOfAUnit(t *testing.T) {
	tests := []struct {
		item   trace.Item
		n      int64
		en, ko string
	}{
		{trace.SndWnd, 0, "0 octets", "0바이트"},
		{trace.SndWnd, 1, "1 octet", "1바이트"},
		{trace.SndWnd, 2, "2 octets", "2바이트"},
		{trace.Cwnd, 1, "1 segment", "세그먼트 1개"},
		{trace.Cwnd, 10, "10 segments", "세그먼트 10개"},
		{trace.Backlog, 1, "1", "1개"},
	}
	for _, tt := range tests {
		for l, want := range map[Language]string{English: tt.en, Korean: tt.ko} {
			got := (&Options{Language: l}).value(tt.item, trace.Value{Kind: trace.Number, Num: tt.n}, &trace.ControlInfo{})
			if got != want {
				t.Errorf("%v of %d in %s is %q, want %q", tt.item, tt.n, l, got, want)
			}
		}
	}
}

func TestTimer(t *testing.T) {
	tests := []struct{ name, en, ko string }{
		{"h.retransmitTimer", "timer: retransmission (h.retransmitTimer)", "타이머: 재전송 (h.retransmitTimer)"},
		{"timeWaitTimer", "timer: TIME-WAIT, 2 MSL (timeWaitTimer)", "타이머: TIME-WAIT, 2 MSL (timeWaitTimer)"},
		{"persist", "timer: persist", "타이머: persist"}, // of a stack that the catalogue does not know
		{"", "a timer", "타이머"},
	}
	for _, tt := range tests {
		for l, want := range map[Language]string{English: tt.en, Korean: tt.ko} {
			if got := (&Options{Language: l}).timer(tt.name); got != want {
				t.Errorf("timer %q in %s is %q, want %q", tt.name, l, got, want)
			}
		}
	}
}

func TestFate(t *testing.T) {
	tests := []struct {
		fate trace.Fate
		want string
	}{
		{trace.Fate{Kind: trace.Reordered, Rule: "reorder client data#1 2"}, "held back until later packets overtake it, by rule: reorder client data#1 2"},
		{trace.Fate{Kind: trace.Delayed, Delay: 5 * time.Millisecond}, "5 ms late"},
		{trace.Fate{Kind: trace.Duplicated}, "sent twice by the link"},
		{trace.Fate{Kind: trace.Dropped}, "lost"},
	}
	for _, tt := range tests {
		if got := (&Options{}).fate(&tt.fate); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.fate, got, tt.want)
		}
	}
}

func TestReturned(t *testing.T) {
	tests := []struct {
		name   string
		r      trace.Return
		en, ko string
	}{
		{"a result", trace.Return{Result: 5}, "5", "5"},
		{"an error", trace.Return{Result: -1, Errno: "ETIMEDOUT"}, "-1 ETIMEDOUT", "-1 ETIMEDOUT"},
		{"an error behind one octet", trace.Return{Result: -1, Errno: "EPIPE", Count: 1}, "-1 EPIPE after 1 octet", "-1 EPIPE (그 전까지 1바이트)"},
		{"SO_ERROR", trace.Return{Value: trace.Value{Kind: trace.Text, Text: "ECONNREFUSED"}}, "0 [ECONNREFUSED]", "0 [ECONNREFUSED]"},
		{"accept", trace.Return{Result: 4, Addr: clientAddr, Accepted: 2}, "4 from 192.0.2.1:49152", "4 (상대 192.0.2.1:49152)"},
	}
	for _, tt := range tests {
		for l, want := range map[Language]string{English: tt.en, Korean: tt.ko} {
			if got := (&Options{Language: l}).returned(&tt.r); got != want {
				t.Errorf("%s in %s: %q, want %q", tt.name, l, got, want)
			}
		}
	}
}

func TestClock(t *testing.T) {
	tests := []struct {
		name string
		at   time.Duration
		want string
	}{
		{"whole milliseconds", 20 * time.Millisecond, "0.020"},
		{"a year", 365 * 24 * time.Hour, "31536000.000"},
		{"microseconds", 2*time.Second + 30*time.Microsecond, "2.000030"},
		{"nanoseconds are cut", time.Second + 1999, "1.000001"},
	}
	for _, tt := range tests {
		c := newClock(&trace.Trace{Events: []trace.Event{{N: 1, At: tt.at}}})
		if got := c.print(tt.at); got != tt.want || c.width != len(tt.want) {
			t.Errorf("%s: %q (width %d), want %q", tt.name, got, c.width, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		name, text string
		n          int
		want       []string
	}{
		{"nothing", "", 10, []string{""}},
		{"fits", "two words", 9, []string{"two words"}},
		{"at a blank", "two words", 8, []string{"two", "words"}},
		{"Hangul takes two cells", "시퀀스 번호", 10, []string{"시퀀스", "번호"}},
		{"Hangul fits", "시퀀스 번호", 11, []string{"시퀀스 번호"}},
		{"a long word", "abcdefgh", 3, []string{"abc", "def", "gh"}},
		{"a long Hangul word is not cut within a syllable", "가나다", 3, []string{"가", "나", "다"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, wrap(tt.text, tt.n)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
		}
	}
}

func TestFlowKeepsOptionsTogether(t *testing.T) {
	options := []token{{text: "<mss 1460,"}, {text: "sackOK,", glued: true}, {text: "ws 7>", glued: true}}
	tests := []struct {
		n    int
		want []string
	}{
		{40, []string{"SYN seq 0 <mss 1460,sackOK,ws 7>"}},
		{25, []string{"SYN seq 0", "<mss 1460,sackOK,ws 7>"}},
		{18, []string{"SYN seq 0", "<mss 1460,sackOK,", "ws 7>"}},
	}
	for _, tt := range tests {
		var got []string
		for _, line := range flow(append([]token{{text: "SYN"}, {text: "seq 0"}}, options...), tt.n) {
			var b strings.Builder
			for i, tok := range line {
				if i > 0 && !tok.glued {
					b.WriteByte(' ')
				}
				b.WriteString(tok.text)
			}
			if w := flowWidth(line); w != width(b.String()) || w > tt.n {
				t.Errorf("%d cells: line %q counts as %d", tt.n, b.String(), w)
			}
			got = append(got, b.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d cells: (-want +got)\n%s", tt.n, diff)
		}
	}
}

func TestCleanTakesControlCharactersOut(t *testing.T) {
	if got, want := clean("a\x1b[2Jb\r\nc\u202ed한"), "a·[2Jb··c·d한"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A capture has no programs that could have returned.
func TestTheEndOfACapture(t *testing.T) {
	for _, tt := range []struct {
		capture bool
		reason  trace.EndReason
		want    string
	}{
		{false, trace.Finished, "all programs have returned"}, {false, trace.BrokenOff, "breaks off"},
		{true, trace.Finished, "both sides have done"}, {true, trace.BrokenOff, "the capture ends"},
	} {
		tr := &trace.Trace{
			Header: trace.Header{Capture: tt.capture, Hosts: []trace.HostInfo{{Name: "client"}, {Name: "server"}}}, End: trace.End{Reason: tt.reason},
		}
		var ladder, diagram strings.Builder
		if err := Ladder(&ladder, tr, Options{}); err != nil {
			t.Fatal(err)
		}
		if _, err := Mermaid(&diagram, tr, Options{}); err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{ladder.String(), diagram.String()} {
			if !strings.Contains(out, tt.want) {
				t.Errorf("capture %v, %v: the view does not say %q:\n%s", tt.capture, tt.reason, tt.want, out)
			}
		}
	}
}
