package sinktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func commitTests() []exercise {
	return []exercise{
		{"inserts, updates and leaves unchanged", testCommitCounts},
		{"unchanged rows are not written", testCommitUnchanged},
		{"the last of the duplicates counts", testCommitDuplicates},
		{"composite keys", testCommitCompositeKey},
		{"extra values and the window", testCommitOwnColumns},
		{"the same row in another window", testCommitOtherWindow},
		{"a deleted row that is back", testCommitUndeleted},
		{"many rows", testCommitMany},
		{"a version that was written meanwhile stays", testCommitOvertaken},
		{"but not one of the same lane", testCommitOvertakenBySelf},
		{"nor one of a clock that was ahead", testCommitOvertakenByAClock},
		{"without a key", testCommitKeyless},
		{"all or nothing when a row is refused", testCommitPoisoned},
		{"all or nothing when it is cancelled", testCommitCancelled},
		{"all or nothing whenever its context ends", testCommitEnding},
		{"into a table that was altered", testCommitUnprepared},
		{"no rows", testCommitNoRows},
		{"again with the same lease", testCommitAgain},
		{"counts into the run", testCommitRun},
	}
}

// agents is the table calls in a line: id=agent/seconds.
func (b bench) agents() string {
	b.t.Helper()
	return b.column(`SELECT call_id || '=' || agent || '/' || seconds FROM ` + b.Table(calls) + ` ORDER BY call_id`)
}

func (b bench) exportedAt() string {
	b.t.Helper()
	return b.column(`SELECT _exported_at FROM ` + b.Table(calls) + ` ORDER BY call_id`)
}

func testCommitOvertaken(b bench) {
	b.planned(0, 3)
	b.store(call("a", clock(0, 1), "Asha", 1), call("b", clock(0, 2), "Ben", 2))
	first, second := b.claim(within(hours(1, 2))), b.claim(within(hours(2, 3)))
	moved := read(second, clock(3, 0), clock(3, 0), call("a", clock(2, 1), "moved", 9))
	equal(b, "what was written before", b.commit(moved), sink.Counts{Updated: 1})

	stale := read(first, clock(3, 0), clock(3, 0),
		call("a", clock(0, 1), "Asha", 7), call("b", clock(0, 2), "Ben", 3), call("c", clock(1, 1), "Cleo", 3))
	overtaken := b.overtaken(stale)
	equal(b, "nothing is written", b.agents(), "a=moved/9 b=Ben/2")
	equal(b, "nor settled", b.entry(1).State, sink.StateRunning)

	stale.Rows[0] = call("a", clock(2, 1), "moved", 9)
	equal(b, "the same version is none that overtakes", b.commit(stale), sink.Counts{Inserted: 1, Updated: 1, Unchanged: 1})

	l := b.claim(within(hours(1, 2)))
	if at := b.instant(b.cell(`SELECT _exported_at FROM ` + b.Table(calls) + ` WHERE call_id = 'a'`)); !overtaken.Equal(at) || !l.ClaimedAt.After(at) {
		b.t.Errorf("overtaken by what was written at %s, which is %s, and before %s", overtaken, at, l.ClaimedAt)
	}
	again := read(l, clock(4, 0), clock(4, 0), call("a", clock(1, 1), "back", 1))
	equal(b, "nor is one of before the claim", b.commit(again), sink.Counts{Updated: 1})
	equal(b, "rows", b.agents(), "a=back/1 b=Ben/3 c=Cleo/3")
}

// overtaken fails to commit, and says when what is in the way was written.
func (b bench) overtaken(batch sink.Batch) time.Time {
	b.t.Helper()
	_, err := b.Commit(b.t.Context(), batch)
	var overtaken *sink.OvertakenError
	if !errors.As(err, &overtaken) {
		b.t.Fatalf("got %v, want that it is overtaken", err)
	}
	return overtaken.At
}

func testCommitOvertakenBySelf(b bench) {
	b.planned(0, 3)
	lane := &sink.Lane{}
	first, second := b.claim(within(hours(1, 2))), b.claim(within(hours(2, 3)))
	one := read(first, clock(3, 0), clock(3, 0), call("a", clock(1, 59), "Asha", 1))
	one.Lane = lane
	b.commit(one)
	two := read(second, clock(3, 0), clock(3, 0), call("a", clock(1, 59), "Asha", 2))
	b.overtaken(two)
	two.Lane = &sink.Lane{}
	b.overtaken(two)
	two.Lane = lane
	equal(b, "of the same lane", b.commit(two), sink.Counts{Updated: 1})
	equal(b, "rows", b.agents(), "a=Asha/2")
}

func testCommitOvertakenByAClock(b bench) {
	b.planned(0, 2)
	b.store(call("a", clock(0, 1), "Asha", 1))
	l := b.claim(within(hours(1, 2)))
	b.query(`UPDATE ` + b.Table(calls) + ` SET _exported_at = '9000-01-01T00:00:00.000000Z'`)
	equal(b, "far ahead", b.commit(read(l, clock(2, 0), clock(2, 0), call("a", clock(1, 1), "Asha", 2))), sink.Counts{Updated: 1})

	soon := time.Now().Add(time.Minute).UTC().Truncate(time.Microsecond)
	b.query(`UPDATE ` + b.Table(calls) + ` SET _exported_at = '` + soon.Format("2006-01-02T15:04:05.000000Z") + `'`)
	l = b.claim(within(hours(1, 2)))
	equal(b, "a little ahead", b.overtaken(read(l, clock(3, 0), clock(3, 0), call("a", clock(1, 1), "Asha", 3))), soon)
	l.ClaimedAt = soon
	equal(b, "once it was seen", b.commit(read(l, clock(3, 0), clock(3, 0), call("a", clock(1, 1), "Asha", 3))), sink.Counts{Updated: 1})
}

func testCommitCounts(b bench) {
	b.planned(0, 1)
	at := clock(0, 5)
	equal(b, "fresh", b.store(call("b", at, "Asha", 1), call("a", at, "Bala", 2)), sink.Counts{Inserted: 2})
	equal(b, "mixed",
		b.store(call("c", at, "Devi", 3), call("a", at, "Bala", 2), call("b", at, "Asha", 9)),
		sink.Counts{Inserted: 1, Updated: 1, Unchanged: 1})
	equal(b, "rows", b.agents(), "a=Bala/2 b=Asha/9 c=Devi/3")
	equal(b, "fewer rows delete none", b.store(call("c", at, "Devi", 3)), sink.Counts{Unchanged: 1})
	equal(b, "rows", b.agents(), "a=Bala/2 b=Asha/9 c=Devi/3")
}

func testCommitUnchanged(b bench) {
	b.planned(0, 1)
	rows := []sink.Row{call("a", clock(0, 1), "Asha", 1), call("b", clock(0, 2), "Bala", 2)}
	before := time.Now().Add(-time.Minute)
	b.store(rows...)
	written := b.exportedAt()
	if first := b.cell(`SELECT min(_exported_at) FROM ` + b.Table(calls)); b.instant(first).Before(before) {
		b.t.Errorf("written at %s, want now", first)
	}
	b.store(rows...)
	equal(b, "written at", b.exportedAt(), written)
	rows[1] = call("b", clock(0, 2), "Bala", 3)
	b.store(rows...)
	first := `SELECT _exported_at FROM ` + b.Table(calls) + ` WHERE call_id = 'a'`
	if !strings.HasPrefix(written, b.cell(first)) {
		b.t.Error("a row that is unchanged was written")
	}
	if written == b.exportedAt() {
		b.t.Error("a row that changed has the old time of writing")
	}
}

func testCommitDuplicates(b bench) {
	b.planned(0, 1)
	at := clock(0, 5)
	equal(b, "fresh",
		b.store(call("a", at, "Asha", 1), call("b", at, "Bala", 2), call("a", at, "Asha", 3), call("a", at, "Asha", 2)),
		sink.Counts{Inserted: 2, Duplicate: 2})
	equal(b, "rows", b.agents(), "a=Asha/2 b=Bala/2")
	equal(b, "unchanged in the end",
		b.store(call("a", at, "Asha", 7), call("a", at, "Asha", 2)),
		sink.Counts{Unchanged: 1, Duplicate: 1})
}

func testCommitCompositeKey(b bench) {
	d := callsDataset()
	d.Table = schema.Table{
		Name: calls, Key: []string{"part", "day", "amount"},
		Columns: []schema.Column{
			{Name: "note", Type: schema.Text, ID: "n"}, {Name: "day", Type: schema.Date, ID: "d"},
			{Name: "part", Type: schema.Integer, ID: "p"}, {Name: "amount", Type: schema.Numeric, ID: "a"},
		},
	}
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	row := func(part int64, day int, amount, note string) sink.Row {
		return sink.Row{WindowStart: clock(0, 0), Row: schema.Row{Values: []schema.Value{
			schema.StrValue(note), schema.TimeValue(clock(24*day, 0)), schema.IntValue(part), schema.StrValue(amount),
		}}}
	}
	store := func(rows ...sink.Row) sink.Counts {
		batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0), rows...)
		batch.Table = d.Table
		return b.commit(batch)
	}
	const long = "12345678901234567890.5"
	equal(b, "fresh", store(row(10, 0, "1.5", "a"), row(9, 0, "1.5", "b"), row(9, 1, "1.5", "c"), row(9, 1, long, "d"),
		row(9, 1, "-2", "e"), row(9, 1, long, "f")), sink.Counts{Inserted: 5, Duplicate: 1})
	equal(b, "again", store(row(10, 0, "1.5", "a"), row(9, 1, long, "g"), row(9, 0, "1.5", "b"), row(9, 1, "10", "h")),
		sink.Counts{Inserted: 1, Updated: 1, Unchanged: 2})
	equal(b, "notes", b.column(`SELECT note FROM `+b.Table(calls)+` ORDER BY note`), "a b c e g h")
}

func testCommitOwnColumns(b bench) {
	b.planned(0, 2)
	row := call("a", clock(0, 5), "Asha", 1)
	row.Extra = schema.StrValue(`{"5eaf":"x"}`)
	b.store(row)
	own := func() []string {
		return b.query(`SELECT _window_start, _extra FROM ` + b.Table(calls))[0]
	}
	equal(b, "window", b.instant(own()[0]), clock(0, 0))
	equal(b, "extra", strings.ReplaceAll(own()[1], " ", ""), `{"5eaf":"x"}`)
	equal(b, "again", b.store(row), sink.Counts{Unchanged: 1})
	row.Extra = schema.Value{}
	equal(b, "without extra values", b.store(row), sink.Counts{Updated: 1})
	equal(b, "extra", own()[1], "NULL")
	row.WindowStart = clock(1, 0)
	equal(b, "in another window", b.store(row), sink.Counts{Unchanged: 1})
	equal(b, "window", b.instant(own()[0]), clock(0, 0))
}

// A row without a time is in the window of the span that it was read in: to read it again in another one is no change.
func testCommitOtherWindow(b bench) {
	d := callsDataset()
	d.Table.MarksDeleted = true
	b.prepare(d)
	b.plan(hours(0, 2), clock(0, 0))
	table := b.Table(calls)
	timeless := call("a", clock(0, 5), "Asha", 1)
	timeless.Values[d.Table.ColumnIndex("started_at")] = schema.Value{}
	rows := []sink.Row{timeless, call("b", clock(0, 5), "Bala", 1)}
	store := func(hour int) sink.Counts {
		for i := range rows {
			rows[i].WindowStart = clock(hour, 0)
		}
		batch := read(b.claim(anything(2)), clock(2, 0), clock(2, 0), rows...)
		batch.Table = d.Table
		return b.commit(batch)
	}
	windows := func(want ...time.Time) {
		b.t.Helper()
		for i, cells := range b.query(`SELECT _window_start FROM ` + table + ` ORDER BY call_id`) {
			equal(b, "window", b.instant(cells[0]), want[i])
		}
	}
	store(0)
	equal(b, "in another window", store(1), sink.Counts{Unchanged: 2})
	windows(clock(0, 0), clock(0, 0))
	rows[1] = call("b", clock(0, 5), "Bala", 2)
	equal(b, "one has changed", store(1), sink.Counts{Updated: 1, Unchanged: 1})
	windows(clock(0, 0), clock(1, 0))
	b.query(`UPDATE ` + table + ` SET _deleted_at = '2026-03-02T00:00:00.000000Z' WHERE call_id = 'a'`)
	equal(b, "one is back", store(1), sink.Counts{Updated: 1, Unchanged: 1})
	windows(clock(1, 0), clock(1, 0))
}

func testCommitUndeleted(b bench) {
	d := callsDataset()
	d.Table.MarksDeleted = true
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	store := func() sink.Counts {
		batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0), call("a", clock(0, 5), "Asha", 1))
		batch.Table = d.Table
		return b.commit(batch)
	}
	store()
	equal(b, "unchanged", store(), sink.Counts{Unchanged: 1})
	b.query(`UPDATE ` + b.Table(calls) + ` SET _deleted_at = '2026-03-02T00:00:00.000000Z'`)
	equal(b, "back", store(), sink.Counts{Updated: 1})
	equal(b, "mark", b.cell(`SELECT _deleted_at FROM `+b.Table(calls)), "NULL")
}

func testCommitMany(b bench) {
	b.planned(0, 1)
	rows := make([]sink.Row, 2345)
	for i := range rows {
		rows[i] = call(fmt.Sprintf("%05d", (i*7919)%len(rows)), clock(0, i%60), "Asha", int64(i))
	}
	equal(b, "some", b.store(rows[:1000]...), sink.Counts{Inserted: 1000})
	for i := range 100 {
		rows[i*10] = call(rows[i*10].Values[0].Str(), clock(0, 0), "Bala", -1)
	}
	equal(b, "all", b.store(rows...), sink.Counts{Inserted: 1345, Updated: 100, Unchanged: 900})
	equal(b, "rows", b.cell(`SELECT count(*) FROM `+b.Table(calls)), "2345")
}

func testCommitKeyless(b bench) {
	d := callsDataset()
	d.Table.Key = nil
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	for range 2 {
		batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0),
			call("a", clock(0, 1), "Asha", 1), call("a", clock(0, 1), "Asha", 1))
		batch.Table = d.Table
		equal(b, "counts", b.commit(batch), sink.Counts{Inserted: 2})
	}
	equal(b, "rows", b.agents(), "a=Asha/1 a=Asha/1 a=Asha/1 a=Asha/1")
}

// mixed is a batch that would insert, update, reject and settle.
func (b bench) mixed(l sink.Lease) sink.Batch {
	batch := read(l, clock(2, 0), clock(9, 0), call("a", clock(0, 1), "Bala", 2), call("b", clock(0, 1), "Asha", 1))
	batch.Rejects = []sink.Reject{{WindowStart: clock(0, 0), WindowEnd: clock(1, 0), Raw: `{"x":1}`, Reason: "bad"}}
	return batch
}

func testCommitPoisoned(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 1), "Asha", 1))
	batch := b.mixed(b.claim(anything(1)))
	poison := call("", clock(0, 1), "Asha", 1)
	poison.Values[0] = schema.Value{} // no key
	batch.Rows = append(batch.Rows, poison)
	before := b.everything()
	if _, err := b.Commit(b.t.Context(), batch); err == nil {
		b.t.Error("a row without a key was taken")
	}
	equal(b, "what the warehouse holds", b.everything(), before)
	equal(b, "without the poison", b.commit(b.mixed(batch.Lease)), sink.Counts{Inserted: 1, Updated: 1})
}

// What preparing again mends is told from what it does not.
func testCommitUnprepared(b bench) {
	b.planned(0, 1)
	batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0), call("a", clock(0, 1), "Asha", 1))
	for _, altered := range []string{
		`ALTER TABLE ` + b.Table(calls) + ` DROP COLUMN agent`,
		`DROP TABLE ` + b.Table(calls),
	} {
		b.query(altered)
		_, err := b.Commit(b.t.Context(), batch)
		var unprepared *sink.UnpreparedError
		if !errors.As(err, &unprepared) {
			b.t.Errorf("%s: got %v, want that the table is to be prepared again", altered, err)
		}
		b.prepare(callsDataset())
	}
	batch.Lease = b.claim(anything(1))
	equal(b, "prepared again", b.commit(batch), sink.Counts{Inserted: 1})
}

func testCommitCancelled(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 1), "Asha", 1))
	batch := b.mixed(b.claim(anything(1)))
	before := b.everything()
	if _, err := b.Commit(cancelled(b.t), batch); err == nil {
		b.t.Error("committed under a context that has ended")
	}
	equal(b, "what the warehouse holds", b.everything(), before)
	equal(b, "later", b.commit(batch), sink.Counts{Inserted: 1, Updated: 1})
}

// However often its context is looked at before that ends, a commit writes nothing, or all: its answer may be lost.
func testCommitEnding(b bench) {
	b.planned(0, 1)
	batch := read(b.claim(anything(1)), clock(1, 0), clock(9, 0))
	for i := range 200 {
		batch.Rows = append(batch.Rows, call(fmt.Sprintf("%03d", i), clock(0, 1), "Asha", int64(i)))
	}
	before := b.everything()
	failed := 0
	for b.everything() == before {
		failed++
		if _, err := b.Commit(endingAfter(b.t.Context(), failed), batch); err == nil {
			break
		}
	}
	b.t.Log(failed, "commits")
	equal(b, "again", b.commit(batch), sink.Counts{Unchanged: 200})
}

// endingAfter is a context that ends when it was looked at so often.
func endingAfter(parent context.Context, looks int) context.Context {
	ctx, cancel := context.WithCancel(parent)
	e := &ending{Context: ctx, cancel: cancel}
	e.left.Store(int64(looks))
	return e
}

type ending struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func (e *ending) look() {
	if e.left.Add(-1) < 0 {
		e.cancel()
	}
}

func (e *ending) Done() <-chan struct{} {
	e.look()
	return e.Context.Done()
}

func (e *ending) Err() error {
	e.look()
	return e.Context.Err()
}

func testCommitNoRows(b bench) {
	b.planned(0, 1)
	equal(b, "counts", b.store(), sink.Counts{})
	equal(b, "entry", b.entry(0), sink.Entry{
		Window: hours(0, 1), State: sink.StateRead, Reads: 1, ReadAt: clock(1, 0), ReadTo: clock(1, 0), NextReadAt: clock(1, 0),
	})
}

// A commit whose answer was lost is tried again with the same lease.
func testCommitAgain(b bench) {
	b.planned(0, 1)
	batch := read(b.claim(anything(1)), clock(1, 0), clock(9, 0), call("a", clock(0, 1), "Asha", 1))
	equal(b, "first", b.commit(batch), sink.Counts{Inserted: 1})
	settled := b.entry(0)
	equal(b, "state", settled.State, sink.StateRead)
	equal(b, "second", b.commit(batch), sink.Counts{Unchanged: 1})
	equal(b, "entry", b.entry(0), settled)
}

func testCommitRun(b bench) {
	b.planned(0, 3)
	ctx := b.t.Context()
	run := sink.Run{Dataset: calls, Kind: sink.RunScheduled, StartedAt: clock(4, 0)}
	id, err := b.BeginRun(ctx, run)
	b.noError(err)
	for _, hour := range []int{0, 1} {
		at := clock(hour, 1)
		batch := read(b.claim(within(hours(hour, hour+1))), clock(4, 0), clock(9, 0), call("a", at, "Asha", int64(hour)), call("a", at, "Asha", 9), call(fmt.Sprint(hour), at, "x", 1))
		batch.Run, batch.RowsRead = id, 4
		batch.Rejects = []sink.Reject{{WindowStart: clock(hour, 0), WindowEnd: clock(hour+1, 0), Raw: `{}`, Reason: "bad"}}
		b.commit(batch)
	}
	partly := read(b.claim(within(hours(2, 3))), clock(4, 0), clock(9, 0))
	partly.Run = id
	partly.Readings[0].State, partly.Readings[0].ReadTo = sink.StateRunning, clock(2, 30)
	b.commit(partly)

	run.ID, run.EndedAt, run.Outcome = id, clock(5, 0), "done"
	run.Spent = sink.Spent{Fetch: time.Second, Wait: 2 * time.Millisecond, Decode: 3 * time.Second, Compare: 4 * time.Second, Commit: time.Hour}
	b.noError(b.EndRun(ctx, run))
	status, err := b.Status(ctx, clock(5, 0))
	b.noError(err)
	run.Windows, run.RowsRead, run.Written, run.Unchanged, run.Rejected = 2, 8, 4, 0, 2
	equal(b, "run", status[0].LastRun, run)
}
