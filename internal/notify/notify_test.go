package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"samespace-exporter/internal/notify"
)

const address = "https://hooks.example.com/services/canary-hook"

// transport answers by a function: no socket, so that the clock may be a fake one.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(code int, header http.Header) *http.Response {
	body := io.NopCloser(strings.NewReader("you asked for " + address))
	return &http.Response{StatusCode: code, Header: header, Body: body}
}

func TestPostIsWhatSlackTakes(t *testing.T) {
	var got map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "exporter/1" {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	if err := notify.New(server.URL, nil, "exporter/1").Post(t.Context(), `calls: <b> & "quoted"`+"\nagents"); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got["text"] != `calls: &lt;b&gt; &amp; "quoted"`+"\nagents" {
		t.Errorf("posted %q", got)
	}
}

func TestPostIsTriedAgain(t *testing.T) {
	refused := errors.New("connection refused")
	for _, c := range []struct {
		name     string
		answers  func(n int) (*http.Response, error)
		attempts int
		words    string        // of the error; "": none
		atLeast  time.Duration // of all
	}{
		{"the second time", func(n int) (*http.Response, error) {
			if n == 1 {
				return answer(503, nil), nil
			}
			return answer(204, nil), nil
		}, 2, "", 0},
		{"when it is told to", func(n int) (*http.Response, error) {
			if n == 1 {
				return answer(429, http.Header{"Retry-After": {"30"}}), nil
			}
			return answer(200, nil), nil
		}, 2, "", 30 * time.Second},
		{"not for ever", func(int) (*http.Response, error) { return answer(500, nil), nil }, 5, "answers 500 Internal Server Error", 0},
		{"not beyond two minutes", func(int) (*http.Response, error) {
			return answer(429, http.Header{"Retry-After": {"9999"}}), nil
		}, 1, "answers 429", 0},
		{"not what it does not know", func(int) (*http.Response, error) { return answer(404, nil), nil }, 1, "answers 404 Not Found; check notify.webhook", 0},
		{"not to another address", func(int) (*http.Response, error) {
			return answer(302, http.Header{"Location": {"https://elsewhere.example.com/"}}), nil
		}, 1, "answers 302", 0},
		{"when nobody answers", func(int) (*http.Response, error) { return nil, refused }, 5, "connection refused", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts, began := 0, time.Now()
				hook := notify.New(address, transport(func(*http.Request) (*http.Response, error) {
					attempts++
					return c.answers(attempts)
				}), "")
				err := hook.Post(t.Context(), "calls")
				if attempts != c.attempts {
					t.Errorf("%d attempts, want %d", attempts, c.attempts)
				}
				if c.words == "" && err != nil || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
					t.Errorf("%v, want %q", err, c.words)
				}
				if err != nil && strings.Contains(err.Error(), "canary") {
					t.Errorf("the address is in %v", err)
				}
				if took := time.Since(began); took < c.atLeast || took > 2*time.Minute {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestPostEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		hook := notify.New(address, transport(func(*http.Request) (*http.Response, error) {
			cancel()
			return answer(500, nil), nil
		}), "")
		if err := hook.Post(ctx, "calls"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
