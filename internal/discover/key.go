package discover

import (
	"fmt"
	"time"

	"samespace-exporter/internal/schema"
)

// copies says of each column that carries the same values as one before it, which one that is. A column with
// only one value is no copy: much is alike by chance.
func (s *sampled) copies() map[int]int {
	copies := map[int]int{}
	for i, c := range s.columns {
		for j, of := range s.columns[:i] {
			if _, isCopy := copies[j]; !isCopy && s.same(c, of) {
				copies[i] = j
				break
			}
		}
	}
	return copies
}

func (s *sampled) same(a, b *column) bool {
	if a.present != b.present || len(a.distinct) != len(b.distinct) || len(a.distinct) < 5 {
		return false
	}
	for _, row := range s.rows {
		if row.values[a.id] != row.values[b.id] {
			return false
		}
	}
	return true
}

// key finds the field whose value every row has and no two rows share: one of the shape of an ObjectId rather than
// another. Where there is none, it looks for two that do so together.
func (s *sampled) key(fields []Field) (places []int, evidence string) {
	best, bestScore := -1, 0
	for i := range fields {
		if score := s.keyScore(i, fields); score > bestScore {
			best, bestScore = i, score
		}
	}
	switch {
	case len(s.rows) < 2:
		return nil, "too few rows to tell"
	case best >= 0 && s.columns[best].all(objectID):
		return []int{best}, fmt.Sprintf("an ObjectId, in every one of %d rows, and no two alike", len(s.rows))
	case best >= 0:
		return []int{best}, fmt.Sprintf("in every one of %d rows, and no two alike", len(s.rows))
	}
	for i := range fields {
		for j := i + 1; j < len(fields); j++ {
			if s.mayBeKey(i, fields) && s.mayBeKey(j, fields) && s.unique(i, j) {
				return []int{i, j}, fmt.Sprintf("together in every one of %d rows, and no two alike: neither is by itself", len(s.rows))
			}
		}
	}
	return nil, "no field, and no two together, are in every row and never alike; write: replace needs no key"
}

// keyScore ranks what can be a key by itself; zero: it cannot.
func (s *sampled) keyScore(i int, fields []Field) int {
	c := s.columns[i]
	switch {
	case !s.mayBeKey(i, fields) || len(c.distinct) != len(s.rows):
		return 0
	case c.all(objectID):
		return 4
	case fields[i].Type == schema.Text:
		return 3
	case fields[i].Type == schema.Integer && len(s.rows) >= enough:
		return 2
	}
	return 0 // times and decimals that differ do so by chance
}

func (s *sampled) mayBeKey(i int, fields []Field) bool {
	switch fields[i].Type {
	case schema.Text, schema.Integer, schema.Date, schema.Timestamp, schema.Timestamptz:
		return fields[i].CopyOf == "" && s.columns[i].present == len(s.rows)
	}
	return false
}

func (s *sampled) unique(i, j int) bool {
	known := make(map[[2]string]bool, len(s.rows))
	for _, row := range s.rows {
		pair := [2]string{row.values[s.columns[i].id], row.values[s.columns[j].id]}
		if known[pair] {
			return false
		}
		known[pair] = true
	}
	return true
}

// timeField finds the field that lies inside the range that was asked for, in every row. Where several do, the
// first of them that is an instant counts, and the evidence says so.
func (s *sampled) timeField(fields []Field) (place int, evidence string) {
	place, others := -1, 0
	for i, f := range fields {
		if f.CopyOf != "" || f.Type != schema.Timestamptz || !s.inside(s.columns[i]) {
			continue
		}
		if place < 0 {
			place = i
		} else {
			others++
		}
	}
	switch {
	case place < 0:
		return -1, "no field is an instant inside the range that was asked for, in every row"
	case others > 0:
		return place, fmt.Sprintf("inside the range that was asked for in all %d rows; so are %d others, which come later in a row", len(s.rows), others)
	}
	return place, fmt.Sprintf("the only time inside the range that was asked for in all %d rows", len(s.rows))
}

func (s *sampled) inside(c *column) bool {
	for _, row := range s.rows {
		at, err := time.Parse(time.RFC3339, unquoted(row.values[c.id]))
		// The ends count as inside: whether the API's are is not known.
		if err != nil || at.Before(row.asked.Start) || at.After(row.asked.End) {
			return false
		}
	}
	return len(s.rows) > 0
}
