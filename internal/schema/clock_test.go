package schema

import (
	"testing"
	"time"
)

// All days that a time may have are those that the calendar of package time has.
func TestDaysSinceEpoch(t *testing.T) {
	day := time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC)
	for want := day.Unix() / (24 * 60 * 60); day.Year() < 10_000; want++ {
		year, month, dayOfMonth := day.Date()
		if got := daysSinceEpoch(year, int(month), dayOfMonth); got != want {
			t.Fatalf("%s is %d days from the epoch, want %d", day.Format(time.DateOnly), got, want)
		}
		day = day.AddDate(0, 0, 1)
	}
}
