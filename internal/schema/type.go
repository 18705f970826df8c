package schema

import "fmt"

// Type is the type of a field in the warehouse. The zero Type is none of them.
type Type uint8

// The types that a mapping can give a field.
const (
	Text        Type = iota + 1 // any JSON value; numbers as written, objects and arrays as JSON
	Integer                     // 64 bit, signed
	Numeric                     // exact decimal
	Float                       // IEEE 754 double
	Boolean                     //
	Timestamptz                 // an instant, microseconds
	Timestamp                   // a wall-clock time without a zone, microseconds
	Date                        // a calendar day
	Duration                    // seconds, exact decimal
	JSON                        // any JSON value
)

var typeNames = [...]string{
	Text: "text", Integer: "integer", Numeric: "numeric", Float: "float", Boolean: "boolean",
	Timestamptz: "timestamptz", Timestamp: "timestamp", Date: "date", Duration: "duration", JSON: "json",
}

// Types are all types by the names that a mapping uses, in the order of the documentation.
func Types() []string { return typeNames[Text:] }

// ParseType is the type that a mapping names.
func ParseType(name string) (Type, error) {
	for t := Text; t <= JSON; t++ {
		if typeNames[t] == name {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%q is not a type; the types are %v", name, Types())
}

// String is the name that a mapping uses for the type.
func (t Type) String() string {
	if t < Text || t > JSON {
		return fmt.Sprintf("type(%d)", uint8(t))
	}
	return typeNames[t]
}

// IsNumber reports whether the type's values are numbers.
func (t Type) IsNumber() bool { return t == Integer || t == Numeric || t == Float || t == Duration }

// IsTime reports whether the type's values are times, or days.
func (t Type) IsTime() bool { return t == Timestamptz || t == Timestamp || t == Date }

// holdsText reports whether the type's values are texts.
func (t Type) holdsText() bool { return t == Text || t == Numeric || t == Duration || t == JSON }

// MarshalText is the name that a mapping uses for the type.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
