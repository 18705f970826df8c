package simulator

import (
	"crypto/subtle"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

//go:embed schema.graphql samples dashboards
var files embed.FS

// Options shape a Simulator. The zero Options serve Reports by the wall clock and let everybody in.
type Options struct {
	// APIKey is what the x-api-key header must say; "": anything will do.
	APIKey string
	// Seed chooses the rows; zero is a seed like any other.
	Seed uint64
	// Clock tells the time, for what has arrived and for relative time ranges; nil: time.Now. It is called by
	// several goroutines at once.
	Clock func() time.Time
	// Reports are what is served; nil: Reports.
	Reports []Report
	// KeepRequests is how many requests Requests remembers, the latest ones; zero: none, counters only.
	KeepRequests int
	// Uncompressed sends replies as they are to clients that take gzip, too: for tests of something else, which it slows.
	Uncompressed bool
}

// Simulator is the API as an http.Handler; it answers on any path. Make one with New.
type Simulator struct {
	key     string
	clock   func() time.Time
	plain   bool // sends nothing compressed
	schema  *ast.Schema
	rules   *rules.Rules
	samples samples
	script  script
	journal journal
	indexes indexes

	insights map[string]insight

	mu         sync.RWMutex // holds the overlays and dashboards still while a page is made
	streams    map[string]*stream
	dashboards map[string]json.RawMessage // by id
}

// New makes a simulator.
func New(options Options) *Simulator {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Reports == nil {
		options.Reports = Reports()
	}
	s := &Simulator{
		key:     options.APIKey,
		clock:   options.Clock,
		plain:   options.Uncompressed,
		schema:  gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: string(mustRead("schema.graphql"))}),
		rules:   rules.NewDefaultRules(),
		samples: loadSamples(),
		journal: journal{keep: options.KeepRequests},
		streams: make(map[string]*stream),
	}
	s.insights = insights()
	s.dashboards = map[string]json.RawMessage{
		DashboardID:      s.samples.dashboard,
		FloorDashboardID: compact(mustRead("dashboards/floor.json")),
	}
	for _, report := range options.Reports {
		s.streams[report.ID] = newStream(report, options.Seed)
	}
	return s
}

// ServeHTTP answers a request, or fails to as the script says.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{sim: s, writer: w, http: r}
	x.Number, x.At = s.journal.begin(), s.clock()
	defer func() { s.journal.end(x.Request) }()

	x.understand()
	x.faults = s.script.faults(x.Request)
	x.before()
	if x.reply == nil {
		x.answer()
	}
	x.amend()
	x.send()
}

// exchange is a request and what becomes of it.
type exchange struct {
	Request
	sim    *Simulator
	writer http.ResponseWriter
	http   *http.Request
	faults []Fault
	calls  []*call
	reply  *reply // once it is known what is answered
}

// understand reads the request. What is wrong with it becomes the reply.
func (x *exchange) understand() {
	body, err := io.ReadAll(http.MaxBytesReader(x.writer, x.http.Body, 1<<20))
	var posted struct {
		Query         string
		OperationName string
		Variables     map[string]any
	}
	if err == nil {
		err = decodeJSON(body, &posted)
	}
	x.Variables = posted.Variables
	switch {
	case x.http.Method != http.MethodPost:
		x.reply = problem(http.StatusMethodNotAllowed, "only POST is answered")
		x.reply.header.Set("Allow", http.MethodPost)
	case !x.keyFits():
		x.reply = problem(http.StatusUnauthorized, "x-api-key is missing or wrong")
	case err != nil:
		x.reply = problem(http.StatusBadRequest, "the body is not a JSON object with query and variables")
	default:
		x.read(posted.Query, posted.OperationName)
	}
}

func (x *exchange) keyFits() bool {
	given := x.http.Header.Get("x-api-key")
	return x.sim.key == "" || subtle.ConstantTimeCompare([]byte(given), []byte(x.sim.key)) == 1
}

// read parses the query, coerces its variables, and finds out what is asked of which rows.
func (x *exchange) read(text, operation string) {
	op, variables, problems := x.sim.parse(text, operation, x.Variables)
	if len(problems) > 0 {
		x.reply = refusal(problems)
		return
	}
	for _, field := range fields(x.sim.schema, op.SelectionSet, "Query") {
		x.calls = append(x.calls, x.sim.call(field, variables, x.At))
	}
	x.describe(x.calls[0])
}

// before lets the faults act that come before an answer is made.
func (x *exchange) before() {
	for _, fault := range x.faults {
		if fault.before != nil {
			fault.before(x)
		}
	}
}

// answer executes the operation's fields.
func (x *exchange) answer() {
	var problems []problemEntry
	data := []byte{'{'}
	for i, call := range x.calls {
		result, err := x.execute(call)
		if err != nil {
			problems = append(problems, problemEntry{Message: err.Error(), Path: []string{call.field.Alias}})
			result = []byte("null")
		}
		if i > 0 {
			data = append(data, ',')
		}
		data = append(append(appendText(data, call.field.Alias), ':'), result...)
	}
	x.reply = respond(append(data, '}'), problems)
	for _, fault := range x.faults {
		if fault.after != nil {
			fault.after(x.sim)
		}
	}
}

// amend lets the faults act that change a reply.
func (x *exchange) amend() {
	for _, fault := range x.faults {
		if fault.amend != nil {
			x.reply.body = fault.amend(x.reply.body)
		}
	}
}

// Truth is every row of a report (by id) that starts in [from, to) and has arrived by now, as it is now, in
// order of start time and id: what a reader of the API should end up with, whatever faults are scripted. Each
// is the row's JSON. It panics if the simulator has no such report.
func (s *Simulator) Truth(report string, from, to time.Time) iter.Seq[json.RawMessage] {
	stream, err := s.stream(report)
	if err != nil {
		panic(err)
	}
	now := s.clock().UnixMilli()
	return func(yield func(json.RawMessage) bool) {
		whole := query{stream: stream, now: now, from: ceilMillis(from), to: ceilMillis(to)}
		s.mu.RLock()
		first, last := whole.buckets()
		s.mu.RUnlock()
		for bucket := first; bucket <= last; bucket++ {
			for _, row := range s.truth(&whole, bucket) {
				if !yield(row) {
					return
				}
			}
		}
	}
}

func (s *Simulator) truth(q *query, bucket int32) (rows []json.RawMessage) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range q.seen(bucket, nil) {
		rows = append(rows, q.stream.appendRow(nil, &r))
	}
	return rows
}

func (s *Simulator) stream(report string) (*stream, error) {
	if stream, ok := s.streams[report]; ok {
		return stream, nil
	}
	return nil, fmt.Errorf("report %q is not known", report)
}

func mustRead(name string) []byte {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return data
}
