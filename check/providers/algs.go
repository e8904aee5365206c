package providers

import (
	"encoding/json"
	"strings"

	"usher"
	"usher/check"
)

var algNone = &check.Check{
	ID: "alg-none-announced", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The provider does not offer to sign with none",
	Judged: "The lists of signature algorithms (of ID tokens, UserInfo, request objects, client assertions) are looked through for none.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Switch none off at the provider."),
		check.Tightening("In any case pin the algorithm in the client and in the verifier, and refuse none in every spelling."),
	},
	References: []string{"RFC 8725 section 3.1", "OpenID Connect Core section 2", "FAPI 2.0 Security Profile section 5.4"},
	Judge:      func(t *check.Target) []check.Verdict { return each(t, offersNone) },
}

func offersNone(m *check.Metadata) check.Verdict {
	lists := 0
	var bad []string
	onlyRequests := true
	for _, name := range sorted(m, func(name string, _ json.RawMessage) bool {
		return strings.HasSuffix(name, "signing_alg_values_supported")
	}) {
		lists++
		for alg := range elements(m.Raw[name]) {
			if strings.EqualFold(string(alg), "none") {
				bad = append(bad, name)
				onlyRequests = onlyRequests && (name == "request_object_signing_alg_values_supported" || name == "userinfo_signing_alg_values_supported")
				break
			}
		}
	}
	if len(bad) == 0 {
		if lists == 0 {
			return check.Unknown(check.NeedNothing, "the document lists no signature algorithms")
		}
		return check.OK("", usher.Proof{Place: m.Place, Quote: check.Count(lists, "list", "lists") + " of signature algorithms, none of them with none"})
	}
	proof := make([]usher.Proof, 0, len(bad))
	for _, name := range bad {
		proof = append(proof, member(m, name, "no none in it", "none"))
	}
	v := check.Wrong("none is offered as signature algorithm in "+check.Names(bad), "Anybody can make what none signs: whoever takes it for signed takes anything.", proof...)
	if onlyRequests {
		v.Detail = "OpenID Connect allows it for request objects and UserInfo, where it means: not signed. Make sure that nobody takes that for a signature."
		return v.As(usher.SeverityLow)
	}
	return v
}

var algWeak = &check.Check{
	ID: "alg-weak-announced", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Strong algorithms are on offer",
	Judged: "Lists that hold nothing but HMAC for ID tokens, nothing but RSA1_5 for encryption, or a signature over SHA-1. In the profile fapi2 a list of signatures must hold PS256, ES256 or EdDSA.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Tightening("Offer RS256, PS256, ES256 or EdDSA for signatures and RSA-OAEP-256 or ECDH-ES for encryption, and drop the rest.")},
	References: []string{"RFC 8725 section 3.2", "RFC 7518 section 3.1", "RFC 7518 section 4.1", "FAPI 2.0 Security Profile section 5.4.1"},
	Judge: func(t *check.Target) []check.Verdict {
		if profile(t) == "fapi2" {
			return each(t, offersFAPI)
		}
		return each(t, offersWeak)
	},
}

// offersFAPI holds the lists of signatures to FAPI 2.0 too. A list may hold more
// than the profile takes, for clients of other profiles.
func offersFAPI(m *check.Metadata) check.Verdict {
	var bad []string
	for _, name := range sorted(m, func(name string, _ json.RawMessage) bool {
		return strings.HasSuffix(name, "signing_alg_values_supported")
	}) {
		list, fits := 0, false
		for alg := range elements(m.Raw[name]) {
			list++
			switch string(alg) {
			case "PS256", "ES256", "EdDSA", "Ed25519":
				fits = true
			}
		}
		if list > 0 && !fits {
			bad = append(bad, name)
		}
	}
	if len(bad) == 0 {
		return offersWeak(m)
	}
	proof := make([]usher.Proof, 0, len(bad))
	for _, name := range bad {
		proof = append(proof, member(m, name, "PS256, ES256 or EdDSA", ""))
	}
	return check.Wrong("No algorithm of FAPI 2.0 is offered in "+check.Names(bad), "The profile takes PS256, ES256 and EdDSA (Ed25519) alone.", proof...)
}

func offersWeak(m *check.Metadata) check.Verdict {
	var bad, beside []string
	lists := 0
	for _, name := range sorted(m, func(name string, _ json.RawMessage) bool { return strings.HasSuffix(name, "_alg_values_supported") }) {
		lists++
		count, weak, rsa15, sha1 := 0, 0, false, false
		for text := range elements(m.Raw[name]) {
			count++
			switch alg := string(text); {
			case strings.EqualFold(alg, "none"):
				count-- // alg-none-announced judges it; strong it is not
			case alg == "RS1" || len(alg) >= 4 && strings.EqualFold(alg[len(alg)-4:], "SHA1"):
				sha1 = true
			case alg == "RSA1_5":
				weak++
				rsa15 = true
			case strings.HasPrefix(alg, "HS") && name == "id_token_signing_alg_values_supported":
				weak++
			}
		}
		switch {
		case sha1 || weak > 0 && weak == count:
			bad = append(bad, name)
		case rsa15:
			beside = append(beside, name)
		}
	}
	if len(bad) > 0 {
		proof := make([]usher.Proof, 0, len(bad))
		for _, name := range bad {
			proof = append(proof, member(m, name, "RS256, PS256, ES256, EdDSA; RSA-OAEP-256, ECDH-ES", ""))
		}
		return check.Wrong("Nothing strong, or something broken, is offered in "+check.Names(bad), "HMAC needs a secret that a public client cannot keep; RSA1_5 and SHA-1 have known attacks.", proof...)
	}
	if len(beside) > 0 {
		return check.Unknown(check.NeedRegistration, "RSA1_5 is offered beside strong algorithms; whether a client asks for it is in its registration", member(m, beside[0], "", "RSA1_5"))
	}
	if lists == 0 {
		return check.Unknown(check.NeedNothing, "the document lists no algorithms")
	}
	return check.OK("", usher.Proof{Place: m.Place, Quote: check.Count(lists, "list", "lists") + " of algorithms"})
}
