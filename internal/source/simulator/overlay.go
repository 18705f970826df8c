package simulator

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// overlay is what was altered by hand beside the computed rows of a stream: a few rows, kept in memory.
type overlay struct {
	version  uint64                   // counts alterations: what was derived from an older one is stale
	counter  uint32                   // of ids given out
	removed  map[int32]map[int32]bool // bucket and place of computed rows that are gone or changed
	rows     map[int32][]*extraRow    // by bucket
	byID     map[objectID]*extraRow
	days     map[int32]bool // first buckets of the days in which a row was ever altered
	earliest int64          // start of the earliest and latest extra row ever, Unix milliseconds
	latest   int64
}

// extraRow is a row of the overlay.
type extraRow struct {
	row
	json   json.RawMessage
	values map[string]value
}

func newOverlay() overlay {
	return overlay{
		removed:  make(map[int32]map[int32]bool),
		rows:     make(map[int32][]*extraRow),
		byID:     make(map[objectID]*extraRow),
		days:     make(map[int32]bool),
		earliest: 1 << 62,
		latest:   -1 << 62,
	}
}

func (o *overlay) isRemoved(bucket, place int32) bool { return o.removed[bucket][place] }

// touches reports whether the bucket's rows are not just the computed ones.
func (o *overlay) touches(bucket int32) bool {
	return len(o.removed[bucket]) > 0 || len(o.rows[bucket]) > 0
}

func (o *overlay) touchesDay(bucket int32) bool { return o.days[dayOf(bucket)] }

// altered notes that a row of the bucket was altered.
func (o *overlay) altered(bucket int32) {
	o.version++
	o.days[dayOf(bucket)] = true
}

// Insert adds a row that starts at start (cut to milliseconds) and arrives now. values are the row's values
// by metric id, marshalled as JSON. The key is made up unless it is given (24 hex digits); the time field and
// its copies are set from start unless they are given. It returns the row's key.
func (s *Simulator) Insert(report string, start time.Time, values map[string]any) (key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stream, err := s.stream(report)
	if err != nil {
		return "", err
	}
	given, err := marshalValues(values)
	if err != nil {
		return "", err
	}
	return stream.insert(start.UnixMilli(), s.clock(), given)
}

// Remove takes a row away: a computed or an inserted one.
func (s *Simulator) Remove(report, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stream, err := s.stream(report)
	if err != nil {
		return err
	}
	_, err = stream.take(key)
	return err
}

// Change gives a row other values, by metric id; the others stay as they are now, for good. A changed time
// field moves the row.
func (s *Simulator) Change(report, key string, values map[string]any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stream, err := s.stream(report)
	if err != nil {
		return err
	}
	changed, err := marshalValues(values)
	if err != nil {
		return err
	}
	old, err := stream.take(key)
	if err != nil {
		return err
	}
	return stream.put(old, s.clock(), changed)
}

func marshalValues(values map[string]any) (map[string]json.RawMessage, error) {
	marshalled := make(map[string]json.RawMessage, len(values))
	for metric, v := range values {
		data, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("marshal value of metric %s: %w", metric, err)
		}
		marshalled[metric] = data
	}
	return marshalled, nil
}

func (s *stream) insert(start int64, now time.Time, given map[string]json.RawMessage) (string, error) {
	var key string
	if data, ok := given[s.Key]; ok {
		if err := json.Unmarshal(data, &key); err != nil {
			return "", fmt.Errorf("key of the inserted row: %w", err)
		}
	} else {
		key = s.newID(now).String()
	}
	id, ok := parseObjectID(key)
	if !ok {
		return "", fmt.Errorf("key %q of the inserted row is not 24 hex digits", key)
	}
	if _, taken := s.locate(id); taken {
		return "", fmt.Errorf("report %s has a row %s: use Change", s.ID, key)
	}
	values := map[string]json.RawMessage{s.Key: textValue(key).appendJSON(nil)}
	at := json.RawMessage(instantValue(start).appendJSON(nil))
	for i := range s.Metrics {
		if metric := &s.Metrics[i]; metric.ID == s.TimeField || metric.CopyOf == s.TimeField {
			values[metric.ID] = at
		}
	}
	for metric, data := range given {
		values[metric] = data
	}
	s.add(&extraRow{row: row{id: id, start: start, arrived: now.Unix()}}, values)
	return key, nil
}

// newID makes an id that no computed row can have: its bucket would lie weeks before its arrival.
func (s *stream) newID(now time.Time) (id objectID) {
	s.overlay.counter++
	binary.BigEndian.PutUint32(id[0:], uint32(now.Unix()))
	binary.BigEndian.PutUint16(id[4:], 0xffff^uint16(s.seed))
	binary.BigEndian.PutUint32(id[8:], s.overlay.counter)
	return id
}

// locate is the row with that id, if there is one.
func (s *stream) locate(id objectID) (row, bool) {
	if extra, ok := s.overlay.byID[id]; ok {
		return extra.row, true
	}
	r, ok := s.find(id)
	return r, ok && !s.overlay.isRemoved(r.bucket, r.place)
}

// take removes the row with that key and returns it.
func (s *stream) take(key string) (row, error) {
	id, _ := parseObjectID(key)
	r, ok := s.locate(id)
	if !ok {
		return row{}, fmt.Errorf("report %s has no row %s", s.ID, key)
	}
	o := &s.overlay
	o.altered(r.bucket)
	if r.extra != nil {
		delete(o.byID, id)
		o.rows[r.bucket] = slices.DeleteFunc(o.rows[r.bucket], func(e *extraRow) bool { return e.id == id })
		return r, nil
	}
	if o.removed[r.bucket] == nil {
		o.removed[r.bucket] = make(map[int32]bool)
	}
	o.removed[r.bucket][r.place] = true
	return r, nil
}

// put adds a row that was taken, as it is now but for the changed values.
func (s *stream) put(old row, now time.Time, changed map[string]json.RawMessage) error {
	if old.extra == nil {
		old.version = old.restatements(now.UnixMilli())
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(s.appendRow(nil, &old), &values); err != nil {
		return fmt.Errorf("read row %s: %w", old.id, err)
	}
	for metric, data := range changed {
		values[metric] = data
	}
	start := old.start
	if at := parseValue(values[s.TimeField], "timestamptz"); at.kind == instant {
		start = at.num
	}
	s.add(&extraRow{row: row{id: old.id, start: start, arrived: old.arrived}}, values)
	return nil
}

// add takes an extra row up. Its JSON has the metrics in the report's order, then the others by id.
func (s *stream) add(extra *extraRow, values map[string]json.RawMessage) {
	extra.values = make(map[string]value)
	var order []string
	for i := range s.Metrics {
		if data, ok := values[s.Metrics[i].ID]; ok {
			order = append(order, s.Metrics[i].ID)
			extra.values[s.Metrics[i].ID] = parseValue(data, s.Metrics[i].Type)
		}
	}
	known := len(order)
	for metric := range values {
		if s.metrics[metric] == nil {
			order = append(order, metric)
		}
	}
	slices.Sort(order[known:])
	extra.json = append(extra.json, '{')
	for i, metric := range order {
		if i > 0 {
			extra.json = append(extra.json, ',')
		}
		extra.json = append(append(appendText(extra.json, metric), ':'), values[metric]...)
	}
	extra.json = append(extra.json, '}')

	extra.bucket = bucketOf(extra.start)
	extra.extra = extra
	o := &s.overlay
	o.altered(extra.bucket)
	o.rows[extra.bucket] = append(o.rows[extra.bucket], extra)
	o.byID[extra.id] = extra
	o.earliest, o.latest = min(o.earliest, extra.start), max(o.latest, extra.start)
}
