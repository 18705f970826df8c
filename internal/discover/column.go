package discover

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/window"
)

// sampled is what was seen.
type sampled struct {
	columns []*column // in the order in which their ids were met
	rows    []seenRow // each once
}

// seenRow is a row and the range that it was asked for by.
type seenRow struct {
	values map[string]string // JSON by id; null is left out
	asked  window.Window
}

// column is what was seen under an id.
type column struct {
	id       string
	present  int // rows with a value
	kinds    map[byte]int
	distinct map[string]int // values, as JSON
	order    []string       // the first few of them
}

const (
	enough   = 20 // rows with a value, for a guess to be sure
	examples = 3
)

func look(samples []Sample) *sampled {
	s := &sampled{}
	known, places := map[string]bool{}, map[string]int{}
	for _, sample := range samples {
		for _, raw := range sample.Rows {
			if known[raw] {
				continue
			}
			known[raw] = true
			var row map[string]json.RawMessage
			if json.Unmarshal([]byte(raw), &row) != nil || row == nil {
				continue
			}
			for _, id := range idsInOrder(raw) {
				if _, ok := places[id]; !ok {
					places[id] = len(s.columns)
					s.columns = append(s.columns, &column{id: id, kinds: map[byte]int{}, distinct: map[string]int{}})
				}
			}
			seen := seenRow{values: map[string]string{}, asked: sample.Range}
			for id, value := range row {
				if text := string(value); text != "null" {
					s.columns[places[id]].see(text)
					seen.values[id] = text
				}
			}
			s.rows = append(s.rows, seen)
		}
	}
	return s
}

// idsInOrder are the names of an object, as they come.
func idsInOrder(raw string) (ids []string) {
	in := json.NewDecoder(strings.NewReader(raw))
	if _, err := in.Token(); err != nil {
		return nil
	}
	for in.More() {
		name, err := in.Token()
		var value json.RawMessage
		if id, ok := name.(string); err != nil || !ok || in.Decode(&value) != nil {
			return ids
		} else if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (c *column) see(text string) {
	c.present++
	c.kinds[kindOf(text)]++
	if c.distinct[text]++; c.distinct[text] == 1 && len(c.order) < examples {
		c.order = append(c.order, text)
	}
}

// kindOf is the kind of a JSON value by its first character: a quote, a digit, a t, a bracket.
func kindOf(text string) byte {
	switch c := text[0]; {
	case c == '-' || c >= '0' && c <= '9':
		return '0'
	case c == 'f':
		return 't'
	case c == '[':
		return '{'
	default:
		return c
	}
}

// candidates are the types that values of a kind may be meant as, the most telling first. A text of digits is no
// number: it may be a telephone's.
func candidates(kind byte) []schema.Type {
	switch kind {
	case '"':
		return []schema.Type{schema.Date, schema.Timestamp, schema.Timestamptz, schema.Text}
	case '0':
		return []schema.Type{schema.Integer, schema.Numeric, schema.Float}
	case 't':
		return []schema.Type{schema.Boolean}
	}
	return []schema.Type{schema.JSON}
}

// propose says which type takes every value that was seen.
func (c *column) propose(rows int) Field {
	f := Field{ID: c.id, Examples: c.order, Absent: 1, Type: schema.Text, Confidence: Low}
	if rows > 0 {
		f.Absent = 1 - float64(c.present)/float64(rows)
	}
	switch {
	case c.present == 0:
		f.Evidence = "no row has a value"
		return f
	case len(c.kinds) > 1:
		f.Evidence = "values of several kinds, which only text takes all of"
		f.Confidence = Medium
		return f
	}
	for kind := range c.kinds {
		for _, t := range candidates(kind) {
			if c.fits(t) {
				f.Type = t
				break
			}
		}
	}
	f.Confidence, f.Evidence = High, fmt.Sprintf("%d values", c.present)
	if len(c.distinct) < c.present {
		f.Evidence += fmt.Sprintf(", %d different", len(c.distinct))
	}
	switch {
	case c.present < enough:
		f.Confidence = Medium
	case f.Type == schema.Integer && len(c.distinct) == 1:
		f.Confidence, f.Evidence = Medium, f.Evidence+": might have decimals too"
	case f.Type == schema.Text && c.all(digits):
		f.Confidence, f.Evidence = Medium, f.Evidence+", all digits: integer would take them as well"
	}
	return f
}

// fits reports whether the exporter would take every value as one of the type.
func (c *column) fits(t schema.Type) bool {
	mapper, err := schema.Compile(schema.Mapping{Table: "t", Fields: []schema.Field{{ID: "v", Name: "v", Type: t}}})
	if err != nil {
		return false
	}
	for value := range c.distinct {
		if _, err := mapper.Map(`{"v":` + value + `}`); err != nil {
			return false
		}
		if t == schema.Timestamptz && !zoned(value) {
			return false
		}
	}
	return true
}

// zoned reports whether a time says where it is: without an offset it is a wall-clock time.
func zoned(value string) bool {
	text := unquoted(value)
	if strings.HasSuffix(text, "Z") || strings.HasSuffix(text, "z") {
		return true
	}
	at := strings.LastIndexAny(text, "+-")
	return at > len("2006-01-02T15")
}

func (c *column) all(is func(string) bool) bool {
	for value := range c.distinct {
		if !is(unquoted(value)) {
			return false
		}
	}
	return len(c.distinct) > 0
}

func unquoted(value string) string {
	var text string
	if json.Unmarshal([]byte(value), &text) != nil {
		return value
	}
	return text
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// objectID reports whether a text has the shape of an ObjectId: 24 hexadecimal digits.
func objectID(s string) bool {
	return len(s) == 24 && strings.Trim(s, "0123456789abcdef") == ""
}
