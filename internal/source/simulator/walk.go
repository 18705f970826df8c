package simulator

import (
	"math"
	"sync"
)

// each hands the rows of the query's page to yield, in the order asked for, each as it is at q.now. The
// overlay must not change meanwhile.
func (q *query) each(indexes *indexes, yield func(*row)) {
	if q.limit == 0 {
		return
	}
	p := &pager{query: q, skip: q.skip, left: q.limit, yield: yield}
	if q.byStart() {
		q.walk(p)
		return
	}
	indexes.of(q).scan(p)
}

// byStart reports whether the rows are asked for in the order in which they are computed.
func (q *query) byStart() bool {
	return q.sort != nil && q.shuffle == 0 && len(q.filters) == 0 &&
		(q.sort.ID == q.stream.TimeField || q.sort.CopyOf == q.stream.TimeField)
}

// pager counts the rows before a page and in it.
type pager struct {
	query *query
	skip  int
	left  int
	yield func(*row)
}

// take counts a row and hands it on when it lies in the page. It reports whether there is more to take.
func (p *pager) take(r *row) (more bool) {
	times := 1
	if p.query.twice && isAltered(r.id) {
		times = 2
	}
	for range times {
		if p.skip > 0 {
			p.skip--
			continue
		}
		p.yield(r)
		if p.left--; p.left == 0 {
			return false
		}
	}
	return true
}

// walk takes the rows in order of start time, bucket by bucket. What lies before the page is passed over by
// counts alone where it can be.
func (q *query) walk(p *pager) {
	first, last := q.buckets()
	step := int32(1)
	if q.desc {
		first, last, step = last, first, -1
	}
	var rows []row
	for bucket := first; (last-bucket)*step >= 0; bucket += step {
		if p.skip > 0 && q.passDay(bucket, p) {
			bucket += step * (dayBuckets - 1)
			continue
		}
		if p.skip > 0 && q.pass(bucket, p) {
			continue
		}
		rows = q.seen(bucket, rows[:0])
		for i := range rows {
			if !p.take(&rows[i]) {
				return
			}
		}
	}
}

// buckets are the first and the last bucket that can hold rows of the query.
func (q *query) buckets() (first, last int32) {
	o, s := &q.stream.overlay, q.stream
	earliest := o.earliest
	if s.RowsPerDay > 0 {
		earliest = min(earliest, int64(s.since)*bucketMillis)
	}
	for bucket := range s.bursts {
		earliest = min(earliest, int64(bucket)*bucketMillis)
	}
	// No computed row has arrived that starts later than now. Rounded, so that it does not move with the clock.
	latest := max(o.latest, (q.now/hourMillis+1)*hourMillis)
	from, to := max(q.from, earliest), min(q.to, latest+1)
	if from >= to {
		return 0, -1
	}
	return bucketOf(from), bucketOf(to - 1)
}

// seen appends the rows of the bucket that the query sees, in its order of start time.
func (q *query) seen(bucket int32, into []row) []row {
	kept := into
	for _, r := range q.stream.rows(bucket, into) {
		if r.start >= q.from && r.start < q.to && r.arrived*1000 <= q.now {
			r.restate(q.now)
			kept = append(kept, r)
		}
	}
	if q.desc {
		reverse(kept)
	}
	return kept
}

// restate brings a computed row to its state at now (Unix milliseconds).
func (r *row) restate(now int64) {
	if r.extra == nil {
		r.version = r.restatements(now)
	}
}

// reverse turns rows ordered by start and id into rows ordered by start downwards, and id.
func reverse(rows []row) {
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	for i := 0; i < len(rows); {
		j := i + 1
		for j < len(rows) && rows[j].start == rows[i].start {
			j++
		}
		for k, l := i, j-1; k < l; k, l = k+1, l-1 {
			rows[k], rows[l] = rows[l], rows[k]
		}
		i = j
	}
}

// pass passes over a bucket that lies before the page as a whole, if its count is known to be what is seen.
func (q *query) pass(bucket int32, p *pager) bool {
	if !q.plain(bucket, bucket) || q.stream.overlay.touches(bucket) {
		return false
	}
	n := q.stream.count(bucket)
	if n > p.skip {
		return false
	}
	p.skip -= n
	return true
}

// passDay passes over the day that the walk enters with the bucket.
func (q *query) passDay(bucket int32, p *pager) bool {
	first := bucket
	if q.desc {
		first -= dayBuckets - 1
	}
	if first != dayOf(first) || !q.plain(first, first+dayBuckets-1) || q.stream.overlay.touchesDay(first) {
		return false
	}
	n := q.stream.days.of(q.stream, first)
	if n > p.skip {
		return false
	}
	p.skip -= n
	return true
}

// plain reports whether the query sees exactly the computed rows of the buckets from first to last.
func (q *query) plain(first, last int32) bool {
	return !q.twice && int64(first)*bucketMillis >= q.from && int64(last+1)*bucketMillis <= q.to &&
		q.stream.allArrived(last, q.now)
}

// dayCounts keeps how many computed rows start in a day: one number for each day asked about.
type dayCounts struct {
	mu     sync.Mutex
	counts map[int32]int
}

// of is the count of the day that begins with the bucket first.
func (d *dayCounts) of(s *stream, first int32) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.counts[first]
	if !ok {
		for bucket := first; bucket < first+dayBuckets; bucket++ {
			n += s.count(bucket)
		}
		d.counts[first] = n
	}
	return n
}

// all hands every row of the query to yield, filtered, in order of start time, whatever its skip and limit.
func (q *query) all(yield func(*row)) {
	whole := *q
	whole.desc = false
	whole.walk(&pager{query: &whole, left: math.MaxInt, yield: func(r *row) {
		if q.filters.let(q.stream, r) {
			yield(r)
		}
	}})
}
