package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Retirer ends windows that are older than a dataset keeps its rows, and deletes these rows.
type Retirer interface {
	Retire(ctx context.Context, r sink.Retirement) (windows int, err error)
	Cut(ctx context.Context, c sink.Cut) (sink.Cutting, error)
}

const (
	// cutBatch is how many rows are deleted in a transaction: nothing else of the dataset is committed meanwhile.
	cutBatch = 5000
	// cutFor is how long a scheduled pass deletes before it leaves the rest to the next one.
	cutFor = time.Minute
)

// RetentionError says that a range begins before what is kept.
type RetentionError struct {
	Dataset    string
	From, Kept time.Time
}

func (e *RetentionError) Error() string {
	return fmt.Sprintf("retention of %s keeps rows from %s on: a backfill from %s would read what is deleted again; begin at that time or later, or give it a longer retention",
		e.Dataset, e.Kept.UTC().Format(time.RFC3339), e.From.UTC().Format(time.RFC3339))
}

// retained are the tables whose rows go when they are too old, by their time field, or by their window where they have none:
// what rows were before they changed goes as the rows do.
func (d Dataset) retained() []schema.Table {
	table := d.Mapper.Table()
	if !table.History {
		return []schema.Table{table}
	}
	history := table.HistoryTable()
	history.TimeField = table.TimeField
	return []schema.Table{table, history}
}

// retire takes the windows before what is kept out of what is due.
func (p *passage) retire(ctx context.Context) error {
	before := p.Dataset.KeptFrom(p.dueAt)
	if before.IsZero() {
		return nil
	}
	windows, err := p.Warehouse.Retire(ctx, p.retirement(before))
	if errors.Is(err, sink.ErrClockAhead) {
		p.Logger.Warn("retention", "dataset", p.Dataset.Name, "error", err)
		return nil
	}
	if windows > 0 {
		p.Logger.Info("windows are older than the retention, and not read any more", "dataset", p.Dataset.Name, "windows", windows, "before", before)
	}
	return err
}

func (p *passage) retirement(before time.Time) sink.Retirement {
	return sink.Retirement{Dataset: p.Dataset.Name, ConfigHash: p.Dataset.ConfigHash, Before: before, Keep: p.Dataset.Retention, Now: p.dueAt}
}

// deleteOld deletes the rows that are older than the retention, batch by batch, once for each bound of windows. It comes after
// what is due.
func (p *passage) deleteOld(ctx context.Context) error {
	before := p.Dataset.KeptFrom(p.dueAt)
	if before.IsZero() || before.Equal(p.lasting.deletedBefore) {
		return nil
	}
	deleted, began := int64(0), time.Now()
	for _, table := range p.Dataset.retained() {
		for batches, done := 0, false; !done; batches++ {
			if p.outOfTime(batches, began, cutFor) {
				p.tellCut(deleted, before)
				return nil
			}
			cutting, err := p.Warehouse.Cut(ctx, sink.Cut{Retirement: p.retirement(before), Table: table, Time: timeFieldOf(table, p.Dataset.Grid.Location()).value(before), Limit: cutBatch})
			if errors.Is(err, sink.ErrClockAhead) {
				return nil // told when the pass began
			}
			if err != nil {
				return err
			}
			deleted += cutting.Deleted
			done = cutting.Done
		}
	}
	p.tellCut(deleted, before)
	p.lasting.deletedBefore = before
	return nil
}

func (p *passage) tellCut(deleted int64, before time.Time) {
	if deleted > 0 {
		p.Logger.Info("old rows deleted", "dataset", p.Dataset.Name, "rows", deleted, "before", before, "retention", p.Dataset.Retention.String())
	}
}
