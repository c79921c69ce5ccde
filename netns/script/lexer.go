package script

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxText bounds what is read at all.
const maxText = 1 << 20

type kind uint8

// Kinds of tokens. A mark is one character that stands for itself.
const (
	tokEnd kind = iota
	tokNewline
	tokInt    // 12, 0x1f: num
	tokFloat  // 1.5, .5
	tokWord   // SO_LINGER; client.2, client.1-100
	tokString // text is the value
	tokOption // --delay: text is "delay"
	tokDots   // ...
	tokAddr   // 192.0.2.2; [2001:db8::2]: text is the address
	tokMark
)

type token struct {
	kind kind
	text string // as above; else as it stands in the file
	num  int64
	hex  bool
	pos  Pos
	at   int // where it begins and ends in the text, octets
	end  int
}

// String describes the token as an error does: what was found.
func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end of the file"
	case tokNewline:
		return "the end of the line"
	case tokString:
		return clip(quote(t.text))
	case tokOption:
		return clip("`--" + t.text + "`")
	case tokInt, tokFloat, tokWord, tokDots, tokAddr, tokMark:
	}
	return clip("`" + t.text + "`")
}

// clip keeps what a message quotes short.
func clip(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// A lexer cuts a text into tokens, on demand. Comments are collected apart, so that the parser can put them where
// they belong.
type lexer struct {
	file     string
	text     string // what is left
	size     int    // of the whole text, octets
	pos      Pos    // of what is left
	comments []comment
}

// A comment is the lines of one comment, without its marks.
type comment []string

func (l *lexer) fail(at Pos, format string, args ...any) *Error {
	return &Error{File: l.file, Line: at.Line, Column: at.Column, Msg: fmt.Sprintf(format, args...)}
}

// take moves on by n octets.
func (l *lexer) take(n int) string {
	s := l.text[:n]
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		l.pos.Line += strings.Count(s, "\n")
		l.pos.Column = 1 + utf8.RuneCountInString(s[i+1:])
	} else {
		l.pos.Column += utf8.RuneCountInString(s)
	}
	l.text = l.text[n:]
	return s
}

// space skips white space and collects comments. A newline stays unless newlines says that it is white space.
func (l *lexer) space(newlines bool) error {
	for l.text != "" {
		switch c := l.text[0]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' && newlines:
			l.take(1)
		case strings.HasPrefix(l.text, "//"):
			n := strings.IndexByte(l.text, '\n')
			if n < 0 {
				n = len(l.text)
			}
			line := strings.TrimRight(l.take(n)[2:], " \t\r")
			l.comments = append(l.comments, comment{strings.TrimPrefix(line, " ")})
		case strings.HasPrefix(l.text, "/*"):
			n := strings.Index(l.text[2:], "*/")
			if n < 0 {
				return l.fail(l.pos, "expected `*/` to end this comment")
			}
			lines := strings.Split(l.take(n + 4)[2:n+2], "\n")
			for i := range lines {
				lines[i] = strings.Trim(lines[i], " \t\r")
			}
			if len(lines) > 1 && lines[0] == "" {
				lines = lines[1:]
			}
			if len(lines) > 1 && lines[len(lines)-1] == "" {
				lines = lines[:len(lines)-1]
			}
			l.comments = append(l.comments, lines)
		default:
			return nil
		}
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// run is the length of the beginning of s, from octet i on, that satisfies is.
func run(s string, i int, is func(byte) bool) int {
	for i < len(s) && is(s[i]) {
		i++
	}
	return i
}

func (l *lexer) digitAt(i int) bool { return i < len(l.text) && isDigit(l.text[i]) }

// next returns the next token.
func (l *lexer) next(newlines bool) (token, error) {
	if err := l.space(newlines); err != nil {
		return token{}, err
	}
	at := l.size - len(l.text)
	t, err := l.token()
	t.at, t.end = at, l.size-len(l.text)
	return t, err
}

// token reads the token that begins here.
func (l *lexer) token() (token, error) {
	t := token{pos: l.pos}
	if l.text == "" {
		return t, nil
	}
	switch c := l.text[0]; {
	case c == '\n':
		l.take(1)
		t.kind = tokNewline
	case isDigit(c) || c == '.' && l.digitAt(1):
		return l.number(t)
	case isWord(c):
		t.kind, t.text = tokWord, l.take(l.word())
	case c == '"':
		return l.string(t)
	case strings.HasPrefix(l.text, "..."):
		t.kind, t.text = tokDots, l.take(3)
	case strings.HasPrefix(l.text, "--") && len(l.text) > 2 && isWord(l.text[2]) && !isDigit(l.text[2]):
		l.take(2)
		t.kind, t.text = tokOption, l.take(run(l.text, 0, isWord))
	case c == '[' && l.ipv6() > 0:
		t.kind = tokAddr
		s := l.text[1 : l.ipv6()-1]
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return t, l.fail(t.pos, "expected an IPv6 address in `[ ]`, found `%s`", clip(s))
		}
		l.take(len(s) + 2)
		t.text = addr.String()
	case strings.IndexByte("()[]{},=:|#*+-<>~", c) >= 0:
		t.kind, t.text = tokMark, l.take(1)
	default:
		r, _ := utf8.DecodeRuneInString(l.text)
		if !unicode.IsPrint(r) {
			return t, l.fail(t.pos, "character %U has no meaning here", r)
		}
		return t, l.fail(t.pos, "character `%c` has no meaning here", r)
	}
	return t, nil
}

// word is the length of the word that comes: letters, digits and `_`; behind it may stand the numbers of programs,
// as in client.2 or client.1-100.
func (l *lexer) word() int {
	n := run(l.text, 0, isWord)
	if n < len(l.text) && l.text[n] == '.' && l.digitAt(n+1) {
		n = run(l.text, n+1, isDigit)
		if n < len(l.text) && l.text[n] == '-' && l.digitAt(n+1) {
			n = run(l.text, n+1, isDigit)
		}
	}
	return n
}

// ipv6 is the length of the bracketed IPv6 address that comes, or 0: a list has no two colons.
func (l *lexer) ipv6() int {
	const longest = len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]")
	n := run(l.text[:min(len(l.text), longest)], 1, func(c byte) bool {
		return c == ':' || c == '.' || isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
	})
	if n < len(l.text) && l.text[n] == ']' && strings.Count(l.text[:n], ":") >= 2 {
		return n + 1
	}
	return 0
}

func (l *lexer) number(t token) (token, error) {
	n := run(l.text, 0, isDigit)
	dots := 0
	for n < len(l.text) && l.text[n] == '.' && l.digitAt(n+1) {
		dots++
		n = run(l.text, n+1, isDigit)
	}
	if dots <= 1 {
		n = run(l.text, n, isWord)
	}
	t.text = l.take(n)
	if last := t.text[len(t.text)-1]; dots <= 1 && !isDigit(last) {
		if _, err := time.ParseDuration(t.text); err == nil {
			return t, l.fail(t.pos, "expected a number, or a time in seconds as .010, found `%s`: times have no unit here", clip(t.text))
		}
	}
	switch dots {
	case 0:
		t.kind = tokInt
		t.hex = strings.HasPrefix(t.text, "0x")
		base, digits := 10, t.text
		if t.hex {
			base, digits = 16, digits[2:]
		}
		num, err := strconv.ParseInt(digits, base, 64)
		if err != nil {
			return t, l.fail(t.pos, "expected a number below 2^63, found `%s`", clip(t.text))
		}
		t.num = num
	case 1:
		t.kind = tokFloat
		if run(t.text, 0, func(c byte) bool { return c == '.' || isDigit(c) }) < len(t.text) {
			return t, l.fail(t.pos, "expected a number, found `%s`", clip(t.text))
		}
	default:
		t.kind = tokAddr
		if _, err := netip.ParseAddr(t.text); err != nil {
			return t, l.fail(t.pos, "expected a number or an IPv4 address, found `%s`", clip(t.text))
		}
	}
	return t, nil
}

var escapes = map[byte]byte{'\\': '\\', '"': '"', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

func (l *lexer) string(t token) (token, error) {
	t.kind = tokString
	l.take(1)
	var b strings.Builder
	for {
		n := strings.IndexAny(l.text, "\"\\\n")
		if n < 0 || l.text[n] == '\n' {
			return t, l.fail(t.pos, "expected `\"` to end this string on the same line")
		}
		b.WriteString(l.take(n))
		at := l.pos
		if l.take(1) == `"` {
			t.text = b.String()
			return t, nil
		}
		if l.text == "" {
			return t, l.fail(t.pos, "expected `\"` to end this string on the same line")
		}
		if c, ok := escapes[l.text[0]]; ok {
			b.WriteByte(c)
			l.take(1)
			continue
		}
		if l.text[0] == 'x' && len(l.text) >= 3 {
			if v, err := strconv.ParseUint(l.text[1:3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				l.take(3)
				continue
			}
		}
		return t, l.fail(at, `expected one of \\ \" \f \n \r \t \v \xHH`)
	}
}

// remark reads the text of an error that stands in parentheses behind its name; the opening one is read. All that
// matters of it is where it ends.
func (l *lexer) remark() (string, error) {
	n := strings.IndexAny(l.text, ")\n")
	if n < 0 || l.text[n] == '\n' {
		return "", l.fail(l.pos, "expected `)` to end the error's text on the same line")
	}
	s := l.take(n)
	l.take(1)
	return strings.Join(strings.Fields(s), " "), nil
}

// quote writes a string so that the lexer reads it again.
func quote(s string) string {
	b := []byte{'"'}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', s[0])
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == utf8.RuneError && n == 1 || !unicode.IsPrint(r):
			for i := range n {
				b = fmt.Appendf(b, `\x%02x`, s[i])
			}
		default:
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	return string(append(b, '"'))
}
