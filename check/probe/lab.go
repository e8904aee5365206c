package probe

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/guard"
)

// LabAPI is an API on this machine with tokens to try it with.
type LabAPI struct {
	URL       string
	Good      usher.Secret // a token that it takes
	Expired   usher.Secret // one of the same issuer that has ended
	Elsewhere usher.Secret // one of the same issuer for another API
	Wait      time.Duration
}

// certificateHeaders are those by which proxies tell an API of a client's
// certificate.
var certificateHeaders = [...]string{"Client-Cert", "X-Client-Cert", "X-Forwarded-Client-Cert", "X-Ssl-Client-Cert", "Ssl-Client-Cert"}

// Lab tries an API of the lab with what it must refuse: tokens that have ended,
// that are for another API or that were altered, and a certificate that nobody
// checked. It fills t.Probed. Since such requests look like an attack, they go
// nowhere but to this machine; the error says so.
func Lab(ctx context.Context, c *guard.Client, t *check.Target, api LabAPI) error {
	u, err := url.Parse(api.URL)
	if err != nil || !onThisMachine(u.Hostname()) {
		return &usher.Error{Code: usher.ErrRefused, Message: "what must be refused is tried against the lab alone, and " + quote(bare(api.URL)) + " is not on this machine"}
	}
	if t.Probed == nil {
		t.Probed = map[string]*check.ProbeAnswer{}
	}
	t.Secrets = append(t.Secrets, api.Good, api.Expired, api.Elsewhere)
	p := &prober{c: c, t: t, opt: Options{Resource: api.URL, Wait: max(api.Wait, time.Microsecond), Now: time.Now, Announce: func(Step) bool { return true }}}
	try := func(id, what, accepted string, control, bad http.Header) {
		a := &asking{prober: p, one: &one{id: id, safety: check.Lab}, answer: &check.ProbeAnswer{}}
		t.Probed[id] = a.answer
		ask := func(h http.Header, what string) (*reply, error) {
			return a.send(ctx, ask{method: http.MethodGet, url: api.URL, header: h, named: []string{api.URL}, what: what, sends: what})
		}
		want := 2
		if control.Get("Authorization") == "" {
			want = 4
		}
		first, err := ask(control, "the same request in order")
		if err != nil {
			a.cannot(err)
			return
		}
		if first.status/100 != want {
			a.found(check.Unknown(check.NeedNothing, "the API does not answer a request in order as it should, so that nothing can be told", a.proof(first, "")))
			return
		}
		r, err := ask(bad, what)
		switch {
		case err != nil:
			a.cannot(err)
		case r.status/100 == 2:
			a.found(check.Wrong("The API takes "+accepted, "It answers as if nothing were wrong.", a.proof(r, "401")))
		case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
			a.found(check.OK("it is refused", a.proof(r, "")))
		default:
			a.found(check.Unknown(check.NeedNothing, "the API neither took nor refused it", a.proof(r, "401")))
		}
	}
	bearer := func(s usher.Secret) http.Header { return http.Header{"Authorization": {"Bearer " + s.Reveal()}} }
	try("api-expiry-enforced", "a token that has ended", "a token that has ended", bearer(api.Good), bearer(api.Expired))
	try("api-audience-enforced", "a token for another API", "a token that is for another API", bearer(api.Good), bearer(api.Elsewhere))
	try("api-signature-enforced", "a token with another subject under the old signature", "a token that was altered", bearer(api.Good), bearer(altered(api.Good)))
	forged := http.Header{}
	for _, name := range certificateHeaders {
		forged.Set(name, "Subject=\"CN=admin\"; Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688")
	}
	try("mtls-header-spoof", "a certificate that is made up, in a header", "a certificate in a header that comes from outside", http.Header{}, forged)
	return nil
}

// altered gives a token with another subject and the same signature.
func altered(t usher.Secret) usher.Secret {
	parts := strings.Split(t.Reveal(), ".")
	if len(parts) != 3 {
		return "altered." + t
	}
	var claims map[string]any
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &claims) != nil {
		return "altered." + t
	}
	claims["sub"] = "somebody-else"
	body, err = json.Marshal(claims)
	if err != nil {
		return "altered." + t
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(body)
	return usher.Secret(strings.Join(parts, "."))
}
