package config

import (
	"net/url"
	"strings"
)

const sqliteScheme = "sqlite:"

// SQLitePath is the path of the embedded warehouse. ok is false for Postgres.
func (w Warehouse) SQLitePath() (path string, ok bool) {
	return strings.CutPrefix(w.DSN.Reveal(), sqliteScheme)
}

// Redacted is the DSN for people: without password, and without parameters, which may hold secrets too.
func (w Warehouse) Redacted() string {
	if path, ok := w.SQLitePath(); ok {
		path, _, _ = strings.Cut(path, "?")
		return sqliteScheme + path
	}
	dsn, err := url.Parse(w.DSN.Reveal())
	if err != nil {
		return secretText
	}
	shown := url.URL{Scheme: dsn.Scheme, Host: dsn.Host, Path: dsn.Path}
	if dsn.User != nil {
		shown.User = url.User(dsn.User.Username())
	}
	return shown.String()
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
	dsn, err := url.Parse(w.DSN.Reveal())
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
