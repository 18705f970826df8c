// Package notify posts short messages to a webhook, in the JSON that Slack takes, and Mattermost, Rocket.Chat and
// others with it. The webhook's URL is a secret: whoever has it may post.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Webhook posts messages. Its methods may be called from several goroutines.
type Webhook struct {
	url    string
	client http.Client
	agent  string
}

const (
	timeout     = 10 * time.Second // of one request
	maxAttempts = 5
	maxElapsed  = 2 * time.Minute // of all attempts and the waits between them
)

// New makes a Webhook of a URL. transport is the way to it; nil: the standard one.
func New(url string, transport http.RoundTripper, userAgent string) *Webhook {
	return &Webhook{url: url, agent: userAgent, client: http.Client{
		Transport: transport, Timeout: timeout,
		// A redirect would carry the message, and the URL as its referrer, to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// StatusError is an answer of the webhook other than 2xx.
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("the webhook answers %d %s; check notify.webhook", e.Code, http.StatusText(e.Code))
}

// temporary reports whether the same message may be taken later.
func (e *StatusError) temporary() bool {
	return e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestTimeout || e.Code >= 500
}

// Post posts a text. It blocks until the webhook has taken it, or until five attempts within two minutes have failed,
// or ctx ends. The error is free of the URL, and of what the webhook wrote back.
func (w *Webhook) Post(ctx context.Context, text string) error {
	body, err := json.Marshal(map[string]string{"text": plain(text)})
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	_, err = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, w.post(ctx, body) },
		backoff.WithMaxTries(maxAttempts), backoff.WithMaxElapsedTime(maxElapsed))
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

func (w *Webhook) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(errors.New("notify.webhook is not an address")) // err shows it
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", w.agent)
	response, err := w.client.Do(request)
	if err != nil {
		var asked *url.Error // shows the URL
		if errors.As(err, &asked) {
			err = asked.Err
		}
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
	return taken(response)
}

// taken says whether the webhook took the message, or may take it later.
func taken(response *http.Response) error {
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return nil
	}
	refusal := &StatusError{Code: response.StatusCode}
	if !refusal.temporary() {
		return backoff.Permanent(refusal)
	}
	if after, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && after > 0 {
		return errors.Join(refusal, backoff.RetryAfter(min(after, 3600)))
	}
	return refusal
}

// plain keeps Slack from taking parts of a text for links and mentions.
func plain(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
