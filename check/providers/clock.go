package providers

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/check"
)

var providerClock = &check.Check{
	ID: "provider-clock", Group: check.GroupProvider, Mode: check.Passive, Severity: usher.SeverityHigh,
	Title:  "The provider's clock and ours agree",
	Judged: "The Date of its answers (with Age, where a cache stands between), and iat of tokens that were just got, against our clock: more than 30 seconds is a warning, more than 300 fails.",
	Cause:  "clock-skew",
	Step:   usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Run time synchronisation (chrony, systemd-timesyncd) on this host, and look at its offset."),
		check.Weakening("Only if it cannot be: let the verifier forgive up to 120 seconds, not more."),
	},
	References: []string{"RFC 7519 section 4.1.4", "RFC 9449 section 11.1"},
	Probe:      getPublic,
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(clock(t)) },
}

func clock(t *check.Target) check.Verdict {
	var worst time.Duration
	var proof usher.Proof
	seen := 0
	note := func(off time.Duration, p usher.Proof) {
		seen++
		if seen == 1 || off.Abs() > worst.Abs() {
			worst, proof = off, p
		}
	}
	for _, a := range t.Answers {
		switch a.Role {
		case "discovery", "jwks", "authorization", "token", "userinfo", "introspection", "introspect":
		default:
			continue
		}
		date, err := http.ParseTime(a.Header.Get("Date"))
		if err != nil || a.At.IsZero() {
			continue
		}
		if age, err := strconv.Atoi(strings.TrimSpace(a.Header.Get("Age"))); err == nil && age > 0 && age < 1<<24 {
			date = date.Add(time.Duration(age) * time.Second)
		}
		off := date.Sub(a.At)
		// The answer was made while we waited.
		if off < 0 {
			off = min(0, off+a.Took)
		} else {
			off = max(0, off-a.Took)
		}
		note(off, usher.Proof{Place: placeOf(a), Quote: "Date: " + a.Header.Get("Date"), Expected: a.At.UTC().Format(time.RFC3339), Got: date.UTC().Format(time.RFC3339)})
	}
	for _, tok := range t.Tokens {
		if tok.Parsed == nil || tok.Call == nil || tok.Call.Time.IsZero() {
			continue
		}
		// A token may be older than the answer that it came in, never younger.
		if iat, ok := seconds(tok.Claims["iat"]); ok && iat.After(tok.Call.Time) {
			note(iat.Sub(tok.Call.Time), usher.Proof{Place: tok.Place, Quote: "iat: " + iat.UTC().Format(time.RFC3339), Expected: "not after " + tok.Call.Time.UTC().Format(time.RFC3339)})
		}
	}
	if seen == 0 {
		return check.Unknown(check.NeedNetwork, "")
	}
	off := worst.Abs().Round(time.Second)
	if off <= 30*time.Second {
		return check.OK("within "+off.String(), proof)
	}
	way := "behind"
	if worst < 0 {
		way = "ahead of"
	}
	v := check.Wrong("Our clock is "+off.String()+" "+way+" the provider's", "Tokens will be refused as not yet valid or as expired; proofs and assertions that we make will be refused there.", proof)
	if off <= 300*time.Second {
		return v.As(usher.SeverityMedium)
	}
	return v
}

var endOfLife = &check.Check{
	ID: "provider-end-of-life", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Nothing is used that the provider has ended or will end",
	Judged: "Endpoints and grants of requests, sign-ins in logs, and settings, against what the provider is known to have switched off or to have said when it will.",
	Cause:  "legacy-auth",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Move to what the provider names in its place, before the day.")},
	References: []string{"RFC 9700 section 2", "notices of the provider"},
	Judge:      func(t *check.Target) []check.Verdict { return ending(t) },
}

func ending(t *check.Target) []check.Verdict {
	p := known(t)
	if len(p.Ended) == 0 {
		return check.Only(check.Unknown(check.NeedNothing, "nothing is known of what this provider ends"))
	}
	var out []check.Verdict
	looked := len(t.AuthCalls)+len(t.TokenCalls)+len(t.APICalls)+len(t.Events)+len(t.Settings) > 0
	for i := range p.Ended {
		e := &p.Ended[i]
		if proof, ok := usesEnded(t, e.Match); ok {
			out = append(out, endedVerdict(t, e.What, e.On, e.Instead, proof))
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, m := range t.Metadata {
		for _, a := range m.Addresses() {
			for i := range p.Ended {
				if match(a.URL, p.Ended[i].Match) {
					return check.Only(check.Unknown(check.NeedAuthRequest, "the document still names something that the provider ends ("+p.Ended[i].What+"); whether a client uses it is in its requests", member(m, a.Name, "", "")))
				}
			}
		}
	}
	if !looked {
		return check.Only(check.Unknown(check.NeedAuthRequest, ""))
	}
	return check.Only(check.OK("nothing of what " + p.Title + " is known to end, as of " + p.AsOf))
}

func endedVerdict(t *check.Target, what, on, instead string, proof usher.Proof) check.Verdict {
	day, err := time.Parse(time.DateOnly, on)
	title, detail := what+" is in use, which ends "+on, "Until then it works. "
	over := err == nil && !t.Now.IsZero() && !day.After(t.Now)
	if over {
		title, detail = what+" is in use, which ended "+on, "Where it still works, it can stop any day. "
	}
	v := check.Wrong(title, detail, proof)
	if instead != "" {
		v = v.Do("Use " + instead)
	}
	if over {
		return v.As(usher.SeverityHigh)
	}
	return v
}

// usesEnded finds a use in what clients do.
func usesEnded(t *check.Target, texts []string) (usher.Proof, bool) {
	for _, c := range t.AuthCalls {
		if c.Request != nil && match(c.Request.Endpoint, texts) {
			return usher.Proof{Place: c.Place, Quote: check.Clip(c.Request.Endpoint, 160)}, true
		}
	}
	for _, c := range t.TokenCalls {
		if c.Request != nil && (match(c.Request.Endpoint, texts) || match("grant_type="+c.Request.GrantType, texts)) {
			return usher.Proof{Place: c.Place, Quote: check.Clip(c.Request.Endpoint, 160) + " grant_type=" + check.Clip(c.Request.GrantType, 80)}, true
		}
	}
	for _, c := range t.APICalls {
		if c.Exchange != nil {
			bare, _, _ := strings.Cut(c.Exchange.URL, "?")
			if match(bare, texts) {
				return usher.Proof{Place: c.Place, Quote: check.Clip(bare, 160)}, true
			}
		}
	}
	for _, e := range t.Events {
		if match(e.OAuth.ClientApp, texts) || match(e.Request.Host+e.Request.Path, texts) {
			return usher.Proof{Place: check.RecordPlace(e), Quote: check.Clip(e.OAuth.ClientApp+" "+e.Request.Host+e.Request.Path, 160)}, true
		}
	}
	for _, f := range t.Settings {
		if match(f.Value, texts) || match(f.Quote, texts) {
			return usher.Proof{Place: f.Place, Quote: check.Clip(f.Quote, 160)}, true
		}
	}
	return usher.Proof{}, false
}

func match(s string, texts []string) bool {
	if s == "" {
		return false
	}
	for _, text := range texts {
		if text != "" && strings.Contains(s, text) {
			return true
		}
	}
	return false
}
