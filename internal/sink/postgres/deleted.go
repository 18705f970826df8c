package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

var errNoMarks = errors.New("rows can be marked as deleted only in a table with a key, a time field and the column " + schema.DeletedAtColumn)

// asMarked is the table as it is: where an earlier config had rows marked it has marks, whatever the config says now. They
// are cleared when their rows come back.
func (w *Warehouse) asMarked(ctx context.Context, tx pgx.Tx, t schema.Table) (schema.Table, error) {
	if t.MarksDeleted || len(t.Key) == 0 {
		return t, nil
	}
	err := tx.QueryRow(ctx, statement("has_marks"), w.schema, t.Name).Scan(&t.MarksDeleted)
	return t, err
}

// learnMarks is asMarked by what is queued.
func (t *target) learnMarks(queued *pgx.Batch) {
	if t.MarksDeleted || len(t.Key) == 0 {
		return
	}
	queued.Queue(statement("has_marks"), t.schemaName, t.Name).QueryRow(func(row pgx.Row) error { return row.Scan(&t.MarksDeleted) })
}

// Standing is what the table has of a stretch of time, and which of it is not among the rows that are present.
func (w *Warehouse) Standing(ctx context.Context, t schema.Table, within sink.Stretch, present []sink.Row) (sink.Standing, error) {
	var standing sink.Standing
	rows := arrange(w.target(t), present)
	err := w.inTx(ctx, "look for rows that are gone", func(tx pgx.Tx) error {
		standing.Rows = nil // of an earlier attempt
		at, err := byIndex(ctx, tx)
		if err != nil {
			return err
		}
		standing.At = at.UTC()
		return rows.standing(ctx, tx.Conn().PgConn(), within, standing.At, func(key [][]byte, at []byte, present bool) error {
			when, err := decodeValue(rows.Columns[rows.ColumnIndex(rows.TimeField)].Type, at)
			standing.Rows = append(standing.Rows, sink.StandingRow{Time: when, Gone: !present})
			return err
		})
	})
	if err != nil {
		return sink.Standing{}, err
	}
	return standing, nil
}

// sweep marks the rows that are gone. What is gone is told here, as what has changed is: the batch's keys need not
// travel, and no join with them is needed, which Citus would refuse or run for minutes.
func (a *arranged) sweep(ctx context.Context, conn *pgx.Conn, s *sink.Sweep, at time.Time) (marked int64, err error) {
	if s == nil {
		return 0, nil
	}
	present := arrange(a.target, s.Present)
	for _, stretch := range s.Within {
		gone, err := a.gone(ctx, conn.PgConn(), stretch, s.SeenAt, present)
		if err != nil {
			return marked, err
		}
		if len(gone) == 0 {
			continue
		}
		if at, err = a.keepGone(ctx, conn, gone, at); err != nil {
			return marked, err
		}
		n, err := a.mark(ctx, conn.PgConn(), stretch, s.SeenAt, gone, at)
		if err != nil {
			return marked, err
		}
		marked += n
	}
	return marked, nil
}

// keepGone keeps the versions of the rows that are about to be marked, and says when they are.
func (a *arranged) keepGone(ctx context.Context, conn *pgx.Conn, gone []schema.Row, at time.Time) (time.Time, error) {
	if !a.History {
		return at, nil
	}
	return a.keepVersions(ctx, conn, at, origin{sink.CauseGone, a.origin.run}, gone, func(sink.StoredRow) []string {
		return []string{schema.DeletedAtColumn}
	})
}

// gone are the keys of a stretch's standing rows that neither the batch nor present has.
func (a *arranged) gone(ctx context.Context, conn *pgconn.PgConn, within sink.Stretch, seenAt time.Time, present *arranged) (gone []schema.Row, err error) {
	err = a.standing(ctx, conn, within, seenAt, func(fields [][]byte, _ []byte, here bool) error {
		if here {
			return nil
		}
		if _, there, err := present.placeOfKey(fields); err != nil || there {
			return err
		}
		values := make([]schema.Value, len(a.Columns))
		for i, k := range a.key {
			v, err := decodeValue(a.Columns[k].Type, fields[i])
			if err != nil {
				return err
			}
			values[k] = v
		}
		gone = append(gone, schema.Row{Values: values})
		return nil
	})
	return gone, err
}

// standing calls each for every row of a stretch that is not marked as deleted and was written by a time: with its
// key, its time, and whether the batch has it.
func (a *arranged) standing(ctx context.Context, conn *pgconn.PgConn, within sink.Stretch, writtenBy time.Time,
	each func(key [][]byte, at []byte, present bool) error,
) error {
	if !a.marksDeleted() {
		return errNoMarks
	}
	values, oids := split(a.stretchParameters(within, writtenBy))
	result := conn.ExecParams(ctx, a.readStanding(), values, oids, []int16{binaryFormat}, []int16{binaryFormat})
	more := result.NextRow()
	failure := a.checkKeyTypes(result.FieldDescriptions())
	for ; more && failure == nil; more = result.NextRow() {
		fields := result.Values()
		key := fields[:len(a.Key)]
		_, present, err := a.placeOfKey(key)
		if failure = err; err == nil {
			failure = each(key, fields[len(a.Key)], present)
		}
	}
	if _, err := result.Close(); err != nil {
		return err
	}
	return failure
}

// mark marks the rows with the given keys, as far as they are still as they were seen.
func (a *arranged) mark(ctx context.Context, conn *pgconn.PgConn, within sink.Stretch, seenAt time.Time, gone []schema.Row, at time.Time) (int64, error) {
	parameters := append(a.stretchParameters(within, seenAt), timestamptz(at))
	return counted(ctx, conn, a.markGone(), append(parameters, a.keysOf(gone)...))
}

func (t target) marksDeleted() bool {
	return t.MarksDeleted && len(t.Key) > 0 && t.ColumnIndex(t.TimeField) >= 0
}

// placeOfKey is the place of a row whose key's columns are the fields.
func (a *arranged) placeOfKey(fields [][]byte) (place int, ok bool, err error) {
	byColumn := make([][]byte, len(a.Columns))
	for i, k := range a.key {
		byColumn[k] = fields[i]
	}
	return a.seek(byColumn)
}

// checkKeyTypes makes sure that keys are compared as what they are: of another type all rows would seem gone.
func (a *arranged) checkKeyTypes(fields []pgconn.FieldDescription) error {
	var columns []schema.Column
	for _, k := range append(a.KeyIndexes(), a.ColumnIndex(a.TimeField)) {
		columns = append(columns, a.Columns[k])
	}
	return checkColumns(a.name(), columns, fields)
}

// stretchParameters are $1 to $3 of readStanding and markGone.
func (t target) stretchParameters(within sink.Stretch, writtenBy time.Time) []parameter {
	return append(t.stretch(within), timestamptz(writtenBy))
}

// standingIn is the condition of the rows that may be marked.
func (t target) standingIn() string {
	at := quote(t.TimeField)
	return fmt.Sprintf("t.%s >= $1 AND t.%s < $2 AND t.%s <= $3 AND t.%s IS NULL",
		at, at, quote(schema.ExportedAtColumn), quote(schema.DeletedAtColumn))
}

// readStanding reads the keys and times of the rows of a stretch that are not marked.
func (t target) readStanding() string {
	columns := append(quoteAll(t.Key), quote(t.TimeField))
	return fmt.Sprintf("SELECT t.%s\nFROM %s AS t\nWHERE %s", strings.Join(columns, ", t."), t.name(), t.standingIn())
}

// markGone marks the rows of a stretch that have the given keys, an array for each column of the key, and counts
// them. A row that another commit has changed meanwhile, or moved to another time, is left alone.
func (t target) markGone() string {
	arrays, columns := t.keyArrays(5)
	return fmt.Sprintf(`WITH gone AS MATERIALIZED (
    SELECT * FROM unnest(%s) AS k (%s)
), marked AS (
    UPDATE %s AS t
    SET %s = $4, %s = $4
    FROM gone
    WHERE %s
        AND %s
    RETURNING 1
)
SELECT count(*) FROM marked`, strings.Join(arrays, ", "), strings.Join(columns, ", "), t.name(),
		quote(schema.DeletedAtColumn), quote(schema.ExportedAtColumn), t.hasKeyOf("gone"), t.standingIn())
}
