package config

import (
	"cmp"
	"time"
)

const minDuration = time.Second

// draft is a report or an insight while it is read: what the file says, before the checks between keys.
type draft struct {
	Dataset
	reportID, dashboardID, insightID string

	reconcile []Reconcile

	since    place  // of the key; node nil: not given
	sortBy   string // name of the field
	partial  bool   // not all of fields was understood: that is reported
	own      place  // the dataset in the file
	defaults place  // the defaults in the file; node nil: none
}

// on is a copy of the defaults' draft for a dataset at p.
func (d *draft) on(p place) *draft {
	own := *d
	own.own, own.defaults = p, d.own
	return &own
}

// readDefaults reads what the datasets start from. p has no node where the file has no defaults.
func (d *draft) readDefaults(p place) {
	if p.node == nil {
		return
	}
	d.own = p
	object(d.keys()...).read(p)
	p.exclusive("since", "time_range")
}

func readReports(p place, base *draft) []Report {
	var reports []Report
	p.each(func(p place) {
		d := base.on(p)
		d.Write = cmp.Or(d.Write, WriteUpsert)
		object(d.reportKeys()...).read(p)
		d.check()
		reports = append(reports, Report{Dataset: d.Dataset, ReportID: d.reportID, Reconcile: d.reconcile})
	})
	return reports
}

// readInsights reads the insights. What only makes sense for one shape of rows (fields, key, filters, how to
// write) they do not take from the defaults, which are about reports.
func readInsights(p place, base *draft) []Insight {
	var insights []Insight
	p.each(func(p place) {
		d := base.on(p)
		d.Table, d.TimeRange, d.Write, d.Key, d.TimeField, d.Filters, d.Fields = "", "", "", nil, "", nil, nil
		d.History = false
		d.sortBy, d.Sort, d.partial = "", Sort{}, false
		object(d.insightKeys()...).read(p)
		if d.Write == "" {
			d.Write = WriteReplace
			if d.TimeRange != "" {
				d.Write = WriteAppend
			}
		}
		d.check()
		insights = append(insights, Insight{Dataset: d.Dataset, DashboardID: d.dashboardID, InsightID: d.insightID})
	})
	return insights
}

func readDashboards(p place, base *draft) []Dashboard {
	var dashboards []Dashboard
	p.each(func(p place) {
		d := Dashboard{Schedule: base.Schedule, Timezone: base.Timezone}
		object(d.keys()...).read(p)
		if d.Name != "" {
			p.claim("dataset", d.Name, p.child("name"))
		}
		if d.DashboardID != "" {
			p.claim("dashboard", d.DashboardID, p.child("dashboard_id"))
		}
		p.claimTables()
		dashboards = append(dashboards, d)
	})
	return dashboards
}

// claimTables looks whether a report has a table that dashboards are kept in.
func (p place) claimTables() {
	for _, table := range []string{"dashboards", "dashboard_insights", "dashboard_filters", "metrics"} {
		if line, taken := p.claims["table "+table]; taken {
			p.wrong("is kept in the table %s, which the dataset of line %d has; give that one another table", table, line)
		}
	}
}

// each calls read for each item of a list; for none when the file has no list here.
func (p place) each(read func(place)) {
	if p.node != nil {
		items(nil, func(_ int, p place) { read(p) }).read(p)
	}
}

// at is the place of a key, which may be in the defaults.
func (d *draft) at(key string) place {
	if d.own.node.child(key) == nil && d.defaults.node.child(key) != nil {
		return d.defaults.child(key)
	}
	return d.own.child(key)
}

// has reports whether the dataset itself has the key.
func (d *draft) has(key string) bool { return d.own.node.child(key) != nil }

// keys are what reports and insights have in common, bound to the draft.
func (d *draft) keys() []key {
	return []key{
		{name: "table", binding: identifier(&d.Table)},
		{name: "schedule", binding: schedule(&d.Schedule)},
		{name: "timezone", binding: timezone(&d.Timezone)},
		{name: "since", binding: d.sinceBinding()},
		{name: "time_range", binding: d.timeRangeBinding()},
		{name: "retention", binding: orNull(&d.Retention, duration(&d.Retention, minDuration))},
		{name: "page_size", binding: whole(&d.PageSize, 2, 1_000_000)},
		{name: "window", binding: windowBinding(&d.Window)},
		{name: "write", binding: choice(&d.Write, WriteUpsert, WriteReplace, WriteAppend)},
		{name: "key", binding: listOf(&d.Key, identifier)},
		{name: "time_field", binding: orNull(&d.TimeField, identifier(&d.TimeField))},
		{name: "sort", binding: d.sortBinding()},
		{name: "filters", binding: listOf(&d.Filters, filter)},
		{name: "fields", binding: d.fieldsBinding()},
		{name: "on_bad_row", binding: choice(&d.OnBadRow, BadRowQuarantine, BadRowFail)},
		{name: "unmapped", binding: choice(&d.Unmapped, UnmappedKeep, UnmappedIgnore, UnmappedFail)},
		{name: "deleted", binding: choice(&d.Deleted, DeletedKeep, DeletedMark)},
		{name: "deleted_max_share", binding: share(&d.DeletedMaxShare)},
		{name: "history", binding: flag(&d.History)},
		{name: "transform_key", binding: orNull(&d.TransformKey, secret(&d.TransformKey))},
	}
}

func (d *draft) reportKeys() []key {
	return append([]key{
		{name: "name", required: true, binding: identifier(&d.Name)},
		{name: "report_id", required: true, binding: text(&d.reportID)},
		{name: "reconcile", binding: listOf(&d.reconcile, reconcile)},
	}, d.keys()...)
}

func (d *draft) insightKeys() []key {
	return append([]key{
		{name: "name", required: true, binding: identifier(&d.Name)},
		{name: "dashboard_id", required: true, binding: text(&d.dashboardID)},
		{name: "insight_id", required: true, binding: text(&d.insightID)},
	}, d.keys()...)
}

// since and time_range are two answers to one question: the dataset's own takes the place of the defaults'.
func (d *draft) sinceBinding() binding {
	schema := jsonSchema{"type": []string{"string", "null"}, "description": "a date, or a time with offset"}
	return binding{schema: schema, read: func(p place) {
		d.since = place{}
		if p.node.kind != null {
			d.since, d.TimeRange = p, ""
		}
	}}
}

func (d *draft) timeRangeBinding() binding {
	b := orNull(&d.TimeRange, enumName(&d.TimeRange))
	return binding{schema: b.schema, read: func(p place) {
		b.read(p)
		if p.node.kind != null && d.since.node != nil && d.own.node.child("since") == nil {
			d.since = place{}
		}
	}}
}

func (d *Dashboard) keys() []key {
	return []key{
		{name: "name", required: true, binding: identifier(&d.Name)},
		{name: "dashboard_id", required: true, binding: text(&d.DashboardID)},
		{name: "schedule", binding: schedule(&d.Schedule)},
		{name: "timezone", binding: timezone(&d.Timezone)},
	}
}

func windowBinding(w *Window) binding {
	return object(
		key{name: "size", binding: duration(&w.Size, minDuration)},
		key{name: "delay", binding: duration(&w.Delay, 0)},
		key{name: "overlap", binding: duration(&w.Overlap, 0)},
		key{name: "reread", binding: listOf((*[]time.Duration)(&w.Reread), func(d *time.Duration) binding { return duration(d, minDuration) })},
		key{name: "max_rows", binding: whole(&w.MaxRows, 1, 10_000_000)},
		key{name: "max_span", binding: duration(&w.MaxSpan, minDuration)},
	)
}

func (d *draft) sortBinding() binding {
	var order string
	b := object(
		key{name: "by", required: true, binding: identifier(&d.sortBy)},
		key{name: "order", binding: choice(&order, "asc", "desc")},
	)
	return binding{schema: jsonSchema{"anyOf": []any{b.schema, jsonSchema{"type": "null"}}}, read: func(p place) {
		d.sortBy, order = "", "asc"
		if p.node.kind != null {
			b.read(p)
		}
		d.Sort.Descending = order == "desc"
	}}
}
