package sink

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
)

const (
	// LagBuckets is how many buckets Lags has. The last one holds all that is longer.
	LagBuckets = 108
	// KeepArrivals is how long the months of exporter.arrivals are kept.
	KeepArrivals = 400 * 24 * time.Hour
	// mostLag bounds what is believed of a key: 24 hexadecimal characters need not be an ObjectId.
	mostLag = KeepArrivals
	// mostAhead is how long before its own time a row may have been made: that is no lag.
	mostAhead = 24 * time.Hour
)

// Lags counts rows by their arrival lag: how long after its own time a row was made in the source. Its buckets are a
// quarter of a power of two of seconds wide, so lags are known to a quarter. The zero Lags has no rows.
type Lags struct {
	Rows    [LagBuckets]int64
	Largest time.Duration // exact, to the second
}

// LagBucket is the bucket of a lag; one of less than nothing is none.
func LagBucket(lag time.Duration) int {
	seconds := uint64(max(0, lag) / time.Second)
	if seconds < 4 {
		return int(seconds)
	}
	power := bits.Len64(seconds) - 1
	return min((power-1)*4+int(seconds>>(power-2)&3), LagBuckets-1)
}

// LagBucketStart is the shortest lag of a bucket.
func LagBucketStart(bucket int) time.Duration {
	if bucket < 4 {
		return time.Duration(bucket) * time.Second
	}
	return time.Duration(4+bucket%4) << (bucket/4 - 1) * time.Second
}

// Add counts rows of a bucket, of which the largest lag is given.
func (l *Lags) Add(bucket int, rows int64, largest time.Duration) {
	l.Rows[min(max(bucket, 0), LagBuckets-1)] += rows
	l.Largest = max(l.Largest, largest)
}

// Total is how many rows are counted.
func (l *Lags) Total() (rows int64) {
	for _, n := range l.Rows {
		rows += n
	}
	return rows
}

// Quantile is a lag that so large a part of the rows (0.5: half) do not exceed: the end of the bucket that holds it, so
// up to a quarter too long. Zero when no rows are counted.
func (l *Lags) Quantile(part float64) time.Duration {
	left := int64(part * float64(l.Total()))
	for bucket, n := range l.Rows {
		if left -= n; left < 0 {
			if bucket == LagBuckets-1 {
				break
			}
			return min(LagBucketStart(bucket+1)-time.Second, l.Largest)
		}
	}
	return l.Largest
}

// Later is how many rows at least came later than so long after their time.
func (l *Lags) Later(than time.Duration) (rows int64) {
	for bucket, n := range l.Rows {
		if LagBucketStart(bucket) > than {
			rows += n
		}
	}
	if rows == 0 && l.Largest > than {
		return 1
	}
	return rows
}

// Arrivals counts the rows of a commit that are new in their table, by the month (UTC) in which they were made in the
// source and by their arrival lag. A row whose key is no ObjectId, or that has no time, is not counted. Rows that the table
// had are not counted again, so each row is counted once, however often its window is read.
type Arrivals struct {
	Months []MonthLags // in order of time
	odd    int64       // keys that look like no ObjectId
	late   time.Duration
}

// MonthLags are the rows that were made in a month.
type MonthLags struct {
	Month time.Time // its first instant
	Lags  Lags
	// Largest are the largest lags by bucket.
	Largest [LagBuckets]time.Duration

	from, to int64 // seconds
}

// CountsArrivals reports whether rows of a table can say when they were made, and when they are from.
func CountsArrivals(t schema.Table) bool {
	at := t.ColumnIndex(t.TimeField)
	return len(t.Key) == 1 && t.Columns[t.KeyIndexes()[0]].Type == schema.Text && at >= 0 && t.Columns[at].Type == schema.Timestamptz
}

// Reset forgets all that was counted.
func (a *Arrivals) Reset() { *a = Arrivals{Months: a.Months[:0]} }

// Count counts a row by its key and its own time. It reports false, having done next to nothing, when the key is no
// ObjectId: then none of the table is.
func (a *Arrivals) Count(key string, at time.Time) bool {
	made, ok := madeAt(key)
	if !ok {
		return false
	}
	lag := time.Duration(made-at.Unix()) * time.Second
	if made-at.Unix() > int64(mostLag/time.Second) || made-at.Unix() < -int64(mostAhead/time.Second) {
		a.odd++
		return true
	}
	month, bucket := a.monthOf(made), LagBucket(lag)
	month.Lags.Add(bucket, 1, lag)
	month.Largest[bucket] = max(month.Largest[bucket], lag)
	a.late = max(a.late, lag)
	return true
}

// Settle forgets all that was counted if most keys turned out to be no ObjectIds, though they look like some.
func (a *Arrivals) Settle() {
	var rows int64
	for i := range a.Months {
		rows += a.Months[i].Lags.Total()
	}
	if a.odd >= rows {
		a.Reset()
	}
	slices.SortFunc(a.Months, func(x, y MonthLags) int { return cmp.Compare(x.from, y.from) })
}

// Each hands on what was counted, by month and bucket: how many rows, and the largest lag of them.
func (a *Arrivals) Each(visit func(month time.Time, bucket int, rows int64, largest time.Duration) error) error {
	for i := range a.Months {
		m := &a.Months[i]
		for bucket, rows := range m.Lags.Rows {
			if rows == 0 {
				continue
			}
			if err := visit(m.Month, bucket, rows, m.Largest[bucket]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Largest is the largest lag that was counted.
func (a *Arrivals) Largest() time.Duration { return a.late }

// monthOf is where the rows of a month are counted: mostly where the one before was.
func (a *Arrivals) monthOf(made int64) *MonthLags {
	for i := range a.Months {
		if m := &a.Months[len(a.Months)-1-i]; m.from <= made && made < m.to {
			return m
		}
	}
	at := time.Unix(made, 0).UTC()
	first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	a.Months = append(a.Months, MonthLags{Month: first, from: first.Unix(), to: first.AddDate(0, 1, 0).Unix()})
	return &a.Months[len(a.Months)-1]
}

// madeAt is when what has this ObjectId was made, in seconds since 1970: its first four bytes.
func madeAt(key string) (seconds int64, ok bool) {
	const length, stamp = 24, 8
	if len(key) != length {
		return 0, false
	}
	for i := range length {
		c := key[i]
		var digit byte
		switch {
		case '0' <= c && c <= '9':
			digit = c - '0'
		case 'a' <= c && c <= 'f':
			digit = c - 'a' + 10
		case 'A' <= c && c <= 'F':
			digit = c - 'A' + 10
		default:
			return 0, false
		}
		if i < stamp {
			seconds = seconds<<4 | int64(digit)
		}
	}
	return seconds, true
}

// ArrivalsSince is the first month that counts in the status at a time: the one before that of now.
func ArrivalsSince(now time.Time) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC)
}

// Catching is a re-read that would have caught rows which arrived so late: a quarter more, in whole hours, or days.
func Catching(lag time.Duration) time.Duration {
	unit := time.Hour
	if lag += lag / 4; lag > 48*time.Hour {
		unit = 24 * time.Hour
	}
	return (lag + unit - 1) / unit * unit
}
