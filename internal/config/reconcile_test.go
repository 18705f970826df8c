package config_test

import (
	"fmt"
	"strings"
	"testing"

	"samespace-exporter/internal/config"
)

const bound = minimal + `
reports:
- name: calls
  report_id: r
  since: 2025-01-01
  key: [id]
  time_field: at
  fields: {a: {name: id, type: text}, b: {name: at, type: timestamptz}}
  reconcile: RECONCILE
insights:
- {name: answered, dashboard_id: d, insight_id: i, since: 2025-01-01, fields: {value: {name: v, type: integer}}}
`

func TestReconcile(t *testing.T) {
	for _, expression := range []string{
		"count(*)", "count(*) filter (where id = 'a;b')", `sum(x) / nullif(count(*), 0)`, `count(*) filter (where "odd""name" like '%(%' or id = 'it''s')`,
		`count(*) filter (where id ~ '^\d+$')`, "max(list[1])", "(select count(*) from samespace.other)",
	} {
		c := mustParse(t, strings.Replace(bound, "RECONCILE", fmt.Sprintf("[{insight: answered, sql: %q}]", expression), 1))
		want := config.Reconcile{Insight: "answered", SQL: expression, MaxShare: 0.01}
		if got := c.Reports[0].Reconcile; len(got) != 1 || got[0] != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// What a report is compared with changes none of its rows.
func TestReconcileIsNotOfTheHash(t *testing.T) {
	with := mustParse(t, strings.Replace(bound, "RECONCILE", "[{insight: answered, sql: count(*), max_share: 0}]", 1))
	without := mustParse(t, strings.Replace(bound, "RECONCILE", "[]", 1))
	if with.Reports[0].Hash() != without.Reports[0].Hash() {
		t.Error("the hashes differ")
	}
	if with.Reports[0].Reconcile[0].MaxShare != 0 {
		t.Error("not the share that was given")
	}
}
