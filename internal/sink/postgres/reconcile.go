package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Reconciled is what was compared of a dataset with an insight.
func (w *Warehouse) Reconciled(ctx context.Context, r sink.ReconciledRequest) (compared []sink.Reconciled, err error) {
	err = w.tryTx(ctx, reading, func(tx pgx.Tx) error {
		compared, err = collectReconciled(tx.Query(ctx, statement("reconciled"), r.Dataset, r.Insight, r.Within.Start, r.Within.End))
		return err
	})
	return compared, classify(ctx, "read reconciliations", err)
}

// Reconcile shows change what was compared, and keeps what it returns.
func (w *Warehouse) Reconcile(ctx context.Context, r sink.ReconciledRequest, change func([]sink.Reconciled) []sink.Reconciled) error {
	return w.inTx(ctx, "keep reconciliations", func(tx pgx.Tx) error {
		lock, args := statement("reconciled_lock"), []any{r.Dataset, r.Insight, r.Within.Start, r.Within.End}
		if !r.AgainBy.IsZero() {
			lock, args = statement("reconciled_again"), []any{r.Dataset, r.Insight, r.AgainBy, r.Limit}
		}
		compared, err := collectReconciled(tx.Query(ctx, lock, args...))
		if err != nil {
			return err
		}
		changed := change(compared)
		if len(changed) == 0 {
			return nil
		}
		_, err = tx.Exec(ctx, statement("reconciled_keep"), reconciledColumns(r, changed)...)
		return err
	})
}

func collectReconciled(rows pgx.Rows, err error) ([]sink.Reconciled, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (sink.Reconciled, error) {
		var scanned reconciled
		err := row.Scan(scanned.columns()...)
		return scanned.get(), err
	})
}

// reconciled is a Reconciled while its columns are read, of which all may be NULL.
type reconciled struct {
	start, end, checkedAt, readAt, insightReadAt, markedAt, againAt *time.Time
	warehouse, api, difference, state, definition                   *string
	share                                                           *float64
	rereads                                                         *int
}

func (r *reconciled) columns() []any {
	return []any{
		&r.start, &r.end, &r.warehouse, &r.api, &r.difference, &r.share, &r.state, &r.checkedAt, &r.readAt, &r.insightReadAt,
		&r.rereads, &r.markedAt, &r.againAt, &r.definition,
	}
}

func (r *reconciled) get() sink.Reconciled {
	if r.start == nil {
		return sink.Reconciled{}
	}
	return sink.Reconciled{
		Window: window.Window{Start: instant(r.start), End: instant(r.end)}, Warehouse: *r.warehouse, API: *r.api, Difference: *r.difference,
		Share: *r.share, State: sink.Agreement(*r.state), CheckedAt: instant(r.checkedAt), ReadAt: instant(r.readAt),
		InsightReadAt: instant(r.insightReadAt), Rereads: *r.rereads, MarkedAt: instant(r.markedAt), AgainAt: instant(r.againAt),
		Definition: *r.definition,
	}
}

// reconciledColumns are rows as columns, for unnest.
func reconciledColumns(r sink.ReconciledRequest, all []sink.Reconciled) []any {
	var start, end, checkedAt, readAt, insightReadAt []time.Time
	var markedAt, againAt []*time.Time
	var warehouse, api, difference, state, definition []string
	var share []float64
	var rereads []int
	for _, c := range all {
		start, end = append(start, c.Window.Start), append(end, c.Window.End)
		warehouse, api, difference = append(warehouse, c.Warehouse), append(api, c.API), append(difference, c.Difference)
		share, state, rereads = append(share, c.Share), append(state, string(c.State)), append(rereads, c.Rereads)
		checkedAt, readAt, insightReadAt = append(checkedAt, c.CheckedAt), append(readAt, c.ReadAt), append(insightReadAt, c.InsightReadAt)
		markedAt, againAt = append(markedAt, nullable(c.MarkedAt)), append(againAt, nullable(c.AgainAt))
		definition = append(definition, c.Definition)
	}
	return []any{
		r.Dataset, r.Insight, start, end, warehouse, api, difference, share, state, checkedAt, readAt, insightReadAt, rereads, markedAt, againAt,
		definition,
	}
}

// ForgetReconciled forgets what was compared of a dataset with other insights than these.
func (w *Warehouse) ForgetReconciled(ctx context.Context, dataset string, insights []string) error {
	return w.inTx(ctx, "forget reconciliations", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, statement("reconciled_forget"), dataset, append([]string{}, insights...))
		return err
	})
}

// Rereads is what reading again has come to.
func (w *Warehouse) Rereads(ctx context.Context, dataset, insight, definition string) (r sink.Rereads, err error) {
	err = w.tryTx(ctx, reading, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, statement("reconciled_rereads"), dataset, insight, definition).Scan(&r.Helped, &r.Unproven)
	})
	return r, classify(ctx, "read reconciliations", err)
}

// Drifts is how datasets and insights compare.
func (w *Warehouse) Drifts(ctx context.Context) (drifts []sink.Drift, err error) {
	err = w.look(ctx, "read reconciliations", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement("drifts"))
		if err != nil {
			return err
		}
		drifts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d sink.Drift, err error) {
			var earliest reconciled
			err = row.Scan(append([]any{&d.Dataset, &d.Insight, &d.Through, &d.Differing, &d.Standing}, earliest.columns()...)...)
			d.Through, d.Earliest = d.Through.UTC(), earliest.get()
			return d, err
		})
		return err
	})
	return drifts, err
}

// StoredByWindow are the rows of the table whose window begins in a stretch of time.
func (w *Warehouse) StoredByWindow(ctx context.Context, t schema.Table, within window.Window) ([]sink.StoredRow, error) {
	parameters := []parameter{timestamptz(within.Start), timestamptz(within.End)}
	return w.storedRows(ctx, t, func(to target, tx pgx.Tx, found func(sink.StoredRow)) error {
		return to.eachStored(ctx, tx.Conn().PgConn(), to.storedByWindow(), parameters, found)
	})
}

// storedByWindow reads the whole rows of windows.
func (t target) storedByWindow() string {
	at := quote(schema.WindowStartColumn)
	return fmt.Sprintf("%s\nFROM %s AS t\nWHERE t.%s >= $1 AND t.%s < $2", t.selectStored(), t.name(), at, at)
}

// Measure evaluates an expression in transactions that cannot write, one for each stretch: together they may take longer than
// a transaction has. It is sent by the extended protocol, which takes one
// statement only, and in brackets, so that it stays an expression.
func (w *Warehouse) Measure(ctx context.Context, m sink.Measurement) (values []string, err error) {
	timeout := cmp.Or(m.Timeout, sink.MeasureTimeout)
	timeout = min(timeout, w.timeout/2) // the server is to say first that it takes too long
	for i := 0; i < len(m.Within) && err == nil; i++ {
		var value string
		value, err = w.measureWithin(ctx, m, m.Within[i], timeout)
		values = append(values, value)
	}
	if err == nil {
		return values, nil
	}
	var expression *sink.ExpressionError
	if errors.As(err, &expression) {
		return nil, fmt.Errorf("measure %s: %w", m.Table.Name, expression)
	}
	return nil, classify(ctx, "measure "+m.Table.Name, err)
}

func (w *Warehouse) measureWithin(ctx context.Context, m sink.Measurement, within sink.Stretch, timeout time.Duration) (value string, err error) {
	err = w.tryTx(ctx, reading, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, statement("statement_timeout"), fmt.Sprint(timeout.Milliseconds())); err != nil {
			return err
		}
		table, err := w.asMarked(ctx, tx, m.Table)
		if err != nil {
			return err
		}
		t := w.target(table)
		value, err = t.measure(ctx, tx.Conn().PgConn(), m.Expression, t.stretch(within))
		return err
	})
	return value, err
}

func (t target) measure(ctx context.Context, conn *pgconn.PgConn, expression string, parameters []parameter) (string, error) {
	values, oids := split(parameters)
	formats := []int16{binaryFormat, binaryFormat}
	result := conn.ExecParams(ctx, t.measured(expression), values, oids, formats, nil).Read()
	if result.Err != nil {
		return "", expressionError(ctx, result.Err)
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 2 {
		return "", &sink.ExpressionError{Reason: "it makes more than one number: write one aggregate expression"}
	}
	switch value := result.Rows[0][1]; {
	case value == nil: // the sum of nothing
		return "0", nil
	case !isDecimal(string(value)):
		return "", &sink.ExpressionError{Reason: fmt.Sprintf("it makes %s, which is no finite number", value)}
	default:
		return string(value), nil
	}
}

// measured is the query of an expression. The count beside it has the server refuse what is no aggregate; the line ends
// keep a comment from reaching beyond it.
func (t target) measured(expression string) string {
	at := quote(t.TimeField)
	query := fmt.Sprintf("SELECT count(*), (\n%s\n)::numeric::text\nFROM %s AS t\nWHERE t.%s >= $1 AND t.%s < $2", expression, t.name(), at, at)
	if t.MarksDeleted {
		query += " AND t." + quote(schema.DeletedAtColumn) + " IS NULL"
	}
	return query
}

// isDecimal reports whether a numeric is one of digits: not NaN, nor infinite.
func isDecimal(text string) bool {
	last := text[len(text)-1]
	return last >= '0' && last <= '9'
}

// expressionError tells a mistake of an expression from a server that cannot be used.
func expressionError(ctx context.Context, err error) error {
	var server *pgconn.PgError
	if ctx.Err() != nil || !errors.As(err, &server) || inTheWay(err) {
		return err
	}
	switch {
	case server.Code == "57014":
		return &sink.ExpressionError{Reason: "it takes too long for one window", Err: err}
	case server.Code != "25006" && unavailableHint(err) != "":
		return err
	}
	return &sink.ExpressionError{Reason: server.Message, Err: err}
}
