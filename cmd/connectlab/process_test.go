package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// process is connectlab in a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1", "GOTRACEBACK=single")
	return c
}

// A stack that panics in a goroutine of its own takes the program with it, and nothing of the record: the last event
// in the file is the arrival that it died of.
func TestAPanicOfAStackLosesNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.trace")
	out, err := process(t, "run", "--server", "brittle", "--out", file).CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != exitUsage || !strings.Contains(string(out), "brittle: the third packet") {
		t.Fatalf("the stack did not panic: %v\n%s", err, out)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("what is not whole has the name of what is")
	}
	got, err := trace.Read(strings.NewReader(read(t, file+".part")), "part", wire.Decode)
	if !errors.Is(err, trace.ErrTruncated) {
		t.Fatalf("error %v, want ErrTruncated", err)
	}
	arrived := 0
	for _, e := range got.Events {
		if _, ok := e.Detail.(*trace.Arrived); ok && e.Host == "server" {
			arrived++
		}
	}
	last := got.Events[len(got.Events)-1]
	if _, ok := last.Detail.(*trace.Arrived); !ok || last.Host != "server" || arrived != 3 {
		t.Errorf("%d packets arrived at the server, want 3; the last event is %+v", arrived, last)
	}
	if shown := connectlab("show", file+".part", "--show", "ladder"); shown.status != exitUsage || !strings.Contains(shown.stdout, "SYN,ACK") {
		t.Errorf("show of the part: %+v", shown)
	}
}

// A run that cannot go on shows what there is of it, says why, and is no success.
func TestARunThatBreaksOffIsShown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args          []string
		status        int
		stdout, wrong []string
	}{
		{[]string{"run", "half-open-b", "--client", "once"}, exitUsage,
			[]string{"━━ half-open-b", "socket() = 3", "reboot", "The record breaks off here", "SYN-RECEIVED"}, []string{"once: there is no second life"}},
		{[]string{"run", "refused", "half-open-b", "plain", "--client", "once"}, exitUsage,
			[]string{"━━ refused", "━━ half-open-b", "The record breaks off here"}, []string{"half-open-b", "once: there is no second life"}},
		{[]string{"run", "half-open-b", "--client", "once", "--format", "json"}, exitUsage,
			[]string{`{"n":1,`, `"what":"reboot"`}, []string{"once: there is no second life"}},
	} {
		c := process(t, tt.args...)
		var stdout, stderr strings.Builder
		c.Stdout, c.Stderr = &stdout, &stderr
		err := c.Run()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != tt.status {
			t.Errorf("%q: %v, want exit status %d", tt.args, err, tt.status)
		}
		if problem := notOneLine(stderr.String(), tt.wrong...); problem != "" {
			t.Errorf("%q: stderr %q %s", tt.args, stderr.String(), problem)
		}
		for _, want := range tt.stdout {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%q: stdout does not say %q:\n%.2000s", tt.args, want, stdout.String())
			}
		}
	}
}

// `connectlab run | head -1` is no error of connectlab's.
func TestAReaderThatGoesAway(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no SIGPIPE on Windows")
	}
	for _, format := range []string{"text", "json"} {
		c := process(t, "run", "many", "--format", format)
		var stderr strings.Builder
		c.Stderr = &stderr
		stdout, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReaderSize(stdout, 64).ReadString('\n'); format == "text" && (err != nil || !strings.Contains(line, "many")) {
			t.Errorf("%s: read %q, %v", format, line, err)
		}
		stdout.Close()
		if err := c.Wait(); err == nil || stderr.String() != "" {
			t.Errorf("%s: %v, stderr %q: want an end by the signal, and nothing said", format, err, stderr.String())
		}
	}
}
