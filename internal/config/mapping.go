package config

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"samespace-exporter/internal/schema"
)

// fieldsBinding reads the mapping, in the file's order.
func (d *draft) fieldsBinding() binding {
	one := func(f *Field) binding {
		b := object(
			key{name: "name", binding: identifier(&f.Name)},
			key{name: "type", binding: fieldType(&f.Type)},
			key{name: "title", binding: text(&f.Title)},
			key{name: "transform", binding: choice(&f.Transform, TransformNone, TransformLower, TransformTrim, TransformLast4, TransformHMAC)},
			key{name: "drop", binding: flag(&f.Drop)},
		)
		return b.then(f.check)
	}
	shape := jsonSchema{"type": "object", "additionalProperties": one(&Field{}).schema}
	return binding{schema: shape, read: func(p place) {
		if p.node.kind == scalar || p.node.kind == list {
			p.wrong("is not a mapping; write a line such as 5e6f5fc04767c68072ee0320: {name: duration_s, type: integer} for each metric")
			d.partial = true
			return
		}
		d.Fields, d.partial = nil, false
		p.distinct(func(e entry, at place) {
			f := Field{ID: e.key.text, Transform: TransformNone}
			one(&f).read(place{p.loader, e.value, at.path})
			if e.value.kind != mapping && e.value.kind != null {
				d.partial = true
				return
			}
			d.Fields = append(d.Fields, f)
		})
	}}
}

func fieldType(dst *schema.Type) binding {
	names := schema.Types()
	return parsed(dst, "a type; write one of "+strings.Join(names, ", "), jsonSchema{"enum": names},
		func(s string) (schema.Type, bool) {
			t, err := schema.ParseType(s)
			return t, err == nil
		})
}

func (f *Field) check(p place) {
	for _, name := range []string{"name", "type", "title", "transform"} {
		given := p.node.child(name) != nil
		switch {
		case f.Drop && given:
			p.child(name).wrong("does not go with drop: true; take one of them away")
		case !f.Drop && !given && (name == "name" || name == "type"):
			p.child(name).wrong("is missing; write {name: ..., type: ...}, or {drop: true} for a metric that is not wanted")
		}
	}
}

// filter is one entry of filters.
func filter(f *Filter) binding {
	b := object(
		key{name: "metric", required: true, binding: text(&f.Metric)},
		key{name: "type", required: true, binding: choice(&f.Type, FilterAttribute, FilterMeasure)},
		key{name: "operation", required: true, binding: text(&f.Operation)},
		key{name: "values", binding: listOf(&f.Values, anyValue)},
		key{name: "value", binding: anyValue(&f.Value)},
	)
	return b.then(func(p place) {
		wants, other := "values", "value"
		if f.Type == FilterMeasure {
			wants, other = other, wants
		}
		switch {
		case f.Type == "": // reported
		case p.node.child(other) != nil:
			p.child(other).wrong("does not go with type %s; write %s", f.Type, wants)
		case p.node.child(wants) == nil:
			p.wrong("%s is missing, which type %s needs; add it", wants, f.Type)
		}
	})
}

// anyValue is a value to compare with: what YAML takes for a number or a boolean is sent as one.
func anyValue(dst *any) binding {
	return binding{schema: jsonSchema{"type": []string{"string", "number", "boolean", "null"}}, read: func(p place) {
		if p.node.kind == null {
			*dst = nil
			return
		}
		text, ok := p.scalar()
		switch {
		case !ok:
		case p.node.plain:
			*dst = plainValue(text)
		default:
			*dst = text
		}
	}}
}

func plainValue(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return f
	}
	if text == "true" || text == "false" {
		return text == "true"
	}
	return text
}

// mapping is the draft's mapping for the schema package to check, as far as it was understood.
func (d *draft) mapping() schema.Mapping {
	m := schema.Mapping{
		Table: cmp.Or(d.Table, "unknown"), Location: d.Timezone, TransformKey: []byte(d.TransformKey.Reveal()),
	}
	if !d.unsure(d.TimeField) {
		m.TimeField = d.TimeField
	}
	if !slices.ContainsFunc(d.Key, d.unsure) {
		m.Key = d.Key
	}
	for _, f := range d.Fields {
		if f.Drop {
			m.Drop = append(m.Drop, f.ID)
			continue
		}
		transform, err := schema.ParseTransform(string(f.Transform))
		if err != nil {
			continue // reported when it was read
		}
		m.Fields = append(m.Fields, schema.Field{ID: f.ID, Name: f.Name, Type: f.Type, Transform: transform})
	}
	return m
}
