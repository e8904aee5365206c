package report

import (
	"reflect"

	"usher"
)

// maskedCase gives a deep copy of a case in which every string went through
// redaction once more. Lists are never nil in the copy, and the version is set.
func maskedCase(c *usher.Case) usher.Case {
	m := masker{ids: caseIDs}
	out := m.mask(reflect.ValueOf(*c), "").Interface().(usher.Case)
	if out.Version == 0 {
		out.Version = usher.CaseVersion
	}
	for i := range out.Finding.Proof {
		keepQuoted(&out.Finding.Proof[i], c.Finding.Proof[i].Got)
	}
	return out
}

// caseIDs are members of cases and events whose values are long and
// random and no credentials: people and programs look them up elsewhere.
var caseIDs = map[string]bool{
	"uid": true, "id": true, "fingerprint": true, "event": true, "original_event_uid": true, "tenant_uid": true, "correlation_uid": true,
	"session_uid": true, "credential_uid": true, "token_uid": true, "key_uid": true, "user_home": true, "client": true, "policy": true,
	"resource": true, "tenant": true, "audiences": true, "place": true,
}
