package sinktest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// calls is the dataset that most tests use, and the name of its table.
const calls = "calls"

// bench is a warehouse under test with the words that the tests are written in. Its methods end the test
// when something unexpected happens.
type bench struct {
	Harness
	t *testing.T
}

// clock is a time of the day on which the tests play; hours past 24 are of the days after it.
func clock(hour, minute int) time.Time { return time.Date(2026, 3, 2, hour, minute, 0, 0, time.UTC) }

func hours(from, to int) window.Window {
	return window.Window{Start: clock(from, 0), End: clock(to, 0)}
}

func callsTable() schema.Table {
	return schema.Table{
		Name: calls, Comment: "Calls", Key: []string{"call_id"}, TimeField: "started_at",
		Columns: []schema.Column{
			{Name: "call_id", Type: schema.Text, ID: "5ef594e0eba06ff9adbcfc07", Title: "Call ID"},
			{Name: "started_at", Type: schema.Timestamptz, ID: "5e6f5fc04767c68072ee031c", Title: "Start time"},
			{Name: "agent", Type: schema.Text, ID: "5ea18e11465b4d80736a76eb"},
			{Name: "seconds", Type: schema.Integer, ID: "5e6f5fc04767c68072ee0320"},
		},
	}
}

func callsDataset() sink.Dataset {
	return sink.Dataset{
		Name: calls, Kind: sink.KindReport, Table: callsTable(), ConfigHash: "c1",
		Reread: window.Reread{time.Hour, 24 * time.Hour},
	}
}

// call is a row of the table calls.
func call(id string, at time.Time, agent string, seconds int64) sink.Row {
	return sink.Row{WindowStart: at.Truncate(time.Hour), Row: schema.Row{Values: []schema.Value{
		schema.StrValue(id), schema.TimeValue(at), schema.StrValue(agent), schema.IntValue(seconds),
	}}}
}

func hourly(stretch window.Window) []window.Window {
	grid, err := window.NewGrid(time.Hour, nil)
	if err != nil {
		panic(err)
	}
	return grid.Cut(stretch)
}

func (b bench) noError(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) prepare(d sink.Dataset) sink.Prepared {
	b.t.Helper()
	p, err := b.Prepare(b.t.Context(), d)
	b.noError(err)
	return p
}

// planned enters hourly windows of the dataset calls, due as of the first one's start.
func (b bench) planned(from, to int) {
	b.t.Helper()
	b.prepare(callsDataset())
	b.plan(hours(from, to), clock(from, 0))
}

func (b bench) plan(within window.Window, now time.Time) int {
	b.t.Helper()
	n, err := b.Plan(b.t.Context(), calls, within, now, hourly)
	b.noError(err)
	return n
}

// anything asks for all that is due by the end of the given hour, in one span.
func anything(now int) sink.ClaimRequest {
	return sink.ClaimRequest{
		Dataset: calls, Now: clock(now, 0), Edge: clock(now, 0), Order: sink.OldestFirst,
		MaxSpan: 1000 * time.Hour, Owner: "first", TTL: time.Hour,
	}
}

func (b bench) claim(r sink.ClaimRequest) sink.Lease {
	b.t.Helper()
	l, ok, err := b.Claim(b.t.Context(), r)
	b.noError(err)
	if !ok {
		b.t.Fatalf("nothing is due for %+v; the ledger has %+v", r, b.ledger())
	}
	return l
}

func (b bench) nothingDue(r sink.ClaimRequest) {
	b.t.Helper()
	l, ok, err := b.Claim(b.t.Context(), r)
	b.noError(err)
	if ok {
		b.t.Fatalf("claimed %s, want nothing due for %+v", starts(l.Entries), r)
	}
}

// starts is the hours at which windows start, as in "08 09 10".
func starts(entries []sink.Entry) string {
	var s []string
	for _, e := range entries {
		s = append(s, fmt.Sprintf("%02d", int(e.Window.Start.Sub(clock(0, 0)).Hours())))
	}
	return strings.Join(s, " ")
}

// read is a batch that says of all windows of the lease that they were read to their ends.
func read(l sink.Lease, readAt, nextReadAt time.Time, rows ...sink.Row) sink.Batch {
	batch := sink.Batch{Lease: l, Table: callsTable(), Rows: rows, Range: l.Span(), RowsRead: int64(len(rows))}
	state := sink.StateRead
	if nextReadAt.IsZero() {
		state = sink.StateFinal
	}
	for _, e := range l.Entries {
		batch.Readings = append(batch.Readings, sink.Reading{
			Start: e.Window.Start, State: state, ReadAt: readAt, ReadTo: e.Window.End, NextReadAt: nextReadAt,
		})
	}
	return batch
}

func (b bench) commit(batch sink.Batch) sink.Counts {
	b.t.Helper()
	counts, err := b.Commit(b.t.Context(), batch)
	b.noError(err)
	return counts
}

// store claims all that is due of hour 0, commits the rows and leaves the hour due again.
func (b bench) store(rows ...sink.Row) sink.Counts {
	b.t.Helper()
	r := anything(1)
	r.Within = hours(0, 1)
	return b.commit(read(b.claim(r), clock(1, 0), clock(1, 0), rows...))
}

// settled commits the windows of a stretch as read, with no rows, to be read again at nextReadAt. They were
// read at the stretch's end, or when they became due if that was later.
func (b bench) settled(stretch window.Window, nextReadAt time.Time) {
	b.t.Helper()
	l := b.claim(within(stretch))
	readAt := stretch.End
	for _, e := range l.Entries {
		if e.NextReadAt.After(readAt) {
			readAt = e.NextReadAt
		}
	}
	b.commit(read(l, readAt, nextReadAt))
}

// ledger is the dataset's ledger as SQL shows it.
func (b bench) ledger() []sink.Entry {
	b.t.Helper()
	rows := b.query(`SELECT start_at, end_at, state, "rows", reads, attempts, error, read_at, read_to, next_read_at
		FROM ` + b.Own("windows") + ` WHERE dataset = 'calls' ORDER BY start_at`)
	entries := make([]sink.Entry, 0, len(rows))
	for _, r := range rows {
		e := sink.Entry{
			Window: window.Window{Start: b.instant(r[0]), End: b.instant(r[1])}, State: sink.State(r[2]),
			Rows: b.number(r[3]), Reads: int(b.number(r[4])), Attempts: int(b.number(r[5])),
			ReadAt: b.instant(r[7]), ReadTo: b.instant(r[8]), NextReadAt: b.instant(r[9]),
		}
		if r[6] != "NULL" {
			e.Error = r[6]
		}
		entries = append(entries, e)
	}
	return entries
}

// entry is the ledger's row of the window that starts at an hour.
func (b bench) entry(hour int) sink.Entry {
	b.t.Helper()
	for _, e := range b.ledger() {
		if e.Window.Start.Equal(clock(hour, 0)) {
			return e
		}
	}
	b.t.Fatalf("the ledger has no window that starts at hour %d", hour)
	return sink.Entry{}
}

// expireLeases lets every lease end in the past.
func (b bench) expireLeases() {
	b.t.Helper()
	b.query(`UPDATE ` + b.Own("windows") + ` SET lease_until = '2000-01-01T00:00:00.000000Z' WHERE lease_until IS NOT NULL`)
}

func (b bench) query(statement string) [][]string {
	b.t.Helper()
	rows, err := b.Query(context.WithoutCancel(b.t.Context()), statement)
	if err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
	return rows
}

// cell is the only cell of a query's only row.
func (b bench) cell(statement string) string {
	b.t.Helper()
	rows := b.query(statement)
	if len(rows) != 1 || len(rows[0]) != 1 {
		b.t.Fatalf("%s: %v, want one cell", statement, rows)
	}
	return rows[0][0]
}

// column is all cells of a one-column query in one line.
func (b bench) column(statement string) string {
	b.t.Helper()
	var cells []string
	for _, r := range b.query(statement) {
		cells = append(cells, r[0])
	}
	return strings.Join(cells, " ")
}

// instant reads a time as SQL shows it; NULL is the zero time.
func (b bench) instant(cell string) time.Time {
	b.t.Helper()
	if cell == "NULL" {
		return time.Time{}
	}
	t, ok := parseTime(cell)
	if !ok {
		b.t.Fatalf("%q is not a time", cell)
	}
	return t
}

func parseTime(cell string) (time.Time, bool) {
	cell = strings.Replace(cell, " ", "T", 1)
	for _, layout := range []string{
		"2006-01-02T15:04:05.999999Z07:00:00", "2006-01-02T15:04:05.999999Z07:00", "2006-01-02T15:04:05.999999Z07",
		"2006-01-02T15:04:05.999999", time.DateOnly,
	} {
		if t, err := time.Parse(layout, cell); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func (b bench) number(cell string) int64 {
	b.t.Helper()
	n, err := strconv.ParseInt(cell, 10, 64)
	b.noError(err)
	return n
}

// equal fails the test when got is not want.
func equal[T comparable](b bench, what string, got, want T) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
