package sinktest

import (
	"sync"
	"sync/atomic"

	"samespace-exporter/internal/sink"
)

func alarmTests() []exercise {
	return []exercise{
		{"raised and lowered once", testAlarms},
		{"told by one of many", testAlarmsOfManyReplicas},
	}
}

func testAlarms(b bench) {
	raise := func(dataset string, alarm sink.Alarm, want bool) {
		b.t.Helper()
		raised, err := b.RaiseAlarm(b.t.Context(), dataset, alarm, clock(3, 0))
		b.noError(err)
		equal(b, "raised", raised, want)
	}
	lower := func(dataset string, alarm sink.Alarm, want bool) {
		b.t.Helper()
		lowered, err := b.LowerAlarm(b.t.Context(), dataset, alarm)
		b.noError(err)
		equal(b, "lowered", lowered, want)
	}
	lower(calls, sink.AlarmFailing, false)
	raise(calls, sink.AlarmFailing, true)
	raise(calls, sink.AlarmFailing, false)
	raise(calls, sink.AlarmStale, true)
	raise("agents", sink.AlarmFailing, true)
	equal(b, "since", b.instant(b.column("SELECT since FROM "+b.Own("alarms")+" WHERE dataset = 'calls' AND alarm = 'stale'")), clock(3, 0))
	lower(calls, sink.AlarmFailing, true)
	lower(calls, sink.AlarmFailing, false)
	lower(calls, sink.AlarmStale, true)
	raise(calls, sink.AlarmFailing, true)
	equal(b, "alarms", b.column("SELECT count(*) FROM "+b.Own("alarms")), "2")
}

func testAlarmsOfManyReplicas(b bench) {
	var raised, lowered atomic.Int32
	all := func(do func(w Warehouse) (bool, error), done *atomic.Int32) {
		var replicas sync.WaitGroup
		second := b.Second()
		for i := range 8 {
			w := b.Warehouse
			if i%2 == 1 {
				w = second
			}
			replicas.Go(func() {
				changed, err := do(w)
				if err != nil {
					b.t.Error(err)
				}
				if changed {
					done.Add(1)
				}
			})
		}
		replicas.Wait()
	}
	all(func(w Warehouse) (bool, error) {
		return w.RaiseAlarm(b.t.Context(), calls, sink.AlarmStale, clock(0, 0))
	}, &raised)
	all(func(w Warehouse) (bool, error) { return w.LowerAlarm(b.t.Context(), calls, sink.AlarmStale) }, &lowered)
	equal(b, "raised", raised.Load(), 1)
	equal(b, "lowered", lowered.Load(), 1)
}
