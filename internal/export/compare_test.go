package export

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Of many rows without a key that differ, those that are told as examples are the same ones each time.
func TestExamplesWithoutAKeyAreTheSameEachTime(t *testing.T) {
	mapper, err := schema.Compile(schema.Mapping{
		Table: "sums", TimeField: "at",
		Fields: []schema.Field{{ID: "at", Name: "at", Type: schema.Timestamptz}, {ID: "n", Name: "n", Type: schema.Integer}},
	})
	if err != nil {
		t.Fatal(err)
	}
	hour := window.Window{Start: time.Date(2024, 5, 6, 18, 0, 0, 0, time.UTC), End: time.Date(2024, 5, 6, 19, 0, 0, 0, time.UTC)}
	part := sink.Batch{Range: hour}
	for n := range 50 {
		row, err := mapper.Map(fmt.Sprintf(`{"at":"%s","n":%d}`, hour.Start.Add(time.Duration(n)*time.Minute).Format(time.RFC3339), n))
		if err != nil {
			t.Fatal(err)
		}
		part.Rows = append(part.Rows, sink.Row{Row: row})
	}
	examples := func() []Example {
		c := newComparison(&Exporter{Dataset: Dataset{Mapper: mapper}}, []sink.Entry{{Window: hour}})
		c.compareContent(&part, nil)
		return c.differing[hour.Start.UnixMicro()].Examples
	}
	first := examples()
	if len(first) != maxExamples {
		t.Fatalf("%d examples, want %d", len(first), maxExamples)
	}
	for range 20 {
		if again := examples(); !reflect.DeepEqual(first, again) {
			t.Fatalf("%v, then %v", first, again)
		}
	}
}
