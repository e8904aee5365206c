package diagnose

import (
	"net/netip"
	"net/url"
	"strings"

	"usher/catalog"
)

// deriveFacts gathers the readers' facts and draws the plain ones that follow
// from structured evidence.
func (s *situation) deriveFacts() {
	for i := range s.set.Items {
		it := &s.set.Items[i]
		s.inContext = it.Context
		for _, f := range it.Facts {
			s.observe(f.Key, f.Value, f.Place, f.Quote)
		}
		if it.Token != nil || it.Registration != nil || it.Metadata != nil || it.Keys != nil || it.AuthRequest != nil || it.TokenRequest != nil || it.Event != nil {
			s.observe("topic", "identity", it.Place, "")
		}
		if it.Provider != "" {
			s.observe("provider", it.Provider, it.Place, it.Provider)
		}
		if e := it.Error; e != nil {
			if e.Code != "" {
				s.observe("error", e.Code, it.Place, e.Code)
			}
			if e.Suberror != "" {
				s.observe("suberror", e.Suberror, it.Place, e.Suberror)
			}
			for _, code := range e.Codes {
				if strings.HasPrefix(strings.ToUpper(code), "AADSTS") {
					s.observe("code", "entra/"+code, it.Place, code)
				}
			}
			for _, id := range e.PolicyIDs {
				s.observe("ca-policy-id", id, it.Place, id)
			}
		}
		if c := it.Challenges; len(c) > 0 {
			for i := range c {
				claims, err := c[i].ClaimsChallenge()
				if err == nil && claims != "" {
					s.claimsChallenge(claims, it.Place)
				}
			}
		}
		if r := it.TokenRequest; r != nil && r.GrantType != "" {
			s.observe("grant", r.GrantType, it.Place, r.GrantType)
		}
	}
	s.inContext = false
	switch {
	case s.has("grant", "refresh_token"):
		s.observe("flow", "refresh", "", "")
	case s.has("grant", "client_credentials"):
		s.observe("flow", "client-credentials", "", "")
	case s.has("grant", "device_code"):
		s.observe("flow", "device-code", "", "")
	case s.has("grant", "password"):
		s.observe("flow", "ropc", "", "")
	case s.has("grant", "obo"):
		s.observe("flow", "obo", "", "")
	case s.has("grant", "authorization_code"):
		s.observe("flow", "code-exchange", "", "")
	}
	if s.has("prompt", "none") {
		s.observe("flow", "silent", "", "")
	}
	s.secretShape()
	s.subject.Client = s.value("client-id")
	if s.subject.Client == "" {
		s.subject.Client = s.value("client-name")
	}
	s.subject.User, s.subject.Resource = s.value("user"), s.value("resource")
	s.subject.Tenant = s.value("tenant-id")
	if s.subject.Policy = s.values("ca-policy-failed"); s.subject.Policy == "" {
		s.subject.Policy = s.values("ca-policy-id")
	}
}

// values gives all values of a fact, as they were quoted, with commas.
func (s *situation) values(key string) string {
	var list []string
	for o := range s.each(key) {
		list = append(list, first(o.quote, o.value))
	}
	return strings.Join(list, ", ")
}

// claimsChallenge notes what a claims challenge asks for: a token issued after
// a moment (a revocation), from an address, or with an authentication context.
func (s *situation) claimsChallenge(claims, place string) {
	switch {
	case strings.Contains(claims, "xms_rp_ipaddr"):
		s.observe("cae", "ip", place, claims)
	case strings.Contains(claims, `"acrs"`):
		s.observe("cae", "acrs", place, claims)
	case strings.Contains(claims, `"nbf"`):
		s.observe("cae", "nbf", place, claims)
	}
}

// sentRedirect notes scheme and reach of a redirect URI that was sent.
func (s *situation) sentRedirect(uri, place, quote string) {
	u, err := url.Parse(strings.TrimSpace(uri))
	if err != nil || u.Host == "" {
		return
	}
	if u.Scheme == "http" && reach(u.Hostname()) == "public" {
		s.observe("sent-redirect", "http-public", place, quote)
	}
}

// reach tells where a host lies: localhost, loopback-ip, private or public.
func reach(host string) string {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return "localhost"
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		switch {
		case ip.IsLoopback():
			return "loopback-ip"
		case ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified():
			return "private"
		}
		return "public"
	}
	if host == "host.docker.internal" {
		return "private"
	}
	return "public"
}

// applyFactRules adds the facts that phrases stand for.
func (s *situation) applyFactRules() {
	s.rules = s.x.rules()
	for _, i := range s.rules {
		r := &catalog.Rules()[i]
		if r.Fact == "" {
			continue
		}
		if where, ok := s.holds(r); ok {
			key, value, _ := strings.Cut(r.Fact, "=")
			p := s.proofAt(where[0])
			if name, isCapture := strings.CutPrefix(value, "{"); isCapture {
				s.observeCapture(key, strings.TrimSuffix(name, "}"), where[0], p.Place)
				continue
			}
			s.observe(key, value, p.Place, p.Quote)
		}
	}
}

// observeCapture adds a fact whose value was captured from the text.
func (s *situation) observeCapture(key, name string, h hit, place string) {
	for _, c := range h.match.Captures {
		if c.Name == name {
			value := strings.Trim(s.texts[h.item][c.Start:c.End], " '\"`,;.")
			if value != "" {
				s.observe(key, value, place, value)
			}
		}
	}
}
