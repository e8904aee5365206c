package casebook_test

import (
	"strings"
	"testing"

	"usher"
)

// TestBackticks: what an app sends is told as it was sent, however many
// backticks it has, and nothing else becomes a value of it.
func TestBackticks(t *testing.T) {
	const client, uri, user = "c`x`", "https://shop.test/`code`<i>", "`ann"
	w := newWorld(t)
	ev, f := redirect("12:00", uri, "10.0.0.1")
	ev.Client, ev.User = usher.Party{UID: client}, usher.Party{UID: user}
	w.refuse(ev, f)
	w.must(w.book.Planned(w.tx, 1, usher.FixPlan{Case: 1, Fix: usher.Fix{ID: "1", Title: "Register " + uri}}, "ana"))
	c := w.get(1)

	title := usher.PlainSentence(c.Title)
	if want := "Sign-ins to '" + client + "' are refused: the app sends " + uri + ", registered is "; !strings.HasPrefix(title, want) {
		t.Errorf("the title says %s", title)
	}
	var values []string
	for _, p := range usher.SentenceParts(c.Title) {
		if p.Value {
			values = append(values, p.Text)
		}
	}
	if len(values) != 3 || values[0] != client || values[1] != uri {
		t.Errorf("the values of the title are %q", values)
	}
	if summary := usher.PlainSentence(c.Summary); !strings.HasPrefix(summary, title+". ") {
		t.Errorf("the summary says %s", summary)
	}
	told := ""
	for _, e := range c.Timeline {
		told += usher.PlainSentence(e.Text) + "\n"
	}
	for _, want := range []string{"user '" + user + "'", "Register " + uri + "."} {
		if !strings.Contains(told, want) {
			t.Errorf("the timeline lacks %q:\n%s", want, told)
		}
	}
}
