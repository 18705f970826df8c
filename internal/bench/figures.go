package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// figure is one thing that is measured.
type figure struct {
	name string
	// limit names an earlier figure, whose time this one's is divided by; "" for none.
	limit string
	// target is what that ratio is to be at most; 0 for none.
	target float64
	take   func(*workshop, context.Context) (sample, error)
}

// group is figures that follow each other on one database, the first of them on an empty one.
type group struct {
	name    string
	figures []figure
}

const (
	psqlCopy = `psql \copy`
	plain    = "plain sequential program, %s a page, %s"
	exporter = "exporter, %s a page, %s"
	reader   = "HTTP reader that throws away, %s a page"
	sqlite   = "sqlite3 .import"
	slow     = 50 * time.Millisecond

	fresh     = "fresh"
	unchanged = "unchanged"
)

// groups are all figures, and the targets that they are held to.
func groups() []group {
	return []group{
		{"copy", []figure{{psqlCopy, "", 0, (*workshop).copyCSV}}},
		{"binary", []figure{{"binary COPY", psqlCopy, 0, (*workshop).copyBinary}}},
		{"plain", []figure{
			{of(plain, 0, fresh), psqlCopy, 0, plainProgram(0)},
			{of(plain, 0, unchanged), psqlCopy, 0, plainProgram(0)},
		}},
		{"load", []figure{
			{"warehouse only, fresh", psqlCopy, 0.75, (*workshop).loadFresh},
			{"warehouse only, unchanged", psqlCopy, 0.3, (*workshop).loadUnchanged},
			{"warehouse only, 1 % changed", psqlCopy, 0.5, (*workshop).loadChanged},
		}},
		{"export", endToEnd(0, psqlCopy, 0.8, 0.35)},
		{"slow", endToEnd(slow, fmt.Sprintf(reader, slow), 1.2, 1.2)},
		{"plainslow", []figure{{of(plain, slow, fresh), fmt.Sprintf(reader, slow), 0, plainProgram(slow)}}},
		{"sqlite", []figure{
			{sqlite, "", 0, (*workshop).importSQLite},
			{"exporter to SQLite, fresh", sqlite, 1.5, exportTo((*workshop).sqliteDSN, "plain", 0)},
			{"exporter to SQLite, unchanged", sqlite, 0, exportTo((*workshop).sqliteDSN, "plain", 0)},
		}},
	}
}

func endToEnd(delay time.Duration, limit string, ofFresh, ofUnchanged float64) []figure {
	figures := []figure{
		{fmt.Sprintf(reader, delay), "", 0, readPages(delay)},
		{of(exporter, delay, fresh), limit, ofFresh, exportTo((*workshop).postgresDSN, "plain", delay)},
		{of(exporter, delay, unchanged), limit, ofUnchanged, exportTo((*workshop).postgresDSN, "plain", delay)},
	}
	if delay == 0 {
		figures = append(figures, figure{of(exporter, delay, "1 % changed"), limit, 0, exportTo((*workshop).postgresDSN, "changed", delay)})
	}
	return figures
}

// of is the name of a program's figure.
func of(program string, delay time.Duration, rows string) string {
	return fmt.Sprintf(program, delay, rows)
}

// asFast is how many times as fast as the plain program the exporter is to be.
const asFast = 8

// comparisons are the figures of the plain program that the exporter's are compared with.
func comparisons() map[string]string {
	pairs := map[string]string{}
	for _, c := range []struct {
		delay time.Duration
		rows  string
	}{{0, fresh}, {0, unchanged}, {slow, fresh}} {
		pairs[of(exporter, c.delay, c.rows)] = of(plain, c.delay, c.rows)
	}
	return pairs
}

func groupNames() (names []string) {
	for _, g := range groups() {
		names = append(names, g.name)
	}
	return names
}

// chosen are the groups of the names, and copy, which most are compared with.
func chosen(names string) (some []group, err error) {
	wanted := strings.Split(names, ",")
	for _, name := range wanted {
		if !slices.Contains(groupNames(), name) {
			return nil, fmt.Errorf("no group %q; there are %s", name, strings.Join(groupNames(), ", "))
		}
	}
	for _, g := range groups() {
		if g.name == "copy" || slices.Contains(wanted, g.name) {
			some = append(some, g)
		}
	}
	return some, nil
}
