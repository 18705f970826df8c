package jsonscan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"samespace-exporter/internal/jsonscan"
)

// whole reads a text that is to be one value.
func whole(text string) (jsonscan.Token, error) {
	s := jsonscan.Scanner{Text: text}
	value, err := s.Value()
	if err == nil {
		err = s.End()
	}
	return value, err
}

func TestValue(t *testing.T) {
	tests := []struct {
		text string
		kind jsonscan.Kind
		err  string // "": none
		cut  bool
	}{
		{` {"a" : [1, -0.5e+3 , "x"], "a":{}} `, jsonscan.Object, "", false},
		{`[]`, jsonscan.Array, "", false},
		{`true`, jsonscan.True, "", false},
		{`false`, jsonscan.False, "", false},
		{`null`, jsonscan.Null, "", false},
		{`-0`, jsonscan.Number, "", false},
		{`"\u00e9\n` + "\xff" + `"`, jsonscan.String, "", false},
		{``, 0, "not valid JSON at byte 0: a value is missing", true},
		{`<html>`, 0, "not valid JSON at byte 0: a value is missing", false},
		{`tru`, 0, "not valid JSON at byte 0: a value is missing", true},
		{`trux`, 0, "not valid JSON at byte 0: a value is missing", false},
		{`-`, 0, "not valid JSON at byte 0: a number is cut short", true},
		{`1.`, 0, "not valid JSON at byte 0: a number is cut short", true},
		{`1e-`, 0, "not valid JSON at byte 0: a number is cut short", true},
		{`-x`, 0, "not valid JSON at byte 0: a number is cut short", false},
		{`01`, 0, "not valid JSON at byte 1: something follows the value", false},
		{`[1,]`, 0, "not valid JSON at byte 3: a value is missing", false},
		{`[1 2]`, 0, "not valid JSON at byte 3: a comma is missing in an array", false},
		{`[1`, 0, "not valid JSON at byte 2: an array has no end", true},
		{`{"a"}`, 0, "not valid JSON at byte 4: a colon is missing in an object", false},
		{`{1:2}`, 0, "not valid JSON at byte 1: a name is missing in an object", false},
		{`"abcdefghij`, 0, "not valid JSON at byte 11: a string has no end", true},
		{`"\`, 0, "not valid JSON at byte 1: an escape in a string is unknown", true},
		{`"\u12`, 0, "not valid JSON at byte 1: an escape in a string is unknown", true},
		{`"\ux2`, 0, "not valid JSON at byte 1: an escape in a string is unknown", false},
		{`"\q"`, 0, "not valid JSON at byte 1: an escape in a string is unknown", false},
		{"\"a\nb\"", 0, "not valid JSON at byte 2: a control character stands in a string", false},
	}
	for _, test := range tests {
		value, err := whole(test.text)
		if test.err == "" {
			if err != nil || value.Kind != test.kind || value.Text != strings.TrimSpace(test.text) {
				t.Errorf("%s: %q, a %v, error %v", test.text, value.Text, value.Kind, err)
			}
			continue
		}
		var syntax *jsonscan.SyntaxError
		if !errors.As(err, &syntax) || err.Error() != test.err || syntax.Cut != test.cut {
			t.Errorf("%s: error %v, want %s, cut %t", test.text, err, test.err, test.cut)
		}
	}
}

func TestDepth(t *testing.T) {
	const most = 3
	for text, fits := range map[string]bool{`[{"a":[]}]`: true, `[{"a":[{}]}]`: false, `[[[]],[[]],[[]]]`: true} {
		s := jsonscan.Scanner{Text: text, MaxDepth: most}
		_, err := s.Value()
		var deep *jsonscan.DepthError
		if fits != (err == nil) || !fits && !errors.As(err, &deep) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := whole(strings.Repeat("[", 10_001)); err == nil || !strings.Contains(err.Error(), "deeper than 10000") {
		t.Errorf("10,001 arrays in each other: %v", err)
	}
}

func TestTake(t *testing.T) {
	for text, taken := range map[string]bool{`,"a":1`: true, `,"a":`: true, `,"a"`: false, `, "a":1`: false, `,"ab":1`: false, ``: false} {
		s := jsonscan.Scanner{Text: "x" + text, Pos: 1}
		if s.Take(`,"a":`) != taken || taken && s.Pos != 6 || !taken && s.Pos != 1 {
			t.Errorf("%q: taken %t, then %q", text, !taken, s.Text[s.Pos:])
		}
	}
	if s := (jsonscan.Scanner{Text: ":1"}); s.Take("") {
		t.Error("no text was taken for one")
	}
}

func TestTakeStrings(t *testing.T) {
	for text, taken := range map[string]bool{` "a",`: true, `"a"`: true, `"ab"`: false, `"a`: false, `a`: false, `"a\""`: false, ``: false} {
		s := jsonscan.Scanner{Text: text}
		if s.TakeString(`"a"`) != taken {
			t.Errorf("%q: taken %t", text, !taken)
		}
		p := jsonscan.Scanner{Text: text}
		if p.TakePlain("a") != taken || taken && (p.Pos != s.Pos || text[p.Pos-1] != '"') {
			t.Errorf("%q: taken plain %t, up to %d", text, !taken, p.Pos)
		}
	}
	if s := (jsonscan.Scanner{Text: `1`}); s.TakeString("") || s.TakePlain("") {
		t.Error("a number was taken for no string")
	}
	if s := (jsonscan.Scanner{Text: `""`}); !s.TakePlain("") || s.End() != nil {
		t.Error("the empty string was not taken")
	}
}

// FuzzValue holds the scanner against encoding/json, and each beginning of a text against what is said of its end.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,"\u00e9\ud83d\ude00\ud800x\u0000",true,null]}`, `"\ud800"`, `[[[`, "\"\xff\"", `01`, ``, `1e400`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := whole(text)
		if (err == nil) != json.Valid([]byte(text)) {
			t.Fatalf("error %v, encoding/json says valid %t", err, err != nil)
		}
		if err != nil {
			return
		}
		for end := range len(text) {
			var syntax *jsonscan.SyntaxError
			if _, err := whole(text[:end]); err != nil && (!errors.As(err, &syntax) || !syntax.Cut) {
				t.Fatalf("%q is not said to be cut short: %v", text[:end], err)
			}
		}
		if value.Kind != jsonscan.String {
			return
		}
		got, replaced, err := value.Unquote()
		if (err == nil) != utf8.ValidString(value.Text) {
			t.Fatalf("unquoted: %v", err)
		}
		var want string
		if json.Unmarshal([]byte(text), &want) == nil && err == nil && got != strings.ReplaceAll(want, "\x00", "\uFFFD") {
			t.Fatalf("%q, encoding/json has %q", got, want)
		}
		if strings.Count(got, "\uFFFD") < replaced {
			t.Fatalf("%d replaced in %q", replaced, got)
		}
	})
}
