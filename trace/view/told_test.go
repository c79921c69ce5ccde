package view

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns/script"
	"connectlab/trace"
)

func TestToldOfPlain(t *testing.T) {
	golden(t, "testdata/told.txtar", story(t, "plain"), []named{{"told", Told}})
}

// told draws a trace in English, with who brought an item beside its value.
func told(t *testing.T, tr *trace.Trace) string {
	t.Helper()
	var b bytes.Buffer
	if err := Told(&b, tr, Options{Columns: 120}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func wantLines(t *testing.T, view string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !regexp.MustCompile(`(?m)` + want).MatchString(view) {
			t.Errorf("the view has no line like %s:\n%s", want, view)
		}
	}
}

const nobodyKnowsMore = "Neither socket knows anything of the other that it was not told."

func TestToldOfACookieConnection(t *testing.T) {
	wantLines(t, told(t, story(t, "syn-cookies")),
		// The ACK alone has made the server's socket.
		`peer's initial number \(IRS\) +0 \(\d+\) +#\d+ SYN,ACK: sequence +0 \(\d+\) +#\d+ ACK: sequence$`,
		`own initial number \(ISS\) +0 \(\d+\) +stack +0 \(\d+\) +#\d+ ACK:`,
		`MSS from the peer +1460 octets +#\d+ SYN,ACK: option MSS +not observable$`,
		`scale of the send window +0 \(×1\) +stack +0 \(×1\) +stack$`,
		`server: .* by the stack itself \d+\. Not observable: 1\.`,
		nobodyKnowsMore)
}

func TestToldOfASimultaneousOpen(t *testing.T) {
	view := told(t, story(t, "simultaneous-open"))
	wantLines(t, view,
		`remote address +192\.0\.2\.2 +application, #\d+ +192\.0\.2\.1 +application, #\d+`,
		`peer's initial number \(IRS\) +0 \(\d+\) +#\d+ SYN: sequence number +0 \(\d+\) +#\d+ SYN: sequence number`,
		nobodyKnowsMore)
	if strings.Contains(view, "listener") {
		t.Errorf("nobody listens in a simultaneous open:\n%s", view)
	}
}

// doctor makes another the bringer of an item wherever a host's sockets get it.
func doctor(tr *trace.Trace, host string, item trace.Item, by trace.Bringer) (changed int) {
	for i := range tr.Events {
		d, ok := tr.Events[i].Detail.(*trace.Control)
		if !ok || tr.Events[i].Host != host {
			continue
		}
		for j := range d.Changes {
			if c := &d.Changes[j]; c.Item == item {
				c.By, c.Field = by, trace.NoField
				changed++
			}
		}
	}
	return changed
}

func TestToldFindsAStackThatKnowsMore(t *testing.T) {
	for _, tt := range []struct {
		item trace.Item
		by   trace.Bringer
		want string
	}{
		{trace.IRS, trace.ByStack, `peer's initial number \(IRS\) +0 \(\d+\) +✗ stack: nobody told it`},
		{trace.SendMSS, trace.ByStack, `MSS from the peer +1460 octets +✗ stack: nobody told it`},
		{trace.RemotePort, trace.ByStack, `remote port +80 +✗ stack: nobody told it`},
		{trace.SndWnd, trace.ByApplication, `send window \(SND\.WND\) +29184 octets +✗ application`},
		{trace.ISS, trace.ByStack, ""},
		{trace.RTO, trace.ByApplication, ""},
	} {
		tr := story(t, "plain")
		if doctor(tr, "client", tt.item, tt.by) == 0 {
			t.Fatalf("no change of %v", tt.item)
		}
		view := told(t, tr)
		if tt.want == "" {
			wantLines(t, view, nobodyKnowsMore)
			continue
		}
		wantLines(t, view, tt.want, regexp.QuoteMeta("✗ client knows of its peer what nobody told it: "+Text(English, keyed("item.", tt.item.String()))))
		if strings.Contains(view, nobodyKnowsMore) {
			t.Errorf("%v by %v: the view says that all was told", tt.item, tt.by)
		}
	}
}

// TestToldFindsNothingInAnyStory: gVisor's sockets know what they were told, and every item has its bringer.
func TestToldFindsNothingInAnyStory(t *testing.T) {
	connected := 0
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		view := told(t, story(t, name))
		if strings.Contains(view, Text(English, "told.none")) {
			continue
		}
		connected++
		if !strings.Contains(view, nobodyKnowsMore) || strings.Contains(view, "✗") {
			t.Errorf("%s: a finding:\n%s", name, view)
		}
		if strings.Contains(view, "?") {
			t.Errorf("%s: a bringer without a name:\n%s", name, view)
		}
	}
	if connected < 12 {
		t.Errorf("only %d stories came to a connection", connected)
	}
}

func TestToldWithoutWhatItNeeds(t *testing.T) {
	if got, want := told(t, story(t, "refused")), Text(English, "told.none")+"\n"; got != want {
		t.Errorf("without a connection: got %q, want %q", got, want)
	}
	tr := story(t, "plain")
	tr.Header.Control = false
	if got, want := told(t, tr), Text(English, "control.not-recorded")+"\n"; got != want {
		t.Errorf("without control information: got %q, want %q", got, want)
	}
}
