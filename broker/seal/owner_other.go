//go:build !unix

package seal

import "io/fs"

// ownedByUs cannot tell here.
func ownedByUs(fs.FileInfo) bool { return true }
