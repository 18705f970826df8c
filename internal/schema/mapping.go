package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxName is how many bytes of a name Postgres keeps; what is longer would be cut there in silence.
const maxName = 63

// Mapping says which table the rows of a dataset become.
type Mapping struct {
	Table     string
	Comment   string
	Fields    []Field
	Drop      []string       // ids that are known and not wanted
	Unmapped  Unmapped       // what becomes of ids that neither Fields nor Drop name
	Key       []string       // names of the fields that tell one row from another; empty: the table has no key
	TimeField string         // name of the field that windows are about; may be empty
	Location  *time.Location // of times that are sent without an offset; nil is UTC
	// TransformKey is the secret of the transform hmac.
	TransformKey []byte
	// MarksDeleted gives the table the column _deleted_at.
	MarksDeleted bool
	// History has the versions of rows kept: see Table.
	History bool
	// ByWindow gives the table an index on _window_start.
	ByWindow bool
	// Timed rejects rows without a time, where TimeField is one: what tells them apart is their window, and that is told by
	// their time.
	Timed bool
}

// Field is a metric id with the name, type and title that the mapping gives it.
type Field struct {
	ID        string // the metric id, or the response key of an insight
	Name      string // of the column
	Type      Type
	Title     string    // may be empty
	Transform Transform // only of Text
}

// Unmapped says what becomes of ids that the mapping does not name. The zero value is Keep.
type Unmapped uint8

// The ways with unmapped ids.
const (
	Keep   Unmapped = iota // in the column _extra
	Ignore                 // they are left out
	Fail                   // *UnmappedError
)

// Transform is what is done to a text before it is written. The zero value is None.
type Transform uint8

// The transforms.
const (
	None  Transform = iota
	Lower           // lower case
	Trim            // without white space around it
	Last4           // its last four characters
	HMAC            // HMAC-SHA256 under Mapping.TransformKey, in hexadecimal
)

// Unmappeds are the ways with unmapped ids by the names that a config uses, the default first.
func Unmappeds() []string { return []string{Keep: "keep", Ignore: "ignore", Fail: "fail"} }

// Transforms are the transforms by the names that a mapping uses, the default first.
func Transforms() []string {
	return []string{None: "none", Lower: "lower", Trim: "trim", Last4: "last4", HMAC: "hmac"}
}

// ParseUnmapped is the way that a config names.
func ParseUnmapped(name string) (Unmapped, error) {
	i := slices.Index(Unmappeds(), name)
	if i < 0 {
		return 0, fmt.Errorf("%q is not a way with unmapped ids; the ways are %v", name, Unmappeds())
	}
	return Unmapped(i), nil
}

// ParseTransform is the transform that a mapping names.
func ParseTransform(name string) (Transform, error) {
	i := slices.Index(Transforms(), name)
	if i < 0 {
		return 0, fmt.Errorf("%q is not a transform; the transforms are %v", name, Transforms())
	}
	return Transform(i), nil
}

// String is the name that a config uses.
func (u Unmapped) String() string {
	if names := Unmappeds(); int(u) < len(names) {
		return names[u]
	}
	return fmt.Sprintf("unmapped(%d)", uint8(u))
}

// String is the name that a mapping uses.
func (t Transform) String() string {
	if names := Transforms(); int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("transform(%d)", uint8(t))
}

// MappingError is something wrong with a mapping. Path is where, in the words of the config: "table",
// "fields.ID.name", "drop[0]", "key[1]", "time_field", "transform_key".
type MappingError struct {
	Path   string
	Reason string
}

func (e *MappingError) Error() string { return e.Path + ": " + e.Reason }

// Compile checks the mapping and makes it ready for use. The error joins a *MappingError for everything
// that is wrong.
func Compile(m Mapping) (*Mapper, error) {
	c := mappingCheck{mapping: m}
	c.name("table", m.Table)
	c.fields()
	c.drops()
	c.key()
	c.timeField()
	if err := errors.Join(c.wrong...); err != nil {
		return nil, err
	}
	return newMapper(m), nil
}

// mappingCheck gathers what is wrong with a mapping.
type mappingCheck struct {
	mapping Mapping
	wrong   []error
}

func (c *mappingCheck) fail(path, format string, args ...any) {
	c.wrong = append(c.wrong, &MappingError{Path: path, Reason: fmt.Sprintf(format, args...)})
}

func (c *mappingCheck) fields() {
	ids, names := map[string]bool{}, map[string]bool{}
	needsKey := false
	for i, f := range c.mapping.Fields {
		path := "fields." + f.ID
		if f.ID == "" {
			path = fmt.Sprintf("fields[%d]", i)
			c.fail(path, "has no id")
		} else if ids[f.ID] {
			c.fail(path, "the id is mapped twice")
		}
		ids[f.ID] = true
		c.columnName(path+".name", f.Name)
		if f.Name != "" && names[f.Name] {
			c.fail(path+".name", "another field is named %q too", f.Name)
		}
		names[f.Name] = true
		if f.Type < Text || f.Type > JSON {
			c.fail(path+".type", "is none of the types %v", Types())
		}
		if f.Transform != None && f.Type != Text {
			c.fail(path+".transform", "%s works on text only, and the field is %s", f.Transform, f.Type)
		}
		needsKey = needsKey || f.Transform == HMAC
	}
	if needsKey && len(c.mapping.TransformKey) == 0 {
		c.fail("transform_key", "is needed, since a field has the transform hmac")
	}
}

// columnName checks a name that becomes one of a column.
func (c *mappingCheck) columnName(path, name string) {
	c.name(path, name)
	switch name {
	case "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid":
		c.fail(path, "%q is the name of a column that every Postgres table has already", name)
	}
}

// name checks a name of a table or column. Reserved words are fine: names are always quoted.
func (c *mappingCheck) name(path, name string) {
	odd := strings.IndexFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' })
	switch {
	case name == "":
		c.fail(path, "is missing")
	case name[0] == '_':
		c.fail(path, "%q begins with _, as only the exporter's own columns do", name)
	case odd >= 0 || '0' <= name[0] && name[0] <= '9':
		c.fail(path, "%q is not a name: a to z, 0 to 9 and _, the first one no digit", name)
	case len(name) > maxName:
		c.fail(path, "%q is longer than %d characters", name, maxName)
	}
}

func (c *mappingCheck) drops() {
	for i, id := range c.mapping.Drop {
		path := fmt.Sprintf("drop[%d]", i)
		switch {
		case id == "":
			c.fail(path, "has no id")
		case slices.ContainsFunc(c.mapping.Fields, func(f Field) bool { return f.ID == id }):
			c.fail(path, "%s is both mapped and dropped", id)
		case slices.Index(c.mapping.Drop, id) < i:
			c.fail(path, "%s is dropped twice", id)
		}
	}
}

func (c *mappingCheck) key() {
	for i, name := range c.mapping.Key {
		path := fmt.Sprintf("key[%d]", i)
		f, ok := c.field(name)
		switch {
		case !ok:
			c.fail(path, "no field is named %q", name)
		case f.Type == JSON || f.Type == Float:
			c.fail(path, "%s is %s, which cannot tell rows apart", name, f.Type)
		case slices.Index(c.mapping.Key, name) < i:
			c.fail(path, "%s is named twice", name)
		case f.Transform == Last4 && len(c.mapping.Key) == 1:
			c.fail(path, "%s has the transform last4: rows that end alike would take each other's place", name)
		}
	}
}

func (c *mappingCheck) timeField() {
	if c.mapping.TimeField == "" {
		return
	}
	f, ok := c.field(c.mapping.TimeField)
	if !ok {
		c.fail("time_field", "no field is named %q", c.mapping.TimeField)
	} else if !f.Type.IsTime() {
		c.fail("time_field", "%s is %s, and must be %s, %s or %s", f.Name, f.Type, Timestamptz, Timestamp, Date)
	}
}

func (c *mappingCheck) field(name string) (Field, bool) {
	i := slices.IndexFunc(c.mapping.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return c.mapping.Fields[i], true
}
