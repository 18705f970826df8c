package simulator

import (
	"slices"
	"sync"
	"time"
)

// Request is one request, as scripts and tests see it. A script sees Status and Rows as zero.
type Request struct {
	Number      int            // from 1 on, in the order of arrival
	At          time.Time      // by the simulator's clock
	Operation   string         // "getReportData", "getInsightData", "dashboard"; "" when it was not understood
	Report      string         // report's id
	Dashboard   string         // dashboard's id
	Insight     string         // insight's id
	Variables   map[string]any // as sent; numbers are json.Number
	From, To    time.Time      // the rows asked for start in [From, To); zero for a dashboard
	SortID      string         // "" when the default order is asked for
	Descending  bool
	Skip, Limit int // Limit is the default where none was sent

	Status int // of the reply; zero when none was sent
	Rows   int // sent
}

// describe fills in what the operation's first field asks for.
func (x *exchange) describe(c *call) {
	x.Operation = c.field.Name
	id := func(name string) string { s, _ := c.arguments[name].(string); return s }
	x.Report, x.Dashboard, x.Insight = id("reportId"), id("dashboardId"), id("insightId")
	if c.field.Name == "dashboard" {
		x.Dashboard = id("id")
	}
	if q := c.query; q != nil {
		x.From, x.To = time.UnixMilli(q.from).UTC(), time.UnixMilli(q.to).UTC()
		x.Skip, x.Limit, x.Descending = q.skip, q.limit, q.desc
		x.SortID = id("sortId")
	}
}

// Stats are counters since the simulator was made.
type Stats struct {
	Requests    int // that have arrived
	Rows        int // sent in pages, whole or not
	MaxSkip     int
	MaxLimit    int
	MaxInFlight int         // requests at once
	Statuses    map[int]int // replies by HTTP status; 0: none was sent
}

type journal struct {
	keep int

	mu       sync.Mutex
	inFlight int
	stats    Stats
	requests []Request
}

// Requests are the latest requests that have ended, Options.KeepRequests at most, in the order in which they
// ended.
func (s *Simulator) Requests() []Request {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return slices.Clone(s.journal.requests)
}

// ForgetRequests empties what Requests remembers.
func (s *Simulator) ForgetRequests() {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	s.journal.requests = nil
}

// Stats are the counters as they are now.
func (s *Simulator) Stats() Stats {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	stats := s.journal.stats
	stats.Statuses = make(map[int]int)
	for status, n := range s.journal.stats.Statuses {
		stats.Statuses[status] = n
	}
	return stats
}

func (j *journal) begin() (number int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.Requests++ // by now: who has the answer may look at once
	j.inFlight++
	j.stats.MaxInFlight = max(j.stats.MaxInFlight, j.inFlight)
	return j.stats.Requests
}

func (j *journal) end(r Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.inFlight--
	s := &j.stats
	s.Rows += r.Rows
	s.MaxSkip, s.MaxLimit = max(s.MaxSkip, r.Skip), max(s.MaxLimit, r.Limit)
	if s.Statuses == nil {
		s.Statuses = make(map[int]int)
	}
	s.Statuses[r.Status]++
	if j.keep == 0 {
		return
	}
	if len(j.requests) == j.keep {
		j.requests = slices.Delete(j.requests, 0, 1)
	}
	j.requests = append(j.requests, r)
}
