package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"usher"
)

// trigger says which cause a condition or a control of a blocking Conditional
// Access policy stands for. The order is that of decisiveness: a control that
// names what is wanted tells more than a condition, and a narrow condition more
// than a broad one.
var triggers = []struct {
	fact, value string
	cause       string
	wants       string
}{
	{"ca-grant", "compliantdevice", "policy-device", "a device that is marked compliant"},
	{"ca-grant", "domainjoineddevice", "policy-device", "a hybrid joined device"},
	{"ca-grant", "requirecompliantdevice", "policy-device", "a device that is marked compliant"},
	{"ca-grant", "approvedapplication", "policy-client-app", "an approved client app"},
	{"ca-grant", "compliantapplication", "policy-client-app", "an app with an app protection policy"},
	{"ca-grant", "passwordchange", "policy-risk", "a password change, because the user is at risk"},
	{"ca-grant", "mfa", "mfa-required", "multi-factor authentication"},
	{"ca-condition", "authenticationflows", "policy-flow", "another flow than device code or authentication transfer"},
	{"ca-condition", "serviceprincipals", "policy-workload", "a workload identity outside the policy's aim"},
	{"ca-condition", "serviceprincipalrisk", "policy-workload", "a workload identity without risk"},
	{"ca-condition", "signinrisk", "policy-risk", "a sign-in without risk"},
	{"ca-condition", "userrisk", "policy-risk", "a user without risk"},
	{"ca-condition", "insiderrisk", "policy-risk", "a user without insider risk"},
	{"ca-condition", "location", "policy-location", "a location that the policy lets through"},
	{"ca-condition", "ipaddressseenbyazuread", "policy-location", "an address that the policy lets through"},
	{"ca-condition", "ipaddressseenbyresourceprovider", "policy-location", "an address that the policy lets through"},
	{"ca-condition", "devicestate", "policy-device", "a device in the state that the policy asks for"},
	{"ca-condition", "device", "policy-device", "a device that the policy's filter lets through"},
	{"ca-condition", "deviceplatform", "policy-device", "a platform that the policy lets through"},
	{"ca-condition", "clienttype", "policy-client-app", "a client app type that the policy lets through"},
	{"ca-condition", "clientapptype", "policy-client-app", "a client app type that the policy lets through"},
}

// readPolicies names the trigger of a Conditional Access refusal where a log
// record has it, and tests the causes that are often blamed for it.
func (s *situation) readPolicies() {
	blocked := s.candidate("policy-blocked")
	failed, named := s.fact("ca-policy-failed")
	if named {
		s.policyTrigger(failed)
	}
	if blocked == nil {
		return
	}
	s.privateAddress()
	if s.has("code", "entra/aadsts53003") || s.has("ca-status", "failure") || strings.Contains(blocked.detail, "53003") {
		s.blameTheUsual()
	}
}

func (s *situation) policyTrigger(failed observation) {
	for _, t := range triggers {
		o, ok := s.fact(t.fact, t.value)
		if !ok {
			continue
		}
		source := "conditional-access/" + t.value
		s.propose(source, candidate{
			cause: t.cause, confidence: 0.93, step: usher.StepSignIn,
			detail: fmt.Sprintf("The policy %q refused; it wants %s.", s.redactor.Redact(failed.quote), t.wants),
			proof: []usher.Proof{{
				Place: first(o.place, failed.place), Quote: first(short(o.quote), failed.quote),
				Expected: t.wants, Got: s.gotFor(t.cause),
			}},
		})
		s.demote(source, t.cause, 0.93, "policy-blocked")
		return
	}
	if s.has("ca-condition", "users") {
		s.propose("conditional-access/users", candidate{
			cause: "policy-user", confidence: 0.6, step: usher.StepSignIn,
			detail: fmt.Sprintf("The policy %q refused, and the record shows no condition beside users and applications.", s.redactor.Redact(failed.quote)),
			proof:  []usher.Proof{{Place: failed.place, Quote: failed.quote}},
		})
	}
}

// gotFor says what the sign-in had where the policy wanted something else.
func (s *situation) gotFor(cause string) string {
	var keys []string
	switch cause {
	case "policy-location":
		keys = []string{"ip", "country"}
	case "policy-device":
		keys = []string{"device-state", "device-platform"}
	case "policy-client-app":
		keys = []string{"client-app"}
	case "policy-risk":
		keys = []string{"risk", "user-risk"}
	case "policy-flow":
		keys = []string{"auth-protocol", "transfer-method"}
	}
	var got []string
	for _, key := range keys {
		if v := s.value(key); v != "" {
			got = append(got, strings.ReplaceAll(key, "-", " ")+" "+v)
		}
	}
	return strings.Join(got, ", ")
}

// privateAddress recognises the two addresses that no named location covers: a
// private one (a virtual network's service endpoint) and one without a country.
func (s *situation) privateAddress() {
	o, ok := s.fact("ip")
	if !ok {
		return
	}
	ip, err := netip.ParseAddr(o.value)
	if err != nil {
		return
	}
	switch {
	case ip.IsPrivate():
		s.propose("address/private", candidate{
			cause: "policy-location", confidence: 0.84, step: usher.StepSignIn,
			detail: "The provider saw a private address, which no named location and no country covers: the request came through a service endpoint or a private link.",
			proof:  []usher.Proof{{Place: o.place, Quote: o.quote, Expected: "a public address of a named location", Got: o.value}},
		})
		s.demote("address/private", "policy-location", 0.84, "policy-blocked")
	case ip.Is6() && s.has("country", ""):
		s.propose("address/no-country", candidate{
			cause: "policy-location", confidence: 0.82, step: usher.StepSignIn,
			detail: "The sign-in came over IPv6 and the log knows no country for the address; a policy that lets only some countries through refuses it.",
			proof:  []usher.Proof{{Place: o.place, Quote: o.quote, Expected: "an address with a known country", Got: o.value}},
		})
		s.demote("address/no-country", "policy-location", 0.82, "policy-blocked")
	}
}

// blamed are the causes that many pages on the web give for code 53003, each
// with the code by which Entra would have said so.
var blamed = []struct{ cause, what, own string }{
	{"token-expired", "An expired token", "AADSTS700082 or AADSTS500133"},
	{"client-secret-invalid", "A wrong client secret", "AADSTS7000215 (expired: AADSTS7000222)"},
	{"redirect-uri-mismatch", "A wrong redirect URI", "AADSTS50011"},
	{"scope-invalid", "A wrong scope", "AADSTS70011 or AADSTS65001"},
}

// blameTheUsual says what is usually blamed for 53003 and what the evidence
// says of each: cleared where it was tested, otherwise that it has a code of
// its own and was not tested.
func (s *situation) blameTheUsual() {
	s.notes = append(s.notes, "Many pages on the web blame tokens, client secrets, redirect URIs or scopes for 53003. None of them is behind this code: it is given only when a Conditional Access policy decided.")
	s.cleared = slices.Grow(s.cleared, len(blamed))
	for _, b := range blamed {
		if s.candidate(b.cause) != nil || s.isCleared(b.cause) {
			continue
		}
		s.clear(usher.Finding{
			Cause: b.cause, Outcome: usher.OutcomeUnknown, Title: b.what + " was not tested",
			Detail: b.what + " would be answered with " + b.own + ", not with 53003; the evidence holds nothing to test it on.",
		})
	}
}

func (s *situation) isCleared(cause string) bool {
	for _, f := range s.cleared {
		if f.Cause == cause {
			return true
		}
	}
	return false
}
