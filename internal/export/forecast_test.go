package export

import (
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// table is a mapper of which only the table is asked.
type table struct{ Mapper }

func (table) Table() schema.Table {
	return schema.Table{TimeField: "started_at", Columns: []schema.Column{{Name: "started_at", ID: "5e6f", Type: schema.Timestamptz}}}
}

func forecaster(t *testing.T, since time.Time) Dataset {
	t.Helper()
	grid, err := window.NewGrid(time.Hour, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return Dataset{
		Name: "calls", Mapper: table{}, Grid: grid, Since: since, Overlap: time.Minute, MaxRows: 20000, MaxSpan: 31 * 24 * time.Hour,
		Query: source.Query{PageSize: 1000},
	}
}

func TestForecastOfNothingKnown(t *testing.T) {
	d := forecaster(t, monday)
	now := monday.AddDate(0, 0, 30).Add(30 * time.Minute)
	f := d.Forecast(nil, now, 3600.0/3600)
	if f.Live.Windows != 1 || f.Live.Rows != 1800 || f.History.Windows != 30*24 || f.Total().Windows != 30*24+1 {
		t.Errorf("%+v", f)
	}
	if rows := f.History.Rows; rows != 30*24*3600 {
		t.Errorf("%d rows of history, at one a second", rows)
	}
	if pages := f.History.Rows / 1000; int64(f.History.Requests) < pages || int64(f.History.Requests) > pages*3/2 {
		t.Errorf("%d requests for %d full pages", f.History.Requests, pages)
	}
}

func TestForecastByWhyWindowsAreDue(t *testing.T) {
	d := forecaster(t, monday)
	now := monday.Add(10*time.Hour + 30*time.Minute)
	ledger := hours(monday, 11, true, flat(60))
	for i := range ledger {
		ledger[i].State = sink.StateFinal
	}
	ledger[1].State, ledger[1].NextReadAt = sink.StateRead, now            // a re-read is due
	ledger[2].State, ledger[2].NextReadAt = sink.StateRead, now.Add(1)     // not yet
	ledger[3].State, ledger[3].NextReadAt = sink.StateFailed, now          // failed, and due
	ledger[4].State, ledger[4].NextReadAt = sink.StateUnstable, now.Add(1) // rests
	ledger[5].State, ledger[5].NextReadAt = sink.StateRunning, now
	ledger[6] = sink.Entry{Window: ledger[6].Window, State: sink.StateDue, NextReadAt: now} // never read
	ledger[10].State, ledger[10].ReadTo, ledger[10].NextReadAt = sink.StateRead, now.Add(-29*time.Minute), now
	f := d.Forecast(ledger, now, 0)
	want := Forecast{
		Live: Work{1, 1, 30}, Reread: Work{1, 1, 60}, History: Work{1, 1, 60}, Failed: Work{1, 1, 60}, Resting: 1, Running: 1,
	}
	if f != want {
		t.Errorf("got %+v, want %+v", f, want)
	}
}

// A window that holds more than max_rows is cut: that costs requests.
func TestForecastOfADenseHour(t *testing.T) {
	d := forecaster(t, monday)
	now := monday.Add(2 * time.Hour)
	ledger := hours(monday, 2, true, flat(60000))
	for i := range ledger {
		ledger[i].State, ledger[i].NextReadAt = sink.StateRead, now
	}
	f := d.Forecast(ledger, now, 0)
	if total := f.Total(); total.Rows != 120000 || total.Requests < 2*64 || total.Requests > 2*80 {
		t.Errorf("%+v", f)
	}
	d.Write = sink.ReplaceWindows // is never cut
	if f := d.Forecast(ledger, now, 0); f.Total().Requests != 2*61 {
		t.Errorf("%+v", f)
	}
}

// A span that is read in parts is not cut: its pages are nearly all that it costs.
func TestForecastOfWhatIsReadInParts(t *testing.T) {
	d := forecaster(t, monday)
	d.Query.SortID = "5e6f"
	now := monday.Add(8 * time.Hour)
	ledger := hours(monday, 8, true, flat(20000))
	for i := range ledger {
		ledger[i].State, ledger[i].NextReadAt = sink.StateRead, now
	}
	f := d.Forecast(ledger, now, 0)
	if total := f.Total(); total.Rows != 160000 || total.Requests < 160+1 || total.Requests > 168 {
		t.Errorf("%+v", f)
	}
	d.Query.SortDesc = true // cannot be read in parts
	if backwards := d.Forecast(ledger, now, 0); backwards.Total().Requests <= f.Total().Requests {
		t.Errorf("%+v, in order of time %+v", backwards, f)
	}
}

func TestForecastOfARollingRange(t *testing.T) {
	d := forecaster(t, monday)
	d.Snapshot = true
	if f := d.Forecast([]sink.Entry{{Window: snapshotWindow(), Rows: 2500}}, monday, 0); f.Live != (Work{1, 3, 2500}) {
		t.Errorf("%+v", f)
	}
}
