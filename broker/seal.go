package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"usher"
)

// What is sealed: usher.Secret does not print itself, so it has its own form.
type sealedKeys struct {
	ClientSecret string `json:"client_secret,omitempty"`
	PrivateKey   string `json:"private_key,omitempty"`
	Credential   string `json:"credential,omitempty"`
}

type sealedTokens struct {
	Access  string `json:"access,omitempty"`
	Refresh string `json:"refresh,omitempty"`
	ID      string `json:"id,omitempty"`
}

func (b *Broker) sealKeys(ctx context.Context, id string, k Keys) ([]byte, error) {
	plain, err := json.Marshal(sealedKeys{k.ClientSecret.Reveal(), k.PrivateKey.Reveal(), k.Credential})
	if err != nil {
		return nil, err
	}
	sealed, err := b.opt.Seal.Seal(ctx, "keys/"+id, plain)
	if err != nil {
		return nil, fmt.Errorf("seal the keys of the connection %s: %w", id, err)
	}
	return sealed, nil
}

func (b *Broker) openKeys(ctx context.Context, rec Record) (Keys, error) {
	var k sealedKeys
	if err := b.open(ctx, "keys/"+rec.Config.ID, rec.Keys, &k); err != nil {
		return Keys{}, fmt.Errorf("open the keys of the connection %s: %w", rec.Config.ID, err)
	}
	return Keys{usher.Secret(k.ClientSecret), usher.Secret(k.PrivateKey), k.Credential}, nil
}

func (b *Broker) sealTokens(ctx context.Context, id string, t Tokens) ([]byte, error) {
	plain, err := json.Marshal(sealedTokens{t.Access.Reveal(), t.Refresh.Reveal(), t.ID.Reveal()})
	if err != nil {
		return nil, err
	}
	sealed, err := b.opt.Seal.Seal(ctx, "tokens/"+id, plain)
	if err != nil {
		return nil, fmt.Errorf("seal the tokens of the connection %s: %w", id, err)
	}
	return sealed, nil
}

func (b *Broker) openTokens(ctx context.Context, rec Record) (Tokens, error) {
	var t sealedTokens
	if err := b.open(ctx, "tokens/"+rec.Config.ID, rec.Tokens, &t); err != nil {
		return Tokens{}, fmt.Errorf("open the tokens of the connection %s: %w", rec.Config.ID, err)
	}
	return Tokens{usher.Secret(t.Access), usher.Secret(t.Refresh), usher.Secret(t.ID)}, nil
}

// open leaves v as it is where nothing is sealed.
func (b *Broker) open(ctx context.Context, purpose string, sealed []byte, v any) error {
	if len(sealed) == 0 {
		return nil
	}
	plain, err := b.opt.Seal.Open(ctx, purpose, sealed)
	if err != nil {
		return err
	}
	if json.Unmarshal(plain, v) != nil {
		return errors.New("what was sealed is not what was expected") // its error would quote a secret
	}
	return nil
}
