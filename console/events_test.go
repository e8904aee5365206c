package console_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"usher"
	"usher/console"
)

func eventLine(uid string) string {
	text, _ := json.Marshal(usher.Event{UID: uid, Kind: usher.EventToken, Time: noon, Status: usher.StatusFailure})
	return string(text)
}

var ndjson = header("Content-Type", "application/x-ndjson")

// TestEvents: all of a request or none, and every mistake with its line.
func TestEvents(t *testing.T) {
	s := start(t)
	body := eventLine("a") + "\n\n" + eventLine("b") + "\r\n" + eventLine("a")
	if got := s.do(t, "POST", "/api/v1/events", body, trusted, ndjson); got.status != 200 || strings.TrimSpace(got.body) != `{"taken":3,"added":2}` {
		t.Errorf("good ones: %d %s", got.status, got.body)
	}
	if got := s.do(t, "POST", "/api/v1/events", eventLine("a"), trusted, ndjson); strings.TrimSpace(got.body) != `{"taken":1,"added":0}` {
		t.Errorf("a known one: %s", got.body)
	}
	if got := s.do(t, "POST", "/api/v1/events", "\n\n", trusted, ndjson); got.status != 200 || strings.TrimSpace(got.body) != `{"taken":0,"added":0}` {
		t.Errorf("none: %d %s", got.status, got.body)
	}
	bad := strings.Join([]string{
		eventLine("c"), `{"uid":"d"`, eventLine("e"), `{"uid":"f","kind":"odd","time":"2026-11-25T12:00:00Z"}`, `[]`, `{"clientt":{}}`, eventLine("g") + eventLine("h"), "null",
	}, "\n")
	got := s.do(t, "POST", "/api/v1/events", bad, trusted, ndjson)
	var told struct {
		Lines []struct {
			Line    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(got.body), &told); err != nil || got.status != 400 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	var lines []string
	for _, l := range told.Lines {
		lines = append(lines, fmt.Sprint(l.Line))
		if l.Message == "" || strings.ContainsAny(l.Message, "\n\x00") || strings.Contains(l.Message, "Go ") {
			t.Errorf("line %d: %q", l.Line, l.Message)
		}
	}
	if want := "2 4 5 6 7 8"; strings.Join(lines, " ") != want {
		t.Errorf("lines %v are named, want %s", lines, want)
	}
	for name, line := range map[string]string{ // what a door refuses: docs/events.md
		"uid is given twice":                        strings.Replace(eventLine("i"), `{`, `{"uid":"j",`, 1),
		"client.uid is given twice":                 strings.Replace(eventLine("i"), `"client":{`, `"client":{"uid":"a","uid":"b",`, 1),
		"UID: no member of an event has this name":  strings.Replace(eventLine("i"), `"uid"`, `"UID"`, 1),
		"Kind: no member of an event has this name": strings.Replace(eventLine("i"), `{`, `{"Kind":"api",`, 1),
	} {
		if got := s.do(t, "POST", "/api/v1/events", line, trusted, ndjson); got.status != 400 || !strings.Contains(got.body, name) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if s.memory.Events() != 2 {
		t.Errorf("%d events are kept after a request that was refused", s.memory.Events())
	}
}

func TestEventsBounds(t *testing.T) {
	many := strings.Repeat(eventLine("x")+"\n", 10_001)
	if _, err := console.ReadEvents([]byte(many)); err == nil || !strings.Contains(err.Error(), "10000") {
		t.Errorf("10,001 events: %v", err)
	}
	if _, err := console.ReadEvents([]byte(strings.Repeat("{\n", 5000))); err == nil {
		t.Error("5,000 broken lines are taken")
	}
	long := `{"uid":"` + strings.Repeat("x", 300_000) + `"}`
	if _, err := console.ReadEvents([]byte(long)); err == nil {
		t.Error("a line of 300 kB is taken")
	}
}

// FuzzEvents: what is taken is valid and there are no more events than lines.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(eventLine("a") + "\n" + eventLine("b")))
	f.Add([]byte("{}\n\n{\"uid\":1}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := console.ReadEvents(body)
		if err != nil && events != nil {
			t.Fatal("some are taken although others are wrong")
		}
		if len(events) > strings.Count(string(body), "\n")+1 {
			t.Fatal("more events than lines")
		}
		for i := range events {
			if err := events[i].Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
