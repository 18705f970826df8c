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
func (a *arranged) write(ctx context.Context, tx pgx.Tx, at time.Time) (sink.Counts, error) {
	a.exportedAt = at
	a.forget() // an earlier attempt
	conn := tx.Conn().PgConn()
	if len(a.Key) == 0 {
		return a.appendAll(ctx, conn)
	}
	if err := a.timed(ctx, conn, a.compare); err != nil {
		return sink.Counts{}, err
	}
	if a.count(unseen) > 0 && a.count(changed) == 0 {
		copied, err := a.copyUnseen(ctx, tx)
		if err != nil || copied {
			return a.counts(a.count(unseen)), err
		}
		// A key is elsewhere in time, or another commit has just written it: look again, by key.
		if err := a.timed(ctx, conn, a.compareByKey); err != nil {
			return sink.Counts{}, err
		}
	}
	if a.count(unchanged) == int64(len(a.rows)) {
		return a.counts(0), nil
	}
	if err := a.keepChanged(ctx, tx); err != nil {
		return sink.Counts{}, err
	}
	written, err := a.upsertStaged(ctx, tx)
	if err != nil {
		return sink.Counts{}, err
	}
	counts := a.counts(written)
	if written < a.count(unseen)+a.count(changed) {
		err = a.checkOvertaken(ctx, conn)
	}
	return counts, err
}

// checkOvertaken looks again for the rows that were to be written, and fails if the table has one of them otherwise: that one
// somebody else has written.
func (a *arranged) checkOvertaken(ctx context.Context, conn *pgconn.PgConn) error {
	a.next = 0
	for place, v := range a.verdicts {
		if v == changed {
			a.decide(place, unseen)
		}
	}
	if err := a.compareByKey(ctx, conn); err != nil {
		return err
	}
	if a.count(changed) > 0 {
		return sink.ErrOvertaken
	}
	return nil
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
func (a *arranged) copyUnseen(ctx context.Context, tx pgx.Tx) (copied bool, err error) {
	_, err = tx.Conn().PgConn().CopyFrom(ctx, a.encode(false), "SAVEPOINT copying; "+a.copyRows())
	if sqlState(err) == uniqueViolation {
		_, err := tx.Exec(ctx, "ROLLBACK TO SAVEPOINT copying")
		return false, err
	}
	return err == nil, err
}

// upsertStaged writes the rows that are unseen or changed by way of a staging table.
func (a *arranged) upsertStaged(ctx context.Context, tx pgx.Tx) (written int64, err error) {
	// The simple protocol: the staging table is another one in each transaction, so nothing may be cached of it.
	if _, err := tx.Exec(ctx, a.createStage(), pgx.QueryExecModeSimpleProtocol); err != nil {
		return 0, err
	}
	if _, err := tx.Conn().PgConn().CopyFrom(ctx, a.encode(true), a.copyStage()); err != nil {
		return 0, err
	}
	return a.upsert(ctx, tx)
}

// upsert writes what is staged, and counts it.
func (a *arranged) upsert(ctx context.Context, tx pgx.Tx) (written int64, err error) {
	o := a.overtaking
	err = tx.QueryRow(ctx, a.upsertStage(), pgx.QueryExecModeSimpleProtocol, o.Since, o.Until, o.Own).Scan(&written)
	return written, err
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
