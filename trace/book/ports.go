package book

import (
	"cmp"
	"slices"

	"connectlab/trace"
)

// A portMap is which sockets of which hosts have which ports, moment after moment. A socket in CLOSED counts for none: no
// segment finds it.
type portMap struct {
	of      map[socketKey]uint16 // the local port of each socket
	changes []portChange         // that are still to come
	numbers map[hostPort]map[int]bool
}

type hostPort struct {
	host string
	port uint16
}

type portChange struct {
	n      int
	key    hostPort
	number int
	alive  bool
}

// ports begins before the first event.
func (r *record) ports() portMap {
	if r.portMap == nil {
		r.portMap = &portMap{of: make(map[socketKey]uint16, len(r.sockets)), changes: make([]portChange, 0, 4*len(r.sockets))}
		for i := range r.sockets {
			r.portMap.add(&r.sockets[i], r.localPort(&r.sockets[i]))
		}
		slices.SortFunc(r.portMap.changes, func(a, b portChange) int { return cmp.Compare(a.n, b.n) })
	}
	p := *r.portMap
	p.numbers = map[hostPort]map[int]bool{}
	return p
}

func (p *portMap) add(s *trace.Socket, port uint16) {
	p.of[socketKey{s.Host, s.Number}] = port
	key := hostPort{s.Host, port}
	for _, stay := range s.Stays {
		p.changes = append(p.changes, portChange{stay.N, key, s.Number, stay.State != trace.NotObserved && stay.State != trace.Closed})
	}
	if s.Gone != 0 {
		p.changes = append(p.changes, portChange{s.Gone, key, s.Number, false})
	}
}

// localPort is the local port of a socket, as its control information says; where there is none, as calls and segments say.
func (r *record) localPort(s *trace.Socket) uint16 {
	for _, n := range r.controls[socketKey{s.Host, s.Number}] {
		if c := changed(r.t.Event(n).Detail.(*trace.Control), trace.LocalPort); c != nil && c.New().Kind == trace.Number {
			return uint16(c.New().Num)
		}
	}
	return s.Local.Port()
}

// at returns the numbers of the sockets that had a port when the event of number n had happened. n may not be smaller than in
// the call before.
func (p *portMap) at(n int, host string, port uint16) map[int]bool {
	for ; len(p.changes) > 0 && p.changes[0].n <= n; p.changes = p.changes[1:] {
		c := &p.changes[0]
		if p.numbers[c.key] == nil {
			p.numbers[c.key] = map[int]bool{}
		}
		if c.alive {
			p.numbers[c.key][c.number] = true
		} else {
			delete(p.numbers[c.key], c.number)
		}
	}
	return p.numbers[hostPort{host, port}]
}
