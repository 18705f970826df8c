package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// origin is what makes new versions of rows.
type origin struct {
	cause sink.Cause
	run   sink.RunID
}

// takeHistoryTurn waits until no other transaction changes rows of a table with a history, and keeps others off to the end of
// this one. It returns the time of what is written in it: at, where there is no history.
func (t target) takeHistoryTurn(ctx context.Context, conn *pgx.Conn, at time.Time) (time.Time, error) {
	if !t.History {
		return at, nil
	}
	queued := &pgx.Batch{}
	queued.Queue(statement("take_turn"), "history of "+t.name())
	queued.Queue(statement("history_now")).QueryRow(func(row pgx.Row) error { return row.Scan(&at) })
	err := conn.SendBatch(ctx, queued).Close()
	return at, err
}

// keepChanged keeps the versions of the rows that are found changed, before they are written, and sets the time of
// those that take their place.
func (a *arranged) keepChanged(ctx context.Context, conn *pgx.Conn) error {
	if !a.History {
		return nil
	}
	var keys []schema.Row
	for i := range a.rows {
		if a.verdicts[i] == changed {
			keys = append(keys, a.rows[i].Row)
		}
	}
	at, err := a.keepVersions(ctx, conn, a.exportedAt, a.origin, keys, func(was sink.StoredRow) []string {
		place, found := a.find(was.Row)
		if !found {
			return nil // another spelling of a key, by another hand
		}
		return sink.Changed(a.Table, was, a.rows[place].Row, false)
	})
	a.exportedAt = at
	return err
}

// keepVersions copies the rows of the keys into the history, as they are before they are written at a time, with what
// differs of each; nil: that one stays as it is. It returns the time at which they are to be written: at, or later.
func (t target) keepVersions(ctx context.Context, conn *pgx.Conn, at time.Time, by origin, keys []schema.Row, differs func(was sink.StoredRow) []string) (time.Time, error) {
	var changes []schema.Value
	var replaced []schema.Row
	var last time.Time
	err := t.findStored(ctx, conn.PgConn(), keys, func(was sink.StoredRow) {
		names := differs(was)
		if names == nil {
			return
		}
		list, _ := json.Marshal(names) // strings always can be
		changes = append(changes, schema.StrValue(string(list)))
		replaced = append(replaced, was.Row.Row)
		if was.ExportedAt.After(last) {
			last = was.ExportedAt
		}
	})
	if err != nil || len(changes) == 0 {
		return at, err
	}
	at = sink.Since(at, last)
	run := parameter{oid: pgtype.Int8OID} // NULL
	if by.run != 0 {
		run = bigint(int64(by.run))
	}
	parameters := []parameter{timestamptz(at), {pgtype.TextOID, []byte(by.cause)}, run, arrayOf(schema.JSON, changes)}
	values, oids := split(append(parameters, t.keysOf(replaced)...))
	return at, conn.PgConn().ExecParams(ctx, t.insertVersions(), values, oids, []int16{binaryFormat}, nil).Read().Err
}

// insertVersions takes until when the versions were valid, the cause and the run of what takes their place, and an array
// each of what that changes and of the columns of the key. What is copied does not leave the database, so that it is
// kept to the bit, whoever wrote it. (On Citus a join is with what a materialized query found.)
func (t target) insertVersions() string {
	history := t.history()
	arrays, columns := t.keyArrays(5)
	copied := quoteAll(append(names(t.Columns), names(t.OwnColumns())...))
	own := quoteAll([]string{schema.ValidFromColumn, schema.ValidToColumn, schema.ChangedColumn, schema.CauseColumn, schema.RunColumn})
	return fmt.Sprintf(`WITH replaced AS MATERIALIZED (
    SELECT * FROM unnest($4, %s) AS r (_changes, %s)
)
INSERT INTO %s (%s, %s)
SELECT t.%s, t.%s, $1::timestamptz, r._changes, $2::text, $3::bigint
FROM replaced AS r
JOIN %s AS t ON %s`, strings.Join(arrays, ", "), strings.Join(columns, ", "), history.name(), strings.Join(copied, ", "), strings.Join(own, ", "),
		strings.Join(copied, ", t."), quote(schema.ExportedAtColumn), t.name(), t.hasKeyOf("r"))
}

func (t target) history() target { return target{Table: t.HistoryTable(), schemaName: t.schemaName} }
