package status

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"samespace-exporter/internal/sink"
)

// Metrics counts what the exporter does. Names and units follow the Prometheus conventions.
type Metrics struct {
	rows     *prometheus.CounterVec
	requests *prometheus.CounterVec
	windows  *prometheus.CounterVec
	rejected *prometheus.CounterVec
	waited   *prometheus.CounterVec
	spent    *prometheus.CounterVec
	passes   *prometheus.CounterVec
	took     *prometheus.CounterVec

	reconciled *prometheus.CounterVec
	reread     *prometheus.CounterVec

	reloadOK prometheus.Gauge
	reloaded prometheus.Gauge
}

// NewMetrics enters the counters into the registry.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"dataset"}, labels...))
		registry.MustRegister(v)
		return v
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		registry.MustRegister(g)
		return g
	}
	return &Metrics{
		rows:     counter("exporter_rows_total", "Rows of committed spans by what became of them.", "result"),
		requests: counter("exporter_pages_total", "Pages read from the API for committed spans."),
		windows:  counter("exporter_windows_total", "Windows read and committed."),
		rejected: counter("exporter_rejected_rows_total", "Rows that did not fit the mapping."),
		waited:   counter("exporter_rate_wait_seconds_total", "Time spent waiting for the rate limit."),
		spent:    counter("exporter_stage_seconds_total", "Time spent on committed rows, by stage; stages of several pages and spans go on at once.", "stage"),
		passes:   counter("exporter_passes_total", "Passes by outcome.", "outcome"),
		took:     counter("exporter_pass_seconds_total", "Time spent in passes."),

		reconciled: counter("exporter_reconciled_windows_total", "Windows that were compared with an insight; of previous values, with the dataset's own.", "insight", "result"),
		reread:     counter("exporter_reconcile_rereads_total", "Windows that were made due since they do not agree with an insight.", "insight"),

		reloadOK: gauge("exporter_config_last_reload_successful", "1 when the config that was read last is in use, 0 when it was refused."),
		reloaded: gauge("exporter_config_last_reload_success_timestamp_seconds", "When the config in use was read."),
	}
}

// Commit is a span, or a part of one, that was committed.
type Commit struct {
	Dataset  string
	Windows  int
	Requests int
	Rejected int
	Spent    sink.Spent
	Counts   sink.Counts
}

// Committed counts a commit.
func (m *Metrics) Committed(c Commit) {
	m.rows.WithLabelValues(c.Dataset, "inserted").Add(float64(c.Counts.Inserted))
	m.rows.WithLabelValues(c.Dataset, "updated").Add(float64(c.Counts.Updated))
	m.rows.WithLabelValues(c.Dataset, "unchanged").Add(float64(c.Counts.Unchanged))
	m.rows.WithLabelValues(c.Dataset, "deleted").Add(float64(c.Counts.Deleted))
	m.windows.WithLabelValues(c.Dataset).Add(float64(c.Windows))
	m.requests.WithLabelValues(c.Dataset).Add(float64(c.Requests))
	m.rejected.WithLabelValues(c.Dataset).Add(float64(c.Rejected))
	m.waited.WithLabelValues(c.Dataset).Add(c.Spent.Wait.Seconds())
	for stage, took := range map[string]time.Duration{
		"fetch": c.Spent.Fetch, "wait": c.Spent.Wait, "decode": c.Spent.Decode, "compare": c.Spent.Compare, "commit": c.Spent.Commit,
	} {
		m.spent.WithLabelValues(c.Dataset, stage).Add(took.Seconds())
	}
}

// Passed counts a pass that ended: outcome is "done", "failed" or "interrupted".
func (m *Metrics) Passed(dataset, outcome string, took time.Duration) {
	m.passes.WithLabelValues(dataset, outcome).Inc()
	m.took.WithLabelValues(dataset).Add(took.Seconds())
}

// Forget drops what was counted of a dataset that is not exported any more.
func (m *Metrics) Forget(dataset string) {
	for _, counter := range []*prometheus.CounterVec{m.rows, m.requests, m.windows, m.rejected, m.waited, m.spent, m.passes, m.took, m.reconciled, m.reread} {
		counter.DeletePartialMatch(prometheus.Labels{"dataset": dataset})
	}
}

// ConfigTaken keeps when the config in use was read.
func (m *Metrics) ConfigTaken(at time.Time) {
	m.reloadOK.Set(1)
	m.reloaded.Set(float64(at.UnixNano()) / 1e9)
}

// ConfigRefused says that a newer config was read and is not in use.
func (m *Metrics) ConfigRefused() { m.reloadOK.Set(0) }

// ledgerMetrics are gauges that are read from the ledger when they are asked for.
type ledgerMetrics struct {
	Options

	up, state, through, lag, throughOverdue, readTo, readToOverdue, due, failing, rejects, differing, arrival, late *prometheus.Desc
}

func newLedgerMetrics(o Options) *ledgerMetrics {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &ledgerMetrics{
		Options: o,
		up:      gauge("exporter_warehouse_up", "1 when the warehouse answered."),
		state:   gauge("exporter_dataset_state", "1 for the state that the dataset is in, as this process sees it.", "dataset", "state"),
		through: gauge("exporter_through_timestamp_seconds", "Data before this time is complete.", "dataset"),
		lag:     gauge("exporter_lag_seconds", "Now minus the time before which data is complete.", "dataset"),
		throughOverdue: gauge("exporter_through_overdue_seconds",
			"How long ago, by the dataset's schedule, later data should have become complete; 0: that is to come.", "dataset"),
		readTo: gauge("exporter_read_to_timestamp_seconds", "What is new is read up to this time; older data may be missing still.", "dataset"),
		readToOverdue: gauge("exporter_read_to_overdue_seconds",
			"How long ago, by the dataset's schedule, newer data should have been read; 0: that is to come.", "dataset"),
		due:     gauge("exporter_due_windows", "Windows that are to be read now.", "dataset"),
		failing: gauge("exporter_failing_windows", "Windows whose last read failed or was unstable.", "dataset"),
		rejects: gauge("exporter_quarantined_rows", "Rows in the quarantine.", "dataset"),

		differing: gauge("exporter_differing_windows", "Windows that do not agree with an insight, by whether they were read again and still do not (stands).", "dataset", "insight", "state"),
		arrival:   gauge("exporter_arrival_lag_seconds", "How long after their own time rows were made in the source, this month and the last: so long at most for the share of them; 1 is all.", "dataset", "share"),
		late:      gauge("exporter_late_rows", "Rows, at least, that were made later than the last re-read of their window, this month and the last.", "dataset"),
	}
}

// Describe is part of prometheus.Collector.
func (l *ledgerMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{l.up, l.state, l.through, l.lag, l.throughOverdue, l.readTo, l.readToOverdue, l.due, l.failing, l.rejects, l.differing, l.arrival, l.late} {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (l *ledgerMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	now := l.Clock()
	all, err := l.Warehouse.Status(ctx, now)
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if err != nil {
		gauge(l.up, 0)
		return
	}
	gauge(l.up, 1)
	for _, d := range all {
		if !l.configured(d.Name) {
			continue
		}
		l.collectState(d, gauge)
		if !d.Through.IsZero() {
			gauge(l.through, float64(d.Through.Unix()), d.Name)
			gauge(l.lag, now.Sub(d.Through).Seconds(), d.Name)
			l.collectOverdue(l.throughOverdue, d.Name, d.Through, now, gauge)
		}
		if !d.ReadTo.IsZero() {
			gauge(l.readTo, float64(d.ReadTo.Unix()), d.Name)
			l.collectOverdue(l.readToOverdue, d.Name, d.ReadTo, now, gauge)
		}
		gauge(l.due, float64(d.Due), d.Name)
		gauge(l.failing, float64(d.Failed), d.Name)
		gauge(l.rejects, float64(d.Rejects), d.Name)
		if a := l.arrivalOf(d); a != nil {
			gauge(l.arrival, a.P50Seconds, d.Name, "0.5")
			gauge(l.arrival, a.P99Seconds, d.Name, "0.99")
			gauge(l.arrival, a.LargestSeconds, d.Name, "1")
			gauge(l.late, float64(a.LateRows), d.Name)
		}
	}
	if drifts, err := l.Warehouse.Drifts(ctx); err == nil {
		l.collectDrifts(drifts, gauge)
	}
}

func (l *ledgerMetrics) collectOverdue(of *prometheus.Desc, dataset string, through, now time.Time, gauge func(*prometheus.Desc, float64, ...string)) {
	if l.DueSince == nil {
		return
	}
	if due := l.DueSince(dataset, through); !due.IsZero() {
		gauge(of, max(0, now.Sub(due).Seconds()), dataset)
	}
}

func (l *ledgerMetrics) collectState(d sink.DatasetStatus, gauge func(*prometheus.Desc, float64, ...string)) {
	is, _, _ := l.stateOf(d)
	for _, state := range states() {
		v := 0.0
		if state == is {
			v = 1
		}
		gauge(l.state, v, d.Name, string(state))
	}
}
