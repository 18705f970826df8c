package export

import (
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// atOnce is a warehouse of which only that is asked.
type atOnce struct {
	Warehouse
	commits bool
}

func (w atOnce) CommitsAtOnce(schema.Table) bool { return w.commits }

func TestWhereAnotherLanePays(t *testing.T) {
	known, unknown := sink.Counts{Unchanged: 990, Updated: 10}, sink.Counts{Inserted: 100, Unchanged: 900}
	for name, c := range map[string]struct {
		reading, committing time.Duration
		brought             sink.Counts
		atOnce              bool
		// how many lanes may be begun, and how many go on
		begun, goOn int
	}{
		"new rows, a quick API":                 {1, 1, unknown, true, 1, 3},
		"new rows, a quicker one":               {1, 2, unknown, true, 1, 1},
		"new rows, a slow API":                  {2, 1, unknown, true, 3, 3},
		"rows that are there":                   {1, 9, known, true, 2, 2},
		"rows that are there, a slower API":     {3, 1, known, true, 2, 3},
		"rows that are there, a slow API":       {4, 1, known, true, 3, 3},
		"rows that are there, one writer":       {1, 9, known, false, 1, 1},
		"rows that are there, two turns of one": {2, 1, known, false, 3, 3},
		"nothing yet":                           {1, 9, sink.Counts{}, true, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Exporter{Warehouse: atOnce{commits: c.atOnce}, Dataset: Dataset{Mapper: &schema.Mapper{}}}
			w := &work{passage: &passage{Exporter: e}}
			if w.pays(1, muchLonger) {
				t.Error("a second lane begins before anything was committed")
			}
			w.efforts.add(c.reading*time.Second, c.committing*time.Second, c.brought)
			for _, of := range []struct {
				what         string
				slower, want int
			}{{"may be begun", muchLonger, c.begun}, {"go on", longer, c.goOn}} {
				lanes := 1
				for lanes < 3 && w.pays(lanes, of.slower) {
					lanes++
				}
				if lanes != of.want {
					t.Errorf("%d lanes %s, want %d", lanes, of.what, of.want)
				}
			}
		})
	}
}

// However long little is read, it stays known what share of it was new.
func TestTheShareOfNewRowsLasts(t *testing.T) {
	var e efforts
	e.add(1, 1, sink.Counts{Inserted: 60, Unchanged: 940})
	for range 20 {
		e.add(1, 1, sink.Counts{})
	}
	if e.littleIsNew() {
		t.Error("6 of 100 rows are little")
	}
}
