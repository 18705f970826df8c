package postgres

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"samespace-exporter/internal/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

func goldenTables() map[string]target {
	columns := []schema.Column{
		{Name: "call_id", Type: schema.Text, ID: "5ef594e0eba06ff9adbcfc07", Title: "Call ID"},
		{Name: "started_at", Type: schema.Timestamptz, ID: "5e6f5fc04767c68072ee031c", Title: `The call's "start" \ time`},
		{Name: `a "quoted" name`, Type: schema.Numeric, ID: "x"},
		{Name: "day", Type: schema.Date, ID: "d"},
		{Name: "tags", Type: schema.JSON, ID: "t"},
	}
	return map[string]target{
		"one_key": {schemaName: "samespace", Table: schema.Table{
			Name: "calls", Comment: "Calls", Columns: columns, Key: []string{"call_id"}, TimeField: "started_at",
		}},
		"two_keys_and_deleted": {schemaName: `odd "schema"`, Table: schema.Table{
			Name: "Calls", Columns: columns, Key: []string{`a "quoted" name`, "day"}, TimeField: "started_at", MarksDeleted: true, History: true,
		}},
	}
}

func TestSQLOfAMapping(t *testing.T) {
	for name, table := range goldenTables() {
		t.Run(name, func(t *testing.T) {
			var sql []string
			changes, err := schema.Plan(table.Table, nil, dialect{table.schemaName})
			if err != nil {
				t.Fatal(err)
			}
			changes = append(changes, schema.Change{Kind: schema.AddColumn, Column: table.Columns[2]},
				schema.Change{Kind: schema.WidenColumn, Column: table.Columns[2], From: "bigint"})
			for _, c := range changes {
				sql = append(sql, table.render(c))
			}
			sql = append(sql, table.distribute())
			if table.TimeField != "" {
				sql = append(sql, table.readByTime(), table.storedByTime())
			}
			if table.marksDeleted() {
				sql = append(sql, table.readStanding(), table.markGone())
			}
			sql = append(sql, table.storedByKey(), table.storedAhead(0), table.storedAhead(len(table.Key)),
				table.storedWithExtra(0, 0), table.storedWithExtra(len(table.Key), len(table.Key)), table.updatePromoted([]string{"tags"}))
			if table.History {
				var now, kept []schema.ExistingColumn
				for _, c := range append(table.Columns, table.OwnColumns()...) {
					now = append(now, schema.ExistingColumn{Name: c.Name, Native: dialect{}.Native(c.Type)})
				}
				now = append(now, schema.ExistingColumn{Name: "of somebody else", Native: "money"})
				for _, c := range append(table.HistoryTable().Columns, table.HistoryTable().OwnColumns()...) {
					kept = append(kept, schema.ExistingColumn{Name: c.Name, Native: dialect{}.Native(c.Type)})
				}
				sql = append(sql, table.history().create(), table.insertVersions())
				for _, f := range []function{table.asOf(now, kept), table.versions(now, kept)} {
					sql = append(sql, f.create(), f.commentOn())
				}
			}
			sql = append(sql, table.readByKey(), table.readTypes(), table.copyRows(), table.createStage(), table.copyStage(), table.upsertStage())
			golden(t, name, strings.Join(sql, ";\n\n")+";\n")
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".sql")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what is built (run with -update to accept):\n%s", path, got)
	}
}

func TestEveryStatementIsThereAndUsed(t *testing.T) {
	used := map[string]bool{}
	sources, _ := filepath.Glob("*.go")
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?:statement\(|writeLease\(ctx, "[^"]*", )"(\w+)"`).FindAllSubmatch(text, -1) {
			used[string(match[1])] = true
		}
	}
	for name := range used {
		if statement(name) == "" { // panics when it is not there
			t.Errorf("%s is empty", name)
		}
	}
	files, _ := statements.ReadDir("sql")
	for _, file := range files {
		if !used[strings.TrimSuffix(file.Name(), ".sql")] {
			t.Errorf("%s is used nowhere", file.Name())
		}
	}
}

func TestWidening(t *testing.T) {
	d := dialect{}
	for _, pair := range [][2]string{
		{"integer", "bigint"}, {"bigint", "numeric"}, {"numeric(10,2)", "numeric"}, {"real", "double precision"},
		{"character varying(20)", "text"}, {"bigint", "text"},
	} {
		if !d.Widens(pair[0], pair[1]) {
			t.Errorf("%s does not widen to %s", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"bigint", "integer"}, {"numeric", "bigint"}, {"text", "bigint"}, {"bigint", "double precision"}, {"numeric", "text"},
		{"timestamp without time zone", "timestamp with time zone"}, {"json", "jsonb"}, {"character(3)", "text"},
	} {
		if d.Widens(pair[0], pair[1]) {
			t.Errorf("%s widens to %s", pair[0], pair[1])
		}
	}
}
