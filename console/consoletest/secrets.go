package consoletest

import (
	"context"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/broker/memory"
	"usher/provider"
)

// Secrets is a manager of secrets in memory, with one secret for each way that
// the API has words for.
type Secrets struct{ *credential.Manager }

// AddSecret implements console.Secrets.
func (s Secrets) AddSecret(ctx context.Context, c credential.Config, h credential.Handed) error {
	return s.Add(ctx, c, h)
}

// SecretValues are the values that must stand on no page and in no answer.
var SecretValues = []string{"value-of-shop", "value-of-moving", "value-of-fresh"}

// SampleSecrets gives secrets that are quiet, that are being rotated, that
// can be removed, and one that a person must end.
func SampleSecrets(now func() time.Time) Secrets {
	ctx := context.Background()
	s := Secrets{credential.New(credential.Options{
		Store: memory.New(now), Seal: plainBox{}, Now: now, Provider: func(string) (provider.Secrets, bool) { return overlapping{}, true },
		Verify: func(context.Context, credential.Config, usher.Secret) credential.Verdict {
			return credential.Verdict{Outcome: usher.OutcomeOK, Title: "taken"}
		},
	})}
	must := func(err error) {
		if err != nil {
			panic(err) // of our own making
		}
	}
	for _, name := range []string{"shop", "moving", "late", "gone", "undone", "stuck"} {
		must(s.Add(ctx, credential.Config{Name: name, ClientID: name + "-client", Provider: "sso", Owner: "ada"}, credential.Handed{Value: usher.Secret("value-of-" + name)}))
	}
	must(s.Tick(ctx))
	for _, name := range []string{"moving", "undone", "stuck"} {
		_, err := s.Fetch(ctx, name, "key shop", 0)
		must(err)
		_, err = s.Rotate(ctx, name, "a test", "ada")
		must(err)
	}
	must(s.Tick(ctx))
	shown, err := s.Retire(ctx, "stuck", "", "ada")
	must(err)
	_, err = s.Retire(ctx, "stuck", shown.Confirm, "ada")
	must(err)
	must(s.Tick(ctx))
	return s
}

// plainBox seals nothing.
type plainBox struct{}

func (plainBox) Seal(_ context.Context, _ string, plain []byte) ([]byte, error) { return plain, nil }

func (plainBox) Open(_ context.Context, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// overlapping is a provider at which two secrets work.
type overlapping struct{}

func (overlapping) SecretRules(_ context.Context, client string) (provider.SecretRules, error) {
	return provider.SecretRules{Kind: "other", Place: "client " + client, Overlap: true, Named: true, Creates: "POST /secrets", Retires: "DELETE /secrets/{id}"}, nil
}

func (overlapping) ClientSecrets(_ context.Context, client string) ([]provider.ClientSecret, error) {
	if client == "stuck-client" { // nobody can tell which is which
		return []provider.ClientSecret{{ID: "one"}, {ID: "two"}}, nil
	}
	return []provider.ClientSecret{{ID: "old"}}, nil
}

func (overlapping) CreateSecret(_ context.Context, _ string, want provider.NewSecret) (provider.ClientSecret, usher.Secret, error) {
	return provider.ClientSecret{ID: "new", Name: want.Name}, "value-of-fresh", nil
}

func (overlapping) RetireSecret(context.Context, string, string) error { return nil }
