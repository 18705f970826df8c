package config

import (
	"fmt"
	"os"
)

// Load reads the file at path, with the environment of the process. Mistakes in the file are Errors.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w; name the file with -c or EXPORTER_CONFIG", err)
	}
	return Parse(path, text, os.LookupEnv, os.ReadFile)
}

// Parse reads a config from text. name is the file's name for messages, and relative paths in the text start
// at its folder. env and readFile are where ${NAME} and ${file:PATH} come from. The error is Errors: all
// mistakes, in the text's order.
func Parse(name string, text []byte, env func(string) (string, bool), readFile func(string) ([]byte, error)) (*Config, error) {
	l := &loader{name: name, env: env, readFile: readFile}
	root := l.tree(text)
	if root == nil {
		root = &node{kind: null, line: 1, column: 1}
	}
	c := defaultConfig()
	if len(l.errs) == 0 || root.kind == mapping { // of a file that is not YAML, nothing more is known
		file(&c).read(place{l, root, ""})
	}
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	return &c, nil
}

// file is the whole file.
func file(c *Config) binding {
	base := &draft{Dataset: defaultDataset()}
	var reports, insights, dashboards, defaults place
	remember := func(where *place, schema jsonSchema) binding {
		return binding{schema: schema, read: func(p place) { *where = p }}
	}
	b := object(
		key{name: "source", required: true, binding: source(&c.Source)},
		key{name: "warehouse", binding: warehouse(&c.Warehouse)},
		key{name: "http", binding: http(&c.HTTP)},
		key{name: "notify", binding: notify(&c.Notify)},
		key{name: "log", binding: log(&c.Log)},
		key{name: "defaults", binding: remember(&defaults, defaultsSchema())},
		key{name: "reports", binding: remember(&reports, reportSchema())},
		key{name: "insights", binding: remember(&insights, insightSchema())},
		key{name: "dashboards", binding: remember(&dashboards, dashboardSchema())},
	)
	return binding{schema: b.schema, read: func(p place) {
		b.read(p)
		base.readDefaults(defaults) // before the datasets, wherever it stands in the file
		c.Reports = readReports(reports, base)
		c.Insights = readInsights(insights, base)
		c.Dashboards = readDashboards(dashboards, base)
		c.checkReconcile(reports)
	}}
}

func source(s *Source) binding {
	b := object(
		key{name: "endpoint", required: true, binding: endpoint(&s.Endpoint)},
		key{name: "api_key", binding: orNull(&s.APIKey, secret(&s.APIKey))},
		key{name: "api_key_file", binding: orNull(&s.APIKey, secretFile(&s.APIKey))},
		key{name: "timeout", binding: duration(&s.Timeout, minDuration)},
		key{name: "max_attempts", binding: whole(&s.MaxAttempts, 1, 100)},
		key{name: "requests_per_second", binding: rate(&s.RequestsPerSecond)},
		key{name: "max_in_flight", binding: whole(&s.MaxInFlight, 1, 1000)},
		key{name: "max_page_bytes", binding: size(&s.MaxPageBytes)},
		key{name: "date_format", binding: choice(&s.DateFormat, DateRFC3339, DateEpochMS)},
		key{name: "window_time_range", binding: orNull(&s.WindowTimeRange, enumName(&s.WindowTimeRange))},
	)
	return b.then(func(p place) {
		if p.exclusive("api_key", "api_key_file") == "" {
			p.wrong("api_key is missing; add api_key: ${SAMESPACE_API_KEY}, or api_key_file")
		}
	})
}

func warehouse(w *Warehouse) binding {
	b := object(
		key{name: "dsn", binding: secret(&w.DSN)},
		key{name: "password", binding: orNull(&w.Password, secret(&w.Password))},
		key{name: "password_file", binding: orNull(&w.Password, secretFile(&w.Password))},
		key{name: "schema", binding: identifier(&w.Schema)},
		key{name: "max_connections", binding: whole(&w.MaxConnections, 1, 1000)},
		key{name: "lock_timeout", binding: duration(&w.LockTimeout, minDuration)},
		key{name: "timeout", binding: duration(&w.Timeout, minDuration)},
		key{name: "distribute", binding: flag(&w.Distribute)},
	)
	return b.then(func(p place) {
		p.exclusive("password", "password_file")
		if what := w.mistake(); what != "" {
			p.child("dsn").wrong("%s", what)
		}
	})
}

func http(h *HTTP) binding {
	return object(
		key{name: "listen", binding: listen(&h.Listen)},
		key{name: "token", binding: orNull(&h.Token, secret(&h.Token))},
	)
}

func notify(n *Notify) binding {
	return object(
		key{name: "webhook", binding: orNull(&n.Webhook, secretEndpoint(&n.Webhook))},
		key{name: "stale_after", binding: duration(&n.StaleAfter, minDuration)},
	)
}

func log(l *Log) binding {
	return object(
		key{name: "level", binding: logLevel(&l.Level)},
		key{name: "format", binding: choice(&l.Format, LogAuto, LogText, LogJSON)},
	)
}

// then adds a check between the keys of an object.
func (b binding) then(check func(place)) binding {
	read := b.read
	b.read = func(p place) {
		read(p)
		if p.node.kind == mapping || p.node.kind == null {
			check(p)
		}
	}
	return b
}

// exclusive is the one of two keys that has a value, or "". Both are a mistake.
func (p place) exclusive(a, b string) string {
	has := func(key string) bool {
		value := p.node.child(key)
		return value != nil && value.kind != null
	}
	switch {
	case has(a) && has(b):
		p.child(b).wrong("is given beside %s; keep one of them", a)
		return b
	case has(a):
		return a
	case has(b):
		return b
	}
	return ""
}
