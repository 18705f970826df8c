package export

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

const (
	// lead is how much earlier than a span its reading begins: whether the API's bounds are inclusive is not
	// documented, and a row on a bound that is exclusive on both sides would be in no window. A second, in
	// case the server rounds.
	lead = time.Second
	// maxHeavy is how many spans in a row may be cut in each lane for being too slow or refused, without one read in
	// between: a server that answers nothing is not asked ever smaller questions.
	maxHeavy = 5
)

// readSpan reads a leased span, part by part, and hands on each part, and last what became of the whole.
func (p *passage) readSpan(ctx context.Context, c claimed, out *outlet) {
	ctx, held := p.hold(ctx, c.lease)
	s := newSpan(p, held, c.fit)
	err := s.read(ctx, s.rest(), out)
	out.handOn(handover{held: held, end: &spanEnd{span: c.lease.Span(), err: err}})
}

// span is a leased run of windows while it is read, whole or in parts.
type span struct {
	*passage
	held *held
	fit  fit // what was known of its rows when it was claimed
	// suspected is a skip that is not gone beyond, since the API refused one behind it; zero: none.
	suspected int64
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

// newSpan is a leased span, of which nothing is read yet.
func newSpan(p *passage, h *held, f fit) *span {
	s := spanOf(p, h.remaining().Entries)
	s.held, s.fit = h, f
	if first := &s.tallies[0]; !s.Dataset.whole() && !first.ReadTo.IsZero() && !first.Complete() && !s.rereadDue(first.Entry) {
		first.from, first.rows = first.ReadTo, first.Rows
	}
	return s
}

// spanOf is a span of windows that nobody has to lease, of which all is to be read.
func spanOf(p *passage, entries []sink.Entry) *span {
	s := &span{passage: p}
	for _, e := range entries {
		s.tallies = append(s.tallies, tally{Entry: e, from: e.Window.Start})
	}
	return s
}

// rereadDue reports whether a partly read window is so long past that it is to be read again anyway: then it
// is read whole, and its first re-read is done with.
func (s *span) rereadDue(e sink.Entry) bool {
	first, ok := s.Dataset.Reread.Next(e.Window.End, e.Window.End)
	return ok && !first.After(s.dueAt)
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

// read reads a stretch of the span, part by part, and hands on each part as one batch.
func (s *span) read(ctx context.Context, stretch window.Window, out *outlet) error {
	if s.Dataset.Kind == sink.KindDashboard {
		return s.readDashboard(ctx, stretch, out)
	}
	for !stretch.Empty() {
		end, err := s.readPart(ctx, stretch, out)
		if err != nil {
			return err
		}
		stretch.Start = end
	}
	return nil
}

// readPart reads a stretch, or as much of it as a transaction may hold, and hands it on. It cuts the stretch in half,
// and halves of it again, when it holds too many rows, is too heavy for the server, or does not hold still. It
// returns up to where all was read.
func (s *span) readPart(ctx context.Context, stretch window.Window, out *outlet) (time.Time, error) {
	began := s.beginsAt()
	p, err := s.readWhole(ctx, stretch)
	if err != nil && s.halvesMaySucceed(stretch, err) && s.mayBurden(err) {
		if first, second, ok := s.halve(stretch); ok {
			return stretch.End, s.readHalves(ctx, first, second, err, out)
		}
	}
	if err != nil {
		p, err = s.readAsItIs(ctx, stretch, err)
	}
	if err != nil {
		return time.Time{}, err
	}
	s.handOn(p, began, out)
	return p.stretch.End, nil
}

// readWhole reads a stretch in one go, or the beginning of it, unless the API is known to refuse that.
func (s *span) readWhole(ctx context.Context, stretch window.Window) (part, error) {
	if err := s.allowed(stretch); err != nil {
		return part{}, err
	}
	w := s.wanted(stretch)
	p, err := s.readSteadily(ctx, w)
	if err == nil && w.lead > 0 && s.lead(stretch) == 0 { // as its rows have shown
		p, err = s.readOnceMore(ctx, w, p, 0)
	}
	if err == nil && p.reading.Rows == 0 && s.readLast(p.stretch) {
		if p, err = s.readOnceMore(ctx, w, p, w.lead); err == nil && p.reading.Rows > 0 {
			s.Logger.Warn("the API answered with no rows, and with rows when it was asked again", "dataset", s.Dataset.Name, "span", p.stretch.String(), "rows", p.reading.Rows)
		}
	}
	s.heed(ctx, stretch, p.reading, err)
	return p, err
}

// readOnceMore reads again what was read, with another lead, in the same memory.
func (s *span) readOnceMore(ctx context.Context, w wanted, before part, lead time.Duration) (part, error) {
	w.lead, w.memory = lead, before.memory
	p, err := s.readSteadily(ctx, w)
	p.reading.Requests += before.reading.Requests
	p.reading.Took += before.reading.Took
	p.reading.Waited += before.reading.Waited
	p.mapping += before.mapping
	return p, err
}

// readLast reports whether a stretch has a window that is not to be read again: then nobody would notice that a server which answered
// with an empty list, in a moment of trouble, had rows. A snapshot is what its last reading was.
func (s *span) readLast(stretch window.Window) bool {
	return s.Dataset.Snapshot || slices.ContainsFunc(s.tallies, func(t tally) bool {
		_, again := s.Dataset.Reread.Next(t.Window.End, s.now())
		return !again && !t.Window.Intersect(stretch).Empty()
	})
}

// readHalves reads one half of a stretch after the other, since it could not be read whole.
func (s *span) readHalves(ctx context.Context, first, second window.Window, why error, out *outlet) error {
	stretch := window.Window{Start: first.Start, End: second.End}
	s.Logger.Debug("span cut in half", "dataset", s.Dataset.Name, "span", stretch.String(), "reason", why)
	if err := s.read(ctx, first, out); err != nil {
		return err
	}
	if err := s.read(ctx, second, out); err != nil {
		return err
	}
	s.overcame(ctx, stretch, why)
	return nil
}

// beginsAt is when a reading begins. Where the clock was set back meanwhile it began with the pass at the earliest: one that
// is older than the mark that it answers would leave the window due, again and again.
func (s *span) beginsAt() time.Time {
	if now := s.now(); now.After(s.dueAt) {
		return now
	}
	return s.dueAt
}

// wanted is a stretch as it is to be read: no more rows than a transaction may hold.
func (s *span) wanted(stretch window.Window) wanted {
	nearer := s.Dataset.inOrderOfTime() && s.lasting.server.draws()
	w := wanted{
		stretch: stretch, lead: s.lead(stretch), maxRows: s.capsOfRest().maxRows(s.Dataset), nearer: nearer, uncertain: s.fit.uncertain && !nearer,
		sure:   !s.fit.uncertain,
		memory: s.spare.take(),
		expect: func(from time.Time) float64 { return s.expect(window.Window{Start: from, End: stretch.End}) },
	}
	if s.Dataset.whole() {
		w.maxRows, w.nearer, w.uncertain = 0, false, false
	}
	return w
}

// expect is how many rows a stretch was expected to hold when the span was claimed; less than 0: that was not known.
func (s *span) expect(stretch window.Window) float64 {
	rows := 0.0
	for i, t := range s.tallies {
		part := t.Window.Intersect(stretch)
		if i >= len(s.fit.expected) || math.IsInf(s.fit.expected[i], 1) {
			return -1
		}
		rows += s.fit.expected[i] * part.Duration().Seconds() / t.Window.Duration().Seconds()
	}
	return rows
}

// lead is how much earlier than a stretch its reading begins. From the start of the window that is still open it
// is the overlap, which does not end at a window's bound. Rows that cannot be told apart by key, nor put into
// their window by time (a day is none), would be there twice: for them there is none. Nor for what is of all that is asked
// for, once its times were seen not to tell what the API sends of the second before.
func (s *span) lead(stretch window.Window) time.Duration {
	table := s.Dataset.Mapper.Table()
	first := s.tallies[0].Entry
	switch {
	case len(table.Key) == 0 && (table.TimeField == "" || s.Dataset.Write == sink.ReplaceWindows && s.Dataset.timeField().kind == schema.Date):
		return 0
	case s.Dataset.whole() && (s.Dataset.Snapshot || table.TimeField == "" || s.lasting.server.strayed()):
		return 0
	case stretch.Start.Equal(first.Window.Start) && s.edge.Before(first.Window.End):
		return max(lead, s.Dataset.Overlap)
	}
	return lead
}

// halvesMaySucceed reports whether halves of a stretch may be read where it could not.
func (s *span) halvesMaySucceed(stretch window.Window, err error) bool {
	var many *source.TooManyRowsError
	var torn *source.TornError
	var disorder *disorderError
	var beyond *beyondError
	var request *source.Error
	switch {
	case s.Dataset.whole():
		return false
	case errors.As(err, &many), errors.As(err, &disorder), errors.As(err, &beyond):
		return true
	case errors.As(err, &torn):
		// Rows that come in one page cannot move between pages: smaller than that gains nothing. One page it
		// was if nothing but its end was looked for, and if the server is known to send larger ones.
		onePage := torn.Skip < torn.Page && torn.Page < s.lasting.server.page()
		return !torn.IgnoresSkip && !onePage
	case !errors.As(err, &request):
		return false
	case request.Class == source.TooHeavy:
		return true
	case request.Class == source.Refused, request.Class == source.Errored:
		return request.Skip > 0 || s.wide(stretch)
	}
	return false
}

// mayBurden counts a span that is to be cut since the server did not answer it, or refused, and reports whether it may be asked
// for the halves. Whatever else they are cut for is no burden.
func (s *span) mayBurden(err error) bool {
	var request *source.Error
	return !errors.As(err, &request) || s.heavy.Add(1) <= maxHeavy*max(1, s.atWork.Load())
}

// wide reports whether a stretch is longer than a window: the API may refuse the length of a range.
func (s *span) wide(stretch window.Window) bool { return stretch.Duration() > s.Dataset.Grid.Size() }

// halve cuts a stretch in two: between two windows of the lease when there are several, else within the window, down
// to a second.
func (s *span) halve(stretch window.Window) (first, second window.Window, ok bool) {
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
func (s *span) readAsItIs(ctx context.Context, stretch window.Window, why error) (part, error) {
	w := s.wanted(stretch)
	w.maxRows, w.nearer, w.uncertain = 0, false, false
	var many *source.TooManyRowsError
	if errors.As(why, &many) {
		p, err := s.readOnce(ctx, w)
		if err == nil || !moved(err) {
			return p, err
		}
		why = err
	}
	if !moved(why) || s.Dataset.Write != sink.Upsert && s.Dataset.whole() { // what is there must not give way to a part
		return part{}, why
	}
	w.unstable = true
	p, err := s.readOnce(ctx, w)
	var disorder *disorderError
	if err != nil && !errors.As(err, &disorder) {
		return part{}, err
	}
	p.unstable = fmt.Sprintf("rows moved during every read: %v", why)
	return p, nil
}

// handOn hands on what was read, to be committed.
func (s *span) handOn(p part, began time.Time, out *outlet) {
	s.heavy.Store(0)
	event := Event{
		Step: StepRead, Span: p.stretch, Rows: p.reading.Rows, Requests: p.reading.Requests,
		Spent: sink.Spent{Fetch: p.reading.Took, Wait: p.reading.Waited, Decode: p.mapping},
	}
	s.observe(event)
	s.noteBegun(p.stretch, began, p.unstable)
	evidence := s.evidence(p)
	batch := s.batchOf(p)
	batch.Readings = s.readings(p.stretch)
	event.Step, event.Windows = StepMapped, batch.Done()
	event.Rejected, event.Replaced = len(batch.Rejects), p.replaced
	s.observe(event)
	read := readPart{batch: batch, memory: p.memory, event: event, evidence: evidence, took: s.now().Sub(began)}
	out.handOn(handover{held: s.held, part: &read})
}

// noteBegun notes that the windows of a stretch are being read.
func (s *span) noteBegun(stretch window.Window, began time.Time, unstable string) {
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
		r.ReadAt = s.dueAt // a backfill that marked the window since then wants all of it: its mark stands
	}
	if t.unstable != "" {
		r.State, r.Error, r.ReadTo = sink.StateUnstable, t.unstable, time.Time{}
		r.NextReadAt = s.now().Add(retryDelay(t.Attempts))
		return r
	}
	if readTo.Before(t.Window.End) { // it is due as soon as the edge has moved
		r.State, r.NextReadAt = sink.StateRead, s.dueAt
		if t.Window.End.Before(s.dueAt) { // later than ReadAt of the tail to come it would look like a mark
			r.NextReadAt = t.Window.End
		}
		return r
	}
	if tailOnly {
		r.ReadAt = t.Window.End // no re-read is done by that, nor will be by another list of them
	}
	next, ok := s.Dataset.Reread.Next(t.Window.End, r.ReadAt)
	r.State, r.NextReadAt = sink.StateRead, next
	if !ok {
		r.State = sink.StateFinal
	}
	return r
}
