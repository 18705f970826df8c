package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"samespace-exporter/internal/app"
)

// printTable prints rows under a header: with lines on a terminal, else plain columns.
func printTable(w io.Writer, header []string, rows [][]string) {
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	if isTerminal(w) {
		t.SetStyle(table.StyleLight)
	}
	t.Style().Format.Header = text.FormatDefault
	row := func(cells []string) table.Row {
		var r table.Row
		for _, cell := range cells {
			r = append(r, cell)
		}
		return r
	}
	t.AppendHeader(row(header))
	var columns []table.ColumnConfig
	for i := range header {
		columns = append(columns, table.ColumnConfig{Number: i + 1, Align: text.AlignAuto})
	}
	t.SetColumnConfigs(columns)
	for _, cells := range rows {
		t.AppendRow(row(cells))
	}
	_, _ = fmt.Fprintln(w, t.Render())
}

// printSummaries prints what passes did; nothing when they came to an error before they did anything.
func (c *command) printSummaries(summaries []app.Summary, err error) {
	if err != nil && !slices.ContainsFunc(summaries, func(s app.Summary) bool { return s.Windows > 0 }) {
		return
	}
	var rows [][]string
	for _, s := range summaries {
		rows = append(rows, []string{
			s.Dataset, count(s.Windows), count(s.Requests), count(s.RowsRead), count(s.Counts.Inserted), count(s.Counts.Updated),
			count(s.Counts.Unchanged), count(s.Counts.Deleted), count(s.Rejected), count(len(s.Failed)), s.Took.Round(time.Millisecond).String(),
		})
	}
	printTable(c.stdout, []string{
		"dataset", "windows", "requests", "rows read", "inserted", "updated", "unchanged", "deleted", "rejected", "failed spans", "took",
	}, rows)
	for _, s := range summaries {
		if s.RowsRead > 0 {
			_, _ = fmt.Fprintf(c.stdout, "%s: time went to fetching %s, waiting for the rate %s, decoding %s, comparing %s, committing %s (much of it at once)\n", s.Dataset,
				short(s.Spent.Fetch), short(s.Spent.Wait), short(s.Spent.Decode), short(s.Spent.Compare), short(s.Spent.Commit))
		}
	}
}

func short(d time.Duration) string { return d.Round(time.Millisecond).String() }

func count[T int | int64](n T) string { return fmt.Sprintf("%d", n) }

// printJSON prints a value as indented JSON.
func (c *command) printJSON(v any) error {
	encoder := json.NewEncoder(c.stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}
