package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Reconciled is what was compared of a dataset with an insight.
func (w *Warehouse) Reconciled(ctx context.Context, r sink.ReconciledRequest) ([]sink.Reconciled, error) {
	compared, err := collectReconciled(ctx, w.reader, r)
	if err != nil {
		return nil, w.explain(ctx, "read reconciliations", err)
	}
	return compared, nil
}

// Reconcile shows change what was compared, and keeps what it returns.
func (w *Warehouse) Reconcile(ctx context.Context, r sink.ReconciledRequest, change func([]sink.Reconciled) []sink.Reconciled) error {
	return w.write(ctx, "keep reconciliations", func(tx *transaction) error {
		compared, err := collectReconciled(ctx, tx, r)
		if err != nil {
			return err
		}
		for _, c := range change(compared) {
			if _, err := tx.ExecContext(ctx, statement("reconciled_keep"), reconciledArgs(r, c)...); err != nil {
				return err
			}
		}
		return nil
	})
}

func collectReconciled(ctx context.Context, q querier, r sink.ReconciledRequest) (all []sink.Reconciled, err error) {
	query, args := statement("reconciled"), []any{sql.Named("from", stamp(r.Within.Start)), sql.Named("to", stamp(r.Within.End))}
	if !r.AgainBy.IsZero() {
		query, args = statement("reconciled_again"), []any{sql.Named("by", stamp(r.AgainBy)), sql.Named("limit", r.Limit)}
	}
	rows, err := q.QueryContext(ctx, query, append(args, sql.Named("dataset", r.Dataset), sql.Named("insight", r.Insight))...) //nolint:sqlclosecheck // each closes them
	err = each(rows, err, func() error {
		var c reconciled
		err := rows.Scan(c.columns()...)
		all = append(all, c.get())
		return err
	})
	return all, err
}

// reconciled is a Reconciled while its columns are read, of which all may be NULL.
type reconciled struct {
	sink.Reconciled
	warehouse, api, difference any
	share                      sql.NullFloat64
	state, definition          sql.NullString
	rereads                    sql.NullInt64
}

func (r *reconciled) columns() []any {
	return []any{
		at(&r.Window.Start), at(&r.Window.End), &r.warehouse, &r.api, &r.difference, &r.share, &r.state, at(&r.CheckedAt), at(&r.ReadAt),
		at(&r.InsightReadAt), &r.rereads, at(&r.MarkedAt), at(&r.AgainAt), &r.definition,
	}
}

func (r *reconciled) get() sink.Reconciled {
	number := func(cell any) string {
		if cell == nil {
			return ""
		}
		return restoredDecimal(cell, schema.StrValue(fmt.Sprint(cell))).Str()
	}
	r.Warehouse, r.API, r.Difference = number(r.warehouse), number(r.api), number(r.difference)
	r.Share, r.State, r.Rereads, r.Definition = r.share.Float64, sink.Agreement(r.state.String), int(r.rereads.Int64), r.definition.String
	return r.Reconciled
}

func reconciledArgs(r sink.ReconciledRequest, c sink.Reconciled) []any {
	return []any{
		sql.Named("dataset", r.Dataset), sql.Named("insight", r.Insight), sql.Named("window_start", stamp(c.Window.Start)),
		sql.Named("window_end", stamp(c.Window.End)), sql.Named("warehouse_value", storedDecimal(c.Warehouse)),
		sql.Named("api_value", storedDecimal(c.API)), sql.Named("difference", storedDecimal(c.Difference)), sql.Named("share", c.Share),
		sql.Named("state", string(c.State)), sql.Named("checked_at", stamp(c.CheckedAt)), sql.Named("read_at", stamp(c.ReadAt)),
		sql.Named("insight_read_at", stamp(c.InsightReadAt)), sql.Named("rereads", c.Rereads), sql.Named("marked_at", stamp(c.MarkedAt)),
		sql.Named("again_at", stamp(c.AgainAt)), sql.Named("definition", c.Definition),
	}
}

// ForgetReconciled forgets what was compared of a dataset with other insights than these.
func (w *Warehouse) ForgetReconciled(ctx context.Context, dataset string, insights []string) error {
	kept, err := json.Marshal(append([]string{}, insights...))
	if err != nil {
		return err
	}
	return w.write(ctx, "forget reconciliations", func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, statement("reconciled_forget"), sql.Named("dataset", dataset), sql.Named("insights", string(kept)))
		return err
	})
}

// Rereads is what reading again has come to.
func (w *Warehouse) Rereads(ctx context.Context, dataset, insight, definition string) (r sink.Rereads, err error) {
	row := w.reader.QueryRowContext(ctx, statement("reconciled_rereads"), sql.Named("dataset", dataset), sql.Named("insight", insight),
		sql.Named("definition", definition))
	if err := row.Scan(&r.Helped, &r.Unproven); err != nil {
		return r, w.explain(ctx, "read reconciliations", err)
	}
	return r, nil
}

// Drifts is how datasets and insights compare.
func (w *Warehouse) Drifts(ctx context.Context) (drifts []sink.Drift, err error) {
	rows, err := w.reader.QueryContext(ctx, statement("drifts"))
	err = each(rows, err, func() error {
		var d sink.Drift
		var earliest reconciled
		err := rows.Scan(append([]any{&d.Dataset, &d.Insight, at(&d.Through), &d.Differing, &d.Standing}, earliest.columns()...)...)
		d.Earliest = earliest.get()
		drifts = append(drifts, d)
		return err
	})
	switch {
	case err != nil && w.empty(ctx):
		return nil, sink.ErrNotMigrated
	case err != nil:
		return nil, w.explain(ctx, "read reconciliations", err)
	}
	return drifts, nil
}

// StoredByWindow are the rows of the table whose window begins in a stretch of time.
func (w *Warehouse) StoredByWindow(ctx context.Context, t schema.Table, within window.Window) ([]sink.StoredRow, error) {
	at := quote(schema.WindowStartColumn)
	return w.storedRows(ctx, t, func(t schema.Table, found func(sink.StoredRow)) error {
		query := fmt.Sprintf("%s FROM %s AS t WHERE t.%s >= ? AND t.%[3]s < ?", selectStored(t), quote(t.Name), at)
		return eachStored(ctx, w.reader, t, query, []any{stamp(within.Start), stamp(within.End)}, found)
	})
}

// Measure evaluates an expression by a connection of its own that cannot write, whatever is said to it.
func (w *Warehouse) Measure(ctx context.Context, m sink.Measurement) (values []string, err error) {
	what := "measure " + m.Table.Name
	if m.Table, err = asMarked(ctx, w.reader, m.Table); err != nil {
		return nil, w.explain(ctx, what, err)
	}
	timeout := m.Timeout
	if timeout == 0 {
		timeout = sink.MeasureTimeout
	}
	readOnly, err := sql.Open("sqlite", dsn(w.path, w.options.BusyTimeout, "mode=ro&_query_only=1"))
	if err != nil {
		return nil, w.explain(ctx, what, err)
	}
	defer func() { _ = readOnly.Close() }()
	of := m.Table.Columns[m.Table.ColumnIndex(m.Table.TimeField)].Type
	measure := func(query string, args ...any) (cells []any, err error) {
		bounded, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		rows, err := readOnly.QueryContext(bounded, query, args...) //nolint:sqlclosecheck // each closes them
		err = each(rows, err, func() error {
			var cell any
			err := rows.Scan(&cell)
			cells = append(cells, cell)
			return err
		})
		switch {
		case err != nil && ctx.Err() == nil && bounded.Err() != nil:
			err = &sink.ExpressionError{Reason: "it takes too long for one window", Err: err}
		case err == nil && len(cells) != 1:
			err = &sink.ExpressionError{Reason: "it makes no one number of several rows: write an aggregate"}
		}
		return cells, err
	}
	_, err = measure(measured(m, "0"))
	for i := 0; i < len(m.Within) && err == nil; i++ {
		within := m.Within[i]
		var cells []any
		if cells, err = measure(measured(m, fmt.Sprintf("t.%s >= ?1 AND t.%[1]s < ?2", quote(m.Table.TimeField))),
			stored(of, within.From), stored(of, within.To)); err != nil {
			break
		}
		var value string
		value, err = measuredNumber(cells[0])
		values = append(values, value)
	}
	if err != nil {
		return nil, w.explainExpression(ctx, what, err)
	}
	return values, nil
}

// measured is the query of an expression. The line ends keep a comment from reaching beyond it.
func measured(m sink.Measurement, where string) string {
	query := fmt.Sprintf("SELECT (\n%s\n) FROM %s AS t WHERE %s", m.Expression, quote(m.Table.Name), where)
	if m.Table.MarksDeleted {
		query += " AND t." + quote(schema.DeletedAtColumn) + " IS NULL"
	}
	return query
}

// measuredNumber is what an expression makes, as a decimal.
func measuredNumber(cell any) (string, error) {
	switch cell := cell.(type) {
	case nil: // the sum of nothing
		return "0", nil
	case int64:
		return strconv.FormatInt(cell, 10), nil
	case float64:
		if !math.IsNaN(cell) && !math.IsInf(cell, 0) {
			return strconv.FormatFloat(cell, 'f', -1, 64), nil
		}
	case []byte: // a decimal that a double does not hold: see storedDecimal
		if _, err := strconv.ParseFloat(string(cell), 64); err == nil {
			return string(cell), nil
		}
	}
	return "", &sink.ExpressionError{Reason: fmt.Sprintf("it makes %v, which is no finite number", cell)}
}

// explainExpression tells a mistake of an expression from a file that cannot be used.
func (w *Warehouse) explainExpression(ctx context.Context, what string, err error) error {
	var mistake *sink.ExpressionError
	var driver *sqlite.Error
	switch {
	case errors.As(err, &mistake) && ctx.Err() == nil:
		return fmt.Errorf("%s: %w", what, mistake)
	case errors.As(err, &driver) && ctx.Err() == nil && (hint(driver.Code()) == "" || driver.Code()&0xff == sqlite3.SQLITE_READONLY):
		return fmt.Errorf("%s: %w", what, &sink.ExpressionError{Reason: driver.Error(), Err: err})
	}
	// What is no error of the driver's is one of an expression's parameters, which it cannot have.
	if driver == nil && mistake == nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", what, &sink.ExpressionError{Reason: err.Error(), Err: err})
	}
	return w.explain(ctx, what, err)
}
