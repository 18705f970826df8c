package source

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// Requests of the reading that began first go first, and of one reading its first pages, whenever they came.
func TestPlacesGoByTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &places{free: 2}
		for range 2 {
			if !p.take(t.Context(), turn{9, 0}) {
				t.Fatal("a free place was not given")
			}
		}
		var mu sync.Mutex
		var went []turn
		for _, mine := range []turn{{3, 0}, {1, 20}, {2, 0}, {1, 0}, {1, 10}, {3, 10}} {
			go func() {
				if p.take(t.Context(), mine) {
					mu.Lock()
					defer mu.Unlock()
					went = append(went, mine)
				}
			}()
			synctest.Wait()
		}
		for range 6 {
			p.giveBack()
			synctest.Wait()
		}
		if !slices.Equal(went, []turn{{1, 0}, {1, 10}, {1, 20}, {2, 0}, {3, 0}, {3, 10}}) {
			t.Errorf("they went as %v", went)
		}
	})
}

// Whatever gives up while it waits, no place is lost, and no more are taken than there are.
func TestPlacesAreNotLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 4).Draw(rt, "places")
		waiters := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 30).Draw(rt, "turns")
		giveUp := rapid.SliceOfN(rapid.Bool(), len(waiters), len(waiters)).Draw(rt, "give up")
		synctest.Test(t, func(t *testing.T) {
			p := &places{free: most}
			var mu sync.Mutex
			taken := 0
			var all sync.WaitGroup
			for i, of := range waiters {
				ctx, cancel := context.WithCancel(t.Context())
				all.Go(func() {
					defer cancel()
					if !p.take(ctx, turn{reading: int64(of)}) {
						return
					}
					mu.Lock()
					if taken++; taken > most {
						t.Errorf("%d of %d places are taken", taken, most)
					}
					mu.Unlock()
					mu.Lock()
					taken--
					mu.Unlock()
					p.giveBack()
				})
				if giveUp[i] {
					all.Go(cancel)
				}
			}
			all.Wait()
			if p.free != most || len(p.waiting) != 0 {
				t.Errorf("%d of %d places are free, %d wait", p.free, most, len(p.waiting))
			}
		})
	})
}

// A long reading gives way to one that began meanwhile, once it has had its turn.
func TestLongReadingsGiveWay(t *testing.T) {
	var begun atomic.Int64
	const page = 10
	long, other := turns{begun: &begun}, turns{begun: &begun}
	first := long.of(0, page)
	second := other.of(0, page)
	again := long.of((pagesInATurn-1)*page, page)
	behind := long.of(pagesInATurn*page, page)
	if first != again || first >= second || second >= behind || other.of(5*page, page) != second {
		t.Errorf("turns %d and %d, of the other %d, behind it %d", first, again, second, behind)
	}
}
