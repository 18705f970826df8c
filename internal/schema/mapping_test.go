package schema_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"samespace-exporter/internal/schema"
)

// callsMapping is the mapping of the example config.
func callsMapping() schema.Mapping {
	return schema.Mapping{
		Table: "calls", Key: []string{"call_id"}, TimeField: "started_at",
		Fields: []schema.Field{
			{ID: "5ef594e0eba06ff9adbcfc07", Name: "call_id", Type: schema.Text, Title: "Call ID"},
			{ID: "5e6f5fc04767c68072ee031c", Name: "started_at", Type: schema.Timestamptz, Title: "Start time"},
			{ID: "602a0daa27200ad38393241c", Name: "ended_at", Type: schema.Timestamptz},
			{ID: "5e6f5fc04767c68072ee031d", Name: "direction", Type: schema.Text},
			{ID: "5eafce52965aff16547f2816", Name: "from_number", Type: schema.Text, Transform: schema.Last4},
			{ID: "5eafcfde965aff16547f2817", Name: "to_number", Type: schema.Text},
			{ID: "5e6f5fc04767c68072ee0320", Name: "duration_s", Type: schema.Integer},
			{ID: "5ec3ab9dc17f3c7ee1471a7a", Name: "channel", Type: schema.Text},
		},
		Drop: []string{"60af7ebc2c1f3d2b8e5faf7e", "60af7fa12c1f3d2b8e5faf7f"},
	}
}

// sampleRow is the row that the API's documentation shows.
func sampleRow(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/GetReportData.response.json")
	if err != nil {
		t.Fatal(err)
	}
	var response struct {
		Data struct {
			GetReportData struct{ Data []json.RawMessage }
		}
	}
	if err := json.Unmarshal(text, &response); err != nil {
		t.Fatal(err)
	}
	return string(response.Data.GetReportData.Data[0])
}

func compile(t testing.TB, m schema.Mapping) *schema.Mapper {
	t.Helper()
	mapper, err := schema.Compile(m)
	if err != nil {
		t.Fatal(err)
	}
	return mapper
}

func TestCompileTakesGoodMappings(t *testing.T) {
	for name, m := range map[string]schema.Mapping{
		"the example config's": callsMapping(),
		"without fields":       {Table: "raw"},
		"with reserved words": {Table: "table", Key: []string{"select", "order"}, Fields: []schema.Field{
			{ID: "a", Name: "select", Type: schema.Date}, {ID: "b", Name: "order", Type: schema.Numeric}}},
		"with the longest name": {Table: strings.Repeat("t", 63)},
	} {
		t.Run(name, func(t *testing.T) { compile(t, m) })
	}
}

func TestCompileReportsAllThatIsWrong(t *testing.T) {
	_, err := schema.Compile(schema.Mapping{
		Table: "Calls",
		Fields: []schema.Field{
			{ID: "a", Name: "good", Type: schema.Text},
			{ID: "a", Name: "twin", Type: schema.Text},
			{ID: "b", Name: "good", Type: schema.Text},
			{ID: "c", Name: "_exported_at", Type: schema.Text},
			{ID: "d", Name: "9lives", Type: schema.Text},
			{ID: "e", Name: strings.Repeat("n", 64), Type: schema.Text},
			{ID: "f", Name: "", Type: schema.Text},
			{ID: "", Name: "idless", Type: schema.Text},
			{ID: "g", Name: "typeless"},
			{ID: "h", Name: "lowered", Type: schema.Integer, Transform: schema.Lower},
			{ID: "i", Name: "hashed", Type: schema.Text, Transform: schema.HMAC},
			{ID: "j", Name: "weight", Type: schema.Float},
			{ID: "k", Name: "tags", Type: schema.JSON},
			{ID: "l", Name: "ctid", Type: schema.Text},
			{ID: "m", Name: "naïve", Type: schema.Text},
		},
		Drop:      []string{"a", "z", "z", ""},
		Key:       []string{"weight", "tags", "nobody", "good", "good"},
		TimeField: "good",
	})
	want := []string{
		"table", "fields.a", "fields.b.name", "fields.c.name", "fields.d.name", "fields.e.name", "fields.f.name",
		"fields[7]", "fields.g.type", "fields.h.transform", "fields.l.name", "fields.m.name", "transform_key",
		"drop[0]", "drop[2]", "drop[3]", "key[0]", "key[1]", "key[2]", "key[4]", "time_field",
	}
	if got := mappingPaths(t, err); !slices.Equal(got, want) {
		t.Errorf("got faults at %v,\nwant %v\n%v", got, want, err)
	}
}

func TestCompileWantsTheTimeFieldToBeThere(t *testing.T) {
	m := callsMapping()
	m.TimeField = "begun_at"
	_, err := schema.Compile(m)
	if got := mappingPaths(t, err); !slices.Equal(got, []string{"time_field"}) {
		t.Errorf("got faults at %v", got)
	}
}

// The last four characters tell no rows apart; beside another field they may.
func TestCompileRefusesAKeyThatMergesRows(t *testing.T) {
	m := callsMapping()
	place := slices.IndexFunc(m.Fields, func(f schema.Field) bool { return f.Name == m.Key[0] })
	m.Fields[place].Transform = schema.Last4
	_, err := schema.Compile(m)
	if got := mappingPaths(t, err); !slices.Equal(got, []string{"key[0]"}) {
		t.Errorf("got faults at %v", got)
	}
	m.Key = append(m.Key, m.TimeField)
	if _, err := schema.Compile(m); err != nil {
		t.Errorf("with another field in the key: %v", err)
	}
}

// mappingPaths are the paths of the mapping errors that err joins.
func mappingPaths(t *testing.T, err error) []string {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %v, want joined errors", err)
	}
	var paths []string
	for _, one := range joined.Unwrap() {
		var wrong *schema.MappingError
		if !errors.As(one, &wrong) {
			t.Fatalf("got %T, want a MappingError", one)
		}
		paths = append(paths, wrong.Path)
	}
	return paths
}

func TestNamesOfTransformsAndUnmapped(t *testing.T) {
	for _, name := range schema.Transforms() {
		if got, err := schema.ParseTransform(name); err != nil || got.String() != name {
			t.Errorf("transform %s: got %v, %v", name, got, err)
		}
	}
	for _, name := range schema.Unmappeds() {
		if got, err := schema.ParseUnmapped(name); err != nil || got.String() != name {
			t.Errorf("unmapped %s: got %v, %v", name, got, err)
		}
	}
	for _, name := range schema.Types() {
		if got, err := schema.ParseType(name); err != nil || got.String() != name {
			t.Errorf("type %s: got %v, %v", name, got, err)
		}
	}
	if _, err := schema.ParseTransform("rot13"); err == nil {
		t.Error("took the transform rot13")
	}
	if _, err := schema.ParseUnmapped(""); err == nil {
		t.Error("took no way with unmapped ids")
	}
}
