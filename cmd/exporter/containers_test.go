package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
	"github.com/testcontainers/testcontainers-go/network"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/source/simulator"
)

// What a replica that is cut off holds is another's after this: a lease is three seconds; a transaction that fell silent
// within a statement is ended after fifteen; and by then the others may read spans of dozens of requests, at a third of the
// rate, or wait for the next minute's tick.
const takeOver = 4 * time.Minute

// fleet is three daemons, a Postgres and a simulated API, each in a container. The daemons reach the Postgres by one
// network and the API by another.
type fleet struct {
	*testing.T
	network  *testcontainers.DockerNetwork
	outside  *testcontainers.DockerNetwork // the API's
	replicas []string                      // their containers
	image    string                        // of the program
	api      string
	address  string // the API's
	database *postgres.PostgresContainer
	since    time.Time
	session  *pgx.Conn
}

const fleetConfig = `
source: {endpoint: "http://localhost:8090/analytics/api", api_key: %s, requests_per_second: %d, timeout: 5s, max_attempts: 2}
warehouse: {dsn: %q, timeout: 15s}
http: {listen: ""}
reports:
  - name: calls
    report_id: %s
    schedule: "* * * * *"
    since: %s
    page_size: 100
    window: {size: 1h, max_rows: 200, max_span: 12h}
    key: [call_id]
    time_field: started_at
    sort: {by: started_at}
    fields:
      %q: {name: call_id, type: text}
      %q: {name: started_at, type: timestamptz}
`

// Replicas are paused, killed, cut off and brought back, and so are the database and the API, while all of them work.
// Every window is committed, none twice, and the warehouse has what the API has.
func TestNetworkContainers(t *testing.T) {
	if os.Getenv("EXPORTER_TEST_CONTAINERS") == "" {
		t.Skip("not asked for here, though .ci/run does: EXPORTER_TEST_CONTAINERS=1, with a Docker daemon")
	}
	faults := 0
	rounds := 1
	if os.Getenv("EXPORTER_RELIABILITY") == "long" {
		rounds = 5
	}
	f := newFleet(t, 45*rounds)
	for range rounds {
		for _, fault := range []struct {
			name       string
			begin, end func(victim string)
		}{
			{"replica paused", f.docker("pause"), f.docker("unpause")},
			{"replica cut off from the database", f.onNetwork("disconnect", f.network), f.onNetwork("connect", f.network)},
			{"replica cut off from the API", f.onNetwork("disconnect", f.outside), f.onNetwork("connect", f.outside)},
			{"replica killed", f.docker("kill"), f.docker("start")},
		} {
			f.awaitProgress()
			victim := f.someHolder()
			began := time.Now()
			fault.begin(victim)
			f.awaitTakeOver(victim)
			t.Logf("%s: its windows were taken over after %s", fault.name, time.Since(began).Round(time.Millisecond))
			fault.end(victim)
			faults++
		}
		for _, container := range []string{f.database.GetContainerID(), f.api} {
			f.awaitProgress()
			f.docker("pause")(container)
			<-time.After(4 * time.Second) // longer than a lease
			f.docker("unpause")(container)
			faults++
		}
	}
	f.stop()
	f.finish()
	windows := f.mustBeCommittedOnce()
	rows := f.mustEqualTruth()
	t.Logf("reliability: containers, three replicas: faults: %d", faults)
	t.Logf("reliability: containers, three replicas: windows committed once: %d", windows)
	t.Logf("reliability: containers, three replicas: rows checked: %d", rows)
}

// newFleet starts one that is to read so many days, at a rate that leaves it work for as long as the faults last.
func newFleet(t *testing.T, days int) *fleet {
	t.Helper()
	f := &fleet{T: t, since: time.Now().UTC().AddDate(0, 0, -days).Truncate(24 * time.Hour)}
	ctx := t.Context()
	f.network, f.outside = newNetwork(t), newNetwork(t)
	var err error
	f.database, err = postgres.Run(ctx, cmp.Or(os.Getenv("EXPORTER_TEST_POSTGRES_IMAGE"), "postgres:17-alpine"),
		postgres.BasicWaitStrategies(), testcontainers.WithLogger(log.NewNoopLogger()), network.WithNetwork([]string{"postgres"}, f.network))
	testcontainers.CleanupContainer(t, f.database)
	if err != nil {
		t.Fatal(err)
	}
	address, err := f.database.ContainerIP(ctx) // its published port may vanish while others are taken off networks
	if err != nil {
		t.Fatal(err)
	}
	f.audit("postgres://postgres:postgres@" + address + ":5432/postgres?sslmode=disable")

	inside := "postgres://postgres:postgres@postgres:5432/postgres?sslmode=disable"
	f.build(f.config(inside, 10), f.config(inside, 1000))
	f.api = f.run([]*testcontainers.DockerNetwork{f.outside}, f.image, "simulate", "--listen", "0.0.0.0:8090")
	// The key goes over plain http to localhost only: here that name has a second address, the API's.
	f.address = f.do("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", f.api)
	for range 3 {
		f.replicas = append(f.replicas, f.exporter("-c", "/exporter.yaml", "--lease", "3s"))
	}
	return f
}

func newNetwork(t *testing.T) *testcontainers.DockerNetwork {
	t.Helper()
	n, err := network.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	testcontainers.CleanupNetwork(t, n)
	return n
}

func (f *fleet) config(dsn string, rate int) string {
	r := simulator.Calls()
	return fmt.Sprintf(fleetConfig, simulatedKey, rate, dsn, r.ID, f.since.Format(time.DateOnly), r.Key, r.TimeField)
}

// audit makes the exporter's tables, and a record of each commit of a window.
func (f *fleet) audit(dsn string) {
	f.Helper()
	path := filepath.Join(f.TempDir(), "exporter.yaml")
	if err := os.WriteFile(path, []byte(f.config(dsn, 1)), 0o600); err != nil {
		f.Fatal(err)
	}
	execute(f.T, f.Context(), "migrate", "-c", path).ends(app.ExitDone)
	var err error
	if f.session, err = pgx.Connect(f.Context(), dsn); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = f.session.Close(context.WithoutCancel(f.Context())) })
	_, err = f.session.Exec(f.Context(), `
		CREATE TABLE public.audit (start_at timestamptz, end_at timestamptz, epoch bigint, owner text);
		CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO public.audit VALUES (old.start_at, old.end_at, old.epoch, old.lease_owner); RETURN NULL; END $$;
		CREATE TRIGGER note AFTER UPDATE ON exporter.windows FOR EACH ROW
			WHEN (old.state = 'running' AND new.state IN ('read', 'final')) EXECUTE FUNCTION public.note()`)
	if err != nil {
		f.Fatal(err)
	}
}

// build makes an image of the program and two configs, and nothing else.
func (f *fleet) build(config, fast string) {
	f.Helper()
	dir := f.TempDir()
	build := exec.CommandContext(f.Context(), "go", "build", "-o", filepath.Join(dir, "exporter"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		f.Fatalf("build: %v: %s", err, out)
	}
	for name, text := range map[string]string{
		"Dockerfile":    "FROM scratch\nCOPY exporter exporter.yaml fast.yaml /\nENTRYPOINT [\"/exporter\"]\n",
		"exporter.yaml": config,
		"fast.yaml":     fast,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	f.image = f.do("build", "-q", dir)
	f.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", f.image).Run() })
}

// run starts a container. The label is what testcontainers gives its own, so that those of a killed test are found.
func (f *fleet) run(on []*testcontainers.DockerNetwork, args ...string) (container string) {
	f.Helper()
	container = f.do(append([]string{"create", "--label", "org.testcontainers=true", "--network", on[0].Name}, args...)...)
	f.Cleanup(func() {
		if f.Failed() {
			logs, _ := exec.Command("docker", "logs", "--tail", "20", container).CombinedOutput()
			f.Logf("%s: %s", container[:12], logs)
		}
		_ = exec.Command("docker", "rm", "-f", container).Run()
	})
	for _, n := range on[1:] {
		f.onNetwork("connect", n)(container)
	}
	f.do("start", container)
	return container
}

// exporter starts one, with the API under the name of localhost.
func (f *fleet) exporter(args ...string) (container string) {
	f.Helper()
	with := []string{"--add-host", "localhost:" + f.address, f.image, "run"}
	return f.run([]*testcontainers.DockerNetwork{f.network, f.outside}, append(with, args...)...)
}

// do runs docker and returns what it prints.
func (f *fleet) do(args ...string) string {
	f.Helper()
	out, err := exec.CommandContext(f.Context(), "docker", args...).Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			out = failed.Stderr
		}
		f.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// docker does something to a container.
func (f *fleet) docker(args ...string) func(container string) {
	return func(container string) {
		f.Helper()
		f.do(append(args, container)...)
	}
}

func (f *fleet) onNetwork(verb string, n *testcontainers.DockerNetwork) func(container string) {
	return f.docker("network", verb, n.Name)
}

// number is the first cell of a query.
func (f *fleet) number(sql string, args ...any) (n int) {
	f.Helper()
	if err := f.session.QueryRow(f.Context(), sql, args...).Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}

// until asks until something is so.
func (f *fleet) until(what string, bound time.Duration, so func() bool) {
	f.Helper()
	for began := time.Now(); !so(); {
		if time.Since(began) > bound {
			f.Fatalf("not within %s: %s", bound, what)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// awaitProgress waits for ten more windows to be committed.
func (f *fleet) awaitProgress() {
	f.Helper()
	const commits = "SELECT count(*) FROM public.audit"
	before := f.number(commits)
	f.until("ten more windows", 2*time.Minute, func() bool { return f.number(commits) >= before+10 })
}

// someHolder is a replica that holds a lease of windows that are over. (Of the one that is still open the others' passes know
// no more than their edge of when they began: it is read on by the next ones.)
func (f *fleet) someHolder() (container string) {
	f.Helper()
	f.until("a lease", takeOver, func() bool {
		owner := ""
		if err := f.session.QueryRow(f.Context(), "SELECT coalesce(max(lease_owner), '') FROM exporter.windows WHERE lease_until > now() + interval '1s' AND end_at < now()").Scan(&owner); err != nil {
			f.Fatal(err)
		}
		for _, r := range f.replicas {
			if host, _, _ := strings.Cut(owner, "/"); host != "" && strings.HasPrefix(r, host) {
				container = r
			}
		}
		return container != ""
	})
	return container
}

// awaitTakeOver waits until others have all the windows that a replica held, and that are over.
func (f *fleet) awaitTakeOver(container string) {
	f.Helper()
	f.until("its windows are taken over", takeOver, func() bool {
		return f.number("SELECT count(*) FROM exporter.windows WHERE lease_owner LIKE $1 AND end_at < now()", container[:12]+"/%") == 0
	})
}

// stop ends the replicas as a supervisor does.
func (f *fleet) stop() {
	f.Helper()
	for _, r := range f.replicas {
		f.docker("stop", "--time", "30")(r)
		if code := f.do("inspect", "-f", "{{.State.ExitCode}}", r); code != fmt.Sprint(app.ExitDone) {
			f.Errorf("a replica ended with %s", code)
		}
	}
}

// finish reads what is left, at once.
func (f *fleet) finish() {
	f.Helper()
	last := f.exporter("-c", "/fast.yaml", "--once")
	if code := f.do("wait", last); code != fmt.Sprint(app.ExitDone) {
		f.Errorf("the last pass ended with %s", code)
	}
	if left := f.number("SELECT count(*) FROM exporter.windows WHERE end_at < now() - interval '1h' AND state NOT IN ('read', 'final')"); left != 0 {
		f.Errorf("%d windows are not read", left)
	}
}

// mustBeCommittedOnce counts commits: of a window so old that no re-read of it follows there is one, by one epoch.
func (f *fleet) mustBeCommittedOnce() (windows int) {
	f.Helper()
	const old = "end_at < now() - interval '97 hours'"
	windows = f.number("SELECT count(*) FROM exporter.windows WHERE " + old)
	if once := f.number("SELECT count(*) FROM (SELECT FROM public.audit WHERE " + old + " GROUP BY start_at HAVING count(*) = 1) AS o"); once != windows || windows < 100 {
		f.Errorf("of %d windows %d were committed exactly once", windows, once)
	}
	if twice := f.number("SELECT count(*) FROM (SELECT FROM public.audit GROUP BY start_at, epoch HAVING count(*) > 1) AS t"); twice != 0 {
		f.Errorf("%d windows were committed twice under one lease", twice)
	}
	return windows
}

// mustEqualTruth compares the keys of the calls that are a day old.
func (f *fleet) mustEqualTruth() (rows int) {
	f.Helper()
	until := time.Now().UTC().AddDate(0, 0, -1)
	found, err := f.session.Query(f.Context(), "SELECT call_id FROM samespace.calls WHERE started_at >= $1 AND started_at < $2", f.since, until)
	if err != nil {
		f.Fatal(err)
	}
	keys, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		f.Fatal(err)
	}
	have := map[string]bool{}
	for _, key := range keys {
		have[key] = true
	}
	r := simulator.Calls()
	truth := simulator.New(simulator.Options{APIKey: simulatedKey, Seed: 1})
	for raw := range truth.Truth(r.ID, f.since, until) {
		rows++
		key := strings.Split(strings.SplitAfter(string(raw), `"`+r.Key+`":"`)[1], `"`)[0]
		if !have[key] {
			f.Errorf("call %s is missing", key)
		}
	}
	if rows != len(keys) || rows < 10_000 {
		f.Errorf("%d calls are there, the API has %d", len(keys), rows)
	}
	return rows
}
