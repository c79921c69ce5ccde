package script_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/netns/script"
)

// hastyWall is a clock on the wall that jumps ahead whenever somebody waits for it.
type hastyWall struct {
	now    time.Time
	waited time.Duration
}

func (w *hastyWall) wall() *netns.Wall {
	return &netns.Wall{
		Now: func() time.Time { return w.now },
		After: func(d time.Duration) <-chan time.Time {
			w.now = w.now.Add(d)
			w.waited += d
			c := make(chan time.Time, 1)
			c <- w.now
			return c
		},
	}
}

// TestRealTime: in real time every story leaves the same record, octet for octet but for the header's word of it, and takes as long as the record says.
func TestRealTime(t *testing.T) {
	for _, name := range script.Names() {
		t.Run(name, func(t *testing.T) {
			var files [2]bytes.Buffer
			wall := hastyWall{now: time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)}
			var end time.Duration
			for i := range files {
				cfg := twoGVisors()
				cfg.Writer = &files[i]
				if i == 1 {
					cfg.RealTime, cfg.Wall = true, wall.wall()
				}
				r, err := script.Run(storyNamed(t, name), cfg)
				if _, ok := errors.AsType[*netns.LackError](err); ok {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				end = r.End.At
			}
			real := bytes.Replace(files[1].Bytes(), []byte(`,"real_time":true`), nil, 1)
			if len(real) == files[1].Len() {
				t.Error("the header does not say that it was in real time")
			}
			if !bytes.Equal(files[0].Bytes(), real) {
				t.Errorf("%d octets in virtual time, %d others in real time", files[0].Len(), files[1].Len())
			}
			// Timers that change nothing, which the record does not have, may have run behind its last event.
			if wall.waited < end {
				t.Errorf("the run has waited for %v, the record is of %v", wall.waited, end)
			}
		})
	}
}
