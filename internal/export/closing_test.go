package export

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// What is written when work is over has all the time that it takes, but for a pass that was cancelled.
func TestClosingLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		writing, done := closing(ctx)
		defer done()
		time.Sleep(time.Hour)
		if writing.Err() != nil {
			t.Fatal("ended though nobody cancelled the pass")
		}
		cancel()
		time.Sleep(settleTimeout - time.Millisecond)
		synctest.Wait()
		if writing.Err() != nil {
			t.Fatal("ended with the pass")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if writing.Err() == nil {
			t.Fatal("goes on long after the pass was cancelled")
		}
	})
}
