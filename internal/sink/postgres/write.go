package postgres

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// write brings the table to what the rows say, and writes only rows that differ. A batch that only adds rows, as
// most do that differ at all, is copied straight into the table. Any other goes through a staging table, in one
// statement: were new and changed rows written one after the other, two commits could wait for each other.
func (a *arranged) write(ctx context.Context, conn *pgx.Conn, at time.Time) (sink.Counts, error) {
	a.exportedAt = at
	a.forget() // an earlier attempt
	if len(a.Key) == 0 {
		return a.appendAll(ctx, conn.PgConn())
	}
	if err := a.timed(ctx, conn.PgConn(), a.compare); err != nil {
		return sink.Counts{}, err
	}
	if a.count(unseen) > 0 && a.count(changed) == 0 {
		copied, err := a.copyUnseen(ctx, conn)
		if err != nil || copied {
			return a.counts(a.count(unseen)), err
		}
		// A key is elsewhere in time, or another commit has just written it: look again, by key.
		if err := a.timed(ctx, conn.PgConn(), a.compareByKey); err != nil {
			return sink.Counts{}, err
		}
	}
	if a.count(unchanged) == int64(len(a.rows)) {
		return a.counts(0), nil
	}
	if err := a.keepChanged(ctx, conn); err != nil {
		return sink.Counts{}, err
	}
	written, err := a.upsertStaged(ctx, conn)
	if err != nil {
		return sink.Counts{}, err
	}
	if written < a.count(unseen)+a.count(changed) && !a.overtaking.Since.IsZero() {
		err = a.checkOvertaken(ctx, conn.PgConn())
	}
	return a.counts(written), err
}

// checkOvertaken looks again for the rows that were to be written, and fails if the table has one of them otherwise by
// somebody who overtook. One that somebody else has added just so is none that this commit adds.
func (a *arranged) checkOvertaken(ctx context.Context, conn *pgconn.PgConn) error {
	var keys []schema.Row
	for i, v := range a.verdicts {
		if v != unchanged {
			keys = append(keys, a.rows[i].Row)
		}
	}
	var overtaken time.Time
	err := a.findStored(ctx, conn, keys, func(is sink.StoredRow) {
		place, found := a.find(is.Row)
		if !found || is.ExportedAt.Equal(a.exportedAt) { // another spelling of a key, or written
			return
		}
		differs := len(sink.Changed(a.Table, is, a.rows[place].Row, false)) > 0
		switch {
		case differs && a.overtaking.By(is.ExportedAt) && is.ExportedAt.After(overtaken):
			overtaken = is.ExportedAt
		case !differs:
			a.decide(place, unchanged)
		}
	})
	if err == nil && !overtaken.IsZero() {
		err = &sink.OvertakenError{At: overtaken}
	}
	return err
}

// timed compares, and adds the time that it takes to what the batch was to know.
func (a *arranged) timed(ctx context.Context, conn *pgconn.PgConn, compare func(context.Context, *pgconn.PgConn) error) error {
	if a.comparing != nil {
		began := time.Now()
		defer func() { *a.comparing += time.Since(began) }()
	}
	return compare(ctx, conn)
}

// counts says what became of the rows when so many were written. (Another commit may have written some of them
// since they were compared.)
func (a *arranged) counts(written int64) sink.Counts {
	inserted := min(a.count(unseen), written)
	return sink.Counts{
		Inserted:  inserted,
		Updated:   written - inserted,
		Unchanged: int64(len(a.rows)) - written,
		Duplicate: a.duplicates,
	}
}

// appendAll adds all rows to a table without a key.
func (a *arranged) appendAll(ctx context.Context, conn *pgconn.PgConn) (sink.Counts, error) {
	if len(a.rows) == 0 {
		return sink.Counts{}, nil
	}
	if _, err := a.read(ctx, conn, a.readTypes(), nil); err != nil {
		return sink.Counts{}, err
	}
	_, err := conn.CopyFrom(ctx, a.encode(false), a.copyRows())
	return sink.Counts{Inserted: int64(len(a.rows))}, err
}

const uniqueViolation = "23505"

// copyUnseen copies the rows that were not seen into the table; copied is false, and nothing is written, when
// the table has one of them after all. The savepoint goes with the copy, in one message, and ends with the transaction; of
// several of one name the last one counts.
func (a *arranged) copyUnseen(ctx context.Context, conn *pgx.Conn) (copied bool, err error) {
	_, err = conn.PgConn().CopyFrom(ctx, a.encode(false), "SAVEPOINT copying; "+a.copyRows())
	if sqlState(err) == uniqueViolation {
		_, err := conn.Exec(ctx, "ROLLBACK TO SAVEPOINT copying")
		return false, err
	}
	return err == nil, err
}

// upsertStaged writes the rows that are unseen or changed by way of a staging table.
func (a *arranged) upsertStaged(ctx context.Context, conn *pgx.Conn) (written int64, err error) {
	// The simple protocol: the staging table is another one in each transaction, so nothing may be cached of it.
	if _, err := conn.Exec(ctx, a.createStage(), pgx.QueryExecModeSimpleProtocol); err != nil {
		return 0, err
	}
	if _, err := conn.PgConn().CopyFrom(ctx, a.encode(true), a.copyStage()); err != nil {
		return 0, err
	}
	return a.upsert(ctx, conn.PgConn())
}

// upsert writes what is staged, and counts it. It works below pgx's type system, since nothing may be cached of a staging
// table, and a text with the values in it would depend on the session's settings.
func (a *arranged) upsert(ctx context.Context, conn *pgconn.PgConn) (written int64, err error) {
	var own []schema.Value
	for _, at := range a.overtaking.Own {
		own = append(own, schema.TimeValue(at))
	}
	return counted(ctx, conn, a.upsertStage(), []parameter{
		timestamptz(a.overtaking.Since), timestamptz(a.overtaking.Until), arrayOf(schema.Timestamptz, own),
	})
}

// encode is the rows that are not unchanged in the binary format of COPY; staged: each with its place.
func (a *arranged) encode(staged bool) io.Reader {
	return &copyReader{rows: a, staged: staged, buf: append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...)}
}

// copyReader encodes rows as they are read from it.
type copyReader struct {
	rows   *arranged
	staged bool
	next   int // row to encode
	buf    []byte
	read   int // bytes of buf that were read
	ended  bool
}

func (r *copyReader) Read(p []byte) (int, error) {
	if r.read == len(r.buf) {
		if r.ended {
			return 0, io.EOF
		}
		r.buf, r.read = r.buf[:0], 0
		r.fill(len(p))
	}
	n := copy(p, r.buf[r.read:])
	r.read += n
	return n, nil
}

// fill encodes rows until there are so many bytes, or the end.
func (r *copyReader) fill(size int) {
	for ; len(r.buf) < size && r.next < len(r.rows.rows); r.next++ {
		if len(r.rows.verdicts) == 0 || r.rows.verdicts[r.next] != unchanged {
			r.buf = r.rows.appendRow(r.buf, r.next, r.staged)
		}
	}
	if len(r.buf) < size {
		r.buf = binary.BigEndian.AppendUint16(r.buf, math.MaxUint16)
		r.ended = true
	}
}

// appendRow encodes the columns of written, in their order.
func (a *arranged) appendRow(buf []byte, place int, staged bool) []byte {
	row := &a.rows[place]
	columns := len(a.Columns) + 3
	if staged {
		columns++
	}
	buf = binary.BigEndian.AppendUint16(buf, uint16(columns))
	for i := range row.Values {
		buf = appendField(buf, a.Columns[i].Type, row.Values[i])
	}
	buf = appendField(buf, schema.Timestamptz, schema.TimeValue(row.WindowStart))
	buf = appendField(buf, schema.Timestamptz, schema.TimeValue(a.exportedAt))
	buf = appendField(buf, schema.JSON, row.Extra)
	if staged {
		buf = appendField(buf, schema.Integer, schema.IntValue(int64(place)))
	}
	return buf
}
