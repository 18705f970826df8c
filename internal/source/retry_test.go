package source

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// script is a RoundTripper that gives one reply after another, and the last one for ever. A nil reply does
// not come in time.
type script struct {
	replies []func() *http.Response
	sentAt  []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Body.Close()
	s.sentAt = append(s.sentAt, time.Now())
	reply := s.replies[min(len(s.sentAt), len(s.replies))-1]
	if reply == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return reply(), nil
}

func scripted(status int, body string, header ...string) func() *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return func() *http.Response {
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	}
}

func scriptedClient(t *testing.T, o Options, replies ...func() *http.Response) (*Client, *script) {
	t.Helper()
	s := &script{replies: replies}
	o.Endpoint, o.Transport = "https://api.example/analytics/api", s
	return newClient(t, o), s
}

func TestRetriesAreBoundedByClass(t *testing.T) {
	tests := []struct {
		name     string
		reply    func() *http.Response
		class    Class
		attempts int
	}{
		{"transient", scripted(500, ""), Transient, 6},
		{"rate limited", scripted(429, ""), RateLimited, 6},
		{"malformed", scripted(200, "<html>"), Malformed, 3},
		{"GraphQL error", scripted(200, `{"errors":[{"message":"x"}]}`), Errored, 6},
		{"time-out", nil, TooHeavy, 2},
		{"gateway's time-out", scripted(504, ""), TooHeavy, 2},
		{"413", scripted(413, ""), TooHeavy, 1},
		{"too long", scripted(200, strings.Repeat(" ", 100)), TooHeavy, 1},
		{"unauthorized", scripted(401, ""), Unauthorized, 1},
		{"refused", scripted(400, ""), Refused, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := scriptedClient(t, Options{MaxAttempts: 6, MaxPageBytes: 90}, test.reply)
				page, err := c.Page(t.Context(), Query{}, 0, 10)
				var failed *Error
				if !errors.As(err, &failed) || failed.Class != test.class {
					t.Fatalf("error %v", err)
				}
				if len(s.sentAt) != test.attempts || page.Attempts != test.attempts {
					t.Errorf("%d requests, %d attempts, want %d", len(s.sentAt), page.Attempts, test.attempts)
				}
			})
		})
	}
}

func TestRetryWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat)
		c, s := scriptedClient(t, Options{MaxAttempts: 6},
			scripted(500, ""),
			scripted(503, "", "Retry-After", "7"),
			scripted(503, "", "Retry-After", date),
			scripted(429, "", "Retry-After", "86400"),
			scripted(502, "", "Retry-After", "7"),
			scripted(200, rowsReply(`{}`)),
		)
		page, err := c.Page(t.Context(), Query{}, 0, 10)
		if err != nil || len(page.Rows) != 1 || page.Attempts != 6 {
			t.Fatalf("page %+v, error %v", page, err)
		}
		waits := make([]time.Duration, 5)
		for i := range waits {
			waits[i] = s.sentAt[i+1].Sub(s.sentAt[i])
		}
		if waits[0] > 510*time.Millisecond {
			t.Errorf("wait %s after the first failure", waits[0])
		}
		if waits[1].Round(100*time.Millisecond) != 7*time.Second {
			t.Errorf("wait %s, asked for 7s", waits[1])
		}
		if got := s.sentAt[3].Sub(s.sentAt[0]); got < 20*time.Second || got > 21*time.Second {
			t.Errorf("went on after %s, asked for 20s", got)
		}
		if waits[3].Round(100*time.Millisecond) != longestPause {
			t.Errorf("wait %s, bounded by %s", waits[3], longestPause)
		}
		if waits[4] > 9*time.Second {
			t.Errorf("wait %s after the fifth failure", waits[4])
		}
	})
}

func TestLongPausesDoNotUseUpTheAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := scripted(503, "", "Retry-After", "300")
		c, _ := scriptedClient(t, Options{MaxAttempts: 6}, busy, busy, busy, busy, busy, scripted(200, rowsReply()))
		if page, err := c.Page(t.Context(), Query{}, 0, 10); err != nil || page.Attempts != 6 {
			t.Errorf("%d attempts, error %v", page.Attempts, err)
		}
	})
}

func TestRateLimitedReplyHoldsAndSlowsOtherCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := scriptedClient(t, Options{MaxAttempts: 1, RequestsPerSecond: 8},
			scripted(429, "", "Retry-After", "60"), scripted(200, rowsReply()))
		if _, err := c.Page(t.Context(), Query{}, 0, 10); err == nil {
			t.Fatal("no error")
		}
		page, err := c.Page(t.Context(), Query{}, 0, 10)
		if err != nil || page.Waited.Round(time.Second) != time.Minute {
			t.Errorf("waited %s, error %v", page.Waited, err)
		}
		if got, want := c.pace.rate(), 4+8.0/recovery; got != want {
			t.Errorf("rate %v after a 429 and a success, want %v", got, want)
		}
	})
}

func TestBackOffIsFullJitterUpToItsBound(t *testing.T) {
	for attempts, bound := range []time.Duration{1: 500 * time.Millisecond, 2: time.Second, 5: 8 * time.Second, 7: 30 * time.Second, 500: 30 * time.Second} {
		if bound == 0 {
			continue
		}
		r := &retries{most: 1000, first: 500 * time.Millisecond, made: attempts, failed: &Error{Class: Transient}}
		low, high := bound, time.Duration(0)
		for range 500 {
			wait := r.NextBackOff()
			low, high = min(low, wait), max(high, wait)
		}
		if low < 0 || low > bound/10 || high > bound || high < bound-bound/10 {
			t.Errorf("after %d attempts: %s to %s, want 0 to %s", attempts, low, high, bound)
		}
	}
}

func TestCancelEndsTheBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Options{MaxAttempts: 6}, scripted(503, "", "Retry-After", "100"))
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		began := time.Now()
		if _, err := c.Page(ctx, Query{}, 0, 10); err != cause {
			t.Errorf("error %v", err)
		}
		if len(s.sentAt) != 1 || time.Since(began) != time.Second {
			t.Errorf("%d requests in %s", len(s.sentAt), time.Since(began))
		}
	})
}

func TestPaceSpacesRequestsRetriesIncluded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scriptedClient(t, Options{RequestsPerSecond: 0.01, MaxAttempts: 3},
			scripted(500, ""), scripted(500, ""), scripted(200, rowsReply()))
		page, err := c.Page(t.Context(), Query{}, 0, 10)
		if err != nil || page.Waited < 190*time.Second || page.Waited > 200*time.Second {
			t.Fatalf("waited %s, error %v", page.Waited, err)
		}
		for i, at := range s.sentAt {
			if got := at.Sub(s.sentAt[0]).Round(time.Second); got != time.Duration(i)*100*time.Second {
				t.Errorf("request %d after %s", i, got)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Page(ctx, Query{}, 0, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no time left for the rate: error %v", err)
		}
	})
}

func TestPaceBoundsRequestsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1e9, 2, nil)
		var in atomic.Int32
		leave := make(chan struct{})
		for range 3 {
			go func() {
				if _, _, err := p.enter(t.Context(), turn{}); err != nil {
					t.Error(err)
				}
				in.Add(1)
				<-leave
				p.leave()
			}()
		}
		synctest.Wait()
		if in.Load() != 2 {
			t.Errorf("%d in flight, want 2", in.Load())
		}
		leave <- struct{}{}
		synctest.Wait()
		if in.Load() != 3 {
			t.Errorf("%d have been let in, want 3", in.Load())
		}
		close(leave)
	})
}

func TestPauseHoldsEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1e9, 4, nil)
		began := time.Now()
		p.slowDown(slot{}, time.Minute)
		time.AfterFunc(30*time.Second, func() { p.slowDown(slot{}, time.Minute) }) // longer than thought
		_, waited, err := p.enter(t.Context(), turn{})
		if err != nil || time.Since(began).Round(time.Second) != 90*time.Second || waited != time.Since(began) {
			t.Errorf("let in after %s, waited %s, error %v", time.Since(began), waited, err)
		}
		p.leave()
	})
}

func TestRateIsHalvedAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(8, 4, nil)
		send := func() slot {
			t.Helper()
			s, _, err := p.enter(t.Context(), turn{})
			if err != nil {
				t.Fatal(err)
			}
			p.leave()
			return s
		}
		expect := func(want float64) {
			t.Helper()
			if got := p.rate(); got < want-0.001 || got > want+0.001 {
				t.Errorf("rate %v, want %v", got, want)
			}
		}
		underWay := send()
		p.slowDown(send(), 0)
		expect(4)
		p.slowDown(underWay, 0) // was sent at the old rate
		expect(4)
		for range 20 {
			p.slowDown(send(), 0)
		}
		expect(8.0 / slowest)
		for range recovery / 2 {
			p.speedUp(send())
		}
		expect(4 + 8.0/slowest)
		for range recovery {
			p.speedUp(send())
		}
		expect(8)
	})
}

// rate is the requests a second that p may send next, of a budget of its own.
func (p *pace) rate() float64 {
	slots, _ := p.budget.(*ownBudget).slots.take(time.Now(), p.full, 1, p.succeeded)
	return slots.Rate * p.full
}
