package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"usher"
	"usher/report"
	"usher/token"
)

// tokenAnswer is the JSON contract of usher token, version 1.
type tokenAnswer struct {
	Version  int              `json:"version"`
	Verdict  token.Verdict    `json:"verdict"`
	Form     token.Form       `json:"form"`
	Type     token.Type       `json:"type,omitempty"`
	Looks    token.Type       `json:"looks,omitempty"`
	Summary  string           `json:"summary"`
	Why      string           `json:"why,omitempty"` // why the claims cannot be read
	Problems []tokenProblem   `json:"problems"`
	Checks   []token.Check    `json:"checks"`
	Key      *token.KeyChoice `json:"key,omitempty"`
	Header   map[string]any   `json:"header,omitempty"`
	Claims   map[string]any   `json:"claims,omitempty"`
}

type tokenProblem struct {
	token.Problem
	Fix       string `json:"fix,omitempty"`
	Reference string `json:"reference,omitempty"`
}

func tokenJSON(w io.Writer, r token.Report, all bool) error {
	a := tokenAnswer{
		Version: 1, Verdict: r.Verdict, Form: r.Parsed.Form, Type: r.Type, Looks: r.Looks, Summary: r.Parsed.Describe(), Why: r.Parsed.Why,
		Problems: []tokenProblem{}, Checks: r.Checks, Key: r.Key,
	}
	for _, p := range r.Problems {
		code, _ := token.LookupCode(p.Code)
		a.Problems = append(a.Problems, tokenProblem{p, code.Fix, code.Ref})
	}
	a.Header, a.Claims = shown(r, all)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(a); err != nil {
		return err
	}
	_, err := w.Write(report.PlainJSON(b.Bytes()))
	return err
}

// shown gives the header and the claims without the credentials that a claim
// may hold, even where every claim is shown.
func shown(r token.Report, all bool) (header, claims map[string]any) {
	header, claims = r.Parsed.Shown(all)
	return report.MaskClaims(header), report.MaskClaims(claims)
}

// tokenText prints the report for a person.
func tokenText(w io.Writer, r token.Report, all bool, now time.Time, color bool) {
	paint := func(code, s string) string {
		if color {
			return "\x1b[" + code + "m" + s + "\x1b[0m"
		}
		return s
	}
	fmt.Fprintln(w, r.Parsed.Describe())
	header, claims := shown(r, all)
	members(w, "header", header, nil, now)
	members(w, "claims", claims, r.Parsed.Claims, now)
	if r.Parsed.Why != "" && claims == nil && r.Verdict != token.Unknown {
		fmt.Fprintf(w, "\nThe claims cannot be read: %s.\n", r.Parsed.Why)
	}
	for _, p := range r.Problems {
		code, _ := token.LookupCode(p.Code)
		label := paint("31;1", "wrong")
		if p.Weakness {
			label = paint("33", "weak")
		} else if r.Verdict == token.Unknown {
			label = paint("33", "cannot be read")
		}
		fmt.Fprintf(w, "\n%s: %s at %s\n  %s\n", label, p.Code, p.Place, p.Text)
		if p.Expected != "" {
			fmt.Fprintf(w, "  expected: %s\n  got:      %s\n", p.Expected, p.Got)
		}
		if code.Fix != "" && !p.Weakness {
			fmt.Fprintf(w, "  fix:      %s\n", code.Fix)
		}
	}
	if r.Key != nil && r.Key.Thumbprint == "" && len(r.Key.Rejected) > 0 {
		fmt.Fprintln(w, "\nkeys that were not used")
		for i, k := range r.Key.Rejected {
			if i == 10 {
				fmt.Fprintf(w, "  and %d more\n", len(r.Key.Rejected)-i)
				break
			}
			kid := token.Printable(k.Kid)
			if kid == "" {
				kid = "(no kid)"
			}
			fmt.Fprintf(w, "  %s: %s\n", kid, k.Why)
		}
	}
	checks(w, r, paint)
	verdict(w, r, paint)
}

func checks(w io.Writer, r token.Report, paint func(code, s string) string) {
	first := true
	for _, outcome := range []usher.Outcome{usher.OutcomeOK, usher.OutcomeUnknown} {
		for _, c := range r.Checks {
			if c.Outcome != outcome {
				continue
			}
			if first {
				fmt.Fprintln(w)
				first = false
			}
			if outcome == usher.OutcomeOK {
				fmt.Fprintf(w, "%s: %s\n", paint("32", "ok"), c.Text)
				continue
			}
			fmt.Fprintf(w, "%s: %s", paint("33", "unknown"), c.Text)
			if flag := flagOf(c, r.Type); flag != "" {
				fmt.Fprintf(w, " Give it with %s.", flag)
			}
			fmt.Fprintln(w)
		}
	}
}

// flagOf names the flag that gives what a check misses.
func flagOf(c token.Check, typ token.Type) string {
	switch c.What {
	case "signature":
		if strings.Contains(c.Missing, "key set") {
			return "--keys FILE"
		}
	case "issuer":
		if typ == token.TypeAssertion {
			return "--client-id ID"
		}
		return "--issuer URL"
	case "audience":
		switch typ {
		case token.TypeID, token.TypeLogout:
			return "--client-id ID"
		case token.TypeAssertion:
			return "--issuer URL"
		}
		return "--audience AUD"
	case "nonce":
		return "--nonce NONCE"
	case "at_hash", "ath":
		return "--access-token FILE"
	case "c_hash":
		return "--code CODE"
	case "method":
		return "--method METHOD"
	case "address":
		return "--url URL"
	case "binding":
		return "--jkt THUMBPRINT"
	}
	return ""
}

func verdict(w io.Writer, r token.Report, paint func(code, s string) string) {
	wrong := 0
	for _, p := range r.Problems {
		if !p.Weakness {
			wrong++
		}
	}
	switch {
	case r.Verdict == token.Accept && r.Type == token.TypeAny:
		fmt.Fprintf(w, "\n%s Signature, issuer, audience and times are good. Which type of token it is was not asked (--type).\n", paint("32;1", "Good."))
	case r.Verdict == token.Accept:
		fmt.Fprintf(w, "\n%s Nothing is wrong with it.\n", paint("32;1", "Good."))
	case r.Verdict == token.Reject && wrong == 1:
		fmt.Fprintf(w, "\n%s One thing is wrong.\n", paint("31;1", "Refuse it."))
	case r.Verdict == token.Reject:
		fmt.Fprintf(w, "\n%s %d things are wrong.\n", paint("31;1", "Refuse it."), wrong)
	case wrong > 0:
		fmt.Fprintf(w, "\n%s\n", paint("33;1", "Could not tell."))
	default:
		fmt.Fprintf(w, "\n%s Nothing wrong was found, but not everything was checked.\n", paint("33;1", "Not known to be good."))
	}
}

// members prints a header or claims, one a line. raw holds the values as they
// came, for the times.
func members(w io.Writer, title string, shown, raw map[string]any, now time.Time) {
	if len(shown) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	names := token.Names(shown)
	width := 0
	for _, name := range names {
		width = max(width, min(len(name), 24))
	}
	seconds := float64(now.UnixMilli()) / 1000
	for i, name := range names {
		if i == 200 {
			fmt.Fprintf(w, "  and %d more\n", len(names)-i)
			break
		}
		text := ""
		switch v := shown[name].(type) {
		case string:
			text = token.Printable(v)
		default:
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if enc.Encode(v) == nil {
				text = token.Printable(strings.TrimSpace(b.String()))
			}
		}
		switch name {
		case "exp", "nbf", "iat", "auth_time":
			if at, isTime := token.ShowTime(raw[name], seconds); isTime {
				text += "  " + at
			}
		}
		fmt.Fprintf(w, "  %-*s  %s\n", width, name, text)
	}
}
