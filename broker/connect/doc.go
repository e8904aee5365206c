// Package connect lets a person begin a grant: the hosted page, authorization code and device flow.
package connect
