// Package keycloak asks and changes one realm of a Keycloak through its admin
// REST API, and whatever else speaks the same dialect.
package keycloak
