package sinktest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func valueTests() []exercise {
	tests := make([]exercise, 0, len(schema.Types()))
	for t := schema.Text; t <= schema.JSON; t++ {
		tests = append(tests, exercise{t.String(), func(b bench) { testValues(b, t) }})
	}
	return append(tests, exercise{"names that need quotes", testQuotedNames})
}

// extremes are the values that get lost most easily, for each type; no two of a type are equal.
func extremes(t schema.Type) []schema.Value {
	var values []schema.Value
	texts := func(s ...string) []schema.Value {
		for _, s := range s {
			values = append(values, schema.StrValue(s))
		}
		return values
	}
	times := func(s ...string) []schema.Value {
		for _, s := range s {
			at, err := time.Parse(time.RFC3339Nano, s)
			if err != nil {
				panic(err)
			}
			values = append(values, schema.TimeValue(at))
		}
		return values
	}
	switch t {
	case schema.Text:
		return texts("", " ", "  padded\t", "007", "7", "1e5", "1.0", "NaN", "true", "null", "a\nb\r\nc", `\x00 \N \. "'`+"`;--$1?",
			"नमस्ते 👋 \u202e\ufffd", "e\u0301", "\u00e9", "2026-03-02", strings.Repeat("long ", 50_000))
	case schema.Integer:
		for _, i := range []int64{0, 1, -1, 1<<53 + 1, -(1<<53 + 1), math.MaxInt64, math.MinInt64} {
			values = append(values, schema.IntValue(i))
		}
		return values
	case schema.Numeric, schema.Duration:
		return texts("0", "1", "-12.5", "0.1", "100", "0.30000000000000004", "0.3", "9007199254740993", "9223372036854775807",
			"9223372036854775808", "-9223372036854775809", "12345678901234567890123456789.123456789", "86400.000001",
			"0.000000000000000000000000000001", "-0.000000000000000000000000000001", "1"+strings.Repeat("0", 40), "1"+strings.Repeat("0", 22))
	case schema.Float:
		for _, f := range []float64{0, 1, -1.5, 0.1, 3, 1e300, 1 << 60, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1.0 / 3, 1<<53 + 2} {
			values = append(values, schema.FloatValue(f))
		}
		return values
	case schema.Boolean:
		return []schema.Value{schema.BoolValue(true), schema.BoolValue(false)}
	case schema.Timestamptz, schema.Timestamp:
		return times("1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00.000001Z",
			"2026-03-29T02:30:00.1Z", "1850-06-01T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")
	case schema.Date:
		return times("1970-01-01T00:00:00Z", "1969-12-31T00:00:00Z", "2024-02-29T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z")
	default:
		return texts(`true`, `0`, `1.5`, `12345678901234567890.5`, `"1"`, `"x \"y\" é 👋"`, `""`, `[]`, `[1,[2,null]]`, `{}`, `{"a":{"b":[]},"c":"d"}`)
	}
}

// testValues commits each extreme of a type and reads it back by SQL; then as it is again, when nothing
// may be written; then each in the place of another, when all must be.
func testValues(b bench, t schema.Type) {
	d := callsDataset()
	d.Table = schema.Table{Name: calls, Key: []string{"id"}, Columns: []schema.Column{
		{Name: "id", Type: schema.Integer, ID: "i"}, {Name: "value", Type: t, ID: "v"},
	}}
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	values := append(extremes(t), schema.Value{})
	store := func(shift int) sink.Counts {
		var rows []sink.Row
		for i := range values {
			value := values[(i+shift)%len(values)]
			rows = append(rows, sink.Row{WindowStart: clock(0, 0), Row: schema.Row{Values: []schema.Value{schema.IntValue(int64(i)), value}}})
		}
		batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0), rows...)
		batch.Table = d.Table
		return b.commit(batch)
	}
	check := func(shift int) {
		cells := b.query(`SELECT value FROM ` + b.Table(calls) + ` ORDER BY id`)
		for i, row := range cells {
			if want := values[(i+shift)%len(values)]; !holds(row[0], t, want) {
				b.t.Errorf("value %d reads %.60q, want %s", i, row[0], show(t, want))
			}
		}
	}
	n := int64(len(values))
	equal(b, "fresh", store(0), sink.Counts{Inserted: n})
	check(0)
	equal(b, "again", store(0), sink.Counts{Unchanged: n})
	equal(b, "each in the place of another", store(1), sink.Counts{Updated: n})
	check(1)
}

// holds tells whether a cell, as SQL shows it, is the value.
func holds(cell string, t schema.Type, v schema.Value) bool {
	if v.IsNull() {
		return cell == "NULL"
	}
	switch t {
	case schema.Integer:
		return cell == strconv.FormatInt(v.Int(), 10)
	case schema.Numeric, schema.Duration:
		got, ok := new(big.Rat).SetString(cell)
		want, _ := new(big.Rat).SetString(v.Str())
		return ok && got.Cmp(want) == 0
	case schema.Float:
		got, err := strconv.ParseFloat(cell, 64)
		return err == nil && got == v.Float()
	case schema.Boolean:
		got, err := strconv.ParseBool(cell)
		return err == nil && got == v.Bool()
	case schema.Timestamptz, schema.Timestamp, schema.Date:
		got, ok := parseTime(cell)
		return ok && got.Equal(v.Time())
	case schema.JSON:
		got, gotErr := decode(cell)
		want, wantErr := decode(v.Str())
		return gotErr == nil && wantErr == nil && reflect.DeepEqual(got, want)
	default:
		return cell == v.Str()
	}
}

func decode(text string) (value any, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

func show(t schema.Type, v schema.Value) string {
	switch {
	case v.IsNull():
		return "NULL"
	case t == schema.Timestamptz || t == schema.Timestamp || t == schema.Date:
		return v.Time().Format(time.RFC3339Nano)
	case t == schema.Float:
		return fmt.Sprint(v.Float())
	case t == schema.Integer || t == schema.Boolean:
		return fmt.Sprint(v.Int())
	}
	return fmt.Sprintf("%.60q", v.Str())
}

func testQuotedNames(b bench) {
	d := callsDataset()
	d.Table = schema.Table{
		Name: `Order "all" of it`, Comment: `what's "in" it`, Key: []string{`select`}, TimeField: "Größe",
		Columns: []schema.Column{
			{Name: `select`, Type: schema.Text, ID: "1", Title: "it's; -- a title"}, {Name: `a "b" c`, Type: schema.Text, ID: "2"},
			{Name: "Größe", Type: schema.Timestamptz, ID: "3"}, {Name: "group", Type: schema.Integer, ID: "4"},
		},
	}
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	for _, want := range []sink.Counts{{Inserted: 1}, {Unchanged: 1}, {Updated: 1}} {
		row := call("a", clock(0, 1), "x", 1)
		row.Values = []schema.Value{schema.StrValue("a"), schema.StrValue("b"), schema.TimeValue(clock(0, 1)), schema.IntValue(want.Updated)}
		batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0), row)
		batch.Table = d.Table
		equal(b, "counts", b.commit(batch), want)
	}
	equal(b, "rows", b.cell(`SELECT "a ""b"" c" FROM `+b.Table(d.Table.Name)+` WHERE "group" = 1`), "b")
}
