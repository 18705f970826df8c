package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"samespace-exporter/internal/schema"
)

func FuzzMap(f *testing.F) {
	for _, seed := range []string{
		sampleRow(f), `{"a":"2023-07-04T22:39:23.260Z","b":31.0,"x":{"z":[1e2,null],"y":"\ud83d\ude00\u0000"}}`, `{"a":"1:02:03.5"}`,
		`{"a":"2023-07-04"}`, `{"a":-1.5e-3,"b":"\ud800"}`, `{"a":true,"a":false}`, `{"a":[ {"q":"\\\""} , [] ] }`, "{\"a\":\"\xff\"}",
		`{`, `null`, `[1,2]`, `{"a":1}}`, `{"\u0061":"\t"}`, `{"a":"9223372036854775808"}`,
	} {
		f.Add(seed)
	}
	asText := compile(f, schema.Mapping{Table: "t", Fields: []schema.Field{
		{ID: "a", Name: "a", Type: schema.Text}, {ID: "b", Name: "b", Type: schema.Text}}})
	ignoring := compile(f, schema.Mapping{Table: "t", Unmapped: schema.Ignore})
	var typed []*schema.Mapper
	for t := schema.Text; t <= schema.JSON; t++ {
		typed = append(typed, compile(f, schema.Mapping{Table: "t", Fields: []schema.Field{{ID: "a", Name: "a", Type: t}}}))
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, mapper := range typed {
			if _, err := mapper.Map(raw); err != nil {
				var reject *schema.RejectError
				if !errors.As(err, &reject) || !utf8.ValidString(reject.Reason) {
					t.Errorf("got %q, want a RejectError of valid UTF-8", err)
				}
			}
		}
		_, err := ignoring.Map(raw)
		shallow := strings.Count(raw, "[")+strings.Count(raw, "{") < 500
		object := json.Valid([]byte(raw)) && strings.HasPrefix(strings.TrimLeft(raw, " \t\r\n"), "{")
		if utf8.ValidString(raw) && shallow && object != (err == nil) {
			t.Errorf("encoding/json takes it as an object: %v, but Map gave %v", object, err)
		}
		if row, err := asText.Map(raw); err == nil {
			checkAgainstEncodingJSON(t, raw, row)
		}
	})
}

// FuzzMapInto maps two rows into a chunk, which looks for what the first one had in the second: both are as they are alone.
func FuzzMapInto(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":"x","b":"y"}`, `{"a":"x","b":"y","c":1}`}, {`{"a":"x\\"}`, `{"a":"x\\"}`}, {`{"a":"x"}`, `{"a":"x\""}`}, {`{"a":"x\\"}`, `{"a":"x\"y"}`}, {`{"a":"x"}`, `{"a":"\u0078"}`},
		{`{"a":"x"}`, `{"a":"xy"}`}, {`{"a":""}`, `{"a":"" , "a":""}`}, {`{"a":"x"}`, `{"b":"x"}`}, {`{"a":"1","b":"1"}`, `{"a":1,"b":"1"}`}, {`{"a":" X"}`, `{"a":"x"`},
		{`{"d":"2023-07-04T22:39:23Z","e":"2023-07-04T22:39:23Z"}`, `{ "d" : "2023-07-04T22:39:23Z", "e":"2023-07-04T22:39:23Z" ,"d":1}`},
		{`{"a":"x", "b":1}`, `{"a":"x", "b":1, "a":"x"}`}, {`{"a":1,"a":1}`, `{"a":1,"a":1}`}, {`{"\u0061":"x","z":[1]}`, `{"\u0061":"x","z":[1]}`},
	} {
		f.Add(seed[0], seed[1])
	}
	mapper := compile(f, schema.Mapping{Table: "t", Fields: []schema.Field{
		{ID: "a", Name: "a", Type: schema.Text}, {ID: "b", Name: "b", Type: schema.Numeric}, {ID: "c", Name: "c", Type: schema.Text, Transform: schema.Lower},
		{ID: "d", Name: "d", Type: schema.Timestamptz}, {ID: "e", Name: "e", Type: schema.Timestamptz}}})
	f.Fuzz(func(t *testing.T, first, second string) {
		var chunk schema.Chunk
		for _, raw := range []string{first, second, first, second, second} {
			want, refused := mapper.Map(raw)
			row, err := mapper.MapInto(&chunk, raw)
			if fmt.Sprint(row) != fmt.Sprint(want) || fmt.Sprint(err) != fmt.Sprint(refused) {
				t.Fatalf("%s is %v, error %v; alone %v, error %v", raw, row, err, want, refused)
			}
		}
	})
}

// checkAgainstEncodingJSON holds a row of the text columns a and b against what encoding/json reads.
func checkAgainstEncodingJSON(t *testing.T, raw string, row schema.Row) {
	var read map[string]any
	decoder := json.NewDecoder(strings.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&read); err != nil {
		t.Fatalf("encoding/json: %v", err)
	}
	for i, id := range []string{"a", "b"} {
		got := row.Values[i]
		if !utf8.ValidString(got.Str()) || strings.Contains(got.Str(), "\x00") {
			t.Errorf("%s is not text: %q", id, got.Str())
		}
		switch want := read[id].(type) {
		case nil:
			if !got.IsNull() {
				t.Errorf("%s: got %q, want NULL", id, got.Str())
			}
		case string:
			if want = strings.ReplaceAll(want, "\x00", "\uFFFD"); got.IsNull() || got.Str() != want {
				t.Errorf("%s: got %q, want %q", id, got.Str(), want)
			}
		case json.Number:
			if got.Str() != want.String() {
				t.Errorf("%s: got %q, want %q", id, got.Str(), want)
			}
		default:
			if !json.Valid([]byte(got.Str())) {
				t.Errorf("%s: %q is not JSON", id, got.Str())
			}
		}
		delete(read, id)
	}
	if row.Extra.IsNull() != (len(read) == 0) {
		t.Errorf("got extra %q for %v", row.Extra.Str(), read)
	}
	if !row.Extra.IsNull() {
		if again, err := schema.CanonicalJSON(row.Extra.Str()); err != nil || again != row.Extra.Str() {
			t.Errorf("extra %s became %s, %v", row.Extra.Str(), again, err)
		}
	}
}
