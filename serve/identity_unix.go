//go:build unix

package serve

import (
	"fmt"
	"os"
	"syscall"
)

// identityOf names a file whatever it is called: device and inode.
func identityOf(info os.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	return ""
}
