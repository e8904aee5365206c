package casebook

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"usher"
)

// Checkup is one look at a configuration, as the room check judged it.
type Checkup struct {
	Provider string    // kind of provider: "keycloak"
	Name     string    // the provider's name in usher's configuration
	Tenant   string    // tenant, realm or organisation
	At       time.Time // of the look
	// News are the ids of checks that compare with the look before: that nothing
	// changed since proves nothing, unless somebody says that it is dealt with.
	News     []string
	Findings []usher.Finding
}

// Checked takes a look: what is wrong opens a case or joins the one that it has,
// and what is ok by now proves the case that said otherwise. What is unknown
// changes nothing: a provider that is down has mended nothing.
func (b *Book) Checked(tx Tx, look Checkup) ([]*usher.Case, error) {
	t := b.turn(tx)
	at := look.At.UTC()
	if at.After(t.now.Add(maxAhead)) {
		at = t.now
	}
	wrong := map[string]bool{}
	for i := range look.Findings {
		if f := &look.Findings[i]; f.Check != "" && f.Outcome == usher.OutcomeWrong {
			wrong[checkFingerprint(&look, f)] = true
		}
	}
	for i := range look.Findings {
		f := &look.Findings[i]
		if f.Check == "" {
			continue
		}
		fp := checkFingerprint(&look, f)
		found, err := t.under(keyIs(fp))
		if err != nil {
			return nil, err
		}
		switch c := first(found); {
		case f.Outcome == usher.OutcomeWrong:
			err = t.foundWrong(c, fp, &look, f, at)
		case f.Outcome == usher.OutcomeOK && c != nil && !wrong[fp]:
			err = t.foundRight(c, &look, f, at)
		}
		if err != nil {
			return nil, err
		}
	}
	return t.changed, nil
}

// checkFingerprint says to which case a check's finding belongs: one check of
// one client at one provider.
func checkFingerprint(look *Checkup, f *usher.Finding) string {
	return digest("check", look.Name, f.Check, f.Subject.Client)
}

func (t *turn) foundWrong(c *usher.Case, fp string, look *Checkup, f *usher.Finding, at time.Time) error {
	fresh := c == nil
	if fresh {
		c = &usher.Case{
			Version: usher.CaseVersion, Fingerprint: fp, Kind: usher.CaseConfiguration, State: usher.CaseOpen, First: at, Opened: t.now,
		}
		note(c, usher.Entry{Time: t.now, Kind: usher.EntryOpened, Text: "usher looked, and opened the case."})
	} else if !at.After(c.Last) {
		return nil // this look, or a later one, is counted already
	} else if slices.Contains(look.News, f.Check) && c.State != usher.CaseFixed && slices.Equal(c.Finding.Proof, f.Proof) {
		return nil // the same news once more
	}
	c.Finding, c.Last, c.Fixes = known(f), at, checkFixes(f)
	c.Refusal = checkEvent(look, f, at, usher.StatusFailure)
	c.Count++
	if was := c.State; !fresh && (was == usher.CaseFixed || was == usher.CaseVerifying || was == usher.CaseQuiet) {
		if err := move(c, actRefused); err != nil {
			return err
		}
		note(c, usher.Entry{Time: at, Kind: usher.EntryState, Text: "usher looked again, and it is still or again wrong."})
	}
	return t.save(c)
}

func (t *turn) foundRight(c *usher.Case, look *Checkup, f *usher.Finding, at time.Time) error {
	if !can(c, actProof) || !at.After(c.Last) || slices.Contains(look.News, f.Check) && c.State != usher.CaseVerifying {
		return nil
	}
	if err := move(c, actProof); err != nil {
		return err
	}
	c.Proven = &usher.Proven{
		Fix: "1", Event: checkEvent(look, f, at, usher.StatusSuccess), At: t.now,
		Fields:  []usher.Comparison{{Field: "check", Must: "differ", Refusal: string(usher.OutcomeWrong), Success: string(usher.OutcomeOK), Holds: true}},
		Comment: "Proven fixed: the check " + f.Check + " passes.",
	}
	note(c, usher.Entry{Time: at, Kind: usher.EntryProven, Text: c.Proven.Comment})
	return t.save(c)
}

// checkFixes makes the one way out of what a check found.
func checkFixes(f *usher.Finding) []usher.Fix {
	risk := usher.RiskNeutral
	for _, step := range f.Fix {
		if step.Risk == usher.RiskTightening {
			risk = usher.RiskTightening
		}
	}
	if len(f.Fix) > 0 && f.Fix[0].Risk == usher.RiskWeakening {
		risk = usher.RiskWeakening
	}
	return []usher.Fix{{
		ID: "1", Title: "Change the configuration", Risk: risk, Fixer: cmp.Or(f.Fixer, usher.FixerTenantAdmin), Steps: slices.Clone(f.Fix),
		Proof: usher.ProofCondition{Check: f.Check, Text: "the check " + f.Check + " passes at the next look"},
	}}
}

// checkEvent stands where a failure has its last try.
func checkEvent(look *Checkup, f *usher.Finding, at time.Time, status usher.Status) usher.Event {
	return usher.Event{
		UID: digest("look", look.Name, f.Check, f.Subject.Client, at.Format(time.RFC3339Nano)), Kind: usher.EventOther, Code: "CHECK",
		Provider: look.Provider, LogName: "usher-check", Tenant: look.Tenant, Time: at, Status: status,
		Message: clip(f.Title, 400), Client: usher.Party{UID: f.Subject.Client},
	}
}

// checkTitle is the title of a case that a check opened.
func checkTitle(c *usher.Case) string {
	title := usher.EscapeValue(strings.TrimRight(c.Finding.Title, "."))
	switch {
	case c.Finding.Subject.Client != "":
		return "Configuration of " + quote(c.Finding.Subject.Client) + ": " + title
	case c.Refusal.Tenant != "":
		return "Configuration of " + quote(c.Refusal.Tenant) + ": " + title
	}
	return "Configuration: " + title
}
