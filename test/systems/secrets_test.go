package systems_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/broker/grant"
	"usher/broker/memory"
	"usher/provider"
	server "usher/test/systems/keycloak"
)

// clearBox seals nothing: what is sealed is another room's proof.
type clearBox struct{}

func (clearBox) Seal(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	return append([]byte(purpose+"\x00"), plain...), nil
}

func (clearBox) Open(_ context.Context, purpose string, sealed []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(sealed, []byte(purpose+"\x00"))
	if !ok {
		return nil, errors.New("sealed for something else")
	}
	return plain, nil
}

// losing is a provider whose answer to the making of a secret is lost once.
type losing struct {
	provider.Secrets
	lose bool
}

func (l *losing) CreateSecret(ctx context.Context, client string, want provider.NewSecret) (provider.ClientSecret, usher.Secret, error) {
	s, v, err := l.Secrets.CreateSecret(ctx, client, want)
	if l.lose {
		l.lose = false
		return provider.ClientSecret{}, "", fmt.Errorf("the answer was lost: %w", provider.ErrUnreachable)
	}
	return s, v, err
}

// keeper is a manager of secrets at a real realm.
type keeper struct {
	*realm
	*credential.Manager
	store *memory.Store
	asker *grant.Asker
	lost  *losing
	token string
}

func newKeeper(r *realm, service bool) *keeper {
	r.Helper()
	r.make(map[string]any{"clientId": "shop", "secret": "first-secret", "serviceAccountsEnabled": service, "standardFlowEnabled": true, "redirectUris": []string{"https://shop.test/cb"}})
	k := &keeper{realm: r, store: memory.New(nil), asker: grant.New(grant.Options{HTTP: r.client}), lost: &losing{Secrets: r.admin}}
	k.token = r.kc.Issuer(r.name) + "/protocol/openid-connect/token"
	k.start()
	c := credential.Config{Name: "shop", Provider: "sso", ClientID: "shop", TokenEndpoint: k.token, QuietFor: usher.Duration(2 * time.Second)}
	if service {
		c.Grant = "client_credentials"
	}
	if err := k.Add(r.Context(), c, credential.Handed{Value: "first-secret"}); err != nil {
		r.Fatal(err)
	}
	return k
}

// start makes another process on the same store.
func (k *keeper) start() {
	k.Manager = credential.New(credential.Options{
		Store: k.store, Seal: clearBox{}, Verify: credential.Verifier(k.asker), Pace: credential.Pace{InFlight: time.Second, Call: 3 * time.Second},
		Provider: func(string) (provider.Secrets, bool) { return k.lost, true },
	})
}

// takes tells whether Keycloak gives a token for a secret.
func (k *keeper) takes(value string) bool {
	k.Helper()
	_, err := k.asker.Ask(k.Context(), grant.Request{Endpoint: k.token, AuthMethod: "client_secret_basic", ClientID: "shop", Secret: usher.Secret(value), Params: url.Values{"grant_type": {"client_credentials"}}})
	var refused *grant.Refusal
	if err != nil && (!errors.As(err, &refused) || refused.Kind != grant.Refused) {
		k.Fatal(err)
	}
	return err == nil
}

// fetch gives what the caller has.
func (k *keeper) fetch(have int64) (int64, string) {
	k.Helper()
	g, err := k.Fetch(k.Context(), "shop", "key app", have)
	if err != nil {
		k.Fatal(err)
	}
	return g.Version, g.Value.Reveal()
}

// until ticks until something holds.
func (k *keeper) until(what string, holds func(v credential.View) bool) credential.View {
	k.Helper()
	var v credential.View
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := k.Tick(k.Context()); err != nil {
			k.Fatal(err)
		}
		var err error
		if v, err = k.Get(k.Context(), "shop"); err != nil {
			k.Fatal(err)
		}
		if holds(v) {
			return v
		}
	}
	k.Fatalf("%s does not come: %s (%+v)", what, v.Next, v.Rotation)
	return v
}

func at(step credential.Step) func(credential.View) bool {
	return func(v credential.View) bool { return v.Rotation != nil && v.Rotation.Step == step }
}

func over(v credential.View) bool { return v.Rotation == nil }

// TestKeycloakSecret rotates a secret at a Keycloak as it comes, where the old
// one ends with the new one: the plan says so, and callers have the new one at
// once.
func TestKeycloakSecret(t *testing.T) {
	for _, service := range []bool{true, false} {
		t.Run(map[bool]string{true: "verified-by-a-token", false: "verified-by-a-code"}[service], func(t *testing.T) {
			k := newKeeper(newRealm(t, "manage-clients"), service)
			k.until("the verification", func(v credential.View) bool { return v.Health.Outcome == usher.OutcomeOK })
			has, first := k.fetch(0)
			plan, err := k.Plan(t.Context(), "shop")
			if err != nil || plan.Overlap || !strings.Contains(strings.Join(plan.Warnings, " "), "secret-rotation") || plan.Refused != "" {
				t.Fatalf("the plan: %+v, %v", plan, err)
			}
			if _, value := k.fetch(0); value != first || service && !k.takes(first) {
				t.Fatal("the plan changed something")
			}
			k.lost.lose = true // and the process ends right after
			if _, err := k.Rotate(t.Context(), "shop", "a test", "ann"); err != nil {
				t.Fatal(err)
			}
			_ = k.Tick(t.Context())
			k.start()
			k.until("the move", func(v credential.View) bool { return v.Version == 2 })
			has, second := k.fetch(has)
			if service && (k.takes(first) || !k.takes(second)) {
				t.Errorf("Keycloak takes the old one: %v, the new one: %v", k.takes(first), k.takes(second))
			}
			if err := k.Undo(t.Context(), "shop", "ann"); err == nil {
				t.Error("a secret that is dead was handed out again")
			}
			k.fetch(has)
			v := k.until("the end", over)
			if got := k.raw(k.uid("shop"))["secret"]; got != second || v.Version != 2 {
				t.Error("Keycloak has another secret than the caller")
			}
		})
	}
}

// TestKeycloakSecretWrong: what somebody changed by hand is seen, unknown is not
// ok, and a client without a secret has none.
func TestKeycloakSecretWrong(t *testing.T) {
	k := newKeeper(newRealm(t, "manage-clients"), false)
	ctx := t.Context()
	k.until("the verification", func(v credential.View) bool { return v.Health.Outcome == usher.OutcomeOK })
	k.must(http.MethodPost, "/clients/"+k.uid("shop")+"/client-secret", nil, nil)
	if h, err := k.Verify(ctx, "shop"); err != nil || h.Outcome != usher.OutcomeWrong || h.Cause != "client-secret-invalid" {
		t.Errorf("%+v, %v", h, err)
	}
	k.make(map[string]any{"clientId": "page", "publicClient": true})
	if _, err := k.admin.SecretRules(ctx, "page"); !errors.Is(err, provider.ErrUnsupported) {
		t.Errorf("a public client: %v", err)
	}
	if _, err := k.admin.ClientSecrets(ctx, "nobody"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	list, err := k.admin.ClientSecrets(ctx, "shop")
	if err != nil || len(list) != 1 {
		t.Fatalf("%d, %v", len(list), err)
	}
	if err := k.admin.RetireSecret(ctx, "shop", list[0].ID); !errors.Is(err, provider.ErrLast) {
		t.Errorf("the only secret: %v", err)
	}
	if text := fmt.Sprintf("%+v %v", list, err); strings.Contains(text, list[0].Value.Reveal()) {
		t.Error("a secret is printed")
	}
}

// TestKeycloakSecretOverlap rotates at a Keycloak with a rotation policy: both
// secrets work while callers move, and the old one ends on proof of no use.
func TestKeycloakSecretOverlap(t *testing.T) {
	kc := server.Start(t, server.Options{Feature: "client-secret-rotation"})
	for _, role := range []string{"manage-clients", "manage-clients view-realm"} {
		t.Run(strings.ReplaceAll(role, " ", "-"), func(t *testing.T) {
			r := newRealmAt(t, kc, strings.Fields(role)...)
			r.must(http.MethodPut, "/client-policies/profiles", map[string]any{"profiles": []any{map[string]any{"name": "rotate", "executors": []any{map[string]any{
				"executor": "secret-rotation", "configuration": map[string]any{"expiration-period": 86400, "rotated-expiration-period": 3600, "remaining-rotation-period": 43200},
			}}}}}, nil)
			r.must(http.MethodPut, "/client-policies/policies", map[string]any{"policies": []any{map[string]any{
				"name": "rotate", "enabled": true, "profiles": []string{"rotate"},
				"conditions": []any{map[string]any{"condition": "client-access-type", "configuration": map[string]any{"type": []string{"confidential"}}}},
			}}}, nil)
			k := newKeeper(r, true)
			ctx := t.Context()
			rules, err := k.admin.SecretRules(ctx, "shop")
			if err != nil || !rules.Overlap || strings.Contains(role, "view-realm") != (rules.Grace == time.Hour) {
				t.Fatalf("%+v, %v", rules, err)
			}
			if rules.Grace > 0 {
				return // the role tells the period alone; what is rotated is the same
			}
			has, first := k.fetch(0)
			k.lost.lose = true
			if _, err := k.Rotate(ctx, "shop", "a test", "ann"); err != nil {
				t.Fatal(err)
			}
			_ = k.Tick(ctx)
			k.start()
			v := k.until("the move", at(credential.StepMoving))
			if v.Old == nil || v.Old.Ends.IsZero() || !slices.Equal(v.Old.Users, []string{"key app"}) {
				t.Errorf("who still uses it: %+v", v.Old)
			}
			if !k.takes(first) {
				t.Fatal("the old secret is refused while a caller has it")
			}
			if _, _, err := k.admin.CreateSecret(ctx, "shop", provider.NewSecret{}); !errors.Is(err, provider.ErrFull) {
				t.Errorf("a third secret, which would end the first: %v", err)
			}
			has, second := k.fetch(has)
			if !k.takes(second) || second == first {
				t.Fatal("the new secret is refused")
			}
			time.Sleep(4 * time.Second)
			_ = k.Tick(ctx)
			if !k.takes(first) {
				t.Fatal("it was retired before the caller had shown that it has the new one")
			}
			k.fetch(has)
			k.until("the end", over)
			if k.takes(first) || !k.takes(second) {
				t.Errorf("Keycloak takes the old one: %v, the new one: %v", k.takes(first), k.takes(second))
			}
			if n := len(k.raw(k.uid("shop"))["attributes"].(map[string]any)); n > 4 {
				t.Errorf("something of the old one is left: %d attributes", n)
			}
		})
	}
}
