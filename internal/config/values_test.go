package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	goccy "github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"samespace-exporter/internal/config"
)

func TestSecretsDoNotPrint(t *testing.T) {
	secret := config.NewSecret("hunter2")
	type inside struct{ hidden config.Secret }
	values := map[string]any{
		"itself": secret, "pointer": &secret, "slice": []config.Secret{secret}, "field": config.Source{APIKey: secret},
		"unexported field": inside{secret}, "config": config.Config{Reports: []config.Report{{Dataset: config.Dataset{TransformKey: secret}}}},
	}
	for name, value := range values {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10.3s", "%T"} {
			_, _ = fmt.Fprintf(&out, verb+"\n", value)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", value)
		if name != "unexported field" && name != "config" {
			text, err := json.Marshal(value)
			if err != nil || !strings.Contains(string(text), "secret") {
				t.Errorf("%s: JSON %s, %v", name, text, err)
			}
			out.Write(text)
			if text, err = goccy.Marshal(value); err != nil || !strings.Contains(string(text), "<secret>") {
				t.Errorf("%s: YAML %s, %v", name, text, err)
			}
			out.Write(text)
		}
		shown := out.String()
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e74657232") {
			t.Errorf("%s shows its secret:\n%s", name, shown)
		}
		if name == "itself" && strings.Count(shown, "<secret>") < 8 {
			t.Errorf("shows no <secret>:\n%s", shown)
		}
	}
	var unset config.Secret
	if unset.IsSet() || unset.Reveal() != "" || !secret.IsSet() || secret.Reveal() != "hunter2" {
		t.Error("a secret forgets what it is")
	}
}

// token is how the value of a string in the file comes out.
func token(t interface{ Fatalf(string, ...any) }, written string) string {
	c, err := config.Parse("exporter.yaml", []byte(minimal+"http:\n  token: '"+strings.ReplaceAll(written, "'", "''")+"'\n"),
		func(name string) (string, bool) {
			values := map[string]string{"A": "a value", "EMPTY": "", "DOLLAR": "${A} $$ {", "MAPPING": "x\nsource: {}"}
			value, ok := values[name]
			return value, ok
		},
		func(path string) ([]byte, error) { return []byte(path + "\n\r\n"), nil })
	if err != nil {
		t.Fatalf("%s: %v", written, err)
	}
	return c.HTTP.Token.Reveal()
}

func TestExpansion(t *testing.T) {
	for written, want := range map[string]string{
		"${A}":                   "a value",
		"<${A}${A}>":             "<a valuea value>",
		"${NONE:-fallback}":      "fallback",
		"x${NONE:-}":             "x",
		"${EMPTY:-fallback}":     "fallback",
		"x${EMPTY}":              "x",
		"${A:-fallback}":         "a value",
		"${NONE:-a:-b}":          "a:-b",
		"${DOLLAR}":              "${A} $$ {", // once
		"${MAPPING}":             "x\nsource: {}",
		"$$":                     "$",
		"$${A}":                  "${A}",
		"$$${A}":                 "$a value",
		"$A $ $x":                "$A $ $x",
		"${file:token}":          "token",
		"${file:secrets/t o.en}": "secrets/t o.en",
		"${file:/run/secrets/t}": "/run/secrets/t",
	} {
		if got := token(t, written); got != want {
			t.Errorf("%s gives %q, want %q", written, got, want)
		}
	}
}

func TestExpansionLeavesOtherTextAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~é]{0,30}`).Draw(t, "text") + "x"
		if got := token(t, strings.ReplaceAll(text, "$", "$$")); got != text {
			t.Fatalf("%q with its dollars doubled gives %q", text, got)
		}
		around := strings.ReplaceAll(text, "${", "$ {")
		if got := token(t, around); !strings.Contains(around, "$$") && got != around {
			t.Fatalf("%q gives %q", around, got)
		}
		if got, want := token(t, strings.ReplaceAll(text, "$", "$$")+"${A}"), text+"a value"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	for written, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "15m": 15 * time.Minute, "2h": 2 * time.Hour, "1d": day, "1w": 7 * day, "1h30m": 90 * time.Minute,
		"1w2d3h4m5s": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second, "90m": 90 * time.Minute, "36500d": 36500 * day,
	} {
		c := mustParse(t, minimal+"notify: {stale_after: "+written+"}\n")
		if c.Notify.StaleAfter != want {
			t.Errorf("%s is %s, want %s", written, c.Notify.StaleAfter, want)
		}
	}
	for _, written := range []string{"60", "1.5h", "h", "1h 30m", "30m1h", "-1h", "1h1h", "1ms", "36501d", "99999999999999999999s", `""`} {
		if _, err := parse(minimal + "notify: {stale_after: " + written + "}\n"); err == nil {
			t.Errorf("%s is taken for a duration", written)
		}
	}
}

func TestSizes(t *testing.T) {
	for written, want := range map[string]int64{"1B": 1, "2KB": 2000, "2KiB": 2048, "64MiB": 64 << 20, "1GB": 1e9, "3GiB": 3 << 30} {
		c := mustParse(t, minimalSource("max_page_bytes: "+written))
		if c.Source.MaxPageBytes != want {
			t.Errorf("%s is %d, want %d", written, c.Source.MaxPageBytes, want)
		}
	}
	for _, written := range []string{"64", "MiB", "1.5MiB", "-1KB", "0B", "1TB", "64 MiB", "1BB", "99999999999999999999GiB", `""`} {
		if _, err := parse(minimalSource("max_page_bytes: " + written)); err == nil {
			t.Errorf("%s is taken for a size", written)
		}
	}
}

func minimalSource(lines string) string {
	return strings.Replace(minimal, "api_key: k", "api_key: k, "+lines, 1)
}

func TestSinceIsTheDaysFirstInstant(t *testing.T) {
	for _, c := range []struct{ since, timezone, want string }{
		{"2023-07-01", "UTC", "2023-07-01T00:00:00Z"},
		{"2023-07-01", "Asia/Kolkata", "2023-06-30T18:30:00Z"},
		{"2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"}, // begins at 01:00
		{"2023-07-01T12:00:00+05:30", "America/New_York", "2023-07-01T06:30:00Z"},
		{"2023-07-01T12:00:00Z", "America/New_York", "2023-07-01T12:00:00Z"},
	} {
		// A timezone after since counts as well.
		text := strings.Replace(minimalReport, "  since: 2025-01-01\n", "  since: "+c.since+"\n  timezone: "+c.timezone+"\n", 1)
		if got := mustParse(t, text).Reports[0].Since.Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s is %s, want %s", c.since, c.timezone, got, c.want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for endpoint, ok := range map[string]bool{
		"https://x.samespace.com/analytics/api": true, "http://localhost:8080/a": true, "http://127.0.0.1/a": true,
		"http://[::1]:80/a": true, "http://127.8.9.1": true, "http://x.samespace.com": false, "http://localhost.evil.com": false,
		"http://127.0.0.1.evil.com": false, "https:///x": false, "https://u@x.com": false, "//x.com": false, "x.com": false,
	} {
		_, err := parse("source: {api_key: k, endpoint: '" + endpoint + "'}\n")
		if (err == nil) != ok {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestWarehouse(t *testing.T) {
	for _, dsn := range []string{
		"postgres://u:s3cr3t@one,two/db",
		"postgres://u:s3cr3t@one:5432,two/db?connect_timeout=1",
		"postgres://u:s3cr3t@[::1]:5432,[::2]:5433/db",
		"postgres://one:1,two:2?target_session_attrs=read-write",
		"sqlite:exporter.db",
		"sqlite:/data/x.db?_key=hunter2",
		"postgres://me:hunter2@db:5432/bi",
		"postgresql://me@db/bi?password=hunter2",
		"postgres://me:p%40hunter2@db/bi?sslmode=require",
		"postgres:///bi?host=/run/postgresql",
	} {
		w := mustParse(t, minimal+"warehouse: {dsn: '"+dsn+"'}\n").Warehouse
		if w.DSN.Reveal() != dsn {
			t.Errorf("%s became %s", dsn, w.DSN.Reveal())
		}
		path, isSQLite := w.SQLitePath()
		if isSQLite != strings.HasPrefix(dsn, "sqlite:") || isSQLite && "sqlite:"+path != dsn {
			t.Errorf("%s: path %q, %t", dsn, path, isSQLite)
		}
	}
	c := mustParse(t, minimal+"warehouse: {dsn: 'postgres://me@db/bi', password_file: pw}\n")
	if c.Warehouse.Password.Reveal() != canary {
		t.Errorf("password %q is not the file's", c.Warehouse.Password.Reveal())
	}
}

func TestNullTakesAValueAway(t *testing.T) {
	c := mustParse(t, minimal+"http: {token: null, listen: ''}\nnotify: {webhook: ~}\nwarehouse: {password: null}\nlog:\n")
	if c.HTTP.Token.IsSet() || c.Notify.Webhook.IsSet() || c.Warehouse.Password.IsSet() || c.HTTP.Listen != "" {
		t.Errorf("%+v", c)
	}
}

func TestJSONSchemaIsJSON(t *testing.T) {
	var schema struct {
		Properties map[string]struct {
			Properties map[string]struct{ Default any }
		}
	}
	if err := json.Unmarshal(config.JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	if got := schema.Properties["source"].Properties["timeout"].Default; got != "1m" {
		t.Errorf("default of source.timeout %v, want 1m", got)
	}
	if bytes.Contains(config.JSONSchema(), []byte("<secret>")) {
		t.Error("the schema holds a secret's default")
	}
}

func FuzzParse(f *testing.F) {
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add(minimalReport)
	bad, err := os.ReadFile("testdata/bad/expanded_values_do_not_show.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(bad))
	f.Add("a: &a [*a]\nb: {<<: *a}\n? [x]\n: !!binary y\n--- |\n z")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse(text)
		if err != nil {
			if strings.Contains(err.Error(), canary) && !strings.Contains(text, canary) {
				t.Errorf("shows what a ${...} stands for:\n%v", err)
			}
			return
		}
		for _, r := range c.Reports {
			if r.Hash() == "" || r.Name == "" || r.Table == "" || r.ReportID == "" || len(r.Fields) == 0 || r.Grid().Size() <= 0 || r.Since.IsZero() != (r.TimeRange != "") {
				t.Errorf("report %+v", r)
			}
		}
		for _, i := range c.Insights {
			if i.Hash() == "" || i.Name == "" || i.Table == "" || i.InsightID == "" || len(i.Fields) == 0 || i.Grid().Size() <= 0 || i.Since.IsZero() != (i.TimeRange != "") {
				t.Errorf("insight %+v", i)
			}
		}
	})
}
