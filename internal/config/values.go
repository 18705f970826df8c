package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"samespace-exporter/internal/schedule/crontab"
	"samespace-exporter/internal/window"
)

// duration is a time span of at least low.
func duration(dst *time.Duration, low time.Duration) binding {
	right := "a duration; write one such as 30s, 15m, 2h, 1d or 1h30m"
	if low > 0 {
		right = "a duration of " + low.String() + " or more; write one such as 30s, 15m, 2h, 1d or 1h30m"
	}
	return parsed(dst, right, durationSchema(*dst), func(s string) (time.Duration, bool) {
		d, ok := parseDuration(s)
		return d, ok && d >= low
	})
}

func durationSchema(fallback time.Duration) jsonSchema {
	return jsonSchema{"type": "string", "pattern": `^(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?$`}.orExpansion(formatDuration(fallback))
}

// parseDuration reads whole weeks, days (of 24 hours), hours, minutes and seconds, in this order: "1d12h".
func parseDuration(s string) (time.Duration, bool) {
	const day = 24 * time.Hour
	units := []time.Duration{7 * day, day, time.Hour, time.Minute, time.Second}
	parts := regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$`).FindStringSubmatch(s)
	if s == "" || parts == nil {
		return 0, false
	}
	const longest = 100 * 365 * day // far from an overflow
	total := time.Duration(0)
	for i, digits := range parts[1:] {
		if digits == "" {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > int64(longest/units[i]) {
			return 0, false
		}
		total += time.Duration(n) * units[i]
	}
	return total, total <= longest
}

// formatDuration is a duration as the file writes it: the largest unit that it is whole in.
func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "0s"
	case d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return strconv.Itoa(int(d/time.Second)) + "s"
}

// size is a number of bytes.
func size(dst *int64) binding {
	return parsed(dst, "a size; write one such as 512KiB, 64MiB or 100MB",
		jsonSchema{"type": "string", "pattern": `^\d+(B|KB|MB|GB|KiB|MiB|GiB)$`}, parseSize)
}

func parseSize(s string) (int64, bool) {
	units := map[string]int64{
		"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	}
	digits := strings.TrimRight(s, "KMGiB")
	unit, known := units[s[len(digits):]]
	n, err := strconv.ParseUint(digits, 10, 31)
	return int64(n) * unit, known && err == nil && n > 0
}

// rate is a number above zero.
func rate(dst *float64) binding {
	return parsed(dst, "a number above 0, up to 10000", jsonSchema{"type": "number", "exclusiveMinimum": 0, "maximum": 10000}.orExpansion(*dst),
		func(s string) (float64, bool) {
			f, err := strconv.ParseFloat(s, 64)
			return f, err == nil && f > 0 && f <= 10000
		})
}

// share is a part of a whole.
func share(dst *float64) binding {
	return parsed(dst, "a share; write a number from 0 to 1, such as 0.5", jsonSchema{"type": "number", "minimum": 0, "maximum": 1}.orExpansion(*dst),
		func(s string) (float64, bool) {
			f, err := strconv.ParseFloat(s, 64)
			return f, err == nil && f >= 0 && f <= 1
		})
}

// schedule is cron text.
func schedule(dst *string) binding {
	return binding{schema: jsonSchema{"type": "string", "default": *dst}, read: func(p place) {
		text, ok := p.scalar()
		if !ok {
			return
		}
		_, err := crontab.Parse(text)
		switch {
		case err == nil:
			*dst = text
		case p.expanded(): // the reason quotes the text
			p.wrong(`%s is not a schedule; write five cron fields, as in "*/15 * * * *", or @hourly, @daily`, p.quoted())
		default:
			p.wrong(`%s is not a schedule (%v); write five cron fields, as in "*/15 * * * *", or @hourly, @daily`, p.quoted(), err)
		}
	}}
}

// timezone is an IANA name.
func timezone(dst **time.Location) binding {
	schema := jsonSchema{"type": "string", "default": (*dst).String()}
	return parsed(dst, "a timezone; write an IANA name such as Asia/Kolkata, Europe/Berlin or UTC", schema,
		func(s string) (*time.Location, bool) {
			loc, err := time.LoadLocation(s)
			return loc, err == nil && s != "" && s != "Local"
		})
}

// identifier is the name of a dataset, table, or column: it is used in SQL as it is.
func identifier(dst *string) binding {
	return matching(dst, `^[a-z][a-z0-9_]{0,62}$`, "a name; write small letters, digits and _, a letter first, 63 at most")
}

// enumName is the name of a value of a GraphQL enum.
func enumName(dst *string) binding {
	return matching(dst, `^[A-Z][A-Z0-9_]*$`, "a time range of the API; write one such as PAST_HOUR or PAST_30_DAYS")
}

// endpoint is an http URL that a secret may be sent to. It is not shown: people put secrets into URLs.
func endpoint(dst *string) binding {
	return binding{schema: jsonSchema{"type": "string", "format": "uri"}, read: func(p place) {
		text, ok := p.scalar()
		if !ok {
			return
		}
		at, err := url.Parse(text)
		switch {
		case err != nil || at.Hostname() == "" || at.Scheme != "https" && at.Scheme != "http":
			p.wrong("is not a URL with a host; write https://...")
		case at.User != nil:
			p.wrong("holds a user or password; take them out of the URL")
		case at.Scheme == "http" && !loopback(at.Hostname()):
			p.wrong("would send secrets unencrypted; write https:// (http is for 127.0.0.1 and localhost only)")
		default:
			*dst = text
		}
	}}
}

// secretEndpoint is an endpoint whose path is a secret, as those of chat webhooks are.
func secretEndpoint(dst *Secret) binding {
	return binding{schema: jsonSchema{"type": "string", "format": "uri"}, read: func(p place) {
		var text string
		if endpoint(&text).read(p); text != "" {
			*dst = NewSecret(text)
		}
	}}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// listen is host:port, or nothing.
func listen(dst *string) binding {
	return parsed(dst, `an address; write host:port, as in 127.0.0.1:8080, or "" for none`,
		jsonSchema{"type": "string", "default": *dst}, func(s string) (string, bool) {
			if s == "" {
				return s, true
			}
			_, port, err := net.SplitHostPort(s)
			if err != nil {
				return s, false
			}
			_, err = strconv.ParseUint(port, 10, 16)
			return s, err == nil
		})
}

// logLevel is one of slog's levels.
func logLevel(dst *slog.Level) binding {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	schema := jsonSchema{"enum": []string{"debug", "info", "warn", "error"}}.orExpansion("info")
	return parsed(dst, "a level; write debug, info, warn or error", schema, func(s string) (slog.Level, bool) {
		level, ok := levels[s]
		return level, ok
	})
}

// parseSince reads a date, which means the day's first instant in loc, or a time with an offset.
func parseSince(s string, loc *time.Location) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		day, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return time.Time{}, false
		}
		days, err := window.NewGrid(24*time.Hour, loc)
		if err != nil {
			return time.Time{}, false
		}
		year, month, date := day.Date()
		t = days.At(time.Date(year, month, date, 12, 0, 0, 0, loc)).Start
	}
	return t.UTC(), t.Year() >= 2000 && t.Year() < 2100
}
