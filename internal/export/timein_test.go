package export

import (
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/window"
)

// What is kept begins where it does by the dataset's own clock.
func TestTimeInTheTypeOfATimeField(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	grid, err := window.NewGrid(24*time.Hour, kolkata)
	if err != nil {
		t.Fatal(err)
	}
	e := &Exporter{Dataset: Dataset{Grid: grid}}
	at := time.Date(2024, 5, 6, 18, 30, 0, 0, time.UTC) // midnight there
	for of, want := range map[schema.Type]time.Time{
		schema.Timestamptz: at,
		schema.Timestamp:   time.Date(2024, 5, 7, 0, 0, 0, 0, time.UTC),
		schema.Date:        time.Date(2024, 5, 7, 0, 0, 0, 0, time.UTC),
	} {
		table := schema.Table{TimeField: "at", Columns: []schema.Column{{Name: "at", Type: of}}}
		if got := e.timeIn(table, at).Time(); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", of, got, want)
		}
	}
}
