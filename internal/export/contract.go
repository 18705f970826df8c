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
func (e *Exporter) pageSize() int {
	e.lasting.limits.mu.Lock()
	defer e.lasting.limits.mu.Unlock()
	return e.lasting.limits.contract.pageSize(e.Dataset)
}

func (t terms) pageSize(d Dataset) int {
	if t.page == 0 || d.Kind != sink.KindReport {
		return d.Query.PageSize
	}
	return min(d.Query.PageSize, t.page)
}

// Heeded is a limit that shapes what is asked of the API.
type Heeded struct {
	// Limit is "skip" (rows that a page may lie behind), "range" (seconds of a request) or "page" (rows).
	Limit string `json:"limit"`
	Most  int64  `json:"most"`
	// From says where it is from: "learned" from what was refused, or "measured" by check --contract.
	From  string     `json:"from"`
	At    *time.Time `json:"measured_at,omitempty"`
	Until *time.Time `json:"until,omitempty"` // then a learned one is tried again
}

// Heeding is the dataset as a pass reads it, with smaller pages and spans where the API is known to take no larger ones, and
// the limits that made a difference.
func (d Dataset) Heeding(c sink.Condition, now time.Time) (Dataset, []Heeded) {
	heeded := []Heeded{}
	measured, err := termsOf(c.Contract)
	if err != nil {
		measured = terms{} // a pass says so
	}
	if page := measured.pageSize(d); page < d.Query.PageSize {
		d.Query.PageSize = page
		heeded = append(heeded, Heeded{Limit: "page", Most: int64(page), From: "measured", At: &c.MeasuredAt})
	}
	if d.whole() { // it is asked for as it is, whatever is known
		return d, heeded
	}
	b := bounds{rows: d.MaxRows, span: d.MaxSpan}
	lead := max(lead, d.Overlap)
	if c.Skip.Holds(now) && int(c.Skip.Works) < b.rows {
		b.rows = int(c.Skip.Works)
		heeded = append(heeded, Heeded{Limit: "skip", Most: c.Skip.Works, From: "learned", Until: &c.Skip.Until})
	}
	if learned := (bounds{span: max(time.Duration(c.Range.Works)*time.Second, shortest)}); c.Range.Holds(now) && learned.stretch(lead) < b.span {
		b.span = learned.stretch(lead)
		heeded = append(heeded, Heeded{Limit: "range", Most: c.Range.Works, From: "learned", Until: &c.Range.Until})
	}
	if kept := (bounds{span: measured.span}); kept.span > 0 && kept.stretch(lead) < b.span {
		b.span = kept.stretch(lead)
		heeded = append(heeded, Heeded{Limit: "range", Most: int64(kept.span / time.Second), From: "measured", At: &c.MeasuredAt})
	}
	d.MaxRows, d.MaxSpan = b.rows, b.span
	return d, heeded
}
