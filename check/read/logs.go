package read

import (
	"strconv"
	"strings"

	"usher/check"
	"usher/evidence"
)

// maxLines bounds the lines of one access log.
const maxLines = 100_000

// accessLog gives the lines of an access log in the common or combined form of
// web servers and proxies. They tell of no sign-in, and so are no events; what
// leaked into them they tell all the same.
func accessLog(it *evidence.Item) (list []*check.LogText) {
	n := 0
	for line := range strings.Lines(it.Text) {
		if n++; n > maxLines {
			break
		}
		if line = strings.TrimSpace(line); accessLine(line) {
			list = append(list, &check.LogText{Place: lineOf(it, n-1), Text: line})
		}
	}
	return list
}

// accessLine tells a line with a quoted request line and a status:
// "GET /cb?code=... HTTP/1.1" 302.
func accessLine(line string) bool {
	_, rest, ok := strings.Cut(line, " HTTP/")
	if !ok {
		return false
	}
	version, rest, ok := strings.Cut(rest, `" `)
	if !ok || len(version) > 3 || len(rest) < 3 {
		return false
	}
	status, err := strconv.Atoi(rest[:3])
	return err == nil && status >= 100 && status < 600
}

// lineOf gives the place of a further line of an item.
func lineOf(it *evidence.Item, further int) string {
	file, ok := strings.CutSuffix(it.Place, ":"+strconv.Itoa(it.Line))
	if !ok {
		return it.Place
	}
	return file + ":" + strconv.Itoa(it.Line+further)
}
