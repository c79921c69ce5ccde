package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Who stops a run is told where its record is; and the next run does not throw it away unasked.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be interrupted from another on Windows")
	}
	file := filepath.Join(t.TempDir(), "long.trace")
	c := process(t, "run", "--bytes", "1000000000", "--out", file)
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := false; !begun; time.Sleep(time.Millisecond) { // it is another process: there is nothing to settle
		info, err := os.Stat(file + ".part")
		begun = err == nil && info.Size() > 100_000
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := c.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted || !strings.Contains(stderr.String(), file+".part") {
		t.Errorf("%v, stderr %q: want status %d and the name of the part", err, &stderr, exitInterrupted)
	}
	before := read(t, file+".part")
	got := connectlab("run", "--out", file)
	if got.status != exitUsage || !strings.Contains(got.stderr, file+".part") {
		t.Errorf("a run into the same file: status %d, stderr %q", got.status, got.stderr)
	}
	if read(t, file+".part") != before {
		t.Error("the part was changed")
	}
}
