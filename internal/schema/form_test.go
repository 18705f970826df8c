package schema_test

import (
	"testing"

	"samespace-exporter/internal/schema"
)

func TestFormContinues(t *testing.T) {
	mapping := func(changes ...func(m *schema.Mapping)) schema.Form {
		m := schema.Mapping{Table: "t", TransformKey: []byte("k"), Drop: []string{"d"}, Fields: []schema.Field{
			{ID: "a", Name: "agent", Type: schema.Text}, {ID: "n", Name: "seconds", Type: schema.Integer}, {ID: "h", Name: "caller", Type: schema.Text, Transform: schema.HMAC},
		}}
		for _, change := range changes {
			change(&m)
		}
		mapper, err := schema.Compile(m)
		if err != nil {
			t.Fatal(err)
		}
		return mapper.Form()
	}
	ignoring := func(m *schema.Mapping) { m.Unmapped = schema.Ignore }
	added := func(m *schema.Mapping) {
		m.Fields = append(m.Fields, schema.Field{ID: "b", Name: "team", Type: schema.Text})
	}
	dropping := func(m *schema.Mapping) { m.Drop = append(m.Drop, "e") }
	for name, c := range map[string]struct {
		before, after schema.Form
		want          bool
	}{
		"the same":                  {mapping(), mapping(), true},
		"a title":                   {mapping(), mapping(func(m *schema.Mapping) { m.Fields[0].Title = "Agent" }), true},
		"a wider number":            {mapping(), mapping(func(m *schema.Mapping) { m.Fields[1].Type = schema.Numeric }), true},
		"a field more, ids kept":    {mapping(), mapping(added), true},
		"a field more, ids ignored": {mapping(ignoring), mapping(ignoring, added), false},
		"a field less":              {mapping(added), mapping(), false},
		"a field that was dropped": {mapping(dropping), mapping(func(m *schema.Mapping) {
			m.Fields = append(m.Fields, schema.Field{ID: "e", Name: "e", Type: schema.Text})
		}), false},
		"one dropped, ids kept":      {mapping(), mapping(dropping), false},
		"one dropped, ids ignored":   {mapping(ignoring), mapping(ignoring, dropping), true},
		"a name":                     {mapping(), mapping(func(m *schema.Mapping) { m.Fields[0].Name = "who" }), false},
		"a transform":                {mapping(), mapping(func(m *schema.Mapping) { m.Fields[0].Transform = schema.Lower }), false},
		"another key of a transform": {mapping(), mapping(func(m *schema.Mapping) { m.TransformKey = []byte("l") }), false},
		"other unmapped ids":         {mapping(), mapping(ignoring), false},
	} {
		if got := c.after.Continues(c.before.String()); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}
