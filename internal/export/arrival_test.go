package export_test

import (
	"bytes"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/window"
)

// lagsOf are how long after their time the calls of the table were made, by their ids.
func (w *world) lagsOf() (lags []time.Duration) {
	w.Helper()
	for id, c := range w.table() {
		key, err := hex.DecodeString(id)
		if err != nil {
			w.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.started)
		if err != nil {
			w.Fatal(err)
		}
		made := int64(key[0])<<24 | int64(key[1])<<16 | int64(key[2])<<8 | int64(key[3])
		lags = append(lags, time.Duration(made-at.Unix())*time.Second)
	}
	slices.Sort(lags)
	return lags
}

// mustKnowLags compares what the status says of arrival lags with the rows.
func (w *world) mustKnowLags() {
	w.Helper()
	exact, l := w.lagsOf(), w.status().Lags
	if l.Total() != int64(len(exact)) || len(exact) < 100 || l.Largest != exact[len(exact)-1] {
		w.Errorf("%d rows, at most %s late; want %d, at most %s", l.Total(), l.Largest, len(exact), exact[len(exact)-1])
	}
	for _, part := range []float64{0.5, 0.99} {
		want := exact[int(part*float64(len(exact)))]
		if got := l.Quantile(part); got < want || got > want*5/4+time.Second {
			w.Errorf("%g of the rows within %s, want %s", part, got, want)
		}
	}
}

// However often windows are read, each row counts once.
func TestArrivalLags(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		var log bytes.Buffer
		w := newWorld(t, k, calls(400), start.AddDate(0, 0, -1), func(d *export.Dataset) {
			d.Reread = window.Reread{15 * time.Minute, time.Hour}
		})
		w.exporter.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w.export()
		w.mustKnowLags() // history, some of which came later than it would be read again
		known, misses := w.status(), func() int { return strings.Count(log.String(), "rows arrive later than the last re-read") }
		late := known.Lags.Later(time.Hour)
		if late == 0 || misses() != 1 || !strings.Contains(log.String(), "reread_that_catches_them=") {
			t.Errorf("%d rows are late; the log tells of it %d times: %s", late, misses(), log.String())
		}
		for range 3 {
			w.clock.Advance(40 * time.Minute)
			w.export()
		}
		w.everythingAgain() // which finds what came too late
		w.mustEqualTruth(w.exporter.Dataset.Since, w.edge())
		w.mustKnowLags()
		if misses() != 1 {
			t.Errorf("it is told %d times", misses())
		}
		if n := w.count("select count(*) from %s", w.kind.own("arrivals")); n == 0 || n > 200 {
			t.Errorf("%d buckets are kept", n)
		}
	})
}

// Where the last re-read is late enough, nobody is warned; where keys are no ObjectIds nothing is known.
func TestArrivalLagsThatAreNoTrouble(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		var log bytes.Buffer
		w := newWorld(t, k, calls(300), start.AddDate(0, 0, -1), nil)
		w.exporter.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w.export()
		known := w.status()
		if last := w.exporter.Dataset.LastReread(); known.Lags.Later(last) != 0 || strings.Contains(log.String(), "later than the last re-read") {
			t.Errorf("rows are later than %s: %s", last, log.String())
		}
	})
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(300), start.AddDate(0, 0, -1), nil)
		w.exporter.Dataset.Mapper = w.compile(func() schema.Mapping {
			m := w.mapping()
			m.Key = []string{"call_id", "started_at"}
			return m
		}())
		w.export()
		known := w.status()
		if n := known.Lags.Total(); n != 0 {
			t.Errorf("%d rows of a key of two columns", n)
		}
	})
}
