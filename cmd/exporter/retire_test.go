package main

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/app"
)

// change runs SQL that somebody would run in the site's warehouse by hand.
func (s *site) change(statements string) {
	s.Helper()
	if path, ok := strings.CutPrefix(s.dsn, "sqlite:"); ok {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			s.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(s.Context(), statements); err != nil {
			s.Fatal(err)
		}
		return
	}
	conn, err := pgx.Connect(s.Context(), s.dsn)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close(s.Context())
	if _, err := conn.Exec(s.Context(), statements); err != nil {
		s.Fatal(err)
	}
}

// readmeSQL is the SQL that the README gives under a name, as the site's warehouse has it.
func (s *site) readmeSQL(name string) string {
	s.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		s.Fatal(err)
	}
	_, text, found := strings.Cut(string(readme), "<!-- sql: "+name+" -->\n```sql\n")
	text, _, ended := strings.Cut(text, "```")
	if !found || !ended {
		s.Fatalf("the README has no SQL named %s", name)
	}
	return strings.ReplaceAll(text, "exporter.", s.table("exporter_", "exporter."))
}

// A dataset that is taken out of the config is no longer told of as if it were read, and can be forgotten as the README says.
func TestRetireADataset(t *testing.T) {
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn, s.reports = w.dsn(t), s.second()
			s.configure()
			s.run("run", "--once").ends(app.ExitDone)
			s.reports = ""
			s.configure()
			s.change("update " + s.table("exporter_", "exporter.") + "windows set state = 'failed', attempts = 1, error = 'refused' where dataset = 'second' and reads > 0")
			r := s.run("status").ends(app.ExitDone).prints("| second  | not in config |", "second: not in config: this config does not name it")
			if strings.Contains(r.stdout, "refused") {
				t.Errorf("told as trouble: %s", r.stdout)
			}

			rows := s.count("select count(*) from " + s.table("second", "samespace.second"))
			retire := strings.ReplaceAll(s.readmeSQL("retire"), "'calls'", "'second'")
			for _, table := range s.tablesOfDatasets() {
				if !strings.Contains(retire, table+" where") {
					t.Errorf("%s has rows of datasets, and the README does not say to delete them", table)
				}
			}
			s.change(retire)
			if report := decoded[app.Report](t, s.run("status", "--json").ends(app.ExitDone).stdout); len(report.Datasets) != 1 || report.Datasets[0].State != "ok" {
				t.Errorf("%+v", report.Datasets)
			}
			if left := s.count("select count(*) from " + s.table("second", "samespace.second")); left != rows || rows == 0 {
				t.Errorf("%d rows of %d are left", left, rows)
			}
		})
	}
}

// tablesOfDatasets are the exporter's own tables that have rows of a dataset.
func (s *site) tablesOfDatasets() (tables []string) {
	s.Helper()
	for _, row := range s.query(s.table(
		`select m.name from sqlite_schema as m join pragma_table_info(m.name) as c
		where m.type = 'table' and m.name like 'exporter%' and c.name = 'dataset'`,
		`select 'exporter.' || c.table_name from information_schema.columns as c join information_schema.tables as t using (table_schema, table_name)
		where table_schema = 'exporter' and t.table_type = 'BASE TABLE' and column_name = 'dataset'`)) {
		tables = append(tables, row[0])
	}
	if len(tables) < 9 {
		s.Errorf("tables %q", tables)
	}
	return tables
}
