package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Existing is a report table as it is in the warehouse.
type Existing struct {
	Comment string
	Columns []ExistingColumn
	Key     []string // columns of the primary key; empty: there is none
	Indexed []string // columns that are the first of some index
}

// ExistingColumn is a column as it is in the warehouse.
type ExistingColumn struct {
	Name    string
	Native  string // type, spelled as Dialect.Native spells it
	Comment string
	// NotNull is set where every insert must name the column: it refuses NULL and has no default.
	NotNull bool
	// Making is how the values were made. nil: not known.
	Making *Making
	forget string // SQL after which it is not known any more
}

// Making is how the values of a column are made: from which metric id, and by which transform, as Column has them.
type Making struct{ ID, Transform string }

func (m Making) String() string {
	if m.Transform == "" || m.Transform == None.String() {
		return m.ID
	}
	return fmt.Sprintf("%s, transform %s", m.ID, m.Transform)
}

// ofAnother reports whether the values are known to be of another metric than the mapping's column.
func (c ExistingColumn) ofAnother(wanted Column) bool {
	return c.Making != nil && c.Making.ID != wanted.ID
}

// SetMaking says how the values of a column were made, by the data dictionary that is named.
func (h *Existing) SetMaking(dictionary, table, column string, m Making) {
	literal := func(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
	forget := fmt.Sprintf("UPDATE %s SET transform = NULL WHERE table_name = %s AND column_name = %s", dictionary, literal(table), literal(column))
	for i := range h.Columns {
		if h.Columns[i].Name == column {
			h.Columns[i].Making, h.Columns[i].forget = &m, forget
		}
	}
}

// Dialect is what a plan must know of a warehouse.
type Dialect interface {
	// Native is the warehouse's spelling of a type.
	Native(Type) string
	// Widens reports whether a column can be changed from one native type to the other in place, such that
	// it holds every value as before.
	Widens(from, to string) bool
	// Comments reports whether tables and columns carry comments.
	Comments() bool
	// TableName is the table's name as SQL has it: quoted, with its schema.
	TableName(table string) string
}

// ChangeKind is what a change does.
type ChangeKind uint8

// The kinds of change: nothing but additions.
const (
	CreateTable   ChangeKind = iota + 1 // with all columns, the exporter's own ones included, and the key
	AddColumn                           // Column; it takes NULL
	WidenColumn                         // Column, From one native type to that of Column
	CommentTable                        // Comment
	CommentColumn                       // Column, Comment
	CreateIndex                         // on Column
)

// Change is one step from a table as it is to the table as it should be.
type Change struct {
	Kind    ChangeKind
	Column  Column // zero for CreateTable and CommentTable
	From    string // of WidenColumn: the native type as it is
	Comment string // of CommentTable and CommentColumn
}

// NarrowingError says that the table in the warehouse and the mapping differ in a way that additions do not
// mend, so that a person must decide. Nothing was changed.
type NarrowingError struct {
	Table     string
	Column    string // "" when it is about the table's key
	Have      string // the native type, or the primary key, as it is
	Want      string // the same as the mapping wants it
	Statement string // SQL that a person would run: it keeps every value, and lets the exporter go on
	Then      string // what to do after it; "": nothing
	Alike     string // SQL for one who knows that what differs makes no other values; "" where that cannot be
}

func (e *NarrowingError) Error() string {
	what := "table " + e.Table
	if e.Column != "" {
		what += ", column " + e.Column
	}
	text := fmt.Sprintf("%s: has %s, the mapping wants %s; nothing was changed. Change the mapping, or run: %s",
		what, e.Have, e.Want, e.Statement)
	if e.Then != "" {
		text += "; then " + e.Then
	}
	if e.Alike != "" {
		text += "; or, if both make the same values, run: " + e.Alike
	}
	return text
}

// Comment is the comment of the column in the warehouse: its title and metric id.
func (c Column) Comment() string {
	switch {
	case c.ID == "":
		return c.Title
	case c.Title == "":
		return c.ID
	default:
		return c.Title + " (" + c.ID + ")"
	}
}

// NotNull reports whether the table's column refuses NULL: those of the key do, and the exporter's own two
// that every row has.
func (t Table) NotNull(column string) bool {
	return column == WindowStartColumn || column == ExportedAtColumn || slices.Contains(t.Key, column)
}

// Plan is what turns the table as it is, nil when it is not there, into the table as it should be, in the
// order in which it is to be done; nothing when it is so already. Columns that the table does not know are
// left alone. The error joins a *NarrowingError for everything that additions do not mend.
func Plan(want Table, have *Existing, d Dialect) ([]Change, error) {
	p := planner{want: want, dialect: d}
	if have == nil {
		have = &Existing{Key: want.Key}
		p.changes = append(p.changes, Change{Kind: CreateTable})
	} else {
		p.checkKey(have)
		p.checkUnfilled(have)
		p.columns(have)
	}
	p.comments(have)
	p.index(have)
	if err := errors.Join(p.refused...); err != nil {
		return nil, err
	}
	return p.changes, nil
}

// Strangers refuses a table without a key that has rows which its dataset is not known to have written: to read their windows would add
// them once more, or delete them.
func Strangers(t Table, d Dialect) *NarrowingError {
	p := planner{want: t, dialect: d}
	return &NarrowingError{
		Table: t.Name, Have: "rows that this dataset is not known to have written", Want: "none, since without a key nobody can tell them from its own",
		Statement: p.setTableAside(),
	}
}

type planner struct {
	want    Table
	dialect Dialect
	changes []Change
	refused []error
}

// allColumns are the mapped columns and the exporter's own.
func (p *planner) allColumns() []Column {
	return slices.Concat(p.want.Columns, p.want.OwnColumns())
}

// checkKey refuses another primary key than the mapping's; the order of its columns does not matter. It refuses, too, keys that
// are made otherwise: rows that come again would be new ones beside those that are there.
func (p *planner) checkKey(have *Existing) {
	is, wanted := slices.Sorted(slices.Values(have.Key)), slices.Sorted(slices.Values(p.want.Key))
	if !slices.Equal(is, wanted) {
		p.refuse("", describeKey(have.Key), describeKey(p.want.Key), p.setTableAside(), "")
		return
	}
	for _, place := range p.want.KeyIndexes() {
		c := p.want.Columns[place]
		column, _ := have.column(c.Name)
		if made := (Making{ID: c.ID, Transform: c.Transform}); column.Making != nil && *column.Making != made {
			p.refused = append(p.refused, &NarrowingError{
				Table: p.want.Name, Column: c.Name, Have: "keys from " + column.Making.String(),
				Want:      "keys from " + made.String() + ", by which rows that come again would be there twice",
				Statement: p.setTableAside(), Alike: column.forget,
			})
		}
	}
}

func describeKey(key []string) string {
	if len(key) == 0 {
		return "no primary key"
	}
	return "primary key (" + strings.Join(key, ", ") + ")"
}

// checkUnfilled refuses columns that every row must fill and that no field of the mapping fills.
func (p *planner) checkUnfilled(have *Existing) {
	columns := p.allColumns()
	for _, is := range have.Columns {
		filled := slices.ContainsFunc(columns, func(c Column) bool { return c.Name == is.Name })
		if !is.NotNull || filled || slices.Contains(have.Key, is.Name) {
			continue // of the key checkKey tells
		}
		p.refuse(is.Name, is.Native+" not null", "no such column",
			fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", p.tableName(), quote(is.Name)), "")
	}
}

// fillColumn is what fills a column that takes the place of one that was set aside.
const fillColumn = "exporter run --backfill fills the new column"

// columns adds what is missing and widens what is too narrow. It refuses values of another metric beside those that are there.
func (p *planner) columns(have *Existing) {
	var widened []Change
	for _, c := range p.allColumns() {
		native := p.dialect.Native(c.Type)
		is, ok := have.column(c.Name)
		switch {
		case ok && is.ofAnother(c) && !slices.Contains(p.want.Key, c.Name): // of the key's checkKey tells
			p.refused = append(p.refused, &NarrowingError{
				Table: p.want.Name, Column: c.Name, Have: "values of " + is.Making.ID,
				Want: "those of " + c.ID + ", and a column with values of both would be wrong", Statement: p.setColumnAside(have, c.Name),
				Then: fillColumn, Alike: is.forget,
			})
		case ok && is.Native == native:
		case ok && p.dialect.Widens(is.Native, native):
			widened = append(widened, Change{Kind: WidenColumn, Column: c, From: is.Native})
		case ok && p.want.NotNull(c.Name):
			p.refuse(c.Name, is.Native, native, p.setTableAside(), "")
		case ok:
			p.refuse(c.Name, is.Native, native, p.setColumnAside(have, c.Name), fillColumn)
		case slices.Contains(p.want.Key, c.Name):
			// The keys differ then: checkKey tells.
		case p.want.NotNull(c.Name):
			p.refuse(c.Name, "no such column", native+" not null", p.setTableAside(), "")
		default:
			p.changes = append(p.changes, Change{Kind: AddColumn, Column: c})
		}
	}
	p.changes = append(p.changes, widened...)
}

func (h *Existing) column(name string) (ExistingColumn, bool) {
	i := slices.IndexFunc(h.Columns, func(c ExistingColumn) bool { return c.Name == name })
	if i < 0 {
		return ExistingColumn{}, false
	}
	return h.Columns[i], true
}

func (p *planner) comments(have *Existing) {
	if !p.dialect.Comments() {
		return
	}
	if comment := p.want.Comment; comment != "" && comment != have.Comment {
		p.changes = append(p.changes, Change{Kind: CommentTable, Comment: comment})
	}
	for _, c := range p.allColumns() {
		if is, _ := have.column(c.Name); is.Comment != c.Comment() {
			p.changes = append(p.changes, Change{Kind: CommentColumn, Column: c, Comment: c.Comment()})
		}
	}
}

// index gives the time field an index, and the window where rows are looked up by it, unless some index or the key
// begins with the column.
func (p *planner) index(have *Existing) {
	for _, c := range p.allColumns() {
		wanted := c.Name == p.want.TimeField || p.want.ByWindow && c.Name == WindowStartColumn
		leads := slices.Contains(have.Indexed, c.Name) || len(have.Key) > 0 && have.Key[0] == c.Name
		if wanted && !leads {
			p.changes = append(p.changes, Change{Kind: CreateIndex, Column: c})
		}
	}
}

func (p *planner) refuse(column, have, want, statement, then string) {
	p.refused = append(p.refused, &NarrowingError{Table: p.want.Name, Column: column, Have: have, Want: want, Statement: statement, Then: then})
}

// setTableAside keeps the table under another name: the next run makes a new one and reads everything again.
func (p *planner) setTableAside() string {
	return fmt.Sprintf("ALTER TABLE %s RENAME TO %s", p.tableName(), quote(aside(p.want.Name, 0)))
}

// setColumnAside keeps the column under a name that is free: the next run adds a new one.
func (p *planner) setColumnAside(have *Existing, column string) string {
	taken := func(name string) bool {
		_, ok := have.column(name)
		return ok || p.want.ColumnIndex(name) >= 0
	}
	n := 0
	for taken(aside(column, n)) {
		n++
	}
	return fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", p.tableName(), quote(column), quote(aside(column, n)))
}

// aside is the nth name for a thing that is set aside, no longer than names may be.
func aside(name string, n int) string {
	suffix := "_old"
	if n > 0 {
		suffix += fmt.Sprint(n + 1)
	}
	return name[:min(len(name), maxName-len(suffix))] + suffix
}

func (p *planner) tableName() string { return p.dialect.TableName(p.want.Name) }

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
