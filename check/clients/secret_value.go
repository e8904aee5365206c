package clients

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var secretEntropy = &check.Check{
	ID: "secret-entropy", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The secret is long and random",
	Judged: "Length and alphabet of the secret: at least 128 bits, and 256 where it is the key of HS256.",
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Let the provider make the secret, or take 32 random bytes: openssl rand -base64 32."),
		check.Tightening("Use a key (private_key_jwt) or a federated identity in place of a secret."),
	},
	References: []string{"RFC 6819 section 5.1.4.2.2", "OpenID Connect Core section 16.19", "RFC 7518 section 3.2"},
	Judge:      judgeEntropy,
}

func judgeEntropy(t *check.Target) []check.Verdict {
	var b book
	seen := 0
	judge := func(client, place string, s usher.Secret, r *evidence.Registration, entra bool) {
		if s == "" || seen == 1000 {
			return
		}
		seen++
		if r == nil {
			r = registration(t, client)
		}
		if (entra || vendor(t, r) == "entra") && oauth.IsGUID(s.Reveal()) {
			return // the id of a secret: secret-valid says so
		}
		if r != nil {
			if public, told := publicOf(r); told && public {
				return // nothing rests on it
			}
			client = r.ClientID
		}
		if strings.Count(s.Reveal(), ".") == 2 && strings.HasPrefix(s.Reveal(), "ey") {
			return // Apple's secrets are signed tokens
		}
		name := cmp.Or(client, "the client")
		if r != nil {
			name = nameOf(r)
		}
		b.add(client, strong(s.Reveal(), name, place, r != nil && contains(r.AuthMethods, oauth.AuthSecretJWT)))
	}
	for _, r := range t.Registrations {
		if r == nil {
			continue
		}
		for i := range r.Credentials {
			if c := &r.Credentials[i]; c.Kind == "secret" {
				judge(r.ClientID, c.Place, c.Value, r, false)
			}
		}
	}
	for c := range tokenCalls(t) {
		judge(c.Request.ClientID, c.Place, c.Request.ClientSecret, nil, entraAt(c.Request.Endpoint))
	}
	judge(askedClient(t), "the secret that was given", t.Secret, nil, false)
	return b.or(check.Unknown(check.NeedCredentials, "the value of the secret is needed to judge it; it is never shown"))
}

// strong judges what a secret looks like, without showing any of it.
func strong(s, client, place string, hmac bool) check.Verdict {
	bits, what := guess(s)
	got := fmt.Sprintf("%d %s, about %d bits", len(s), what, bits)
	p := proof(place, "the secret of "+whom(client), "at least 128 bits", got)
	switch word := phrase(s); {
	case word:
		return check.Wrong("The secret of "+whom(client)+" is made of words", "It can be guessed from a list, however long it is.", p)
	case oauth.IsGUID(s):
		return check.Wrong("The secret of "+whom(client)+" is a UUID, with 122 random bits at most", "Just short of the 128 bits that are asked for; some generators of UUIDs are not made for secrets.", p).As(usher.SeverityLow)
	case bits < 128:
		return check.Wrong(fmt.Sprintf("The secret of %s has about %d bits", client, bits), fmt.Sprintf("It is %d %s: too few against guessing.", len(s), what), p)
	case hmac && len(s) < 32:
		p.Expected = "at least 32 bytes"
		return check.Wrong(fmt.Sprintf("The secret of %s has %d bytes and is the key of HS256", client, len(s)), "The key of HS256 needs 256 bits; many libraries refuse a shorter one.", p)
	}
	return check.OK("as far as length and alphabet tell", p)
}

// guess estimates the bits of a secret from its length and alphabet.
func guess(s string) (bits int, what string) {
	var lower, upper, digit, other, hex bool
	hex = true
	var seen [256]bool
	distinct := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !seen[c] {
			seen[c] = true
			distinct++
		}
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'a' && c <= 'f':
			lower = true
		case c >= 'a' && c <= 'z':
			lower, hex = true, false
		case c >= 'A' && c <= 'F':
			upper = true
		case c >= 'A' && c <= 'Z':
			upper, hex = true, false
		default:
			other, hex = true, false
		}
	}
	tenths := 0 // of a bit for each character
	switch {
	case hex && !(lower && upper) && (lower || upper):
		tenths, what = 40, "hexadecimal digits"
	case digit && !lower && !upper && !other:
		tenths, what = 33, "digits"
	case other && (lower || upper):
		tenths, what = 60, "letters, digits and signs"
	case lower && upper:
		tenths, what = 57, "letters"
		if digit {
			tenths, what = 59, "letters and digits"
		}
	case digit:
		tenths, what = 51, "letters and digits"
	case lower || upper:
		tenths, what = 47, "letters of one case"
	default:
		tenths, what = 40, "signs"
	}
	if distinct*5 < len(s) && !hex && len(s) < 256 || distinct < 6 && len(s) > 2*distinct {
		tenths, what = 5, "characters, most of them the same"
	}
	return len(s) * tenths / 10, what
}

// phrase tells whether a secret reads like words: without a digit and with one
// that people use for secrets.
func phrase(s string) bool {
	if strings.ContainsAny(s, "0123456789") || len(s) > 256 {
		return false
	}
	s = strings.ToLower(s)
	for _, w := range [...]string{"secret", "password", "passwort", "changeme", "change-me", "change_me", "client", "default", "example", "admin", "test"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

var secretChars = &check.Check{
	ID: "secret-chars", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The secret survives its encoding",
	Judged: "Whether characters such as + and % in the secret were encoded in the form and before Basic.",
	Cause:  causeSecretWrong, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Encode id and secret as a form does before they are joined for Basic, and every value of a form body (+ becomes %2B, % becomes %25); let the library build both."),
		check.Neutral("Or send the secret in the body (client_secret_post), where the client may use that, or make a new one of letters and digits."),
	},
	References: []string{"RFC 6749 section 2.3.1", "RFC 6749 appendix B"},
	Judge:      judgeChars,
}

func judgeChars(t *check.Target) []check.Verdict {
	var b book
	// The same secret accepted in one way and refused in the other is proof.
	type tried struct{ taken, left *check.TokenCall }
	tries := map[usher.Secret]tried{}
	for c := range tokenCalls(t) {
		if c.Request.ClientSecret == "" {
			continue
		}
		b.add(c.Request.ClientID, chars(c))
		tr := tries[c.Request.ClientSecret]
		switch {
		case granted(c):
			tr.taken = c
		case c.Response != nil && c.Response.Error != nil && c.Response.Error.Code == oauth.ErrInvalidClient:
			tr.left = c
		}
		if len(tries) < 1000 {
			tries[c.Request.ClientSecret] = tr
		}
		if tr.taken != nil && tr.left != nil && tr.taken.Request.AuthMethod == oauth.AuthPost && tr.left.Request.AuthMethod == oauth.AuthBasic &&
			strings.ContainsAny(c.Request.ClientSecret.Reveal(), "+%/:=&~ ") {
			b.add(c.Request.ClientID, check.Wrong("The secret passes in the body and not by Basic", "It holds characters that the client and the provider encode differently in the Authorization header.",
				proof(tr.left.Place, oauth.AuthBasic, "", "refused"), proof(tr.taken.Place, oauth.AuthPost, "", "accepted")))
		}
	}
	return b.or(check.Unknown(check.NeedTokenRequest, ""))
}

// chars judges how one request carries its secret.
func chars(c *check.TokenCall) check.Verdict {
	for _, d := range c.Request.Defects {
		if strings.HasPrefix(d, "client_secret ") {
			return check.Wrong("The form carries the secret unencoded: "+d, "What arrives is another value than the secret.", proof(c.Place, d, "an encoded value", "")).
				Do("Encode the value as a form does (+ as %2B, % as %25), with curl by --data-urlencode; strip line breaks from files that secrets are read from.")
		}
	}
	s := c.Request.ClientSecret.Reveal()
	if strings.TrimSpace(s) != s {
		return check.Wrong("The secret of "+whom(c.Request.ClientID)+" is sent with a blank or line break around it", "What arrives is another value than the secret.", proof(c.Place, c.Request.ClientSecret.Fingerprint(), "no blank at either end", "one"))
	}
	if c.Request.AuthMethod == oauth.AuthBasic {
		if raw, ok := basicSecret(c); ok {
			switch {
			case granted(c) && (strings.Contains(raw, "+") || badPercent(raw)):
				return check.OK("it was not encoded for Basic, and this provider takes it as it is", proof(c.Place, "Authorization: Basic", "", "a token"))
			case strings.Contains(raw, "+"):
				return check.Wrong("The secret of "+whom(c.Request.ClientID)+" has a + that was not encoded for Basic", "A provider that decodes as the standard says reads a blank there.", proof(c.Place, "Authorization: Basic", "+ as %2B", "+"))
			case badPercent(raw):
				return check.Wrong("The secret of "+whom(c.Request.ClientID)+" has a % that was not encoded for Basic", "A provider that decodes as the standard says cannot read it.", proof(c.Place, "Authorization: Basic", "% as %25", "%"))
			}
		}
	}
	return check.OK("nothing in it is lost on the way", proof(c.Place, c.Request.AuthMethod, "", ""))
}

// basicSecret gives what stands after the colon in a Basic header, undecoded.
func basicSecret(c *check.TokenCall) (string, bool) {
	if c.Exchange == nil {
		return "", false
	}
	return rawBasic(c.Exchange.Request.Get("Authorization"))
}

func badPercent(s string) bool {
	_, err := url.PathUnescape(s)
	return err != nil
}

// rawBasic gives the secret of a Basic header as it stands there, RFC 7617
// section 2, before it is decoded as a form.
func rawBasic(header string) (string, bool) {
	scheme, value, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", false
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil {
		return "", false
	}
	_, secret, ok := strings.Cut(string(pair), ":")
	return secret, ok
}
