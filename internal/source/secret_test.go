package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The second key looks another way in each form in which a server may echo it.
var canaries = []string{testKey, `c"a<n&a+r/y\7%'=end`}

// leaks reports whether a text holds the key, or enough of it to matter, in some form.
func leaks(text, key string) bool {
	quoted, _ := json.Marshal(key)
	for _, form := range []string{key, string(quoted[1 : len(quoted)-1]), url.QueryEscape(key), url.PathEscape(key), html.EscapeString(key), strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(key)} {
		if strings.Contains(text, form) || len(form) > 8 && strings.Contains(text, form[:8]) {
			return true
		}
	}
	return false
}

func TestKeyIsNeverInAnError(t *testing.T) {
	// Each handler sends back what it was sent, where an error may quote it.
	echoes := map[string]func(w http.ResponseWriter, key string){
		"status, text": func(w http.ResponseWriter, key string) { w.WriteHeader(500); io.WriteString(w, "X-Api-Key: "+key) },
		"status, plain JSON": func(w http.ResponseWriter, key string) {
			w.WriteHeader(400)
			io.WriteString(w, strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(key))
		},
		"status, JSON": func(w http.ResponseWriter, key string) { w.WriteHeader(401); json.NewEncoder(w).Encode([]string{key}) },
		"status, URL": func(w http.ResponseWriter, key string) {
			w.WriteHeader(404)
			io.WriteString(w, "/?"+url.QueryEscape(key)+"/"+url.PathEscape(key))
		},
		"status, HTML": func(w http.ResponseWriter, key string) { w.WriteHeader(502); io.WriteString(w, html.EscapeString(key)) },
		"status, many times": func(w http.ResponseWriter, key string) {
			w.WriteHeader(400)
			io.WriteString(w, strings.Repeat(key, 1000))
		},
		"status, cut": func(w http.ResponseWriter, key string) {
			w.WriteHeader(400)
			io.WriteString(w, strings.Repeat(" ", 4096-9)+key)
		},
		"reply, HTML":     func(w http.ResponseWriter, key string) { io.WriteString(w, "<html>"+key) },
		"reply, cut head": func(w http.ResponseWriter, key string) { io.WriteString(w, strings.Repeat(" ", longestHead-9)+key) },
		"reply, long HTML": func(w http.ResponseWriter, key string) {
			io.WriteString(w, "<html>"+strings.Repeat("key "+key+" ", 999))
		},
		"reply, early fault": func(w http.ResponseWriter, key string) {
			io.WriteString(w, "<"+strings.Repeat(" ", 54)+key+strings.Repeat(" ", 99))
		},
		"reply, JSON name": func(w http.ResponseWriter, key string) {
			quoted, _ := json.Marshal(key)
			fmt.Fprintf(w, `{"data":{%s:[}}}`, quoted)
		},
		"errors, cut": func(w http.ResponseWriter, key string) {
			quoted, _ := json.Marshal(key)
			fmt.Fprintf(w, `{"errors":[{"message":"bad key %s`, quoted[1:len(quoted)-2])
		},
		"reply, cut": func(w http.ResponseWriter, key string) {
			quoted, _ := json.Marshal(key)
			fmt.Fprintf(w, `{"data":{"x":"bad key %s`, quoted[1:len(quoted)-2])
		},
		"GraphQL message": func(w http.ResponseWriter, key string) {
			json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"message": "key " + key}}})
		},
		"GraphQL code": func(w http.ResponseWriter, key string) {
			json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"message": "no", "extensions": map[string]any{"code": key}}}})
		},
		"GraphQL other": func(w http.ResponseWriter, key string) {
			json.NewEncoder(w).Encode(map[string]any{"errors": []any{key}})
		},
		"redirect, query": func(w http.ResponseWriter, key string) {
			w.Header().Set("Location", "https://x.example/?key="+url.QueryEscape(key))
			w.WriteHeader(302)
		},
		"redirect, host": func(w http.ResponseWriter, key string) {
			w.Header().Set("Location", "https://"+key+".example/")
			w.WriteHeader(307)
		},
		"encoding":           func(w http.ResponseWriter, key string) { w.Header().Set("Content-Encoding", key) },
		"broken status line": func(w http.ResponseWriter, key string) { hijack(w, "HTTP/1.1 "+key+"\r\n\r\n") },
		"broken header":      func(w http.ResponseWriter, key string) { hijack(w, "HTTP/1.1 200 OK\r\n"+key+"\r\n\r\n") },
		"broken length": func(w http.ResponseWriter, key string) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: "+key+"\r\n\r\n")
		},
		"broken chunk": func(w http.ResponseWriter, key string) {
			hijack(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+key+"\r\n")
		},
	}
	for name, echo := range echoes {
		for _, key := range canaries {
			t.Run(name, func(t *testing.T) {
				c := serve(t, Options{APIKey: key}, func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					if r.Header.Get("X-Api-Key") != key {
						t.Error("the key was not sent")
					}
					echo(w, r.Header.Get("X-Api-Key"))
				})
				_, err := c.Page(t.Context(), Query{}, 0, 10)
				if err == nil {
					t.Fatal("no error")
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					if text := fmt.Sprintf("%v %+v %#v", e, e, e); leaks(text, key) {
						t.Errorf("the key is in %s", text)
					}
				}
			})
		}
	}
}

// A key that any text has is no reason to garble what the API said; where it stands by itself it is not shown either.
func TestATinyKeyGarblesNothing(t *testing.T) {
	for key, said := range map[string]struct{ sent, want string }{
		"e":    {`{"message":"refused here","key":"e","e":1, e, hex 65 of 165}`, `{"message":"refused here","key":"[api key]","[api key]":1, [api key], hex [api key] of 165}`},
		"k":    {"k ok k", "[api key] ok [api key]"},
		"api":  {"api of an apiary, api", "[api key] of an apiary, [api key]"},
		"%":    {"100% of % is %25", "100% of [api key] is [api key]"},
		"abcd": {"xabcdx abcd", "x[api key]x [api key]"},
	} {
		if got := newRedactor(key).excerpt(said.sent, false); got != said.want {
			t.Errorf("key %s: %s, want %s", key, got, said.want)
		}
	}
}

// hijack sends bytes as they are.
func hijack(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	io.WriteString(conn, text)
}

func TestKeyIsNotPrinted(t *testing.T) {
	o := Options{Endpoint: "https://api.example/x?key=" + testKey, APIKey: testKey}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, _ := json.Marshal(o)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("started", "options", o, "pointer", &o, "client", c)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("started", "options", o, "pointer", &o, "client", c)
	texts := []string{logged.String(), strings.ReplaceAll(string(asJSON), o.Endpoint, "")}
	for _, value := range []any{o, &o, c, []any{o, c}, struct{ O Options }{o}, struct{ c *Client }{c}} {
		texts = append(texts, fmt.Sprintf("%v %+v %#v %s %q", value, value, value, value, value))
	}
	for _, text := range texts {
		if leaks(text, testKey) {
			t.Errorf("the key is in %s", text)
		}
	}
}

func TestKeyGoesToItsHostOnly(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed: %s with header %v", r.Method, r.Header)
	}))
	t.Cleanup(other.Close)
	c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if _, err := c.Page(t.Context(), Query{}, 0, 10); err == nil {
		t.Error("a redirect is no error")
	}

	// Were one followed all the same, it would go without the key.
	for address, want := range map[string]string{
		c.wire.endpoint.String():                testKey,
		c.wire.endpoint.String() + "/elsewhere": testKey,
		other.URL:                               "",
		strings.Replace(c.wire.endpoint.String(), "http", "ftp", 1): "",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		var sent http.Header
		w := *c.wire
		w.base = roundTripper(func(r *http.Request) (*http.Response, error) {
			sent = r.Header
			return scripted(200, "")(), nil
		})
		if _, err := w.RoundTrip(request); err != nil {
			t.Fatal(err)
		}
		if got := sent.Get("X-Api-Key"); got != want || len(request.Header) != 0 {
			t.Errorf("%s: sent key %q, want %q; the caller's header is now %v", address, got, want, request.Header)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestExcerpt(t *testing.T) {
	r := newRedactor("secret-key")
	tests := []struct {
		text string
		cut  bool
		want string
	}{
		{"", false, ""},
		{"a\x1b[31m\r\n\tb\u202e\u0000c", false, "a [31m b c"},
		{"x secret-key y", false, "x [api key] y"},
		{"some words here: secret-k", true, "some words here:"},
		{strings.Repeat("é", 150), false, strings.Repeat("é", 100) + "…"},
		{"a" + strings.Repeat("é", 150), false, "a" + strings.Repeat("é", 99) + "…"},
	}
	for _, test := range tests {
		if got := r.excerpt(test.text, test.cut); got != test.want {
			t.Errorf("excerpt of %q: %q, want %q", test.text, got, test.want)
		}
	}
}

// A server that speaks no HTTP at all is an error like any other.
func TestServerThatEchoesTheRequest(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for in := bufio.NewScanner(conn); in.Scan() && in.Text() != ""; {
			fmt.Fprintf(conn, "%s\r\n", in.Text())
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	_, err = newClient(t, Options{Endpoint: "http://" + listener.Addr().String()}).Page(t.Context(), Query{}, 0, 10)
	if err == nil || leaks(err.Error(), testKey) {
		t.Errorf("error %v", err)
	}
}
