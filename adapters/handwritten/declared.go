package handwritten

// A Difference is a row of the table of RFC 9293's transitions that this stack does not do, and why.
type Difference struct {
	Row    string // T001 to T249
	Reason string
}

// Declared returns all of them, in the order of the table. The slice is the caller's.
func Declared() []Difference {
	const (
		security = "there is no multilevel security"
		rfc793   = "RFC 793's answer to a SYN in the window; this is RFC 5961's"
	)
	return []Difference{
		{"T028", security},
		{"T069", rfc793},
		{"T075", "the SYN,ACK of a simultaneous open is answered as the first step says (T076)"},
		{"T090", rfc793},
		{"T108", "ABORT ends in CLOSED (Section 3.10.5; T083), not in TIME-WAIT (Section 3.3.2, Note 3)"},
		{"T109", security},
		{"T115", rfc793},
		{"T138", security},
		{"T144", rfc793},
		{"T163", "RFC 9293 has no timer in FIN-WAIT-2"},
		{"T164", security},
		{"T170", rfc793},
		{"T186", security},
		{"T192", rfc793},
		{"T208", security},
		{"T214", rfc793},
		{"T230", security},
		{"T247", "a connection that was reopened out of TIME-WAIT and is reset does not return there: its old record is gone"},
		{"T249", security},
	}
}
