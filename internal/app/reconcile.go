package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
)

// bindInsights tells the exporters of reports and of insights which of them are compared.
func (a *App) bindInsights(c *config.Config) {
	for _, r := range c.Reports {
		for _, bound := range r.Reconcile {
			report, insight := a.exporter(r.Name), a.exporter(bound.Insight)
			both := export.Reconciliation{Report: report.Dataset, Insight: insight.Dataset, SQL: bound.SQL, MaxShare: bound.MaxShare}
			report.Reconciles = append(report.Reconciles, both)
			insight.Reconciles = append(insight.Reconciles, both)
		}
	}
	for _, e := range a.exporters {
		e.OnReconciled = func(r export.ReconcileEvent) {
			a.metrics.Reconciled(r.Dataset, r.Insight, r.Agreeing, r.Differing, r.Marked)
		}
	}
}

// checkReconciled tries the expressions that a report is compared by, over the latest window that could be.
func (a *App) checkReconciled(ctx context.Context, e *export.Exporter, note func(subject, text string, err error)) {
	for _, r := range e.Reconciles {
		if r.Report.Name == e.Dataset.Name {
			text, err := a.tryExpression(ctx, r)
			note("report "+r.Report.Name+" with insight "+r.Insight.Name, text, err)
		}
	}
}

func (a *App) tryExpression(ctx context.Context, r export.Reconciliation) (string, error) {
	table := r.Report.Mapper.Table()
	prepared, err := a.warehouse.Preview(ctx, r.Report.Name, table)
	switch {
	case err != nil:
		return "", err // told of the table, too
	case prepared.Created:
		return "its sql is tried once the table is there", nil
	}
	last := r.Insight.Latest(a.Clock.Now())
	within, ok := r.Report.Stretch(last)
	if !ok {
		return "its sql is not tried, since clocks change in the latest window", nil
	}
	values, err := a.warehouse.Measure(ctx, sink.Measurement{Table: table, Expression: r.SQL, Within: []sink.Stretch{within}})
	var mistake *sink.ExpressionError
	switch {
	case errors.As(err, &mistake):
		return "", mistake
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("its sql makes %s of the window from %s UTC", values[0], last.Start.UTC().Format(time.DateTime)), nil
}

// drifting is trouble with a report that does not agree with an insight, though both were read again.
func (w *alarms) drifting(r export.Reconciliation, drifts []sink.Drift) state {
	key := alarmKey{r.Report.Name, sink.AlarmDrift(r.Insight.Name)}
	i := slices.IndexFunc(drifts, func(d sink.Drift) bool { return d.Dataset == r.Report.Name && d.Insight == r.Insight.Name })
	isOver := r.Report.Name + " agrees with insight " + r.Insight.Name + " again"
	if i < 0 || drifts[i].Standing == 0 { // what differs and was not read again yet may be late rows
		return state{key, w.warehouse, false, "", isOver}
	}
	d, first := drifts[i], drifts[i].Earliest
	return state{key, w.warehouse, true, fmt.Sprintf(
		"%s does not agree with insight %s in %d windows, though both were read again; the first, %s UTC: the warehouse has %s, the API says %s",
		d.Dataset, d.Insight, d.Standing, first.Window.Start.UTC().Format(time.DateTime), first.Warehouse, first.API), isOver}
}
