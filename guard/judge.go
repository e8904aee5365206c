package guard

import (
	"net/http"
	"strings"
)

// credentialHeaders carry what proves who we are, or may.
var credentialHeaders = [...]string{
	"Authorization", "Proxy-Authorization", "Cookie", "Cookie2", "Dpop", "X-Api-Key", "Api-Key",
	"X-Auth-Token", "X-Access-Token", "X-Csrf-Token", "X-Amz-Security-Token", "X-Vault-Token", "Private-Token",
}

// carries tells what of ours a request carries: empty for a bare GET, HEAD or OPTIONS.
// A body may hold a client secret, so it counts as one.
func carries(req *http.Request) string {
	for _, name := range credentialHeaders {
		if req.Header.Get(name) != "" {
			return "the header " + name
		}
	}
	if req.URL.User != nil {
		return "a user name in the URL"
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		return "a request of the method " + req.Method + ", whose body may hold a secret"
	}
	if req.Body != nil && req.Body != http.NoBody {
		return "a body"
	}
	return ""
}

// judge tells whether a request may be sent, and as which kind.
func (c *Client) judge(req *http.Request) (trusted bool, err error) {
	o, err := originOf(req.URL)
	if err != nil {
		return false, err
	}
	if req.Host != "" && !strings.EqualFold(req.Host, req.URL.Host) {
		return false, refused("the request to "+o.String()+" names another host in its Host header", "leave Request.Host empty")
	}
	if c.trusts(req.Context(), o) {
		return true, nil
	}
	if what := carries(req); what != "" {
		return false, refused(
			what+" was to be sent to "+o.String()+", which is not configured",
			"credentials go to configured origins alone; if this one is yours, add it to the configuration")
	}
	if o.scheme != "https" {
		return false, notHTTPS(req.URL)
	}
	return false, nil
}

// checkRedirect bounds redirects and keeps what is ours at the origin that it
// was meant for.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	// The page before may have a secret in its query; nobody needs to know it.
	req.Header.Del("Referer")
	if len(via) > max(c.opt.Redirects, 0) {
		return refused(
			"the answer to "+shown(via[0].URL)+" is one redirect too many",
			"ask the address that it ends at: "+shown(req.URL))
	}
	first, err := originOf(via[0].URL)
	if err != nil {
		return err
	}
	to, err := originOf(req.URL)
	if err != nil {
		return err
	}
	previous, err := originOf(via[len(via)-1].URL)
	if err != nil {
		return err
	}
	if previous.scheme == "https" && to.scheme == "http" {
		return refused("the redirect from "+shown(via[len(via)-1].URL)+" leads from https to http", "ask its operator to redirect to https")
	}
	if to == first && to == previous {
		return nil
	}
	for _, earlier := range via {
		if what := carries(earlier); what != "" {
			return refused(
				"the redirect from "+first.String()+" leads to "+to.String()+", and "+what+" would go along",
				"configure the address that it ends at, if it is right")
		}
	}
	// From outside nothing leads to where we trust: a foreign document must
	// not choose what is asked inside.
	if c.trusts(req.Context(), to) && !c.trusts(req.Context(), previous) {
		return refused("the redirect from "+shown(via[len(via)-1].URL)+" leads to the configured "+to.String(), "ask "+to.String()+" itself")
	}
	return nil
}
