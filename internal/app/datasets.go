package app

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"time"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schedule/crontab"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// addDatasets makes an exporter and a job of each dataset.
func (a *App) addDatasets(c *config.Config) error {
	shared := replica{owner: owner(), lanes: export.NewLanes(sharedLanes)}
	for _, r := range c.Reports {
		query := source.Query{Report: r.ReportID}
		if err := a.add(shared, sink.KindReport, r.Dataset, r.Hash(), query); err != nil {
			return err
		}
	}
	for _, i := range c.Insights {
		query := source.Query{Dashboard: i.DashboardID, Insight: i.InsightID}
		if err := a.add(shared, sink.KindInsight, i.Dataset, i.Hash(), query); err != nil {
			return err
		}
	}
	for _, d := range c.Dashboards {
		if err := a.addDashboard(shared, d); err != nil {
			return err
		}
	}
	return nil
}

// sharedLanes is how many lanes all datasets share: one that has much to do reads and commits in three at once, within
// the memory of three transactions.
const sharedLanes = 2

// replica is what the exporters of a process have in common.
type replica struct {
	owner string
	lanes *export.Lanes
}

// add makes an exporter and a job of a dataset. of says what of the API it is, hash what shapes its rows.
func (a *App) add(r replica, kind sink.Kind, d config.Dataset, hash string, of source.Query) error {
	if d.Deleted == config.DeletedMark && d.TimeField == "" {
		a.Logger.Warn("rows that are gone are not marked as deleted: deleted: mark needs a time_field", "dataset", d.Name)
	}
	mapper, err := compile(d)
	if err != nil {
		return fmt.Errorf("%s %s: %w", kind, d.Name, err)
	}
	return a.keep(r, d.Schedule, d.Timezone, export.Dataset{
		Name: d.Name, Kind: kind, ConfigHash: configHash(d, hash), Mapper: mapper, Query: query(d, of, a.config.Source),
		Write: write(d), Snapshot: d.TimeRange != "",
		Grid: d.Grid(), Since: d.Since, Retention: d.Retention, Delay: d.Window.Delay, Overlap: d.Window.Overlap, Reread: d.Window.Reread,
		MaxRows: d.Window.MaxRows, MaxSpan: d.Window.MaxSpan, FailOnBadRow: d.OnBadRow == config.BadRowFail,
		DeletedMaxShare: d.DeletedMaxShare,
	})
}

// addDashboard makes an exporter and a job of a dashboard: its description is read whole at each run.
func (a *App) addDashboard(r replica, d config.Dashboard) error {
	mappers, err := export.DashboardMappers()
	if err != nil {
		return fmt.Errorf("dashboard %s: %w", d.Name, err)
	}
	grid, err := window.NewGrid(time.Hour, d.Timezone)
	if err != nil {
		return fmt.Errorf("dashboard %s: %w", d.Name, err)
	}
	return a.keep(r, d.Schedule, d.Timezone, export.Dataset{
		Name: d.Name, Kind: sink.KindDashboard, ConfigHash: d.Hash(), Mapper: mappers[0], FurtherMappers: mappers[1:],
		Query: source.Query{Dashboard: d.DashboardID, PageSize: math.MaxInt}, Snapshot: true, Grid: grid,
	})
}

// keep makes an exporter and a job.
func (a *App) keep(r replica, cron string, location *time.Location, d export.Dataset) error {
	ticks, err := crontab.Parse(cron)
	if err != nil {
		return fmt.Errorf("%s %s: %w", d.Kind, d.Name, err)
	}
	e := &export.Exporter{
		Dataset: d, Source: a.source, Dashboards: a.source, Warehouse: a.warehouse, Logger: a.Logger, Clock: a.Clock.Now,
		Owner: r.owner, LeaseTTL: a.LeaseTTL, Lanes: r.lanes, Observe: a.observe,
	}
	a.exporters = append(a.exporters, e)
	a.jobs = append(a.jobs, job{exporter: e, ticks: ticks, location: location})
	return nil
}

// write is how the rows of a dataset get into its table.
func write(d config.Dataset) sink.Write {
	switch {
	case d.Write == config.WriteAppend:
		return sink.Append
	case d.Write == config.WriteReplace && d.TimeRange != "":
		return sink.ReplaceTable
	case d.Write == config.WriteReplace:
		return sink.ReplaceWindows
	}
	return sink.Upsert
}

// configHash tells whether two processes keep a dataset in the same way.
func configHash(d config.Dataset, hash string) string {
	sum := sha256.Sum256(fmt.Append(nil, hash, d.Window.Reread))
	return hex.EncodeToString(sum[:16])
}

// query is what is asked of the API for a dataset, but for the range.
func query(d config.Dataset, q source.Query, s config.Source) source.Query {
	q.TimeRange, q.Timezone, q.PageSize = cmp.Or(d.TimeRange, s.WindowTimeRange), d.Timezone.String(), d.PageSize
	q.Ahead, q.SortID, q.SortDesc = s.MaxInFlight, d.Sort.ID, d.Sort.Descending
	for _, f := range d.Filters {
		q.Filters = append(q.Filters, source.Filter{
			Metric: f.Metric, Type: string(f.Type), Operation: f.Operation, Values: f.Values, Value: f.Value,
		})
	}
	for _, name := range d.Key {
		i := slices.IndexFunc(d.Fields, func(f config.Field) bool { return f.Name == name })
		q.Key = append(q.Key, d.Fields[i].ID)
	}
	return q
}

// compile makes a mapper of the fields of a dataset.
func compile(d config.Dataset) (*schema.Mapper, error) {
	m := schema.Mapping{
		Table: d.Table, TimeField: d.TimeField, Location: d.Timezone,
		TransformKey: []byte(d.TransformKey.Reveal()), MarksDeleted: d.Deleted == config.DeletedMark, History: d.History,
	}
	m.Timed = d.Write == config.WriteAppend && d.TimeRange == ""
	if m.ByWindow = d.Write != config.WriteUpsert; !m.ByWindow { // else the key only tells rows apart while they are read
		m.Key = d.Key
	}
	var err error
	if m.Unmapped, err = schema.ParseUnmapped(string(d.Unmapped)); err != nil {
		return nil, err
	}
	for _, f := range d.Fields {
		if f.Drop {
			m.Drop = append(m.Drop, f.ID)
			continue
		}
		transform, err := schema.ParseTransform(string(f.Transform))
		if err != nil {
			return nil, err
		}
		m.Fields = append(m.Fields, schema.Field{ID: f.ID, Name: f.Name, Type: f.Type, Title: f.Title, Transform: transform})
	}
	return schema.Compile(m)
}
