package credential

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher"
)

// needle is one form of a managed secret, as a log may hold it.
type needle struct {
	name string
	n    int64
	of   string // digest of the sealed value: another secret may come to the same name
	form []byte
}

// Bounds of what is looked for.
const (
	leastNeedle = 8             // bytes: a shorter secret is a word that stands anywhere
	spotAgain   = 1 * time.Hour // before the same secret in the same log is told again
	mostSpotted = 1000          // what is kept in mind of those that were told
)

// Spotted is a version of a managed secret that stands in a line.
type Spotted struct {
	Name    string
	Version int64
}

// Spot gives the managed secrets that stand in a line of a log, as they are,
// percent-encoded, as JSON writes them, or in the credentials of HTTP's Basic
// scheme. Without managed secrets it costs nothing.
func (m *Manager) Spot(line []byte) (found []Spotted) {
	list := m.needles.Load()
	if list == nil {
		return nil
	}
	for i := range *list {
		d := &(*list)[i]
		if !bytes.Contains(line, d.form) {
			continue
		}
		if s := (Spotted{d.name, d.n}); !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	return found
}

// LeakedInLog takes a secret that Spot found as one signal of the log: twice is
// once. place says where, and holds nothing of the line.
func (m *Manager) LeakedInLog(ctx context.Context, s Spotted, log, place string) error {
	const most = maxSource - len("log ...")
	source := "log " + log
	if len(log) > most { // its end tells logs apart
		source = "log ..." + strings.ToValidUTF8(log[len(log)-most:], "")
	}
	key := s.Name + "/" + itoa(s.Version) + "/" + source
	now := m.now()
	m.mu.Lock()
	if told, known := m.spotted[key]; known && now.Sub(told) < spotAgain {
		m.mu.Unlock()
		return nil
	}
	if len(m.spotted) >= mostSpotted {
		clear(m.spotted)
	}
	m.spotted[key] = now
	m.mu.Unlock()
	_, err := m.leaked(ctx, s.Name, s.Version, Seen{Source: source, Detail: place})
	if err != nil { // the next line that holds it tells it again
		m.mu.Lock()
		delete(m.spotted, key)
		m.mu.Unlock()
	}
	return err
}

// Sharpen has Spot look for the secrets that there are now. Run does it from
// then on.
func (m *Manager) Sharpen(ctx context.Context) error {
	all, err := m.records(ctx)
	if err != nil {
		return err
	}
	m.sharpen(ctx, all)
	return nil
}

// sharpen makes the forms of the versions that are new, and drops those of the
// versions that have ended: they are good for nothing.
func (m *Manager) sharpen(ctx context.Context, all []*record) {
	m.sharpening.Lock()
	defer m.sharpening.Unlock()
	had := map[string][]needle{}
	if list := m.needles.Load(); list != nil {
		for _, d := range *list {
			had[d.of] = append(had[d.of], d)
		}
	}
	var list []needle
	for _, r := range all {
		for i := range r.Versions {
			v := &r.Versions[i]
			if v.State == VersionEnded {
				continue
			}
			of := digest(r.Config.Name, itoa(v.N), r.Config.ClientID, string(v.Sealed))
			forms, known := had[of]
			if !known {
				value, err := m.open(ctx, r.Config.Name, v)
				if err != nil {
					continue // it is told by who needs it
				}
				for _, form := range formsOf(r.Config.ClientID, value) {
					forms = append(forms, needle{r.Config.Name, v.N, of, form})
				}
			}
			list = append(list, forms...)
		}
	}
	if len(list) == 0 {
		m.needles.Store(nil)
		return
	}
	m.needles.Store(&list)
}

// formsOf gives the forms in which a log may hold a secret.
func formsOf(clientID string, value usher.Secret) (forms [][]byte) {
	plain := value.Reveal()
	if len(plain) < leastNeedle {
		return nil
	}
	add := func(form string) {
		if b := []byte(form); !slices.ContainsFunc(forms, func(f []byte) bool { return bytes.Equal(f, b) }) {
			forms = append(forms, b)
		}
	}
	add(plain)
	quoted, _ := json.Marshal(plain) // a string always can be
	add(strings.Trim(string(quoted), `"`))
	for _, escaped := range []string{url.QueryEscape(plain), url.PathEscape(plain), strings.ReplaceAll(url.QueryEscape(plain), "+", "%20")} {
		add(escaped)
		add(lowerHex(escaped))
	}
	// RFC 6749 section 2.3.1 has both parts encoded; many do not.
	for _, pair := range []string{clientID + ":" + plain, url.QueryEscape(clientID) + ":" + url.QueryEscape(plain)} {
		add(base64.RawStdEncoding.EncodeToString([]byte(pair)))
	}
	return forms
}

// masked gives a text without the version that leaked, which who reports it may
// have written into it.
func (m *Manager) masked(ctx context.Context, r *record, n int64, text string) string {
	value, err := m.open(ctx, r.Config.Name, r.version(n))
	if err != nil {
		return text
	}
	for _, form := range formsOf(r.Config.ClientID, value) {
		text = strings.ReplaceAll(text, string(form), "[secret]")
	}
	return text
}

// lowerHex writes percent-encoding with small letters.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
			i += 2
		}
	}
	return string(b)
}
