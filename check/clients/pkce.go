package clients

import (
	"fmt"
	"strings"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/provider/knowledge"
)

var pkceSent = &check.Check{
	ID: "pkce-sent", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The client sends PKCE with S256",
	Judged: "code_challenge and code_challenge_method in authorization requests, and code_verifier in the token requests after them.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Switch PKCE on in the library (code_challenge_method=S256), for confidential clients too, and demand it at the provider."),
	},
	References: []string{"RFC 7636 section 4", "RFC 9700 section 2.1.1", "RFC 8252 section 6"},
	Judge:      judgePKCESent,
}

func judgePKCESent(t *check.Target) []check.Verdict {
	var b book
	asked := false
	for c := range requests(t) {
		asked = true
		r := c.Request
		switch {
		case !asksFor(r.ResponseType, "code"):
			b.add(r.ClientID, check.NotApplicable("no code is asked for"))
		case pushed(r) && r.CodeChallenge == "":
			b.add(r.ClientID, check.Unknown(check.NeedAuthRequest, "the parameters were pushed, or lie in a signed object", proof(c.Place, "request_uri", "", "")))
		default:
			b.add(r.ClientID, challenge(t, c))
		}
	}
	for c := range tokenCalls(t) {
		if c.Request.GrantType != oauth.GrantAuthorizationCode {
			continue
		}
		a := requestOf(t, c)
		switch {
		case a == nil && c.Request.CodeVerifier != "":
			if !asked {
				b.add(c.Request.ClientID, check.OK("the token request holds a verifier", proof(c.Place, "code_verifier", "", "")))
			}
		case a == nil:
			if e := errorOf(c); causeOf(t, e) == causePKCEMissing {
				b.add(c.Request.ClientID, check.Wrong("The token request of "+whom(c.Request.ClientID)+" has no code_verifier", "The provider asks for it.", proof(placeOf(c), quoteOf(e), "code_verifier", "nothing")).Because(causePKCEMissing))
			} else if !asked {
				b.add(c.Request.ClientID, bare(t, c))
			}
		case a.Request.CodeChallenge != "" && c.Request.CodeVerifier == "":
			b.add(c.Request.ClientID, check.Wrong(theClient(c.Request.ClientID)+" sends a challenge and then no verifier", "The provider refuses the code: it waits for the verifier that the challenge was made of.",
				proof(a.Place, "code_challenge", "", ""), proof(c.Place, "code_verifier", "the verifier of the challenge", "nothing")).Because(causePKCEMissing))
		case a.Request.CodeChallenge == "" && c.Request.CodeVerifier != "" && !pushed(a.Request):
			b.add(c.Request.ClientID, check.Wrong(theClient(c.Request.ClientID)+" sends a verifier without having sent a challenge", "A provider that follows RFC 9700 refuses it as a downgrade.",
				proof(a.Place, "code_challenge", "a challenge", "nothing"), proof(c.Place, "code_verifier", "", "")).Because(causePKCEMissing))
		}
	}
	return b.or(check.Unknown(check.NeedAuthRequest, ""))
}

// bare judges a token request alone, whose authorization request was not seen.
func bare(t *check.Target, c *check.TokenCall) check.Verdict {
	if granted(c) {
		return check.Wrong(theClient(c.Request.ClientID)+" redeems a code without PKCE", "Whoever gets hold of a code can redeem it with the client's credential, or with none.", proof(c.Place, "code_verifier", "a verifier", "nothing")).
			As(withoutPKCE(t, c.Request.ClientID))
	}
	return check.Unknown(check.NeedAuthRequest, "the token request has no verifier; whether a challenge was sent shows in the authorization request", proof(c.Place, "code_verifier", "", "nothing"))
}

// withoutPKCE weighs its absence: it is the only defence of a public client.
func withoutPKCE(t *check.Target, client string) usher.Severity {
	if r := registration(t, client); r != nil {
		if public, told := publicOf(r); told && !public && (r.PKCERequired == nil || !*r.PKCERequired) {
			return usher.SeverityMedium
		}
	}
	return usher.SeverityHigh
}

func challenge(t *check.Target, c *check.AuthCall) check.Verdict {
	r := c.Request
	switch {
	case r.CodeChallenge == "":
		if yes, told := can(t, knowledge.CanPKCE); told && !yes {
			return check.NotApplicable("the provider has no PKCE")
		}
		if reg := registration(t, r.ClientID); reg != nil && reg.PKCERequired != nil && *reg.PKCERequired {
			return check.Wrong(theClient(r.ClientID)+" sends no PKCE challenge, and its registration demands one", "The provider refuses the request.", proof(c.Place, "code_challenge", "a challenge with S256", "nothing"), proof(reg.Place, "PKCE required", "", "true")).Because(causePKCEMissing)
		}
		if contains(r.Scope, "openid") && r.Nonce != "" && withoutPKCE(t, r.ClientID) == usher.SeverityMedium {
			return check.Wrong(theClient(r.ClientID)+" sends no PKCE challenge", "Its nonce stands in, which RFC 9700 lets a confidential client of OpenID Connect do, as long as it compares it before the code is used. PKCE asks for no such care.", proof(c.Place, "code_challenge", "a challenge with S256", "nothing")).
				As(usher.SeverityLow)
		}
		return check.Wrong(theClient(r.ClientID)+" sends no PKCE challenge", "A code that is stolen on its way back can be redeemed by the thief, and a code of another session can be slipped in.", proof(c.Place, "code_challenge", "a challenge with S256", "nothing")).
			As(withoutPKCE(t, r.ClientID))
	case r.CodeChallengeMethod == "":
		return check.Wrong(theClient(r.ClientID)+" names no code_challenge_method, which means plain", "The challenge is then the verifier itself: whoever sees the request can redeem the code. If it is a hash, the exchange fails.", proof(c.Place, "code_challenge_method", oauth.PKCES256, "nothing")).
			Because(causePKCEMismatch).Do("Send code_challenge_method=S256.")
	case r.CodeChallengeMethod == oauth.PKCEPlain:
		return check.Wrong(theClient(r.ClientID)+" sends PKCE with plain", "The challenge is the verifier itself: whoever sees the request can redeem the code.", proof(c.Place, "code_challenge_method", oauth.PKCES256, oauth.PKCEPlain)).
			As(usher.SeverityMedium).Do("Send the SHA-256 hash of the verifier in base64url, and code_challenge_method=S256.")
	case r.CodeChallengeMethod != oauth.PKCES256:
		return check.Wrong(theClient(r.ClientID)+" sends the challenge method "+r.CodeChallengeMethod+", which nobody knows", "The spelling counts.", proof(c.Place, "code_challenge_method", oauth.PKCES256, r.CodeChallengeMethod)).
			Because(causePKCEMismatch).Do("Write code_challenge_method=S256.")
	case len(r.CodeChallenge) != 43:
		return check.Wrong(fmt.Sprintf("The challenge of %s has %d characters", r.ClientID, len(r.CodeChallenge)), "The hash of S256 has 43 in base64url without padding; 44 hold a = too many, 64 are hexadecimal.", proof(c.Place, "code_challenge", "43 characters", itoa(len(r.CodeChallenge)))).
			Because(causePKCEMismatch).Do("Encode the SHA-256 hash of the verifier in base64url without padding.")
	}
	return check.OK("a challenge with S256", proof(c.Place, "code_challenge_method=S256", "", ""))
}

var pkceVerifierForm = &check.Check{
	ID: "pkce-verifier-form", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The PKCE verifier has the right form and is fresh",
	Judged: "Length (43 to 128) and alphabet of code_verifier, and that no two codes are redeemed with the same.",
	Needs:  []check.Need{check.NeedTokenRequest},
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Make the verifier from 32 random bytes in base64url without padding, new for each sign-in."),
	},
	References: []string{"RFC 7636 section 4.1", "RFC 7636 section 7.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		first := map[usher.Secret]*check.TokenCall{}
		any := false
		for c := range tokenCalls(t) {
			any = true
			v := c.Request.CodeVerifier
			if v == "" {
				continue
			}
			if err := oauth.ValidVerifier(v.Reveal()); err != nil {
				b.add(c.Request.ClientID, check.Wrong("The PKCE verifier of "+whom(c.Request.ClientID)+" has not the right form", err.Error()+".", proof(c.Place, "code_verifier", "43 to 128 characters of A-Z a-z 0-9 - . _ ~", itoa(len(v))+" characters")).Because(causePKCEMismatch))
				continue
			}
			if was := first[v]; was != nil && was.Request.Code != c.Request.Code {
				b.add(c.Request.ClientID, check.Wrong(theClient(c.Request.ClientID)+" uses one PKCE verifier for two codes", "A verifier that is known once proves nothing any more.", proof(was.Place, v.Fingerprint(), "", ""), proof(c.Place, v.Fingerprint(), "a new one", "that of the earlier code")))
				continue
			}
			if len(first) < 10_000 {
				first[v] = c
			}
			b.add(c.Request.ClientID, check.OK("the form is right", proof(c.Place, "code_verifier", "", itoa(len(v))+" characters")))
		}
		if any {
			return b.or(check.NotApplicable("no token request that was given has a verifier"))
		}
		return b.or(check.Unknown(check.NeedTokenRequest, ""))
	},
}

var pkceMatches = &check.Check{
	ID: "pkce-matches", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The verifier fits the challenge",
	Judged: "The challenge of the authorization request against the hash of the verifier in the token request for its code.",
	Needs:  []check.Need{check.NeedAuthRequest, check.NeedTokenRequest},
	Cause:  causePKCEMismatch, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Keep the verifier with the state of its own sign-in: a second tab, a reload or another instance otherwise overwrites it."),
	},
	References: []string{"RFC 7636 section 4.6"},
	Judge:      judgePKCEMatches,
}

func judgePKCEMatches(t *check.Target) []check.Verdict {
	var b book
	for c := range tokenCalls(t) {
		if c.Request.CodeVerifier == "" {
			continue
		}
		verifier := c.Request.CodeVerifier.Reveal()
		here := proof(c.Place, "code_verifier", "", "")
		a := requestOf(t, c)
		if a == nil {
			b.add(c.Request.ClientID, check.Unknown(check.NeedAuthRequest, "which authorization request the code comes from cannot be told", here))
			continue
		}
		if a.Request.CodeChallenge == "" {
			b.add(c.Request.ClientID, check.NotApplicable("its authorization request sent no challenge"))
			continue
		}
		err := oauth.MatchPKCE(a.Request.CodeChallenge, a.Request.CodeChallengeMethod, verifier)
		if err == nil {
			b.add(c.Request.ClientID, check.OK("the hash of the verifier is the challenge", proof(a.Place, "code_challenge", "", ""), here))
			continue
		}
		detail := strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + "."
		if other := challengeOf(t, verifier); other != nil {
			detail = "It fits the challenge of another sign-in of the same client: the app mixed two up."
			b.add(c.Request.ClientID, check.Wrong(theClient(c.Request.ClientID)+" sends the verifier of another sign-in", detail, proof(a.Place, "code_challenge", "the challenge of this code", ""), proof(other.Place, "code_challenge", "", "fits the verifier"), here))
			continue
		}
		b.add(c.Request.ClientID, check.Wrong("The PKCE verifier of "+whom(c.Request.ClientID)+" does not fit its challenge", detail, proof(a.Place, "code_challenge", "", ""), here))
	}
	return b.or(check.NotApplicable("no token request that was given has a verifier"))
}

// challengeOf finds the request whose challenge was made of a verifier.
func challengeOf(t *check.Target, verifier string) *check.AuthCall {
	hash, err := oauth.PKCEChallenge(oauth.PKCES256, verifier)
	if err != nil {
		return nil
	}
	for a := range requests(t) {
		if a.Request.CodeChallenge == hash {
			return a
		}
	}
	return nil
}
