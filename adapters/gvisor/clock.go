package gvisor

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// epoch is what the stack's monotonic clock reads at virtual time 0. It is not 0, because gVisor takes the zero
// reading for "never" in several places.
const epoch = time.Second

// A clock is a tcpip.Clock on virtual time. It runs no timer by itself: Expire runs one, on the caller's goroutine.
//
// gVisor's workers read it and arm timers while the driver waits in Settle, so it is safe for that; the driver alone
// moves it, while no worker works.
type clock struct {
	start time.Time
	// putsOff: a timer that is due in no time is work that was put off until the caller has let its locks go, as finding a
	// neighbor is. It belongs to the stimulus at work, and runSoon does it.
	putsOff bool
	now     atomic.Int64 // time.Duration since the start of the run

	mu    sync.Mutex
	due   []*timer // a binary heap by (at, order)
	armed uint64   // how many times a timer was armed
	fresh []*timer // the timers that were made since takeFresh was called last
	soon  []*timer // those that were put off, in the order of making
}

var _ tcpip.Clock = (*clock)(nil)

// A timer is a tcpip.Timer.
type timer struct {
	clock *clock
	run   func()
	at    time.Duration
	order uint64 // the later it was armed, the higher
	index int    // in clock.due; -1: not armed
	soon  bool   // it is in clock.soon

	// owner and name say whose timer it is, as soon as that was found out; see (*netstack).nameTimers.
	owner *socket
	name  string
}

func newClock(start time.Time, now time.Duration) *clock {
	c := &clock{start: start}
	c.now.Store(int64(now))
	return c
}

// Now is the date.
func (c *clock) Now() time.Time { return c.start.Add(time.Duration(c.now.Load())) }

// NowMonotonic is the time since the start of the run, from epoch.
func (c *clock) NowMonotonic() tcpip.MonotonicTime {
	return tcpip.MonotonicTime{}.Add(epoch + time.Duration(c.now.Load()))
}

// AfterFunc arms a timer that is due in d and then runs run.
func (c *clock) AfterFunc(d time.Duration, run func()) tcpip.Timer {
	t := &timer{clock: c, run: run, index: -1}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fresh = append(c.fresh, t)
	if d == 0 && c.putsOff {
		t.soon = true
		c.soon = append(c.soon, t)
		return t
	}
	c.arm(t, d)
	return t
}

// runSoon does what was put off first, and tells whether there was anything. The driver calls it, when no worker works.
func (c *clock) runSoon() bool {
	c.mu.Lock()
	if len(c.soon) == 0 {
		c.mu.Unlock()
		return false
	}
	t := c.soon[0]
	c.soon = slices.Delete(c.soon, 0, 1)
	t.soon = false
	c.mu.Unlock()
	t.run()
	return true
}

// Stop disarms the timer and tells whether it was armed.
func (t *timer) Stop() bool {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.disarm()
}

// Reset arms the timer anew; among those that are due at one time it goes to the end.
func (t *timer) Reset(d time.Duration) {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	t.disarm()
	c.arm(t, d)
}

// disarm tells whether the timer was armed. The clock is locked.
func (t *timer) disarm() bool {
	c := t.clock
	switch {
	case t.soon:
		t.soon = false
		c.soon = slices.DeleteFunc(c.soon, func(u *timer) bool { return u == t })
	case t.index >= 0:
		c.remove(t.index)
	default:
		return false
	}
	return true
}

// advance moves the clock.
func (c *clock) advance(now time.Duration) { c.now.Store(int64(now)) }

// deadline is when the next timer is due. The driver asks for it after each step, when no worker works: it takes no
// lock.
func (c *clock) deadline() (time.Duration, bool) {
	if len(c.due) == 0 {
		return 0, false
	}
	return c.due[0].at, true
}

// take disarms the timer that is due first and returns it; nil if none is armed.
func (c *clock) take() *timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.due) == 0 {
		return nil
	}
	t := c.due[0]
	c.remove(0)
	return t
}

// takeFresh returns the timers that were made since the last call, appended to buf[:0]. No worker works when it is
// called: it takes no lock.
func (c *clock) takeFresh(buf []*timer) []*timer {
	buf = append(buf[:0], c.fresh...)
	clear(c.fresh)
	c.fresh = c.fresh[:0]
	return buf
}

func (c *clock) arm(t *timer, d time.Duration) {
	c.armed++
	now := time.Duration(c.now.Load())
	t.at, t.order = now+min(max(d, 0), math.MaxInt64-now), c.armed // a time beyond the last that there is never comes
	t.index = len(c.due)
	c.due = append(c.due, t)
	c.up(t.index)
}

func (c *clock) remove(i int) {
	last := len(c.due) - 1
	c.due[i].index = -1
	if i != last {
		c.due[i] = c.due[last]
		c.due[i].index = i
	}
	c.due[last] = nil
	c.due = c.due[:last]
	if i != last && !c.down(i) {
		c.up(i)
	}
}

func (c *clock) less(i, j int) bool {
	a, b := c.due[i], c.due[j]
	return a.at < b.at || a.at == b.at && a.order < b.order
}

func (c *clock) swap(i, j int) {
	c.due[i], c.due[j] = c.due[j], c.due[i]
	c.due[i].index, c.due[j].index = i, j
}

func (c *clock) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !c.less(i, parent) {
			return
		}
		c.swap(i, parent)
		i = parent
	}
}

// down tells whether it moved anything.
func (c *clock) down(i int) bool {
	from := i
	for {
		child := 2*i + 1
		if child >= len(c.due) {
			break
		}
		if child+1 < len(c.due) && c.less(child+1, child) {
			child++
		}
		if !c.less(child, i) {
			break
		}
		c.swap(i, child)
		i = child
	}
	return i != from
}
