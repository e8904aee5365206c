package diagnose

import (
	"fmt"
	"strings"
	"time"

	"usher"
	"usher/evidence"
	"usher/oauth"
)

// checkClients holds the client's request against its registration: dates of
// its credentials, its kind, its grants, whether it is enabled.
func (s *situation) checkClients() {
	s.sentSecret()
	it := s.registration()
	if it == nil {
		return
	}
	r := it.Registration
	s.subject.Client = first(s.subject.Client, r.ClientID)
	s.credentialDates(it, r)
	s.secretIsID(it, r)
	if r.Enabled != nil && !*r.Enabled {
		s.propose("registration/disabled", candidate{
			cause: "client-disabled", confidence: 0.85, step: usher.StepAuthRequest,
			proof: []usher.Proof{{Place: it.Place, Quote: first(r.Name, r.ClientID), Expected: "an enabled client", Got: "a disabled one"}},
		})
	}
	s.kindAndPlatform(it, r)
	s.grantAllowed(it, r)
}

// secretShape notes a secret in the form of a GUID: with Entra that is the id
// of a secret, never its value.
func (s *situation) secretShape() {
	for i, text := range s.texts {
		_, after, found := strings.Cut(text, "client_secret=")
		if found && len(after) >= 36 && oauth.IsGUID(after[:36]) {
			s.observe("secret-shape", "guid", s.set.Items[i].Place, "client_secret="+after[:36])
		}
	}
}

// sentSecret names what a badly built form did to the secret that was sent.
func (s *situation) sentSecret() {
	for i := range s.set.Items {
		req := s.set.Items[i].TokenRequest
		if req == nil || s.candidate("client-secret-invalid") == nil && !s.has("error", oauth.ErrInvalidClient) {
			continue
		}
		for _, defect := range req.Defects {
			if !strings.HasPrefix(defect, "client_secret") {
				continue
			}
			s.propose("request/secret-form", candidate{
				cause: "client-secret-invalid", confidence: 0.9, step: usher.StepTokenRequest, exact: true,
				detail: "The form was built wrongly: " + defect + ". Percent-encode the value, and take it without blanks and line ends.",
				proof:  []usher.Proof{{Place: s.set.Items[i].Place, Quote: defect, Expected: "the secret, percent-encoded", Got: "another value after decoding"}},
			})
			return
		}
	}
}

func (s *situation) credentialDates(it *evidence.Item, r *evidence.Registration) {
	now := s.moment(it)
	if now.IsZero() || len(r.Credentials) == 0 {
		return
	}
	var expired []evidence.Credential
	for _, c := range r.Credentials {
		if !c.Expires.IsZero() && now.After(c.Expires) {
			expired = append(expired, c)
		}
	}
	if len(expired) == 0 {
		s.clear(usher.Finding{
			Cause: "client-secret-expired", Outcome: usher.OutcomeOK, Confidence: 0.9, Title: "No credential of the client has expired",
			Proof: []usher.Proof{{Place: it.Place, Quote: fmt.Sprintf("%d credentials", len(r.Credentials))}},
		})
		return
	}
	confidence := 0.3
	if !s.has("code") && !s.has("error") {
		confidence = 0.7 // nothing else is known of the failure
	}
	switch {
	case len(expired) == len(r.Credentials) && (s.candidate("client-secret-invalid") != nil || s.has("error", "invalid_client")):
		confidence = 0.9
	case s.candidate("client-secret-expired") != nil:
		confidence = 0.7
	}
	last := expired[len(expired)-1]
	s.propose("registration/expired", candidate{
		cause: "client-secret-expired", confidence: confidence, step: usher.StepTokenRequest,
		detail: fmt.Sprintf("%d of %d credentials of the client have expired.", len(expired), len(r.Credentials)),
		proof: []usher.Proof{{
			Place: first(last.Place, it.Place), Quote: "credential " + first(last.Name, last.ID),
			Expected: "an end after " + now.UTC().Format(time.RFC3339), Got: last.Expires.UTC().Format(time.RFC3339),
		}},
	})
	if confidence >= 0.7 {
		s.demote("registration/expired", "client-secret-expired", confidence, "client-secret-invalid")
	}
}

// secretIsID recognises the id of a secret in the place of its value.
func (s *situation) secretIsID(it *evidence.Item, r *evidence.Registration) {
	for i := range s.set.Items {
		req := s.set.Items[i].TokenRequest
		if req == nil {
			continue
		}
		for _, c := range r.Credentials {
			if c.ID != "" && strings.EqualFold(c.ID, strings.TrimSpace(req.ClientSecret.Reveal())) {
				s.propose("registration/secret-id", candidate{
					cause: "client-secret-id-used", confidence: 0.97, step: usher.StepTokenRequest,
					detail: "What was sent as the secret is the id of a registered secret.",
					proof:  []usher.Proof{{Place: first(c.Place, it.Place), Quote: "keyId " + c.ID, Expected: "the value of the secret", Got: "its id"}},
				})
				s.demote("registration/secret-id", "client-secret-id-used", 0.97, "client-secret-invalid")
			}
		}
	}
}

func (s *situation) kindAndPlatform(it *evidence.Item, r *evidence.Registration) {
	if s.candidate("client-type-mismatch") == nil && s.candidate("client-auth-method") == nil {
		return
	}
	sent, _ := s.sentURI()
	for _, u := range r.RedirectURIs {
		if u.URI == sent.quote && strings.EqualFold(u.Platform, "web") && s.has("client", "spa", "native") {
			s.propose("registration/platform", candidate{
				cause: "redirect-uri-platform", confidence: 0.9, step: usher.StepTokenRequest,
				detail: "The redirect URI stands under the platform Web, which makes the client confidential; the app has no secret.",
				proof:  []usher.Proof{{Place: first(u.Place, it.Place), Quote: u.URI, Expected: "platform spa or publicClient", Got: "web"}},
			})
			s.demote("registration/platform", "redirect-uri-platform", 0.9, "client-type-mismatch", "client-auth-method")
		}
	}
}

func (s *situation) grantAllowed(it *evidence.Item, r *evidence.Registration) {
	grant, ok := s.fact("grant")
	if !ok || len(r.GrantTypes) == 0 {
		return
	}
	for _, g := range r.GrantTypes {
		if strings.HasSuffix(strings.ToLower(g), grant.value) {
			return
		}
	}
	s.propose("registration/grant", candidate{
		cause: "grant-not-allowed", confidence: 0.82, step: usher.StepTokenRequest,
		proof: []usher.Proof{{Place: it.Place, Quote: "grants " + strings.Join(r.GrantTypes, " "), Expected: "one of these", Got: grant.value}},
	})
}
