package ingest

import (
	"strings"
	"time"
)

// parseTime reads the times that logs write: ISO 8601 with a T or a blank, with
// up to nine digits of a second behind a dot or a comma, with a zone or
// without; and the forms of exports, "11/14/2025 1:48:53 AM +01:00" (month
// first). A time without a zone is one of loc. n is the length that was read.
func parseTime(s string, loc *time.Location) (t time.Time, n int, ok bool) {
	if len(s) >= 19 && s[4] == '-' {
		return parseISO(s, loc)
	}
	return parseSlashed(s, loc)
}

// digits reads a number of exactly n digits.
func digits(s string, n int) (v int, ok bool) {
	if len(s) < n {
		return 0, false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		v = v*10 + int(s[i]-'0')
	}
	return v, true
}

func parseISO(s string, loc *time.Location) (t time.Time, n int, ok bool) {
	if s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' {
		return t, 0, false
	}
	year, ok1 := digits(s, 4)
	month, ok2 := digits(s[5:], 2)
	day, ok3 := digits(s[8:], 2)
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > 31 || year < 1990 || year > 2200 {
		return t, 0, false
	}
	h, m, sec, nanos, n, ok := parseClock(s[11:])
	if !ok {
		return t, 0, false
	}
	n += 11
	zone, width := parseZone(s[n:], loc)
	if day > 28 && time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() != day {
		return t, 0, false // no such day
	}
	return time.Date(year, time.Month(month), day, h, m, sec, nanos, zone).UTC(), n + width, true
}

// parseClock reads 10:15:02,123.
func parseClock(s string) (h, m, sec, nanos, n int, ok bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return
	}
	h, ok1 := digits(s, 2)
	m, ok2 := digits(s[3:], 2)
	sec, ok3 := digits(s[6:], 2)
	if !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || sec > 60 {
		return
	}
	n = 8
	if n+1 < len(s) && (s[n] == '.' || s[n] == ',') && s[n+1] >= '0' && s[n+1] <= '9' {
		unit := 100_000_000
		for n++; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
			nanos += int(s[n]-'0') * unit
			unit /= 10
		}
	}
	return h, m, sec, nanos, n, true
}

// parseZone reads Z, +02:00, +0200 or nothing.
func parseZone(s string, loc *time.Location) (*time.Location, int) {
	if strings.HasPrefix(s, "Z") {
		return time.UTC, 1
	}
	blank := 0
	if strings.HasPrefix(s, " +") || strings.HasPrefix(s, " -") {
		blank, s = 1, s[1:]
	}
	if len(s) >= 5 && (s[0] == '+' || s[0] == '-') {
		h, ok1 := digits(s[1:], 2)
		rest, n := s[3:], 5
		if rest[0] == ':' {
			rest, n = rest[1:], 6
		}
		m, ok2 := digits(rest, 2)
		if ok1 && ok2 && h < 24 && m < 60 {
			offset := (h*60 + m) * 60
			if s[0] == '-' {
				offset = -offset
			}
			if offset == 0 {
				return time.UTC, blank + n
			}
			return time.FixedZone("", offset), blank + n
		}
	}
	if loc == nil {
		loc = time.UTC
	}
	return loc, 0
}

// parseSlashed reads 11/14/2025 1:48:53 AM, with a zone or without.
func parseSlashed(s string, loc *time.Location) (t time.Time, n int, ok bool) {
	var v [6]int
	i := 0
	for f, sep := range [...]byte{'/', '/', ' ', ':', ':', 0} {
		start := i
		for i < len(s) && i-start < 4 && s[i] >= '0' && s[i] <= '9' {
			v[f] = v[f]*10 + int(s[i]-'0')
			i++
		}
		if i == start || sep != 0 && (i >= len(s) || s[i] != sep) {
			return t, 0, false
		}
		if sep != 0 {
			i++
		}
	}
	month, day, year, h := v[0], v[1], v[2], v[3]
	switch rest := s[i:]; {
	case strings.HasPrefix(rest, " AM"):
		if h == 12 {
			h = 0
		}
		i += 3
	case strings.HasPrefix(rest, " PM"):
		if h < 12 {
			h += 12
		}
		i += 3
	}
	if month < 1 || month > 12 || day < 1 || day > 31 || year < 1990 || year > 2200 || h > 23 || v[4] > 59 || v[5] > 60 {
		return t, 0, false
	}
	zone, width := parseZone(s[i:], loc)
	return time.Date(year, time.Month(month), day, h, v[4], v[5], 0, zone).UTC(), i + width, true
}
