package config_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// canary is what every environment variable and file holds that tests do not name. It must never show.
const canary = "hunter2-canary"

func env(name string) (string, bool) {
	switch name {
	case "UNSET", "WAREHOUSE_DSN":
		return "", false
	case "EMPTY":
		return "", true
	case "TWO":
		return "2", true
	}
	return canary, true
}

func readFile(path string) ([]byte, error) {
	if strings.Contains(path, "missing") {
		return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
	}
	return []byte(canary + "\r\n"), nil
}

func parse(text string) (*config.Config, error) {
	return config.Parse("exporter.yaml", []byte(text), env, readFile)
}

func mustParse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := parse(text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return c
}

const minimal = "source: {endpoint: https://x.samespace.com/analytics/api, api_key: k}\n"

const minimalReport = minimal + `
reports:
- name: calls
  report_id: 6007d54273902f0069dc68dc
  since: 2025-01-01
  key: [call_id]
  fields: {5ef594e0eba06ff9adbcfc07: {name: call_id, type: text}}
`

const exampleFile = "../../config.example.yaml"

func loadExample(t *testing.T) *config.Config {
	t.Helper()
	t.Setenv("SAMESPACE_API_KEY", "key-of-the-example")
	c, err := config.Load(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExampleShowsTheDefaults holds the example to what a config that says nothing means, key by key.
func TestExampleShowsTheDefaults(t *testing.T) {
	example, empty := loadExample(t), mustParse(t, minimalReport)
	same := func(section string, example, empty any, but ...string) {
		a, b := reflect.ValueOf(example), reflect.ValueOf(empty)
		for i := range a.NumField() {
			name := a.Type().Field(i).Name
			if !slices.Contains(but, name) && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				t.Errorf("%s.%s: the example has %v, the default is %v", section, name, a.Field(i), b.Field(i))
			}
		}
	}
	same("source", example.Source, empty.Source, "Endpoint", "APIKey")
	same("warehouse", example.Warehouse, empty.Warehouse)
	same("http", example.HTTP, empty.HTTP)
	same("notify", example.Notify, empty.Notify)
	same("log", example.Log, empty.Log)
	// This report sets none of the keys that the example's defaults show.
	agents, calls := example.Reports[1], empty.Reports[0]
	same("window", agents.Window, calls.Window)
	same("defaults", agents.Dataset, calls.Dataset, "Name", "Table", "Since", "TimeRange", "Write", "Key", "Fields", "Filters")
	if example.Source.APIKey.Reveal() != "key-of-the-example" {
		t.Error("the example's key does not come from SAMESPACE_API_KEY")
	}
}

// TestExampleNamesEveryKey holds the example to the keys that the loader knows.
func TestExampleNamesEveryKey(t *testing.T) {
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`"([a-z_0-9]+)": \{`).FindAllStringSubmatch(string(config.JSONSchema()), -1)
	if len(names) < 50 {
		t.Fatalf("the JSON Schema has %d keys", len(names))
	}
	for _, name := range names {
		ofSchema := name[1] == "properties" || name[1] == "items"
		if !ofSchema && !regexp.MustCompile(`\b`+name[1]+`\b`).Match(example) {
			t.Errorf("the example does not name %s", name[1])
		}
	}
}

func TestExampleMeansWhatItSays(t *testing.T) {
	c := loadExample(t)
	calls := c.Reports[0]
	got := fmt.Sprint(calls.Name, calls.ReportID, calls.Table, calls.Schedule, calls.Timezone, calls.Since.Format(time.RFC3339),
		calls.Write, calls.Key, calls.TimeField, calls.Sort, calls.Filters, calls.Grid().Size())
	want := "calls 6007d54273902f0069dc68dc calls */5 * * * * Asia/Kolkata 2023-06-30T18:30:00Z upsert [call_id] started_at" +
		" {5e6f5fc04767c68072ee031c false} [{5ea18a6b465b4d80736a76e9 ATTRIBUTE nin [] <nil>}] 1h0m0s"
	if words(got) != words(want) {
		t.Errorf("calls:\n%s\nwant\n%s", got, want)
	}
	fields := []config.Field{
		{ID: "5ef594e0eba06ff9adbcfc07", Name: "call_id", Type: schema.Text, Title: "Call ID", Transform: "none"},
		{ID: "5e6f5fc04767c68072ee031c", Name: "started_at", Type: schema.Timestamptz, Title: "Start time", Transform: "none"},
		{ID: "602a0daa27200ad38393241c", Name: "ended_at", Type: schema.Timestamptz, Transform: "none"},
		{ID: "5e6f5fc04767c68072ee031d", Name: "direction", Type: schema.Text, Transform: "none"},
		{ID: "5eafce52965aff16547f2816", Name: "from_number", Type: schema.Text, Transform: "last4"},
		{ID: "5eafcfde965aff16547f2817", Name: "to_number", Type: schema.Text, Transform: "none"},
		{ID: "5e6f5fc04767c68072ee0320", Name: "duration_s", Type: schema.Integer, Transform: "none"},
		{ID: "5ec3ab9dc17f3c7ee1471a7a", Name: "channel", Type: schema.Text, Transform: "none"},
		{ID: "60af7ebc2c1f3d2b8e5faf7e", Drop: true, Transform: "none"},
		{ID: "60af7fa12c1f3d2b8e5faf7f", Drop: true, Transform: "none"},
	}
	if !reflect.DeepEqual(calls.Fields, fields) {
		t.Errorf("fields:\n%v\nwant, in the file's order,\n%v", calls.Fields, fields)
	}
	agents, insight, board := c.Reports[1], c.Insights[0], c.Dashboards[0]
	if agents.TimeRange != "PAST_30_DAYS" || !agents.Since.IsZero() || agents.Write != config.WriteReplace {
		t.Errorf("agents: %+v", agents)
	}
	if insight.InsightID != "6470840db289a50051bd67e6" || insight.Write != config.WriteReplace ||
		!insight.Since.Equal(time.Date(2023, 7, 1, 0, 0, 0, 0, time.UTC)) || insight.Fields[2].ID != "previousValue" {
		t.Errorf("insight: %+v", insight)
	}
	if board.Name != "operations" || board.Schedule != "@daily" || board.Timezone != time.UTC {
		t.Errorf("dashboard: %+v", board)
	}
}

func words(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("{", " ", "}", " ").Replace(s)), "")
}

// TestBadFiles holds the messages for a folder of mistakes. Each file says what is wrong with it.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Parse(filepath.ToSlash(file), text, env, readFile)
			var mistakes config.Errors
			if !errors.As(err, &mistakes) {
				t.Fatalf("error %v, want Errors", err)
			}
			got := err.Error() + "\n"
			if strings.Contains(got, "hunter2") {
				t.Errorf("shows a secret:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("errors:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestDefaultsGiveWayToADatasetsOwn(t *testing.T) {
	c := mustParse(t, minimal+`
reports:
- {name: own, report_id: a, since: 2025-01-01, schedule: "@hourly", window: {delay: 5m, reread: []}, deleted: keep, page_size: 10}
- {name: inherits, report_id: b}
- {name: rolling, report_id: c, time_range: PAST_HOUR, write: replace, fields: {x: {name: y, type: json}}, key: [], sort: null}
insights:
- {name: stat, dashboard_id: d, insight_id: i, fields: {value: {name: value, type: numeric}}}
- {name: snapshot, dashboard_id: d, insight_id: i, time_range: PAST_HOUR, fields: {value: {name: value, type: numeric}}}
dashboards:
- {name: board, dashboard_id: d}
defaults:
  schedule: "@weekly"
  timezone: Europe/Berlin
  since: 2024-01-01
  page_size: 500
  window: {size: 2h, overlap: 10m}
  deleted: mark
  history: true
  key: [id]
  sort: {by: id, order: desc}
  fields: {5e6f5fc04767c68072ee0320: {name: id, type: integer}}
`)
	own, inherits, rolling := c.Reports[0], c.Reports[1], c.Reports[2]
	w := own.Window
	if own.Schedule != "@hourly" || own.PageSize != 10 || own.Deleted != config.DeletedKeep || w.Delay != 5*time.Minute ||
		w.Size != 2*time.Hour || w.Overlap != 10*time.Minute || len(w.Reread) != 0 || w.MaxRows != 20000 {
		t.Errorf("own: %+v", own)
	}
	if got := own.Since.Format(time.RFC3339); got != "2024-12-31T23:00:00Z" {
		t.Errorf("own since %s: not midnight in the defaults' timezone", got)
	}
	w = inherits.Window
	if inherits.Schedule != "@weekly" || inherits.PageSize != 500 || inherits.Deleted != config.DeletedMark ||
		w.Delay != 2*time.Minute || len(w.Reread) != 5 || inherits.Since.Year() != 2023 || inherits.Table != "inherits" ||
		inherits.Sort != (config.Sort{ID: "5e6f5fc04767c68072ee0320", Descending: true}) {
		t.Errorf("inherits: %+v", inherits)
	}
	if rolling.TimeRange != "PAST_HOUR" || !rolling.Since.IsZero() || rolling.Deleted != config.DeletedKeep ||
		rolling.History || !inherits.History || len(rolling.Key) != 0 || rolling.Sort != (config.Sort{}) || len(rolling.Fields) != 1 {
		t.Errorf("rolling: %+v", rolling)
	}
	stat, snapshot := c.Insights[0], c.Insights[1]
	if stat.Write != config.WriteReplace || snapshot.Write != config.WriteAppend || len(stat.Key) != 0 ||
		stat.History || stat.Sort != (config.Sort{}) || stat.Window.Size != 2*time.Hour || stat.Since.IsZero() || !snapshot.Since.IsZero() {
		t.Errorf("insights: %+v\n%+v", stat, snapshot)
	}
	if board := c.Dashboards[0]; board.Schedule != "@weekly" || board.Timezone.String() != "Europe/Berlin" {
		t.Errorf("dashboard: %+v", board)
	}
}

func TestATableInTheDefaultsIsForReports(t *testing.T) {
	c := mustParse(t, strings.Replace(minimalReport, "reports:", `
defaults: {table: all_calls}
insights: [{name: stat, dashboard_id: d, insight_id: i, since: 2025-01-01, fields: {value: {name: value, type: numeric}}}]
reports:`, 1))
	if c.Reports[0].Table != "all_calls" || c.Insights[0].Table != "stat" {
		t.Errorf("tables %s and %s", c.Reports[0].Table, c.Insights[0].Table)
	}
}

// YAML would take some ids for numbers. They are ids: as written, quoted or not.
func TestIDsThatLookLikeNumbers(t *testing.T) {
	for _, id := range []string{
		"5e6f5fc04767c68072ee0320", "500000000000000000000000", "5e6000000000000000000000", "000000000000000000000012",
		"123", "1.50", "0x1f", "1e3", "true", "value",
	} {
		for _, written := range []string{id, `"` + id + `"`, "'" + id + "'"} {
			c := mustParse(t, minimal+fmt.Sprintf(`
reports:
- name: calls
  report_id: %[1]s
  time_range: PAST_HOUR
  write: append
  sort: {by: x}
  filters: [{metric: %[1]s, type: ATTRIBUTE, operation: in, values: []}]
  fields: {%[1]s: {name: x, type: text}}
`, written))
			r := c.Reports[0]
			if r.ReportID != id || r.Sort.ID != id || r.Filters[0].Metric != id || r.Fields[0].ID != id {
				t.Errorf("%s reads as %q, %q, %q, %q", written, r.ReportID, r.Sort.ID, r.Filters[0].Metric, r.Fields[0].ID)
			}
		}
	}
}

func TestFilterValuesKeepTheirTypes(t *testing.T) {
	c := mustParse(t, strings.Replace(minimalReport, "  key:", `  filters:
  - {metric: m, type: ATTRIBUTE, operation: in, values: [a, "1", 1, 1.5, true, null, .nan, 5ec384fb5c4345a0eb45ed32, "${TWO}"]}
  - {metric: m, type: MEASURE, operation: gt, value: 30}
  key:`, 1))
	want := []any{"a", "1", int64(1), 1.5, true, nil, ".nan", "5ec384fb5c4345a0eb45ed32", "2"}
	if got := c.Reports[0].Filters[0].Values; !reflect.DeepEqual(got, want) {
		t.Errorf("values %#v, want %#v", got, want)
	}
	if got := c.Reports[0].Filters[1].Value; got != int64(30) {
		t.Errorf("value %#v, want 30", got)
	}
}

func TestAliasesStandForWhatTheyName(t *testing.T) {
	c := mustParse(t, minimal+`
reports:
- {name: a, report_id: a, time_range: PAST_HOUR, write: append, fields: &fields {x: {name: x, type: text}}}
- {name: b, report_id: b, time_range: PAST_HOUR, write: append, fields: *fields}
`)
	if !reflect.DeepEqual(c.Reports[0].Fields, c.Reports[1].Fields) || len(c.Reports[1].Fields) != 1 {
		t.Errorf("fields %v", c.Reports[1].Fields)
	}
}

func TestHash(t *testing.T) {
	hash := func(old, new string) string {
		t.Helper()
		text := strings.Replace(minimalReport, old, new, 1)
		if text == minimalReport && old != new {
			t.Fatalf("%q is not in the config", old)
		}
		return mustParse(t, text).Reports[0].Hash()
	}
	base := hash("", "")
	if want := "365caf92a8a38e7667528e7da789c02a"; base != want {
		t.Errorf("hash %s, want %s: every dataset of every user would seem to have changed", base, want)
	}
	const line = "  key: [call_id]\n"
	for _, same := range []string{
		"  schedule: '@daily'\n", "  page_size: 10\n", "  window: {reread: []}\n", "  transform_key: s\n", "  timezone: UTC\n",
	} {
		if hash(line, line+same) != base {
			t.Errorf("%q changes the hash, but not the rows", same)
		}
	}
	seen := map[string]string{base: "nothing"}
	for _, other := range []string{
		"  timezone: Asia/Kolkata\n", "  window: {size: 2h}\n", "  table: other\n", "  unmapped: ignore\n", "  on_bad_row: fail\n",
		"  deleted: mark\n", "  history: true\n", "  write: replace\n", "  filters: [{metric: m, type: MEASURE, operation: gt, value: 1}]\n",
	} {
		h := hash(line, line+other)
		if before, clash := seen[h]; clash {
			t.Errorf("%q and %q have one hash", other, before)
		}
		seen[h] = other
	}
	if hash("type: text", "type: integer") == base {
		t.Error("a type does not change the hash")
	}
	if hash("type: text", "type: text, title: The call") != base {
		t.Error("a title changes the hash")
	}
	keyed := func(secret string) string {
		return hash(line+"  fields: {5ef594e0eba06ff9adbcfc07: {name: call_id, type: text}}",
			line+"  transform_key: "+secret+"\n  fields: {5ef594e0eba06ff9adbcfc07: {name: call_id, type: text, transform: hmac}}")
	}
	if keyed("one-secret") == keyed("another-secret") {
		t.Error("the hash does not tell keys of a transform apart: two processes would write rows side by side that differ")
	}
}

func TestLoadSaysThatAFileIsMissing(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "exporter.yaml"))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "-c") {
		t.Errorf("error %v", err)
	}
}

func TestAValueCanComeFromAFileBesideTheConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("key", "top secret\n")
	for _, line := range []string{"api_key: ${file:key}", "api_key_file: key", "api_key_file: " + filepath.Join(dir, "key")} {
		write("exporter.yaml", "source:\n  endpoint: http://localhost:1/api\n  "+line+"\n")
		c, err := config.Load(filepath.Join(dir, "exporter.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Source.APIKey.Reveal(); got != "top secret" {
			t.Errorf("%s: key %q", line, got)
		}
	}
}
