package source

import "testing"

// The single row of a STAT insight is the end; any other single row may be a page of a server that sends one at a time.
func TestASTATHasOneRow(t *testing.T) {
	for _, c := range []struct {
		name, insight, row string
		requests           int
	}{
		{"the documented row", "i", `{"value":2824,"title":"Answered","previousValue":3189}`, 1},
		{"of a report", "", `{"value":2824,"title":"Answered","previousValue":3189}`, 2},
		{"without the time before", "i", `{"value":2824,"title":"Answered"}`, 2},
		{"with more", "i", `{"value":2824,"title":"Answered","previousValue":3189,"id":1}`, 2},
		{"another three keys", "i", `{"value":2824,"title":"Answered","id":1}`, 2},
		{"no object", "i", `[1,2,3]`, 2},
	} {
		api, list := &table{rows: []string{c.row}}, &rowList{}
		got, err := readRows(t.Context(), Query{Insight: c.insight, PageSize: 100}, list, api.ask)
		if err != nil || got.Rows != 1 || api.requests != c.requests || got.Requests != c.requests {
			t.Errorf("%s: %d rows by %d requests, %v; want %d requests", c.name, got.Rows, api.requests, err, c.requests)
		}
	}
}
