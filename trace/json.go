package trace

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A cursor reads one line of JSON from left to right. It is strict where encoding/json is not: a key that is unknown, stands
// twice, or differs in case is an error, and so is text that is not UTF-8. The first error stays, and ends everything: behind
// it every method returns a zero value.
type cursor struct {
	b    []byte
	i    int
	err  error
	buf  []byte            // of a text with escapes
	seen map[string]string // short texts come again and again
}

// maxDepth is how deep values may be nested, so that a hostile file cannot exhaust the stack.
const maxDepth = 16

// start begins a line.
func (c *cursor) start(line []byte) { c.b, c.i, c.err = line, 0, nil }

// fail keeps the first error, with the column where the cursor stands.
func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("column %d: "+format, append([]any{c.i + 1}, args...)...)
	}
}

// failWith keeps an error whose place is the line as a whole.
func (c *cursor) failWith(err error) {
	if c.err == nil {
		c.err = err
	}
}

// next skips white space and returns the octet there; 0 at the end of the line.
func (c *cursor) next() byte {
	if c.err != nil {
		return 0
	}
	for ; c.i < len(c.b); c.i++ {
		switch c.b[c.i] {
		case ' ', '\t', '\r', '\n':
		default:
			return c.b[c.i]
		}
	}
	return 0
}

// take takes ch if it comes next.
func (c *cursor) take(ch byte) bool {
	if c.next() != ch || c.err != nil {
		return false
	}
	c.i++
	return true
}

func (c *cursor) expect(ch byte) {
	if !c.take(ch) {
		c.fail("%q is expected, not %s", ch, c.here())
	}
}

// here names what stands at the cursor.
func (c *cursor) here() string {
	rest := c.b[min(c.i, len(c.b)):]
	if len(rest) == 0 {
		return "the end of the line"
	}
	r, _ := utf8.DecodeRune(rest)
	return strconv.QuoteRune(r)
}

// end checks that nothing follows.
func (c *cursor) end() {
	if c.next() != 0 || c.err == nil && c.i < len(c.b) {
		c.fail("the line should be over, and %s follows", c.here())
	}
}

// object reads an object. keys are those that it may have, the first required of them must be there. For each that is,
// field is called to read its value.
func (c *cursor) object(what string, required int, keys []string, field func(key string)) {
	var found uint64
	c.expect('{')
	for first := true; c.err == nil && !c.take('}'); first = false {
		if !first {
			c.expect(',')
		}
		c.next()
		at := c.i
		key := c.key()
		if c.err != nil {
			return
		}
		k := 0
		for k < len(keys) && keys[k] != string(key) {
			k++
		}
		switch {
		case k == len(keys):
			c.i = at
			c.fail("%s has no key %q: its keys are %s", what, key, strings.Join(keys, ", "))
		case found&(1<<k) != 0:
			c.i = at
			c.fail("%s has the key %q twice", what, key)
		}
		found |= 1 << k
		c.expect(':')
		if c.err == nil {
			field(keys[k])
		}
	}
	if missing := bits.TrailingZeros64(^found); missing < required {
		c.fail("%s has no %q", what, keys[missing])
	}
}

// key reads the name of a key.
func (c *cursor) key() []byte {
	c.next()
	at := c.i
	key := c.octets()
	if len(key) > maxWord {
		c.i = at
		c.fail("a key of %d octets", len(key))
	}
	return key
}

// list reads a list; element is called for each element.
func (c *cursor) list(element func()) {
	c.expect('[')
	for first := true; c.err == nil && !c.take(']'); first = false {
		if !first {
			c.expect(',')
		}
		if c.err == nil {
			element()
		}
	}
}

// null takes null if it comes next.
func (c *cursor) null() bool { return c.next() == 'n' && c.literal("null") }

func (c *cursor) literal(word string) bool {
	if !strings.HasPrefix(string(c.b[c.i:min(c.i+len(word), len(c.b))]), word) {
		c.fail("a value is expected, not %s", c.here())
		return false
	}
	c.i += len(word)
	return true
}

func (c *cursor) bool() bool {
	switch c.next() {
	case 't':
		return c.literal("true")
	case 'f':
		c.literal("false")
		return false
	}
	c.fail("true or false is expected, not %s", c.here())
	return false
}

// number takes a whole number's digits, a part of the line; anything that JSON would read as another kind of number is refused.
func (c *cursor) number() []byte {
	c.next()
	from := c.i
	i := from
	if i < len(c.b) && c.b[i] == '-' {
		i++
	}
	first := i
	for i < len(c.b) && c.b[i] >= '0' && c.b[i] <= '9' {
		i++
	}
	switch {
	case c.err != nil:
		return nil
	case i == first:
		c.fail("a whole number is expected, not %s", c.here())
		return nil
	case i-first > len("18446744073709551615"):
		c.fail("a number of %d digits", i-first)
		return nil
	case c.b[first] == '0' && (i > first+1 || first > from), i < len(c.b) && (c.b[i] == '.' || c.b[i] == 'e' || c.b[i] == 'E'):
		c.fail("a whole number is expected, without leading zeros, fraction or exponent")
		return nil
	}
	c.i = i
	return c.b[from:i]
}

// int64 reads a whole number.
func (c *cursor) int64() int64 {
	s := c.number()
	n, err := strconv.ParseInt(string(s), 10, 64)
	if err != nil {
		c.fail("%s is out of range", s)
	}
	return n
}

// int reads a whole number that fits into an int.
func (c *cursor) int() int {
	n := c.int64()
	if int64(int(n)) != n {
		c.fail("%d is out of range", n)
	}
	return int(n)
}

// count reads a whole number that is not negative.
func (c *cursor) count() int {
	n := c.int()
	if n < 0 {
		c.fail("%d is negative", n)
	}
	return n
}

// uint64 reads a whole number that is not negative.
func (c *cursor) uint64() uint64 {
	s := c.number()
	n, err := strconv.ParseUint(string(s), 10, 64)
	if err != nil {
		c.fail("%s is out of range", s)
	}
	return n
}

// text reads a string.
func (c *cursor) text() string {
	b := c.octets()
	if len(b) > 64 {
		return string(b)
	}
	s, ok := c.seen[string(b)]
	if !ok {
		if c.seen == nil {
			c.seen = map[string]string{}
		}
		s = string(b)
		c.seen[s] = s
	}
	return s
}

// octets reads a string. The slice is good until the next call.
func (c *cursor) octets() []byte {
	if c.next() != '"' {
		c.fail("a text in quotes is expected, not %s", c.here())
		return nil
	}
	from := c.i + 1
	for i := from; i < len(c.b); i++ {
		switch ch := c.b[i]; {
		case ch == '"':
			c.i = i + 1
			s := c.b[from:i]
			if !utf8.Valid(s) {
				c.fail("a text that is not UTF-8")
				return nil
			}
			return s
		case ch == '\\':
			return c.escaped(from)
		case ch < ' ':
			c.i = i
			c.fail("a control character in a text: it must be escaped")
			return nil
		}
	}
	c.i = len(c.b)
	c.fail("a text without its closing quote")
	return nil
}

// escaped reads a string that begins at from and has escapes.
func (c *cursor) escaped(from int) []byte {
	c.buf = c.buf[:0]
	for c.i = from; c.i < len(c.b); c.i++ {
		switch ch := c.b[c.i]; {
		case ch == '"':
			c.i++
			if !utf8.Valid(c.buf) {
				c.fail("a text that is not UTF-8")
				return nil
			}
			return c.buf
		case ch < ' ':
			c.fail("a control character in a text: it must be escaped")
			return nil
		case ch != '\\':
			c.buf = append(c.buf, ch)
		case !c.escape():
			return nil
		}
	}
	c.fail("a text without its closing quote")
	return nil
}

// escape reads one escape and leaves the cursor on its last octet.
func (c *cursor) escape() bool {
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if c.i++; c.i < len(c.b) {
		if k := strings.IndexByte(from, c.b[c.i]); k >= 0 {
			c.buf = append(c.buf, to[k])
			return true
		}
	}
	r, ok := c.hexRune()
	if ok && utf16.IsSurrogate(r) {
		if c.i+2 < len(c.b) && c.b[c.i+1] == '\\' {
			c.i += 2
			low, lowOK := c.hexRune()
			r = utf16.DecodeRune(r, low)
			ok = lowOK && r != utf8.RuneError
		} else {
			ok = false
		}
	}
	if !ok {
		c.fail("an escape that JSON does not know")
		return false
	}
	c.buf = utf8.AppendRune(c.buf, r)
	return true
}

// hexRune reads u and four digits, and leaves the cursor on the last of them.
func (c *cursor) hexRune() (rune, bool) {
	if c.i+4 >= len(c.b) || c.b[c.i] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(c.b[c.i+1:c.i+5]), 16, 32)
	c.i += 4
	return rune(n), err == nil
}

// skip reads a value of any kind and returns its octets.
func (c *cursor) skip() []byte {
	c.next()
	from := c.i
	c.walk("", 0, func(string, string) {})
	if c.err != nil {
		return nil
	}
	return c.b[from:c.i]
}

// walk reads a value of any kind and calls leaf for each of its leaves, in order: its path, as ".tcp.options[0].kind", and what
// it holds, texts in quotes. An object or list that is empty is a leaf. Paths are built only below a path that is not empty.
func (c *cursor) walk(path string, depth int, leaf func(path, value string)) {
	if depth > maxDepth {
		c.fail("values are nested more than %d deep", maxDepth)
		return
	}
	from := c.i
	count := 0
	switch ch := c.next(); {
	case ch == '{':
		c.i++
		for c.err == nil && !c.take('}') {
			if count > 0 {
				c.expect(',')
			}
			count++
			key, p := c.key(), ""
			if path != "" {
				p = path + "." + string(key)
			}
			c.expect(':')
			c.walk(p, depth+1, leaf)
		}
	case ch == '[':
		c.list(func() {
			p := ""
			if path != "" {
				p = path + "[" + strconv.Itoa(count) + "]"
			}
			count++
			c.walk(p, depth+1, leaf)
		})
	case ch == '"':
		s := c.octets()
		if path != "" {
			leaf(path, strconv.Quote(string(s)))
		}
		return
	case ch == 't' || ch == 'f':
		leaf(path, strconv.FormatBool(c.bool()))
		return
	case ch == 'n':
		c.null()
		leaf(path, "null")
		return
	default:
		n := c.number()
		if path != "" {
			leaf(path, string(n))
		}
		return
	}
	if count == 0 && c.err == nil {
		leaf(path, string(c.b[from:c.i]))
	}
}
