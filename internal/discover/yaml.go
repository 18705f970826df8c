package discover

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Section is what a report's section of the config says beside the mapping.
type Section struct {
	Name     string // of the dataset
	ReportID string
	Since    time.Time // the first window; written as a date
	Timezone string    // IANA name; "": the default
	// HideExamples leaves out what rows hold, which may be private.
	HideExamples bool
}

// YAML is the proposal as an entry of reports, two spaces deep, with the evidence as comments. It loads as it is.
func (p Proposal) YAML(s Section) string {
	w := &section{hide: s.HideExamples}
	w.line(2, "# Proposed from %d rows of %d ranges of time. Look it over: what was not in them is not known.", p.Rows, p.Samples)
	w.line(2, "- name: %s", s.Name)
	w.line(4, "report_id: %s", scalar(s.ReportID))
	if s.Timezone != "" {
		w.line(4, "timezone: %s", scalar(s.Timezone))
	}
	if p.TimeField == "" {
		w.noted(4, "time_range: PAST_30_DAYS", "read whole at each run, since rows show no time: "+p.TimeEvidence)
	} else {
		w.noted(4, "since: "+s.Since.Format(time.DateOnly), "set it to where your history begins")
	}
	if len(p.Key) > 0 {
		w.noted(4, "key: ["+strings.Join(p.Key, ", ")+"]", p.KeyEvidence)
	} else {
		w.noted(4, "write: replace", "no key: "+p.KeyEvidence)
	}
	if p.TimeField != "" {
		w.noted(4, "time_field: "+p.TimeField, p.TimeEvidence)
		w.line(4, "sort: {by: %s, order: asc}", p.TimeField)
	}
	w.line(4, "fields:")
	for _, f := range p.Fields {
		w.field(f)
	}
	return w.text.String()
}

// FieldLine is a field as one line of a mapping, without indentation.
type FieldLine struct{ ID, Line string }

// FieldLines are the fields by themselves, for a mapping that is there already.
func (p Proposal) FieldLines() []FieldLine {
	var lines []FieldLine
	for _, f := range p.Fields {
		w := &section{}
		w.field(f)
		lines = append(lines, FieldLine{f.ID, strings.TrimSpace(w.text.String())})
	}
	return lines
}

type section struct {
	text strings.Builder
	hide bool
}

func (w *section) line(depth int, format string, args ...any) {
	w.text.WriteString(strings.Repeat(" ", depth) + fmt.Sprintf(format, args...) + "\n")
}

// noted is a line with a comment behind it.
func (w *section) noted(depth int, text, comment string) {
	w.line(depth, "%-38s # %s", text, comment)
}

func (w *section) field(f Field) {
	if f.CopyOf != "" {
		w.line(6, "%-72s # %s", scalar(f.ID)+": {drop: true}", "a copy of "+f.CopyOf+": "+f.Evidence)
		return
	}
	entry := fmt.Sprintf("%s: {name: %s, type: %s", scalar(f.ID), f.Name, f.Type)
	if f.Title != "" {
		entry += ", title: " + scalar(f.Title)
	}
	comment := string(f.Confidence) + ": " + f.Evidence
	if f.Absent > 0 && f.Absent < 1 {
		comment += fmt.Sprintf(", absent in %s", percent(f.Absent))
	}
	if !w.hide && len(f.Examples) > 0 {
		comment += "; " + shown(f.Examples)
	}
	w.line(6, "%-72s # %s", entry+"}", comment)
}

// percent never rounds a share to nothing or to all.
func percent(share float64) string {
	p := math.Round(share * 100)
	switch {
	case p < 1:
		return "under 1 %"
	case p > 99:
		return "over 99 %"
	}
	return strconv.Itoa(int(p)) + " %"
}

// shown are examples in one line, each cut where it is long.
func shown(values []string) string {
	const longest = 40
	var all []string
	for _, v := range values {
		v = strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return '?'
			}
			return r
		}, v)
		if runes := []rune(v); len(runes) > longest {
			v = string(runes[:longest]) + "…"
		}
		all = append(all, v)
	}
	return strings.Join(all, ", ")
}

// scalar is a text as YAML: plain where that is safe within { }, else quoted. A $ begins an expansion of the
// config's own, so it is doubled.
func scalar(s string) string {
	s = strings.ReplaceAll(s, "$", "$$")
	plain := s != ""
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789 _-/+.()%", r)) && (r < '0' || r > '9') {
			plain = false
		}
	}
	if plain && s == strings.TrimSpace(s) && !meant(s) {
		return s
	}
	return strconv.Quote(s)
}

// meant reports whether YAML takes a plain text for something else.
func meant(s string) bool {
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return true
	}
	return false
}
