package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"connectlab/trace"
	"connectlab/trace/view"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
)

func TestMermaidIsTheDiagramAlone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.trace")
	for _, lang := range []string{"en", "ko"} {
		got := connectlab("run", "syn-lost", "--format", "mermaid", "--lang", lang, "--absolute", "--out", file)
		if got.status != exitOK || got.stderr != "" {
			t.Errorf("exit status %d, stderr %q", got.status, got.stderr)
		}
		tr, err := trace.Read(strings.NewReader(read(t, file)), file, wire.Decode)
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		if _, err := view.Mermaid(&want, tr, view.Options{Language: view.Language(lang), Absolute: true}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), got.stdout); diff != "" {
			t.Errorf("run, %s (-want +got):\n%s", lang, diff)
		}
		if diff := cmp.Diff(got.stdout, mustRun(t, "show", file, "--format", "mermaid", "--lang", lang, "--absolute")); diff != "" {
			t.Errorf("%s (-run +show):\n%s", lang, diff)
		}
	}
}

func TestMermaidSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	got := connectlab("run", "many", "--format", "mermaid")
	if problem := notOneLine(got.stderr, "many", "events are not in the diagram", fmt.Sprint(view.MermaidLimit)); got.status != exitOK || problem != "" {
		t.Errorf("exit status %d, %s: %q", got.status, problem, got.stderr)
	}
	if !strings.Contains(got.stdout, "The diagram is cut here") {
		t.Error("the diagram does not say that it was cut")
	}
}

func TestMermaidRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args  []string
		words []string
	}{
		{[]string{"run", "--show", "ladder"}, []string{"--show", "mermaid"}},
		{[]string{"run", "--event", "3"}, []string{"--event", "mermaid"}},
		{[]string{"run", "--columns", "100"}, []string{"--columns", "mermaid"}},
		{[]string{"run", "plain", "abort"}, []string{"one diagram", "2 stories"}},
		{[]string{"list"}, []string{"--format", `"mermaid"`, "text or json"}},
	} {
		got := connectlab(append(tt.args, "--format", "mermaid")...)
		if problem := notOneLine(got.stderr, tt.words...); got.status != exitUsage || got.stdout != "" || problem != "" {
			t.Errorf("%q: exit status %d, stdout %q, %s: %q", tt.args, got.status, got.stdout, problem, got.stderr)
		}
	}
	got := connectlab("run", "--format", "dot")
	if problem := notOneLine(got.stderr, `"dot"`, "text, json or mermaid"); got.status != exitUsage || problem != "" {
		t.Errorf("exit status %d, %s: %q", got.status, problem, got.stderr)
	}
}
