package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
)

// loader reads one file and gathers its mistakes.
type loader struct {
	name     string
	env      func(string) (string, bool)
	readFile func(string) ([]byte, error)
	errs     Errors
	claims   map[string]int // names that are taken: "table calls", and the line of each
}

func (l *loader) report(line, column int, path, message string) {
	l.errs = append(l.errs, Error{l.name, line, column, oneLine(path), oneLine(message)})
}

// oneLine keeps what a file may hold in its keys from breaking the lines of a report.
func oneLine(s string) string {
	var line strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			line.WriteRune(r)
		} else {
			line.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return line.String()
}

func (l *loader) fromConfig(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(l.name), path)
}

// place is a value of the file, or the place where one is missing.
type place struct {
	*loader
	node *node
	path string
}

// wrong reports a mistake here: "what is wrong; what would be right".
func (p place) wrong(format string, args ...any) {
	p.report(p.node.line, p.node.column, p.path, fmt.Sprintf(format, args...))
}

// child is the place of a key of a mapping; where it is missing, that of the mapping.
func (p place) child(key string) place {
	at := place{p.loader, p.node, join(p.path, key)}
	if value := p.node.child(key); value != nil {
		at.node = value
	}
	return at
}

// item is the place of an item of a list, by its number as text.
func (p place) item(index string) place {
	i, err := strconv.Atoi(index)
	if err != nil || i >= len(p.node.items) {
		return p
	}
	return place{p.loader, p.node.items[i], p.path + "[" + index + "]"}
}

// scalar is the text of a single value, expanded. ok is false when there is none: that is reported.
func (p place) scalar() (text string, ok bool) {
	switch p.node.kind {
	case scalar:
		text, err := p.expand(p.node.text)
		if err != nil {
			p.wrong("%v", err)
			return "", false
		}
		return text, true
	case null:
		p.wrong("has no value; give one, or take the key away for its default")
	case mapping:
		p.wrong("is a mapping; write a single value")
	case list:
		p.wrong("is a list; write a single value")
	}
	return "", false
}

// quoted is the value as the file has it, for messages: what a ${...} stands for does not show.
func (p place) quoted() string {
	const enough = 60
	if text := []rune(p.node.text); len(text) > enough {
		return strconv.Quote(string(text[:enough])) + "…"
	}
	return strconv.Quote(p.node.text)
}

// expanded reports whether the value came from somewhere else than the file, so that no message may hold it.
func (p place) expanded() bool { return strings.Contains(p.node.text, "${") }

// binding reads a value of the file to where it belongs, and describes it for the JSON Schema.
type binding struct {
	read   func(place)
	schema jsonSchema
}

// key is a key of a mapping.
type key struct {
	name     string
	required bool
	binding
}

// object is a mapping of these keys and no other.
func object(keys ...key) binding {
	schema := jsonSchema{"type": "object", "additionalProperties": false}
	properties, required := jsonSchema{}, []string{}
	for _, k := range keys {
		properties[k.name] = k.schema
		if k.required {
			required = append(required, k.name)
		}
	}
	schema["properties"] = properties
	if len(required) > 0 {
		schema["required"] = required
	}
	return binding{schema: schema, read: func(p place) {
		switch p.node.kind {
		case mapping:
			p.readEntries(keys)
		case scalar, list:
			p.wrong("is not a mapping; write keys under it: %s", names(keys))
			return
		}
		for _, k := range keys {
			if k.required && p.node.kind != bad && p.node.child(k.name) == nil {
				p.wrong("%s is missing; add it", k.name)
			}
		}
	}}
}

func (p place) readEntries(keys []key) {
	p.distinct(func(e entry, at place) {
		k, ok := find(keys, e.key.text)
		if !ok {
			at.wrong("is not a key here; %s", suggest(e.key.text, keys))
			return
		}
		k.read(place{p.loader, e.value, at.path})
	})
}

// distinct calls read for each key of a mapping, with the key's place, and reports those that come again.
func (p place) distinct(read func(e entry, at place)) {
	first := map[string]*node{}
	for _, e := range p.node.entries {
		at := place{p.loader, e.key, join(p.path, e.key.text)}
		if before := first[e.key.text]; before != nil {
			at.wrong("is there twice, first on line %d; keep one", before.line)
			continue
		}
		first[e.key.text] = e.key
		read(e, at)
	}
}

func find(keys []key, name string) (key, bool) {
	for _, k := range keys {
		if k.name == name {
			return k, true
		}
	}
	return key{}, false
}

// suggest says which key was meant, or which keys there are.
func suggest(name string, keys []key) string {
	best, distance := "", 1+max(2, len(name)/3)
	if len(name) <= 64 {
		for _, k := range keys {
			if d := levenshtein.ComputeDistance(strings.ToLower(name), k.name); d < distance {
				best, distance = k.name, d
			}
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	return "the keys are " + names(keys)
}

func names(keys []key) string {
	var all []string
	for _, k := range keys {
		all = append(all, k.name)
	}
	return strings.Join(all, ", ")
}

// items is a list; read is called for each of its items, and may be called for none.
func items(schema jsonSchema, read func(i int, p place)) binding {
	return binding{
		schema: jsonSchema{"type": "array", "items": schema},
		read: func(p place) {
			switch p.node.kind {
			case list:
				for i, item := range p.node.items {
					read(i, place{p.loader, item, p.path + "[" + strconv.Itoa(i) + "]"})
				}
			case scalar, mapping:
				p.wrong("is not a list; write one item after each dash, or [a, b]")
			}
		},
	}
}

// listOf is a list of single values.
func listOf[T any](dst *[]T, item func(*T) binding) binding {
	return binding{
		schema: jsonSchema{"type": "array", "items": item(new(T)).schema},
		read: func(p place) {
			values := []T{}
			items(nil, func(_ int, p place) {
				var value T
				item(&value).read(p)
				values = append(values, value)
			}).read(p)
			*dst = values
		},
	}
}

// parsed is a single value that parse turns into a T. right says what it should be: "is not <right>".
func parsed[T any](dst *T, right string, schema jsonSchema, parse func(string) (T, bool)) binding {
	return binding{schema: schema, read: func(p place) {
		text, ok := p.scalar()
		if !ok {
			return
		}
		value, ok := parse(text)
		if !ok {
			p.wrong("%s is not %s", p.quoted(), right)
			return
		}
		*dst = value
	}}
}

// text is any text that is not empty.
func text(dst *string) binding {
	return parsed(dst, "a text; write at least one character", jsonSchema{"type": "string", "minLength": 1},
		func(s string) (string, bool) { return s, s != "" })
}

// matching is text of a pattern.
func matching(dst *string, pattern, right string) binding {
	return parsed(dst, right, jsonSchema{"type": "string", "pattern": pattern},
		func(s string) (string, bool) { return s, regexp.MustCompile(pattern).MatchString(s) })
}

// choice is one of some words.
func choice[T ~string](dst *T, words ...T) binding {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return parsed(dst, "known here; write "+strings.Join(all, " or "), jsonSchema{"enum": all}.orExpansion(*dst),
		func(s string) (T, bool) {
			for _, w := range words {
				if s == string(w) {
					return w, true
				}
			}
			return "", false
		})
}

// flag is true or false.
func flag(dst *bool) binding {
	return parsed(dst, "true or false", jsonSchema{"type": "boolean"}.orExpansion(*dst),
		func(s string) (bool, bool) { return s == "true", s == "true" || s == "false" })
}

// whole is a whole number in [low, high].
func whole(dst *int, low, high int) binding {
	return parsed(dst, fmt.Sprintf("a whole number from %d to %d", low, high),
		jsonSchema{"type": "integer", "minimum": low, "maximum": high}.orExpansion(*dst),
		func(s string) (int, bool) {
			n, err := strconv.Atoi(s)
			return n, err == nil && n >= low && n <= high
		})
}

// secret is a text that is not shown, also when it is wrong.
func secret(dst *Secret) binding {
	return binding{schema: jsonSchema{"type": "string", "minLength": 1}, read: func(p place) {
		text, ok := p.scalar()
		switch {
		case !ok:
		case text == "":
			p.wrong("is empty; give the secret, or take the key away")
		default:
			*dst = NewSecret(text)
		}
	}}
}

// secretFile is the path of a file that holds a secret.
func secretFile(dst *Secret) binding {
	return binding{schema: jsonSchema{"type": "string", "minLength": 1}, read: func(p place) {
		path, ok := p.scalar()
		if !ok {
			return
		}
		text, err := p.fileText(path)
		switch {
		case err != nil && p.expanded():
			p.wrong("cannot read the file that it names; check the path and its rights")
		case err != nil:
			p.wrong("%v", err)
		case text == "":
			p.wrong("names an empty file; put the secret into it")
		default:
			*dst = NewSecret(text)
		}
	}}
}

// orNull lets a value be null, which takes it back to none.
func orNull[T any](dst *T, b binding) binding {
	return binding{schema: jsonSchema{"anyOf": []any{b.schema, jsonSchema{"type": "null"}}}, read: func(p place) {
		if p.node.kind == null {
			*dst = *new(T)
			return
		}
		b.read(p)
	}}
}
