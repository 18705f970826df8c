package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/window"
)

// Dataset is what reports and insights have in common, with defaults applied.
type Dataset struct {
	Name     string         // unique among all datasets; [a-z][a-z0-9_]*
	Table    string         // unique among reports and insights. Default: the name
	Schedule string         // cron text in Timezone. Default "*/15 * * * *"
	Timezone *time.Location // Default UTC. Its String is the IANA name
	Since    time.Time      // start of the first window; zero exactly when TimeRange is set
	// TimeRange is the API's rolling range that is read whole at each run. Default "": windows from Since.
	TimeRange string
	// Retention is how long rows are kept; longer than windows are read again. Default zero: for good.
	Retention time.Duration
	PageSize  int // rows asked for in one page; at least 2. Default 1000
	Window    Window
	// Write is how rows get into the table. Default upsert for a report; for an insight replace with windows,
	// append with a time range.
	Write     Write
	Key       []string // names of fields; not empty for upsert
	TimeField string   // name of the field that the window is about. Default "": none
	Sort      Sort
	Filters   []Filter
	Fields    []Field // the mapping, in the file's order, dropped fields included
	OnBadRow  OnBadRow
	Unmapped  Unmapped
	Deleted   Deleted
	// History keeps what rows were before they changed; only where Write is upsert. Default false.
	History bool
	// DeletedMaxShare is the largest share of a window's rows that may be marked as deleted at once: from 0 to 1.
	// Default 0.5. A few rows may always be.
	DeletedMaxShare float64
	TransformKey    Secret // keys the hmac transform. Set whenever a field has it
}

// Report is a report of the API.
type Report struct {
	Dataset
	ReportID  string
	Reconcile []Reconcile // in the file's order. Default: none
}

// Insight is an insight of a dashboard. The ids of its fields are the keys of the API's response.
type Insight struct {
	Dataset
	DashboardID string
	InsightID   string
}

// Dashboard is a dashboard whose definition is kept: insights, filters, titles of metrics.
type Dashboard struct {
	Name        string
	DashboardID string
	Schedule    string         // cron text in Timezone. Default "*/15 * * * *"
	Timezone    *time.Location // Default UTC
}

// Window is how a dataset's time is cut and read.
type Window struct {
	Size    time.Duration // the grid. Default 1h
	Delay   time.Duration // a window is not read nearer to now than this. Default 2m; zero: up to now
	Overlap time.Duration // the live edge is read again this far back. Default 1m; zero: none
	Reread  window.Reread // Default 15m 1h 6h 1d 4d; empty: a window is read once
	MaxRows int           // rows in one transaction. Default 20000
	MaxSpan time.Duration // longest stretch of quiet history read as one. Default 31d
}

// Write is how rows get into the table.
type Write string

// The ways to write.
const (
	WriteUpsert  Write = "upsert"  // by key
	WriteReplace Write = "replace" // a window's rows replace the window
	WriteAppend  Write = "append"
)

// OnBadRow is what happens with a row that cannot be mapped.
type OnBadRow string

// What can happen with a bad row. Quarantine is the default.
const (
	BadRowQuarantine OnBadRow = "quarantine"
	BadRowFail       OnBadRow = "fail"
)

// Unmapped is what happens with an id that the mapping does not name.
type Unmapped string

// What can happen with unmapped ids. Keep is the default.
const (
	UnmappedKeep   Unmapped = "keep" // in _extra
	UnmappedIgnore Unmapped = "ignore"
	UnmappedFail   Unmapped = "fail"
)

// Deleted is what happens with rows that are gone when a window is read again.
type Deleted string

// What can happen with deleted rows. Keep is the default.
const (
	DeletedKeep Deleted = "keep"
	DeletedMark Deleted = "mark" // sets _deleted_at; only where Write is upsert, and for rows with a TimeField
)

// Sort is the order to ask the API for. The zero Sort asks for none.
type Sort struct {
	ID         string // metric id of the field that the config names
	Descending bool
}

// Filter narrows what the API sends.
type Filter struct {
	Metric    string // metric id
	Type      FilterType
	Operation string // as the API names it: in, nin, or a comparison
	Values    []any  // of an ATTRIBUTE, perhaps empty: string, int64, float64, bool or nil
	Value     any    // of a MEASURE: string, int64, float64 or bool
}

// FilterType is the kind of metric that a filter is about.
type FilterType string

// The filter types.
const (
	FilterAttribute FilterType = "ATTRIBUTE"
	FilterMeasure   FilterType = "MEASURE"
)

// Field maps an id of the response to a column.
type Field struct {
	ID        string // metric id, or response key of an insight, as written in the file
	Name      string // column; "" when dropped
	Type      schema.Type
	Title     string    // for people. Default ""
	Transform Transform // Default none
	Drop      bool      // known, not wanted
}

// Transform changes a text before it is written.
type Transform string

// The transforms.
const (
	TransformNone  Transform = "none"
	TransformLower Transform = "lower"
	TransformTrim  Transform = "trim"
	TransformLast4 Transform = "last4"
	TransformHMAC  Transform = "hmac" // keyed by TransformKey
)

// Grid is the cutting of the dataset's time into windows.
func (d Dataset) Grid() window.Grid {
	grid, err := window.NewGrid(d.Window.Size, d.Timezone)
	if err != nil {
		panic(fmt.Sprintf("config: window size was not checked: %v", err))
	}
	return grid
}

// Hash is a stable hash of what shapes the report's rows: where they come from, the mapping, how they are
// written. What only says when and how fast they are read leaves it alone, and so do titles, the order of
// fields, and secrets, but for a digest of a transform_key that is used.
func (r Report) Hash() string { return r.Dataset.hash(r.ReportID) }

// Hash is a stable hash of what shapes the insight's rows, as for a report.
func (i Insight) Hash() string { return i.Dataset.hash(i.DashboardID, i.InsightID) }

// Hash is a stable hash of what shapes the dashboard's rows.
func (d Dashboard) Hash() string { return hashOf(d.DashboardID) }

func (d Dataset) hash(ids ...string) string {
	var fields []string
	for _, f := range d.Fields {
		fields = append(fields, fmt.Sprintf("%q %s %s %s %t", f.ID, f.Name, f.Type, f.Transform, f.Drop))
	}
	slices.Sort(fields)
	parts := []any{ids, d.Table, d.Timezone.String(), d.TimeRange, d.Window.Size, d.Write, d.Key, d.TimeField,
		d.Filters, fields, d.OnBadRow, d.Unmapped, d.Deleted}
	if d.History { // who keeps none must not write beside who does
		parts = append(parts, "history")
	}
	if slices.ContainsFunc(d.Fields, func(f Field) bool { return f.Transform == TransformHMAC && !f.Drop }) {
		parts = append(parts, schema.KeyDigest([]byte(d.TransformKey.Reveal())))
	}
	return hashOf(parts...)
}

func hashOf(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil {
		panic(fmt.Sprintf("config: hash: %v", err)) // not of these types
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// defaultDataset is what a dataset has that says nothing.
func defaultDataset() Dataset {
	const day = 24 * time.Hour
	return Dataset{
		Schedule: "*/15 * * * *",
		Timezone: time.UTC,
		PageSize: 1000,
		Window: Window{
			Size:    time.Hour,
			Delay:   2 * time.Minute,
			Overlap: time.Minute,
			Reread:  window.Reread{15 * time.Minute, time.Hour, 6 * time.Hour, day, 4 * day},
			MaxRows: 20000,
			MaxSpan: 31 * day,
		},
		OnBadRow: BadRowQuarantine,
		Unmapped: UnmappedKeep,
		Deleted:  DeletedKeep,

		DeletedMaxShare: 0.5,
	}
}
