package export

import (
	"context"
	"fmt"
	"slices"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Rows that are gone from the source are marked as deleted only on good evidence, since a mark that is wrong takes
// rows out of people's numbers:
//
//   - The stretch was read whole and stably. Rows outside of it are left alone.
//   - A second reading, which takes no short page for the end, does not have them either; nor does the time around.
//     Rows that came and went while the first one paged, a page that was cut short by mistake, rows that have moved to
//     a time nearby: none of these look like a deletion twice.
//   - The second reading has rows at all. A server that answers everything with nothing has lost more than these.
//   - Nor does one page have them, asked for just where they were (look.go). Pages that fit together may still be of two
//     lists, and a row that is in both be missing; one page is what the API said at one instant.
//   - No more of a window is gone than DeletedMaxShare. Else a person has to look.
//   - No row came that lies outside of the time that was asked for: then the API's windows are not about the time
//     field, and what is missing may lie in another one.
//
// Where a guard or the second reading speaks against it nothing is marked, the rows are committed, and the window is
// unstable: it shows why, and is read again.

// fewGone is how many rows of a window may be gone whatever share of it they are.
const fewGone = 10

// evidence is what a reading says about the rows that it does not have. nil where nobody asks.
type evidence struct {
	mapper Mapper
	asked  window.Window
	// present are rejected rows of which the key is known: they are not gone.
	present []sink.Row
	// against says why nothing can be told of what is missing; "": it can.
	against string
	// caps are what is asked for at most when it is looked for once more.
	caps caps
}

func newEvidence(mapper Mapper, asked window.Window) *evidence {
	return &evidence{mapper: mapper, asked: asked}
}

// evidence is what a part says about the rows that it does not have; nil where nobody asks, or it never held still.
func (s *span) evidence(p part) *evidence {
	table := s.Dataset.Mapper.Table()
	if !table.MarksDeleted || s.Dataset.Snapshot || p.unstable != "" { // a snapshot's rows are gone once their time is
		return nil
	}
	e := s.Dataset.evidenceOf(p)
	e.caps = s.capsOfRest()
	if e.against == "" && s.lasting.server.strayed() { // as may be seen in another hour than this one
		e.against = sentOthers
	}
	return e
}

// evidenceOf is what the rows and rejects of a part say.
func (d Dataset) evidenceOf(p part) *evidence {
	e := newEvidence(d.Mapper, p.asked)
	field := d.timeField()
	for _, row := range p.rows {
		e.saw(field.at(row.Row))
	}
	for _, reject := range p.rejects {
		e.rejected(reject.Raw)
	}
	return e
}

// rejected notes a row that did not fit the mapping. It may be one that the table has.
func (e *evidence) rejected(raw string) {
	if key, ok := e.mapper.KeyOf(raw); ok {
		e.present = append(e.present, sink.Row{Row: key})
		return
	}
	e.against = "a row was rejected whose key cannot be read"
}

// sentOthers is why nothing is gone for certain where the API goes by another time than the time field.
const sentOthers = "the API sent a row whose time field is outside of the time that was asked for"

// saw notes when a row is, by its time field. Whether the ends of what was asked for belong to it is not known.
func (e *evidence) saw(at time.Time, ok bool) {
	if !ok || at.Before(e.asked.Start) || at.After(e.asked.End) {
		e.against = sentOthers
	}
}

// sweep has the commit of a part mark the rows that are gone from the source. It changes the readings of windows for
// which that is refused.
func (p *passage) sweep(ctx context.Context, h *held, read *readPart) error {
	b, evidence := read.batch, read.evidence
	if evidence == nil {
		return nil
	}
	if evidence.against != "" {
		p.Logger.Debug("no rows are marked as deleted", "dataset", p.Dataset.Name, "span", b.Range.String(), "reason", evidence.against)
		return nil
	}
	field := p.Dataset.timeField()
	within, ok := field.stretch(b.Range)
	if !ok {
		return nil
	}
	standing, err := p.Warehouse.Standing(ctx, b.Table, within, slices.Concat(b.Rows, evidence.present))
	if err != nil {
		return err
	}
	losses := p.lossesOf(h, b, standing)
	if losses.gone() == 0 {
		return nil
	}
	losses.guard(p.Dataset.DeletedMaxShare)
	sure, err := p.makeSure(ctx, losses.times(), evidence.caps)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		losses.refuse(fmt.Sprintf("rows seem to be gone from the source, but reading them again to be sure failed: %v", err))
	}
	b.Sweep = &sink.Sweep{Present: slices.Concat(evidence.present, sure.present), SeenAt: standing.At}
	for _, l := range losses.windows {
		for _, looked := range sure.within {
			part := looked.Intersect(l.window).Intersect(b.Range)
			if within, ok := field.stretch(part); ok && l.refused == "" && l.gone > 0 {
				b.Sweep.Within = append(b.Sweep.Within, within)
			}
		}
	}
	p.refuse(h, b, losses)
	return nil
}

// loss is what is gone of a window, or of the part of it that was read.
type loss struct {
	window      window.Window
	times       []time.Time // of the rows that are gone
	gone, stood int
	refused     string // why nothing of it is marked; "": it may be
}

type losses struct{ windows []loss }

func (p *passage) lossesOf(h *held, b *sink.Batch, standing sink.Standing) *losses {
	var all losses
	for _, e := range h.remaining().Entries {
		all.windows = append(all.windows, loss{window: e.Window})
	}
	field := p.Dataset.timeField()
	for _, row := range standing.Rows {
		at := field.instant(row.Time)
		i := slices.IndexFunc(all.windows, func(l loss) bool { return l.window.Contains(at) })
		if i < 0 {
			continue
		}
		l := &all.windows[i]
		l.stood++
		if !row.Gone {
			continue
		}
		l.gone++
		l.times = append(l.times, at)
	}
	return &all
}

func (l *losses) gone() (n int) {
	for _, w := range l.windows {
		n += w.gone
	}
	return n
}

// guard refuses windows of which too much is gone; all, where that is so of all together.
func (l *losses) guard(share float64) {
	tooMany := func(gone, stood int) bool { return gone > fewGone && float64(gone) > share*float64(stood) }
	reason := func(gone, stood int) string {
		return fmt.Sprintf("%d of %d rows are gone from the source: more than a share of %g (deleted_max_share), so none is marked as deleted; "+
			"look at the report in the API, and if it is right raise deleted_max_share", gone, stood, share)
	}
	gone, stood := 0, 0
	for i := range l.windows {
		w := &l.windows[i]
		gone, stood = gone+w.gone, stood+w.stood
		if tooMany(w.gone, w.stood) {
			w.refused = reason(w.gone, w.stood)
		}
	}
	if tooMany(gone, stood) {
		l.refuse(reason(gone, stood))
	}
}

// refuse refuses all windows that have lost rows.
func (l *losses) refuse(reason string) {
	for i := range l.windows {
		if w := &l.windows[i]; w.gone > 0 && w.refused == "" {
			w.refused = reason
		}
	}
}

// times are when the rows are that are to be marked, the earliest first.
func (l *losses) times() (times []time.Time) {
	for _, w := range l.windows {
		if w.refused == "" {
			times = append(times, w.times...)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// refuse shows in the ledger why rows of windows are not marked, and has them read again. A window that is read in
// parts is so once all of it was read.
func (p *passage) refuse(h *held, b *sink.Batch, all *losses) {
	for _, l := range all.windows {
		if l.refused == "" {
			continue
		}
		p.Logger.Warn("rows that are gone are not marked as deleted", "dataset", p.Dataset.Name, "window", l.window.String(),
			"gone", l.gone, "of", l.stood, "reason", l.refused)
		if h.settling.refused == nil {
			h.settling.refused = map[int64]string{}
		}
		h.settling.refused[l.window.Start.UnixMicro()] = l.refused
	}
	entries := h.remaining().Entries
	for i := range b.Readings {
		r := &b.Readings[i]
		reason, refused := h.settling.refused[r.Start.UnixMicro()]
		switch {
		case !refused:
		case r.State == sink.StateRunning:
			r.ReadTo, r.Rows = time.Time{}, 0
		case r.State != sink.StateUnstable:
			at := slices.IndexFunc(entries, func(e sink.Entry) bool { return e.Window.Start.Equal(r.Start) })
			r.State, r.Error, r.ReadTo = sink.StateUnstable, reason, time.Time{}
			r.NextReadAt = p.now().Add(retryDelay(entries[at].Attempts))
		}
	}
}
