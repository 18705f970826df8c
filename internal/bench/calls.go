package main

import (
	"strconv"
	"time"

	"samespace-exporter/internal/schema"
)

// field is a column of the documented report: ten metrics, two of which repeat others.
type field struct {
	id, name string
	kind     schema.Type
	sql      string
}

func fields() []field {
	return []field{
		{"5ef594e0eba06ff9adbcfc07", "call_id", schema.Text, "text"},
		{"5e6f5fc04767c68072ee031c", "started_at", schema.Timestamptz, "timestamptz"},
		{"60af7ebc2c1f3d2b8e5faf7e", "started_at_copy", schema.Timestamptz, "timestamptz"},
		{"602a0daa27200ad38393241c", "ended_at", schema.Timestamptz, "timestamptz"},
		{"60af7fa12c1f3d2b8e5faf7f", "ended_at_copy", schema.Timestamptz, "timestamptz"},
		{"5e6f5fc04767c68072ee031d", "direction", schema.Text, "text"},
		{"5eafce52965aff16547f2816", "from_number", schema.Text, "text"},
		{"5eafcfde965aff16547f2817", "to_number", schema.Text, "text"},
		{"5e6f5fc04767c68072ee0320", "duration_s", schema.Integer, "bigint"},
		{"5ec3ab9dc17f3c7ee1471a7a", "channel", schema.Text, "text"},
	}
}

const (
	// step is the time from one call to the next: 240 an hour.
	step      = 15 * time.Second
	clockForm = "2006-01-02T15:04:05.000Z"
)

// firstCall is when the first call started.
func firstCall() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }

// end is the end of the time that so many calls take, on a full hour.
func end(rows int) time.Time {
	return firstCall().Add(time.Duration(rows)*step + time.Hour - 1).Truncate(time.Hour)
}

// call is one row. Ids grow with time, as ObjectIds do.
type call struct {
	id                                string
	started, ended                    time.Time
	direction, from, to, via, seconds string
}

// callAt is the nth call. Of the changed ones every hundredth has another duration.
func callAt(n int, changed bool) call {
	started := startOf(n)
	mixed := uint64(n)*0x9E3779B97F4A7C15 ^ 0x5DEECE66D
	mixed ^= mixed >> 29
	seconds := 100 + int(mixed%800)
	c := call{
		id:        hex(uint64(started.Unix()), 8) + hex(mixed>>24, 10) + hex(uint64(n), 6),
		started:   started,
		ended:     started.Add(time.Duration(seconds)*time.Second + time.Duration(mixed%997)*time.Millisecond),
		direction: "in",
		from:      phone(mixed >> 7),
		to:        phone(mixed >> 17),
		via:       [...]string{"Phone", "Phone", "Web", "SIP"}[mixed>>40%4],
	}
	if mixed>>50%3 == 0 {
		c.direction = "out"
	}
	if changed && n%100 == 0 {
		seconds = 100 + (seconds-99)%800
	}
	c.seconds = strconv.Itoa(seconds)
	return c
}

func hex(n uint64, digits int) string {
	const alphabet = "0123456789abcdef"
	text := make([]byte, digits)
	for i := digits - 1; i >= 0; i-- {
		text[i] = alphabet[n&15]
		n >>= 4
	}
	return string(text)
}

// phone is a number that cannot ring: those of 555-01xx are kept for fiction.
func phone(n uint64) string {
	return "+1" + strconv.FormatUint(200+n%800, 10) + "5550" + strconv.FormatUint(100+n/800%100, 10)
}

// texts are the call's cells in the order of fields, as JSON and CSV have them.
func (c call) texts() [10]string {
	started, ended := c.started.Format(clockForm), c.ended.Format(clockForm)
	return [10]string{c.id, started, started, ended, ended, c.direction, c.from, c.to, c.seconds, c.via}
}

// values are the call's cells as a mapping makes them.
func (c call) values() []schema.Value {
	started, ended := schema.TimeValue(c.started), schema.TimeValue(c.ended)
	return []schema.Value{
		schema.StrValue(c.id), started, started, ended, ended, schema.StrValue(c.direction), schema.StrValue(c.from),
		schema.StrValue(c.to), schema.IntValue(c.duration()), schema.StrValue(c.via),
	}
}

// appendJSON appends the row as the API sends it.
func (c call) appendJSON(buf []byte) []byte {
	texts := c.texts()
	for i, f := range fields() {
		if i == 0 {
			buf = append(buf, '{')
		} else {
			buf = append(buf, ',')
		}
		buf = append(append(append(buf, '"'), f.id...), '"', ':')
		if f.kind == schema.Integer {
			buf = append(buf, texts[i]...)
			continue
		}
		buf = append(append(append(buf, '"'), texts[i]...), '"')
	}
	return append(buf, '}')
}

// appendCSV appends the row as a line.
func (c call) appendCSV(buf []byte) []byte {
	for i, text := range c.texts() {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, text...)
	}
	return append(buf, '\n')
}

// startOf is when the nth call started.
func startOf(n int) time.Time {
	return firstCall().Add(time.Duration(n)*step + time.Duration(n%1000)*time.Millisecond)
}

func (c call) duration() int64 {
	seconds, _ := strconv.ParseInt(c.seconds, 10, 64) // written by callAt
	return seconds
}
