package schema_test

import (
	"errors"
	"fmt"
	"testing"
	"unsafe"

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

// Neither a row in a chunk nor an error has anything of the text that it was made of, which becomes other rows' memory.
func TestChunkKeepsNothingOfTheText(t *testing.T) {
	mapping := schema.Mapping{Table: "calls", Key: []string{"id"}, Fields: []schema.Field{
		{ID: "a", Name: "id", Type: schema.Text}, {ID: "b", Name: "at", Type: schema.Timestamptz}, {ID: "c", Name: "n", Type: schema.Numeric},
		{ID: "d", Name: "doc", Type: schema.JSON}, {ID: "e", Name: "agent", Type: schema.Text, Transform: schema.Trim},
	}, Drop: []string{"dropped"}}
	texts := []string{
		`{"a":"k1","b":"2024-05-06T07:08:09Z","c":1.25,"d":{"x":"y"},"e":" agent ","other":{"z":["w"]},"dropped":1}`,
		`{"a":"k1","c":[1],"d":{}}`, // of a column
		`{"a":"k1","other":1e5000}`, // of an id that has none
		`{"a":"k1","b":null,"b":null}`,
		`{"a":"k1","dropped":1,"dropped":2}`,
		`{"a":"k1","other":1,"other":2}`,
		`{"a":"k1","o` + "\xff" + `":1}`,
		`{"c":1}`,
		`["a"]`,
		`{"a":`,
	}
	for _, unmapped := range []schema.Unmapped{schema.Keep, schema.Fail} {
		mapping.Unmapped = unmapped
		mapper := compile(t, mapping)
		for _, text := range texts {
			want, failed := mapper.Map(text)
			var chunk schema.Chunk
			lent := []byte(text)
			row, err := mapper.MapInto(&chunk, unsafe.String(unsafe.SliceData(lent), len(lent)))
			for i := range lent {
				lent[i] = '!'
			}
			if fmt.Sprintf("%v", row) != fmt.Sprintf("%v", want) || fmt.Sprintf("%+v", err) != fmt.Sprintf("%+v", failed) {
				t.Errorf("%s: %v, error %+v; want %v, error %+v", text, row, err, want, failed)
			}
			var reject, wanted *schema.RejectError
			if errors.As(err, &reject) && errors.As(failed, &wanted) && *reject != *wanted {
				t.Errorf("%s: error %+v, want %+v", text, *reject, *wanted)
			}
		}
	}
}
