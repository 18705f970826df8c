package simulator

import (
	"testing"
	"time"
)

func TestOldIndexesAreForgotten(t *testing.T) {
	s := newStream(Calls(), 0)
	now := time.Date(2024, 5, 15, 20, 0, 0, 0, time.UTC).UnixMilli()
	var all indexes
	q := func(i int64) *query {
		return &query{stream: s, now: now, from: now - hourMillis*(12+i), to: now - hourMillis*10}
	}
	for i := range int64(2 * maxIndexes) {
		all.of(q(i))
	}
	if len(all.kept) != maxIndexes {
		t.Errorf("%d indexes are kept", len(all.kept))
	}
	last := all.of(q(2*maxIndexes - 1))
	if last.refs == nil || last != all.of(q(2*maxIndexes-1)) {
		t.Error("the last index is not kept")
	}
	last.size.Store(maxRefs)
	first := all.of(q(0))
	all.of(q(1))
	if len(all.kept) != 2 || all.kept[0].index != first {
		t.Errorf("%d indexes are kept beside a huge one", len(all.kept))
	}
}
