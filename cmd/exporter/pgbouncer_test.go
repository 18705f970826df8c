package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/sink/testdb"
)

// Two daemons share the work through a PgBouncer that pools by transaction, after the tables were made through it; then
// everything is read again, so that rows are compared, and rows that changed go through a staging table.
func TestNetworkPgBouncer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	direct := server.Database(t)
	s.dsn = testdb.PgBouncer(t, direct)
	s.configure()
	s.run("migrate").ends(app.ExitDone)
	s.run("check").ends(app.ExitDone)
	replicas := []*process{s.start(nil, "run", "--lease", "2s"), s.start(nil, "run", "--lease", "2s")}
	for _, p := range replicas {
		p.await("status page")
	}
	s.awaitAllRead()
	for _, p := range replicas {
		p.signal(syscall.SIGTERM)
	}
	for i, p := range replicas {
		if r := p.wait(); r.code != app.ExitDone {
			t.Errorf("replica %d ended with %d: %s", i, r.code, r.stderr)
		}
	}
	s.mustBeWhole()
	if twice := s.count("select count(*) from exporter.windows where reads > 1 and read_to >= end_at"); twice != 0 {
		t.Errorf("%d windows were read more than once", twice)
	}

	conn, err := pgx.Connect(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	changed, err := conn.Exec(t.Context(), "update samespace.calls set duration_s = -1 where abs(hashtext(call_id)) % 2 = 0")
	if err != nil || changed.RowsAffected() == 0 {
		t.Fatalf("%s, %v", changed, err)
	}
	s.run("run", "--backfill", "--from", s.since.Format("2006-01-02")).ends(app.ExitDone)
	s.mustBeWhole()
	if wrong := s.count("select count(*) from samespace.calls where duration_s = -1"); wrong != 0 {
		t.Errorf("%d of %d rows were not mended", wrong, changed.RowsAffected())
	}
	t.Logf("reliability: two replicas through PgBouncer by transaction: rows checked: %d", 2*s.rows())
}

// awaitAllRead returns once every window was read: there is no signal for that from several processes.
func (s *site) awaitAllRead() {
	s.Helper()
	deadline := time.After(patience)
	for s.count("select count(*) from exporter.windows") == 0 ||
		s.count("select count(*) from exporter.windows where read_to is null or state = 'running'") > 0 {
		select {
		case <-deadline:
			s.Fatal(fmt.Sprint(s.query("select start_at, state, error from exporter.windows where read_to is null")))
		default:
		}
	}
}
