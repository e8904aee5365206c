package providers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/check"
)

// look is what was published at one moment.
type look struct {
	at   time.Time
	kids []string
}

// looks gives the earlier looks at the keys and the one of now, the oldest first.
func looks(t *check.Target) []look {
	var out []look
	for _, s := range t.Previous {
		if len(s.Keys) > 0 {
			out = append(out, look{s.At, s.Kids()})
		}
	}
	slices.SortStableFunc(out, func(a, b look) int { return a.at.Compare(b.at) })
	var now []string
	for _, k := range t.KeySets {
		if k.Client == "" {
			for _, kid := range kidsOf(k) {
				if kid != "" {
					now = append(now, kid)
				}
			}
		}
	}
	if len(now) > 0 {
		out = append(out, look{t.Now, now})
	}
	return out
}

// absence is a kid that went and came back.
type absence struct {
	kid        string
	gone, back time.Time // the first look without it, the first with it again
}

// absences finds kids that vanished and came back.
func absences(all []look) []absence {
	var out []absence
	in := map[string]bool{}        // in the last look
	gone := map[string]time.Time{} // since when it is away
	for _, l := range all {
		here := make(map[string]bool, len(l.kids))
		for _, kid := range l.kids {
			here[kid] = true
			if since, away := gone[kid]; away {
				out = append(out, absence{kid, since, l.at})
				delete(gone, kid)
			}
		}
		for kid := range in {
			if !here[kid] {
				gone[kid] = l.at
			}
		}
		in = here
	}
	return out
}

var jwksFlapping = &check.Check{
	ID: "jwks-flapping", Group: check.GroupProvider, Mode: check.Passive, Severity: usher.SeverityMedium,
	Title:  "The published keys do not come and go",
	Judged: "Over the looks that were kept: a kid that vanished and came back.",
	Needs:  []check.Need{check.NeedHistory, check.NeedKeys}, Cause: "token-key-not-found",
	Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("In the verifier: keep a key for 72 hours after it was last seen, and fetch once, at a limited rate, when a token names an unknown one."),
		check.Neutral("At the provider: let every replica publish the same set."),
	},
	References: []string{"OpenID Connect Core section 10.1.1"},
	Probe:      getPublic,
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(flapping(looks(t))) },
}

func flapping(all []look) check.Verdict {
	if len(all) < 3 {
		return check.Unknown(check.NeedHistory, "three looks at the keys are needed to see one go and come back")
	}
	found := absences(all)
	if len(found) == 0 {
		return check.OK(strconv.Itoa(len(all)) + " looks since " + all[0].at.UTC().Format(time.DateOnly))
	}
	longest := found[0]
	var which []string
	for _, a := range found {
		if a.back.Sub(a.gone) > longest.back.Sub(longest.gone) {
			longest = a
		}
		if !slices.Contains(which, a.kid) {
			which = append(which, a.kid)
		}
	}
	var proof []usher.Proof
	for i, a := range found {
		if i == 6 {
			break
		}
		proof = append(proof, usher.Proof{
			Place: "looks since " + all[0].at.UTC().Format(time.DateOnly), Quote: "kid " + check.Clip(a.kid, 60) + " was not there from " + a.gone.UTC().Format(time.DateTime) + ", and there again " + a.back.UTC().Format(time.DateTime),
			Expected: "there until its last token has run out",
		})
	}
	return check.Wrong(check.Count(len(which), "key", "keys")+" vanished and came back, for up to "+longest.back.Sub(longest.gone).Round(time.Minute).String(),
		"The provider's replicas do not agree. A verifier that keeps the newest copy alone refuses good tokens in between.", proof...)
}

var rotationOverlap = &check.Check{
	ID: "jwks-rotation-overlap", Group: check.GroupProvider, Mode: check.Passive, Severity: usher.SeverityHigh,
	Title:  "New keys are published before they sign, old ones until their tokens end",
	Judged: "Over the looks that were kept: first seen against first use, last use against removal, and whether two sets in a row have a key in common.",
	Needs:  []check.Need{check.NeedHistory, check.NeedKeys}, Cause: "token-key-not-found",
	Step: usher.StepValidation, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Publish a new key at least as long before its first signature as verifiers keep the set (a day is safe), and leave the old one for the life of the longest token."),
		check.Neutral("In the verifier: keep keys for 72 hours after they were last seen, and fetch once when a token names an unknown one."),
	},
	References: []string{"OpenID Connect Core section 10.1.1"},
	Probe:      getPublic,
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(overlap(t, looks(t))) },
}

// use is one signature with a key.
type use struct {
	kid     string
	at, end time.Time // end: until when the token is good; zero: not known
	place   string
	event   *usher.Event // in place of place: a record of a log
}

func (u use) where() string {
	if u.event != nil {
		return check.RecordPlace(u.event)
	}
	return u.place
}

// livesFor is how long tokens from before an exchange of keys may still be in
// use, and caches still hold the old keys: what is longer ago harms nobody.
const livesFor = 72 * time.Hour

func overlap(t *check.Target, all []look) check.Verdict {
	if len(all) < 2 {
		return check.Unknown(check.NeedHistory, "")
	}
	for _, u := range usesOf(t) {
		late, published := around(all, u)
		switch {
		case published && !u.end.IsZero() && u.end.After(t.Now) && !slices.Contains(all[len(all)-1].kids, u.kid):
			return check.Wrong("The key with the kid "+check.Clip(u.kid, 60)+" was withdrawn while tokens that it signed are good",
				"Every verifier that fetches the keys now refuses them until "+u.end.UTC().Format(time.DateTime)+".",
				usher.Proof{Place: u.where(), Quote: "kid " + check.Clip(u.kid, 60) + ", signed " + u.at.UTC().Format(time.DateTime) + ", good until " + u.end.UTC().Format(time.DateTime), Expected: "published until then", Got: "absent now"})
		case late:
			return check.Wrong("The key with the kid "+check.Clip(u.kid, 60)+" signed before it was published",
				"Verifiers that fetched the keys in between know no key for the token.",
				usher.Proof{Place: u.where(), Quote: "kid " + check.Clip(u.kid, 60) + ", signed " + u.at.UTC().Format(time.DateTime), Expected: "published before", Got: "published after"})
		}
	}
	kept := false
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if slices.Equal(a.kids, b.kids) {
			continue
		}
		common, fresh := false, false
		for _, kid := range b.kids {
			if slices.Contains(a.kids, kid) {
				common = true
			} else {
				fresh = true
			}
		}
		if !common && b.at.Sub(a.at) <= 48*time.Hour && t.Now.Sub(b.at) <= livesFor {
			return check.Wrong("All keys were exchanged at once",
				"Tokens that were signed just before cannot be verified any more, and verifiers that keep the set for a while cannot verify new ones.",
				usher.Proof{Place: "look of " + b.at.UTC().Format(time.DateTime), Quote: "kids " + check.Clip(check.Names(b.kids), 160), Expected: "one of " + check.Clip(check.Names(a.kids), 160) + " beside them"})
		}
		kept = kept || common && fresh
	}
	if kept {
		return check.OK("new keys stood beside old ones, over " + strconv.Itoa(len(all)) + " looks")
	}
	return check.Unknown(check.NeedHistory, "no rotation was seen yet")
}

// around tells whether a key was published at all, and whether a look after its
// signature did not have it yet.
func around(all []look, u use) (late, published bool) {
	missed := false
	for _, l := range all {
		switch here := slices.Contains(l.kids, u.kid); {
		case here && !l.at.After(u.at):
			return false, true // there before it signed
		case here:
			return missed, true
		case l.at.After(u.at):
			missed = true
		}
	}
	return false, false
}

// usesOf gives the signatures that tokens and logs tell of.
func usesOf(t *check.Target) []use {
	var out []use
	for _, tok := range t.Tokens {
		if tok.Parsed == nil || tok.Kid == "" {
			continue
		}
		if at, ok := seconds(tok.Claims["iat"]); ok {
			u := use{kid: tok.Kid, at: at, place: tok.Place}
			u.end, _ = seconds(tok.Claims["exp"])
			out = append(out, u)
		}
	}
	for _, e := range t.Events {
		if e.OAuth.KeyID != "" && !e.Time.IsZero() && len(out) < 10000 {
			out = append(out, use{kid: e.OAuth.KeyID, at: e.Time, end: e.OAuth.Expires, event: e})
		}
	}
	return out
}

// seconds reads a time of a token.
func seconds(v any) (time.Time, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	whole, _, _ := strings.Cut(n.String(), ".")
	s, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || s <= 0 || s > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(s, 0), true
}
