package console

import "context"

type trustedKey struct{}

// Trusted marks the context of a connection that needs no sign-in: the unix
// socket, which only the owner of the data directory can open. serve calls it
// in http.Server.ConnContext.
func Trusted(ctx context.Context) context.Context {
	return context.WithValue(ctx, trustedKey{}, true)
}

// IsTrusted tells whether a context is that of such a connection.
func IsTrusted(ctx context.Context) bool {
	trusted, _ := ctx.Value(trustedKey{}).(bool)
	return trusted
}
