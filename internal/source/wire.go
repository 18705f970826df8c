package source

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// errOverlong says that a body is longer than Options.MaxPageBytes.
var errOverlong = errors.New("the reply is longer than source.max_page_bytes")

// wire is the RoundTripper that all requests go through. It sends the key to the configured host only, takes
// no reply but a 2xx for one (a redirect is an error too: followed, it would turn POST into GET and take the
// key elsewhere), decompresses, and bounds the body. Its errors, those of reading a body included, are *Error
// without Op.
type wire struct {
	endpoint  *url.URL
	key       string
	userAgent string
	maxBytes  int64
	base      http.RoundTripper
	redact    *redactor
}

// RoundTrip sends a request and returns a 2xx reply with a decompressed, bounded body.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	// A real transport asks for a connection and gets one. What fails between is the way to the server.
	var connecting atomic.Bool
	req = req.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { connecting.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connecting.Store(false) },
	}))
	req.Header.Set("User-Agent", w.userAgent)
	// Set by hand, so that the transport leaves the body compressed: its bound holds on both sides.
	req.Header.Set("Accept-Encoding", "gzip")
	if req.URL.Scheme == w.endpoint.Scheme && req.URL.Host == w.endpoint.Host {
		req.Header.Set("X-Api-Key", w.key)
	}
	resp, err := w.base.RoundTrip(req)
	if err != nil {
		return nil, w.noReply(ctx, err, connecting.Load())
	}
	err = w.openBody(resp, func(err error) *Error { return w.broken(ctx, resp.StatusCode, err) })
	if resp.StatusCode/100 != 2 {
		err = w.statusError(resp)
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// noReply is the error of a request that got no reply.
func (w *wire) noReply(ctx context.Context, err error, connecting bool) *Error {
	failed := &Error{Class: Transient, Err: w.text("no reply", err)}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		failed.Class = Unreachable
		failed.Hint = "the server's certificate is not trusted: check source.endpoint and the system's CA certificates"
	case connecting:
		failed.Class, failed.Hint = Unreachable, "check source.endpoint, the network and the proxy"
	case timedOut(ctx, err):
		failed.Class, failed.Hint = TooHeavy, "lower page_size, or raise source.timeout"
	}
	return failed
}

// text is an error that shows what another one says, fit to be shown: the standard library's quote what the
// server sent. The chain ends here, since what is behind it is not.
func (w *wire) text(what string, err error) error {
	return errors.New(what + ": " + w.redact.excerpt(err.Error(), false))
}

// timedOut reports whether the time of a request was up. That the caller gave up looks the same here:
// Client.Page tells the two apart.
func timedOut(ctx context.Context, err error) bool {
	var timeout net.Error
	return ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout()
}

// statusError is the error of a reply other than 2xx.
func (w *wire) statusError(resp *http.Response) *Error {
	const most = 4096
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	failed := &Error{
		Class:  Refused,
		Status: resp.StatusCode,
		Err:    errors.New(strings.TrimSpace(fmt.Sprintf("status %d %s", resp.StatusCode, w.redact.excerpt(string(text), err != nil || len(text) == most)))),
	}
	switch code := resp.StatusCode; {
	case code/100 == 3:
		failed.Hint = "the server redirects, to " + w.redirect(resp) + ": set source.endpoint to the address that answers"
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		failed.Class, failed.Hint, failed.OneReport = Unauthorized, hintKey, code == http.StatusForbidden
	case code == http.StatusTooManyRequests:
		failed.Class, failed.Hint = RateLimited, "lower source.requests_per_second"
		failed.RetryAfter = retryAfter(resp.Header)
	case code == http.StatusRequestTimeout, code == http.StatusGatewayTimeout, code == http.StatusRequestEntityTooLarge:
		failed.Class, failed.Hint = TooHeavy, "lower page_size"
	case code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusGone:
		failed.Hint = "check source.endpoint"
	case code/100 == 4:
		failed.Hint = hintRequest
	default:
		failed.Class = Transient
		if code == http.StatusServiceUnavailable {
			failed.RetryAfter = retryAfter(resp.Header)
		}
	}
	return failed
}

const (
	hintKey     = "check source.api_key, and that it may read this report"
	hintRequest = "check the report's id, filters, sort and time range"
)

// redirect is where a redirect leads: no more than the host, since the rest may be anything.
func (w *wire) redirect(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return "nowhere"
	}
	return w.redact.excerpt(to.Scheme+"://"+to.Host, false)
}

// openBody makes the body of a reply one that is decompressed, with MaxPageBytes as the bound of what comes
// over the wire and of what that becomes. broken classes its errors.
func (w *wire) openBody(resp *http.Response, broken func(error) *Error) error {
	wired := http.MaxBytesReader(nil, resp.Body, w.maxBytes)
	opened := &body{text: wired, wired: wired, broken: broken}
	resp.Body = opened
	if resp.ContentLength > w.maxBytes {
		return broken(&http.MaxBytesError{Limit: w.maxBytes})
	}
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return nil
	case "gzip":
		unzipped, err := gzip.NewReader(wired)
		if err != nil {
			return broken(err)
		}
		opened.text = http.MaxBytesReader(nil, unzipped, w.maxBytes)
		resp.ContentLength = -1
		return nil
	default:
		return &Error{
			Class: Malformed, Status: resp.StatusCode,
			Err: fmt.Errorf("unknown Content-Encoding %q", w.redact.excerpt(encoding, false)),
		}
	}
}

// broken is the error of a body that could not be read to its end.
func (w *wire) broken(ctx context.Context, status int, err error) *Error {
	failed := &Error{Class: Transient, Status: status, Err: w.text("the reply was cut short", err)}
	var overlong *http.MaxBytesError
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &overlong):
		failed.Class, failed.Hint = TooHeavy, "lower page_size, or raise source.max_page_bytes"
		failed.Err = fmt.Errorf("%w: %d bytes", errOverlong, overlong.Limit)
	case timedOut(ctx, err):
		failed.Class, failed.Hint = TooHeavy, "lower page_size, or raise source.timeout"
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		failed.Class, failed.Err = Malformed, w.text("the reply is no sound gzip", err)
	}
	return failed
}

// body is the body of a reply.
type body struct {
	text   io.Reader // decompressed
	wired  io.Closer
	broken func(error) *Error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.text.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.broken(err)
	}
	return n, err
}

func (b *body) Close() error { return b.wired.Close() }

// newTransport is the transport of a client that was given none.
func newTransport(inFlight int) http.RoundTripper {
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    inFlight,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ReadBufferSize:         32 << 10, // pages are long: a read for every four kilobytes costs
	}
}

// proxy is the proxy that the environment names.
func proxy(req *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(req)
	if err != nil { // quotes the variable, which may hold a password
		return nil, errors.New("HTTPS_PROXY or HTTP_PROXY is no URL")
	}
	return u, nil
}
