package status

import (
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
)

// Backfill is one that has windows left: it is under way, or was interrupted.
type Backfill struct {
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	StartedAt time.Time `json:"started_at"`
	Left      int64     `json:"windows_left"`
}

// backfillsOf are a dataset's.
func backfillsOf(unfinished []sink.Unfinished, dataset string) (all []Backfill) {
	for _, b := range unfinished {
		if b.Dataset == dataset {
			all = append(all, Backfill{From: b.Range.Start.UTC(), To: b.Range.End.UTC(), StartedAt: b.StartedAt.UTC(), Left: b.Left})
		}
	}
	return all
}

// Unfinished says in a line each what backfills have left: their windows are due, so that any run reads them. Of a dataset
// that nobody reads, nothing.
func (d Dataset) Unfinished() (lines []string) {
	if d.State == NotConfigured {
		return nil
	}
	for _, b := range d.Backfills {
		windows := "windows are"
		if b.Left == 1 {
			windows = "window is"
		}
		lines = append(lines, fmt.Sprintf("backfill from %s to %s UTC: %d %s left; the daemon reads what is left by itself, and so does the same command again",
			b.From.Format(time.DateTime), b.To.Format(time.DateTime), b.Left, windows))
	}
	return lines
}
