package check

import (
	"encoding/json"
	"sync"
)

// entries are the keys of a set as they were published, read once.
type entries struct {
	once sync.Once
	list []map[string]json.RawMessage
}

// maxEntries bounds what is read of a set, as token.MaxKeys does.
const maxEntries = 256

// Entries gives the keys as they were published, each with its members; nil
// when only the keys themselves are known (PEM). A member may hold a secret.
func (k *KeySet) Entries() []map[string]json.RawMessage {
	k.entries.once.Do(func() {
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if len(k.Raw) == 0 || json.Unmarshal(k.Raw, &set) != nil {
			return
		}
		if set.Keys == nil {
			set.Keys = []json.RawMessage{k.Raw}
		}
		for i, raw := range set.Keys {
			if i == maxEntries {
				break
			}
			var members map[string]json.RawMessage
			_ = json.Unmarshal(raw, &members)
			k.entries.list = append(k.entries.list, members)
		}
	})
	return k.entries.list
}

// Member gives a member of an entry that is a string, or the empty string.
func Member(entry map[string]json.RawMessage, name string) string {
	s, _ := plainString(entry[name])
	return s
}
