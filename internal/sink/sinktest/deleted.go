package sinktest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func deletedTests() []exercise {
	return []exercise{
		{"standing rows", testStanding},
		{"gone rows are marked", testSweep},
		{"only in the stretches", testSweepStretches},
		{"present rows are no gone ones", testSweepPresent},
		{"rows that were written later are left alone", testSweepSeenAt},
		{"rows that moved to another time are left alone", testSweepMoved},
		{"marked rows come back", testSweepBack},
		{"marked rows come back where nothing is marked any more", testUnmarking},
		{"a column of another type marks nothing", testForeignMarks},
		{"all or nothing", testSweepPoisoned},
		{"not under a lease that was lost", testSweepFenced},
		{"composite keys of every type", testSweepCompositeKey},
		{"wall clocks and days", testSweepClocks},
		{"counts into the run", testSweepRun},
		{"only where rows are marked", testSweepWithout},
	}
}

func markedDataset() sink.Dataset {
	d := callsDataset()
	d.Table.MarksDeleted = true
	return d
}

// marking prepares the dataset calls so that deleted rows are marked, with the windows of some hours, and the rows.
func (b bench) marking(until int, rows ...sink.Row) {
	b.t.Helper()
	b.prepare(markedDataset())
	b.plan(hours(0, until), clock(0, 0))
	b.commit(b.sweeping(until, nil, rows...))
}

// sweeping is a batch of all hours with a sweep.
func (b bench) sweeping(until int, s *sink.Sweep, rows ...sink.Row) sink.Batch {
	b.t.Helper()
	r := anything(until)
	batch := read(b.claim(r), clock(until, 0), clock(until, 0), rows...)
	batch.Table = markedDataset().Table
	batch.Sweep = s
	return batch
}

func stretch(from, to time.Time) sink.Stretch {
	return sink.Stretch{From: schema.TimeValue(from), To: schema.TimeValue(to)}
}

// standing is the dataset's standing rows of some hours: when each is, and whether it is gone.
func (b bench) standing(from, to int, present ...sink.Row) (sink.Standing, string) {
	b.t.Helper()
	s, err := b.Standing(b.t.Context(), markedDataset().Table, stretch(clock(from, 0), clock(to, 0)), present)
	b.noError(err)
	var rows []string
	for _, r := range s.Rows {
		text := r.Time.Time().Format("15:04")
		if r.Gone {
			text += " gone"
		}
		rows = append(rows, text)
	}
	slices.Sort(rows)
	return s, strings.Join(rows, ", ")
}

// sweep is one of some hours, of rows as they are now.
func (b bench) sweep(from, to int) *sink.Sweep {
	b.t.Helper()
	s, _ := b.standing(from, to)
	return &sink.Sweep{Within: []sink.Stretch{stretch(clock(from, 0), clock(to, 0))}, SeenAt: s.At}
}

// marked is the rows that are marked as deleted, in a line.
func (b bench) marked() string {
	b.t.Helper()
	return b.column(`SELECT call_id FROM ` + b.Table(calls) + ` WHERE _deleted_at IS NOT NULL ORDER BY call_id`)
}

func someCalls() []sink.Row {
	return []sink.Row{
		call("a", clock(0, 0), "Asha", 1), call("b", clock(0, 30), "Bala", 2),
		call("c", clock(1, 0), "Chitra", 3), call("d", clock(1, 59), "Devi", 4), call("e", clock(2, 0), "Esha", 5),
	}
}

func testStanding(b bench) {
	rows := someCalls()
	timeless := call("t", clock(0, 5), "Tara", 1)
	timeless.Values[1] = schema.Value{}
	b.marking(3, append(rows, timeless)...)
	_, all := b.standing(0, 3, append(rows, call("z", clock(0, 1), "Zoya", 1))...)
	equal(b, "all present", all, "00:00, 00:30, 01:00, 01:59, 02:00")
	_, some := b.standing(0, 2, rows[0], rows[2], rows[4])
	equal(b, "some of two hours", some, "00:00, 00:30 gone, 01:00, 01:59 gone")
	_, none := b.standing(1, 2)
	equal(b, "none present", none, "01:00 gone, 01:59 gone")
	b.query(`UPDATE ` + b.Table(calls) + ` SET _deleted_at = '2026-03-02T00:00:00.000000Z' WHERE call_id = 'c'`)
	_, marked := b.standing(1, 2)
	equal(b, "one marked already", marked, "01:59 gone")
	_, err := b.Standing(cancelled(b.t), markedDataset().Table, stretch(clock(0, 0), clock(1, 0)), nil)
	if err == nil {
		b.t.Error("looked under a context that has ended")
	}
}

func testSweep(b bench) {
	rows := someCalls()
	b.marking(3, rows...)
	written := b.exportedAt()
	before := time.Now().Add(-time.Minute)
	counts := b.commit(b.sweeping(3, b.sweep(0, 3), rows[0], call("c", clock(1, 0), "Chitra", 9), rows[4], call("f", clock(2, 1), "Fiza", 1)))
	equal(b, "counts", counts, sink.Counts{Inserted: 1, Updated: 1, Unchanged: 2, Deleted: 2})
	equal(b, "marked", b.marked(), "b d")
	equal(b, "rows", b.agents(), "a=Asha/1 b=Bala/2 c=Chitra/9 d=Devi/4 e=Esha/5 f=Fiza/1")
	for _, cells := range b.query(`SELECT _deleted_at, _exported_at FROM ` + b.Table(calls) + ` WHERE _deleted_at IS NOT NULL`) {
		if b.instant(cells[0]).Before(before) {
			b.t.Errorf("marked at %s, want now", cells[0])
		}
		equal(b, "a version of its own", b.instant(cells[1]), b.instant(cells[0]))
	}
	if written == b.exportedAt() {
		b.t.Error("a row that was marked has the old time of writing")
	}
	marks := b.column(`SELECT _deleted_at FROM ` + b.Table(calls) + ` ORDER BY call_id`)
	counts = b.commit(b.sweeping(3, b.sweep(0, 3), rows[0], call("c", clock(1, 0), "Chitra", 9), rows[4], call("f", clock(2, 1), "Fiza", 1)))
	equal(b, "again", counts, sink.Counts{Unchanged: 4})
	equal(b, "marks", b.column(`SELECT _deleted_at FROM `+b.Table(calls)+` ORDER BY call_id`), marks)
}

func testSweepStretches(b bench) {
	timeless := call("t", clock(0, 5), "Tara", 1)
	timeless.Values[1] = schema.Value{}
	b.marking(3, append(someCalls(), timeless)...)
	s := b.sweep(0, 3)
	s.Within = []sink.Stretch{stretch(clock(0, 30), clock(1, 0)), stretch(clock(1, 0), clock(1, 0)), stretch(clock(1, 30), clock(2, 0))}
	equal(b, "counts", b.commit(b.sweeping(3, s)), sink.Counts{Deleted: 2})
	equal(b, "marked", b.marked(), "b d")
	s.Within = nil
	equal(b, "no stretch", b.commit(b.sweeping(3, s)), sink.Counts{})
}

func testSweepPresent(b bench) {
	rows := someCalls()
	b.marking(3, rows...)
	s := b.sweep(0, 3)
	known := call("b", clock(9, 0), "", 0)
	known.Values = []schema.Value{schema.StrValue("b"), {}, {}, {}}
	s.Present = []sink.Row{known, call("nobody", clock(0, 0), "", 0)}
	equal(b, "counts", b.commit(b.sweeping(3, s, rows[0], rows[2])), sink.Counts{Unchanged: 2, Deleted: 2})
	equal(b, "marked", b.marked(), "d e")
	equal(b, "rows", b.agents(), "a=Asha/1 b=Bala/2 c=Chitra/3 d=Devi/4 e=Esha/5")
}

// What another commit wrote since the table was looked at, it may have read since, too.
func testSweepSeenAt(b bench) {
	rows := someCalls()
	b.marking(3, rows[:2]...)
	s := b.sweep(0, 3)
	b.commit(b.sweeping(3, nil, rows[2], call("b", clock(0, 30), "Bala", 22)))
	equal(b, "counts", b.commit(b.sweeping(3, s)), sink.Counts{Deleted: 1})
	equal(b, "marked", b.marked(), "a")
}

func testSweepMoved(b bench) {
	b.marking(3, someCalls()...)
	s := b.sweep(0, 1)
	b.commit(b.sweeping(3, nil, call("b", clock(2, 30), "Bala", 2)))
	equal(b, "to another window, before", b.commit(b.sweeping(3, s)), sink.Counts{Deleted: 1})
	equal(b, "marked", b.marked(), "a")
	equal(b, "in the batch, elsewhere", b.commit(b.sweeping(3, b.sweep(1, 2), call("c", clock(0, 10), "Chitra", 3))),
		sink.Counts{Updated: 1, Deleted: 1})
	equal(b, "marked", b.marked(), "a d")
}

func testSweepBack(b bench) {
	rows := someCalls()
	b.marking(3, rows...)
	b.commit(b.sweeping(3, b.sweep(0, 3), rows[1:]...))
	equal(b, "marked", b.marked(), "a")
	equal(b, "back", b.commit(b.sweeping(3, b.sweep(0, 3), rows...)), sink.Counts{Updated: 1, Unchanged: 4})
	equal(b, "marked", b.marked(), "")
	b.commit(b.sweeping(3, b.sweep(0, 3), rows[1:]...))
	equal(b, "gone again", b.marked(), "a")
	equal(b, "back at another time", b.commit(b.sweeping(3, b.sweep(0, 3), append(rows[1:], call("a", clock(2, 7), "Asha", 1))...)),
		sink.Counts{Updated: 1, Unchanged: 4})
	equal(b, "marked", b.marked(), "")
}

// keptDataset is markedDataset once nothing is to be marked any more.
func keptDataset() sink.Dataset {
	d := callsDataset()
	d.ConfigHash = "keep"
	return d
}

// What was marked is known although nothing is marked any more: a mark goes when its row comes back, the others stay.
func testUnmarking(b bench) {
	rows := someCalls()
	b.marking(3, rows...)
	b.commit(b.sweeping(3, b.sweep(0, 3), rows[4:]...))
	equal(b, "marked", b.marked(), "a b c d")
	d := keptDataset()
	equal(b, "changes", len(b.prepare(d).Changes), 0)
	equal(b, "in the dictionary", b.cell(`SELECT count(*) FROM `+b.Own("fields")+` WHERE column_name = '_deleted_at'`), "1")
	commit := func(rows ...sink.Row) sink.Counts {
		b.t.Helper()
		return b.commit(read(b.claim(anything(3)), clock(3, 0), clock(3, 0), rows...))
	}
	equal(b, "as it was", commit(rows[0], rows[4]), sink.Counts{Updated: 1, Unchanged: 1})
	equal(b, "marked", b.marked(), "b c d")
	other := rows[1]
	other.Values = slices.Clone(other.Values)
	other.Values[3] = schema.IntValue(99)
	equal(b, "otherwise", commit(other, call("new", clock(0, 9), "Nan", 1)), sink.Counts{Inserted: 1, Updated: 1})
	equal(b, "marked", b.marked(), "c d")
	equal(b, "again", commit(rows[0], other), sink.Counts{Unchanged: 2})
	equal(b, "still marked", b.marked(), "c d")
}

// A column of somebody else's, which happens to have the name, is left alone.
func testForeignMarks(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 1), "Asha", 1))
	b.query(`ALTER TABLE ` + b.Table(calls) + ` ADD COLUMN _deleted_at text`)
	b.query(`UPDATE ` + b.Table(calls) + ` SET _deleted_at = 'never'`)
	equal(b, "changes", len(b.prepare(callsDataset()).Changes), 0)
	equal(b, "the same", b.store(call("a", clock(0, 1), "Asha", 1)), sink.Counts{Unchanged: 1})
	equal(b, "another", b.store(call("a", clock(0, 1), "Asha", 2)), sink.Counts{Updated: 1})
	equal(b, "column", b.cell(`SELECT _deleted_at FROM `+b.Table(calls)), "never")
}

func testSweepPoisoned(b bench) {
	rows := someCalls()
	b.marking(3, rows...)
	batch := b.sweeping(3, b.sweep(0, 3), rows[0])
	poison := call("", clock(0, 1), "Asha", 1)
	poison.Values[0] = schema.Value{} // no key
	batch.Rows = append(batch.Rows, poison)
	before := b.everything()
	if _, err := b.Commit(b.t.Context(), batch); err == nil {
		b.t.Error("a row without a key was taken")
	}
	equal(b, "marked", b.marked(), "")
	equal(b, "what the warehouse holds", b.everything(), before)
}

func testSweepFenced(b bench) {
	rows := someCalls()
	b.marking(3, rows...)
	lost := b.sweeping(3, b.sweep(0, 3), rows[0])
	b.expireLeases()
	b.claim(anything(3))
	if _, err := b.Commit(b.t.Context(), lost); err == nil {
		b.t.Error("committed under a lease that was lost")
	}
	equal(b, "marked", b.marked(), "")
}

func testSweepCompositeKey(b bench) {
	d := markedDataset()
	d.Table.Key = []string{"part", "amount", "day", "at", "on", "name"}
	d.Table.Columns = []schema.Column{
		{Name: "started_at", Type: schema.Timestamptz, ID: "s"}, {Name: "part", Type: schema.Integer, ID: "p"},
		{Name: "amount", Type: schema.Numeric, ID: "a"}, {Name: "day", Type: schema.Date, ID: "d"},
		{Name: "at", Type: schema.Timestamp, ID: "t"}, {Name: "on", Type: schema.Boolean, ID: "o"}, {Name: "name", Type: schema.Text, ID: "n"},
	}
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	var rows []sink.Row
	for i, amount := range []string{"1.5", "12345678901234567890.5", "0", "-2", "1000000", "0.0001", "1e0"[:1]} {
		rows = append(rows, sink.Row{WindowStart: clock(0, 0), Row: schema.Row{Values: []schema.Value{
			schema.TimeValue(clock(0, i)), schema.IntValue(int64(9 - i)), schema.StrValue(amount), schema.TimeValue(clock(24*i, 0)),
			schema.TimeValue(clock(i, 17)), schema.BoolValue(i%2 == 0), schema.StrValue(fmt.Sprintf("%d'\"é", i)),
		}}})
	}
	store := func(s *sink.Sweep, rows ...sink.Row) sink.Counts {
		batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0), rows...)
		batch.Table, batch.Sweep = d.Table, s
		return b.commit(batch)
	}
	store(nil, rows...)
	within := stretch(clock(0, 0), clock(1, 0))
	standing, err := b.Standing(b.t.Context(), d.Table, within, rows)
	b.noError(err)
	for _, r := range standing.Rows {
		if r.Gone {
			b.t.Errorf("the row of %s seems gone", r.Time.Time())
		}
	}
	s := &sink.Sweep{Within: []sink.Stretch{within}, SeenAt: standing.At}
	equal(b, "none is gone", store(s, rows...), sink.Counts{Unchanged: 7})
	s.Present = rows[2:4]
	equal(b, "some are", store(s, rows[:2]...), sink.Counts{Unchanged: 2, Deleted: 3})
	s.Present = nil
	equal(b, "the others", store(s), sink.Counts{Deleted: 4})
}

// Stretches are in the time field's own terms.
func testSweepClocks(b bench) {
	for _, c := range []struct {
		name string
		kind schema.Type
		at   []time.Time
	}{
		{"wall", schema.Timestamp, []time.Time{clock(0, 59), clock(1, 0), clock(1, 59), clock(2, 0)}},
		{"days", schema.Date, []time.Time{clock(-24, 0), clock(0, 0), clock(24, 0), clock(48, 0)}},
	} {
		d := markedDataset()
		d.Name, d.Table.Name = c.name, c.name
		d.Table.Columns[1].Type = c.kind
		b.prepare(d)
		_, err := b.Plan(b.t.Context(), d.Name, hours(0, 1), clock(0, 0), hourly)
		b.noError(err)
		var rows []sink.Row
		for i, at := range c.at {
			rows = append(rows, call(fmt.Sprint(i), at, "x", 1))
		}
		commit := func(s *sink.Sweep, rows ...sink.Row) sink.Counts {
			r := anything(1)
			r.Dataset = d.Name
			batch := read(b.claim(r), clock(1, 0), clock(1, 0), rows...)
			batch.Table, batch.Sweep = d.Table, s
			return b.commit(batch)
		}
		commit(nil, rows...)
		within := stretch(c.at[1], c.at[3])
		standing, err := b.Standing(b.t.Context(), d.Table, within, rows[:2])
		b.noError(err)
		equal(b, c.name+" standing", len(standing.Rows), 2)
		for _, r := range standing.Rows {
			equal(b, c.name+" gone", r.Gone, r.Time == schema.TimeValue(c.at[2]))
		}
		equal(b, c.name, commit(&sink.Sweep{Within: []sink.Stretch{within}, SeenAt: standing.At}, rows[1]), sink.Counts{Unchanged: 1, Deleted: 1})
		equal(b, c.name+" marked", b.column(`SELECT call_id FROM `+b.Table(c.name)+` WHERE _deleted_at IS NOT NULL`), "2")
	}
}

func testSweepRun(b bench) {
	rows := someCalls()
	b.marking(3, rows...)
	ctx := b.t.Context()
	run := sink.Run{Dataset: calls, Kind: sink.RunScheduled, StartedAt: clock(4, 0)}
	id, err := b.BeginRun(ctx, run)
	b.noError(err)
	batch := b.sweeping(3, b.sweep(0, 3), rows[0])
	batch.Run = id
	b.commit(batch)
	status, err := b.Status(ctx, clock(5, 0))
	b.noError(err)
	run.ID, run.Windows, run.RowsRead, run.Unchanged, run.Deleted = id, 3, 1, 1, 4
	equal(b, "run", status[0].LastRun, run)
}

// A table that has no _deleted_at, no key or no time cannot be swept: nothing is committed.
func testSweepWithout(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 1), "Asha", 1))
	batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0))
	batch.Sweep = &sink.Sweep{Within: []sink.Stretch{stretch(clock(0, 0), clock(1, 0))}, SeenAt: time.Now()}
	if _, err := b.Commit(b.t.Context(), batch); err == nil {
		b.t.Error("a table without marks was swept")
	}
	equal(b, "rows", b.agents(), "a=Asha/1")
	equal(b, "state", b.entry(0).State, sink.StateRunning)
}
