package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Promote fills the next batch of rows from their _extra. The rows are read before the transaction that writes them.
func (w *Warehouse) Promote(ctx context.Context, p sink.Promotion) (done sink.Promoted, err error) {
	if p.Table, err = asMarked(ctx, w.reader, p.Table); err != nil {
		return sink.Promoted{}, w.explain(ctx, "read rows to promote", err)
	}
	var before, after []schema.Row
	done.Done = true
	query, args := ahead(p)
	err = eachStored(ctx, w.reader, p.Table, query, args, func(row sink.StoredRow) { done.Last, done.Done = row.Row.Row, false })
	if err != nil {
		return sink.Promoted{}, w.explain(ctx, "read rows to promote", err)
	}
	query, args = withExtra(p, done.Last)
	err = eachStored(ctx, w.reader, p.Table, query, args, func(row sink.StoredRow) {
		promoted, changed, misfits := p.Promote(row.Row.Row, p.Columns)
		done.Misfits = append(done.Misfits, misfits...)
		if changed {
			before, after = append(before, row.Row.Row), append(after, promoted)
		}
	})
	if err != nil {
		return sink.Promoted{}, w.explain(ctx, "read rows to promote", err)
	}
	if len(after) == 0 && !done.Done {
		return done, nil
	}
	err = w.write(ctx, "promote values of "+p.Dataset, func(tx *transaction) error {
		if err := checkConfig(ctx, tx, p.Dataset, p.ConfigHash); err != nil {
			return err
		}
		if done.Written, err = updatePromoted(ctx, tx, p, before, after); err != nil || !done.Done {
			return err
		}
		list, err := json.Marshal(p.Columns)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, statement("fields_promoted"), sql.Named("dataset", p.Dataset), sql.Named("columns", string(list)))
		return err
	})
	if err != nil {
		return sink.Promoted{}, err
	}
	return done, nil
}

// unpromoted are the columns of a dataset that are not promoted yet. Without a key there is no order to go by.
func unpromoted(ctx context.Context, tx *transaction, d sink.Dataset) (columns []string, err error) {
	if len(d.Table.Key) == 0 {
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx, statement("fields_unpromoted"), sql.Named("dataset", d.Name)) //nolint:sqlclosecheck // each closes them
	err = each(rows, err, func() error {
		var name string
		err := rows.Scan(&name)
		columns = append(columns, name)
		return err
	})
	return columns, err
}

// ahead is the query of the row that the next batch ends with.
func ahead(p sink.Promotion) (query string, args []any) {
	condition, args := keyIs(p.Table, ">", p.Behind)
	if condition != "" {
		condition = " WHERE " + condition
	}
	return fmt.Sprintf("%s FROM %s AS t%s ORDER BY %s LIMIT 1 OFFSET ?",
		selectStored(p.Table), quote(p.Table.Name), condition, keyOfT(p.Table)), append(args, p.Limit-1)
}

// withExtra is the query of the batch's rows that have one of the ids in _extra.
func withExtra(p sink.Promotion, last schema.Row) (query string, args []any) {
	var ids []string
	for _, name := range p.Columns {
		ids = append(ids, p.Table.Columns[p.Table.ColumnIndex(name)].ID)
	}
	list, _ := json.Marshal(ids) // strings always can be
	args = []any{string(list)}
	query = fmt.Sprintf("%s FROM %s AS t WHERE EXISTS (SELECT 1 FROM json_each(t.%s) AS e WHERE e.key IN (SELECT value FROM json_each(?)))",
		selectStored(p.Table), quote(p.Table.Name), quote(schema.ExtraColumn))
	if condition, values := keyIs(p.Table, ">", p.Behind); condition != "" {
		query, args = query+" AND "+condition, append(args, values...)
	}
	if condition, values := keyIs(p.Table, "<=", last); condition != "" {
		query, args = query+" AND "+condition, append(args, values...)
	}
	return query, args
}

// keyOfT are the columns of the key of a table that a query calls t.
func keyOfT(t schema.Table) string {
	var columns []string
	for _, name := range t.Key {
		columns = append(columns, "t."+quote(name))
	}
	return strings.Join(columns, ", ")
}

// keyIs compares the key with that of a row; "" of no row.
func keyIs(t schema.Table, operator string, row schema.Row) (condition string, args []any) {
	if row.Values == nil {
		return "", nil
	}
	for _, place := range t.KeyIndexes() {
		args = append(args, stored(t.Columns[place].Type, row.Values[place]))
	}
	return fmt.Sprintf("(%s) %s (?%s)", keyOfT(t), operator, strings.Repeat(", ?", len(args)-1)), args
}

// keepUnpromoted keeps the versions of the rows that are about to be promoted, and says when they are.
func keepUnpromoted(ctx context.Context, tx *transaction, p sink.Promotion, before, after []schema.Row) (time.Time, error) {
	if !p.Table.History {
		return time.Now(), nil
	}
	places := make(map[string]int, len(after)) // by key
	for i, row := range after {
		places[keyOf(p.Table, row)] = i
	}
	by := origin{table: p.Table, cause: sink.CausePromotion}
	return by.keepVersions(ctx, tx, time.Now(), after, func(was sink.StoredRow) []string {
		i := places[keyOf(p.Table, was.Row.Row)]
		if was.Extra != before[i].Extra {
			return nil // a commit came between
		}
		return sink.Changed(p.Table, was, after[i], was.Deleted)
	})
}

// updatePromoted updates the rows whose _extra is still what it was, and counts them.
func updatePromoted(ctx context.Context, tx *transaction, p sink.Promotion, before, after []schema.Row) (written int64, err error) {
	if len(after) == 0 {
		return 0, nil
	}
	var set, where []string
	for _, name := range slices.Concat(p.Columns, []string{schema.ExtraColumn, schema.ExportedAtColumn}) {
		set = append(set, quote(name)+" = ?")
	}
	for _, name := range append(slices.Clone(p.Table.Key), schema.ExtraColumn) {
		where = append(where, quote(name)+" = ?")
	}
	update, err := tx.PrepareContext(ctx, fmt.Sprintf("UPDATE %s SET %s WHERE %s",
		quote(p.Table.Name), strings.Join(set, ", "), strings.Join(where, " AND ")))
	if err != nil {
		return 0, err
	}
	defer func() { _ = update.Close() }()
	now, err := keepUnpromoted(ctx, tx, p, before, after)
	if err != nil {
		return 0, err
	}
	cell := func(row schema.Row, name string) any {
		place := p.Table.ColumnIndex(name)
		return stored(p.Table.Columns[place].Type, row.Values[place])
	}
	for i, row := range after {
		var args []any
		for _, name := range p.Columns {
			args = append(args, cell(row, name))
		}
		args = append(args, stored(schema.JSON, row.Extra), stamp(now))
		for _, name := range p.Table.Key {
			args = append(args, cell(row, name))
		}
		result, err := update.ExecContext(ctx, append(args, stored(schema.JSON, before[i].Extra))...)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		written += n
	}
	return written, nil
}
