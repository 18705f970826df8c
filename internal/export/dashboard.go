package export

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// A dashboard's description is kept as versions of rows: each says from when to when it was so, by the readings that
// first saw it and that first did not. In the ledger it is a snapshot. What is there is read under the lease, so that
// nobody else writes before the commit, whose fence sees to that: a crash in between leaves nothing half done.

// Describer reads a dashboard's description. It blocks until that is there, an error or the end of ctx. Asking again is
// safe.
type Describer interface {
	Dashboard(ctx context.Context, id string) (source.Dashboard, error)
}

// The tables of all dashboards, and the names of the columns that say since and until when a version is so.
const (
	dashboardsTable = "dashboards"
	insightsTable   = "dashboard_insights"
	filtersTable    = "dashboard_filters"
	metricsTable    = "metrics"

	validFrom, validTo  = "valid_from", "valid_to"
	firstSeen, lastSeen = "first_seen", "last_seen"
)

// DashboardMappers make rows of those tables, in their order.
func DashboardMappers() ([]Mapper, error) {
	text := func(names ...string) (fields []schema.Field) { return fieldsOf(schema.Text, names...) }
	asJSON := func(names ...string) []schema.Field { return fieldsOf(schema.JSON, names...) }
	ordinal := fieldsOf(schema.Integer, "ordinal")
	var mappers []Mapper
	for _, m := range []schema.Mapping{
		versioned(dashboardsTable, "Dashboards, as they were in the course of time", validFrom, validTo, []string{"dashboard_id"}, slices.Concat(
			text("dashboard_id"), fieldsOf(schema.Boolean, "is_owner"),
			text("owner", "access_level", "permission_level", "user_permission", "time_range"),
			asJSON("start_time", "end_time"), text("timezone"), asJSON("layouts"))),
		versioned(insightsTable, "Insights of dashboards, as they were in the course of time", validFrom, validTo, []string{"dashboard_id", "insight_id"}, slices.Concat(
			text("dashboard_id", "insight_id"), ordinal,
			text("title", "template_type", "template_id", "dataset_id"), fieldsOf(schema.Boolean, "beta"),
			text("time_range", "timezone", "preferences_type"),
			asJSON("preferences", "bounds", "position_lg", "position_md", "position_sm", "position_xs", "position_xxs"))),
		versioned(filtersTable, "Filters of insights, as they were in the course of time", validFrom, validTo, []string{"dashboard_id", "insight_id", "ordinal"}, slices.Concat(
			text("dashboard_id", "insight_id"), ordinal, text("metric_id", "title", "type", "operation"), asJSON("values", "value"))),
		versioned(metricsTable, "What dashboards call the metrics", firstSeen, lastSeen, []string{"metric_id", "title", "dashboard_id"},
			text("metric_id", "title", "dashboard_id")),
	} {
		mapper, err := schema.Compile(m)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", m.Table, err)
		}
		mappers = append(mappers, mapper)
	}
	return mappers, nil
}

func fieldsOf(kind schema.Type, names ...string) (fields []schema.Field) {
	for _, name := range names {
		fields = append(fields, schema.Field{ID: name, Name: name, Type: kind})
	}
	return fields
}

// versioned is a table of versions: its key is what the rows are about, and since when they are so. The last two columns
// say since and until when.
func versioned(table, comment, from, to string, key []string, fields []schema.Field) schema.Mapping {
	return schema.Mapping{
		Table: table, Comment: comment, Fields: append(fields, fieldsOf(schema.Timestamptz, from, to)...),
		Key: append(key, from), TimeField: from,
	}
}

// readDashboard reads the description of a dashboard, and hands on the versions that are new or over.
func (s *span) readDashboard(ctx context.Context, stretch window.Window, out *outlet) error {
	began := s.beginsAt()
	d, err := s.Dashboards.Dashboard(ctx, s.Dataset.Query.Dashboard)
	if err != nil {
		return fmt.Errorf("read dashboard: %w", err)
	}
	p := part{stretch: stretch, asked: stretch, reading: source.Reading{Requests: 1}}
	for i, described := range describe(d) {
		mapper := append([]Mapper{s.Dataset.Mapper}, s.Dataset.FurtherMappers...)[i]
		changes, err := s.changes(ctx, mapper, d.ID, described, began)
		if err != nil {
			return err
		}
		p.reading.Rows += len(described)
		if i == 0 {
			p.rows = changes
		} else {
			p.furtherRows = append(p.furtherRows, sink.TableRows{Table: mapper.Table(), Rows: changes})
		}
	}
	s.handOn(p, began, out)
	return nil
}

// changes are the versions of a dashboard's rows in a table that are new or over.
func (s *span) changes(ctx context.Context, mapper Mapper, dashboard string, described []description, at time.Time) ([]sink.Row, error) {
	table := mapper.Table()
	stored, err := s.Warehouse.StoredIn(ctx, table, sink.Stretch{
		From: schema.TimeValue(snapshotWindow().Start), To: schema.TimeValue(snapshotWindow().End),
	})
	if err != nil {
		return nil, fmt.Errorf("see what is known of the dashboard: %w", err)
	}
	v := newVersions(table, at)
	of := table.ColumnIndex("dashboard_id")
	for _, row := range stored {
		if row.Values[of].Str() == dashboard {
			v.know(row.Row.Row)
		}
	}
	for _, one := range described {
		one[table.TimeField] = at.Format(time.RFC3339Nano)
		raw, err := json.Marshal(one)
		if err != nil {
			return nil, fmt.Errorf("read dashboard: %w", err)
		}
		row, err := mapper.Map(string(raw))
		if err != nil {
			return nil, fmt.Errorf("read dashboard: %w", err)
		}
		v.see(row)
	}
	var changes []sink.Row
	for _, row := range v.changes() {
		changes = append(changes, sink.Row{Row: row, WindowStart: s.edge})
	}
	return changes, nil
}

// versions compares the rows that are in a table with those that are said to be so now.
type versions struct {
	at       time.Time
	key      []int // the columns that say what a row is about
	from, to int   // the columns that say since and until when
	current  map[string]schema.Row
	now      map[string]schema.Row
}

func newVersions(table schema.Table, at time.Time) *versions {
	from := table.ColumnIndex(table.TimeField)
	key := slices.DeleteFunc(table.KeyIndexes(), func(i int) bool { return i == from })
	return &versions{at: at, key: key, from: from, to: from + 1, current: map[string]schema.Row{}, now: map[string]schema.Row{}}
}

// know notes a row of the table.
func (v *versions) know(row schema.Row) {
	if row.Values[v.to].IsNull() {
		v.current[row.Text(v.key)] = row
	}
}

// see notes a row that is so now. Of several about the same the last one counts.
func (v *versions) see(row schema.Row) { v.now[row.Text(v.key)] = row }

// changes are the versions to write: those that are over, and those that are new. A version that is no older than the
// reading, by a clock that was set back, gives way to the new one.
func (v *versions) changes() (changes []schema.Row) {
	for about, row := range v.now {
		was, known := v.current[about]
		switch {
		case known && v.same(was, row):
			continue
		case known && !v.at.After(was.Values[v.from].Time()):
			row.Values[v.from] = was.Values[v.from]
		case known:
			changes = append(changes, v.over(was))
		}
		changes = append(changes, row)
	}
	for about, was := range v.current {
		if _, still := v.now[about]; !still {
			changes = append(changes, v.over(was))
		}
	}
	return changes
}

// same reports whether two versions say the same.
func (v *versions) same(a, b schema.Row) bool {
	for i := range a.Values {
		if i != v.from && i != v.to && a.Values[i] != b.Values[i] {
			return false
		}
	}
	return true
}

// over is a version that is so no more.
func (v *versions) over(row schema.Row) schema.Row {
	row.Values = slices.Clone(row.Values)
	row.Values[v.to] = schema.TimeValue(v.at)
	if from := row.Values[v.from]; v.at.Before(from.Time()) {
		row.Values[v.to] = from
	}
	return row
}

// description is a row as a dashboard says it, by column.
type description map[string]any

// describe is a dashboard as rows of the tables, in their order.
func describe(d source.Dashboard) [4][]description {
	dashboard := description{
		"dashboard_id": d.ID, "is_owner": d.IsOwner, "owner": orNull(d.Owner.Name),
		"access_level": orNull(d.Permission.AccessLevel), "permission_level": orNull(d.Permission.PermissionLevel),
		"user_permission": orNull(d.Permission.UserPermission), "time_range": orNull(d.TimeRange),
		"start_time": d.StartTime, "end_time": d.EndTime, "timezone": orNull(d.Timezone), "layouts": d.Layouts,
	}
	var insights, filters, metrics []description
	for n, i := range d.Insights {
		t := i.Template
		insights = append(insights, description{
			"dashboard_id": d.ID, "insight_id": i.ID, "ordinal": n + 1, "title": orNull(i.Title),
			"template_type": orNull(t.Type), "template_id": orNull(t.ID), "dataset_id": orNull(t.DatasetID), "beta": t.Beta,
			"time_range": orNull(i.TimeRange), "timezone": orNull(i.Timezone),
			"preferences_type": orNull(t.Preferences.Type), "preferences": t.Preferences, "bounds": boundsOrNull(i.Bounds),
			"position_lg": position(d.Layouts.LG, i.ID), "position_md": position(d.Layouts.MD, i.ID), "position_sm": position(d.Layouts.SM, i.ID),
			"position_xs": position(d.Layouts.XS, i.ID), "position_xxs": position(d.Layouts.XXS, i.ID),
		})
		for n, f := range i.Filters {
			filters = append(filters, description{
				"dashboard_id": d.ID, "insight_id": i.ID, "ordinal": n + 1, "metric_id": orNull(f.MetricID), "title": orNull(f.Title),
				"type": orNull(f.Type), "operation": orNull(f.Operation), "values": f.Values, "value": f.Value,
			})
		}
	}
	for _, t := range d.Titles() {
		metrics = append(metrics, description{"metric_id": t.MetricID, "title": t.Title, "dashboard_id": d.ID})
	}
	return [4][]description{{dashboard}, insights, filters, metrics}
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func boundsOrNull(b source.Bounds) any {
	if b == (source.Bounds{}) {
		return nil
	}
	return b
}

// position is where an insight stands in a layout; null where it does not.
func position(layouts []source.Layout, insight string) source.JSON {
	i := slices.IndexFunc(layouts, func(l source.Layout) bool { return l.Insight == insight })
	if i < 0 {
		return ""
	}
	return layouts[i].Place
}
