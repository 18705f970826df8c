package schema

import (
	"slices"
	"strings"
	"unicode/utf8"

	"samespace-exporter/internal/jsonscan"
)

// maxDepth is how deep arrays and objects may be nested, the outermost one included. Postgres parses jsonb
// by recursion and refuses what overflows its stack; reports are a few levels deep at most.
const maxDepth = 500

// scan is a scanner of a text that is to be kept.
func scan(text string) jsonscan.Scanner { return jsonscan.Scanner{Text: text, MaxDepth: maxDepth} }

// CanonicalJSON is the one form of all JSON texts that Postgres jsonb holds equal: members in the bytewise
// order of their names, of members with one name the last, no white space, numbers as plain decimals (1.0
// and 1e0 are 1), and in strings no needless escape. NUL and surrogates without a partner, which jsonb
// refuses, become U+FFFD. The canonical form of a canonical text is that text.
//
// It fails for what is not JSON, not UTF-8, nested deeper than 500, or has a number of more than 1,000
// digits before or behind its point.
func CanonicalJSON(text string) (string, error) {
	out, _, err := canonicalJSON(text)
	return out, err
}

// canonicalJSON is CanonicalJSON; replaced counts the characters that became U+FFFD.
func canonicalJSON(text string) (out string, replaced int, err error) {
	w := canonWriter{in: scan(text)}
	if err := w.value(); err != nil {
		return "", 0, err
	}
	if err := w.in.End(); err != nil {
		return "", 0, err
	}
	if string(w.out) == text {
		return text, w.replaced, nil
	}
	return string(w.out), w.replaced, nil
}

// canonWriter writes the canonical form of what it reads.
type canonWriter struct {
	in       jsonscan.Scanner
	out      []byte
	members  []canonMember // of the objects that are open, the innermost last
	replaced int
}

// canonMember is a member of an object: its name, and where it stands in out, with the comma behind it.
type canonMember struct {
	name     string
	from, to int
}

// value copies the next value.
func (w *canonWriter) value() error {
	switch w.in.Kind() {
	case jsonscan.Object:
		return w.object()
	case jsonscan.Array:
		return w.array()
	}
	t, err := w.in.Value()
	if err != nil {
		return err
	}
	switch t.Kind {
	case jsonscan.String:
		_, err = w.string(t)
		return err
	case jsonscan.Number:
		plain, err := plainDecimal(t.Text)
		w.out = append(w.out, plain...)
		return err
	default:
		w.out = append(w.out, t.Text...)
		return nil
	}
}

func (w *canonWriter) array() error {
	if err := w.in.Open(); err != nil {
		return err
	}
	w.out = append(w.out, '[')
	for first := true; ; first = false {
		more, err := w.in.More(jsonscan.Array, first)
		if err != nil {
			return err
		}
		if !more {
			w.out = append(w.out, ']')
			return nil
		}
		if !first {
			w.out = append(w.out, ',')
		}
		if err := w.value(); err != nil {
			return err
		}
	}
}

func (w *canonWriter) object() error {
	w.out = append(w.out, '{')
	outer := len(w.members)
	for name, err := range w.in.Members() {
		if err != nil {
			return err
		}
		if err := w.member(name); err != nil {
			return err
		}
	}
	w.closeObject(outer)
	return nil
}

// member copies a member of the innermost object: its name, and the value that comes next.
func (w *canonWriter) member(name jsonscan.Token) error {
	from := len(w.out)
	s, err := w.string(name)
	if err != nil {
		return err
	}
	w.out = append(w.out, ':')
	if err := w.value(); err != nil {
		return err
	}
	w.out = append(w.out, ',')
	w.members = append(w.members, canonMember{name: s, from: from, to: len(w.out)})
	return nil
}

// closeObject ends the object whose members begin at outer: it puts them in order and drops those whose name
// comes again. It returns a name that came twice, if any.
func (w *canonWriter) closeObject(outer int) (twice string, found bool) {
	members := w.members[outer:]
	w.members = w.members[:outer]
	if len(members) == 0 {
		w.out = append(w.out, '}')
		return "", false
	}
	if inOrder(members) {
		w.out[len(w.out)-1] = '}' // in place of the last comma
		return "", false
	}
	start, end := members[0].from, len(w.out)
	slices.SortStableFunc(members, func(a, b canonMember) int { return strings.Compare(a.name, b.name) })
	for i, m := range members {
		if i+1 < len(members) && members[i+1].name == m.name {
			twice, found = m.name, true
			continue
		}
		w.out = append(w.out, w.out[m.from:m.to]...)
	}
	w.out = append(w.out[:start], w.out[end:]...)
	w.out[len(w.out)-1] = '}'
	return twice, found
}

// inOrder reports whether each name is greater than the one before it.
func inOrder(members []canonMember) bool {
	for i := 1; i < len(members); i++ {
		if members[i-1].name >= members[i].name {
			return false
		}
	}
	return true
}

// string copies a string and returns what it stands for.
func (w *canonWriter) string(t jsonscan.Token) (string, error) {
	s, replaced, err := t.Unquote()
	if err != nil {
		return "", err
	}
	w.replaced += replaced
	if t.Escaped {
		w.out = appendQuoted(w.out, s)
	} else {
		w.out = append(w.out, t.Text...)
	}
	return s, nil
}

// appendQuoted appends s as a JSON string with the fewest escapes.
func appendQuoted(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(s) {
		switch b := s[i]; {
		case b == '"' || b == '\\':
			out = append(out, '\\', b)
		case b == '\b':
			out = append(out, '\\', 'b')
		case b == '\f':
			out = append(out, '\\', 'f')
		case b == '\n':
			out = append(out, '\\', 'n')
		case b == '\r':
			out = append(out, '\\', 'r')
		case b == '\t':
			out = append(out, '\\', 't')
		case b < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		default:
			out = append(out, b)
		}
	}
	return append(out, '"')
}

// compactJSON is a well-formed JSON text without the white space between its parts; all else as written.
func compactJSON(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", jsonscan.ErrUTF8
	}
	out := make([]byte, 0, len(text))
	quoted := false
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case b == '"':
			quoted = !quoted
		case quoted && b == '\\':
			out = append(out, b)
			i++
			b = text[i]
		case !quoted && jsonscan.IsSpace(b):
			continue
		}
		out = append(out, b)
	}
	if len(out) == len(text) {
		return text, nil
	}
	return string(out), nil
}
