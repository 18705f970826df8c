package export

import (
	"fmt"
	"hash/maphash"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
)

// A key that comes again on a later page is seen, whether the keys before it grew or not, also where rows were given back.
func TestOrderSeesAKeyAgain(t *testing.T) {
	row := func(key string) schema.Row { return schema.Row{Values: []schema.Value{schema.StrValue(key)}} }
	for name, test := range map[string]struct {
		pages [][]string
		again bool
	}{
		"growing":                          {[][]string{{"a", "b"}, {"c", "d"}, {"e", "f"}}, false},
		"any order":                        {[][]string{{"b", "a"}, {"d", "c"}, {"f", "e"}}, false},
		"growing, then the first one":      {[][]string{{"a", "b"}, {"c", "d"}, {"e", "a"}}, true},
		"growing, then one in the middle":  {[][]string{{"a", "b"}, {"c", "d"}, {"e", "b"}}, true},
		"falling, then the first one":      {[][]string{{"f", "e"}, {"d", "c"}, {"b", "f"}}, true},
		"twice in a row":                   {[][]string{{"a", "b"}, {"b", "c"}}, false},
		"twice in a page":                  {[][]string{{"a", "b", "a"}, {"c", "d"}}, false},
		"after a fall, one from before it": {[][]string{{"a", "c"}, {"b", "d"}, {"e", "c"}}, true},
	} {
		for _, back := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, back %t", name, back), func(t *testing.T) {
				o := &order{sorted: -1, key: []int{0}, seed: maphash.MakeSeed()}
				for _, page := range test.pages {
					o.turn()
					for _, key := range page {
						o.see(row(key))
					}
					if back { // a newer version of the last row
						o.back()
						o.see(row(page[len(page)-1]))
					}
				}
				if got := o.err() != nil; got != test.again {
					t.Errorf("disorder %t, want %t", got, test.again)
				}
			})
		}
	}
}

// Times may go back among those that the clocks show twice, and nowhere else.
func TestOrderOfClocksThatAreSetBack(t *testing.T) {
	const berlin, troll, lordHowe = "Europe/Berlin", "Antarctica/Troll", "Australia/Lord_Howe"
	for _, test := range []struct {
		zone     string
		from, to string // by the clocks of the zone
		fits     bool
	}{
		{berlin, "2024-10-27 02:59:59", "2024-10-27 02:00:00", true},
		{berlin, "2024-10-27 02:30:00", "2024-10-27 02:10:00", true},
		{berlin, "2024-10-27 03:00:00", "2024-10-27 02:30:00", false},
		{berlin, "2024-10-27 02:10:00", "2024-10-27 01:50:00", false},
		{berlin, "2024-10-27 12:30:00", "2024-10-27 12:10:00", false},
		{berlin, "2024-10-26 12:30:00", "2024-10-26 12:10:00", false},
		{berlin, "2024-03-31 03:30:00", "2024-03-31 03:10:00", false},
		{berlin, "2024-10-27 12:10:00", "2024-10-27 12:30:00", true},
		{troll, "2024-10-27 02:59:00", "2024-10-27 01:00:00", true},    // by two hours
		{lordHowe, "2024-04-07 01:59:00", "2024-04-07 01:30:00", true}, // by half an hour
		{lordHowe, "2024-04-07 01:59:00", "2024-04-07 01:29:00", false},
	} {
		for _, kind := range []schema.Type{schema.Timestamp, schema.Timestamptz} {
			t.Run(fmt.Sprint(kind, " ", test.zone, " ", test.from), func(t *testing.T) {
				location, err := time.LoadLocation(test.zone)
				if err != nil {
					t.Fatal(err)
				}
				o := &order{kind: kind, location: location}
				for _, text := range []string{test.from, test.to} {
					zone := time.UTC // as a wall clock is kept
					if kind == schema.Timestamptz {
						zone = location
					}
					at, err := time.ParseInLocation(time.DateTime, text, zone)
					if err != nil {
						t.Fatal(err)
					}
					o.turn()
					o.see(schema.Row{Values: []schema.Value{schema.TimeValue(at)}})
				}
				if fits := o.err() == nil; fits != test.fits {
					t.Errorf("from %s to %s: in order %t, want %t", test.from, test.to, fits, test.fits)
				}
			})
		}
	}
}
