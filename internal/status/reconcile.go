package status

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"samespace-exporter/internal/sink"
)

// Reconciled is how what the warehouse has of a dataset compares with what the API says of it elsewhere.
type Reconciled struct {
	Insight   string            `json:"insight"` // the dataset itself, where values are compared with the previous values of the windows after them
	Through   *time.Time        `json:"through,omitempty"`
	Differing int64             `json:"differing"` // windows that differ, those that stand included
	Standing  int64             `json:"standing"`  // windows that differ after both were read again
	First     *ReconciledWindow `json:"first,omitempty"`
}

// ReconciledWindow is a window that differs. Numbers are exact decimals.
type ReconciledWindow struct {
	Start      time.Time  `json:"start"`
	End        time.Time  `json:"end"`
	Warehouse  string     `json:"warehouse"`
	API        string     `json:"api"`
	Difference string     `json:"difference"`
	Share      float64    `json:"share"`
	Rereads    int        `json:"rereads"`
	AgainAt    *time.Time `json:"again_at,omitempty"` // when it is read again, if it differs still
}

// reconciledOf is how a dataset compares, with each insight.
func reconciledOf(drifts []sink.Drift, dataset string) (all []Reconciled) {
	for _, d := range drifts {
		if d.Dataset != dataset {
			continue
		}
		r := Reconciled{Insight: d.Insight, Through: known(d.Through), Differing: d.Differing, Standing: d.Standing}
		if e := d.Earliest; d.Differing > 0 {
			r.First = &ReconciledWindow{
				Start: e.Window.Start.UTC(), End: e.Window.End.UTC(), Warehouse: e.Warehouse, API: e.API, Difference: e.Difference, Share: e.Share,
				Rereads: e.Rereads, AgainAt: known(e.AgainAt),
			}
		}
		all = append(all, r)
	}
	return all
}

// Drifts says in a line each where a dataset differs; of one that is not compared any more, nothing.
func (d Dataset) Drifts() (lines []string) {
	if d.State == NotConfigured {
		return nil
	}
	for _, r := range d.Reconciled {
		if r.First == nil {
			continue
		}
		what := "from insight " + r.Insight
		if r.Insight == d.Name {
			what = "from what the API says later (previousValue)"
		}
		lines = append(lines, fmt.Sprintf("%d windows differ %s, %d of them after they were read again; the first, %s UTC: the warehouse has %s, the API says %s",
			r.Differing, what, r.Standing, r.First.Start.Format(time.DateTime), r.First.Warehouse, r.First.API))
	}
	return lines
}

// Reconciled counts windows that were compared, and that were made due since they differ.
func (m *Metrics) Reconciled(dataset, insight string, agreeing, differing, marked int) {
	m.reconciled.WithLabelValues(dataset, insight, "agrees").Add(float64(agreeing))
	m.reconciled.WithLabelValues(dataset, insight, "differs").Add(float64(differing))
	m.reread.WithLabelValues(dataset, insight).Add(float64(marked))
}

// collectDrifts tells how many windows differ.
func (l *ledgerMetrics) collectDrifts(drifts []sink.Drift, gauge func(*prometheus.Desc, float64, ...string)) {
	for _, d := range drifts {
		if !l.configured(d.Dataset) {
			continue
		}
		gauge(l.differing, float64(d.Differing-d.Standing), d.Dataset, d.Insight, string(sink.Differs))
		gauge(l.differing, float64(d.Standing), d.Dataset, d.Insight, string(sink.Stands))
	}
}
