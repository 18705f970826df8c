package schema_test

import (
	"testing"

	"samespace-exporter/internal/schema"
)

// Whatever an older mapping kept in _extra becomes what the newer one would have made of the row.
func TestPromotedIsMapped(t *testing.T) {
	older := pair(schema.Keep)
	newer := pair(schema.Keep)
	newer.Fields = append(newer.Fields,
		schema.Field{ID: "z", Name: "all", Type: schema.JSON},
		schema.Field{ID: "e", Name: "day", Type: schema.Date},
		schema.Field{ID: "d", Name: "phone", Type: schema.Text, Transform: schema.Last4})
	from, to := compile(t, older), compile(t, newer)
	columns := []string{"all", "day", "phone"}
	for _, raw := range []string{
		`{"a":"k","b":7}`,
		`{"a":"k","z":[1.0,{"y":1,"x":2}],"f":true}`,
		`{"a":"k","d":"0123456789","e":"2024-02-29","b":null,"z":null}`,
		`{"a":"k","\u0064":"\u0031\u0032\u0033\u0034\u0035","f":{"d":"inner"}}`,
	} {
		old, err := from.Map(raw)
		if err != nil {
			t.Fatal(err)
		}
		want, err := to.Map(raw)
		if err != nil {
			t.Fatal(err)
		}
		old.Values = append(old.Values, make([]schema.Value, 3)...) // as the table has it once the columns are there
		got, changed, misfits := to.Promote(old, columns)
		if wantChange := old.Extra != want.Extra; changed != wantChange || len(misfits) > 0 {
			t.Errorf("%s: changed %t, misfits %v", raw, changed, misfits)
		}
		if got.Extra != want.Extra {
			t.Errorf("%s: %q is left, want %q", raw, got.Extra.Str(), want.Extra.Str())
		}
		for i := range want.Values {
			if got.Values[i] != want.Values[i] {
				t.Errorf("%s: column %d is %+v, want %+v", raw, i, got.Values[i], want.Values[i])
			}
		}
		if again, changed, _ := to.Promote(got, columns); changed || again.Extra != got.Extra {
			t.Errorf("%s: promoted again", raw)
		}
	}
}

func TestWhatDoesNotFitIsNotPromoted(t *testing.T) {
	mapping := pair(schema.Keep)
	mapping.Fields = append(mapping.Fields, schema.Field{ID: "n", Name: "n", Type: schema.Integer}, schema.Field{ID: "x", Name: "x", Type: schema.Text})
	row := schema.Row{Values: make([]schema.Value, 4), Extra: schema.StrValue(`{"a":"other key","n":"many","x":"y"}`)}
	got, changed, misfits := compile(t, mapping).Promote(row, []string{"a", "n", "x"})
	if !changed || got.Values[3].Str() != "y" || !got.Values[2].IsNull() || !got.Values[0].IsNull() {
		t.Errorf("%t, %+v", changed, got.Values)
	}
	if got.Extra.Str() != `{"a":"other key","n":"many"}` {
		t.Errorf("%s is left", got.Extra.Str())
	}
	if len(misfits) != 1 || misfits[0].Error() != `n: "many" is not an integer` {
		t.Errorf("misfits: %v", misfits)
	}
	if !row.Values[3].IsNull() {
		t.Error("the row that was given is another one now")
	}
	if got, _, _ := compile(t, mapping).Promote(row, []string{"n"}); got.Extra.Str() != row.Extra.Str() {
		t.Errorf("%s is left where another column is promoted", got.Extra.Str())
	}
	for _, foreign := range []string{`[]`, `7`, `{"x"`, ``} {
		row.Extra = schema.StrValue(foreign)
		if _, changed, _ := compile(t, mapping).Promote(row, []string{"x"}); changed {
			t.Errorf("promoted from %s", foreign)
		}
	}
}
