package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// world is a warehouse with the dataset calls, and a session beside it.
type world struct {
	t *testing.T
	*Warehouse
	dsn  string
	conn *pgx.Conn
}

func newWorld(t *testing.T) world {
	t.Helper()
	dsn := server.Database(t)
	w := world{t: t, Warehouse: open(t, dsn), dsn: dsn, conn: connect(t, dsn)}
	w.noError(w.Migrate(t.Context()))
	_, err := w.Prepare(t.Context(), dataset())
	w.noError(err)
	return w
}

func dataset() sink.Dataset {
	return sink.Dataset{Name: "calls", Kind: sink.KindReport, Table: schema.Table{
		Name: "calls", Key: []string{"id"}, TimeField: "at",
		Columns: []schema.Column{
			{Name: "id", Type: schema.Text, ID: "1"}, {Name: "at", Type: schema.Timestamptz, ID: "2"}, {Name: "n", Type: schema.Integer, ID: "3"},
		},
	}}
}

// at is a minute of the day on which the tests play.
func at(minute int) time.Time { return time.Date(2026, 3, 2, 0, minute, 0, 0, time.UTC) }

func row(id string, minute int, n int64) sink.Row {
	return sink.Row{WindowStart: at(minute).Truncate(time.Hour), Row: schema.Row{Values: []schema.Value{
		schema.StrValue(id), schema.TimeValue(at(minute)), schema.IntValue(n),
	}}}
}

// rows are n rows, a minute apart, from a place on.
func rows(from, to int, n int64) []sink.Row {
	var all []sink.Row
	for i := from; i < to; i++ {
		all = append(all, row(fmt.Sprintf("%05d", i), i, n))
	}
	return all
}

// lease claims the hour, after planning it.
func (w world) lease(hour int) sink.Lease {
	w.t.Helper()
	within := window.Window{Start: at(60 * hour), End: at(60*hour + 60)}
	_, err := w.Plan(w.t.Context(), "calls", within, at(0), func(g window.Window) []window.Window { return []window.Window{g} })
	w.noError(err)
	lease, ok, err := w.claim(within)
	w.noError(err)
	if !ok {
		w.t.Fatalf("hour %d is not due", hour)
	}
	return lease
}

func (w world) claim(within window.Window) (sink.Lease, bool, error) {
	return w.Claim(w.t.Context(), sink.ClaimRequest{
		Dataset: "calls", Within: within, Now: at(100_000), Edge: at(100_000), MaxSpan: time.Hour, Owner: "test", TTL: time.Minute,
	})
}

// batch says that all of a lease was read, and leaves it due.
func batch(l sink.Lease, rows []sink.Row) sink.Batch {
	b := sink.Batch{Lease: l, Table: dataset().Table, Rows: rows, Range: l.Span()}
	for _, e := range l.Entries {
		b.Readings = append(b.Readings, sink.Reading{
			Start: e.Window.Start, State: sink.StateRead, ReadAt: at(0), ReadTo: e.Window.End, NextReadAt: at(0),
		})
	}
	return b
}

// store commits rows under a lease of their own.
func (w world) store(rows ...sink.Row) sink.Counts {
	w.t.Helper()
	counts, err := w.Commit(w.t.Context(), batch(w.lease(0), rows))
	w.noError(err)
	return counts
}

func (w world) noError(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w world) exec(sql string) {
	w.t.Helper()
	_, err := texts(context.WithoutCancel(w.t.Context()), w.conn, sql)
	w.noError(err)
}

// cell is the first cell of a query.
func (w world) cell(sql string) string {
	w.t.Helper()
	rows, err := texts(w.t.Context(), w.conn, sql)
	w.noError(err)
	return rows[0][0]
}

// awaitLockWaits returns once so many sessions of the database wait for a lock: there is no signal for that.
func (w world) awaitLockWaits(n int) {
	w.t.Helper()
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	for began := time.Now(); w.cell(waiting) != fmt.Sprint(n); {
		if time.Since(began) > 20*time.Second {
			w.t.Fatalf("no %d sessions wait for a lock", n)
		}
		w.exec(`SELECT pg_stat_clear_snapshot()`) // a transaction sees no session that is newer than its first look
	}
}

func (w world) equal(what string, got, want any) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// commitBehind commits a batch that has to wait for the open transaction of the world's session, which is committed then.
func (w world) commitBehind(b sink.Batch) (counts sink.Counts, err error) {
	w.t.Helper()
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		counts, err = w.Commit(w.t.Context(), b)
	}()
	w.awaitLockWaits(1)
	w.exec(`COMMIT`)
	<-committed
	return counts, err
}
