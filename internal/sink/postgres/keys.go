package postgres

import (
	"fmt"
	"strconv"
	"strings"

	"samespace-exporter/internal/schema"
)

// byKeys is a read of the rows t that have one of so many keys: $1 and the following are an array for each column of the key.
func (t target) byKeys(selected string) string {
	if len(t.Key) == 1 {
		return fmt.Sprintf("%s\nFROM %s AS t\nWHERE t.%s = ANY ($1)", selected, t.name(), quote(t.Key[0]))
	}
	arrays, columns := t.keyArrays(1)
	return fmt.Sprintf("%s\nFROM unnest(%s) AS k (%s)\nJOIN %s AS t ON %s", selected,
		strings.Join(arrays, ", "), strings.Join(columns, ", "), t.name(), t.hasKeyOf("k"))
}

// keyArrays are the parameters of keys, an array for each column of the key, whose numbers begin with first, and how their
// values are named once they are rows.
func (t target) keyArrays(first int) (arrays, columns []string) {
	for i := range t.Key {
		arrays, columns = append(arrays, "$"+strconv.Itoa(first+i)), append(columns, "k"+strconv.Itoa(i+1))
	}
	return arrays, columns
}

// hasKeyOf is the condition that a row t has the key of one that is made of keyArrays.
func (t target) hasKeyOf(row string) string {
	var same []string
	for i, name := range t.Key {
		same = append(same, fmt.Sprintf("t.%s = %s.k%d", quote(name), row, i+1))
	}
	return strings.Join(same, " AND ")
}

// keysOf are the values of keyArrays: the keys of rows.
func (t target) keysOf(rows []schema.Row) []parameter {
	var parameters []parameter
	for _, k := range t.KeyIndexes() {
		parameters = append(parameters, t.columnOf(rows, k))
	}
	return parameters
}

// columnOf is an array of what rows have in a column.
func (t target) columnOf(rows []schema.Row, column int) parameter {
	values := make([]schema.Value, len(rows))
	for i, row := range rows {
		values[i] = row.Values[column]
	}
	return arrayOf(t.Columns[column].Type, values)
}
