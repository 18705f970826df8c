package export_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// unsteady is a replica's way to its warehouse: it may be cut for some calls, lose the answer of a commit that was
// made, or be gone for good, as when the process is killed.
type unsteady struct {
	warehouse

	// onBegin, when set, is told of backfills.
	onBegin func(run sink.Run, goesOn bool)

	mu     sync.Mutex
	killed bool
	cut    int
	losing bool
	ready  bool // the dataset was prepared
}

var errKilled = errors.New("this process was killed")

func (u *unsteady) kill() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.killed = true
}

func (u *unsteady) dead() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.killed
}

// cutOff lets the next calls fail.
func (u *unsteady) cutOff(calls int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cut = calls
}

// loseAnswer lets the next commit succeed without its caller's knowing.
func (u *unsteady) loseAnswer() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.losing = true
}

// prepared reports whether the dataset was prepared.
func (u *unsteady) prepared() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ready
}

func (u *unsteady) recover() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cut, u.losing = 0, false
}

// way is why a call does not come through.
func (u *unsteady) way() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.killed:
		return errKilled
	case u.cut > 0:
		u.cut--
		return &sink.UnavailableError{Hint: "wait", Err: errors.New("cut off")}
	}
	return nil
}

func (u *unsteady) Prepare(ctx context.Context, d sink.Dataset) (sink.Prepared, error) {
	if err := u.way(); err != nil {
		return sink.Prepared{}, err
	}
	prepared, err := u.warehouse.Prepare(ctx, d)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ready = err == nil
	return prepared, err
}

func (u *unsteady) Plan(ctx context.Context, dataset string, within window.Window, now time.Time, cut func(window.Window) []window.Window) (int, error) {
	if err := u.way(); err != nil {
		return 0, err
	}
	return u.warehouse.Plan(ctx, dataset, within, now, cut)
}

func (u *unsteady) Claim(ctx context.Context, r sink.ClaimRequest) (sink.Lease, bool, error) {
	if err := u.way(); err != nil {
		return sink.Lease{}, false, err
	}
	return u.warehouse.Claim(ctx, r)
}

func (u *unsteady) Renew(ctx context.Context, l sink.Lease) error {
	if err := u.way(); err != nil {
		return err
	}
	return u.warehouse.Renew(ctx, l)
}

func (u *unsteady) Fail(ctx context.Context, l sink.Lease, f sink.Failure) error {
	if err := u.way(); err != nil {
		return err
	}
	return u.warehouse.Fail(ctx, l, f)
}

func (u *unsteady) Release(ctx context.Context, l sink.Lease) error {
	if err := u.way(); err != nil {
		return err
	}
	return u.warehouse.Release(ctx, l)
}

func (u *unsteady) Held(ctx context.Context, dataset string, now, edge time.Time) (time.Duration, bool, error) {
	if err := u.way(); err != nil {
		return 0, false, err
	}
	return u.warehouse.Held(ctx, dataset, now, edge)
}

func (u *unsteady) Commit(ctx context.Context, b sink.Batch) (sink.Counts, error) {
	if err := u.way(); err != nil {
		return sink.Counts{}, err
	}
	counts, err := u.warehouse.Commit(ctx, b)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.losing && err == nil {
		u.losing = false
		return sink.Counts{}, &sink.UnavailableError{Hint: "wait", Err: errors.New("the answer was lost")}
	}
	return counts, err
}

func (u *unsteady) BeginRun(ctx context.Context, r sink.Run) (sink.RunID, error) {
	if err := u.way(); err != nil {
		return 0, err
	}
	return u.warehouse.BeginRun(ctx, r)
}

func (u *unsteady) EndRun(ctx context.Context, r sink.Run) error {
	if err := u.way(); err != nil {
		return err
	}
	return u.warehouse.EndRun(ctx, r)
}

func (u *unsteady) BeginBackfill(ctx context.Context, r sink.BackfillRequest) (sink.Run, bool, error) {
	if err := u.way(); err != nil {
		return sink.Run{}, false, err
	}
	run, goesOn, err := u.warehouse.BeginBackfill(ctx, r)
	if u.onBegin != nil && err == nil {
		u.onBegin(run, goesOn)
	}
	return run, goesOn, err
}

func (u *unsteady) Remaining(ctx context.Context, run sink.Run) (sink.Remaining, error) {
	if err := u.way(); err != nil {
		return sink.Remaining{}, err
	}
	return u.warehouse.Remaining(ctx, run)
}
