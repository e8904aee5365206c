package door

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// problem is the answer without a token.
type problem struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	Connection  string `json:"connection,omitempty"`
	State       string `json:"state,omitempty"`
	Cause       string `json:"cause,omitempty"` // label of the taxonomy
	Title       string `json:"title,omitempty"`
	Turn        string `json:"turn,omitempty"` // whose turn it is; "nobody": usher tries again
	Link        string `json:"link,omitempty"` // where a person connects again; only for operators
}

// refuse answers with a problem and, where it has one, the challenge of RFC
// 6750 section 3.
func refuse(w http.ResponseWriter, status int, p problem, retry string) {
	h := w.Header()
	h["Content-Type"] = asJSON
	if retry != "" {
		h.Set("Retry-After", retry)
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest:
		h["Www-Authenticate"] = []string{challenge(p.Error, p.Description)}
	}
	text, err := json.Marshal(p)
	if err != nil { // our own strings always can
		status, text = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	text = append(text, '\n')
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// challenge makes a WWW-Authenticate header. Who showed no key is told no error.
func challenge(code, description string) string {
	const realm = `Bearer realm="usher"`
	if code == "unauthorized" {
		return realm
	}
	quoted := strings.Map(func(c rune) rune { // RFC 6750 section 3: no quote, no backslash, ASCII alone
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return '\''
		}
		return c
	}, description)
	return realm + `, error="` + code + `", error_description="` + quoted + `"`
}

// appendJSON appends a JSON string. What needs no escape, as tokens do not, is
// copied.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // strings always can
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// clip shortens what somebody sent, for a message.
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}
