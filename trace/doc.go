// Package trace is the record of a run: the words of RFC 9293 as Go types, the log of events, and its file format.
//
// A run leaves one Trace behind. Everything else reads it: views draw it, checks judge it, and neither ever sees
// the sandbox that made it, so a trace from a file is worth a live one.
//
//	f, err := os.Open("plain.trace")
//	…
//	t, err := trace.Read(f, "plain.trace", wire.Decode)
//	…
//	for _, e := range t.Events {
//		if s, ok := e.Detail.(*trace.Sent); ok {
//			fmt.Println(e.At, e.Host, s.Packet.TCP.Flags)
//		}
//	}
//
// The ideas in order: an Event has a number, a virtual time, a host, a socket, a cause and a Detail. Numbers rise
// by one and a cause comes before its effect. A socket is (host, number) from the moment when it is first seen until
// it is gone; its descriptor and its addresses are attributes that it has for a while. A Recorder writes events in
// steps, without allocating for each. Write and Read are inverse to each other.
//
// # File format
//
// JSON Lines, one object a line, version in the first. See FORMAT.md beside this file.
//
// # Limits
//
// One link between two hosts, and all packets of a trace begin with the same header: IP's or Ethernet's.
package trace
