package clients

import "encoding/json"

// list gives a member that is a list of strings.
func list(raw map[string]json.RawMessage, name string) []string {
	var l []string
	_ = json.Unmarshal(raw[name], &l)
	return l
}
