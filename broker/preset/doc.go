// Package preset holds what is known of APIs that programs often connect to:
// where their endpoints are, which grants and authentication they take, how
// their refresh tokens behave, and how they depart from the standard.
//
// Each preset is a file in data, as FORMAT.md says, with the pages that it was
// taken from. For every other provider Discover makes a configuration from the
// metadata that the provider publishes.
package preset
