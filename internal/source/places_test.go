package source

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// Requests of the reading that began first go first, whenever they came.
func TestPlacesGoByTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &places{free: 2}
		for range 2 {
			if !p.take(t.Context(), 9) {
				t.Fatal("a free place was not given")
			}
		}
		var mu sync.Mutex
		var went []int64
		for _, turn := range []int64{3, 1, 2, 1, 3} {
			go func() {
				if p.take(t.Context(), turn) {
					mu.Lock()
					defer mu.Unlock()
					went = append(went, turn)
				}
			}()
			synctest.Wait()
		}
		for range 5 {
			p.giveBack()
			synctest.Wait()
		}
		if !slices.Equal(went, []int64{1, 1, 2, 3, 3}) {
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
			for i, turn := range waiters {
				ctx, cancel := context.WithCancel(t.Context())
				all.Go(func() {
					defer cancel()
					if !p.take(ctx, int64(turn)) {
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
