package clients

import (
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
)

// methods gives the methods of authentication that a registration allows, as
// RFC 7591 names them; none is unknown.
func methods(t *check.Target, r *evidence.Registration) []string {
	var out []string
	for _, m := range r.AuthMethods {
		switch m {
		case "client-secret": // Keycloak takes it in either place
			out = append(out, oauth.AuthBasic, oauth.AuthPost)
		case "client-jwt":
			out = append(out, oauth.AuthPrivateKeyJWT)
		case "client-secret-jwt":
			out = append(out, oauth.AuthSecretJWT)
		case "client-x509":
			out = append(out, oauth.AuthTLS)
		default:
			out = append(out, m)
		}
	}
	switch public, told := publicOf(r); {
	case r.Provider == "keycloak" && r.Public != nil && *r.Public:
		return []string{oauth.AuthNone}
	case len(out) > 0:
		return out
	case r.Provider == "google" && kindOf(r) == kindNative:
		return nil
	case told && public && r.Provider != "entra":
		return []string{oauth.AuthNone}
	case r.Provider == "entra" && kindOf(r) == kindWeb && len(r.Credentials) > 0:
		for i := range r.Credentials {
			if r.Credentials[i].Kind == "secret" && !contains(out, oauth.AuthPost) {
				out = append(out, oauth.AuthBasic, oauth.AuthPost)
			} else if r.Credentials[i].Kind == "certificate" && !contains(out, oauth.AuthPrivateKeyJWT) {
				out = append(out, oauth.AuthPrivateKeyJWT)
			}
		}
		if len(r.Federated) > 0 && !contains(out, oauth.AuthPrivateKeyJWT) {
			out = append(out, oauth.AuthPrivateKeyJWT)
		}
		if !contains(out, oauth.AuthPrivateKeyJWT) && !known(r, "Federated") {
			return nil // an outside identity may stand for it
		}
	}
	return out
}

// methodOf gives how a request authenticates: an assertion told by its algorithm,
// a certificate by the endpoint that is kept for mutual TLS.
func methodOf(t *check.Target, c *check.TokenCall) string {
	m := c.Request.AuthMethod
	if m == oauth.AuthNone && c.Request.Endpoint != "" {
		for _, meta := range t.Metadata {
			if meta != nil && meta.Metadata != nil && len(meta.Raw["mtls_endpoint_aliases"]) > 0 && meta.Endpoints()["mtls_endpoint_aliases.token_endpoint"] == c.Request.Endpoint {
				return oauth.AuthTLS
			}
		}
	}
	if m == oauth.AuthPrivateKeyJWT && c.Request.ClientAssertion != "" {
		if a := assertion(c); a != nil && strings.HasPrefix(a.Alg, "HS") {
			return oauth.AuthSecretJWT
		}
	}
	return m
}

var authMethodRegistered = &check.Check{
	ID: "auth-method-registered", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The client authenticates as it is registered",
	Judged: "How token requests authenticate, against token_endpoint_auth_method of the registration and what the provider offers.",
	Needs:  []check.Need{check.NeedTokenRequest},
	Cause:  causeMethod, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Set the method on both sides alike: in the client's library, and as token_endpoint_auth_method at the provider."),
	},
	References: []string{"RFC 6749 section 2.3", "RFC 7591 section 2", "OpenID Connect Core section 9"},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		for c := range tokenCalls(t) {
			b.add(c.Request.ClientID, judgeMethod(t, c))
		}
		return b.or(check.Unknown(check.NeedTokenRequest, ""))
	},
}

func judgeMethod(t *check.Target, c *check.TokenCall) check.Verdict {
	client, m := c.Request.ClientID, methodOf(t, c)
	here := proof(c.Place, m, "", "")
	if granted(c) {
		return check.OK("the provider gave a token for it", here)
	}
	if c.Response != nil {
		switch causeOf(t, c.Response.Error) {
		case causeMethod:
			return check.Wrong("The provider does not let "+whom(client)+" authenticate by "+m, "The credential may be right: the provider does not look for it where it is sent.", proof(placeOf(c), quoteOf(c.Response.Error), "", m))
		case causeType:
			if m == oauth.AuthNone {
				return check.Wrong(theClient(client)+" sends no credential, and the provider wants one", "It is registered as confidential, or its registration does not allow public flows.",
					proof(placeOf(c), quoteOf(c.Response.Error), "a secret or an assertion", m)).Because(causeType).
					Do("Send the client's credential; or, if the app runs on devices or in browsers, register it as a public client.")
			}
			return check.Wrong(theClient(client)+" sends a credential, and is registered as public", "A public client has no credential that the provider could compare with.", proof(placeOf(c), quoteOf(c.Response.Error), oauth.AuthNone, m)).Because(causeType).
				Do("Send no credential, but PKCE; or register the app as a confidential client, if it runs on a server.")
		}
	}
	r := registration(t, client)
	if r != nil {
		if allowed := methods(t, r); len(allowed) > 0 {
			return against(client, m, allowed, c.Place, r)
		}
	}
	if meta := metadataOf(t, c.Request.Endpoint); meta != nil && len(meta.AuthMethods) > 0 && m != oauth.AuthNone && !contains(meta.AuthMethods, m) {
		list := strings.Join(meta.AuthMethods, ", ")
		return check.Wrong(theClient(client)+" authenticates by "+m+", which the provider does not offer", "It offers "+list+".",
			proof(c.Place, m, list, m), proof(meta.Place, "token_endpoint_auth_methods_supported", "", list))
	}
	if r == nil {
		return check.Unknown(check.NeedRegistration, "", here)
	}
	return check.Unknown(check.NeedTokenResponse, "the registration does not say how the client authenticates", here)
}

// against compares the method of a request with those of the registration.
func against(client, m string, allowed []string, place string, r *evidence.Registration) check.Verdict {
	list := strings.Join(allowed, " or ")
	p := []usher.Proof{proof(place, m, list, m), proof(r.Place, methodsOf(r), "", "")}
	switch {
	case contains(allowed, m):
		return check.OK("as registered", p...)
	case (m == oauth.AuthNone || m == oauth.AuthTLS) && (contains(allowed, oauth.AuthTLS) || contains(allowed, oauth.AuthSelfSignedTLS)):
		return check.OK("nothing in the request itself: the certificate of the connection stands for the client", p...)
	case m == oauth.AuthNone:
		return check.Wrong(theClient(client)+" sends no credential, registered is "+list, "The provider cannot tell who asks.", p...)
	case len(allowed) == 1 && allowed[0] == oauth.AuthNone:
		return check.Wrong(theClient(client)+" authenticates by "+m+", registered is none", "It is a public client: most providers refuse a credential from it.", p...).Because(causeType).
			Do("Send no credential, but PKCE; or register the app as a confidential client, if it runs on a server.")
	}
	return check.Wrong(theClient(client)+" authenticates by "+m+", registered is "+list, "The credential may be right: it is sent in another way than agreed.", p...).
		Do("Let the client authenticate by " + list + "; or register " + m + " for it.")
}

var authMethodDouble = &check.Check{
	ID: "auth-method-double", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A token request authenticates once",
	Judged: "Whether a token request holds credentials in its header and in its body, or of two kinds.",
	Needs:  []check.Need{check.NeedTokenRequest},
	Cause:  causeMethod, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Send exactly one credential: take client_secret out of the body where the Authorization header is used, and everything but the assertion where there is one."),
	},
	References: []string{"RFC 6749 section 2.3"},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		for c := range tokenCalls(t) {
			b.add(c.Request.ClientID, judgeDouble(c))
		}
		return b.or(check.Unknown(check.NeedTokenRequest, ""))
	},
}

func judgeDouble(c *check.TokenCall) check.Verdict {
	var ways []string
	if c.Request.AuthMethod == oauth.AuthBasic {
		ways = append(ways, "the Authorization header")
	}
	if c.Request.Params.Get("client_secret") != "" {
		ways = append(ways, "client_secret in the body")
	}
	if c.Request.ClientAssertion != "" {
		ways = append(ways, "client_assertion in the body")
	}
	if len(c.Request.Params["client_secret"]) > 1 {
		ways = append(ways, "client_secret twice")
	}
	if len(ways) < 2 {
		return check.OK("one method, or none", proof(c.Place, c.Request.AuthMethod, "", ""))
	}
	list := strings.Join(ways, " and ")
	return check.Wrong(theClient(c.Request.ClientID)+" authenticates twice: by "+list, "A provider may refuse that, and which of the two it looks at is not agreed.", proof(c.Place, list, "one method", itoa(len(ways))))
}

var authMethodWeak = &check.Check{
	ID: "auth-method-weak", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "The client uses a key where it could",
	Judged: "Whether a confidential client rests on a shared secret although the provider takes private_key_jwt, mutual TLS or an outside identity.",
	Needs:  []check.Need{check.NeedRegistration},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Move to private_key_jwt, mutual TLS or a federated credential: then nothing that proves the client ever leaves it."),
	},
	References: []string{"RFC 9700 section 2.5", "FAPI 2.0 Security Profile section 5.3.2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(r *evidence.Registration) check.Verdict { return judgeWeak(t, r) })
	},
}

func judgeWeak(t *check.Target, r *evidence.Registration) check.Verdict {
	public, told := publicOf(r)
	allowed := methods(t, r)
	secret, key := hasSecret(r), len(r.Federated) > 0
	for i := range r.Credentials {
		key = key || r.Credentials[i].Kind == "certificate"
	}
	for _, m := range allowed {
		secret = secret || secretMethod(m)
		key = key || m == oauth.AuthPrivateKeyJWT || m == oauth.AuthTLS || m == oauth.AuthSelfSignedTLS
	}
	switch {
	case told && public:
		return check.NotApplicable("a public client has no credential")
	case key && !hasSecret(r):
		return check.OK("the client has a key, and no secret", proof(r.Place, methodsOf(r), "", ""))
	case key:
		return check.Unknown(check.NeedTokenRequest, "the client has a key and a secret; which it uses shows in a token request", proof(r.Place, methodsOf(r), "", ""))
	case !secret:
		return check.Unknown(check.NeedTokenRequest, "the registration does not say how the client authenticates")
	}
	offer, place := "", ""
	about, other := knownOf(t, r), elsewhere(t, r)
	if m := metadataOf(t, ""); m != nil && !other {
		for _, have := range m.AuthMethods {
			if have == oauth.AuthPrivateKeyJWT || have == oauth.AuthTLS || have == oauth.AuthSelfSignedTLS {
				offer, place = have, m.Place
				break
			}
		}
	}
	for _, c := range [...]string{knowledge.CanPrivateKeyJWT, knowledge.CanMTLS, knowledge.CanWorkloadFederation} {
		if about != nil && about.Can[c].Can && offer == "" {
			offer, place = c, about.Title
		}
	}
	if offer == "" {
		if len(t.Metadata) > 0 && !other {
			return check.OK("the provider offers nothing better than a secret", proof(r.Place, methodsOf(r), "", ""))
		}
		return check.Unknown(check.NeedDiscovery, "what the provider offers beside a secret stands in its discovery document", proof(r.Place, methodsOf(r), "", ""))
	}
	return check.Wrong(nameOf(r)+" rests on a shared secret, and the provider takes "+offer, "A secret is known on both sides, travels with every request and leaks into logs and settings.",
		proof(r.Place, methodsOf(r), offer, "a secret"), proof(place, offer, "", ""))
}
