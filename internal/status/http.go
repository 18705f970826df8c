// Package status tells people and machines how the exporter is doing: a page, a JSON document, metrics and
// health, all read from the ledger.
package status

import (
	"context"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"samespace-exporter/internal/sink"
)

// Warehouse is what the status needs of a warehouse.
type Warehouse interface {
	Status(ctx context.Context, now time.Time) ([]sink.DatasetStatus, error)
	Drifts(ctx context.Context) ([]sink.Drift, error)
	Unfinished(ctx context.Context, now time.Time) ([]sink.Unfinished, error)
}

// Options are what the status shows.
type Options struct {
	Warehouse Warehouse
	Registry  *prometheus.Registry // of what is served beside the ledger's metrics
	Clock     func() time.Time
	Version   string
	// Next is when a dataset's next pass begins; the zero time: not known. nil: never known.
	Next func(d sink.DatasetStatus) time.Time
	// DueSince is the tick that should move on what is complete, or read, of a dataset through a time. It may be to come; the zero
	// time: not known. nil: never known.
	DueSince func(dataset string, through time.Time) time.Time
	// Here is what only this process knows of a dataset, and why; "": nothing. nil: never anything.
	Here func(dataset string) (State, string)
	// LastReread is how long after its end a dataset's window is read for the last time; zero: not known. nil: never known.
	LastReread func(dataset string) time.Duration
	// Begins is the time before which nothing is read of a dataset; the zero time: not known. nil: never known.
	Begins func(dataset string) time.Time
	// Configured reports whether a dataset is in the config: the metrics leave out others, which the ledger may know from
	// before, and the rest says so of them. nil: all are.
	Configured func(dataset string) bool
}

func (o Options) configured(dataset string) bool { return o.Configured == nil || o.Configured(dataset) }

// answerTimeout bounds how long an answer waits for the warehouse.
const answerTimeout = 3 * time.Second

//go:embed page.html
var page string

// New is the handler of all that the exporter serves:
//
//	/            a page for people
//	/api/status  the same as JSON
//	/metrics     Prometheus
//	/healthz     200 while the process lives
//	/readyz      200 while the warehouse answers and no dataset is superseded: what another replica, or this one once it
//	             is restarted, would do better; else 503. That the API is away or refuses makes no replica less ready.
func New(o Options) http.Handler {
	ledger := prometheus.NewRegistry() // of its own: a daemon with another warehouse makes another handler
	ledger.MustRegister(newLedgerMetrics(o))
	s := &server{Options: o, page: template.Must(template.New("page").Parse(page))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /api/status", s.serveJSON)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(prometheus.Gatherers{o.Registry, ledger}, promhttp.HandlerOpts{}))
	return mux
}

type server struct {
	Options
	page *template.Template
}

func (s *server) servePage(w http.ResponseWriter, r *http.Request) {
	report, err := s.report(r.Context())
	if err != nil {
		http.Error(w, "the warehouse does not answer: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	// A write that fails has lost its reader: there is nobody left to tell.
	_ = s.page.Execute(w, report)
}

func (s *server) serveJSON(w http.ResponseWriter, r *http.Request) {
	report, err := s.report(r.Context())
	if err != nil {
		http.Error(w, "the warehouse does not answer: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(report)
}

func (s *server) serveReady(w http.ResponseWriter, r *http.Request) {
	report, err := s.report(r.Context())
	if err != nil {
		http.Error(w, "the warehouse does not answer: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	for _, d := range report.Datasets {
		if d.State == Superseded {
			http.Error(w, d.Name+": "+d.Reason, http.StatusServiceUnavailable)
			return
		}
	}
	_, _ = w.Write([]byte("ready\n"))
}

func (s *server) report(ctx context.Context) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return Read(ctx, s.Options)
}
