package export

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

const (
	// maxTears is how often a stretch is read again since its pages did not fit together.
	maxTears = 2
	// minAllRejected is how many rows must be rejected, all of a reading, before the mapping is held to be wrong
	// rather than the rows.
	minAllRejected = 10
)

// MappingError says that the mapping fits none of the rows that the API sends: nothing is marked as read.
type MappingError struct {
	Rows  int
	First *schema.RejectError
}

func (e *MappingError) Error() string {
	return fmt.Sprintf("no row fits the mapping (%d read), the first one since %v; mend its fields in the config", e.Rows, e.First)
}

func (e *MappingError) Unwrap() error { return e.First }

// wanted says what is to be read.
type wanted struct {
	stretch window.Window
	lead    time.Duration // how much earlier the reading begins
	maxRows int           // more rows are *source.TooManyRowsError; 0: no bound
	// uncertain says that nobody knows how many rows there are: see source.Query.Uncertain.
	uncertain bool
	// unstable takes what comes: see source.Query.Unstable.
	unstable bool
	// prove asks on behind every short page, and rejects keeps rows that do not fit whatever the dataset says.
	prove, rejects bool
	// nearer lets the stretch end earlier, where it holds more than maxRows rows.
	nearer bool
	// memory is what the rows are to lie in, in place of any that do; nil: some of their own.
	memory *memory
	// expect is how many rows are expected from a time to the end of the stretch; nil, or less than 0: not known.
	// sure says that this is more than a guess.
	expect func(from time.Time) float64
	sure   bool
}

// part is what was read of a stretch of time: typed rows and rejects, in the order in which they came. They are not
// put into windows yet.
type part struct {
	stretch window.Window // all of its rows were read: that which was wanted, or a beginning of it
	asked   window.Window // what the API was asked for: the stretch and the lead
	rows    []sink.Row
	memory  *memory // that the rows lie in
	rejects []sink.Reject
	reading source.Reading
	besides []sink.TableRows // of a dashboard
	// mapping is the time that the mapping took.
	mapping  time.Duration
	replaced int    // NUL characters that became U+FFFD
	unstable string // why it never held still; else ""
}

// readSteadily reads a stretch until its pages fit together and are of one list: again when they do not, since rows
// moved while they were read. It needs no lease, and writes nothing.
//
// Errors: *source.TooManyRowsError, *source.TornError and *disorderError (it never held still), *source.Error,
// *MappingError, of a row that does not fit where the dataset fails on these, or the cause of ctx.
func (e *Exporter) readSteadily(ctx context.Context, w wanted) (part, error) {
	for tears := 0; ; tears++ {
		p, err := e.readOnce(ctx, w)
		var torn *source.TornError
		if tears == maxTears || !errors.As(err, &torn) || torn.IgnoresSkip {
			return p, err
		}
	}
}

// readOnce reads a stretch. A *disorderError comes with what was read.
func (e *Exporter) readOnce(ctx context.Context, w wanted) (part, error) {
	q := e.Dataset.Query
	if !e.Dataset.Snapshot {
		q.Range = window.Window{Start: w.stretch.Start.Add(-w.lead), End: w.stretch.End}
	}
	q.PageSize = e.pageSize()
	q.MaxRows, q.Uncertain, q.Unstable, q.Nearer = w.maxRows, w.uncertain, w.unstable, w.nearer
	e.server.ask(&q)
	if w.prove { // each page is asked for when the one before is there: one sight of a row is enough
		q.Prove, q.Ahead = true, 0
	}
	t := newTaking(e, w, q.Range)
	reading, err := e.Source.Rows(ctx, q, t)
	t.memory.keys = t.order.ascending
	if err == nil {
		err = t.order.err()
	}
	drawn := !reading.End.IsZero() && reading.End.Before(w.stretch.End)
	e.server.learn(reading, drawn, err, t.strays)
	var disorder *disorderError
	if err != nil && !errors.As(err, &disorder) {
		return part{}, err
	}
	if len(t.rejects) == reading.Rows && t.rejected != nil && (reading.Rows >= minAllRejected || !e.server.everFitted()) {
		return part{}, &MappingError{Rows: reading.Rows, First: t.rejected}
	}
	if len(t.rows) > 0 {
		e.server.sawFit()
	}
	p := part{
		stretch: w.stretch, asked: q.Range, rows: t.rows, memory: t.memory, rejects: t.rejects, reading: reading, replaced: t.replaced, mapping: t.took,
	}
	if drawn {
		p.stretch.End, p.asked.End = reading.End, reading.End
	}
	return p, err
}

// moved reports whether rows were seen to move while they were read.
func moved(err error) bool {
	var torn *source.TornError
	var disorder *disorderError
	return errors.As(err, &torn) && !torn.IgnoresSkip || errors.As(err, &disorder)
}

// taking maps the rows of a reading as they come: the source.Taker of an export.
type taking struct {
	*Exporter
	wanted   wanted
	asked    window.Window
	timed    timed
	order    *order
	memory   *memory
	rows     []sink.Row
	rejects  []sink.Reject
	rejected *schema.RejectError // the first one
	replaced int
	took     time.Duration

	before taken // what there was before the last row
	pace   pace
	times  []time.Time // of the rows of the last page; zero: not known
	odd    int         // rejects before the last page
	strays bool        // a row had no time, or one outside of what was asked for
}

// taken is how much was taken.
type taken struct{ rows, rejects, replaced int }

func newTaking(e *Exporter, w wanted, asked window.Window) *taking {
	t := &taking{Exporter: e, wanted: w, asked: asked, timed: e.timed(), memory: w.memory}
	if t.memory == nil {
		t.memory = &memory{}
	}
	t.memory.reset() // of a reading that tore
	t.rows, t.order = t.memory.rows[:0], newOrder(e.Dataset, t.memory.keys)
	return t
}

// Take maps the rows of a page.
func (t *taking) Take(rows []string, again bool) error {
	if len(rows) == 0 {
		return nil
	}
	began := time.Now()
	defer func() { t.took += time.Since(began) }()
	if again {
		t.putBack()
	}
	t.makeRoom(len(rows))
	t.order.turn()
	t.times, t.odd = t.times[:0], len(t.rejects)
	for _, raw := range rows {
		if err := t.takeRow(raw); err != nil {
			return err
		}
	}
	t.pace.turn(t.times)
	return nil
}

// makeRoom makes room for the rows of a page, and of all that are expected.
func (t *taking) makeRoom(rows int) {
	if cap(t.rows)-len(t.rows) >= rows {
		return
	}
	room := make([]sink.Row, len(t.rows), max(len(t.rows)+rows+min(t.Expect(), t.wanted.maxRows), cap(t.rows)*3/2))
	copy(room, t.rows)
	t.rows = room
	t.memory.rows = room
}

func (t *taking) takeRow(raw string) error {
	t.before = taken{len(t.rows), len(t.rejects), t.replaced}
	row, err := t.Dataset.Mapper.MapInto(&t.memory.chunk, raw)
	if err != nil {
		return t.reject(raw, err)
	}
	t.order.see(row)
	t.replaced += row.Replaced
	t.rows = append(t.rows, sink.Row{Row: row})
	t.note(t.timed.at(row))
	return nil
}

// reject keeps a row that does not fit, where the dataset does not fail on it.
func (t *taking) reject(raw string, err error) error {
	var reject *schema.RejectError
	if !errors.As(err, &reject) || t.Dataset.FailOnBadRow && !t.wanted.rejects {
		return fmt.Errorf("map row: %w", err)
	}
	t.order.skip()
	t.note(t.rejectedTime(raw))
	if t.rejected == nil {
		t.rejected = reject
	}
	t.rejects = append(t.rejects, sink.Reject{Raw: strings.Clone(raw), Field: reject.Field, Reason: reject.Reason})
	return nil
}

// note notes when a row is.
func (t *taking) note(at time.Time, ok bool) {
	t.times = append(t.times, at)
	t.strays = t.strays || !ok || at.Before(t.asked.Start) || at.After(t.asked.End)
}

// rejectedTime is when a row is that does not fit as a whole.
func (t *taking) rejectedTime(raw string) (time.Time, bool) {
	v, ok := t.Dataset.Mapper.TimeOf(raw)
	if !ok {
		return time.Time{}, false
	}
	return t.instant(t.timed.kind, v), true
}

// putBack takes back the last row: a newer version of it came.
func (t *taking) putBack() {
	t.rows, t.rejects, t.replaced = t.rows[:t.before.rows], t.rejects[:t.before.rejects], t.before.replaced
	t.order.back()
}

// Expect is how many more rows are expected: by the ledger where it knows, and never more than the last page's pace
// would bring.
func (t *taking) Expect() int {
	from := t.pace.last
	if from.IsZero() {
		from = t.wanted.stretch.Start
	}
	rows := -1.0
	if t.wanted.expect != nil {
		rows = t.wanted.expect(from)
	}
	if left := t.pace.until(t.wanted.stretch.End); rows < 0 || left >= 0 && left < rows {
		rows = left
	}
	return int(max(0, min(rows, 1e9)))
}

// Nearer is up to when so many more rows are expected: on a whole minute where that makes little of a difference,
// since nobody knows what a server makes of seconds.
func (t *taking) Nearer(rows int) (time.Time, bool) {
	last := t.pace.last
	if last.IsZero() || t.strays || t.order.reason != "" || !last.After(t.wanted.stretch.Start) {
		return time.Time{}, false
	}
	end, ok := t.foreseen(rows)
	if !ok {
		if end, ok = t.pace.after(rows); !ok {
			return time.Time{}, false
		}
	}
	if !end.Before(t.wanted.stretch.End) {
		return time.Time{}, false
	}
	for _, unit := range []time.Duration{time.Minute, 10 * time.Second, time.Second} {
		if whole := end.Round(unit); whole.After(last) && (20*unit < end.Sub(last) || unit == time.Second) {
			return whole, true
		}
	}
	whole := last.Truncate(time.Second).Add(time.Second)
	return whole, whole.Before(t.wanted.stretch.End)
}

// foreseen is when so many more rows will have come by what the ledger knows, where it does. What it expects is held
// against what came of the stretch so far.
func (t *taking) foreseen(rows int) (time.Time, bool) {
	if t.wanted.expect == nil || !t.wanted.sure {
		return time.Time{}, false
	}
	w, last := t.wanted.stretch, t.pace.last
	all, left := t.wanted.expect(w.Start), t.wanted.expect(last)
	if all-left < 1 || left < 1 {
		return time.Time{}, false
	}
	after := left - float64(rows)*(all-left)/float64(len(t.rows)+len(t.rejects))
	if after <= 0 {
		return w.End, true
	}
	seconds := sort.Search(int(w.End.Sub(last)/time.Second), func(i int) bool {
		return t.wanted.expect(last.Add(time.Duration(i)*time.Second)) <= after
	})
	return last.Add(time.Duration(seconds) * time.Second), true
}

// Back gives back the rows behind the last whole minute of the last page, or behind the last whole second.
func (t *taking) Back() (end time.Time, behind int, ok bool) {
	if t.strays || t.order.reason != "" || len(t.times) == 0 || len(t.rejects) > t.odd {
		return time.Time{}, 0, false
	}
	first, last := t.times[0], t.times[len(t.times)-1]
	for _, unit := range []time.Duration{time.Minute, time.Second} {
		if end = last.Truncate(unit); end.After(first) && end.After(t.wanted.stretch.Start) {
			before := sort.Search(len(t.times), func(i int) bool { return !t.times[i].Before(end) })
			behind = len(t.times) - before
			for _, row := range t.rows[len(t.rows)-behind:] {
				t.replaced -= row.Replaced
			}
			t.rows = t.rows[:len(t.rows)-behind]
			last := t.rows[len(t.rows)-1].Row
			t.before = taken{len(t.rows) - 1, len(t.rejects), t.replaced - last.Replaced} // the last row is another one now
			t.order.backTo(last, behind)
			return end, behind, true
		}
	}
	return time.Time{}, 0, false
}

// pace is how fast time goes by with the rows.
type pace struct {
	last      time.Time // of the last row of the page before; zero: not known
	perSecond float64   // rows a second of the last page; 0: not known
}

// turn notes when the rows of a page are.
func (p *pace) turn(times []time.Time) {
	since, last := p.last, times[len(times)-1]
	if since.IsZero() {
		since = times[0]
	}
	p.last, p.perSecond = last, 0
	if !since.IsZero() && last.After(since) {
		p.perSecond = float64(len(times)) / last.Sub(since).Seconds()
	}
}

// until is how many rows are expected up to a time; less than 0: not known.
func (p *pace) until(end time.Time) float64 {
	if p.perSecond == 0 {
		return -1
	}
	return p.perSecond * max(0, end.Sub(p.last).Seconds())
}

// after is when so many rows will have come.
func (p *pace) after(rows int) (time.Time, bool) {
	const far = 366 * 24 * 3600
	if p.perSecond <= 0 || float64(rows)/p.perSecond > far {
		return time.Time{}, false
	}
	return p.last.Add(time.Duration(float64(rows) / p.perSecond * float64(time.Second))), true
}
