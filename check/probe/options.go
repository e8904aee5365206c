package probe

import (
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/oauth"
)

// methods are the ways to authenticate that usher knows; those of TLS and of a
// shared secret that signs are known and not tried.
var methods = [...]string{
	oauth.AuthBasic, oauth.AuthPost, oauth.AuthPrivateKeyJWT, oauth.AuthNone, "client_secret_jwt", "tls_client_auth", "self_signed_tls_client_auth",
}

// Err tells what of the client's credential cannot be used, or nil: a method
// that there is not, one that does not fit what is given, a key that signs
// nothing. It sends nothing.
func (o *Options) Err() error {
	if o.AuthMethod != "" && !slices.Contains(methods[:], o.AuthMethod) {
		hint := "usher tries " + strings.Join(methods[:4], ", ")
		if near := check.Nearest(o.AuthMethod, methods[:]); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return &usher.Error{Code: usher.ErrUsage, Message: "there is no authentication method " + quote(o.AuthMethod), Hint: hint}
	}
	if o.Key != "" {
		s, err := readKey(o.Key, o.KeyID)
		if err != nil {
			return err
		}
		if _, err := s.assertion("client", "audience", time.Time{}, time.Minute); err != nil {
			return err
		}
	}
	return o.fits()
}

// fits tells whether the method goes with what is given. A method alone, with
// no credential, is no mistake: what needs one is left out.
func (o *Options) fits() error {
	misfit := func(message, hint string) error {
		return &usher.Error{Code: usher.ErrUsage, Message: message, Hint: hint}
	}
	switch {
	case o.Secret == "" && o.Key == "":
		return nil
	case (o.AuthMethod == oauth.AuthBasic || o.AuthMethod == oauth.AuthPost) && o.Secret == "":
		return misfit("the authentication method "+o.AuthMethod+" sends a secret, and a key is given", "give the secret with --secret-file, or leave the method out")
	case o.AuthMethod == oauth.AuthPrivateKeyJWT && o.Key == "":
		return misfit("the authentication method "+o.AuthMethod+" signs with a key, and a secret is given", "give the private key with --key-file, or leave the method out")
	case o.AuthMethod == oauth.AuthNone:
		return misfit("the authentication method none sends nothing, and a credential is given", "leave the credential out, or the method")
	}
	return nil
}
