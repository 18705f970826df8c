package sqlite

import (
	"bytes"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
)

const (
	timestamptzLayout = "2006-01-02T15:04:05.000000Z"
	timestampLayout   = "2006-01-02T15:04:05.000000"
	// endOfTime is behind every time in the order of text.
	endOfTime = "9999-12-31T23:59:60"
)

// stored is a value as the file holds it: nil, int64, float64, string or []byte.
func stored(t schema.Type, v schema.Value) any {
	if v.IsNull() {
		return nil
	}
	switch t {
	case schema.Integer, schema.Boolean:
		return v.Int()
	case schema.Float:
		return v.Float()
	case schema.Numeric, schema.Duration:
		return storedDecimal(v.Str())
	case schema.Timestamptz:
		return v.Time().Format(timestamptzLayout)
	case schema.Timestamp:
		return v.Time().Format(timestampLayout)
	case schema.Date:
		return v.Time().Format(time.DateOnly)
	default:
		return v.Str()
	}
}

// clockTexts writes instants as timestamptzLayout does, five times as fast: those of a batch are mostly of one day, and of
// one row often the same. The zero value is ready.
type clockTexts struct {
	dated bool
	day   int64  // since the Unix epoch
	date  string // of that day, with the T
	last  int64
	text  any             // of last; nil: none yet
	texts strings.Builder // where texts lie side by side: one by one they would be a third of a commit's garbage
}

func (c *clockTexts) instant(micros int64) any {
	if c.text != nil && c.last == micros {
		return c.text
	}
	const perSecond, perDay = int64(time.Second / time.Microsecond), int64(24 * time.Hour / time.Microsecond)
	day, rest := micros/perDay, micros%perDay
	if rest < 0 {
		day, rest = day-1, rest+perDay
	}
	if !c.dated || day != c.day {
		c.dated, c.day, c.date = true, day, time.UnixMicro(day*perDay).UTC().Format("2006-01-02T")
	}
	seconds, fraction := rest/perSecond, rest%perSecond
	buf := make([]byte, 0, maxInstant)
	buf = append(buf, c.date...)
	buf = append(appendDigits(buf, seconds/3600, 2), ':')
	buf = append(appendDigits(buf, seconds/60%60, 2), ':')
	buf = append(appendDigits(buf, seconds%60, 2), '.')
	buf = append(appendDigits(buf, fraction, 6), 'Z')
	c.last, c.text = micros, c.keep(buf)
	return c.text
}

// maxInstant is how long a text may be, since a year may have more digits.
const maxInstant = len(timestamptzLayout) + 2

// keep is a copy of a text.
func (c *clockTexts) keep(text []byte) string {
	if c.texts.Cap()-c.texts.Len() < maxInstant {
		c.texts = strings.Builder{}
		c.texts.Grow(100 * maxInstant)
	}
	from := c.texts.Len()
	c.texts.Write(text)
	return c.texts.String()[from:]
}

func appendDigits(buf []byte, n int64, digits int) []byte {
	for range digits {
		buf = append(buf, '0')
	}
	for i := len(buf) - 1; n > 0; i-- {
		buf[i] = byte('0' + n%10)
		n /= 10
	}
	return buf
}

// storedDecimal is a number where that is exact, else the text in a form that SQLite leaves alone.
func storedDecimal(text string) any {
	if !strings.Contains(text, ".") { // to fail costs more than to parse
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i
		}
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && strconv.FormatFloat(f, 'f', -1, 64) == text {
		return f
	}
	return []byte(text)
}

// same tells whether two stored values are equal, type included.
func same(a, b any) bool {
	if x, ok := a.([]byte); ok {
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	}
	return a == b
}

// stamp is a time as the exporter's own tables hold it; NULL for the zero time.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(timestamptzLayout)
}

// at reads a time of the exporter's own tables into t.
func at(t *time.Time) sql.Scanner { return timeScanner{t} }

type timeScanner struct{ to *time.Time }

func (s timeScanner) Scan(cell any) error {
	*s.to = time.Time{}
	if cell == nil {
		return nil
	}
	text, ok := cell.(string)
	if !ok {
		return fmt.Errorf("%v is not a time", cell)
	}
	t, err := time.Parse(timestamptzLayout, text)
	*s.to = t
	return err
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
