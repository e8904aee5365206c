package tokens

import (
	"fmt"
	"strings"

	"usher"
	"usher/check"
	"usher/token"
)

var subject = &check.Check{
	ID: "token-sub", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The token names its person by sub",
	Judged: "sub is there, a string of at most 255 characters, and no e-mail address, which is given to others in time.",
	Needs:  []check.Need{check.NeedToken}, Cause: "claims-config", Step: usher.StepValidation, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Have the issuer put sub into the token (Keycloak: the client scope basic)."),
		check.Tightening("Key people by iss and sub together; show the e-mail address, but find nobody by it."),
	},
	References: []string{"OpenID Connect Core section 2", "OpenID Connect Core section 5.7"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, readers, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			if v, ok := whole(tok); !ok {
				return v
			}
			value, there := tok.Claims["sub"]
			sub, isString := value.(string)
			p := usher.Proof{Place: at(tok.Place, "claims.sub"), Quote: "sub is there", Expected: "a string of at most 255 characters"}
			switch {
			case !there && kind == token.TypeAny:
				return check.Unknown(check.NeedNothing, "there is no sub, and nothing says what kind of token it is")
			case !there:
				p.Quote, p.Got = "no sub", "nothing"
				return check.Wrong(fmt.Sprintf("The %s has no sub", called(kind)), "Nothing in it says whom it is about by a name that stays.", p)
			case !isString:
				p.Quote, p.Got = "sub is no string", kindOf(value)
				return check.Wrong(fmt.Sprintf("sub is %s, not a string", kindOf(value)), "Readers that compare strings take two people for one, or nobody for anybody.", p)
			case sub == "":
				p.Quote, p.Got = `sub: ""`, "an empty string"
				return check.Wrong("sub is empty", "All people with an empty sub are one to the application.", p)
			case len(sub) > 255:
				p.Got = fmt.Sprintf("%d characters", len(sub))
				return check.Wrong(fmt.Sprintf("sub has %d characters, at most 255 are allowed", len(sub)), "It is cut where it is kept, so that two people can become one.", p)
			case kind == token.TypeID && sub == text(tok, "email"):
				p.Quote, p.Expected, p.Got = "sub equals email", "an id that is never given again", "an e-mail address"
				return check.Wrong("The e-mail address is used as sub", "An address is given to somebody else one day, who then has the account.", p)
			}
			p.Expected = ""
			return check.OK("sub is there.", p)
		})
	},
}

// kindOf names the JSON type of a value, with its article.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

var requiredClaims = &check.Check{
	ID: "token-required-claims", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The claims that must be there are, with the right types",
	Judged: "ID tokens have iss, sub, aud, exp and iat; access tokens iss, aud and exp, and those that say that they follow RFC 9068 also sub, client_id, iat and jti.",
	Needs:  []check.Need{check.NeedToken}, Cause: "claims-config", Step: usher.StepValidation, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Neutral("Set up the issuer, its client scope or mapper, so that the claims are written, as the standard types them.")},
	References: []string{"RFC 9068 section 2.2", "OpenID Connect Core section 2"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, readers, func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict {
			if v, ok := whole(tok); !ok {
				return v
			}
			if kind == token.TypeAny {
				return check.Unknown(check.NeedNothing, "nothing says what kind of token it is, and each needs other claims")
			}
			var found []usher.Proof
			var lacking, mistyped []string
			add := func(list *[]string, name string, p usher.Proof) {
				*list = append(*list, name)
				if len(found) < 2*maxProofs {
					found = append(found, p)
				}
			}
			for _, name := range mustHave(kind, tok) {
				if _, there := tok.Claims[name]; !there {
					add(&lacking, name, usher.Proof{Place: at(tok.Place, "claims"), Quote: "no " + name, Expected: name, Got: "nothing"})
				}
			}
			if r != nil {
				for i := range r.Problems {
					if p := &r.Problems[i]; p.Code == token.CodeClaimType && !p.Weakness && len(p.Also) < 2 {
						add(&mistyped, name(p.Place), proof(tok, p))
					}
				}
			}
			switch {
			case len(lacking) > 0 && len(mistyped) > 0:
				return check.Wrong(fmt.Sprintf("The %s lacks %s, and has %s of the wrong type", called(kind), words(lacking), words(mistyped)), claimsMatter, found...)
			case len(lacking) > 0:
				return check.Wrong(fmt.Sprintf("The %s lacks %s", called(kind), words(lacking)), claimsMatter, found...)
			case len(mistyped) > 0:
				return check.Wrong(fmt.Sprintf("The %s has %s of the wrong type", called(kind), words(mistyped)), claimsMatter, found...)
			}
			return check.OK("All that must be there is.", usher.Proof{Place: at(tok.Place, "claims"), Quote: strings.Join(mustHave(kind, tok), ", ")})
		})
	},
}

const claimsMatter = "A strict reader refuses the token; a lax one goes on without the rule that the claim is for."

func mustHave(kind token.Type, tok *check.Token) []string {
	switch {
	case kind == token.TypeID:
		return []string{"iss", "sub", "aud", "exp", "iat"}
	case ofCognito(tok):
		return []string{"iss", "client_id", "exp"}
	case mediaType(tok.Typ) == "at+jwt":
		return []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
	}
	return []string{"iss", "aud", "exp"}
}

var unique = &check.Check{
	ID: "token-unique", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "Every access token has an id of its own",
	Judged: "jti (Entra: uti) is there, and no two tokens of a kind share it.",
	Needs:  []check.Need{check.NeedToken}, Cause: "", Step: usher.StepValidation, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Tightening("Have the issuer write a jti that it never repeats: replay cannot be noticed and logs cannot be joined without one.")},
	References: []string{"RFC 7519 section 4.1.7"},
	Judge: func(t *check.Target) []check.Verdict {
		type seen struct {
			id   string
			kind token.Type // Entra's tokens of one answer share their uti
			tok  *check.Token
		}
		var ids []seen
		return each(t, readers, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			if v, ok := whole(tok); !ok {
				return v
			}
			for _, name := range [...]string{"jti", "uti"} {
				id := text(tok, name)
				if id == "" {
					continue
				}
				for _, s := range ids {
					if s.id == id && s.kind == kind && s.tok.Raw != tok.Raw {
						return check.Wrong("Two tokens have the same "+name, "Who keeps used ids to notice a replay refuses the second one.", claim(s.tok, name, ""), claim(tok, name, "another id"))
					}
				}
				ids = append(ids, seen{id, kind, tok})
				return check.OK("The token has an id of its own.", usher.Proof{Place: at(tok.Place, "claims."+name), Quote: name + " is there"})
			}
			if kind != token.TypeAccess {
				return check.NotApplicable("only access tokens need an id of their own")
			}
			return check.Wrong("The access token has no jti", "It cannot be told from another one in logs, and its replay cannot be noticed.", usher.Proof{Place: at(tok.Place, "claims"), Quote: "no jti", Expected: "jti", Got: "nothing"})
		})
	},
}

var personalData = &check.Check{
	ID: "token-pii", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Access tokens hold no personal data or secrets",
	Judged: "No e-mail address, telephone number, address or date of birth stands in an access token, and no password or private key in any token: whoever sees a token can read it.",
	Needs:  []check.Need{check.NeedToken}, Step: usher.StepTokenRequest, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Drop the claims from access tokens at the provider (mapper, client scope, optional claims); the API gets them at userinfo when it needs them."),
		check.Tightening("Where the API must have them, encrypt its tokens or issue opaque ones."),
	},
	References: []string{"RFC 9068 section 6", "RFC 7519 section 12"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, readers, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			if v, ok := whole(tok); !ok {
				return v
			}
			var secrets, personal []string
			for name, value := range tok.Claims {
				switch {
				case secretClaim(name, value):
					secrets = append(secrets, token.Printable(name))
				case personalClaim(name) && value != nil && value != "":
					personal = append(personal, token.Printable(name))
				}
			}
			if len(secrets) > 0 {
				return check.Wrong(fmt.Sprintf("The %s holds what looks like a secret: %s", called(kind), sorted(secrets)), "A token is signed, not hidden: everybody through whose hands it goes can read it. Withdraw the secret.",
					usher.Proof{Place: at(tok.Place, "claims"), Quote: sorted(secrets), Expected: "no secret", Got: "one"}).As(usher.SeverityHigh)
			}
			if kind != token.TypeAccess {
				return check.NotApplicable("an ID token is there to tell the client of the person")
			}
			if len(personal) > 0 {
				return check.Wrong(fmt.Sprintf("The access token holds personal data: %s", sorted(personal)), "It goes through proxies, logs and every API that it is sent to; each of them can read it.",
					usher.Proof{Place: at(tok.Place, "claims"), Quote: sorted(personal), Expected: "none of these", Got: sorted(personal)})
			}
			return check.OK("Neither personal data nor secrets were found among its claims.", usher.Proof{Place: at(tok.Place, "claims"), Quote: fmt.Sprintf("%d claims", len(tok.Claims))})
		})
	},
}

func personalClaim(name string) bool {
	switch name {
	case "email", "phone_number", "address", "birthdate", "phone", "mobile", "date_of_birth", "ssn", "national_id":
		return true
	}
	return false
}

// secretClaim tells whether a claim is named like a secret and holds one.
func secretClaim(name string, value any) bool {
	if _, isKey := value.(map[string]any); isKey && name == "cnf" {
		cnf := value.(map[string]any)
		jwk, _ := cnf["jwk"].(map[string]any)
		return jwk["d"] != nil || jwk["k"] != nil
	}
	s, isString := value.(string)
	if !isString || s == "" {
		return false
	}
	switch strings.ToLower(name) {
	case "password", "passwd", "pwd", "client_secret", "secret", "private_key", "privatekey", "api_key", "apikey", "refresh_token":
		return true
	}
	return strings.HasPrefix(s, "-----BEGIN ") && strings.Contains(s, "PRIVATE KEY")
}

var emailVerified = &check.Check{
	ID: "email-verified", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "An e-mail address is trusted only when it is verified",
	Judged: "Where a token has email, email_verified is true, and the issuer speaks for one tenant only; otherwise nobody may be found or linked by the address.",
	Needs:  []check.Need{check.NeedToken}, Cause: "email-unverified", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Find and link people by iss and sub; take the address for what the person says of themselves."),
		check.Tightening("Where accounts must be linked by address, refuse tokens without email_verified: true, or verify the address yourself."),
	},
	References: []string{"OpenID Connect Core section 5.7", "https://learn.microsoft.com/entra/identity-platform/claims-validation"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, readers, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			if v, ok := whole(tok); !ok {
				return v
			}
			if text(tok, "email") == "" {
				return check.NotApplicable("the token holds no e-mail address")
			}
			verified, there := tok.Claims["email_verified"]
			p := claim(tok, "email_verified", "true")
			if text(tok, "xms_edov") == "1" || tok.Claims["xms_edov"] == true || text(tok, "xms_edov") == "true" {
				return check.OK("The provider says that the owner of the address's domain was verified (xms_edov).", claim(tok, "xms_edov", ""))
			}
			switch {
			case verified == true || verified == "true":
				p.Expected = ""
				return check.OK("The provider says that the address is verified.", p)
			case there:
				return check.Wrong("The e-mail address of the token is not verified", "The person typed it, and anybody can type any. Who links accounts by it gives them away.", p)
			case manyTenants(t, tok):
				return check.Wrong("The token holds an e-mail address without email_verified, from an issuer of many tenants", "The administrator of any tenant can write any address into it; who finds people by it can be signed in to as anybody.", p)
			}
			return check.Unknown(check.NeedSettings, "the token holds an e-mail address without email_verified; whether people are found by it is not known", p)
		})
	},
}

// manyTenants tells whether the client takes tokens of any tenant of the provider.
func manyTenants(t *check.Target, tok *check.Token) bool {
	if t.Expect != nil && len(t.Expect.Tenants) > 0 {
		return false
	}
	if strings.Contains(t.IssuerWanted(), "{tenant") {
		return true
	}
	if iss := text(tok, "iss"); !isVersion1(iss) && !strings.Contains(iss, "login.microsoftonline.") {
		return false
	}
	for _, r := range t.Registrations {
		if r.ClientID == t.ClientOf(tok) && (r.Audience == "AzureADMultipleOrgs" || r.Audience == "AzureADandPersonalMicrosoftAccount") {
			return true
		}
	}
	return false
}
