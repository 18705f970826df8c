package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

const (
	textFormat   = 0
	binaryFormat = 1
)

// compare reads what the table has of the batch and tells how each row differs. A row that stays unseen is
// most likely new: that is certain only once it is written.
//
// The rows of the batch's stretch of time come from one scan of an index, six times cheaper than by their keys.
// It finds nothing in a stretch that is new to the table, and nearly all in one that is read again. Only the
// few that it then misses, since their time has changed, are looked up by key.
func (a *arranged) compare(ctx context.Context, conn *pgconn.PgConn) error {
	first, last, ok := a.timeRange()
	if !ok {
		return a.compareByKey(ctx, conn)
	}
	t := a.Columns[a.ColumnIndex(a.TimeField)].Type
	limit := int64(4*len(a.rows) + 1000) // the time may tell little: a constant, or another than the window's
	found, err := a.read(ctx, conn, a.readByTime(), []parameter{
		valueOf(t, first), valueOf(t, last), bigint(limit),
	})
	if err != nil {
		return err
	}
	missed, seen := a.count(unseen), int64(len(a.rows))-a.count(unseen)
	if found == limit || missed > 0 && (missed <= seen || a.count(changed) > 0) {
		return a.compareByKey(ctx, conn)
	}
	return nil
}

// compareByKey looks up the rows that have not been seen, by their keys.
func (a *arranged) compareByKey(ctx context.Context, conn *pgconn.PgConn) error {
	var missing []schema.Row
	for i := range a.rows {
		if a.verdicts[i] == unseen {
			missing = append(missing, a.rows[i].Row)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err := a.read(ctx, conn, a.readByKey(), a.keysOf(missing))
	return err
}

// read gives verdicts by what a query finds, and says how many rows that is. It works below pgx's type system: values
// are compared as they come, and nothing is prepared in the session.
func (a *arranged) read(ctx context.Context, conn *pgconn.PgConn, query string, parameters []parameter) (found int64, err error) {
	values, oids := split(parameters)
	formats := []int16{binaryFormat}
	if len(parameters) == 0 {
		formats = nil
	}
	compared := a.compared()
	result := conn.ExecParams(ctx, query, values, oids, formats, a.readFormats())
	more := result.NextRow()
	failure := checkColumns(a.name(), compared, result.FieldDescriptions())
	for ; more && failure == nil; more = result.NextRow() {
		found++
		failure = a.judge(compared, result.Values())
	}
	if _, err := result.Close(); err != nil {
		return 0, err
	}
	return found, failure
}

// readFormats are the formats of what selectRows selects: binary, but for text, which is the same in both. Text
// is an eighth cheaper for the server that way, of all that it does for a row.
func (t target) readFormats() []int16 {
	formats := []int16{}
	for _, c := range t.compared() {
		format := int16(binaryFormat)
		if c.Type == schema.Text {
			format = textFormat
		}
		formats = append(formats, format)
	}
	if t.MarksDeleted {
		formats = append(formats, binaryFormat)
	}
	return formats
}

// judge compares a row that the table has with the batch's version of it, if there is one.
func (a *arranged) judge(compared []schema.Column, fields [][]byte) error {
	place, ok, err := a.seek(fields)
	if err != nil || !ok {
		return err
	}
	row := &a.rows[place]
	for i := range compared {
		v := row.Extra
		if i < len(row.Values) {
			v = row.Values[i]
		}
		is, err := same(compared[i].Type, fields[i], v)
		if err != nil {
			return fmt.Errorf("read column %s of %s: %w", compared[i].Name, a.name(), err)
		}
		if !is {
			a.decide(place, changed)
			return nil
		}
	}
	if a.MarksDeleted && fields[len(compared)][0] != 0 { // it is marked as deleted
		a.decide(place, changed)
		return nil
	}
	a.decide(place, unchanged)
	return nil
}

// checkColumns makes sure that the table has the types that the values are encoded in: another replica with a
// newer mapping may have widened a column, and a few types would take the other's bytes for their own.
func checkColumns(table string, columns []schema.Column, fields []pgconn.FieldDescription) error {
	for i, c := range columns {
		if i < len(fields) && fields[i].DataTypeOID != wireTypeOf(c.Type).oid {
			return &sink.UnpreparedError{Err: fmt.Errorf("column %s of %s is no %s any more: it was altered since this exporter started; "+
				"give all replicas the same configuration and restart this one", c.Name, table, wireTypeOf(c.Type).native)}
		}
	}
	return nil
}
