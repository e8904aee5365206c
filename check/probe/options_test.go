package probe_test

import (
	"errors"
	"strings"
	"testing"

	"usher"
	"usher/check/probe"
	"usher/oauth"
)

// TestMisfit: a method without its credential sends nothing.
func TestMisfit(t *testing.T) {
	_, key := newKey(t)
	s := newAS(t)
	opt := s.options("secret-valid")
	opt.Secret, opt.Key, opt.AuthMethod = "", key, oauth.AuthBasic
	want(t, "basic with a key", ask(t, s, opt), "skipped", "sends a secret")
	if len(s.requests) != 0 {
		t.Errorf("sent %v", s.requests[0].Header)
	}
}

// TestOptionsErr: what of the credential cannot be used is told before anything
// is sent, and nothing of it is shown.
func TestOptionsErr(t *testing.T) {
	_, key := newKey(t)
	const secret = usher.Secret("s3cr3t-value")
	for _, c := range []struct {
		opt         probe.Options
		code, words string
	}{
		{probe.Options{}, "", ""},
		{probe.Options{Secret: secret}, "", ""},
		{probe.Options{Key: key}, "", ""},
		{probe.Options{Secret: secret, AuthMethod: oauth.AuthPost}, "", ""},
		{probe.Options{Key: key, AuthMethod: oauth.AuthPrivateKeyJWT}, "", ""},
		{probe.Options{AuthMethod: oauth.AuthNone}, "", ""},
		{probe.Options{AuthMethod: oauth.AuthBasic}, "", ""},
		{probe.Options{AuthMethod: "client_secret_bsic"}, usher.ErrUsage, "client_secret_bsic"},
		{probe.Options{Key: "s3cr3t-value, no key"}, usher.ErrUnreadable, "neither PEM nor JWK"},
		{probe.Options{Key: `{"kty":"oct","k":"czNjcjN0LXZhbHVl","alg":"HS256"}`}, usher.ErrUnreadable, ""},
		{probe.Options{Key: key, AuthMethod: oauth.AuthBasic}, usher.ErrUsage, "sends a secret"},
		{probe.Options{Secret: secret, AuthMethod: oauth.AuthPrivateKeyJWT}, usher.ErrUsage, "signs with a key"},
		{probe.Options{Secret: secret, AuthMethod: oauth.AuthNone}, usher.ErrUsage, "sends nothing"},
	} {
		err := c.opt.Err()
		if c.code == "" {
			if err != nil {
				t.Errorf("%+v: %v", c.opt, err)
			}
			continue
		}
		var told *usher.Error
		if !errors.As(err, &told) || told.Code != c.code || !strings.Contains(told.Message, c.words) {
			t.Errorf("%v, want %s with %q", err, c.code, c.words)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}
