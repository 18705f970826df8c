package config

import (
	"net/url"
	"strings"
)

// SQLitePath is the path of the embedded warehouse. ok is false for Postgres.
func (w Warehouse) SQLitePath() (path string, ok bool) {
	return strings.CutPrefix(w.DSN.Reveal(), "sqlite:")
}

// parseDSN reads a DSN. Of several hosts, as in postgres://u@one:5432,two:5432/db, the URL has the first: net/url takes
// the others for its port.
func parseDSN(text string) (*url.URL, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	start := strings.LastIndexByte(rest[:end], '@') + 1
	if first, _, several := strings.Cut(rest[start:end], ","); several {
		text = scheme + "://" + rest[:start] + first + rest[end:]
	}
	return url.Parse(text)
}

// mistake says what is wrong with the DSN without showing it; "" when nothing is.
func (w Warehouse) mistake() string {
	if path, ok := w.SQLitePath(); ok {
		switch {
		case path == "":
			return "names no file; write sqlite:PATH"
		case w.Password.IsSet():
			return "is SQLite, which has no password; take password away"
		}
		return ""
	}
	dsn, err := parseDSN(w.DSN.Reveal())
	switch {
	case err != nil:
		return "is not a URL that can be read; write special characters as %XX, or put the password into password"
	case dsn.Scheme != "postgres" && dsn.Scheme != "postgresql":
		return "is of no known kind; write postgres://user@host/database or sqlite:PATH"
	case hasPassword(dsn) && w.Password.IsSet():
		return "holds a password beside the key password; keep one of them"
	}
	return ""
}

func hasPassword(dsn *url.URL) bool {
	_, inUser := dsn.User.Password()
	return inUser || dsn.Query().Has("password")
}
