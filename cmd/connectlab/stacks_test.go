package main

import (
	"strings"
	"testing"
)

// TestHandwrittenIsNamedWithItsOptions: the name that the program takes is the one that the header tells.
func TestHandwrittenIsNamedWithItsOptions(t *testing.T) {
	for i := range 8 {
		name := "handwritten"
		for j, o := range handwrittenOptions {
			if i>>j&1 != 0 {
				name += o.name
			}
		}
		f, err := (&program{}).stack("client", name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := f.Info().Name; got != name {
			t.Errorf("%s is the stack %s", name, got)
		}
	}
}

// TestFeaturesAreNamed: where a stack can be chosen, and where stacks are listed.
func TestFeaturesAreNamed(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"run", "--help"}, {"compare", "--help"}, {"book", "--help"}, {"list"}} {
		out := strings.Join(strings.Fields(mustRun(t, args...)), " ")
		for _, want := range []string{"+ws window scale", "+ts timestamps", "+sack SACK"} {
			if !strings.Contains(out, want) {
				t.Errorf("%v does not say %q:\n%s", args, want, out)
			}
		}
	}
}
