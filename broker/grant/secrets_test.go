package grant_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"usher"
	"usher/broker/grant"
	"usher/guard"
)

// TestNoSecretIsTold: an endpoint that echoes everything it is sent, in every
// form and in every member, finds none of it in what is kept and shown.
func TestNoSecretIsTold(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	pem := pkcs8(t, key)
	secrets := map[string]string{
		"client secret": "correct horse battery", // words, so that no shape gives it away
		"refresh token": "tea-for-two-and-two",
		"code":          "just-a-code-of-words",
		"verifier":      "some-verifier-that-is-made-of-small-words-and-hyphens",
		"device code":   "blue-device-code",
		"assertion":     strings.Repeat("assert-a-thing-or-two-", 30),
		"subject token": "subject-of-this-test",
		"new token":     "brand-new-access-token",
		"new refresh":   "brand-new-refresh-token",
	}
	encodings := map[string]func(string) string{
		"plain":   func(s string) string { return s },
		"percent": url.QueryEscape,
		"base64":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("shop:" + s)) },
		"hex":     func(s string) string { return hex.EncodeToString([]byte(s)) },
		"html":    html.EscapeString,
		"upper":   func(s string) string { return "<" + s + ">" },
		"long":    func(s string) string { return strings.Repeat("lorem ipsum ", 300) + s },
		"longer":  func(s string) string { return strings.Repeat("x ", 10_000) + s },
		"many":    func(s string) string { return strings.Repeat(s+" ", 20_000/len(s)) },
		"many, shifted": func(s string) string {
			return "abc" + strings.Repeat(s+" ", 20_000/len(s))
		},
	}
	shapes := map[string]struct {
		status int
		body   func(echo string) string
	}{
		"description":  {400, func(e string) string { return object("error", "invalid_grant", "error_description", e) }},
		"code":         {400, func(e string) string { return object("error", e) }},
		"uri":          {400, func(e string) string { return object("error", "invalid_grant", "error_uri", "https://x.example/"+e) }},
		"message":      {500, func(e string) string { return object("message", e) }},
		"other member": {400, func(e string) string { return object("error", "invalid_grant", "debug", e) }},
		"page":         {400, func(e string) string { return "<html>" + e }},
		"200 page":     {200, func(e string) string { return "<html>" + e }},
		"text":         {401, func(e string) string { return e }},
		"200 text":     {200, func(e string) string { return e }},
		"broken JSON":  {400, func(e string) string { return object("error", "x", "y", e)[:10] + e }},
		"type": {200, func(e string) string {
			return object("access_token", secrets["new token"], "refresh_token", secrets["new refresh"], "token_type", e)
		}},
		"expires_in": {200, func(e string) string {
			return object("access_token", secrets["new token"], "refresh_token", secrets["new refresh"], "expires_in", e)
		}},
		"scope": {200, func(e string) string {
			return object("access_token", secrets["new token"], "refresh_token", secrets["new refresh"], "scope", e)
		}},
		"user": {200, func(e string) string {
			return object("access_token", secrets["new token"], "refresh_token", secrets["new refresh"], "user_id", e)
		}},
		"member": {200, func(e string) string {
			return object("access_token", "x", "access_token", secrets["new token"], "refresh_token", secrets["new refresh"], e, "a", e, "b")
		}},
		"an error": {200, func(e string) string {
			return object("access_token", secrets["new token"], "refresh_token", secrets["new refresh"], "error", e)
		}},
		"no token":  {200, func(e string) string { return object("acces_token", e) }},
		"slack":     {200, func(e string) string { return `{"ok":false,"error":` + quote(e) + `}` }},
		"facebook":  {400, func(e string) string { return `{"error":{"message":` + quote(e) + `,"type":` + quote(e) + `}}` }},
		"gateway":   {502, func(e string) string { return e }},
		"redirect":  {302, func(e string) string { return e }},
		"throttled": {429, func(e string) string { return object("error", e) }},
	}
	params := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {secrets["refresh token"]}, "code": {secrets["code"]}, "code_verifier": {secrets["verifier"]},
		"device_code": {secrets["device code"]}, "assertion": {secrets["assertion"]}, "subject_token": {secrets["subject token"]}, "scope": {"a b"},
	}
	base := grant.Request{
		Endpoint: "https://idp.example/token", AuthMethod: "client_secret_post", ClientID: "shop",
		Secret: usher.Secret(secrets["client secret"]), Params: params,
	}
	names := slices.Sorted(maps.Keys(secrets))
	for i, shape := range slices.Sorted(maps.Keys(shapes)) {
		for j, encoding := range slices.Sorted(maps.Keys(encodings)) {
			how, encode := shapes[shape], encodings[encoding]
			for k, name := range names {
				if (i+j+k)%4 != 0 && name != "assertion" { // a quarter of all, and always the longest
					continue
				}
				secret := secrets[name]
				body := how.body(encode(secret))
				if strings.HasPrefix(name, "new") && !strings.Contains(body, `"access_token"`) {
					continue // it is nobody's token where the answer does not say so
				}
				a := grant.New(grant.Options{HTTP: canned{status: how.status, body: body}})
				answer, err := a.Ask(t.Context(), base)
				told := shownOf(answer, err)
				if where := holds(told, secret); where != "" {
					t.Errorf("%s in %s, %s: %s is told:\n%.600s", name, shape, encoding, where, told)
				}
				if len(told) > 24<<10 {
					t.Errorf("%s, %s: %d bytes are kept", shape, encoding, len(told))
				}
			}
		}
	}

	// What is made on the way is a secret too: the header, the assertion.
	for _, method := range []string{"client_secret_basic", "private_key_jwt", "client_secret_jwt"} {
		var sent []string
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			sent = append(strings.Split(form.Get("client_assertion"), "."), form.Get("client_assertion"), strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "))
			w.WriteHeader(400)
			_, _ = io.WriteString(w, object("error", "invalid_client", "error_description", "got "+string(body)+" and "+r.Header.Get("Authorization")+" "+form.Get("client_assertion")))
		}))
		r := base
		r.Endpoint, r.AuthMethod, r.Key = s.URL, method, pem
		_, err := grant.New(grant.Options{HTTP: guard.New(guard.Options{Trusted: []string{s.URL}})}).Ask(t.Context(), r)
		told := shownOf(nil, err)
		for _, secret := range append(sent, secrets["client secret"], secrets["refresh token"]) {
			if len(secret) > 8 && strings.Contains(told, secret) {
				t.Errorf("%s: %q is told:\n%s", method, secret, told)
			}
		}
		s.Close()
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// object writes a JSON object of names and texts, also with a name twice.
func object(pairs ...string) string {
	var list []string
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, quote(pairs[i])+":"+quote(pairs[i+1]))
	}
	return "{" + strings.Join(list, ",") + "}"
}

// shownOf is everything of an answer or a refusal that is kept in clear.
func shownOf(a *grant.Answer, err error) string {
	if err != nil {
		r := err.(*grant.Refusal)
		return strings.Join([]string{r.Error(), r.Code, r.Description, r.URI, r.Body, r.Endpoint, fmt.Sprintf("%v %+v", r.Err, r.Err)}, "\n")
	}
	return strings.Join(append(append([]string{a.User, a.TokenType, fmt.Sprint(a.Access, a.Refresh, a.ID)}, a.Notes...), a.Scopes...), "\n")
}

// holds tells in what form a text holds a secret.
func holds(text, secret string) string {
	for form, s := range map[string]string{
		"itself": secret, "its encoded form": url.QueryEscape(secret), "its base64": base64.StdEncoding.EncodeToString([]byte("shop:" + secret)),
		"its hex": hex.EncodeToString([]byte(secret)), "its beginning": secret[:min(len(secret), 14)],
	} {
		if strings.Contains(text, s) {
			return form
		}
	}
	return ""
}

// TestDeviceCodeIsNotTold: codes that cannot be used are not kept either.
func TestDeviceCodeIsNotTold(t *testing.T) {
	a := grant.New(grant.Options{HTTP: canned{status: 200, body: object("device_code", "a-code-made-of-words", "user_code", "ABCD", "verification_uri", "javascript:alert('a-code-made-of-words')")}})
	r := request("https://idp.example", "none")
	_, err := a.Device(t.Context(), r)
	if told := shownOf(nil, err); strings.Contains(told, "made-of-words") {
		t.Errorf("the code is told: %s", told)
	}
}
