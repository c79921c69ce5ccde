package trace_test

import (
	"fmt"
	"testing"

	"connectlab/trace"
)

// TestNamesOfWhatThereIsNot: a value beyond a closed set prints as its type and number.
func TestNamesOfWhatThereIsNot(t *testing.T) {
	for want, v := range map[string]fmt.Stringer{
		"FateKind(99)": trace.FateKind(99), "EndReason(99)": trace.EndReason(99), "Bringer(99)": trace.Bringer(99), "Field(99)": trace.Field(99),
		"HostEvent(99)": trace.HostEvent(99), "PacketKind(99)": trace.PacketKind(99), "Checksum(99)": trace.Checksum(99),
		"State(99)": trace.State(99), "Source(99)": trace.Source(99), "Item(99)": trace.Item(99),
	} {
		if got := v.String(); got != want {
			t.Errorf("prints as %q, want %q", got, want)
		}
	}
}

// TestSetTextOfANumber: a text for an item that is none is the caller's error, and not the pending error's text.
func TestSetTextOfANumber(t *testing.T) {
	var c trace.ControlInfo
	defer func() {
		if got := fmt.Sprint(recover()); got != "trace: RTO is not a text" {
			t.Errorf("panic %q, want one that names the item", got)
		}
		if v := c.Value(trace.PendingError); v != (trace.Value{}) {
			t.Errorf("the pending error is %q", v)
		}
	}()
	c.SetText(trace.RTO, "ECONNREFUSED")
}

// TestCallsAndReturnsAsInC: what a call was given and what it gave back, none of it in more than one way.
func TestCallsAndReturnsAsInC(t *testing.T) {
	for want, v := range map[string]fmt.Stringer{
		"listen(3, -1)":    &trace.Call{Name: "listen", FD: 3, Len: -1},
		"listen(3, 0)":     &trace.Call{Name: "listen", FD: 3},
		"accept(3)":        &trace.Call{Name: "accept", FD: 3, Len: trace.NoLen},
		"socket()":         &trace.Call{Name: "socket", FD: -1, Len: trace.NoLen},
		"0":                &trace.Return{},
		"-1 ECONNREFUSED":  &trace.Return{Result: -1, Errno: "ECONNREFUSED"},
		"0 [ECONNREFUSED]": &trace.Return{Value: trace.Value{Kind: trace.Text, Text: "ECONNREFUSED"}},
		"0 [0]":            &trace.Return{Value: trace.Value{Kind: trace.Number}},
	} {
		if got := v.String(); got != want {
			t.Errorf("prints as %q, want %q", got, want)
		}
	}
}
