package export

import (
	"fmt"
	"hash/maphash"
	"testing"

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
