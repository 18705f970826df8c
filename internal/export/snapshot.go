package export

import (
	"fmt"
	"time"

	"samespace-exporter/internal/window"
)

// A snapshot is a rolling range of the API (Query.TimeRange), read whole. In the ledger it is one window that never
// ends: each pass reads it whole and says that it was read up to the pass's edge, which is its tick. So it is due once
// for each tick, whichever replica comes first; leases, failures, rejects and runs are as those of any window. The
// rows' _window_start is the edge.

// snapshotWindow is the ledger's window of a snapshot. No configured window begins as early or ends as late.
func snapshotWindow() window.Window {
	return window.Window{Start: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func isSnapshot(w window.Window) bool {
	is := snapshotWindow()
	return w.Start.Equal(is.Start) && w.End.Equal(is.End)
}

// spanText is a span for people, who know nothing of the window of a rolling range or a dashboard.
func spanText(w window.Window) string {
	if isSnapshot(w) {
		return "all of it"
	}
	return w.String()
}

// SnapshotError says that a backfill was asked for of a dataset that has no windows.
type SnapshotError struct{ Dataset string }

func (e *SnapshotError) Error() string {
	return fmt.Sprintf("%s is a rolling range (time_range), which is read whole at each run: it has no past to backfill", e.Dataset)
}

// KeptOtherwiseError says that the ledger has the windows of a dataset in another form than it is configured now.
type KeptOtherwiseError struct{ Dataset string }

func (e *KeptOtherwiseError) Error() string {
	return fmt.Sprintf("the ledger knows %s in another form: it had since and is a time_range now, or the other way round; give it another name and table", e.Dataset)
}
