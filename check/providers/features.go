package providers

import (
	"encoding/json"
	"slices"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/token"
)

var issResponse = &check.Check{
	ID: "iss-response-announced", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Answers carry iss exactly when the document says so",
	Judged: "authorization_response_iss_parameter_supported against the answers of the authorization endpoint: both, or neither.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepAuthResponse, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Tightening("Switch issuer identification on at the provider, and announce it."),
		check.Tightening("Until then give each provider a redirect URI of its own, if the client talks to more than one."),
	},
	References: []string{"RFC 9207 section 2", "RFC 9207 section 3", "RFC 9700 section 4.4.2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return issAnnounced(t, m) })
	},
}

func issAnnounced(t *check.Target, m *check.Metadata) check.Verdict {
	const name = "authorization_response_iss_parameter_supported"
	proof := member(m, name, "", "")
	seen, with := 0, 0
	var without, carrying usher.Proof
	for _, call := range t.AuthCalls {
		r := call.Response
		if r == nil || r.Params.Get("response") != "" || !fromProvider(call, m, len(t.Metadata)) {
			continue
		}
		seen++
		place := call.ResponsePlace
		if place == "" {
			place = call.Place
		}
		if r.Issuer != "" {
			with++
			carrying = usher.Proof{Place: place, Quote: "iss=" + check.Clip(r.Issuer, 160)}
		} else {
			without = usher.Proof{Place: place, Quote: "an answer without iss", Expected: "iss=" + check.Clip(m.Issuer, 160), Got: "absent"}
		}
	}
	switch {
	case m.IssParameter && seen > with:
		return check.Wrong("The document promises iss, and an answer has none", "A client that keeps to RFC 9207 must refuse such an answer.", proof, without)
	case m.IssParameter && seen > 0:
		return check.OK("", proof, carrying)
	case with > 0:
		return check.Wrong("Answers carry iss, and the document does not say so", "Clients cannot rely on it: an attacker who leaves it out is not noticed.", proof, carrying).As(usher.SeverityLow)
	case !m.IssParameter && (profile(t) == "fapi2" || profile(t) == "mcp"):
		proof.Expected, proof.Got = "true", "absent"
		return check.Wrong("The document does not promise iss in answers", "The profile demands it.", proof)
	case seen > 0 && severalIssuers(t):
		return check.Wrong("Answers carry no iss, and there is more than one provider", "A malicious or broken provider can have the client send another's code to it (mix-up).", proof, without)
	case seen > 0:
		return check.OK("neither promised nor sent; a client with more than one provider needs another defence against mix-up", proof, without)
	}
	return check.Unknown(check.NeedAuthResponse, "an answer of the authorization endpoint would tell whether it carries iss", proof)
}

// fromProvider tells whether a call went to the provider of a document. Where
// there is one document alone, an answer without its request is taken for its.
func fromProvider(call *check.AuthCall, m *check.Metadata, documents int) bool {
	if call.Request == nil || m.AuthorizationEndpoint == "" || call.Request.Endpoint == "" {
		return documents == 1
	}
	return documents == 1 || check.SameAddress(call.Request.Endpoint, m.AuthorizationEndpoint)
}

func severalIssuers(t *check.Target) bool {
	for _, m := range t.Metadata {
		if m.Issuer != t.Metadata[0].Issuer {
			return true
		}
	}
	return false
}

var parSupported = &check.Check{
	ID: "par-supported", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityInfo,
	Title:  "Authorization requests can be pushed",
	Judged: "pushed_authorization_request_endpoint is in the document; whether it must be used is noted.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Neutral("Nothing need be done. Where the provider can be updated to support it, confidential clients gain: the parameters leave the browser."),
	},
	References: []string{"RFC 9126 section 5", "FAPI 2.0 Security Profile section 5.3.2.2"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict {
			const name = "pushed_authorization_request_endpoint"
			if !has(m, name) {
				return check.Wrong("Authorization requests cannot be pushed", "The document names no endpoint for it, so that the parameters of a request stand in the browser.", member(m, name, "an address", "absent"))
			}
			detail := "possible"
			if must, _ := m.Bool("require_pushed_authorization_requests"); must {
				detail = "demanded of every client"
			}
			return check.OK(detail, member(m, name, "", ""))
		})
	},
}

var senderConstraint = &check.Check{
	ID: "sender-constraint-supported", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityInfo,
	Title:  "Tokens can be bound to their holder",
	Judged: "The document announces DPoP (dpop_signing_alg_values_supported) or tokens bound to a certificate (tls_client_certificate_bound_access_tokens).",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Tightening("Plan bound tokens for APIs that move money or give rights; until then keep access tokens short-lived."),
	},
	References: []string{"RFC 9449 section 5.1", "RFC 8705 section 3.3", "RFC 9700 section 2.2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict {
			if len(m.DPoPAlgs) > 0 {
				return check.OK("DPoP", member(m, "dpop_signing_alg_values_supported", "", ""))
			}
			if bound, _ := m.Bool("tls_client_certificate_bound_access_tokens"); bound {
				return check.OK("certificates", member(m, "tls_client_certificate_bound_access_tokens", "", ""))
			}
			return check.Wrong("Tokens cannot be bound to their holder", "The document announces neither DPoP nor bound certificates: who has a token can use it.", member(m, "dpop_signing_alg_values_supported", "DPoP or mutual TLS", "absent"))
		})
	},
}

var mtlsAliases = &check.Check{
	ID: "mtls-aliases", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A client with a certificate calls the addresses that ask for it",
	Judged: "Where mtls_endpoint_aliases are published, the token requests of clients that authenticate by certificate must go there.",
	Needs:  []check.Need{check.NeedDiscovery}, Cause: "client-auth-method",
	Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Let the client send its token requests to the address under mtls_endpoint_aliases.")},
	References: []string{"RFC 8705 section 5"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return aliases(t, m) })
	},
}

func aliases(t *check.Target, m *check.Metadata) check.Verdict {
	var alias struct {
		To string `json:"token_endpoint"`
	}
	raw, there := m.Raw["mtls_endpoint_aliases"]
	if !there {
		return check.NotApplicable("the document has no addresses of their own for clients with certificates")
	}
	if json.Unmarshal(raw, &alias) != nil || alias.To == "" {
		return check.Unknown(check.NeedNothing, "mtls_endpoint_aliases names no token endpoint", member(m, "mtls_endpoint_aliases", "", ""))
	}
	to := alias.To
	if to == m.TokenEndpoint {
		return check.OK("the addresses are the same", member(m, "mtls_endpoint_aliases", "", ""))
	}
	clients, told := map[string]bool{}, false
	for _, r := range t.Registrations {
		told = told || len(r.AuthMethods) > 0
		clients[r.ClientID] = slices.Contains(r.AuthMethods, oauth.AuthTLS) || slices.Contains(r.AuthMethods, oauth.AuthSelfSignedTLS)
	}
	seen := false
	for _, call := range t.TokenCalls {
		if call.Request == nil || call.Request.Endpoint == "" || !clients[call.Request.ClientID] {
			continue
		}
		seen = true
		if !check.SameAddress(call.Request.Endpoint, to) {
			return check.Wrong("The client calls "+check.Clip(call.Request.Endpoint, 160)+", its certificate is asked for at "+check.Clip(to, 160),
				"At that address nobody asks for the certificate: the client is not recognised, or its token is not bound.",
				usher.Proof{Place: call.Place, Quote: "POST " + check.Clip(call.Request.Endpoint, 160), Expected: to, Got: call.Request.Endpoint}).Of(call.Request.ClientID)
		}
	}
	switch {
	case seen:
		return check.OK("", member(m, "mtls_endpoint_aliases", "", ""))
	case !told:
		return check.Unknown(check.NeedRegistration, "whether a client authenticates by certificate is in its registration")
	}
	for _, with := range clients {
		if with {
			return check.Unknown(check.NeedTokenRequest, "")
		}
	}
	return check.NotApplicable("no client authenticates by certificate")
}

var revocationOffered = &check.Check{
	ID: "revocation-offered", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "Tokens can be revoked",
	Judged: "revocation_endpoint is in the document.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Tightening("Keep access and refresh tokens short-lived where they cannot be revoked, and end the provider's session at sign-out."),
	},
	References: []string{"RFC 7009 section 2", "RFC 9700 section 4.14.2"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict {
			if has(m, "revocation_endpoint") {
				return check.OK("", member(m, "revocation_endpoint", "", ""))
			}
			detail := "The document names no revocation endpoint: a refresh token that was stolen is good until it ends."
			if able, told := can(t, "revocation"); told && !able {
				detail += " " + known(t).Title + " has none by design."
			}
			return check.Wrong("The provider names no way to revoke a token", detail, member(m, "revocation_endpoint", "an address", "absent"))
		})
	},
}

var introspectionOffered = &check.Check{
	ID: "introspection-offered", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Opaque tokens can be introspected",
	Judged: "introspection_endpoint is in the document, or the access tokens are JWTs.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Ask for JWT access tokens (Auth0: name the API as audience; Okta: use a custom authorization server)."),
		check.Neutral("Or let the API ask the provider's introspection or UserInfo endpoint, if there is one that the document does not name."),
	},
	References: []string{"RFC 7662 section 2"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return introspection(t, m) })
	},
}

func introspection(t *check.Target, m *check.Metadata) check.Verdict {
	if has(m, "introspection_endpoint") {
		return check.OK("", member(m, "introspection_endpoint", "", ""))
	}
	readable := false
	for _, tok := range t.Tokens {
		if tok.Parsed == nil || tok.Type != token.TypeAccess {
			continue
		}
		if tok.Form == token.FormOpaque {
			if known(t).Name != "generic" && !usedElsewhere(t, m, tok) {
				return check.Unknown(check.NeedAPIRequest, "the access token is opaque; for the APIs of "+known(t).Title+" itself that is in order, and a call of an own API would tell whether one takes it", usher.Proof{Place: tok.Place, Quote: "an opaque access token"})
			}
			return check.Wrong("The access token is opaque, and the provider names no introspection endpoint", "The API can neither read the token nor ask about it.",
				member(m, "introspection_endpoint", "an address", "absent"), usher.Proof{Place: tok.Place, Quote: "an opaque access token"})
		}
		readable = readable || tok.Form == token.FormJWS
	}
	if readable {
		return check.NotApplicable("the access tokens are JWTs, which the API reads by itself")
	}
	return check.Unknown(check.NeedToken, "it matters for opaque access tokens alone; an access token would tell", member(m, "introspection_endpoint", "", ""))
}

// usedElsewhere tells whether a token was sent to an API that is not the
// provider's.
func usedElsewhere(t *check.Target, m *check.Metadata, tok *check.Token) bool {
	home := check.HostOf(m.Issuer)
	for _, c := range t.APICalls {
		if c.Token != tok || c.Exchange == nil {
			continue
		}
		host := check.HostOf(c.Exchange.URL)
		if host != home && host != check.HostOf(m.UserinfoEndpoint) && !knownHost(t, host) && !check.SameSite(home, host) {
			return true
		}
	}
	return false
}

var logoutOffered = &check.Check{
	ID: "logout-offered", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityInfo,
	Title:  "A sign-out can reach the provider or the apps",
	Judged: "end_session_endpoint is in the document, or backchannel_logout_supported is true.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepSignOut, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Look in the provider's pages for a sign-out address of its own (Cognito: /logout; Auth0: /v2/logout), and register where it may send people back to."),
	},
	References: []string{"OpenID Connect RP-Initiated Logout section 2.1", "OpenID Connect Back-Channel Logout section 2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict {
			for _, name := range [...]string{"end_session_endpoint", "backchannel_logout_supported"} {
				if has(m, name) {
					return check.OK("", member(m, name, "", ""))
				}
			}
			return check.Wrong("The provider names no way to sign out", "An app can end its own session alone; the next sign-in passes without a question.", member(m, "end_session_endpoint", "an address", "absent"))
		})
	},
}

var dcrOpen = &check.Check{
	ID: "dcr-open", Group: check.GroupProvider, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "Not everybody may register a client",
	Judged: "The registration endpoint is sent a registration that cannot succeed: refused for want of a token is in order; refused for its content means that anybody may register.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepRegistration, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Demand an initial access token or a software statement, or switch registration off."),
		check.Tightening("For software that meets unknown servers, prefer client id metadata documents."),
	},
	References: []string{"RFC 7591 section 5"},
	Probe:      &check.Probe{What: "POST to the registration endpoint with nothing but a redirect URI that no server may take", Safety: check.S2},
	Judge: func(t *check.Target) []check.Verdict {
		offered := false
		for _, m := range t.Metadata {
			offered = offered || has(m, "registration_endpoint")
		}
		if !offered {
			return check.Only(check.NotApplicable("the document names no registration endpoint"))
		}
		return t.FromProbe("dcr-open", check.NeedChange)
	},
}

var cimdSupported = &check.Check{
	ID: "cimd-supported", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityInfo,
	Title:  "Client id metadata documents are taken",
	Judged: "client_id_metadata_document_supported is true, where a client wants to use one.",
	Needs:  []check.Need{check.NeedDiscovery}, Cause: "client-unknown",
	Step: usher.StepRegistration, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Neutral("Register the client at this provider, by hand or dynamically."),
		check.Neutral("Or switch client id metadata documents on, and limit the hosts that they may lie on."),
	},
	References: []string{"draft-ietf-oauth-client-id-metadata-document section 5"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict {
			const name = "client_id_metadata_document_supported"
			if on, _ := m.Bool(name); on {
				return check.OK("", member(m, name, "", ""))
			}
			if len(t.Documents) > 0 {
				return check.Wrong("The client id is the address of a document, and the provider does not take such", "It will say that the client is unknown.", member(m, name, "true", "absent"))
			}
			if profile(t) == "mcp" && len(t.Registrations) > 0 {
				return check.NotApplicable("the client is registered, which the profile takes too")
			}
			if profile(t) == "mcp" {
				return check.Wrong("Client id metadata documents are not taken", "A client that meets the server for the first time must be registered dynamically or by hand.", member(m, name, "true", "absent"))
			}
			return check.NotApplicable("no client asks for it")
		})
	},
}
