package schema

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"samespace-exporter/internal/jsonscan"
)

var (
	errNumber   = errors.New("is not a number")
	errFloat    = errors.New("is too large for a float")
	errBoolean  = errors.New("is not true or false")
	errWantText = errors.New("is not sent as text")
)

// convert turns a value into one of the column, exactly; replaced counts the characters that became U+FFFD.
// The error's text goes on after the value: "is not an integer".
func (c *columnRule) convert(t jsonscan.Token) (v Value, replaced int, err error) {
	if t.Kind == jsonscan.Null {
		return Value{}, 0, nil
	}
	switch c.Type {
	case Text:
		return c.text(t)
	case JSON:
		s, replaced, err := canonicalJSON(t.Text)
		return StrValue(s), replaced, err
	default:
		v, err := c.scalar(t)
		return v, 0, err
	}
}

// text takes any value: a string for what it stands for, all else as it was written.
func (c *columnRule) text(t jsonscan.Token) (v Value, replaced int, err error) {
	s := t.Text
	switch t.Kind {
	case jsonscan.String:
		s, replaced, err = t.Unquote()
	case jsonscan.Array, jsonscan.Object:
		s, err = compactJSON(s)
	}
	if err != nil {
		return Value{}, 0, err
	}
	return StrValue(c.transform(s)), replaced, nil
}

func (c *columnRule) transform(s string) string {
	switch c.Transform {
	case Lower:
		return strings.ToLower(s)
	case Trim:
		return strings.TrimSpace(s)
	case Last4:
		start := len(s)
		for range 4 {
			_, size := utf8.DecodeLastRuneInString(s[:start])
			start -= size
		}
		return s[start:]
	case HMAC:
		mac := hmac.New(sha256.New, c.secret)
		mac.Write([]byte(s))
		return hex.EncodeToString(mac.Sum(nil))
	default:
		return s
	}
}

// scalar takes numbers, booleans and strings. A string counts for what it says, so that a number or a
// boolean may be sent as text.
func (c *columnRule) scalar(t jsonscan.Token) (Value, error) {
	s := t.Text
	if t.Kind == jsonscan.String {
		var err error
		if s, _, err = t.Unquote(); err != nil {
			return Value{}, err
		}
	}
	switch c.Type {
	case Integer, Numeric, Float:
		return c.number(s)
	case Boolean:
		if s != "true" && s != "false" {
			return Value{}, errBoolean
		}
		return BoolValue(s == "true"), nil
	case Duration:
		return duration(t.Kind, s)
	default:
		return c.time(t.Kind, s)
	}
}

func (c *columnRule) number(s string) (Value, error) {
	if !jsonscan.IsNumber(s) {
		if c.Type == Integer {
			return Value{}, errInteger
		}
		return Value{}, errNumber
	}
	switch c.Type {
	case Integer:
		n, err := parseInteger(s)
		return IntValue(n), err
	case Numeric:
		plain, err := plainDecimal(s)
		return StrValue(plain), err
	default:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return Value{}, errFloat
		}
		return FloatValue(f), nil
	}
}

func duration(k jsonscan.Kind, s string) (Value, error) {
	if jsonscan.IsNumber(s) {
		plain, err := plainDecimal(s)
		return StrValue(plain), err
	}
	if k != jsonscan.String {
		return Value{}, errDuration
	}
	seconds, err := parseDuration(s)
	return StrValue(seconds), err
}

// time takes text only: whether a number counts seconds, milliseconds or days, it does not say.
func (c *columnRule) time(k jsonscan.Kind, s string) (Value, error) {
	if k != jsonscan.String {
		return Value{}, errWantText
	}
	var micros int64
	var err error
	switch c.Type {
	case Timestamptz:
		micros, err = parseTimestamptz(s, c.location)
	case Timestamp:
		micros, err = parseTimestamp(s)
	default:
		micros, err = parseDate(s)
	}
	return numValue(micros), err
}
