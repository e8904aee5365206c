package tokens

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

var dpopProof = &check.Check{
	ID: "dpop-proof", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The DPoP proofs are in order",
	Judged: "Each has typ dpop+jwt, an asymmetric alg, a public key, the method and address of its request, a fresh iat, a new jti, and with an access token its hash; its key is the one that the token is bound to.",
	Cause:  "dpop-invalid", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Make a new proof for each request, over its method and address as the server sees it, with the key that the token was asked for with."),
		check.Neutral("Behind a proxy, tell the server its public address, which htu must equal."),
	},
	References: []string{"RFC 9449 section 4.3"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedAPIRequest) && !t.Has(check.NeedTokenRequest) && !t.Has(check.NeedToken) {
			return []check.Verdict{check.Unknown(check.NeedAPIRequest, "")}
		}
		var all verdicts
		seen := map[string]string{} // jti to the place of its first use
		judged := 0
		for _, c := range t.APICalls {
			if c.Exchange == nil || judged == maxTokens {
				continue
			}
			jkt := boundTo(c)
			if c.Exchange.Request.Get("Dpop") == "" {
				if jkt != "" && scheme(c.Exchange) != "" {
					all.add(check.Wrong("A token that is bound to a key is sent without a proof", "The API must refuse it.", usher.Proof{Place: c.Place, Quote: "no DPoP header", Expected: "DPoP: a proof", Got: "nothing"}))
				}
				continue
			}
			judged++
			access := usher.Secret("")
			if s := scheme(c.Exchange); s == "dpop" || s == "bearer" {
				access = usher.Secret(sentToken(c.Exchange))
			}
			all.add(judgeProof(t, c.Place, c.Exchange, c.Time, access, jkt, seen))
		}
		for _, c := range t.TokenCalls {
			if c.Exchange != nil && c.Exchange.Request.Get("Dpop") != "" && judged < maxTokens {
				judged++
				all.add(judgeProof(t, c.Place, c.Exchange, c.Time, "", "", seen).Of(clientOfCall(c)))
			}
		}
		if judged == 0 {
			for _, v := range each(t, kinds{token.TypeDPoP}, func(tok *check.Token, _ token.Type, r *token.Report) check.Verdict { return loneProof(tok, r) }) {
				if v.Detail != noSuchToken {
					all.add(v)
				}
			}
		}
		return all.or(check.NotApplicable("no DPoP proof is there, and no token that is bound to a key"))
	},
}

// boundTo gives the thumbprint of the key that the token of a call is bound to.
func boundTo(c *check.APICall) string {
	if c.Token == nil || c.Token.Parsed == nil {
		return ""
	}
	cnf, _ := c.Token.Claims["cnf"].(map[string]any)
	jkt, _ := cnf["jkt"].(string)
	return jkt
}

func judgeProof(t *check.Target, place string, x *evidence.Exchange, when time.Time, access usher.Secret, jkt string, seen map[string]string) check.Verdict {
	proofs := x.Request.Values("Dpop")
	if len(proofs) > 1 {
		return check.Wrong(fmt.Sprintf("The request has %d DPoP headers", len(proofs)), "One is allowed; servers refuse more.", usher.Proof{Place: place, Quote: fmt.Sprintf("%d DPoP headers", len(proofs)), Expected: "one", Got: fmt.Sprint(len(proofs))})
	}
	raw := strings.TrimSpace(proofs[0])
	if masked(raw) || !strings.HasPrefix(raw, "eyJ") && strings.Contains(raw, "[") {
		return check.Unknown(check.NeedAPIRequest, "the proof was masked where the call was recorded")
	}
	if when.IsZero() {
		when = t.Now
		// A call without a time may be old; then its age says nothing.
		if p, err := token.Parse(raw); err == nil {
			if iat, ok := seconds(&check.Token{Parsed: p}, "iat"); ok && iat > 0 && iat < 1e12 && when.Unix()-int64(iat) > 0 {
				when = time.Unix(int64(iat), 0)
			}
		}
	}
	r := token.Inspect(raw, token.Expect{Type: token.TypeDPoP, Method: x.Method, URL: x.URL, AccessToken: access, JKT: jkt, Now: func() time.Time { return when }})
	tok := &check.Token{Parsed: r.Parsed, Place: place + ", DPoP"}
	var found []usher.Proof
	title := ""
	for i := range r.Problems {
		if p := &r.Problems[i]; !p.Weakness {
			if title == "" {
				title = p.Text
			}
			if len(found) < 2*maxProofs {
				found = append(found, proof(tok, p))
			}
		}
	}
	if jti := text(tok, "jti"); jti != "" {
		if before := seen[jti]; before != "" {
			if title == "" {
				title = "The same proof is used for a second request."
			}
			found = append(found, usher.Proof{Place: at(tok.Place, "claims.jti"), Quote: "jti: that of " + before, Expected: "a new jti", Got: "one that was used"})
		}
		seen[jti] = cmp.Or(place, "a request before")
	}
	if title != "" {
		return check.Wrong("The DPoP proof is not in order: "+lower(title), "The server refuses the request (invalid_dpop_proof).", found...)
	}
	return check.OK("The proof fits its request.", usher.Proof{Place: tok.Place, Quote: tok.Describe()})
}

// loneProof judges a proof without its request.
func loneProof(tok *check.Token, r *token.Report) check.Verdict {
	if r == nil {
		return check.Unknown(check.NeedToken, "")
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		if p.Weakness || p.Code == token.CodeExpired {
			continue // it may be old by now
		}
		return check.Wrong("The DPoP proof is not in order: "+lower(p.Text), "The server refuses the request (invalid_dpop_proof).", proof(tok, p))
	}
	return check.Unknown(check.NeedAPIRequest, "the proof is well made; whether it fits its request is not known", usher.Proof{Place: tok.Place, Quote: tok.Describe()})
}

var dpopNonce = &check.Check{
	ID: "dpop-nonce", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "A demand for a DPoP nonce is answered",
	Judged: "After use_dpop_nonce the next request to the same server has a proof with the nonce that it gave; each server's nonce is kept apart.",
	Cause:  "dpop-invalid", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("On use_dpop_nonce, make a new proof with the value of the DPoP-Nonce header and send the request once more."),
		check.Neutral("Keep the latest nonce of each server, and take the next one from any of its answers."),
	},
	References: []string{"RFC 9449 section 8", "RFC 9449 section 9"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedTokenResponse) && !t.Has(check.NeedAPIResponse) {
			return []check.Verdict{check.Unknown(check.NeedTokenResponse, "")}
		}
		var calls []nonceCall
		for i, c := range t.TokenCalls {
			if i == maxCalls {
				break
			}
			asks := c.Response != nil && c.Response.Error != nil && c.Response.Error.Code == oauth.ErrUseDPoPNonce
			if c.Exchange != nil || asks {
				calls = append(calls, nonceCall{cmp.Or(c.Place, "token request"), c.Exchange, asks})
			}
		}
		var answers []nonceCall
		for i, c := range t.APICalls {
			if i == maxCalls {
				break
			}
			asks := false
			for _, ch := range c.Challenges {
				asks = asks || ch.Params["error"] == oauth.ErrUseDPoPNonce
			}
			answers = append(answers, nonceCall{c.Place, c.Exchange, asks})
		}
		var all verdicts
		for _, list := range [...][]nonceCall{calls, answers} {
			for i, c := range list {
				if c.asks {
					all.add(answeredNonce(c, list[i+1:]))
				}
			}
		}
		return all.or(check.NotApplicable("no server asks for a nonce"))
	},
}

// nonceCall is a call in its order, with whether its answer asks for a nonce.
type nonceCall struct {
	place string
	x     *evidence.Exchange
	asks  bool
}

func answeredNonce(c nonceCall, later []nonceCall) check.Verdict {
	p := usher.Proof{Place: c.place, Quote: "error: use_dpop_nonce"}
	if c.x == nil {
		return check.Unknown(check.NeedTokenRequest, "the server asks for a DPoP nonce; the next request is not there", p)
	}
	given := c.x.Header.Get("Dpop-Nonce")
	if given == "" {
		if len(c.x.Header) == 0 {
			return check.Unknown(check.NeedHeaders, "the server asks for a DPoP nonce; the headers of its answer are not there", p)
		}
		p.Expected, p.Got = "a DPoP-Nonce header", "none"
		return check.Wrong("The server asks for a DPoP nonce and gives none", "There is nothing that the client could put into its proof.", p).Do("Have the server send DPoP-Nonce with every use_dpop_nonce.")
	}
	for _, l := range later {
		if l.x == nil || hostOf(l.x) != hostOf(c.x) {
			continue
		}
		parsed, err := token.Parse(l.x.Request.Get("Dpop"))
		next := usher.Proof{Place: l.place, Quote: "DPoP: no proof", Expected: "a proof with nonce " + show(given), Got: "no proof"}
		if err == nil {
			next.Quote, next.Got = "nonce: "+show(parsed.Claims["nonce"]), show(parsed.Claims["nonce"])
		}
		if err == nil && parsed.Claims["nonce"] == given {
			next.Expected = ""
			return check.OK("The next request has the nonce.", p, next)
		}
		return check.Wrong("The server asks for a DPoP nonce, and the next request does not have it", "It is refused again with the same words.", p, next)
	}
	return check.Unknown(check.NeedTokenRequest, "the server asks for a DPoP nonce; the next request to it is not there", p)
}

var mtlsBound = &check.Check{
	ID: "mtls-bound", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The certificate of the connection is the one that the token is bound to",
	Judged: "cnf.x5t#S256 of the token equals the SHA-256 thumbprint of the client certificate, as the proxy before the API hands it on.",
	Needs:  []check.Need{check.NeedToken}, Cause: "", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("After the certificate was renewed, get a new token: the old one is bound to the old certificate."),
		check.Neutral("Use one certificate for the token endpoint and for the API."),
	},
	References: []string{"RFC 8705 section 3.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, kinds{token.TypeAccess, token.TypeAny}, func(tok *check.Token, _ token.Type, _ *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			cnf, _ := tok.Claims["cnf"].(map[string]any)
			want, _ := cnf["x5t#S256"].(string)
			if want == "" {
				return check.NotApplicable("the token is bound to no certificate")
			}
			p := usher.Proof{Place: at(tok.Place, "claims.cnf"), Quote: "x5t#S256: " + show(want)}
			for i, c := range t.APICalls {
				if i == maxCalls {
					break
				}
				if !same(c.Token, tok) || c.Exchange == nil {
					continue
				}
				got, name := clientCertificate(c.Exchange.Request)
				if got == "" {
					continue
				}
				seen := usher.Proof{Place: c.Place, Quote: name + ": thumbprint " + got, Expected: show(want), Got: show(got)}
				if got == strings.TrimRight(want, "=") {
					seen.Expected = ""
					return check.OK("The certificate is the one that the token is bound to.", p, seen)
				}
				return check.Wrong("The token is bound to another certificate than that of the connection", "The certificate was renewed after the token was issued, or the token is used by somebody else.", p, seen)
			}
			return check.Unknown(check.NeedTLS, "the token is bound to a certificate; which one the connection has is not known", p)
		})
	},
}

// clientCertificate gives the thumbprint of the certificate that a proxy hands
// on in one of the usual headers, and the name of that header.
func clientCertificate(h http.Header) (thumbprint, name string) {
	if v := h.Get("X-Forwarded-Client-Cert"); v != "" {
		for _, part := range strings.FieldsFunc(v, func(r rune) bool { return r == ';' || r == ',' }) {
			if k, hash, _ := strings.Cut(part, "="); strings.EqualFold(strings.TrimSpace(k), "hash") {
				if sum, err := hex.DecodeString(strings.Trim(hash, `"`)); err == nil && len(sum) == sha256.Size {
					return base64.RawURLEncoding.EncodeToString(sum), "X-Forwarded-Client-Cert"
				}
			}
		}
	}
	for _, name := range [...]string{"Client-Cert", "X-Client-Cert", "X-Ssl-Cert", "X-Ssl-Client-Cert", "Ssl-Client-Cert"} {
		v := h.Get(name)
		if v == "" || len(v) > 64<<10 {
			continue
		}
		if der := certificateOf(v); der != nil {
			sum := sha256.Sum256(der)
			return base64.RawURLEncoding.EncodeToString(sum[:]), name
		}
	}
	return "", ""
}

// certificateOf reads a certificate as proxies write it: RFC 9440, or PEM that
// is percent-encoded.
func certificateOf(v string) []byte {
	if strings.HasPrefix(v, ":") {
		der, err := base64.StdEncoding.DecodeString(strings.Trim(v, ":"))
		if err != nil {
			return nil
		}
		return der
	}
	if plain, err := url.PathUnescape(v); err == nil {
		v = plain
	}
	if block, _ := pem.Decode([]byte(v)); block != nil {
		return block.Bytes
	}
	return nil
}
