package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Promote fills the next batch of rows from their _extra. The rows are read before the transaction that writes them:
// to find them may take long, and nothing is to wait for that.
func (w *Warehouse) Promote(ctx context.Context, p sink.Promotion) (done sink.Promoted, err error) {
	var batch promotion
	err = w.inTx(ctx, "read rows to promote", func(tx pgx.Tx) error {
		table, err := w.asMarked(ctx, tx, p.Table)
		if err != nil {
			return err
		}
		batch = promotion{target: w.target(table), asked: p}
		if _, err := byIndex(ctx, tx); err != nil {
			return err
		}
		return batch.find(ctx, tx.Conn().PgConn())
	})
	if err != nil {
		return done, err
	}
	done.Last, done.Done, done.Misfits = batch.last, batch.done, batch.misfits
	if len(batch.after) == 0 && !done.Done {
		return done, nil
	}
	err = w.inTx(ctx, "promote values", func(tx pgx.Tx) error {
		at, err := alone(ctx, tx, p.Dataset, p.ConfigHash)
		if err != nil {
			return err
		}
		if at, err = batch.keepUnpromoted(ctx, tx, at); err != nil {
			return err
		}
		if done.Written, err = batch.write(ctx, tx, at); err != nil || !done.Done {
			return err
		}
		_, err = tx.Exec(ctx, statement("fields_promoted"), p.Dataset, p.Columns)
		return err
	})
	return done, err
}

// unpromoted are the columns of a dataset that are not promoted yet. Without a key there is no order to go by.
func unpromoted(ctx context.Context, tx pgx.Tx, d sink.Dataset) ([]string, error) {
	if len(d.Table.Key) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, statement("fields_unpromoted"), d.Name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// promotion is a batch of rows that are promoted.
type promotion struct {
	target
	asked         sink.Promotion
	last          schema.Row // the batch ends with it
	done          bool       // the batch ends with the table
	misfits       []*schema.RejectError
	before, after []schema.Row // of the rows that change
}

// find reads what is to be promoted of the next rows of the table: of so many at once that a statement does not take long
// where few have anything.
func (p *promotion) find(ctx context.Context, conn *pgconn.PgConn) error {
	var behind []parameter
	if p.asked.Behind.Values != nil {
		behind = p.keyParameters(p.asked.Behind)
	}
	offset := bigint(int64(p.asked.Limit - 1))
	p.done = true
	err := p.eachStored(ctx, conn, p.storedAhead(len(behind)), append([]parameter{offset}, behind...), func(row sink.StoredRow) {
		p.last, p.done = row.Row.Row, false
	})
	if err != nil {
		return err
	}
	var end []parameter
	if !p.done {
		end = p.keyParameters(p.last)
	}
	ids := make([]schema.Value, len(p.asked.Columns))
	for i, name := range p.asked.Columns {
		ids[i] = schema.StrValue(p.Columns[p.ColumnIndex(name)].ID)
	}
	parameters := slices.Concat([]parameter{arrayOf(schema.Text, ids)}, behind, end)
	return p.eachStored(ctx, conn, p.storedWithExtra(len(behind), len(end)), parameters, func(row sink.StoredRow) {
		promoted, changed, misfits := p.asked.Promote(row.Row.Row, p.asked.Columns)
		p.misfits = append(p.misfits, misfits...)
		if changed {
			p.before, p.after = append(p.before, row.Row.Row), append(p.after, promoted)
		}
	})
}

// keyParameters are the values of a row's key.
func (t target) keyParameters(row schema.Row) (parameters []parameter) {
	for _, k := range t.KeyIndexes() {
		kind := t.Columns[k].Type
		parameters = append(parameters, valueOf(kind, row.Values[k]))
	}
	return parameters
}

// storedAhead reads the row that $1 rows precede in the order of the key; behind a key of so many values, if any.
func (t target) storedAhead(behind int) string {
	condition := ""
	if behind > 0 {
		condition = "\nWHERE " + t.keyIs(">", 2, behind)
	}
	return fmt.Sprintf("%s\nFROM %s AS t%s\nORDER BY t.%s\nOFFSET $1 LIMIT 1", t.selectStored(), t.name(), condition, strings.Join(quoteAll(t.Key), ", t."))
}

// storedWithExtra reads rows that have one of the ids $1 in _extra; behind a key of so many values, if any, and up to another.
func (t target) storedWithExtra(behind, end int) string {
	condition := ""
	if behind > 0 {
		condition += "\n  AND " + t.keyIs(">", 2, behind)
	}
	if end > 0 {
		condition += "\n  AND " + t.keyIs("<=", 2+behind, end)
	}
	return fmt.Sprintf("%s\nFROM %s AS t\nWHERE t.%s ?| $1%s", t.selectStored(), t.name(), quote(schema.ExtraColumn), condition)
}

// keyIs compares the key with values, whose numbers begin with first.
func (t target) keyIs(operator string, first, values int) string {
	places := make([]string, values)
	for i := range places {
		places[i] = "$" + strconv.Itoa(first+i)
	}
	return fmt.Sprintf("(t.%s) %s (%s)", strings.Join(quoteAll(t.Key), ", t."), operator, strings.Join(places, ", "))
}

// keepUnpromoted keeps the versions of the rows that are about to be promoted, and says when they are.
func (p *promotion) keepUnpromoted(ctx context.Context, tx pgx.Tx, at time.Time) (time.Time, error) {
	at, err := p.takeHistoryTurn(ctx, tx.Conn(), at)
	if err != nil || !p.History {
		return at, err
	}
	after := make(map[string]int, len(p.after)) // by key
	for i, row := range p.after {
		after[p.keyOf(row)] = i
	}
	return p.keepVersions(ctx, tx.Conn(), at, origin{cause: sink.CausePromotion}, p.after, func(was sink.StoredRow) []string {
		i := after[p.keyOf(was.Row.Row)]
		if was.Extra != p.before[i].Extra {
			return nil // a commit came between
		}
		return sink.Changed(p.Table, was, p.after[i], was.Deleted)
	})
}

// write updates the rows whose _extra is still what it was.
func (p *promotion) write(ctx context.Context, tx pgx.Tx, at time.Time) (written int64, err error) {
	if len(p.after) == 0 {
		return 0, nil
	}
	extra := func(rows []schema.Row) parameter {
		values := make([]schema.Value, len(rows))
		for i, row := range rows {
			values[i] = row.Extra
		}
		return arrayOf(schema.JSON, values)
	}
	parameters := append([]parameter{timestamptz(at), extra(p.before), extra(p.after)}, p.keysOf(p.after)...)
	for _, name := range p.asked.Columns {
		parameters = append(parameters, p.columnOf(p.after, p.ColumnIndex(name)))
	}
	return counted(ctx, tx.Conn().PgConn(), p.updatePromoted(p.asked.Columns), parameters)
}

// updatePromoted takes when it is done, and an array each of what _extra was, what it is to be, and the columns of the key
// and of columns. It counts what it wrote. (On Citus an update joins with what a materialized query found.)
func (t target) updatePromoted(columns []string) string {
	arrays, named := t.keyArrays(4)
	var set []string
	for i, name := range columns {
		arrays, named = append(arrays, fmt.Sprintf("$%d", 4+len(t.Key)+i)), append(named, fmt.Sprintf("c%d", i+1))
		set = append(set, fmt.Sprintf("%s = p.c%d", quote(name), i+1))
	}
	return fmt.Sprintf(`WITH promoted AS MATERIALIZED (
    SELECT * FROM unnest($2, $3, %s) AS p (_was, _is, %s)
), written AS (
    UPDATE %s AS t
    SET %s, %s = p._is, %s = $1
    FROM promoted AS p
    WHERE %s AND t.%s = p._was
    RETURNING 1
)
SELECT count(*) FROM written`, strings.Join(arrays, ", "), strings.Join(named, ", "), t.name(), strings.Join(set, ", "),
		quote(schema.ExtraColumn), quote(schema.ExportedAtColumn), t.hasKeyOf("p"), quote(schema.ExtraColumn))
}
