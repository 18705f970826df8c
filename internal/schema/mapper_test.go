package schema_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"samespace-exporter/internal/schema"
)

func TestMapsTheDocumentedRow(t *testing.T) {
	mapper := compile(t, callsMapping())
	row, err := mapper.Map(sampleRow(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"64a4c799e8c16456e7c23a49", "2023-07-04 22:39:23.26", "2023-07-04 22:39:54.224", "in", "6752", "+16932411213", "31", "Web",
	}
	for i, column := range mapper.Table().Columns {
		if got := printed(column.Type, row.Values[i]); got != want[i] {
			t.Errorf("%s: got %s, want %s", column.Name, got, want[i])
		}
	}
	if !row.Extra.IsNull() || row.Replaced != 0 {
		t.Errorf("got extra %q, %d replaced", row.Extra.Str(), row.Replaced)
	}
}

// pair is a mapping of two ids, one of which is the key; a third id is dropped.
func pair(unmapped schema.Unmapped) schema.Mapping {
	return schema.Mapping{
		Table: "t", Key: []string{"one"}, Unmapped: unmapped, Drop: []string{"c"},
		Fields: []schema.Field{{ID: "a", Name: "one", Type: schema.Text}, {ID: "b", Name: "two", Type: schema.Integer}},
	}
}

func TestUnmappedIDs(t *testing.T) {
	const raw = ` { "z" : [ 1.0, null ], "a":"k", "c":{"gone":1}, "\u0065":"\u0000", "b":null, "d":{"y":1,"x":2} } `

	row, err := compile(t, pair(schema.Keep)).Map(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := row.Extra.Str(), `{"d":{"x":2,"y":1},"e":"`+"\uFFFD"+`","z":[1,null]}`; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
	if row.Replaced != 1 {
		t.Errorf("got %d replaced, want 1", row.Replaced)
	}
	if again, err := schema.CanonicalJSON(row.Extra.Str()); err != nil || again != row.Extra.Str() {
		t.Errorf("the extra's canonical form is %s, %v", again, err)
	}

	row, err = compile(t, pair(schema.Ignore)).Map(raw)
	if err != nil || !row.Extra.IsNull() {
		t.Errorf("ignored: got extra %q, error %v", row.Extra.Str(), err)
	}

	_, err = compile(t, pair(schema.Fail)).Map(raw)
	var unmapped *schema.UnmappedError
	if !errors.As(err, &unmapped) || !slices.Equal(unmapped.IDs, []string{"d", "e", "z"}) {
		t.Errorf("failing: got %v", err)
	}
	if row, err := compile(t, pair(schema.Fail)).Map(`{"a":"k","c":1}`); err != nil || row.Values[0].Str() != "k" {
		t.Errorf("failing, without unknown ids: got %v, %v", row, err)
	}
}

// TestExtraKeepsNothingOfTheRowBefore: the memory of one row's extra serves the next one's.
func TestExtraKeepsNothingOfTheRowBefore(t *testing.T) {
	mapper := compile(t, pair(schema.Keep))
	var rows sync.WaitGroup
	for worker := range 4 {
		rows.Go(func() {
			for i := range 200 {
				want := fmt.Sprintf(`{"x":%d,"y":%d}`, worker, i)
				if i%3 == 0 { // a row that fails half-way
					if _, err := mapper.Map(`{"a":"k","q":"\u0000","r":1e9999}`); err == nil {
						t.Error("took a number that is too long")
					}
				}
				if row, err := mapper.Map(`{"a":"k","p":"\u0000"}`); err != nil || row.Replaced != 1 {
					t.Errorf("got %d replaced, %v, want 1", row.Replaced, err)
				}
				row, err := mapper.Map(fmt.Sprintf(`{"y":%d,"a":"k","x":%d}`, i, worker))
				if err != nil || row.Extra.Str() != want || row.Replaced != 0 {
					t.Errorf("got %s, %v, want %s", row.Extra.Str(), err, want)
				}
			}
		})
	}
	rows.Wait()
}

func TestRowsThatDoNotFit(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct{ raw, field, id, reason string }{
		{`{"a":"k","b":"31.5"}`, "two", "b", `"31.5" is not an integer`},
		{`{"b":1}`, "one", "a", "is missing or null, and is a field of the key"},
		{`{"a":null,"b":1}`, "one", "a", "is missing or null, and is a field of the key"},
		{`{"a":"` + strings.Repeat("é", 501) + `"}`, "one", "a", "has 1002 bytes, and is a field of the key, which may have 1000"},
		{`{"a":"k","b":1,"b":1}`, "two", "b", "the row has this id twice"},
		{`{"a":"k","b":null,"\u0062":null}`, "two", "b", "the row has this id twice"},
		{`{"a":"k","c":1,"c":2}`, "c", "c", "the row has this id twice"},
		{`{"a":"k","x":1,"y":2,"x":1}`, "x", "x", "the row has this id twice"},
		{`{"a":"k","x\u0000":1,"x` + "\uFFFD" + `":1}`, "x\uFFFD", "x\uFFFD", "the row has this id twice"},
		{`{"a":"k","x":1e1000}`, "x", "x", "1e1000 needs more than 1,000 digits on a side of the decimal point"},
		{"{\"a\":\"k\",\"x\":\"\xff\"}", "x", "x", "\"\uFFFD\" is not valid UTF-8"},
		{"{\"a\":\"k\",\"\xff\":1}", "", "", "an id is not valid UTF-8"},
		{`{"a":"k","b":` + deep(500) + `}`, "", "", "arrays and objects are nested deeper than 500"},
		{`null`, "", "", "is null, not an object"},
		{`[{}]`, "", "", "is an array, not an object"},
		{`"secret"`, "", "", "is a string, not an object"},
		{`-1`, "", "", "is a number, not an object"},
		{` false`, "", "", "is a boolean, not an object"},
		{``, "", "", "not valid JSON at byte 0: a value is missing"},
		{"\x00{}", "", "", "not valid JSON at byte 0: a value is missing"},
		{`{`, "", "", "not valid JSON at byte 1: an object has no end"},
		{`{"a":"k"`, "", "", "not valid JSON at byte 8: an object has no end"},
		{`{"a":"k"}}`, "", "", "not valid JSON at byte 9: something follows the value"},
		{`{"a":"k",}`, "", "", "not valid JSON at byte 9: a name is missing in an object"},
		{`{"a" "k"}`, "", "", "not valid JSON at byte 5: a colon is missing in an object"},
		{`{"a":"k" "b":1}`, "", "", "not valid JSON at byte 9: a comma is missing in an object"},
		{`{a:1}`, "", "", "not valid JSON at byte 1: a name is missing in an object"},
		{`{"a":}`, "", "", "not valid JSON at byte 5: a value is missing"},
		{`{"a":"k`, "", "", "not valid JSON at byte 7: a string has no end"},
		{`{"a":"k\`, "", "", "not valid JSON at byte 7: an escape in a string is unknown"},
		{`{"a":"k\"`, "", "", "not valid JSON at byte 9: a string has no end"},
		{`{"a":"\x41"}`, "", "", "not valid JSON at byte 6: an escape in a string is unknown"},
		{`{"a":"\u00g0"}`, "", "", "not valid JSON at byte 6: an escape in a string is unknown"},
		{`{"a":"\u00`, "", "", "not valid JSON at byte 6: an escape in a string is unknown"},
		{"{\"a\":\"k\n\"}", "", "", "not valid JSON at byte 7: a control character stands in a string"},
		{`{"a":tru}`, "", "", "not valid JSON at byte 5: a value is missing"},
		{`{"a":[1,]}`, "", "", "not valid JSON at byte 8: a value is missing"},
		{`{"a":[1 2]}`, "", "", "not valid JSON at byte 8: a comma is missing in an array"},
		{`{"a":[1}`, "", "", "not valid JSON at byte 7: a comma is missing in an array"},
		{`{"a":-}`, "", "", "not valid JSON at byte 5: a number is cut short"},
		{`{"a":1.}`, "", "", "not valid JSON at byte 5: a number is cut short"},
		{`{"a":1e+}`, "", "", "not valid JSON at byte 5: a number is cut short"},
		{`{"a":01}`, "", "", "not valid JSON at byte 6: a comma is missing in an object"},
	} {
		_, err := compile(t, pair(schema.Keep)).Map(c.raw)
		var reject *schema.RejectError
		if !errors.As(err, &reject) {
			t.Errorf("%.60q: got error %v, want a RejectError", c.raw, err)
			continue
		}
		if want := (schema.RejectError{Field: c.field, ID: c.id, Reason: c.reason}); *reject != want {
			t.Errorf("%.60q: got %+v, want %+v", c.raw, *reject, want)
		}
	}
}

// An index entry must hold all of a key.
func TestKeysOfManyTexts(t *testing.T) {
	m := pair(schema.Keep)
	m.Fields = append(m.Fields, schema.Field{ID: "d", Name: "d", Type: schema.Text}, schema.Field{ID: "n", Name: "n", Type: schema.Numeric})
	m.Key = append(m.Key, "d", "n")
	for digits, fits := range map[int]bool{200: true, 201: false} {
		_, err := compile(t, m).Map(fmt.Sprintf(`{"a":%q,"d":%q,"n":%s}`, strings.Repeat("x", 1000), strings.Repeat("y", 800), strings.Repeat("9", digits)))
		var reject *schema.RejectError
		if fits != (err == nil) || !fits && !errors.As(err, &reject) {
			t.Errorf("a key of %d bytes: %v", 1800+digits, err)
		}
	}
}

func TestRowsThatNeedATime(t *testing.T) {
	m := pair(schema.Keep)
	m.Fields = append(m.Fields, schema.Field{ID: "e", Name: "day", Type: schema.Date})
	m.Key, m.TimeField, m.Timed = nil, "day", true
	for raw, want := range map[string]string{
		`{"a":"k","e":"2024-02-29"}`: "",
		`{"a":"k","e":null}`:         "day: is missing or null, and tells which window an appended row is of",
		`{"a":"k"}`:                  "day: is missing or null, and tells which window an appended row is of",
	} {
		if _, err := compile(t, m).Map(raw); fmt.Sprint(err) != cmp.Or(want, "<nil>") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestRowsThatJustFit(t *testing.T) {
	for name, raw := range map[string]string{
		"a value nested 499 deep in the row": `{"a":"k","x":` + strings.Repeat("[", 499) + strings.Repeat("]", 499) + `}`,
		"a key of 1,000 bytes":               `{"a":"` + strings.Repeat("é", 500) + `"}`,
		"a dropped value that is no UTF-8":   "{\"a\":\"k\",\"c\":\"\xff\"}",
		"an empty key":                       `{"a":""}`,
	} {
		row, err := compile(t, pair(schema.Keep)).Map(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !row.Extra.IsNull() {
			if _, err := schema.CanonicalJSON(row.Extra.Str()); err != nil {
				t.Errorf("%s: read back: %v", name, err)
			}
		}
	}
}

func TestCharactersThatTextCannotHoldAreReplacedAndCounted(t *testing.T) {
	m := pair(schema.Keep)
	m.Fields = append(m.Fields, schema.Field{ID: "j", Name: "json", Type: schema.JSON})
	row, err := compile(t, m).Map(`{"a":"x\u0000y\ud800z\udc00\ud800\u0041\ud83d\ude00","j":{"\u0000":"\udbff"},"e":["\u0000"]}`)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]string{0: "x\uFFFDy\uFFFDz\uFFFD\uFFFDA😀", 2: "{\"\uFFFD\":\"\uFFFD\"}"} {
		if got := row.Values[i].Str(); got != want || !utf8.ValidString(got) {
			t.Errorf("value %d: got %q, want %q", i, got, want)
		}
	}
	if row.Replaced != 4+2+1 {
		t.Errorf("got %d replaced, want 7", row.Replaced)
	}
}

func TestTransforms(t *testing.T) {
	for _, c := range []struct {
		transform   schema.Transform
		value, want string
	}{
		{schema.Lower, `"Ärger IN"`, "ärger in"},
		{schema.Trim, `" \t x y\n "`, "x y"},
		{schema.Last4, `"+14077016752"`, "6752"},
		{schema.Last4, `14077016752`, "6752"},
		{schema.Last4, `"aéïöü"`, "éïöü"},
		{schema.Last4, `"é1"`, "é1"},
		{schema.Last4, `""`, ""},
		// The test vector of RFC 4231, case 2.
		{schema.HMAC, `"what do ya want for nothing?"`, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{schema.HMAC, `null`, "NULL"},
	} {
		mapper := compile(t, schema.Mapping{Table: "t", TransformKey: []byte("Jefe"),
			Fields: []schema.Field{{ID: "a", Name: "a", Type: schema.Text, Transform: c.transform}}})
		row, err := mapper.Map(`{"a":` + c.value + `}`)
		if err != nil {
			t.Errorf("%s %s: %v", c.transform, c.value, err)
		} else if got := printed(schema.Text, row.Values[0]); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.transform, c.value, got, c.want)
		}
	}
}

func TestReasonsShowLittleOfAValueAndNothingOfATransformedOne(t *testing.T) {
	m := pair(schema.Keep)
	m.Fields[0].Transform = schema.Lower
	mapper := compile(t, m)
	secret := strings.Repeat("s3cret", 200)
	for _, raw := range []string{
		`{"a":"` + secret + "\xff" + `"}`, `{"a":"` + secret + `"}`, `{"a":"` + secret + `","a":1}`, `{"a":"` + secret, `{"a":"` + secret + `\x"}`, `["` + secret + `"]`,
	} {
		if _, err := mapper.Map(raw); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%.30q: got error %v", raw, err)
		}
	}
	_, err := mapper.Map(`{"a":"k","b":"` + strings.Repeat("é", 100) + `"}`)
	if want := `two: "` + strings.Repeat("é", 39) + `… is not an integer`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestMapsMoreIDsThanAreUsual(t *testing.T) {
	m := schema.Mapping{Table: "t"}
	var raw []string
	for i := range 300 {
		m.Fields = append(m.Fields, schema.Field{ID: fmt.Sprint("id", i), Name: fmt.Sprint("n", i), Type: schema.Integer})
		raw = append(raw, fmt.Sprintf(`"id%d":%d`, i, i))
	}
	mapper := compile(t, m)
	row, err := mapper.Map("{" + strings.Join(raw, ",") + "}")
	if err != nil || row.Values[299].Int() != 299 {
		t.Fatalf("got %v, %v", row, err)
	}
	for _, again := range []string{"id0", "id255", "id256", "id299"} {
		if _, err := mapper.Map("{" + strings.Join(raw, ",") + `,"` + again + `":1}`); err == nil {
			t.Errorf("took %s twice", again)
		}
	}
}

func TestUnescapedTextIsNotCopied(t *testing.T) {
	mapper := compile(t, callsMapping())
	raw := sampleRow(t)
	if allocs := testing.AllocsPerRun(100, func() { _, _ = mapper.Map(raw) }); allocs > 1 {
		t.Errorf("a row took %v allocations, want only that of its values", allocs)
	}
}

// A row that does not fit may still say which row it is.
func TestKeyOf(t *testing.T) {
	m := compile(t, schema.Mapping{
		Table: "t", Key: []string{"name", "n"}, Fields: []schema.Field{
			{ID: "a", Name: "name", Type: schema.Text, Transform: schema.Lower}, {ID: "b", Name: "n", Type: schema.Integer},
			{ID: "c", Name: "seconds", Type: schema.Integer},
		},
	})
	for raw, want := range map[string]bool{
		`{"a":"X","b":"7","c":"n/a"}`:       true,
		`{"c":{},"zz":[1],"b":7.0,"a":"x"}`: true,
		`{"a":"X","b":7,"c":1,"c":2}`:       true,
		`{"a":"X","b":7.5}`:                 false,
		`{"a":"X"}`:                         false,
		`{"a":null,"b":7}`:                  false,
		`{"a":"X","b":7,"a":"x"}`:           false,
		`["a"]`:                             false,
		`{"a":"X","b":7`:                    false,
		``:                                  false,
	} {
		key, ok := m.KeyOf(raw)
		if ok != want {
			t.Errorf("%s: %t", raw, ok)
		}
		if ok && (key.Values[0] != schema.StrValue("x") || key.Values[1] != schema.IntValue(7) || !key.Values[2].IsNull()) {
			t.Errorf("%s: %+v", raw, key.Values)
		}
	}
	if _, ok := compile(t, schema.Mapping{Table: "t", Fields: []schema.Field{{ID: "a", Name: "name", Type: schema.Text}}}).KeyOf(`{"a":"x"}`); ok {
		t.Error("a row of a table without a key has one")
	}
}

// How a column is made tells apart what makes other values of the same ones.
func TestHowColumnsAreMade(t *testing.T) {
	india, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	made := func(f schema.Field, location *time.Location, secret string) string {
		t.Helper()
		f.ID, f.Name = "a", "a"
		m, err := schema.Compile(schema.Mapping{Table: "t", Location: location, TransformKey: []byte(secret), Fields: []schema.Field{f}})
		if err != nil {
			t.Fatal(err)
		}
		return m.Table().Columns[0].Transform
	}
	text, at := schema.Field{Type: schema.Text}, schema.Field{Type: schema.Timestamptz}
	hashed := schema.Field{Type: schema.Text, Transform: schema.HMAC}
	for _, c := range []struct{ got, want string }{
		{made(text, nil, "x"), "none"},
		{made(text, india, "x"), "none"},
		{made(schema.Field{Type: schema.Text, Transform: schema.Last4}, nil, "x"), "last4"},
		{made(at, nil, ""), "none"},
		{made(at, time.UTC, ""), "none"},
		{made(at, india, ""), "none in Asia/Kolkata"},
		{made(hashed, nil, "x"), made(hashed, india, "x")},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if one, other := made(hashed, nil, "x"), made(hashed, nil, "y"); one == other || strings.Contains(one, "x") {
		t.Errorf("by two secrets: %q, %q", one, other)
	}
}
