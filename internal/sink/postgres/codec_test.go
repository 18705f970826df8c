package postgres

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"samespace-exporter/internal/schema"
)

// That Postgres reads these bytes as we do is shown by the contract suite.
func TestDecimalsComeBackFromTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		decimal := rapid.StringMatching(`-?([1-9][0-9]{0,30}|0)(\.[0-9]{0,30}[1-9])?`).
			Filter(func(s string) bool { return s != "-0" }).Draw(t, "decimal")
		back, err := appendDecimal(nil, appendNumeric(nil, decimal))
		if err != nil || string(back) != decimal {
			t.Fatalf("%s comes back as %s, %v", decimal, back, err)
		}
	})
}

func TestValuesComeBackFromTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]schema.Type{
			schema.Text, schema.Integer, schema.Float, schema.Boolean, schema.Timestamptz, schema.Timestamp, schema.JSON,
		}).Draw(t, "type")
		var v schema.Value
		switch typ {
		case schema.Text:
			v = schema.StrValue(rapid.String().Draw(t, "text"))
		case schema.Float:
			v = schema.FloatValue(rapid.Float64().Draw(t, "float"))
		case schema.Boolean:
			v = schema.BoolValue(rapid.Bool().Draw(t, "boolean"))
		case schema.JSON:
			v = schema.StrValue(`{"a":[1.5,"b"]}`)
		default:
			v = schema.IntValue(rapid.Int64Range(-1<<60, 1<<60).Draw(t, "number")) // of microseconds, for times
		}
		raw := appendValue([]byte{}, typ, v)
		if back, err := decodeValue(typ, raw); err != nil || back != v {
			t.Fatalf("%v comes back as %v, %v", v, back, err)
		}
		if is, err := same(typ, raw, v); err != nil || !is {
			t.Fatalf("%v is not the same as itself: %v", v, err)
		}
		if is, _ := same(typ, nil, v); is {
			t.Fatalf("%v is the same as NULL", v)
		}
	})
}

func TestDecimalsOfOthersAreMadeCanonical(t *testing.T) {
	for want, raw := range map[string]string{
		"1.5":          "\x00\x02\x00\x00\x00\x00\x00\x04\x00\x01\x13\x88", // 1.5000
		"0":            "\x00\x00\x00\x00\x00\x00\x00\x02",                 // 0.00
		"10000":        "\x00\x01\x00\x01\x00\x00\x00\x00\x00\x01",
		"-0.00000001":  "\x00\x01\xff\xfe\x40\x00\x00\x08\x00\x01",
		"not a number": "\x00\x00\x00\x00\xc0\x00\x00\x00",
	} {
		if text, err := appendDecimal(nil, []byte(raw)); err != nil || string(text) != want {
			t.Errorf("got %s, %v; want %s", text, err, want)
		}
	}
}

func FuzzDecodeValue(f *testing.F) {
	f.Add(byte(schema.Numeric), "\x00\x02\x00\x00\x00\x00\x00\x04\x00\x01\x13\x88")
	f.Add(byte(schema.JSON), "\x01{}")
	f.Add(byte(schema.Integer), strings.Repeat("\x00", 8))
	f.Fuzz(func(_ *testing.T, typ byte, raw string) {
		t := schema.Type(typ%byte(schema.JSON) + 1)
		_, _ = decodeValue(t, []byte(raw)) // must not panic
	})
}
