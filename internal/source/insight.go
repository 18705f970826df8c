package source

import "encoding/json"

// isStat reports whether a first page is the whole of a STAT insight: one row that has the documented keys and no
// other. Such a row says what became of the time before as well, which is of no row of a list; so nothing follows it.
func isStat(q Query, rows []string) bool {
	if q.Insight == "" || len(rows) != 1 {
		return false
	}
	var row map[string]json.RawMessage
	if json.Unmarshal([]byte(rows[0]), &row) != nil {
		return false
	}
	for _, key := range []string{"value", "title", "previousValue"} {
		if _, has := row[key]; !has {
			return false
		}
	}
	return len(row) == 3
}
