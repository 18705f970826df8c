package simulator

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Fault is one way in which a server or the net lets a request down. Each of its steps is left out where it
// is nil. The zero Fault does nothing.
type Fault struct {
	// before runs before an answer is made. It may wait, or set the reply, so that none is made.
	before func(*exchange)
	// ask changes what is asked of the rows. An error refuses it: a GraphQL error.
	ask func(Request, *query) error
	// rows changes the rows of the page.
	rows func([]json.RawMessage) []json.RawMessage
	// after runs once the page is made and before it is sent.
	after func(*Simulator)
	// amend changes the body.
	amend func([]byte) []byte
	// send puts the reply on the wire in place of the usual way.
	send func(*exchange)
}

// instead answers in the place of the API.
func instead(status int, contentType, body string) Fault {
	return Fault{before: func(x *exchange) {
		x.reply = &reply{status: status, header: make(http.Header), body: []byte(body)}
		if contentType != "" {
			x.reply.header.Set("Content-Type", contentType)
		}
	}}
}

// Status answers with an HTTP status, a body, and headers given as names and values in turn. The content type
// is JSON unless a header says otherwise.
func Status(code int, body string, header ...string) Fault {
	return Fault{before: func(x *exchange) {
		x.reply = jsonReply(code, []byte(body))
		for i := 0; i+1 < len(header); i += 2 {
			x.reply.header.Set(header[i], header[i+1])
		}
	}}
}

// RetryAfter answers with an HTTP status (429 or 503, mostly) that names a delay, in whole seconds.
func RetryAfter(code int, delay time.Duration) Fault {
	seconds := strconv.Itoa(int((delay + time.Second - 1) / time.Second))
	return Status(code, `{"message":"too many requests"}`, "Retry-After", seconds)
}

// Errors answers with GraphQL errors, null data, and HTTP status 200.
func Errors(messages ...string) Fault {
	body := fmt.Sprintf(`{"errors":%s,"data":null}`, entries(messages))
	return instead(http.StatusOK, "application/json; charset=utf-8", body)
}

// ErrorsBesideData adds GraphQL errors to the data.
func ErrorsBesideData(messages ...string) Fault {
	return Fault{amend: func(body []byte) []byte {
		return append([]byte(`{"errors":`+entries(messages)+`,`), body[min(1, len(body)):]...)
	}}
}

func entries(messages []string) string {
	var problems []problemEntry
	for _, message := range messages {
		problems = append(problems, problemEntry{Message: message})
	}
	text, _ := json.Marshal(problems)
	return string(text)
}

// HTML answers with an error page and HTTP status 200.
func HTML() Fault {
	return instead(http.StatusOK, "text/html; charset=utf-8",
		"<!DOCTYPE html><html><head><title>Please wait</title></head><body><h1>Please wait</h1></body></html>")
}

// EmptyBody answers with HTTP status 200 and nothing.
func EmptyBody() Fault { return instead(http.StatusOK, "application/json; charset=utf-8", "") }

// NullData answers null for what was asked: {"data":{"getReportData":null}}.
func NullData() Fault {
	return Fault{before: func(x *exchange) {
		name := x.Operation
		if len(x.calls) > 0 {
			name = x.calls[0].field.Alias
		}
		x.reply = respond(fmt.Appendf(nil, `{%q:null}`, name), nil)
	}}
}

// Pad makes the body n bytes longer, by white space at its end.
func Pad(n int) Fault {
	return Fault{amend: func(body []byte) []byte {
		for range n {
			body = append(body, ' ')
		}
		return body
	}}
}

// Delay waits before it answers, at most until the client is gone.
func Delay(d time.Duration) Fault {
	return Fault{before: func(x *exchange) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-x.http.Context().Done():
		}
	}}
}

// Hang never answers: it waits until the client is gone.
func Hang() Fault {
	return Fault{send: func(x *exchange) {
		x.Status = 0
		<-x.http.Context().Done()
		panic(http.ErrAbortHandler) // ends the connection
	}}
}

// CutBody declares the whole length of the body (as it is on the wire, so gzipped or not), sends n bytes of it
// and closes the connection.
func CutBody(n int) Fault {
	return Fault{send: func(x *exchange) { x.write(min(n, len(x.reply.body))) }}
}

// Reset answers nothing and resets the connection.
func Reset() Fault {
	return Fault{send: func(x *exchange) {
		x.Status = 0
		connection, _, err := http.NewResponseController(x.writer).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler) // HTTP/2: resets the stream
		}
		wire := connection
		if secured, ok := connection.(interface{ NetConn() net.Conn }); ok {
			wire = secured.NetConn()
		}
		if tcp, ok := wire.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // else close says goodbye properly
		}
		_ = wire.Close()
	}}
}
