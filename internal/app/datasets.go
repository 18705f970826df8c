package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
)

// addDatasets makes an exporter and a job of each dataset that this version exports; the others are kept with
// the reason, for whoever asks.
func (a *App) addDatasets(c *config.Config) error {
	name, lanes := owner(), export.NewLanes(sharedLanes)
	for _, r := range c.Reports {
		if reason := notExported(r.Dataset); reason != "" {
			a.skipped = append(a.skipped, fmt.Sprintf("report %s: %s", r.Name, reason))
			continue
		}
		if r.Deleted == config.DeletedMark && r.TimeField == "" {
			a.Logger.Warn("rows that are gone are not marked as deleted: deleted: mark needs a time_field", "dataset", r.Name)
		}
		dataset, err := reportDataset(r, c.Source)
		if err != nil {
			return fmt.Errorf("report %s: %w", r.Name, err)
		}
		e := &export.Exporter{
			Dataset: dataset, Source: a.source, Warehouse: a.warehouse, Logger: a.Logger, Clock: a.Clock.Now,
			Owner: name, LeaseTTL: a.LeaseTTL, Lanes: lanes, Observe: a.observe,
		}
		a.exporters = append(a.exporters, e)
		a.jobs = append(a.jobs, job{exporter: e, cron: r.Schedule, location: r.Timezone})
	}
	for _, i := range c.Insights {
		a.skipped = append(a.skipped, fmt.Sprintf("insight %s: this version does not export insights", i.Name))
	}
	for _, d := range c.Dashboards {
		a.skipped = append(a.skipped, fmt.Sprintf("dashboard %s: this version does not export dashboards", d.Name))
	}
	return nil
}

// sharedLanes is how many lanes all datasets share: one that has much to do reads and commits in two at once, within
// the memory of four transactions.
const sharedLanes = 1

// notExported says why this version does not export a report; "" when it does.
func notExported(d config.Dataset) string {
	switch {
	}
	return ""
}

// reportDataset is a configured report as the exporter keeps it.
func reportDataset(r config.Report, s config.Source) (export.Dataset, error) {
	mapper, err := compile(r.Dataset)
	if err != nil {
		return export.Dataset{}, err
	}
	return export.Dataset{
		Name: r.Name, Kind: sink.KindReport, ConfigHash: configHash(r), Mapper: mapper, Query: query(r, s),
		Write: write(r.Dataset), Snapshot: r.TimeRange != "",
		Grid: r.Grid(), Since: r.Since, Delay: r.Window.Delay, Overlap: r.Window.Overlap, Reread: r.Window.Reread,
		MaxRows: r.Window.MaxRows, MaxSpan: r.Window.MaxSpan, FailOnBadRow: r.OnBadRow == config.BadRowFail,
		DeletedMaxShare: r.DeletedMaxShare,
	}, nil
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

// configHash tells whether two processes keep a report in the same way.
func configHash(r config.Report) string {
	sum := sha256.Sum256(fmt.Append(nil, r.Hash(), r.Window.Reread))
	return hex.EncodeToString(sum[:16])
}

// query is what is asked of the API for a report, but for the range.
func query(r config.Report, s config.Source) source.Query {
	q := source.Query{
		Report: r.ReportID, TimeRange: s.WindowTimeRange, Timezone: r.Timezone.String(), PageSize: r.PageSize,
		Ahead: s.MaxInFlight, SortID: r.Sort.ID, SortDesc: r.Sort.Descending,
	}
	if r.TimeRange != "" {
		q.TimeRange = r.TimeRange
	}
	for _, f := range r.Filters {
		q.Filters = append(q.Filters, source.Filter{
			Metric: f.Metric, Type: string(f.Type), Operation: f.Operation, Values: f.Values, Value: f.Value,
		})
	}
	for _, name := range r.Key {
		i := slices.IndexFunc(r.Fields, func(f config.Field) bool { return f.Name == name })
		q.Key = append(q.Key, r.Fields[i].ID)
	}
	return q
}

// compile makes a mapper of the fields of a dataset.
func compile(d config.Dataset) (*schema.Mapper, error) {
	m := schema.Mapping{
		Table: d.Table, TimeField: d.TimeField, Location: d.Timezone,
		TransformKey: []byte(d.TransformKey.Reveal()), MarksDeleted: d.Deleted == config.DeletedMark,
	}
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
