package sqlite

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// selectStored is the start of a read of whole rows: the mapped columns, _extra, _window_start, _exported_at, and whether
// the row is marked as deleted. The plus keeps the driver from making times of text by the declared type.
func selectStored(t schema.Table) string {
	var columns []string
	for _, c := range storedColumns(t) {
		columns = append(columns, "+t."+quote(c.Name))
	}
	deleted := "0"
	if t.MarksDeleted {
		deleted = "t." + quote(schema.DeletedAtColumn) + " IS NOT NULL"
	}
	return "SELECT " + strings.Join(columns, ", ") + ", " + deleted
}

func storedColumns(t schema.Table) []schema.Column {
	return append(t.Columns[:len(t.Columns):len(t.Columns)],
		schema.Column{Name: schema.ExtraColumn, Type: schema.JSON},
		schema.Column{Name: schema.WindowStartColumn, Type: schema.Timestamptz},
		schema.Column{Name: schema.ExportedAtColumn, Type: schema.Timestamptz})
}

// findStored calls found for each row of the table that has one of the keys.
func findStored(ctx context.Context, q querier, t schema.Table, keys []schema.Row, found func(sink.StoredRow)) error {
	places := t.KeyIndexes()
	var on []string
	for n, place := range places {
		on = append(on, fmt.Sprintf("t.%s = k.column%d", quote(t.Columns[place].Name), n+1))
	}
	for len(keys) > 0 {
		chunk := keys[:min(len(keys), existingKeys, maxArgs/len(places))]
		keys = keys[len(chunk):]
		var args []any
		for _, row := range chunk {
			for _, place := range places {
				args = append(args, stored(t.Columns[place].Type, row.Values[place]))
			}
		}
		query := fmt.Sprintf("%s FROM (VALUES %s) AS k CROSS JOIN %s AS t ON %s",
			selectStored(t), tuples(len(chunk), len(places)), quote(t.Name), strings.Join(on, " AND "))
		if err := eachStored(ctx, q, t, query, args, found); err != nil {
			return err
		}
	}
	return nil
}

// eachStored calls found for each row of a query of selectStored.
func eachStored(ctx context.Context, q querier, t schema.Table, query string, args []any, found func(sink.StoredRow)) error {
	columns := storedColumns(t)
	cells, to := make([]any, len(columns)), make([]any, len(columns)+1)
	for i := range cells {
		to[i] = &cells[i]
	}
	var deleted bool
	to[len(cells)] = &deleted
	rows, err := q.QueryContext(ctx, query, args...) //nolint:sqlclosecheck // each closes them
	return each(rows, err, func() error {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		mapped := len(t.Columns)
		found(sink.StoredRow{
			Row: sink.Row{
				Row: restoredRow(t, cells), WindowStart: restored(schema.Timestamptz, cells[mapped+1]).Time(),
			},
			ExportedAt: restored(schema.Timestamptz, cells[mapped+2]).Time(), Deleted: deleted,
		})
		return nil
	})
}

// restoredRow is a row as the mapping made it, of cells that begin with the mapped columns and the extra values.
func restoredRow(t schema.Table, cells []any) schema.Row {
	row := schema.Row{Values: make([]schema.Value, len(t.Columns)), Extra: restored(schema.JSON, cells[len(t.Columns)])}
	for i, c := range t.Columns {
		row.Values[i] = restored(c.Type, cells[i])
	}
	return row
}

// restored is the value that the file holds: what stored made of it. What anybody else put there, and no mapping yields,
// becomes a value that equals none.
func restored(t schema.Type, cell any) schema.Value {
	if cell == nil {
		return schema.Value{}
	}
	foreign := schema.StrValue(fmt.Sprintf("%T %v", cell, cell))
	switch t {
	case schema.Integer:
		if i, ok := cell.(int64); ok {
			return schema.IntValue(i)
		}
	case schema.Boolean:
		if i, ok := cell.(int64); ok && i >= 0 && i <= 1 {
			return schema.BoolValue(i == 1)
		}
	case schema.Float:
		if f, ok := cell.(float64); ok {
			return schema.FloatValue(f)
		}
	case schema.Numeric, schema.Duration:
		return restoredDecimal(cell, foreign)
	case schema.Timestamptz:
		return restoredTime(timestamptzLayout, cell, foreign)
	case schema.Timestamp:
		return restoredTime(timestampLayout, cell, foreign)
	case schema.Date:
		return restoredTime(time.DateOnly, cell, foreign)
	default:
		if text, ok := cell.(string); ok {
			return schema.StrValue(text)
		}
	}
	return foreign
}

func restoredDecimal(cell any, foreign schema.Value) schema.Value {
	switch cell := cell.(type) {
	case int64:
		return schema.StrValue(strconv.FormatInt(cell, 10))
	case float64:
		return schema.StrValue(strconv.FormatFloat(cell, 'f', -1, 64))
	case []byte:
		return schema.StrValue(string(cell))
	}
	return foreign
}

func restoredTime(layout string, cell any, foreign schema.Value) schema.Value {
	if text, ok := cell.(string); ok {
		if t, err := time.Parse(layout, text); err == nil {
			return schema.TimeValue(t)
		}
	}
	return foreign
}
