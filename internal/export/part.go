package export

import (
	"context"
	"errors"
	"fmt"
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
	stretch     window.Window // all of its rows were read: that which was wanted, or a beginning of it
	asked       window.Window // what the API was asked for: the stretch and the lead
	rows        []sink.Row
	memory      *memory // that the rows lie in
	rejects     []sink.Reject
	reading     source.Reading
	furtherRows []sink.TableRows // of a dashboard
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
	q.PageSize = e.lasting.limits.pageSize(e.Dataset)
	q.MaxRows, q.Uncertain, q.Unstable, q.Nearer = w.maxRows, w.uncertain, w.unstable, w.nearer
	e.lasting.server.ask(&q)
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
	e.lasting.server.learn(reading, drawn, err, t.strays)
	var disorder *disorderError
	if err != nil && !errors.As(err, &disorder) {
		return part{}, err
	}
	if len(t.rejects) == reading.Rows && t.rejected != nil && (reading.Rows >= minAllRejected || !e.lasting.server.everFitted()) {
		return part{}, &MappingError{Rows: reading.Rows, First: t.rejected}
	}
	if len(t.rows) > 0 {
		e.lasting.server.sawFit()
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
