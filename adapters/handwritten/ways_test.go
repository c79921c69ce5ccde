package handwritten_test

import (
	"net/netip"

	"connectlab/trace"
)

// The ways into each state. Those that end with close have given the socket up: the program can call nothing more.
var (
	fresh  = []way{{"fresh socket", func(p *peer) { p.sock = p.socket() }}}
	nobody = []way{{"no socket", func(*peer) {}},
		{"aborted", func(p *peer) { active.take(p); p.must(p.sock.Abort()); p.take(); p.sock = nil }},
		{"another port of the peer has a connection", func(p *peer) {
			active.take(p)
			p.sock, p.other = nil, netip.AddrPortFrom(p.other.Addr(), p.other.Port()+1)
		}}}
	listening = []way{{"bind and listen", (*peer).listen}}
	synSent   = []way{{"connect", (*peer).connect}}

	synReceivedPassive = then(listening, "SYN", (*peer).syn)
	synReceivedActive  = then(synSent, "SYN", (*peer).crossing)
	synReceived        = append(synReceivedPassive[:1:1], synReceivedActive...)

	passive = way{"passive", func(p *peer) { synReceivedPassive[0].take(p); p.ack(); p.accept() }}
	active  = way{"active", func(p *peer) { p.connect(); p.synAck(); p.connected() }}
	both    = way{"simultaneous", func(p *peer) { synReceivedActive[0].take(p); p.ack(); p.connected() }}

	established = []way{passive, active, both}
	withData    = then(established, "data not acknowledged", func(p *peer) { p.outstanding("hello") })

	finWait1Kept  = then(established, "shutdown", (*peer).shutdown)
	finWait1Given = append(then(established, "close", (*peer).close),
		way{"connect, SYN, close, ACK of SYN", func(p *peer) {
			synReceivedActive[0].take(p)
			p.close()
			p.segment(trace.ACK, p.rcv, p.iss.Add(1), "")
			p.una = p.iss.Add(1)
		}})
	finWait1 = join(finWait1Kept, finWait1Given)
	// finWait1Data has data before the FIN that are not acknowledged either.
	finWait1Data = join(then(withData, "shutdown", (*peer).shutdown), then(withData, "close", (*peer).close))

	finWait2Kept  = then(finWait1Kept, "ACK of FIN", (*peer).ack)
	finWait2Given = then(finWait1Given, "ACK of FIN", (*peer).ack)
	finWait2      = join(finWait2Kept, finWait2Given)

	closeWait = append(then(established, "FIN", finNothingNew),
		way{"SYN, FIN with ACK of SYN", func(p *peer) { synReceivedPassive[0].take(p); p.fin(p.nxt); p.accept() }},
		way{"connect, SYN, FIN with ACK of SYN", func(p *peer) { synReceivedActive[0].take(p); p.fin(p.nxt); p.connected() }},
		way{"connect, SYN,ACK,FIN", func(p *peer) {
			p.connect()
			p.segment(trace.SYN|trace.ACK|trace.FIN, p.irs, p.nxt, "")
			p.accepted()
			p.una = p.nxt
			p.answered(trace.ACK)
			p.connected()
		}})
	closeWaitData = then(closeWait, "data not acknowledged", func(p *peer) { p.outstanding("hello") })

	closingKept = then(finWait1Kept, "FIN", finNothingNew)
	closing     = join(closingKept, then(finWait1Given, "FIN", finNothingNew))

	lastAckKept = then(closeWait, "shutdown", (*peer).shutdown)
	lastAck     = join(lastAckKept, then(closeWait, "close", (*peer).close))

	timeWaitKept  = intoTimeWait(finWait1Kept, finWait2Kept, closingKept)
	timeWaitGiven = intoTimeWait(finWait1Given, finWait2Given, then(finWait1Given, "FIN", finNothingNew))
	timeWait      = join(timeWaitKept, timeWaitGiven)
)

// intoTimeWait goes on from the three states that lead to TIME-WAIT.
func intoTimeWait(finWait1, finWait2, closing []way) []way {
	return join(then(finWait2, "FIN", finOfAll), then(closing, "ACK of FIN", (*peer).ack), then(finWait1, "FIN with ACK of FIN", finOfAll))
}

// finNothingNew is the peer's FIN that acknowledges nothing new, finOfAll the one that acknowledges all that the stack sent.
func finNothingNew(p *peer) { p.fin(p.una) }
func finOfAll(p *peer)      { p.fin(p.nxt) }

// states are ways into some states.
type states map[trace.State][]way

// further makes the ways into some states longer by a step.
func further(ways states, name string, step func(*peer)) states {
	longer := states{}
	for state, some := range ways {
		longer[state] = then(some, name, step)
	}
	return longer
}

func join(lists ...[]way) []way {
	var all []way
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// ofPassive are the ways among some in which the stack has a listener.
func ofPassive(ways []way) []way {
	var some []way
	for _, w := range ways {
		if len(w.name) >= len(passive.name) && w.name[:len(passive.name)] == passive.name {
			some = append(some, w)
		}
	}
	return some
}

// The synchronized states with all ways into them, and with those in which the program still has the socket.
var (
	synchronized = states{
		trace.Established: established, trace.FinWait1: finWait1, trace.FinWait2: finWait2, trace.CloseWait: closeWait,
		trace.Closing: closing, trace.LastAck: lastAck, trace.TimeWait: timeWait,
	}
	kept = states{
		trace.Established: established, trace.FinWait1: finWait1Kept, trace.FinWait2: finWait2Kept, trace.CloseWait: closeWait,
		trace.Closing: closingKept, trace.LastAck: lastAckKept, trace.TimeWait: timeWaitKept,
	}
	// receiving are those in which the peer has not closed.
	receiving = states{trace.Established: established, trace.FinWait1: finWait1Kept, trace.FinWait2: finWait2Kept}
	// halfClosed are those in which the program has shut its own direction down.
	halfClosed = states{
		trace.FinWait1: finWait1Kept, trace.FinWait2: finWait2Kept, trace.Closing: closingKept,
		trace.LastAck: lastAckKept, trace.TimeWait: timeWaitKept,
	}
)
