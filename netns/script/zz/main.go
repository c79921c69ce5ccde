package main

import (
	"fmt"
	"os"
	"strings"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
)

func main() {
	names := os.Args[1:]
	for _, n := range names {
		control := strings.HasPrefix(n, "+")
		n = strings.TrimPrefix(n, "+")
		var s *script.Story
		var err error
		if strings.HasSuffix(n, ".story") {
			b, _ := os.ReadFile(n)
			s, err = script.Parse(n, string(b))
		} else {
			s, err = script.Builtin(n)
		}
		if err != nil {
			fmt.Println(err)
			continue
		}
		r, err := script.Run(s, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
		fmt.Println("=====", n, err)
		if r == nil {
			continue
		}
		if r.Trace != nil && len(names) < 4 {
			for _, e := range r.Trace.Events {
				var d string
				switch x := e.Detail.(type) {
				case *trace.Call:
					d = x.String() + fmt.Sprintf("  [%s line %d]", x.Program, x.Line)
				case *trace.Return:
					d = fmt.Sprintf("return of %d: %v", x.Call, x)
				case *trace.Sent:
					d = fmt.Sprintf("sent %v seq %d ack %d len %d win %d", x.Packet.TCP.Flags, x.Packet.TCP.Seq, x.Packet.TCP.Ack, x.Packet.TCP.DataLen, x.Packet.TCP.Window)
				case *trace.Arrived:
					d = fmt.Sprintf("arrived %v", x.Packet.TCP.Flags)
				case *trace.Fate:
					d = fmt.Sprintf("fate %v %s", x.Kind, x.Rule)
				case *trace.StateChange:
					d = fmt.Sprintf("state %v -> %v (%s)", x.From, x.To, x.Word)
				case *trace.Control:
					if !control {
						continue
					}
					for _, c := range x.Changes {
						d += fmt.Sprintf("%v: %v->%v; ", c.Item, c.Old, c.New)
					}
				case *trace.Timer:
					d = "timer " + x.Name
				case *trace.HostChange:
					d = x.What.String()
				case *trace.Note:
					d = fmt.Sprintf("NOTE failed=%v %s", x.Failed, x.Text)
				}
				fmt.Printf("%4d %14v %s %d <%d> %s\n", e.N, e.At, e.Host, e.Socket, e.Cause, d)
			}
		}
		fmt.Printf("connect %+v end %+v\n", r.Connect, r.End)
		for _, f := range r.Failures {
			fmt.Println("  FAIL", f.Event, f)
		}
	}
}
