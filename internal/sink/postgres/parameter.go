package postgres

import (
	"context"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// parameter is a value of a statement, in the binary format; NULL where the value is nil.
type parameter struct {
	oid   uint32
	value []byte
}

func valueOf(of schema.Type, v schema.Value) parameter {
	return parameter{wireTypeOf(of).oid, appendValue(nil, of, v)}
}

func arrayOf(of schema.Type, values []schema.Value) parameter {
	return parameter{wireTypeOf(of).arrayOID, appendArray(nil, of, values)}
}

func bigint(n int64) parameter {
	return parameter{pgtype.Int8OID, binary.BigEndian.AppendUint64(nil, uint64(n))}
}

func timestamptz(at time.Time) parameter { return valueOf(schema.Timestamptz, schema.TimeValue(at)) }

// stretch are the bounds of a stretch, as the table has times.
func (t target) stretch(s sink.Stretch) []parameter {
	of := t.Columns[t.ColumnIndex(t.TimeField)].Type
	return []parameter{valueOf(of, s.From), valueOf(of, s.To)}
}

func split(parameters []parameter) (values [][]byte, oids []uint32) {
	for _, p := range parameters {
		values, oids = append(values, p.value), append(oids, p.oid)
	}
	return values, oids
}

// counted runs a statement that returns how many rows it wrote.
func counted(ctx context.Context, conn *pgconn.PgConn, query string, parameters []parameter) (int64, error) {
	values, oids := split(parameters)
	result := conn.ExecParams(ctx, query, values, oids, []int16{binaryFormat}, nil).Read()
	if result.Err != nil {
		return 0, result.Err
	}
	return strconv.ParseInt(string(result.Rows[0][0]), 10, 64)
}
