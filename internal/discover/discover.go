package discover

import (
	"slices"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/window"
)

// Sample is rows of a report that were asked for by one range of time.
type Sample struct {
	Range window.Window
	Rows  []string // the JSON texts, as the API sent them
}

// Titles are the titles that dashboards give metric ids, the most frequent first.
type Titles map[string][]string

// Confidence is how sure a guess is.
type Confidence string

// How sure a guess can be.
const (
	High   Confidence = "high"   // all that was seen says so, and it was much
	Medium Confidence = "medium" // what was seen says so, but it was little, or another reading is possible
	Low    Confidence = "low"    // little more than a placeholder
)

// Proposal is a mapping for a report.
type Proposal struct {
	Rows    int     `json:"rows"`    // sampled, each once
	Samples int     `json:"samples"` // ranges of time that they came from
	Fields  []Field `json:"fields"`
	// Key are the names of the fields that tell one row from another; empty: none was found.
	Key         []string `json:"key"`
	KeyEvidence string   `json:"key_evidence"`
	// TimeField is the name of the field that a range selects on; "": none was found.
	TimeField    string `json:"time_field"`
	TimeEvidence string `json:"time_evidence"`
}

// Field is what is proposed for a metric id.
type Field struct {
	ID     string      `json:"id"`
	Name   string      `json:"name"`
	Type   schema.Type `json:"type"`
	Title  string      `json:"title"`   // "" where no dashboard names the id
	CopyOf string      `json:"copy_of"` // id of the field that carries the same values: this one is dropped; "" for most
	// Confidence is that of the type.
	Confidence Confidence `json:"confidence"`
	// Evidence says what the guess rests on, in a line.
	Evidence string `json:"evidence"`
	// Absent is the share of rows without a value, from 0 to 1.
	Absent float64 `json:"absent"`
	// Examples are up to three values, as JSON.
	Examples []string `json:"examples"`
}

// Propose looks at samples of one report and proposes a mapping. Of rows that are no JSON objects nothing is taken.
func Propose(samples []Sample, titles Titles) Proposal {
	seen := look(samples)
	p := Proposal{Rows: len(seen.rows), Samples: len(samples)}
	copies := seen.copies()
	for i, c := range seen.columns {
		f := c.propose(len(seen.rows))
		if titled := titles[c.id]; len(titled) > 0 {
			f.Title = titled[0]
		}
		if of, ok := copies[i]; ok {
			f.CopyOf = seen.columns[of].id
			f.Evidence = "the same value in every row"
		}
		p.Fields = append(p.Fields, f)
	}
	key, keyEvidence := seen.key(p.Fields)
	at, timeEvidence := seen.timeField(p.Fields)
	name(p.Fields, key, at)
	for _, i := range key {
		p.Key = append(p.Key, p.Fields[i].Name)
	}
	p.KeyEvidence, p.TimeEvidence = keyEvidence, timeEvidence
	if at >= 0 {
		p.TimeField = p.Fields[at].Name
	}
	return p
}

// Kept are the fields that are not copies of others.
func (p Proposal) Kept() []Field {
	return slices.DeleteFunc(slices.Clone(p.Fields), func(f Field) bool { return f.CopyOf != "" })
}
