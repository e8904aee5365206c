package evidence

import (
	"encoding/json"
	"strings"

	"usher"
	"usher/token"
)

// keySet reads a JSON Web Key Set or a single key.
func (r *reader) keySet(v *value, p *piece) bool {
	if !v.is(jsonObject) {
		return false
	}
	keys := v.get("keys")
	if !keys.is(jsonArray) {
		if v.get("kty").str() == "" || v.get("n") == nil && v.get("x") == nil && v.get("k") == nil {
			return false
		}
	} else if len(keys.kids) > 0 && keys.kids[0].get("kty") == nil && v.get("issuer") != nil {
		return false
	}
	it := &Item{Line: p.line(int(v.at))}
	it.Kind, it.Place = usher.KindKeySet, p.place(int(v.at))
	raw := p.source(v)
	it.Text = plainText(raw)
	it.Provider = providerOf(raw)
	r.privateKeys(v)
	if data, err := json.Marshal(v.any()); err == nil {
		it.JSON = data
		set, err := token.ParseKeySet(data)
		if err != nil {
			r.ignore(it.Place, "a key set that cannot be read: "+err.Error())
		}
		it.Keys = set
	}
	keySetFacts(it)
	r.add(it)
	return true
}

func keySetFacts(it *Item) {
	if it.Keys == nil {
		it.Summary = "key set that cannot be read"
		return
	}
	var names []string
	for _, k := range it.Keys.Keys {
		it.factIf("key-alg", k.Alg, it.Place, k.Alg)
		it.factIf("key-kid", k.Kid, it.Place, k.Kid)
		if k.Private {
			it.fact("key", "private", it.Place, k.Kid)
		}
		if len(names) < 6 {
			names = append(names, strings.TrimSpace(k.Kty+" "+k.Kid))
		}
	}
	it.fact("key-count", itoa(len(it.Keys.Keys)), it.Place, "")
	it.Summary = summary("key set of " + itoa(len(it.Keys.Keys)) + " keys: " + strings.Join(names, ", "))
}

// privateKeys notes the private parts of keys, which must not show anywhere.
func (r *reader) privateKeys(v *value) {
	list := v.get("keys").list()
	if list == nil {
		list = []value{*v}
	}
	for i := range list {
		if i == 100 {
			break
		}
		for _, name := range [...]string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			r.secret(list[i].get(name).str())
		}
	}
}

func sniffPEM(p *piece) int {
	if strings.HasPrefix(p.start(), "-----BEGIN ") {
		return 82
	}
	return 0
}

// readPEM reads public keys and certificates. A private key is a secret that
// somebody should not have pasted: it is noted as one, and said.
func readPEM(r *reader, p *piece) bool {
	text := strings.TrimSpace(p.text)
	if strings.Contains(text[:min(len(text), 64)], "PRIVATE KEY") {
		r.secret(text)
		for _, line := range strings.Split(text[:min(len(text), 64<<10)], "\n") {
			if len(line) >= 40 && !strings.HasPrefix(line, "-----") {
				r.secret(line)
			}
		}
		r.note(p.place(0) + " holds a private key: whoever sees it can sign as its owner, so replace it")
	}
	it := &Item{Line: p.line(0)}
	it.Kind, it.Place = usher.KindKeySet, p.place(0)
	set, err := token.ParseKeySet([]byte(text[:min(len(text), 1<<20)]))
	if err != nil {
		r.ignore(it.Place, "a PEM block that is no public key and no certificate: "+err.Error())
		if strings.Contains(text[:min(len(text), 64)], "PRIVATE KEY") {
			it.Text, it.Summary = "private key", "a private key"
			it.fact("key", "private", it.Place, "")
			r.add(it)
			return true
		}
		return false
	}
	it.Keys, it.Text = set, "public key"
	keySetFacts(it)
	r.add(it)
	return true
}
