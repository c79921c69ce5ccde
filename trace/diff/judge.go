package diff

import (
	"connectlab/trace/rfc9293"
)

// A judge says which rule a divergence is about. What connections and listeners owe to what they meet is package rfc9293's; the rest is
// the closed table below.
type judge struct {
	c       *comparison
	answers [2]map[int][]*rfc9293.Answer // by the event that was met
	wrong   [2]map[int]bool              // changes of state that are no path
}

// A rule is one of the package's own.
type rule struct {
	id, section, requirement string
	// general: it says of what a divergence is, and not what was to be done. What was owed to what the step began with says more.
	general bool
}

// key is the rule's in the catalogue.
func (r *rule) key() string { return "diff.rule." + r.id }

// The rules.
var (
	ruleWindow        = rule{"window", "RFC 9293, Section 3.8.6", "", false}
	ruleWindowUpdate  = rule{"window-update", "RFC 9293, Section 3.8.6.2.2", "MUST-39", false}
	ruleProbe         = rule{"window-probe", "RFC 9293, Section 3.8.6.1", "MUST-36", false}
	ruleMSS           = rule{"mss", "RFC 9293, Section 3.7.1", "MAY-3", false}
	ruleMSSInSYN      = rule{"mss-in-syn", "RFC 9293, Section 3.2", "MUST-65", false}
	ruleMSSFits       = rule{"mss-fits", "RFC 9293, Section 3.7.1", "MUST-67", false}
	ruleSegmentFits   = rule{"segment-fits", "RFC 9293, Section 3.7.1", "MUST-16", false}
	ruleScale         = rule{"window-scale", "RFC 7323, Section 2.2", "", false}
	ruleScaleAnswered = rule{"window-scale-answered", "RFC 7323, Section 2.2", "", false}
	ruleScaleLimit    = rule{"window-scale-limit", "RFC 7323, Section 2.3", "", false}
	ruleTimestamps    = rule{"timestamps", "RFC 7323, Section 3.2", "", false}
	ruleTimestampsAll = rule{"timestamps-always", "RFC 7323, Section 3.2", "", false}
	ruleTSAnswered    = rule{"timestamps-answered", "RFC 7323, Section 3.2", "", false}
	ruleTSValue       = rule{"timestamps-value", "RFC 7323, Section 5.4", "", false}
	ruleTSEcho        = rule{"timestamps-echo", "RFC 7323, Section 4.3", "", false}
	rulePAWS          = rule{"paws", "RFC 7323, Section 5.3", "", false}
	ruleSACKPermitted = rule{"sack-permitted", "RFC 2018, Section 2", "", false}
	ruleSACKInSYN     = rule{"sack-permitted-in-syn", "RFC 2018, Section 2", "", false}
	ruleSACK          = rule{"sack", "RFC 2018, Section 4", "", false}
	ruleSACKAllowed   = rule{"sack-allowed", "RFC 2018, Section 4", "", false}
	ruleOptions       = rule{"options", "RFC 9293, Section 3.2", "", false}
	ruleOptionOrder   = rule{"option-order", "RFC 9293, Section 3.2", "", false}
	rulePush          = rule{"push", "RFC 9293, Section 3.9.1.2", "MUST-61", false}
	ruleSegmentation  = rule{"segmentation", "RFC 9293, Section 3.7.4", "SHLD-7", false}
	ruleSilly         = rule{"silly-window", "RFC 9293, Section 3.8.6.2.1", "MUST-38", false}
	ruleDelayedACK    = rule{"delayed-ack", "RFC 9293, Section 3.8.6.3", "SHLD-18", false}
	ruleACKDelay      = rule{"ack-delay", "RFC 9293, Section 3.8.6.3", "MUST-40", false}
	ruleRTO           = rule{"retransmission-time", "RFC 6298, Section 2", "", false}
	ruleBackOff       = rule{"back-off", "RFC 6298, Section 5.5", "", false}
	ruleFast          = rule{"fast-retransmit", "RFC 5681, Section 3.2", "", false}
	ruleInitialWindow = rule{"initial-window", "RFC 5681, Section 3.1", "", false}
	ruleCongestion    = rule{"congestion-window", "RFC 5681, Section 3.1", "", false}
	ruleUrgent        = rule{"urgent", "RFC 9293, Section 3.8.5", "MUST-62", false}
	ruleECN           = rule{"ecn", "RFC 3168, Section 6.1", "", false}
	ruleECTNever      = rule{"ect-never", "RFC 3168, Sections 6.1.1, 6.1.4 and 6.1.5", "", false} //nolint:misspell // ECN-capable transport
	ruleTTL           = rule{"ttl", "RFC 9293, Section 3.9.2", "MUST-49", false}
	ruleDSCP          = rule{"dscp", "RFC 9293, Section 3.9.1.9", "MUST-48", false}
	ruleFragment      = rule{"fragment", "RFC 9293, Section 3.7.2", "", false}
	ruleIP            = rule{"ip", "RFC 791, Section 3.1", "", false}
	ruleNeighbor      = rule{"neighbor", "RFC 826; RFC 4861", "", false}
	ruleICMP          = rule{"icmp", "RFC 9293, Section 3.9.2.2", "", false}
	ruleChecksum      = rule{"checksum", "RFC 9293, Section 3.1", "MUST-2", false}
	ruleReserved      = rule{"reserved-bits", "RFC 9293, Section 3.1", "", false}
	ruleData          = rule{"data", "RFC 9293, Section 2.2", "", false}
	ruleISN           = rule{"initial-number", "RFC 9293, Section 3.4.1", "", false}
	ruleNumbers       = rule{"numbers", "RFC 9293, Section 3.4", "", true}
	ruleAcknowledged  = rule{"acknowledged", "RFC 9293, Section 3.4", "", true}
	ruleExchange      = rule{"exchange", "RFC 9293, Section 3.10", "", true}
	ruleStates        = rule{"states", "RFC 9293, Section 3.3.2", "", true}
	ruleTimeWait      = rule{"time-wait", "RFC 9293, Section 3.6.1", "MUST-13", false}
	ruleReturns       = rule{"returns", "RFC 9293, Section 3.9.1", "", true}
	ruleControl       = rule{"control", "RFC 9293, Section 3.3.1", "", false}
)

var rules = []*rule{
	&ruleWindow, &ruleWindowUpdate, &ruleProbe, &ruleMSS, &ruleMSSInSYN, &ruleMSSFits, &ruleSegmentFits, &ruleScale, &ruleScaleAnswered,
	&ruleScaleLimit, &ruleTimestamps, &ruleTimestampsAll, &ruleTSAnswered, &ruleTSValue, &ruleTSEcho, &rulePAWS, &ruleSACKPermitted, &ruleSACKInSYN,
	&ruleSACK, &ruleSACKAllowed, &ruleOptions, &ruleOptionOrder, &rulePush, &ruleSegmentation, &ruleSilly, &ruleDelayedACK, &ruleACKDelay, &ruleRTO, &ruleBackOff,
	&ruleFast, &ruleInitialWindow, &ruleCongestion, &ruleUrgent, &ruleECN, &ruleECTNever, &ruleTTL, &ruleDSCP, &ruleFragment, &ruleIP,
	&ruleNeighbor, &ruleICMP, &ruleChecksum, &ruleReserved, &ruleData, &ruleISN, &ruleNumbers, &ruleAcknowledged, &ruleExchange, &ruleStates, &ruleTimeWait,
	&ruleReturns, &ruleControl,
}
