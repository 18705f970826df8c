package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"testing"
)

// sampleDashboard is data.dashboard of the documented response.
func sampleDashboard(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var reply struct {
		Data struct{ Dashboard json.RawMessage }
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Data.Dashboard == nil {
		return text
	}
	return reply.Data.Dashboard
}

// A dashboard that is read and written again says what the API said, but for type names and what is null or empty.
func TestEveryFieldOfADashboardArrives(t *testing.T) {
	for _, file := range []string{"simulator/samples/GetDashboard.response.json", "simulator/dashboards/floor.json"} {
		text := sampleDashboard(t, file)
		var sent struct{ ID string }
		if err := json.Unmarshal(text, &sent); err != nil {
			t.Fatal(err)
		}
		d, err := decodeDashboard(sent.ID, text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := substance(t, again), substance(t, text); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
}

// substance is JSON without type names and without what is null or empty.
func substance(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(bare(v), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member = bare(member); member == nil || name == "__typename" {
				delete(v, name)
			} else {
				v[name] = member
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = bare(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	case string:
		if v == "" {
			return nil
		}
	}
	return v
}

func TestPreferencesAreReadByTheirType(t *testing.T) {
	text := sampleDashboard(t, "simulator/dashboards/floor.json")
	d, err := decodeDashboard("65a1c0de7f3b2a004c9d1e00", text)
	if err != nil {
		t.Fatal(err)
	}
	yes, down := true, int64(-1)
	want := map[string]Preferences{
		"TABLE": {
			Type: "TableTemplatePreference", RowLinkTo: "call", SortID: "5e6f5fc04767c68072ee0320", SortOrder: &down,
			Columns: `["5ef594e0eba06ff9adbcfc07","5ea18e11465b4d80736a76eb","5e6f5fc04767c68072ee0320"]`,
		},
		"LINE": {Type: "LineAreaBarTemplatePreference", ViewByType: "TIME", ViewBySubType: "HOUR"},
		"DONUT": {
			Type: "PieDonutTemplatePreference", PieTooltipFormat: "{value}", PieDatalabelFormat: "{percent}",
			DrillUpText: "All queues", AggregationSubType: "COUNT", ShowAbsoluteValues: &yes,
		},
		"HORIZONTAL_BAR": {
			Type: "HorizontalBarTemplatePreference", Columns: `["5ea18e7f465b4d80736a76ee"]`, BarMaxValue: "500.5",
			BarValueField: "5e6f5fc04767c68072ee0399",
		},
		"STAT": {Type: "StatTemplatePreference", ValueFormat: "NUMBER", TrendType: "NEGATIVE"},
	}
	for _, insight := range d.Insights {
		got := insight.Template.Preferences
		if got.Text == "" {
			t.Errorf("%s: the text of its preferences is gone", insight.Title)
		}
		got.Text, got.Colors = "", nil
		if !reflect.DeepEqual(got, want[insight.Template.Type]) {
			t.Errorf("%s: got %#v, want %#v", insight.Title, got, want[insight.Template.Type])
		}
		delete(want, insight.Template.Type)
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
}

func TestAnUndocumentedFragmentIsKept(t *testing.T) {
	const text = `{"__typename":"RadarTemplatePreference","sortId":{"metric":7},"rings":[1,2]}`
	var p Preferences
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	if want := (Preferences{Type: "RadarTemplatePreference", Text: text}); !reflect.DeepEqual(p, want) {
		t.Errorf("got %#v, want %#v", p, want)
	}
}

func TestDashboardsThatAreNotThere(t *testing.T) {
	var unknown *UnknownDashboardError
	if _, err := decodeDashboard("d1", []byte("null")); !errors.As(err, &unknown) || unknown.ID != "d1" {
		t.Errorf("null: %v", err)
	}
	for _, text := range []string{`{}`, `{"id":"d2"}`, `[]`, `{"id":"d1","insights":7}`} {
		if d, err := decodeDashboard("d1", []byte(text)); err == nil {
			t.Errorf("%s is taken for %+v", text, d)
		}
	}
}

func TestDashboardAndInsightsAreAskedForAsDocumented(t *testing.T) {
	ask := map[string]func(*Client) error{
		"GetDashboard": func(c *Client) error {
			d, err := c.Dashboard(t.Context(), "64708408b289a50051bd6781")
			if err == nil && (len(d.Insights) != 2 || d.Insights[0].Title != "Answered (Inbound)") {
				err = fmt.Errorf("got %+v", d)
			}
			return err
		},
		"GetInsightData": func(c *Client) error {
			page, err := c.Page(t.Context(), Query{
				Dashboard: "64708408b289a50051bd6781", Insight: "6470840db289a50051bd67e6", TimeRange: "PAST_30_DAYS", Timezone: "Asia/Kolkata",
			}, 0, 50)
			if want := `{"value":2824,"title":"Answered","previousValue":3189}`; err == nil && (len(page.Rows) != 1 || page.Rows[0] != want) {
				err = fmt.Errorf("got %q", page.Rows)
			}
			return err
		},
	}
	for operation, ask := range ask {
		var asked struct {
			Query     string
			Variables map[string]any
		}
		c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				t.Error(err)
			}
			// Spaced out as the documented response is, so the rows are compacted first.
			var compact bytes.Buffer
			if err := json.Compact(&compact, readSample(t, operation+".response.json")); err != nil {
				t.Error(err)
			}
			_, _ = w.Write(compact.Bytes())
		})
		if err := ask(c); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
		if want := string(readSample(t, operation+".graphql")); asked.Query != want {
			t.Errorf("%s: asked\n%s\nwant\n%s", operation, asked.Query, want)
		}
		var want map[string]any
		if err := json.Unmarshal(readSample(t, operation+".variables.json"), &want); err != nil {
			t.Fatal(err)
		}
		for name, value := range want {
			if !reflect.DeepEqual(asked.Variables[name], value) {
				t.Errorf("%s: %s is %v, want %v", operation, name, asked.Variables[name], value)
			}
		}
	}
}

func readSample(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("simulator/samples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestARefusedDashboardIsClassed(t *testing.T) {
	for _, test := range []struct {
		body string
		want Class
	}{
		{`{"data":{"dashboard":null},"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}`, Unauthorized},
		{`{"data":{}}`, Malformed},
		{`{"data":null}`, Malformed},
		{`<html>`, Malformed},
		{`{"data":{"dashboard":{"id":"d1"`, Transient},
		{`{"data":{"dashboard":{"id":"d1"},"dashboard":{"id":"d1"}}}`, Malformed},
	} {
		c := serve(t, Options{}, replyWith(http.StatusOK, test.body))
		var failed *Error
		if d, err := c.Dashboard(t.Context(), "d1"); !errors.As(err, &failed) || failed.Class != test.want || failed.Op != "dashboard" {
			t.Errorf("%s: %+v, %v", test.body, d, err)
		}
	}
	c := serve(t, Options{}, replyWith(http.StatusOK, `{"data":{"dashboard":null}}`))
	var unknown *UnknownDashboardError
	if _, err := c.Dashboard(t.Context(), "d1"); !errors.As(err, &unknown) {
		t.Errorf("null: %v", err)
	}
}
