package sinktest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"samespace-exporter/internal/sink"
)

func retryTests() []exercise {
	return []exercise{
		{"pages of the quarantine", testRejectPages},
		{"writes what fits and keeps what does not", testRetry},
		{"does not write over a newer version", testRetryNewer},
		{"writes over an older version", testRetryOlder},
		{"does not bring back what is gone since", testRetryGone},
		{"clears the mark of a row, also where nothing is marked any more", testRetryUnmarks},
		{"of two versions the later one counts", testRetryVersions},
		{"leaves what was forgotten meanwhile", testRetryForgotten},
		{"by an older config", testRetrySuperseded},
		{"beside a lease", testRetryBesideLease},
		{"before migrate", testRejectsNotMigrated},
	}
}

// quarantined are all rejects of the dataset calls.
func (b bench) quarantined() []sink.Quarantined {
	b.t.Helper()
	all, err := b.Rejects(b.t.Context(), sink.RejectsRequest{Dataset: calls, Limit: 1000})
	b.noError(err)
	return all
}

// refit is a reject's row as it fits now.
func refit(raw string, row sink.Row) sink.Refit {
	return sink.Refit{Fingerprint: sink.Fingerprint(raw), Row: row}
}

func (b bench) retry(fits []sink.Refit, misfits ...sink.Misfit) sink.Retried {
	b.t.Helper()
	done, err := b.RetryRejects(b.t.Context(), sink.Retry{
		Dataset: calls, ConfigHash: "c1", Table: callsTable(), Fits: fits, Misfits: misfits, Now: clock(12, 0),
	})
	b.noError(err)
	return done
}

// callsAre is the table in a line.
func (b bench) callsAre() string {
	b.t.Helper()
	return b.column(`SELECT call_id || ':' || seconds FROM ` + b.Table(calls) + ` ORDER BY call_id`)
}

func testRejectPages(b bench) {
	b.planned(0, 3)
	b.quarantine(0, 1, reject(0, `"a"`, "x"))
	b.quarantine(1, 2, reject(1, `{"b": 1.50}`, "y"), reject(1, `"c"`, "x"))
	b.quarantine(2, 3, reject(2, `"d"`, "x"))
	var pages []string
	var seen []sink.Quarantined
	for request := (sink.RejectsRequest{Dataset: calls, Limit: 3}); ; request.Behind = &seen[len(seen)-1] {
		page, err := b.Rejects(b.t.Context(), request)
		b.noError(err)
		if len(page) == 0 {
			break
		}
		seen = append(seen, page...)
		pages = append(pages, fmt.Sprint(len(page)))
	}
	equal(b, "pages", strings.Join(pages, " "), "3 1")
	equal(b, "first", seen[0].Raw, `"d"`)
	equal(b, "last", seen[3].Raw, `"a"`)
	for _, q := range seen {
		if q.Raw != `{"b": 1.50}` {
			continue
		}
		equal(b, "bounds", q.WindowStart.String()+q.WindowEnd.String(), clock(1, 0).String()+clock(2, 0).String())
		equal(b, "field and reason", q.Field+" "+q.Reason, "seconds y")
		equal(b, "attempts", q.Attempts, 1)
		equal(b, "exact", q.Exact(), true)
		equal(b, "seen", q.LastSeen.IsZero() || !q.LastSeen.Equal(q.FirstSeen), false)
	}
	others, err := b.Rejects(b.t.Context(), sink.RejectsRequest{Dataset: "other", Limit: 3})
	b.noError(err)
	equal(b, "rejects of another dataset", len(others), 0)
}

func testRetry(b bench) {
	b.planned(0, 2)
	b.quarantine(0, 2, reject(0, `"a"`, "x"), reject(0, `"b"`, "x"), reject(1, `"c"`, "x"))
	before := b.quarantined()
	ledger := fmt.Sprint(b.ledger())
	done := b.retry(
		[]sink.Refit{refit(`"a"`, call("a", clock(0, 10), "Ann", 1)), refit(`"c"`, call("c", clock(1, 10), "Cid", 3))},
		sink.Misfit{Fingerprint: sink.Fingerprint(`"b"`), Field: "agent", Reason: "too long"})
	equal(b, "done", done, sink.Retried{Counts: sink.Counts{Inserted: 2}, Left: 1})
	equal(b, "rows", b.callsAre(), "a:1 c:3")
	left := b.quarantined()
	if len(left) != 1 {
		b.t.Fatalf("rejects: %+v, want one", left)
	}
	equal(b, "reject", left[0].Raw+left[0].Field+left[0].Reason, `"b"agenttoo long`)
	equal(b, "attempts", left[0].Attempts, 2)
	equal(b, "last seen", left[0].LastSeen, before[0].LastSeen)
	equal(b, "ledger", fmt.Sprint(b.ledger()), ledger)
	equal(b, "again", b.retry([]sink.Refit{refit(`"a"`, call("a", clock(0, 10), "Ann", 9))}), sink.Retried{Gone: 1})
	equal(b, "rows", b.callsAre(), "a:1 c:3")
}

// A part of the window was read again, and brought another version of the row.
func testRetryNewer(b bench) {
	b.planned(0, 2)
	b.quarantine(0, 1, reject(0, `"a"`, "x"))
	batch := read(b.claim(within(hours(0, 1))), clock(9, 0), clock(11, 0), call("a", clock(0, 50), "Ann", 2))
	batch.Range.Start = clock(0, 30)
	b.commit(batch)
	equal(b, "done", b.retry([]sink.Refit{refit(`"a"`, call("a", clock(0, 10), "Ann", 1))}), sink.Retried{Outdated: 1})
	equal(b, "rows", b.callsAre(), "a:2")
	equal(b, "rejects", len(b.quarantined()), 0)
	entry := b.entry(0)
	equal(b, "state", entry.State, sink.StateDue)
	equal(b, "next read", entry.NextReadAt, clock(12, 0))
	equal(b, "read to", entry.ReadTo, clock(1, 0))
	equal(b, "next read of the neighbour", b.entry(1).NextReadAt, clock(0, 0))
}

func testRetryOlder(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 10), "Ann", 1), call("b", clock(0, 20), "Bob", 2))
	b.quarantine(0, 1, reject(0, `"a2"`, "x"))
	ledger := fmt.Sprint(b.ledger())
	equal(b, "done", b.retry([]sink.Refit{refit(`"a2"`, call("a", clock(0, 10), "Ann", 5))}), sink.Retried{Counts: sink.Counts{Updated: 1}})
	equal(b, "rows", b.callsAre(), "a:5 b:2")
	equal(b, "ledger", fmt.Sprint(b.ledger()), ledger)
}

// The row was found gone from the source after it was rejected.
func testRetryGone(b bench) {
	d := callsDataset()
	d.Table.MarksDeleted = true
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	b.store(call("a", clock(0, 10), "Ann", 1))
	b.quarantine(0, 1, reject(0, `"a2"`, "x"))
	b.query(`UPDATE ` + b.Table(calls) + ` SET _deleted_at = '2999-01-01T00:00:00.000000Z', _exported_at = '2999-01-01T00:00:00.000000Z'`)
	done, err := b.RetryRejects(b.t.Context(), sink.Retry{
		Dataset: calls, ConfigHash: "c1", Table: d.Table, Fits: []sink.Refit{refit(`"a2"`, call("a", clock(0, 10), "Ann", 5))}, Now: clock(12, 0),
	})
	b.noError(err)
	equal(b, "done", done, sink.Retried{Outdated: 1})
	equal(b, "rows that are marked", b.cell(`SELECT count(_deleted_at) FROM `+b.Table(calls)), "1")
	equal(b, "next read", b.entry(0).NextReadAt, clock(12, 0))
}

func testRetryUnmarks(b bench) {
	b.prepare(markedDataset())
	d := keptDataset()
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	row := call("a", clock(0, 10), "Ann", 1)
	b.store(row)
	b.query(`UPDATE ` + b.Table(calls) + ` SET _deleted_at = '2026-03-02T00:00:00.000000Z'`)
	b.quarantine(0, 1, reject(0, `"a2"`, "x"))
	done, err := b.RetryRejects(b.t.Context(), sink.Retry{
		Dataset: calls, ConfigHash: d.ConfigHash, Table: d.Table, Fits: []sink.Refit{refit(`"a2"`, row)}, Now: clock(12, 0),
	})
	b.noError(err)
	equal(b, "done", done, sink.Retried{Counts: sink.Counts{Updated: 1}})
	equal(b, "marked", b.marked(), "")
}

func testRetryVersions(b bench) {
	for _, together := range []bool{true, false} {
		b.t.Run(fmt.Sprintf("together %t", together), func(t *testing.T) {
			b.t = t
			b.query(`DELETE FROM ` + b.Own("windows"))
			b.planned(0, 2)
			b.query(`DELETE FROM ` + b.Table(calls))
			b.quarantine(0, 1, reject(0, `"a1"`, "x"))
			b.quarantine(1, 2, reject(1, `"a2"`, "x"))
			older, newer := refit(`"a1"`, call("a", clock(0, 10), "Ann", 1)), refit(`"a2"`, call("a", clock(1, 10), "Ann", 2))
			if together {
				equal(b, "done", b.retry([]sink.Refit{newer, older}), sink.Retried{Counts: sink.Counts{Inserted: 1, Duplicate: 1}})
			} else { // as pages come: those seen last first
				equal(b, "newer", b.retry([]sink.Refit{newer}), sink.Retried{Counts: sink.Counts{Inserted: 1}})
				equal(b, "older", b.retry([]sink.Refit{older}), sink.Retried{Outdated: 1})
			}
			equal(b, "rows", b.callsAre(), "a:2")
			equal(b, "rejects", len(b.quarantined()), 0)
		})
	}
}

// Between the reading of a reject and its retry its window was read again, without it.
func testRetryForgotten(b bench) {
	b.planned(0, 1)
	b.quarantine(0, 1, reject(0, `"a"`, "x"), reject(0, `"b"`, "x"))
	b.quarantine(0, 1)
	done := b.retry([]sink.Refit{refit(`"a"`, call("a", clock(0, 10), "Ann", 1))}, sink.Misfit{Fingerprint: sink.Fingerprint(`"b"`)})
	equal(b, "done", done, sink.Retried{Gone: 2})
	equal(b, "rows", b.callsAre(), "")
}

func testRetrySuperseded(b bench) {
	b.planned(0, 1)
	b.quarantine(0, 1, reject(0, `"a"`, "x"))
	newer := callsDataset()
	newer.ConfigHash = "c2"
	b.prepare(newer)
	_, err := b.RetryRejects(b.t.Context(), sink.Retry{
		Dataset: calls, ConfigHash: "c1", Table: callsTable(), Fits: []sink.Refit{refit(`"a"`, call("a", clock(0, 10), "Ann", 1))},
	})
	if !errors.Is(err, sink.ErrSuperseded) {
		b.t.Errorf("retried by an older config: %v", err)
	}
	equal(b, "rows", b.callsAre(), "")
	equal(b, "rejects", len(b.quarantined()), 1)
}

func testRetryBesideLease(b bench) {
	b.planned(0, 2)
	b.quarantine(0, 1, reject(0, `"a"`, "x"))
	lease := b.claim(within(hours(0, 2)))
	b.retry([]sink.Refit{refit(`"a"`, call("a", clock(0, 10), "Ann", 1))})
	counts := b.commit(read(lease, clock(9, 0), clock(9, 0), call("a", clock(0, 10), "Ann", 1), call("b", clock(1, 10), "Bob", 2)))
	equal(b, "counts", counts, sink.Counts{Inserted: 1, Unchanged: 1})
}

func testRejectsNotMigrated(b bench) {
	w, _ := b.Unmigrated()
	if _, err := w.Rejects(b.t.Context(), sink.RejectsRequest{Dataset: calls, Limit: 1}); !errors.Is(err, sink.ErrNotMigrated) {
		b.t.Errorf("rejects before migrate: %v", err)
	}
}
