package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

func TestTextIsReadWhole(t *testing.T) {
	memory := &texts{}
	for _, length := range []int{0, 1, 511, 512, 513, 3 << 20} {
		for _, said := range []int64{-1, 0, int64(length), 1 << 40} {
			body := strings.Repeat("7", length)
			read, err := memory.read(iotest.HalfReader(strings.NewReader(body)), said)
			if err != nil || read.string() != body {
				t.Errorf("%d bytes, said to be %d: %d were read, error %v", length, said, len(read.bytes), err)
			}
			read.release()
		}
	}
	endless := io.MultiReader(strings.NewReader(" <html>"), endlessly{})
	if read, err := memory.read(endless, -1); err != nil || len(read.bytes) != longestHead+1 {
		t.Errorf("of a web page without an end %v was read, error %v", len(read.bytes), err)
	}
	broken := errors.New("broken")
	if _, err := memory.read(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken)), -1); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

// endlessly is a body that has no end.
type endlessly struct{}

func (endlessly) Read(p []byte) (int, error) { return len(p), nil }

// listed answers with the pages of numbered rows of a report, whose id is the row's text, once it is let.
type listed struct {
	rows int
	let  chan struct{} // nil: at once

	mu    sync.Mutex
	asked []string
}

func (l *listed) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct {
		Variables struct {
			ReportID    string
			Skip, Limit int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	v := asked.Variables
	l.mu.Lock()
	l.asked = append(l.asked, v.ReportID)
	l.mu.Unlock()
	if l.let != nil {
		<-l.let
	}
	var rows []string
	for n := v.Skip; n < min(v.Skip+v.Limit, l.rows); n++ {
		rows = append(rows, fmt.Sprintf(`{"id":"%s %d"}`, v.ReportID, n))
	}
	body := fmt.Appendf(nil, `{"data":{"getReportData":{"data":[%s]}}}`, strings.Join(rows, ","))
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Header: http.Header{}}, nil
}

// Pages give their memory back once their rows were taken, and what was taken of them is right.
func TestReadingGivesTextsBack(t *testing.T) {
	c, err := New(Options{Endpoint: "https://api.example/", APIKey: testKey, RequestsPerSecond: 1e6, Transport: &listed{rows: 200}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 20 { // under the race detector a pool forgets one of four
		list := &rowList{}
		reading, err := c.Rows(t.Context(), Query{Report: "r", PageSize: 10, Key: []string{"id"}}, list)
		if err != nil || reading.Rows != 200 || len(list.rows) != 200 {
			t.Fatalf("%d rows, error %v", reading.Rows, err)
		}
		for n, row := range list.rows {
			if row != fmt.Sprintf(`{"id":"r %d"}`, n) {
				t.Fatalf("row %d is %s", n, row)
			}
		}
		if c.texts.idle.Get() != nil {
			return
		}
	}
	t.Error("no page gave its memory back")
}

// The pages of the reading that began first are asked for first.
func TestReadingsGoInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &listed{rows: 8, let: make(chan struct{})}
		c, err := New(Options{Endpoint: "https://api.example/", APIKey: testKey, RequestsPerSecond: 1e6, MaxInFlight: 1, Transport: api})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var readings sync.WaitGroup
		for _, report := range []string{"one", "two"} {
			readings.Go(func() {
				list := &rowList{expect: 8}
				if _, err := c.Rows(ctx, Query{Report: report, PageSize: 3, Ahead: 3, Filled: true, Key: []string{"id"}}, list); err != nil || len(list.rows) != 8 {
					t.Errorf("%s: %d rows, error %v", report, len(list.rows), err)
				}
			})
			synctest.Wait()
		}
		done := make(chan struct{})
		go func() {
			readings.Wait()
			close(done)
		}()
		for going := true; going; {
			synctest.Wait()
			select {
			case <-done:
				going = false
			case api.let <- struct{}{}:
			}
		}
		cancel()
		// What the first one has not asked for yet, since its pages have to come before it knows, cannot go first.
		const asked = 4
		if slices.Index(api.asked, "two") < asked {
			t.Errorf("pages were asked for as %v", api.asked)
		}
	})
}
