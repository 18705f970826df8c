package source

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options say how the API is reached. A zero value of an optional field is its default.
type Options struct {
	Endpoint string // https://CLUSTER.samespace.com/analytics/api; needed
	APIKey   string `json:"-"` // needed; sent to the endpoint's host only, never printed
	// Timeout is the time for one request, from sending it to the last byte of its reply. Default 60s.
	Timeout time.Duration
	// MaxAttempts is how often a request is sent in all while its error may pass. Default 6.
	MaxAttempts int
	// FirstDelay is the longest wait before the second attempt; it doubles for each later one, up to 30s.
	// Default 500ms.
	FirstDelay time.Duration
	// RequestsPerSecond is shared by all requests of the client, retries included, and of all who have the same Budget.
	// A 429 halves it; it comes back by itself. Default 5.
	RequestsPerSecond float64
	Budget            Budget            // shares the rate; nil: with nobody
	MaxInFlight       int               // requests at once; default 4
	MaxPageBytes      int64             // of a body, compressed or not; a longer one is TooHeavy; default 64 MiB
	DateFormat        string            // DatesRFC3339, the default, or DatesEpochMillis
	Transport         http.RoundTripper // default: one like http.DefaultTransport, with bounds
	UserAgent         string            // default "samespace-exporter"
}

func (o *Options) setDefaults() {
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 6)
	o.FirstDelay = cmp.Or(o.FirstDelay, 500*time.Millisecond)
	o.RequestsPerSecond = cmp.Or(o.RequestsPerSecond, 5)
	o.MaxInFlight = cmp.Or(o.MaxInFlight, 4)
	o.MaxPageBytes = cmp.Or(o.MaxPageBytes, 64<<20)
	o.DateFormat = cmp.Or(o.DateFormat, DatesRFC3339)
	o.UserAgent = cmp.Or(o.UserAgent, "samespace-exporter")
	if o.Transport == nil {
		o.Transport = newTransport(o.MaxInFlight)
	}
}

func (o *Options) validate() error {
	switch {
	case o.APIKey == "":
		return errors.New("source.api_key is empty")
	case strings.ContainsFunc(o.APIKey, func(c rune) bool { return c <= ' ' || c > '~' }):
		return errors.New("source.api_key holds a space or another character that an HTTP header does not take")
	case o.Timeout < 0, o.MaxAttempts < 0, o.FirstDelay < 0, o.RequestsPerSecond < 0, o.MaxInFlight < 0, o.MaxPageBytes < 0:
		return errors.New("source: a negative bound")
	case o.DateFormat != DatesRFC3339 && o.DateFormat != DatesEpochMillis:
		return fmt.Errorf("source.date_format is %q: must be %s or %s", o.DateFormat, DatesRFC3339, DatesEpochMillis)
	}
	return nil
}

// parseEndpoint reads an address that holds no secret, since errors of the standard library print addresses.
func parseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // quotes the text
		return nil, errors.New("source.endpoint is no URL")
	case u.User != nil:
		return nil, errors.New("source.endpoint holds a user name: the key belongs in source.api_key")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, fmt.Errorf("source.endpoint is %q: must be https://HOST/PATH", shown(text))
	}
	return u, nil
}

// String is the options without the key.
func (o Options) String() string { return "source.Options(" + shown(o.Endpoint) + ")" }

// GoString is the options without the key.
func (o Options) GoString() string { return o.String() }

// LogValue is the options without the key.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// shown is an address as it may be shown: without user, query and fragment.
func shown(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "?"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
