package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

var newReport = Addition{
	ReportID: "r9", Name: "nine",
	Section: "  # Proposed.\n  - name: nine\n    report_id: r9\n    since: 2026-01-01\n    key: [id]\n    fields:\n      a: {name: id, type: text}      # seen\n      b: {name: n, type: integer}\n",
	Fields:  []FieldLine{{"a", "a: {name: id, type: text}      # seen"}, {"b", "b: {name: n, type: integer}"}},
}

const head = "source: {endpoint: 'http://127.0.0.1:1/', api_key: k} # the key\n"

func TestMergeAddsAReportAndLeavesAllElse(t *testing.T) {
	one := "  - name: one\n    report_id: r1\n    since: 2026-01-01\n    key: [id]\n    fields:\n      a: {name: id, type: text}\n      # about b\n"
	for _, c := range []struct{ name, text, before, after string }{
		{"no reports", head, head, ""},
		{"no newline at the end", strings.TrimSuffix(head, "\n"), head, ""},
		{"null", head + "reports:\nlog: {level: info}\n", head + "reports:\n", "log: {level: info}\n"},
		{"one report at the end", head + "reports:\n" + one, head + "reports:\n" + one[:strings.Index(one, "      # about b")], "      # about b\n"},
		{"something behind", head + "reports:\n" + one + "\n# the log\nlog: {level: info}\n", "", "\n# the log\nlog: {level: info}\n"},
		{"dashes at the margin", head + "reports:\n" + strings.ReplaceAll("\n"+one, "\n  ", "\n")[1:] + "log: {level: info}\n", "", "log: {level: info}\n"},
	} {
		merged, added, err := Merge("x.yaml", []byte(c.text), newReport)
		if err != nil || added != "report nine" {
			t.Errorf("%s: %q, %v", c.name, added, err)
			continue
		}
		text := string(merged)
		if !strings.HasPrefix(text, c.before) || !strings.HasSuffix(text, c.after) {
			t.Errorf("%s: got\n%s", c.name, text)
		}
		if kept := strings.Join(strings.Fields(c.text), " "); !contains(text, strings.Split(c.text, "\n")) {
			t.Errorf("%s: a line of %s is gone:\n%s", c.name, kept, text)
		}
		loaded, err := Parse("x.yaml", merged, func(string) (string, bool) { return "", false }, os.ReadFile)
		if err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, text)
			continue
		}
		if last := loaded.Reports[len(loaded.Reports)-1]; last.Name != "nine" || len(last.Fields) != 2 {
			t.Errorf("%s: loaded %+v", c.name, last)
		}
	}
}

// contains reports whether the text has all the lines, in their order.
func contains(text string, lines []string) bool {
	for _, line := range lines {
		at := strings.Index(text, line)
		if at < 0 {
			return false
		}
		text = text[at+len(line):]
	}
	return true
}

func TestMergeAddsFieldsToAReportThatIsThere(t *testing.T) {
	before := head + "reports:\n  - name: mine # of old\n    report_id: r9\n    since: 2026-01-01\n    key: [ident]\n    fields:\n      a: {name: ident, type: text}   # mine\n"
	after := "    # a remark\n    schedule: '@daily'\n\nlog: {level: info}\n"
	want := before + "      b: {name: n, type: integer}\n" + after
	merged, added, err := Merge("x.yaml", []byte(before+after), newReport)
	if err != nil || added != "fields b" || string(merged) != want {
		t.Errorf("%q, %v, got\n%s\nwant\n%s", added, err, merged, want)
	}
	merged, added, err = Merge("x.yaml", merged, newReport)
	if err != nil || added != "" || string(merged) != want {
		t.Errorf("once more: %q, %v, got\n%s", added, err, merged)
	}
}

func TestMergeRefusesWhatItCannotDoByLines(t *testing.T) {
	for _, text := range []string{
		head + "reports: [{name: one, report_id: r1}]\n",
		head + "reports: 7\n",
		head + "reports:\n  - {name: one, report_id: r9, fields: {x: {name: id, type: text}, y: {drop: true}}}\n",
		head + "reports:\n  - name: one\n    report_id: r9\n",
	} {
		var refused *MergeError
		if merged, _, err := Merge("x.yaml", []byte(text), newReport); !errors.As(err, &refused) || refused.Line != 2 && refused.Line != 3 {
			t.Errorf("%s: %v\n%s", text, err, merged)
		}
	}
	var mistakes Errors
	if _, _, err := Merge("x.yaml", []byte("a: [\n"), newReport); !errors.As(err, &mistakes) {
		t.Errorf("no YAML: %v", err)
	}
}

func TestMergeIntoTheExample(t *testing.T) {
	text, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	merged, _, err := Merge("config.example.yaml", text, newReport)
	if err != nil {
		t.Fatal(err)
	}
	if !contains(string(merged), strings.Split(string(text), "\n")) {
		t.Error("a line is gone")
	}
	env := func(name string) (string, bool) {
		known := map[string]string{"SAMESPACE_API_KEY": "k"}
		value, ok := known[name]
		return value, ok
	}
	c, err := Parse("config.example.yaml", merged, env, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	if last := c.Reports[len(c.Reports)-1]; last.Name != "nine" {
		t.Errorf("the last report is %s", last.Name)
	}
}
