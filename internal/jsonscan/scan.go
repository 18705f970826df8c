// Package jsonscan reads JSON text from left to right and builds nothing of it: it says what stands where, and whether all
// of it is well-formed. Pages are taken apart with it, and their rows are mapped, so that neither costs an allocation.
package jsonscan

import (
	"fmt"
	"iter"
	"strings"
)

// Kind tells the JSON values apart, by the character that they begin with.
type Kind byte

// The kinds of values. The zero Kind is none.
const (
	Null   Kind = 'n'
	True   Kind = 't'
	False  Kind = 'f'
	String Kind = '"'
	Array  Kind = '['
	Object Kind = '{'
	Number Kind = '0' // stands for every digit and the minus sign
)

func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case True, False:
		return "a boolean"
	case String:
		return "a string"
	case Array:
		return "an array"
	case Object:
		return "an object"
	case Number:
		return "a number"
	default:
		return "no value"
	}
}

// SyntaxError says where a text is no JSON.
type SyntaxError struct {
	Offset int    // bytes before it
	Reason string // "a colon is missing in an object"
	// Cut is set when the text ends there: with more text it might be JSON.
	Cut bool
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not valid JSON at byte %d: %s", e.Offset, e.Reason)
}

// DepthError says that arrays and objects are nested deeper than Scanner.MaxDepth.
type DepthError struct{ Most int }

func (e *DepthError) Error() string {
	return fmt.Sprintf("arrays and objects are nested deeper than %d", e.Most)
}

// defaultMaxDepth is as deep as encoding/json goes.
const defaultMaxDepth = 10_000

// Scanner reads a text. It takes strictly what RFC 8259 allows, except that strings may hold invalid UTF-8 and surrogates
// without a partner: what becomes of these is said by Token.Unquote. After an error it must not be used on.
//
// Errors of its methods: *SyntaxError, *DepthError.
type Scanner struct {
	Text     string
	Pos      int // of the byte to be read next
	MaxDepth int // how deep arrays and objects may be nested, the outermost one included; 0: 10,000
	Depth    int // how many are open
}

// Value reads the next value whole. With an error the Token is zero.
func (s *Scanner) Value() (Token, error) {
	k := s.Kind()
	if k == String {
		return s.quoted()
	}
	var err error
	start := s.Pos
	switch k {
	case Object, Array:
		err = s.nested(k)
	case True:
		err = s.literal("true")
	case False:
		err = s.literal("false")
	case Null:
		err = s.literal("null")
	case Number:
		err = s.number()
	default:
		err = s.malformed("a value is missing")
	}
	if err != nil {
		return Token{}, err
	}
	return Token{Kind: k, Text: s.Text[start:s.Pos]}, nil
}

// Kind skips white space and tells what begins there; 0 when no value does.
func (s *Scanner) Kind() Kind {
	s.space()
	if s.Pos == len(s.Text) {
		return 0
	}
	switch b := s.Text[s.Pos]; {
	case b == '-' || IsDigit(b):
		return Number
	case b == '"' || b == '{' || b == '[' || b == 't' || b == 'f' || b == 'n':
		return Kind(b)
	default:
		return 0
	}
}

// nested passes over an array or object with all that is in it.
func (s *Scanner) nested(k Kind) error {
	if err := s.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.More(k, first)
		if err != nil || !more {
			return err
		}
		if k == Object {
			if _, err := s.Name(); err != nil {
				return err
			}
		}
		if _, err := s.Value(); err != nil {
			return err
		}
	}
}

// Open steps into the array or object that Kind has just seen. What it holds is read by More, Name and Value.
func (s *Scanner) Open() error {
	most := s.MaxDepth
	if most == 0 {
		most = defaultMaxDepth
	}
	if s.Depth >= most {
		return &DepthError{Most: most}
	}
	s.Depth++
	s.Pos++
	return nil
}

// More steps to the next element of the open array or object, which is of kind k, or behind its end: then it is false.
func (s *Scanner) More(k Kind, first bool) (bool, error) {
	s.space()
	if s.Pos == len(s.Text) {
		return false, s.malformed(k.String() + " has no end")
	}
	switch b := s.Text[s.Pos]; {
	case b == byte(k)+2: // ] and } come two after [ and {
		s.Pos++
		s.Depth--
		return false, nil
	case first:
		return true, nil
	case b == ',':
		s.Pos++
		return true, nil
	default:
		return false, s.malformed("a comma is missing in " + k.String())
	}
}

// Name reads the name of an object's member and the colon.
func (s *Scanner) Name() (Token, error) {
	if s.Kind() != String {
		return Token{}, s.malformed("a name is missing in an object")
	}
	name, err := s.quoted()
	if err != nil {
		return Token{}, err
	}
	s.space()
	if s.Pos == len(s.Text) || s.Text[s.Pos] != ':' {
		return Token{}, s.malformed("a colon is missing in an object")
	}
	s.Pos++
	return name, nil
}

// Members are the names of the object that Kind has just seen. Behind each its value is to be read. An error is the last of
// them.
func (s *Scanner) Members() iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		err := s.Open()
		for first := true; err == nil; first = false {
			var more bool
			var name Token
			if more, err = s.More(Object, first); err == nil && more {
				name, err = s.Name()
			}
			if err == nil && (!more || !yield(name, nil)) {
				return
			}
		}
		yield(Token{}, err)
	}
}

// Take reads what was read before at a place of the same kind, if it stands here, too: from behind a value to behind the colon
// of the next member, or from behind the brace to behind the first one's. Else it reads nothing. Objects that follow each
// other mostly have the same names in one order: to compare is faster than to read.
func (s *Scanner) Take(text string) bool {
	if text == "" || !strings.HasPrefix(s.Text[s.Pos:], text) {
		return false
	}
	s.Pos += len(text)
	return true
}

// TakeString reads a value, if it is this string, quotes included: the Text of a Token that was read before. Else it reads
// nothing. Many values are those of the object before.
func (s *Scanner) TakeString(quoted string) bool {
	s.space()
	if quoted == "" || !strings.HasPrefix(s.Text[s.Pos:], quoted) {
		return false
	}
	s.Pos += len(quoted)
	return true
}

// TakePlain is TakeString of a string by what stands between its quotes, which must need no escape.
func (s *Scanner) TakePlain(body string) bool {
	s.space()
	rest, end := s.Text[s.Pos:], len(body)+1
	if len(rest) <= end || rest[0] != '"' || rest[end] != '"' || rest[1:end] != body {
		return false
	}
	s.Pos += end + 1
	return true
}

// End fails unless nothing but white space is left.
func (s *Scanner) End() error {
	if s.space(); s.Pos < len(s.Text) {
		return s.malformed("something follows the value")
	}
	return nil
}

func (s *Scanner) space() {
	for s.Pos < len(s.Text) && IsSpace(s.Text[s.Pos]) {
		s.Pos++
	}
}

func (s *Scanner) literal(word string) error {
	rest := s.Text[s.Pos:]
	if !strings.HasPrefix(rest, word) {
		return s.failed("a value is missing", strings.HasPrefix(word, rest))
	}
	s.Pos += len(word)
	return nil
}

// malformed is the error of a text that is wrong here, or ends here.
func (s *Scanner) malformed(reason string) error { return s.failed(reason, s.Pos == len(s.Text)) }

func (s *Scanner) failed(reason string, cut bool) error {
	return &SyntaxError{Offset: s.Pos, Reason: reason, Cut: cut}
}

// IsSpace reports whether b is white space of JSON.
func IsSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }
