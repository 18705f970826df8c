package export

import (
	"encoding/json"
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
)

// terms are what is heeded of the contract that the API was measured to keep: the largest page, which is asked for where
// more is configured, so that a page that the server caps is no short one; and the longest range, which bounds spans as a
// limit that was learned does. The zero terms heed nothing. They hold until they are measured again.
type terms struct {
	page int           // rows; 0: no bound
	span time.Duration // 0: no bound
}

func termsOf(c sink.Contract) (terms, error) {
	if c.Terms == "" {
		return terms{}, nil
	}
	var measured source.Contract
	if err := json.Unmarshal([]byte(c.Terms), &measured); err != nil {
		return terms{}, fmt.Errorf("read contract: %w", err)
	}
	return terms{page: measured.PageLimit(), span: measured.RangeLimit()}, nil
}

// pageSize is how many rows are asked for in a page.
func (t terms) pageSize(d Dataset) int {
	if t.page == 0 || d.Kind != sink.KindReport {
		return d.Query.PageSize
	}
	return min(d.Query.PageSize, t.page)
}
