package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

var errNoMarks = errors.New("rows can be marked as deleted only in a table with a key, a time field and the column " + schema.DeletedAtColumn)

// asMarked is the table as it is: where an earlier config had rows marked it has marks, whatever the config says now. They
// are cleared when their rows come back.
func asMarked(ctx context.Context, q querier, t schema.Table) (schema.Table, error) {
	if t.MarksDeleted || len(t.Key) == 0 {
		return t, nil
	}
	err := q.QueryRowContext(ctx, statement("has_marks"), sql.Named("table", t.Name)).Scan(&t.MarksDeleted)
	return t, err
}

// Standing is what the table has of a stretch of time, and which of it is not among the rows that are present.
func (w *Warehouse) Standing(ctx context.Context, t schema.Table, within sink.Stretch, present []sink.Row) (sink.Standing, error) {
	standing := sink.Standing{At: time.Now().UTC().Truncate(time.Microsecond)}
	keys := keysOf(encode(t, present))
	of := columnType(t, t.TimeField)
	err := eachStanding(ctx, w.reader, t, within, standing.At, func(key []any, at string) error {
		when, err := time.Parse(layoutOf(of), at)
		standing.Rows = append(standing.Rows, sink.StandingRow{Time: schema.TimeValue(when), Gone: !keys[keyText(key)]})
		return err
	})
	if err != nil {
		return sink.Standing{}, w.explain(ctx, "look for rows that are gone", err)
	}
	return standing, nil
}

// sweep marks the rows that are gone.
func (s rowset) sweep(ctx context.Context, tx *transaction, b sink.Batch, now time.Time) (marked int64, err error) {
	if b.Sweep == nil {
		return 0, nil
	}
	here, there := keysOf(s), keysOf(encode(b.Table, b.Sweep.Present))
	for _, stretch := range b.Sweep.Within {
		var gone [][]any
		err := eachStanding(ctx, tx, b.Table, stretch, b.Sweep.SeenAt, func(key []any, _ string) error {
			if text := keyText(key); !here[text] && !there[text] {
				gone = append(gone, slices.Clone(key))
			}
			return nil
		})
		if err != nil {
			return marked, err
		}
		if now, err = s.keepGone(ctx, tx, gone, now); err != nil {
			return marked, err
		}
		for _, key := range gone {
			// Nobody else writes meanwhile: the transaction holds the write lock.
			if _, err := tx.ExecContext(ctx, s.shape.mark(), append(key, stamp(now))...); err != nil {
				return marked, err
			}
			marked++
		}
	}
	return marked, nil
}

// keepGone keeps the versions of the rows that are about to be marked, and says when they are.
func (s rowset) keepGone(ctx context.Context, tx *transaction, gone [][]any, now time.Time) (time.Time, error) {
	by := s.origin
	if !by.table.History || len(gone) == 0 {
		return now, nil
	}
	by.cause = sink.CauseGone
	keys := make([]schema.Row, len(gone))
	for i, key := range gone {
		keys[i].Values = make([]schema.Value, len(by.table.Columns))
		for n, place := range s.shape.key {
			keys[i].Values[place] = restored(by.table.Columns[place].Type, key[n])
		}
	}
	return by.keepVersions(ctx, tx, now, keys, func(sink.StoredRow) []string { return []string{schema.DeletedAtColumn} })
}

// querier is a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// eachStanding calls each for every row of a stretch that is not marked as deleted and was written by a time.
func eachStanding(ctx context.Context, q querier, t schema.Table, within sink.Stretch, writtenBy time.Time, visit func(key []any, at string) error) error {
	if !t.MarksDeleted || len(t.Key) == 0 || t.ColumnIndex(t.TimeField) < 0 {
		return errNoMarks
	}
	of := columnType(t, t.TimeField)
	key := make([]any, len(t.Key))
	var at string
	to := make([]any, 0, len(key)+1)
	for i := range key {
		to = append(to, &key[i])
	}
	to = append(to, &at)
	rows, err := q.QueryContext(ctx, standingRows(t), stored(of, within.From), stored(of, within.To), stamp(writtenBy)) //nolint:sqlclosecheck // each closes it
	return each(rows, err, func() error {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		return visit(key, at)
	})
}

// standingRows takes the bounds of a stretch and a time, and returns the keys and times of the rows of that stretch
// that were written by that time and are not marked. The plus keeps the driver from making times of text.
func standingRows(t schema.Table) string {
	var columns []string
	for _, name := range append(slices.Clone(t.Key), t.TimeField) {
		columns = append(columns, "+"+quote(name))
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s >= ?1 AND %s < ?2 AND %s <= ?3 AND %s IS NULL", strings.Join(columns, ", "),
		quote(t.Name), quote(t.TimeField), quote(t.TimeField), quote(schema.ExportedAtColumn), quote(schema.DeletedAtColumn))
}

// mark takes the values of the key and when the row was found gone.
func (s shape) mark() string {
	var where []string
	for i, place := range s.key {
		where = append(where, fmt.Sprintf("%s = ?%d", s.name(place), i+1))
	}
	at := len(s.key) + 1
	return fmt.Sprintf("UPDATE %s SET %s = ?%d, %s = ?%d WHERE %s", s.table, quote(schema.DeletedAtColumn), at,
		quote(schema.ExportedAtColumn), at, strings.Join(where, " AND "))
}

// keysOf are the keys of the rows, each as text.
func keysOf(s rowset) map[string]bool {
	keys := make(map[string]bool, len(s.rows))
	key := make([]any, len(s.shape.key))
	for _, row := range s.rows {
		for i, place := range s.shape.key {
			key[i] = row[place]
		}
		keys[keyText(key)] = true
	}
	return keys
}

// keyText tells stored keys apart, by type and value.
func keyText(key []any) string {
	var b []byte
	for _, v := range key {
		switch v := v.(type) {
		case int64:
			b = strconv.AppendInt(append(b, 'i'), v, 10)
		case float64:
			b = strconv.AppendFloat(append(b, 'f'), v, 'g', -1, 64)
		case string:
			b = append(append(strconv.AppendInt(append(b, 's'), int64(len(v)), 10), ':'), v...)
		case []byte:
			b = append(append(strconv.AppendInt(append(b, 'b'), int64(len(v)), 10), ':'), v...)
		default:
			b = append(b, 'n')
		}
		b = append(b, ';')
	}
	return string(b)
}

func columnType(t schema.Table, name string) schema.Type {
	if i := t.ColumnIndex(name); i >= 0 {
		return t.Columns[i].Type
	}
	return 0
}

// layoutOf is how a time of a type is stored.
func layoutOf(t schema.Type) string {
	switch t {
	case schema.Timestamp:
		return timestampLayout
	case schema.Date:
		return time.DateOnly
	}
	return timestamptzLayout
}
