package sink_test

import (
	"fmt"
	"testing"
	"time"

	"samespace-exporter/internal/sink"
)

func TestLagBuckets(t *testing.T) {
	last := -1
	for seconds := int64(0); seconds < 1<<29; seconds += 1 + seconds/50 {
		lag := time.Duration(seconds) * time.Second
		bucket := sink.LagBucket(lag)
		start := sink.LagBucketStart(bucket)
		switch {
		case bucket < last || bucket > last+1:
			t.Fatalf("%s is in bucket %d, and what is shorter in %d", lag, bucket, last)
		case start > lag:
			t.Fatalf("%s is in bucket %d, which begins at %s", lag, bucket, start)
		case bucket < sink.LagBuckets-1 && sink.LagBucketStart(bucket+1) <= lag:
			t.Fatalf("%s is in bucket %d, though the next one begins at %s", lag, bucket, sink.LagBucketStart(bucket+1))
		case seconds > 0 && bucket < sink.LagBuckets-1 && float64(sink.LagBucketStart(bucket+1)-start) > max(1e9, 0.25*float64(start)):
			t.Fatalf("bucket %d is too wide", bucket)
		}
		last = bucket
	}
	if last != sink.LagBuckets-1 || sink.LagBucket(-time.Hour) != 0 {
		t.Errorf("the last bucket is %d", last)
	}
}

func TestLags(t *testing.T) {
	var l sink.Lags
	if l.Quantile(0.5) != 0 || l.Later(0) != 0 {
		t.Error("no rows have lags")
	}
	add := func(lag time.Duration, rows int64) { l.Add(sink.LagBucket(lag), rows, lag) }
	add(100*time.Second, 97)
	add(time.Hour, 2)
	add(10*time.Hour, 1)
	for part, exact := range map[float64]time.Duration{0.5: 100 * time.Second, 0.98: time.Hour, 0.99: 10 * time.Hour, 1: 10 * time.Hour} {
		if got := l.Quantile(part); got < exact || got > exact*5/4 {
			t.Errorf("%g of the rows within %s, want %s", part, got, exact)
		}
	}
	for than, rows := range map[time.Duration]int64{0: 100, 30 * time.Minute: 3, 2 * time.Hour: 1, 10*time.Hour - time.Second: 1, 10 * time.Hour: 0} {
		if got := l.Later(than); got != rows {
			t.Errorf("%d rows later than %s, want %d", got, than, rows)
		}
	}
}

func TestArrivals(t *testing.T) {
	at := time.Date(2026, 3, 31, 23, 0, 0, 0, time.UTC)
	id := func(made time.Time) string { return fmt.Sprintf("%08X%016x", made.Unix(), 0xabcdef) }
	var a sink.Arrivals
	for _, lag := range []time.Duration{time.Minute, -time.Minute, 2 * time.Hour} {
		if !a.Count(id(at.Add(lag)), at) {
			t.Fatal("it is an ObjectId")
		}
	}
	a.Settle()
	if len(a.Months) != 2 || a.Months[0].Month.Month() != time.March || a.Months[0].Lags.Total() != 2 || a.Months[1].Lags.Largest != 2*time.Hour || a.Largest() != 2*time.Hour {
		t.Errorf("%+v", a)
	}
	for _, key := range []string{"", "call-1", "0123456789abcdef0123456", "0123456789abcdef0123456g"} {
		if a.Count(key, at) {
			t.Errorf("%q is an ObjectId", key)
		}
	}
	// Keys that look like ObjectIds, and are none.
	a.Reset()
	a.Count(id(at.AddDate(-20, 0, 0)), at)
	a.Count(id(at.AddDate(20, 0, 0)), at)
	a.Count(id(at), at)
	if a.Settle(); len(a.Months) != 0 {
		t.Errorf("%+v", a)
	}
	a.Count(id(at), at)
	key := id(at.Add(time.Minute))
	if n := testing.AllocsPerRun(100, func() { a.Count(key, at); a.Count("call-1", at) }); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}

func TestCatching(t *testing.T) {
	for lag, reread := range map[time.Duration]time.Duration{
		time.Minute: time.Hour, 9 * time.Hour: 12 * time.Hour, 5 * 24 * time.Hour: 7 * 24 * time.Hour,
	} {
		if got := sink.Catching(lag); got != reread {
			t.Errorf("%s: %s, want %s", lag, got, reread)
		}
	}
}
