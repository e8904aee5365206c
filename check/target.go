package check

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"usher"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/provider/snapshot"
	"usher/token"
)

// Target is a configuration: everything that was given or gathered of it,
// sorted by what it is. A list that is empty was not there. The times are those
// of the evidence; Now is the clock that is judged by.
type Target struct {
	Now time.Time
	// Issuer is the issuer that the operator asked for or configured; empty
	// when none was.
	Issuer string
	// Provider is what is known of the provider; never nil, "generic" when the
	// provider is not known.
	Provider *knowledge.Provider
	// Profile is what is held against; never nil.
	Profile *Profile
	// Expect is what the operator expects; nil when nothing was said.
	Expect *Expect

	Metadata      []*Metadata
	KeySets       []*KeySet
	Resources     []*ResourceMetadata
	Documents     []*ClientDocument
	Registrations []*evidence.Registration
	AuthCalls     []*AuthCall
	TokenCalls    []*TokenCall
	APICalls      []*APICall
	Introspected  []*Introspection
	Registered    []*DCRAnswer
	Tokens        []*Token
	Events        []*usher.Event // sign-in and access logs
	Logs          []*LogText     // the same records as they stand, where they are there
	Answers       []*Answer      // every HTTP answer whose headers are known
	Hosts         []*Host
	Previous      []*snapshot.Look // earlier looks, the oldest first
	Settings      []evidence.Fact
	// Request is what the operator said that the client sends (--client-id,
	// --redirect-uri, --scope), nil when nothing was. It stands among AuthCalls
	// too.
	Request *oauth.AuthorizationRequest
	// Secret is the client's own secret as the operator gave it (--secret-file).
	Secret usher.Secret
	// Probed holds the answers of probes by the id of their check.
	Probed map[string]*ProbeAnswer

	// Secrets are all credentials that were met, so that no finding holds one.
	Secrets []usher.Secret

	memo *memo // of one Run
}

// Metadata is a discovery document.
type Metadata struct {
	*oauth.Metadata
	Place string
	URL   string // where it was got; empty for a file
	// Answer is the HTTP answer, nil for a file.
	Answer *Answer
	// Locate gives the place of words of the document, where its text is
	// known; nil where it is not. See At.
	Locate func(words string) string
}

// Endpoints gives the members that are addresses, by name: those that end in
// _endpoint, _uri or _url, and the aliases of mtls_endpoint_aliases with a dot
// between.
func (m *Metadata) Endpoints() map[string]string {
	out := map[string]string{}
	for name, raw := range m.Raw {
		var text string
		if endpointName(name) && json.Unmarshal(raw, &text) == nil {
			out[name] = text
		}
	}
	var aliases map[string]string
	if json.Unmarshal(m.Raw["mtls_endpoint_aliases"], &aliases) == nil {
		for name, u := range aliases {
			out["mtls_endpoint_aliases."+name] = u
		}
	}
	return out
}

// Text gives a member that is a string, or the empty string.
func (m *Metadata) Text(name string) string {
	var s string
	_ = json.Unmarshal(m.Raw[name], &s)
	return s
}

// List gives a member that is a list of strings, and whether it is there.
func (m *Metadata) List(name string) ([]string, bool) {
	var l []string
	raw, ok := m.Raw[name]
	_ = json.Unmarshal(raw, &l)
	return l, ok
}

// Bool gives a member that is a boolean, and whether it is there.
func (m *Metadata) Bool(name string) (value, ok bool) {
	raw, ok := m.Raw[name]
	_ = json.Unmarshal(raw, &value)
	return value, ok
}

// KeySet is a set of keys: a provider's, or (Client) a client's own.
type KeySet struct {
	*token.KeySet
	Place  string
	URL    string
	Client string // client id, for a client's own keys
	Raw    json.RawMessage
	Answer *Answer

	entries entries
}

// ResourceMetadata is a protected resource's metadata, RFC 9728.
type ResourceMetadata struct {
	Place, URL           string // URL is the resource that was asked for
	Resource             string
	AuthorizationServers []string
	Scopes               []string
	BearerMethods        []string
	Raw                  map[string]json.RawMessage
	Answer               *Answer
}

// ClientDocument is a client id metadata document.
type ClientDocument struct {
	Place, URL string
	Raw        map[string]json.RawMessage
	Size       int
	Answer     *Answer
}

// AuthCall is one authorization request with its answer; either may be nil.
type AuthCall struct {
	Place string
	// Partial tells that Request holds only what the operator said of it: what
	// is absent was not said, and is unknown.
	Partial  bool
	Request  *oauth.AuthorizationRequest
	Response *oauth.AuthorizationResponse
	// ResponsePlace is the place of Response, where it is another.
	ResponsePlace string
	RequestURL    *url.URL
	StartURL      *url.URL // the page of the app that sent the browser away
	Exchange      *evidence.Exchange
	Time          time.Time
	Returned      time.Time // when the browser came back with Response; zero: not known
}

// TokenCall is one token request with its answer; either may be nil.
type TokenCall struct {
	Place    string
	Request  *oauth.TokenRequest
	Response *TokenResponse
	Exchange *evidence.Exchange
	Time     time.Time
}

// TokenResponse is the answer of a token endpoint, RFC 6749 section 5.
type TokenResponse struct {
	Place        string
	AccessToken  usher.Secret
	IDToken      usher.Secret
	RefreshToken usher.Secret
	TokenType    string
	ExpiresIn    string // as it stands there; empty when it does not
	Scope        []string
	HasScope     bool
	Status       int
	Error        *evidence.ErrorBody // nil: a success
	// Raw holds every member but the tokens.
	Raw map[string]json.RawMessage
}

// APICall is a call of a protected resource, RFC 6750.
type APICall struct {
	Place      string
	Exchange   *evidence.Exchange
	Challenges []oauth.Challenge
	Token      *Token // that was sent, nil when it is not known
	Time       time.Time
}

// Introspection is the answer of an introspection endpoint, RFC 7662.
type Introspection struct {
	Place    string
	Raw      map[string]json.RawMessage
	JWT      *token.Parsed // RFC 9701
	Exchange *evidence.Exchange
}

// DCRAnswer is the answer of a registration endpoint, RFC 7591 section 3.2.1.
type DCRAnswer struct {
	Place         string
	Request, Raw  map[string]json.RawMessage // Request is nil when it is not known
	SecretExpires time.Time                  // zero: never, or not said
	Exchange      *evidence.Exchange
}

// Token is a token with what it is held for.
type Token struct {
	*token.Parsed
	Place string
	// Type is what it was sent or given as; TypeAny when nothing tells.
	Type token.Type
	Raw  usher.Secret
	// Call is the answer that it came in, nil when it is not known.
	Call *TokenCall
}

// Answer is an HTTP answer whose headers are known.
type Answer struct {
	Place  string // "GET https://..."
	URL    string
	Role   string // "discovery", "jwks", "token", "authorization", "userinfo", "callback", ...
	Status int
	Header http.Header
	Size   int
	At     time.Time // by our clock
	Took   time.Duration
	Err    string // why there is none: Status is 0 then
	// Code says of Err and Defect what kind they are: one of usher's codes,
	// "unreachable" (no answer), "refused" (usher does not go there),
	// "too-large", "unreadable"; empty when all is well.
	Code string
	// NoNetwork tells that Err lies on this side: no name server answers, or
	// there is no route.
	NoNetwork bool
	// Defect says why the body is not what it should be, in a clause: "is
	// text/html, no JSON"; empty when it is, or was not looked at.
	Defect string
	// From is the address that was asked first, when redirects led to URL.
	From string
	// Body is kept of pages that are judged by what they load ("callback",
	// "authorization"), at most 64 KiB.
	Body string
}

// LogText is a record of a log as it stands. It may hold secrets.
type LogText struct{ Place, Text string }

// Host is a look at the connection to a host.
type Host struct {
	Name      string // host:port
	Version   uint16 // tls.VersionTLS13; 0: no TLS was spoken
	Suite     uint16
	Old       []uint16 // older versions that it accepted as well; nil: not tried
	OldTried  bool
	Subject   string
	Issuer    string
	NotBefore time.Time
	NotAfter  time.Time
	ChainErr  string // why the chain or the name does not hold
	// Times of the steps; a zero one was not reached. Err says where it ended.
	Resolved, Connected, Shaken time.Duration
	Stage                       string // "resolve", "connect", "tls", "done"; empty: not looked at
	Err                         string
	Addresses                   []string
	// Code is the kind of Err, as in Answer.
	Code string
	// Alias is the name that the host's record points to (CNAME), empty when
	// it points to none or nobody asked.
	Alias string
	// Roles says what the host is named for: "issuer", "endpoint", "resource",
	// "client", "callback".
	Roles []string
	// Weak are suites that RFC 9325 advises against and that it took when it
	// was offered nothing better; WeakTried tells that this was tried.
	Weak      []uint16
	WeakTried bool
}

// ProbeAnswer is what came back of a probe.
type ProbeAnswer struct {
	Place   string // "POST https://.../token"
	Sent    string // what was sent, without its secrets, for the proof
	Status  int
	Header  http.Header
	Error   *evidence.ErrorBody // as the answer or its redirect tells it, nil when there is none
	Where   string              // Location, masked
	Note    string              // what the probe itself makes of it
	Skipped string              // why it was not sent
	Verdict *Verdict            // what the probe found, when it judges by itself
}

// Expect is what an operator expects of the configuration, a YAML file.
type Expect struct {
	Issuer       string              `yaml:"issuer"`
	Audiences    []string            `yaml:"audiences"`
	Clients      []string            `yaml:"clients"`    // that may call (azp)
	Tenants      []string            `yaml:"tenants"`    // that may sign in
	Algs         []string            `yaml:"algs"`       // that are accepted
	AccessMax    usher.Duration      `yaml:"access_max"` // longest life of an access token
	SecretMaxAge usher.Duration      `yaml:"secret_max_age"`
	Roles        map[string][]string `yaml:"roles"`  // role to scopes
	Scopes       []string            `yaml:"scopes"` // that are needed
	Production   *bool               `yaml:"production"`
}

// Has tells whether evidence of a kind is there.
func (t *Target) Has(n Need) bool {
	switch n {
	case NeedNothing:
		return true
	case NeedDiscovery:
		return len(t.Metadata) > 0
	case NeedKeys:
		return len(t.KeySets) > 0
	case NeedToken:
		return len(t.Tokens) > 0
	case NeedRegistration:
		return len(t.Registrations) > 0
	case NeedCredentials:
		for _, r := range t.Registrations {
			if len(r.Credentials) > 0 {
				return true
			}
		}
		return false
	case NeedAuthRequest:
		return some(t.AuthCalls, func(c *AuthCall) bool { return c.Request != nil })
	case NeedAuthResponse:
		return some(t.AuthCalls, func(c *AuthCall) bool { return c.Response != nil })
	case NeedTokenRequest:
		return some(t.TokenCalls, func(c *TokenCall) bool { return c.Request != nil })
	case NeedTokenResponse:
		return some(t.TokenCalls, func(c *TokenCall) bool { return c.Response != nil })
	case NeedAPIRequest:
		return some(t.APICalls, func(c *APICall) bool { return c.Exchange != nil && c.Exchange.Method != "" })
	case NeedAPIResponse:
		return some(t.APICalls, func(c *APICall) bool { return c.Exchange != nil && c.Exchange.Status != 0 })
	case NeedIntrospection:
		return len(t.Introspected) > 0
	case NeedLogs:
		return len(t.Events) > 0
	case NeedHeaders:
		return len(t.Answers) > 0
	case NeedTLS:
		return len(t.Hosts) > 0
	case NeedResource:
		return len(t.Resources) > 0
	case NeedClientDocument:
		return len(t.Documents) > 0
	case NeedDCR:
		return len(t.Registered) > 0
	case NeedNetwork:
		return some(t.Answers, func(a *Answer) bool { return a.Role == "discovery" })
	case NeedIssuer:
		return t.Issuer != ""
	case NeedHistory:
		return len(t.Previous) > 0
	case NeedProbe, NeedChange:
		return len(t.Probed) > 0
	case NeedClient:
		return t.Request != nil && t.Request.ClientID != ""
	case NeedSettings:
		return len(t.Settings) > 0
	case NeedPolicy:
		return t.Expect != nil
	}
	return false
}

func some[T any](list []T, ok func(T) bool) bool {
	for _, e := range list {
		if ok(e) {
			return true
		}
	}
	return false
}

func endpointName(name string) bool {
	for _, end := range [...]string{"_endpoint", "_uri", "_url"} {
		if len(name) > len(end) && name[len(name)-len(end):] == end {
			return true
		}
	}
	return false
}
