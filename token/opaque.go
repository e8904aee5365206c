package token

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// opaquePrefix is a shape that tells whose a token is.
type opaquePrefix struct{ prefix, vendor, how string }

// opaquePrefixes are ordered: the longer of two that share a beginning comes first.
var opaquePrefixes = [...]opaquePrefix{
	{"ya29.", "Google access token", "ask https://oauth2.googleapis.com/tokeninfo what it is good for"},
	{"1//", "Google refresh token", "it is only for Google's token endpoint"},
	{"GOCSPX-", "Google client secret", "it is no token at all"},
	{"AIza", "Google API key", "it is no token at all"},
	{"github_pat_", "GitHub fine-grained personal access token", "call https://api.github.com/user with it and read the response headers"},
	{"gho_", "GitHub OAuth access token", "call https://api.github.com/user with it and read X-OAuth-Scopes"},
	{"ghp_", "GitHub personal access token", "call https://api.github.com/user with it and read X-OAuth-Scopes"},
	{"ghu_", "GitHub user-to-server token", "call https://api.github.com/user with it"},
	{"ghs_", "GitHub installation token", "call https://api.github.com/installation/repositories with it"},
	{"ghr_", "GitHub refresh token", "it is only for GitHub's token endpoint"},
	{"glpat-", "GitLab personal access token", "ask /api/v4/personal_access_tokens/self"},
	{"gloas-", "GitLab OAuth application secret", "it is no token at all"},
	{"xoxb-", "Slack bot token", "ask https://slack.com/api/auth.test"},
	{"xoxp-", "Slack user token", "ask https://slack.com/api/auth.test"},
	{"xoxe.", "Slack rotating token", "ask https://slack.com/api/auth.test"},
	{"xoxe-", "Slack refresh token", "it is only for Slack's token endpoint"},
	{"xapp-", "Slack app-level token", "ask https://slack.com/api/auth.test"},
	{"sk_live_", "Stripe secret key", "it is no token at all"},
	{"sk_test_", "Stripe secret test key", "it is no token at all"},
	{"A21AA", "PayPal access token", "its scopes were in the token response"},
	{"EwB", "Microsoft account token (compact ticket)", "only Microsoft can read it"},
	{"EwA", "Microsoft account token (compact ticket)", "only Microsoft can read it"},
	{"M.C5", "Microsoft account authorization code or refresh token", "it is only for Microsoft's token endpoint"},
	{"M.R3", "Microsoft account authorization code or refresh token", "it is only for Microsoft's token endpoint"},
	{"0.A", "Entra authorization code or refresh token", "it is only for Entra's token endpoint"},
	{"1.A", "Entra authorization code or refresh token", "it is only for Entra's token endpoint"},
	{"00D", "Salesforce access token", "ask the org's /services/oauth2/userinfo"},
	{"EAA", "Facebook access token", "ask https://graph.facebook.com/debug_token"},
	{"sl.", "Dropbox access token", "ask https://api.dropboxapi.com/2/check/user"},
	{"hvs.", "Vault token", "ask auth/token/lookup-self"},
	{"dop_v1_", "DigitalOcean token", "ask https://api.digitalocean.com/v2/account"},
	{"v1.public.", "PASETO", "it is no JWT; read it with a PASETO library"},
	{"v2.public.", "PASETO", "it is no JWT; read it with a PASETO library"},
	{"v3.public.", "PASETO", "it is no JWT; read it with a PASETO library"},
	{"v4.public.", "PASETO", "it is no JWT; read it with a PASETO library"},
	{"v1.local.", "PASETO", "it is encrypted and no JWT"},
	{"v2.local.", "PASETO", "it is encrypted and no JWT"},
	{"v3.local.", "PASETO", "it is encrypted and no JWT"},
	{"v4.local.", "PASETO", "it is encrypted and no JWT"},
	{"PHNhbW", "SAML message", "decode the base64: it is XML, no JWT"},
	{"PD94bWw", "XML document", "decode the base64: it is XML, no JWT"},
}

// opaque tells whether raw is something other than a JWT, and why it cannot be
// read. The empty why means that it is at least meant as a JWT.
func opaque(raw, first string, dots int) (vendor, why string) {
	for _, p := range opaquePrefixes {
		if strings.HasPrefix(raw, p.prefix) {
			return p.vendor, fmt.Sprintf("this has the shape of a %s, which only its issuer can read: %s", p.vendor, p.how)
		}
	}
	if isHeader(first) || dots == 2 || dots > 4 {
		return "", ""
	}
	if dots > 0 && (strings.HasPrefix(first, "ey") || first == "") {
		return "", ""
	}
	switch {
	case isUUID(raw):
		return "", "this is a UUID: a reference token or an identifier, which only its issuer can resolve (introspection, RFC 7662)"
	case strings.HasPrefix(first, "ey") && dots == 0:
		return "", "this begins like the base64 of a JSON object, but it is no header of a JWT"
	}
	return "", "this is an opaque token: it holds no claims that can be read without its issuer; ask the introspection endpoint (RFC 7662) or the userinfo endpoint"
}

// isHeader tells whether part is the base64url of something that begins like a JSON object.
func isHeader(part string) bool {
	part = strings.TrimLeft(part, " \t\r\n")
	n := min(len(part)/4*4, 64)
	if n == 0 {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(part[:n])
	if err != nil {
		return strings.HasPrefix(part, "eyJ")
	}
	text := strings.TrimLeft(string(data), " \t\r\n")
	if !strings.HasPrefix(text, "{") {
		return false
	}
	text = strings.TrimLeft(text[1:], " \t\r\n")
	return text == "" || text[0] == '"' || text[0] == '}'
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
				return false
			}
		}
	}
	return true
}

func describeOpaque(raw string, dots int) string {
	if dots == 0 {
		return fmt.Sprintf("%d characters without a dot", len(raw))
	}
	return fmt.Sprintf("%d characters with %s", len(raw), count(dots, "dot"))
}
