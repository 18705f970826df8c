package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
)

// mapOne maps the value as the only field of a row.
func mapOne(t testing.TB, typ schema.Type, zone, value string) (schema.Row, error) {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	mapper := compile(t, schema.Mapping{Table: "t", Location: location, Fields: []schema.Field{{ID: "id", Name: "field", Type: typ}}})
	return mapper.Map(`{"id":` + value + `}`)
}

// printed is a value as a test writes it.
func printed(typ schema.Type, v schema.Value) string {
	switch {
	case v.IsNull():
		return "NULL"
	case typ == schema.Integer:
		return fmt.Sprint(v.Int())
	case typ == schema.Float:
		return fmt.Sprint(v.Float())
	case typ == schema.Boolean:
		return fmt.Sprint(v.Bool())
	case typ == schema.Timestamptz || typ == schema.Timestamp || typ == schema.Date:
		return v.Time().Format("2006-01-02 15:04:05.999999")
	default:
		return v.Str()
	}
}

func TestValuesConvertExactly(t *testing.T) {
	thousand := strings.Repeat("7", 1000)
	cases := []struct {
		typ         schema.Type
		value, want string
	}{
		{schema.Text, `null`, `NULL`},
		{schema.Text, `""`, ``},
		{schema.Text, `" a\tb "`, " a\tb "},
		{schema.Text, `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀"`, "\"\\/\b\f\n\r\té😀é😀"},
		{schema.Text, `1.50`, `1.50`},
		{schema.Text, `-0`, `-0`},
		{schema.Text, `1E400`, `1E400`},
		{schema.Text, `true`, `true`},
		{schema.Text, `{ "b" : [ 1.0 , "x y\" z" ] , "a":null }`, `{"b":[1.0,"x y\" z"],"a":null}`},
		{schema.Text, `[]`, `[]`},

		{schema.Integer, `null`, `NULL`},
		{schema.Integer, `31`, `31`},
		{schema.Integer, `31.0`, `31`},
		{schema.Integer, `3.1e1`, `31`},
		{schema.Integer, `"31"`, `31`},
		{schema.Integer, `"\u0033\u0031"`, `31`},
		{schema.Integer, `310E-1`, `31`},
		{schema.Integer, `-0`, `0`},
		{schema.Integer, `0e999999999999999999999`, `0`},
		{schema.Integer, `9007199254740993`, `9007199254740993`},
		{schema.Integer, `9223372036854775807`, `9223372036854775807`},
		{schema.Integer, `-9223372036854775808`, `-9223372036854775808`},
		{schema.Integer, `-9.223372036854775808e18`, `-9223372036854775808`},

		{schema.Numeric, `0.1`, `0.1`},
		{schema.Numeric, `-12.50`, `-12.5`},
		{schema.Numeric, `"10.00"`, `10`},
		{schema.Numeric, `-0.00`, `0`},
		{schema.Numeric, `1e3`, `1000`},
		{schema.Numeric, `1.25E-3`, `0.00125`},
		{schema.Numeric, `-123.456e1`, `-1234.56`},
		{schema.Numeric, `0.0012300e4`, `12.3`},
		{schema.Numeric, `0.000e99`, `0`},
		{schema.Numeric, `1e999`, `1` + strings.Repeat("0", 999)},
		{schema.Numeric, `1e-1000`, `0.` + strings.Repeat("0", 999) + `1`},
		{schema.Numeric, thousand + "." + thousand, thousand + "." + thousand},
		{schema.Numeric, `-` + thousand, `-` + thousand},
		{schema.Numeric, thousand + `000e-3`, thousand},
		{schema.Numeric, `0.1` + strings.Repeat("0", 2000), `0.1`},

		{schema.Float, `0.1`, `0.1`},
		{schema.Float, `"1e308"`, `1e+308`},
		{schema.Float, `-0.0`, `0`},
		{schema.Float, `1e-999`, `0`},
		{schema.Float, `9007199254740993`, `9.007199254740992e+15`},

		{schema.Boolean, `true`, `true`},
		{schema.Boolean, `false`, `false`},
		{schema.Boolean, `"true"`, `true`},
		{schema.Boolean, `"false"`, `false`},
		{schema.Boolean, `null`, `NULL`},

		{schema.Timestamptz, `"2023-07-04T22:39:23.260Z"`, `2023-07-04 22:39:23.26`},
		{schema.Timestamptz, `"2023-07-04T22:39:23Z"`, `2023-07-04 22:39:23`},
		{schema.Timestamptz, `"2023-07-04t22:39:23z"`, `2023-07-04 22:39:23`},
		{schema.Timestamptz, `"2023-07-04 22:39:23+05:30"`, `2023-07-04 17:09:23`},
		{schema.Timestamptz, `"2023-07-04T22:39:23.1-0800"`, `2023-07-05 06:39:23.1`},
		{schema.Timestamptz, `"2023-07-04T22:39:23.123456000Z"`, `2023-07-04 22:39:23.123456`},
		{schema.Timestamptz, `"2023-07-04T22:39:23.000001Z"`, `2023-07-04 22:39:23.000001`},
		{schema.Timestamptz, `"2024-02-29T00:00:00Z"`, `2024-02-29 00:00:00`},
		{schema.Timestamptz, `"0001-01-01T00:00:00Z"`, `0001-01-01 00:00:00`},
		{schema.Timestamptz, `"9999-12-31T23:59:59.999999Z"`, `9999-12-31 23:59:59.999999`},
		{schema.Timestamptz, `"1969-12-31T23:59:59.5Z"`, `1969-12-31 23:59:59.5`},
		{schema.Timestamptz, `"2023-07-04T22:39:23"`, `2023-07-04 22:39:23`},
		{schema.Timestamptz, `null`, `NULL`},

		{schema.Timestamp, `"2023-07-04T22:39:23.26"`, `2023-07-04 22:39:23.26`},
		{schema.Timestamp, `"2023-07-04 00:00:00"`, `2023-07-04 00:00:00`},

		{schema.Date, `"2023-07-04"`, `2023-07-04 00:00:00`},
		{schema.Date, `"2000-02-29"`, `2000-02-29 00:00:00`},
		{schema.Date, `"2023-07-04T00:00:00"`, `2023-07-04 00:00:00`},
		{schema.Date, `"2023-07-04 00:00:00.000"`, `2023-07-04 00:00:00`},
		{schema.Date, `"0001-01-01"`, `0001-01-01 00:00:00`},

		{schema.Duration, `31`, `31`},
		{schema.Duration, `"31.50"`, `31.5`},
		{schema.Duration, `-1e2`, `-100`},
		{schema.Duration, `"1:02:03"`, `3723`},
		{schema.Duration, `"01:02:03.450"`, `3723.45`},
		{schema.Duration, `"-0:00:01.5"`, `-1.5`},
		{schema.Duration, `"-0:00:00"`, `0`},
		{schema.Duration, `"999999999:59:59"`, `3599999999999`},

		{schema.JSON, `null`, `NULL`},
		{schema.JSON, `"null"`, `"null"`},
		{schema.JSON, `1.0`, `1`},
		{schema.JSON, `{"b":1e3, "a":[true,{"d":1,"c":2}]}`, `{"a":[true,{"c":2,"d":1}],"b":1000}`},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s %.60s", c.typ, c.value), func(t *testing.T) {
			row, err := mapOne(t, c.typ, "UTC", c.value)
			if err != nil {
				t.Fatal(err)
			}
			if got := printed(c.typ, row.Values[0]); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if row.Replaced != 0 || !row.Extra.IsNull() {
				t.Errorf("got %d replaced, extra %s", row.Replaced, row.Extra.Str())
			}
		})
	}
}

func TestValuesThatDoNotFitRejectTheRow(t *testing.T) {
	digits := strings.Repeat("7", 1001)
	wrong := map[schema.Type]map[string]string{ // value: part of the reason
		schema.Text: {"\"\xff\"": "not valid UTF-8", "[\"\xff\"]": "not valid UTF-8", "\"\xed\xa0\x80\"": "not valid UTF-8"},
		schema.Integer: {
			`31.5`: `31.5 is not an integer`, `"31.5"`: `"31.5" is not an integer`, `""`: `"" is not an integer`,
			`" 31"`: `not an integer`, `"31 "`: `not an integer`, `"+31"`: `not an integer`, `"031"`: `not an integer`,
			`"0x1f"`: `not an integer`, `"1_000"`: `not an integer`, `true`: `not an integer`, `[31]`: `[31] is not an integer`, `{}`: `not an integer`,
			`9223372036854775808`: `64 bits`, `-9223372036854775809`: `64 bits`, `1e400`: `64 bits`, `1e99999999999999999999`: `64 bits`,
			`1e-1`: `not an integer`,
		},
		schema.Numeric: {
			`""`: `"" is not a number`, `"1,5"`: `not a number`, `"NaN"`: `not a number`, `"Infinity"`: `not a number`, `false`: `not a number`,
			`".5"`: `not a number`, `"5."`: `not a number`, digits: `more than 1,000 digits`, `0.` + digits: `more than 1,000 digits`,
			`1e1000`: `more than 1,000 digits`, `1e-1001`: `more than 1,000 digits`, `1e-99999999999999999999`: `more than 1,000 digits`,
		},
		schema.Float:   {`1e309`: `too large`, `"-1e309"`: `too large`, `"NaN"`: `not a number`, `"inf"`: `not a number`, `"0x1p3"`: `not a number`, `""`: `not a number`},
		schema.Boolean: {`1`: `not true or false`, `"True"`: `not true or false`, `"t"`: `not true or false`, `""`: `not true or false`, `[]`: `not true or false`},
		schema.Timestamptz: {
			`""`: `not a time`, `1688510363`: `1688510363 is not sent as text`, `true`: `not sent as text`, `{}`: `not sent as text`,
			`"2023-07-04"`: `not a time`, `"2023-07-04T22:39Z"`: `not a time`, `"2023-07-04T22:39:23.Z"`: `not a time`,
			`"2023-02-29T00:00:00Z"`: `not a time`, `"2023-04-31T00:00:00Z"`: `not a time`, `"2023-13-01T00:00:00Z"`: `not a time`,
			`"2023-00-01T00:00:00Z"`: `not a time`, `"2023-01-00T00:00:00Z"`: `not a time`, `"2023-01-32T00:00:00Z"`: `not a time`,
			`"2023-01-01T24:00:00Z"`: `not a time`, `"2023-01-01T00:60:00Z"`: `not a time`, `"2023-01-01T00:00:61Z"`: `not a time`,
			`"2016-12-31T23:59:60Z"`: `leap second`, `"2023-01-01T00:00:00.0000001Z"`: `finer than a microsecond`,
			`"2023-01-01T00:00:00.0000000000Z"`: `not a time`, `"2023-01-01T00:00:00,5Z"`: `not a time`,
			`"2023-01-01T00:00:00+5:30"`: `not a time`, `"2023-01-01T00:00:00+24:00"`: `not a time`, `"2023-01-01T00:00:00+05:60"`: `not a time`,
			`"2023-01-01T00:00:00+05"`: `not a time`, `"2023-01-01T00:00:00 +0530"`: `not a time`, `"2023-01-01T00:00:00ZZ"`: `not a time`,
			`"2023-01-01T00:00:00*0530"`: `not a time`, `"2023-01-01T00:00:00+05x30"`: `not a time`,
			`" 2023-01-01T00:00:00Z"`: `not a time`, `"2023-01-01x00:00:00Z"`: `not a time`, `"2023-01-01T00:0a:00Z"`: `not a time`,
			`"0000-12-31T00:00:00Z"`: `not a time`, `"0001-01-01T00:00:00+01:00"`: `years 1 to 9999`, `"9999-12-31T23:59:59-01:00"`: `years 1 to 9999`,
		},
		schema.Timestamp: {`"2023-07-04T22:39:23Z"`: `has an offset`, `"2023-07-04T22:39:23+00:00"`: `has an offset`, `"2023-07-04"`: `not a time`, `0`: `not sent as text`},
		schema.Date: {
			`"2023-02-30"`: `not a day`, `"2023-7-4"`: `not a day`, `"2023-07-04T00:00:01"`: `not the midnight`, `"2023-07-04T00:00:00Z"`: `has an offset`,
			`"20230704xx"`: `not a day`, `""`: `not a day`, `20230704`: `not sent as text`, `"1969-12-31T23:59:59.999999"`: `not the midnight`,
		},
		schema.Duration: {
			`""`: `not a duration`, `"02:03"`: `not a duration`, `"1:60:00"`: `not a duration`, `"1:00:60"`: `not a duration`, `"1:0:00"`: `not a duration`,
			`"+1:00:00"`: `not a duration`, `"1:00:00."`: `not a duration`, `"1:00:00e5"`: `not a duration`, `"1:00:00.5e3"`: `not a duration`,
			`"1000000000:00:00"`: `not a duration`, `"--1:00:00"`: `not a duration`, `":00:00"`: `not a duration`, `true`: `not a duration`,
			`"PT1H"`: `not a duration`, `1e1000`: `more than 1,000 digits`, `"0:00:00.` + digits + `"`: `more than 1,000 digits`,
		},
		schema.JSON: {digits: `more than 1,000 digits`, `[{"a":1e1000}]`: `more than 1,000 digits`, "{\"\xff\":1}": "not valid UTF-8"},
	}
	for typ, values := range wrong {
		for value, reason := range values {
			t.Run(fmt.Sprintf("%s %.60q", typ, value), func(t *testing.T) {
				row, err := mapOne(t, typ, "UTC", value)
				var reject *schema.RejectError
				if !errors.As(err, &reject) {
					t.Fatalf("got %v and error %v, want a RejectError", row, err)
				}
				if reject.Field != "field" || reject.ID != "id" || !strings.Contains(reject.Reason, reason) {
					t.Errorf("got %+v, want the reason %q", reject, reason)
				}
			})
		}
	}
}

func TestTimesWithoutOffsetAreInTheLocation(t *testing.T) {
	for _, c := range []struct{ zone, value, want string }{
		{"Asia/Kolkata", "2023-07-04T22:39:23", "2023-07-04 17:09:23"},
		{"Asia/Kolkata", "2023-07-04T22:39:23Z", "2023-07-04 22:39:23"},
		{"Europe/Berlin", "2023-03-26T01:59:59.999999", "2023-03-26 00:59:59.999999"},
		{"Europe/Berlin", "2023-03-26T03:00:00", "2023-03-26 01:00:00"},
		{"Europe/Berlin", "2023-10-29T01:59:59", "2023-10-28 23:59:59"},
		{"Europe/Berlin", "2023-10-29T02:00:00", "2023-10-29 00:00:00"}, // the first of two
		{"Europe/Berlin", "2023-10-29T02:59:59", "2023-10-29 00:59:59"}, // the first of two
		{"Europe/Berlin", "2023-10-29T03:00:00", "2023-10-29 02:00:00"},
		{"America/New_York", "2023-11-05T01:30:00", "2023-11-05 05:30:00"}, // the first of two
		{"Europe/Moscow", "2014-10-26T01:30:00", "2014-10-25 21:30:00"},    // the first of two, and the last change
		{"Australia/Lord_Howe", "2023-04-02T01:45:00", "2023-04-01 14:45:00"},
		{"Pacific/Apia", "2011-12-29T23:59:59", "2011-12-30 09:59:59"},
		{"Pacific/Apia", "2011-12-31T00:00:00", "2011-12-30 10:00:00"},
		{"Europe/Berlin", "1850-01-01T00:00:00", "1849-12-31 23:06:32"}, // local mean time
		{"Europe/Berlin", "2099-07-01T12:00:00", "2099-07-01 10:00:00"},
	} {
		row, err := mapOne(t, schema.Timestamptz, c.zone, `"`+c.value+`"`)
		if err != nil {
			t.Errorf("%s %s: %v", c.zone, c.value, err)
		} else if got := printed(schema.Timestamptz, row.Values[0]); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.zone, c.value, got, c.want)
		}
	}
	for _, c := range []struct{ zone, value string }{
		{"Europe/Berlin", "2023-03-26T02:00:00"},
		{"Europe/Berlin", "2023-03-26T02:59:59.999999"},
		{"Pacific/Apia", "2011-12-30T12:00:00"}, // a whole day that was left out
		{"Australia/Lord_Howe", "2023-10-01T02:15:00"},
		{"Asia/Kolkata", "0001-01-01T00:00:00"}, // the year 0 in UTC
	} {
		_, err := mapOne(t, schema.Timestamptz, c.zone, `"`+c.value+`"`)
		var reject *schema.RejectError
		if !errors.As(err, &reject) {
			t.Errorf("%s %s: got error %v, want a RejectError", c.zone, c.value, err)
		}
	}
}
