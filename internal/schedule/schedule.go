// Package schedule runs jobs by cron text. It is the only importer of gocron, which is its clock and nothing
// more: gocron's tasks only pass ticks on, so that it never waits for a job, and knows no replica, since what
// is due is the ledger's business.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jonboulle/clockwork"

	"samespace-exporter/internal/schedule/crontab"
)

// Job is work that is done at start-up and then by a schedule.
type Job struct {
	Name     string // unique in a scheduler
	Ticks    crontab.Schedule
	Location *time.Location // of the ticks; nil: UTC
	// Run does the work. Its context ends, with the cause, when that of Scheduler.Run does.
	Run func(ctx context.Context)
}

// Scheduler runs jobs. Its methods may be called from several goroutines at once.
type Scheduler struct {
	clock  clockwork.Clock
	logger *slog.Logger

	mu    sync.Mutex
	pulse *pulse // nil: no Run is under way
}

// New makes a scheduler. The logger gets what goes wrong inside gocron, and ticks that were dropped (debug).
func New(clock clockwork.Clock, logger *slog.Logger) *Scheduler {
	return &Scheduler{clock: clock, logger: logger}
}

// Run runs every job once, and then at each of its ticks, until ctx ends; then it starts nothing new, waits
// for the runs that are under way, and returns nil. A job never overlaps itself: a tick that comes while it
// runs is dropped. It returns an error, and runs nothing, when two jobs have one name.
//
// A scheduler runs one set of jobs at a time. After Run returned it may run another one.
func (s *Scheduler) Run(ctx context.Context, jobs []Job) error {
	lanes, err := s.newLanes(jobs)
	if err != nil {
		return err
	}
	stopTicks, err := s.startTicks(lanes)
	if err != nil {
		return fmt.Errorf("start clock: %w", err)
	}
	var running sync.WaitGroup
	for _, l := range lanes {
		running.Go(func() { l.work(ctx) })
	}
	<-ctx.Done()
	stopTicks()
	running.Wait()
	return nil
}

// AwaitPulse returns once what sends the ticks has shown that it can: it is asked for a beat, which takes the way of a
// tick through gocron. It is there at once, unless gocron is stuck. When no Run is under way any more there is nothing
// to wait for.
func (s *Scheduler) AwaitPulse() {
	s.mu.Lock()
	pulse := s.pulse
	s.mu.Unlock()
	if pulse != nil {
		pulse.await()
	}
}

// pulse is a job of gocron's that runs when it is asked to.
type pulse struct {
	job     gocron.Job
	beats   chan struct{} // holds one
	stopped chan struct{}
}

func newPulse(ticker gocron.Scheduler) (*pulse, error) {
	p := &pulse{beats: make(chan struct{}, 1), stopped: make(chan struct{})}
	const never = 100 * 365 * 24 * time.Hour // gocron has no job without a time
	var err error
	p.job, err = ticker.NewJob(gocron.DurationJob(never), gocron.NewTask(p.beat), gocron.WithName("pulse"))
	return p, err
}

func (p *pulse) beat() {
	select {
	case p.beats <- struct{}{}:
	default:
	}
}

func (p *pulse) await() {
	for asked := false; !asked; {
		asked = p.job.RunNow() == nil // gives up after a tenth of a second
		select {
		case <-p.stopped:
			return
		default:
		}
	}
	select {
	case <-p.stopped:
	case <-p.beats:
	}
}

// newLanes makes a lane for each job.
func (s *Scheduler) newLanes(jobs []Job) ([]*lane, error) {
	names := make(map[string]bool, len(jobs))
	var lanes []*lane
	for _, job := range jobs {
		if names[job.Name] {
			return nil, fmt.Errorf("schedule %s: two jobs have this name", job.Name)
		}
		l := &lane{job: job, ticks: make(chan struct{}), logger: s.logger}
		l.timetable = timetable{schedule: job.Ticks, location: job.Location}
		if job.Location == nil {
			l.timetable.location = time.UTC
		}
		names[job.Name] = true
		lanes = append(lanes, l)
	}
	return lanes, nil
}

// startTicks starts a gocron that sends each lane its ticks. stop ends it.
func (s *Scheduler) startTicks(lanes []*lane) (stop func(), err error) {
	// gocron waits for its tasks in a busy loop. They are instant here; the time-out bounds what is left.
	const stopTimeout = time.Second
	ticker, err := gocron.NewScheduler(
		gocron.WithClock(s.clock),
		gocron.WithLocation(time.UTC),
		gocron.WithLogger(gocronLogger{s.logger}),
		gocron.WithStopTimeout(stopTimeout),
	)
	if err != nil {
		return nil, err
	}
	pulse, err := newPulse(ticker)
	if err != nil {
		return nil, errors.Join(err, ticker.Shutdown())
	}
	stop = func() {
		if err := ticker.Shutdown(); err != nil {
			s.logger.Warn("clock did not stop in time", "error", err)
		}
		close(pulse.stopped)
		s.beats(nil)
	}
	for _, l := range lanes {
		// The text is not looked at: the timetable is.
		_, err := ticker.NewJob(gocron.CronJob("", false), gocron.NewTask(l.tick),
			gocron.WithCronImplementation(l.timetable), gocron.WithName(l.job.Name))
		if err != nil {
			stop()
			return nil, fmt.Errorf("schedule %s: %w", l.job.Name, err)
		}
	}
	ticker.Start()
	s.beats(pulse)
	return stop, nil
}

func (s *Scheduler) beats(p *pulse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulse = p
}

// timetable is when a job ticks. It is gocron's Cron.
type timetable struct {
	schedule crontab.Schedule
	location *time.Location
}

func (t timetable) next(after time.Time) time.Time { return t.schedule.Next(after, t.location) }

// IsValid tells gocron that there is a next tick. Without one it would look for it for ever.
func (t timetable) IsValid(_ string, _ *time.Location, now time.Time) error {
	if t.next(now).IsZero() {
		return errors.New("no tick within five years")
	}
	return nil
}

// Next is in UTC, since gocron skips a tick whose clock face is that of the one before: it takes an hour that
// comes twice for a mistake.
func (t timetable) Next(lastRun time.Time) time.Time { return t.next(lastRun).UTC() }

// lane is a job's own goroutine: its runs follow each other there.
type lane struct {
	job       Job
	timetable timetable
	ticks     chan struct{} // unbuffered: a tick is taken at once, or dropped
	logger    *slog.Logger
}

func (l *lane) work(ctx context.Context) {
	for ctx.Err() == nil {
		l.job.Run(ctx)
		select {
		case <-ctx.Done():
		case <-l.ticks:
		}
	}
}

func (l *lane) tick() {
	select {
	case l.ticks <- struct{}{}:
	default:
		l.logger.Debug("still running: tick dropped", "job", l.job.Name)
	}
}

// gocronLogger keeps what gocron says of its own course off the info level.
type gocronLogger struct{ *slog.Logger }

func (g gocronLogger) Info(msg string, args ...any) { g.Debug(msg, args...) }
