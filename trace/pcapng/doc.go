// Package pcapng turns traces into packet captures, and other people's captures into traces.
//
// Out: what Wireshark opens.
//
//	f, err := os.Create("wire.pcapng")
//	…
//	err = pcapng.Write(f, t, pcapng.Wire)
//
// In: what tcpdump wrote.
//
//	f, err := os.Open("somebody.pcap")
//	…
//	summary, err := pcapng.Read(f, f.Name(), func(c *pcapng.Connection) error {
//		return view.Ladder(os.Stdout, c.Trace, view.Options{})
//	})
//
// # Out
//
// A run has three captures: Wire, and what each host saw. An interface is a host. Each packet is there with the octets that the
// trace has, the virtual time in nanoseconds, and a comment that says which event it is, in which state both sockets of its
// connection were after that event, and what the link did to the packet. Where another program reads a field of the capture otherwise than
// the trace has it, that is an error of ours: a test compares them with tshark, on every story.
//
// # In
//
// Read takes classic pcap (microseconds and nanoseconds, both byte orders) and pcapng (several sections, several interfaces, each
// with its link type and its clock), and of the link types Ethernet with VLAN tags, Linux cooked, raw IP and BSD loopback. It
// follows TCP connections by addresses and ports, and hands each out as a trace of its own, whose Header.Capture is true.
//
// A capture shows packets and no more. Each frame becomes a Sent and an Arrived, both at the time of capture: whoever captured stood
// at one place, and what was lost behind it, or met on the way, cannot be seen. States are those that the segments imply
// (rfc9293.Endpoint), and say so: trace.Inferred. A listening socket sends nothing before a SYN comes, so the socket of a connection is socket 1 of its
// host; another SYN of the same host in the middle of the connection, as after a reboot, makes socket 2. There are no calls.
//
// Connections end when both sides have closed or one has reset, and are handed out a minute of the capture's time later, so that
// what comes late is still theirs; others at the end of the capture. A connection of more than 4096 frames comes in parts, of which each
// but the first begins with the states and the control information that the parts before have shown.
//
// What is kept until then is bounded, whatever the capture's length and whatever is in it: what was captured of a connection's
// frames, from which its trace is made when it is handed out, of at most 65536 connections, in at most 128 MiB. The
// collector lets the heap grow to twice of that, and a process that judges took 360 MB. Where that does not do, those that keep
// more than their share are handed out early, and go on in another part, so that short connections stay whole; and the one that
// was quiet for longest is given up for a new one. Summary.Split counts both.
//
// # Checksums
//
// A capture made on the sending machine has segments whose checksum its network card was still to compute: the field holds
// the sum of the pseudo header, or zero. That is not bad, and not good either: trace.ChecksumUncomputed, and the segment counts, as it went out
// whole. Where the total length of an IPv4 packet is 0, as some machines capture what their card is to cut up, the trace's octets
// have that of the frame, and 0 for the header's checksum: what fills a short frame up is taken for data then.
// A checksum that is bad in another way is damage: the receiver drops such a segment, so no state follows from it, though the trace has it. A segment whose data the capture cut off is unverified, and counts.
//
// # Limits
//
// Fragments are not put together. A frame that was captured on two interfaces is there twice, as a retransmission. Connections are not
// told apart by VLAN or interface. When only one direction was captured, the states of both ends are what that half shows.
// Times that go backwards stand still. A simple packet block has no time: it gets that of the frame before.
//
// # Alternatives considered
//
// Writing goes through gopacket's pcapgo. Reading does not: pcapgo rounds the times of clocks that do not count in powers of ten, takes the lengths
// of blocks on trust, cannot say where in the file it is, and copies what the reader only has to look at. It is what the tests hold Read
// against. Should it learn these, Read would need neither file.go nor its tests.
package pcapng
