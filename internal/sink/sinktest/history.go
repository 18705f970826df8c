package sinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func historyTests() []exercise {
	return []exercise{
		{"a first version", testHistoryFirst},
		{"a change", testHistoryChange},
		{"unchanged rows", testHistoryUnchanged},
		{"two changes in one batch", testHistoryTwice},
		{"changed, new and moved rows at once", testHistoryMixed},
		{"deleted and returned", testHistoryDeleted},
		{"marks of before, where nothing is marked any more", testHistoryUnmarked},
		{"all or nothing", testHistoryAllOrNothing},
		{"not under a lease that was lost", testHistoryFenced},
		{"of a row that was there before", testHistoryTurnedOn},
		{"turned off for a while", testHistoryGap},
		{"retry", testHistoryRetry},
		{"promotion", testHistoryPromotion},
		{"added and widened columns", testHistoryAdditive},
		{"a table that was set aside", testHistoryAside},
		{"a key of two columns", testHistoryTwoKeys},
		{"a clock that is set back", testHistoryClock},
		{"from two sides", testHistoryTwoSides},
		{"preview", testHistoryPreview},
		{"as of a time", testHistoryAsOf},
	}
}

func historyDataset() sink.Dataset {
	d := markedDataset()
	d.Table.History = true
	return d
}

// keeping prepares the dataset calls with a history, and the first hour.
func (b bench) keeping(d sink.Dataset) {
	b.t.Helper()
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
}

// keep commits rows of the first hour, by a run if there is one.
func (b bench) keep(d sink.Dataset, run sink.RunID, rows ...sink.Row) sink.Counts {
	b.t.Helper()
	batch := read(b.claim(within(hours(0, 1))), clock(9, 0), clock(9, 0), rows...)
	batch.Table, batch.Run = d.Table, run
	return b.commit(batch)
}

// lived are the versions of a row. They must follow each other without a gap, and be what SQL shows.
func (b bench) lived(d sink.Dataset, id string) []sink.Version {
	b.t.Helper()
	versions := b.versions(d, id)
	for i := range versions[:max(len(versions)-1, 0)] {
		equal(b, "end of a version of "+id, versions[i].To, versions[i+1].From())
	}
	return versions
}

func (b bench) versions(d sink.Dataset, id string) []sink.Version {
	b.t.Helper()
	key := []schema.Row{call(id, clock(0, 0), "", 0).Row}
	now, err := b.StoredByKey(b.t.Context(), d.Table, key)
	b.noError(err)
	history := d.Table.HistoryTable()
	history.Key = d.Table.Key
	kept, err := b.StoredByKey(b.t.Context(), history, key)
	b.noError(err)
	var current *sink.StoredRow
	if len(now) > 0 {
		current = &now[0]
	}
	versions, err := sink.VersionsOf(d.Table, kept, current)
	b.noError(err)
	for _, v := range versions {
		if !v.To.IsZero() && !v.From().Before(v.To) {
			b.t.Errorf("a version of %s from %s to %s", id, v.From(), v.To)
		}
	}
	return versions
}

// story is the life of a row in a line: seconds, whether it is deleted, and what changed by what.
func (b bench) story(d sink.Dataset, id string) string {
	b.t.Helper()
	var told []string
	for _, v := range b.lived(d, id) {
		text := fmt.Sprint(v.Values[3].Int())
		if v.Deleted {
			text = "(" + text + ")"
		}
		if v.Cause != "" {
			text = fmt.Sprintf("%s %s -> %s", v.Cause, strings.Join(v.Changed, "+"), text)
		}
		told = append(told, text)
	}
	return strings.Join(told, ", ")
}

// gaveWay is how many versions the history has.
func (b bench) gaveWay() string {
	b.t.Helper()
	return b.cell(`SELECT count(*) FROM ` + b.Table(calls+"_history"))
}

func testHistoryFirst(b bench) {
	d := historyDataset()
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1), call("b", clock(0, 2), "Bob", 2))
	equal(b, "versions that gave way", b.gaveWay(), "0")
	equal(b, "a", b.story(d, "a"), "1")
	equal(b, "all versions", b.column(`SELECT call_id FROM `+b.Versions(calls)+` WHERE _valid_to IS NULL ORDER BY call_id`), "a b")
	equal(b, "before it was written", b.column(`SELECT call_id FROM `+b.AsOf(calls, clock(0, 0).AddDate(-20, 0, 0))), "")
	equal(b, "nobody", b.story(d, "x"), "")
}

func testHistoryChange(b bench) {
	d := historyDataset()
	b.keeping(d)
	run, err := b.BeginRun(b.t.Context(), sink.Run{Dataset: calls, Kind: sink.RunScheduled, StartedAt: clock(1, 0)})
	b.noError(err)
	before := call("a", clock(0, 1), "Ann", 1)
	before.Extra = schema.StrValue(`{"x":1.5}`)
	b.keep(d, 0, before, call("b", clock(0, 2), "Bob", 2))
	equal(b, "counts", b.keep(d, run, call("a", clock(0, 1), "Ann", 7), call("b", clock(0, 2), "Bob", 2)), sink.Counts{Updated: 1, Unchanged: 1})
	equal(b, "a", b.story(d, "a"), "1, read seconds+_extra -> 7")
	equal(b, "b", b.story(d, "b"), "2")
	equal(b, "versions that gave way", b.gaveWay(), "1")
	was, is := b.lived(d, "a")[0], b.lived(d, "a")[1]
	equal(b, "run", is.Run, run)
	equal(b, "run of the first one", was.Run, 0)
	equal(b, "what was there", fmt.Sprint(was.Values, was.Extra, was.WindowStart), fmt.Sprint(before.Values, before.Extra, clock(0, 0)))
	cells := b.query(`SELECT _valid_from, _exported_at, _valid_to, _window_start, _changed, _cause, _run_id, agent, seconds FROM ` + b.Table(calls+"_history"))[0]
	equal(b, "valid from", b.instant(cells[0]), was.From())
	equal(b, "exported at", b.instant(cells[1]), was.From())
	equal(b, "valid to", b.instant(cells[2]), b.instant(b.cell(`SELECT _exported_at FROM `+b.Table(calls)+` WHERE call_id = 'a'`)))
	equal(b, "window", b.instant(cells[3]), clock(0, 0))
	equal(b, "the rest", strings.ReplaceAll(strings.Join(cells[4:], " "), ", ", ","), fmt.Sprintf(`["seconds","_extra"] read %d Ann 1`, run))
	equal(b, "all versions", b.column(`SELECT call_id || seconds FROM `+b.Versions(calls)+` ORDER BY call_id, _valid_from`), "a1 a7 b2")
}

func testHistoryUnchanged(b bench) {
	d := historyDataset()
	b.keeping(d)
	row := call("a", clock(0, 1), "Ann", 1)
	b.keep(d, 0, row)
	b.keep(d, 0, row)
	row.WindowStart = clock(3, 0)
	equal(b, "counts", b.keep(d, 0, row), sink.Counts{Unchanged: 1})
	equal(b, "versions that gave way", b.gaveWay(), "0")
}

func testHistoryTwice(b bench) {
	d := historyDataset()
	b.keeping(d)
	at := clock(0, 1)
	b.keep(d, 0, call("a", at, "Ann", 1), call("a", at, "Ann", 2))
	equal(b, "new", b.story(d, "a"), "2")
	b.keep(d, 0, call("a", at, "Ann", 3), call("b", at, "Bob", 1), call("a", at, "Eve", 4))
	equal(b, "changed", b.story(d, "a"), "2, read agent+seconds -> 4")
	b.keep(d, 0, call("a", at, "Ann", 3), call("a", at, "Eve", 4))
	equal(b, "as it was in the end", b.story(d, "a"), "2, read agent+seconds -> 4")
}

func testHistoryMixed(b bench) {
	d := historyDataset()
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1), call("b", clock(0, 2), "Bob", 2), call("z", clock(0, 50), "Zoe", 9))
	b.keep(d, 0, call("z", clock(0, 3), "Zoe", 9), call("new", clock(0, 4), "Nan", 1)) // not in its stretch of time
	equal(b, "moved", b.story(d, "z"), "9, read started_at -> 9")
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 5), call("b", clock(0, 55), "Bob", 2), call("next", clock(0, 2), "Nan", 1))
	equal(b, "changed", b.story(d, "a"), "1, read seconds -> 5")
	equal(b, "moved beside it", b.story(d, "b"), "2, read started_at -> 2")
	timeless := call("a", clock(0, 1), "Ann", 5)
	timeless.Values[1] = schema.Value{}
	b.keep(d, 0, timeless)
	equal(b, "without a time", b.story(d, "a"), "1, read seconds -> 5, read started_at -> 5")
	equal(b, "versions that gave way", b.gaveWay(), "4")
}

func testHistoryDeleted(b bench) {
	d := historyDataset()
	b.keeping(d)
	sweep := func(rows ...sink.Row) {
		b.t.Helper()
		batch := read(b.claim(within(hours(0, 1))), clock(9, 0), clock(9, 0), rows...)
		batch.Table, batch.Sweep = d.Table, b.sweep(0, 1)
		b.commit(batch)
	}
	a, other := call("a", clock(0, 1), "Ann", 1), call("b", clock(0, 2), "Bob", 2)
	b.keep(d, 0, a, other)
	sweep(call("b", clock(0, 2), "Bob", 3))
	equal(b, "gone", b.story(d, "a"), "1, gone _deleted_at -> (1)")
	sweep(other)
	equal(b, "still gone", b.story(d, "a"), "1, gone _deleted_at -> (1)")
	sweep(call("a", clock(0, 1), "Ann", 5), other)
	equal(b, "returned", b.story(d, "a"), "1, gone _deleted_at -> (1), read seconds+_deleted_at -> 5")
	sweep(other)
	sweep(call("a", clock(0, 1), "Ann", 5), other)
	equal(b, "returned as it was", b.story(d, "a"),
		"1, gone _deleted_at -> (1), read seconds+_deleted_at -> 5, gone _deleted_at -> (5), read _deleted_at -> 5")
	equal(b, "b", b.story(d, "b"), "2, read seconds -> 3, read seconds -> 2")
	versions := b.lived(d, "a")
	equal(b, "as it was while it was gone", b.column(`SELECT call_id FROM `+b.AsOf(calls, versions[1].From())+` WHERE _deleted_at IS NOT NULL`), "a")
	equal(b, "as it was before", b.column(`SELECT call_id FROM `+b.AsOf(calls, versions[1].From().Add(-time.Microsecond))+` WHERE _deleted_at IS NOT NULL`), "")
}

// Where rows were marked before there was a history, and nothing is marked any more, it tells of the marks all the same.
func testHistoryUnmarked(b bench) {
	b.marking(1, call("a", clock(0, 1), "Ann", 1))
	b.commit(b.sweeping(1, b.sweep(0, 1)))
	d := keptDataset()
	d.Table.History = true
	b.prepare(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1))
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 2))
	equal(b, "returned", b.story(d, "a"), "(1), read _deleted_at -> 1, read seconds -> 2")
	equal(b, "again", len(b.prepare(d).Changes), 0)
}

func testHistoryAllOrNothing(b bench) {
	d := historyDataset()
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1), call("b", clock(0, 2), "Bob", 2))
	poison := call("", clock(0, 1), "Eve", 1)
	poison.Values[0] = schema.Value{} // no key
	batch := read(b.claim(within(hours(0, 1))), clock(9, 0), clock(9, 0), call("a", clock(0, 1), "Ann", 5), poison)
	batch.Table, batch.Sweep = d.Table, b.sweep(0, 1)
	before := b.everything()
	if _, err := b.Commit(b.t.Context(), batch); err == nil {
		b.t.Error("a row without a key was taken")
	}
	equal(b, "versions that gave way", b.gaveWay(), "0")
	equal(b, "what the warehouse holds", b.everything(), before)
	batch.Rows = batch.Rows[:1]
	b.commit(batch)
	equal(b, "a", b.story(d, "a"), "1, read seconds -> 5")
	equal(b, "b", b.story(d, "b"), "2, gone _deleted_at -> (2)")
}

func testHistoryFenced(b bench) {
	d := historyDataset()
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1))
	lost := read(b.claim(within(hours(0, 1))), clock(9, 0), clock(9, 0), call("a", clock(0, 1), "Ann", 5))
	lost.Table = d.Table
	b.expireLeases()
	b.claim(within(hours(0, 1)))
	if _, err := b.Commit(b.t.Context(), lost); !errors.Is(err, sink.ErrLeaseLost) {
		b.t.Errorf("committed under a lease that was lost: %v", err)
	}
	equal(b, "versions that gave way", b.gaveWay(), "0")
	equal(b, "a", b.story(d, "a"), "1")
}

func testHistoryTurnedOn(b bench) {
	d := historyDataset()
	d.Table.History = false
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1))
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 2))
	written := b.instant(b.cell(`SELECT _exported_at FROM ` + b.Table(calls)))
	d = historyDataset()
	if p := b.prepare(d); p.Created || len(p.Changes) == 0 {
		b.t.Errorf("turned on: %+v", p)
	}
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 3))
	equal(b, "a", b.story(d, "a"), "2, read seconds -> 3")
	equal(b, "from when", b.lived(d, "a")[0].From(), written)
}

func testHistoryGap(b bench) {
	on, off := historyDataset(), markedDataset()
	b.keeping(on)
	b.keep(on, 0, call("a", clock(0, 1), "Ann", 1))
	b.keep(on, 0, call("a", clock(0, 1), "Ann", 2))
	b.prepare(off)
	b.keep(off, 0, call("a", clock(0, 1), "Ann", 3))
	equal(b, "versions that gave way", b.gaveWay(), "1")
	b.prepare(on)
	b.keep(on, 0, call("a", clock(0, 1), "Ann", 4))
	var told []string
	for _, v := range b.versions(on, "a") {
		told = append(told, fmt.Sprint(v.Values[3].Int(), v.Cause))
	}
	equal(b, "what is known", strings.Join(told, ", "), "1, 3, 4read")
}

func testHistoryRetry(b bench) {
	d := historyDataset()
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1))
	b.quarantine(0, 1, reject(0, `"a"`, "x"))
	done, err := b.RetryRejects(b.t.Context(), sink.Retry{
		Dataset: calls, ConfigHash: "c1", Table: d.Table, Now: clock(12, 0),
		Fits: []sink.Refit{refit(`"a"`, call("a", clock(0, 1), "Ann", 6)), refit(`"a"`, call("n", clock(0, 1), "Nan", 1))},
	})
	b.noError(err)
	equal(b, "retried", done.Counts, sink.Counts{Inserted: 1, Updated: 1})
	equal(b, "a", b.story(d, "a"), "1, retry seconds -> 6")
}

func testHistoryPromotion(b bench) {
	d := historyDataset()
	b.keeping(d)
	b.keep(d, 0, extra("a", `{"q":"one"}`), extra("b", ""), extra("c", `{"q":"two"}`))
	with := withQueue()
	with.Table.MarksDeleted, with.Table.History = true, true
	b.prepare(with)
	equal(b, "written", b.promote(promotion(with, 10)).Written, 2)
	equal(b, "a", b.story(with, "a"), "1, promotion queue+_extra -> 1")
	equal(b, "b", b.story(with, "b"), "1")
	equal(b, "queue before", b.column(`SELECT coalesce(queue, '-') FROM `+b.Table(calls+"_history")+` ORDER BY call_id`), "- -")
	equal(b, "queues", b.column(`SELECT coalesce(queue, '-') FROM `+b.Versions(calls)+` ORDER BY call_id, _valid_from`), "- one - - two")
}

func testHistoryAdditive(b bench) {
	d := historyDataset()
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1))
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 2))
	equal(b, "again", fmt.Sprint(b.prepare(d).Changes), "[]")
	d.Table.Columns = append(d.Table.Columns, schema.Column{Name: "queue", Type: schema.Text, ID: "q"})
	d.Table.Columns[3].Type = schema.Numeric
	wider := b.prepare(d)
	equal(b, "created", wider.Created, false)
	equal(b, "again", fmt.Sprint(b.prepare(d).Changes), "[]")
	row := call("a", clock(0, 1), "Ann", 0)
	row.Values[3] = schema.StrValue("2.5")
	row.Values = append(row.Values, schema.StrValue("north"))
	b.keep(d, 0, row)
	row.Values = slices.Clone(row.Values)
	row.Values[4] = schema.StrValue("south")
	b.keep(d, 0, row)
	show := `SELECT call_id || seconds || coalesce(queue, '-') FROM `
	equal(b, "versions", b.column(show+b.Versions(calls)+` ORDER BY _valid_from`), "a1- a2- a2.5north a2.5south")
	versions := b.lived(d, "a")
	equal(b, "changed", strings.Join(versions[2].Changed, " "), "seconds queue")
	equal(b, "as of the second one", b.column(show+b.AsOf(calls, versions[1].From())), "a2-")
	equal(b, "as of now", b.column(show+b.AsOf(calls, versions[3].From())), "a2.5south")
	d.Table.Columns = d.Table.Columns[:4] // a field less: its column stays
	b.prepare(d)
	row.Values = []schema.Value{row.Values[0], row.Values[1], row.Values[2], schema.StrValue("9")}
	b.keep(d, 0, row)
	equal(b, "changed without it", b.column(`SELECT CAST(_changed AS text) FROM `+b.Table(calls+"_history")+` ORDER BY _valid_to DESC LIMIT 1`), `["seconds"]`)
	equal(b, "as of before", b.column(show+b.AsOf(calls, versions[2].From())), "a2.5north")
}

func testHistoryAside(b bench) {
	d := historyDataset()
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1))
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 2))
	b.query(`ALTER TABLE ` + b.Table(calls) + ` RENAME TO calls_old`)
	equal(b, "created", b.prepare(d).Created, true)
	equal(b, "again", fmt.Sprint(b.prepare(d).Changes), "[]")
	b.keep(d, 0, call("b", clock(0, 1), "Bob", 1))
	equal(b, "versions", b.column(`SELECT call_id || seconds FROM `+b.Versions(calls)+` ORDER BY 1`), "a1 b1")
	equal(b, "as of now", b.column(`SELECT call_id FROM `+b.AsOf(calls, b.lived(d, "b")[0].From())), "b")
}

func testHistoryTwoKeys(b bench) {
	d := historyDataset()
	d.Table.Key = []string{"seconds", "call_id"}
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1), call("a", clock(0, 1), "Ann", 2), call("b", clock(0, 1), "Bob", 1))
	b.keep(d, 0, call("a", clock(0, 1), "Eve", 1), call("a", clock(0, 1), "Ann", 2), call("b", clock(0, 2), "Bob", 1))
	equal(b, "versions that gave way", b.column(`SELECT call_id || seconds || agent FROM `+b.Table(calls+"_history")+` ORDER BY 1`), "a1Ann b1Bob")
}

// A version that was written later than now has an end all the same.
func testHistoryClock(b bench) {
	d := historyDataset()
	b.keeping(d)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 1), call("b", clock(0, 2), "Bob", 1))
	b.query(`UPDATE ` + b.Table(calls) + ` SET _exported_at = '2199-01-01T00:00:00.000000Z'`)
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 2), call("b", clock(0, 2), "Bob", 1))
	b.keep(d, 0, call("a", clock(0, 1), "Ann", 3), call("b", clock(0, 2), "Bob", 1))
	equal(b, "a", b.story(d, "a"), "1, read seconds -> 2, read seconds -> 3")
}

// Two spans that share rows are committed at once: each version is kept once, and none is missing.
func testHistoryTwoSides(b bench) {
	const sides, times = 4, 10 // as together has them
	d := historyDataset()
	b.prepare(d)
	b.plan(hours(0, sides), clock(0, 0))
	leases := make([]sink.Lease, sides)
	for i := range leases {
		leases[i] = b.claim(within(hours(i, i+1)))
		leases[i].ClaimedAt = time.Time{} // so that all count
	}
	b.together(func(ctx context.Context, w Warehouse, side int) error {
		for n := range times {
			batch := read(leases[side], clock(9, 0), clock(9, 0))
			batch.Table, batch.Readings[0].State = d.Table, sink.StateRunning
			for id := range 5 {
				batch.Rows = append(batch.Rows, call(fmt.Sprint(id), clock(0, id), fmt.Sprint(side), int64(n)))
			}
			if _, err := w.Commit(ctx, batch); err != nil {
				return err
			}
		}
		return nil
	})
	for id := range 5 {
		equal(b, "versions", len(b.lived(d, fmt.Sprint(id))), sides*times)
	}
}

func testHistoryPreview(b bench) {
	d := historyDataset()
	first, err := b.Preview(b.t.Context(), d.Name, d.Table)
	b.noError(err)
	if !first.Created || len(first.Changes) < 3 {
		b.t.Errorf("before all: %+v", first)
	}
	made := b.prepare(d).Changes
	equal(b, "of nothing", strings.Join(first.Changes, ";\n"), strings.Join(made, ";\n"))
	again, err := b.Preview(b.t.Context(), d.Name, d.Table)
	b.noError(err)
	equal(b, "again", fmt.Sprint(again.Changes), "[]")
}
