package schema

import (
	"math"
	"strconv"
	"time"
)

// Value is one converted cell. The zero Value is NULL. Values are canonical: two values of one type are the
// same to the warehouse exactly when they are equal by ==, which is how unchanged rows are told.
//
// What it holds depends on the field's type:
//
//	Text                 Str: the text, free of NUL, valid UTF-8
//	Integer              Int
//	Numeric, Duration    Str: plain decimal, "-12.5": no exponent, no plus sign, no needless zeros, never "-0"
//	Float                Float: finite, never negative zero
//	Boolean              Bool
//	Timestamptz          Time: the instant, in UTC, whole microseconds
//	Timestamp            Time: the wall-clock time written as if it were UTC, whole microseconds
//	Date                 Time: midnight of the day, written as if it were UTC
//	JSON                 Str: canonical JSON, see CanonicalJSON
//
// It is small, since a process holds a million of them: that it is no NULL is told by the half that its type does not use.
type Value struct {
	num int64  // Int, Bool, Float's bits, or Time's microseconds since the Unix epoch; 1 beside a text
	str string // beside a number: notNull
}

const notNull = "#"

func numValue(n int64) Value { return Value{num: n, str: notNull} }

// StrValue is a Value of Text, Numeric, Duration or JSON. The caller vouches that s is canonical.
func StrValue(s string) Value { return Value{num: 1, str: s} }

// IntValue is a Value of Integer.
func IntValue(i int64) Value { return numValue(i) }

// BoolValue is a Value of Boolean.
func BoolValue(b bool) Value {
	if b {
		return numValue(1)
	}
	return numValue(0)
}

// FloatValue is a Value of Float. Negative zero becomes zero, since SQL holds them equal.
func FloatValue(f float64) Value {
	if f == 0 {
		f = 0
	}
	return numValue(int64(math.Float64bits(f)))
}

// TimeValue is a Value of Timestamptz, Timestamp or Date. What is finer than a microsecond is cut off.
func TimeValue(t time.Time) Value { return numValue(t.UnixMicro()) }

// IsNull reports whether the cell is NULL: an absent key or a JSON null.
func (v Value) IsNull() bool { return v.num == 0 && v.str == "" }

// Text is the value of a cell of the type, for people.
func (v Value) Text(t Type) string {
	switch {
	case v.IsNull():
		return "null"
	case t == Integer:
		return strconv.FormatInt(v.Int(), 10)
	case t == Float:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case t == Boolean:
		return strconv.FormatBool(v.Bool())
	case t == Timestamptz:
		return v.Time().Format(time.RFC3339Nano)
	case t == Timestamp:
		return v.Time().Format("2006-01-02T15:04:05.999999")
	case t == Date:
		return v.Time().Format(time.DateOnly)
	}
	return v.Str()
}

// Foreign is what a warehouse says of a cell that somebody else filled with what is no value of the type; "" where it is one.
func (v Value) Foreign(t Type) string {
	if t.holdsText() || v.str == notNull {
		return ""
	}
	return v.str
}

// Str is the value of a Text, Numeric, Duration or JSON cell.
func (v Value) Str() string { return v.str }

// Int is the value of an Integer cell.
func (v Value) Int() int64 { return v.num }

// Bool is the value of a Boolean cell.
func (v Value) Bool() bool { return v.num != 0 }

// Float is the value of a Float cell.
func (v Value) Float() float64 { return math.Float64frombits(uint64(v.num)) }

// Time is the value of a Timestamptz, Timestamp or Date cell, in UTC.
func (v Value) Time() time.Time { return time.UnixMicro(v.num).UTC() }

// Micros is Time in microseconds since the Unix epoch.
func (v Value) Micros() int64 { return v.num }
