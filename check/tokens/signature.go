package tokens

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/token"
)

var algNone = &check.Check{
	ID: "token-alg-none", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "The token is signed",
	Judged: "alg is not none in any letter case, and the signature part is not empty.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-signature-invalid", Step: usher.StepValidation, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Tightening("Refuse the token, and let the client accept the issuer's algorithm only (RS256, ES256 or the like), never what the token names."),
		check.Tightening("Have the issuer sign its tokens: without a signature anybody can write them."),
	},
	References: []string{"RFC 8725 section 3.1", "CVE-2015-2951"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, every, func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict {
			const means = "Anybody can write such a token with any content. A client or API that takes it lets in whoever asks."
			if strings.EqualFold(strings.TrimSpace(tok.Alg), "none") {
				return check.Wrong(fmt.Sprintf("The %s is not signed: its alg is %s", called(kind), token.Printable(tok.Alg)), means, headerProof(tok, "alg", "a signature algorithm"))
			}
			switch tok.Form {
			case token.FormJWE, token.FormOpaque, token.FormMissing:
				return check.NotApplicable("the token is no signed JWT")
			}
			if tok.Header == nil {
				return check.Unknown(check.NeedToken, "the header of the token is not there or cannot be read")
			}
			if r == nil {
				return check.Unknown(check.NeedToken, "only the content of the token is there, not its signature")
			}
			if !r.Parsed.Signed {
				return check.Wrong(fmt.Sprintf("The signature of the %s was taken off", called(kind)), means,
					usher.Proof{Place: at(tok.Place, "signature"), Quote: "an empty signature", Expected: "a signature by " + token.Printable(tok.Alg), Got: "nothing"})
			}
			return check.OK("It is signed.", headerProof(tok, "alg", ""))
		})
	},
}

var algAllowed = &check.Check{
	ID: "token-alg-allowed", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "The token's algorithm is one of the allowed ones",
	Judged: "alg is on a list that the reader was configured with: the operator's, else for ID tokens what the provider announces, else the asymmetric ones. The token has no say in it.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-signature-invalid", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Pin the algorithms at the reader to those that the issuer signs with."),
		check.Neutral("Set the signing algorithm of this client or API at the issuer to an allowed one."),
		check.Weakening("Add the algorithm to the list, if it is asymmetric and the issuer documents it."),
	},
	References: []string{"RFC 8725 section 3.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, signed, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			alg := tok.Alg
			switch {
			case tok.Form == token.FormOpaque || tok.Form == token.FormJWE || tok.Form == token.FormMissing:
				return check.NotApplicable("the token is no signed JWT")
			case tok.Header == nil:
				return check.Unknown(check.NeedToken, "the header of the token is not there or cannot be read")
			case alg == "":
				return check.Wrong("The header of the token names no algorithm", "A reader that goes on has to guess how it was signed.", headerProof(tok, "alg", "a signature algorithm"))
			case strings.EqualFold(strings.TrimSpace(alg), "none"):
				return check.NotApplicable("the token is not signed at all, see token-alg-none")
			}
			if t.Expect != nil && len(t.Expect.Algs) > 0 {
				if slices.Contains(t.Expect.Algs, alg) {
					return check.OK(fmt.Sprintf("%s is on your list.", token.Printable(alg)), headerProof(tok, "alg", ""))
				}
				return check.Wrong(fmt.Sprintf("The token is signed with %s, which is not on your list", token.Printable(alg)),
					"Either the issuer's setting was changed, or the token is not from it.", headerProof(tok, "alg", "one of "+strings.Join(t.Expect.Algs, ", ")))
			}
			if announced := announcedAlgs(t); kind == token.TypeID && len(announced) > 0 {
				if slices.Contains(announced, alg) {
					return check.OK(fmt.Sprintf("The provider announces %s for ID tokens.", token.Printable(alg)), headerProof(tok, "alg", ""))
				}
				return check.Wrong(fmt.Sprintf("The ID token is signed with %s, which the provider does not announce", token.Printable(alg)),
					"The metadata lists the algorithms of ID tokens; clients that keep to it refuse this one.", headerProof(tok, "alg", "one of "+strings.Join(announced, ", ")))
			}
			switch {
			case slices.Contains(asymmetric[:], alg):
				return check.OK(fmt.Sprintf("No list was given; %s is an asymmetric algorithm that is in good standing.", alg), headerProof(tok, "alg", ""))
			case strings.HasPrefix(alg, "HS"):
				return check.Unknown(check.NeedPolicy, fmt.Sprintf("%s signs with a secret that reader and issuer share; whether that is meant, nothing says", token.Printable(alg)), headerProof(tok, "alg", ""))
			}
			return check.Wrong(fmt.Sprintf("The token names the algorithm %s, which is none that a JWT may be signed with", token.Printable(alg)),
				"Names compare with case, and only registered ones count.", headerProof(tok, "alg", "an algorithm of RFC 7518 or RFC 8037"))
		})
	},
}

var asymmetric = [...]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "ES256K", "Ed448"}

// announcedAlgs gives the algorithms of ID tokens as the metadata lists them.
func announcedAlgs(t *check.Target) []string {
	for _, m := range t.Metadata {
		if m.Metadata != nil && len(m.IDTokenAlgs) > 0 {
			return m.IDTokenAlgs
		}
	}
	return nil
}

var keyConfusion = &check.Check{
	ID: "token-key-confusion", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "No public key is taken for a shared secret",
	Judged: "A token with HS256, HS384 or HS512 must not be held against public keys: whoever knows the public key, everybody, could have made it.",
	Needs:  []check.Need{check.NeedToken, check.NeedKeys}, Cause: "token-signature-invalid", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Refuse the token. Give each verifier keys of one type, and the algorithm with the key."),
		check.Tightening("Update JWT libraries that pick the algorithm from the token."),
	},
	References: []string{"RFC 8725 section 2.1", "CVE-2016-10555"},
	Judge: func(t *check.Target) []check.Verdict {
		keys := t.ProviderKeys()
		if keys == nil {
			return []check.Verdict{check.Unknown(check.NeedKeys, "")}
		}
		return each(t, signed, func(tok *check.Token, kind token.Type, _ *token.Report) check.Verdict {
			if tok.Form != token.FormJWS || tok.Header == nil {
				return check.NotApplicable("the token is no signed JWT")
			}
			if !strings.HasPrefix(tok.Alg, "HS") {
				return check.OK("The token does not claim to be keyed with a secret.", headerProof(tok, "alg", ""))
			}
			if stray(t, tok, kind) {
				return check.Unknown(check.NeedIssuer, strayToken)
			}
			if slices.ContainsFunc(keys.Keys, func(k *token.Key) bool { return k.Kty == "oct" }) {
				return check.OK("The key set holds a secret for it, see jwks-symmetric-mix.", headerProof(tok, "alg", ""))
			}
			if kind == token.TypeID && slices.Contains(announcedAlgs(t), tok.Alg) {
				return check.Unknown(check.NeedRegistration, "the provider announces "+tok.Alg+" for ID tokens, keyed with the client's secret; whether this client is set to it is not known", headerProof(tok, "alg", ""))
			}
			return check.Wrong(fmt.Sprintf("The token is keyed with a secret (%s), but the provider's keys are public ones", token.Printable(tok.Alg)),
				"That is how a forged token looks: made with the text of the public key as secret, for a library that lets the token choose the algorithm.",
				headerProof(tok, "alg", "an asymmetric algorithm"), usher.Proof{Place: keysPlace(t), Quote: kidsOf(keys), Expected: "asymmetric keys only", Got: "asymmetric keys only"})
		})
	},
}

// keysPlace gives the place of the provider's keys.
func keysPlace(t *check.Target) string {
	for _, s := range t.KeySets {
		if s.Client == "" && s.KeySet != nil {
			if s.Place != "" {
				return s.Place
			}
			return s.URL
		}
	}
	return "keys"
}

// kidsOf lists the keys of a set by their kids.
func kidsOf(keys *token.KeySet) string {
	var names []string
	for i, k := range keys.Keys {
		if i == 8 {
			names = append(names, "…")
			break
		}
		switch {
		case k.Kid == "":
			names = append(names, k.Kty+" without kid")
		default:
			names = append(names, fmt.Sprintf("kid %q", token.Printable(k.Kid)))
		}
	}
	if len(names) == 0 {
		return "no key that can be used"
	}
	return strings.Join(names, ", ")
}

var embeddedKey = &check.Check{
	ID: "token-embedded-key", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "No key that the token brings is trusted",
	Judged: "jwk, x5c, jku and x5u of the header are neither used nor fetched. A token that has one passes only if a published key of the issuer made its signature.",
	Needs:  []check.Need{check.NeedToken}, Cause: "token-signature-invalid", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Verify with the issuer's published keys only, and ignore what the header brings."),
		check.Tightening("Forbid the verifier to fetch addresses that a token names."),
	},
	References: []string{"RFC 8725 section 3.10", "CVE-2018-0114"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, signed, func(tok *check.Token, _ token.Type, r *token.Report) check.Verdict {
			if tok.Header == nil {
				return check.NotApplicable("the token has no header that can be read")
			}
			name := ""
			for _, n := range [...]string{"jwk", "jku", "x5u", "x5c"} {
				if _, there := tok.Header[n]; there && name == "" {
					name = n
				}
			}
			if name == "" {
				return check.OK("The token brings no key and names no address for one.", usher.Proof{Place: at(tok.Place, "header"), Quote: "no jwk, jku, x5u or x5c"})
			}
			p := headerProof(tok, name, "a kid of the issuer's keys")
			if name == "jwk" || name == "x5c" {
				p.Quote, p.Got = name+" is there", "a key"
			}
			if verified(r) {
				return check.OK(fmt.Sprintf("The token has %s, but a published key of the issuer made its signature; what it brings was not used.", name), p)
			}
			if t.ProviderKeys() == nil || r == nil {
				return check.Unknown(check.NeedKeys, fmt.Sprintf("the token has %s; whether a published key of the issuer made its signature is not known", name), p)
			}
			return check.Wrong(fmt.Sprintf("The token brings its own key (%s), and none of the issuer's fits", name),
				"The sender chose both key and signature, so that they always fit each other. That proves nothing; usher neither used nor fetched it.", p)
		})
	},
}

var kidFound = &check.Check{
	ID: "token-kid-found", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The key that signed the token is published",
	Judged: "The token's kid is in the provider's key set, as it was read.",
	Needs:  []check.Need{check.NeedToken, check.NeedKeys}, Cause: "token-key-not-found", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Fetch the key set again, once. A verifier should do that by itself on an unknown kid, at most once in an interval."),
		check.Neutral("If the kid is still missing, the keys are of another issuer, tenant or environment than the token: compare iss with the address that the keys come from."),
		check.Tightening("At the issuer: publish a new key before it signs, and keep the old one as long as its tokens live."),
	},
	References: []string{"OpenID Connect Core section 10.1.1", "RFC 7515 section 4.1.4"},
	Judge: func(t *check.Target) []check.Verdict {
		keys := t.ProviderKeys()
		if keys == nil {
			return []check.Verdict{check.Unknown(check.NeedKeys, "")}
		}
		return each(t, signed, func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict {
			switch {
			case tok.Form != token.FormJWS || tok.Header == nil:
				return check.NotApplicable("the token is no signed JWT")
			case strings.EqualFold(strings.TrimSpace(tok.Alg), "none"), strings.HasPrefix(tok.Alg, "HS"):
				return check.NotApplicable("the token is not signed with a published key")
			case tok.Kid == "" && len(keys.Keys) == 1:
				return check.OK("The token names no key, and the set has one only.", usher.Proof{Place: keysPlace(t), Quote: kidsOf(keys)})
			case tok.Kid == "" && verified(r):
				return check.OK("The token names no key; one of the set made its signature.", usher.Proof{Place: keysPlace(t), Quote: kidsOf(keys)})
			case tok.Kid == "":
				return check.Unknown(check.NeedNothing, "the token names no key (kid), and the set has several", usher.Proof{Place: at(tok.Place, "header"), Quote: "no kid"})
			}
			p := headerProof(tok, "kid", "one of "+kidsOf(keys))
			if len(keys.Lookup(tok.Kid)) > 0 {
				p.Expected = ""
				return check.OK("The key is published.", p)
			}
			for _, left := range keys.Left {
				if left.Kid == tok.Kid {
					return check.Wrong(fmt.Sprintf("The key with the kid %q is published, but cannot be used: %s", token.Printable(tok.Kid), left.Why), "A verifier leaves such an entry out.", p)
				}
			}
			if stray(t, tok, kind) {
				return check.Unknown(check.NeedIssuer, strayToken, p)
			}
			when := readAt(t)
			detail := fmt.Sprintf("The set%s has %s. Either the issuer has changed its keys since, or the token is from another issuer, tenant or environment.", when, kidsOf(keys))
			if iss, want := text(tok, "iss"), t.ExpectOf(tok).Issuer; want != "" && iss != "" && iss != want {
				detail = fmt.Sprintf("The set%s has %s. The token names the issuer %q and these keys are for %q: they do not belong together.", when, kidsOf(keys), token.Printable(iss), token.Printable(want))
			}
			return check.Wrong(fmt.Sprintf("No published key has the kid %q", token.Printable(tok.Kid)), detail, p)
		})
	},
}

// verified tells whether the signature was found good.
func verified(r *token.Report) bool {
	c := looked(r, "signature")
	return c != nil && c.Outcome == usher.OutcomeOK
}

// readAt says when the keys were read, where that is known.
func readAt(t *check.Target) string {
	for _, s := range t.KeySets {
		if s.Client == "" && s.Answer != nil && !s.Answer.At.IsZero() {
			return ", read " + s.Answer.At.UTC().Format(time.RFC3339) + ","
		}
	}
	return ""
}

var signature = &check.Check{
	ID: "token-signature", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "The signature verifies",
	Judged: "The one published key that the token names, and no other, made the signature over exactly this content.",
	Needs:  []check.Need{check.NeedToken, check.NeedKeys}, Cause: "token-signature-invalid", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Take the token as it came: a changed character, also in its header, breaks it."),
		check.Neutral("Take the keys of the issuer that the token names, of the same tenant and environment."),
	},
	References: []string{"RFC 7515 section 5.2", "RFC 8725 section 3.3"},
	Judge: func(t *check.Target) []check.Verdict {
		keys := t.ProviderKeys()
		if keys == nil {
			return []check.Verdict{check.Unknown(check.NeedKeys, "")}
		}
		return each(t, signed, func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict {
			switch {
			case tok.Form != token.FormJWS && tok.Form != token.FormBroken || tok.Header == nil:
				return check.NotApplicable("the token is no signed JWT")
			case strings.EqualFold(strings.TrimSpace(tok.Alg), "none"):
				return check.NotApplicable("the token is not signed at all, see token-alg-none")
			case r == nil:
				return check.Unknown(check.NeedToken, "only the content of the token is there, not its signature")
			}
			p := defect(r, token.CodeSignature, token.CodeKeyUnfit, token.CodeKeyAmbiguous)
			if p != nil && stray(t, tok, kind) {
				return check.Unknown(check.NeedIssuer, strayToken)
			}
			if p != nil {
				if _, signedWithNonce := tok.Header["nonce"]; signedWithNonce {
					return check.NotApplicable("a nonce in the header: only its own API can verify it, see token-not-for-us")
				}
				if strings.HasPrefix(tok.Alg, "HS") && p.Code != token.CodeSignature {
					return check.NotApplicable("the token is keyed with a secret, see token-key-confusion")
				}
				return check.Wrong(fmt.Sprintf("The signature of the %s does not hold: %s", called(kind), lower(p.Text)),
					"The token was changed, or signed with another key than the one that is published under this name.", proof(tok, p))
			}
			if p := defect(r, token.CodeKeyNotFound); p != nil {
				return check.Unknown(check.NeedKeys, "the key that it names is not in the set, see token-kid-found", proof(tok, p))
			}
			c := looked(r, "signature")
			switch {
			case c == nil || c.Outcome == usher.OutcomeUnknown || c.Outcome == usher.OutcomeWrong:
				return check.Unknown(check.NeedNothing, "the signature could not be looked at: the token or its algorithm rules that out")
			}
			return check.OK(c.Text, usher.Proof{Place: at(tok.Place, "signature"), Quote: c.Text})
		})
	},
}

var notForUs = &check.Check{
	ID: "token-not-for-us", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityInfo,
	Title:  "The token is not one that only its own API can verify",
	Judged: "Entra signs access tokens for Microsoft Graph and the like over a nonce in the header that it hashes first, so that the signature never verifies for anybody else.",
	Needs:  []check.Need{check.NeedToken}, Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Ask for a token for your own API (scope api://APP-ID/.default or one of its scopes) and verify that."),
		check.Neutral("To know who signed in, read the ID token; hand the Graph token to Graph unread."),
	},
	References: []string{"RFC 9068 section 5", "https://learn.microsoft.com/entra/identity-platform/access-tokens"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, kinds{token.TypeAccess, token.TypeAny}, func(tok *check.Token, _ token.Type, _ *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			_, nonced := tok.Header["nonce"]
			if !nonced && !forMicrosoft(tok) {
				return check.OK("Nothing in the token keeps others from verifying it.", usher.Proof{Place: tok.Place, Quote: tok.Describe()})
			}
			p := claim(tok, "aud", "your own API")
			if nonced {
				p = usher.Proof{Place: at(tok.Place, "header.nonce"), Quote: "nonce is there", Expected: "no nonce in the header", Got: "one"}
			}
			if sentToMicrosoft(t, tok) {
				return check.OK("The token is for one of Microsoft's APIs and is sent there.", p)
			}
			if tok.Call != nil && !sent(t, tok) {
				return check.OK("The token is for one of Microsoft's APIs; the app must not look into it.", p)
			}
			return check.Wrong(fmt.Sprintf("Only %s can verify this token", microsoftAPI(tok)), "Its signature does not verify for anybody else; that it does not is no sign of a forgery.", p)
		})
	},
}

// forMicrosoft tells whether a token is for one of Microsoft's own APIs.
func forMicrosoft(tok *check.Token) bool {
	iss := text(tok, "iss")
	if !strings.Contains(iss, "sts.windows.net") && !strings.Contains(iss, "login.microsoftonline.") {
		return false
	}
	for _, aud := range list(tok.Claims["aud"]) {
		switch aud = strings.TrimSuffix(aud, "/"); aud {
		case "00000003-0000-0000-c000-000000000000", "00000002-0000-0000-c000-000000000000",
			"https://graph.microsoft.com", "https://graph.windows.net", "https://management.azure.com", "https://management.core.windows.net", "https://outlook.office.com", "https://outlook.office365.com":
			return true
		}
	}
	return false
}

func microsoftAPI(tok *check.Token) string {
	for _, aud := range list(tok.Claims["aud"]) {
		if aud == "00000003-0000-0000-c000-000000000000" || strings.HasPrefix(aud, "https://graph.microsoft.com") {
			return "Microsoft Graph"
		}
	}
	return "the API that it is for"
}

func sent(t *check.Target, tok *check.Token) bool {
	return slices.ContainsFunc(t.APICalls, func(c *check.APICall) bool { return same(c.Token, tok) })
}

func sentToMicrosoft(t *check.Target, tok *check.Token) bool {
	return slices.ContainsFunc(t.APICalls, func(c *check.APICall) bool {
		host := hostOf(c.Exchange)
		return same(c.Token, tok) && (strings.HasSuffix(host, ".microsoft.com") || strings.HasSuffix(host, ".azure.com") || strings.HasSuffix(host, ".windows.net") || strings.HasSuffix(host, ".office.com") || strings.HasSuffix(host, ".office365.com"))
	})
}
