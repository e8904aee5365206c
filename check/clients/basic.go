package clients

import (
	"encoding/base64"
	"slices"
	"strings"
)

// rawBasic gives the secret of a Basic header as it stands there, RFC 7617
// section 2, before it is decoded as a form.
func rawBasic(header string) (string, bool) {
	scheme, value, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", false
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil {
		return "", false
	}
	_, secret, ok := strings.Cut(string(pair), ":")
	return secret, ok
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
