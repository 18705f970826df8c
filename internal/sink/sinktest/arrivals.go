package sinktest

import (
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
)

func arrivalTests() []exercise {
	return []exercise{
		{"are counted once", testArrivalsOnce},
		{"of what is not written are not counted", testArrivalsLost},
		{"of keys that are no ObjectIds", testArrivalsOfOtherKeys},
		{"are forgotten in the end", testArrivalsForgotten},
	}
}

// madeLate is a call whose key says that it was made so long after its time.
func madeLate(n int, at time.Time, lag time.Duration) sink.Row {
	return call(fmt.Sprintf("%08x%016x", at.Add(lag).Unix(), n), at, "Ann", 1)
}

// counting is a batch that counts arrivals.
func counting(batch sink.Batch) sink.Batch {
	batch.Arrivals = &sink.Arrivals{}
	return batch
}

// lags checks what the status says of arrival lags.
func (b bench) lags(what string, rows int64, largest time.Duration) {
	b.t.Helper()
	l := b.status().Lags
	equal(b, what+": rows", l.Total(), rows)
	equal(b, what+": largest", l.Largest, largest)
}

func testArrivalsOnce(b bench) {
	b.planned(0, 2)
	b.lags("at first", 0, 0)
	rows := []sink.Row{madeLate(1, clock(0, 10), time.Minute), madeLate(2, clock(0, 20), 3*time.Hour)}
	first := counting(read(b.claim(within(hours(0, 1))), clock(1, 0), clock(1, 0), rows...))
	b.commit(first)
	equal(b, "largest of the batch", first.Arrivals.Largest(), 3*time.Hour)
	b.lags("two rows", 2, 3*time.Hour)

	// A re-read, by another process, with one row that has changed and one that is new.
	changed := rows[0]
	changed.Values = append(changed.Values[:3:3], rows[0].Values[3])
	changed.Values[2] = call("", clock(0, 0), "Bob", 1).Values[2]
	again := counting(read(b.claim(within(hours(0, 1))), clock(2, 0), clock(900, 0), changed, rows[1], madeLate(3, clock(0, 30), time.Hour)))
	_, err := b.Second().Commit(b.t.Context(), again)
	b.noError(err)
	equal(b, "largest of what was new", again.Arrivals.Largest(), time.Hour)
	b.lags("one more", 3, 3*time.Hour)

	// All is there: nothing is counted.
	b.backfill(sink.BackfillRequest{Range: hours(0, 1), Now: clock(10, 0)})
	b.commit(counting(read(b.claim(within(hours(0, 1))), clock(11, 0), clock(900, 0), rows...)))
	b.lags("no more", 3, 3*time.Hour)
	l := b.status().Lags
	equal(b, "later than an hour and a bit", l.Later(90*time.Minute), 1)
}

func testArrivalsLost(b bench) {
	b.planned(0, 1)
	l := b.claim(within(hours(0, 1)))
	b.expireLeases()
	b.claim(within(hours(0, 1)))
	_, err := b.Commit(b.t.Context(), counting(read(l, clock(1, 0), clock(2, 0), madeLate(1, clock(0, 10), time.Minute))))
	if !errors.Is(err, sink.ErrLeaseLost) {
		b.t.Fatalf("%v", err)
	}
	b.lags("nothing was written", 0, 0)
}

func testArrivalsOfOtherKeys(b bench) {
	b.planned(0, 1)
	b.commit(counting(read(b.claim(within(hours(0, 1))), clock(1, 0), clock(2, 0), call("a", clock(0, 10), "Ann", 1), call("b", clock(0, 10), "Ann", 1))))
	b.lags("no ObjectIds", 0, 0)
	equal(b, "kept", b.cell(`SELECT count(*) FROM `+b.Own("arrivals")), "0")
}

func testArrivalsForgotten(b bench) {
	b.planned(0, 1)
	run := sink.Run{Dataset: calls, Kind: sink.RunOnce, StartedAt: clock(1, 0)}
	id, err := b.BeginRun(b.t.Context(), run)
	b.noError(err)
	b.commit(counting(read(b.claim(within(hours(0, 1))), clock(1, 0), clock(2, 0), madeLate(1, clock(0, 10), time.Minute))))
	b.lags("counted", 1, time.Minute)
	equal(b, "two months later", b.statusAt(clock(0, 0).AddDate(0, 2, 0)).Lags, sink.Lags{})
	run.ID, run.Outcome = id, "done"
	for i, after := range []time.Duration{time.Hour, sink.KeepArrivals + 31*24*time.Hour} {
		run.EndedAt = clock(0, 0).Add(after)
		b.noError(b.EndRun(b.t.Context(), run))
		equal(b, "kept after "+after.String(), b.cell(`SELECT count(*) FROM `+b.Own("arrivals")), []string{"1", "0"}[i])
	}
}
