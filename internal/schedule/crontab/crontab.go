// Package crontab says when a schedule written as cron text is next due in a timezone, on the days on which
// the clocks change as well.
//
// The cron library that parses the text steps through real hours, which loses or doubles times of day where
// an hour is skipped, repeated, or changed by half. So it is asked in clock-face time, where nothing is ever
// skipped, and this package puts clock faces back into real time:
//
//   - A schedule for every hour ("*/15 * * * *", "@hourly") follows real time: it runs in both of two equal
//     hours, and has nothing to catch up for an hour that does not exist.
//   - Any other schedule ("30 2 * * *", "@daily") means times of day: one that comes twice runs the first
//     time only; those that are skipped run once, at the first instant after the gap.
//   - "@every 10m" counts real time, from the Unix epoch: every replica has the same ticks.
package crontab

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is parsed cron text. The zero Schedule is not usable.
type Schedule struct {
	every     time.Duration // of "@every"; zero: faces says when
	faces     cron.Schedule // asked for clock faces only
	everyHour bool
}

// Parse reads five cron fields or a descriptor: "*/5 * * * *", "@daily", "@every 90m". A timezone in the text
// ("TZ=...") is an error, since the dataset has one, and so is a schedule that never runs.
func Parse(text string) (Schedule, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=") {
		return Schedule{}, errors.New("cron text must not name a timezone: it has its own setting")
	}
	if every, ok := strings.CutPrefix(text, "@every "); ok {
		return parseEvery(strings.TrimSpace(every))
	}
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return Schedule{}, fmt.Errorf("parse cron text: %w", err)
	}
	s := Schedule{faces: parsed}
	if spec, ok := parsed.(*cron.SpecSchedule); ok {
		const allHours = 1<<24 - 1
		s.everyHour = spec.Hour&allHours == allHours
	}
	if s.Next(time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), time.UTC).IsZero() { // five years hold a leap day
		return Schedule{}, errors.New("cron text names a day that never comes")
	}
	return s, nil
}

func parseEvery(text string) (Schedule, error) {
	every, err := time.ParseDuration(text)
	if err != nil || every < time.Second || every%time.Second != 0 {
		return Schedule{}, errors.New("@every needs a whole number of seconds above zero, as in @every 90m")
	}
	return Schedule{every: every}, nil
}

// Next is the first time after after at which the schedule is due, in loc. It is zero when there is none
// within five years.
func (s Schedule) Next(after time.Time, loc *time.Location) time.Time {
	if s.every > 0 {
		step := int64(s.every / time.Second)
		return time.Unix((after.Unix()/step+1)*step, 0).In(loc)
	}
	at := stretchAt(after, loc)
	face := s.faces.Next(at.face(after))
	for !face.IsZero() {
		if repeated := at.repeatedUntil(); !s.everyHour && face.Before(repeated) {
			face = s.faces.Next(repeated.Add(-1)) // -1: the face at which the repeat ends is new
			continue
		}
		if next := at.instant(face); at.end.IsZero() || next.Before(at.end) {
			return next
		}
		following := stretchAt(at.end, loc)
		if !s.everyHour && face.Before(following.face(at.end)) {
			return at.end.In(loc) // the clocks skip this face
		}
		face = s.faces.Next(following.face(at.end).Add(-1))
		at = following
	}
	return time.Time{}
}

// Last is the latest time, at or before at, at which the schedule was due, in loc; zero when that is more than ten years
// ago.
func (s Schedule) Last(at time.Time, loc *time.Location) time.Time {
	const longest = 10 * 366 * 24 * time.Hour
	for back := time.Minute; back < longest; back *= 2 {
		// Nothing was due in the half of this that was looked at before, so that few times are left to walk through.
		var last time.Time
		for tick := s.Next(at.Add(-back), loc); !tick.IsZero() && !tick.After(at); tick = s.Next(tick, loc) {
			last = tick
		}
		if !last.IsZero() {
			return last
		}
	}
	return time.Time{}
}

// stretch is a stretch of time in which a location's clocks do not change. Inside it a clock face, which is
// local time written as if it were UTC, and the instant differ by a fixed offset.
type stretch struct {
	loc    *time.Location
	start  time.Time // zero: since ever
	end    time.Time // zero: for good
	offset time.Duration
}

func stretchAt(t time.Time, loc *time.Location) stretch {
	local := t.In(loc)
	_, seconds := local.Zone()
	start, end := local.ZoneBounds()
	return stretch{loc, start, end, time.Duration(seconds) * time.Second}
}

func (s stretch) face(t time.Time) time.Time { return t.Add(s.offset).UTC() }

func (s stretch) instant(face time.Time) time.Time { return face.Add(-s.offset).In(s.loc) }

// repeatedUntil is the clock face up to which the stretch repeats the one before it: where the clocks went
// back at its start, and the zero time elsewhere.
func (s stretch) repeatedUntil() time.Time {
	if s.start.IsZero() {
		return time.Time{}
	}
	before := stretchAt(s.start.Add(-1), s.loc)
	if before.offset <= s.offset {
		return time.Time{}
	}
	return before.face(s.start)
}
