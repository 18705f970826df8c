package sinktest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func reconcileTests() []exercise {
	return []exercise{
		{"expressions over windows", testMeasure},
		{"every type of time", testMeasureTimes},
		{"decimals are exact", testMeasureDecimals},
		{"mistakes of expressions", testMeasureMistakes},
		{"expressions cannot write", testMeasureCannotWrite},
		{"expressions that take too long", testMeasureTimeout},
		{"rows by window", testStoredByWindow},
		{"kept and changed", testReconcile},
		{"to be read again", testReconcileAgain},
		{"one at a time", testReconcileOfManyReplicas},
		{"what reading again came to", testRereads},
		{"drifts", testDrifts},
	}
}

// measured is what an expression makes of stretches of the table calls.
func (b bench) measured(t schema.Table, expression string, within ...sink.Stretch) string {
	b.t.Helper()
	values, err := b.Measure(b.t.Context(), sink.Measurement{Table: t, Expression: expression, Within: within})
	b.noError(err)
	return strings.Join(values, " ")
}

func testMeasure(b bench) {
	table := b.withMarked() // b is marked, d is at the end of the hour
	all := []sink.Stretch{
		stretch(clock(0, 0), clock(1, 0)), stretch(clock(0, 10), clock(0, 30)), stretch(clock(1, 0), clock(2, 0)), stretch(clock(5, 0), clock(6, 0)),
	}
	equal(b, "count", b.measured(table, "count(*)", all...), "2 1 1 0")
	equal(b, "sum", b.measured(table, "sum(seconds)", all...), "4 1 4 0")
	equal(b, "filter", b.measured(table, "count(*) filter (where agent = 'Cid')", all...), "1 0 0 0")
	equal(b, "with a comment at its end", b.measured(table, "count(*) -- of all", all...), "2 1 1 0")
	equal(b, "constant", b.measured(table, "count(*) * 0 + 7", all...), "7 7 7 7")
	table.MarksDeleted = false
	equal(b, "of a table that marks nothing any more", b.measured(table, "count(*)", all...), "2 1 1 0")
	equal(b, "nothing asked", b.measured(table, "count(*)"), "")
}

func testMeasureTimes(b bench) {
	for _, of := range []struct {
		kind     schema.Type
		from, to time.Time
	}{
		{schema.Timestamp, clock(0, 0), clock(1, 0)},
		{schema.Date, clock(0, 0), clock(24, 0)},
	} {
		d := callsDataset()
		d.Table.Name, d.ConfigHash = "calls_"+of.kind.String(), of.kind.String()
		d.Table.Columns[1].Type = of.kind
		b.prepare(d)
		b.plan(hours(0, 1), clock(0, 0))
		batch := read(b.claim(within(hours(0, 1))), clock(1, 0), clock(1, 0), call("a", of.from, "Ann", 1), call("b", of.to, "Bob", 2))
		batch.Table = d.Table
		b.commit(batch)
		equal(b, "sum by "+of.kind.String(), b.measured(d.Table, "sum(seconds)", stretch(of.from, of.to), stretch(of.to, of.to.Add(24*time.Hour))), "1 2")
	}
}

func testMeasureDecimals(b bench) {
	d := callsDataset()
	d.Table.Columns = append(d.Table.Columns, schema.Column{Name: "amount", Type: schema.Numeric, ID: "v"})
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	row := call("a", clock(0, 10), "Ann", 1)
	const exact = "12345678901234567890.123456789"
	row.Values = append(row.Values, schema.StrValue(exact))
	batch := read(b.claim(within(hours(0, 1))), clock(9, 0), clock(9, 0), row)
	batch.Table = d.Table
	b.commit(batch)
	equal(b, "decimal", b.measured(d.Table, "max(amount)", stretch(clock(0, 0), clock(1, 0))), exact)
}

func testMeasureMistakes(b bench) {
	table := b.withMarked()
	for _, expression := range []string{
		"count(*", "cuont(*)", "sum(no_such_column)", "max(agent)", "seconds", "count(*), 1", "count(*)) from nowhere; select (1", "",
	} {
		_, err := b.Measure(b.t.Context(), sink.Measurement{Table: table, Expression: expression, Within: []sink.Stretch{stretch(clock(0, 0), clock(2, 0))}})
		var mistake *sink.ExpressionError
		if !errors.As(err, &mistake) || mistake.Reason == "" {
			b.t.Errorf("%q: %v", expression, err)
		}
	}
	equal(b, "afterwards", b.measured(table, "count(*)", stretch(clock(0, 0), clock(1, 0))), "2")
}

func testMeasureCannotWrite(b bench) {
	table := b.withMarked()
	name := b.Table(calls)
	for _, expression := range []string{
		"1); DELETE FROM " + name + "; SELECT (1",
		"1); PRAGMA query_only = 0; DELETE FROM " + name + "; SELECT (1",
		"1); COMMIT; DELETE FROM " + name + "; SELECT (1",
		"1) FROM " + name + " AS t; DELETE FROM " + name + "; --",
		"WITH gone AS (DELETE FROM " + name + " RETURNING 1) SELECT count(*) FROM gone",
		"count(*) + (DELETE FROM " + name + " RETURNING 1)",
	} {
		// It may be refused, or make some number: what counts is what is left.
		_, _ = b.Measure(b.t.Context(), sink.Measurement{Table: table, Expression: expression, Within: []sink.Stretch{stretch(clock(0, 0), clock(2, 0))}})
		equal(b, "rows after "+expression, b.cell("SELECT count(*) FROM "+name), "5")
	}
	b.plan(hours(1, 2), clock(1, 0)) // the warehouse can still write
	equal(b, "windows", len(b.ledger()), 2)
}

func testMeasureTimeout(b bench) {
	table := b.withMarked()
	endless := "count(*) + (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT count(*) FROM n)"
	_, err := b.Measure(b.t.Context(), sink.Measurement{
		Table: table, Expression: endless, Within: []sink.Stretch{stretch(clock(0, 0), clock(2, 0))}, Timeout: 50 * time.Millisecond,
	})
	var mistake *sink.ExpressionError
	if !errors.As(err, &mistake) || !strings.Contains(mistake.Reason, "too long") {
		b.t.Errorf("got %v", err)
	}
}

func testStoredByWindow(b bench) {
	d := callsDataset()
	d.Table.Key, d.Table.ByWindow = nil, true
	b.prepare(d)
	b.plan(hours(0, 3), clock(0, 0))
	batch := read(b.claim(within(hours(0, 3))), clock(9, 0), clock(9, 0),
		call("a", clock(0, 59), "Ann", 1), call("b", clock(1, 0), "Bob", 2), call("c", clock(1, 30), "Cid", 3), call("d", clock(2, 0), "Dan", 4))
	batch.Table, batch.Write = d.Table, sink.ReplaceWindows
	b.commit(batch)
	rows, err := b.StoredByWindow(b.t.Context(), d.Table, hours(1, 2))
	b.noError(err)
	equal(b, "rows", ids(rows), "b c")
	equal(b, "their window", rows[0].WindowStart, clock(1, 0))
}

// against is the pair that most of these tests compare.
func against() sink.ReconciledRequest {
	return sink.ReconciledRequest{Dataset: calls, Insight: "answered", Within: hours(0, 1000)}
}

// compared is a window that was compared.
func compared(hour int, state sink.Agreement) sink.Reconciled {
	return sink.Reconciled{
		Window: hours(hour, hour+1), Warehouse: "97.5", API: "100", Difference: "-2.5", Share: 0.025, State: state, CheckedAt: clock(50, 0),
		ReadAt: clock(48, 0), InsightReadAt: clock(49, 0), Definition: "d1",
	}
}

// keepCompared keeps windows that were compared.
func (b bench) keepCompared(r sink.ReconciledRequest, all ...sink.Reconciled) {
	b.t.Helper()
	b.noError(b.Reconcile(b.t.Context(), r, func([]sink.Reconciled) []sink.Reconciled { return all }))
}

func (b bench) reconciled(r sink.ReconciledRequest) []sink.Reconciled {
	b.t.Helper()
	all, err := b.Reconciled(b.t.Context(), r)
	b.noError(err)
	return all
}

func testReconcile(b bench) {
	r := against()
	first, second := compared(2, sink.Stands), compared(4, sink.Agrees)
	first.Rereads, first.MarkedAt, first.AgainAt = 3, clock(51, 0), clock(52, 0)
	second.Warehouse, second.API, second.Difference, second.Share = "12345678901234567890.123456789", "0", "12345678901234567890.123456789", 1
	b.keepCompared(r, second, first)
	equal(b, "kept", fmt.Sprint(b.reconciled(r)), fmt.Sprint([]sink.Reconciled{first, second}))
	other := r
	other.Insight = "abandoned"
	equal(b, "of another insight", len(b.reconciled(other)), 0)
	r.Within = window.Window{Start: clock(2, 59), End: clock(4, 0)}
	equal(b, "of a stretch of time", fmt.Sprint(b.reconciled(r)), fmt.Sprint([]sink.Reconciled{first}))

	changed := first
	changed.State, changed.Difference, changed.AgainAt, changed.Rereads = sink.Agrees, "0", time.Time{}, 4
	b.noError(b.Reconcile(b.t.Context(), r, func(have []sink.Reconciled) []sink.Reconciled {
		equal(b, "shown", fmt.Sprint(have), fmt.Sprint([]sink.Reconciled{first}))
		return []sink.Reconciled{changed}
	}))
	equal(b, "changed", fmt.Sprint(b.reconciled(against())), fmt.Sprint([]sink.Reconciled{changed, second}))
	b.keepCompared(r)
	equal(b, "nothing changed", len(b.reconciled(against())), 2)
	equal(b, "as SQL has it", strings.Join(b.query("SELECT state, rereads, insight FROM " + b.Own("reconciliations") + " ORDER BY window_start")[0], " "), "agrees 4 answered")

	b.keepCompared(other, compared(2, sink.Agrees))
	b.noError(b.ForgetReconciled(b.t.Context(), calls, []string{"abandoned"}))
	equal(b, "forgotten", len(b.reconciled(against())), 0)
	equal(b, "still bound", len(b.reconciled(sink.ReconciledRequest{Dataset: calls, Insight: "abandoned", Within: hours(0, 9)})), 1)
	b.noError(b.ForgetReconciled(b.t.Context(), calls, nil))
	equal(b, "left", b.column("SELECT count(*) FROM "+b.Own("reconciliations")), "0")
}

func testReconcileAgain(b bench) {
	at := func(hour, rereads int, again time.Time) sink.Reconciled {
		c := compared(hour, sink.Differs)
		c.Rereads, c.AgainAt = rereads, again
		return c
	}
	b.keepCompared(against(), at(1, 0, clock(50, 0)), at(2, 0, clock(50, 1)), at(3, 2, clock(50, 2)), at(4, 0, clock(50, 3)), at(5, 1, time.Time{}), at(0, 0, clock(49, 0)))
	due := func(limit int) (hours string) {
		b.noError(b.Reconcile(b.t.Context(), sink.ReconciledRequest{Dataset: calls, Insight: "answered", AgainBy: clock(50, 2), Limit: limit},
			func(have []sink.Reconciled) []sink.Reconciled {
				hours = ""
				for _, c := range have {
					hours += fmt.Sprint(c.Window.Start.Hour(), " ")
				}
				return nil
			}))
		return hours
	}
	equal(b, "due", due(10), "3 0 1 2 ")
	equal(b, "a few", due(2), "3 0 ")
}

func testReconcileOfManyReplicas(b bench) {
	b.keepCompared(against(), compared(0, sink.Differs))
	second := b.Second()
	failures := make(chan error, 8)
	for i := range 8 {
		w := b.Warehouse
		if i%2 == 1 {
			w = second
		}
		go func() {
			failures <- w.Reconcile(b.t.Context(), against(), func(have []sink.Reconciled) []sink.Reconciled {
				have[0].Rereads++
				return have
			})
		}()
	}
	for range 8 {
		b.noError(<-failures)
	}
	equal(b, "counted", b.reconciled(against())[0].Rereads, 8)
}

func testRereads(b bench) {
	of := func(hour int, state sink.Agreement, rereads int) sink.Reconciled {
		c := compared(hour, state)
		c.Rereads = rereads
		return c
	}
	older := of(9, sink.Stands, 1)
	older.Definition = "d0"
	b.keepCompared(against(), of(0, sink.Agrees, 0), of(1, sink.Agrees, 1), of(2, sink.Stands, 2), of(3, sink.Differs, 1), of(4, sink.Differs, 0), older)
	got, err := b.Rereads(b.t.Context(), calls, "answered", "d1")
	b.noError(err)
	equal(b, "rereads", got, sink.Rereads{Helped: 1, Unproven: 2})
}

func testDrifts(b bench) {
	if w, _ := b.Unmigrated(); true {
		if _, err := w.Drifts(b.t.Context()); !errors.Is(err, sink.ErrNotMigrated) {
			b.t.Errorf("drifts before migrate: %v", err)
		}
	}
	insight := callsDataset()
	insight.Name, insight.Table.Name, insight.Kind = "answered", "answered", sink.KindInsight
	b.prepare(callsDataset())
	b.prepare(insight)
	all, err := b.Drifts(b.t.Context())
	b.noError(err)
	equal(b, "none", len(all), 0)
	stands := compared(5, sink.Stands)
	b.keepCompared(against(), compared(1, sink.Agrees), compared(2, sink.Differs), stands, compared(6, sink.Stands), compared(7, sink.Agrees))
	own := sink.ReconciledRequest{Dataset: "answered", Insight: "answered"}
	b.keepCompared(own, compared(3, sink.Agrees))
	all, err = b.Drifts(b.t.Context())
	b.noError(err)
	want := []sink.Drift{
		{Dataset: "answered", Insight: "answered", Through: clock(4, 0)},
		{Dataset: calls, Insight: "answered", Through: clock(8, 0), Differing: 3, Standing: 2, Earliest: stands},
	}
	equal(b, "drifts", fmt.Sprint(all), fmt.Sprint(want))
}
