package casebook

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"usher"
)

// told is the confidence from which a finding names its cause; below, the
// cause of a refusal is not known yet.
const told = 0.5

// rank says how much a finding is worth: 0 the cause is not known, 1 it is
// told, 2 it is told with the confidence that is a promise, 3 besides two
// things were held against each other: what was sent and what is registered.
func rank(f *usher.Finding) int {
	switch {
	case f.Cause == "" || f.Outcome != usher.OutcomeWrong || f.Confidence < told:
		return 0
	case f.Confidence < usher.Confident:
		return 1
	case slices.ContainsFunc(f.Proof, func(p usher.Proof) bool { return p.Expected != "" && p.Got != "" }):
		return 3
	}
	return 2
}

// scope lists what makes refusals of one cause at one tenant one thing: two
// that agree in all of it are one case. Where the person has to act, the
// person belongs to it; where an account is at fault, the client does not.
func scope(cause usher.Cause) []string {
	switch cause.Label {
	case "password-wrong", "password-expired", "password-change-failed", "user-disabled", "user-locked",
		"email-unverified", "legal-age", "user-certificate-invalid", "device-credential-invalid", "mfa-registration-required":
		return []string{"user"}
	case "redirect-uri-mismatch", "redirect-uri-invalid", "redirect-uri-platform", "redirect-scheme-proxy":
		return []string{"client", "oauth.redirect_uri"}
	case "client-secret-expired", "client-secret-invalid", "client-secret-id-used", "client-assertion-invalid":
		return []string{"client", "oauth.credential_uid"}
	case "scope-invalid", "admin-consent-required":
		return []string{"client", "scope"}
	case "scope-insufficient", "token-wrong-audience", "token-wrong-type", "token-wrong-issuer", "resource-unknown",
		"token-expired", "token-malformed", "token-missing", "token-signature-invalid", "token-not-yet-valid":
		return []string{"client", "resource"}
	case "token-key-not-found":
		return []string{"resource", "oauth.key_uid"}
	case "role-missing", "grant-narrowed":
		return []string{"client", "user", "resource"}
	case "user-unknown":
		return []string{"client", "user.name"}
	case "user-not-assigned", "guest-not-invited", "license-missing":
		return []string{"client", "user"}
	case "grant-not-allowed":
		return []string{"client", "oauth.grant_type"}
	case "code-expired", "code-reused", "code-wrong-client":
		return []string{"client"}
	case "policy-device", "policy-client-app":
		return []string{"client", "policy", "resource", "user"}
	case "policy-location", "policy-risk", "policy-user", "policy-flow", "policy-workload", "policy-blocked", "policy-cross-tenant":
		return []string{"client", "policy"}
	case "federation-failed", "onprem-agent", "security-defaults", "tenant-unknown", "seamless-sso-failed":
		return []string{} // the tenant as a whole
	}
	if cause.Fixer == usher.FixerUser {
		return []string{"client", "user"}
	}
	return []string{"client"}
}

// value gives one part of a scope, empty where it is not known.
func value(part string, ev *usher.Event, f *usher.Finding) string {
	switch part {
	case "policy":
		return cmp.Or(refusing(ev).UID, refusing(ev).Name, f.Subject.Policy)
	case "scope":
		asked, _ := ev.Field("oauth.scopes_requested")
		return cmp.Or(asked, f.Subject.Scope)
	}
	v, _ := ev.Field(part)
	return v
}

// refusing gives the policy that refused the event, where exactly one did.
func refusing(ev *usher.Event) (policy usher.Party) {
	for i := range ev.Policies {
		if d := &ev.Policies[i]; strings.EqualFold(d.Result, "failure") && !d.ReportOnly {
			if policy.Known() && !policy.Is(d.Policy) {
				return usher.Party{}
			}
			policy = d.Policy
		}
	}
	return policy
}

// fingerprint says to which case a refusal belongs.
func (b *Book) fingerprint(ev *usher.Event, f *usher.Finding) string {
	if rank(f) == 0 {
		return digest("unknown", codeOf(ev)...)
	}
	cause := b.cause(f)
	parts := []string{cause.Label, ev.Tenant}
	if at := ev.FaultyEndpoint(); at != "" {
		return digest("cause", cause.Label, "endpoint", at) // whoever meets it, by whatever client
	}
	if id := ev.Connection(); id != "" {
		// Each connection has a token of its own, whatever it shares with others:
		// it is one thing that works or does not.
		return digest("cause", append(parts, "connection", id)...)
	}
	for _, part := range scope(cause) {
		parts = append(parts, part, value(part, ev, f))
	}
	return digest("cause", parts...)
}

// crowd is the fingerprint of all refusals of one cause at one tenant and
// client once there are too many different ones: whoever can make up redirect
// URIs, users or clients could otherwise make up cases without end.
func (b *Book) crowd(ev *usher.Event, f *usher.Finding) string {
	return crowdPrefix + digest("crowd", b.alike(ev, f)...)
}

const (
	crowdPrefix = "crowd-"
	// maxAlike is how many cases of one cause at one tenant and client are
	// shown one by one.
	maxAlike = 20
)

// alike lists what cases of one crowd have in common.
func (b *Book) alike(ev *usher.Event, f *usher.Finding) []string {
	if at := ev.FaultyEndpoint(); at != "" {
		return []string{"endpoint", at}
	}
	if id := ev.Connection(); id != "" { // operators make connections: nobody can make up more of them
		return []string{"connection", ev.Tenant, id}
	}
	if rank(f) == 0 {
		return []string{"unknown", ev.Tenant}
	}
	parts := []string{f.Cause, ev.Tenant}
	if f.Cause != "client-unknown" && slices.Contains(scope(b.cause(f)), "client") {
		parts = append(parts, party(ev.Client))
	}
	return parts
}

// codeOf lists what a refusal says itself, whatever its cause.
func codeOf(ev *usher.Event) []string {
	code := cmp.Or(ev.StatusCode, ev.OAuth.Error)
	if code == "" && ev.Request.Status != 0 {
		code = strconv.Itoa(ev.Request.Status)
	}
	if at := ev.FaultyEndpoint(); at != "" {
		return []string{"endpoint", at, code}
	}
	parts := []string{ev.Tenant, party(ev.Client), string(ev.Kind), ev.Code, code}
	if id := ev.Connection(); id != "" {
		parts = append(parts, "connection", id)
	}
	return parts
}

// cause gives what is known of a finding's cause, at least its label.
func (b *Book) cause(f *usher.Finding) usher.Cause {
	cause, ok := b.opt.Cause(f.Cause)
	if !ok {
		cause = usher.Cause{Step: f.Step, Fixer: f.Fixer, Title: f.Title, Fix: f.Fix, Verify: f.Verify}
	}
	cause.Label = f.Cause
	return cause
}

// party gives what compares parties: the id, or the name where there is none.
func party(p usher.Party) string { return cmp.Or(p.UID, p.Name) }

// digest makes a short word of parts of any length. Each part is written with
// its length, so that no two lists of parts run into one.
func digest(kind string, parts ...string) string {
	h := sha256.New()
	for _, part := range append([]string{kind}, parts...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
