package export

import (
	"testing"
	"time"

	"samespace-exporter/internal/schema"
)

// What is kept begins where it does by the dataset's own clock.
func TestTimeInTheTypeOfATimeField(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 5, 6, 18, 30, 0, 0, time.UTC) // midnight there
	for of, want := range map[schema.Type]time.Time{
		schema.Timestamptz: at,
		schema.Timestamp:   time.Date(2024, 5, 7, 0, 0, 0, 0, time.UTC),
		schema.Date:        time.Date(2024, 5, 7, 0, 0, 0, 0, time.UTC),
	} {
		table := schema.Table{TimeField: "at", Columns: []schema.Column{{Name: "at", Type: of}}}
		if got := timeFieldOf(table, kolkata).value(at).Time(); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", of, got, want)
		}
	}
}
