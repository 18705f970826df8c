package schema

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"samespace-exporter/internal/jsonscan"
)

const (
	// maxKeyText is how many bytes a text of the key may have: an index entry of Postgres holds 2,704 bytes.
	maxKeyText = 1000
	// maxKey is how many bytes the texts of a key may have together.
	maxKey = 2000
	// maxShown is how many characters of a value a message shows: enough to see what is wrong, and values may be private.
	maxShown = 40
)

// RejectError says why a row does not fit its mapping.
type RejectError struct {
	Field  string // name of the column; the id, where there is no column; "" when the row as a whole is at fault
	ID     string // metric id; "" when the row as a whole is at fault
	Reason string // without the field: `"31.5" is not an integer`; of transformed fields no value is shown
}

func (e *RejectError) Error() string {
	if e.Field == "" {
		return "row: " + e.Reason
	}
	return e.Field + ": " + e.Reason
}

// UnmappedError says that a row has ids which the mapping does not name, where the mapping forbids that.
type UnmappedError struct {
	IDs []string // sorted, each once
}

func (e *UnmappedError) Error() string {
	return fmt.Sprintf("ids that the mapping does not name: %s; name them under fields, drop them, or set unmapped: keep",
		strings.Join(e.IDs, ", "))
}

// Mapper turns rows of JSON into typed rows of its table. It may be used by several goroutines.
type Mapper struct {
	table    Table
	slots    map[string]int // by id: the place of its column, or, from len(columns) on, a dropped id
	columns  []columnRule
	keys     []int // places of the key's columns
	timed    int   // place of the time field, where a row must have a time; -1: it need not
	unmapped Unmapped
	form     Form
	extras   sync.Pool // of *canonWriter
}

// columnRule is what a value needs to become one of its column.
type columnRule struct {
	Field
	location *time.Location
	secret   []byte // of the transform
}

// newMapper is the mapper of a mapping that has been checked.
func newMapper(m Mapping) *Mapper {
	location := m.Location
	if location == nil {
		location = time.UTC
	}
	mapper := &Mapper{
		slots:    make(map[string]int, len(m.Fields)+len(m.Drop)),
		unmapped: m.Unmapped,
		table: Table{
			Name: m.Table, Comment: m.Comment, Key: slices.Clone(m.Key), TimeField: m.TimeField, MarksDeleted: m.MarksDeleted,
			ByWindow: m.ByWindow, History: m.History,
		},
	}
	m.Location = location
	mapper.form = formOf(m)
	for i, f := range m.Fields {
		mapper.slots[f.ID] = i
		mapper.columns = append(mapper.columns, columnRule{Field: f, location: location, secret: slices.Clone(m.TransformKey)})
		mapper.table.Columns = append(mapper.table.Columns, Column{
			Name: f.Name, Type: f.Type, ID: f.ID, Title: f.Title, Transform: f.transformationIn(location, m.TransformKey),
		})
	}
	for i, id := range m.Drop {
		mapper.slots[id] = len(m.Fields) + i
	}
	mapper.keys, mapper.timed = mapper.table.KeyIndexes(), -1
	if m.Timed {
		mapper.timed = mapper.table.ColumnIndex(m.TimeField)
	}
	return mapper
}

// Table is the table that the rows are of.
func (m *Mapper) Table() Table { return m.table }

// Form is that of the rows.
func (m *Mapper) Form() Form { return m.form }

// Map converts a row: the text of one JSON object, by metric id. Text values share the memory of raw.
//
// A row that does not fit is a *RejectError: it is not JSON or no object, is nested deeper than 500, has an
// id twice (an ignored one may be there twice), a value that its column's type does not hold exactly, a
// string that is not UTF-8 where it is wanted, no value for a field of the key, or no time where Timed wants one. It is an *UnmappedError
// when it has ids which the mapping does not name and Unmapped is Fail. When a row has several faults, the
// first one is told.
func (m *Mapper) Map(raw string) (Row, error) {
	r := rowReader{Mapper: m, in: scan(raw), row: Row{Values: make([]Value, len(m.columns))}}
	if err := r.whole(); err != nil {
		return Row{}, err
	}
	return r.row, nil
}

// MapInto is Map for rows that are kept together: they lie in the memory of the chunk, and share none with raw. Nor does
// the error.
func (m *Mapper) MapInto(to *Chunk, raw string) (Row, error) {
	r := rowReader{Mapper: m, chunk: to, in: scan(raw), row: Row{Values: to.row(len(m.columns))}}
	if err := r.whole(); err != nil {
		to.giveBack(len(m.columns))
		return Row{}, err
	}
	return r.row, nil
}

// rowReader maps one row.
type rowReader struct {
	*Mapper
	place int            // of the id that is read, in the row
	id    string         // that is read
	name  jsonscan.Token // the id as it was written, where it was not expected
	chunk *Chunk         // where the row is kept; nil: in memory of its own, and in that of raw
	in    jsonscan.Scanner
	row   Row
	seen  placeSet // by slot: the ids that were there
	// timeText is the last Timestamptz as it was written, with its quotes, and time what it stands for: in every column, since
	// the mapping has one time zone.
	timeText string
	time     Value
	extra    *canonWriter // what becomes _extra; nil when there is nothing
	unknown  []string     // ids that are not allowed
}

// whole reads the row and looks whether it may be one.
func (r *rowReader) whole() error {
	r.seen.makeRoom(len(r.slots))
	if err := r.read(); err != nil {
		return err
	}
	if len(r.unknown) > 0 {
		slices.Sort(r.unknown)
		return &UnmappedError{IDs: slices.Compact(r.unknown)}
	}
	return r.checkKey()
}

func (r *rowReader) read() error {
	switch k := r.in.Kind(); k {
	case jsonscan.Object:
	case 0:
		_, err := r.in.Value()
		return &RejectError{Reason: err.Error()}
	default:
		return &RejectError{Reason: "is " + k.String() + ", not an object"}
	}
	if err := r.in.Open(); err != nil {
		return &RejectError{Reason: err.Error()}
	}
	for first := true; ; first = false {
		slot, known := r.expected()
		if !known {
			var more bool
			var err error
			if slot, more, err = r.next(first); err != nil {
				return err
			}
			if !more {
				break
			}
		}
		if err := r.member(slot); err != nil {
			return err
		}
		r.place++
	}
	if err := r.in.End(); err != nil {
		return &RejectError{Reason: err.Error()}
	}
	return r.closeExtra()
}

// expected passes over all that is before the value which the row before had at the same place: the comma, the name, the colon.
// Rows have their ids in one order. known is false, and nothing is passed over, where something else is there.
func (r *rowReader) expected() (slot int, known bool) {
	if r.chunk == nil || r.place >= len(r.chunk.names) {
		return 0, false
	}
	name := &r.chunk.names[r.place]
	r.id = name.id
	return name.slot, r.in.Take(name.lead)
}

// noSlot is the slot of an id that the mapping does not know.
const noSlot = -1

// next reads an id and the colon behind it, or the end of the row: then more is false.
func (r *rowReader) next(first bool) (slot int, more bool, err error) {
	start := r.in.Pos
	if more, err = r.in.More(jsonscan.Object, first); err != nil {
		return 0, false, &RejectError{Reason: err.Error()}
	}
	if !more {
		return 0, false, nil
	}
	if r.name, err = r.in.Name(); err != nil {
		return 0, false, &RejectError{Reason: err.Error()}
	}
	if r.id, _, err = r.name.Unquote(); err != nil {
		return 0, false, &RejectError{Reason: "an id " + err.Error()}
	}
	slot, known := r.slots[r.id]
	if !known {
		return noSlot, true, nil
	}
	r.expect(slot, r.in.Text[start:r.in.Pos])
	return slot, true, nil
}

// member reads the value of the id.
func (r *rowReader) member(slot int) error {
	if r.again(slot) {
		if !r.seen.add(slot) {
			return r.twice(r.id)
		}
		return nil
	}
	value, err := r.in.Value()
	if err != nil {
		return &RejectError{Reason: err.Error()}
	}
	switch {
	case slot == noSlot:
		return r.unmappedID(r.id, r.name, value)
	case !r.seen.add(slot):
		return r.twice(r.id)
	case slot >= len(r.columns):
		return nil // dropped
	}
	column := &r.columns[slot]
	converted, replaced, err := column.convert(value)
	if err != nil {
		return &RejectError{Field: column.Name, ID: column.ID, Reason: column.show(value) + " " + err.Error()}
	}
	switch {
	case column.Type == Timestamptz && value.Kind == jsonscan.String:
		r.timeText, r.time = value.Text, converted
	case r.chunk != nil && column.Type.holdsText():
		plain := column.Type == Text && column.Transform == None && value.Kind == jsonscan.String && !value.Escaped
		converted.str = r.chunk.keepAs(slot, converted.str, plain)
	}
	r.row.Values[slot] = converted
	r.row.Replaced += replaced
	return nil
}

// again takes a value that was read before: a text that the row before had in the slot, as many columns have few values, or
// the last time of this row, as reports have some times twice. Where another one stands it takes nothing.
func (r *rowReader) again(slot int) bool {
	switch {
	case slot == noSlot || slot >= len(r.columns):
		return false
	case r.columns[slot].Type == Timestamptz:
		if !r.in.TakeString(r.timeText) {
			return false
		}
		r.row.Values[slot] = r.time
	default:
		if r.chunk == nil || slot >= len(r.chunk.before) || !r.chunk.before[slot].plain || !r.in.TakePlain(r.chunk.before[slot].text) {
			return false
		}
		r.row.Values[slot] = StrValue(r.chunk.before[slot].text)
	}
	return true
}

// expect keeps an id, and all that stood before its value, for the next row. A lead is long only by escapes and white space.
func (r *rowReader) expect(slot int, lead string) {
	if r.chunk == nil || r.place >= maxExpected || len(lead) > maxLead {
		return
	}
	for len(r.chunk.names) <= r.place {
		r.chunk.names = append(r.chunk.names, chunkName{})
	}
	r.chunk.names[r.place] = chunkName{lead: strings.Clone(lead), id: strings.Clone(r.id), slot: slot}
}

// unmappedID does what the mapping says to an id that it does not name.
func (r *rowReader) unmappedID(id string, name, value jsonscan.Token) error {
	switch r.unmapped {
	case Ignore:
	case Fail:
		r.unknown = append(r.unknown, strings.Clone(id))
	default:
		if r.extra == nil {
			r.extra = r.beginExtra()
		}
		r.extra.in = scan(value.Text)
		r.extra.in.Depth = 1 // as in the row
		if err := r.extra.member(name); err != nil {
			id = strings.Clone(id)
			return &RejectError{Field: id, ID: id, Reason: show(value) + " " + err.Error()}
		}
	}
	return nil
}

// beginExtra is a writer with an object begun; one that was used before has its memory already.
func (m *Mapper) beginExtra() *canonWriter {
	w, _ := m.extras.Get().(*canonWriter)
	if w == nil {
		w = &canonWriter{}
	}
	w.out = append(w.out[:0], '{')
	w.members, w.replaced = w.members[:0], 0
	return w
}

func (r *rowReader) closeExtra() error {
	if r.extra == nil {
		return nil
	}
	defer r.endExtra()
	if id, twice := r.extra.closeObject(0); twice {
		return r.twice(id)
	}
	if r.chunk != nil {
		r.row.Extra = StrValue(r.chunk.keepBytes(r.extra.out))
	} else {
		r.row.Extra = StrValue(string(r.extra.out))
	}
	r.row.Replaced += r.extra.replaced
	return nil
}

// endExtra keeps the writer's memory for the next one, and nothing of the row: rows share the memory of pages.
func (r *rowReader) endExtra() {
	r.extra.in = jsonscan.Scanner{}
	clear(r.extra.members[:cap(r.extra.members)])
	r.extras.Put(r.extra)
}

// twice rejects a row that has an id twice: one of the values would be lost.
func (r *rowReader) twice(id string) error {
	id = strings.Clone(id)
	field := id
	if slot, known := r.slots[id]; known && slot < len(r.columns) {
		field = r.columns[slot].Name
	}
	return &RejectError{Field: field, ID: id, Reason: "the row has this id twice"}
}

// checkKey rejects a row whose key cannot be one, or that needs a time and has none.
func (r *rowReader) checkKey() error {
	if r.timed >= 0 && r.row.Values[r.timed].IsNull() {
		column := &r.columns[r.timed]
		return &RejectError{Field: column.Name, ID: column.ID, Reason: "is missing or null, and tells which window an appended row is of"}
	}
	size := 0
	for _, place := range r.keys {
		column, v := &r.columns[place], r.row.Values[place]
		switch {
		case v.IsNull():
			return &RejectError{Field: column.Name, ID: column.ID, Reason: "is missing or null, and is a field of the key"}
		case !column.Type.holdsText():
			continue
		case column.Type == Text && len(v.Str()) > maxKeyText:
			return &RejectError{Field: column.Name, ID: column.ID,
				Reason: fmt.Sprintf("has %d bytes, and is a field of the key, which may have %d", len(v.Str()), maxKeyText)}
		}
		if size += len(v.Str()); size > maxKey {
			return &RejectError{Field: column.Name, ID: column.ID,
				Reason: fmt.Sprintf("makes a key of %d bytes, and all of a key may have %d", size, maxKey)}
		}
	}
	return nil
}

// show is the value for a message; nothing of it when it is transformed, since that is done for privacy.
func (c *columnRule) show(t jsonscan.Token) string {
	if c.Transform != None {
		return "the value"
	}
	return show(t)
}

// show is the beginning of a value as it was written, in one line.
func show(t jsonscan.Token) string {
	text, more := t.Text, ""
	end := 0
	for n := 0; n < maxShown && end < len(text); n++ {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	if end < len(text) {
		text, more = text[:end], "…"
	}
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	return strings.Join(strings.Fields(text), " ") + more
}

// placeSet is a set of small numbers. The first 256 need no memory of their own.
type placeSet struct {
	few  [4]uint64
	many []uint64
}

// makeRoom readies the set for the numbers below n.
func (s *placeSet) makeRoom(n int) {
	if few := 64 * len(s.few); n > few {
		s.many = make([]uint64, (n-few+63)/64)
	}
}

// add reports whether the number was not in the set yet.
func (s *placeSet) add(place int) bool {
	word, bit := uint(place)/64, uint64(1)<<(uint(place)%64)
	at := &s.few[word%uint(len(s.few))]
	if word >= uint(len(s.few)) {
		at = &s.many[word-uint(len(s.few))]
	}
	isNew := *at&bit == 0
	*at |= bit
	return isNew
}
