package broker

import (
	"crypto/rand"
	"os"
	"strconv"
)

// holder makes a name for this replica that no other one has.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "replica"
	}
	return host + "-" + strconv.Itoa(os.Getpid()) + "-" + rand.Text()[:6]
}
