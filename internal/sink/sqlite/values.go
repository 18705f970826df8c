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

// storedDecimal is a number where that is exact, else the text in a form that SQLite leaves alone.
func storedDecimal(text string) any {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i
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
