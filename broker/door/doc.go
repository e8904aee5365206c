// Package door hands tokens to programs over HTTP.
package door
