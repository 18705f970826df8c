package schema

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Form is what makes rows of a mapping what they are. Rows that have no key are compared by all that they hold, so that those
// of two forms are never the same row.
type Form struct {
	Base     string            // what is so for all fields
	Unmapped string            // what becomes of ids that are not among the fields
	Fields   map[string]string // what becomes of each id that the mapping names
}

// dropped is what becomes of an id that is known and not wanted.
const dropped = "dropped"

// formOf is the form of the rows of a mapping that has been checked.
func formOf(m Mapping) Form {
	f := Form{Base: fmt.Sprintf("%s, times of %s", m.TimeField, m.Location), Unmapped: m.Unmapped.String(), Fields: map[string]string{}}
	for _, field := range m.Fields {
		f.Fields[field.ID] = formOfField(field, m.TransformKey)
	}
	for _, id := range m.Drop {
		f.Fields[id] = dropped
	}
	return f
}

func formOfField(f Field, secret []byte) string {
	kind := f.Type
	if kind == Integer {
		kind = Numeric // a column that is widened holds the same numbers
	}
	return fmt.Sprintf("%s %s %s", f.Name, kind, f.transformation(secret))
}

// transformationIn is the field's transform, and of instants the timezone that those are of which come without an offset.
func (f Field) transformationIn(location *time.Location, secret []byte) string {
	text := f.transformation(secret)
	if f.Type == Timestamptz && location != time.UTC {
		text += " in " + location.String()
	}
	return text
}

// transformation is the field's transform, and for hmac which secret it is done with.
func (f Field) transformation(secret []byte) string {
	if f.Transform != HMAC {
		return f.Transform.String()
	}
	return f.Transform.String() + " " + KeyDigest(secret)
}

// KeyDigest tells keys of the transform hmac apart, and says nothing else of them.
func KeyDigest(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("which key this is"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// String is the form as text, for Continues.
func (f Form) String() string {
	text, err := json.Marshal(f)
	if err != nil {
		panic(fmt.Sprintf("schema: form: %v", err)) // not of these types
	}
	return string(text)
}

// Continues reports whether rows of an older form can be compared with those of this one: at most fields were added whose
// values the older rows have in Extra, or cannot have.
func (f Form) Continues(older string) bool {
	var before Form
	if json.Unmarshal([]byte(older), &before) != nil || before.Base != f.Base || before.Unmapped != f.Unmapped {
		return false
	}
	for id, what := range before.Fields {
		if f.Fields[id] != what {
			return false
		}
	}
	for id, what := range f.Fields {
		if _, was := before.Fields[id]; !was && (f.loses(what) || transformed(what)) {
			return false
		}
	}
	return true
}

// transformed reports whether a field has a transform: that of a number as _extra has it may be another one than of the number as it
// was sent.
func transformed(what string) bool {
	parts := strings.Fields(what) // as formOfField has them
	return len(parts) > 2 && parts[2] != None.String()
}

// loses reports whether older rows lack, or have too much, of an id that is new in the mapping.
func (f Form) loses(what string) bool {
	if what == dropped {
		return f.Unmapped == Keep.String()
	}
	return f.Unmapped == Ignore.String()
}
