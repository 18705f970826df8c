package export

import (
	"context"
	"errors"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// looksForLife is how often a row is looked up that changes meanwhile.
const looksForLife = 5

// Versions are all versions that are known of the row with a key, in order of time: none of a row that there is not.
// Without a history it is the one that the table has.
func (e *Exporter) Versions(ctx context.Context, key schema.Row) ([]sink.Version, error) {
	_, err := e.Warehouse.Entries(ctx, e.Dataset.Name, e.Dataset.ConfigHash, window.Window{})
	if errors.Is(err, sink.ErrSuperseded) {
		return nil, ErrNotPrepared
	}
	if err != nil {
		return nil, err
	}
	var versions []sink.Version
	for range looksForLife {
		if versions, err = e.lookUp(ctx, key); err != nil {
			return nil, err
		}
		n := len(versions)
		if n < 2 || !versions[n-1].To.IsZero() || !versions[n-1].From().Before(versions[n-2].To) {
			break
		}
		// The row was changed between the two looks: the history has by now what the table had then.
	}
	return versions, nil
}

func (e *Exporter) lookUp(ctx context.Context, key schema.Row) ([]sink.Version, error) {
	table := e.Dataset.Mapper.Table()
	now, err := e.Warehouse.StoredByKey(ctx, table, []schema.Row{key})
	if err != nil {
		return nil, err
	}
	var kept []sink.StoredRow
	if table.History {
		history := table.HistoryTable()
		history.Key = table.Key // all versions of it
		if kept, err = e.Warehouse.StoredByKey(ctx, history, []schema.Row{key}); err != nil {
			return nil, err
		}
	}
	var current *sink.StoredRow
	if len(now) > 0 {
		current = &now[0]
	}
	return sink.VersionsOf(table, kept, current)
}
