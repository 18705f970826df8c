package schema

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"samespace-exporter/internal/jsonscan"
)

var (
	errTime     = errors.New("is not a time such as 2023-07-04T22:39:23Z")
	errLeap     = errors.New("is a leap second, which SQL times do not have")
	errFiner    = errors.New("is finer than a microsecond")
	errYear     = errors.New("is outside of the years 1 to 9999 in UTC")
	errOffset   = errors.New("has an offset, which this type does not keep")
	errDay      = errors.New("is not a day such as 2023-07-04")
	errMidnight = errors.New("is not the midnight of a day")
	errDuration = errors.New("is not a duration: seconds, or such as 1:02:03")
)

const (
	microsPerSecond = int64(1e6)
	microsPerDay    = 24 * 60 * 60 * microsPerSecond
	firstMicro      = -62135596800 * microsPerSecond // 0001-01-01 00:00:00 UTC
	endMicro        = 253402300800 * microsPerSecond // 10000-01-01 00:00:00 UTC
)

// wallTime is a time as it was written.
type wallTime struct {
	micros int64 // of the wall clock, as if it were UTC, since the Unix epoch
	zoned  bool  // an offset was written
	offset int   // seconds east of UTC
}

// parseTimestamptz is an instant in microseconds since the Unix epoch: RFC 3339, or without an offset, which
// is a wall-clock time in loc.
func parseTimestamptz(s string, loc *time.Location) (int64, error) {
	wall, err := parseWallTime(s)
	if err != nil {
		return 0, err
	}
	micros := wall.micros - int64(wall.offset)*microsPerSecond
	if !wall.zoned && loc != time.UTC {
		if micros, err = instant(wall.micros, loc); err != nil {
			return 0, err
		}
	}
	if micros < firstMicro || micros >= endMicro {
		return 0, errYear
	}
	return micros, nil
}

// instant is the instant at which the clocks of loc show wall: the first of two where they were set back.
func instant(wall int64, loc *time.Location) (int64, error) {
	asUTC := time.UnixMicro(wall).UTC()
	// Where the clocks show wall twice, Date takes either; the other one is in the zone before.
	near := time.Date(asUTC.Year(), asUTC.Month(), asUTC.Day(), asUTC.Hour(), asUTC.Minute(), asUTC.Second(), asUTC.Nanosecond(), loc)
	earlier := near
	if since, _ := near.ZoneBounds(); !since.IsZero() {
		earlier = since.Add(-time.Second)
	}
	first, found := int64(0), false
	for _, around := range [...]time.Time{near, earlier} {
		_, offset := around.Zone()
		at := asUTC.Add(-time.Duration(offset) * time.Second)
		if _, there := at.In(loc).Zone(); there == offset && (!found || at.UnixMicro() < first) {
			first, found = at.UnixMicro(), true
		}
	}
	if !found {
		return 0, fmt.Errorf("is not a time in %s, where the clocks were set forward over it", loc)
	}
	return first, nil
}

// parseTimestamp is a wall-clock time without an offset.
func parseTimestamp(s string) (int64, error) {
	wall, err := parseWallTime(s)
	if err == nil && wall.zoned {
		err = errOffset
	}
	return wall.micros, err
}

// parseDate is a day, alone or as its midnight without an offset.
func parseDate(s string) (int64, error) {
	if len(s) == len("2006-01-02") {
		return parseDay(s)
	}
	wall, err := parseWallTime(s)
	switch {
	case errors.Is(err, errTime):
		return 0, errDay
	case err != nil:
		return 0, err
	case wall.zoned:
		return 0, errOffset
	case wall.micros%microsPerDay != 0:
		return 0, errMidnight
	}
	return wall.micros, nil
}

// parseWallTime reads "2006-01-02T15:04:05", a fraction of up to nine digits, and an offset: Z, +05:30 or
// +0530. A space may stand for the T.
func parseWallTime(s string) (wallTime, error) {
	if len(s) < len("2006-01-02T15:04:05") || s[10]|0x20 != 't' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return wallTime{}, errTime
	}
	day, err := parseDay(s[:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	if err != nil || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return wallTime{}, errTime
	}
	if second == 60 {
		return wallTime{}, errLeap
	}
	fraction, n, err := parseFraction(s[19:])
	if err != nil {
		return wallTime{}, err
	}
	offset, zoned, err := parseOffset(s[19+n:])
	seconds := int64((hour*60+minute)*60 + second)
	return wallTime{micros: day + seconds*microsPerSecond + fraction, zoned: zoned, offset: offset}, err
}

// parseFraction reads the fraction of a second that s may begin with, which is n bytes long.
func parseFraction(s string) (micros int64, n int, err error) {
	if s == "" || s[0] != '.' {
		return 0, 0, nil
	}
	n = jsonscan.DigitsLen(s[1:])
	if n == 0 || n > 9 {
		return 0, 0, errTime
	}
	for i := 1; i <= 6; i++ {
		micros *= 10
		if i <= n {
			micros += int64(s[i] - '0')
		}
	}
	if n > 6 && strings.Trim(s[7:n+1], "0") != "" {
		return 0, 0, errFiner
	}
	return micros, n + 1, nil
}

// parseOffset reads the offset that s is; "" is none.
func parseOffset(s string) (seconds int, zoned bool, err error) {
	switch {
	case s == "":
		return 0, false, nil
	case s == "Z" || s == "z":
		return 0, true, nil
	case len(s) == len("+05:30") && s[3] == ':':
		s = s[:3] + s[4:]
	case len(s) != len("+0530"):
		return 0, false, errTime
	}
	hour, minute := digits(s[1:3]), digits(s[3:5])
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false, errTime
	}
	seconds = (hour*60 + minute) * 60
	switch s[0] {
	case '+':
		return seconds, true, nil
	case '-':
		return -seconds, true, nil
	default:
		return 0, false, errTime
	}
}

// parseDay is the midnight of "2006-01-02" in microseconds since the Unix epoch, as if it were UTC.
func parseDay(s string) (int64, error) {
	year, month, day := digits(s[:4]), digits(s[5:7]), digits(s[8:10])
	if s[4] != '-' || s[7] != '-' || year < 1 || month < 1 || month > 12 || day < 1 {
		return 0, errDay
	}
	if day > 28 && time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() != day {
		return 0, errDay
	}
	return daysSinceEpoch(year, month, day) * microsPerDay, nil
}

// daysSinceEpoch are the days from 1970-01-01 to a day of the years from 1 on: time.Date takes five times as long. A year
// begins in March here, so that the leap day is its last one.
func daysSinceEpoch(year, month, day int) int64 {
	const toEpoch = 719468 // from 0000-03-01 to 1970-01-01
	if month < 3 {
		year, month = year-1, month+12
	}
	return int64(365*year+year/4-year/100+year/400+(153*(month-3)+2)/5+day-1) - toEpoch
}

// digits is the number that s, digits only, stands for; -1 when something else is in it.
func digits(s string) int {
	n := 0
	for i := range len(s) {
		if !jsonscan.IsDigit(s[i]) {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// parseDuration is a clock text, "-12:34:56.789", in seconds as a plain decimal.
func parseDuration(s string) (string, error) {
	unsigned := strings.TrimPrefix(s, "-")
	hourLen := jsonscan.DigitsLen(unsigned)
	// Nine digits of hours are more than enough, and fit every int.
	if hourLen == 0 || hourLen > 9 || len(unsigned) < hourLen+len(":00:00") {
		return "", errDuration
	}
	hour, clock := digits(unsigned[:hourLen]), unsigned[hourLen:]
	minute, second := digits(clock[1:3]), digits(clock[4:6])
	if clock[0] != ':' || clock[3] != ':' || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return "", errDuration
	}
	sign, fraction := s[:len(s)-len(unsigned)], clock[6:]
	if fraction != "" && (fraction[0] != '.' || len(fraction) == 1 || jsonscan.DigitsLen(fraction[1:]) != len(fraction)-1) {
		return "", errDuration
	}
	seconds := int64(hour)*3600 + int64(minute*60+second)
	return plainDecimal(sign + strconv.FormatInt(seconds, 10) + fraction)
}
