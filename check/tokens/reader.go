package tokens

import (
	"fmt"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/token"
)

var issuer = &check.Check{
	ID: "token-iss", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "The token is from the expected issuer",
	Judged: "iss is the expected issuer, character by character; where the issuer is a template, with the tenant of the token put in.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-wrong-issuer", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Configure the issuer exactly as the provider's metadata writes it, with or without its last slash."),
		check.Neutral("Entra: the API's manifest says which issuer its tokens have; requestedAccessTokenVersion 2 gives .../v2.0, null or 1 gives sts.windows.net."),
		check.Tightening("If the token is from another provider, tenant or environment, refuse it; do not add its issuer to make it pass."),
	},
	References: []string{"RFC 8725 section 3.8", "RFC 9068 section 4", "OpenID Connect Core section 3.1.3.7"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, readers, func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			if workload(t, tok) {
				return check.NotApplicable(ofWorkload)
			}
			want := t.ExpectOf(tok).Issuer
			iss, there := tok.Claims["iss"]
			if !there && kind == token.TypeAny {
				return check.Unknown(check.NeedNothing, "the token names no issuer, and nothing says what kind of token it is")
			}
			if q := defect(r, token.CodeIssuer); q != nil && (want == "" || iss == want) {
				return check.Wrong("The token is signed with a key that is published for another issuer", q.Text, proof(tok, q))
			}
			if want == "" {
				return check.Unknown(check.NeedIssuer, "", claim(tok, "iss", ""))
			}
			p := claim(tok, "iss", show(want))
			if !there {
				return check.Wrong(fmt.Sprintf("The %s does not say who issued it", called(kind)), "Without iss nothing tells it from a token of another provider.", p)
			}
			if iss == want {
				p.Expected = ""
				return check.OK("The issuer is the expected one.", p)
			}
			if forMicrosoft(tok) && sameTenant(text(tok, "iss"), want) {
				return check.NotApplicable("the token is for one of Microsoft's own APIs, whose issuer is that of version 1")
			}
			title := fmt.Sprintf("The %s is from %s, expected is %s", called(kind), show(iss), show(want))
			detail := "Whoever runs another issuer could sign in anybody."
			if q := defect(r, token.CodeIssuer); q != nil {
				detail = q.Text
			}
			if got, _ := iss.(string); isVersion1(got) && strings.Contains(want, "/v2.0") {
				return check.Wrong(title, "The same tenant, but the issuer of version 1 tokens, while that of version 2 is expected.", p).
					Do("Set requestedAccessTokenVersion (accessTokenAcceptedVersion) to 2 in the manifest of the API, or expect the issuer of version 1.")
			}
			return check.Wrong(title, detail, p)
		})
	},
}

const ofWorkload = "the token is of an outside issuer that the client trusts, see federated-credential-subject"

// workload tells whether a token is of an outside issuer, a pipeline or cluster,
// that a registration trusts to stand for its client: no token of the provider.
func workload(t *check.Target, tok *check.Token) bool {
	iss := text(tok, "iss")
	if iss == "" || iss == t.IssuerWanted() {
		return false
	}
	return slices.ContainsFunc(t.Registrations, func(r *evidence.Registration) bool {
		return r != nil && slices.ContainsFunc(r.Federated, func(f evidence.Federated) bool {
			return strings.TrimSuffix(f.Issuer, "/") == strings.TrimSuffix(iss, "/")
		})
	})
}

func isVersion1(iss string) bool { return strings.Contains(iss, "sts.windows.net") }

// sameTenant tells whether two of Entra's issuers are of one tenant.
func sameTenant(a, b string) bool { return tenantOf(a) != "" && tenantOf(a) == tenantOf(b) }

// tenantOf gives the tenant id within one of Entra's issuers.
func tenantOf(iss string) string {
	_, rest, _ := strings.Cut(iss, "://")
	parts := strings.Split(rest, "/")
	if len(parts) > 1 {
		return strings.ToLower(parts[1])
	}
	return ""
}

var audience = &check.Check{
	ID: "token-aud", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "The token is for this API or client",
	Judged: "aud holds one of the expected audiences exactly: that of the API for access tokens, the client id for ID tokens.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-wrong-audience", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Ask for the token with a scope, resource or audience parameter of this API."),
		check.Neutral("Expect the audience that the issuer writes for this API, if it is the API's own name in another form."),
	},
	References: []string{"RFC 7519 section 4.1.3", "RFC 8725 section 3.9", "RFC 9068 section 4"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, readers, func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			if workload(t, tok) {
				return check.NotApplicable(ofWorkload)
			}
			expect := t.ExpectOf(tok)
			want := expect.Audience
			if kind == token.TypeID {
				want = nil
				if expect.ClientID != "" {
					want = []string{expect.ClientID}
				}
			}
			got, there := tok.Claims["aud"]
			if !there && ofCognito(tok) {
				return check.NotApplicable("Cognito's access tokens have no aud: the API compares client_id, see token-azp")
			}
			if len(want) == 0 {
				return unknownAudience(t, tok, kind)
			}
			p := claim(tok, "aud", quoted(want))
			if !there {
				return check.Wrong(fmt.Sprintf("The %s does not say whom it is for", called(kind)), "Without aud any API of the issuer's must refuse it, and one that does not takes every token.", p)
			}
			if slices.ContainsFunc(list(got), func(a string) bool { return slices.Contains(want, a) }) {
				p.Expected = ""
				return check.OK("It is for the expected reader.", p)
			}
			detail := "It was asked for somebody else."
			if q := defect(r, token.CodeAudience); q != nil {
				detail = q.Text
			}
			return check.Wrong(fmt.Sprintf("The %s is for %s, not for %s", called(kind), show(got), quoted(want)), detail, p)
		})
	},
}

// ofCognito tells whether a token is an access token of Amazon Cognito.
func ofCognito(tok *check.Token) bool {
	return text(tok, "token_use") == "access" && strings.HasPrefix(text(tok, "iss"), "https://cognito-idp.")
}

// unknownAudience judges a token of which nobody said whom it should be for:
// where its API publishes a name for itself, that name in aud is in order.
func unknownAudience(t *check.Target, tok *check.Token, kind token.Type) check.Verdict {
	if kind == token.TypeID {
		return check.Unknown(check.NeedClient, "", claim(tok, "aud", ""))
	}
	aud := list(tok.Claims["aud"])
	for _, res := range t.Resources {
		if res.Resource == "" {
			continue
		}
		if slices.Contains(aud, res.Resource) {
			return check.OK("It is for the API, by the name that the API publishes.", claim(tok, "aud", ""))
		}
		if t.Profile != nil && t.Profile.Name == "mcp" && sentTo(t, tok, res.Resource) {
			return check.Wrong(fmt.Sprintf("The access token is for %s, not for %q", show(tok.Claims["aud"]), token.Printable(res.Resource)),
				"A server must refuse tokens that were not issued for it.", claim(tok, "aud", show(res.Resource)))
		}
	}
	return check.Unknown(check.NeedPolicy, "", claim(tok, "aud", ""))
}

// sentTo tells whether a token is sent to an address below a resource's.
func sentTo(t *check.Target, tok *check.Token, resource string) bool {
	return slices.ContainsFunc(t.APICalls, func(c *check.APICall) bool {
		return same(c.Token, tok) && c.Exchange != nil && strings.HasPrefix(c.Exchange.URL, strings.TrimSuffix(resource, "/"))
	})
}

var authorizedParty = &check.Check{
	ID: "token-azp", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The token was issued to an expected client",
	Judged: "azp, client_id or appid of an access token is on the operator's list of callers; that of an ID token is the client itself.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-wrong-audience", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("If the caller is known and meant to call, add its client id to the list (--expect, clients)."),
		check.Tightening("Otherwise let the API refuse tokens whose azp, client_id or appid is not on its list."),
	},
	References: []string{"OpenID Connect Core section 2", "RFC 9068 section 2.2"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, readers, func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			if kind == token.TypeID {
				if p := defect(r, token.CodeAuthorized); p != nil && isGoogle(text(tok, "iss")) {
					return check.NotApplicable("Google gives a mobile app tokens for its back end: azp is the app, aud the back end")
				} else if p != nil {
					return check.Wrong("The ID token was issued to another client: "+lower(p.Text), "A token that another client got must not sign anybody in here.", proof(tok, p))
				}
				if _, there := tok.Claims["azp"]; !there && len(list(tok.Claims["aud"])) < 2 {
					return check.NotApplicable("the ID token has one audience and no azp")
				}
				if t.ClientOf(tok) == "" || r == nil {
					return check.Unknown(check.NeedClient, "", claim(tok, "azp", ""))
				}
				return check.OK("It was issued to this client.", claim(tok, "azp", ""))
			}
			name := ""
			for _, n := range [...]string{"azp", "client_id", "appid", "cid"} {
				if text(tok, n) != "" {
					name = n
					break
				}
			}
			switch {
			case t.Expect == nil || len(t.Expect.Clients) == 0:
				return check.Unknown(check.NeedPolicy, "")
			case name == "":
				return check.Wrong("The access token does not say which client it was issued to", "The list of callers cannot be kept to.", usher.Proof{Place: at(tok.Place, "claims"), Quote: "no azp, client_id or appid", Expected: "one of " + quoted(t.Expect.Clients), Got: "nothing"})
			case slices.Contains(t.Expect.Clients, text(tok, name)):
				return check.OK("The caller is on your list.", claim(tok, name, ""))
			}
			return check.Wrong(fmt.Sprintf("The access token was issued to the client %s, which is not on your list", show(tok.Claims[name])), "Another application of the same provider calls the API.", claim(tok, name, "one of "+quoted(t.Expect.Clients)))
		})
	},
}

func isGoogle(iss string) bool {
	return iss == "https://accounts.google.com" || iss == "accounts.google.com"
}

var tenant = &check.Check{
	ID: "token-tenant", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The token is of a tenant that may sign in",
	Judged: "tid (Entra), org_id (Auth0), hd (Google) or the realm in the issuer is on the operator's list, and tid fits iss.",
	Needs:  []check.Need{check.NeedToken}, Cause: "tenant-unknown", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Let the application refuse tokens of tenants that are not on its list."),
		check.Weakening("Add the tenant to the list, once it is known who it is."),
	},
	References: []string{"RFC 8725 section 3.8", "https://learn.microsoft.com/entra/identity-platform/claims-validation"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, readers, func(tok *check.Token, _ token.Type, _ *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			name := ""
			for _, n := range [...]string{"tid", "org_id", "hd"} {
				if text(tok, n) != "" {
					name = n
					break
				}
			}
			iss := text(tok, "iss")
			if name == "tid" && (isVersion1(iss) || strings.Contains(iss, "login.microsoftonline.")) && tenantOf(iss) != strings.ToLower(text(tok, "tid")) {
				return check.Wrong(fmt.Sprintf("tid is %s, but the issuer is that of another tenant", show(tok.Claims["tid"])), "An issuer speaks for its own tenant only.", claim(tok, "tid", "the tenant in iss"), claim(tok, "iss", ""))
			}
			of := text(tok, name)
			p := claim(tok, name, "")
			if name == "" {
				if of = realmOf(iss); of == "" {
					return check.NotApplicable("nothing in the token names a tenant")
				}
				p = claim(tok, "iss", "")
			}
			switch {
			case t.Expect == nil || len(t.Expect.Tenants) == 0:
				if fixedTenant(t, of) {
					return check.OK("It is of the one tenant that the issuer stands for.", p)
				}
				return check.Unknown(check.NeedPolicy, "", p)
			case slices.ContainsFunc(t.Expect.Tenants, func(x string) bool { return strings.EqualFold(x, of) }):
				return check.OK("The tenant is on your list.", p)
			}
			p.Expected = "one of " + quoted(t.Expect.Tenants)
			return check.Wrong(fmt.Sprintf("The token is of the tenant %q, which is not on your list", token.Printable(of)), "People of a tenant that nobody let in can sign in.", p)
		})
	},
}

// fixedTenant tells whether the issuer that was asked for is of this one tenant.
func fixedTenant(t *check.Target, of string) bool {
	want := t.IssuerWanted()
	return want != "" && !strings.Contains(want, "{") && (strings.EqualFold(tenantOf(want), of) || strings.EqualFold(realmOf(want), of))
}

// realmOf gives the realm within one of Keycloak's issuers.
func realmOf(iss string) string {
	_, rest, found := strings.Cut(iss, "/realms/")
	if !found {
		return ""
	}
	realm, _, _ := strings.Cut(rest, "/")
	return realm
}
