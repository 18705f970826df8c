package config

import (
	"fmt"
	"regexp"
	"strings"
)

// expand replaces ${NAME}, ${NAME:-fallback} and ${file:PATH} in a string value; $$ is a dollar. As in a
// shell, the fallback stands for an unset and for an empty variable. What is put in is not expanded again, and
// since the file is parsed by then, it cannot add keys. Errors name variables and files, never their content.
func (l *loader) expand(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), nil
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			text = rest[1:]
		case strings.HasPrefix(rest, "{"):
			inside, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", fmt.Errorf("has ${ without }; close it, or write $$ for a dollar")
			}
			value, err := l.resolve(inside)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			text = after
		default:
			out.WriteByte('$')
			text = rest
		}
	}
}

// resolve is what stands for the inside of ${...}.
func (l *loader) resolve(inside string) (string, error) {
	if path, ok := strings.CutPrefix(inside, "file:"); ok {
		return l.fileText(path)
	}
	name, fallback, hasFallback := strings.Cut(inside, ":-")
	switch {
	case !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name):
		return "", fmt.Errorf("has ${...} with something else than a name; write ${NAME}, ${NAME:-fallback}, ${file:PATH}, or $$ for a dollar")
	case strings.Contains(fallback, "${"):
		return "", fmt.Errorf("has ${...} inside the fallback of %s; a fallback is plain text", name)
	}
	value, set := l.env(name)
	switch {
	case hasFallback && value == "":
		return fallback, nil
	case !set:
		return "", fmt.Errorf("environment variable %s is not set; set it, or write ${%s:-fallback}", name, name)
	}
	return value, nil
}

// fileText is a file's text without the newlines at its end. A relative path starts at the config's folder.
func (l *loader) fileText(path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("names no file; write its path")
	}
	text, err := l.readFile(l.fromConfig(path))
	if err != nil {
		return "", fmt.Errorf("cannot read file: %w; check the path and its rights", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
