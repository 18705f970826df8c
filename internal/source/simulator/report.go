package simulator

import "time"

// Report is a report that the simulator serves. Take one from Calls, AgentSessions or Callbacks and change
// what the case needs; its metrics are also a dictionary from which a mapping can be made.
type Report struct {
	ID        string   // for reportId
	Name      string   // a name for the dataset and its table
	Key       string   // metric id of the row's ObjectId
	TimeField string   // metric id of the start time, which a range selects on
	Metrics   []Metric // in the order in which a row shows them

	RowsPerDay int            // average over a week; zero: only bursts and inserted rows
	Since      time.Time      // no computed row starts before this minute; zero: 2023-01-01 UTC
	Location   *time.Location // whose working hours the rows follow; nil: UTC
	Bursts     []Burst

	longest time.Duration            // the longest that a row lasts
	lasts   func(*row) time.Duration // from start to end
}

// Burst is a second in which many rows start, beside the usual ones.
type Burst struct {
	At   time.Time // any instant of the second
	Rows int
}

// Metric is one column of a report, as the API knows it, with what a mapping may call it.
type Metric struct {
	ID    string
	Name  string // a column name
	Title string
	Type  string // of the exporter's types, the one that fits: "text", "integer", "timestamptz" ...
	// CopyOf is the id of the metric that carries the same value; "" for most.
	CopyOf string
	// Restated is set where the value may change in the days after the row's start.
	Restated bool

	value func(*row) value
}

// Metric is the report's metric of that name; the zero Metric when there is none.
func (r Report) Metric(name string) Metric {
	for _, m := range r.Metrics {
		if m.Name == name {
			return m
		}
	}
	return Metric{}
}

// Reports are the reports that a simulator serves when it is given none.
func Reports() []Report { return []Report{Calls(), AgentSessions(), Callbacks()} }
