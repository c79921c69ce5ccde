package netns_test

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var ignoreText = cmpopts.IgnoreUnexported(netns.Fault{})

func TestParseFault(t *testing.T) {
	const syn, ack = trace.SYN, trace.ACK
	for text, want := range map[string]netns.Fault{
		"drop server SYN,ACK#1":             {Host: netns.Server, Match: netns.MatchBits, Bits: syn | ack, First: 1, Last: 1},
		"drop client ACK,SYN":               {Host: netns.Client, Match: netns.MatchBits, Bits: syn | ack},
		"drop client none":                  {Host: netns.Client, Match: netns.MatchBits},
		"drop client FIN,PSH,ACK,URG,ECE#2": {Host: netns.Client, Match: netns.MatchBits, Bits: trace.FIN | trace.PSH | ack | trace.URG | trace.ECE, First: 2, Last: 2},
		"drop client any":                   {Host: netns.Client},
		"drop client 10%":                   {Host: netns.Client, Percent: 10},
		"drop client any#7 .5%":             {Host: netns.Client, First: 7, Last: 7, Percent: 0.5},
		"drop client data#2-4 100%":         {Host: netns.Client, Match: netns.MatchData, First: 2, Last: 4, Percent: 100},
		"\t drop  client\tdata#3-3 ":        {Host: netns.Client, Match: netns.MatchData, First: 3, Last: 3},
		"delay client data .050":            {Action: netns.FaultDelay, Host: netns.Client, Match: netns.MatchData, Delay: 50 * time.Millisecond},
		"delay client 5% 2":                 {Action: netns.FaultDelay, Host: netns.Client, Percent: 5, Delay: 2 * time.Second},
		"duplicate server SYN":              {Action: netns.FaultDuplicate, Host: netns.Server, Match: netns.MatchBits, Bits: syn},
		"duplicate server RST 7us":          {Action: netns.FaultDuplicate, Host: netns.Server, Match: netns.MatchBits, Bits: trace.RST, Delay: 7 * time.Microsecond},
		"reorder server data#1":             {Action: netns.FaultReorder, Host: netns.Server, Match: netns.MatchData, First: 1, Last: 1, Overtake: 1},
		"reorder server data#1 3":           {Action: netns.FaultReorder, Host: netns.Server, Match: netns.MatchData, First: 1, Last: 1, Overtake: 3},
		"corrupt server CWR,AE":             {Action: netns.FaultCorrupt, Host: netns.Server, Match: netns.MatchBits, Bits: trace.CWR | trace.AE},
		"corrupt server any#2 1% 32.7":      {Action: netns.FaultCorrupt, Host: netns.Server, First: 2, Last: 2, Percent: 1, Octet: 32, Bit: 7},
		"corrupt server any 1.0":            {Action: netns.FaultCorrupt, Host: netns.Server, Octet: 1},
		"drop client any#1-" + maxText:      {Host: netns.Client, First: 1, Last: math.MaxInt},
	} {
		got, err := netns.ParseFault(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if d := cmp.Diff(want, got, ignoreText); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
		if s := strings.Join(strings.Fields(text), " "); got.String() != s {
			t.Errorf("%q prints as %q, want %q", text, got, s)
		}
	}
}

func TestParseFaultErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		column int // from 1
		want   string
	}{
		{"", 1, "expected ACTION HOST PACKETS"},
		{"drop", 5, "expected ACTION HOST PACKETS"},
		{"drop client", 12, "expected ACTION HOST PACKETS"},
		{"lose client any", 1, `unknown action "lose": the actions are drop, delay, duplicate, corrupt, reorder`},
		{"Drop client any", 1, "unknown action"},
		{"drop  peer any", 7, `unknown host "peer": the hosts are client and server`},
		{"drop client syn", 13, `expected control bits (SYN,ACK), data or any, found "syn"`},
		{"drop client SYN+ACK", 13, "expected control bits"},
		{"drop client SYN, ACK", 13, "expected control bits"},
		{"drop client #2", 13, "expected control bits"},
		{"drop client SYN#0", 13, `expected a count from 1 behind #, as #2 or #2-4, found "0"`},
		{"drop client SYN#", 13, "expected a count"},
		{"drop client SYN#x", 13, "expected a count"},
		{"drop client SYN#3-2", 13, "expected a count"},
		{"drop client SYN#2-", 13, "expected a count"},
		{"drop client SYN#-2", 13, "expected a count"},
		{"drop client SYN#99999999999999999999", 13, "expected a count"},
		{"drop client 0%", 13, `expected a percentage above 0 and up to 100, found "0%"`},
		{"drop client 101%", 13, "expected a percentage"},
		{"drop client any -1%", 17, "expected a percentage"},
		{"drop client any NaN%", 17, "expected a percentage"},
		{"drop client any %", 17, "expected a percentage"},
		{"drop client any 5", 17, `expected the end of the rule, found "5"`},
		{"drop client any 5% 5%", 20, `expected the end of the rule, found "5%"`},
		{"delay client any", 17, "expected how much later, as .050 or 50ms"},
		{"delay client any 5%", 20, "expected how much later"},
		{"delay client any soon", 18, `expected a time, in seconds (1, .010) or with a unit (10ms), found "soon"`},
		{"delay client any 1 2", 20, `expected the end of the rule, found "2"`},
		{"duplicate client any -1s", 22, "expected a time"},
		{"reorder client any 0", 20, `expected how many packets overtake it, from 1, found "0"`},
		{"reorder client any two", 20, "expected how many packets"},
		{"corrupt client any 32", 20, `expected the octet and bit to flip, as 32.7, found "32"`},
		{"corrupt client any 32.8", 20, "expected the octet and bit"},
		{"corrupt client any 0.1", 20, "expected the octet and bit"},
		{"corrupt client any a.b", 20, "expected the octet and bit"},
	} {
		_, err := netns.ParseFault(c.text)
		var fe *netns.FaultError
		if !errors.As(err, &fe) {
			t.Errorf("%q: error %v, want a FaultError", c.text, err)
			continue
		}
		if fe.Offset+1 != c.column || !strings.HasPrefix(fe.Msg, c.want) {
			t.Errorf("%q: column %d: %s\nwant column %d: %s", c.text, fe.Offset+1, fe.Msg, c.column, c.want)
		}
		if want := fmt.Sprintf("fault %q, column %d: %s", c.text, c.column, fe.Msg); err.Error() != want {
			t.Errorf("prints as %s, want %s", err, want)
		}
	}
}

// TestFaultMadeInGo: a rule without a text prints as one that means the same.
func TestFaultMadeInGo(t *testing.T) {
	for want, f := range map[string]netns.Fault{
		"drop server any":               {Host: netns.Server},
		"drop client SYN,ACK#2":         {Host: netns.Client, Match: netns.MatchBits, Bits: trace.SYN | trace.ACK, First: 2, Last: 2},
		"drop client none":              {Host: netns.Client, Match: netns.MatchBits},
		"drop client data#1-3 12.5%":    {Host: netns.Client, Match: netns.MatchData, Last: 3, Percent: 12.5},
		"delay client any 50ms":         {Action: netns.FaultDelay, Host: netns.Client, Delay: 50 * time.Millisecond},
		"duplicate client any":          {Action: netns.FaultDuplicate, Host: netns.Client},
		"duplicate client any 1.5s":     {Action: netns.FaultDuplicate, Host: netns.Client, Delay: 1500 * time.Millisecond},
		"reorder client any#1":          {Action: netns.FaultReorder, Host: netns.Client, First: 1, Last: 1},
		"reorder client any 2":          {Action: netns.FaultReorder, Host: netns.Client, Overtake: 2},
		"corrupt client any 32.7":       {Action: netns.FaultCorrupt, Host: netns.Client, Octet: 32, Bit: 7},
		"drop client data#4-" + maxText: {Host: netns.Client, Match: netns.MatchData, First: 4},
	} {
		if f.String() != want {
			t.Errorf("prints as %q, want %q", f, want)
		}
		read, err := netns.ParseFault(want)
		if err != nil {
			t.Error(err)
			continue
		}
		// Zero values that mean the same as what is read.
		f.Overtake = max(f.Overtake, read.Overtake)
		if f.Last > 0 && f.First == 0 {
			f.First = 1
		}
		if f.First > 0 && f.Last == 0 {
			f.Last = math.MaxInt
		}
		if d := cmp.Diff(f, read, ignoreText); d != "" {
			t.Errorf("%q reads as another rule (-want +got):\n%s", want, d)
		}
	}
}

var maxText = strconv.Itoa(math.MaxInt)

func FuzzParseFault(f *testing.F) {
	for _, s := range []string{
		"drop server SYN,ACK#1", "delay client data#2-3 .050", "reorder client any 2", "corrupt server 10% 32.7", "duplicate client FIN 1s",
		"drop client \xff", "drop\nclient any", "delay client 1e3% 0x1p-2s", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := netns.ParseFault(text)
		if err != nil {
			var fe *netns.FaultError
			if !errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > len(text) {
				t.Fatalf("%q: error %v", text, err)
			}
			return
		}
		second, err := netns.ParseFault(first.String())
		if err != nil {
			t.Fatalf("%q is a rule, but as it prints, %q, it is not: %v", text, first, err)
		}
		if first != second {
			t.Fatalf("%q prints as %q and then is another rule:\n%#v\n%#v", text, first, first, second)
		}
	})
}

func TestParseTime(t *testing.T) {
	for word, want := range map[string]time.Duration{
		"0": 0, "1": time.Second, "1.": time.Second, "1.5": 1500 * time.Millisecond, ".010": 10 * time.Millisecond,
		".000000001": 1, "0.1": 100 * time.Millisecond, "007": 7 * time.Second, "31536000": 8760 * time.Hour,
		"10ms": 10 * time.Millisecond, "1h30m": 90 * time.Minute, "0s": 0, "3153600000": netns.MaxTime, "876000h": netns.MaxTime,
	} {
		if got, err := netns.ParseTime(word); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", word, got, err, want)
		}
	}
	for _, word := range []string{"", ".", "-1", "-1s", "1.5.2", "1 s", "1e3", "ten", ".0000000001", "9999999999", "99999999999", "+1", "1,5", "99999999h", "3153600000.000000001", "876000h1ns", "9223372035"} {
		if got, err := netns.ParseTime(word); err == nil {
			t.Errorf("%q: %v, want an error", word, got)
		} else if !strings.Contains(err.Error(), "expected a time") || !strings.Contains(err.Error(), fmt.Sprintf("%q", word)) {
			t.Errorf("%q: error %v", word, err)
		}
	}
}

// mixed has the client send one segment of each of these kinds at one instant, numbered from 1 by sequence number.
var mixed = []struct {
	flags trace.Flags
	data  int
}{
	{trace.SYN, 0},                                     // 1
	{trace.SYN | trace.ACK, 0},                         // 2
	{trace.ACK, 0},                                     // 3
	{trace.PSH | trace.ACK, 5},                         // 4
	{trace.ACK, 5},                                     // 5
	{trace.SYN | trace.ECE | trace.CWR, 0},             // 6
	{trace.FIN | trace.ACK, 0},                         // 7
	{trace.RST, 0},                                     // 8
	{trace.RST | trace.ACK, 0},                         // 9
	{trace.FIN | trace.PSH | trace.ACK, 1},             // 10
	{trace.SYN, 0},                                     // 11
	{trace.SYN | trace.ACK | trace.AE, 0},              // 12
	{trace.ACK | trace.URG, 0},                         // 13
	{0, 0},                                             // 14
	{trace.SYN | trace.ACK | trace.ECE, 0},             // 15
	{trace.FIN | trace.PSH | trace.ACK, 1},             // 16
	{trace.PSH | trace.ACK | trace.ECE, 0},             // 17
	{trace.RST | trace.ACK | trace.PSH, 0},             // 18
	{trace.FIN | trace.ACK | trace.SYN, 0},             // 19
	{trace.FIN | trace.RST | trace.SYN | trace.ECE, 9}, // 20
}

// hitBy are the numbers of those segments of mixed that rules decided about.
func hitBy(t *testing.T, rules ...string) map[string][]int {
	t.Helper()
	tr := run(t, netns.Config{Client: blind(func(p *puppet) {
		p.at(0, "go", func() {
			for i, m := range mixed {
				p.send(m.flags, trace.Seq(i+1), make([]byte, m.data)...)
			}
		})
	}), Server: blind(nil), Faults: faults(t, rules...)}, func(*netns.Sandbox) {})
	hit := map[string][]int{}
	for _, e := range tr.Events {
		if f, ok := e.Detail.(*trace.Fate); ok {
			hit[f.Rule] = append(hit[f.Rule], int(tr.Event(e.Cause).Detail.(*trace.Sent).Packet.TCP.Seq))
		}
	}
	return hit
}

func faults(t *testing.T, rules ...string) []netns.Fault {
	t.Helper()
	var list []netns.Fault
	for _, r := range rules {
		f, err := netns.ParseFault(r)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

// TestRuleSelects: SYN, FIN, RST and ACK must be exactly those that are named, other bits only have to be there if they are.
func TestRuleSelects(t *testing.T) {
	for rule, want := range map[string][]int{
		"drop client SYN":             {1, 6, 11},
		"drop client SYN#2":           {6},
		"drop client SYN#2-3":         {6, 11},
		"drop client SYN#4":           nil,
		"drop client SYN,ECE":         {6},
		"drop client SYN,ECE#2":       nil,
		"drop client SYN,ACK":         {2, 12, 15},
		"drop client SYN,ACK,AE":      {12},
		"drop client SYN,ACK,ECE#1":   {15},
		"drop client ACK":             {3, 4, 5, 13, 17},
		"drop client ACK#3":           {5},
		"drop client PSH,ACK":         {4, 17},
		"drop client URG,ACK":         {13},
		"drop client CWR,SYN":         {6},
		"drop client FIN,ACK":         {7, 10, 16},
		"drop client FIN,PSH,ACK#2":   {16},
		"drop client FIN":             nil,
		"drop client RST":             {8},
		"drop client RST,ACK":         {9, 18},
		"drop client SYN,FIN,ACK":     {19},
		"drop client none":            {14},
		"drop client data":            {4, 5, 10, 16, 20},
		"drop client data#2-3":        {5, 10},
		"drop client any#19-30":       {19, 20},
		"drop client any#20 100%":     {20},
		"drop server any":             nil,
		"delay client RST 1":          {8},
		"duplicate client RST":        {8},
		"corrupt client SYN#3":        {11},
		"reorder client PSH,ACK#1 2":  {4},
		"drop client SYN,FIN,RST,ECE": {20},
	} {
		if d := cmp.Diff(want, hitBy(t, rule)[rule]); d != "" {
			t.Errorf("%s (-want +got):\n%s", rule, d)
		}
	}
}

// TestFirstRuleDecides: one rule decides about a packet, and the others count it all the same.
func TestFirstRuleDecides(t *testing.T) {
	got := hitBy(t, "drop client data#2", "delay client ACK#3-4 1", "drop client any#4-6")
	want := map[string][]int{
		"drop client data#2":     {5},    // also the third ACK
		"delay client ACK#3-4 1": {13},   // the fourth: the third was decided
		"drop client any#4-6":    {4, 6}, // 5 counts, though it was decided
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("decided (-want +got):\n%s", d)
	}
}

// hits are the indexes of those of n equal segments that each rule decided about.
func hits(t *testing.T, seed uint64, n int, rules ...string) map[string][]int {
	t.Helper()
	tr := run(t, netns.Config{Seed: seed, Client: blind(func(p *puppet) {
		p.at(0, "go", func() {
			for i := range n {
				p.send(trace.ACK, trace.Seq(i))
			}
		})
	}), Server: blind(nil), Faults: faults(t, rules...)}, func(*netns.Sandbox) {})
	hit := map[string][]int{}
	for _, e := range tr.Events {
		if f, ok := e.Detail.(*trace.Fate); ok {
			hit[f.Rule] = append(hit[f.Rule], int(tr.Event(e.Cause).Detail.(*trace.Sent).Packet.TCP.Seq))
		}
	}
	return hit
}

// TestPercent: a rule for so many in a hundred hits about so many, others with another seed, and the same whatever other
// rules there are behind it.
func TestPercent(t *testing.T) {
	const rule = "drop client any 30%"
	alone := hits(t, 1, 1000, rule)[rule]
	if n := len(alone); n < 250 || n > 350 {
		t.Errorf("%d of 1000 packets were hit, want about 300", n)
	}
	if d := cmp.Diff(alone, hits(t, 1, 1000, rule, "delay client ACK 50% 1")[rule]); d != "" {
		t.Errorf("a rule behind it changes which packets are hit (-alone +with another):\n%s", d)
	}
	if cmp.Equal(alone, hits(t, 2, 1000, rule)[rule]) {
		t.Error("two seeds hit the same packets")
	}
	second := hits(t, 1, 1000, "drop server any 30%", rule)[rule]
	if cmp.Equal(alone, second) {
		t.Error("two rules draw from the same stream")
	}
}

// TestPercentChangesNoOctet: the stacks' randomness is apart from that of the rules.
func TestPercentChangesNoOctet(t *testing.T) {
	sent := func(rules ...string) (octets []string) {
		tr := run(t, toys(netns.Config{Seed: 7, Faults: faults(t, rules...)}), func(sb *netns.Sandbox) { plain(t, sb, 5000) })
		for _, e := range tr.Events {
			if s, ok := e.Detail.(*trace.Sent); ok {
				octets = append(octets, fmt.Sprintf("%v %x", e.At, s.Packet.Octets))
			}
		}
		return octets
	}
	without := sent()
	if len(without) < 20 {
		t.Fatalf("only %d packets were sent", len(without))
	}
	if d := cmp.Diff(without, sent("delay client 50% 0s", "delay server 50% 0s")); d != "" {
		t.Errorf("octets sent (-without the rule +with it):\n%s", d)
	}
}
