// Package keycloak asks and changes one realm of a Keycloak through its admin
// REST API, and whatever else speaks the same dialect.
//
// A client is changed by writing back the whole representation that was read
// just before, with one member changed: Keycloak takes a member that is left
// out for "no" in places (authorization services are then deleted with all
// their policies), so a small body is not the small change.
package keycloak
