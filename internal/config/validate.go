package config

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/window"
)

// check looks at how the keys of a report or an insight go together, and fills in what follows from others.
func (d *draft) check() {
	if d.own.node.kind != mapping {
		return // reported
	}
	d.checkName()
	d.checkTime()
	d.checkRetention()
	d.checkWrite()
	d.checkMapping()
	d.checkSort()
}

func (d *draft) checkName() {
	name := d.own.child("name")
	fresh := d.Name == "" || d.own.claim("dataset", d.Name, name)
	table := d.own.child("table")
	if !d.has("table") {
		d.Table, table.node = cmp.Or(d.Table, d.Name), name.node
	}
	switch {
	case d.Table == "": // reported
	case strings.HasPrefix(d.Table, "exporter_"):
		table.wrong("begins with exporter_, as the exporter's own tables do; choose another name")
	case fresh:
		d.own.claim("table", d.Table, table)
	}
}

// claim reserves the name of a dataset or a table. The second claim of one is a mistake.
func (l *loader) claim(kind, name string, at place) bool {
	if l.claims == nil {
		l.claims = map[string]int{}
	}
	line, taken := l.claims[kind+" "+name]
	if taken {
		at.wrong("names the same %s as line %d; choose another name", kind, line)
		return false
	}
	l.claims[kind+" "+name] = at.node.line
	return true
}

// checkTime settles which time is read: windows from since, or a rolling range.
func (d *draft) checkTime() {
	given := d.own.exclusive("since", "time_range")
	if _, err := window.NewGrid(d.Window.Size, d.Timezone); err != nil {
		d.at("window").child("size").wrong("is more than a day but not whole days; write 1d, 2d, 7d, or less than a day")
	}
	if d.since.node == nil {
		if d.TimeRange == "" && given != "time_range" {
			d.own.wrong("since is missing; add since: 2025-01-31 for windows from then on, or time_range: PAST_30_DAYS to read a rolling range whole")
		}
		return
	}
	text, ok := d.since.scalar()
	if !ok {
		return
	}
	if d.Since, ok = parseSince(text, d.Timezone); !ok {
		d.since.wrong("%s is not a date from 2000 on; write one such as 2025-01-31, or a time such as 2025-01-31T00:00:00+05:30", d.since.quoted())
	}
}

// checkRetention holds the time that rows are kept against the time that windows are read again.
func (d *draft) checkRetention() {
	if d.Retention == 0 {
		return
	}
	if d.TimeRange != "" {
		if d.has("retention") {
			d.at("retention").wrong("does not go with time_range, which has no windows; leave it out, or write null")
		}
		d.Retention = 0 // the defaults mean the datasets that can
		return
	}
	least := d.Window.Delay + d.Window.Size
	if len(d.Window.Reread) > 0 {
		least += slices.Max(d.Window.Reread)
	}
	if d.Retention < least {
		unit := time.Hour
		if least > 24*time.Hour {
			unit = 24 * time.Hour
		}
		least = (least + unit - 1) / unit * unit
		d.at("retention").wrong("%s is shorter than windows are read again; write %s or more: the longest reread, window.size and window.delay",
			formatDuration(d.Retention), formatDuration(least))
	}
}

func (d *draft) checkWrite() {
	if d.Write == WriteUpsert && len(d.Key) == 0 && (!d.has("key") || d.own.child("key").node.kind == list) {
		d.at("key").wrong("is missing, which write: upsert needs; name the fields that tell one row from another, or write: replace or append")
	}
	if (d.Write != WriteUpsert || d.TimeRange != "") && d.Deleted == DeletedMark {
		switch {
		case !d.has("deleted"):
		case d.Write != WriteUpsert:
			d.at("deleted").wrong("mark goes with write: upsert only; write keep")
		default:
			d.at("deleted").wrong("mark does not go with time_range, whose rows leave as time goes by; write keep")
		}
		d.Deleted = DeletedKeep // the defaults mean the datasets that can
	}
	if d.Write == WriteAppend && d.TimeRange == "" {
		d.checkAppended()
	}
	if d.History {
		d.checkHistory()
	}
}

// checkAppended refuses windows that appended rows do not tell by their time: equal rows of two of them would be one.
func (d *draft) checkAppended() {
	byDay := slices.ContainsFunc(d.Fields, func(f Field) bool { return f.Name == d.TimeField && f.Type == schema.Date })
	if byDay && d.Window.Size < 24*time.Hour {
		d.at("time_field").wrong("%s is a day, and windows of %s are parts of one: appended rows that are equal but for the hour would be one row; "+
			"write window: {size: 1d}, or map a time", d.TimeField, formatDuration(d.Window.Size))
	}
}

// checkHistory looks whether versions of the dataset's rows can be kept, and reserves the names of where they are.
func (d *draft) checkHistory() {
	if d.Write != WriteUpsert {
		if d.has("history") {
			d.at("history").wrong("goes with write: upsert only, whose key tells which row a version is of; write: upsert with a key, or take history away")
		}
		d.History = false // the defaults mean the datasets that can
		return
	}
	const maxName = 63 // as for identifiers
	at := d.at("history")
	for _, suffix := range []string{schema.HistorySuffix, schema.VersionsSuffix} {
		name := d.Table + suffix
		line, taken := d.own.claims["table "+name]
		switch {
		case d.Table == "": // reported
		case len(name) > maxName:
			at.wrong("needs the name %s, which is longer than %d characters; choose a shorter table", name, maxName)
			return
		case taken:
			at.wrong("needs the name %s, which line %d has; choose another table for one of them", name, line)
		default:
			d.own.claim("table", name, at)
		}
	}
}

// checkMapping has the schema package look at the mapping, and says where in the file its findings are.
func (d *draft) checkMapping() {
	if len(d.Fields) == 0 && !d.partial {
		d.at("fields").wrong("is missing; map at least one metric id, as in 5e6f5fc04767c68072ee0320: {name: duration_s, type: integer}")
		return
	}
	_, err := schema.Compile(d.mapping())
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, err := range joined.Unwrap() {
		var mistake *schema.MappingError
		if errors.As(err, &mistake) {
			d.reportMapping(mistake)
		}
	}
}

func (d *draft) reportMapping(mistake *schema.MappingError) {
	at, right := d.mappingPlace(mistake.Path)
	known := slices.ContainsFunc(at.errs, func(e Error) bool { return e.Path == oneLine(at.path) })
	if !known {
		at.wrong("%s; %s", mistake.Reason, right)
	}
}

// unsure reports whether a field of this name may be there, but was not understood: that is reported.
func (d *draft) unsure(name string) bool {
	return d.partial || slices.ContainsFunc(d.Fields, func(f Field) bool {
		return !f.Drop && (f.Name == "" || f.Name == name && f.Type == 0)
	})
}

// mappingPlace is where in the file a path of the schema package is, and what may be done about a mistake.
func (d *draft) mappingPlace(path string) (at place, right string) {
	name, index, _ := strings.Cut(strings.TrimSuffix(path, "]"), "[")
	if id, ok := strings.CutPrefix(path, "fields."); ok {
		at := d.at("fields")
		for _, f := range d.Fields {
			if rest, ok := strings.CutPrefix(id, f.ID); ok && (rest == "" || rest[0] == '.') {
				at = at.child(f.ID)
				if rest != "" {
					at = at.child(rest[1:])
				}
				break
			}
		}
		return at, "choose another, or {drop: true}"
	}
	switch name {
	case "key":
		at := d.at("key")
		return at.item(index), "name fields that are mapped and exact: " + d.fieldNames()
	case "time_field":
		return d.at("time_field"), d.timeFieldNames()
	case "transform_key":
		return d.at("transform_key"), "add transform_key: ${TRANSFORM_KEY}"
	}
	return d.at(name), "choose another"
}

func (d *draft) fieldNames() string {
	var all []string
	for _, f := range d.Fields {
		if f.Name != "" {
			all = append(all, f.Name)
		}
	}
	return strings.Join(all, ", ")
}

// timeFieldNames says which fields may be the time field: those that are mapped with a type of a time.
func (d *draft) timeFieldNames() string {
	var all []string
	for _, f := range d.Fields {
		if f.Name != "" && f.Type.IsTime() {
			all = append(all, f.Name)
		}
	}
	if len(all) == 0 {
		return "no field with a time is mapped: map one, or leave time_field out"
	}
	return "name a mapped field with a time: " + strings.Join(all, ", ")
}

// checkSort turns the name of the field to sort by into its metric id.
func (d *draft) checkSort() {
	if d.sortBy == "" {
		return
	}
	i := slices.IndexFunc(d.Fields, func(f Field) bool { return f.Name == d.sortBy })
	switch {
	case i >= 0:
		d.Sort.ID = d.Fields[i].ID
	case !d.unsure(d.sortBy):
		d.at("sort").child("by").wrong("names no field; name one of %s", d.fieldNames())
	}
}
