// Package preset holds what is known of APIs that programs often connect to.
package preset
