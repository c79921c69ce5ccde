package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
)

// asProgram in the environment makes the test binary be connectlab, with two more stacks, one that dies in the middle
// of a run and one that does not come back from a reboot: for what only a process of its own can show.
const asProgram = "CONNECTLAB_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		stacks = append(stacks, namedStack{"brittle", brittleFactory{&gvisor.Factory{}}}, namedStack{"once", onceFactory{&gvisor.Factory{}}})
		main()
	}
	os.Exit(m.Run())
}

// brittleFactory makes stacks that die of the third packet, in a goroutine of their own.
type brittleFactory struct{ netns.Factory }

func (f brittleFactory) New(env netns.Env) (netns.Stack, error) {
	s, err := f.Factory.New(env)
	return &brittle{Stack: s}, err
}

type brittle struct {
	netns.Stack
	packets int
}

func (b *brittle) Deliver(packet []byte) {
	if b.packets++; b.packets == 3 {
		go panic("brittle: the third packet")
		select {}
	}
	b.Stack.Deliver(packet)
}

// onceFactory makes stacks for a host that is never rebooted.
type onceFactory struct{ netns.Factory }

func (f onceFactory) New(env netns.Env) (netns.Stack, error) {
	if env.Generation > 0 {
		return nil, errOnce
	}
	return f.Factory.New(env)
}

var errOnce = errors.New("once: there is no second life")

// outcome is what came of a program.
type outcome struct {
	status         int
	stdout, stderr string
}

// connectlab runs the program in this process.
func connectlab(args ...string) outcome {
	var p program
	return with(p, args...)
}

func with(p program, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	p.args, p.stdout, p.stderr = append([]string{"connectlab"}, args...), &stdout, &stderr
	if p.stdin == nil {
		p.stdin = strings.NewReader("")
	}
	status := p.main()
	return outcome{status, stdout.String(), stderr.String()}
}

// mustRun is a run that has to go well and say nothing on stderr.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	got := connectlab(args...)
	if got.status != exitOK || got.stderr != "" {
		t.Fatalf("connectlab %q: exit status %d, stderr %q", args, got.status, got.stderr)
	}
	return got.stdout
}

// write puts a file into a folder and returns its path.
func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// files are the names in a folder.
func files(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// fullDisk is a writer that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFullDisk }

var errFullDisk = &os.PathError{Op: "write", Path: "the disk", Err: io.ErrShortWrite}
