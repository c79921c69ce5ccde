package script_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
)

func dumpTrace(r *script.Result) string { return dumpText(r) }

func TestZZDump(t *testing.T) {
	dir := os.Getenv("DUMP")
	if dir == "" {
		return
	}
	for _, name := range script.Names() {
		story, err := script.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := script.Run(story, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
		if err != nil {
			t.Fatal(name, err)
		}
		b := dumpText(r)
		os.WriteFile(dir+"/"+name+".txt", []byte(b), 0o644)
	}
}

func seg(p *trace.Packet) string {
	s := p.TCP
	return fmt.Sprintf("%v %v->%v seq %d ack %d win %d data %d opts %x sum %v/%v ttl %d id %d", s.Flags, p.Source(), p.Destination(), s.Seq, s.Ack, s.Window, s.DataLen, []byte(s.Options), p.IP.Checksum, s.Checksum, p.IP.TTL, p.IP.ID)
}

func dumpText(r *script.Result) string {
	var b strings.Builder
	for _, e := range r.Trace.Events {
		fmt.Fprintf(&b, "%d %v %s %d <%d ", e.N, e.At, e.Host, e.Socket, e.Cause)
		switch d := e.Detail.(type) {
		case *trace.Call:
			fmt.Fprintf(&b, "CALL %s %s line %d", d.Program, d, d.Line)
		case *trace.Return:
			fmt.Fprintf(&b, "RETURN of %d = %s accepted %d %v", d.Call, d, d.Accepted, d.Addr)
		case *trace.Sent:
			fmt.Fprintf(&b, "SENT %s", seg(d.Packet))
		case *trace.Arrived:
			fmt.Fprintf(&b, "ARRIVED %s", seg(d.Packet))
		case *trace.Fate:
			fmt.Fprintf(&b, "FATE %+v", *d)
		case *trace.StateChange:
			fmt.Fprintf(&b, "STATE %v -> %v (%s) %v listener %d", d.From, d.To, d.Word, d.Source, d.Listener)
		case *trace.Control:
			b.WriteString("CONTROL")
			for _, c := range d.Changes {
				fmt.Fprintf(&b, "\n      %v: %v -> %v by %v %v %v", c.Item, c.Old, c.New, c.By, c.Field, c.Source)
			}
		case *trace.Timer:
			fmt.Fprintf(&b, "TIMER %s", d.Name)
		case *trace.HostChange:
			fmt.Fprintf(&b, "HOST %v", d.What)
		case *trace.Note:
			fmt.Fprintf(&b, "NOTE %+v", *d)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "END %+v\nCONNECT %+v\nFAIL %v\n", r.End, r.Connect, r.Failures)

	return b.String()
}
