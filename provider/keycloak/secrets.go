package keycloak

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"usher"
	"usher/provider"
)

var _ provider.Secrets = (*Admin)(nil)

// Where Keycloak keeps the old secret beside the new one, and until when, while
// a policy of the realm with the executor secret-rotation applies to the client.
// client.secret.rotated.creation.time is when it was rotated, not when it was
// made (seen with 26.4.0).
const (
	rotatedValue   = "client.secret.rotated"
	rotatedExpires = "client.secret.rotated.expiration.time"
	secretExpires  = "client.secret.expiration.time"
	secretCreated  = "client.secret.creation.time"
)

// SecretRules implements provider.Secrets. With a policy whose executor is
// secret-rotation the old secret works beside the new one until its period
// ends; without one it ends in the moment in which the new one is made. Whether
// there is a policy is read where the service account may (view-realm);
// otherwise it is concluded from the client, which has an expiry then.
func (a *Admin) SecretRules(ctx context.Context, clientID string) (provider.SecretRules, error) {
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	rep, _, err := a.read(ctx, clientID, right{"view-clients"})
	if err != nil {
		return provider.SecretRules{}, err
	}
	if err := a.secretive(rep); err != nil {
		return provider.SecretRules{}, err
	}
	path := pathOf(a.admin) + "/clients/" + url.PathEscape(rep.ID) + "/client-secret"
	rules := provider.SecretRules{
		Kind: "keycloak", Place: "client '" + short(clientID) + "' of " + a.place, Most: 2, Told: true,
		Right:   "the role manage-clients of realm-management in realm '" + a.realm + "'",
		Reads:   "the role view-clients of realm-management",
		Creates: "POST " + path, Retires: "DELETE " + path + "/rotated",
	}
	applies, grace, err := a.rotation(ctx, rep)
	if err != nil {
		return provider.SecretRules{}, err
	}
	if !applies {
		rules.Most, rules.Retires = 1, ""
		rules.Note = "Keycloak ends the old secret in the moment in which the new one is made: no policy of realm '" + a.realm + "' with the executor secret-rotation applies to this client. " +
			"For an overlap start Keycloak with the feature client-secret-rotation and add such a policy (Realm settings, Client policies) before you rotate."
		return rules, nil
	}
	rules.Overlap, rules.Grace = true, grace
	rules.Note = "Keycloak ends the old secret by itself when the period of the realm's rotation policy is over, whoever still uses it, and a further rotation ends it at once."
	return rules, nil
}

// rotation tells whether a rotation policy applies to a client, and how long
// the old secret lives by it; 0: not told.
func (a *Admin) rotation(ctx context.Context, rep *clientRep) (applies bool, grace time.Duration, err error) {
	var profiles struct {
		Profiles []struct {
			Name      string `json:"name"`
			Executors []struct {
				Executor      string         `json:"executor"`
				Configuration map[string]any `json:"configuration"`
			} `json:"executors"`
		} `json:"profiles"`
	}
	var policies struct {
		Policies []struct {
			Enabled    bool     `json:"enabled"`
			Profiles   []string `json:"profiles"`
			Conditions []struct {
				Condition     string         `json:"condition"`
				Configuration map[string]any `json:"configuration"`
			} `json:"conditions"`
		} `json:"policies"`
	}
	// A client that a rotation policy applied to once has an expiry.
	concluded := !seconds(rep.Attributes[secretExpires]).IsZero()
	need := right{"view-realm"}
	if err := a.get(ctx, "the client profiles", need, "/client-policies/profiles", &profiles); err != nil {
		if errors.Is(err, provider.ErrForbidden) || errors.Is(err, provider.ErrNotFound) {
			return concluded, 0, nil
		}
		return false, 0, err
	}
	if err := a.get(ctx, "the client policies", need, "/client-policies/policies", &policies); err != nil {
		if errors.Is(err, provider.ErrForbidden) || errors.Is(err, provider.ErrNotFound) {
			return concluded, 0, nil
		}
		return false, 0, err
	}
	rotates := map[string]time.Duration{}
	for _, p := range profiles.Profiles {
		for _, e := range p.Executors {
			if e.Executor == "secret-rotation" {
				n, _ := strconv.ParseInt(text(e.Configuration["rotated-expiration-period"]), 10, 32)
				rotates[p.Name] = time.Duration(max(n, 0)) * time.Second
			}
		}
	}
	for _, p := range policies.Policies {
		if !p.Enabled || len(p.Conditions) == 0 {
			continue
		}
		meets := true
		for _, c := range p.Conditions {
			switch c.Condition {
			case "any-client":
			case "client-access-type":
				types, _ := c.Configuration["type"].([]any)
				meets = meets && slices.ContainsFunc(types, func(v any) bool { return text(v) == "confidential" })
			default: // one that usher does not judge: the client itself tells
				meets = meets && concluded
			}
		}
		for _, name := range p.Profiles {
			if life, ok := rotates[name]; ok && meets {
				applies, grace = true, max(grace, life)
			}
		}
	}
	return applies, grace, nil
}

// text gives a value of a configuration as text, whichever way it was written.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// secretive refuses a client that has no secret by its kind.
func (a *Admin) secretive(rep *clientRep) error {
	method := rep.client(a.realm).AuthMethod
	if !rep.Public && (method == "client_secret_basic" || method == "client_secret_jwt") {
		return nil
	}
	what := "authenticates by " + method
	if rep.Public {
		what = "is public"
	}
	return &usher.Error{Code: usher.ErrRefused, Message: "client '" + short(rep.ClientID) + "' " + what + " and has no secret", Err: silent{provider.ErrUnsupported}}
}

// ClientSecrets implements provider.Secrets.
func (a *Admin) ClientSecrets(ctx context.Context, clientID string) ([]provider.ClientSecret, error) {
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	rep, _, err := a.read(ctx, clientID, right{"view-clients"})
	if err != nil {
		return nil, err
	}
	if err := a.secretive(rep); err != nil {
		return nil, err
	}
	return a.secrets(rep), nil
}

// secrets reads the secrets of a representation: the rotated one, then the
// present one.
func (a *Admin) secrets(rep *clientRep) (list []provider.ClientSecret) {
	if old := rep.Attributes[rotatedValue]; old != "" {
		s := provider.ClientSecret{ID: a.secretID(rep.ID, old), Ending: true, Expires: seconds(rep.Attributes[rotatedExpires]), Value: usher.Secret(old)}
		s.Off = !s.Expires.IsZero() && !a.cfg.Now().Before(s.Expires)
		list = append(list, s)
	}
	if rep.Secret != "" {
		s := provider.ClientSecret{
			ID: a.secretID(rep.ID, rep.Secret), Created: seconds(rep.Attributes[secretCreated]), Expires: seconds(rep.Attributes[secretExpires]), Value: usher.Secret(rep.Secret),
		}
		s.Off = !s.Expires.IsZero() && !a.cfg.Now().Before(s.Expires)
		list = append(list, s)
	}
	return list
}

// secretID makes the id that Keycloak's secrets lack. It is keyed with the
// secret of the service account, so that nobody can try values against it.
func (a *Admin) secretID(uid, value string) string {
	mac := hmac.New(sha256.New, []byte(a.cfg.Secret.Reveal()))
	mac.Write([]byte("usher secret id\x00" + uid + "\x00" + value))
	return "k-" + hex.EncodeToString(mac.Sum(nil)[:8])
}

// CreateSecret implements provider.Secrets. Keycloak keeps no name, and tells
// when a secret ends by its policy alone. While an old one works beside the
// present one it gives ErrFull: a further one would end the old one.
func (a *Admin) CreateSecret(ctx context.Context, clientID string, _ provider.NewSecret) (made provider.ClientSecret, value usher.Secret, err error) {
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	unlock, err := a.lock(ctx, clientID)
	if err != nil {
		return made, "", err
	}
	defer unlock()
	rep, _, err := a.read(ctx, clientID, manage)
	if err != nil {
		return made, "", err
	}
	if err := a.secretive(rep); err != nil {
		return made, "", err
	}
	what := "the secret of client '" + short(clientID) + "'"
	for _, s := range a.secrets(rep) {
		if s.Ending && !s.Off {
			return made, "", &usher.Error{
				Code: usher.ErrRefused, Message: what + " was rotated not long ago, and the one before it still works until " + s.Expires.Format(time.RFC3339) + "; nothing was changed", Err: silent{provider.ErrFull},
				Hint: "retire the old one first, or wait: a further rotation would end it for whoever still uses it",
			}
		}
	}
	body, err := a.call(ctx, http.MethodPost, what, manage, "/clients/"+url.PathEscape(rep.ID)+"/client-secret", nil)
	if err != nil {
		return made, "", err
	}
	var answer struct {
		Text string `json:"value"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Text == "" {
		return made, "", a.unreachable(a.place+" took the change of "+what+" and gave no new one", nil)
	}
	value = usher.Secret(answer.Text)
	made = provider.ClientSecret{ID: a.secretID(rep.ID, answer.Text), Created: a.cfg.Now().UTC().Truncate(time.Second), Value: value}
	// When it ends is told by the client alone; what is not told stays unknown.
	if after, _, err := a.read(ctx, clientID, manage); err == nil && after.Secret == answer.Text {
		made.Created, made.Expires = seconds(after.Attributes[secretCreated]), seconds(after.Attributes[secretExpires])
	}
	return made, value, nil
}

// RetireSecret implements provider.Secrets. Keycloak can end the rotated secret
// alone: the present one is the last that the client can use.
func (a *Admin) RetireSecret(ctx context.Context, clientID, id string) error {
	ctx, cancel := a.bounded(ctx)
	defer cancel()
	unlock, err := a.lock(ctx, clientID)
	if err != nil {
		return err
	}
	defer unlock()
	rep, _, err := a.read(ctx, clientID, manage)
	if err != nil {
		return err
	}
	what := "the rotated secret of client '" + short(clientID) + "'"
	i := slices.IndexFunc(a.secrets(rep), func(s provider.ClientSecret) bool { return s.ID == id })
	if i < 0 {
		return nil // it has ended
	}
	if s := a.secrets(rep)[i]; !s.Ending {
		return &usher.Error{
			Code: usher.ErrRefused, Message: "this secret of client '" + short(clientID) + "' is the one that Keycloak holds for it: it cannot be ended without another in its place", Err: silent{provider.ErrLast},
			Hint: "rotate it: the one before it can be retired then",
		}
	}
	_, err = a.call(ctx, http.MethodDelete, what, manage, "/clients/"+url.PathEscape(rep.ID)+"/client-secret/rotated", nil)
	if errors.Is(err, provider.ErrNotFound) {
		return nil
	}
	return err
}
