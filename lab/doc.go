// Package lab is an identity provider that fails on purpose, one named fault at
// a time.
//
// It is a small but real OpenID provider: people sign in, clients get tokens,
// a protected API (/api/orders) accepts and refuses them. It speaks three
// dialects: Keycloak's routes, admin API and log lines; Entra's routes, error
// bodies and sign-in records; and usher's own events at its API.
//
// A fault changes the lab's world and not its answers: a registration is
// edited, a secret ends, a key is not published, a policy is switched on. What
// a client then meets is what any provider in that state would say. Each fault
// is a file (fault_NAME.go) with its documentation as a value at the top; its
// name is the label of the cause in the catalog.
package lab
