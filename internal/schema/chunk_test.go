package schema_test

import (
	"fmt"
	"testing"

	"samespace-exporter/internal/schema"
)

// Rows in a chunk that held others are as they would be in one of their own, and those of another one stay as they are.
func TestChunkIsUsedAgain(t *testing.T) {
	mapper := compile(t, schema.Mapping{Table: "calls", Key: []string{"id"}, Fields: []schema.Field{
		{ID: "a", Name: "id", Type: schema.Text}, {ID: "b", Name: "at", Type: schema.Timestamptz},
		{ID: "c", Name: "ended", Type: schema.Timestamptz}, {ID: "d", Name: "agent", Type: schema.Text}, {ID: "e", Name: "n", Type: schema.Integer},
	}})
	text := func(n int) string {
		switch n % 3 {
		case 0:
			return fmt.Sprintf(`{"a":"k%d","b":"2024-05-06T07:08:%02dZ","c":"2024-05-06T07:08:%02dZ","d":"agent %d","e":%d}`, n, n%60, n%60, n%2, n)
		case 1: // some are missing, in another order, with spaces
			return fmt.Sprintf(`{ "e" : %d , "a" : "k%d" , "c" : null }`, n, n)
		default:
			return fmt.Sprintf(`{"a":"k%d","b":"2024-05-06T07:08:%02dZ","c":"2024-05-06T07:08:%02d+01:00","d":"","x":"y"}`, n, n%60, n%60)
		}
	}
	var used, other schema.Chunk
	const rows = 5000 // more than a block holds
	kept, err := mapper.MapInto(&other, text(0))
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		var mapped []schema.Row
		for n := range rows {
			row, err := mapper.MapInto(&used, text(n+round))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := mapper.MapInto(&used, `{"a":"k","e":"none"}`); err == nil { // a reject leaves nothing behind
				t.Fatal("a row that does not fit was mapped")
			}
			mapped = append(mapped, row)
		}
		for n, row := range mapped {
			want, err := mapper.Map(text(n + round))
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(row) != fmt.Sprint(want) {
				t.Fatalf("round %d: row %d is %v, want %v", round, n, row, want)
			}
		}
		used.Reset()
	}
	if want, _ := mapper.Map(text(0)); fmt.Sprint(kept) != fmt.Sprint(want) {
		t.Errorf("the row of another chunk is %v, want %v", kept, want)
	}
}
