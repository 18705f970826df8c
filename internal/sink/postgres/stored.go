package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// selectStored is the start of a read of whole rows: the columns of written, and whether the row is marked as deleted.
func (t target) selectStored() string {
	deleted := "false"
	if t.MarksDeleted {
		deleted = "t." + quote(schema.DeletedAtColumn) + " IS NOT NULL"
	}
	return "SELECT t." + strings.Join(quoteAll(names(t.written())), ", t.") + ", " + deleted
}

// storedByTime reads the whole rows of a stretch of time.
func (t target) storedByTime() string {
	at := quote(t.TimeField)
	return fmt.Sprintf("%s\nFROM %s AS t\nWHERE t.%s >= $1 AND t.%s < $2", t.selectStored(), t.name(), at, at)
}

// storedByKey reads the whole rows that have one of so many keys.
func (t target) storedByKey() string { return t.byKeys(t.selectStored()) }

// findStored calls found for each row of the table that has one of the keys.
func (t target) findStored(ctx context.Context, conn *pgconn.PgConn, keys []schema.Row, found func(sink.StoredRow)) error {
	if len(keys) == 0 {
		return nil
	}
	return t.eachStored(ctx, conn, t.storedByKey(), t.keysOf(keys), found)
}

// eachStored calls found for each row of a query of selectStored.
func (t target) eachStored(ctx context.Context, conn *pgconn.PgConn, query string, parameters []parameter, found func(sink.StoredRow)) error {
	values, oids := split(parameters)
	formats := slices.Repeat([]int16{binaryFormat}, len(parameters))
	result := conn.ExecParams(ctx, query, values, oids, formats, []int16{binaryFormat})
	more := result.NextRow()
	failure := checkColumns(t.name(), t.written(), result.FieldDescriptions())
	for ; more && failure == nil; more = result.NextRow() {
		var row sink.StoredRow
		if row, failure = t.decodeStored(result.Values()); failure == nil {
			found(row)
		}
	}
	if _, err := result.Close(); err != nil {
		return err
	}
	return failure
}

func (t target) decodeStored(fields [][]byte) (row sink.StoredRow, err error) {
	written := t.written()
	values, err := t.decode(written, fields)
	if err != nil {
		return row, err
	}
	mapped := len(t.Columns)
	row.Values = values[:mapped:mapped]
	row.WindowStart, row.ExportedAt, row.Extra = values[mapped].Time(), values[mapped+1].Time(), values[mapped+2]
	row.Deleted = fields[len(written)][0] != 0
	return row, nil
}

// decode are the values of columns that the table sent. Equal values can be sent in different ways, but are decoded alike.
func (t target) decode(columns []schema.Column, fields [][]byte) (values []schema.Value, err error) {
	values = make([]schema.Value, len(columns))
	for i, c := range columns {
		if values[i], err = decodeValue(c.Type, fields[i]); err != nil {
			return nil, fmt.Errorf("read column %s of %s: %w", c.Name, t.name(), err)
		}
	}
	return values, nil
}
