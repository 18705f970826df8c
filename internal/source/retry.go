package source

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	longestDelay = 30 * time.Second
	longestPause = 5 * time.Minute // of what a server may ask for by Retry-After
	triesHeavy   = 2               // a request that timed out is better made smaller than sent again
	triesOdd     = 3               // a proxy's error page may go away; a server that speaks another protocol will not
)

// retries says whether and when a failed request is sent again: it is the backoff.BackOff of one request.
type retries struct {
	most   int           // attempts
	first  time.Duration // the longest wait before the second attempt
	made   int           // attempts
	failed error         // the last attempt's
}

// NextBackOff is the wait before the next attempt: what the server asked for, else a random time up to a
// bound that doubles (full jitter, so that requests that failed together do not come back together).
func (r *retries) NextBackOff() time.Duration {
	var failed *Error
	if !errors.As(r.failed, &failed) || r.made >= worthTrying(failed, r.most) {
		return backoff.Stop
	}
	if failed.RetryAfter > 0 {
		return failed.RetryAfter
	}
	return rand.N(longestWait(r.first, r.made) + 1)
}

// Reset is called once, before the first attempt.
func (r *retries) Reset() {}

// longestWait is the bound of the wait after so many attempts.
func longestWait(first time.Duration, attempts int) time.Duration {
	return min(first<<min(attempts-1, 10), longestDelay)
}

// worthTrying is how often a request is sent in all that fails like this.
func worthTrying(failed *Error, most int) int {
	switch failed.Class {
	case Unauthorized, Refused:
		return 1
	case TooHeavy:
		if failed.Overlong() {
			return 1
		}
		return min(triesHeavy, most)
	case Malformed:
		return min(triesOdd, most)
	}
	return most
}

// retryAfter reads the header of that name: seconds or an HTTP date. Zero when there is none.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), longestPause)
}
