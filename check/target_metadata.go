package check

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Address is a member of a discovery document that is an address.
type Address struct{ Name, URL string }

// Addresses gives the addresses that a client goes to or sends a browser to, by
// name: members that end in _endpoint or _uri, and check_session_iframe. Pages
// for people (policy, terms) are left out, and so are the aliases for mutual
// TLS, which Endpoints has.
func (m *Metadata) Addresses() []Address {
	out := make([]Address, 0, 16)
	for name, raw := range m.Raw {
		if addressName(name) {
			if text, ok := plainString(raw); ok {
				out = append(out, Address{name, text})
			}
		}
	}
	slices.SortFunc(out, func(a, b Address) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// At gives the place of a member: its line, where the text of the document is
// known, otherwise the place of the document.
func (m *Metadata) At(name string) string {
	if m.Locate != nil {
		if place := m.Locate(strconv.Quote(name)); place != "" {
			return place
		}
	}
	return m.Place
}

func addressName(name string) bool {
	switch name {
	case "check_session_iframe":
		return true
	case "op_policy_uri", "op_tos_uri", "policy_uri", "tos_uri":
		return false
	}
	return strings.HasSuffix(name, "_endpoint") || strings.HasSuffix(name, "_uri")
}

// plainString decodes a JSON string; most need no decoding.
func plainString(raw json.RawMessage) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c == '\\' || c >= 0x80 {
			var text string
			err := json.Unmarshal(raw, &text)
			return text, err == nil
		}
	}
	return string(inner), true
}
