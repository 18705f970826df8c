package source

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"unsafe"

	"samespace-exporter/internal/jsonscan"
)

// texts are the memory of replies that nobody looks at any more, for those to come: to make it anew for each page was a
// sixth of the work of reading.
type texts struct{ idle sync.Pool }

// text is a reply as it was sent, and the rows that are parts of it.
type text struct {
	bytes []byte
	rows  []string
	of    *texts
}

// read reads a body whole. length is its length where that is known; less than 0: it is not. Of a body that begins as no
// JSON, but for what an error shows of it, the rest is not read: it may be a web page, or have no end.
func (t *texts) read(body io.Reader, length int64) (*text, error) {
	const most, spare = 1 << 20, 512 // of what is made beforehand: the length is what the server says
	read, _ := t.idle.Get().(*text)
	if read == nil {
		read = &text{of: t}
	}
	buf := slices.Grow(read.bytes[:0], int(min(max(length, 0), most))+spare)
	for {
		n, err := body.Read(buf[len(buf):cap(buf)])
		if len(buf) == 0 && beginsNoJSON(buf[:n]) {
			body = io.LimitReader(body, int64(max(0, longestHead+1-n)))
		}
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			read.bytes = buf
			return read, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
	}
}

// beginsNoJSON reports whether what is no space is no JSON either.
func beginsNoJSON(text []byte) bool {
	begin := bytes.TrimLeft(text, " \t\r\n")
	in := jsonscan.Scanner{Text: string(begin[:min(1, len(begin))])}
	return len(begin) > 0 && in.Kind() == 0
}

// string is the text without a copy of it: so it is something else once the text is released.
func (t *text) string() string { return unsafe.String(unsafe.SliceData(t.bytes), len(t.bytes)) }

// release gives the memory to other replies. What a caller may have kept of the text is wrong from then on: under the race
// detector, as all tests run, it is no text at all. nil is none. A text that is not released is left to the garbage
// collector.
func (t *text) release() {
	if t == nil {
		return
	}
	if spoil {
		copy(t.bytes, bytes.Repeat([]byte{0xFF}, len(t.bytes))) // is in no UTF-8
	}
	t.of.idle.Put(t)
}
