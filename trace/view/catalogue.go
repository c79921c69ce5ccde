package view

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"connectlab/trace/book"
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

//go:embed catalogue
var catalogueFiles embed.FS

// catalogues are read when the first text is asked for.
var catalogues = sync.OnceValue(func() map[Language]map[string]string {
	all := make(map[Language]map[string]string, len(languages))
	for _, l := range languages {
		texts, err := readCatalogue(catalogueFiles, "catalogue/"+string(l))
		if err != nil {
			panic("view: " + err.Error())
		}
		all[l] = texts
	}
	for _, s := range book.Statements() { // these stand beside what judges them
		all[English]["book."+s.ID] = s.Text
	}
	return all
})

// readCatalogue reads the files of one language: a folder with a file for each part of the program.
func readCatalogue(files fs.FS, folder string) (map[string]string, error) {
	texts := make(map[string]string)
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		b, err := fs.ReadFile(files, name)
		if err == nil {
			err = parseCatalogue(texts, string(b))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return texts, nil
}

// parseCatalogue adds lines of the form "key = text" to texts. A text may hold "\n" for a line break. Empty lines and
// lines that begin with # say nothing.
func parseCatalogue(texts map[string]string, file string) error {
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
			return fmt.Errorf("line %d: want key = text, got %q", n, line)
		}
		if _, ok := texts[key]; ok {
			return fmt.Errorf("line %d: key %q a second time", n, key)
		}
		texts[key] = strings.ReplaceAll(text, `\n`, "\n")
	}
	return nil
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
