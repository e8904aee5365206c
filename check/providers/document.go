package providers

import (
	"bytes"
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/token"
)

var discoveryRequired = &check.Check{
	ID: "discovery-required-fields", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The document has every member that it must have",
	Judged: "issuer, authorization_endpoint, token_endpoint (unless implicit is the only grant), jwks_uri, response_types_supported, and for OpenID providers subject_types_supported and id_token_signing_alg_values_supported are looked for.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Neutral("Complete the document at the provider."),
		check.Neutral("Until then, configure the client with the missing value by hand, from the provider's pages."),
	},
	References: []string{"OpenID Connect Discovery section 3", "RFC 8414 section 2"},
	Judge:      func(t *check.Target) []check.Verdict { return each(t, required) },
}

func required(m *check.Metadata) check.Verdict {
	onlyImplicit := len(m.GrantTypes) == 1 && m.GrantTypes[0] == "implicit"
	openid := isOpenID(m)
	authorize := openid || len(m.GrantTypes) == 0 || slices.Contains(m.GrantTypes, oauth.GrantAuthorizationCode) || slices.Contains(m.GrantTypes, "implicit")
	var lacking []string
	for _, r := range [...]struct {
		name string
		must bool
	}{
		{"issuer", true},
		{"authorization_endpoint", authorize},
		{"token_endpoint", !onlyImplicit},
		{"jwks_uri", openid},
		{"response_types_supported", true},
		{"subject_types_supported", openid},
		{"id_token_signing_alg_values_supported", openid},
	} {
		if raw, ok := m.Raw[r.name]; r.must && (!ok || string(raw) == "null" || string(raw) == `""`) {
			lacking = append(lacking, r.name)
		}
	}
	if len(lacking) == 0 {
		return check.OK("", usher.Proof{Place: m.Place, Quote: strconv.Itoa(len(m.Raw)) + " members"})
	}
	proof := make([]usher.Proof, 0, len(lacking))
	for _, name := range lacking {
		proof = append(proof, member(m, name, "required", "absent"))
	}
	return check.Wrong("The document lacks "+check.Names(lacking), "A client that configures itself from the document stops here, or guesses.", proof...)
}

var discoveryTypes = &check.Check{
	ID: "discovery-types", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The members of the document have the right types",
	Judged: "Lists are arrays of strings, switches are true or false, addresses are strings.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Neutral("Write lists as arrays (not as one string with commas) and switches as true and false without quotes."),
	},
	References: []string{"RFC 8414 section 2", "OpenID Connect Discovery section 3"},
	Judge:      func(t *check.Target) []check.Verdict { return each(t, types) },
}

func types(m *check.Metadata) check.Verdict {
	var proof []usher.Proof
	var bad []string
	for name, raw := range m.Raw {
		want, is := "", ""
		switch {
		case name == "issuer" || strings.HasSuffix(name, "_endpoint") || name == "jwks_uri":
			if want = "a string"; len(raw) > 0 && raw[0] == '"' {
				continue
			}
		case isSwitch(name):
			if want = "true or false"; string(raw) == "true" || string(raw) == "false" {
				continue
			}
		case isList(name):
			if want = "an array of strings"; stringArray(raw) {
				continue
			}
		default:
			continue
		}
		is = kindOf(raw)
		bad = append(bad, name)
		proof = append(proof, member(m, name, want, is))
	}
	if len(bad) == 0 {
		return check.OK("", usher.Proof{Place: m.Place, Quote: strconv.Itoa(len(m.Raw)) + " members"})
	}
	slices.Sort(bad)
	slices.SortFunc(proof, func(a, b usher.Proof) int { return strings.Compare(a.Quote, b.Quote) })
	return check.Wrong("The wrong type has "+check.Names(bad), "Clients that read strictly refuse the whole document; others take the member for absent.", proof...)
}

// isSwitch tells which registered members are booleans.
func isSwitch(name string) bool {
	switch name {
	case "claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported",
		"require_request_uri_registration", "require_pushed_authorization_requests", "require_signed_request_object",
		"tls_client_certificate_bound_access_tokens", "authorization_response_iss_parameter_supported",
		"frontchannel_logout_supported", "frontchannel_logout_session_supported",
		"backchannel_logout_supported", "backchannel_logout_session_supported",
		"backchannel_user_code_parameter_supported", "client_id_metadata_document_supported":
		return true
	}
	return false
}

// isList tells which registered members are arrays of strings.
func isList(name string) bool {
	switch name {
	case "scopes_supported", "response_types_supported", "response_modes_supported", "grant_types_supported",
		"acr_values_supported", "subject_types_supported", "code_challenge_methods_supported", "claims_supported",
		"claim_types_supported", "display_values_supported", "claims_locales_supported", "ui_locales_supported",
		"prompt_values_supported", "authorization_details_types_supported", "backchannel_token_delivery_modes_supported":
		return true
	}
	return strings.HasSuffix(name, "_alg_values_supported") || strings.HasSuffix(name, "_enc_values_supported") ||
		strings.HasSuffix(name, "_endpoint_auth_methods_supported")
}

// stringArray tells whether raw, which is sound JSON, is an array of strings
// and nothing else, without decoding it.
func stringArray(raw json.RawMessage) bool {
	if len(raw) == 0 || raw[0] != '[' {
		return false
	}
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case ' ', '\t', '\r', '\n', ',':
		case ']':
			return true
		case '"':
			i = endOfString(raw, i)
		default:
			return false
		}
	}
	return false
}

// endOfString gives the place of the quotation mark that ends the string which
// begins at i.
func endOfString(raw json.RawMessage, i int) int {
	for i++; i < len(raw) && raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i
}

// elements gives the strings of an array as they stand there: algorithms and
// the like, which need no decoding. What is no array of strings has none.
func elements(raw json.RawMessage) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !stringArray(raw) {
			return
		}
		for i := 1; i < len(raw); i++ {
			if raw[i] != '"' {
				continue
			}
			end := endOfString(raw, i)
			if end >= len(raw) || !yield(raw[i+1:end]) {
				return
			}
			i = end
		}
	}
}

func kindOf(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '"':
		return "a string"
	case '[':
		return "an array of something else"
	case '{':
		return "an object"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

var signedMetadata = &check.Check{
	ID: "discovery-signed-metadata", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityInfo,
	Title:  "The signed copy of the document agrees with the plain one",
	Judged: "signed_metadata is verified with the provider's keys, and each of its claims compared with the plain member.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Neutral("Make the signed copy anew whenever the document changes; a client lets it win.")},
	References: []string{"RFC 8414 section 2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return signed(t, m) })
	},
}

func signed(t *check.Target, m *check.Metadata) check.Verdict {
	if _, ok := m.Raw["signed_metadata"]; !ok {
		return check.NotApplicable("the document has no signed copy")
	}
	raw := m.Text("signed_metadata")
	place := usher.Proof{Place: m.Place, Quote: `"signed_metadata" is a signed copy of the document`}
	parsed, err := token.Parse(raw)
	if err != nil || parsed.Claims == nil {
		return check.Wrong("The signed copy of the document cannot be read", "A client that prefers it, as it may, has nothing.", place)
	}
	var differ []string
	proof := []usher.Proof{place}
	for name, value := range parsed.Claims {
		plain, ok := m.Raw[name]
		if name == "iss" || name == "iat" || name == "exp" || name == "nbf" || name == "jti" || !ok {
			continue
		}
		if !sameJSON(plain, value) {
			differ = append(differ, name)
			text, _ := json.Marshal(value)
			proof = append(proof, member(m, name, check.Clip(string(text), 120), check.Clip(string(plain), 120)))
		}
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		return check.Wrong("The signed copy says something else of "+check.Names(differ), "Clients that read the signed copy and clients that do not go to different places.", proof...).As(usher.SeverityMedium)
	}
	var keys *token.KeySet
	for _, k := range t.KeySets {
		if k.Client == "" {
			keys = k.KeySet
		}
	}
	if keys == nil {
		return check.Unknown(check.NeedKeys, "the signed copy agrees; its signature was not verified", place)
	}
	report := token.Inspect(raw, token.Expect{Type: token.TypeJWS, Keys: keys, Now: func() time.Time { return t.Now }})
	for _, p := range report.Problems {
		switch p.Code {
		case token.CodeKeyNotFound:
			return check.Unknown(check.NeedKeys, "the signed copy agrees; it is signed with a key that is not among the given ones", place)
		case token.CodeSignature, token.CodeAlgNone, token.CodeAlgNotAllowed, token.CodeKeyUnfit, token.CodeExpired:
			return check.Wrong("The signed copy of the document does not verify: "+p.Text, "A client that prefers it, as it may, must refuse it.", place).As(usher.SeverityMedium)
		}
	}
	return check.OK("", place)
}

// sameJSON compares a plain member with a decoded one.
func sameJSON(plain json.RawMessage, value any) bool {
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.UseNumber()
	var v any
	return dec.Decode(&v) == nil && reflect.DeepEqual(v, value)
}
