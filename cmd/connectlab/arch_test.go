package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// arrows are the directions of imports: what the packages below a path may not depend on, directly or through
// others, and why. Tests may import what they like.
var arrows = []struct {
	from   string
	banned []string // import paths, with what lies below them
	but    []string
	why    string
}{
	{"connectlab/trace", []string{"connectlab", "gvisor.dev", "github.com", "golang.org", "charm.land"}, []string{"connectlab/trace"},
		"trace is the words and the log: the standard library is enough"},
	{"connectlab/trace/wire", []string{"connectlab", "gvisor.dev", "github.com/urfave"}, []string{"connectlab/trace", "connectlab/trace/wire"},
		"wire only turns octets into packets and back"},
	{"connectlab/trace/rfc9293", []string{"connectlab", "gvisor.dev", "github.com", "golang.org", "charm.land"}, []string{"connectlab/trace", "connectlab/trace/rfc9293"},
		"the RFC's tables judge a finished trace: they know its words and nothing else"},
	{"connectlab/trace/pcapng", []string{"connectlab", "gvisor.dev", "github.com/urfave"},
		[]string{"connectlab/trace", "connectlab/trace/wire", "connectlab/trace/rfc9293", "connectlab/trace/pcapng"},
		"captures are traces in another form: no sandbox, no view"},
	{"connectlab/trace/book", []string{"connectlab", "gvisor.dev", "github.com", "golang.org", "charm.land"},
		[]string{"connectlab/trace", "connectlab/trace/book", "connectlab/trace/rfc9293"},
		"a statement is judged on a finished trace, by whatever it was recorded"},
	{"connectlab/trace/diff", []string{"connectlab", "gvisor.dev", "github.com", "golang.org", "charm.land"},
		[]string{"connectlab/trace", "connectlab/trace/diff", "connectlab/trace/rfc9293"},
		"two finished traces are compared, by whatever they were recorded"},
	{"connectlab/trace/view", []string{"connectlab", "gvisor.dev", "github.com/urfave"}, []string{"connectlab/trace", "connectlab/trace/book", "connectlab/trace/diff", "connectlab/trace/rfc9293", "connectlab/trace/view"},
		"a view sees a finished trace, never the sandbox"},
	{"connectlab/netns", []string{"connectlab", "gvisor.dev", "github.com", "golang.org", "charm.land"}, []string{"connectlab/netns", "connectlab/trace", "connectlab/trace/wire"},
		"the sandbox does not know any stack, nor any view"},
	{"connectlab/netns/script", []string{"connectlab", "gvisor.dev", "github.com", "charm.land"},
		[]string{"connectlab/netns", "connectlab/netns/script", "connectlab/trace", "connectlab/trace/wire"},
		"a story runs on any stack"},
	{"connectlab/netns/compare", []string{"connectlab", "gvisor.dev", "github.com", "charm.land"},
		[]string{
			"connectlab/netns", "connectlab/netns/compare", "connectlab/netns/script", "connectlab/trace", "connectlab/trace/diff", "connectlab/trace/rfc9293",
			"connectlab/trace/wire",
		},
		"any stack can be compared with any"},
	{"connectlab/adapters/gvisor", []string{"connectlab", "github.com/urfave"},
		[]string{"connectlab/adapters/gvisor", "connectlab/netns", "connectlab/trace", "connectlab/trace/wire"},
		"an adapter knows the sandbox's interface and no more"},
	{"connectlab/adapters/handwritten", []string{"connectlab", "gvisor.dev", "github.com", "golang.org", "charm.land"},
		[]string{"connectlab/adapters/handwritten", "connectlab/netns", "connectlab/trace", "connectlab/trace/wire"},
		"a stack of its own knows the sandbox's interface, and no code of others"},
	{"connectlab/trace/wire/internal/oracle", []string{"connectlab", "gvisor.dev", "github.com/urfave"},
		[]string{"connectlab/trace", "connectlab/trace/wire", "connectlab/trace/wire/internal/oracle"},
		"the oracle for tests knows the decoder that it holds against another"},
	{"connectlab/netns/internal/toy", []string{"connectlab", "gvisor.dev", "github.com"},
		[]string{"connectlab/netns", "connectlab/netns/internal/toy", "connectlab/trace", "connectlab/trace/wire"},
		"the toy stack for tests knows the sandbox's interface and no more"},
	{"connectlab/cmd/connectlab", nil, nil, "the program may import anything"},
}

// soleImporters are who alone imports a library, with tests left out.
var soleImporters = map[string][]string{
	"gvisor.dev":            {"connectlab/adapters/gvisor"},
	"github.com/urfave/cli": {"connectlab/cmd/connectlab"},
	"github.com/gopacket":   {"connectlab/trace/wire/internal/oracle", "connectlab/trace/pcapng"},
}

func TestSoleImporters(t *testing.T) {
	for pkg, p := range goList(t) {
		for library, few := range soleImporters {
			for _, imported := range p.Imports {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(few, pkg) {
					t.Errorf("%s imports %s: only %s does", pkg, imported, strings.Join(few, " and "))
				}
			}
		}
	}
}

// TestToyIsForTests: the toy stack cannot be had from outside, nor from the program.
func TestToyIsForTests(t *testing.T) {
	const toy = "connectlab/netns/internal/toy"
	for pkg, p := range goList(t) {
		if slices.Contains(p.Imports, toy) {
			t.Errorf("%s imports %s: only tests do", pkg, toy)
		}
	}
}

func TestArrows(t *testing.T) {
	packages := goList(t)
	ruled := map[string]bool{}
	for _, a := range arrows {
		ruled[a.from] = true
		if _, ok := packages[a.from]; !ok {
			t.Errorf("%s: no such package", a.from)
		}
	next:
		for _, dep := range packages[a.from].Deps {
			for _, ok := range a.but {
				if dep == ok {
					continue next
				}
			}
			for _, banned := range a.banned {
				if dep == banned || strings.HasPrefix(dep, banned+"/") {
					t.Errorf("%s depends on %s: %s", a.from, dep, a.why)
				}
			}
		}
	}
	for pkg := range packages {
		if !ruled[pkg] && !strings.HasPrefix(pkg, "connectlab/examples") {
			t.Errorf("%s: a new package needs its rule in arrows", pkg)
		}
	}
}

// TestRooms holds the packages to the folders that the project has.
func TestRooms(t *testing.T) {
	for p := range goList(t) {
		rest, ours := strings.CutPrefix(p, "connectlab/")
		if !ours {
			continue
		}
		switch room, _, _ := strings.Cut(rest, "/"); room {
		case "cmd", "netns", "trace", "adapters", "examples":
		default:
			t.Errorf("%s lies outside cmd, netns, trace, adapters and examples", p)
		}
		switch path.Base(p) {
		case "util", "common", "helpers":
			t.Errorf("%s: a package's name says what it is for", p)
		}
	}
}

// listed is what go list tells of a package, its tests left out.
type listed struct{ Imports, Deps []string }

// goList returns the packages of the module.
func goList(t *testing.T) map[string]listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "connectlab/...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	packages := map[string]listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			listed
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p.listed
	}
}
