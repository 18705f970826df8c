// Package app puts the exporter together: it turns the config's values into a source, a warehouse and an
// exporter for each dataset, and starts and stops them. It is the only place that knows them all.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/notify"
	"samespace-exporter/internal/schedule"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/sink/postgres"
	"samespace-exporter/internal/sink/sqlite"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/status"
)

// Options are what an App takes besides the config. The zero value is what a daemon wants, but for Version.
type Options struct {
	Version string
	Logger  *slog.Logger         // nil: nothing is logged
	Clock   clockwork.Clock      // nil: the machine's
	HTTP    http.RoundTripper    // to the API and the webhook; nil: the standard one
	Observe func(e export.Event) // told of every step of every dataset; nil: nobody
	// LeaseTTL is how long the windows of a killed process stay unread. Zero: a minute.
	LeaseTTL time.Duration
	// DrainTimeout is how long spans that are being read may take when the daemon is told to stop. Zero:
	// 25 seconds, within the 30 that supervisors commonly give.
	DrainTimeout time.Duration
	// Counters is what an App counts in. nil: counters of its own.
	Counters *Counters
}

// Counters are the metrics of a process. An App that takes another one's place goes on counting in them.
type Counters struct {
	registry *prometheus.Registry
	metrics  *status.Metrics
}

// NewCounters makes counters that stand at zero, beside what Go and the system tell of the process.
func NewCounters() *Counters {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return &Counters{registry: registry, metrics: status.NewMetrics(registry)}
}

// DefaultLeaseTTL is how long the windows of a killed process stay unread, unless Options say otherwise.
const DefaultLeaseTTL = time.Minute

// Warehouse is all that the program asks of a warehouse.
type Warehouse interface {
	export.Warehouse
	status.Warehouse
	board
	previews
	TakeSlots(ctx context.Context, endpoint string, take func(now time.Time, s sink.Slots) sink.Slots) error
	Migrate(ctx context.Context) error
	Check(ctx context.Context) (string, error)
	Query(ctx context.Context, sql string) (header []string, rows [][]string, err error)
	Close()
}

// App is the program, ready to be started.
type App struct {
	Options
	config    *config.Config
	source    *source.Client
	probe     *source.Client // for the few requests of a command that changes nothing, so takes no slots either
	warehouse Warehouse
	metrics   *status.Metrics
	scheduler *schedule.Scheduler
	health    *health
	exporters []*export.Exporter
	jobs      []job
	course    course
	alarms    *alarms // nil: nobody is told
}

// New makes an App of a config. Nothing is reached yet: a daemon may start while the API or the warehouse is
// down. Errors: config.Errors, *schema.MappingError, or of a DSN that cannot be understood.
func New(ctx context.Context, c *config.Config, o Options) (*App, error) {
	a := &App{Options: withDefaults(o), config: c}
	a.metrics, a.health = a.Counters.metrics, newHealth(a.Options)
	a.scheduler = schedule.New(a.Clock, a.Logger)
	var err error
	if a.warehouse, err = openWarehouse(ctx, c.Warehouse); err != nil {
		return nil, err
	}
	if a.source, err = openSource(c.Source, a.Options, budget{a.warehouse, bare(c.Source.Endpoint)}); err != nil {
		a.warehouse.Close()
		return nil, err
	}
	if a.probe, err = openSource(c.Source, a.Options, nil); err != nil {
		a.source.Close()
		a.warehouse.Close()
		return nil, err
	}
	if err := a.addDatasets(c); err != nil {
		a.Close()
		return nil, err
	}
	a.bindInsights(c)
	if c.Notify.Webhook.IsSet() {
		a.alarms = newAlarms(a, notify.New(c.Notify.Webhook.Reveal(), a.HTTP, "samespace-exporter/"+a.Version))
	}
	return a, nil
}

func withDefaults(o Options) Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	if o.LeaseTTL == 0 {
		o.LeaseTTL = DefaultLeaseTTL
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 25 * time.Second
	}
	if o.Counters == nil {
		o.Counters = NewCounters()
	}
	return o
}

// Close ends the connections. It must be called once nothing of the App is running.
func (a *App) Close() {
	a.source.Close()
	a.probe.Close()
	a.warehouse.Close()
}

// Datasets are the names of what is exported.
func (a *App) Datasets() []string {
	var names []string
	for _, e := range a.exporters {
		names = append(names, e.Dataset.Name)
	}
	return names
}

// openSource makes a client of the API. It shares the budget; nil: its rate is its own.
func openSource(c config.Source, o Options, shared source.Budget) (*source.Client, error) {
	return source.New(source.Options{
		Endpoint: c.Endpoint, APIKey: c.APIKey.Reveal(), Timeout: c.Timeout, MaxAttempts: c.MaxAttempts, Budget: shared,
		RequestsPerSecond: c.RequestsPerSecond, MaxInFlight: c.MaxInFlight, MaxPageBytes: c.MaxPageBytes,
		DateFormat: string(c.DateFormat), Transport: o.HTTP, UserAgent: "samespace-exporter/" + o.Version,
	})
}

// budget is the request budget that all processes of a warehouse share: it is kept there.
type budget struct {
	warehouse Warehouse
	endpoint  string
}

// bare is an address without what may be secret in it.
func bare(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "" // the client refuses it
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func (b budget) Take(ctx context.Context, take func(now time.Time, s source.Slots) source.Slots) error {
	return b.warehouse.TakeSlots(ctx, b.endpoint, func(now time.Time, s sink.Slots) sink.Slots {
		return sink.Slots(take(now, source.Slots(s)))
	})
}

func openWarehouse(ctx context.Context, c config.Warehouse) (Warehouse, error) {
	if path, ok := c.SQLitePath(); ok {
		return sqlite.Open(ctx, sqlite.Options{Path: path})
	}
	return postgres.Open(ctx, postgres.Options{
		DSN: c.DSN.Reveal(), Password: c.Password.Reveal(), Schema: c.Schema, MaxConnections: c.MaxConnections,
		LockTimeout: c.LockTimeout, Timeout: c.Timeout, Distribute: c.Distribute, ApplicationName: "samespace-exporter",
	})
}

// owner names this process in leases: readable, and never the same twice.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:6])
}

// observe counts commits, and tells whoever asked.
func (a *App) observe(e export.Event) {
	if e.Step == export.StepCommitted {
		a.metrics.Committed(status.Commit{
			Dataset: e.Dataset, Windows: e.Windows, Requests: e.Requests, Rejected: e.Rejected, Spent: e.Spent, Counts: e.Counts,
		})
	}
	if a.Observe != nil {
		a.Observe(e)
	}
}

// Migrate brings the exporter's own tables to the newest version.
func (a *App) Migrate(ctx context.Context) error { return a.warehouse.Migrate(ctx) }

// Status is how every dataset is doing; of a warehouse that was never exported to, it has none.
func (a *App) Status(ctx context.Context) (status.Report, error) {
	report, err := status.Read(ctx, a.shown())
	if errors.Is(err, sink.ErrNotMigrated) {
		return status.Report{Version: a.Version, At: a.Clock.Now().UTC(), Datasets: []status.Dataset{}}, nil
	}
	return report, err
}

// next is when a daemon begins a dataset's next pass; zero for one that is not in the config.
func (a *App) next(d sink.DatasetStatus) time.Time {
	if j, ok := a.job(d.Name); ok {
		return j.ticks.Next(a.notBefore(d).Add(-1), j.location)
	}
	return time.Time{}
}

// dueSince is the tick that should move on what is complete, or read, of a dataset through a time, which may be to come; zero for
// one that is not in the config.
func (a *App) dueSince(dataset string, through time.Time) time.Time {
	if j, ok := a.job(dataset); ok {
		return j.dueSince(through, time.Time{})
	}
	return time.Time{}
}

func (a *App) job(dataset string) (job, bool) {
	i := slices.IndexFunc(a.jobs, func(j job) bool { return j.exporter.Dataset.Name == dataset })
	if i < 0 {
		return job{}, false
	}
	return a.jobs[i], true
}

// notBefore is the first time at which a tick makes a pass of the dataset: ticks while it rests, or while the API refuses the
// key, make none. Of the key another process knows by the daemon's last run, which was its last try.
func (a *App) notBefore(d sink.DatasetStatus) time.Time {
	times := []time.Time{a.Clock.Now().Add(1), a.health.restsUntil(d.Name)}
	if d.Problem == sink.ProblemKey && d.LastRun.Kind == sink.RunScheduled && !d.LastRun.EndedAt.IsZero() {
		times = append(times, d.LastRun.EndedAt.Add(keyProbe))
	}
	return slices.MaxFunc(times, time.Time.Compare)
}

// Query runs a reading SQL statement in the warehouse; every cell comes as text.
func (a *App) Query(ctx context.Context, sql string) (header []string, rows [][]string, err error) {
	return a.warehouse.Query(ctx, sql)
}
