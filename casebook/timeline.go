package casebook

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
)

// Bounds of a case.
const (
	maxTimeline = 200
	keepFirst   = 50 // entries of the beginning that a full timeline keeps
	maxAffected = 20
	maxChanged  = 10
	maxUnproven = 8
	// changeWindow is how long before the first try a change may explain it.
	changeWindow = 72 * time.Hour
)

// note puts an entry into the timeline at its time, behind those of the same
// time.
func note(c *usher.Case, e usher.Entry) {
	e.Time = e.Time.UTC()
	e.Text = clip(e.Text, 500)
	at := len(c.Timeline)
	for at > 0 && c.Timeline[at-1].Time.After(e.Time) {
		at--
	}
	c.Timeline = slices.Insert(c.Timeline, at, e)
	for len(c.Timeline) > maxTimeline {
		drop(c)
	}
}

// drop takes out one entry of the middle: of the plain ones, the oldest behind
// the beginning. What was proven and who got in is kept longest.
func drop(c *usher.Case) {
	for i := keepFirst; i < len(c.Timeline); i++ {
		switch c.Timeline[i].Kind {
		case usher.EntryProven, usher.EntryEscalated, usher.EntryTries:
			continue
		}
		c.Timeline = slices.Delete(c.Timeline, i, i+1)
		return
	}
	for i := keepFirst; i+1 < len(c.Timeline); i++ { // two counts become one
		if a, b := &c.Timeline[i], &c.Timeline[i+1]; a.Kind == usher.EntryTries && b.Kind == usher.EntryTries {
			b.Count += a.Count
			b.Text = triesText(b.Count)
			c.Timeline = slices.Delete(c.Timeline, i, i+1)
			return
		}
	}
	if e := &c.Timeline[keepFirst]; e.Kind == usher.EntryTries { // never lose a count
		for i := range c.Timeline {
			if other := &c.Timeline[i]; i != keepFirst && other.Kind == usher.EntryTries {
				other.Count += e.Count
				other.Text = triesText(other.Count)
				break
			}
		}
	}
	c.Timeline = slices.Delete(c.Timeline, keepFirst, keepFirst+1)
}

// noteTry counts a try: the first has an entry of its own, the others are
// counted in one entry between what else happened, at the time of its last.
func noteTry(c *usher.Case, ev *usher.Event) {
	first := slices.IndexFunc(c.Timeline, func(e usher.Entry) bool { return e.Kind == usher.EntryFirst })
	switch {
	case first < 0:
		note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryFirst, Text: "The first try: " + tryText(ev) + ".", Event: ev.UID})
		return
	case before(ev.Time, ev.UID, c.Timeline[first].Time, c.Timeline[first].Event):
		old := c.Timeline[first]
		c.Timeline = slices.Delete(c.Timeline, first, first+1)
		note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryFirst, Text: "The first try: " + tryText(ev) + ".", Event: ev.UID})
		countTry(c, old.Time, old.Event)
		return
	}
	countTry(c, ev.Time, ev.UID)
}

// countTry adds a try to the count of its stretch of the timeline.
func countTry(c *usher.Case, at time.Time, event string) {
	at = at.UTC()
	i := len(c.Timeline)
	for i > 0 && c.Timeline[i-1].Time.After(at) {
		i--
	}
	// The count of this stretch stands right before it, or right behind it,
	// because a count stands at its last try.
	if i < len(c.Timeline) && c.Timeline[i].Kind == usher.EntryTries {
		c.Timeline[i].Count++
		c.Timeline[i].Text = triesText(c.Timeline[i].Count)
		return
	}
	if i > 0 && c.Timeline[i-1].Kind == usher.EntryTries {
		e := &c.Timeline[i-1]
		e.Count++
		e.Time, e.Event, e.Text = at, event, triesText(e.Count)
		return
	}
	note(c, usher.Entry{Time: at, Kind: usher.EntryTries, Text: triesText(1), Event: event, Count: 1})
}

// noteUnproven says why a success proves nothing, once for each reason: a
// client that has two ways in would otherwise write one line for each success.
// It tells whether something was new.
func (t *turn) noteUnproven(c *usher.Case, ev *usher.Event, reason string) bool {
	text := " proves nothing: " + reason + "."
	n := 0
	for i := range c.Timeline {
		if e := &c.Timeline[i]; e.Kind == usher.EntryUnproven {
			n++
			if e.Event == ev.UID || strings.HasSuffix(e.Text, text) {
				return false
			}
		}
	}
	if n >= maxUnproven {
		return false
	}
	who := cmp.Or(said(t.userName(c, ev.User), 60), said(ev.Client.String(), 60), "somebody")
	note(c, usher.Entry{Time: ev.Time, Kind: usher.EntryUnproven, Text: "A success of " + who + text, Event: ev.UID})
	return true
}

// userName gives the name of a user whose event may tell the id alone, where
// the case or anybody else knows it.
func (t *turn) userName(c *usher.Case, user usher.Party) string {
	if user.Name != "" || user.UID == "" {
		return user.Name
	}
	for _, known := range c.Affected {
		if known.UID == user.UID && known.Name != "" {
			return known.Name
		}
	}
	if t.opt.UserName != nil {
		if name := t.opt.UserName(user.UID); name != "" {
			return name
		}
	}
	return user.UID
}

// before orders events: by time, and by id where the time is the same.
func before(at time.Time, uid string, at2 time.Time, uid2 string) bool {
	if !at.Equal(at2) {
		return at.Before(at2)
	}
	return uid < uid2
}

func triesText(n int) string {
	if n == 1 {
		return "1 more try."
	}
	return fmt.Sprintf("%d more tries.", n)
}

func tryText(ev *usher.Event) string {
	code := cmp.Or(ev.OAuth.Error, ev.StatusCode, ev.Code, "refused")
	text := said(code, 120)
	if ev.StatusCode != "" && ev.StatusCode != code {
		text += " (" + said(ev.StatusCode, 120) + ")"
	}
	if user := ev.User.String(); user != "" {
		text += ", user " + quote(user)
	}
	if ip := ev.Source.IP; ip != "" {
		text += ", from " + said(ip, 60)
	}
	return clip(text, 300)
}

// clip bounds a text from outside and takes out what is not one line of it.
func clip(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0, // control characters
			r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff: // invisible ones
			return -1
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// quote, said and marked put something from outside into a sentence: with its
// quotation marks, as it is, or as a value.
func quote(s string) string { return "'" + said(s, 80) + "'" }

func said(s string, most int) string { return usher.EscapeValue(clip(s, most)) }

func marked(s string, most int) string { return usher.MarkValue(clip(s, most)) }
