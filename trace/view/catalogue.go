package view

import (
	"embed"
	"fmt"
	"strings"
	"sync"
)

// Language is a language of the catalogue. The zero value is English.
type Language string

// The languages.
const (
	English Language = "en"
	Korean  Language = "ko"
)

var languages = [...]Language{English, Korean}

// ParseLanguage reads "en" or "ko". The error names both.
func ParseLanguage(name string) (Language, error) {
	for _, l := range languages {
		if string(l) == name {
			return l, nil
		}
	}
	return "", fmt.Errorf("unknown language %q: the languages are en and ko", name)
}

//go:embed catalogue/*.txt
var catalogueFiles embed.FS

// catalogues are read when the first text is asked for.
var catalogues = sync.OnceValue(func() map[Language]map[string]string {
	all := make(map[Language]map[string]string, len(languages))
	for _, l := range languages {
		file := "catalogue/" + string(l) + ".txt"
		b, err := catalogueFiles.ReadFile(file)
		if err != nil {
			panic("view: " + err.Error())
		}
		texts, err := parseCatalogue(string(b))
		if err != nil {
			panic("view: " + file + ": " + err.Error())
		}
		all[l] = texts
	}
	return all
})

// parseCatalogue reads lines of the form "key = text". A text may hold "\n" for a line break. Empty lines and lines
// that begin with # say nothing.
func parseCatalogue(file string) (map[string]string, error) {
	texts := make(map[string]string)
	n := 0
	for line := range strings.Lines(file) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, text, ok := strings.Cut(line, "=")
		key, text = strings.TrimSpace(key), strings.TrimSpace(text)
		if !ok || key == "" || text == "" {
			return nil, fmt.Errorf("line %d: want key = text, got %q", n, line)
		}
		if _, ok := texts[key]; ok {
			return nil, fmt.Errorf("line %d: key %q a second time", n, key)
		}
		texts[key] = strings.ReplaceAll(text, `\n`, "\n")
	}
	return texts, nil
}

// Text is the text of a key in a language, with args in the place of its verbs. The zero Language is English. A key
// that the catalogue does not have panics; Has tells.
func Text(l Language, key string, args ...any) string {
	if l == "" {
		l = English
	}
	text, ok := catalogues()[l][key]
	if !ok {
		panic(fmt.Sprintf("view: no text %q in language %q", key, l))
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Has reports whether the catalogue has a text for key. All languages have the same keys.
func Has(key string) bool {
	_, ok := catalogues()[English][key]
	return ok
}
