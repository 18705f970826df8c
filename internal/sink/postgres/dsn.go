package postgres

import (
	"errors"
	"net/url"
	"strings"
)

// errDSN says that a DSN cannot be read. It quotes nothing: where a password ends is unknown then.
var errDSN = errors.New(`warehouse.dsn is not a Postgres DSN: want postgres://USER@HOST/DATABASE or "host=... user=... dbname=..."; ` +
	"percent-encode characters like @ : / ? # % in a user or password, or set warehouse.password instead")

// takePassword splits a DSN into one without a password and the password. It refuses a DSN in which a piece
// of the password could be taken for something else, since that would be printed.
func takePassword(dsn string) (clean, password string, err error) {
	if strings.IndexByte(dsn, 0) >= 0 {
		return "", "", errDSN
	}
	for _, scheme := range []string{"postgres://", "postgresql://"} {
		if rest, ok := strings.CutPrefix(dsn, scheme); ok {
			clean, password, err = takeURLPassword(rest)
			return scheme + clean, password, err
		}
	}
	if strings.Contains(dsn, "://") && !strings.Contains(dsn, "=") {
		return "", "", errDSN
	}
	return takeKeywordPassword(dsn)
}

// takeURLPassword reads a DSN behind its scheme as libpq and pgx do: the first "@" before any "/" ends the
// user and password, several hosts are parted by commas, and a parameter can be a password too.
func takeURLPassword(rest string) (clean, password string, err error) {
	user := ""
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		var encoded string
		user, encoded, _ = strings.Cut(rest[:i], ":")
		if password, err = url.PathUnescape(encoded); err != nil {
			return "", "", errDSN
		}
		rest, user = rest[i+1:], user+"@"
	}
	address, query, _ := strings.Cut(rest, "?")
	hosts, _, _ := strings.Cut(address, "/")
	if strings.Contains(address, "@") || user == "" && strings.Contains(query, "@") || !portsAreNumbers(hosts) {
		return "", "", errDSN
	}
	var parameters []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.PathUnescape(name)
		value, valueErr := url.PathUnescape(value)
		if nameErr != nil || valueErr != nil {
			return "", "", errDSN
		}
		switch {
		case strings.EqualFold(name, "password"):
			password = value
		case pair != "":
			parameters = append(parameters, pair)
		}
	}
	clean = user + address
	if len(parameters) > 0 {
		clean += "?" + strings.Join(parameters, "&")
	}
	return clean, password, nil
}

func portsAreNumbers(hosts string) bool {
	for host := range strings.SplitSeq(hosts, ",") {
		if end := strings.LastIndexByte(host, ']'); end >= 0 {
			host = host[end+1:]
		}
		_, port, _ := strings.Cut(host, ":")
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	return true
}

// takeKeywordPassword reads "name=value name='quoted \' value'".
func takeKeywordPassword(dsn string) (clean, password string, err error) {
	const space = " \t\n\r\v\f"
	var kept []string
	for rest := strings.TrimLeft(dsn, space); rest != ""; rest = strings.TrimLeft(rest, space) {
		name, after, ok := strings.Cut(rest, "=")
		name = strings.TrimRight(name, space)
		if !ok || name == "" || strings.ContainsAny(name, space+`'"\@:/`) {
			return "", "", errDSN
		}
		value, length, ok := keywordValue(strings.TrimLeft(after, space))
		if !ok {
			return "", "", errDSN
		}
		end := len(rest) - len(strings.TrimLeft(after, space)) + length
		if strings.EqualFold(name, "password") {
			password = value
		} else {
			kept = append(kept, rest[:end])
		}
		rest = rest[end:]
	}
	return strings.Join(kept, " "), password, nil
}

// keywordValue is the value that s begins with, and the length of its text.
func keywordValue(s string) (value string, length int, ok bool) {
	quoted := strings.HasPrefix(s, "'")
	var out strings.Builder
	i := 0
	if quoted {
		i = 1
	}
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			out.WriteByte(s[i])
		case c == '\\':
			return "", 0, false
		case quoted && c == '\'':
			return out.String(), i + 1, true
		case !quoted && strings.IndexByte(" \t\n\r\v\f", c) >= 0:
			return out.String(), i, true
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), i, !quoted
}
