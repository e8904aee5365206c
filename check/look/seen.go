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
func Earlier(h *snapshot.History) []*snapshot.Look {
	var out []*snapshot.Look
	for _, k := range h.Looks {
		out = append(out, &k.Look)
		if k.Last.After(k.At) {
			again := k.Look
			again.At = k.Last
			out = append(out, &again)
		}
	}
	return out
}
