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
)

// longestExcerpt is how many bytes of a reply an error shows.
const longestExcerpt = 200

// redactor makes text that a server had a hand in fit to be shown: without the API key, in the forms in which
// a server may echo it, without control characters, and short.
type redactor struct {
	replacer *strings.Replacer
	forms    []string // of the key
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
	var pairs []string
	for _, form := range forms {
		pairs = append(pairs, form, "[api key]")
	}
	return &redactor{replacer: strings.NewReplacer(pairs...), forms: forms}
}

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
	text = r.replacer.Replace(text)
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
