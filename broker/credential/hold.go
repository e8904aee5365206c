package credential

import (
	"time"

	"usher"
)

// Hold is a reason why the old secret is not retired yet.
type Hold struct {
	Kind   string      `json:"kind"`             // ends, caller, quiet, log, unknown, verify, unkept
	Who    string      `json:"who,omitempty"`    // name of a caller
	Text   string      `json:"text"`             // a sentence
	Turn   usher.Fixer `json:"turn,omitempty"`   // who can do something about it; empty: it passes
	Until  time.Time   `json:"until,omitzero"`   // when it passes, if nothing happens until then
	Seen   time.Time   `json:"seen,omitzero"`    // when the caller last asked, or the old one was last used
	Caller *Caller     `json:"caller,omitempty"` //
}

// OwnConnections is the caller that the broker itself is.
const OwnConnections = "usher's own connections"

// slack is what is added to the quiet time: a use is written down when the last
// one is older than a quarter of it.
func slack(quiet time.Duration) time.Duration { return quiet + quiet/4 }

// holdups tells why the old secret may not be retired; none: it may. Nothing of
// it is a matter of time alone.
func (m *Manager) holdups(r *record, now time.Time) (holds []Hold) {
	rot := r.Rotation
	if rot == nil || rot.Step != StepMoving {
		return nil
	}
	old := r.old()
	if at := rot.handBack(); !at.IsZero() {
		holds = append(holds, Hold{
			Kind: "ends", Turn: usher.FixerTenantAdmin, Until: at,
			Text: "the provider ends version " + itoa(rot.To) + " by itself at " + minute(rot.BackEnds) + " and cannot end version " + itoa(rot.From) + ": usher hands version " + itoa(rot.From) + " out again before that, whatever was wrong with it",
		})
	}
	holds = append(holds, m.callerHolds(r)...)
	if old == nil { // there is nothing to retire; it is told until everybody has moved
		if r.Config.TokenEndpoint != "" && r.current().Verified.Before(rot.Moved) {
			holds = append(holds, Hold{Kind: "verify", Text: "the new secret was not seen to work yet"})
		}
		return holds
	}
	m.mu.Lock()
	_, unkept := m.unkept[r.Config.Name]
	born := m.born
	m.mu.Unlock()
	if unkept {
		holds = append(holds, Hold{Kind: "unkept", Text: "a use of a secret was seen and cannot be written down"})
	}
	logged := rot.Logged && !r.LogSeen.IsZero()
	if len(r.Callers) == 0 && len(r.Config.Callers) == 0 && r.Own.IsZero() && !logged {
		return append(holds, Hold{
			Kind: "unknown", Turn: usher.FixerDeveloper,
			Text: "nobody fetches the secret from usher, and no log tells which one is used: who still has the old one cannot be told. Let programs fetch it, or retire the old one yourself when you know",
		})
	}
	quiet := r.Config.quiet()
	since := rot.Moved
	for _, t := range []time.Time{old.Used, born} {
		if t.After(since) {
			since = t
		}
	}
	until := since.Add(slack(quiet))
	if !r.Own.IsZero() {
		if t := rot.Moved.Add(m.opt.Pace.InFlight); t.After(until) {
			until = t
		}
	}
	if now.Before(until) {
		text := "no use of the old one must be seen for " + span(slack(quiet)) + " (the quiet time of " + span(quiet) + ", and a quarter of it: uses are noted no finer)"
		seen := time.Time{}
		if !old.Used.IsZero() && !old.Used.Before(rot.Moved) {
			seen = old.Used
			if old.UsedBy != "" {
				text += "; the last was by " + usher.MarkValue(old.UsedBy)
			}
		}
		holds = append(holds, Hold{Kind: "quiet", Text: text, Until: until, Seen: seen})
	}
	if logged {
		covered := rot.Moved
		if old.Used.After(covered) {
			covered = old.Used
		}
		switch {
		case r.current().Logged.Before(rot.Moved):
			holds = append(holds, Hold{Kind: "log", Text: "the provider's log has not shown a use of the new one yet, so that its silence about the old one proves nothing"})
		case r.LogSeen.Before(covered.Add(quiet)):
			holds = append(holds, Hold{Kind: "log", Text: "the provider's log is read up to " + minute(r.LogSeen) + " and does not cover the quiet time yet"})
		}
	}
	return holds
}

// callerHolds lists the callers that are known and do not have the current
// version.
func (m *Manager) callerHolds(r *record) (holds []Hold) {
	to := r.Rotation.To
	seen := map[string]bool{}
	for _, name := range r.names() {
		c := r.Callers[name]
		seen[keyOf(name)] = true
		switch has := c.version(); {
		case has == to && c.Given == to:
		case has == to: // it was given another one since, as before an undo, and may use that
			holds = append(holds, Hold{Kind: "caller", Who: name, Turn: usher.FixerDeveloper, Caller: &c, Seen: c.Seen, Text: usher.MarkValue(name) + " was given version " + itoa(c.Given) + " last and may have it"})
		case c.Given == to:
			holds = append(holds, Hold{Kind: "caller", Who: name, Turn: usher.FixerDeveloper, Caller: &c, Seen: c.Seen, Text: usher.MarkValue(name) + " was given version " + itoa(to) + " and has not shown since that it has it"})
		default:
			holds = append(holds, Hold{Kind: "caller", Who: name, Turn: usher.FixerDeveloper, Caller: &c, Seen: c.Seen, Text: usher.MarkValue(name) + " has version " + itoa(has)})
		}
	}
	for _, name := range r.Config.Callers {
		if !seen[name] {
			holds = append(holds, Hold{Kind: "caller", Who: name, Turn: usher.FixerDeveloper, Text: usher.MarkValue(name) + " is known to use the secret and never fetched it from usher"})
		}
	}
	return holds
}
