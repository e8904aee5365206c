package seal

import "context"

// KMS is a key from outside that data keys are sealed with: a file, an
// environment variable, or somebody's key service.
type KMS interface {
	// KeyID names the key that Wrap uses now; it is no secret.
	KeyID() string
	// Wrap seals a data key for a purpose.
	Wrap(ctx context.Context, purpose string, key []byte) (keyID string, wrapped []byte, err error)
	// Unwrap opens it, also with a key that was in use before.
	Unwrap(ctx context.Context, keyID, purpose string, wrapped []byte) ([]byte, error)
}

// Sealer seals and opens what the broker keeps. The purpose (what it is and
// whose: "tokens/shop-gateway") is bound to it: what was sealed for one
// connection does not open as another's.
type Sealer interface {
	Seal(ctx context.Context, purpose string, plain []byte) ([]byte, error)
	Open(ctx context.Context, purpose string, sealed []byte) ([]byte, error)
}
