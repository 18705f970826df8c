package simulator

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
)

// index is the rows of a query in its order, as references: what the pages of a query share.
type index struct {
	once sync.Once
	refs []ref
	size atomic.Int64 // of refs, once it is made
}

// ref names a row.
type ref struct {
	bucket  int32
	place   int32
	arrived uint32
}

// indexKey tells apart what needs an index of its own.
type indexKey struct {
	stream      *stream
	first, last int32
	from, to    int64
	sort        string
	desc        bool
	filters     string
	shuffle     uint64
	altered     uint64 // the overlay's version
	now         int64  // zero where the order does not change with time
}

// indexes keeps the indexes of the last queries.
type indexes struct {
	mu   sync.Mutex
	kept []keptIndex // the last used one last
}

type keptIndex struct {
	key   indexKey
	index *index
}

const (
	maxIndexes = 16
	maxRefs    = 4_000_000 // 12 bytes each; the last used index is kept whatever its size
)

// of is the query's index, made now unless a query like it came lately.
func (x *indexes) of(q *query) *index {
	i := x.find(q.indexKey())
	i.once.Do(func() {
		i.refs = q.sorted()
		i.size.Store(int64(len(i.refs)))
	})
	return i
}

func (x *indexes) find(key indexKey) *index {
	x.mu.Lock()
	defer x.mu.Unlock()
	found := keptIndex{key, &index{}}
	if at := slices.IndexFunc(x.kept, func(k keptIndex) bool { return k.key == key }); at >= 0 {
		found = x.kept[at]
		x.kept = slices.Delete(x.kept, at, at+1)
	}
	x.kept = append(x.kept, found)
	x.forget()
	return found.index
}

// forget drops the indexes that were not used for longest, beyond what may be kept.
func (x *indexes) forget() {
	var size int64
	for i := len(x.kept) - 1; i >= 0; i-- {
		size += x.kept[i].index.size.Load()
		if i < len(x.kept)-1 && (size > maxRefs || len(x.kept)-i > maxIndexes) {
			x.kept = slices.Delete(x.kept, 0, i+1)
			return
		}
	}
}

func (q *query) indexKey() indexKey {
	key := indexKey{
		stream: q.stream, from: q.from, to: q.to, desc: q.desc, filters: q.filters.text(),
		shuffle: q.shuffle, altered: q.stream.overlay.version,
	}
	key.first, key.last = q.buckets()
	if q.sort != nil {
		key.sort = q.sort.ID
	}
	restated := q.filters.restated() || q.sort != nil && q.sort.Restated
	if restated && min(q.to, q.now)+latestStatement.Milliseconds() > q.now {
		key.now = q.now
	}
	return key
}

// sorted makes the index: all rows of the query, those that have yet to arrive too, since an order that does
// not change with time then serves as long as the overlay holds still.
func (q *query) sorted() []ref {
	type keyed struct {
		key value
		id  objectID
		ref ref
	}
	var sorted []keyed
	var rows []row
	first, last := q.buckets()
	for bucket := first; bucket <= last; bucket++ {
		rows = q.stream.rows(bucket, rows[:0])
		for i := range rows {
			r := &rows[i]
			r.restate(q.now)
			if r.start < q.from || r.start >= q.to || !q.filters.let(q.stream, r) {
				continue
			}
			sorted = append(sorted, keyed{q.sortKey(r), r.id, ref{r.bucket, r.place, uint32(r.arrived)}})
		}
	}
	direction := 1
	if q.desc {
		direction = -1
	}
	slices.SortFunc(sorted, func(a, b keyed) int {
		return cmp.Or(direction*a.key.compare(b.key), a.id.compare(b.id))
	})
	refs := make([]ref, len(sorted))
	for i := range sorted {
		refs[i] = sorted[i].ref
	}
	return refs
}

// sortKey is what the row is ordered by before its id.
func (q *query) sortKey(r *row) value {
	switch {
	case q.shuffle != 0:
		return numberValue(int64(mix(q.shuffle ^ binary.BigEndian.Uint64(r.id[4:]))))
	case q.sort == nil:
		return value{}
	}
	return q.stream.value(q.sort, r)
}

// scan takes the rows that have arrived.
func (x *index) scan(p *pager) {
	q := p.query
	bucket, regular := int32(-1), 0
	for _, ref := range x.refs {
		if int64(ref.arrived)*1000 > q.now {
			continue
		}
		if p.skip > 0 && !q.twice {
			p.skip--
			continue
		}
		if ref.bucket != bucket {
			bucket, regular = ref.bucket, q.stream.regular(ref.bucket)
		}
		r := q.stream.at(ref.bucket, ref.place, regular)
		r.restate(q.now)
		if !p.take(&r) {
			return
		}
	}
}
