package tokens

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/token"
)

// endpoint gives an address without its query and fragment.
func endpoint(raw string) string {
	if at := strings.IndexAny(raw, "?#"); at >= 0 {
		return raw[:at]
	}
	return raw
}

// hostOf gives the host of a call, without its port.
func hostOf(x *evidence.Exchange) string {
	if x == nil {
		return ""
	}
	u, err := url.Parse(endpoint(x.URL))
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// sentToken gives the token of an Authorization header.
func sentToken(x *evidence.Exchange) string {
	if x == nil {
		return ""
	}
	_, sent, _ := strings.Cut(x.Request.Get("Authorization"), " ")
	return strings.TrimSpace(sent)
}

// scheme gives the scheme of an Authorization header, in lower case.
func scheme(x *evidence.Exchange) string {
	if x == nil {
		return ""
	}
	s, _, found := strings.Cut(x.Request.Get("Authorization"), " ")
	if !found {
		return ""
	}
	return strings.ToLower(s)
}

var tokenType = &check.Check{
	ID: "token-type", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "token_type is there and is kept to",
	Judged: "The answer says Bearer or DPoP, in any letter case, and the token is sent with that scheme; a token that is bound to a key is never sent as Bearer.",
	Cause:  "", Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Have the server send token_type: without it a client must not use the token."),
		check.Neutral("Let the client compare token_type without regard to case, and send the scheme that it names."),
	},
	References: []string{"RFC 6749 section 5.1", "RFC 6749 section 7.1", "RFC 6750 section 2.1", "RFC 9449 section 7.1"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedTokenResponse) && !t.Has(check.NeedAPIRequest) {
			return []check.Verdict{check.Unknown(check.NeedTokenResponse, "")}
		}
		var all verdicts
		for i, c := range t.TokenCalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if r := c.Response; r != nil && r.Error == nil && r.AccessToken != "" {
				all.add(answeredType(t, r).Of(clientOfCall(c)))
			}
		}
		for _, c := range t.AuthCalls {
			if r := c.Response; r != nil && r.AccessToken != "" {
				all.add(answeredType(t, &check.TokenResponse{Place: cmp.Or(c.ResponsePlace, c.Place), TokenType: r.Params.Get("token_type")}))
			}
		}
		for i, c := range t.APICalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			all.add(sentType(t, c))
		}
		return all.or(check.Unknown(check.NeedTokenResponse, "no answer with an access token is there, and no call that shows its scheme"))
	},
}

func answeredType(t *check.Target, r *check.TokenResponse) check.Verdict {
	p := usher.Proof{Place: r.Place, Quote: "token_type: " + show(r.TokenType), Expected: "Bearer or DPoP", Got: show(r.TokenType)}
	switch strings.ToLower(r.TokenType) {
	case "bearer", "dpop":
		p.Expected = ""
		return check.OK("The answer says how the token is to be sent.", p)
	case "bot", "user":
		if t.Provider != nil && t.Provider.Name == "slack" {
			p.Expected = ""
			return check.OK("Slack names whose token it is; it is sent as Bearer.", p)
		}
	case "n_a":
		return check.NotApplicable("what was issued is not to be sent to an API (token_type N_A)")
	case "":
		p.Quote, p.Got = "no token_type", "nothing"
		return check.Wrong("The answer has no token_type", "A client must not use a token of a kind that it does not know. Lax ones send it as Bearer and go wrong on the day when it is another.", p)
	}
	return check.Wrong(fmt.Sprintf("The answer has the token_type %s", show(r.TokenType)), "It names none of the ways in which a token can be sent that clients know.", p)
}

// sentType judges the scheme that a token is sent with.
func sentType(t *check.Target, c *check.APICall) check.Verdict {
	how := scheme(c.Exchange)
	sent := sentToken(c.Exchange)
	if how == "" || sent == "" || how == "basic" || how == "negotiate" {
		return check.Verdict{}
	}
	p := usher.Proof{Place: c.Place, Quote: "Authorization: " + token.Printable(how) + " ..."}
	told := ""
	for _, k := range t.TokenCalls {
		if k.Response != nil && k.Response.AccessToken.Reveal() == sent {
			told = strings.ToLower(k.Response.TokenType)
			break
		}
	}
	if c.Token != nil && c.Token.Parsed != nil && told == "" {
		if cnf, _ := c.Token.Claims["cnf"].(map[string]any); cnf["jkt"] != nil {
			told = "dpop"
		}
	}
	switch {
	case told == "dpop" && how == "bearer":
		p.Expected, p.Got = "Authorization: DPoP", "Authorization: Bearer"
		return check.Wrong("A token that is bound to a key is sent as Bearer", "An API that takes it so gives up what the binding is for: a thief needs no key.", p).As(usher.SeverityHigh)
	case told == "bearer" && how != "bearer":
		p.Expected, p.Got = "Authorization: Bearer", "Authorization: "+token.Printable(how)
		return check.Wrong(fmt.Sprintf("The answer says Bearer, the token is sent as %s", token.Printable(how)), "The API looks for another scheme and finds no token.", p)
	case told == "":
		return check.Verdict{}
	}
	return check.OK("The token is sent as its answer says.", p)
}

var headerForm = &check.Check{
	ID: "token-header-form", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The Authorization header is well formed",
	Judged: "A scheme, one blank, and the token: no second scheme, quotes, line ends, placeholders, and the token is whole.",
	Needs:  []check.Need{check.NeedAPIRequest}, Cause: "token-malformed", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Mend the caller: Authorization: Bearer, one blank, the token as it came, nothing else."),
		check.Neutral("Where the token was cut, raise the proxy's limit for headers, or make the token smaller."),
	},
	References: []string{"RFC 6750 section 2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, c := range t.APICalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if c.Exchange == nil {
				continue
			}
			for _, h := range c.Exchange.Request.Values("Authorization") {
				all.add(judgeHeader(c.Place, h, c.Exchange.Status != 0))
			}
		}
		return all.or(check.NotApplicable("no call has an Authorization header"))
	},
}

// judgeHeader judges one Authorization header. That a call was answered tells
// that it was sent as it stands there, which a command may not have been.
func judgeHeader(place, h string, answered bool) check.Verdict {
	wrong := func(title, expected, got string) check.Verdict {
		return check.Wrong(title, "The API finds no token that it could read, and answers 400 or 401.",
			usher.Proof{Place: place, Quote: "Authorization: " + got, Expected: expected, Got: got})
	}
	how, rest, found := strings.Cut(h, " ")
	const whole = "Bearer, one blank, the token"
	switch low := strings.ToLower(how); {
	case h == "" || strings.TrimSpace(h) == "":
		return wrong("The Authorization header is empty", whole, "nothing")
	case low == "basic" || low == "negotiate" || low == "digest" || low == "ntlm" || strings.HasPrefix(low, "aws4"):
		return check.Verdict{}
	case !found && (strings.HasPrefix(h, "eyJ") || strings.Count(h, ".") == 2):
		return wrong("The Authorization header holds the token without a scheme", whole, "a token alone")
	case strings.HasPrefix(low, "bearer:") || strings.HasPrefix(low, "dpop:") || strings.HasPrefix(low, "bearer="):
		return wrong("There is a colon or an equals sign behind the scheme", whole, token.Printable(how[:strings.IndexAny(how, ":=")+1])+"...")
	case low != "bearer" && low != "dpop" && low != "token":
		return check.Verdict{} // a scheme of its own
	case !found || strings.TrimSpace(rest) == "":
		return wrong("The Authorization header has a scheme and no token", whole, token.Printable(how))
	}
	return judgeSent(how, rest, answered, wrong, place)
}

// judgeSent judges what stands behind the scheme.
func judgeSent(how, rest string, answered bool, wrong func(title, expected, got string) check.Verdict, place string) check.Verdict {
	got := token.Printable(how) + " ..."
	first, _, several := strings.Cut(strings.TrimSpace(rest), " ")
	trimmed := strings.TrimSpace(rest)
	switch low := strings.ToLower(first); {
	case strings.ContainsAny(rest, "\r\n") || strings.Contains(rest, "%0A") || strings.Contains(rest, "%0a") || strings.Contains(rest, `\n`):
		return wrong("There is a line end in the Authorization header", "no line end", got+" with a line end")
	case low == "bearer" || low == "dpop":
		return wrong("The scheme stands twice in the Authorization header", "the scheme once", token.Printable(how+" "+first)+" ...")
	case masked(trimmed):
		return check.Unknown(check.NeedAPIRequest, "the token was masked where the call was recorded")
	case variable(trimmed) && !answered:
		return check.Unknown(check.NeedAPIRequest, "a variable stands in place of the token in the call that was given")
	case placeholder(low) || variable(trimmed):
		return wrong(fmt.Sprintf("The Authorization header says %s in place of a token", show(first)), "a token", token.Printable(how+" "+first))
	case strings.ContainsAny(trimmed[:1], `"'<{`+"`") || strings.ContainsAny(trimmed[len(trimmed)-1:], `"'>,;`+"`"):
		return wrong("The token in the Authorization header has quotes or other marks around it", "the token alone", got+" in quotes")
	case several:
		return wrong("There are blanks within the token in the Authorization header", "one blank, before the token", got+" with blanks")
	case strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "\t"):
		return wrong("There is more than one blank between scheme and token", "one blank", got)
	case strings.HasPrefix(trimmed, "eyJ") && strings.Count(trimmed, ".") != 2 && strings.Count(trimmed, ".") != 4:
		return wrong(fmt.Sprintf("The token in the Authorization header is cut off after %d characters", len(trimmed)), "three parts with dots between", fmt.Sprintf("%d parts", strings.Count(trimmed, ".")+1))
	case strings.HasSuffix(trimmed, "..") || strings.HasSuffix(trimmed, "…"):
		return check.Unknown(check.NeedAPIRequest, "the token was shortened where the call was recorded")
	case !token68(trimmed):
		return wrong("The token in the Authorization header has characters that no token has", "letters, digits and - . _ ~ + /", got)
	}
	return check.OK("A scheme, a blank and a token.", usher.Proof{Place: place, Quote: "Authorization: " + got})
}

// variable tells whether a command or a text was written with a name in place of
// the token: $TOKEN of a shell, <token> of a manual.
func variable(s string) bool {
	if s[0] == '<' && s[len(s)-1] == '>' {
		return true
	}
	name, shell := strings.CutPrefix(s, "$")
	name = strings.TrimSuffix(strings.TrimPrefix(name, "{"), "}")
	return shell && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func placeholder(s string) bool {
	switch s {
	case "undefined", "null", "none", "nil", "nan", "[object", "true", "false", "token", "access_token", "{token}", "{{token}}", "your_token", "your-token":
		return true
	}
	return false
}

// masked tells whether a recorder took the token out.
func masked(s string) bool {
	low := strings.ToLower(s)
	return strings.Contains(s, "[secret") || strings.Contains(s, "***") || strings.Contains(s, "xxxx") || strings.Contains(low, "redacted") || strings.Contains(low, "masked") || strings.Contains(low, "removed")
}

// token68 tells whether s is in the alphabet of RFC 6750 section 2.1.
func token68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/:!|", c) >= 0) {
			return false
		}
	}
	return s != ""
}

var multipleTransport = &check.Check{
	ID: "token-multiple-transport", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A token is sent in one way only",
	Judged: "A call has its token in the Authorization header, or in the form, or in the query, never in two of them, and one header only.",
	Needs:  []check.Need{check.NeedAPIRequest}, Cause: "request-malformed", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Send the token in the Authorization header, once."),
		check.Tightening("Take access_token out of queries, where logs and caches keep it."),
	},
	References: []string{"RFC 6750 section 2"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, c := range t.APICalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if c.Exchange == nil || c.Exchange.Method == "" {
				continue
			}
			ways := waysOf(c.Exchange)
			p := usher.Proof{Place: c.Place, Quote: strings.Join(ways, " and "), Expected: "one of them", Got: fmt.Sprintf("%d", len(ways))}
			switch {
			case len(ways) > 1:
				all.add(check.Wrong("The token is sent "+strings.Join(ways, " and "), "Such a request is malformed; servers that take it may look at one token and log another.", p))
			case len(ways) == 1:
				p.Expected, p.Got = "", ""
				all.add(check.OK("The token is sent once.", p))
			}
		}
		return all.or(check.NotApplicable("no call has a token"))
	},
}

// waysOf lists where a call has a token.
func waysOf(x *evidence.Exchange) []string {
	var ways []string
	for range x.Request.Values("Authorization") {
		if s := scheme(x); s == "bearer" || s == "dpop" {
			ways = append(ways, "in a header")
		}
	}
	if u, err := url.Parse(x.URL); err == nil && u.Query().Has("access_token") {
		ways = append(ways, "in the query")
	}
	if strings.HasPrefix(strings.ToLower(x.Request.Get("Content-Type")), "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(x.RequestBody); err == nil && form.Has("access_token") {
			ways = append(ways, "in the form")
		}
	}
	return ways
}
