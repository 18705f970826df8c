package export_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/source"
)

// onePage answers each request with the same body, without a network.
type onePage []byte

func (p onePage) RoundTrip(*http.Request) (*http.Response, error) {
	// Not a *bytes.Reader: a body shows no more than Read.
	body := io.NopCloser(io.MultiReader(bytes.NewReader(p)))
	return &http.Response{StatusCode: http.StatusOK, Body: body, ContentLength: int64(len(p)), Header: http.Header{}}, nil
}

// From the bytes of a page to typed rows: the transport, the GraphQL client and the mapping.
func BenchmarkPageToRows(b *testing.B) {
	const rows = 1000
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
	page := []byte(`{"data":{"getReportData":{"data":[`)
	for i := range rows {
		page = fmt.Appendf(page, `{%q:"64a4c799e8c16456e7c2%04x",%q:"2023-07-04T22:39:23.260Z",%q:"2023-07-04T22:39:23.260Z",%q:"2023-07-04T22:39:54.224Z",`+
			`%q:"2023-07-04T22:39:54.224Z",%q:"in",%q:"+14077016752",%q:"+16932411213",%q:31,%q:"Web"},`,
			ids[0], i, ids[1], ids[2], ids[3], ids[4], ids[5], ids[6], ids[7], ids[8], ids[9])
	}
	page = append(page[:len(page)-1], `]}}}`...)
	client, err := source.New(source.Options{Endpoint: "https://api.example/", APIKey: "key", RequestsPerSecond: 1e9, Transport: onePage(page)})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := client.Page(b.Context(), source.Query{Report: "r"}, 0, rows)
		if err != nil || len(p.Rows) != rows {
			b.Fatal(len(p.Rows), err)
		}
		chunk := &schema.Chunk{}
		for _, raw := range p.Rows {
			if _, err := mapper.MapInto(chunk, raw); err != nil {
				b.Fatal(err)
			}
		}
	}
}
