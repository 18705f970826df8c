package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// write writes the batch's rows in the way that it asks for.
func (s rowset) write(ctx context.Context, tx *transaction, b sink.Batch, now time.Time) (sink.Counts, error) {
	switch {
	case b.Write == sink.Upsert:
		return s.store(ctx, tx, now)
	case len(s.shape.key) > 0:
		return sink.Counts{}, fmt.Errorf("the rows of %s have a key: they can only be upserted", s.shape.table)
	}
	scope := s.scopeOf(b)
	there, err := s.contents(ctx, tx, scope, b)
	if err != nil {
		return sink.Counts{}, err
	}
	if b.Write == sink.Append {
		return s.addMissing(ctx, tx, there, now)
	}
	return s.replace(ctx, tx, scope, there, now)
}

// scope is the part of a table that a batch is about: windows by their start, or all of it.
type scope struct {
	all     bool
	windows []string
}

func (s rowset) scopeOf(b sink.Batch) (of scope) {
	switch b.Write {
	case sink.ReplaceTable:
		of.all = true
	case sink.ReplaceWindows:
		for _, r := range b.Readings {
			of.windows = append(of.windows, r.Start.UTC().Format(timestamptzLayout))
		}
	default:
		for _, row := range s.rows {
			of.windows = append(of.windows, s.windowOf(row))
		}
		slices.Sort(of.windows)
		of.windows = slices.Compact(of.windows)
	}
	return of
}

// group is the window that a row is compared within; one for all where the whole table is.
func (of scope) group(window string) string {
	if of.all {
		return ""
	}
	return window
}

func (s rowset) windowOf(row []any) string {
	window, _ := row[len(row)-1].(string) // it always is one
	return window
}

func (s rowset) content(row []any) string { return keyText(row[:s.shape.compared()]) }

// plainContent is content for rows that may have been promoted: a text that was sent as a number is no other than what Extra
// made of it.
func (s rowset) plainContent(row []any) string {
	plain := slices.Clone(row[:s.shape.compared()])
	for i, v := range plain {
		if text, is := v.(string); is && s.shape.columns[i].Type == schema.Text {
			plain[i] = schema.PlainText(text)
		}
	}
	return keyText(plain)
}

// contents counts the rows that a table has, by group and content.
type contents map[string]map[string]int64

func (c contents) add(group, content string) {
	if c[group] == nil {
		c[group] = map[string]int64{}
	}
	c[group][content]++
}

// contents reads what the table has, in the form that the batch gives it.
func (s rowset) contents(ctx context.Context, tx *transaction, of scope, b sink.Batch) (contents, error) {
	args, err := of.args()
	if err != nil {
		return nil, err
	}
	there, contentOf := contents{}, s.content
	if b.Write == sink.Append {
		contentOf = s.plainContent
	}
	var names []string
	for _, c := range b.Table.Columns {
		names = append(names, c.Name)
	}
	row := make([]any, len(s.shape.columns))
	to := make([]any, len(row))
	for i := range row {
		to[i] = &row[i]
	}
	rows, err := tx.QueryContext(ctx, s.shape.contents(of), args...) //nolint:sqlclosecheck // each closes it
	err = each(rows, err, func() error {
		err := rows.Scan(to...)
		there.add(of.group(s.windowOf(row)), contentOf(promoted(b.Table, names, row, b.Promote)))
		return err
	})
	return there, err
}

// promoted is a row of the table in the form that the batch gives it.
func promoted(t schema.Table, names []string, row []any, promote sink.Promote) []any {
	mapped := len(t.Columns)
	if promote == nil || row[mapped] == nil {
		return row
	}
	is, changed, _ := promote(restoredRow(t, row), names)
	if !changed {
		return row
	}
	cells := slices.Clone(row)
	for i, c := range t.Columns {
		cells[i] = stored(c.Type, is.Values[i])
	}
	cells[mapped] = stored(schema.JSON, is.Extra)
	return cells
}

// addMissing writes the rows that the table does not have.
func (s rowset) addMissing(ctx context.Context, tx *transaction, there contents, now time.Time) (sink.Counts, error) {
	var fresh [][]any
	for _, row := range s.rows {
		window, content := s.windowOf(row), s.plainContent(row)
		if there[window][content] > 0 {
			there[window][content]--
			continue
		}
		fresh = append(fresh, row)
	}
	return sink.Counts{Inserted: int64(len(fresh)), Unchanged: int64(len(s.rows) - len(fresh))}, s.insert(ctx, tx, fresh, now)
}

// replace writes the rows of the groups that differ, in place of those that are there.
func (s rowset) replace(ctx context.Context, tx *transaction, of scope, there contents, now time.Time) (counts sink.Counts, err error) {
	here := contents{}
	for _, row := range s.rows {
		here.add(of.group(s.windowOf(row)), s.content(row))
	}
	differ := scope{all: of.all && !maps.Equal(here[""], there[""])}
	for _, window := range of.windows {
		if !maps.Equal(here[window], there[window]) {
			differ.windows = append(differ.windows, window)
		}
	}
	var fresh [][]any
	for _, row := range s.rows {
		if differ.all || slices.Contains(differ.windows, s.windowOf(row)) {
			fresh = append(fresh, row)
		}
	}
	counts = sink.Counts{Inserted: int64(len(fresh)), Unchanged: int64(len(s.rows) - len(fresh))}
	if differ.all || len(differ.windows) > 0 {
		args, err := differ.args()
		if err != nil {
			return counts, err
		}
		removed, err := tx.ExecContext(ctx, s.shape.remove(differ), args...)
		if err != nil {
			return counts, err
		}
		if counts.Removed, err = removed.RowsAffected(); err != nil {
			return counts, err
		}
	}
	return counts, s.insert(ctx, tx, fresh, now)
}

func (of scope) args() ([]any, error) {
	if of.all {
		return nil, nil
	}
	list, err := json.Marshal(of.windows)
	return []any{string(list)}, err
}

// where is the condition of the rows of the scope.
func (of scope) where() string {
	if of.all {
		return ""
	}
	return " WHERE " + quote(schema.WindowStartColumn) + " IN (SELECT value FROM json_each(?1))"
}

// contents takes the windows of the scope, and returns the columns of its rows. The plus keeps the driver from making
// times of text.
func (s shape) contents(of scope) string {
	var columns []string
	for i := range s.columns {
		columns = append(columns, "+"+s.name(i))
	}
	return fmt.Sprintf("SELECT %s FROM %s%s", strings.Join(columns, ", "), s.table, of.where())
}

// remove takes the windows of the scope.
func (s shape) remove(of scope) string { return "DELETE FROM " + s.table + of.where() }
