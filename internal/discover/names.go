package discover

import (
	"fmt"
	"slices"
	"strings"

	"samespace-exporter/internal/schema"
)

const longestName = 50 // leaves room for a number behind it; Postgres keeps 63 bytes

// name gives each field a column name: made of its title, where a dashboard names it, else of what it holds.
func name(fields []Field, key []int, at int) {
	taken := map[string]bool{}
	for i := range fields {
		f := &fields[i]
		if f.CopyOf != "" {
			continue
		}
		base := slug(f.Title)
		switch {
		case base != "":
		case len(key) == 1 && key[0] == i:
			base = "id"
		case at == i:
			base = "started_at"
		default:
			base = placeholder(*f)
		}
		if reserved(base) {
			base += "_value"
		}
		f.Name = base
		for n := 2; taken[f.Name]; n++ {
			f.Name = fmt.Sprintf("%s_%d", base, n)
		}
		taken[f.Name] = true
	}
}

// reserved reports whether every Postgres table has a column of this name already.
func reserved(name string) bool {
	switch name {
	case "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid":
		return true
	}
	return false
}

// placeholder is a name for a person to change: what the field holds, and enough of its id to find it.
func placeholder(f Field) string {
	kind := f.Type.String()
	switch f.Type {
	case schema.Timestamptz, schema.Timestamp:
		kind = "time"
	case schema.Integer, schema.Numeric, schema.Float:
		kind = "number"
	case schema.Text:
		if len(f.Examples) > 0 && !slices.ContainsFunc(f.Examples, func(e string) bool { return !telephone(unquoted(e)) }) {
			kind = "phone"
		}
	}
	id := slug(f.ID)
	return kind + "_" + id[max(0, len(id)-6):]
}

func telephone(s string) bool {
	return len(s) >= 8 && s[0] == '+' && digits(s[1:])
}

// slug is a title as a column name: "Wait time (s)" becomes wait_time_s. "" when nothing of it is left.
func slug(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	s := strings.Trim(b.String(), "_")
	if s == "" {
		return ""
	}
	if s[0] >= '0' && s[0] <= '9' {
		s = "n" + s
	}
	return strings.Trim(s[:min(len(s), longestName)], "_")
}
