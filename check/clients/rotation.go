package clients

import (
	"fmt"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/provider/knowledge"
)

var secretAge = &check.Check{
	ID: "secret-age", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "No secret is older than the rule",
	Judged: "The day a secret was made, against secret_max_age of what you expect, or 180 days.",
	Needs:  []check.Need{check.NeedCredentials},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Rotate it with an overlap: add a new one, deploy it, see that the old one is unused, remove it."),
		check.Tightening("Use a key or a federated identity, which nobody has to rotate by hand."),
	},
	References: []string{"RFC 6819 section 5.2.3.6"},
	Judge: func(t *check.Target) []check.Verdict {
		return credentialed(t, func(r *evidence.Registration) check.Verdict { return judgeAge(t, r) })
	},
}

func judgeAge(t *check.Target, r *evidence.Registration) check.Verdict {
	most := 180 * oneDay
	if t.Expect != nil && t.Expect.SecretMaxAge > 0 {
		most = time.Duration(t.Expect.SecretMaxAge)
	}
	var old, any *evidence.Credential
	var proofs []usher.Proof
	secrets, undated := 0, 0
	for i := range r.Credentials {
		c := &r.Credentials[i]
		if c.Kind != "secret" || !live(c, t.Now) {
			continue
		}
		secrets++
		if c.Starts.IsZero() {
			undated++
			continue
		}
		any = c
		if t.Now.Sub(c.Starts) > most {
			if old == nil || c.Starts.Before(old.Starts) {
				old = c
			}
			if len(proofs) < maxProofs {
				proofs = append(proofs, proof(c.Place, label(c)+" of "+day(c.Starts), "at most "+days(most), days(t.Now.Sub(c.Starts))))
			}
		}
	}
	switch {
	case secrets == 0:
		return check.NotApplicable("no secret is valid")
	case old != nil:
		return check.Wrong(fmt.Sprintf("The %s of %s is %s old", label(old), nameOf(r), days(t.Now.Sub(old.Starts))), "The longer a secret lives, the more copies of it there are.", proofs...)
	case undated > 0:
		return check.Unknown(check.NeedCredentials, "the export does not say when the secret was made")
	}
	return check.OK("none is older", proof(any.Place, label(any)+" of "+day(any.Starts), "at most "+days(most), days(t.Now.Sub(any.Starts))))
}

var secretOverlap = &check.Check{
	ID: "secret-overlap", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Secrets are rotated with an overlap",
	Judged: "Whether the old and the new secret were valid at once, and whether the old one was still in use when it was removed.",
	Needs:  []check.Need{check.NeedCredentials},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Never replace a secret in place: add the new one, deploy it, wait until the log shows no use of the old one, then remove that."),
	},
	References: []string{"RFC 6819 section 5.2.3.6"},
	Judge: func(t *check.Target) []check.Verdict {
		return credentialed(t, func(r *evidence.Registration) check.Verdict { return judgeOverlap(t, r) })
	},
}

func judgeOverlap(t *check.Target, r *evidence.Registration) check.Verdict {
	if v, told := removedInUse(t, r); told {
		return v
	}
	if about := knownOf(t, r); about != nil {
		a, told := about.Can[knowledge.CanTwoSecrets]
		if told && !a.Can {
			return check.NotApplicable("the provider keeps one secret a client, so there is no overlap")
		}
	}
	// Of each credential, the one that was made next.
	var pairs int
	for i := range r.Credentials {
		old := &r.Credentials[i]
		if old.Kind != "secret" || old.Expires.IsZero() || i == 100 {
			continue
		}
		var next *evidence.Credential
		covered := false // by a third one
		for j := range r.Credentials {
			c := &r.Credentials[j]
			if j == i || j == 100 || c.Starts.IsZero() {
				continue
			}
			if c.Starts.After(old.Starts) && !c.Starts.After(old.Expires) && (c.Expires.IsZero() || c.Expires.After(old.Expires)) {
				covered = true
			}
			if c.Starts.After(old.Expires) && (next == nil || c.Starts.Before(next.Starts)) {
				next = c
			}
			if !c.Starts.After(old.Starts) && (c.Expires.IsZero() || c.Expires.After(old.Expires)) {
				covered = true
			}
		}
		if covered {
			pairs++
			continue
		}
		if next != nil {
			return check.Wrong(fmt.Sprintf("Between the %s and the %s of %s nothing was valid", label(old), label(next), nameOf(r)),
				"For "+days(next.Starts.Sub(old.Expires))+" every token request was refused.",
				proof(old.Place, label(old)+" ends "+day(old.Expires), "", ""), proof(next.Place, label(next)+" starts "+day(next.Starts), "a start before "+day(old.Expires), day(next.Starts)))
		}
	}
	if pairs > 0 {
		return check.OK("each secret that ends has one beside it that lives longer", proof(r.Place, itoa(len(r.Credentials))+" credentials", "", ""))
	}
	return check.Unknown(check.NeedLogs, "there is one secret, so no rotation can be seen; the log of changes shows the last one")
}

// removedInUse looks in the log for a secret that was removed while it was used,
// and for refusals after it.
func removedInUse(t *check.Target, r *evidence.Registration) (check.Verdict, bool) {
	removals := 0
	for _, e := range t.Events {
		if e == nil || e.Change == nil || e.Change.Type != "secret" || e.Change.Operation != "delete" || !aboutClient(e.Change.Target, e.Client, r) {
			continue
		}
		if removals++; removals > 20 {
			break
		}
		for _, later := range t.Events {
			if later == nil || later.Change != nil || !later.Refused() || !sameClient(later.Client.UID, r.ClientID) {
				continue
			}
			gap := later.Time.Sub(e.Time)
			if gap < 0 || gap > oneDay {
				continue
			}
			if c := lookup(t, later.StatusCode); c != nil && (c.Cause == causeSecretWrong || c.Cause == causeSecretPast) {
				return check.Wrong("A secret of "+nameOf(r)+" was removed while it was in use", "Within a day of it the provider refused the client's secret.",
					proof(check.RecordPlace(e), e.Code, "", day(e.Time)), proof(check.RecordPlace(later), later.StatusCode, "", day(later.Time))), true
			}
		}
	}
	return check.Verdict{}, false
}

func aboutClient(target, client usher.Party, r *evidence.Registration) bool {
	for _, p := range [...]usher.Party{target, client} {
		if p.UID != "" && sameClient(p.UID, r.ClientID) || p.Name != "" && p.Name == r.Name {
			return true
		}
	}
	return false
}

var secretUnused = &check.Check{
	ID: "secret-unused", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Every secret is used",
	Judged: "Whether the log shows a sign-in with each valid credential in the last 60 days.",
	Needs:  []check.Need{check.NeedCredentials, check.NeedLogs},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Remove the credential that nothing uses."),
	},
	References: []string{"RFC 6819 section 5.2.3.6"},
	Judge: func(t *check.Target) []check.Verdict {
		return credentialed(t, func(r *evidence.Registration) check.Verdict { return judgeUnused(t, r) })
	},
}

func judgeUnused(t *check.Target, r *evidence.Registration) check.Verdict {
	const most = 60 * oneDay
	begin := t.Now.Add(-most)
	told := false // the log tells which credential was used
	first := t.Now
	used := map[string]bool{}
	for _, e := range t.Events {
		if e == nil || !sameClient(e.Client.UID, r.ClientID) && !aboutClient(e.Client, usher.Party{}, r) {
			continue
		}
		if e.Time.Before(first) {
			first = e.Time
		}
		if e.OAuth.Credential != "" {
			told = true
			if !e.Time.Before(begin) && len(used) < 1000 {
				used[strings.ToLower(e.OAuth.Credential)] = true
			}
		}
	}
	switch {
	case !told:
		return check.Unknown(check.NeedLogs, "the log that was given does not say which credential of this client was used")
	case first.After(begin):
		return check.Unknown(check.NeedLogs, "the log goes back "+days(t.Now.Sub(first))+", and 60 days are asked for")
	}
	var proofs []usher.Proof
	var idle *evidence.Credential
	n := 0
	for i := range r.Credentials {
		c := &r.Credentials[i]
		if c.ID == "" || !live(c, t.Now) {
			continue
		}
		n++
		if used[strings.ToLower(c.ID)] || c.Starts.After(begin) {
			continue
		}
		idle = c
		if len(proofs) < maxProofs {
			proofs = append(proofs, proof(c.Place, label(c), "a use since "+day(begin), "none in the log"))
		}
	}
	switch {
	case n == 0:
		return check.Unknown(check.NeedCredentials, "the credentials have no ids to look for")
	case idle != nil:
		return check.Wrong("Nothing uses the "+label(idle)+" of "+nameOf(r), "A credential that nobody needs is one that nobody misses when it is stolen.", proofs...)
	}
	return check.OK("each was used in the last 60 days", proof(r.Place, itoa(n)+" credentials", "", ""))
}

var secretCount = &check.Check{
	ID: "secret-count", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "No more than two secrets are valid",
	Judged: "How many secrets of the client are valid now; two are a rotation.",
	Needs:  []check.Need{check.NeedCredentials},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Find out which deployment uses which secret (the sign-in log names it), and remove the ones that none does."),
	},
	References: []string{"RFC 6819 section 5.2.3.6"},
	Judge: func(t *check.Target) []check.Verdict {
		return credentialed(t, func(r *evidence.Registration) check.Verdict {
			var names []string
			for i := range r.Credentials {
				if c := &r.Credentials[i]; c.Kind == "secret" && live(c, t.Now) {
					names = append(names, label(c))
				}
			}
			if n := len(names); n > 2 {
				return check.Wrong(fmt.Sprintf("%s has %d valid secrets", nameOf(r), n), "Each of them opens the same door, and nobody knows who holds which.",
					proof(r.Place, strings.Join(names[:min(n, 10)], ", "), "at most 2", itoa(n)))
			}
			return check.OK("two at most", proof(r.Place, strings.Join(names, ", "), "at most 2", itoa(len(names))))
		})
	},
}
