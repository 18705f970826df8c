package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"iter"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

const (
	insertRows   = 20    // of a statement: more gain nothing
	existingKeys = 500   // of a statement
	maxArgs      = 32766 // of a statement: SQLite's limit
)

// rowset is a batch's rows as the file will hold them: in key order, the last one of each key.
type rowset struct {
	shape     shape
	rows      [][]any // values of shape.columns
	duplicate int64
	comparing *time.Duration // see sink.Batch.Compared
	origin    origin         // of what is written
	arrivals  *sink.Arrivals // see sink.Batch.Arrivals
	timeField int            // place of the time field; -1: none
	// overtaking tells the versions that, where a row would take the place of one, fail the commit.
	overtaking sink.Overtaking
}

// store reads what the table has of the rows, compares, and writes what differs. Rows of a table without a key
// are all new.
func (s rowset) store(ctx context.Context, tx *transaction, now time.Time) (sink.Counts, error) {
	fresh, changed := s.rows, [][]any(nil)
	if len(s.shape.key) > 0 {
		var err error
		if fresh, changed, err = s.split(ctx, tx); err != nil {
			return sink.Counts{}, err
		}
	}
	if err := s.insert(ctx, tx, fresh, now); err != nil {
		return sink.Counts{}, err
	}
	s.countArrivals(fresh)
	now, err := s.keepChanged(ctx, tx, changed, now)
	if err != nil {
		return sink.Counts{}, err
	}
	if err := s.update(ctx, tx, changed, now); err != nil {
		return sink.Counts{}, err
	}
	return sink.Counts{
		Inserted: int64(len(fresh)), Updated: int64(len(changed)),
		Unchanged: int64(len(s.rows) - len(fresh) - len(changed)), Duplicate: s.duplicate,
	}, nil
}

// split tells the rows that the table does not have, and those that it has otherwise. Where one of these was written by
// somebody who may have seen a newer version it fails.
func (s rowset) split(ctx context.Context, tx *transaction) (fresh, changed [][]any, err error) {
	if s.comparing != nil {
		began := time.Now()
		defer func() { *s.comparing += time.Since(began) }()
	}
	if found, err := s.anyExisting(ctx, tx); err != nil || !found {
		return s.rows, nil, err
	}
	for part, size := range even(s.rows, min(existingKeys, maxArgs/(len(s.shape.key)+1))) {
		more, differ, err := s.splitBy(ctx, tx, part, size)
		if err != nil {
			return nil, nil, err
		}
		fresh, changed = append(fresh, more...), append(changed, differ...)
	}
	return fresh, changed, nil
}

// even are the rows in parts that can be taken so many at once and come out even: by most, and what is left at once.
func even(rows [][]any, most int) iter.Seq2[[][]any, int] {
	return func(yield func(part [][]any, size int) bool) {
		whole := len(rows) - len(rows)%most
		if whole > 0 && !yield(rows[:whole], most) {
			return
		}
		if whole < len(rows) {
			yield(rows[whole:], len(rows)-whole)
		}
	}
}

// splitBy splits size rows with each run of one prepared statement; they must come out even.
func (s rowset) splitBy(ctx context.Context, tx *transaction, rows [][]any, size int) (fresh, changed [][]any, err error) {
	existing, err := tx.PrepareContext(ctx, s.shape.existing(size))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = existing.Close() }()
	found := make([]bool, size)
	var overtaken time.Time
	for chunk := range slices.Chunk(rows, size) {
		clear(found)
		err := s.existing(ctx, existing, chunk, func(n int, is []any, written any) {
			found[n] = true
			if slices.EqualFunc(chunk[n][:len(is)], is, same) {
				return
			}
			changed = append(changed, chunk[n])
			var when time.Time
			// What people spell otherwise is none of what the exporter wrote.
			if err := at(&when).Scan(written); err == nil && s.overtaking.By(when) && when.After(overtaken) {
				overtaken = when
			}
		})
		if err != nil {
			return nil, nil, err
		}
		for n, row := range chunk {
			if !found[n] {
				fresh = append(fresh, row)
			}
		}
	}
	if !overtaken.IsZero() {
		return nil, nil, &sink.OvertakenError{At: overtaken}
	}
	return fresh, changed, nil
}

// anyExisting tells whether the table may have any of the rows. Keys that grow with time, as those of new
// calls do, all lie beyond what is there: then one look is enough.
func (s rowset) anyExisting(ctx context.Context, tx *transaction) (found bool, err error) {
	if len(s.rows) == 0 {
		return false, nil
	}
	first := s.shape.key[0]
	switch s.shape.columns[first].Type {
	case schema.Numeric, schema.Duration: // not sorted as SQLite sorts them
		return true, nil
	}
	err = tx.QueryRowContext(ctx, s.shape.between(), s.rows[0][first], s.rows[len(s.rows)-1][first]).Scan(&found)
	return found, err
}

// existing calls found for each of the rows whose key the table has, with what the table has.
func (s rowset) existing(ctx context.Context, query *sql.Stmt, rows [][]any, found func(n int, is []any, written any)) error {
	args := make([]any, 0, len(rows)*(len(s.shape.key)+1))
	for n, row := range rows {
		args = append(args, n)
		for _, place := range s.shape.key {
			args = append(args, row[place])
		}
	}
	is := make([]any, s.shape.compared())
	to := make([]any, len(is)+2)
	var n int
	var written any
	to[0], to[1] = &n, &written
	for i := range is {
		to[i+2] = &is[i]
	}
	result, err := query.QueryContext(ctx, args...) //nolint:sqlclosecheck // each closes it
	return each(result, err, func() error {
		if err := result.Scan(to...); err != nil {
			return err
		}
		found(n, is, written)
		return nil
	})
}

func (s rowset) insert(ctx context.Context, tx *transaction, rows [][]any, now time.Time) error {
	if len(rows) == 0 {
		return nil
	}
	var triggers bool
	const find = `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE)`
	if err := tx.QueryRowContext(ctx, find, s.origin.table.Name).Scan(&triggers); err != nil {
		return err
	}
	for part, size := range even(rows, min(insertRows, (maxArgs-1)/len(s.shape.columns))) {
		if err := s.insertBy(ctx, tx, part, size, triggers, now); err != nil {
			return err
		}
	}
	return nil
}

// insertBy inserts size rows with each run of one prepared statement; they must come out even.
func (s rowset) insertBy(ctx context.Context, tx *transaction, rows [][]any, size int, triggers bool, now time.Time) error {
	exportedAt := stamp(now)
	return tx.repeat(ctx, s.shape.insert(size, triggers), len(rows)/size, 1+size*len(s.shape.columns), func(set int, args []driver.NamedValue) {
		args[0].Value = exportedAt
		next := 1
		for _, row := range rows[set*size:][:size] {
			for _, value := range row {
				args[next].Value = value
				next++
			}
		}
	})
}

func (s rowset) update(ctx context.Context, tx *transaction, rows [][]any, now time.Time) error {
	width, exportedAt := len(s.shape.columns)+1, stamp(now)
	return tx.repeat(ctx, s.shape.update(), len(rows), width, func(set int, args []driver.NamedValue) {
		for c, value := range rows[set] {
			args[c].Value = value
		}
		args[width-1].Value = exportedAt
	})
}
