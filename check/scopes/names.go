package scopes

import (
	"slices"
	"strings"

	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/token"
)

// show makes a foreign text fit a sentence.
func show(s string) string { return token.Printable(s) }

// brief makes words of the evidence fit a proof.
func brief(s string) string {
	const most = 600
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// list shows scopes in a sentence, at most eight of them.
func list(scopes []string) string {
	const most = 8
	if len(scopes) <= most {
		return show(strings.Join(scopes, " "))
	}
	return show(strings.Join(scopes[:most], " ")) + " and more"
}

// standard tells whether OpenID Connect gives a scope its meaning.
func standard(scope string) bool {
	switch scope {
	case "openid", "profile", "email", "address", "phone", "offline_access":
		return true
	}
	return false
}

// commas tells whether the provider documents commas between scopes.
func commas(t *check.Target, endpoint string) bool {
	switch t.Provider.Name {
	case "github", "slack":
		return true
	}
	host := check.HostOf(endpoint)
	for _, h := range [...]string{"github.com", "slack.com", "facebook.com", "strava.com", "myshopify.com", "tiktok.com", "instagram.com", "wechat.com"} {
		if host == h || strings.HasSuffix(host, "."+h) {
			return true
		}
	}
	return false
}

// fold gives the form in which two scopes are the same to the provider: Entra
// gives scopes back with or without the API before them and does not count
// case, Google has long names for two short ones.
func fold(t *check.Target, scope string) string {
	switch t.Provider.Name {
	case "entra":
		return strings.ToLower(scope[strings.LastIndexByte(scope, '/')+1:])
	case "google":
		switch scope {
		case "https://www.googleapis.com/auth/userinfo.email":
			return "email"
		case "https://www.googleapis.com/auth/userinfo.profile":
			return "profile"
		}
	}
	return scope
}

// without gives the scopes of a that b lacks, as the provider tells them apart.
func without(t *check.Target, a, b []string) []string {
	held := make(map[string]bool, len(b))
	for _, s := range b {
		held[fold(t, s)] = true
	}
	if t.Provider.Name == "github" {
		a = slices.DeleteFunc(slices.Clone(a), func(s string) bool { return containedIn(b, s) })
	}
	var out []string
	for _, s := range a {
		if !held[fold(t, s)] && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// containedIn tells whether one of GitHub's scopes lies in another that is held:
// of scopes that contain each other GitHub gives back the widest alone.
func containedIn(held []string, scope string) bool {
	parent := ""
	switch scope {
	case "repo:status", "repo_deployment", "public_repo", "repo:invite", "security_events":
		parent = "repo"
	case "read:user", "user:email", "user:follow":
		parent = "user"
	case "manage_runners:org", "write:org":
		parent = "admin:org"
	case "read:org":
		return slices.Contains(held, "write:org") || slices.Contains(held, "admin:org")
	default:
		if name, ok := strings.CutPrefix(scope, "read:"); ok {
			return slices.Contains(held, "write:"+name) || slices.Contains(held, "admin:"+name)
		}
		if name, ok := strings.CutPrefix(scope, "write:"); ok {
			parent = "admin:" + name
		}
	}
	return parent != "" && slices.Contains(held, parent)
}

// words splits scopes that came with commas between, where the provider writes
// them so.
func words(t *check.Target, endpoint string, scopes []string) []string {
	if !commas(t, endpoint) || !slices.ContainsFunc(scopes, func(s string) bool { return strings.Contains(s, ",") }) {
		return scopes
	}
	var out []string
	for _, s := range scopes {
		for w := range strings.SplitSeq(s, ",") {
			if w != "" {
				out = append(out, w)
			}
		}
	}
	return out
}

// everything tells whether a scope asks for all that was registered rather than
// by name.
func everything(scope string) bool {
	return scope == ".default" || strings.HasSuffix(scope, "/.default")
}

// fits tells whether a scope is one that a name of the knowledge means; a star
// stands for any run of characters, and case does not count.
func fits(pattern, scope string) bool {
	if !strings.Contains(pattern, "*") || pattern == "*" {
		return strings.EqualFold(pattern, scope) // a lone star is a scope of that name
	}
	return fitsParts(strings.Split(strings.ToLower(pattern), "*"), strings.ToLower(scope))
}

func fitsParts(parts []string, s string) bool {
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

// described finds what is known of a scope: by its whole name, or without the
// API before it. Names without a star go first; exact tells that it is one.
func described(p *knowledge.Provider, scope string) (found *knowledge.Scope, exact bool) {
	short := scope
	if p.Name == "entra" {
		short = scope[strings.LastIndexByte(scope, '/')+1:]
	}
	var star *knowledge.Scope
	for i := range p.Scopes {
		s := &p.Scopes[i]
		if !fits(s.Name, scope) && !fits(s.Name, short) {
			continue
		}
		if !strings.Contains(s.Name, "*") || s.Name == "*" {
			return s, true
		}
		if star == nil {
			star = s
		}
	}
	return star, false
}

// providerOf gives what is known of the provider that holds a registration.
func providerOf(t *check.Target, r *evidence.Registration) *knowledge.Provider {
	if r == nil || r.Provider == "" || r.Provider == t.Provider.Name {
		return t.Provider
	}
	return knowledge.Named(r.Provider)
}

// isClient leaves out what was exported beside clients.
func isClient(r *evidence.Registration) bool { return r != nil && r.Shape != "keycloak-realm" }

// registrationOf finds the registration of a client; nil when none is surely
// its own.
func registrationOf(t *check.Target, client string) *evidence.Registration {
	var only *evidence.Registration
	n := 0
	for _, r := range t.Registrations {
		if !isClient(r) {
			continue
		}
		if r.ClientID != "" && (r.ClientID == client || oauth.IsGUID(client) && strings.EqualFold(r.ClientID, client)) {
			return r
		}
		n, only = n+1, r
	}
	if n == 1 && (client == "" || only.ClientID == "") {
		return only
	}
	return nil
}

// defined gives the scopes that a registration defines as an API.
func defined(r *evidence.Registration) []string {
	if r.DefinedScopes == nil && r.Provider == "entra" {
		return r.Scopes // where Entra's own scopes are read to
	}
	return r.DefinedScopes
}

// allowed gives the scopes that a client may ask for, with the names of its
// permissions.
func allowed(r *evidence.Registration) []string {
	var out []string
	if r.Provider != "entra" {
		out = append(out, r.Scopes...)
	}
	for _, p := range r.Permissions {
		if p.Name != "" && !oauth.IsGUID(p.Name) && !slices.Contains(out, p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}

// claimed gives the scopes that a token holds and the claims that hold them;
// none is false.
func claimed(tok *token.Parsed) (scopes []string, claims []string) {
	if tok == nil {
		return nil, nil
	}
	for _, name := range [...]string{"scope", "scp"} {
		found, ok := claimWords(tok, name)
		if !ok {
			continue
		}
		claims = append(claims, name)
		for _, s := range found {
			if !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	return scopes, claims
}

// claimWords reads a claim that is a string of words or a list of them.
func claimWords(tok *token.Parsed, name string) ([]string, bool) {
	switch v := tok.Claims[name].(type) {
	case string:
		return strings.Fields(v), true
	case []any:
		const most = 1000
		out := []string{}
		for _, e := range v {
			if s, ok := e.(string); ok && len(out) < most {
				out = append(out, s)
			}
		}
		return out, true
	}
	return nil, false
}

func claimText(tok *token.Parsed, name string) string {
	if tok == nil {
		return ""
	}
	s, _ := tok.Claims[name].(string)
	return s
}

// access tells whether a token is meant for an API.
func access(tok *check.Token) bool {
	if tok == nil || tok.Parsed == nil || tok.Claims == nil {
		return false
	}
	if tok.Type != token.TypeAny {
		return tok.Type == token.TypeAccess
	}
	return tok.Looks() == token.TypeAccess
}
