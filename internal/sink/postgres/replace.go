package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// store writes the batch's rows in the way that it asks for.
func (a *arranged) store(ctx context.Context, conn *pgx.Conn, b sink.Batch, at time.Time) (sink.Counts, error) {
	switch {
	case b.Write == sink.Upsert:
		return a.write(ctx, conn, at)
	case len(a.Key) > 0:
		return sink.Counts{}, fmt.Errorf("the rows of %s have a key: they can only be upserted", a.name())
	}
	a.exportedAt = at
	scope, contentOf := a.scopeOf(b), a.content
	if b.Write == sink.Append {
		if err := a.takeAppendTurn(ctx, conn); err != nil {
			return sink.Counts{}, err
		}
		contentOf = a.plainContent
	}
	there, err := a.contents(ctx, conn.PgConn(), scope, b.Promote, contentOf)
	if err != nil {
		return sink.Counts{}, err
	}
	if b.Write == sink.Append {
		return a.addMissing(ctx, conn, there, contentOf)
	}
	return a.replace(ctx, conn, scope, there)
}

// takeAppendTurn keeps other commits from appending to the table until this one has ended: a row whose time is of another
// window may be sent with both, and must not be found missing by both.
func (a *arranged) takeAppendTurn(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, statement("take_turn"), "append to "+a.name())
	return err
}

// scope is the part of a table that a batch is about: windows, or all of it.
type scope struct {
	all     bool
	windows []time.Time
}

func (a *arranged) scopeOf(b sink.Batch) (s scope) {
	switch b.Write {
	case sink.ReplaceTable:
		s.all = true
	case sink.ReplaceWindows:
		for _, r := range b.Readings {
			s.windows = append(s.windows, r.Start)
		}
	default:
		seen := map[int64]bool{}
		for _, row := range a.rows {
			if at := row.WindowStart; !seen[at.UnixMicro()] {
				seen[at.UnixMicro()] = true
				s.windows = append(s.windows, at)
			}
		}
	}
	return s
}

// has reports whether rows of a window are in the scope.
func (s scope) has(window time.Time) bool {
	return s.all || slices.ContainsFunc(s.windows, window.Equal)
}

// group is the window that a row is compared within; one for all where the whole table is.
func (s scope) group(window time.Time) int64 {
	if s.all {
		return 0
	}
	return window.UnixMicro()
}

// contentOf is all that a row holds, in the form that rows are compared in.
type contentOf func(*sink.Row) string

// contents counts the rows that a table has, by group and content.
type contents map[int64]map[string]int64

func (c contents) add(group int64, content string) {
	if c[group] == nil {
		c[group] = map[string]int64{}
	}
	c[group][content]++
}

// contents reads what the table has, in the form that promote gives it.
func (a *arranged) contents(ctx context.Context, conn *pgconn.PgConn, s scope, promote sink.Promote, contentOf contentOf) (contents, error) {
	values, oids := split(s.parameters())
	result := conn.ExecParams(ctx, a.readContents(s), values, oids, []int16{binaryFormat}, []int16{binaryFormat})
	there, columns := contents{}, names(a.Columns)
	more := result.NextRow()
	failure := checkColumns(a.name(), a.compared(), result.FieldDescriptions())
	for ; more && failure == nil; more = result.NextRow() {
		fields := result.Values()
		var row sink.Row
		if row.Row, failure = a.decodeRow(fields); failure != nil {
			break
		}
		start, err := decodeValue(schema.Timestamptz, fields[len(fields)-1])
		failure = err
		if promote != nil {
			row.Row, _, _ = promote(row.Row, columns)
		}
		there.add(s.group(start.Time()), contentOf(&row))
	}
	if _, err := result.Close(); err != nil {
		return nil, err
	}
	return there, failure
}

// decodeRow is a row of the compared columns.
func (a *arranged) decodeRow(fields [][]byte) (row schema.Row, err error) {
	values, err := a.decode(a.compared(), fields)
	if err != nil {
		return row, err
	}
	mapped := len(a.Columns)
	return schema.Row{Values: values[:mapped:mapped], Extra: values[mapped]}, nil
}

// content is a row as contents has it.
func (a *arranged) content(row *sink.Row) string {
	var buf []byte
	for i, v := range row.Values {
		buf = appendField(buf, a.Columns[i].Type, v)
	}
	return string(appendField(buf, schema.JSON, row.Extra))
}

// plainContent is content for rows that may have been promoted: a text that was sent as a number is no other than what Extra
// made of it.
func (a *arranged) plainContent(row *sink.Row) string {
	plain := sink.Row{Row: schema.Row{Values: slices.Clone(row.Values), Extra: row.Extra}}
	for i, v := range plain.Values {
		if a.Columns[i].Type == schema.Text && !v.IsNull() {
			plain.Values[i] = schema.StrValue(schema.PlainText(v.Str()))
		}
	}
	return a.content(&plain)
}

// addMissing writes the rows that the table does not have.
func (a *arranged) addMissing(ctx context.Context, conn *pgx.Conn, there contents, contentOf contentOf) (counts sink.Counts, err error) {
	a.verdicts = make([]verdict, len(a.rows))
	for i := range a.rows {
		group, content := a.rows[i].WindowStart.UnixMicro(), contentOf(&a.rows[i])
		if there[group][content] > 0 {
			there[group][content]--
			a.verdicts[i] = unchanged
			counts.Unchanged++
		}
	}
	counts.Inserted = int64(len(a.rows)) - counts.Unchanged
	return counts, a.copyMissing(ctx, conn, counts.Inserted)
}

// replace writes the rows of the groups that differ, in place of those that are there.
func (a *arranged) replace(ctx context.Context, conn *pgx.Conn, s scope, there contents) (counts sink.Counts, err error) {
	here := contents{}
	for i := range a.rows {
		here.add(s.group(a.rows[i].WindowStart), a.content(&a.rows[i]))
	}
	differ := scope{all: s.all && !maps.Equal(here[0], there[0])}
	for _, window := range s.windows {
		if group := s.group(window); !maps.Equal(here[group], there[group]) {
			differ.windows = append(differ.windows, window)
		}
	}
	a.verdicts = make([]verdict, len(a.rows))
	for i := range a.rows {
		if !differ.has(a.rows[i].WindowStart) {
			a.verdicts[i] = unchanged
			counts.Unchanged++
		}
	}
	counts.Inserted = int64(len(a.rows)) - counts.Unchanged
	if differ.all || len(differ.windows) > 0 {
		values, oids := split(differ.parameters())
		removed := conn.PgConn().ExecParams(ctx, a.removeRows(differ), values, oids, []int16{binaryFormat}, nil).Read()
		if removed.Err != nil {
			return counts, removed.Err
		}
		counts.Removed = removed.CommandTag.RowsAffected()
	}
	return counts, a.copyMissing(ctx, conn, counts.Inserted)
}

// copyMissing copies the rows that are not unchanged into the table.
func (a *arranged) copyMissing(ctx context.Context, conn *pgx.Conn, rows int64) error {
	if rows == 0 {
		return nil
	}
	_, err := conn.PgConn().CopyFrom(ctx, a.encode(false), a.copyRows())
	return err
}

func (s scope) parameters() []parameter {
	if s.all {
		return nil
	}
	starts := make([]schema.Value, len(s.windows))
	for i, at := range s.windows {
		starts[i] = schema.TimeValue(at)
	}
	return []parameter{{pgtype.TimestamptzArrayOID, appendArray(nil, schema.Timestamptz, starts)}}
}

// where is the condition of the rows of the scope.
func (s scope) where() string {
	if s.all {
		return ""
	}
	return "\nWHERE t." + quote(schema.WindowStartColumn) + " = ANY ($1)"
}

// readContents reads the compared columns and the window of the rows of a scope.
func (t target) readContents(s scope) string {
	columns := append(quoteAll(names(t.compared())), quote(schema.WindowStartColumn))
	return fmt.Sprintf("SELECT t.%s\nFROM %s AS t%s", strings.Join(columns, ", t."), t.name(), s.where())
}

// removeRows takes the rows of a scope away.
func (t target) removeRows(s scope) string {
	return fmt.Sprintf("DELETE FROM %s AS t%s", t.name(), s.where())
}
