package clients

import (
	"cmp"
	"fmt"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
)

const oneDay = 24 * time.Hour

// live tells whether a credential is valid at a moment, as far as its dates tell.
func live(c *evidence.Credential, now time.Time) bool {
	return (c.Expires.IsZero() || c.Expires.After(now)) && !c.Starts.After(now)
}

// label names a credential for a person.
func label(c *evidence.Credential) string {
	name := c.Kind
	if name == "" {
		name = "credential"
	}
	switch {
	case c.Name != "":
		return name + " named " + c.Name // "secret X" would be masked as one
	case c.ID != "":
		return name + " with the id " + c.ID
	}
	return name
}

// credentialed asks a question of every registration that lists credentials.
func credentialed(t *check.Target, judge func(r *evidence.Registration) check.Verdict) []check.Verdict {
	var out []check.Verdict
	for _, r := range t.Registrations {
		if r != nil && len(r.Credentials) > 0 {
			out = append(out, judge(r).Of(r.ClientID))
		}
	}
	if out == nil {
		return []check.Verdict{check.Unknown(check.NeedCredentials, "")}
	}
	return out
}

var secretExpiry = &check.Check{
	ID: "secret-expiry", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "No secret or certificate is about to end",
	Judged: "The end dates of the client's secrets and certificates: a month before it is medium, a week before it high, past it critical.",
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Rotate with an overlap: add a new credential, deploy it everywhere, see in the sign-in log that the old one is no longer used, and remove it."),
		check.Tightening("Use a managed identity, a federated credential or a key that rotates by itself."),
	},
	References: []string{"RFC 7591 section 3.2.1"},
	Judge:      judgeExpiry,
}

func judgeExpiry(t *check.Target) []check.Verdict {
	var b book
	inUse := lately(t)
	for _, r := range t.Registrations {
		if r == nil || r.ClientID == "" && len(r.Credentials) == 0 {
			continue
		}
		if len(r.Credentials) > 0 {
			b.add(r.ClientID, judgeEnds(t, r, inUse))
		} else if known(r, "Credentials") {
			b.add(r.ClientID, check.NotApplicable("the client has no secret or certificate"))
		}
	}
	for _, a := range t.Registered {
		if a == nil {
			continue
		}
		if a.SecretExpires.IsZero() {
			if string(a.Raw["client_secret_expires_at"]) == "0" {
				b.add(check.Member(a.Raw, "client_id"), check.OK("its secret has no end date", proof(a.Place, "client_secret_expires_at", "", "0")))
			}
			continue
		}
		c := evidence.Credential{Kind: "secret", Expires: a.SecretExpires, Place: a.Place}
		client := check.Member(a.Raw, "client_id")
		b.add(client, judgeEnds(t, &evidence.Registration{ClientID: client, Credentials: []evidence.Credential{c}}, nil))
	}
	return b.or(check.Unknown(check.NeedCredentials, ""))
}

// judgeEnds judges the end dates of one client's credentials. A credential
// counts in full where it is in use, or the only one; beside one that lives
// longer it is the rest of a rotation.
func judgeEnds(t *check.Target, r *evidence.Registration, inUse map[string]bool) check.Verdict {
	var last *evidence.Credential // that lives longest
	endless, undated := false, 0
	for i := range r.Credentials {
		c := &r.Credentials[i]
		switch {
		case c.Expires.IsZero() && endlessSecret(r, c):
			endless = true
		case c.Expires.IsZero():
			undated++
		case last == nil || c.Expires.After(last.Expires):
			last = c
		}
	}
	var proofs []usher.Proof
	var soon, used *evidence.Credential
	for i := range r.Credentials {
		c := &r.Credentials[i]
		if c.Expires.IsZero() || c.Expires.Sub(t.Now) >= 30*oneDay {
			continue
		}
		if soon == nil || c.Expires.After(soon.Expires) {
			soon = c
		}
		if c.ID != "" && inUse[c.ID] {
			used = c
		}
		if len(proofs) < maxProofs {
			proofs = append(proofs, proof(c.Place, label(c)+" ends "+day(c.Expires), "an end more than 30 days off", ends(c.Expires.Sub(t.Now))))
		}
	}
	switch {
	case used != nil:
		return ending(t, r, used, proofs)
	case soon == nil && last == nil && endless:
		return check.OK("its secret has no end date", proof(r.Place, label(&r.Credentials[0]), "", "no end"))
	case soon == nil && last == nil:
		return check.Unknown(check.NeedCredentials, "the export tells no end dates")
	case soon == nil:
		return check.OK("the last to end is "+label(last)+", on "+day(last.Expires), proof(last.Place, "ends "+day(last.Expires), "", ends(last.Expires.Sub(t.Now))))
	case undated > 0:
		v := ending(t, r, soon, proofs)
		v.Detail = "Other credentials of the client have no date in this export, so this one may not be the one in use."
		return v.As(usher.SeverityLow)
	case !endless && last == soon:
		return ending(t, r, soon, proofs)
	}
	other := "one without an end"
	if last != soon {
		other = label(last) + ", which lives until " + day(last.Expires)
	}
	if !soon.Expires.After(t.Now) {
		return check.Wrong("An ended "+label(soon)+" is still listed for "+nameOf(r), "There is "+other+" beside it: it is the rest of a rotation, as long as every instance has the new one.", proofs...).
			As(usher.SeverityLow).Do("See that no instance still has the old one, and remove it.")
	}
	return check.Wrong("The "+label(soon)+" of "+nameOf(r)+" ends in "+days(soon.Expires.Sub(t.Now)), "There is "+other+" beside it: the rotation is done when every instance uses that.", proofs...).
		As(usher.SeverityLow).Do("See in the sign-in log that nothing uses the old one any more, and remove it before it ends.")
}

func ending(t *check.Target, r *evidence.Registration, c *evidence.Credential, proofs []usher.Proof) check.Verdict {
	left := c.Expires.Sub(t.Now)
	cause := causeSecretPast
	if c.Kind == "certificate" {
		cause = causeAssertion
	}
	switch {
	case left <= 0:
		return check.Wrong(fmt.Sprintf("The %s of %s ended %s ago", label(c), nameOf(r), days(left)), "The provider refuses every token request with it.", proofs...).As(usher.SeverityCritical).Because(cause).
			Do("Make a new "+cmp.Or(c.Kind, "credential")+", put it where the app reads it, restart every instance, and remove the ended one.", "Have the end date of the new one watched, or use a managed identity, a federated credential or a key that rotates by itself.")
	case left < 7*oneDay:
		return check.Wrong(fmt.Sprintf("The %s of %s ends in %s", label(c), nameOf(r), days(left)), "On "+day(c.Expires)+" the client stops.", proofs...).As(usher.SeverityHigh)
	}
	return check.Wrong(fmt.Sprintf("The %s of %s ends in %s", label(c), nameOf(r), days(left)), "On "+day(c.Expires)+" the client stops.", proofs...).As(usher.SeverityMedium)
}

func ends(left time.Duration) string {
	if left <= 0 {
		return days(left) + " ago"
	}
	return "in " + days(left)
}

// endlessSecret tells whether a credential without an end date has none, rather
// than one that the export keeps back.
func endlessSecret(r *evidence.Registration, c *evidence.Credential) bool {
	if known(r, "Credentials.Expires") {
		return true
	}
	switch r.Provider {
	case "okta", "auth0", "google":
		return c.Kind == "secret"
	}
	return r.Shape == "google-service-account"
}

// lately gives the ids of the credentials that the log shows in use in the last
// 30 days.
func lately(t *check.Target) map[string]bool {
	var ids map[string]bool
	for _, e := range t.Events {
		if e == nil || e.OAuth.Credential == "" || t.Now.Sub(e.Time) >= 30*oneDay || len(ids) > 10_000 {
			continue
		}
		if ids == nil {
			ids = map[string]bool{}
		}
		ids[e.OAuth.Credential] = true
	}
	return ids
}
