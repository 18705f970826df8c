package schema

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may be nested, the outermost one included. Postgres parses jsonb
// by recursion and refuses what overflows its stack; reports are a few levels deep at most.
const maxDepth = 500

// errUTF8 says that a string is not UTF-8, which no warehouse takes as text.
var errUTF8 = errors.New("is not valid UTF-8")

// kind tells the JSON values apart by the character that they begin with.
type kind byte

const (
	nullKind   kind = 'n'
	trueKind   kind = 't'
	falseKind  kind = 'f'
	stringKind kind = '"'
	arrayKind  kind = '['
	objectKind kind = '{'
	numberKind kind = '0' // stands for every digit and the minus sign
)

func (k kind) String() string {
	switch k {
	case nullKind:
		return "null"
	case trueKind, falseKind:
		return "a boolean"
	case stringKind:
		return "a string"
	case arrayKind:
		return "an array"
	case objectKind:
		return "an object"
	default:
		return "a number"
	}
}

// token is one well-formed JSON value, as it was written.
type token struct {
	kind    kind
	text    string // strings: with their quotes
	escaped bool   // strings: some escape is in it
	ascii   bool   // strings: no byte above 127 is in it
}

// cursor reads JSON text from left to right. It takes strictly what RFC 8259 allows, except that strings may
// hold invalid UTF-8 and surrogates without a partner: what becomes of these is said by token.unquote.
type cursor struct {
	text string
	pos  int
}

// value reads the next value whole. depth counts the arrays and objects that are open around it.
func (c *cursor) value(depth int) (token, error) {
	k := c.kind()
	if k == stringKind {
		return c.quoted()
	}
	var err error
	start := c.pos
	switch k {
	case objectKind, arrayKind:
		err = c.nested(k, depth)
	case trueKind:
		err = c.literal("true")
	case falseKind:
		err = c.literal("false")
	case nullKind:
		err = c.literal("null")
	case numberKind:
		err = c.number()
	default:
		err = c.malformed("a value is missing")
	}
	return token{kind: k, text: c.text[start:c.pos]}, err
}

// kind skips white space and tells what begins there; 0 when no value does.
func (c *cursor) kind() kind {
	c.space()
	if c.pos == len(c.text) {
		return 0
	}
	switch b := c.text[c.pos]; {
	case b == '-' || isDigit(b):
		return numberKind
	case b == '"' || b == '{' || b == '[' || b == 't' || b == 'f' || b == 'n':
		return kind(b)
	default:
		return 0
	}
}

// nested passes over an array or object with all that is in it.
func (c *cursor) nested(k kind, depth int) error {
	if err := c.open(depth); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := c.more(k, first)
		if err != nil || !more {
			return err
		}
		if k == objectKind {
			if _, err := c.name(); err != nil {
				return err
			}
		}
		if _, err := c.value(depth + 1); err != nil {
			return err
		}
	}
}

// open steps into the array or object that begins here, with depth others around it.
func (c *cursor) open(depth int) error {
	if depth >= maxDepth {
		return fmt.Errorf("arrays and objects are nested deeper than %d", maxDepth)
	}
	c.pos++
	return nil
}

// more steps to the next element of an array or object, or behind its end.
func (c *cursor) more(k kind, first bool) (bool, error) {
	c.space()
	if c.pos == len(c.text) {
		return false, c.malformed(k.String() + " has no end")
	}
	switch b := c.text[c.pos]; {
	case b == byte(k)+2: // ] and } come two after [ and {
		c.pos++
		return false, nil
	case first:
		return true, nil
	case b == ',':
		c.pos++
		return true, nil
	default:
		return false, c.malformed("a comma is missing in " + k.String())
	}
}

// name reads the name of an object's member and the colon.
func (c *cursor) name() (token, error) {
	if c.kind() != stringKind {
		return token{}, c.malformed("a name is missing in an object")
	}
	name, err := c.quoted()
	if err != nil {
		return token{}, err
	}
	c.space()
	if c.pos == len(c.text) || c.text[c.pos] != ':' {
		return token{}, c.malformed("a colon is missing in an object")
	}
	c.pos++
	return name, nil
}

// end fails unless nothing but white space is left.
func (c *cursor) end() error {
	if c.space(); c.pos < len(c.text) {
		return c.malformed("something follows the value")
	}
	return nil
}

func (c *cursor) space() {
	for c.pos < len(c.text) && isSpace(c.text[c.pos]) {
		c.pos++
	}
}

func (c *cursor) literal(word string) error {
	if !strings.HasPrefix(c.text[c.pos:], word) {
		return c.malformed("a value is missing")
	}
	c.pos += len(word)
	return nil
}

// quoted reads the string that begins here.
func (c *cursor) quoted() (token, error) {
	start := c.pos
	escaped, high := false, byte(0)
	for i := start + 1; i < len(c.text); i++ {
		i += plainLen(c.text[i:])
		if i == len(c.text) {
			break
		}
		b := c.text[i]
		high |= b
		switch {
		case b == '"':
			c.pos = i + 1
			return token{kind: stringKind, text: c.text[start:c.pos], escaped: escaped, ascii: high < utf8.RuneSelf}, nil
		case b == '\\':
			n := escapeLen(c.text[i:])
			if n == 0 {
				c.pos = i
				return token{}, c.malformed("an escape in a string is unknown")
			}
			escaped = true
			i += n - 1
		case b < ' ':
			c.pos = i
			return token{}, c.malformed("a control character stands in a string")
		}
	}
	c.pos = len(c.text)
	return token{}, c.malformed("a string has no end")
}

// plainLen is how many bytes at the beginning of s, in steps of eight, are plain characters of a string: printable
// ASCII, and neither a quote nor a backslash.
func plainLen(s string) int {
	const low, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		eight := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		quote, backslash := eight^low*'"', eight^low*'\\'
		// The high bit of a byte: it is not ASCII, below a space, or zero once a quote or a backslash is taken from it.
		if odd := eight | (eight - low*' ') | (quote - low) | (backslash - low); odd&high != 0 {
			odd = eight | (eight-low*' ')&^eight | (quote-low)&^quote | (backslash-low)&^backslash
			return i + bits.TrailingZeros64(odd&high)/8
		}
	}
	return i
}

// escapeLen is the length of the escape that s begins with; 0 when it is none.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(s) < 6 {
			return 0
		}
		for i := 2; i < 6; i++ {
			if b := s[i] | 0x20; !isDigit(s[i]) && (b < 'a' || b > 'f') {
				return 0
			}
		}
		return 6
	default:
		return 0
	}
}

// number passes over the number that begins here.
func (c *cursor) number() error {
	n := numberLen(c.text[c.pos:])
	if n == 0 {
		return c.malformed("a number is cut short")
	}
	c.pos += n
	return nil
}

// unquote is what a string token stands for. NUL, which SQL text refuses, and surrogates without a partner,
// which UTF-8 cannot hold, become U+FFFD; replaced counts them. A string without escapes is not copied.
func (t token) unquote() (s string, replaced int, err error) {
	body := t.text[1 : len(t.text)-1]
	if !t.ascii && !utf8.ValidString(body) {
		return "", 0, errUTF8
	}
	if !t.escaped {
		return body, 0, nil
	}
	out := make([]byte, 0, len(body))
	for {
		plain := strings.IndexByte(body, '\\')
		if plain < 0 {
			return string(append(out, body...)), replaced, nil
		}
		out = append(out, body[:plain]...)
		char, n := unescape(body[plain:])
		if char < 0 {
			char = utf8.RuneError
			replaced++
		}
		out = utf8.AppendRune(out, char)
		body = body[plain+n:]
	}
}

// unescape decodes the well-formed escape that s begins with, which is n bytes long. char is -1 for NUL and
// for a surrogate without a partner.
func unescape(s string) (char rune, n int) {
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		first := hex4(s[2:6])
		switch {
		case first == 0 || first >= 0xDC00 && first <= 0xDFFF:
			return -1, 6
		case first < 0xD800 || first > 0xDFFF:
			return first, 6
		case len(s) < 12 || s[6] != '\\' || s[7] != 'u':
			return -1, 6
		}
		second := hex4(s[8:12])
		if second < 0xDC00 || second > 0xDFFF {
			return -1, 6
		}
		return (first-0xD800)<<10 + (second - 0xDC00) + 0x10000, 12
	default:
		return rune(s[1]), 2
	}
}

// hex4 reads four hexadecimal digits.
func hex4(s string) rune {
	n, _ := strconv.ParseUint(s, 16, 16)
	return rune(n)
}

func (c *cursor) malformed(what string) error {
	return fmt.Errorf("not valid JSON at byte %d: %s", c.pos, what)
}

func isDigit(b byte) bool { return b-'0' <= 9 }

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }
