package tokens

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/token"
)

var nonce = &check.Check{
	ID: "token-nonce", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The nonce of the ID token is that of the request",
	Judged: "nonce equals what the authorization request sent; an ID token that has one without being asked belongs to another sign-in.",
	Needs:  []check.Need{check.NeedToken}, Cause: "nonce-mismatch", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Start the sign-in again. Keep the nonce in the same session as state, one for each sign-in that was begun, until its answer is in."),
		check.Neutral("If it happens often, look whether the session cookie survives the way to the provider and back (SameSite, host, several servers)."),
	},
	References: []string{"OpenID Connect Core section 3.1.3.7"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, kinds{token.TypeID}, func(tok *check.Token, _ token.Type, r *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			_, there := tok.Claims["nonce"]
			call := seenRequest(t.SignInOf(tok))
			if call == nil {
				return check.Unknown(check.NeedAuthRequest, "")
			}
			asked := call.Request
			sent := usher.Proof{Place: call.Place, Quote: "nonce: " + show(asked.Nonce)}
			switch {
			case asked.Nonce == "" && (asked.RequestURI != "" || asked.Params.Get("request") != ""):
				return check.Unknown(check.NeedAuthRequest, "the request is in a request object that cannot be read here")
			case asked.Nonce == "" && !there:
				return check.NotApplicable("no nonce was sent, and none came back")
			case asked.Nonce == "":
				return check.Wrong("The ID token has a nonce, but the request sent none", "It was issued for another sign-in.", usher.Proof{Place: call.Place, Quote: "no nonce"}, claim(tok, "nonce", "nothing"))
			case text(tok, "nonce") == asked.Nonce:
				return check.OK("The nonce is that of the request.", sent, claim(tok, "nonce", ""))
			case !there && tok.Call != nil && tok.Call.Request != nil && tok.Call.Request.GrantType == oauth.GrantRefreshToken:
				return check.NotApplicable("an ID token of a refresh may leave the nonce out")
			case !there:
				return check.Wrong("A nonce was sent, but the ID token holds none", "Nothing ties the token to this sign-in: it may be one that was stolen elsewhere.", sent, claim(tok, "nonce", show(asked.Nonce)))
			}
			detail := "The session that began the sign-in was lost, the sign-in was begun twice, or somebody replays a token."
			if p := defect(r, token.CodeNonce); p != nil {
				detail = p.Text
			}
			return check.Wrong("The nonce of the ID token is not that of the request", detail, sent, claim(tok, "nonce", show(asked.Nonce)))
		})
	},
}

// seenRequest gives a sign-in whose request was seen whole. Of one that the
// operator told of (--client-id), what is absent says nothing.
func seenRequest(call *check.AuthCall) *check.AuthCall {
	if call == nil || call.Request == nil || call.Partial {
		return nil
	}
	return call
}

var hashes = &check.Check{
	ID: "token-hashes", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "at_hash and c_hash fit what came with the ID token",
	Judged: "Each is the left half of the hash, as alg says, of the access token and of the code; in an answer of the authorization endpoint that holds these it must be there.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-signature-invalid", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Refuse the answer: the ID token and what came with it are not of one sign-in."),
		check.Neutral("Keep the tokens of one answer together; do not join an ID token with the access token of a later refresh."),
	},
	References: []string{"OpenID Connect Core section 3.1.3.6", "OpenID Connect Core section 3.3.2.11"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, kinds{token.TypeID}, func(tok *check.Token, _ token.Type, r *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			if p := defect(r, token.CodeHash); p != nil {
				return check.Wrong(fmt.Sprintf("%s of the ID token does not fit", name(p.Place)), p.Text, proof(tok, p))
			}
			expect := t.ExpectOf(tok)
			fits, open := "", ""
			for _, h := range [...]struct {
				name, what string
				value      usher.Secret
			}{{"at_hash", "access token", expect.AccessToken}, {"c_hash", "code", expect.Code}} {
				_, there := tok.Claims[h.name]
				if c := looked(r, h.name); c != nil && c.Outcome == usher.OutcomeOK {
					fits = h.name
				} else if there {
					open = h.name
				}
				if front := t.SignInOf(tok); !there && h.value != "" && front != nil && front.Response != nil && front.Response.IDToken == tok.Raw && tok.Raw != "" {
					return check.Wrong(fmt.Sprintf("The ID token comes with %s and has no %s", articled(h.what), h.name), "Whoever can change the address that the browser comes back to can put in another one.",
						usher.Proof{Place: at(tok.Place, "claims"), Quote: "no " + h.name, Expected: h.name, Got: "nothing"})
				}
			}
			switch {
			case open != "":
				need := check.NeedTokenResponse
				if open == "c_hash" {
					need = check.NeedAuthResponse
				}
				return check.Unknown(need, "", usher.Proof{Place: at(tok.Place, "claims."+open), Quote: open + " is there"})
			case fits != "":
				return check.OK(fits+" fits.", usher.Proof{Place: at(tok.Place, "claims."+fits), Quote: fits + " is there"})
			}
			return check.NotApplicable("the ID token has neither at_hash nor c_hash, and needs none as it came from the token endpoint")
		})
	},
}

func articled(what string) string {
	if strings.HasPrefix(what, "a") {
		return "an " + what
	}
	return "a " + what
}

var authTime = &check.Check{
	ID: "token-auth-time", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The sign-in is fresh and strong enough",
	Judged: "auth_time keeps to the max_age of the request, acr to what it demanded, and no API asks for more (insufficient_user_authentication).",
	Step:   usher.StepValidation, Cause: "step-up-required", Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Send the person to sign in again, with the acr_values and max_age that the API named."),
		check.Neutral("Where the answer was not fresh although max_age was sent: let the client check auth_time, and the provider honour max_age."),
	},
	References: []string{"OpenID Connect Core section 3.1.3.7", "RFC 9470 section 3"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedToken) && !t.Has(check.NeedAPIResponse) {
			return []check.Verdict{check.Unknown(check.NeedToken, "")}
		}
		var all verdicts
		asks := 0
		for _, c := range t.APICalls {
			if ch := stepUp(c); ch != nil && asks < maxWrong {
				asks++
				all.add(asksForMore(t, c, ch))
			}
		}
		for _, v := range each(t, kinds{token.TypeID}, func(tok *check.Token, _ token.Type, r *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			expect := t.ExpectOf(tok)
			if expect.MaxAge == 0 && len(expect.ACR) == 0 {
				if seenRequest(t.SignInOf(tok)) == nil {
					return check.Unknown(check.NeedAuthRequest, "")
				}
				return check.NotApplicable("the request asked for no max_age, and for no acr as essential")
			}
			if r == nil {
				return check.Unknown(check.NeedToken, "")
			}
			for i := range r.Problems {
				if p := &r.Problems[i]; p.Code == token.CodeStaleAuth || p.Code == token.CodeACR || p.Place == "claims.auth_time" {
					return check.Wrong("The sign-in is not what was asked for: "+lower(p.Text), "A client that takes it all the same gets no more assurance than without asking.", proof(tok, p)).Because(causeOfAge(p))
				}
			}
			return check.OK("auth_time and acr are as the request demanded.", claim(tok, "auth_time", ""))
		}) {
			all.add(v)
		}
		return all.or(check.NotApplicable("no ID token is there, and no API asks for more"))
	},
}

func causeOfAge(p *token.Problem) string {
	if p.Code == token.CodeACR {
		return "step-up-required"
	}
	return "reauth-required"
}

// stepUp gives the challenge of an answer that asks for a better sign-in, RFC 9470.
func stepUp(c *check.APICall) *oauth.Challenge {
	for i := range c.Challenges {
		if ch := &c.Challenges[i]; ch.Params["error"] == oauth.ErrInsufficientUserAuth {
			return ch
		}
	}
	return nil
}

func asksForMore(t *check.Target, c *check.APICall, ch *oauth.Challenge) check.Verdict {
	acr, age := ch.Params["acr_values"], ch.Params["max_age"]
	var asks []string
	if acr != "" {
		asks = append(asks, "acr_values="+token.Printable(acr))
	}
	if age != "" {
		asks = append(asks, "max_age="+token.Printable(age))
	}
	p := usher.Proof{Place: c.Place, Quote: "WWW-Authenticate: " + ch.Scheme + " error=\"insufficient_user_authentication\" " + strings.Join(asks, " ")}
	for i, a := range t.AuthCalls {
		if i == maxCalls {
			break
		}
		if a.Request == nil || !after(a.Time, c.Time) {
			continue
		}
		if (acr == "" || shares(a.Request.ACRValues, acr) || shares(strings.Join(essential(a.Request.Claims), " "), acr)) && (age == "" || atMost(a.Request.MaxAge, age)) {
			return check.OK("The API asked for a better sign-in, and the next request asks the provider for it.", p, usher.Proof{Place: a.Place, Quote: "acr_values: " + show(a.Request.ACRValues)})
		}
	}
	what := "a fresher or stronger sign-in"
	if len(asks) > 0 {
		what = strings.Join(asks, " and ")
		p.Expected = "an authorization request with " + what
	}
	p.Got = "none that follows"
	return check.Wrong("The API asks for a better sign-in: "+what, "The token is in order, but was got with too weak or too old a sign-in for this call. Trying again with the same token, or refreshing it, does not help.", p)
}

func essential(claims string) []string {
	var asked struct {
		IDToken struct {
			ACR struct {
				Values []string `json:"values"`
			} `json:"acr"`
		} `json:"id_token"`
	}
	if len(claims) == 0 || len(claims) > 16<<10 || json.Unmarshal([]byte(claims), &asked) != nil {
		return nil
	}
	return asked.IDToken.ACR.Values
}

// shares tells whether two lists with blanks between have a word in common.
func shares(a, b string) bool {
	want := strings.Fields(b)
	return slices.ContainsFunc(strings.Fields(a), func(s string) bool { return slices.Contains(want, s) })
}

func atMost(got, limit string) bool {
	g, err1 := strconv.Atoi(got)
	l, err2 := strconv.Atoi(limit)
	return err1 == nil && err2 == nil && g <= l
}

// after tells whether a did not happen before b; where a time is not known, it may have.
func after(a, b time.Time) bool { return a.IsZero() || b.IsZero() || !a.Before(b) }

var stepUpLoop = &check.Check{
	ID: "token-step-up-loop", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Stepping up comes to an end",
	Judged: "An API does not answer a new token with the challenge that the old one got.",
	Needs:  []check.Need{check.NeedAPIResponse}, Cause: "step-up-required", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Let the provider write the acr that the API asks for into the access token, or the API ask for one that the provider writes."),
		check.Neutral("Let the client step up once for a call, and then show the refusal."),
	},
	References: []string{"RFC 9470 section 4"},
	Judge: func(t *check.Target) []check.Verdict {
		type asked struct {
			url, what string
			call      *check.APICall
		}
		var seen []asked
		var all verdicts
		for i, c := range t.APICalls {
			if i == maxCalls || len(seen) == maxTokens {
				break
			}
			ch := stepUp(c)
			if ch == nil && c.Exchange != nil {
				ch = lacksScope(c)
			}
			if ch == nil || c.Exchange == nil {
				continue
			}
			now := asked{endpoint(c.Exchange.URL), ch.Params["acr_values"] + " " + ch.Params["max_age"] + " " + ch.Params["scope"], c}
			for _, s := range seen {
				if s.url != now.url || s.what != now.what {
					continue
				}
				if sentToken(c.Exchange) == "" || masked(sentToken(c.Exchange)) {
					all.add(check.Unknown(check.NeedAPIRequest, "the same challenge came twice; whether to the same token, the calls do not show", usher.Proof{Place: c.Place, Quote: challengeText(ch)}))
					break
				}
				if differs(s.call, c) {
					v := check.Wrong("The API asks a new token for the same as the old one: "+token.Printable(strings.TrimSpace(now.what)),
						"The step-up changed nothing that the API looks at, so that a client that does as it is told goes round for ever.",
						usher.Proof{Place: s.call.Place, Quote: challengeText(ch)}, usher.Proof{Place: c.Place, Quote: challengeText(ch), Expected: "another answer than before", Got: "the same"})
					if c.Token != nil && c.Token.Parsed != nil && c.Token.Claims != nil {
						v.Proof = append(v.Proof, claim(c.Token, "acr", ch.Params["acr_values"]))
					}
					all.add(v)
					break
				}
			}
			seen = append(seen, now)
		}
		if len(seen) == 0 {
			return []check.Verdict{check.NotApplicable("no API asked for a better sign-in or for more scopes")}
		}
		return all.or(check.OK("No challenge was repeated to a new token.", usher.Proof{Place: seen[0].call.Place, Quote: "asked once"}))
	},
}

func lacksScope(c *check.APICall) *oauth.Challenge {
	for i := range c.Challenges {
		if ch := &c.Challenges[i]; ch.Params["error"] == oauth.ErrInsufficientScope {
			return ch
		}
	}
	return nil
}

// differs tells whether two calls were surely made with different tokens.
func differs(a, b *check.APICall) bool {
	x, y := sentToken(a.Exchange), sentToken(b.Exchange)
	return x != "" && y != "" && x != y
}

func challengeText(ch *oauth.Challenge) string {
	out := "WWW-Authenticate: " + token.Printable(ch.Scheme)
	for _, name := range [...]string{"error", "scope", "acr_values", "max_age"} {
		if v, there := ch.Params[name]; there {
			out += " " + name + "=" + strconv.Quote(token.Printable(v))
		}
	}
	return out
}

var userinfoSub = &check.Check{
	ID: "userinfo-sub", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "UserInfo speaks of the person of the ID token",
	Judged: "sub of the UserInfo answer equals sub of the ID token that came with its access token.",
	Needs:  []check.Need{check.NeedAPIResponse}, Cause: "", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Compare the two in the client, and throw the answer away when they differ."),
		check.Neutral("Ask UserInfo with the access token of the same answer as the ID token."),
	},
	References: []string{"OpenID Connect Core section 5.3.2"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, c := range t.APICalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if isUserinfo(t, c) && c.Exchange.Status == 200 {
				all.add(sameSubject(t, c))
			}
		}
		return all.or(check.Unknown(check.NeedAPIResponse, "no answer of the userinfo endpoint is there"))
	},
}

func isUserinfo(t *check.Target, c *check.APICall) bool {
	if c.Exchange == nil {
		return false
	}
	at := endpoint(c.Exchange.URL)
	for _, m := range t.Metadata {
		if m.Metadata != nil && m.UserinfoEndpoint != "" && m.UserinfoEndpoint == at {
			return true
		}
	}
	return strings.HasSuffix(strings.ToLower(at), "/userinfo")
}

func sameSubject(t *check.Target, c *check.APICall) check.Verdict {
	sub, why := subjectOf(c)
	p := usher.Proof{Place: c.Place, Quote: "sub: " + show(sub)}
	if why != "" {
		return check.Unknown(check.NeedAPIResponse, why)
	}
	if sub == "" {
		return check.Wrong("The UserInfo answer has no sub", "It cannot be told whom it speaks of.", usher.Proof{Place: c.Place, Quote: "no sub", Expected: "sub", Got: "nothing"})
	}
	id, several := idTokenFor(t, c)
	switch {
	case id == nil && several:
		return check.Unknown(check.NeedTokenResponse, "several people's ID tokens are there, and nothing tells which belongs to this answer", p)
	case id == nil:
		return check.Unknown(check.NeedToken, "there is no ID token to compare with", p)
	case text(id, "sub") != sub:
		p.Expected, p.Got = show(text(id, "sub")), show(sub)
		return check.Wrong("UserInfo and the ID token speak of two people", "Who takes the answer signs in one person with the data of another.", p, claim(id, "sub", ""))
	}
	return check.OK("Both speak of one person.", p)
}

// subjectOf gives sub of a UserInfo answer, plain or signed.
func subjectOf(c *check.APICall) (sub, why string) {
	body := strings.TrimSpace(c.Exchange.Body)
	if body == "" {
		return "", "the content of the UserInfo answer is not there"
	}
	if strings.HasPrefix(body, "eyJ") {
		parsed, err := token.Parse(body)
		if err != nil || parsed.Claims == nil {
			return "", "the UserInfo answer is encrypted or cannot be read"
		}
		sub, _ = parsed.Claims["sub"].(string)
		return sub, ""
	}
	var answer struct {
		Sub string `json:"sub"`
	}
	if json.Unmarshal([]byte(body), &answer) != nil && !strings.HasPrefix(body, "{") {
		return "", "the UserInfo answer is no JSON"
	}
	return answer.Sub, ""
}

// idTokenFor gives the ID token that came with the access token of a call, or
// the only one; several tells that there are more, of different people.
func idTokenFor(t *check.Target, c *check.APICall) (id *check.Token, several bool) {
	sent := sentToken(c.Exchange)
	for _, tok := range t.Tokens {
		if tok.Parsed == nil || t.Kind(tok) != token.TypeID || tok.Claims == nil {
			continue
		}
		if tok.Call != nil && tok.Call.Response != nil && sent != "" && tok.Call.Response.AccessToken.Reveal() == sent {
			return tok, false
		}
		if id != nil && text(id, "sub") != text(tok, "sub") {
			several = true
		}
		id = tok
	}
	if several {
		return nil, true
	}
	return id, false
}
