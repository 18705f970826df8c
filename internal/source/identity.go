package source

import (
	"strings"

	"samespace-exporter/internal/jsonscan"
)

// identity tells one row from another: the values of its key as they are written, or the whole row where it
// has no complete key.
func identity(row string, ids []string) string {
	if len(ids) == 0 {
		return row
	}
	values := make([]string, len(ids))
	in := &jsonscan.Scanner{Text: row}
	err := eachMember(in, func(name string) error {
		value, err := in.Value()
		for i, id := range ids {
			if id == name {
				values[i] = value.Text
			}
		}
		return err
	})
	if err != nil {
		return row
	}
	var key strings.Builder
	for _, value := range values {
		if value == "" || value == "null" {
			return row
		}
		key.WriteByte(0) // is in no JSON text, so that neither two keys nor a key and a row run together
		key.WriteString(value)
	}
	return key.String()
}

// valueOf is a member of a row as it is written; "" where the row has none.
func valueOf(row, id string) (value string) {
	in := &jsonscan.Scanner{Text: row}
	_ = eachMember(in, func(name string) error { // of a row that is none the rest is as unknown as all of it
		v, err := in.Value()
		if name == id {
			value = v.Text
		}
		return err
	})
	return value
}
