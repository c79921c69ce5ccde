package view

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A named is a view with its name.
type named struct {
	name string
	draw func(io.Writer, *trace.Trace, Options) error
}

var views = []named{
	{"ladder", Ladder},
	{"control", Control},
	{"told", Told},
	{"header", func(w io.Writer, t *trace.Trace, o Options) error { return Header(w, t, 0, o) }},
}

func TestViewsOfTrouble(t *testing.T) { golden(t, "testdata/trouble.txtar", troubled(t), views) }

func TestViewsOfEthernet(t *testing.T) { golden(t, "testdata/ethernet.txtar", neighborly(t), views) }

// golden compares some views of a trace, in both languages and at two widths, with a file.
func golden(t *testing.T, file string, tr *trace.Trace, views []named) {
	t.Helper()
	var got txtar.Archive
	for _, v := range views {
		for _, o := range []Options{{Columns: 80}, {Language: Korean}, {Columns: 120, Absolute: true}} {
			var b bytes.Buffer
			if err := v.draw(&b, tr, o); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("want.%s.%s.%d", v.name, max(o.Language, English), o.columns())
			got.Files = append(got.Files, txtar.File{Name: name, Data: b.Bytes()})
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(&got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := txtar.Parse(b)
	if len(want.Files) != len(got.Files) {
		t.Fatalf("%s has %d files, want %d: run with -update and look at the difference", file, len(want.Files), len(got.Files))
	}
	for i, f := range want.Files {
		if diff := cmp.Diff(string(f.Data), string(got.Files[i].Data)); diff != "" || f.Name != got.Files[i].Name {
			t.Errorf("%s: (-want +got)\n%s", f.Name, diff)
		}
	}
}
