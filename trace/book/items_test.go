package book

import (
	"testing"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

func TestSharingOf(t *testing.T) {
	none, hidden, zero := trace.Value{}, trace.Value{Kind: trace.NotObservable}, trace.Value{Kind: trace.Number}
	tests := []struct {
		name   string
		values []trace.Value
		want   Sharing
	}{
		{"of no stack", nil, Nobodys},
		{"nobody holds it", []trace.Value{none, none}, Nobodys},
		{"all hold it, and a zero is something", []trace.Value{zero, zero}, Common},
		{"one of two", []trace.Value{zero, none}, Own},
		{"two of three", []trace.Value{none, zero, zero}, Own},
		{"one holds it, one hides it", []trace.Value{zero, hidden}, Unknown},
		{"one hides it, one has none", []trace.Value{hidden, none}, Unknown},
		{"that one holds it and one does not is enough", []trace.Value{zero, none, hidden}, Own},
		{"all hide it", []trace.Value{hidden, hidden}, Unknown},
	}
	for _, tt := range tests {
		if got := SharingOf(tt.values); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestItemsOfAHost: of a connection what it held when it stood, of a listener what it held at all; what nobody held is no item.
func TestItemsOfAHost(t *testing.T) {
	tr := story(t, "plain")
	var client, server Items
	client.Add(tr, "client")
	server.Add(tr, "server")
	number := func(i *Items, item trace.Item, want int64) {
		t.Helper()
		if v := i.Held(item).Value; v.Kind != trace.Number || v.Num != want {
			t.Errorf("%v is %+v, want %d", item, v, want)
		}
	}
	number(&client, trace.RemotePort, 80)
	number(&server, trace.LocalPort, 80)
	number(&server, trace.Backlog, 128)
	if !server.Held(trace.Backlog).Elsewhere || server.Held(trace.LocalPort).Elsewhere {
		t.Error("the backlog is of another socket than the connection's, and the local port is not")
	}
	if una, iss := client.Held(trace.SndUna), client.Held(trace.ISS); una.Value.Num != iss.Value.Num+1 || una.With.Value(trace.ISS) != iss.Value {
		t.Errorf("SND.UNA is %+v and ISS %+v, want the ISS acknowledged, as when the connection stood", una.Value, iss.Value)
	}
	if v := client.Held(trace.Backlog).Value; v.Kind != trace.None {
		t.Errorf("the client's backlog is %+v, and it listens nowhere", v)
	}
	if v := client.Made(trace.Protocol); v.Text != "TCP" {
		t.Errorf("a socket just made has the protocol %+v", v)
	}
	for _, item := range []trace.Item{trace.RemotePort, trace.ISS, trace.ReceiveMemoryUsed} {
		if v := client.Made(item); v.Kind != trace.None {
			t.Errorf("a socket just made has the %v %+v", item, v)
		}
	}
	if v := client.State(); v.Text != "ESTABLISHED" {
		t.Errorf("the client's state is %+v", v)
	}
	if v := new(Items).State(); v.Kind != trace.None {
		t.Errorf("without any run the state is %+v", v)
	}
}

// TestItemsJoinRuns: what a run does not show another may, and what was held first stays.
func TestItemsJoinRuns(t *testing.T) {
	var items Items
	items.Add(hide(t, "plain", trace.Cwnd), "client")
	if v := items.Held(trace.Cwnd).Value; v.Kind != trace.NotObservable {
		t.Errorf("cwnd is %+v, and the stack hides it", v)
	}
	port := items.Held(trace.LocalPort)
	items.Add(story(t, "plain"), "server")
	if v := items.Held(trace.Cwnd).Value; v.Kind != trace.Number {
		t.Errorf("cwnd is %+v where another run shows it", v)
	}
	if got := items.Held(trace.LocalPort); got.Value != port.Value {
		t.Errorf("the local port was %+v and is %+v", port.Value, got.Value)
	}
}

// TestItemsOfAStackThatShowsNothing: they are not observable, and never absent.
func TestItemsOfAStackThatShowsNothing(t *testing.T) {
	tr := edit(t, "plain").finish(t)
	tr.Header.Control = false
	var items Items
	items.Add(tr, "client")
	for item := range trace.Item(trace.NumItems) {
		if v := items.Held(item).Value; v.Kind != trace.NotObservable {
			t.Errorf("%v is %+v", item, v)
		}
		if v := items.Made(item); v.Kind != trace.NotObservable {
			t.Errorf("%v of a socket just made is %+v", item, v)
		}
	}
	if v := items.State(); v.Kind != trace.NotObservable {
		t.Errorf("the state is %+v", v)
	}
}

// TestWhoHoldsWhatOnlyOneHolds: by the host's name.
func TestWhoHoldsWhatOnlyOneHolds(t *testing.T) {
	iss, rto := []trace.Item{trace.ISS}, []trace.Item{trace.RTO}
	for _, tt := range []struct {
		own  [2][]trace.Item
		want Text
	}{
		{[2][]trace.Item{iss, nil}, say("book.B21.early", 7, "client", iss)},
		{[2][]trace.Item{nil, rto}, say("book.B21.early", 7, "server", rto)},
		{[2][]trace.Item{iss, rto}, say("book.B21.early.each", 7, "client", iss, "server", rto)},
	} {
		got := sayOwn("book.B21.early", "book.B21.early.each", 7, [2]string{"client", "server"}, tt.own)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}
