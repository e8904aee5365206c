package snapshot

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"usher"
)

// Change is one difference between two looks, with what it means.
type Change struct {
	Member   string         `json:"member"` // of the discovery document; "keys" for a key
	Old      string         `json:"old,omitempty"`
	New      string         `json:"new,omitempty"`
	Title    string         `json:"title"` // what happened, a clause
	Means    string         `json:"means"` // for a client, a sentence
	Do       string         `json:"do,omitempty"`
	Severity usher.Severity `json:"severity"` // info: nothing breaks
}

// Diff says what changed from the older look to the newer, the worst first. A
// look without metadata, or without keys, tells nothing about them.
func Diff(older, newer *Look) []Change {
	var out []Change
	if older.Metadata != nil && newer.Metadata != nil {
		names := map[string]bool{}
		for name := range older.Metadata {
			names[name] = true
		}
		for name := range newer.Metadata {
			names[name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			out = append(out, member(name, older, newer)...)
		}
	}
	if older.Keys != nil && newer.Keys != nil {
		out = append(out, keys(older, newer)...)
	}
	slices.SortStableFunc(out, func(a, b Change) int { return a.Severity.Rank() - b.Severity.Rank() })
	return out
}

// member compares one member of the discovery document.
func member(name string, older, newer *Look) []Change {
	was, had := older.Metadata[name]
	is, has := newer.Metadata[name]
	if had == has && sameJSON(was, is) {
		return nil
	}
	before, after := plain(was), plain(is)
	one := func(severity usher.Severity, title, means, do string) []Change {
		return []Change{{Member: name, Old: before, New: after, Title: title, Means: means, Do: do, Severity: severity}}
	}
	switch {
	case name == "issuer":
		return one(usher.SeverityCritical, "the issuer is another one",
			"every client that compares iss refuses the tokens of the new one", "find out whether the provider moved; change the configured issuer in every client and API together")
	case name == "jwks_uri" && !has:
		return one(usher.SeverityHigh, "the document names no keys any more",
			"whoever reads the address from it can verify no token", "ask the provider where its keys are")
	case name == "jwks_uri":
		return one(usher.SeverityHigh, "the keys are published at another address",
			"APIs that have the old address in their configuration see no new key, and fail at the next rotation", "let clients read jwks_uri from the discovery document")
	case isAddress(name):
		return address(name, had, has, before, after, one)
	case strings.HasSuffix(name, "_supported"):
		if !has && older.List(name) != nil {
			return silent(name, one)
		}
		if list := lists(name, older.List(name), newer.List(name), before, after); list != nil {
			return list
		}
		return flag(name, before, after, one)
	case name == "require_pushed_authorization_requests" && after == "true":
		return one(usher.SeverityHigh, "authorization requests must be pushed first",
			"clients that send the browser with plain parameters are refused (RFC 9126)", "push the request to pushed_authorization_request_endpoint")
	case name == "require_signed_request_object" && after == "true":
		return one(usher.SeverityHigh, "authorization requests must be signed",
			"clients that send plain parameters are refused (RFC 9101)", "sign the requests, with a key that is registered for the client")
	case name == "mtls_endpoint_aliases":
		return one(usher.SeverityMedium, "the addresses for clients with certificates changed",
			"clients with mutual TLS must call these addresses", "read the aliases from the discovery document (RFC 8705 section 5)")
	}
	return one(usher.SeverityInfo, name+" changed", "nothing in the standard depends on it for a client that does not use it", "")
}

func isAddress(name string) bool {
	return strings.HasSuffix(name, "_endpoint") || name == "check_session_iframe"
}

func address(name string, had, has bool, before, after string, one func(usher.Severity, string, string, string) []Change) []Change {
	what := strings.ReplaceAll(name, "_", " ")
	weight := usher.SeverityMedium
	if name == "authorization_endpoint" || name == "token_endpoint" {
		weight = usher.SeverityHigh
	}
	switch {
	case !has:
		return one(weight, "the "+what+" is gone", "calls of "+before+" will fail", "ask the provider what takes its place")
	case !had:
		return one(usher.SeverityInfo, "there is a "+what+" now", news(name), "")
	}
	return one(weight, "the "+what+" moved from "+before+" to "+after,
		"clients that have the old address in their configuration call a place that may end, and firewalls must let the new one through", "let clients read it from the discovery document, or change it in each")
}

// news says what an address that is new makes possible.
func news(name string) string {
	switch name {
	case "revocation_endpoint":
		return "tokens can be revoked at sign-out now (RFC 7009)"
	case "introspection_endpoint":
		return "opaque tokens can be judged by asking now (RFC 7662)"
	case "pushed_authorization_request_endpoint":
		return "authorization requests can be pushed now, out of the browser's sight (RFC 9126)"
	case "registration_endpoint":
		return "clients can be registered by a request now (RFC 7591): see whether anybody may"
	case "end_session_endpoint":
		return "the app can end the provider's session at sign-out now"
	case "device_authorization_endpoint":
		return "devices without a browser can sign in now (RFC 8628), and so can whoever talks a user into typing a code"
	}
	return "it can be used now"
}

// silent tells of a list that the document no longer has. Nothing in it need have
// ended: where a member is absent, a default of RFC 8414 section 2 stands.
func silent(name string, one func(usher.Severity, string, string, string) []Change) []Change {
	if name == "code_challenge_methods_supported" {
		return one(usher.SeverityHigh, "PKCE is no longer announced",
			"it may still work, but clients that look for S256 here, those of MCP among them, refuse the provider or send no challenge", "ask the provider; have each client send S256 whatever the metadata says")
	}
	return one(usher.SeverityMedium, name+" is no longer published",
		"clients that read it take the default in its place (RFC 8414 section 2), which may be less than before", "ask the provider, and see which client reads it")
}

// lists compares lists word by word: what is gone breaks who uses it.
func lists(name string, was, is []string, before, after string) []Change {
	if was == nil && is == nil {
		return nil
	}
	var out []Change
	for _, word := range was {
		if !slices.Contains(is, word) {
			weight, means, do := gone(name, word)
			out = append(out, Change{Member: name, Old: before, New: after, Severity: weight, Title: word + " is no longer in " + name, Means: means, Do: do})
		}
	}
	for _, word := range is {
		if !slices.Contains(was, word) {
			weight, means, do := come(name, word)
			out = append(out, Change{Member: name, Old: before, New: after, Severity: weight, Title: word + " is new in " + name, Means: means, Do: do})
		}
	}
	if out == nil {
		return []Change{} // the order alone
	}
	return out
}

func gone(name, word string) (weight usher.Severity, means, do string) {
	switch {
	case strings.HasSuffix(name, "_alg_values_supported"):
		if word == "none" || strings.HasPrefix(word, "HS") {
			return usher.SeverityInfo, "a weak algorithm is no longer on offer", ""
		}
		return usher.SeverityHigh, "tokens and requests that are signed with " + word + " will be refused or no longer issued", "move clients and APIs to an algorithm that is still listed"
	case name == "grant_types_supported":
		if word == "password" || word == "implicit" {
			return usher.SeverityHigh, "apps that still use the grant " + word + " can no longer sign anybody in", "move them to the authorization code with PKCE"
		}
		return usher.SeverityHigh, "apps that use the grant " + word + " are refused", "find the apps in the sign-in log and move them"
	case name == "response_types_supported" || name == "response_modes_supported":
		return usher.SeverityHigh, "authorization requests with " + word + " are refused", "use one that is still listed; code is the one to have"
	case strings.HasSuffix(name, "_auth_methods_supported"):
		return usher.SeverityHigh, "clients that authenticate with " + word + " will be refused, on a day that is not yours to choose", "register another method for them"
	case name == "code_challenge_methods_supported":
		if word == "plain" {
			return usher.SeverityInfo, "the weak method of PKCE is no longer on offer", ""
		}
		return usher.SeverityHigh, "PKCE with " + word + " may still work, but clients that look for it here, those of MCP among them, refuse the provider or send no challenge", "ask the provider; have each client send S256 whatever the metadata says"
	case name == "scopes_supported" || name == "claims_supported":
		return usher.SeverityMedium, "apps that ask for " + word + " may be refused or miss it", "see whether a client asks for it"
	}
	return usher.SeverityLow, "clients that rely on " + word + " may be refused", "see whether a client uses it"
}

func come(name, word string) (weight usher.Severity, means, do string) {
	switch name {
	case "code_challenge_methods_supported":
		if word == "S256" {
			return usher.SeverityInfo, "PKCE is announced now: clients that read the metadata will send a challenge", "send S256 from every client (RFC 9700 section 2.1.1)"
		}
		return usher.SeverityLow, "a weak method of PKCE is on offer", "use S256"
	case "id_token_signing_alg_values_supported":
		if word == "none" {
			return usher.SeverityHigh, "unsigned ID tokens are on offer: a client that takes its algorithms from here can be fooled", "pin the algorithms in each client"
		}
		return usher.SeverityInfo, "ID tokens may come signed with " + word, "see that every client can verify it before the provider uses it"
	case "grant_types_supported":
		if word == "password" || word == "implicit" {
			return usher.SeverityMedium, "a grant that RFC 9700 tells everybody to leave is on offer", "switch it off where nobody needs it"
		}
		return usher.SeverityInfo, "the grant " + word + " can be used now", ""
	}
	return usher.SeverityInfo, word + " can be used now", ""
}

// flag compares a member that is a boolean.
func flag(name, before, after string, one func(usher.Severity, string, string, string) []Change) []Change {
	switch {
	case name == "authorization_response_iss_parameter_supported" && after == "true":
		return one(usher.SeverityInfo, "iss is sent in authorization responses now",
			"clients can tell which provider answered, and those of several providers should compare it (RFC 9207)", "compare iss in every client before the code is used")
	case name == "authorization_response_iss_parameter_supported":
		return one(usher.SeverityHigh, "iss is no longer sent in authorization responses",
			"clients that demand iss refuse every sign-in", "ask the provider, and see how each client is configured")
	case name == "client_id_metadata_document_supported" && after == "true":
		return one(usher.SeverityInfo, "a client id may be the address of a metadata document now", "clients need no registration at this provider", "")
	}
	return one(usher.SeverityLow, name+" changed from "+orAbsent(before)+" to "+orAbsent(after), "clients that rely on it behave differently", "")
}

// keys compares the key sets. Keys may share an id, or have none: what tells
// them apart then is their value.
func keys(older, newer *Look) []Change {
	var out []Change
	was, is := slices.Clone(older.Keys), slices.Clone(newer.Keys)
	kept := take(&was, &is, func(a, b Key) bool {
		return a.Kid == b.Kid && (a.Thumbprint == b.Thumbprint || a.Thumbprint == "" || b.Thumbprint == "")
	})
	// Of what is left, the same id is another value of one key.
	again := take(&was, &is, func(a, b Key) bool { return a.Kid == b.Kid && a.Kid != "" })
	for _, k := range was {
		out = append(out, Change{
			Member: "keys", Old: k.Kid, Severity: usher.SeverityMedium, Title: "the key " + name(k) + " is gone",
			Means: "tokens that were signed with it can no longer be verified by whoever reads the keys anew; some providers take a key away for hours and bring it back",
			Do:    "keep keys for 72 hours after they were last published",
		})
	}
	for _, k := range again {
		out = append(out, Change{
			Member: "keys", Old: k.Kid, New: k.Kid, Severity: usher.SeverityHigh, Title: "the key " + name(k) + " has another value under the same id",
			Means: "whoever keeps keys by their id verifies with the old one and refuses good tokens", Do: "ask the provider to give every key its own id; empty the key caches",
		})
	}
	switch {
	case len(newer.Keys) == 0 && len(older.Keys) > 0:
		out = append(out, Change{
			Member: "keys", Old: strings.Join(older.Kids(), " "), Severity: usher.SeverityCritical, Title: "no key is published any more",
			Means: "no token of this provider can be verified by whoever reads the keys anew", Do: "tell the provider; until then go on with the keys that were published last",
		})
	case len(kept)+len(again) == 0 && len(older.Keys) > 0:
		out = append(out, Change{
			Member: "keys", Old: strings.Join(older.Kids(), " "), New: strings.Join(newer.Kids(), " "), Severity: usher.SeverityHigh,
			Title: "all keys were replaced at once", Means: "every token from before is refused where the keys are read anew: a rotation without overlap",
			Do: "have the provider publish the next key beside the one in use for as long as tokens live",
		})
	}
	for _, k := range is {
		out = append(out, Change{
			Member: "keys", New: k.Kid, Severity: usher.SeverityInfo, Title: "the key " + name(k) + " is new",
			Means: "tokens will be signed with it soon; whoever holds keys in its configuration refuses them", Do: "",
		})
	}
	return out
}

// take takes the pairs that fit out of both lists, and gives their first halves.
func take(was, is *[]Key, fit func(a, b Key) bool) (pairs []Key) {
	*was = slices.DeleteFunc(*was, func(k Key) bool {
		i := slices.IndexFunc(*is, func(other Key) bool { return fit(k, other) })
		if i < 0 {
			return false
		}
		*is = slices.Delete(*is, i, i+1)
		pairs = append(pairs, k)
		return true
	})
	return pairs
}

func name(k Key) string {
	id := k.Kid
	if id == "" {
		id = "without id"
	}
	if k.Alg != "" {
		return id + " (" + k.Alg + ")"
	}
	return id
}

func orAbsent(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}

func sameJSON(a, b json.RawMessage) bool {
	if string(a) == string(b) {
		return true
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

// plain shows a member in a line.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, " ")
	}
	if len(raw) > 500 {
		return strings.ToValidUTF8(string(raw[:500]), "") + "..."
	}
	return string(raw)
}
