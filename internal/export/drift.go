package export

import (
	"context"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// previousValueID is the key under which a STAT insight says what became of the stretch of time before, of the same
// length.
const previousValueID = "previousValue"

// valueColumn is the column of an insight's one number, beside its previous value; ok is false where it has none, or
// several.
func (d Dataset) valueColumn() (column int, ok bool) {
	column = -1
	for i, c := range d.Mapper.Table().Columns {
		if c.ID == previousValueID || !c.Type.IsNumber() {
			continue
		}
		if column >= 0 {
			return -1, false
		}
		column = i
	}
	return column, column >= 0
}

func (d Dataset) previousColumn() int {
	return slices.IndexFunc(d.Mapper.Table().Columns, func(c schema.Column) bool { return c.ID == previousValueID && c.Type.IsNumber() })
}

// showsPrevious reports whether each window of an insight says what the one before it shows.
func (d Dataset) showsPrevious() bool {
	if d.Kind != sink.KindInsight || d.Snapshot || d.Write != sink.ReplaceWindows {
		return false
	}
	_, ok := d.valueColumn()
	return ok && d.previousColumn() >= 0
}

// bothRead are the windows of a stretch of time of which both numbers are there, as they were read last.
func (p *passage) bothRead(ctx context.Context, c *pair, within window.Window) ([]sink.Reconciled, error) {
	if c.previous { // a window is compared with the one after it
		size := c.Insight.Grid.Size()
		within = window.Window{Start: within.Start.Add(-size), End: within.End.Add(size)}
	}
	shown, err := p.Warehouse.Entries(ctx, c.Insight.Name, c.Insight.ConfigHash, within)
	if err != nil || len(shown) == 0 {
		return nil, err
	}
	if c.previous {
		return c.neighbours(shown), nil
	}
	within = window.Window{Start: shown[0].Window.Start, End: shown[len(shown)-1].Window.End}
	rows, err := p.Warehouse.Entries(ctx, c.Report.Name, c.Report.ConfigHash, within)
	if err != nil {
		return nil, err
	}
	var found []sink.Reconciled
	for _, e := range shown {
		for len(rows) > 0 && !rows[0].Window.End.After(e.Window.Start) {
			rows = rows[1:]
		}
		if readAt, ok := covered(e.Window, rows); ok && e.Complete() {
			found = append(found, sink.Reconciled{Window: e.Window, ReadAt: readAt, InsightReadAt: e.ReadAt, Definition: c.definition})
		}
	}
	return found, nil
}

// covered reports whether entries that were read to their ends cover a window, and when the oldest of these readings began.
// They begin with the first one that reaches into it.
func covered(w window.Window, entries []sink.Entry) (oldest time.Time, ok bool) {
	at := w.Start
	for _, e := range entries {
		if e.Window.Start.After(at) || !e.Complete() {
			return oldest, false
		}
		if oldest.IsZero() || e.ReadAt.Before(oldest) {
			oldest = e.ReadAt
		}
		if at = e.Window.End; !at.Before(w.End) {
			return oldest, true
		}
	}
	return oldest, false
}

// neighbours are the windows that are followed by another one of the same length: that is what its previous value is of.
func (c *pair) neighbours(shown []sink.Entry) (found []sink.Reconciled) {
	for i, next := range shown[1:] {
		e := shown[i]
		if e.Complete() && next.Complete() && e.Window.End.Equal(next.Window.Start) && e.Window.Duration() == next.Window.Duration() {
			found = append(found, sink.Reconciled{Window: e.Window, ReadAt: e.ReadAt, InsightReadAt: next.ReadAt, Definition: c.definition})
		}
	}
	return found
}

// numbers fills in what the warehouse has of windows and what the API says of them, and leaves out those of which it
// says nothing.
func (p *passage) numbers(ctx context.Context, c *pair, found []sink.Reconciled) ([]sink.Reconciled, error) {
	if len(found) == 0 {
		return nil, nil
	}
	shown, err := p.shown(ctx, c, hull(found))
	if err != nil {
		return nil, err
	}
	m := sink.Measurement{Table: c.Report.Mapper.Table(), Expression: c.SQL}
	kept := found[:0]
	for _, f := range found {
		value := shown[f.Window.Start.UnixMicro()]
		if c.previous {
			f.Warehouse, f.API = value.value, shown[f.Window.End.UnixMicro()].previous
		} else if f.API = value.value; f.API != "" {
			within, ok := c.Report.Stretch(f.Window)
			if !ok {
				continue
			}
			m.Within = append(m.Within, within)
			f.Warehouse = "0"
		}
		if f.Warehouse != "" && f.API != "" {
			kept = append(kept, f)
		}
	}
	if c.previous || len(kept) == 0 {
		return kept, nil
	}
	values, err := p.Warehouse.Measure(ctx, m)
	for i := range values {
		kept[i].Warehouse = plain(values[i])
	}
	return kept, err
}

// shownValue is what an insight shows of a window; "": nothing.
type shownValue struct{ value, previous string }

// shown is what an insight shows of its windows, by their start in microseconds, and of the one after them. Of several
// rows of a window the value is their sum.
func (p *passage) shown(ctx context.Context, c *pair, within window.Window) (map[int64]shownValue, error) {
	if c.previous {
		within.End = within.End.Add(time.Microsecond) // with the start of the window after it
	}
	rows, err := p.Warehouse.StoredByWindow(ctx, c.Insight.Mapper.Table(), within)
	if err != nil {
		return nil, err
	}
	table := c.Insight.Mapper.Table()
	column, _ := c.Insight.valueColumn()
	previous := c.Insight.previousColumn()
	shown, times := map[int64]shownValue{}, map[int64]int{}
	for _, row := range rows {
		at := row.WindowStart.UnixMicro()
		of := shown[at]
		if value := decimal(table.Columns[column].Type, row.Values[column]); of.value == "" {
			of.value = value
		} else if value != "" {
			of.value = sum(of.value, value)
		}
		if of.previous = ""; previous >= 0 && times[at] == 0 { // of several rows nobody knows which is of which
			of.previous = decimal(table.Columns[previous].Type, row.Values[previous])
		}
		shown[at] = of
		times[at]++
	}
	if c.previous {
		for at, n := range times {
			if n > 1 {
				delete(shown, at)
			}
		}
	}
	return shown, nil
}

// judge says how the numbers of a window compare, after what was known of it before.
func (c *pair) judge(f, before sink.Reconciled, known bool, now time.Time) sink.Reconciled {
	f.CheckedAt = now
	f.Difference, f.Share = apart(f.Warehouse, f.API)
	known = known && before.Definition == f.Definition
	if known {
		f.Rereads, f.MarkedAt = before.Rereads, before.MarkedAt
	}
	switch {
	case f.Difference == "0" || f.Share <= c.MaxShare:
		f.State = sink.Agrees // what is known of its re-reads stays: they may have helped
	case !known || c.anew(f, before, now):
		f.State, f.Rereads, f.MarkedAt, f.AgainAt = sink.Differs, 0, time.Time{}, now
	case before.State == sink.Agrees:
		f.State, f.AgainAt = sink.Differs, c.rested(before)
	case before.State == sink.Stands || c.readSince(f):
		f.State, f.AgainAt = sink.Stands, before.AgainAt
	default:
		f.State, f.AgainAt = sink.Differs, before.AgainAt
	}
	return f
}

// anew reports whether what differs is news, so that it is read again at once: a previous value that was not seen before; or
// a window that agreed, unless it was read again so lately that it might go to and fro for ever.
func (c *pair) anew(f, before sink.Reconciled, now time.Time) bool {
	if c.previous {
		return before.API != f.API
	}
	pauses := c.pauses()
	return before.State == sink.Agrees && now.Sub(before.MarkedAt) >= pauses[len(pauses)-1]
}

// pauses are how long a window rests after each time that it was read again and still differs; behind the last one it is
// left as it is. One that a previous value is about is read again once.
func (c *pair) pauses() []time.Duration {
	if c.previous {
		return nil
	}
	return []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 16 * time.Hour}
}

// rested is when a window is to be read again after it was; zero: no more.
func (c *pair) rested(r sink.Reconciled) time.Time {
	if pauses := c.pauses(); r.Rereads > 0 && r.Rereads <= len(pauses) {
		return r.MarkedAt.Add(pauses[r.Rereads-1])
	}
	return time.Time{}
}

// readSince reports whether both numbers are of readings that began after the window was made due. Of a previous value it
// is the other one that was made due.
func (c *pair) readSince(f sink.Reconciled) bool {
	return !f.MarkedAt.IsZero() && f.ReadAt.After(f.MarkedAt) && (c.previous || f.InsightReadAt.After(f.MarkedAt))
}

// tells reports whether a previous value says anything of the window before: that it was restated, when it was read last
// or at the same time; or what came of it, once that was noticed.
func (c *pair) tells(judged, before sink.Reconciled, known bool) bool {
	if judged.InsightReadAt.Before(judged.ReadAt) {
		return known && before.State != sink.Agrees
	}
	return known || judged.State != sink.Agrees
}

// toReadAgain are the windows that are to be read again now, of those whose time has come. At most so many of them may be such
// as were never read again; inVain says that there are more.
func (c *pair) toReadAgain(have []sink.Reconciled, allowed int, now time.Time) (marked []sink.Reconciled, inVain bool) {
	for _, h := range have {
		if h.Definition != c.definition {
			continue
		}
		if h.Rereads == 0 {
			if allowed <= 0 {
				inVain = true
				continue
			}
			allowed--
		}
		h.Rereads++
		h.MarkedAt = now
		h.AgainAt = c.rested(h)
		marked = append(marked, h)
	}
	return marked, inVain
}
