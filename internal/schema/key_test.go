package schema_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
)

func TestKeyFromWhatPeopleWrite(t *testing.T) {
	kolkata := time.FixedZone("IST", 5*3600+1800)
	table := schema.Table{Name: "calls", Key: []string{"n", "id", "at", "amount"}, Columns: []schema.Column{
		{Name: "note", Type: schema.Text}, {Name: "id", Type: schema.Text}, {Name: "n", Type: schema.Integer}, {Name: "at", Type: schema.Timestamptz}, {Name: "amount", Type: schema.Numeric},
	}}
	row, err := table.KeyFrom([]string{"7", "a \"b\" \\ c", "2025-01-31T12:00:00", "1.50"}, kolkata)
	if err != nil {
		t.Fatal(err)
	}
	want := []schema.Value{{}, schema.StrValue(`a "b" \ c`), schema.IntValue(7), schema.TimeValue(time.Date(2025, 1, 31, 6, 30, 0, 0, time.UTC)), schema.StrValue("1.5")}
	for i, v := range row.Values {
		if v != want[i] {
			t.Errorf("column %s is %+v, want %+v", table.Columns[i].Name, v, want[i])
		}
	}
	for _, c := range []struct {
		values []string
		says   string
	}{
		{[]string{"1"}, "the key of calls is n, id, at, amount: give a value for each, in this order, not 1"},
		{[]string{"x", "a", "2025-01-31T12:00:00", "1"}, `"x" for n is not a`},
		{[]string{"1", "a", "yesterday", "1"}, `"yesterday" for at is not a`},
	} {
		_, err := table.KeyFrom(c.values, time.UTC)
		var wrong *schema.KeyError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %q", c.values, err, c.says)
		}
	}
	if _, err := (schema.Table{Name: "sums"}).KeyFrom([]string{"1"}, time.UTC); err == nil || err.Error() != "the rows of sums have no key that tells one from another" {
		t.Errorf("without a key: %v", err)
	}
}
