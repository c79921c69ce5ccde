package view

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectlab/trace"
	"connectlab/trace/book"
	"connectlab/trace/diff"
	"connectlab/trace/rfc9293"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// verbs are the verbs of a text with the numbers of the arguments that they print, in the arguments' order.
func verbs(text string) []string {
	var list []string
	next := 1
	for _, m := range regexp.MustCompile(`%(?:\[(\d+)\])?([-+# 0-9.]*)([a-zA-Z%])`).FindAllStringSubmatch(text, -1) {
		if m[3] == "%" {
			continue
		}
		if m[1] != "" {
			fmt.Sscan(m[1], &next)
		}
		list = append(list, fmt.Sprintf("%d:%s", next, m[3]))
		next++
	}
	slices.Sort(list)
	return list
}

func TestLanguagesHaveTheSameKeysAndVerbs(t *testing.T) {
	all := catalogues()
	want := all[English]
	if len(want) < 200 {
		t.Fatalf("the English catalogue has %d texts: it was not read", len(want))
	}
	for _, l := range languages {
		got := all[l]
		for key := range want {
			if got[key] == "" {
				t.Errorf("%s: no text %q", l, key)
			} else if diff := cmp.Diff(verbs(want[key]), verbs(got[key])); diff != "" {
				t.Errorf("%s: verbs of %q are not the English ones: (-en +%s)\n%s", l, key, l, diff)
			}
		}
		for key := range got {
			if want[key] == "" {
				t.Errorf("%s: text %q, which English does not have", l, key)
			}
		}
	}
}

// madeKeys are the keys that the program makes out of names.
func madeKeys() []string {
	keys := []string{"fate.duplicated-at-once", "book.more.one", "book.columns.differ.one", "ladder.left-out.one", "unit.octets.one", "unit.segments.one", "unit.days.one"}
	for _, name := range slices.Concat(timerNames, deadlineNames) {
		keys = append(keys, "timer-name."+name)
	}
	for i := range trace.Item(trace.NumItems) {
		keys = append(keys, keyed("item.", i.String()))
	}
	for f := trace.FieldSourceAddress; f <= trace.FieldICMP; f++ {
		keys = append(keys, keyed("field.", f.String()))
	}
	for k := trace.Dropped; k <= trace.TooLong; k++ {
		keys = append(keys, keyed("fate.", k.String()))
	}
	for r := trace.Finished; r <= trace.Stopped; r++ {
		keys = append(keys, keyed("end.", r.String()))
	}
	keys = append(keys, gridKeys()...)
	for h := trace.Reboot; h <= trace.LinkComesUp; h++ {
		keys = append(keys, keyed("host.", h.String()))
	}
	for _, s := range []trace.Source{trace.Reported, trace.Inferred} {
		keys = append(keys, keyed("source.", s.String()))
	}
	for c := trace.ChecksumUnverified; c <= trace.ChecksumUncomputed; c++ {
		keys = append(keys, keyed("checksum.", c.String()))
	}
	for _, part := range []string{"reserved", "AE", "ECN", "control"} {
		keys = append(keys, "bits.became-"+part+".bits")
	}
	for _, capability := range capabilities {
		keys = append(keys, keyed("capability.", capability))
	}
	keys = append(keys, "cmd.host.client", "cmd.host.server")
	for _, v := range book.Verdicts() {
		keys = append(keys, "verdict."+v.String())
	}
	for _, s := range []book.Sharing{book.Nobodys, book.Common, book.Own, book.Unknown} {
		keys = append(keys, "book.items."+s.String())
	}
	keys = append(keys, "item.state")
	for _, s := range []book.Scope{book.Course, book.Every} {
		keys = append(keys, "book.scope."+s.String())
	}
	for _, s := range book.Statements() {
		keys = append(keys, "book.section."+s.ID[:1])
		for _, part := range []string{"", ".says", ".expected", ".why"} {
			keys = append(keys, "book."+s.ID+part)
		}
	}
	for a := diff.Header; a <= diff.End; a++ {
		keys = append(keys, "diff.aspect."+a.String(), "diff.says."+a.String())
	}
	for _, n := range diff.Normalizations() {
		keys = append(keys, "diff.normalized."+n.String())
	}
	for _, field := range diff.Fields() {
		keys = append(keys, "diff.field."+field)
	}
	for _, why := range diff.Reasons() {
		keys = append(keys, "diff.omitted."+why)
	}
	for _, r := range rfc9293.Rules() {
		keys = append(keys, r.Key())
	}
	keys = append(keys, diffRules()...)
	for k := rfc9293.NotObservable; k <= rfc9293.Open; k++ {
		keys = append(keys, "diff.keeping."+k.String())
	}
	keys = append(keys, "diff.none.one", "diff.none-of-rest.one")
	for _, story := range stories {
		for i := 1; i <= 3; i++ {
			keys = append(keys, fmt.Sprintf("story.%s.%d", story, i))
		}
	}
	return keys
}

// diffRules are the keys of the rules of package diff's own table.
func diffRules() (keys []string) {
	b, err := os.ReadFile("../diff/judge.go")
	if err != nil {
		panic(err)
	}
	for _, m := range regexp.MustCompile(`= rule\{"([^"]+)"`).FindAllStringSubmatch(string(b), -1) {
		keys = append(keys, "diff.rule."+m[1])
	}
	if len(keys) < 40 {
		panic(fmt.Sprintf("only %d rules were found in package diff: the search does not work", len(keys)))
	}
	return keys
}

// timerNames are the names that stacks give to their timers and that the catalogue has words for.
var timerNames = []string{
	"h.retransmitTimer", "snd.resendTimer", "snd.probeTimer", "snd.reorderTimer", "snd.corkTimer", "keepalive.timer", "timeWaitTimer", "finWait2Timer",
	"neighborEntry.timer",
}

// deadlineNames are those of the deadlines of calls, which the sandbox records as timers.
var deadlineNames = []string{"SO_RCVTIMEO", "SO_SNDTIMEO"}

// TestTimersHaveWords: each name that gVisor's adapter gives to a timer is one that the catalogue explains.
func TestTimersHaveWords(t *testing.T) {
	b, err := os.ReadFile("../../adapters/gvisor/offsets.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, function := range []string{") timerName(", ") neighborTimerName("} {
		_, rest, _ := strings.Cut(string(b), function)
		body, _, _ := strings.Cut(rest, "\n}\n")
		for _, m := range regexp.MustCompile(`return "([^"]+)"`).FindAllStringSubmatch(body, -1) {
			names = append(names, m[1])
		}
	}
	less := func(a, b string) bool { return a < b }
	if diff := cmp.Diff(timerNames, names, cmpopts.SortSlices(less)); diff != "" {
		t.Errorf("names of timers: (-catalogue +adapter)\n%s", diff)
	}
}

// capabilities are what only some stacks can do.
var capabilities = []string{"Ethernet", "IPv6", "ECN", "urgent data", "SYN cookies"}

// stories are those that the program has built in.
var stories = []string{
	"ipv6", "ethernet", "nobody-ethernet", "corrupted", "reordered", "slow-reader", "ecn", "urgent",
	"plain", "refused", "silent-host", "syn-lost", "synack-lost", "last-ack-lost", "fresh-send", "simultaneous-open", "simultaneous-close",
	"half-close", "abort", "half-open-a", "half-open-b", "full-accept-queue", "syn-cookies", "send-and-close", "idle-year", "many",
}

// sources returns the text of the Go files, tests left out, that take texts from the catalogue.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range []string{".", "../../cmd/connectlab", "../book"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
		}
	}
	return all.String()
}

func TestEveryTextIsUsed(t *testing.T) {
	used := make(map[string]bool)
	for _, key := range madeKeys() {
		used[key] = true
	}
	for _, m := range regexp.MustCompile(`"([A-Za-z0-9.-]+)"`).FindAllStringSubmatch(sources(t), -1) {
		used[m[1]] = true
	}
	for key := range catalogues()[English] {
		if !used[key] {
			t.Errorf("text %q is not used", key)
		}
	}
}

func TestEveryTextThatIsAskedForIsThere(t *testing.T) {
	keys := madeKeys()
	for _, m := range regexp.MustCompile(`(?:text|fail|say)\("([^"]+[^".])"|Text\([A-Za-z.]+, "([^"]+[^".])"`).FindAllStringSubmatch(sources(t), -1) {
		keys = append(keys, m[1]+m[2])
	}
	for _, g := range groups {
		keys = append(keys, g.key)
	}
	for _, b := range controlBits {
		if b.bit != 0 {
			keys = append(keys, b.key)
		}
	}
	keys = append(keys, eventProblems[:]...)
	if len(keys) < 150 {
		t.Fatalf("only %d keys were found in the source: the search does not work", len(keys))
	}
	for _, key := range keys {
		if !Has(key) {
			t.Errorf("no text %q", key)
		}
	}
}

// TestWhatIsSaidFillsItsText: package book says each text with as many arguments as it has verbs.
func TestWhatIsSaidFillsItsText(t *testing.T) {
	files, err := filepath.Glob("../book/*.go")
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, name := range files {
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || call.Ellipsis.IsValid() {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "say" {
				return true
			}
			key, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				return true
			}
			said++
			text := catalogues()[English][strings.Trim(key.Value, `"`)]
			if want := len(verbs(text)); len(call.Args)-1 != want {
				t.Errorf("%s is said with %d arguments, and has %d verbs: %s", key.Value, len(call.Args)-1, want, text)
			}
			return true
		})
	}
	if said < 50 {
		t.Errorf("only %d texts were found that package book says: the search does not work", said)
	}
}

func TestText(t *testing.T) {
	tests := []struct {
		language Language
		key      string
		args     []any
		want     string
	}{
		{English, "header.sequence-number", nil, "sequence number"},
		{Korean, "header.sequence-number", nil, "시퀀스 번호"},
		{"", "header.sequence-number", nil, "sequence number"},
		{Korean, "unit.octets", []any{40}, "40바이트"},
	}
	for _, tt := range tests {
		if got := Text(tt.language, tt.key, tt.args...); got != tt.want {
			t.Errorf("Text(%q, %q, %v) = %q, want %q", tt.language, tt.key, tt.args, got, tt.want)
		}
	}
}

func TestTheBooksFieldsHaveTheSeedsNames(t *testing.T) {
	want := map[string]string{
		"header.source-port": "송신처 포트 번호", "header.destination-port": "수신처 포트 번호", "header.sequence-number": "시퀀스 번호",
		"header.acknowledgment-number": "ACK 번호", "header.data-offset": "데이터 오프셋", "header.reserved": "사용하지 않음",
		"header.window": "윈도우", "header.checksum": "체크섬", "header.urgent-pointer": "긴급 포인터", "header.option": "옵션", "bit.SYN": "컨트롤 비트 SYN",
	}
	for key, name := range want {
		if got := Text(Korean, key); got != name {
			t.Errorf("%s is %q, want %q", key, got, name)
		}
	}
}

func TestParseLanguage(t *testing.T) {
	for _, l := range languages {
		if got, err := ParseLanguage(string(l)); err != nil || got != l {
			t.Errorf("ParseLanguage(%q) = %q, %v", l, got, err)
		}
	}
	_, err := ParseLanguage("de")
	if err == nil {
		t.Fatal("ParseLanguage(de) has no error")
	}
	for _, word := range []string{`"de"`, "en", "ko"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error %q does not name %s", err, word)
		}
	}
}

func TestParseCatalogueRefuses(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"no equals sign", "# words\na.b text\n", "line 2"},
		{"no text", "a.b =\n", "line 1"},
		{"no key", "= text\n", "line 1"},
		{"a key twice", "a = 1\n\na = 2\n", `line 3: key "a"`},
	}
	for _, tt := range tests {
		err := parseCatalogue(map[string]string{}, tt.file)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", tt.name, err, tt.want)
		}
	}
}
