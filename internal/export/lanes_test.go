package export_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
)

// lanesWorld has much to do, in spans of five hours, and three lanes to do it in.
func lanesWorld(t *testing.T, k kind) (w *world, since time.Time) {
	since = start.Add(-48 * time.Hour)
	w = newWorld(t, k, calls(400), since, func(d *export.Dataset) { d.MaxSpan = 5 * time.Hour })
	w.clock.Advance(5 * 24 * time.Hour) // nothing is restated any more
	w.exporter.Lanes = export.NewLanes(2)
	return w, since
}

// meeting lets commits but the first three begin only when so many are under way as are expected, or no other comes for a while,
// and counts how many there were at once. Each takes a minute by the clock, if it has one.
type meeting struct {
	export.Warehouse
	clock     *clockwork.FakeClock
	expected  int
	onMeeting func() // while nobody reads

	mu                   sync.Mutex
	commits, under, most int
	met                  chan struct{}
	lanes                []*sink.Lane // of the commits since they met
}

func meetingOf(w *world, expected int) *meeting {
	return &meeting{Warehouse: w.warehouse, expected: expected, onMeeting: func() {}, met: make(chan struct{})}
}

func (m *meeting) Commit(ctx context.Context, b sink.Batch) (sink.Counts, error) {
	if m.arrive(b.Lane) > 3 { // by then efforts are known
		select {
		case <-m.met:
		case <-time.After(10 * time.Second):
			m.meet() // nor will the others wait
		}
	}
	defer m.leave()
	if m.clock != nil {
		m.clock.Advance(time.Minute)
	}
	return m.Warehouse.Commit(ctx, b)
}

// arrive counts a commit, and says how many there were.
func (m *meeting) arrive(lane *sink.Lane) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits++
	m.under++
	m.most = max(m.most, m.under)
	if m.under == m.expected {
		m.onMeeting()
		closeOnce(m.met)
	}
	select {
	case <-m.met:
		m.lanes = append(m.lanes, lane)
	default:
	}
	return m.commits
}

func (m *meeting) meet() {
	m.mu.Lock()
	defer m.mu.Unlock()
	closeOnce(m.met)
}

func (m *meeting) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.under--
}

// Several spans of one dataset are read and committed at once, each window once.
func TestLanesWorkAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, since := lanesWorld(t, k)
		m := meetingOf(w, 2)
		w.exporter.Warehouse = m
		w.export()
		w.mustEqualTruth(since, start)
		if m.most < 2 {
			t.Errorf("at most %d commits were under way at once", m.most)
		}
		if twice := w.count("select count(*) from %s where reads > 1", k.own("windows")); twice != 0 {
			t.Errorf("%d windows were read more than once", twice)
		}
	})
}

// Where committing takes longer than reading, one lane writes all that is new. What is there already is read again in two,
// where the warehouse takes two commits at once.
func TestLanesWhereCommittingTakesLonger(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, since := lanesWorld(t, k)
		again := 1
		if w.warehouse.CommitsAtOnce(w.exporter.Dataset.Mapper.Table()) {
			again = 2
		}
		for _, pass := range []struct {
			lanes int
			run   func()
		}{
			{1, func() { w.export() }},
			{again, func() { w.backfill(since) }},
		} {
			m := meetingOf(w, pass.lanes)
			m.clock = w.clock
			w.exporter.Warehouse = m
			pass.run()
			w.mustEqualTruth(since, start)
			if m.most != pass.lanes || m.commits < 5 {
				t.Errorf("%d of %d commits were under way at once, want %d", m.most, m.commits, pass.lanes)
			}
		}
	})
}

// A borrowed lane ends, between two spans, once it does not pay any more, and is free for the next pass.
func TestLanesEndWhereTheyDoNotPay(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, since := lanesWorld(t, k)
		m := meetingOf(w, 3)
		var once sync.Once
		m.onMeeting = func() { once.Do(func() { w.clock.Advance(time.Hour) }) } // all three commits take an hour
		w.exporter.Warehouse = m
		w.export()
		w.mustEqualTruth(since, start)
		last := m.lanes[max(0, len(m.lanes)-3):]
		if m.most != 3 || len(m.lanes) < 7 || last[0] != last[2] || last[1] != last[2] {
			t.Errorf("%d lanes met; the last of %d commits since then were of the lanes %p, %p, %p", m.most, len(m.lanes), last[0], last[1], last[2])
		}
		m = meetingOf(w, 3)
		w.exporter.Warehouse = m
		w.backfill(since)
		if m.most != 3 {
			t.Errorf("%d lanes met in the next pass", m.most)
		}
	})
}

// Quiet history is read in several lanes, too: a span that takes all that it may is not the last one.
func TestLanesOfQuietHistory(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, since := lanesWorld(t, k)
		w.export() // each span holds all that max_span lets it hold, once it is known how little that is
		m := meetingOf(w, 2)
		w.exporter.Warehouse = m
		w.backfill(since)
		w.mustEqualTruth(since, start)
		if m.most < 2 {
			t.Errorf("at most %d commits were under way at once", m.most)
		}
	})
}

// A lease that is lost in one lane, or a span that fails there, is nothing to the others.
func TestLanesDoNotHarmEachOther(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(w *world, span sink.Lease){
		"lease lost": func(w *world, span sink.Lease) {
			w.exec(fmt.Sprintf("update %s set epoch = epoch + 1000, lease_until = %s where epoch = %d", w.kind.own("windows"), past(w.kind), span.Epoch))
		},
		"span fails": nil,
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				w, since := lanesWorld(t, k)
				poison := since.Add(12 * time.Hour)
				if harm == nil {
					w.sim.Script(simulator.When(func(r simulator.Request) bool {
						return r.From.Before(poison.Add(time.Minute)) && r.To.After(poison)
					}), simulator.Errors("internal error"))
				} else {
					w.exporter.Warehouse = &harming{Warehouse: w.warehouse, harm: func(l sink.Lease) { harm(w, l) }}
				}
				s, err := w.exporter.Export(t.Context(), passOnce())
				if err != nil {
					t.Fatalf("the pass ended: %v", err)
				}
				if harm == nil && len(s.Failed) == 0 {
					t.Error("no span failed")
				}
				unread := w.unread()
				if unread > 10 {
					t.Errorf("%d windows were not read, more than those of two spans", unread)
				}
				w.exporter.Warehouse = w.warehouse
				w.sim.Unscript()
				w.clock.Advance(2 * time.Hour)
				w.export()
				w.mustEqualTruth(since, start)
			})
		})
	}
}

// harming does harm to the third lease before its commit.
type harming struct {
	export.Warehouse
	commits atomic.Int32
	harm    func(l sink.Lease)
}

func (h *harming) Commit(ctx context.Context, b sink.Batch) (sink.Counts, error) {
	if h.commits.Add(1) == 3 {
		h.harm(b.Lease)
	}
	return h.Warehouse.Commit(ctx, b)
}

// Stop lets all lanes commit what they read; a cancelled pass gives all its windows back.
func TestLanesStop(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		for _, drains := range []bool{true, false} {
			w, _ := lanesWorld(t, k)
			stop, claims := make(chan struct{}), 0
			ctx, cancel := context.WithCancelCause(t.Context())
			w.exporter.Observe = func(e export.Event) {
				if e.Step != export.StepClaimed {
					return
				}
				if claims++; claims == 3 {
					if drains {
						close(stop)
					} else {
						cancel(export.ErrInterrupted)
					}
				}
			}
			s, err := w.exporter.Export(ctx, export.Pass{Kind: sink.RunOnce, Stop: stop})
			if drains && (err != nil || s.Spans != 3) {
				t.Errorf("stopped at the third claim: %v, %d spans", err, s.Spans)
			}
			if running := w.count("select count(*) from %s where state = 'running'", k.own("windows")); running != 0 || !s.Stopped {
				t.Errorf("drains %t: %d windows are still running, stopped %t", drains, running, s.Stopped)
			}
			cancel(nil)
		}
	})
}

// A report in order of time is read in parts that fill a transaction, from one lease; what moves meanwhile tears it.
func TestPartsOfALease(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		const days = max(5, 14/sample)
		since := start.AddDate(0, 0, -days)
		w := newWorld(t, k, calls(1500), since, func(d *export.Dataset) { d.Query.PageSize, d.MaxRows = 20, 200 })
		moves := 0
		w.sim.Script(simulator.Every(37), simulator.Meanwhile(func(s *simulator.Simulator) {
			at := since.Add(time.Duration(moves%days)*24*time.Hour + 5*time.Hour)
			moves++
			if _, err := s.Insert(w.report.ID, at, nil); err != nil {
				t.Error(err)
			}
		}))
		parts, leases := 0, 0
		w.exporter.Observe = func(e export.Event) {
			switch e.Step {
			case export.StepClaimed:
				leases++
			case export.StepCommitted:
				parts++
			}
		}
		w.export()
		if parts < 3*leases/2 || moves == 0 {
			t.Errorf("%d parts of %d leases, %d moves", parts, leases, moves)
		}
		w.sim.Unscript()
		w.exporter.Observe = nil
		// Rows that came into windows that had been read already come with a later reading.
		w.clock.Advance(time.Minute)
		if _, err := w.exporter.Backfill(t.Context(), export.Range{From: since}); err != nil {
			t.Fatal(err)
		}
		w.mustEqualTruth(since, w.edge())
	})
}

// A server that refuses long ranges has spans cut in all lanes at once: each lane may cut as many in a row as one alone might.
func TestLanesCutSpansAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.AddDate(0, 0, -10)
		w := newWorld(t, k, calls(200), since, func(d *export.Dataset) { d.MaxSpan = 32 * time.Hour })
		w.clock.Advance(5 * 24 * time.Hour)
		w.exporter.Lanes = export.NewLanes(2)
		w.sim.Script(simulator.When(func(r simulator.Request) bool {
			return r.From.After(since.AddDate(0, 0, 2)) && r.To.Sub(r.From) > 61*time.Minute
		}), simulator.Delay(30*time.Millisecond), simulator.Status(504, ""))
		s, err := w.exporter.Export(t.Context(), passOnce())
		if err != nil || len(s.Failed) > 0 {
			t.Errorf("%d spans failed: %v", len(s.Failed), err)
		}
		w.mustEqualTruth(since, start)
	})
}

// meetingAtABound has the span behind a bound read before the one that ends there, and committed after it. A row that appears
// before both is restated in between.
type meetingAtABound struct {
	export.Warehouse
	export.Source
	appear  func(bound time.Time)
	restate func()

	mu      sync.Mutex
	waiting map[int64]bool // bounds at which a span ends that is to be read
	bound   time.Time      // where two met; zero: nowhere yet

	met, behind, before chan struct{} // two met; the one behind was read; the one before was committed
}

func (m *meetingAtABound) Rows(ctx context.Context, q source.Query, to source.Taker) (source.Reading, error) {
	if m.meets(q.Range.Start.Add(time.Second)) { // its lead
		m.appear(m.bound)
		return m.Source.Rows(ctx, q, to)
	}
	m.mu.Lock()
	m.waiting[q.Range.End.UnixMicro()] = true
	m.mu.Unlock()
	if m.await(m.met, time.Second) && q.Range.End.Equal(m.bound) && m.await(m.behind, 10*time.Second) {
		m.restate()
	}
	m.mu.Lock()
	delete(m.waiting, q.Range.End.UnixMicro())
	m.mu.Unlock()
	return m.Source.Rows(ctx, q, to)
}

// meets reports whether a span that begins here is the one behind the bound.
func (m *meetingAtABound) meets(start time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.bound.IsZero() || !m.waiting[start.UnixMicro()] {
		return false
	}
	m.bound = start
	close(m.met)
	return true
}

func (m *meetingAtABound) Commit(ctx context.Context, b sink.Batch) (sink.Counts, error) {
	select {
	case <-m.met:
	default:
		return m.Warehouse.Commit(ctx, b)
	}
	if b.Range.Start.Equal(m.bound) {
		closeOnce(m.behind)
		m.await(m.before, 10*time.Second)
	}
	counts, err := m.Warehouse.Commit(ctx, b)
	if b.Range.End.Equal(m.bound) {
		closeOnce(m.before)
	}
	return counts, err
}

// closeOnce closes a channel, unless it is: one goroutine does so.
func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

func (m *meetingAtABound) await(done chan struct{}, most time.Duration) bool {
	select {
	case <-done:
		return true
	case <-time.After(most):
		return false
	}
}

// Where two lanes read one row, the version that was read first is not written over the other, though it is committed later:
// what it was read with is read again. So with a row just before the bound of two spans, which is read with both, and with one
// that moves from one span to the other.
func TestLanesMeetAtABound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		appears time.Duration // from the bound
		restate func(w *world, bound time.Time) map[string]any
	}{
		"just before it": {-500 * time.Millisecond, func(w *world, _ time.Time) map[string]any {
			return map[string]any{w.report.Metric("direction").ID: "restated"}
		}},
		"moved across it": {20 * time.Minute, func(w *world, bound time.Time) map[string]any {
			return map[string]any{w.report.TimeField: bound.Add(-20 * time.Minute).Format("2006-01-02T15:04:05.000Z")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				w, since := lanesWorld(t, k)
				w.clock.Advance(24 * time.Hour) // no window is read again
				r := &rivalled{Warehouse: w.warehouse}
				m := &meetingAtABound{
					Warehouse: r, Source: w.exporter.Source, waiting: map[int64]bool{},
					met: make(chan struct{}), behind: make(chan struct{}), before: make(chan struct{}),
				}
				var key string
				m.appear = func(bound time.Time) {
					var err error
					if key, err = w.sim.Insert(w.report.ID, bound.Add(c.appears), nil); err != nil {
						t.Error(err)
					}
				}
				m.restate = func() {
					if err := w.sim.Change(w.report.ID, key, c.restate(w, m.bound)); err != nil {
						t.Error(err)
					}
				}
				w.exporter.Warehouse, w.exporter.Source = m, m
				s := w.export()
				if r.overtaken.Load() == 0 || len(s.Failed) > 0 {
					t.Errorf("%d commits were overtaken (two spans met at %s), %v failed", r.overtaken.Load(), m.bound, s.Failed)
				}
				w.mustEqualTruth(since, start)
				if unread := w.unread(); unread != 0 {
					t.Errorf("%d windows were not read", unread)
				}
			})
		})
	}
}
