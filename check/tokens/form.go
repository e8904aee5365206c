package tokens

import (
	"fmt"
	"strings"

	"usher"
	"usher/check"
	"usher/token"
)

var wellFormed = &check.Check{
	ID: "token-well-formed", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The token can be read as what it is taken for",
	Judged: "A JWT has three base64url parts without padding, a header and claims that are JSON in UTF-8, and each member once. A token that is no JWT is opaque.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-malformed", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Pass the token on byte for byte as it came: whole, unpadded, in base64url."),
		check.Neutral("Give an opaque token to the introspection endpoint, not to a JWT library."),
	},
	References: []string{"RFC 7515 section 7.1", "RFC 7519 section 7.2", "RFC 8725 section 3.7"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, every, func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict {
			p := tok.Parsed
			switch {
			case r != nil:
				p = r.Parsed // read as strictly as it is sent
			case p.Form == token.FormJWE:
				return check.NotApplicable("the token is encrypted, and only its header is there")
			case p.Form != token.FormOpaque:
				return check.Unknown(check.NeedToken, "only the content of the token is there, not the token itself")
			}
			switch p.Form {
			case token.FormOpaque:
				if kind == token.TypeAccess || kind == token.TypeAny {
					return check.NotApplicable("the access token is opaque: it belongs to introspection, not to a JWT library")
				}
				return check.Wrong(fmt.Sprintf("The %s is no JWT", called(kind)), sentence(p.Why), usher.Proof{Place: tok.Place, Quote: "an opaque token", Expected: "a JWT", Got: "an opaque token"})
			case token.FormJWE:
				return check.OK("The token is encrypted and has its five parts; what is in it only its reader can tell.", usher.Proof{Place: tok.Place, Quote: p.Describe()})
			case token.FormMissing:
				return check.Wrong("There is no token: the value is empty", "An empty token was sent or kept.", usher.Proof{Place: tok.Place, Quote: "an empty value", Expected: "a token", Got: "nothing"})
			}
			var found []usher.Proof
			title, detail := "", ""
			for i := range p.Problems {
				if q := &p.Problems[i]; !q.Weakness {
					if title == "" {
						title, detail = "The token is malformed: "+lower(q.Text), q.Text
					}
					if len(found) < maxProofs {
						found = append(found, proof(tok, q))
					}
				}
			}
			if title != "" {
				return check.Wrong(title, detail, found...)
			}
			if p.Form == token.FormJSON {
				return check.Wrong("The token is in JSON form; a JWT has the compact form", "Only the compact form with dots is a JWT.", usher.Proof{Place: tok.Place, Quote: p.Describe(), Expected: "three parts with dots between", Got: "a JSON object"})
			}
			return check.OK("Three parts, a JSON header and JSON claims.", usher.Proof{Place: tok.Place, Quote: p.Describe()})
		})
	},
}

var kindFits = &check.Check{
	ID: "token-typ", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The kind of token fits the place where it is used",
	Judged: "Access tokens go to APIs, ID tokens stay at the client, and logout tokens, DPoP proofs and security events are never taken for either: by the typ of the header, and by the claims that only one kind has.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-wrong-type", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Send the access token to APIs, and keep the ID token at the client that asked for it."),
		check.Tightening("Let each reader accept one value of typ only (at+jwt, logout+jwt, dpop+jwt) where the issuer sets it."),
	},
	References: []string{"RFC 9068 section 4", "RFC 8725 section 3.11", "RFC 8725 section 3.12"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, every, func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict {
			if tok.Type == token.TypeAny {
				return check.Unknown(check.NeedAPIRequest, "nothing tells where the token is used")
			}
			if _, ok := readable(tok); !ok && tok.Header == nil {
				return check.NotApplicable("the token cannot be read here")
			}
			claimed := check.ClaimedKind(tok.Parsed)
			if typ := mediaType(tok.Typ); crossing(kind, typ) {
				return check.Wrong(fmt.Sprintf("What is used as %s has the typ %q", withArticle(kind), token.Printable(tok.Typ)),
					"The header says that this is another kind of token; whoever accepts it here can be given it by somebody who got it for another purpose.", headerProof(tok, "typ", fitting(kind)))
			}
			if claimed != token.TypeAny && claimed != kind && sure(tok, claimed) {
				return check.Wrong(fmt.Sprintf("What is used as %s is %s", withArticle(kind), withArticle(claimed)),
					"Its claims are those of the other kind.", usher.Proof{Place: tok.Place, Quote: tok.Describe(), Expected: withArticle(kind), Got: withArticle(claimed)})
			}
			if claimed == token.TypeAny && tok.Typ == "" {
				return check.Unknown(check.NeedNothing, "nothing in the token says which kind it is")
			}
			return check.OK(fmt.Sprintf("It is used as %s, and nothing in it says otherwise.", withArticle(kind)), usher.Proof{Place: tok.Place, Quote: tok.Describe()})
		})
	},
}

// crossing tells whether typ says that the token is of another kind.
func crossing(kind token.Type, typ string) bool {
	switch typ {
	case "", "jwt":
		return kind == token.TypeDPoP
	case "at+jwt":
		return kind != token.TypeAccess
	case "logout+jwt":
		return kind != token.TypeLogout
	case "dpop+jwt":
		return kind != token.TypeDPoP
	case "client-authentication+jwt":
		return kind != token.TypeAssertion
	case "secevent+jwt", "token-introspection+jwt", "oauth-authz-req+jwt", "entity-statement+jwt":
		return true
	}
	return false
}

func fitting(kind token.Type) string {
	switch kind {
	case token.TypeAccess:
		return `"at+jwt"`
	case token.TypeLogout:
		return `"logout+jwt"`
	case token.TypeDPoP:
		return `"dpop+jwt"`
	}
	return `"JWT" or nothing`
}

// sure tells whether the claims leave no doubt about the kind that they are of.
func sure(tok *check.Token, kind token.Type) bool {
	has := func(name string) bool { _, there := tok.Claims[name]; return there }
	switch kind {
	case token.TypeID:
		return text(tok, "token_use") == "id" || text(tok, "typ") == "ID" || has("at_hash") || has("c_hash")
	case token.TypeAccess:
		return text(tok, "token_use") == "access" || text(tok, "typ") == "Bearer" || has("scp")
	case token.TypeLogout:
		events, _ := tok.Claims["events"].(map[string]any)
		return events["http://schemas.openid.net/event/backchannel-logout"] != nil
	case token.TypeDPoP, check.KindRefresh:
		return true
	}
	return false
}

var idAsAccess = &check.Check{
	ID: "token-id-as-access", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "No ID token is used as an access token",
	Judged: "A token that is sent to an API must not be an ID token: issued to the client itself (aud is the client id), with nonce, at_hash or a mark of its provider.",
	Needs:  []check.Need{check.NeedAPIRequest, check.NeedToken}, Cause: "token-wrong-type", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Send access_token of the token answer in the Authorization header, not id_token."),
		check.Neutral("If there is no access token for this API, ask for one with the API's scope or resource."),
	},
	References: []string{"RFC 8725 section 3.12", "OpenID Connect Core section 2"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		var seen []*check.Token
		for _, c := range t.APICalls {
			tok := c.Token
			if tok == nil || tok.Parsed == nil || twice(seen, tok) || len(seen) == maxTokens {
				continue
			}
			seen = append(seen, tok)
			all.add(sentIDToken(t, c, tok))
		}
		return all.or(check.Unknown(check.NeedAPIRequest, "no call shows the token that it is made with"))
	},
}

func sentIDToken(t *check.Target, c *check.APICall, tok *check.Token) check.Verdict {
	if tok.Claims == nil {
		return check.OK("The token that is sent is no JWT that can be read, so it is no ID token.", usher.Proof{Place: c.Place, Quote: tok.Describe()})
	}
	sign := ""
	for _, name := range [...]string{"at_hash", "c_hash", "nonce"} {
		if _, there := tok.Claims[name]; there && sign == "" {
			sign = name
		}
	}
	aud := list(tok.Claims["aud"])
	client := clientOf(tok, token.TypeAny)
	if client == "" {
		client = t.SoleClient()
	}
	forClient := len(aud) == 1 && client != "" && aud[0] == client
	given := text(tok, "token_use") == "id" || text(tok, "typ") == "ID" || sameAsID(t, tok)
	marked := mediaType(tok.Typ) == "at+jwt" || len(scopes(tok)) > 0 || text(tok, "token_use") == "access" || text(tok, "typ") == "Bearer"
	if given || forClient && sign != "" && !marked {
		p := []usher.Proof{{Place: c.Place, Quote: "Authorization: " + tok.Describe(), Expected: "an access token", Got: "an ID token"}}
		if sign != "" {
			p = append(p, usher.Proof{Place: at(tok.Place, "claims."+sign), Quote: sign + " is there", Got: "a claim of ID tokens"})
		}
		p = append(p, claim(tok, "aud", "the API"))
		return check.Wrong("The app sends its ID token to the API", "An ID token tells the client who signed in; it says nothing of what the client may do at an API, and any client's ID token would pass at an API that takes it.", p...).Of(client)
	}
	return check.OK("What is sent to the API is no ID token.", usher.Proof{Place: c.Place, Quote: tok.Describe()}).Of(client)
}

// sameAsID tells whether the token came as the ID token of an answer.
func sameAsID(t *check.Target, tok *check.Token) bool {
	if tok.Raw == "" {
		return false
	}
	for _, c := range t.TokenCalls {
		if c.Response != nil && c.Response.IDToken == tok.Raw && c.Response.AccessToken != tok.Raw {
			return true
		}
	}
	for _, c := range t.AuthCalls {
		if c.Response != nil && c.Response.IDToken == tok.Raw {
			return true
		}
	}
	return false
}

var critical = &check.Check{
	ID: "token-crit", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "What the token marks as critical is understood",
	Judged: "crit, where it is there, is a list that is not empty, of members that are in the header and that the reader knows; one unknown name is a reason to refuse.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-malformed", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Refuse the token. Ask the issuer which extension it means, and teach it to the reader before it is accepted.")},
	References: []string{"RFC 7515 section 4.1.11"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, every, func(tok *check.Token, _ token.Type, r *token.Report) check.Verdict {
			if tok.Header == nil {
				return check.NotApplicable("the token has no header that can be read")
			}
			if r == nil {
				return check.Unknown(check.NeedToken, "")
			}
			for i := range r.Problems {
				if p := &r.Problems[i]; p.Place == "header.crit" {
					return check.Wrong("The token demands what is not understood: "+lower(p.Text), "A reader that goes on regardless skips a rule that the issuer made a condition.", proof(tok, p))
				}
			}
			return check.OK("Nothing is marked as critical.", usher.Proof{Place: at(tok.Place, "header"), Quote: "no crit"})
		})
	},
}

var size = &check.Check{
	ID: "token-size", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The token fits into headers",
	Judged: "A token of more than 8 KiB is refused by many servers (400 or 431), one of more than 4 KiB will be with a cookie beside it. Groups that did not fit are named.",
	Needs:  []check.Need{check.NeedToken}, Step: usher.StepAPICall, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Cut the claims that the API does not read; send only the groups that are assigned to the application, or roles in their place."),
		check.Neutral("Let the API fetch groups from the provider when it needs them."),
	},
	References: []string{"RFC 9110 section 5.4"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, kinds{token.TypeAccess, token.TypeAny, token.TypeID, token.TypeDPoP}, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			n := tok.Size
			if n == 0 {
				return check.Unknown(check.NeedToken, "the length of the token is not known")
			}
			p := usher.Proof{Place: tok.Place, Quote: fmt.Sprintf("%d bytes", n), Expected: "at most 4096 bytes", Got: fmt.Sprintf("%d bytes", n)}
			proofs := []usher.Proof{p}
			why := ""
			if groups := list(tok.Claims["groups"]); len(groups) >= 20 {
				why = fmt.Sprintf(" It holds %d groups.", len(groups))
				proofs = append(proofs, usher.Proof{Place: at(tok.Place, "claims.groups"), Quote: fmt.Sprintf("groups: a list of %d", len(groups))})
			}
			switch {
			case n > 8<<10:
				return check.Wrong(fmt.Sprintf("The token has %d bytes: too large for the headers of many servers", n),
					"nginx, Apache and Tomcat stop at 8 KiB for a header, and answer 400, 414 or 431 with no word of the token."+why, proofs...)
			case n > 4<<10 && kind != token.TypeID:
				return check.Wrong(fmt.Sprintf("The token has %d bytes, more than half of what many servers take as header", n),
					"It passes today; with a large cookie, or a few groups more, requests fail with 400 or 431."+why, proofs...).As(usher.SeverityLow)
			case overage(tok):
				return check.Wrong("The groups did not fit into the token", "The person is in more groups than the provider puts into a token, so that the token points elsewhere instead (overage). An API that reads groups from the token sees none for this person.",
					usher.Proof{Place: at(tok.Place, "claims._claim_names"), Quote: "_claim_names: groups", Expected: "groups", Got: "a pointer to groups"}).As(usher.SeverityLow).
					Do("Send only groups assigned to the application, or use app roles.", "Where the overage is there, let the API ask Microsoft Graph for the groups (getMemberObjects).")
			}
			return check.OK(fmt.Sprintf("The token has %d bytes.", n), usher.Proof{Place: tok.Place, Quote: p.Quote})
		})
	},
}

// overage tells whether Entra left the groups out of a token.
func overage(tok *check.Token) bool {
	names, _ := tok.Claims["_claim_names"].(map[string]any)
	_, pointed := names["groups"]
	return pointed || tok.Claims["hasgroups"] == true || tok.Claims["hasgroups"] == "true"
}

// mediaType brings typ to the form in which it compares, RFC 7515 section 4.1.9.
func mediaType(s string) string { return strings.TrimPrefix(strings.ToLower(s), "application/") }
