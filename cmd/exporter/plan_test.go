package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/source/simulator"
)

func (s *site) plan() app.Plan {
	s.Helper()
	return decoded[app.Plan](s.T, s.run("plan", "--json").ends(app.ExitDone).stdout)
}

// What a plan foresees is what a run then does, and the plan itself does nothing.
func TestPlanForeseesTheFirstRun(t *testing.T) {
	for name, dsn := range map[string]func(s *site) string{
		"sqlite":   func(s *site) string { return s.dsn },
		"postgres": func(s *site) string { return server.Database(s.T) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn = dsn(s)
			s.configure()
			first := s.plan()
			if again := s.plan(); again.Total != first.Total {
				t.Errorf("a plan changed something: %+v, then %+v", first, again)
			}
			s.run("status").ends(app.ExitDone).prints("nothing has been exported yet")
			d := first.Datasets[0]
			if len(d.Statements) == 0 || !strings.Contains(strings.Join(d.Statements, "\n"), "CREATE TABLE") {
				t.Errorf("DDL: %q", d.Statements)
			}
			s.run("plan").ends(app.ExitDone).prints("live edge", "re-reads", "history", "| calls ", "DDL: CREATE TABLE", "requests per second")

			before := s.sim.Stats().Requests
			s.run("run", "--once").ends(app.ExitDone)
			windows := s.count("select count(*) from " + s.table("exporter_windows", "exporter.windows"))
			if total := d.Total(); total.Windows != windows || d.Live.Windows != 1 || d.Reread.Windows+d.Failed.Windows != 0 {
				t.Errorf("foreseen %+v; there were %d windows", d, windows)
			}
			within(t, "rows", int(d.Total().Rows), s.rows())
			within(t, "requests", d.Total().Requests, s.sim.Stats().Requests-before)
			if done := s.plan().Datasets[0]; done.Total().Windows > 1 || len(done.Statements) > 0 { // the edge may have moved
				t.Errorf("after the run: %+v", done)
			}
		})
	}
}

// A field with another name has a new column: what that lacks is told by check and plan, and by the run that makes it.
func TestARenamedField(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("run", "--once").ends(app.ExitDone)
	s.replace("name: duration_s", "name: talk_s")
	const told, fill = "column talk_s takes the place of duration_s, for the same id ", `UPDATE "calls" SET "talk_s" = "duration_s" WHERE "talk_s" IS NULL`
	s.run("check").ends(app.ExitDone).prints("LOOK   table calls: "+told, fill)
	s.run("plan").ends(app.ExitDone).prints(told, fill)
	r := s.run("run", "--once").ends(app.ExitDone)
	if !strings.Contains(r.stderr, told) || strings.Contains(r.stderr, "filled from _extra") {
		t.Errorf("on stderr: %s", r.stderr)
	}
	s.change(fill)
	if empty := s.count("select count(*) from calls where talk_s is null and duration_s is not null"); empty > 0 {
		t.Errorf("%d rows lack it", empty)
	}
	s.run("run", "--backfill", "--from", s.since.Format(time.DateOnly)).ends(app.ExitDone)
	if r := s.run("check").ends(app.ExitDone); strings.Contains(r.stdout, "takes the place") {
		t.Errorf("told again: %s", r.stdout)
	}
}

// A rolling range that was never read is counted: it is read whole.
func TestPlanForeseesARollingRange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.reports = fmt.Sprintf("  - {name: rolling, report_id: %s, time_range: PAST_30_DAYS, write: replace, fields: {%q: {name: id, type: text}}}\n", s.report.ID, s.report.Key)
	s.configure()
	first := s.plan().Datasets[1]
	before := s.sim.Stats().Requests
	s.run("run", "--once", "--report", "rolling").ends(app.ExitDone)
	within(t, "rows", int(first.Total().Rows), s.count("select count(*) from rolling"))
	within(t, "requests", first.Total().Requests, s.sim.Stats().Requests-before)
	if known := s.plan().Datasets[1]; int(known.Total().Rows) != s.count("select count(*) from rolling") {
		t.Errorf("after the run: %+v", known)
	}
}

// within checks that a number is about what was foreseen.
func within(t *testing.T, what string, foreseen, happened int) {
	t.Helper()
	if foreseen < happened/2 || foreseen > happened*2 {
		t.Errorf("%d %s foreseen, %d happened", foreseen, what, happened)
	}
}

func TestPlanSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("run", "--once").ends(app.ExitDone)
	s.replace("direction, type: text}", fmt.Sprintf("way, type: text}\n      %q: {name: nowhere, type: text}", "0123456789abcdef01234567"))
	d := s.plan().Datasets[0]
	if text := strings.Join(d.Statements, "\n"); !strings.Contains(text, `"way"`) || !strings.Contains(text, `"nowhere"`) {
		t.Errorf("DDL: %s", text)
	}
	if strings.Join(d.Sample.Gone, " ") != "nowhere" || len(d.Sample.New) == 0 || strings.Contains(strings.Join(d.Sample.New, " "), s.report.Key) {
		t.Errorf("sample: %+v", d.Sample)
	}
	s.run("plan").ends(app.ExitDone).prints("new in the API, not in the mapping: ", "sampled rows: nowhere")
	s.run("check").ends(app.ExitDone).prints("ok     table calls: the next run changes it by 2 statements")
	s.run("run", "--once").ends(app.ExitDone)
	s.run("check").ends(app.ExitDone).prints("ok     table calls: is as the mapping wants it")

	s.replace("duration_s, type: integer", "duration_s, type: boolean")
	s.run("check").ends(app.ExitUsage).prints("WRONG  table calls", "duration_s", "nothing was changed", "RENAME COLUMN")
	s.run("plan").ends(app.ExitUsage).prints("refused: ", "RENAME COLUMN").says("duration_s")
}

func TestPlanOfWhatFailed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.sim.Script(simulator.When(func(r simulator.Request) bool { return r.From.Before(s.since.Add(6 * time.Hour)) }),
		simulator.Status(http.StatusBadRequest, "{}"))
	s.run("run", "--once").ends(app.ExitFailed)
	if d := s.plan().Datasets[0]; d.Resting == 0 {
		t.Errorf("nothing rests: %+v", d)
	}
	s.sim.Unscript()
	s.key = "another-key"
	s.configure()
	r := s.run("plan").ends(app.ExitUnreachable).prints("| calls ", "no sample: ")
	r.says("check source.api_key")
	s.dsn = "sqlite:" + s.path + "/nowhere/test.db"
	s.configure()
	s.run("plan").ends(app.ExitUnreachable)
	if _, err := os.Stat(s.path); err != nil {
		t.Error(err)
	}
}
