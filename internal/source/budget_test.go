package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// crew is clients that share a budget, and when each of their requests was sent.
type crew struct {
	*testing.T
	full   float64
	budget ownBudget
	mu     sync.Mutex
	sent   map[string][]time.Time
}

func newCrew(t *testing.T, full float64) *crew {
	return &crew{T: t, full: full, sent: map[string][]time.Time{}}
}

// send sends requests as fast as it may, each of which takes some time, until ctx ends.
func (c *crew) send(ctx context.Context, name string, took time.Duration) *pace {
	p := newPace(c.full, 4, &c.budget)
	c.Cleanup(p.close)
	for range 4 {
		go func() {
			for {
				s, _, err := p.enter(ctx, turn{})
				if err != nil {
					return
				}
				c.mu.Lock()
				c.sent[name] = append(c.sent[name], time.Now())
				c.mu.Unlock()
				_ = sleep(ctx, took)
				p.speedUp(s)
				p.leave()
			}
		}()
	}
	return p
}

// slots is the budget as it is now.
func (c *crew) slots() Slots {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	return c.budget.slots
}

// between is how many requests were sent in [from, to), by one or by all ("").
func (c *crew) between(name string, from, to time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for who, times := range c.sent {
		for _, at := range times {
			if (name == "" || name == who) && !at.Before(from) && at.Before(to) {
				n++
			}
		}
	}
	return n
}

// mustKeepTheRate fails when in any stretch of time more was sent than the rate allows: as many as it has slots, and
// those that were still good for a second.
func (c *crew) mustKeepTheRate() {
	c.Helper()
	var all []time.Time
	for _, times := range c.sent {
		all = append(all, times...)
	}
	slices.SortFunc(all, time.Time.Compare)
	for i := range all {
		for j := i; j < len(all); j++ {
			if most := c.full*(all[j].Sub(all[i])+late+soon).Seconds() + 1; float64(j-i+1) > most {
				c.Fatalf("%d requests within %s, want at most %.1f", j-i+1, all[j].Sub(all[i]), most)
			}
		}
	}
}

// Any number of clients, fast and slow ones, that come and go: together they never send more than the rate allows.
func TestBudgetIsNeverOverdrawn(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				c := newCrew(t, []float64{0.3, 2, 5, 40}[random.IntN(4)])
				ctx, cancel := context.WithCancel(t.Context())
				for i := range 1 + random.IntN(6) {
					life, end := context.WithCancel(ctx)
					comes, stays := time.Duration(random.IntN(20))*time.Second, time.Duration(random.IntN(30_000))*time.Millisecond
					took := time.Duration(random.IntN(3000)) * time.Millisecond
					time.AfterFunc(comes, func() { c.send(life, fmt.Sprint(i), took) })
					time.AfterFunc(comes+stays, end)
				}
				time.Sleep(40 * time.Second)
				cancel()
				synctest.Wait()
				c.mustKeepTheRate()
			})
		})
	}
}

// Who sends all that they may get equal shares, and lose next to nothing of the rate.
func TestBudgetIsSharedAndUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 12)
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		for _, name := range []string{"a", "b", "c"} {
			c.send(ctx, name, 200*time.Millisecond)
		}
		time.Sleep(time.Minute)
		cancel()
		synctest.Wait()
		c.mustKeepTheRate()
		for name := range c.sent {
			if n := c.between(name, began, began.Add(time.Minute)); n < 4*60*8/10 {
				t.Errorf("%s sent %d requests, want about %d", name, n, 4*60)
			}
		}
		if n := c.between("", began, began.Add(time.Minute)); n < 12*60*95/100 {
			t.Errorf("%d requests, want about %d", n, 12*60)
		}
	})
}

// One whose server is slow takes no slots that it does not use: the others have them.
func TestSlowClientLeavesItsSlotsToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 40)
		ctx, cancel := context.WithCancel(t.Context())
		c.send(ctx, "slow", 2*time.Second) // at most 2 a second
		c.send(ctx, "fast", 10*time.Millisecond)
		time.Sleep(10 * time.Second) // until both have found their pace
		from := time.Now()
		time.Sleep(time.Minute)
		cancel()
		synctest.Wait()
		if n := c.between("fast", from, from.Add(time.Minute)); n < 60*40*80/100 {
			t.Errorf("the fast one sent %d requests of %d", n, 60*40)
		}
	})
}

// Within two seconds of the death of a client the others have all of the rate.
func TestSlotsOfADeadClientComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 10)
		ctx, cancel := context.WithCancel(t.Context())
		doomed, kill := context.WithCancel(ctx)
		c.send(doomed, "doomed", time.Millisecond)
		c.send(ctx, "other", time.Millisecond)
		time.Sleep(20 * time.Second)
		kill()
		time.Sleep(2 * time.Second) // it had at most two batches in hand, and was taking a third
		from := time.Now()
		time.Sleep(10 * time.Second)
		cancel()
		synctest.Wait()
		if n := c.between("other", from, from.Add(10*time.Second)); n < 95 {
			t.Errorf("%d requests in ten seconds, want 100", n)
		}
	})
}

// A 429 that one of them meets slows all of them down, and its Retry-After holds all of them.
func TestOneMeetsALimitAndAllKeepIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 16)
		ctx, cancel := context.WithCancel(t.Context())
		one := c.send(ctx, "one", time.Second)
		c.send(ctx, "two", time.Second)
		c.send(ctx, "three", time.Second)
		time.Sleep(10 * time.Second)
		s, _, err := one.enter(ctx, turn{})
		if err != nil {
			t.Fatal(err)
		}
		one.slowDown(s, time.Minute)
		one.leave()
		limited := time.Now()
		time.Sleep(61 * time.Second)
		// The slots that the others had in hand, and those that they were taking.
		known := limited.Add(2 * time.Second)
		if n := c.between("one", limited, limited.Add(time.Minute)); n != 0 {
			t.Errorf("it sent %d requests in the pause that it was told of", n)
		}
		if n := c.between("", known, limited.Add(time.Minute)); n != 0 {
			t.Errorf("%d requests in the pause", n)
		}
		if got := c.slots(); got.Lowered != 1 || got.Rate < 0.5 || got.Rate > 0.7 {
			t.Errorf("%+v: the rate must be half, and on its way up", got)
		}
		time.Sleep(time.Minute)
		if got := c.slots().Rate; got != 1 {
			t.Errorf("a minute later the rate is %v of the full one", got)
		}
		cancel()
		synctest.Wait()
		c.mustKeepTheRate()
	})
}

// lostBudget is a budget that can be out of reach.
type lostBudget struct {
	ownBudget
	lost atomic.Bool
}

var errLost = errors.New("lost")

func (b *lostBudget) Take(ctx context.Context, take func(time.Time, Slots) Slots) error {
	if b.lost.Load() {
		return errLost
	}
	return b.ownBudget.Take(ctx, take)
}

// Who is cut off from the budget sends no more than the slots that it has in hand, and goes on when it is back.
func TestCutOffFromTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := &lostBudget{}
		c, s := scriptedClient(t, Options{RequestsPerSecond: 10, Budget: budget}, scripted(200, rowsReply()))
		page := func() error {
			_, err := c.Page(t.Context(), Query{}, 0, 10)
			return err
		}
		for range 50 {
			if err := page(); err != nil {
				t.Fatal(err)
			}
		}
		budget.lost.Store(true)
		sent := len(s.sentAt)
		var err error
		for err == nil {
			err = page()
		}
		if more := len(s.sentAt) - sent; !errors.Is(err, errLost) || more > 20 {
			t.Errorf("%d more requests, then: %v", more, err)
		}
		budget.lost.Store(false)
		if err := page(); err != nil {
			t.Error(err)
		}
	})
}

func TestSlots(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	t.Run("a lowered rate that nobody used is forgiven", func(t *testing.T) {
		s := Slots{}.slowDown(now, 5, 0, 0)
		if s.Rate != 0.5 {
			t.Fatalf("%+v", s)
		}
		if s, _ := s.take(now.Add(forgiven+time.Second), 5, 1, 0); s.Rate != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a clock that was ahead holds nobody up", func(t *testing.T) {
		ahead, _ := Slots{}.take(now.Add(time.Hour), 5, 1, 0)
		if _, g := ahead.take(now, 5, 1, 0); g.wait != 0 {
			t.Errorf("waits %s", g.wait)
		}
	})
	t.Run("the longest pause is kept", func(t *testing.T) {
		s := Slots{}.slowDown(now, 5, 0, longestPause)
		if _, g := s.take(now, 5, 1, 0); g.wait != longestPause {
			t.Errorf("waits %s", g.wait)
		}
	})
	t.Run("no two share a slot", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			var s Slots
			at, last := now, now.Add(-time.Hour)
			for range rapid.IntRange(1, 50).Draw(t, "steps") {
				at = at.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "later")))
				full := rapid.SampledFrom([]float64{0.5, 3, 7, 100}).Draw(t, "full")
				if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
					s = s.slowDown(at, full, s.Lowered, time.Duration(rapid.IntRange(0, 5).Draw(t, "pause"))*time.Second)
					continue
				}
				before := s.Next
				var g grant
				s, g = s.take(at, full, rapid.IntRange(1, 200).Draw(t, "n"), rapid.IntRange(0, 9).Draw(t, "succeeded"))
				first := at.Add(g.wait)
				if first.Before(before) || !first.After(last) || g.n < 1 || g.every < every(full) || g.wait < 0 {
					t.Fatalf("%+v from %s, after %s", g, first, last)
				}
				last = first.Add(time.Duration(g.n-1) * g.every)
			}
		})
	})
}
