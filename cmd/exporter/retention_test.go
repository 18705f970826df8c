package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/app"
)

// timed is a report beside the site's own, whose rows have a time.
func (s *site) timed(more string) string {
	return fmt.Sprintf("  - {name: timed, report_id: %s, since: %s, key: [id], time_field: at, %s, fields: {%q: {name: id, type: text}, %q: {name: at, type: timestamptz}}}\n",
		s.report.ID, s.since.Format(time.DateOnly), more, s.report.Key, s.report.TimeField)
}

func TestRetention(t *testing.T) {
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn, s.reports = w.dsn(t), s.timed("window: {reread: []}")
			s.configure()
			s.run("run", "--once").ends(app.ExitDone)
			rows := func() int { return s.count("select count(*) from " + s.table("timed", "samespace.timed")) }
			all := rows()

			s.reports = s.timed("window: {reread: []}, retention: 1d")
			s.configure()
			s.run("plan").ends(app.ExitDone).prints("timed\n", "retention: rows before ")
			s.run("run", "--once").ends(app.ExitDone)
			if r := s.run("plan").ends(app.ExitDone); strings.Contains(r.stdout, "retention") {
				t.Errorf("more would be deleted: %s", r.stdout)
			}
			report := decoded[app.Report](t, s.run("status", "--json").ends(app.ExitDone).stdout)
			kept := report.Datasets[1].Retention
			if left := rows(); kept == nil || kept.Rows == 0 || int(kept.Rows) != all-left || report.Datasets[0].Retention != nil || left == 0 {
				t.Errorf("%d rows are left of %d: %+v", left, all, kept)
			}
			s.run("status").ends(app.ExitDone).prints("timed: rows from before " + kept.Before.Format(time.DateTime) + " are deleted")
			from := s.since.Format(time.DateOnly)
			s.run("run", "--backfill", "--report", "timed", "--from", from).ends(app.ExitUsage).says("retention of timed keeps rows from", "a longer retention")
			if r := s.run("verify", "--report", "timed", "--from", from).ends(app.ExitDone); !strings.Contains(r.stderr, "older than the retention is not verified") {
				t.Errorf("nothing is said of what is not verified: %s", r.stderr)
			}
			s.mustBeWhole() // the other one
		})
	}
}
