package schema_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"samespace-exporter/internal/schema"
)

// dialect is a made-up warehouse.
type dialect struct{ silent bool }

func (dialect) Native(t schema.Type) string {
	switch t {
	case schema.Integer:
		return "bigint"
	case schema.JSON:
		return "jsonb"
	default:
		return t.String()
	}
}

func (dialect) Widens(from, to string) bool {
	return from == "int" && to == "bigint" || from == "bigint" && to == "numeric"
}

func (d dialect) Comments() bool { return !d.silent }

func (dialect) TableName(table string) string { return `"s"."` + table + `"` }

func smallTable() schema.Table {
	return schema.Table{
		Name: "calls", Comment: "Calls", Key: []string{"id"}, TimeField: "at",
		Columns: []schema.Column{
			{Name: "id", Type: schema.Text, ID: "a1", Title: "Call ID"},
			{Name: "at", Type: schema.Timestamptz, ID: "b2"},
			{Name: "seconds", Type: schema.Integer, ID: "c3", Title: "Duration"},
		},
	}
}

// asPlanned is the table in the warehouse once the plan is carried out.
func asPlanned(want schema.Table, d dialect) *schema.Existing {
	have := &schema.Existing{Key: want.Key}
	for _, c := range slices.Concat(want.Columns, want.OwnColumns()) {
		column := schema.ExistingColumn{Name: c.Name, Native: d.Native(c.Type), NotNull: want.NotNull(c.Name)}
		if d.Comments() {
			column.Comment = c.Comment()
		}
		have.Columns = append(have.Columns, column)
	}
	if d.Comments() {
		have.Comment = want.Comment
	}
	if want.TimeField != "" {
		have.Indexed = []string{want.TimeField}
	}
	return have
}

// described are the changes, one line each.
func described(changes []schema.Change, d dialect) []string {
	var lines []string
	for _, c := range changes {
		switch c.Kind {
		case schema.CreateTable:
			lines = append(lines, "create")
		case schema.AddColumn:
			lines = append(lines, fmt.Sprintf("add %s %s", c.Column.Name, d.Native(c.Column.Type)))
		case schema.WidenColumn:
			lines = append(lines, fmt.Sprintf("widen %s %s to %s", c.Column.Name, c.From, d.Native(c.Column.Type)))
		case schema.CommentTable:
			lines = append(lines, "comment: "+c.Comment)
		case schema.CommentColumn:
			lines = append(lines, "comment "+c.Column.Name+": "+c.Comment)
		case schema.CreateIndex:
			lines = append(lines, "index "+c.Column.Name)
		}
	}
	return lines
}

func TestPlan(t *testing.T) {
	for name, c := range map[string]struct {
		dialect dialect
		want    func(*schema.Table)
		have    func(*schema.Existing) // changes the table as planned; nil: there is no table
		changes []string
	}{
		"a new table": {changes: []string{
			"create", "comment: Calls", "comment id: Call ID (a1)", "comment at: b2", "comment seconds: Duration (c3)",
			"comment _window_start: Start of the window that the row falls in",
			"comment _exported_at: When this version of the row was written",
			"comment _extra: Values that the mapping does not name, by metric id", "index at",
		}},
		"a new table without comments": {dialect: dialect{silent: true}, changes: []string{"create", "index at"}},
		"a new table whose key begins with the time": {
			dialect: dialect{silent: true}, want: func(w *schema.Table) { w.Key = []string{"at", "id"} }, changes: []string{"create"},
		},
		"a new table whose key goes on with the time": {
			dialect: dialect{silent: true}, want: func(w *schema.Table) { w.Key = []string{"id", "at"} }, changes: []string{"create", "index at"},
		},
		"a new table without time and key": {
			dialect: dialect{silent: true}, want: func(w *schema.Table) { w.Key, w.TimeField = nil, "" }, changes: []string{"create"},
		},
		"nothing to do":                  {have: func(*schema.Existing) {}},
		"nothing to do without comments": {dialect: dialect{silent: true}, have: func(*schema.Existing) {}},
		"columns of others": {have: func(h *schema.Existing) {
			h.Columns = append(h.Columns, schema.ExistingColumn{Name: "region", Native: "text"}, schema.ExistingColumn{Name: "_deleted_at", Native: "text"})
		}},
		"the key in another order": {
			want: func(w *schema.Table) { w.Key = []string{"id", "seconds"} },
			have: func(h *schema.Existing) { h.Key = []string{"seconds", "id"} },
		},
		"the time leads the key as it is": {
			want: func(w *schema.Table) { w.Key = []string{"id", "at"} },
			have: func(h *schema.Existing) { h.Key, h.Indexed = []string{"at", "id"}, nil },
		},
		"a missing column": {
			have: func(h *schema.Existing) {
				h.Columns = slices.DeleteFunc(h.Columns, func(c schema.ExistingColumn) bool { return c.Name == "at" })
				h.Indexed = nil
			},
			changes: []string{"add at timestamptz", "comment at: b2", "index at"},
		},
		"deleted rows are marked from now on": {
			have: func(h *schema.Existing) { h.Columns = h.Columns[:len(h.Columns)-1] },
			want: func(w *schema.Table) { w.MarksDeleted = true },
			changes: []string{
				"add _deleted_at timestamptz", "comment _deleted_at: When the row was found gone from the source",
			},
		},
		"a type that is too narrow": {
			have:    func(h *schema.Existing) { h.Columns[2].Native = "int" },
			changes: []string{"widen seconds int to bigint"},
		},
		"a type of the key that is too narrow": {
			want:    func(w *schema.Table) { w.Columns[0].Type = schema.Numeric },
			have:    func(h *schema.Existing) { h.Columns[0].Native = "bigint" },
			changes: []string{"widen id bigint to numeric"},
		},
		"comments and the index": {
			have: func(h *schema.Existing) {
				h.Comment, h.Indexed, h.Columns[2].Comment = "", []string{"seconds"}, "Duration"
			},
			changes: []string{"comment: Calls", "comment seconds: Duration (c3)", "index at"},
		},
		"a person's comment, where the mapping has none": {
			want: func(w *schema.Table) { w.Comment = "" },
			have: func(h *schema.Existing) { h.Comment = "ours" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := smallTable()
			if c.want != nil {
				c.want(&want)
			}
			var have *schema.Existing
			if c.have != nil {
				have = asPlanned(want, c.dialect)
				c.have(have)
			}
			changes, err := schema.Plan(want, have, c.dialect)
			if err != nil {
				t.Fatal(err)
			}
			if got := described(changes, c.dialect); !slices.Equal(got, c.changes) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.changes, "\n"))
			}
		})
	}
}

func TestPlanRefusesWhatAdditionsDoNotMend(t *testing.T) {
	const setTableAside = `ALTER TABLE "s"."calls" RENAME TO "calls_old"`
	for name, c := range map[string]struct {
		have func(*schema.Existing)
		want []schema.NarrowingError
	}{
		"another type": {
			func(h *schema.Existing) { h.Columns[2].Native = "text" },
			[]schema.NarrowingError{{Column: "seconds", Have: "text", Want: "bigint", Statement: `ALTER TABLE "s"."calls" RENAME COLUMN "seconds" TO "seconds_old"`, Then: "exporter run --backfill fills the new column"}},
		},
		"another type, and a column set aside before": {
			func(h *schema.Existing) {
				h.Columns[2].Native = "text"
				h.Columns = append(h.Columns, schema.ExistingColumn{Name: "seconds_old", Native: "text"})
			},
			[]schema.NarrowingError{{Column: "seconds", Have: "text", Want: "bigint", Statement: `ALTER TABLE "s"."calls" RENAME COLUMN "seconds" TO "seconds_old2"`, Then: "exporter run --backfill fills the new column"}},
		},
		"another type of a key's column": {
			func(h *schema.Existing) { h.Columns[0].Native = "bigint" },
			[]schema.NarrowingError{{Column: "id", Have: "bigint", Want: "text", Statement: setTableAside}},
		},
		"a wider type": {
			func(h *schema.Existing) { h.Columns[2].Native = "numeric" },
			[]schema.NarrowingError{{Column: "seconds", Have: "numeric", Want: "bigint", Statement: `ALTER TABLE "s"."calls" RENAME COLUMN "seconds" TO "seconds_old"`, Then: "exporter run --backfill fills the new column"}},
		},
		"another key": {
			func(h *schema.Existing) { h.Key = []string{"id", "at"} },
			[]schema.NarrowingError{{Have: "primary key (id, at)", Want: "primary key (id)", Statement: setTableAside}},
		},
		"no key": {
			func(h *schema.Existing) { h.Key = nil },
			[]schema.NarrowingError{{Have: "no primary key", Want: "primary key (id)", Statement: setTableAside}},
		},
		"a key's column is missing": {
			func(h *schema.Existing) { h.Columns[0].Name, h.Key = "old_id", []string{"old_id"} },
			[]schema.NarrowingError{{Have: "primary key (old_id)", Want: "primary key (id)", Statement: setTableAside}},
		},
		"a key of another metric": {
			func(h *schema.Existing) { h.SetMaking("s.fields", "o'calls", "id", schema.Making{ID: "c9"}) },
			[]schema.NarrowingError{{Column: "id", Have: "keys from c9", Want: "keys from a1, by which rows that come again would be there twice", Statement: setTableAside,
				Alike: `UPDATE s.fields SET transform = NULL WHERE table_name = 'o''calls' AND column_name = 'id'`}},
		},
		"a key that was transformed": {
			func(h *schema.Existing) {
				h.SetMaking("s.fields", "calls", "id", schema.Making{ID: "a1", Transform: "lower"})
				h.SetMaking("s.fields", "calls", "seconds", schema.Making{ID: "c3", Transform: "lower"}) // of no key
			},
			[]schema.NarrowingError{{Column: "id", Have: "keys from a1, transform lower", Want: "keys from a1, by which rows that come again would be there twice", Statement: setTableAside,
				Alike: `UPDATE s.fields SET transform = NULL WHERE table_name = 'calls' AND column_name = 'id'`}},
		},
		"values of another metric": {
			func(h *schema.Existing) { h.SetMaking("s.fields", "calls", "seconds", schema.Making{ID: "c9"}) },
			[]schema.NarrowingError{{Column: "seconds", Have: "values of c9", Want: "those of c3, and a column with values of both would be wrong",
				Statement: `ALTER TABLE "s"."calls" RENAME COLUMN "seconds" TO "seconds_old"`, Then: "exporter run --backfill fills the new column",
				Alike: `UPDATE s.fields SET transform = NULL WHERE table_name = 'calls' AND column_name = 'seconds'`}},
		},
		"somebody's column that refuses NULL": {
			func(h *schema.Existing) {
				h.Columns = append(h.Columns, schema.ExistingColumn{Name: `re"gion`, Native: "text", NotNull: true})
			},
			[]schema.NarrowingError{{Column: `re"gion`, Have: "text not null", Want: "no such column", Statement: `ALTER TABLE "s"."calls" ALTER COLUMN "re""gion" DROP NOT NULL`}},
		},
		"somebody else's table": {
			func(h *schema.Existing) { h.Columns = h.Columns[:3] },
			[]schema.NarrowingError{
				{Column: "_window_start", Have: "no such column", Want: "timestamptz not null", Statement: setTableAside},
				{Column: "_exported_at", Have: "no such column", Want: "timestamptz not null", Statement: setTableAside},
			},
		},
		"several things, and one that could be mended": {
			func(h *schema.Existing) {
				h.Columns[1].Native, h.Columns[2].Native, h.Key, h.Comment = "date", "text", nil, ""
			},
			[]schema.NarrowingError{
				{Have: "no primary key", Want: "primary key (id)", Statement: setTableAside},
				{Column: "at", Have: "date", Want: "timestamptz", Statement: `ALTER TABLE "s"."calls" RENAME COLUMN "at" TO "at_old"`, Then: "exporter run --backfill fills the new column"},
				{Column: "seconds", Have: "text", Want: "bigint", Statement: `ALTER TABLE "s"."calls" RENAME COLUMN "seconds" TO "seconds_old"`, Then: "exporter run --backfill fills the new column"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			have := asPlanned(smallTable(), dialect{})
			c.have(have)
			changes, err := schema.Plan(smallTable(), have, dialect{})
			if changes != nil || err == nil {
				t.Fatalf("got changes %v, error %v", changes, err)
			}
			joined, ok := err.(interface{ Unwrap() []error })
			if !ok {
				t.Fatalf("got %v, want joined errors", err)
			}
			var got []schema.NarrowingError
			for _, one := range joined.Unwrap() {
				var narrowing *schema.NarrowingError
				if !errors.As(one, &narrowing) {
					t.Fatalf("got %T, want a NarrowingError", one)
				}
				if text := narrowing.Error(); narrowing.Table != "calls" || !strings.Contains(text, narrowing.Statement) || !strings.Contains(text, narrowing.Alike) || !strings.Contains(text, "nothing was changed") {
					t.Errorf("got the text %s", text)
				}
				bare := *narrowing
				bare.Table = ""
				got = append(got, bare)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestWhatIsSetAsideHasANameThatIsFree(t *testing.T) {
	want := smallTable()
	have := asPlanned(want, dialect{})
	have.Columns[2].Native = "text"
	want.Columns = append(want.Columns, schema.Column{Name: "seconds_old", Type: schema.Text, ID: "d4"})
	_, err := schema.Plan(want, have, dialect{})
	var narrowing *schema.NarrowingError
	if !errors.As(err, &narrowing) || !strings.HasSuffix(narrowing.Statement, ` TO "seconds_old2"`) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsSetAsideHasANameThatFits(t *testing.T) {
	long := strings.Repeat("n", 63)
	want := smallTable()
	have := asPlanned(want, dialect{})
	want.Columns[2].Name, have.Columns[2].Name, have.Columns[2].Native = long, long, "text"
	_, err := schema.Plan(want, have, dialect{})
	var narrowing *schema.NarrowingError
	if !errors.As(err, &narrowing) || !strings.HasSuffix(narrowing.Statement, ` TO "`+long[:59]+`_old"`) {
		t.Errorf("got %v", err)
	}
}
