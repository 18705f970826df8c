package schema

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// maxDigits is how many digits a decimal may have on either side of its point. Postgres takes more (131,072
// and 16,383), but "1e100000" would grow from eight bytes to many, and no metric comes near it.
const maxDigits = 1000

var (
	errDigits  = errors.New("needs more than 1,000 digits on a side of the decimal point")
	errInteger = errors.New("is not an integer")
	errInt64   = errors.New("is not an integer of 64 bits")
)

// parseInteger is the JSON number s as a 64 bit integer: "31.0" and "3.1e1" are 31.
func parseInteger(s string) (int64, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	plain, err := plainDecimal(s)
	if err != nil {
		return 0, errInt64
	}
	if strings.IndexByte(plain, '.') >= 0 {
		return 0, errInteger
	}
	n, err := strconv.ParseInt(plain, 10, 64)
	if err != nil {
		return 0, errInt64
	}
	return n, nil
}

// plainDecimal is the JSON number s in the one form that its value has: no exponent, no needless zeros, no
// negative zero. A number without an exponent is not copied.
func plainDecimal(s string) (string, error) {
	if e := strings.IndexAny(s, "eE"); e >= 0 {
		return shiftedDecimal(s[:e], exponent(s[e+1:]))
	}
	whole, fraction := len(s), 0
	if point := strings.IndexByte(s, '.'); point >= 0 {
		s = strings.TrimRight(s, "0")
		whole, fraction = point, len(s)-point-1
		if fraction == 0 {
			s = s[:point]
		}
	}
	if s[0] == '-' {
		whole--
	}
	switch {
	case whole > maxDigits || fraction > maxDigits:
		return "", errDigits
	case s == "-0":
		return "0", nil
	default:
		return s, nil
	}
}

// exponent is the number behind an "e". What is beyond all limits stays so.
func exponent(s string) int {
	n, err := strconv.Atoi(s)
	const far = math.MaxInt / 4 // leaves room for adding the count of digits
	if err != nil || n > far || n < -far {
		if s[0] == '-' {
			return -far
		}
		return far
	}
	return n
}

// shiftedDecimal is the plain form of mantissa times ten to the power of shift.
func shiftedDecimal(mantissa string, shift int) (string, error) {
	unsigned := strings.TrimPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0", nil
	}
	// The value is 0.DIGITS times ten to the power of point.
	point := len(whole) + shift - (len(whole) + len(fraction) - len(digits))
	digits = strings.TrimRight(digits, "0")
	if point > maxDigits || len(digits)-point > maxDigits {
		return "", errDigits
	}
	var out strings.Builder
	if len(unsigned) < len(mantissa) {
		out.WriteByte('-')
	}
	switch {
	case point <= 0:
		out.WriteString("0.")
		out.WriteString(strings.Repeat("0", -point))
		out.WriteString(digits)
	case point >= len(digits):
		out.WriteString(digits)
		out.WriteString(strings.Repeat("0", point-len(digits)))
	default:
		out.WriteString(digits[:point])
		out.WriteByte('.')
		out.WriteString(digits[point:])
	}
	return out.String(), nil
}
