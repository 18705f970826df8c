package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"samespace-exporter/internal/app"
)

// reload has a daemon read the config again, and waits until it has.
func (p *process) reload() {
	p.Helper()
	p.signal(syscall.SIGHUP)
	p.await("config in use")
}

// stop ends a daemon well.
func (p *process) stop() result {
	p.Helper()
	p.signal(syscall.SIGTERM)
	return p.wait().ends(app.ExitDone)
}

// second is a report beside the site's own: the same calls, in another table.
func (s *site) second() string {
	return fmt.Sprintf("  - {name: second, report_id: %s, since: %s, key: [id], fields: {%q: {name: id, type: text}}}\n",
		s.report.ID, s.since.Format(time.DateOnly), s.report.Key)
}

func mustServe(t *testing.T, address, words string) {
	t.Helper()
	if status, body := get(t, address); status != http.StatusOK || !strings.Contains(body, words) {
		t.Errorf("%s answers %d, without %q: %s", address, status, words, body)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.start(nil, "run")
	page := p.page()
	p.await("pass done")

	s.reports = s.second()
	s.configure()
	p.reload()
	p.await(`"pass done","dataset":"second"`)
	mustServe(t, page+"metrics", "exporter_config_last_reload_successful 1\n")
	mustServe(t, page+"metrics", `exporter_windows_total{dataset="calls"}`) // the counters go on
	mustServe(t, page+"api/status", `"name": "second"`)

	s.reports = ""
	s.fields = strings.ReplaceAll(s.fields, "direction, type: text", "way, type: text")
	s.configure()
	p.reload()
	p.await("the config changed")
	p.stop()
	s.mustBeWhole()
	if n := s.count("select count(*) from pragma_table_info('calls') where name = 'way'"); n != 1 {
		t.Error("the new field has no column")
	}
}

// What is wrong with a new config is said as at the start, and the old one goes on.
func TestReloadOfABadConfig(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.start(nil, "run")
	page := p.page()
	p.await("pass done")
	pages := s.sim.Stats().Requests

	s.write("source: {endpoint: ftp://example.com, api_key: " + canaryKey + "}\nreport: []\n")
	p.signal(syscall.SIGHUP)
	for _, mistake := range []string{":1:20: source.endpoint: ", ":2:1: report: is not a key here"} {
		if line := p.await("new config refused, the old one goes on"); !strings.Contains(line, s.path+mistake) {
			t.Errorf("no %q in %s", mistake, line)
		}
	}
	mustServe(t, page+"metrics", "exporter_config_last_reload_successful 0\n")
	mustServe(t, page+"readyz", "ready")

	sound := s.dsn
	s.dsn = "postgres://exporter:" + canaryPassword + "@" + closedPort(t) + "/warehouse"
	s.configure()
	p.signal(syscall.SIGHUP)
	if line := p.await("new config refused"); !strings.Contains(line, "connection refused") {
		t.Errorf("not why the warehouse is of no use: %s", line)
	}
	if n := s.sim.Stats().Requests; n != pages {
		t.Errorf("%d requests by configs that were refused", n-pages)
	}

	s.dsn = sound
	s.configure()
	p.reload()
	mustServe(t, page+"metrics", "exporter_config_last_reload_successful 1\n")
	p.stop()
	s.mustBeWhole()
}

// A reload that would narrow a column is refused as a start would be.
func TestReloadThatNarrows(t *testing.T) {
	t.Parallel()
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn = w.dsn(t)
			s.configure()
			p := s.start(nil, "run")
			page := p.page()
			p.await("pass done")

			s.replace("duration_s, type: integer", "duration_s, type: boolean")
			p.signal(syscall.SIGHUP)
			if line := p.await("new config refused, the old one goes on"); !strings.Contains(line, "calls: ") || !strings.Contains(line, "RENAME COLUMN") {
				t.Errorf("not what to do about it: %s", line)
			}
			mustServe(t, page+"metrics", "exporter_config_last_reload_successful 0\n")
			mustServe(t, page+"metrics", `exporter_dataset_state{dataset="calls",state="ok"} 1`)

			s.replace("duration_s, type: boolean", "duration_s, type: numeric") // wider
			p.reload()
			mustServe(t, page+"metrics", "exporter_config_last_reload_successful 1\n")
			p.stop()
		})
	}
}

// What is not exported any more is not in the metrics, though the ledger knows it.
func TestReloadWithoutADataset(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.reports = s.second()
	s.configure()
	p := s.start(nil, "run")
	page := p.page()
	p.await(`"pass done","dataset":"second"`)
	mustServe(t, page+"metrics", `exporter_lag_seconds{dataset="second"}`)
	mustServe(t, page+"metrics", `exporter_rows_total{dataset="second",result="inserted"}`)
	s.reports = ""
	s.configure()
	p.reload()
	mustServe(t, page+"metrics", `exporter_lag_seconds{dataset="calls"}`)
	if _, metrics := get(t, page+"metrics"); strings.Contains(metrics, `dataset="second"`) {
		t.Errorf("of a dataset that is gone there is still %s", metrics)
	}
	mustServe(t, page+"api/status", `"name": "second"`)
	p.stop()
}

// A key that is refused is mended without waiting for the next tick.
func TestReloadOfTheKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.key = "another-key"
	s.configure()
	p := s.start(nil, "run")
	p.await("the API refuses the key")
	s.key = canaryKey
	s.configure()
	p.reload()
	p.await("pass done")
	p.stop()
	s.mustBeWhole()
}

// What is being read when the config changes is committed by the old one; the new one begins after that.
func TestReloadLetsTheSpanBeCommitted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked, letGo := s.hold(4)
	p := s.start(nil, "run", "-v")
	receive(t, asked, "the fourth request")
	s.reports = s.second()
	s.configure()
	p.signal(syscall.SIGHUP)
	p.await("reloading: what is being read has time to end")
	p.signal(syscall.SIGHUP) // asked for meanwhile, it is done afterwards
	letGo()
	p.await("pass interrupted")
	p.await("config in use")
	p.await("config in use")
	for ended := map[string]bool{}; len(ended) < 2; {
		line := p.await(`"dataset":"`)
		for _, dataset := range []string{"calls", "second"} {
			for _, end := range []string{"pass done", "nothing due"} { // all may have been read before
				if strings.Contains(line, fmt.Sprintf(`"msg":%q,"dataset":%q`, end, dataset)) {
					ended[dataset] = true
				}
			}
		}
	}
	p.stop()
	s.mustBeWhole()
	if n := s.count("select count(*) from exporter_windows where lease_owner is not null"); n != 0 {
		t.Errorf("%d windows are still leased", n)
	}
	if n := s.count(`select count(*) from exporter_runs a join exporter_runs b on a.dataset = b.dataset and a.id < b.id
		where a.ended_at is null or a.ended_at > b.started_at`); n != 0 {
		t.Errorf("%d passes overlap", n)
	}
}

func TestSignalEndsAReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked, letGo := s.hold(4)
	p := s.start(nil, "run")
	receive(t, asked, "the fourth request")
	p.signal(syscall.SIGHUP)
	p.await("reloading: what is being read has time to end")
	p.signal(syscall.SIGTERM)
	letGo()
	if r := p.wait().ends(app.ExitDone); strings.Count(r.stderr, "config in use") != 1 {
		t.Errorf("another config was taken: %s", r.stderr)
	}
}

func TestReloadMovesThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.start(nil, "run")
	page := p.page()
	p.await("pass done")

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s.listen = taken.Addr().String()
	s.configure()
	p.signal(syscall.SIGHUP)
	if line := p.await("new config refused"); !strings.Contains(line, "address already in use; choose another http.listen") {
		t.Errorf("not why: %s", line)
	}
	mustServe(t, page+"readyz", "ready")

	asked, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	s.listen = "192.0.2.1:" + asked.Port() // of no machine: the old one is given up for it, and taken back
	s.configure()
	p.signal(syscall.SIGHUP)
	p.await("new config refused")
	mustServe(t, page+"readyz", "ready")

	s.listen = ":" + asked.Port() // only to be had once 127.0.0.1 is given up
	s.configure()
	p.signal(syscall.SIGHUP)
	p.page()
	p.await("config in use")
	mustServe(t, page+"readyz", "ready")

	s.listen = "127.0.0.1:0"
	s.configure()
	p.signal(syscall.SIGHUP)
	moved := p.page()
	p.await("config in use")
	mustServe(t, moved+"readyz", "ready")
	if _, err := http.Get(page); err == nil {
		t.Error("the old address still answers")
	}

	s.listen = ""
	s.configure()
	p.reload()
	if _, err := http.Get(moved); err == nil {
		t.Error("http is off, and answers")
	}
	p.stop()
}
