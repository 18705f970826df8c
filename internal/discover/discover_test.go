package discover_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/discover"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// samples reads pages of ranges of some minutes, as the exporter does.
func samples(t *testing.T, report simulator.Report) []discover.Sample {
	t.Helper()
	now := time.Date(2026, 3, 12, 12, 0, 0, 0, time.UTC)
	server := httptest.NewServer(simulator.New(simulator.Options{Clock: func() time.Time { return now }}))
	t.Cleanup(server.Close)
	client, err := source.New(source.Options{
		Endpoint: server.URL, APIKey: "any", RequestsPerSecond: 1e6, Transport: http.DefaultTransport,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var all []discover.Sample
	for n := range 24 {
		start := now.Add(-48 * time.Hour).Add(time.Duration(n) * time.Hour)
		asked := window.Window{Start: start, End: start.Add(15 * time.Minute)}
		page, err := client.Page(t.Context(), source.Query{Report: report.ID, Range: asked}, 0, 50)
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]string, len(page.Rows))
		copy(rows, page.Rows)
		all = append(all, discover.Sample{Range: asked, Rows: rows})
	}
	return all
}

func titles(report simulator.Report) discover.Titles {
	all := discover.Titles{}
	for _, m := range report.Metrics {
		all[m.ID] = []string{m.Title}
	}
	return all
}

func TestAProposalIsOneThatAPersonWouldAccept(t *testing.T) {
	for _, report := range simulator.Reports() {
		t.Run(report.Name, func(t *testing.T) {
			p := discover.Propose(samples(t, report), titles(report))
			key, at := report.Key, report.TimeField
			if len(p.Fields) != len(report.Metrics) {
				t.Fatalf("%d fields, want %d", len(p.Fields), len(report.Metrics))
			}
			for _, f := range p.Fields {
				var want simulator.Metric
				for _, m := range report.Metrics {
					if m.ID == f.ID {
						want = m
					}
				}
				if f.CopyOf != want.CopyOf {
					t.Errorf("%s is a copy of %q, want %q", want.Name, f.CopyOf, want.CopyOf)
				}
				if f.CopyOf == "" && f.Type.String() != want.Type {
					t.Errorf("%s is %s, want %s (%s: %s)", want.Name, f.Type, want.Type, f.Evidence, f.Examples)
				}
				if f.Title != want.Title {
					t.Errorf("%s has the title %q, want %q", want.Name, f.Title, want.Title)
				}
				if f.ID == key && (len(p.Key) != 1 || p.Key[0] != f.Name) {
					t.Errorf("key %v, want %s (%s)", p.Key, f.Name, p.KeyEvidence)
				}
				if f.ID == at && p.TimeField != f.Name {
					t.Errorf("time field %q, want %s (%s)", p.TimeField, f.Name, p.TimeEvidence)
				}
			}
		})
	}
}

func TestAProposalLoads(t *testing.T) {
	for _, known := range []discover.Titles{nil, titles(simulator.Calls())} {
		p := discover.Propose(samples(t, simulator.Calls()), known)
		text := "source: {endpoint: 'http://127.0.0.1:1/', api_key: k}\nreports:\n" + p.YAML(discover.Section{
			Name: "calls", ReportID: simulator.Calls().ID, Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Timezone: "Asia/Kolkata",
		})
		path := t.TempDir() + "/exporter.yaml"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		r := c.Reports[0]
		if len(r.Fields) != len(p.Fields) || len(r.Key) != 1 || r.TimeField != p.TimeField || r.Sort.ID == "" {
			t.Errorf("loaded %+v from\n%s", r, text)
		}
	}
}

func TestAProposalWithoutATimeLoadsToo(t *testing.T) {
	p := propose(`{"5ea18e11465b4d80736a76eb":"Asha","5e6f5fc04767c68072ee0321":7}`, `{"5ea18e11465b4d80736a76eb":"Bruno","5e6f5fc04767c68072ee0321":7}`)
	text := "source: {endpoint: 'http://127.0.0.1:1/', api_key: k}\nreports:\n" + p.YAML(discover.Section{Name: "agents", ReportID: "r1"})
	path := t.TempDir() + "/exporter.yaml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if got := c.Reports[0]; got.TimeRange != "PAST_30_DAYS" || len(got.Key) != 1 {
		t.Errorf("loaded %+v from\n%s", got, text)
	}
}

func propose(rows ...string) discover.Proposal {
	day := time.Date(2026, 3, 12, 0, 0, 0, 0, time.UTC)
	return discover.Propose([]discover.Sample{{Range: window.Window{Start: day, End: day.AddDate(0, 0, 1)}, Rows: rows}}, nil)
}

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		values string // of the rows, by comma
		want   schema.Type
	}{
		{`1,-2,31.0`, schema.Integer},
		{`9007199254740993,1`, schema.Integer},
		{`92233720368547758070,1`, schema.Numeric},
		{`1,2.5`, schema.Numeric},
		{`1,"2"`, schema.Text},
		{`"+14077016752","+16932411213"`, schema.Text},
		{`"14077016752"`, schema.Text},
		{`true,false`, schema.Boolean},
		{`"true"`, schema.Text},
		{`"2026-03-12T10:00:00Z","2026-03-12T10:00:00.5+05:30"`, schema.Timestamptz},
		{`"2026-03-12T10:00:00Z","2026-03-12T10:00:00"`, schema.Text},
		{`"2026-03-12 10:00:00"`, schema.Timestamp},
		{`"2026-03-12"`, schema.Date},
		{`"2026-03-12","2026-03-12T10:00:00Z"`, schema.Text},
		{`{"a":1},[2]`, schema.JSON},
		{`null,null`, schema.Text},
		{`null,7`, schema.Integer},
	} {
		var values []json.RawMessage
		if err := json.Unmarshal([]byte("["+c.values+"]"), &values); err != nil {
			t.Fatal(err)
		}
		var rows []string
		for _, v := range values {
			rows = append(rows, `{"5e6f5fc04767c68072ee031c":`+string(v)+`}`)
		}
		if got := propose(rows...).Fields[0]; got.Type != c.want {
			t.Errorf("%s: %s, want %s", c.values, got.Type, c.want)
		}
	}
}

func TestKeys(t *testing.T) {
	row := func(id, agent, day string, calls int) string {
		return fmt.Sprintf(`{"id":%s,"agent":%q,"day":%q,"calls":%d}`, id, agent, day, calls)
	}
	ids := []string{`"64a4c799e8c16456e7c23a49"`, `"64a4c799e8c16456e7c23a4a"`}
	for _, c := range []struct {
		name string
		rows []string
		want string
	}{
		{"an ObjectId", []string{row(ids[0], "A", "2026-03-12", 1), row(ids[1], "B", "2026-03-12", 2)}, "id"},
		{"the same row twice", []string{row(ids[0], "A", "2026-03-12", 1), row(ids[0], "A", "2026-03-12", 1), row(ids[1], "B", "2026-03-12", 2)}, "id"},
		{"two together", []string{row("null", "A", "2026-03-12", 1), row("null", "B", "2026-03-12", 1), row("null", "A", "2026-03-13", 1)}, "agent day"},
		{"none", []string{row("null", "A", "2026-03-12", 1), row("7", "A", "2026-03-12", 1)}, ""},
		{"one row", []string{row(ids[0], "A", "2026-03-12", 1)}, ""},
	} {
		p := propose(c.rows...)
		got := strings.Join(p.Key, " ")
		for _, f := range p.Fields {
			got = strings.ReplaceAll(got, f.Name, f.ID)
		}
		if got != c.want {
			t.Errorf("%s: key %q, want %q (%s)", c.name, got, c.want, p.KeyEvidence)
		}
	}
}

func FuzzPropose(f *testing.F) {
	f.Add(`{"5ef594e0eba06ff9adbcfc07":"64a4c799e8c16456e7c23a49","b":[1,{}],"c":null}`, `{"b":1e9,"c":"$x: {}"}`, "Wait (s): ${X}")
	f.Add(`[]`, `{`, "")
	f.Fuzz(func(t *testing.T, one, other, title string) {
		day := time.Date(2026, 3, 12, 0, 0, 0, 0, time.UTC)
		p := discover.Propose([]discover.Sample{{Range: window.Window{Start: day, End: day.AddDate(0, 0, 1)}, Rows: []string{one, other}}},
			discover.Titles{"b": {title}, "c": {title}})
		names := map[string]bool{}
		m := schema.Mapping{Table: "t"}
		for _, field := range p.Kept() {
			if names[field.Name] {
				t.Fatalf("%q is there twice", field.Name)
			}
			names[field.Name] = true
			if field.ID != "" { // an empty id cannot be mapped
				m.Fields = append(m.Fields, schema.Field{ID: field.ID, Name: field.Name, Type: field.Type})
			}
		}
		if _, err := schema.Compile(m); err != nil {
			t.Fatal(err)
		}
		if text := p.YAML(discover.Section{Name: "x", ReportID: title}); strings.ContainsAny(strings.ReplaceAll(text, "\n", ""), "\r\x00\u2028") {
			t.Fatalf("not in lines: %q", text)
		}
	})
}
