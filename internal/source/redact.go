package source

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestExcerpt is how many bytes of a reply an error shows.
const longestExcerpt = 200

// redactor makes text that a server had a hand in fit to be shown: without the API key, in the forms in which
// a server may echo it, without control characters, and short.
type redactor struct {
	replacer *strings.Replacer // of what is taken for the key wherever it stands
	words    []string          // what is so short that any text has it: taken for the key where it stands by itself
	forms    []string          // of the key: all of them
}

func newRedactor(key string) *redactor {
	asJSON, _ := json.Marshal(key) // a string always marshals
	quoted := strconv.Quote(key)   // as other JSON encoders do, and Go's own errors
	forms := []string{
		key, quoted[1 : len(quoted)-1], string(asJSON[1 : len(asJSON)-1]),
		url.QueryEscape(key), url.PathEscape(key), html.EscapeString(key),
	}
	forms = append(forms, hex.EncodeToString([]byte(key)), strings.ToUpper(hex.EncodeToString([]byte(key))))
	forms = append(forms, inBase64(key)...)
	r := &redactor{forms: forms}
	var pairs []string
	for _, form := range forms {
		switch {
		case len(form) >= shortestInText:
			pairs = append(pairs, form, keyText)
		case !slices.Contains(r.words, form):
			r.words = append(r.words, form)
		}
	}
	r.replacer = strings.NewReplacer(pairs...)
	return r
}

// keyText is all that is ever shown of the key.
const keyText = "[api key]"

// shortestInText is the fewest characters that are taken for the key within a longer word. No real key has fewer.
const shortestInText = 4

// hide puts keyText in the place of the key.
func (r *redactor) hide(text string) string {
	for _, word := range r.words { // first, since keyText may have them
		text = replaceWord(text, word)
	}
	return r.replacer.Replace(text)
}

// replaceWord puts keyText in the place of a word that stands by itself.
func replaceWord(text, word string) string {
	var b strings.Builder
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			b.WriteString(text[from:])
			return b.String()
		}
		start, end := from+i, from+i+len(word)
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[end:])
		b.WriteString(text[from:start])
		if inWord(before) || inWord(after) {
			b.WriteString(word)
		} else {
			b.WriteString(keyText)
		}
		from = end
	}
}

func inWord(c rune) bool { return c != utf8.RuneError && (unicode.IsLetter(c) || unicode.IsDigit(c)) }

// inBase64 are the key's own characters in a base64 text that holds it: they depend on how many bytes stand before it.
func inBase64(key string) (forms []string) {
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := encoding.EncodeToString(append(make([]byte, before), key...))
			forms = append(forms, text[(before*8+5)/6:(before+len(key))*8/6])
		}
	}
	return slices.DeleteFunc(forms, func(form string) bool { return len(form) < shortestForm })
}

// shortestForm is the fewest characters of base64 that are taken for the key: fewer would be found in any text.
const shortestForm = 8

// excerpt is the beginning of a text. cut says that the text itself was cut somewhere: then its end may hold
// the first part of the key, and is left out.
func (r *redactor) excerpt(text string, cut bool) string {
	text = r.hide(text)
	if cut {
		text = text[:len(text)-r.begun(text)]
	}
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || !unicode.IsGraphic(c) {
			return ' '
		}
		return c
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longestExcerpt {
		text = strings.ToValidUTF8(text[:longestExcerpt], "") + "…"
	}
	return text
}

// begun is how many bytes at the end of a text are the beginning of a form of the key.
func (r *redactor) begun(text string) (most int) {
	for _, form := range r.forms {
		for n := min(len(form)-1, len(text)); n > most; n-- {
			if strings.HasSuffix(text, form[:n]) {
				most = n
			}
		}
	}
	return most
}
