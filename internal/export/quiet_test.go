package export_test

import (
	"testing"
	"time"
)

// By another time than the API's nothing of what the API does not send is gone, also in an hour in which nothing is sent that would show it.
func TestNothingIsMarkedInAQuietHour(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(0), since, nil)
		m := w.mapping()
		m.TimeField, m.MarksDeleted = "ended_at", true
		w.exporter.Dataset.Mapper = w.compile(m)
		w.exporter.Dataset.DeletedMaxShare = 0.5
		quiet := start.Add(3 * time.Hour)
		for at := since; at.Before(start.Add(240 * time.Hour)); at = at.Add(20 * time.Minute) {
			if !at.Before(quiet) && at.Before(quiet.Add(time.Hour)) {
				continue
			}
			w.call(at, 5*time.Hour+90*time.Second, nil)
		}
		for range 220 {
			w.clock.Advance(time.Hour)
			w.export()
		}
		if n := len(w.marked()); n > 0 {
			t.Errorf("%d live calls are marked as deleted", n)
		}
	})
}

// So it is where the times have no offset and the dataset has another timezone, with nights in which nobody calls.
func TestNothingIsMarkedInQuietNights(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Truncate(24 * time.Hour).Add(-72 * time.Hour)
		w := newWorld(t, k, calls(0), since, nil)
		m := w.mapping()
		m.MarksDeleted = true
		w.exporter.Dataset.Mapper, w.exporter.Dataset.DeletedMaxShare = w.compile(m), 0.5
		w.startsAs(time.FixedZone("east", 6*3600), "2006-01-02T15:04:05.000") // without an offset: taken for UTC
		for day := since; day.Before(start.Add(240 * time.Hour)); day = day.Add(24 * time.Hour) {
			for at := day.Add(4 * time.Hour); at.Before(day.Add(13 * time.Hour)); at = at.Add(20 * time.Minute) {
				if _, err := w.sim.Insert(w.report.ID, at, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 210 {
			w.clock.Advance(time.Hour)
			if s, err := w.exporter.Export(t.Context(), passOnce()); err != nil {
				t.Fatal(err, s.Err())
			}
		}
		if n := len(w.marked()); n > 0 {
			t.Errorf("%d live calls are marked as deleted", n)
		}
	})
}
