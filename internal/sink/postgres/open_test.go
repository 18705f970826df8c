package postgres

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// unavailable is the hint of an error that says that the warehouse is not available.
func unavailable(t *testing.T, err error) string {
	t.Helper()
	var is *sink.UnavailableError
	if !errors.As(err, &is) || is.Hint == "" {
		t.Fatalf("got %v, want that the warehouse is not available", err)
	}
	return is.Hint
}

func TestAServerThatIsDown(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	w := open(t, "postgres://u@"+address+"/db") // the daemon must start
	_, err = w.Status(t.Context(), time.Now())
	unavailable(t, err)
	unavailable(t, w.Migrate(t.Context()))
	_, _, err = w.Claim(t.Context(), sink.ClaimRequest{Dataset: "calls"})
	unavailable(t, err)
	_, err = w.Check(t.Context())
	unavailable(t, err)
}

func TestAServerThatNeverAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and no more
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	w := open(t, "postgres://u@"+listener.Addr().String()+"/db?connect_timeout=1&sslmode=disable")
	_, err = w.Status(t.Context(), time.Now())
	unavailable(t, err)

	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("no patience"))
	defer cancel()
	var is *sink.UnavailableError
	if _, err = w.Status(ctx, time.Now()); errors.As(err, &is) || !strings.Contains(err.Error(), "no patience") {
		t.Errorf("got %v, want the caller's reason", err)
	}
}

func TestWhatTheOperatorMustMend(t *testing.T) {
	dsn := server.Database(t)
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	use := func(o Options) error {
		w, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		_, err = w.Status(t.Context(), time.Now())
		return err
	}
	if takesAnyPassword(t, dsn) {
		t.Log("this server takes any password: a wrong one is not tried")
	} else if hint := unavailable(t, use(Options{DSN: dsn, Password: "wrong"})); !strings.Contains(hint, "password") {
		t.Errorf("wrong password: %s", hint)
	}
	missing := strings.Replace(dsn, "/"+config.Database, "/nowhere", 1)
	if hint := unavailable(t, use(Options{DSN: missing})); !strings.Contains(hint, "create the database") {
		t.Errorf("no database: %s", hint)
	}
}

// takesAnyPassword reports whether the server trusts who connects to it.
func takesAnyPassword(t *testing.T, dsn string) bool {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "wrong"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		return false
	}
	conn.Close(t.Context())
	return true
}

// with is a DSN with one more setting, whether it has others or none.
func with(dsn, name, value string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return dsn + " " + name + "=" + value
	}
	settings := u.Query()
	settings.Set(name, value)
	u.RawQuery = settings.Encode()
	return u.String()
}

func TestAServerThatIsReadOnly(t *testing.T) {
	w := newWorld(t)
	standby := open(t, with(w.dsn, "default_transaction_read_only", "on"))
	_, err := standby.BeginRun(t.Context(), sink.Run{Dataset: "calls", Kind: sink.RunOnce, StartedAt: at(0)})
	if hint := unavailable(t, err); !strings.Contains(hint, "primary") {
		t.Error(hint)
	}
}

func TestASessionThatIsEndedByTheServer(t *testing.T) {
	w := newWorld(t)
	lease := w.lease(0)
	w.exec(`BEGIN; LOCK TABLE samespace.calls IN ACCESS EXCLUSIVE MODE`)
	committed := make(chan error, 1)
	go func() {
		_, err := w.Commit(t.Context(), batch(lease, rows(0, 3, 1)))
		committed <- err
	}()
	w.awaitLockWaits(1)
	w.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'; COMMIT`)
	unavailable(t, <-committed)
	_, err := w.Commit(t.Context(), batch(lease, rows(0, 3, 1)))
	w.noError(err)
}

func TestDDLDoesNotWaitLongForALock(t *testing.T) {
	w := newWorld(t)
	w.lockTimeout = 10 * time.Millisecond
	w.exec(`BEGIN; SELECT count(*) FROM samespace.calls`)
	d := dataset()
	d.Table.Columns = append(d.Table.Columns, schema.Column{Name: "more", Type: schema.Text, ID: "4"})
	_, err := w.Prepare(t.Context(), d)
	if hint := unavailable(t, err); !strings.Contains(hint, "lock") {
		t.Error(hint)
	}
	w.exec(`COMMIT`)
	prepared, err := w.Prepare(t.Context(), d)
	w.noError(err)
	w.equal("changes", prepared.Changes[0], `ALTER TABLE "samespace"."calls" ADD COLUMN "more" text`)
}

func TestCitusIsNeededOnlyToDistribute(t *testing.T) {
	dsn := server.Database(t)
	w, err := Open(t.Context(), Options{DSN: dsn, Distribute: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if err := w.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Check(t.Context()); !errors.Is(err, errNoCitus) {
		t.Errorf("check: %v", err)
	}
	if _, err := w.Prepare(t.Context(), dataset()); !errors.Is(err, errNoCitus) {
		t.Errorf("prepare: %v", err)
	}
}

func TestCheckSaysWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	line, err := w.Check(t.Context())
	w.noError(err)
	if !strings.HasPrefix(line, "PostgreSQL ") || !strings.HasSuffix(line, ", schema samespace: can create and write") {
		t.Error(line)
	}
	config := w.conn.Config() // roles are of the server: this one is called as the database
	role := `"` + config.Database + `"`
	w.exec(`CREATE ROLE ` + role + ` LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA exporter, samespace TO ` + role)
	t.Cleanup(func() { w.exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role) })
	reader := with(with(w.dsn, "user", config.Database), "password", "reader")
	if line, err = open(t, reader).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "grant it CREATE") {
		t.Errorf("%s, %v", line, err)
	}
	var refused *sink.UnavailableError
	if err := open(t, reader).Migrate(t.Context()); !errors.As(err, &refused) || !strings.Contains(refused.Hint, "roles.sql") {
		t.Errorf("who may not write migrates: %v", err)
	}
	w.exec(`GRANT CREATE ON SCHEMA exporter, samespace TO ` + role)
	if line, err = open(t, reader).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "datasets, fields") {
		t.Errorf("%s, %v", line, err)
	}
}

// Behind PgBouncer some ask for these modes in the DSN.
func TestOtherModesOfQueries(t *testing.T) {
	w := newWorld(t)
	for _, mode := range []string{"exec", "simple_protocol", "describe_exec", "cache_statement"} {
		other := w
		other.Warehouse = open(t, with(w.dsn, "default_query_exec_mode", mode))
		other.store(row(mode, 1, 1))
		other.equal(mode, other.store(row(mode, 1, 1), row(mode+"2", 1, 1)), sink.Counts{Inserted: 1, Unchanged: 1})
		other.noError(other.Migrate(t.Context()))
		_, err := other.Status(t.Context(), time.Now())
		other.noError(err)
	}
}

func TestQuery(t *testing.T) {
	w := newWorld(t)
	w.store(row("a", 1, 1))
	header, rows, err := w.Query(t.Context(), `SELECT id, n, _extra AS extra FROM samespace.calls`)
	w.noError(err)
	w.equal("header", strings.Join(header, " "), "id n extra")
	w.equal("rows", len(rows), 1)
	w.equal("row", strings.Join(rows[0], " "), "a 1 NULL")
	if _, _, err := w.Query(t.Context(), `DELETE FROM samespace.calls`); err == nil {
		t.Error("a query has written")
	}
}
