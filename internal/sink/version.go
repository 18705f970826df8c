package sink

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
)

// Cause is what made a version of a row in place of the one before.
type Cause string

// The causes of versions.
const (
	CauseRead      Cause = "read"      // a reading brought it, also one that brought back a row that was marked as deleted
	CauseGone      Cause = "gone"      // the row was marked as deleted
	CauseRetry     Cause = "retry"     // a reject that fits now
	CausePromotion Cause = "promotion" // values were moved from _extra to their columns
)

// Version is a row as it is or was.
type Version struct {
	StoredRow
	// To is when another version took its place; zero: it is the one that the table has.
	To time.Time
	// What made it in place of the one before; zero where that one is not known, as of the first one, and of one that was
	// written while no history was kept.
	Changed []string // the columns that differ
	Cause   Cause
	Run     RunID // zero: no run
}

// From is when the version was written.
func (v Version) From() time.Time { return v.ExportedAt }

// Changed are the names of the columns in which a row is to be another: those of the mapping, _extra, and _deleted_at.
func Changed(t schema.Table, was StoredRow, is schema.Row, deleted bool) []string {
	changed := []string{}
	for i, c := range t.Columns {
		if was.Values[i] != is.Values[i] {
			changed = append(changed, c.Name)
		}
	}
	if was.Extra != is.Extra {
		changed = append(changed, schema.ExtraColumn)
	}
	if was.Deleted != deleted {
		changed = append(changed, schema.DeletedAtColumn)
	}
	return changed
}

// Since is the time from which versions hold that are to take the place of others, of which the last one was written at
// last: at, or later where that was no earlier, by a clock that has been set back since.
func Since(at, last time.Time) time.Time {
	if at = at.UTC().Truncate(time.Microsecond); at.After(last) {
		return at
	}
	return last.Add(time.Microsecond)
}

// VersionsOf puts the versions of one row in order: kept is what the history of the table has of it, in any order; now,
// what the table has, if anything.
func VersionsOf(t schema.Table, kept []StoredRow, now *StoredRow) ([]Version, error) {
	history := t.HistoryTable()
	kept = slices.Clone(kept)
	to := func(row StoredRow) time.Time { return row.Values[history.ColumnIndex(schema.ValidToColumn)].Time() }
	slices.SortFunc(kept, func(a, b StoredRow) int { return to(a).Compare(to(b)) })
	var versions []Version
	add := func(row StoredRow, next Version) { // what is known of it by the version before
		if n := len(versions); n == 0 || !versions[n-1].To.Equal(row.ExportedAt) {
			next = Version{}
		}
		next.StoredRow = row
		versions = append(versions, next)
	}
	var next Version
	for _, row := range kept {
		add(row, next)
		v := &versions[len(versions)-1]
		v.To, v.Values = to(row), row.Values[:len(t.Columns):len(t.Columns)]
		next = Version{
			Cause: Cause(row.Values[history.ColumnIndex(schema.CauseColumn)].Str()),
			Run:   RunID(row.Values[history.ColumnIndex(schema.RunColumn)].Int()),
		}
		if err := json.Unmarshal([]byte(row.Values[history.ColumnIndex(schema.ChangedColumn)].Str()), &next.Changed); err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", schema.ChangedColumn, history.Name, err)
		}
	}
	if now != nil {
		add(*now, next)
	}
	return versions, nil
}
