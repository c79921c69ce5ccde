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
