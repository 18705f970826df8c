package sinktest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/sink"
)

// Whatever is committed, the table as of any time between two commits is what it was then, and the versions of all
// rows are those that it ever had.
func testHistoryAsOf(b bench) {
	d := historyDataset()
	b.keeping(d)
	lease, lane := b.claim(within(hours(0, 1))), &sink.Lane{}
	rapid.Check(b.t, func(t *rapid.T) {
		b.query(`DELETE FROM ` + b.Table(calls))
		b.query(`DELETE FROM ` + b.Table(calls+"_history"))
		life := past{rows: map[string]string{}, last: map[string]string{}}
		for range rapid.IntRange(1, 3).Draw(t, "commits") {
			batch := read(lease, clock(9, 0), clock(9, 0))
			batch.Table, batch.Lane, batch.Readings[0].State = d.Table, lane, sink.StateRunning // the lease stays
			for range rapid.IntRange(0, 4).Draw(t, "rows") {
				id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id")
				batch.Rows = append(batch.Rows, call(id, clock(0, rapid.IntRange(0, 1).Draw(t, "minute")), "Ann", rapid.Int64Range(0, 1).Draw(t, "seconds")))
			}
			if rapid.Bool().Draw(t, "sweep") {
				batch.Sweep = b.sweep(0, 1)
			}
			b.commit(batch)
			life.take(batch)
			life.times = append(life.times, time.Now())
			life.states = append(life.states, life.table())
		}
		for i, at := range life.times {
			if got := b.calls(b.AsOf(calls, at)); got != life.states[i] {
				t.Errorf("as of commit %d of %d: %s, want %s", i+1, len(life.times), got, life.states[i])
			}
		}
		if got := b.calls(b.Versions(calls)); got != life.all() {
			t.Errorf("versions: %s, want %s", got, life.all())
		}
	})
}

// calls are the rows of what is selected from, in a line.
func (b bench) calls(from string) string {
	b.t.Helper()
	var all []string
	for _, r := range b.query(`SELECT call_id, started_at, seconds, _deleted_at IS NOT NULL FROM ` + from) {
		all = append(all, rowText(r[0], b.instant(r[1]), r[2], r[3] == "1" || r[3] == "t"))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func rowText(id string, at time.Time, seconds string, deleted bool) string {
	text := fmt.Sprintf("%s:%s:%s", id, at.Format("04"), seconds)
	if deleted {
		text = "(" + text + ")"
	}
	return text
}

// past is the table as it ought to be, and as it was after each commit.
type past struct {
	rows     map[string]string // by id, those that are marked as deleted in brackets
	last     map[string]string // of the batch
	versions []string
	times    []time.Time
	states   []string
}

// take brings the rows to what a batch says.
func (p *past) take(batch sink.Batch) {
	clear(p.last)
	for _, row := range batch.Rows {
		id := row.Values[0].Str()
		p.last[id] = rowText(id, row.Values[1].Time(), fmt.Sprint(row.Values[3].Int()), false)
	}
	if batch.Sweep != nil {
		for id, row := range p.rows {
			if _, here := p.last[id]; !here && !strings.HasPrefix(row, "(") {
				p.last[id] = "(" + row + ")"
			}
		}
	}
	for id, row := range p.last {
		if p.rows[id] != row {
			p.rows[id] = row
			p.versions = append(p.versions, row)
		}
	}
}

func (p *past) table() string {
	var all []string
	for _, row := range p.rows {
		all = append(all, row)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (p *past) all() string {
	slices.Sort(p.versions)
	return strings.Join(p.versions, " ")
}
