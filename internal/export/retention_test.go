package export_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/window"
)

const aDay = 24 * time.Hour

// keeping has rows of two days kept.
func keeping(d *export.Dataset) {
	d.Reread, d.Retention = window.Reread{time.Hour, aDay}, 2*aDay
}

// keptFrom is the bound before which nothing is kept.
func (w *world) keptFrom() time.Time {
	return w.clock.Now().Add(-w.exporter.Dataset.Retention).Truncate(time.Hour)
}

// earliest is the time of the first row of the table.
func (w *world) earliest() time.Time {
	w.Helper()
	text := w.query("select min(%s) from %s", w.kind.instant("started_at"), w.kind.table("calls"))[0][0]
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		w.Fatal(err)
	}
	return at
}

// Rows that are older than the retention go, and are not read again, missed, or told to be missing.
func TestRetention(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(150), start.AddDate(0, 0, -4), nil)
		w.export()
		all := len(w.table())

		longer := w.exporter.Dataset
		keeping(&longer)
		longer.ConfigHash = "kept for two days" // a longer reread is another config
		w.exporter = w.newExporter(longer, w.warehouse)
		w.export()
		kept := w.status().Retained
		if !kept.Before.Equal(w.keptFrom()) || kept.Rows == 0 || int(kept.Rows) != all-len(w.table()) {
			t.Errorf("%+v; there were %d rows and are %d", kept, all, len(w.table()))
		}
		w.mustEqualTruth(w.keptFrom(), w.edge())
		if s := w.export(); s.Windows > 1 {
			t.Errorf("another pass reads %d windows", s.Windows)
		}
		if n := w.count("select count(*) from %s", w.kind.own("retentions")); n != 1 {
			t.Errorf("%d deletions are kept of one", n)
		}

		for range 2 { // as time goes by
			w.clock.Advance(11 * time.Hour)
			w.export()
			if w.earliest().Before(w.keptFrom()) {
				t.Errorf("there is a row of %s; what is kept begins %s", w.earliest(), w.keptFrom())
			}
		}
		var refused *export.RetentionError
		if _, err := w.exporter.Backfill(t.Context(), export.Range{From: w.keptFrom().Add(-time.Hour)}); !errors.As(err, &refused) ||
			!strings.Contains(err.Error(), w.keptFrom().Format(time.RFC3339)) {
			t.Errorf("a backfill of what is not kept: %v", err)
		}
		if s, err := w.exporter.Backfill(t.Context(), export.Range{From: w.keptFrom()}); err != nil || s.Err() != nil {
			t.Errorf("a backfill of what is kept: %v, %v", err, s.Err())
		}
		w.mustEqualTruth(w.keptFrom(), w.edge())
		v, err := w.exporter.Verify(t.Context(), export.VerifyRange{From: w.exporter.Dataset.Since, To: w.keptFrom().Add(12 * time.Hour)})
		if err != nil || !v.Equal() || v.Rows == 0 || v.Windows > 12 {
			t.Errorf("verify: %v, %+v", err, v)
		}
	})
}

// What old rows were before they changed goes as they do.
func TestRetentionOfAHistory(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := keepingWorld(t, k, 300, start.AddDate(0, 0, -4))
		w.export()
		w.clock.Advance(30 * time.Hour)
		w.export()
		history := k.table("calls_history")
		versions := func() (all, old int) {
			return w.count("select count(*) from %s", history), w.count("select count(*) from %s where %s < '%s'",
				history, k.instant("started_at"), w.keptFrom().Format(time.RFC3339))
		}
		keeping(&w.exporter.Dataset)
		w.exporter = w.newExporter(w.exporter.Dataset, w.warehouse)
		all, old := versions()
		if old == 0 || old == all {
			t.Fatalf("of %d versions %d are old: nothing is tried", all, old)
		}
		w.export()
		if left, still := versions(); still != 0 || left != all-old {
			t.Errorf("%d versions are left, %d of them old; of %d versions %d were", left, still, all, old)
		}
	})
}

// What is older than the retention is not even asked for, and windows that failed do not hold up what is complete.
func TestRetentionShortensHistory(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(150), start.AddDate(-1, 0, 0), keeping)
		if f := w.exporter.Dataset.Forecast(nil, w.clock.Now(), 0); f.Total().Windows != 48 {
			t.Errorf("foreseen %+v", f)
		}
		w.export()
		w.mustEqualTruth(w.keptFrom(), w.edge())
		for _, r := range w.sim.Requests() {
			if r.From.Before(w.keptFrom().Add(-time.Minute)) {
				t.Fatalf("asked for %s", r.From)
			}
		}
		w.exec("update " + w.kind.own("windows") + " set state = 'failed', attempts = 3, error = 'x', read_to = null, next_read_at = read_at where start_at in (select min(start_at) from " + w.kind.own("windows") + ")")
		if s := w.status(); s.Failed != 1 || s.Through.After(w.keptFrom()) {
			t.Fatalf("%+v", s)
		}
		w.clock.Advance(90 * time.Minute)
		w.sim.ForgetRequests()
		w.export()
		if s := w.status(); s.Failed != 0 || !s.Through.Equal(w.edge()) {
			t.Errorf("failed %d, through %s, edge %s", s.Failed, s.Through, w.edge())
		}
	})
}

// Many old rows go batch by batch, and a day's at its midnight.
func TestRetentionOfManyRows(t *testing.T) {
	for _, k := range kinds()[:1] { // the contract suite holds all of them to it
		w := newWorld(t, k, calls(3000), start.AddDate(0, 0, -3), func(d *export.Dataset) { d.Reread, d.Query.PageSize = nil, 1000 })
		grid, err := window.NewGrid(aDay, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.exporter.Dataset.Grid = grid
		w.export()
		all := w.count("select count(*) from %s", w.kind.table("calls"))
		w.exporter.Dataset.Retention = aDay + time.Hour
		w.exporter = w.newExporter(w.exporter.Dataset, w.warehouse)
		w.export()
		before := w.exporter.Dataset.KeptFrom(w.clock.Now())
		kept, left := w.status().Retained, w.count("select count(*) from %s", w.kind.table("calls"))
		if want := len(w.truth(before, w.edge())); left != want || kept.Rows != int64(all-left) || kept.Rows < 5000 {
			t.Errorf("%d rows are left of %d, want %d; %+v", left, all, want, kept)
		}
	}
}

// A clock that is ahead deletes nothing that is not old by the database's clock.
func TestRetentionByAClockThatIsAhead(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		w := newWorld(t, k, calls(150), start.AddDate(0, 0, -2), keeping)
		w.export()
		rows := len(w.table())
		w.clock.Advance(time.Until(w.clock.Now().AddDate(0, 0, 10)) + 24*time.Hour) // ten days and more from now
		w.exporter.Dataset.Since = w.clock.Now().Add(-time.Hour)
		w.export()
		if left := w.count("select count(*) from %s where %s < '2025'", w.kind.table("calls"), w.kind.instant("started_at")); left != rows {
			t.Errorf("%d rows are left of %d", left, rows)
		}
	})
}

// Of a window of an older, larger grid a part is deleted: that is no difference.
func TestAWindowThatIsKeptInPartIsNotVerified(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		days, err := window.NewGrid(aDay, nil)
		if err != nil {
			t.Fatal(err)
		}
		hours := window.Grid{}
		w := newWorld(t, k, calls(150), start.AddDate(0, 0, -3), func(d *export.Dataset) { d.Reread, hours, d.Grid = nil, d.Grid, days })
		w.clock.Advance(2 * time.Hour)
		w.export()
		d := w.exporter.Dataset
		d.Grid, d.Retention = hours, 2*aDay
		w.exporter = w.newExporter(d, w.warehouse)
		w.export()
		v, err := w.exporter.Verify(t.Context(), export.VerifyRange{From: d.Since})
		if err != nil || !v.Equal() || v.Windows == 0 {
			t.Errorf("%v, %d windows, %+v", err, v.Windows, v.Differing)
		}
	})
}
