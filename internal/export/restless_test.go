package export

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// restless is an API in memory whose rows never hold still: an http.RoundTripper. What it answers is a function of the
// seed, of which reading it is, and of where the page lies: so a schedule can be had again, though pages are asked for
// at once.
type restless struct {
	seed    uint64
	reading int
	history [][]restlessRow // the rows as they were, in the order of time, one moment after the other

	ahead  bool // pages of a reading are answered in any order
	orders int  // one of so many pages is in order of the ids; 0: none
	caps   int  // one of so many pages has fewer rows than were asked for, but not two in a row; 0: none

	most int // rows of a page; 0: as many as are asked for

	mu     sync.Mutex
	capped bool // the page before was
	client *source.Client
}

type restlessRow struct {
	id, at, version int
	stands          bool // it is there all the time, at that time
}

func (r restlessRow) key() string { return fmt.Sprintf("c%03d", r.id) }

func (r restlessRow) time() time.Time { return restlessStart.Add(time.Duration(r.at) * time.Second) }

func (r restlessRow) text() string {
	return fmt.Sprintf(`{"id":%q,"at":%q,"version":%d}`, r.key(), r.time().Format(time.RFC3339), r.version)
}

var restlessStart = time.Date(2024, 5, 6, 9, 0, 0, 0, time.UTC)

const (
	restlessSeconds = 600 // the rows lie in so many
	restlessMoments = 200
)

// newRestless draws a history. moves says that rows move in time, too.
func newRestless(random *rand.Rand, rows int, moves bool) *restless {
	a := &restless{seed: random.Uint64()}
	ids := random.Perm(1000)
	fresh := func() restlessRow {
		id := ids[0]
		ids = ids[1:]
		return restlessRow{id: id, at: random.IntN(restlessSeconds)}
	}
	now := make([]restlessRow, rows)
	for i := range now {
		now[i] = fresh()
		now[i].stands = random.IntN(3) > 0
	}
	move := func() {
		some := &now[random.IntN(len(now))]
		switch kind := random.IntN(3); {
		case kind == 0:
			now = append(now, fresh())
		case some.stands:
		case kind == 1:
			*some = now[len(now)-1]
			now = now[:len(now)-1]
		case moves:
			some.version++
			some.at = min(max(0, some.at+random.IntN(121)-60), restlessSeconds-1)
		}
	}
	pace := 5 << random.IntN(5)
	for moment := range restlessMoments {
		if moved := random.IntN(100) < pace; !moved && moment > 0 {
			a.history = append(a.history, a.history[moment-1])
			continue
		}
		for range 1 + random.IntN(3) { // some cancel out
			move()
		}
		slices.SortFunc(now, func(a, b restlessRow) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
		a.history = append(a.history, slices.Clone(now))
	}
	return a
}

// draw is a number below n that is the same for the same things.
func (a *restless) draw(n int, of ...int) int {
	x := a.seed
	for _, v := range of {
		x = (x ^ uint64(v)) * 0x9e3779b97f4a7c15
		x ^= x >> 29
	}
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 32
	return int(x % uint64(n))
}

func (a *restless) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct {
		Variables struct {
			StartTime, EndTime time.Time
			Skip, Limit        int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	v := asked.Variables
	rows := a.page(window.Window{Start: v.StartTime, End: v.EndTime}, v.Skip, v.Limit)
	body := `{"data":{"getReportData":{"data":[` + strings.Join(rows, ",") + `]}}}`
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(bytes.NewBufferString(body)),
	}, nil
}

func (a *restless) page(within window.Window, skip, limit int) []string {
	length := int(within.Duration() / time.Second)
	moment := 40*a.reading + skip/2 + a.draw(3, 1, a.reading, skip, length)
	if a.ahead {
		moment += a.draw(12, 2, a.reading, skip, length)
	}
	var rows []restlessRow
	for _, row := range a.history[min(moment, len(a.history)-1)] {
		if within.Contains(row.time()) {
			rows = append(rows, row)
		}
	}
	if a.orders > 0 && a.draw(a.orders, 3, a.reading, skip, length) == 0 {
		slices.SortFunc(rows, func(a, b restlessRow) int { return cmp.Compare(a.id, b.id) })
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.capped = a.caps > 0 && !a.capped && a.draw(a.caps, 4, a.reading, skip, length) == 0; a.capped {
		limit = min(limit, a.draw(4, 5, a.reading, skip, length))
	}
	if a.most > 0 {
		limit = min(limit, a.most)
	}
	rows = rows[min(skip, len(rows)):]
	var texts []string
	for _, row := range rows[:min(limit, len(rows))] {
		texts = append(texts, row.text())
	}
	return texts
}

// Rows is a reading of its own.
func (a *restless) Rows(ctx context.Context, q source.Query, to source.Taker) (source.Reading, error) {
	a.reading++
	return a.client.Rows(ctx, q, to)
}

// line is the way to the API of now.
type line struct{ *restless }

// restlessExporter is an exporter without a warehouse, and what it reads from.
func restlessExporter(t testing.TB) (*Exporter, *line, *source.Client) {
	t.Helper()
	to := &line{}
	client, err := source.New(source.Options{
		Endpoint: "http://api.invalid", APIKey: "key", Timeout: time.Second, MaxAttempts: 1, RequestsPerSecond: 1e9, MaxInFlight: 8,
		MaxPageBytes: 1 << 20, Transport: to,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	mapper, err := schema.Compile(schema.Mapping{
		Table: "calls", Key: []string{"id"}, TimeField: "at", MarksDeleted: true,
		Fields: []schema.Field{{ID: "id", Name: "id", Type: schema.Text}, {ID: "at", Name: "at", Type: schema.Timestamptz}},
	})
	if err != nil {
		t.Fatal(err)
	}
	grid, err := window.NewGrid(time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := &Exporter{Logger: slog.New(slog.DiscardHandler)}
	e.Dataset = Dataset{
		Name: "calls", Kind: sink.KindReport, Mapper: mapper, Grid: grid, MaxRows: 2000, MaxSpan: time.Hour,
		Query: source.Query{Report: "r", SortID: "at", Key: []string{"id"}},
	}
	return e, to, client
}

// schedule makes a restless API of a seed, and an exporter that reads it as a process does that was just started.
func schedule(random *rand.Rand, e *Exporter, to *line, client *source.Client) *restless {
	a := newRestless(random, 10+random.IntN(40), random.IntN(2) == 0)
	a.client = client
	to.restless, e.Source, e.lasting.server = a, a, server{}
	e.Dataset.Query.PageSize, e.Dataset.Query.Ahead = 4+random.IntN(12), random.IntN(2)*4
	a.ahead = e.Dataset.Query.Ahead > 0
	return a
}

// standing are the rows that stand within a stretch.
func (a *restless) standing(within window.Window) (rows []restlessRow) {
	for _, row := range a.history[0] {
		if row.stands && within.Contains(row.time()) {
			rows = append(rows, row)
		}
	}
	return rows
}

// seeds are the first ones, and some that once found something.
func seeds(first uint64, found ...uint64) []uint64 {
	for seed := range first {
		found = append(found, seed)
	}
	return found
}

func hasKey(rows []sink.Row, key string) bool {
	return slices.ContainsFunc(rows, func(row sink.Row) bool { return row.Values[0].Str() == key })
}

func restlessStretch() window.Window {
	return window.Window{Start: restlessStart, End: restlessStart.Add(restlessSeconds * time.Second)}
}

// Whatever comes, goes and moves while they are read: pages of one list that fit together have every row that stood
// still, before an end that was drawn, too, and whether they were asked for ahead or not.
func TestNoRowIsMissedThatStandsStill(t *testing.T) {
	e, to, client := restlessExporter(t)
	held := 0
	for _, seed := range seeds(100, 1408) {
		random := rand.New(rand.NewPCG(seed, 1))
		a := schedule(random, e, to, client)
		w := wanted{stretch: restlessStretch(), lead: time.Second}
		if random.IntN(2) == 0 {
			w.nearer, w.maxRows = true, 4*e.Dataset.Query.PageSize
		}
		p, err := e.readSteadily(t.Context(), w)
		if err != nil {
			continue
		}
		held++
		for _, row := range a.standing(p.stretch) {
			if !hasKey(p.rows, row.key()) {
				t.Fatalf("seed %d: %s of %d rows is missing, in %d requests (ahead %d, page size %d)",
					seed, row.key(), len(p.rows), p.reading.Requests, e.Dataset.Query.Ahead, e.Dataset.Query.PageSize)
			}
		}
	}
	t.Logf("%d readings held still", held)
}

// No order, no page that is cut short and nothing that moves makes sure that a row is gone that stands still. What
// speaks against them is what saves them: a second reading alone misses some of them, with pages asked for ahead or not.
func TestMakingSureFindsWhatStandsStill(t *testing.T) {
	for name, size := range map[string]func(e *Exporter, a *restless, size int){
		"as configured": func(*Exporter, *restless, int) {},
		"as it was measured": func(e *Exporter, _ *restless, size int) {
			e.Dataset.Query.PageSize, e.lasting.limits.contract.page = 1000, size
		},
		"as they are sent": func(e *Exporter, a *restless, size int) { e.Dataset.Query.PageSize, a.most = 1000, size },
	} {
		t.Run(name, func(t *testing.T) { makingSure(t, size) })
	}
}

func makingSure(t *testing.T, size func(e *Exporter, a *restless, size int)) {
	e, to, client := restlessExporter(t)
	p := &passage{Exporter: e, edge: restlessStretch().End}
	sure := 0
	for _, seed := range seeds(100, 471, 2832, 2850, 2910) {
		random := rand.New(rand.NewPCG(seed, 2))
		a := schedule(random, e, to, client)
		a.orders, a.caps = random.IntN(4), random.IntN(2)*(2+random.IntN(8))
		size(e, a, e.Dataset.Query.PageSize)
		suspects := a.standing(restlessStretch())
		random.Shuffle(len(suspects), func(i, j int) { suspects[i], suspects[j] = suspects[j], suspects[i] })
		suspects = suspects[:min(len(suspects), 1+random.IntN(3))]
		var times []time.Time
		for _, row := range suspects {
			times = append(times, row.time())
		}
		slices.SortFunc(times, time.Time.Compare)
		got, err := p.makeSure(t.Context(), times, uncapped())
		if err != nil {
			continue
		}
		sure++
		for _, row := range a.standing(restlessStretch()) { // not only the suspects: the commit may find others there
			within := slices.ContainsFunc(got.within, func(w window.Window) bool { return w.Contains(row.time()) })
			if within && !hasKey(got.present, row.key()) {
				t.Errorf("seed %d: %s stands still, and is taken for gone (ahead %d, page size %d, orders %d, caps %d)", seed, row.key(), e.Dataset.Query.Ahead, e.Dataset.Query.PageSize, a.orders, a.caps)
			}
		}
	}
	t.Logf("%d times it was made sure", sure)
}
