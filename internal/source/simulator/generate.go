package simulator

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"
)

const (
	bucketSeconds = 60
	bucketMillis  = bucketSeconds * 1000
	dayBuckets    = 24 * 60
	hourMillis    = 60 * bucketMillis

	latestArrival   = 4 * time.Hour      // after the row's end
	latestStatement = 4 * 24 * time.Hour // after the row's start
)

// objectID is a row's id: seconds of its arrival, and for a computed row its bucket, a tag of its stream and
// its place in the bucket, so that the row can be found by its id.
type objectID [12]byte

func (id objectID) String() string { return hex.EncodeToString(id[:]) }

func (id objectID) compare(other objectID) int { return slices.Compare(id[:], other[:]) }

func parseObjectID(s string) (id objectID, ok bool) {
	if len(s) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}

// row is one row of a report: a computed one, or one of the overlay (extra).
type row struct {
	id      objectID
	start   int64 // Unix milliseconds
	end     int64 // Unix milliseconds
	arrived int64 // Unix seconds: the row is served from then on
	hash    uint64
	version uint64 // how often it has been restated by the time of the query
	bucket  int32
	place   int32 // in the bucket; extra rows: -1, -2 ...
	extra   *extraRow
}

// What a row's hash is drawn upon for. Metrics use numbers from firstMetric on.
const (
	drawStart = iota
	drawLength
	drawLate
	drawDelay
	drawRestated
	drawRestatedAt
	drawRestatedAgain
	firstMetric
)

// draw is a random number of the row that depends on what it is for alone.
func (r *row) draw(what uint64) uint64 { return mix(r.hash + what) }

// below is a draw from [0, n).
func (r *row) below(what uint64, n int64) int64 { return int64(r.draw(what) % uint64(n)) }

// byStart orders rows by start time, then id.
func byStart(a, b row) int {
	return cmp.Or(cmp.Compare(a.start, b.start), a.id.compare(b.id))
}

// stream computes the rows of a report.
type stream struct {
	Report
	metrics map[string]*Metric // by id
	names   [][]byte           // `"id":` of each of Metrics
	seed    uint64
	since   int32
	mean    [7 * 24]float64 // rows of a bucket in each hour of the local week
	bursts  map[int32][]Burst
	days    dayCounts
	overlay overlay
}

func newStream(report Report, seed uint64) *stream {
	if report.Location == nil {
		report.Location = time.UTC
	}
	if report.Since.IsZero() {
		report.Since = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	s := &stream{
		Report:  report,
		metrics: make(map[string]*Metric),
		seed:    mix(seed ^ hashText(report.ID)),
		since:   bucketOf(report.Since.UnixMilli()),
		mean:    rhythm(report.RowsPerDay),
		bursts:  make(map[int32][]Burst),
		days:    dayCounts{counts: make(map[int32]int)},
		overlay: newOverlay(),
	}
	for i, metric := range report.Metrics {
		s.metrics[metric.ID] = &s.Metrics[i]
		s.names = append(s.names, []byte(`"`+metric.ID+`":`))
	}
	for _, burst := range report.Bursts {
		at := bucketOf(burst.At.UnixMilli())
		s.bursts[at] = append(s.bursts[at], burst)
	}
	return s
}

// rhythm spreads the rows of a week over its hours: busy on working days, little at night and at weekends.
func rhythm(rowsPerDay int) (mean [7 * 24]float64) {
	hours := [24]float64{
		2, 1, 1, 1, 1, 2, 4, 10, 30, 90, 120, 110, 90, 75, 100, 105, 95, 60, 30, 20, 15, 10, 6, 3,
	}
	days := [7]float64{time.Sunday: 0.15, 1.05, 1, 1, 1, 0.95, 0.35}
	var total float64
	for i := range mean {
		mean[i] = days[i/24] * hours[i%24]
		total += mean[i]
	}
	for i := range mean {
		mean[i] *= 7 * float64(rowsPerDay) / total / 60
	}
	return mean
}

// regular is how many computed rows, but for bursts, start in the bucket.
func (s *stream) regular(bucket int32) int {
	if s.RowsPerDay <= 0 || bucket < s.since {
		return 0
	}
	local := time.Unix(int64(bucket)*bucketSeconds, 0).In(s.Location)
	chance := mix(s.seed + uint64(bucket))
	// The conversions keep the compiler from fusing operations, which some machines would round otherwise.
	spread := 0.5 + float64(float64(chance>>32)/(1<<32))
	expected := float64(s.mean[int(local.Weekday())*24+local.Hour()] * spread)
	n := int(expected)
	if float64(chance&0xffffffff)/(1<<32) < expected-float64(n) {
		n++
	}
	return n
}

// count is how many computed rows start in the bucket, arrived or not.
func (s *stream) count(bucket int32) int { return s.regular(bucket) + s.burst(bucket) }

// burst is how many of them belong to bursts.
func (s *stream) burst(bucket int32) (n int) {
	for _, burst := range s.bursts[bucket] {
		n += burst.Rows
	}
	return n
}

// rows appends all rows that start in the bucket, ordered by start: the computed ones that nobody removed,
// and those of the overlay.
func (s *stream) rows(bucket int32, into []row) []row {
	regular, first := s.regular(bucket), len(into)
	for place := range int32(regular + s.burst(bucket)) {
		if !s.overlay.isRemoved(bucket, place) {
			into = append(into, s.row(bucket, place, regular))
		}
	}
	for i := range s.overlay.rows[bucket] {
		into = append(into, s.extra(bucket, int32(-1-i)))
	}
	slices.SortFunc(into[first:], byStart)
	return into
}

// at is the row at a place of a bucket; extra rows have the places -1, -2 ...
func (s *stream) at(bucket, place int32, regular int) row {
	if place < 0 {
		return s.extra(bucket, place)
	}
	return s.row(bucket, place, regular)
}

func (s *stream) extra(bucket, place int32) row {
	r := s.overlay.rows[bucket][-1-place].row
	r.place = place
	return r
}

// row computes the row at a place of a bucket that holds so many regular rows.
func (s *stream) row(bucket, place int32, regular int) row {
	r := row{bucket: bucket, place: place}
	r.hash = mix(s.seed ^ mix(uint64(bucket)<<32|uint64(place)))
	r.start = s.start(&r, regular)
	r.end = r.start + s.lasts(&r).Milliseconds()
	r.arrived = r.end/1000 + r.delay()

	binary.BigEndian.PutUint32(r.id[0:], uint32(r.arrived))
	binary.BigEndian.PutUint16(r.id[4:], uint16(r.arrived/bucketSeconds-int64(bucket))^uint16(s.seed))
	tag := s.tag()
	copy(r.id[6:], tag[:])
	r.id[9], r.id[10], r.id[11] = byte(place>>16), byte(place>>8), byte(place)
	return r
}

// start places regular rows evenly, one in each part of the bucket, and bursts in their second.
func (s *stream) start(r *row, regular int) int64 {
	begin, place := int64(r.bucket)*bucketMillis, int64(r.place)
	if place < int64(regular) {
		return begin + (place*bucketMillis+r.below(drawStart, bucketMillis))/int64(regular)
	}
	place -= int64(regular)
	for _, burst := range s.bursts[r.bucket] {
		if place < int64(burst.Rows) {
			return burst.At.Unix()*1000 + place*1000/int64(burst.Rows)
		}
		place -= int64(burst.Rows)
	}
	return begin
}

// delay is how many seconds after its end a row arrives.
func (r *row) delay() int64 {
	if r.below(drawLate, 100) < 4 {
		return 3600 + r.below(drawDelay, int64(latestArrival/time.Second)-3600)
	}
	return 5 + r.below(drawDelay, 240)
}

// restatements is how often the row has been restated by now (Unix milliseconds).
func (r *row) restatements(now int64) (n uint64) {
	chance := r.below(drawRestated, 1000)
	if chance >= 125 {
		return 0
	}
	arrived := r.arrived * 1000
	left := r.start + latestStatement.Milliseconds() - arrived
	if arrived+r.below(drawRestatedAt, left) < now {
		n++
	}
	if chance < 25 && arrived+r.below(drawRestatedAgain, left) < now {
		n++
	}
	return n
}

// tag tells the ids of one stream from those of others.
func (s *stream) tag() [3]byte {
	return [3]byte{byte(s.seed >> 16), byte(s.seed >> 24), byte(s.seed >> 32)}
}

// find is the computed row with that id.
func (s *stream) find(id objectID) (row, bool) {
	arrived := int64(binary.BigEndian.Uint32(id[0:]))
	bucket := int32(arrived/bucketSeconds - int64(binary.BigEndian.Uint16(id[4:])^uint16(s.seed)))
	place := int32(id[9])<<16 | int32(id[10])<<8 | int32(id[11])
	if int(place) >= s.count(bucket) {
		return row{}, false
	}
	r := s.row(bucket, place, s.regular(bucket))
	return r, r.id == id
}

// allArrived reports whether every computed row of the bucket is there by now (Unix milliseconds).
func (s *stream) allArrived(bucket int32, now int64) bool {
	return int64(bucket+1)*bucketMillis+(s.longest+latestArrival).Milliseconds() <= now
}

// value is what the row holds under the metric.
func (s *stream) value(m *Metric, r *row) value {
	if r.extra != nil {
		return r.extra.values[m.ID]
	}
	return m.value(r)
}

// appendRow appends the row's JSON.
func (s *stream) appendRow(b []byte, r *row) []byte {
	if r.extra != nil {
		return append(b, r.extra.json...)
	}
	b = append(b, '{')
	for i := range s.Metrics {
		v := s.Metrics[i].value(r)
		if v.kind == absent {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = v.appendJSON(append(b, s.names[i]...))
	}
	return append(b, '}')
}

// bucketOf is the bucket that holds an instant.
func bucketOf(ms int64) int32 {
	if ms < 0 {
		return int32((ms+1)/bucketMillis) - 1
	}
	return int32(ms / bucketMillis)
}

// dayOf is the first bucket of the UTC day that holds the bucket.
func dayOf(bucket int32) int32 { return bucket - (bucket%dayBuckets+dayBuckets)%dayBuckets }

// mix is the finalizer of SplitMix64: a well-spread hash of a number.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func hashText(s string) (h uint64) {
	for i := range len(s) {
		h = mix(h ^ uint64(s[i]))
	}
	return h
}
