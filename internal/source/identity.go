package source

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// identity tells one row from another: the values of its key as they are written, or the whole row where it
// has no complete key.
func identity(row string, ids []string) string {
	if len(ids) == 0 {
		return row
	}
	values := make([]string, len(ids))
	in := jsontext.NewDecoder(strings.NewReader(row), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	err := eachMember(in, func(name string) error {
		value, err := in.ReadValue()
		for i, id := range ids {
			if id == name {
				values[i] = string(value)
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
	in := jsontext.NewDecoder(strings.NewReader(row), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	_ = eachMember(in, func(name string) error { // of a row that is none the rest is as unknown as all of it
		v, err := in.ReadValue()
		if name == id {
			value = string(v)
		}
		return err
	})
	return value
}
