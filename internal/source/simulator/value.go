package simulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// value is what a row holds under a metric. The zero value is an absent key.
type value struct {
	kind kind
	num  int64  // number; decimal in 1/10000; instant in Unix milliseconds; boolean 0 or 1
	text string // text; raw JSON
}

type kind uint8

const (
	absent kind = iota
	null
	boolean
	number
	decimal
	instant
	text
	raw
)

const (
	decimalScale = 10_000
	timeLayout   = "2006-01-02T15:04:05.000Z"
)

func textValue(s string) value    { return value{kind: text, text: s} }
func numberValue(n int64) value   { return value{kind: number, num: n} }
func decimalValue(n int64) value  { return value{kind: decimal, num: n} }
func instantValue(ms int64) value { return value{kind: instant, num: ms} }
func rawValue(json string) value  { return value{kind: raw, text: json} }
func booleanValue(yes bool) value {
	if yes {
		return value{kind: boolean, num: 1}
	}
	return value{kind: boolean}
}

// appendJSON appends the value as the API writes it. It must not be called for an absent one.
func (v value) appendJSON(b []byte) []byte {
	switch v.kind {
	case number:
		return strconv.AppendInt(b, v.num, 10)
	case decimal:
		return appendDecimal(b, v.num)
	case boolean:
		return strconv.AppendBool(b, v.num != 0)
	case instant:
		return append(time.UnixMilli(v.num).UTC().AppendFormat(append(b, '"'), timeLayout), '"')
	case text:
		return appendText(b, v.text)
	case raw:
		return append(b, v.text...)
	}
	return append(b, "null"...)
}

func appendDecimal(b []byte, n int64) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendInt(b, n/decimalScale, 10)
	fraction := strconv.AppendInt(nil, decimalScale+n%decimalScale, 10)
	fraction[0] = '.'
	return append(b, bytes.TrimRight(fraction, ".0")...)
}

// appendText quotes s: itself, where it is plain, which computed texts are.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// compare orders values: absent and null first, numbers by size, times by time, texts by their bytes.
func (v value) compare(w value) int {
	if v.kind != w.kind {
		if v.numeric() && w.numeric() {
			return cmp.Compare(v.float(), w.float())
		}
		return cmp.Compare(v.kind, w.kind)
	}
	if c := cmp.Compare(v.num, w.num); c != 0 {
		return c
	}
	return cmp.Compare(v.text, w.text)
}

func (v value) numeric() bool { return v.kind == number || v.kind == decimal }

func (v value) float() float64 {
	if v.kind == decimal {
		return float64(v.num) / decimalScale
	}
	return float64(v.num)
}

// attribute is the text that an attribute filter compares; ok is false for absent and null.
func (v value) attribute() (s string, ok bool) {
	switch v.kind {
	case absent, null:
		return "", false
	case text, raw:
		return v.text, true
	case instant:
		return time.UnixMilli(v.num).UTC().Format(timeLayout), true
	}
	return string(v.appendJSON(nil)), true
}

// parseValue is the value of an inserted row's JSON under a metric of the given type.
func parseValue(data json.RawMessage, metricType string) value {
	var v any
	if decodeJSON(data, &v) != nil {
		return rawValue(string(data))
	}
	switch v := v.(type) {
	case nil:
		return value{kind: null}
	case bool:
		return booleanValue(v)
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil && metricType == "timestamptz" {
			return instantValue(at.UnixMilli())
		}
		return textValue(v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return numberValue(n)
		}
		if f, err := v.Float64(); err == nil && math.Abs(f) < math.MaxInt64/decimalScale {
			return decimalValue(int64(math.Round(f * decimalScale)))
		}
	}
	return rawValue(string(data))
}
