package export

import (
	"samespace-exporter/internal/sink"
)

// Where a row's key is an ObjectId it says when the row was made in the source. How long that is after the row's own time
// is its arrival lag. The commit counts it for rows that are new in the table, so that re-reads count nothing twice, and
// with the rows, so that what is counted is what is there.
//
// What is read while it is new shows no lag that is longer than its last re-read: what comes later is not seen. It shows
// where a window is read later than that: by a backfill, or as history that was there before the exporter was.

// arrivals is where the commit of a part counts; nil where keys cannot tell.
func (p *passage) arrivals() *sink.Arrivals {
	if p.Dataset.Kind != sink.KindReport || p.Dataset.Write != sink.Upsert || !sink.CountsArrivals(p.Dataset.Mapper.Table()) {
		return nil
	}
	return &sink.Arrivals{}
}

// tellLate logs, once in a process, that rows arrive when their window is read no more.
func (p *passage) tellLate(a *sink.Arrivals) {
	last := p.Dataset.LastReread()
	if a == nil || last == 0 || a.Largest() <= last || p.lasting.toldLate.Swap(true) {
		return
	}
	p.Logger.Warn("rows arrive later than the last re-read of their window, which misses them: add a longer reread, and read the past again by a backfill",
		"dataset", p.Dataset.Name, "latest", a.Largest().String(), "last_reread", last.String(), "reread_that_catches_them", sink.Catching(a.Largest()).String())
}
