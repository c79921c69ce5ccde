package gvisor

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/log"
)

// silence keeps gVisor's log off stderr. It is throttled by wall time, so it would be another text in each run, and
// all that it tells of a connection is in the record. It is one for the process.
var silence = sync.OnceFunc(func() { log.SetTarget(nobody{}) })

type nobody struct{}

func (nobody) Emit(int, log.Level, time.Time, string, ...any) {}
