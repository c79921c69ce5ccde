package gvisor

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"pgregory.net/rapid"
)

func TestClockTellsVirtualTime(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	c := newClock(start, time.Second)
	if got, want := c.Now(), start.Add(time.Second); !got.Equal(want) {
		t.Errorf("date %v, want %v", got, want)
	}
	before := c.NowMonotonic()
	if before == (tcpip.MonotonicTime{}) {
		t.Errorf("the reading is gVisor's word for never")
	}
	c.advance(3 * time.Second)
	if got := c.NowMonotonic().Sub(before); got != 2*time.Second {
		t.Errorf("%v went by, want 2 s", got)
	}
}

// Timers run in the order of time, then of arming; one that was stopped does not run, one that was reset runs anew. So do
// those that are work put off, which are no timers to the driver.
func TestTimersRunInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type armed struct {
			id    int
			at    time.Duration
			order int
		}
		var (
			c      = newClock(time.Time{}, 0)
			timers []tcpip.Timer
			model  []armed // those that are armed
			soon   []int   // those that were put off
			order  int
			ran    = -1
			now    time.Duration
		)
		find := func(id int) int { return slices.IndexFunc(model, func(a armed) bool { return a.id == id }) }
		arm := func(id int, d time.Duration) {
			order++
			model = append(model, armed{id, now + max(d, 0), order})
		}
		c.putsOff = rapid.Bool().Draw(t, "puts off")
		takeBack := func(id int) bool {
			i := slices.Index(soon, id)
			if i >= 0 {
				soon = slices.Delete(soon, i, i+1)
			}
			return i >= 0
		}
		durations := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.IntRange(-1, 5).Draw(t, "ns")) })
		t.Repeat(map[string]func(*rapid.T){
			"arm": func(t *rapid.T) {
				id, d := len(timers), durations.Draw(t, "d")
				timers = append(timers, c.AfterFunc(d, func() { ran = id }))
				if d == 0 && c.putsOff {
					soon = append(soon, id)
					return
				}
				arm(id, d)
			},
			"stop": func(t *rapid.T) {
				if len(timers) == 0 {
					t.Skip()
				}
				id := rapid.IntRange(0, len(timers)-1).Draw(t, "id")
				i := find(id)
				if got := timers[id].Stop(); got != (takeBack(id) || i >= 0) {
					t.Fatalf("Stop of %d: %v", id, got)
				}
				if i >= 0 {
					model = slices.Delete(model, i, i+1)
				}
			},
			"reset": func(t *rapid.T) {
				if len(timers) == 0 {
					t.Skip()
				}
				id, d := rapid.IntRange(0, len(timers)-1).Draw(t, "id"), durations.Draw(t, "d")
				timers[id].Reset(d)
				takeBack(id)
				if i := find(id); i >= 0 {
					model = slices.Delete(model, i, i+1)
				}
				arm(id, d)
			},
			"do what was put off": func(t *rapid.T) {
				ran = -1
				if got := c.runSoon(); got != (len(soon) > 0) || got && ran != soon[0] {
					t.Fatalf("put off are %v; %d ran", soon, ran)
				}
				soon = soon[min(1, len(soon)):]
			},
			"expire": func(t *rapid.T) {
				at, ok := c.deadline()
				if ok != (len(model) > 0) {
					t.Fatalf("a deadline: %v, with %d timers armed", ok, len(model))
				}
				next := c.take()
				if !ok {
					if next != nil {
						t.Fatalf("a timer without a deadline")
					}
					return
				}
				want := slices.MinFunc(model, func(a, b armed) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
				now = max(now, at)
				c.advance(now)
				next.run()
				if at != want.at || ran != want.id {
					t.Fatalf("timer %d ran at %v, want %d at %v", ran, at, want.id, want.at)
				}
				model = slices.Delete(model, find(want.id), find(want.id)+1)
			},
		})
	})
}

// A timer that is armed for longer than time can be counted never comes, and the others still do.
func TestTimerBeyondTime(t *testing.T) {
	c := newClock(time.Time{}, time.Hour)
	c.AfterFunc(math.MaxInt64, func() { t.Error("it ran") })
	if at, ok := c.deadline(); !ok || at != math.MaxInt64 {
		t.Errorf("deadline %v, want the last time that there is", at)
	}
	c.AfterFunc(time.Second, func() {})
	if at, _ := c.deadline(); at != time.Hour+time.Second {
		t.Errorf("deadline %v, want the other timer's", at)
	}
}

// A timer may be put off by a goroutine of gVisor's while the driver looks whether there is one. The race detector watches.
func TestRunSoonBesideAfterFunc(t *testing.T) {
	c := newClock(time.Unix(0, 0), 0)
	c.putsOff = true
	const timers = 100
	ran := 0
	go func() {
		for range timers {
			c.AfterFunc(0, func() { ran++ })
		}
	}()
	for ran < timers {
		if !c.runSoon() {
			runtime.Gosched()
		}
	}
}
