package config

import (
	"strings"
	"time"

	"samespace-exporter/internal/schema"
)

// Reconcile binds an insight to what the warehouse has of a report.
type Reconcile struct {
	Insight string // name of an insight of this config
	// SQL is an aggregate expression over the report's table, in the warehouse's SQL.
	SQL string
	// MaxShare is how far apart the two numbers may be, as a share of the larger one. Default 0.01.
	MaxShare float64
}

// previousValue is the key under which an insight says what the window before shows.
const previousValue = "previousValue"

func reconcile(r *Reconcile) binding {
	r.MaxShare = 0.01
	return object(
		key{name: "insight", required: true, binding: identifier(&r.Insight)},
		key{name: "sql", required: true, binding: expression(&r.SQL)},
		key{name: "max_share", binding: share(&r.MaxShare)},
	)
}

// expression is one SQL expression. It is put into brackets of ours, which it must not close, and evaluated without the
// right to write.
func expression(dst *string) binding {
	return binding{schema: jsonSchema{"type": "string", "minLength": 1}, read: func(p place) {
		text, ok := p.scalar()
		if !ok {
			return
		}
		if what := mistakeOfExpression(text); what != "" {
			p.wrong("is not one SQL expression: %s; write an aggregate such as count(*) or sum(duration_s)", what)
			return
		}
		*dst = text
	}}
}

// mistakeOfExpression says why a text is not one expression, as far as that is known without the warehouse; "": it may be.
func mistakeOfExpression(text string) string {
	var open []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`':
			end := strings.IndexByte(text[i+1:], c)
			if end < 0 {
				return "a quote is not closed"
			}
			if c == '\'' && i > 0 && text[i-1]|0x20 == 'e' && strings.Contains(text[i+1:i+1+end], `\`) {
				return `a backslash escapes what follows it in an E'' string`
			}
			i += end + 1
		case c == '(' || c == '[':
			open = append(open, c)
		case c == ')' || c == ']':
			if len(open) == 0 || (open[len(open)-1] == '(') != (c == ')') {
				return "a bracket is closed that is not open"
			}
			open = open[:len(open)-1]
		case c == ';':
			return "it holds a semicolon"
		case c == '$', c == '\\', c == 0:
			return "it holds a dollar, a backslash or a NUL"
		case strings.HasPrefix(text[i:], "--"), strings.HasPrefix(text[i:], "/*"):
			return "it holds a comment"
		}
	}
	switch {
	case len(open) > 0:
		return "a bracket is not closed"
	case strings.TrimSpace(text) == "":
		return "it is empty"
	}
	return ""
}

// checkReconcile looks whether reports are bound to insights that can be compared with them.
func (c *Config) checkReconcile(reports place) {
	if reports.node == nil {
		return
	}
	reports.each(func(p place) {
		name := p.node.child("name")
		if name == nil || p.node.child("reconcile") == nil {
			return
		}
		for _, r := range c.Reports {
			if r.Name == name.text {
				c.checkBound(r, p.child("reconcile"))
			}
		}
	})
}

func (c *Config) checkBound(r Report, p place) {
	if p.node.kind != list {
		return // reported
	}
	if r.TimeRange != "" {
		p.wrong("does not go with time_range, which has no windows; give the report since in its place, or take reconcile away")
		return
	}
	if r.TimeField == "" {
		p.wrong("needs a time_field, by which rows are of a window; name the field, or take reconcile away")
		return
	}
	bound := map[string]bool{}
	i := -1
	p.each(func(p place) {
		i++
		if i >= len(r.Reconcile) || r.Reconcile[i].Insight == "" {
			return // reported
		}
		at := p.child("insight")
		name := r.Reconcile[i].Insight
		switch insight, ok := c.insight(name); {
		case !ok:
			at.wrong("names no insight of this config; name one of %s", c.insightNames())
		case bound[name]:
			at.wrong("names an insight that the report is bound to already; keep one of them")
		default:
			if what := insight.unfit(r); what != "" {
				at.wrong("names an insight that cannot be compared: %s", what)
			}
		}
		bound[name] = true
	})
}

func (c *Config) insight(name string) (Insight, bool) {
	for _, i := range c.Insights {
		if i.Name == name {
			return i, true
		}
	}
	return Insight{}, false
}

func (c *Config) insightNames() string {
	var names []string
	for _, i := range c.Insights {
		names = append(names, i.Name)
	}
	if len(names) == 0 {
		return "insights, which it has none of yet"
	}
	return strings.Join(names, ", ")
}

// unfit says why an insight's windows cannot be compared with a report's rows; "": they can.
func (i Insight) unfit(r Report) string {
	const day = 24 * time.Hour
	switch numbers := i.numbers(); {
	case i.TimeRange != "":
		return "it has no windows; give it since in the place of time_range"
	case i.Write != WriteReplace:
		return "a window may have values of several readings; give it write: replace"
	case len(numbers) != 1:
		return "it must have one field with a number beside previousValue, and has " + strings.Join(append(numbers, "none")[:max(1, len(numbers))], ", ")
	case r.typeOf(r.TimeField) != schema.Date:
	case i.Window.Size%day != 0 || i.Timezone.String() != r.Timezone.String():
		return "the report's time_field is a date; give the insight a window of whole days, in the report's timezone"
	}
	return ""
}

// numbers are the fields that have a number, but for the previous value.
func (d Dataset) numbers() (names []string) {
	for _, f := range d.Fields {
		if f.Type.IsNumber() && !f.Drop && f.ID != previousValue {
			names = append(names, f.Name)
		}
	}
	return names
}

func (d Dataset) typeOf(field string) schema.Type {
	for _, f := range d.Fields {
		if f.Name == field {
			return f.Type
		}
	}
	return 0
}
