package providers

import (
	"encoding/base64"
	"math/big"
	"strconv"
	"strings"

	"usher"
	"usher/check"
)

var jwksNoPrivate = &check.Check{
	ID: "jwks-no-private", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "The key set holds no private or secret key",
	Judged: "No entry has one of the members d, p, q, dp, dq, qi, oth or k.",
	Needs:  []check.Need{check.NeedKeys},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Take the key out of the set at once and make a new pair: whoever saw it can sign tokens as this provider."),
		check.Tightening("Refuse tokens that were signed with it, and look in the logs for tokens that you did not issue."),
		check.Neutral("Publish the public members alone: kty, n, e or crv, x, y, with kid, use and alg."),
	},
	References: []string{"RFC 7517 section 5", "RFC 7517 section 9.2"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, k := range t.KeySets {
			v := noPrivate(k)
			v.Subject.Client = k.Client
			out = append(out, v)
		}
		return out
	},
}

func noPrivate(k *check.KeySet) check.Verdict {
	var proof []usher.Proof
	list := k.Entries()
	for i, entry := range list {
		for _, name := range [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, there := entry[name]; there {
				proof = append(proof, usher.Proof{Place: k.Place, Quote: keyName(entry, i) + " has the member " + name, Expected: "public members alone", Got: name})
				break
			}
		}
	}
	if list == nil && k.KeySet != nil {
		for i, key := range k.Keys {
			if key.Private {
				proof = append(proof, usher.Proof{Place: k.Place, Quote: "key " + strconv.Itoa(i+1) + " (kid " + check.Clip(key.Kid, 60) + ") is private", Expected: "a public key"})
			}
		}
	}
	if len(proof) > 0 {
		return check.Wrong(check.Count(len(proof), "key of the set is private or secret", "keys of the set are private or secret"),
			"Whoever reads the set can make tokens that every verifier takes.", proof...)
	}
	return check.OK("", usher.Proof{Place: k.Place, Quote: keyCount(k)})
}

// keyName names an entry by its kid or its place in the set. A key id may be
// long and random: the word kid before it keeps it from being masked as a secret.
func keyName(entry map[string]rawMessage, i int) string {
	if kid := check.Member(entry, "kid"); kid != "" {
		return "kid " + check.Clip(kid, 60)
	}
	return "key " + strconv.Itoa(i+1)
}

func keyCount(k *check.KeySet) string {
	if k.KeySet == nil {
		return "a key set"
	}
	return check.Count(len(k.Keys)+len(k.Left), "key", "keys")
}

var jwksSymmetric = &check.Check{
	ID: "jwks-symmetric-mix", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "No symmetric key stands among the published ones",
	Judged: "No entry of a provider's set has the key type oct.",
	Needs:  []check.Need{check.NeedKeys},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Take oct keys out of the set; a secret that was published is none any more. Sign with a key pair.")},
	References: []string{"RFC 8725 section 2.1", "RFC 7518 section 6.4"},
	Judge: func(t *check.Target) []check.Verdict {
		return eachSet(t, func(k *check.KeySet) check.Verdict {
			var proof []usher.Proof
			for i, entry := range k.Entries() {
				if check.Member(entry, "kty") == "oct" {
					proof = append(proof, usher.Proof{Place: k.Place, Quote: keyName(entry, i) + ": kty oct", Expected: "RSA, EC or OKP", Got: "oct"})
				}
			}
			if k.Entries() == nil {
				for _, key := range k.Keys {
					if key.Kty == "oct" {
						proof = append(proof, usher.Proof{Place: k.Place, Quote: "kid " + check.Clip(key.Kid, 60) + ": kty oct", Expected: "RSA, EC or OKP", Got: "oct"})
					}
				}
			}
			if len(proof) > 0 {
				return check.Wrong(check.Count(len(proof), "symmetric key is published", "symmetric keys are published"), "Who can read it can sign with it; a verifier that takes it for a key of the provider takes forged tokens.", proof...)
			}
			return check.OK("", usher.Proof{Place: k.Place, Quote: keyCount(k)})
		})
	},
}

var jwksKeySize = &check.Check{
	ID: "jwks-key-size", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The keys are strong enough",
	Judged: "RSA of at least 2048 bits with an odd exponent above 1 and without the fingerprint of ROCA; elliptic keys on a known curve, with their point on it.",
	Needs:  []check.Need{check.NeedKeys},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Make a new key: RSA of 2048 bits or more, P-256, or Ed25519. Publish it before it signs, and withdraw the weak one when its last token has run out."),
	},
	References: []string{"RFC 7518 section 3.3", "RFC 8725 section 3.5", "FAPI 2.0 Security Profile section 5.4.1"},
	Judge:      func(t *check.Target) []check.Verdict { return eachSet(t, strong) },
}

func strong(k *check.KeySet) check.Verdict {
	var proof []usher.Proof
	for _, key := range k.Keys {
		if key.Kty == "RSA" && key.Bits < 2048 {
			proof = append(proof, usher.Proof{Place: k.Place, Quote: "kid " + check.Clip(key.Kid, 60) + ": RSA of " + strconv.Itoa(key.Bits) + " bits", Expected: "at least 2048 bits", Got: strconv.Itoa(key.Bits) + " bits"})
		}
	}
	for i, entry := range k.Entries() {
		if check.Member(entry, "kty") != "RSA" {
			continue
		}
		if why := weakRSA(check.Member(entry, "n"), check.Member(entry, "e")); why != "" {
			proof = append(proof, usher.Proof{Place: k.Place, Quote: keyName(entry, i) + ": " + why, Expected: "an exponent such as 65537, and a modulus made at random"})
		}
	}
	for _, left := range k.Left {
		if strings.Contains(left.Why, "not on the curve") || strings.Contains(left.Why, "small order") {
			proof = append(proof, usher.Proof{Place: k.Place, Quote: "kid " + check.Clip(left.Kid, 60) + ": " + left.Why, Expected: "a point on its curve"})
		}
	}
	if len(proof) > 0 {
		return check.Wrong(check.Count(len(proof), "key is too weak", "keys are too weak")+": "+check.Clip(proof[0].Quote, 160), "Who computes the private key signs tokens as this provider.", proof...)
	}
	if len(k.Keys) == 0 {
		return check.Unknown(check.NeedKeys, "no key of the set could be read")
	}
	return check.OK("", usher.Proof{Place: k.Place, Quote: keyCount(k)})
}

// weakRSA says what is wrong with an RSA key beside its length. Values that do
// not decode are left to others.
func weakRSA(modulus, exponent string) string {
	n, err1 := base64.RawURLEncoding.DecodeString(modulus)
	e, err2 := base64.RawURLEncoding.DecodeString(exponent)
	if err1 != nil || err2 != nil || len(n) == 0 || len(e) == 0 || len(n) > 2048 || len(e) > 2048 {
		return ""
	}
	if len(e) <= 2 {
		small := 0
		for _, b := range e {
			small = small<<8 | int(b)
		}
		if small < 3 {
			return "its exponent is " + strconv.Itoa(small)
		}
	}
	switch {
	case e[len(e)-1]&1 == 0:
		return "its exponent is even"
	case n[len(n)-1]&1 == 0:
		return "its modulus is even"
	case roca(new(big.Int).SetBytes(n)):
		return "its modulus has the fingerprint of ROCA (CVE-2017-15361)"
	}
	return ""
}

// roca looks for what moduli of certain chips have in common: the rest by each
// of these primes is a power of 65537.
func roca(n *big.Int) bool {
	var p, r big.Int
	for _, prime := range [...]int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
		rest, power, fits := r.Mod(n, p.SetInt64(prime)).Int64(), int64(1), false
		for range prime {
			fits = fits || power == rest
			power = power * 65537 % prime
		}
		if !fits {
			return false
		}
	}
	return true
}

var jwksKidUnique = &check.Check{
	ID: "jwks-kid-unique", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Every key has a kid of its own",
	Judged: "An entry without kid, or two entries with one kid.",
	Needs:  []check.Need{check.NeedKeys}, Cause: "",
	Step: usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Neutral("Give each key a kid of its own, best its thumbprint (RFC 7638), and name it in the header of tokens.")},
	References: []string{"RFC 7517 section 4.5", "OpenID Connect Core section 10.1"},
	Judge:      func(t *check.Target) []check.Verdict { return eachSet(t, kids) },
}

func kids(k *check.KeySet) check.Verdict {
	list := kidsOf(k)
	seen := make(map[string]int, len(list))
	var proof []usher.Proof
	missing, twice := 0, 0
	for i, kid := range list {
		switch {
		case kid == "":
			missing++
			proof = append(proof, usher.Proof{Place: k.Place, Quote: "key " + strconv.Itoa(i+1) + " has no kid", Expected: "a kid"})
		case seen[kid] == 1:
			twice++
			proof = append(proof, usher.Proof{Place: k.Place, Quote: "kid " + check.Clip(kid, 60) + " stands more than once", Expected: "a kid for each key"})
			seen[kid]++
		default:
			seen[kid]++
		}
	}
	switch {
	case twice > 0:
		return check.Wrong("One kid stands for several keys", "A verifier takes the first, or refuses the set; every second token fails.", proof...)
	case missing > 0 && len(list) == 1:
		return check.Wrong("The only key has no kid", "It works until a second one stands beside it: then nobody knows which is meant.", proof...).As(usher.SeverityLow)
	case missing > 0:
		return check.Wrong(check.Count(missing, "key has no kid", "keys have no kid"), "A token cannot say which of them signed it; verifiers try each, or none.", proof...)
	case len(list) == 0:
		return check.Unknown(check.NeedKeys, "the set is empty")
	}
	return check.OK("", usher.Proof{Place: k.Place, Quote: keyCount(k)})
}

// kidsOf gives the kid of every entry, empty where there is none.
func kidsOf(k *check.KeySet) []string {
	entries := k.Entries()
	if entries == nil {
		out := make([]string, 0, len(k.Keys))
		for _, key := range k.Keys {
			out = append(out, key.Kid)
		}
		return out
	}
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, check.Member(e, "kid"))
	}
	return out
}
