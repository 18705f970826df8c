package schedule_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"

	"samespace-exporter/internal/schedule"
	"samespace-exporter/internal/schedule/crontab"
)

var errStop = errors.New("told to stop")

// rig is a scheduler with a clock in the test's hand.
type rig struct {
	*schedule.Scheduler
	t     *testing.T
	clock *clockwork.FakeClock
	ctx   context.Context
	stop  context.CancelCauseFunc
	done  chan error
}

func ticks(t *testing.T, cron string) crontab.Schedule {
	t.Helper()
	s, err := crontab.Parse(cron)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs jobs in the current synctest bubble, which also fails the test when a goroutine is left behind.
func start(t *testing.T, at string, jobs ...schedule.Job) *rig {
	t.Helper()
	now, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, clock: clockwork.NewFakeClockAt(now), done: make(chan error, 1)}
	r.Scheduler = schedule.New(r.clock, slog.New(slog.DiscardHandler))
	r.ctx, r.stop = context.WithCancelCause(t.Context())
	go func() { r.done <- r.Run(r.ctx, jobs) }()
	synctest.Wait()
	return r
}

// pass lets time pass, step by step, so that everything due happens at its own time.
func (r *rig) pass(total, step time.Duration) {
	for ; total > 0; total -= step {
		r.clock.Advance(step)
		synctest.Wait()
	}
}

func (r *rig) end() {
	r.t.Helper()
	r.stop(errStop)
	if err := <-r.done; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

func TestRunsAtStartAndAtEachTick(t *testing.T) {
	for _, c := range []struct {
		name, at, zone, cron string
		want                 []string // within 26 hours, in the zone
	}{
		{
			"a plain day", "2025-06-01T00:10:00Z", "Asia/Kolkata", "30 6,18 * * *",
			[]string{"01 05:40 +0530", "01 06:30 +0530", "01 18:30 +0530", "02 06:30 +0530"},
		},
		{
			"a daily job on the day that lacks its time", "2025-03-29T12:00:00Z", "Europe/Berlin", "30 2 * * *",
			[]string{"29 13:00 +0100", "30 03:00 +0200"},
		},
		{
			"a daily job on the day that has its time twice", "2025-10-25T12:00:00Z", "Europe/Berlin", "30 2 * * *",
			[]string{"25 14:00 +0200", "26 02:30 +0200"},
		},
		{
			"a job of every six hours, by half an hour", "2025-10-04T12:01:00Z", "Australia/Lord_Howe", "0 */6 * * *",
			[]string{
				"04 22:31 +1030", "05 00:00 +1030", "05 06:00 +1100", "05 12:00 +1100", "05 18:00 +1100",
				"06 00:00 +1100",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				loc, err := time.LoadLocation(c.zone)
				if err != nil {
					t.Fatal(err)
				}
				var r *rig
				var got []string
				started := make(chan struct{})
				r = start(t, c.at, schedule.Job{Name: "calls", Ticks: ticks(t, c.cron), Location: loc, Run: func(context.Context) {
					<-started
					got = append(got, r.clock.Now().In(loc).Format("02 15:04 -0700"))
				}})
				close(started)
				synctest.Wait()
				r.pass(26*time.Hour, time.Minute)
				r.end()
				if !slices.Equal(got, c.want) {
					t.Errorf("ran at %q, want %q", got, c.want)
				}
			})
		})
	}
}

// gocron takes the second of two equal hours for a mistake and skips it, unless it is told the time in UTC.
func TestEveryHourGoesOnThroughARepeatedHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		runs := 0
		r := start(t, "2025-10-25T23:30:00Z", schedule.Job{Name: "calls", Ticks: ticks(t, "0 * * * *"), Location: berlin,
			Run: func(context.Context) { runs++ }})
		r.pass(3*time.Hour, time.Minute) // 02:00 +02, 02:00 +01, 03:00 +01
		r.end()
		if runs != 4 {
			t.Errorf("ran %d times, want 4: at start-up and at 02:00, 02:00, 03:00", runs)
		}
	})
}

func TestATickDuringARunIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs, running := 0, 0
		release := make(chan struct{})
		otherRuns := 0
		r := start(t, "2025-06-01T00:00:30Z",
			schedule.Job{Name: "slow", Ticks: ticks(t, "* * * * *"), Run: func(context.Context) {
				if running++; running > 1 {
					t.Error("the job overlaps itself")
				}
				runs++
				<-release
				running--
			}},
			schedule.Job{Name: "other", Ticks: ticks(t, "* * * * *"), Run: func(context.Context) { otherRuns++ }})
		r.pass(5*time.Minute, time.Minute)
		if runs != 1 || otherRuns != 6 {
			t.Errorf("slow ran %d times and other %d times, want 1 and 6", runs, otherRuns)
		}
		release <- struct{}{}
		synctest.Wait()
		if runs != 1 {
			t.Error("ran again without a tick after the end of a run")
		}
		r.pass(time.Minute, time.Minute)
		if runs != 2 {
			t.Errorf("ran %d times, want 2: the next tick counts again", runs)
		}
		close(release)
		r.end()
	})
}

func TestStopWaitsForRunsAndStartsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		var cause error
		release := make(chan struct{})
		r := start(t, "2025-06-01T00:00:30Z", schedule.Job{Name: "calls", Ticks: ticks(t, "* * * * *"), Run: func(ctx context.Context) {
			runs++
			<-ctx.Done()
			cause = context.Cause(ctx)
			<-release
		}})
		r.stop(errStop)
		synctest.Wait()
		r.pass(3*time.Minute, time.Minute)
		select {
		case <-r.done:
			t.Fatal("Run returned while a job was running")
		default:
		}
		close(release)
		if err := <-r.done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if runs != 1 || !errors.Is(cause, errStop) {
			t.Errorf("ran %d times, cause %v; want 1 and %v", runs, cause, errStop)
		}
	})
}

func TestAnEndedContextRunsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		stop(errStop)
		s := schedule.New(clockwork.NewFakeClock(), slog.New(slog.DiscardHandler))
		job := schedule.Job{Name: "calls", Ticks: ticks(t, "@daily"), Run: func(context.Context) { t.Error("ran") }}
		if err := s.Run(ctx, []schedule.Job{job}); err != nil {
			t.Error(err)
		}
	})
}

func TestRunRefusesTwoJobsOfOneName(t *testing.T) {
	s := schedule.New(clockwork.NewFakeClock(), slog.New(slog.DiscardHandler))
	job := schedule.Job{Name: "calls", Ticks: ticks(t, "@daily"), Run: func(context.Context) { t.Error("ran") }}
	if err := s.Run(t.Context(), []schedule.Job{job, job}); err == nil {
		t.Error("two jobs of one name run")
	}
}

// gate is a clock whose Now waits while it is shut: gocron, which asks it for each run, is stuck then.
type gate struct {
	clockwork.Clock
	mu sync.Mutex
}

func (g *gate) Now() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.Clock.Now()
}

func TestPulse(t *testing.T) {
	clock := &gate{Clock: clockwork.NewFakeClock()}
	s := schedule.New(clock, slog.New(slog.DiscardHandler))
	s.AwaitPulse() // nothing runs
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, []schedule.Job{{Name: "calls", Ticks: ticks(t, "* * * * *"), Run: func(context.Context) { close(ran) }}})
	}()
	<-ran
	s.AwaitPulse()

	clock.mu.Lock()
	shown := make(chan struct{})
	go func() { s.AwaitPulse(); close(shown) }()
	select {
	case <-shown:
		t.Error("what is stuck has a pulse")
	case <-time.After(50 * time.Millisecond):
	}
	clock.mu.Unlock()
	<-shown
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.AwaitPulse()
}
