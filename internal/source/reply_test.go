package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
)

func decodeText(text string) (reply, error) {
	return decodeReply(text, reportData, nil)
}

func TestDecodeReply(t *testing.T) {
	tests := []struct {
		name string
		body string
		want []string // nil: no rows
		err  string
	}{
		{"documented", `{"data":{"getReportData":{"data":[{"a":1},{"a":2}]}}}`, []string{`{"a":1}`, `{"a":2}`}, ""},
		{"no rows", `{"data":{"getReportData":{"data":[]}}}`, []string{}, ""},
		{"space around", " {\n\"data\" : {\"getReportData\":{\"data\":[ {\"a\": 1} , 2 ]}}}\r\n ", []string{`{"a": 1}`, `2`}, ""},
		{"other members", `{"x":[{}],"data":{"y":{"data":[1]},"getReportData":{"z":1,"data":[7]}},"extensions":{}}`, []string{`7`}, ""},
		{"any values", `{"data":{"getReportData":{"data":[null,"x",[1],12345678901234567890.10]}}}`, []string{`null`, `"x"`, `[1]`, `12345678901234567890.10`}, ""},
		{"invalid UTF-8, lone surrogate, name twice", "{\"data\":{\"getReportData\":{\"data\":[{\"a\":\"\xff\",\"a\":\"\\ud800\"}]}}}", []string{"{\"a\":\"\xff\",\"a\":\"\\ud800\"}"}, ""},
		{"null operation", `{"data":{"getReportData":null}}`, nil, ""},
		{"null data", `{"data":null}`, nil, ""},
		{"rows that are no list", `{"data":{"getReportData":{"data":{"a":1}}}}`, nil, ""},
		{"null rows", `{"data":{"getReportData":{"data":null}}}`, nil, ""},
		{"list instead of object", `[1]`, nil, ""},
		{"null", `null`, nil, ""},
		{"names differ in case", `{"Data":{"getreportdata":{"data":[]}}}`, nil, ""},
		{"rows twice", `{"data":{"getReportData":{"data":[1]},"getReportData":{"data":[2]}}}`, nil, "the rows are there twice"},
		{"empty", "", nil, "the reply is empty"},
		{"space only", " \n", nil, "the reply is empty"},
		{"HTML", "<html>", nil, "the reply is not JSON at byte 0"},
		{"cut between rows", `{"data":{"getReportData":{"data":[{"a":1},`, nil, "the reply was cut short: unexpected EOF"},
		{"cut in a row", `{"data":{"getReportData":{"data":[{"a":1},{"b`, nil, "the reply was cut short: unexpected EOF"},
		{"cut behind the rows", `{"data":{"getReportData":{"data":[{"a":1}]}}`, nil, "the reply was cut short: unexpected EOF"},
		{"comma too many", `{"data":{"getReportData":{"data":[1,]}}}`, nil, "the reply is not JSON at byte 36"},
		{"trailing garbage", `{"data":{"getReportData":{"data":[1]}}} x`, nil, "the reply is not JSON at byte 40"},
		{"trailing beginning of a value", `{"data":{"getReportData":{"data":[1]}}}{"a`, nil, "the reply goes on after its JSON"},
		{"trailing value", `{"data":{"getReportData":{"data":[1]}}}{}`, nil, "the reply goes on after its JSON"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := decodeText(test.body)
			if fmt.Sprint(err) != test.err && (err != nil || test.err != "") {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if err == nil && (got.complete != (test.want != nil) || !slices.Equal(got.rows, test.want)) {
				t.Errorf("rows %t %q, want %q", got.complete, got.rows, test.want)
			}
		})
	}
}

func TestDecodeReplyErrors(t *testing.T) {
	tests := []struct {
		body string
		want []graphQLError
	}{
		{`{"errors":null,"data":{}}`, nil},
		{`{"errors":[],"data":{}}`, nil},
		{`{"data":null,"errors":[{"message":"a"},{"message":"b","extensions":{"code":"FORBIDDEN"}}]}`, []graphQLError{{"a", ""}, {"b", "FORBIDDEN"}}},
		{`{"errors":[{"message":"a"}],"errors":[]}`, []graphQLError{{"a", ""}}},
		{`{"errors":[{"message":7,"extensions":{"code":7}}]}`, []graphQLError{{"7", ""}}},
		{`{"errors":[{"message":"a","extensions":"x"}]}`, []graphQLError{{`{"message":"a","extensions":"x"}`, ""}}},
		{`{"errors":"down"}`, []graphQLError{{`"down"`, ""}}},
		{`{"errors":{"message":"down"}}`, []graphQLError{{"down", ""}}},
		{`{"errors":[null]}`, []graphQLError{{"null", ""}}},
	}
	for _, test := range tests {
		got, err := decodeText(test.body)
		if err != nil || !slices.Equal(got.graphQLErrors(), test.want) {
			t.Errorf("%s: %q, error %v", test.body, got.graphQLErrors(), err)
		}
		if !json.Valid(got.envelope(reportData)) {
			t.Errorf("%s: envelope %s", test.body, got.envelope(reportData))
		}
	}
}

// FuzzDecodeReply holds the decoder against encoding/json.
func FuzzDecodeReply(f *testing.F) {
	f.Add([]byte(`{"data":{"getReportData":{"data":[{"5ef594e0eba06ff9adbcfc07":"64a4c799e8c16456e7c23a49","n":31,"x":null},{}]}}}`))
	f.Add([]byte(`{"errors":[{"message":"m","extensions":{"code":"FORBIDDEN"}}],"data":{"getReportData":null}}`))
	f.Add([]byte(`{"data":{"getReportData":{"data":[1,"\ud800",[[]],1e400]}}} `))
	f.Add([]byte(`{"data":{"getReportData":{"data":[{"a":"x","b":1},{"a":"x","b":"x"},{"a":"xy" ,"b":1},{"a":"x\"","b":"x"},{"b":"x"}]}}}`))
	f.Add([]byte("<html>\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decodeReply(string(body), reportData, nil)
		if err != nil {
			if json.Valid(body) && err != errTwice {
				t.Fatalf("valid JSON refused: %v", err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("invalid JSON taken")
		}
		for _, row := range got.rows {
			if !json.Valid([]byte(row)) {
				t.Fatalf("row %q", row)
			}
		}
		if !json.Valid(got.envelope(reportData)) {
			t.Fatalf("envelope %q", got.envelope(reportData))
		}
		got.graphQLErrors()
		if want, ok := rowsByStandardLibrary(body); ok && (!got.complete || len(got.rows) != want) {
			t.Fatalf("%d rows, encoding/json has %d", len(got.rows), want)
		}
	})
}

func rowsByStandardLibrary(body []byte) (int, bool) {
	var envelope, data, operation map[string]json.RawMessage
	var rows []json.RawMessage
	ok := json.Unmarshal(body, &envelope) == nil && json.Unmarshal(envelope["data"], &data) == nil &&
		json.Unmarshal(data[reportData], &operation) == nil && json.Unmarshal(operation["data"], &rows) == nil
	return len(rows), ok && rows != nil
}

// documentedPage is a reply with so many rows of the documented shape.
func documentedPage(tb testing.TB, rows int) []byte {
	tb.Helper()
	row, err := os.ReadFile("testdata/row.json")
	if err != nil {
		tb.Fatal(err)
	}
	all := bytes.Repeat(append(bytes.TrimSpace(row), ','), rows)
	return slices.Concat([]byte(`{"data":{"getReportData":{"data":[`), all[:len(all)-1], []byte(`]}}}`))
}

func TestDecodeReplyAllocatesPerPageNotPerRow(t *testing.T) {
	page := string(documentedPage(t, 1000))
	allocations := testing.AllocsPerRun(10, func() {
		if _, err := decodeReply(page, reportData, nil); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 20 {
		t.Errorf("%v allocations for a page of 1000 rows", allocations)
	}
}

func BenchmarkDecodeReply(b *testing.B) {
	page, memory := documentedPage(b, 1000), &texts{}
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		// Not a *bytes.Reader: a body shows no more than Read.
		body, err := memory.read(io.MultiReader(bytes.NewReader(page)), int64(len(page)))
		if err != nil {
			b.Fatal(err)
		}
		got, err := decodeReply(body.string(), reportData, body.rows)
		if err != nil {
			b.Fatal(err)
		}
		body.rows = got.rows
		body.release()
	}
}
