package export

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// taking maps the rows of a reading as they come: the source.Taker of an export.
type taking struct {
	*Exporter
	wanted   wanted
	asked    window.Window
	field    timeField
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
	t := &taking{Exporter: e, wanted: w, asked: asked, field: e.Dataset.timeField(), memory: w.memory}
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
	t.noteTime(t.field.at(row))
	return nil
}

// reject keeps a row that does not fit, where the dataset does not fail on it.
func (t *taking) reject(raw string, err error) error {
	var reject *schema.RejectError
	if !errors.As(err, &reject) || t.Dataset.FailOnBadRow && !t.wanted.rejects {
		return fmt.Errorf("map row: %w", err)
	}
	t.order.skip()
	t.noteTime(t.rejectedTime(raw))
	if t.rejected == nil {
		t.rejected = reject
	}
	t.rejects = append(t.rejects, sink.Reject{Raw: strings.Clone(raw), Field: reject.Field, Reason: reject.Reason})
	return nil
}

// noteTime notes when a row is.
func (t *taking) noteTime(at time.Time, ok bool) {
	t.times = append(t.times, at)
	t.strays = t.strays || !ok || at.Before(t.asked.Start) || at.After(t.asked.End)
}

// rejectedTime is when a row is that does not fit as a whole.
func (t *taking) rejectedTime(raw string) (time.Time, bool) {
	v, ok := t.Dataset.Mapper.TimeOf(raw)
	if !ok {
		return time.Time{}, false
	}
	return t.field.instant(v), true
}

// putBack takes back the last row: a newer version of it came.
func (t *taking) putBack() {
	t.rows, t.rejects, t.replaced = t.rows[:t.before.rows], t.rejects[:t.before.rejects], t.before.replaced
	t.order.back()
}
