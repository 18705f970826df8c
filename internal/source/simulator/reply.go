package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// reply is what is sent back.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// problem is a reply of the server in front of GraphQL.
func problem(status int, message string) *reply {
	body, _ := json.Marshal(map[string]string{"message": message}) // strings always marshal
	return jsonReply(status, body)
}

// refusal is a reply to a query that is not executed.
func refusal(problems []problemEntry) *reply {
	body, _ := json.Marshal(map[string]any{"errors": problems})
	return jsonReply(http.StatusOK, body)
}

// respond is a reply with data, and with errors beside it if there are some.
func respond(data []byte, problems []problemEntry) *reply {
	body := []byte{'{'}
	if len(problems) > 0 {
		entries, _ := json.Marshal(problems)
		body = append(append(append(body, `"errors":`...), entries...), ',')
	}
	body = append(append(body, `"data":`...), data...)
	return jsonReply(http.StatusOK, append(body, '}'))
}

func jsonReply(status int, body []byte) *reply {
	header := http.Header{"Content-Type": []string{"application/json; charset=utf-8"}}
	return &reply{status: status, header: header, body: body}
}

// send puts the reply on the wire, in full unless a fault does it otherwise.
func (x *exchange) send() {
	x.compress()
	x.Status = x.reply.status
	for _, fault := range x.faults {
		if fault.send != nil {
			fault.send(x)
			return
		}
	}
	x.write(len(x.reply.body))
}

// compress gzips the body where the client takes it.
func (x *exchange) compress() {
	if x.sim.plain || !strings.Contains(x.http.Header.Get("Accept-Encoding"), "gzip") || len(x.reply.body) == 0 {
		return
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // a known level
	_, _ = w.Write(x.reply.body)                    // a buffer takes everything
	_ = w.Close()
	x.reply.body = b.Bytes()
	x.reply.header.Set("Content-Encoding", "gzip")
}

// write sends the header and the first n bytes of the body.
func (x *exchange) write(n int) {
	header := x.writer.Header()
	for name, values := range x.reply.header {
		header[name] = values
	}
	header.Set("Content-Length", strconv.Itoa(len(x.reply.body)))
	x.writer.WriteHeader(x.reply.status)
	_, _ = x.writer.Write(x.reply.body[:n]) // the client may be gone
}
