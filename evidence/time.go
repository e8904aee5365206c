package evidence

import (
	"strings"
	"time"
)

// timeLayouts are how logs write a time when it is not ISO 8601; a zone that is
// missing means UTC.
var timeLayouts = [...]string{
	"2006/01/02 15:04:05", "02/Jan/2006:15:04:05 -0700", "1/2/2006 3:04:05 PM -07:00", "1/2/2006 3:04:05 PM", "01/02/2006 15:04:05",
	"2 January 2006 15:04:05", "Mon, 02 Jan 2006 15:04:05 MST",
}

// parseTime reads the time at the start of s, in UTC.
func parseTime(s string) (time.Time, bool) {
	if len(s) < 10 {
		return time.Time{}, false
	}
	if t, ok := parseISO(s); ok {
		return t, true
	}
	if digit := s[0] >= '0' && s[0] <= '9'; !digit && strings.IndexByte("MTWFS", s[0]) < 0 {
		return time.Time{}, false
	}
	if i := strings.IndexAny(s[:min(len(s), 12)], "/,"); i < 0 && strings.IndexByte(s[:min(len(s), 4)], ' ') < 0 {
		return time.Time{}, false
	}
	s = s[:min(len(s), 40)]
	end := 0
	for end < len(s) && strings.IndexByte("0123456789-/:., +APMJanFebrychilugstSOtoNvDmTWdGUCZ", s[end]) >= 0 {
		end++
	}
	s = strings.TrimRight(s[:end], " .,:-+/")
	for len(s) >= 14 {
		for _, layout := range timeLayouts {
			if t, err := time.Parse(layout, s); err == nil && t.Year() > 1990 && t.Year() < 2200 {
				return t.UTC(), true
			}
		}
		i := strings.LastIndexByte(s, ' ')
		if i < 0 {
			break
		}
		s = strings.TrimRight(s[:i], " .,:-+/")
	}
	return time.Time{}, false
}

// parseISO reads 2026-08-03T09:15:00.4812345Z, with a blank for the T, with a
// comma before the fraction, and with the zone as Z, +02:00, +0200 or nothing.
func parseISO(s string) (time.Time, bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	var n [6]int
	for i, at := range [...][2]int{{0, 4}, {5, 7}, {8, 10}, {11, 13}, {14, 16}, {17, 19}} {
		for _, c := range []byte(s[at[0]:at[1]]) {
			if c < '0' || c > '9' {
				return time.Time{}, false
			}
			n[i] = n[i]*10 + int(c-'0')
		}
	}
	if n[0] < 1990 || n[0] > 2200 || n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > 31 || n[3] > 23 || n[4] > 59 || n[5] > 60 {
		return time.Time{}, false
	}
	rest := s[19:]
	nanos := 0
	if rest != "" && (rest[0] == '.' || rest[0] == ',') {
		i, unit := 1, 100_000_000
		for i < len(rest) && i < 16 && rest[i] >= '0' && rest[i] <= '9' {
			nanos += int(rest[i]-'0') * unit
			unit /= 10
			i++
		}
		rest = rest[i:]
	}
	offset := 0
	if len(rest) >= 5 && (rest[0] == '+' || rest[0] == '-') {
		digits := strings.Replace(rest[1:min(len(rest), 6)], ":", "", 1)
		if len(digits) >= 4 && allDigits(digits[:4]) {
			offset = (int(digits[0]-'0')*10+int(digits[1]-'0'))*3600 + (int(digits[2]-'0')*10+int(digits[3]-'0'))*60
			if rest[0] == '-' {
				offset = -offset
			}
		}
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], nanos, time.UTC)
	return t.Add(-time.Duration(offset) * time.Second), true
}
