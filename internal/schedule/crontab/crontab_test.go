package crontab_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/schedule/crontab"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestClockChanges(t *testing.T) {
	const layout = "01-02 15:04 -0700"
	for _, c := range []struct {
		name, zone, cron string
		from, to         string // UTC
		want             []string
	}{
		{
			"spring: a skipped time runs at the first instant after the gap", "Europe/Berlin", "30 2 * * *",
			"2025-03-29T00:00:00Z", "2025-04-01T00:00:00Z",
			[]string{"03-29 02:30 +0100", "03-30 03:00 +0200", "03-31 02:30 +0200"},
		},
		{
			"autumn: a repeated time runs the first time", "Europe/Berlin", "30 2 * * *",
			"2025-10-25T00:00:00Z", "2025-10-28T00:00:00Z",
			[]string{"10-25 02:30 +0200", "10-26 02:30 +0200", "10-27 02:30 +0100"},
		},
		{
			"several skipped times run once, and not again with the one at the gap's end", "Europe/Berlin", "*/15 2,3 * * *",
			"2025-03-30T00:00:00Z", "2025-03-30T01:59:00Z",
			[]string{"03-30 03:00 +0200", "03-30 03:15 +0200", "03-30 03:30 +0200", "03-30 03:45 +0200"},
		},
		{
			"spring: a schedule for every hour has nothing to catch up", "Europe/Berlin", "40 * * * *",
			"2025-03-30T00:00:00Z", "2025-03-30T03:00:00Z",
			[]string{"03-30 01:40 +0100", "03-30 03:40 +0200", "03-30 04:40 +0200"},
		},
		{
			"autumn: a schedule for every hour runs in both", "Europe/Berlin", "*/30 * * * *",
			"2025-10-25T23:59:00Z", "2025-10-26T02:01:00Z",
			[]string{
				"10-26 02:00 +0200", "10-26 02:30 +0200", "10-26 02:00 +0100", "10-26 02:30 +0100",
				"10-26 03:00 +0100",
			},
		},
		{
			"spring in New York", "America/New_York", "30 2 * * *",
			"2025-03-08T12:00:00Z", "2025-03-11T00:00:00Z",
			[]string{"03-09 03:00 -0400", "03-10 02:30 -0400"},
		},
		{
			"autumn in New York", "America/New_York", "0 1 * * *",
			"2025-11-01T12:00:00Z", "2025-11-04T00:00:00Z",
			[]string{"11-02 01:00 -0400", "11-03 01:00 -0500"},
		},
		{
			"no change in Kolkata", "Asia/Kolkata", "30 2 * * *",
			"2025-03-29T00:00:00Z", "2025-03-31T00:00:00Z",
			[]string{"03-30 02:30 +0530", "03-31 02:30 +0530"},
		},
		{
			"spring by half an hour: the skipped time", "Australia/Lord_Howe", "15 2 * * *",
			"2025-10-04T00:00:00Z", "2025-10-06T00:00:00Z",
			[]string{"10-05 02:30 +1100", "10-06 02:15 +1100"},
		},
		{
			"spring by half an hour: a later time of the same day stays", "Australia/Lord_Howe", "0 5 * * *",
			"2025-10-04T00:00:00Z", "2025-10-06T00:00:00Z",
			[]string{"10-05 05:00 +1100", "10-06 05:00 +1100"},
		},
		{
			"autumn by half an hour: the repeated time", "Australia/Lord_Howe", "45 1 * * *",
			"2025-04-05T00:00:00Z", "2025-04-07T00:00:00Z",
			[]string{"04-06 01:45 +1100", "04-07 01:45 +1030"},
		},
		{
			"autumn by half an hour: every quarter of an hour", "Australia/Lord_Howe", "*/15 * * * *",
			"2025-04-05T14:20:00Z", "2025-04-05T15:31:00Z",
			[]string{
				"04-06 01:30 +1100", "04-06 01:45 +1100", "04-06 01:30 +1030", "04-06 01:45 +1030",
				"04-06 02:00 +1030",
			},
		},
		{
			"a day without midnight", "America/Sao_Paulo", "@daily",
			"2018-11-03T12:00:00Z", "2018-11-06T00:00:00Z",
			[]string{"11-04 01:00 -0200", "11-05 00:00 -0200"},
		},
		{
			"an evening hour that comes twice before midnight", "America/Sao_Paulo", "0 0,23 * * *",
			"2018-02-17T12:00:00Z", "2018-02-18T12:00:00Z",
			[]string{"02-17 23:00 -0200", "02-18 00:00 -0300"},
		},
		{
			"a day that does not exist", "Pacific/Apia", "0 9 * * *",
			"2011-12-29T12:00:00Z", "2011-12-31T00:00:00Z",
			[]string{"12-29 09:00 -1000", "12-31 00:00 +1400", "12-31 09:00 +1400"},
		},
		{
			"@every counts from the epoch", "Asia/Kolkata", "@every 40m",
			"2025-01-01T00:01:00Z", "2025-01-01T01:30:00Z",
			[]string{"01-01 06:10 +0530", "01-01 06:50 +0530"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := crontab.Parse(c.cron)
			if err != nil {
				t.Fatal(err)
			}
			at, _ := time.Parse(time.RFC3339, c.from)
			end, _ := time.Parse(time.RFC3339, c.to)
			var got []string
			for at = s.Next(at, zone(t, c.zone)); at.Before(end); at = s.Next(at, zone(t, c.zone)) {
				got = append(got, at.Format(layout))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("ran at\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "empty",
		"* * * *":              "5 fields",
		"0 * * * * *":          "5 fields",
		"61 * * * *":           "above maximum",
		"TZ=UTC * * * * *":     "timezone",
		"CRON_TZ=UTC":          "timezone",
		"0 0 31 2 *":           "never comes",
		", * * * *":            "never comes",
		"@every 100ms":         "@every",
		"@every -5m":           "@every",
		"@every 5":             "@every",
		"@every 1h0.5s":        "@every",
		"@fortnightly":         "unrecognized",
		"0 0 * * MON-SUN-TUES": "hyphens",
	} {
		if _, err := crontab.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v, want an error with %q", text, err, want)
		}
	}
}

// TestNextKeepsItsRules compares Next, minute by minute over some days around a change of the clocks, with
// the rules written down the slow way.
func TestNextKeepsItsRules(t *testing.T) {
	changes := map[string][]string{
		"Europe/Berlin":       {"2025-03-30T01:00:00Z", "2025-10-26T01:00:00Z"},
		"America/New_York":    {"2025-03-09T07:00:00Z", "2025-11-02T06:00:00Z"},
		"Australia/Lord_Howe": {"2025-04-05T15:00:00Z", "2025-10-04T15:30:00Z"},
		"America/Sao_Paulo":   {"2018-02-18T02:00:00Z", "2018-11-04T03:00:00Z"},
		"Asia/Kolkata":        {"2025-03-30T01:00:00Z"},
		"UTC":                 {"2025-03-30T01:00:00Z"},
	}
	var zones []string
	for name := range changes {
		zones = append(zones, name)
	}
	slices.Sort(zones)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		change, _ := time.Parse(time.RFC3339, rapid.SampledFrom(changes[name]).Draw(t, "change"))
		minutes := rapid.SliceOfNDistinct(rapid.IntRange(0, 59), 1, 3, rapid.ID).Draw(t, "minutes")
		hours := rapid.SliceOfNDistinct(rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 12, 22, 23}), 0, 4, rapid.ID).Draw(t, "hours")
		s, err := crontab.Parse(fields(minutes) + " " + fields(hours) + " * * *")
		if err != nil {
			t.Fatal(err)
		}
		after := change.Add(time.Duration(rapid.IntRange(-30*3600, 6*3600).Draw(t, "seconds")) * time.Second)

		got := s.Next(after, loc)

		if !got.After(after) {
			t.Fatalf("Next(%s) = %s, not after it", after.In(loc), got)
		}
		at := after.Truncate(time.Minute).Add(time.Minute)
		for !due(at, loc, minutes, hours) {
			at = at.Add(time.Minute)
		}
		if !got.Equal(at) {
			t.Fatalf("Next(%s) = %s, want %s", after.In(loc), got, at.In(loc))
		}
	})
}

func TestLastIsTheTickBefore(t *testing.T) {
	kolkata := zone(t, "Asia/Kolkata")
	for _, c := range []struct{ cron, at, want string }{
		{"*/5 * * * *", "2025-06-01T00:07:31Z", "2025-06-01T00:05:00Z"},
		{"*/5 * * * *", "2025-06-01T00:10:00Z", "2025-06-01T00:10:00Z"},
		{"@daily", "2025-06-01T12:00:00Z", "2025-05-31T18:30:00Z"},
		{"0 9 1 1 *", "2025-06-01T00:00:00Z", "2025-01-01T03:30:00Z"},
		{"0 0 29 2 *", "2027-06-01T00:00:00Z", "2024-02-28T18:30:00Z"},
	} {
		s, err := crontab.Parse(c.cron)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		got := s.Last(at, kolkata)
		if got.UTC().Format(time.RFC3339) != c.want {
			t.Errorf("the last %q before %s is %s, want %s", c.cron, c.at, got.UTC().Format(time.RFC3339), c.want)
		}
		if next := s.Next(got, kolkata); !next.After(at) {
			t.Errorf("after %s comes %s, which is no later than %s", got, next, c.at)
		}
	}
}

func fields(values []int) string {
	if len(values) == 0 {
		return "*"
	}
	var text []string
	for _, v := range values {
		text = append(text, strconv.Itoa(v))
	}
	return strings.Join(text, ",")
}

// due says by the rules of the package whether a schedule of these minutes and hours (none: every hour) runs
// at the minute at.
func due(at time.Time, loc *time.Location, minutes, hours []int) bool {
	matches := func(face time.Time) bool {
		return slices.Contains(minutes, face.Minute()) && (len(hours) == 0 || slices.Contains(hours, face.Hour()))
	}
	const form = "2006-01-02 15:04"
	face := func(t time.Time) time.Time {
		f, _ := time.Parse(form, t.In(loc).Format(form))
		return f
	}
	if len(hours) == 0 {
		return matches(face(at))
	}
	if matches(face(at)) {
		for back := time.Minute; back <= 2*time.Hour; back += time.Minute {
			if face(at.Add(-back)).Equal(face(at)) {
				return false // the second time
			}
		}
		return true
	}
	for skipped := face(at.Add(-time.Minute)).Add(time.Minute); skipped.Before(face(at)); skipped = skipped.Add(time.Minute) {
		if matches(skipped) {
			return true
		}
	}
	return false
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"*/5 * * * *", "@daily", "@every 1h", "TZ=", "0 0 29 2 *", "1-5/2,7 ? * JAN mon"} {
		f.Add(text)
	}
	after := time.Date(2025, 3, 29, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := crontab.Parse(text)
		if err != nil {
			return
		}
		if next := s.Next(after, time.UTC); !next.After(after) {
			t.Errorf("%q: Next(%s) = %s", text, after, next)
		}
	})
}
