package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"samespace-exporter/internal/app"
)

// canaries are secrets that no command may show, whatever goes wrong. They are made so that each way to write them
// down differs from the others.
var canaries = map[string]string{
	"api key":       `canary-key/+"<&>=%7e?5b1f`,
	"password":      `canary-password/+"<&>=%7e?5b1f`,
	"DSN":           `canary-dsn-password/+~5b1f`,
	"transform key": `canary-transform/+"<&>=%7e?5b1f`,
	"token":         `canary-token/+"<&>=%7e?5b1f`,
	"webhook":       `canary-webhook+~5b1f`,
}

// forms are the ways in which a secret may be written down.
func forms(secret string) map[string]string {
	asJSON, _ := json.Marshal(secret)
	quoted := strconv.Quote(secret)
	all := map[string]string{
		"plain": secret, "as JSON": string(asJSON[1 : len(asJSON)-1]), "quoted": quoted[1 : len(quoted)-1],
		"in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret), "in HTML": html.EscapeString(secret),
		"in hex": hex.EncodeToString([]byte(secret)),
	}
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64 for URLs": base64.RawURLEncoding} {
		for before := range 3 { // bytes that stand before it in what is encoded: the text differs
			text := encoding.EncodeToString(append(make([]byte, before), secret...))
			first, last := (before*8+5)/6, (before+len(secret))*8/6 // characters of the secret's own bits only
			all[fmt.Sprintf("%s after %d bytes", name, before)] = text[first:last]
		}
	}
	return all
}

// evidence is all that a run left behind.
type evidence struct {
	*testing.T
	looked int
}

// search looks for every canary in every form.
func (e *evidence) search(where string, text []byte) {
	e.Helper()
	e.looked += len(text)
	text = bytes.ToLower(text) // %2F and %2f, DEADBEEF and deadbeef
	for name, secret := range canaries {
		for form, written := range forms(secret) {
			if i := bytes.Index(text, bytes.ToLower([]byte(written))); i >= 0 {
				e.Errorf("%s: the %s is there, %s: …%s", where, name, form, text[max(0, i-80):min(len(text), i+len(written)+20)])
			}
		}
	}
	for _, crash := range []string{"goroutine 1 [", "panic:"} {
		if bytes.Contains(text, []byte(crash)) {
			e.Errorf("%s: it crashed: %s", where, text)
		}
	}
}

// searchFiles looks into each file of a folder, but for those that hold the secrets by right.
func (e *evidence) searchFiles(dir string, but ...string) {
	e.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, name := range but {
			if d.Name() == name {
				return nil
			}
		}
		text, err := os.ReadFile(path)
		e.search(path, text)
		return err
	})
	if err != nil {
		e.Error(err)
	}
}

// vault is a site whose config has all the secrets.
type vault struct {
	*site
	evidence                                    *evidence
	dsn, password, endpoint, key, webhook, more string
}

// configure writes the config.
func (v *vault) configure() {
	quote := func(s string) string { text, _ := json.Marshal(s); return string(text) } // YAML takes JSON's texts
	password := ""
	if v.password != "" {
		password = "password: " + quote(v.password)
	}
	v.write(fmt.Sprintf(`
source: {endpoint: %q, api_key: %s, requests_per_second: 10000, max_attempts: 1}
warehouse:
  dsn: %s
  %s
http: {listen: "127.0.0.1:0", token: %s}
notify: {webhook: %s}
log: {level: debug}
reports:
  - name: calls
    report_id: %s
    since: %s
    schedule: "@every 1s"
    key: [call_id]
    time_field: started_at
    transform_key: %s
    fields:
      %q: {name: call_id, type: text, transform: hmac}
      %q: {name: started_at, type: timestamptz}
%s`, v.endpoint, quote(v.key), quote(v.dsn), password, quote(canaries["token"]), quote(v.webhook), v.report.ID,
		v.since.Format(time.DateOnly), quote(canaries["transform key"]), v.report.Key, v.report.TimeField, v.more))
}

// commands runs every command but the daemon.
func (v *vault) commands(mode string) {
	v.Helper()
	for _, command := range []string{
		"plan", "plan --json", "check", "check --json", "check --offline", "migrate", "run --once -v", "run --backfill -v --from " + v.since.Format(time.DateOnly), "status",
		"status --json", "healthcheck", "config schema", "run --once --report nope", "run --nope",
	} {
		var stdout, stderr transcript
		run(v.Context(), append(strings.Fields(command), "-c", v.path), &stdout, &stderr)
		v.evidence.search(mode+": "+command+": stdout", []byte(stdout.String()))
		v.evidence.search(mode+": "+command+": stderr", []byte(stderr.String()))
	}
}

// echo is a server that answers with all that it was sent, and with the secrets in every form.
func echo(t *testing.T, status int, wrap string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said := fmt.Sprintf("%s %v %s", r.URL, r.Header, body)
		for _, form := range forms(canaries["api key"]) {
			said = form + " " + said
		}
		asJSON, _ := json.Marshal(said)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, wrap, strings.Trim(string(asJSON), `"`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	s := newSiteWithKey(t, canaries["api key"])
	hook := echo(t, http.StatusNotFound, "no such hook: %s")
	v := &vault{site: s, evidence: &evidence{T: t}}
	sound := func() {
		v.dsn, v.password, v.endpoint, v.key, v.more = s.dsn, "", s.endpoint, canaries["api key"], ""
		v.webhook = hook + "/" + canaries["webhook"]
	}
	for _, mode := range []struct {
		name string
		set  func()
	}{
		{"all well", func() {}},
		{"a wrong key", func() { v.endpoint = echo(t, http.StatusUnauthorized, `{"message": "%s is not a key"}`) }},
		{"a server that echoes in GraphQL", func() { v.endpoint = echo(t, http.StatusOK, `{"errors": [{"message": "%s"}]}`) }},
		{"a server that echoes beside data", func() {
			v.endpoint = echo(t, http.StatusOK, `{"data": {"getReportData": {"data": []}}, "errors": [{"message": "%s"}]}`)
		}},
		{"a server that echoes in HTML", func() { v.endpoint = echo(t, http.StatusBadGateway, `<html><body>%s</body></html>`) }},
		{"a server that echoes in rows", func() {
			v.endpoint = echo(t, http.StatusOK, `{"data": {"getReportData": {"data": "%s"}}}`)
		}},
		{"nobody answers", func() { v.endpoint = "http://" + closedPort(t) }},
		{"a key that is none", func() { v.key = canaries["api key"] + "\n" }},
		{"Postgres is down", func() {
			v.dsn, v.password = "postgres://exporter@"+closedPort(t)+"/warehouse", canaries["password"]
		}},
		{"Postgres is down, by a DSN", func() {
			v.dsn = "postgres://exporter:" + url.QueryEscape(canaries["DSN"]) + "@" + closedPort(t) + "/warehouse"
		}},
		{"a role that Postgres does not know", func() {
			dsn, err := url.Parse(server.Database(t))
			if err != nil {
				t.Fatal(err)
			}
			dsn.User = url.UserPassword("nobody-5b1f", canaries["DSN"])
			v.dsn = dsn.String()
		}},
		{"a DSN that is none", func() { v.dsn = "postgres://u:" + canaries["DSN"] + "@h:port/db?x=%zz" }},
		{"a DSN of words", func() { v.dsn = "host=nowhere password='" + canaries["DSN"] + "' sslmode=nope port=x" }},
		{"a DSN of another kind", func() { v.dsn = "oracle://u:" + canaries["DSN"] + "@h/db" }},
		{"a password beside one in the DSN", func() {
			v.dsn, v.password = "postgres://u:"+url.QueryEscape(canaries["DSN"])+"@"+closedPort(t)+"/db", canaries["password"]
		}},
		{"a webhook that is no address", func() { v.webhook = "ftp://example.com/" + canaries["webhook"] }},
		{"a config with mistakes", func() { v.more = "wrong: ${EXPORTER_TEST_CANARY:-x}\nlog: {level: nope}\n" }},
		{"a config that is not YAML", func() { v.more = "\t{ : [" }},
	} {
		sound()
		mode.set()
		v.configure()
		v.commands(mode.name)
	}

	sound()
	v.dsn = "sqlite:" + filepath.Join(filepath.Dir(s.path), "daemon.db") // to the other one nothing is due for an hour
	v.configure()
	v.daemon()
	v.evidence.searchFiles(filepath.Dir(s.path), filepath.Base(s.path))
	if v.evidence.looked < 100_000 {
		t.Errorf("only %d bytes were searched: what should leave traces did not run", v.evidence.looked)
	}
	t.Logf("%d bytes searched for %d secrets in %d forms", v.evidence.looked, len(canaries), len(forms("x-canary")))
}

// daemon runs it, asks it all that it serves, and has it take good and bad configs and fail to tell.
func (v *vault) daemon() {
	t := v.T
	t.Helper()
	p := v.start(nil, "run", "-v")
	page := p.page()
	p.await("pass done")
	v.endpoint = echo(t, http.StatusUnauthorized, `{"message": "%s is not a key"}`)
	v.configure()
	p.reload()
	p.await("pass failed")
	p.await("nobody was told")
	for _, path := range []string{"", "api/status", "metrics", "healthz", "readyz", "nowhere", "debug/pprof/", "api/status?token=x"} {
		response, err := http.Get(page + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		if err != nil {
			t.Error(err)
		}
		v.evidence.search("/"+path, append(body, fmt.Sprint(response.Header)...))
	}
	v.dsn = "postgres://u:" + url.QueryEscape(canaries["DSN"]) + "@" + closedPort(t) + "/db"
	v.configure()
	p.signal(syscall.SIGHUP)
	p.await("new config refused")
	v.more = "wrong: x\n"
	v.configure()
	p.signal(syscall.SIGHUP)
	p.await("new config refused")
	p.signal(syscall.SIGTERM)
	r := p.wait().ends(app.ExitDone)
	v.evidence.search("daemon: stdout", []byte(r.stdout))
	v.evidence.search("daemon: stderr", []byte(r.stderr))
}
