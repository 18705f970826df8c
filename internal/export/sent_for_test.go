package export_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
)

// A reject of a replaced window is put right in the window that it was sent for, whatever its time: so it gives way to it.
func TestARetriedRejectIsOfTheWindowThatItWasSentFor(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-12 * time.Hour)
		w := newWorld(t, k, calls(200), since, nil)
		w.keyless(sink.ReplaceWindows, func(m *schema.Mapping) { m.TimeField = "ended_at" })
		w.clock.Advance(100 * time.Hour)
		w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID))
		w.pass(upToStart(since))
		w.keyless(sink.ReplaceWindows, func(m *schema.Mapping) {
			m.TimeField = "ended_at"
			i := fieldNamed(m, "duration_s")
			m.Fields[i].Name, m.Fields[i].Type = "duration_text", schema.Text
		})
		w.reconfigure("mended")
		if done, err := w.exporter.RetryRejects(t.Context(), nil); err != nil || done.Counts.Inserted == 0 {
			t.Fatal(done, err)
		}
		w.mustHaveEach(since, start)
		w.clock.Advance(time.Second)
		for from := since; from.Before(start); from = from.Add(2 * time.Hour) {
			w.hourly(from, from.Add(time.Hour))
		}
		w.mustHaveEach(since, start)
	})
}

// verify compares a window that is replaced with what was sent for it, whatever the times of its rows.
func TestVerifyByTheWindowThatRowsWereSentFor(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-12 * time.Hour)
		w := newWorld(t, k, calls(200), since, nil)
		w.keyless(sink.ReplaceWindows, func(m *schema.Mapping) { m.TimeField = "ended_at" })
		w.clock.Advance(100 * time.Hour)
		w.pass(upToStart(since))
		all := export.VerifyRange{From: since, To: start}
		if v, err := w.exporter.Verify(t.Context(), all); err != nil || !v.Equal() {
			t.Errorf("%v; %+v", err, v)
		}
		w.exec("delete from " + k.table("calls") + " where ended_at >= '" + start.Add(-time.Hour).Format("2006-01-02T15:04:05.000000Z") + "'")
		if v, err := w.exporter.Verify(t.Context(), all); err != nil || v.Equal() {
			t.Errorf("missing rows are not told: %v; %+v", err, v)
		}
	})
}

// Sums that begin before the window that was asked for may have a part of it only: what is not kept is told.
func TestSumsThatBeginBeforeTheirWindowAreTold(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, i, since := sumsWorld(t, k)
		w.clock.Advance(200 * time.Hour)
		var log bytes.Buffer
		w.exporter.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w.showsLater(i.fields[0].ID, -30*time.Minute) // as where the timezone is half an hour off
		w.pass(upToStart(since))
		if !strings.Contains(log.String(), "sums that begin before the window are not kept") {
			t.Errorf("nothing is told of sums that are not kept: %s", log.String())
		}
	})
}

// Sums that are labelled by the end of their hour are not of the window that was asked for: what is not kept is told.
func TestInsightLabelledByTheEndIsTold(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, i, since := sumsWorld(t, k)
		w.clock.Advance(200 * time.Hour)
		var log bytes.Buffer
		w.exporter.Logger = slog.New(slog.NewTextHandler(&log, nil))
		const told = "labels sums by the end"
		w.pass(upToStart(since))
		if strings.Contains(log.String(), told) {
			t.Errorf("of sums that are labelled by the start of their hour: %s", log.String())
		}
		w.showsLater(i.fields[0].ID, time.Hour)
		w.hourly(start.Add(-2*time.Hour), start.Add(-time.Hour))
		if !strings.Contains(log.String(), told) {
			t.Error("nothing is told of sums that are not kept")
		}
	})
}
