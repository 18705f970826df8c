package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"strings"
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
}

// cells is the memory that encoded rows lie in.
type cells struct {
	rows   [][]any
	values []any // of all rows
}

// room is memory for so many rows of so many values each.
func (c *cells) room(rows, width int) ([][]any, []any) {
	c.rows = slices.Grow(c.rows[:0], rows)
	c.values = slices.Grow(c.values[:0], rows*width)[:rows*width]
	return c.rows, c.values
}

// spare is memory that lies idle: that of the last commit, for the next one. Else each commit would leave megabytes to the
// collector.
type spare chan *cells

func newSpare() spare { return make(spare, 1) }

func (s spare) take() *cells {
	select {
	case c := <-s:
		return c
	default:
		return &cells{}
	}
}

// spareAtMost is how many values memory may have room for that lies idle: those of 20,000 rows, in 40 columns.
const spareAtMost = 800_000

// giveBack takes the memory of rows that nobody uses any more. A batch that needed a lot may have been the only one.
func (s spare) giveBack(c *cells) {
	if cap(c.values) > spareAtMost {
		return
	}
	clear(c.values)
	select {
	case s <- c:
	default: // another commit gave its own back
	}
}

// encode encodes rows into memory of their own.
func encode(t schema.Table, rows []sink.Row) rowset { return encodeInto(&cells{}, t, rows) }

// encodeInto is done before the transaction, so that others can write meanwhile.
func encodeInto(memory *cells, t schema.Table, rows []sink.Row) rowset {
	s := rowset{shape: shapeOf(t), origin: origin{table: t}, timeField: t.ColumnIndex(t.TimeField)}
	width := len(s.shape.columns)
	var values []any
	s.rows, values = memory.room(len(rows), width)
	var times clockTexts
	texts := make([]any, len(t.Columns)) // the last one of each column: many have few values
	for i := range rows {
		row := &rows[i]
		r := values[i*width : (i+1)*width : (i+1)*width]
		for c := range t.Columns {
			v := row.Values[c]
			switch of := t.Columns[c].Type; {
			case of == schema.Timestamptz && !v.IsNull():
				r[c] = times.instant(v.Micros())
			case of == schema.Text && !v.IsNull():
				if last, ok := texts[c].(string); !ok || last != v.Str() {
					texts[c] = v.Str()
				}
				r[c] = texts[c]
			default:
				r[c] = stored(of, v)
			}
		}
		r[len(t.Columns)] = stored(schema.JSON, row.Extra)
		if !row.WindowStart.IsZero() {
			r[width-1] = times.instant(row.WindowStart.UnixMicro())
		}
		s.rows = append(s.rows, r) // _deleted_at, where there is one, is NULL: the row is there
	}
	if len(s.shape.key) > 0 {
		s.sort()
	}
	return s
}

// sort orders the rows by key and keeps the last one of each.
func (s *rowset) sort() {
	slices.SortStableFunc(s.rows, s.compareKeys)
	kept := s.rows[:0]
	for i, row := range s.rows {
		if i+1 < len(s.rows) && s.compareKeys(row, s.rows[i+1]) == 0 {
			s.duplicate++
			continue
		}
		kept = append(kept, row)
	}
	s.rows = kept
}

func (s *rowset) compareKeys(a, b []any) int {
	for _, place := range s.shape.key {
		if c := compare(a[place], b[place]); c != 0 {
			return c
		}
	}
	return 0
}

// compare orders stored values of one column. Values of one Go type are in SQLite's order; between an integer
// and a fraction of a numeric column any order will do.
func compare(a, b any) int {
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b)
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case []byte:
		if b, ok := b.([]byte); ok {
			return slices.Compare(a, b)
		}
	}
	return cmp.Compare(kind(a), kind(b))
}

func kind(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case int64:
		return 1
	case float64:
		return 2
	case string:
		return 3
	}
	return 4
}

// store reads what the table has of the rows, compares, and writes what differs. Rows of a table without a key
// are all new.
func (s rowset) store(ctx context.Context, tx *transaction, now any) (sink.Counts, error) {
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

// split tells the rows that the table does not have, and those that it has otherwise.
func (s rowset) split(ctx context.Context, tx *transaction) (fresh, changed [][]any, err error) {
	if s.comparing != nil {
		began := time.Now()
		defer func() { *s.comparing += time.Since(began) }()
	}
	if found, err := s.anyExisting(ctx, tx); err != nil || !found {
		return s.rows, nil, err
	}
	size := min(existingKeys, maxArgs/(len(s.shape.key)+1))
	whole := len(s.rows) - len(s.rows)%size
	for _, part := range [][][]any{s.rows[:whole], s.rows[whole:]} {
		more, differ, err := s.splitBy(ctx, tx, part, min(size, max(len(part), 1)))
		if err != nil {
			return nil, nil, err
		}
		fresh, changed = append(fresh, more...), append(changed, differ...)
	}
	return fresh, changed, nil
}

// splitBy splits size rows with each run of one prepared statement; they must come out even.
func (s rowset) splitBy(ctx context.Context, tx *transaction, rows [][]any, size int) (fresh, changed [][]any, err error) {
	if len(rows) == 0 {
		return nil, nil, nil
	}
	existing, err := tx.PrepareContext(ctx, s.shape.existing(size))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = existing.Close() }()
	found := make([]bool, size)
	for chunk := range slices.Chunk(rows, size) {
		clear(found)
		err := s.existing(ctx, existing, chunk, func(n int, is []any) {
			found[n] = true
			if !slices.EqualFunc(chunk[n][:len(is)], is, same) {
				changed = append(changed, chunk[n])
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
func (s rowset) existing(ctx context.Context, query *sql.Stmt, rows [][]any, found func(n int, is []any)) error {
	args := make([]any, 0, len(rows)*(len(s.shape.key)+1))
	for n, row := range rows {
		args = append(args, n)
		for _, place := range s.shape.key {
			args = append(args, row[place])
		}
	}
	is := make([]any, s.shape.compared())
	to := make([]any, len(is)+1)
	var n int
	to[0] = &n
	for i := range is {
		to[i+1] = &is[i]
	}
	result, err := query.QueryContext(ctx, args...) //nolint:sqlclosecheck // each closes it
	return each(result, err, func() error {
		err := result.Scan(to...)
		found(n, is)
		return err
	})
}

func (s rowset) insert(ctx context.Context, tx *transaction, rows [][]any, now any) error {
	if len(rows) == 0 {
		return nil
	}
	var triggers bool
	const find = `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE)`
	if err := tx.QueryRowContext(ctx, find, s.origin.table.Name).Scan(&triggers); err != nil {
		return err
	}
	size := min(insertRows, (maxArgs-1)/len(s.shape.columns))
	whole := len(rows) - len(rows)%size
	for _, part := range [][][]any{rows[:whole], rows[whole:]} {
		if err := s.insertBy(ctx, tx, part, min(size, max(len(part), 1)), triggers, now); err != nil {
			return err
		}
	}
	return nil
}

// insertBy inserts size rows with each run of one prepared statement; they must come out even.
func (s rowset) insertBy(ctx context.Context, tx *transaction, rows [][]any, size int, triggers bool, now any) error {
	return tx.repeat(ctx, s.shape.insert(size, triggers), len(rows)/size, 1+size*len(s.shape.columns), func(set int, args []driver.NamedValue) {
		args[0].Value = now
		next := 1
		for _, row := range rows[set*size:][:size] {
			for _, value := range row {
				args[next].Value = value
				next++
			}
		}
	})
}

func (s rowset) update(ctx context.Context, tx *transaction, rows [][]any, now any) error {
	width := len(s.shape.columns) + 1
	return tx.repeat(ctx, s.shape.update(), len(rows), width, func(set int, args []driver.NamedValue) {
		for c, value := range rows[set] {
			args[c].Value = value
		}
		args[width-1].Value = now
	})
}
