package export_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/source"
)

// renderedPages answers requests for pages of the documented report, without a network.
type renderedPages struct {
	text []byte // rows, with a comma behind each
	ends []int
	skip *regexp.Regexp
}

func (p *renderedPages) RoundTrip(r *http.Request) (*http.Response, error) {
	asked, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	skip, err := strconv.Atoi(string(p.skip.FindSubmatch(asked)[1]))
	if err != nil {
		return nil, err
	}
	from, to := p.end(skip), p.end(skip+benchPage)
	const head, foot = `{"data":{"getReportData":{"data":[`, `]}}}`
	body := io.MultiReader(strings.NewReader(head), bytes.NewReader(p.text[from:max(from, to-1)]), strings.NewReader(foot))
	return &http.Response{
		StatusCode: http.StatusOK, Body: io.NopCloser(body), ContentLength: int64(len(head) + max(0, to-1-from) + len(foot)), Header: http.Header{},
	}, nil
}

// end is where the first rows end.
func (p *renderedPages) end(rows int) int {
	if rows == 0 {
		return 0
	}
	return p.ends[min(rows, len(p.ends))-1]
}

// mapped maps rows as an export does.
type mapped struct {
	mapper *schema.Mapper
	chunk  schema.Chunk
	rows   int
}

func (m *mapped) Take(rows []string, _ bool) error {
	for _, raw := range rows {
		if _, err := m.mapper.MapInto(&m.chunk, raw); err != nil {
			return err
		}
		m.rows++
	}
	return nil
}

func (m *mapped) Expect() int                          { return 0 }
func (m *mapped) Nearer(int) (at time.Time, ok bool)   { return }
func (m *mapped) Back() (at time.Time, n int, ok bool) { return }

const benchPage = 1000

// From the bytes of pages to the typed rows of a transaction: the transport, the GraphQL client, the paging and the mapping.
func BenchmarkPageToRows(b *testing.B) {
	const rows = 20_000
	ids := []string{
		"5ef594e0eba06ff9adbcfc07", "5e6f5fc04767c68072ee031c", "60af7ebc2c1f3d2b8e5faf7e", "602a0daa27200ad38393241c", "60af7fa12c1f3d2b8e5faf7f",
		"5e6f5fc04767c68072ee031d", "5eafce52965aff16547f2816", "5eafcfde965aff16547f2817", "5e6f5fc04767c68072ee0320", "5ec3ab9dc17f3c7ee1471a7a",
	}
	types := []schema.Type{
		schema.Text, schema.Timestamptz, schema.Timestamptz, schema.Timestamptz, schema.Timestamptz, schema.Text, schema.Text, schema.Text,
		schema.Integer, schema.Text,
	}
	mapping := schema.Mapping{Table: "calls", Key: []string{"c0"}, TimeField: "c1"}
	for i, id := range ids {
		mapping.Fields = append(mapping.Fields, schema.Field{ID: id, Name: fmt.Sprint("c", i), Type: types[i]})
	}
	mapper, err := schema.Compile(mapping)
	if err != nil {
		b.Fatal(err)
	}
	pages := &renderedPages{skip: regexp.MustCompile(`"skip":([0-9]+)`)}
	for i := range rows {
		pages.text = fmt.Appendf(pages.text, `{%q:"64a4c799e8c16456%08x",%q:"2023-07-04T22:39:23.260Z",%q:"2023-07-04T22:39:23.260Z",%q:"2023-07-04T22:39:54.224Z",`+
			`%q:"2023-07-04T22:39:54.224Z",%q:"in",%q:"+14077016752",%q:"+16932411213",%q:31,%q:"Web"},`,
			ids[0], i, ids[1], ids[2], ids[3], ids[4], ids[5], ids[6], ids[7], ids[8], ids[9])
		pages.ends = append(pages.ends, len(pages.text))
	}
	client, err := source.New(source.Options{Endpoint: "https://api.example/", APIKey: "key", RequestsPerSecond: 1e9, Transport: pages})
	if err != nil {
		b.Fatal(err)
	}
	to := &mapped{mapper: mapper}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.SetBytes(int64(len(pages.text)))
	for b.Loop() {
		to.chunk.Reset()
		reading, err := client.Rows(b.Context(), source.Query{Report: "r", PageSize: benchPage, Key: ids[:1]}, to)
		if err != nil || reading.Rows != rows {
			b.Fatal(reading.Rows, err)
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(to.rows), "allocs/row")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(to.rows), "B/row")
}
