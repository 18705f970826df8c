package export_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jonboulle/clockwork"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/sink/postgres"
	"samespace-exporter/internal/sink/sqlite"
	"samespace-exporter/internal/sink/testdb"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

var server testdb.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// warehouse is a warehouse and how to look into it.
type warehouse interface {
	export.Warehouse
	Migrate(ctx context.Context) error
	Query(ctx context.Context, sql string) (header []string, rows [][]string, err error)
	Close()
}

// kind is a kind of warehouse to try things on.
type kind struct {
	name string
	// open gives a function of which each call opens another handle on one database, and one that runs a
	// writing statement on it, as anybody else could.
	open func(t testing.TB) (another func() warehouse, exec func(sql string))
	// instant is an expression for a timestamptz column as "2006-01-02T15:04:05.000Z".
	instant func(column string) string
	table   func(name string) string
	own     func(name string) string
}

func kinds() []kind {
	return []kind{
		{
			name: "sqlite",
			open: func(t testing.TB) (func() warehouse, func(string)) {
				path := filepath.Join(t.TempDir(), "test.db")
				another := func() warehouse {
					w, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
					if err != nil {
						t.Fatal(err)
					}
					return w
				}
				return another, func(statement string) {
					db, err := sql.Open("sqlite", path+"?_busy_timeout=10000")
					if err != nil {
						t.Fatal(err)
					}
					defer db.Close()
					if _, err := db.ExecContext(t.Context(), statement); err != nil {
						t.Fatal(err)
					}
				}
			},
			instant: func(c string) string { return "substr(" + c + ", 1, 23) || 'Z'" },
			table:   func(name string) string { return name },
			own:     func(name string) string { return "exporter_" + name },
		},
		{
			name: "postgres",
			open: func(t testing.TB) (func() warehouse, func(string)) {
				dsn := server.Database(t)
				another := func() warehouse {
					w, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
					if err != nil {
						t.Fatal(err)
					}
					return w
				}
				return another, func(statement string) {
					conn, err := pgx.Connect(t.Context(), dsn)
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close(t.Context())
					if _, err := conn.Exec(t.Context(), statement); err != nil {
						t.Fatal(err)
					}
				}
			},
			instant: func(c string) string {
				return "to_char(" + c + ` at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
			},
			table: func(name string) string { return "samespace." + name },
			own:   func(name string) string { return "exporter." + name },
		},
	}
}

// onEach runs a test on every kind of warehouse; under the race detector on one, each test always on the same.
func onEach(t *testing.T, test func(t *testing.T, k kind)) {
	tried := kinds()
	if sample > 1 {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(t.Name()))
		one := int(hash.Sum32()) % len(tried)
		tried = tried[one : one+1]
	}
	for _, k := range tried {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// start is Monday, in the middle of a working day in Kolkata.
var start = time.Date(2024, 5, 6, 9, 0, 0, 0, time.UTC)

// world is a simulated API, a warehouse and an exporter between them, on one fake clock.
type world struct {
	testing.TB
	kind      kind
	clock     *clockwork.FakeClock
	sim       *simulator.Simulator
	report    simulator.Report
	server    *httptest.Server
	another   func() warehouse
	exec      func(sql string)
	warehouse warehouse
	exporter  *export.Exporter
	owners    atomic.Int32
}

// newWorld makes a world whose report began at since. change, when set, changes the dataset.
func newWorld(t testing.TB, k kind, report simulator.Report, since time.Time, change func(*export.Dataset)) *world {
	t.Helper()
	w := &world{TB: t, kind: k, clock: clockwork.NewFakeClockAt(start), report: report}
	w.another, w.exec = k.open(t)
	w.sim = simulator.New(simulator.Options{
		APIKey: "key", Seed: 7, Clock: w.clock.Now, Reports: []simulator.Report{report}, KeepRequests: 100_000, Uncompressed: true,
	})
	w.server = httptest.NewServer(w.sim)
	t.Cleanup(w.server.Close)
	w.warehouse = w.open()
	if err := w.warehouse.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	dataset := w.dataset(since)
	if change != nil {
		change(&dataset)
	}
	w.exporter = w.newExporter(dataset, w.warehouse)
	return w
}

func (w *world) open() warehouse {
	opened := w.another()
	w.Cleanup(opened.Close)
	return opened
}

const (
	attempts = 3 // of a request
	inFlight = 4 // requests at once
)

// client reads the API, and sends a request so often.
func (w *world) client(attempts int) *source.Client {
	w.Helper()
	client, err := source.New(source.Options{
		Endpoint: w.server.URL, APIKey: "key", Timeout: 5 * time.Second, MaxAttempts: attempts, FirstDelay: time.Millisecond,
		RequestsPerSecond: 1e6, MaxInFlight: inFlight, MaxPageBytes: 64 << 20,
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(client.Close)
	return client
}

// newExporter is another replica.
func (w *world) newExporter(d export.Dataset, to warehouse) *export.Exporter {
	client := w.client(attempts)
	return &export.Exporter{
		Dataset: d, Source: client, Dashboards: client, Warehouse: to, Logger: slog.New(slog.NewTextHandler(w.Output(), nil)),
		Clock: w.clock.Now, Owner: fmt.Sprintf("replica %d", w.owners.Add(1)), LeaseTTL: time.Minute,
		Lanes: export.NewLanes(1),
	}
}

// mapping is of every metric of the report.
func (w *world) mapping() schema.Mapping {
	mapping := schema.Mapping{Table: "calls", Key: []string{"call_id"}, TimeField: "started_at"}
	for _, m := range w.report.Metrics {
		if m.CopyOf != "" {
			mapping.Drop = append(mapping.Drop, m.ID)
			continue
		}
		kind, err := schema.ParseType(m.Type)
		if err != nil {
			w.Fatal(err)
		}
		mapping.Fields = append(mapping.Fields, schema.Field{ID: m.ID, Name: m.Name, Type: kind, Title: m.Title})
	}
	return mapping
}

func (w *world) compile(m schema.Mapping) *schema.Mapper {
	w.Helper()
	mapper, err := schema.Compile(m)
	if err != nil {
		w.Fatal(err)
	}
	return mapper
}

// dataset maps every metric of the report.
func (w *world) dataset(since time.Time) export.Dataset {
	mapper := w.compile(w.mapping())
	grid, err := window.NewGrid(time.Hour, nil)
	if err != nil {
		w.Fatal(err)
	}
	const day = 24 * time.Hour
	return export.Dataset{
		Name: "calls", Kind: sink.KindReport, ConfigHash: "hash", Mapper: mapper,
		Query: source.Query{
			Report: w.report.ID, Timezone: "Asia/Kolkata", SortID: w.report.TimeField, PageSize: 100, Ahead: 4, Key: []string{w.report.Key},
		},
		Grid: grid, Since: since, Delay: 2 * time.Minute, Overlap: time.Minute,
		Reread:  window.Reread{15 * time.Minute, time.Hour, 6 * time.Hour, day, 4 * day},
		MaxRows: 2000, MaxSpan: 31 * day,
	}
}

// export makes a pass that must succeed.
func (w *world) export() export.Summary {
	w.Helper()
	return w.pass(passOnce())
}

// unread counts the windows before the edge that were never read.
func (w *world) unread() int {
	w.Helper()
	return w.count("select count(*) from %s where read_to is null and end_at <= '%s'", w.kind.own("windows"), w.edge().Format(time.RFC3339))
}

// pass makes a pass of a kind that must succeed.
func (w *world) pass(p export.Pass) export.Summary {
	w.Helper()
	s, err := w.exporter.Export(w.Context(), p)
	if err != nil {
		w.Fatalf("export: %v", err)
	}
	if err := s.Err(); err != nil {
		w.Fatalf("export: %v", err)
	}
	return s
}

// query is a statement's rows.
func (w *world) query(format string, args ...any) [][]string {
	w.Helper()
	_, rows, err := w.warehouse.Query(w.Context(), fmt.Sprintf(format, args...))
	if err != nil {
		w.Fatal(err)
	}
	return rows
}

// count is a statement's one number.
func (w *world) count(format string, args ...any) int {
	w.Helper()
	n, err := strconv.Atoi(w.query(format, args...)[0][0])
	if err != nil {
		w.Fatal(err)
	}
	return n
}

// call is what is compared of a call.
type call struct{ started, direction, duration, wrapUp, disposition string }

// truth is the simulator's own account of the calls in [from, to).
func (w *world) truth(from, to time.Time) map[string]call {
	w.Helper()
	calls := map[string]call{}
	for raw := range w.sim.Truth(w.report.ID, from, to) {
		var values map[string]any
		if err := json.Unmarshal(raw, &values); err != nil {
			w.Fatal(err)
		}
		text := func(name string) string {
			switch v := values[w.report.Metric(name).ID].(type) {
			case nil:
				return "NULL"
			case float64:
				return strconv.FormatFloat(v, 'f', -1, 64)
			default:
				return fmt.Sprint(v)
			}
		}
		calls[text("call_id")] = call{text("started_at"), text("direction"), text("duration_s"), text("wrap_up_s"), text("disposition")}
	}
	return calls
}

// table is the calls that the warehouse has.
func (w *world) table() map[string]call {
	w.Helper()
	calls := map[string]call{}
	rows := w.query(`select call_id, %s, coalesce(direction, 'NULL'), coalesce(cast(duration_s as text), 'NULL'),
		coalesce(cast(wrap_up_s as text), 'NULL'), coalesce(disposition, 'NULL') from %s`,
		w.kind.instant("started_at"), w.kind.table("calls"))
	for _, r := range rows {
		if _, twice := calls[r[0]]; twice {
			w.Fatalf("call %s is there twice", r[0])
		}
		calls[r[0]] = call{r[1], r[2], r[3], r[4], r[5]}
	}
	return calls
}

// mustEqualTruth compares what the warehouse has of [from, to) with the simulator's account, call by call.
func (w *world) mustEqualTruth(from, to time.Time) {
	w.Helper()
	want, got := w.truth(from, to), w.table()
	if len(want) == 0 {
		w.Fatal("there is nothing to compare")
	}
	missing, different, shown := 0, 0, 0
	for _, id := range slices.Sorted(maps.Keys(want)) {
		have, ok := got[id]
		switch {
		case !ok:
			missing++
		case have != want[id]:
			different++
		default:
			continue
		}
		if shown++; shown <= 5 {
			w.Errorf("call %s: the warehouse has %+v, the truth is %+v", id, have, want[id])
		}
	}
	extra := 0
	for id, c := range got {
		at, err := time.Parse(time.RFC3339, c.started)
		if err != nil {
			w.Fatal(err)
		}
		if _, ok := want[id]; !ok && !at.Before(from) && at.Before(to) {
			extra++
		}
	}
	if missing+different+extra > 0 {
		w.Fatalf("of %d calls %d are missing and %d differ; %d are there that should not be", len(want), missing, different, extra)
	}
}

// mustWriteNothing makes every window up to start due again and reads it: no row may be written.
func (w *world) mustWriteNothing() {
	w.Helper()
	w.clock.Advance(time.Second)
	s, err := w.exporter.Backfill(w.Context(), export.Range{From: w.exporter.Dataset.Since, To: start})
	if err != nil || s.Err() != nil {
		w.Fatalf("read everything again: %v, %v", err, s.Err())
	}
	if s.Counts.Inserted+s.Counts.Updated > 0 || s.Counts.Unchanged == 0 {
		w.Fatalf("reading again what has not changed wrote rows: %+v", s.Counts)
	}
}

// edge is up to where a pass reads now.
func (w *world) edge() time.Time { return w.clock.Now().Add(-w.exporter.Dataset.Delay) }
