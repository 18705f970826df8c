package sinktest

import (
	"context"
	"errors"
	"testing"
	"time"

	"samespace-exporter/internal/sink"
)

func leaseTests() []exercise {
	return []exercise{
		{"holds others off until it ends", testLeaseExclusive},
		{"renewed", testLeaseRenewed},
		{"says how long it lasts", testLeaseHeld},
		{"a later epoch each time", testLeaseEpoch},
		{"lost when taken over", testLeaseTakenOver},
		{"lost in part when taken over in part", testLeaseTakenOverInPart},
		{"lost when its window is gone", testLeaseWindowGone},
		{"ended but not taken over still commits", testLeaseEnded},
		{"failed", testLeaseFailed},
		{"released", testLeaseReleased},
		{"released after a takeover that died", testLeaseReleasedTwice},
	}
}

func testLeaseExclusive(b bench) {
	b.planned(0, 3)
	r := anything(3)
	b.claim(r)
	b.nothingDue(r)
	r.Owner = "second"
	l, ok, err := b.Second().Claim(b.t.Context(), r)
	b.noError(err)
	if ok {
		b.t.Fatalf("claimed %s beside a lease", starts(l.Entries))
	}
	b.expireLeases()
	l = b.claim(r)
	equal(b, "taken over", starts(l.Entries), "00 01 02")
	equal(b, "owner", b.column(`SELECT DISTINCT lease_owner FROM `+b.Own("windows")), "second")
}

func testLeaseRenewed(b bench) {
	b.planned(0, 2)
	l := b.claim(anything(3))
	b.expireLeases()
	b.noError(b.Renew(b.t.Context(), l))
	b.nothingDue(anything(3))
	b.commit(read(l, clock(3, 0), clock(3, 0)))
	b.noError(b.Renew(b.t.Context(), l))
	equal(b, "a window that is done is not leased again", b.due(clock(3, 0), clock(3, 0)), true)
}

func testLeaseHeld(b bench) {
	b.planned(0, 3)
	held := func(what string, now, edge time.Time, want bool) time.Duration {
		b.t.Helper()
		left, ok, err := b.Second().Held(b.t.Context(), calls, now, edge)
		b.noError(err)
		equal(b, what, ok, want)
		return left
	}
	held("before a claim", clock(3, 0), clock(3, 0), false)
	l := b.claim(within(hours(1, 3)))
	if left := held("under a lease of an hour", clock(3, 0), clock(3, 0), true); left > l.TTL || left < l.TTL-time.Minute {
		b.t.Errorf("a lease of %s lasts %s", l.TTL, left)
	}
	held("before they are due", clock(0, 0).Add(-time.Hour), clock(3, 0), false)
	held("behind the edge", clock(3, 0), clock(1, 0), false)
	b.expireLeases()
	if left := held("once it has ended", clock(3, 0), clock(3, 0), true); left > 0 {
		b.t.Errorf("a lease that has ended lasts %s", left)
	}
	b.noError(b.Renew(b.t.Context(), l))
	b.commit(read(l, clock(3, 0), clock(9, 0)))
	held("once they are read", clock(9, 0), clock(9, 0), false)
}

func testLeaseEpoch(b bench) {
	b.planned(0, 2)
	one := anything(3)
	one.Fit = func([]sink.Entry, []sink.Entry) int { return 1 }
	first, second := b.claim(one), b.claim(one)
	b.expireLeases()
	third := b.claim(anything(3))
	if first.Epoch <= 0 || second.Epoch <= first.Epoch || third.Epoch <= second.Epoch {
		b.t.Errorf("epochs %d, %d, %d do not rise", first.Epoch, second.Epoch, third.Epoch)
	}
}

// allLost tries every write with a lease that was taken over.
func (b bench) allLost(l sink.Lease) {
	b.t.Helper()
	ctx := b.t.Context()
	before := b.everything()
	batch := read(l, clock(9, 0), clock(9, 0), call("a", clock(0, 1), "Asha", 1))
	batch.Rejects = []sink.Reject{{WindowStart: clock(0, 0), WindowEnd: clock(1, 0), Raw: "{}", Reason: "bad"}}
	run, err := b.BeginRun(ctx, sink.Run{Dataset: calls, Kind: sink.RunOnce, StartedAt: clock(9, 0)})
	b.noError(err)
	batch.Run = run
	_, commit := b.Commit(ctx, batch)
	for name, err := range map[string]error{
		"commit": commit, "renew": b.Renew(ctx, l), "release": b.Release(ctx, l),
		"fail": b.Fail(ctx, l, sink.Failure{Error: "x", NextReadAt: clock(9, 0)}),
	} {
		if !errors.Is(err, sink.ErrLeaseLost) {
			b.t.Errorf("%s: %v, want that the lease is lost", name, err)
		}
	}
	equal(b, "what the warehouse holds", b.everything(), before)
	equal(b, "windows of the run", b.cell(`SELECT sum(windows) FROM `+b.Own("runs")), "0")
}

// everything is all that a commit writes to, as one text.
func (b bench) everything() string {
	b.t.Helper()
	var all string
	for _, from := range []string{
		`start_at || state || attempts || epoch || COALESCE(lease_owner, '-') || COALESCE(CAST(lease_until AS text), '-')
			|| COALESCE(CAST(read_to AS text), '-') || COALESCE(CAST(next_read_at AS text), '-') FROM ` + b.Own("windows") + ` ORDER BY start_at`,
		`CAST(raw AS text) FROM ` + b.Own("rejects") + ` ORDER BY 1`,
		`call_id || agent || seconds || CAST(_exported_at AS text) FROM ` + b.Table(calls) + ` ORDER BY call_id`,
	} {
		all += b.column(`SELECT `+from) + "\n"
	}
	return all
}

func testLeaseTakenOver(b bench) {
	b.planned(0, 2)
	lost := b.claim(anything(3))
	b.expireLeases()
	held := b.claim(anything(3))
	b.allLost(lost)
	b.noError(b.Renew(b.t.Context(), held))
	b.commit(read(held, clock(3, 0), clock(4, 0)))
	b.allLostAgain(lost)
}

// allLostAgain: once the one who took over is done, the old lease is still lost.
func (b bench) allLostAgain(l sink.Lease) {
	b.t.Helper()
	if err := b.Renew(b.t.Context(), l); !errors.Is(err, sink.ErrLeaseLost) {
		b.t.Errorf("renew: %v, want that the lease is lost", err)
	}
	if _, err := b.Commit(b.t.Context(), read(l, clock(9, 0), clock(9, 0))); !errors.Is(err, sink.ErrLeaseLost) {
		b.t.Errorf("commit: %v, want that the lease is lost", err)
	}
}

func testLeaseTakenOverInPart(b bench) {
	b.planned(0, 3)
	lost := b.claim(anything(3))
	b.expireLeases()
	other := b.claim(within(hours(1, 2)))
	b.allLost(lost)
	before := read(lost, clock(9, 0), clock(9, 0), call("a", clock(0, 1), "Asha", 1))
	before.Readings = before.Readings[:1] // of a window that nobody else has
	b.commit(before)
	equal(b, "readings of the window", b.entry(0).Reads, 1)
	b.commit(read(other, clock(9, 0), clock(9, 0)))
}

func testLeaseWindowGone(b bench) {
	b.planned(0, 2)
	l := b.claim(anything(3))
	b.query(`DELETE FROM ` + b.Own("windows") + ` WHERE start_at = '2026-03-02T01:00:00.000000Z'`)
	b.allLost(l)
}

func testLeaseEnded(b bench) {
	b.planned(0, 2)
	l := b.claim(anything(3))
	b.expireLeases()
	b.commit(read(l, clock(3, 0), time.Time{}))
	equal(b, "state", b.entry(1).State, sink.StateFinal)
	equal(b, "leases", b.cell(`SELECT count(lease_until) + count(lease_owner) FROM `+b.Own("windows")), "0")
}

func testLeaseFailed(b bench) {
	b.planned(0, 2)
	b.settled(hours(0, 1), clock(3, 0))
	l := b.claim(anything(3))
	done := read(l, clock(3, 0), clock(5, 0))
	done.Readings = done.Readings[:1]
	b.commit(done)
	b.noError(b.Fail(b.t.Context(), l, sink.Failure{Error: "status 503", NextReadAt: clock(4, 0)}))
	equal(b, "a window that is done", b.entry(0).State, sink.StateRead)
	equal(b, "the other", b.entry(1), sink.Entry{
		Window: hours(1, 2), State: sink.StateFailed, Attempts: 1, Error: "status 503", NextReadAt: clock(4, 0),
	})
	equal(b, "leases", b.cell(`SELECT count(lease_until) FROM `+b.Own("windows")), "0")
}

func testLeaseReleased(b bench) {
	b.planned(0, 3)
	b.settled(hours(0, 1), clock(2, 0))
	b.noError(b.Fail(b.t.Context(), b.claim(within(hours(1, 2))), sink.Failure{Error: "x", NextReadAt: clock(2, 0)}))
	before := b.ledger()
	l := b.claim(anything(3))
	b.noError(b.Release(b.t.Context(), l))
	for i, e := range b.ledger() {
		equal(b, "entry", e, before[i])
	}
	equal(b, "due at once", starts(b.claim(anything(3)).Entries), "00 01 02")
}

func testLeaseReleasedTwice(b bench) {
	b.planned(0, 1)
	b.claim(anything(3))
	b.expireLeases()
	l := b.claim(anything(3))
	equal(b, "state as it was", l.Entries[0].State, sink.StateRunning)
	b.noError(b.Release(b.t.Context(), l))
	equal(b, "state", b.entry(0).State, sink.StateDue)
	equal(b, "due at once", b.due(clock(3, 0), clock(3, 0)), true)
}

// cancelled is a context that has ended.
func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
