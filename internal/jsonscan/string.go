package jsonscan

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrUTF8 says that a string is not UTF-8, which no warehouse takes as text.
var ErrUTF8 = errors.New("is not valid UTF-8")

// Token is one well-formed JSON value, as it was written.
type Token struct {
	Kind    Kind
	Text    string // strings: with their quotes
	Escaped bool   // strings: some escape is in it
	ascii   bool   // strings: no byte above 127 is in it
}

// Unquote is what a String stands for. NUL, which SQL text refuses, and surrogates without a partner, which UTF-8 cannot
// hold, become U+FFFD; replaced counts them. A string without escapes is not copied. The error is ErrUTF8.
func (t Token) Unquote() (s string, replaced int, err error) {
	body := t.Text[1 : len(t.Text)-1]
	if !t.ascii && !utf8.ValidString(body) {
		return "", 0, ErrUTF8
	}
	if !t.Escaped {
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

// quoted reads the string that begins here.
func (s *Scanner) quoted() (Token, error) {
	start := s.Pos
	escaped, high := false, byte(0)
	for i := start + 1; i < len(s.Text); i++ {
		i += plainLen(s.Text[i:])
		if i == len(s.Text) {
			break
		}
		b := s.Text[i]
		high |= b
		switch {
		case b == '"':
			s.Pos = i + 1
			return Token{Kind: String, Text: s.Text[start:s.Pos], Escaped: escaped, ascii: high < utf8.RuneSelf}, nil
		case b == '\\':
			n := escapeLen(s.Text[i:])
			if n == 0 {
				s.Pos = i
				return Token{}, s.failed("an escape in a string is unknown", isCutEscape(s.Text[i:]))
			}
			escaped = true
			i += n - 1
		case b < ' ':
			s.Pos = i
			return Token{}, s.malformed("a control character stands in a string")
		}
	}
	s.Pos = len(s.Text)
	return Token{}, s.malformed("a string has no end")
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
		if len(s) < 6 || hexLen(s[2:6]) < 4 {
			return 0
		}
		return 6
	default:
		return 0
	}
}

// isCutEscape reports whether s, which begins with no escape, is the beginning of one.
func isCutEscape(s string) bool {
	return len(s) < 2 || s[1] == 'u' && len(s) < 6 && hexLen(s[2:]) == len(s)-2
}

func hexLen(s string) int {
	for i := range len(s) {
		if b := s[i] | 0x20; !IsDigit(s[i]) && (b < 'a' || b > 'f') {
			return i
		}
	}
	return len(s)
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
