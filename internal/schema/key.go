package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// KeyError says that values do not make a key of a table.
type KeyError struct {
	Table  string
	Key    []string // names of the key's columns; empty: the table has none
	Reason string
}

func (e *KeyError) Error() string {
	if len(e.Key) == 0 {
		return "the rows of " + e.Table + " have no key that tells one from another"
	}
	return fmt.Sprintf("the key of %s is %s: %s", e.Table, strings.Join(e.Key, ", "), e.Reason)
}

// KeyFrom is a row of which only the key is known: the values that the table has, as people write them, in the order of
// the key. A time without an offset is of the location. The error is a *KeyError.
func (t Table) KeyFrom(values []string, location *time.Location) (Row, error) {
	if len(t.Key) == 0 || len(values) != len(t.Key) {
		return Row{}, &KeyError{Table: t.Name, Key: t.Key, Reason: fmt.Sprintf("give a value for each, in this order, not %d", len(values))}
	}
	row := Row{Values: make([]Value, len(t.Columns))}
	for i, place := range t.KeyIndexes() {
		c := t.Columns[place]
		rule := columnRule{Field: Field{Name: c.Name, Type: c.Type}, location: location}
		text, err := json.Marshal(strings.ToValidUTF8(values[i], "\uFFFD"))
		if err != nil {
			return Row{}, err
		}
		in := scan(string(text))
		value, err := in.Value()
		if err == nil {
			row.Values[place], _, err = rule.convert(value)
		}
		if err != nil {
			return Row{}, &KeyError{Table: t.Name, Key: t.Key, Reason: fmt.Sprintf("%q for %s %s", values[i], c.Name, err)}
		}
	}
	return row, nil
}
