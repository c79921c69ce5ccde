package gvisor

import (
	"fmt"
	"strings"
	"unsafe"

	"gvisor.dev/gvisor/pkg/sleep"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// A barrier waits until the workers of one stack have nothing left to do.
//
// gVisor hands an arriving segment to one of its workers (dispatcher.processors), by a hash of the four-tuple. A
// worker has a queue of sockets with segments to process, and sleeps when it is empty. Pause asks one worker after the
// other to park, and waits until it has; a worker parks when it finds its own queue empty, between two sockets. Resume
// lets them go on.
//
// To pause and to resume is no barrier. A worker that still works can put a socket into the queue of one that has
// parked already: so it is with a SYN that a socket in TIME-WAIT hands over to the listener. So here the workers are
// paused as long as the stack lives, and wait lets one at a time go on: one whose queue is not empty, until it
// parks again. When all queues are empty nothing is in work:
//
//   - All workers are parked then, and a worker that parks leaves nothing half done and its own queue empty.
//   - Only two put a socket into a queue: a worker that works, and the driver's own goroutine, which is here.
//   - So a look that finds all queues empty while all workers are parked holds until the driver delivers again.
//
// And it ends, since the work that one packet brings is finite. That no two workers ever work at once is what makes
// the order of the packets sent the same in each run, however many workers there are; and it is cheaper than a round of
// Pause and Resume, which wakes all of them.
type barrier struct {
	tcp     stack.TransportProtocol // which owns the workers
	workers []worker
	most    int // rounds that wait makes, for the test that shows them needed; 0: as many as it takes
}

// A worker is one of gVisor's, with what dispatcher.pause and dispatcher.resume use of it.
type worker struct {
	queue  *unsafe.Pointer // the first endpoint in its queue; nil: it is empty
	pause  *sleep.Waker
	paused chan struct{}
	resume chan struct{}
}

// newBarrier parks the workers of a stack. Where they cannot be found there is no barrier that surely holds, and a
// record that may be wrong is worse than none.
func newBarrier(tcp stack.TransportProtocol) (*barrier, error) {
	b := &barrier{tcp: tcp, workers: fields.workers(tcp)}
	if b.workers == nil {
		return nil, fmt.Errorf("the workers of this version are not where they are looked for: %s", strings.Join(fields.missing, ", "))
	}
	tcp.Pause()
	return b, nil
}

// wait returns when nothing that was delivered is still in work.
func (b *barrier) wait() {
	for round := 1; ; round++ {
		idle := true
		for i := range b.workers {
			if w := &b.workers[i]; *w.queue != nil {
				idle = false
				w.pause.Assert()
				w.resume <- struct{}{}
				<-w.paused
			}
		}
		if idle || round == b.most {
			return
		}
	}
}

// release lets all workers go on, so that the stack can be destroyed.
func (b *barrier) release() { b.tcp.Resume() }
