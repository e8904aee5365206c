package look

import (
	"usher/check"
	"usher/provider/snapshot"
)

// Seen gives what a look saw of the provider, to be kept. What could not be
// read is nil in it.
func Seen(t *check.Target) *snapshot.Look {
	l := &snapshot.Look{At: t.Now, Issuer: t.Issuer}
	for _, m := range t.Metadata {
		if m.URL != "" {
			l.Metadata = m.Raw
			break
		}
	}
	for _, set := range t.KeySets {
		if set.URL == "" || set.Client != "" {
			continue
		}
		l.Keys = []snapshot.Key{}
		for _, k := range set.Keys {
			l.Keys = append(l.Keys, snapshot.Key{Kid: k.Kid, Kty: k.Kty, Alg: k.Alg, Use: k.Use, Thumbprint: k.Thumbprint})
		}
		break
	}
	return l
}

// Earlier gives the looks that are kept as checks ask for them.
func Earlier(h *snapshot.History) []*check.Seen {
	var out []*check.Seen
	for _, k := range h.Looks {
		out = append(out, &check.Seen{At: k.At, Metadata: k.Metadata, Kids: k.Kids()})
		if k.Last.After(k.At) {
			out = append(out, &check.Seen{At: k.Last, Metadata: k.Metadata, Kids: k.Kids()})
		}
	}
	return out
}
