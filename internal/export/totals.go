package export

import "sync"

// totals is what the lanes of a pass settled. It is the pass's alone once all of them have ended.
type totals struct {
	mu      sync.Mutex
	summary Summary
	// failures counts the spans that failed in a row: a source that fails them all is left in peace.
	failures int
}

// add adds what a commit was about.
func (t *totals) add(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.summary
	s.Windows += e.Windows
	s.RowsRead += e.Rows
	s.Requests += e.Requests
	s.Rejected += e.Rejected
	s.Replaced += e.Replaced
	s.Spent.Add(e.Spent)
	s.Counts = s.Counts.Plus(e.Counts)
}

// fail adds a span that was not read, or not stably.
func (t *totals) fail(e SpanError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.summary.Failed = append(t.summary.Failed, e)
}

// succeed counts a span that was read.
func (t *totals) succeed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = 0
	t.summary.Spans++
}

// failedAgain counts a span that failed, and is how many did in a row.
func (t *totals) failedAgain() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures++
	return t.failures
}
