package schema

import (
	"slices"
	"strings"

	"samespace-exporter/internal/jsonscan"
)

// Promote moves the values of columns that the mapping names by now from a row's Extra to them, by the same rules as Map:
// what an older mapping did not name. What is of other columns stays. changed is false when there is nothing to move. A value that does not fit its
// column stays where it is, and is one of the misfits.
//
// A text that was sent as a number is the number's canonical form then: 1.50 is 1.5, since Extra holds it so.
func (m *Mapper) Promote(row Row, columns []string) (promoted Row, changed bool, misfits []*RejectError) {
	if row.Extra.IsNull() {
		return row, false, nil
	}
	in := scan(row.Extra.Str())
	if in.Kind() != jsonscan.Object {
		return row, false, nil // none of ours
	}
	values, left := slices.Clone(row.Values), []byte{'{'}
	for name, err := range in.Members() {
		if err != nil {
			return row, false, nil
		}
		value, err := in.Value()
		if err != nil {
			return row, false, nil
		}
		place, ok := m.promotable(name)
		if ok && slices.Contains(columns, m.columns[place].Name) {
			column := &m.columns[place]
			v, _, err := column.convert(value)
			if err == nil {
				values[place], changed = v, true
				continue
			}
			misfits = append(misfits, &RejectError{Field: column.Name, ID: column.ID, Reason: column.show(value) + " " + err.Error()})
		}
		left = append(left, name.Text...)
		left = append(left, ':')
		left = append(left, value.Text...)
		left = append(left, ',')
	}
	if !changed {
		return row, false, misfits
	}
	row.Values, row.Extra = values, Value{}
	if len(left) > 1 {
		left[len(left)-1] = '}' // in place of the last comma
		row.Extra = StrValue(string(left))
	}
	return row, true, misfits
}

// PlainText is one form of the texts that a value may have: as it was sent, or as Extra held it. 1.50 is 1.5, and so are objects
// whose members are in another order the same.
func PlainText(text string) string {
	if text == "" || !strings.ContainsRune("-0123456789{[", rune(text[0])) { // a quick look: most texts are words
		return text
	}
	plain, err := CanonicalJSON(text)
	if err != nil {
		return text
	}
	return plain
}

// promotable is the column of an id, unless it is one of the key: a row cannot get another key.
func (m *Mapper) promotable(name jsonscan.Token) (place int, ok bool) {
	id, _, err := name.Unquote()
	if err != nil {
		return 0, false
	}
	place, ok = m.slots[id]
	return place, ok && place < len(m.columns) && !slices.Contains(m.keys, place)
}
