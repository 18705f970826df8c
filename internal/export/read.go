package export

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

const (
	// lead is how much earlier than a span its reading begins: whether the API's bounds are inclusive is not
	// documented, and a row on a bound that is exclusive on both sides would be in no window. A second, in
	// case the server rounds.
	lead = time.Second
	// maxTears is how often a span is read again since its pages did not fit together, before it is cut.
	maxTears = 2
	// maxHeavy is how many spans in a row may be cut for being too slow or refused, without one read in
	// between: a server that answers nothing is not asked ever smaller questions.
	maxHeavy = 5
	// trusted is how many readings of several pages must have proved their end before a short page is taken
	// for the last one.
	trusted = 3
)

// outcome is what became of a span, or of a part of it.
type outcome struct {
	held  *held
	batch *sink.Batch // a part to commit
	event Event       // of the part
	// evidence is what a part that held still says of rows that are gone; else nil.
	evidence *evidence
	err      error // why the rest of the span was not read
	last     bool  // nothing of the span follows
}

// span is a leased run of windows while it is read, whole or in parts.
type span struct {
	*passage
	held *held
	// tallies are what has been read so far, by window, in the lease's order.
	tallies []tally
}

// tally is what has been read so far of a window.
type tally struct {
	sink.Entry
	from     time.Time // what is read begins here: rows before it were counted by an earlier read
	rows     int64
	began    time.Time // when the first part's reading began; zero: not yet
	unstable string    // why a part never held still
}

func newSpan(p *passage, h *held) *span {
	s := &span{passage: p, held: h}
	for _, entry := range h.remaining().Entries {
		s.tallies = append(s.tallies, tally{Entry: entry, from: entry.Window.Start})
	}
	if first := &s.tallies[0]; !s.Dataset.whole() && !first.ReadTo.IsZero() && !first.Complete() && !s.rereadDue(first.Entry) {
		first.from, first.rows = first.ReadTo, first.Rows
	}
	return s
}

// rereadDue reports whether a partly read window is so long past that it is to be read again anyway: then it
// is read whole, and its first re-read is done with.
func (s *span) rereadDue(e sink.Entry) bool {
	first, ok := s.Dataset.Reread.Next(e.Window.End, e.Window.End)
	return ok && !first.After(s.now)
}

// rest is the stretch of time that is to be read: the lease's windows up to the edge. Of a first window that
// was partly read, only what is new and the overlap before it.
func (s *span) rest() window.Window {
	stretch := s.held.remaining().Span()
	if s.edge.Before(stretch.End) {
		stretch.End = s.edge
	}
	if first := s.tallies[0]; first.from.After(stretch.Start) {
		if from := first.from.Add(-s.Dataset.Overlap); from.After(stretch.Start) {
			stretch.Start = from
		}
	}
	return stretch
}

// read reads a stretch of the span and hands it on as one batch; or in halves, and halves of these, when it
// holds too many rows, is too heavy for the server, or does not hold still.
func (s *span) read(ctx context.Context, stretch window.Window, outcomes chan<- outcome) error {
	// Where the clock was set back meanwhile the reading began with the pass at the earliest: one that is older
	// than the mark that it answers would leave the window due, again and again.
	began := s.Exporter.now()
	if began.Before(s.now) {
		began = s.now
	}
	reading, err := s.readSteadily(ctx, stretch)
	var batch mapped
	if err == nil {
		batch, err = s.mapRows(stretch, reading)
	}
	if err != nil && s.cuttable(stretch, err) {
		if first, second, ok := s.cut(stretch); ok {
			s.Logger.Debug("span cut in half", "dataset", s.Dataset.Name, "span", stretch.String(), "reason", err)
			if err := s.read(ctx, first, outcomes); err != nil {
				return err
			}
			return s.read(ctx, second, outcomes)
		}
	}
	if err != nil {
		batch, err = s.readAsItIs(ctx, stretch, err)
	}
	if err != nil {
		return err
	}
	s.handOn(stretch, began, batch, outcomes)
	return nil
}

// readSteadily reads a stretch until its pages fit together: again when they do not, since rows moved while
// they were read.
func (s *span) readSteadily(ctx context.Context, stretch window.Window) (source.Reading, error) {
	q := s.query(stretch)
	q.MaxRows = s.Dataset.MaxRows
	q.Uncertain = s.uncertain
	if s.Dataset.whole() {
		q.MaxRows, q.Uncertain = 0, false
	}
	for tears := 0; ; tears++ {
		reading, err := s.Source.Rows(ctx, q)
		s.learn(reading)
		var torn *source.TornError
		if tears == maxTears || !errors.As(err, &torn) || torn.IgnoresSkip {
			return reading, err
		}
	}
}

// query is what is asked of the API for a stretch.
func (s *span) query(stretch window.Window) source.Query {
	q := s.Dataset.Query
	if !s.Dataset.Snapshot {
		q.Range = window.Window{Start: stretch.Start.Add(-s.lead(stretch)), End: stretch.End}
	}
	q.Prove = s.proofs < trusted
	return q
}

// learn keeps how large a page the server sends, and whether its short pages are the last ones. A server that was
// seen to send more behind one is not trusted again as long as the process lives.
func (s *span) learn(reading source.Reading) {
	e := s.Exporter
	for i, first := range reading.Pages {
		end := len(reading.Rows)
		if i+1 < len(reading.Pages) {
			end = reading.Pages[i+1]
		}
		e.largestPage = max(e.largestPage, end-first)
	}
	switch {
	case reading.Short:
		e.proofs = math.MinInt
	case reading.Proved:
		e.proofs++
	}
}

// lead is how much earlier than a stretch its reading begins. From the start of the window that is still open it
// is the overlap, which does not end at a window's bound. Rows that cannot be told apart by key, nor put into
// their window by time, would be there twice: for them there is none.
func (s *span) lead(stretch window.Window) time.Duration {
	table := s.Dataset.Mapper.Table()
	first := s.tallies[0].Entry
	switch {
	case len(table.Key) == 0 && table.TimeField == "":
		return 0
	case stretch.Start.Equal(first.Window.Start) && s.edge.Before(first.Window.End):
		return max(lead, s.Dataset.Overlap)
	}
	return lead
}

// cuttable reports whether halves of the span may succeed where it did not.
func (s *span) cuttable(stretch window.Window, err error) bool {
	var many *source.TooManyRowsError
	var torn *source.TornError
	var disorder *disorderError
	var request *source.Error
	switch {
	case s.Dataset.whole():
		return false
	case errors.As(err, &many), errors.As(err, &disorder):
		return true
	case errors.As(err, &torn):
		// Rows that come in one page cannot move between pages: smaller than that gains nothing. One page it
		// was if nothing but its end was looked for, and if the server is known to send larger ones.
		onePage := torn.Skip < torn.Page && torn.Page < s.largestPage
		return !torn.IgnoresSkip && !onePage
	case !errors.As(err, &request):
		return false
	case request.Class == source.TooHeavy,
		(request.Class == source.Refused || request.Class == source.Errored) && (request.Skip > 0 || s.wide(stretch)):
		s.heavy++
		return s.heavy <= maxHeavy
	}
	return false
}

// wide reports whether a stretch is longer than a window: the API may refuse the length of a range.
func (s *span) wide(stretch window.Window) bool { return stretch.Duration() > s.Dataset.Grid.Size() }

// cut halves a stretch: between two windows of the lease when there are several, else within the window, down
// to a second.
func (s *span) cut(stretch window.Window) (first, second window.Window, ok bool) {
	first, second, ok = stretch.Halve()
	if !ok {
		return first, second, false
	}
	nearest := time.Duration(-1)
	middle := first.End
	for _, t := range s.tallies {
		bound := t.Window.Start
		if distance := bound.Sub(first.End).Abs(); bound.After(stretch.Start) && bound.Before(stretch.End) &&
			(nearest < 0 || distance < nearest) {
			nearest, middle = distance, bound
		}
	}
	return window.Window{Start: stretch.Start, End: middle}, window.Window{Start: middle, End: stretch.End}, true
}

// readAsItIs reads a stretch that cannot be cut further. A second that holds more than MaxRows rows is read
// on. One that never holds still is taken as it comes, and says so: it stays due.
func (s *span) readAsItIs(ctx context.Context, stretch window.Window, why error) (mapped, error) {
	q := s.query(stretch)
	var many *source.TooManyRowsError
	if errors.As(why, &many) {
		reading, err := s.Source.Rows(ctx, q)
		var batch mapped
		if err == nil {
			batch, err = s.mapRows(stretch, reading)
		}
		if err == nil || !moved(err) {
			return batch, err
		}
		why = err
	}
	if !moved(why) || s.Dataset.Write != sink.Upsert && s.Dataset.whole() { // what is there must not give way to a part
		return mapped{}, why
	}
	q.Unstable = true
	reading, err := s.Source.Rows(ctx, q)
	if err != nil {
		return mapped{}, err
	}
	batch, err := s.mapRows(stretch, reading)
	var disorder *disorderError
	if err != nil && !errors.As(err, &disorder) {
		return mapped{}, err
	}
	batch.unstable = fmt.Sprintf("rows moved during every read: %v", why)
	return batch, nil
}

// moved reports whether rows were seen to move while they were read.
func moved(err error) bool {
	var torn *source.TornError
	var disorder *disorderError
	return errors.As(err, &torn) && !torn.IgnoresSkip || errors.As(err, &disorder)
}

// handOn hands on what was read of a stretch, to be committed.
func (s *span) handOn(stretch window.Window, began time.Time, m mapped, outcomes chan<- outcome) {
	s.heavy = 0
	s.begin(stretch, began, m.unstable)
	s.count(m)
	m.batch.Readings = s.readings(stretch)
	event := Event{
		Step: StepMapped, Span: stretch, Windows: done(m.batch.Readings), Rows: int(m.batch.RowsRead), Requests: m.requests,
		Rejected: len(m.batch.Rejects), Replaced: m.replaced, Waited: m.waited,
	}
	s.observe(event)
	if m.unstable != "" {
		m.evidence = nil
	}
	outcomes <- outcome{held: s.held, batch: m.batch, event: event, evidence: m.evidence}
}

// begin notes that the windows of a stretch are being read.
func (s *span) begin(stretch window.Window, began time.Time, unstable string) {
	for i := range s.tallies {
		t := &s.tallies[i]
		if t.Window.Intersect(stretch).Empty() {
			continue
		}
		if t.began.IsZero() {
			t.began = began
		}
		if unstable != "" {
			t.unstable = unstable
		}
	}
}

// readings are what a commit of a stretch says of the windows that it touches.
func (s *span) readings(stretch window.Window) []sink.Reading {
	var readings []sink.Reading
	for i := range s.tallies {
		t := &s.tallies[i]
		if t.Window.Intersect(stretch).Empty() {
			continue
		}
		end := t.Window.End
		if s.edge.Before(end) {
			end = s.edge
		}
		if stretch.End.Before(end) {
			readings = append(readings, t.partly(stretch.End))
		} else {
			readings = append(readings, s.fully(t, end))
		}
	}
	return readings
}

// partly says that a window has been read up to readTo, and that more of it follows.
func (t *tally) partly(readTo time.Time) sink.Reading {
	r := sink.Reading{Start: t.Window.Start, State: sink.StateRunning, ReadAt: t.began}
	if !t.Complete() && t.unstable == "" && readTo.After(t.ReadTo) {
		r.ReadTo, r.Rows = readTo, t.rows
	}
	return r
}

// fully says that a window has been read as far as it is to be read now, and when it is to be read next.
func (s *span) fully(t *tally, readTo time.Time) sink.Reading {
	r := sink.Reading{Start: t.Window.Start, Rows: t.rows, ReadAt: t.began, ReadTo: readTo}
	tailOnly := t.from.After(t.Window.Start)
	if tailOnly {
		r.ReadAt = s.now // a backfill that marked the window since then wants all of it: its mark stands
	}
	if t.unstable != "" {
		r.State, r.Error, r.ReadTo = sink.StateUnstable, t.unstable, time.Time{}
		r.NextReadAt = s.now.Add(retryDelay(t.Attempts))
		return r
	}
	if readTo.Before(t.Window.End) {
		r.State, r.NextReadAt = sink.StateRead, s.now
		return r
	}
	began := t.began
	if tailOnly {
		began = t.Window.End // no re-read is done by that
	}
	next, ok := s.Dataset.Reread.Next(t.Window.End, began)
	r.State, r.NextReadAt = sink.StateRead, next
	if !ok {
		r.State = sink.StateFinal
	}
	return r
}

func done(readings []sink.Reading) int {
	n := 0
	for _, r := range readings {
		if r.State != sink.StateRunning {
			n++
		}
	}
	return n
}
