// Package config reads exporter.yaml: strictly, all mistakes at once, each with its place in the file. What it
// returns is typed and complete: defaults are filled in, durations are durations, timezones are loaded,
// secrets cannot be printed.
//
// The way of a file: text; a tree that keeps places (tree.go); tables of keys, one for each section, which read
// and check each value by itself and describe it for editors (load.go, datasets.go, mapping.go, values.go);
// then the checks between keys (validate.go).
package config

import (
	"log/slog"
	"time"
)

// Config is a configuration that was checked. It comes from Load or Parse only.
type Config struct {
	Source     Source
	Warehouse  Warehouse
	HTTP       HTTP
	Notify     Notify
	Log        Log
	Reports    []Report    // in the file's order
	Insights   []Insight   // in the file's order
	Dashboards []Dashboard // in the file's order
}

// Source is the API and how hard it may be asked.
type Source struct {
	Endpoint string // URL; https, or http to a loopback host
	// APIKey comes from api_key or api_key_file. It is always set.
	APIKey            Secret
	Timeout           time.Duration // of one request. Default 60s
	MaxAttempts       int           // per request, the first one included. Default 6
	RequestsPerSecond float64       // all datasets together. Default 5
	MaxInFlight       int           // requests at once. Default 4
	MaxPageBytes      int64         // a longer body is an error. Default 64 MiB
	DateFormat        DateFormat    // how Date variables are sent. Default rfc3339
	// WindowTimeRange is the TimeRange that is sent beside startTime and endTime. Default "": null.
	WindowTimeRange string
}

// DateFormat is how the API's Date variables are sent.
type DateFormat string

// The date formats.
const (
	DateRFC3339 DateFormat = "rfc3339"
	DateEpochMS DateFormat = "epoch_ms"
)

// Warehouse is where the rows go.
type Warehouse struct {
	DSN            Secret        // postgres:// URL, or sqlite:PATH. Default sqlite:exporter.db
	Password       Secret        // for Postgres, from password or password_file. Default: none beside the DSN's
	Schema         string        // Postgres schema of the report tables. Default samespace
	MaxConnections int           // Default 4
	LockTimeout    time.Duration // for DDL. Default 5s
	Timeout        time.Duration // of a transaction in Postgres, but for DDL. Default 5m
	Distribute     bool          // distribute tables on Citus by their first key column. Default false
}

// HTTP is the status page and its API.
type HTTP struct {
	Listen string // host:port. "": no http at all. Default 127.0.0.1:8080
	Token  Secret // kept for actions, of which there are none yet. Default: not set
}

// Notify is where trouble is told.
type Notify struct {
	Webhook    Secret        // URL that is POSTed. Default: not set, nobody is told
	StaleAfter time.Duration // a dataset this far behind is stale. Default 2h
}

// Log is how the exporter logs.
type Log struct {
	Level  slog.Level // Default info
	Format LogFormat  // Default auto
}

// LogFormat is the form of log lines.
type LogFormat string

// The log formats.
const (
	LogAuto LogFormat = "auto" // text on a terminal, else JSON
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// defaultConfig is what an empty file means.
func defaultConfig() Config {
	return Config{
		Source: Source{
			Timeout:           time.Minute,
			MaxAttempts:       6,
			RequestsPerSecond: 5,
			MaxInFlight:       4,
			MaxPageBytes:      64 << 20,
			DateFormat:        DateRFC3339,
		},
		Warehouse: Warehouse{
			DSN:            NewSecret("sqlite:exporter.db"),
			Schema:         "samespace",
			MaxConnections: 4,
			LockTimeout:    5 * time.Second,
			Timeout:        5 * time.Minute,
		},
		HTTP:   HTTP{Listen: "127.0.0.1:8080"},
		Notify: Notify{StaleAfter: 2 * time.Hour},
		Log:    Log{Level: slog.LevelInfo, Format: LogAuto},
	}
}
