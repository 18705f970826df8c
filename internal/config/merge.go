package config

import (
	"fmt"
	"strings"
)

// Addition is a report that is to be added to a config.
type Addition struct {
	ReportID string
	Name     string // of the dataset
	// Section is the report as an entry of reports, two spaces deep.
	Section string
	// Fields are its fields, in order. They are what is added where the config has the report already.
	Fields []FieldLine
}

// FieldLine is one line of a mapping.
type FieldLine struct {
	ID   string
	Line string // without indentation; may end in a comment
}

// MergeError says why a report cannot be added to a file by itself.
type MergeError struct {
	Name   string // of the file
	Line   int
	Reason string // with what to do
}

func (e *MergeError) Error() string { return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.Reason) }

// Merge adds a report to the text of a config. All else of the text stays as it is, comments and order included.
// Where the config has a report of that id, only the fields that its mapping lacks are added to it. added is what
// was added, in words; "" when nothing was to be. name is the file's name for messages.
//
// Errors: Errors when the text is not YAML, *MergeError.
func Merge(name string, text []byte, a Addition) (merged []byte, added string, err error) {
	l := &loader{name: name}
	root := l.tree(text)
	if len(l.errs) > 0 {
		return nil, "", l.errs.sorted()
	}
	m := &merge{name: name, root: root, lines: strings.SplitAfter(string(text), "\n")}
	if last := len(m.lines) - 1; m.lines[last] == "" {
		m.lines = m.lines[:last]
	} else {
		m.lines[last] += "\n"
	}
	reports := root.child("reports")
	if known := reportWithID(reports, a.ReportID); known != nil {
		added, err = m.addFields(known, a.Fields)
	} else {
		added, err = "report "+a.Name, m.addReport(reports, a.Section)
	}
	if err != nil {
		return nil, "", err
	}
	return []byte(strings.Join(m.lines, "")), added, nil
}

func reportWithID(reports *node, id string) *node {
	if reports == nil {
		return nil
	}
	for _, report := range reports.items {
		if n := report.child("report_id"); n != nil && n.text == id {
			return report
		}
	}
	return nil
}

// merge is a text under work, line by line.
type merge struct {
	name  string
	root  *node
	lines []string
}

func (m *merge) addReport(reports *node, section string) error {
	if reports == nil || reports.kind == null {
		if reports != nil { // reports: with nothing behind it
			m.insert(reports.line, indented(section, 0))
			return nil
		}
		m.insert(len(m.lines), "\nreports:\n"+section)
		return nil
	}
	if reports.kind != list || len(reports.items) == 0 || !m.isBlock(reports.items[0]) {
		return &MergeError{m.name, reports.line, "reports is not written as a list with a line for each entry; write it so, or add the section by hand"}
	}
	first := m.lines[reports.items[0].line-1]
	dash := len(first) - len(strings.TrimLeft(first, " "))
	m.insert(m.endOf(m.root, reports), "\n"+indented(section, dash-2))
	return nil
}

// isBlock reports whether an entry of a list begins with a dash on a line of its own.
func (m *merge) isBlock(item *node) bool {
	return strings.HasPrefix(strings.TrimLeft(m.lines[item.line-1], " "), "- ")
}

// addFields adds the lines of the ids that a report does not map.
func (m *merge) addFields(report *node, fields []FieldLine) (added string, err error) {
	known := report.child("fields")
	var missing []FieldLine
	for _, f := range fields {
		if known.child(f.ID) == nil {
			missing = append(missing, f)
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	if known == nil || known.kind != mapping || len(known.entries) == 0 {
		return "", &MergeError{m.name, report.line, "this report has no fields to add to; write fields: with a line for each metric id"}
	}
	last := known.entries[len(known.entries)-1]
	line := m.lines[last.key.line-1]
	depth := len(line) - len(strings.TrimLeft(line, " "))
	if depth+1 != last.key.column || last.key.line == known.entries[0].key.line && len(known.entries) > 1 {
		return "", &MergeError{m.name, last.key.line, "fields is written in one line; write a line for each metric id, or add the fields by hand"}
	}
	var text strings.Builder
	var ids []string
	for _, f := range missing {
		text.WriteString(strings.Repeat(" ", depth) + f.Line + "\n")
		ids = append(ids, f.ID)
	}
	m.insert(m.endOf(known, last.value), text.String())
	return "fields " + strings.Join(ids, ", "), nil
}

// endOf is the number of lines up to the end of the value of an entry of a block: the line before what follows less
// deep, or as deep as the block's keys. Blank lines and comments at the end belong to what follows.
func (m *merge) endOf(block, value *node) int {
	depth := 0
	start := value.line
	for _, e := range block.entries {
		if e.value == value {
			depth, start = e.key.column-1, e.key.line
		}
	}
	end := start
	for end < len(m.lines) && (m.blank(end) || m.depth(end) > depth || strings.HasPrefix(strings.TrimLeft(m.lines[end], " "), "- ") && m.depth(end) == depth) {
		end++
	}
	for end > start && m.blank(end-1) {
		end--
	}
	return end
}

// blank reports whether a line has nothing but a comment.
func (m *merge) blank(line int) bool {
	text := strings.TrimSpace(m.lines[line])
	return text == "" || text[0] == '#'
}

func (m *merge) depth(line int) int {
	return len(m.lines[line]) - len(strings.TrimLeft(m.lines[line], " "))
}

// insert puts a text behind so many lines.
func (m *merge) insert(after int, text string) {
	if after < len(m.lines) {
		m.lines[after] = text + m.lines[after]
		return
	}
	m.lines = append(m.lines, text)
}

// indented moves a section by so many spaces, which may be fewer than none.
func indented(section string, by int) string {
	lines := strings.SplitAfter(section, "\n")
	for i, line := range lines {
		switch {
		case strings.TrimSpace(line) == "":
		case by > 0:
			lines[i] = strings.Repeat(" ", by) + line
		case by < 0:
			lines[i] = strings.TrimPrefix(line, strings.Repeat(" ", -by))
		}
	}
	return strings.Join(lines, "")
}
