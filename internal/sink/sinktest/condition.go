package sinktest

import (
	"errors"
	"sync"
	"time"

	"samespace-exporter/internal/sink"
)

func conditionTests() []exercise {
	return []exercise{
		{"of a dataset that is not known", testConditionUnknown},
		{"trouble", testTrouble},
		{"limits", testLimits},
		{"contract", testContract},
		{"contract before migrate", testContractUnmigrated},
		{"is forgotten by no prepare", testConditionStays},
	}
}

// condition is the dataset's, which the status must tell too.
func (b bench) condition() sink.Condition {
	b.t.Helper()
	s, err := b.Condition(b.t.Context(), calls)
	b.noError(err)
	equal(b, "in the status", b.status().Condition, s)
	return s
}

func (b bench) trouble(t sink.Trouble) {
	b.t.Helper()
	b.noError(b.KeepTrouble(b.t.Context(), calls, t))
}

func testConditionUnknown(b bench) {
	b.trouble(sink.Trouble{Problem: sink.ProblemKey, Reason: "x", Since: clock(1, 0)})
	s, err := b.Condition(b.t.Context(), calls)
	b.noError(err)
	equal(b, "condition", s, sink.Condition{})
}

func testTrouble(b bench) {
	b.prepare(callsDataset())
	equal(b, "at first", b.condition(), sink.Condition{})
	refused := sink.Trouble{Problem: sink.ProblemKey, Reason: "status 401", Since: clock(1, 0)}
	b.trouble(refused)
	equal(b, "refused", b.condition().Trouble, refused)
	refused.Reason, refused.Since = "status 403", clock(2, 0)
	b.trouble(refused)
	refused.Since = clock(1, 0)
	equal(b, "the same problem, told otherwise", b.condition().Trouble, refused)
	failing := sink.Trouble{Problem: sink.ProblemFailing, Reason: "a NUL \x00 in it", Since: clock(3, 0)}
	b.trouble(failing)
	s := b.condition()
	equal(b, "another problem", s.Problem, sink.ProblemFailing)
	equal(b, "since", s.Since, clock(3, 0))
	other := callsDataset()
	other.Name = "agents"
	b.prepare(other)
	b.trouble(sink.Trouble{})
	equal(b, "none", b.condition(), sink.Condition{})
}

func testLimits(b bench) {
	b.prepare(callsDataset())
	keep := func(kind sink.LimitKind, l sink.Limit) {
		b.t.Helper()
		b.noError(b.KeepLimit(b.t.Context(), calls, kind, l))
	}
	skip := sink.Limit{Works: 900, Refused: 1000, Met: 1, Until: clock(24, 0)}
	month := sink.Limit{Works: 2_592_000, Refused: 5_184_000, Met: 2, Until: clock(48, 0)}
	keep(sink.LimitSkip, skip)
	equal(b, "one", b.condition(), sink.Condition{Skip: skip})
	keep(sink.LimitRange, month)
	equal(b, "both", b.condition(), sink.Condition{Skip: skip, Range: month})
	skip.Works, skip.Met, skip.Until = 800, 2, clock(72, 0)
	keep(sink.LimitSkip, skip)
	equal(b, "met again", b.condition(), sink.Condition{Skip: skip, Range: month})
	keep(sink.LimitRange, sink.Limit{})
	equal(b, "forgotten", b.condition(), sink.Condition{Skip: skip})
	b.query(`DELETE FROM ` + b.Own("limits"))
	equal(b, "forgotten by the operator", b.condition(), sink.Condition{})
}

func testContract(b bench) {
	keep := func(w Warehouse, is, want sink.Contract) {
		b.t.Helper()
		b.noError(w.KeepContract(b.t.Context(), calls, func(before sink.Contract) (sink.Contract, error) {
			equal(b, "before", before, want)
			return is, nil
		}))
	}
	first := sink.Contract{MeasuredAt: clock(1, 0), Terms: `{"b":1.50, "a":"x"}`}
	second := sink.Contract{MeasuredAt: clock(2, 0), Terms: `{}`}
	keep(b, first, sink.Contract{})
	unprepared, err := b.Condition(b.t.Context(), calls)
	b.noError(err)
	equal(b, "a first pass heeds it", unprepared, sink.Condition{Contract: first})
	b.prepare(callsDataset())
	equal(b, "measured before it was prepared", b.condition(), sink.Condition{Contract: first})
	keep(b.Second(), second, first)
	equal(b, "measured again", b.condition(), sink.Condition{Contract: second})
	stop := errors.New("stop")
	if err := b.KeepContract(b.t.Context(), calls, func(sink.Contract) (sink.Contract, error) { return sink.Contract{}, stop }); !errors.Is(err, stop) {
		b.t.Errorf("%v", err)
	}
	equal(b, "as it was", b.condition(), sink.Condition{Contract: second})
	b.query(`DELETE FROM ` + b.Own("contracts"))
	equal(b, "forgotten by the operator", b.condition(), sink.Condition{})
}

func testContractUnmigrated(b bench) {
	w, _ := b.Unmigrated()
	err := w.KeepContract(b.t.Context(), calls, func(before sink.Contract) (sink.Contract, error) { return before, nil })
	if !errors.Is(err, sink.ErrNotMigrated) {
		b.t.Errorf("%v", err)
	}
}

func testConditionStays(b bench) {
	b.prepare(callsDataset())
	limit := sink.Limit{Works: 1, Refused: 2, Met: 1, Until: clock(24, 0)}
	b.noError(b.KeepLimit(b.t.Context(), calls, sink.LimitSkip, limit))
	changed := callsDataset()
	changed.ConfigHash = "c2"
	b.prepare(changed)
	equal(b, "condition", b.condition(), sink.Condition{Skip: limit})
}

func slotTests() []exercise {
	return []exercise{
		{"are kept", testSlotsKept},
		{"are taken by one at a time", testSlotsExclusive},
		{"before migrate", testSlotsUnmigrated},
	}
}

const endpoint = "https://api.example/analytics/api"

func (b bench) take(w Warehouse, take func(now time.Time, s sink.Slots) sink.Slots) {
	b.t.Helper()
	b.noError(w.TakeSlots(b.t.Context(), endpoint, take))
}

func testSlotsKept(b bench) {
	var first time.Time
	b.take(b, func(now time.Time, s sink.Slots) sink.Slots {
		if s.Next.After(now) || s.Rate != 0 && s.Rate != 1 || s.Lowered != 0 {
			b.t.Errorf("slots that nobody has taken of: %+v", s)
		}
		first = now
		return sink.Slots{Next: now.Add(1500 * time.Microsecond), Rate: 0.25, Lowered: 3}
	})
	b.take(b.Second(), func(now time.Time, s sink.Slots) sink.Slots {
		equal(b, "as they were left", s, sink.Slots{Next: first.Add(1500 * time.Microsecond), Rate: 0.25, Lowered: 3})
		if now.Before(first) {
			b.t.Errorf("it was %s, and is %s", first, now)
		}
		return s
	})
	b.noError(b.TakeSlots(b.t.Context(), "https://other.example", func(_ time.Time, s sink.Slots) sink.Slots {
		equal(b, "of another endpoint", s.Lowered, 0)
		return sink.Slots{Rate: 1, Next: s.Next}
	}))
	equal(b, "endpoints", b.cell(`SELECT count(*) FROM `+b.Own("budgets")), "2")
}

// Two handles that count in one number lose nothing, from the first time on.
func testSlotsExclusive(b bench) {
	const each = 20
	var counting sync.WaitGroup
	errs := make([]error, 2)
	for i, w := range []Warehouse{b.Warehouse, b.Second()} {
		counting.Go(func() {
			for range each {
				errs[i] = errors.Join(errs[i], w.TakeSlots(b.t.Context(), endpoint, func(now time.Time, s sink.Slots) sink.Slots {
					return sink.Slots{Next: now, Rate: 1, Lowered: s.Lowered + 1}
				}))
			}
		})
	}
	counting.Wait()
	b.noError(errors.Join(errs...))
	equal(b, "counted", b.cell(`SELECT lowered FROM `+b.Own("budgets")), "40")
}

func testSlotsUnmigrated(b bench) {
	w, _ := b.Unmigrated()
	if err := w.TakeSlots(b.t.Context(), endpoint, func(_ time.Time, s sink.Slots) sink.Slots { return s }); err == nil {
		b.t.Error("slots were taken of a table that is not there")
	}
}
