package book

// sectionB is the header in front, and what a socket records.
var sectionB = []*Statement{
	{ID: "B1", Scope: Course, Text: "Control information travels in a header in front of the packet.", Source: "RFC 9293, Section 3.1", WireDecides: true, judge: b1},
	{ID: "B2", Scope: Every, Text: "The header's fields are so many bits wide, 6 of them unused.", Source: "RFC 9293, Section 3.1", WireDecides: true, judge: b2},
	{ID: "B3", Scope: Every, Text: "The ports are those of the sending and of the receiving program.", Source: "RFC 9293, Section 3.1", judge: b3},
	{ID: "B4", Scope: Every, Text: "The sequence number says which octet of the data comes first.", Source: "RFC 9293, Section 3.4", WireDecides: true, judge: b4},
	{ID: "B5", Scope: Every, Text: "The ACK number says up to which octet the data have arrived.", Source: "RFC 9293, Section 3.4", WireDecides: true, judge: b5},
	{ID: "B6", Scope: Every, Text: "The data offset says where the data begin: the header's length.", Source: "RFC 9293, Section 3.1", WireDecides: true, judge: b6},
	{ID: "B7", Scope: Every, Text: "URG set: the urgent pointer is valid.", Source: "RFC 9293, Section 3.8.5", WireDecides: true, judge: b7},
	{ID: "B8", Scope: Every, Text: "ACK set: the ACK number is valid, and usually data have arrived.", Source: "RFC 9293, Section 3.1", WireDecides: true, judge: b8},
	{ID: "B9", Scope: Course, Text: "PSH set: the data were sent by a flush.", Source: "RFC 9293, Section 3.9.1.2", judge: b9},
	{ID: "B10", Scope: Course, Text: "RST forces the connection down; it is for abnormal ends.", Source: "RFC 9293, Section 3.5.2", judge: b10},
	{ID: "B11", Scope: Every, Text: "SYN marks the connect: both sides confirm the initial numbers.", Source: "RFC 9293, Section 3.5", WireDecides: true, judge: b11},
	{ID: "B12", Scope: Every, Text: "FIN marks the disconnect.", Source: "RFC 9293, Section 3.6", WireDecides: true, judge: b12},
	{ID: "B13", Scope: Course, Text: "The window says how much may be sent without waiting for an ACK.", Source: "RFC 9293, Section 3.8.6", judge: b13},
	{ID: "B14", Scope: Every, Text: "The checksum is there to detect errors.", Source: "RFC 9293, Section 3.1", judge: b14},
	{ID: "B15", Scope: Course, Text: "The urgent pointer says where data for urgent handling are.", Source: "RFC 9293, Section 3.8.5", WireDecides: true, judge: b15},
	{ID: "B16", Scope: Course, Text: "Options carry more; outside the connect they are rarely used.", Source: "RFC 7323, Section 3.2", WireDecides: true, judge: b16},
	{ID: "B17", Scope: Every, Text: "A packet with data has the data behind the headers.", Source: "RFC 9293, Section 3.1", judge: b17},
}
