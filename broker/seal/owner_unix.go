//go:build unix

package seal

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByUs tells whether a file is our user's or root's.
func ownedByUs(f fs.FileInfo) bool {
	st, ok := f.Sys().(*syscall.Stat_t)
	return !ok || st.Uid == 0 || int(st.Uid) == os.Geteuid()
}
