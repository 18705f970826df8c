package schema

import (
	"slices"

	"samespace-exporter/internal/jsonscan"
)

// What can be told of a row that may not fit its mapping as a whole.

// TimeOf is the value of the time field of a row, also of one that does not fit as a whole. ok is false when
// the row has none that can be read.
func (m *Mapper) TimeOf(raw string) (v Value, ok bool) {
	place := m.table.ColumnIndex(m.table.TimeField)
	in := scan(raw)
	if place < 0 || in.Kind() != jsonscan.Object {
		return Value{}, false
	}
	for name, err := range in.Members() {
		if err != nil {
			return Value{}, false
		}
		value, err := in.Value()
		if err != nil {
			return Value{}, false
		}
		if id, _, err := name.Unquote(); err == nil && id == m.columns[place].ID {
			v, _, err = m.columns[place].convert(value)
			return v, err == nil && !v.IsNull()
		}
	}
	return Value{}, false
}

// KeyOf is the key of a row, also of one that does not fit as a whole: a row with the values of the key's columns
// and NULL for all others. ok is false when a part of the key is missing, cannot be read, or is there twice, and for
// a table without a key.
func (m *Mapper) KeyOf(raw string) (key Row, ok bool) {
	r := rowReader{Mapper: m, in: scan(raw), row: Row{Values: make([]Value, len(m.columns))}}
	if len(m.keys) == 0 || r.in.Kind() != jsonscan.Object {
		return Row{}, false
	}
	for name, err := range r.in.Members() {
		if err != nil || !r.keyMember(name) {
			return Row{}, false
		}
	}
	return r.row, r.in.End() == nil && r.checkKey() == nil
}

// keyMember reads the value of an id where it is one of the key, and passes over any other.
func (r *rowReader) keyMember(name jsonscan.Token) bool {
	value, err := r.in.Value()
	if err != nil {
		return false
	}
	id, _, err := name.Unquote()
	if err != nil {
		return true // a name that is none of ours
	}
	slot, known := r.slots[id]
	if !known || !slices.Contains(r.keys, slot) {
		return true
	}
	converted, _, err := r.columns[slot].convert(value)
	twice := !r.row.Values[slot].IsNull()
	r.row.Values[slot] = converted
	return err == nil && !twice
}
