package source

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"samespace-exporter/internal/window"
)

// A server whose replies are cut at a number of bytes, between rows: the later rows are longer.
func TestServerThatCapsPagesByBytes(t *testing.T) {
	var all []string
	for i := range 950 {
		n := 10
		if i >= 300 {
			n = 40
		}
		all = append(all, fmt.Sprintf(`{"k":"%06d","v":"%s"}`, i, strings.Repeat("x", n)))
	}
	for _, most := range []int{3200, 4000, 4600} {
		r, err := readAll(t.Context(), Query{PageSize: 100, Key: []string{"k"}}, func(_ context.Context, _ window.Window, skip, limit int) (Page, error) {
			var p Page
			size := 0
			for i := skip; i < len(all) && len(p.Rows) < limit; i++ {
				if size += len(all[i]); size > most {
					break
				}
				p.Rows = append(p.Rows, all[i])
			}
			return p, nil
		})
		if err != nil || len(r.Rows) != len(all) {
			t.Errorf("cap of %d bytes: %d rows of %d and no error (%v), in %d requests", most, len(r.Rows), len(all), err, r.Requests)
		}
	}
}
