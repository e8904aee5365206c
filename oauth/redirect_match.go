package oauth

import "strings"

// redirectMatcher compares under one rule and context.
type redirectMatcher struct {
	rule RedirectRule
	ctx  RedirectContext
}

// matches tells whether the request passes against one entry. Everything that
// the rule forgives is first copied from the request into the entry; what is
// left must be equal byte for byte. The remark names what was forgiven, where
// people should know.
func (m *redirectMatcher) matches(entry, request redirectURI) (ok bool, remark string) {
	if m.requestFault(request) >= 0 {
		return false, ""
	}
	forgiven, remark := m.forgive(entry, request)
	if forgiven != request {
		return false, ""
	}
	return true, remark
}

// requestFault gives the place of a byte for which the provider refuses every
// request, or -1.
func (m *redirectMatcher) requestFault(request redirectURI) int {
	if !m.rule.ValidURI {
		return -1
	}
	return invalidURIByte(request.String())
}

// forgive gives the entry as it would have to be for this request, as far as
// the rule lets the two differ.
func (m *redirectMatcher) forgive(entry, request redirectURI) (redirectURI, string) {
	if m.requestFault(request) >= 0 {
		return entry, ""
	}
	entry = m.forgiveLoopback(entry, request)
	if entry == request {
		return entry, ""
	}
	switch m.rule.Wildcard {
	case WildcardLabel:
		return m.forgiveLabel(entry, request)
	case WildcardTrailing:
		return m.forgiveTrailing(entry, request)
	case WildcardPrefix:
		return m.forgivePrefix(entry, request)
	case WildcardGlob:
		if pattern := entry.String(); strings.Contains(pattern, "*") && fitsGlob(pattern, request.String()) {
			return request, "wildcard"
		}
	}
	return entry, ""
}

func (m *redirectMatcher) forgiveLoopback(entry, request redirectURI) redirectURI {
	if m.rule.NativeLoopback && m.ctx.ApplicationType == "native" {
		if entry.web() && request.web() && entry.loopback() && request.loopback() {
			entry.scheme, entry.host = request.scheme, request.host
			entry.port, entry.hasPort = request.port, request.hasPort
		}
		return entry
	}
	switch {
	case entry.scheme != request.scheme || entry.host != request.host:
	case entry.scheme != "http" && !(m.rule.LoopbackTLS && entry.scheme == "https"):
	case m.rule.LoopbackPortless && entry.hasPort:
	case !validPort(request):
	case m.rule.LoopbackPort == LoopbackIP && entry.loopbackIP(),
		m.rule.LoopbackPort == LoopbackNames && entry.loopback():
		entry.port, entry.hasPort = request.port, request.hasPort
	}
	return entry
}

func validPort(u redirectURI) bool {
	return !u.hasPort || u.port != "" && len(u.port) <= 5 && strings.Trim(u.port, "0123456789") == ""
}

func (m *redirectMatcher) forgiveLabel(entry, request redirectURI) (redirectURI, string) {
	if !strings.Contains(entry.host, "*") {
		return entry, ""
	}
	if ok, _ := m.starMayWiden(entry); ok && fitsLabel(entry.host, request.host) {
		entry.host = request.host
		return entry, "wildcard"
	}
	return entry, ""
}

// forgivePrefix lets the host be a sub-domain and the path go deeper.
func (m *redirectMatcher) forgivePrefix(entry, request redirectURI) (redirectURI, string) {
	remark := ""
	if entry.host != "" && strings.HasSuffix(request.host, "."+entry.host) && !strings.Contains(request.host, `\`) {
		if _, isIP := entry.ip(); !isIP {
			entry.host, remark = request.host, "subdomain"
		}
	}
	if request.path != entry.path && deeper(entry.path, request.path) && !hasDotSegments(request.path) && !climbs(request.path) {
		entry.path, remark = request.path, "subpath"
	}
	return entry, remark
}

func deeper(base, path string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(base, "/")+"/")
}

// forgiveTrailing is the star at the end: it covers what follows in the path,
// in the port, or after a scheme; query and fragment are then not compared.
func (m *redirectMatcher) forgiveTrailing(entry, request redirectURI) (redirectURI, string) {
	pattern := entry.String()
	switch {
	case !strings.HasSuffix(pattern, "*") || strings.ContainsAny(pattern, "?#"):
		return entry, ""
	case pattern == "*":
		if request.hasScheme && !request.web() {
			return entry, ""
		}
		return request, "wildcard"
	case request.hasUser || climbs(request.path):
		return entry, ""
	}
	prefix := strings.TrimSuffix(pattern, "*")
	if entry.hasAuthority && entry.path == "" && entry.host != "*" && !strings.HasSuffix(prefix, ":") {
		prefix += "/" // a star right after the host does not widen the host
	}
	bare := request
	bare.query, bare.hasQuery, bare.fragment, bare.hasFragment = "", false, "", false
	covered := bare.String()
	switch {
	case covered == strings.TrimSuffix(prefix, "/"):
		return request, ""
	case !strings.HasPrefix(covered, prefix):
		return m.coverPath(entry, request), ""
	case strings.Contains(request.path, "%25"):
		return request, "double-encoding"
	}
	return request, "wildcard"
}

// coverPath forgives the part of the path that the star stands for even where
// something before it differs, so that the difference named is that one.
func (m *redirectMatcher) coverPath(entry, request redirectURI) redirectURI {
	prefix, star := strings.CutSuffix(entry.path, "*")
	if star && (strings.HasPrefix(request.path, prefix) || request.path == strings.TrimSuffix(prefix, "/")) {
		entry.path = request.path
		entry.query, entry.hasQuery, entry.fragment, entry.hasFragment = request.query, request.hasQuery, request.fragment, request.hasFragment
	}
	return entry
}
