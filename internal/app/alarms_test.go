package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
)

// told keeps what people were told.
type told struct{ messages []string }

func (t *told) Post(_ context.Context, text string) error {
	t.messages = append(t.messages, text)
	return nil
}

// failing is an API all of whose requests fail in one way.
type failing source.Class

func (f failing) Rows(context.Context, source.Query, source.Taker) (source.Reading, error) {
	return source.Reading{}, &source.Error{Class: source.Class(f), Err: errors.New("as scripted")}
}

// alarmed has a daemon tell people.
func alarmed(a *App) *told {
	t := &told{}
	a.alarms = newAlarms(a, t)
	a.alarms.began = a.Clock.Now()
	return t
}

// A replica that is cut off from the API tells so once, and once that it is over, whatever another one reads meanwhile.
func TestAReplicaThatIsCutOffTellsItOnce(t *testing.T) {
	w := newWard(t)
	other := w.open(w.config)
	here, there := alarmed(w.App), alarmed(other)
	both := func() {
		w.tick()
		w.alarms.check(t.Context())
		for _, j := range other.jobs {
			other.pass(t.Context(), j, nil)
		}
		other.alarms.check(t.Context())
	}
	sound := w.exporters[0].Source
	w.exporters[0].Source = failing(source.Unreachable)
	for range 12 {
		both()
	}
	w.exporters[0].Source = sound
	for range 12 {
		both()
	}
	if len(here.messages) != 2 || !strings.Contains(here.messages[0], "first is not exported: ") || !strings.Contains(here.messages[1], "first is exported again") {
		t.Errorf("told: %q", here.messages)
	}
	if len(there.messages) != 0 {
		t.Errorf("the other one told: %q", there.messages)
	}
}

// A daemon that tells a webhook ends when it cannot begin, as any other does.
func TestAnAlarmedDaemonThatCannotBegin(t *testing.T) {
	w := newWard(t)
	alarmed(w.App)
	w.warehouse = unmigratable{w.warehouse}
	if err := w.work(t.Context()); !errors.Is(err, errUnmigratable) {
		t.Errorf("got %v", err)
	}
}

// unmigratable is a warehouse that cannot be brought to the newest version.
type unmigratable struct{ Warehouse }

var errUnmigratable = errors.New("somebody else's table is in the way")

func (unmigratable) Migrate(context.Context) error { return errUnmigratable }

// What is exported once a day is not overdue before the next tick, however far back it is complete.
func TestOverdueCountsFromTheSchedule(t *testing.T) {
	w := newWard(t)
	w.config = strings.Replace(w.config, "    since: 2024-05-05\n", "    since: 2024-05-05\n    schedule: \"@daily\"\n", 1)
	w.App = w.open(w.config)
	w.clock.Advance(15 * time.Hour) // midnight
	w.tick()
	overdue := func() string {
		w.Helper()
		response := httptest.NewRecorder()
		w.handler().ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		var lines []string
		for line := range strings.Lines(response.Body.String()) {
			if strings.Contains(line, `_overdue_seconds{dataset="first"}`) {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		return strings.Join(lines, ", ")
	}
	w.clock.Advance(23 * time.Hour)
	w.expect("before the tick", overdue(), `exporter_read_to_overdue_seconds{dataset="first"} 0, exporter_through_overdue_seconds{dataset="first"} 0`)
	w.clock.Advance(3 * time.Hour)
	w.expect("after it", overdue(), `exporter_read_to_overdue_seconds{dataset="first"} 7380, exporter_through_overdue_seconds{dataset="first"} 7380`)
}

// What is to come is neither behind nor stale.
func TestADatasetThatIsToBeginLater(t *testing.T) {
	w := newWard(t)
	w.config = strings.ReplaceAll(w.config, "since: 2024-05-05", "since: 2024-05-07")
	w.App = w.open(w.config)
	here := alarmed(w.App)
	for range 60 { // three hours, which is longer than stale_after
		w.tick()
		w.alarms.check(t.Context())
	}
	w.expect("states", w.states(), "first: ok, second: ok")
	if len(here.messages) != 0 {
		t.Errorf("told: %q", here.messages)
	}
	report, err := w.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.expect("reason", report.Datasets[0].Reason, "it begins at 2024-05-07 00:00:00 UTC, which is to come: since says so")

	w.clock.Advance(15 * time.Hour) // 03:00 of the day on which it begins
	w.tick()
	if report, err = w.Status(t.Context()); err != nil || report.Datasets[0].Windows == 0 || report.Datasets[0].Reason != "" {
		t.Errorf("%v: %+v", err, report.Datasets)
	}
}

// Windows that another process has read since are well, although the last pass of this one failed over them.
func TestWindowsThatAnotherOneReadAreWellAgain(t *testing.T) {
	w := newWard(t)
	other := w.open(w.config)
	here := alarmed(w.App)
	w.exporters[0].Source = failing(source.Transient)
	w.tick()
	w.alarms.check(t.Context())
	for range 12 {
		w.clock.Advance(3 * time.Minute)
		other.pass(t.Context(), other.jobs[0], nil)
	}
	w.alarms.check(t.Context())
	if len(here.messages) != 2 || !strings.Contains(here.messages[0], "first fails: ") || !strings.HasSuffix(here.messages[1], ": first is well again: no window fails") {
		t.Errorf("told: %q", here.messages)
	}
}

// silent is a warehouse that does not say how it is.
type silent struct{ Warehouse }

func (silent) Status(context.Context, time.Time) ([]sink.DatasetStatus, error) {
	return nil, &sink.UnavailableError{Err: errors.New("no answer")}
}

// A warehouse that was away is told of once, and that it is back, but not once more for each dataset that waits to go on.
func TestAWarehouseThatWasAwayIsNoTroubleOfItsDatasets(t *testing.T) {
	w := newWard(t)
	people := alarmed(w.App)
	out := &away{Warehouse: w.warehouse}
	w.exporters[0].Warehouse = out
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		w.pass(t.Context(), w.jobs[0], stop)
	}()
	w.looks(5)
	w.App.warehouse = silent{w.App.warehouse}
	w.alarms.check(t.Context())
	w.App.warehouse = w.App.warehouse.(silent).Warehouse
	w.alarms.check(t.Context())
	if len(people.messages) != 2 || strings.Contains(people.messages[1], "first") {
		t.Errorf("told: %q", people.messages)
	}
	close(stop)
	<-done
}

// preparing is a warehouse whose table another process prepares.
type preparing struct{ export.Warehouse }

func (preparing) Prepare(context.Context, sink.Dataset) (sink.Prepared, error) {
	return sink.Prepared{}, &sink.UnavailableError{Err: sink.ErrBeingPrepared, Hint: "it is tried again"}
}

// That a replica waits for another one, which alters the table, is no trouble.
func TestATableThatIsBeingPreparedIsNoTrouble(t *testing.T) {
	w := newWard(t)
	people := alarmed(w.App)
	w.exporters[0].Warehouse = preparing{w.warehouse}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		w.pass(t.Context(), w.jobs[0], stop)
	}()
	w.looks(5)
	w.alarms.check(t.Context())
	if len(people.messages) > 0 {
		t.Errorf("told: %q", people.messages)
	}
	close(stop)
	<-done
}

// A dataset that a new config does not export leaves no alarm behind; the others' stay.
func TestAReloadForgetsAlarmsOfWhatIsGone(t *testing.T) {
	w := newWard(t)
	d := Daemon{told: memory{{"first", alarmPass}: true, {"second", alarmPass}: true}}
	d.forget(w.App, []string{"first"})
	for dataset, news := range map[string]bool{"first": false, "second": true} {
		is, err := d.told.RaiseAlarm(t.Context(), dataset, alarmPass, w.clock.Now())
		if err != nil || is != news {
			t.Errorf("%s: its trouble is news: %t, %v", dataset, is, err)
		}
	}
}
