package clients

import "encoding/json"

// text gives a member that is a string, or the empty string.
func text(raw map[string]json.RawMessage, name string) string {
	var s string
	_ = json.Unmarshal(raw[name], &s)
	return s
}

// list gives a member that is a list of strings.
func list(raw map[string]json.RawMessage, name string) []string {
	var l []string
	_ = json.Unmarshal(raw[name], &l)
	return l
}
