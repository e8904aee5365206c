package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"usher"
)

// Bounds of what is kept of one provider.
const (
	maxLooks = 200      // looks that differ from the one before
	maxWrite = 4 << 20  // bytes of the file; the oldest looks make room
	maxRead  = 16 << 20 // bytes of a file that is read
)

// History is the looks at one provider, the oldest first. A look that is equal
// to the one before it only moves that one's Last.
type History struct {
	Version int     `json:"version"`
	Issuer  string  `json:"issuer"`
	Looks   []*Kept `json:"looks"`
}

// Kept is a look with how long it held.
type Kept struct {
	Look
	Last time.Time `json:"last"` // when it was seen so for the last time
}

// Latest gives the newest look, or nil.
func (h *History) Latest() *Kept {
	if len(h.Looks) == 0 {
		return nil
	}
	return h.Looks[len(h.Looks)-1]
}

// Add takes a look and gives what changed since the one before; nothing when
// there was none.
func (h *History) Add(l *Look) []Change {
	before := h.Latest()
	if before != nil {
		whole := merge(l, &before.Look)
		changes := Diff(&before.Look, l)
		if len(changes) == 0 {
			if whole && l.At.After(before.Last) {
				before.Last = l.At
			}
			return nil
		}
		h.back(changes)
		h.keep(l)
		return changes
	}
	h.keep(l)
	return nil
}

// back tells a key that was published before and returns from one that is new.
func (h *History) back(changes []Change) {
	for i := range changes {
		c := &changes[i]
		if c.Member != "keys" || c.New == "" || c.Old != "" {
			continue
		}
		for _, k := range slices.Backward(h.Looks) {
			if slices.Contains(k.Kids(), c.New) {
				c.Title = "the key " + c.New + " is back"
				c.Means = "it was last seen on " + k.Last.UTC().Format(time.DateTime) + "; tokens that were signed with it can be verified again"
				break
			}
		}
	}
}

// merge fills what a look could not see with what was seen before, so that a
// provider that is down has not dropped everything. It tells whether the look saw
// all that the one before did: only then does that one hold until now.
func merge(l, before *Look) (whole bool) {
	whole = true
	if l.Metadata == nil {
		l.Metadata, whole = before.Metadata, before.Metadata == nil
	}
	if l.Keys == nil {
		l.Keys, whole = before.Keys, whole && before.Keys == nil
	}
	return whole
}

func (h *History) keep(l *Look) {
	h.Looks = append(h.Looks, &Kept{Look: *l, Last: l.At})
	if n := len(h.Looks); n > maxLooks {
		h.Looks = append([]*Kept{}, h.Looks[n-maxLooks:]...)
	}
}

// Dir keeps histories as files in a folder, one a provider.
type Dir string

func (d Dir) file(issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return filepath.Join(string(d), hex.EncodeToString(sum[:12])+".json")
}

// Read gives the history of a provider; an empty one when there is none yet.
func (d Dir) Read(issuer string) (*History, error) {
	h := &History{Version: 1, Issuer: issuer}
	name := d.file(issuer)
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err == nil && info.Size() > maxRead {
		err = errors.New("it is larger than 16 MiB")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(name)
	}
	if err == nil {
		err = json.Unmarshal(data, h)
	}
	if err == nil && h.Issuer != issuer {
		err = errors.New("it is of another issuer")
	}
	h.Looks = slices.DeleteFunc(h.Looks, func(k *Kept) bool { return k == nil })
	if err != nil {
		return nil, &usher.Error{
			Code: usher.ErrUnreadable, Message: "the earlier looks in " + name + " cannot be read", Err: err,
			Hint: "move the file away to begin anew",
		}
	}
	return h, nil
}

// Write keeps the history: the old file stays until the new one is whole. A
// provider whose document is large and never the same loses its oldest looks.
func (d Dir) Write(h *History) error {
	data, err := json.Marshal(h)
	for err == nil && len(data) > maxWrite && len(h.Looks) > 1 {
		h.Looks = append([]*Kept{}, h.Looks[(len(h.Looks)+1)/2:]...)
		data, err = json.Marshal(h)
	}
	if err != nil {
		return err
	}
	err = os.MkdirAll(string(d), 0o700)
	var tmp *os.File
	if err == nil {
		tmp, err = os.CreateTemp(string(d), ".look-*") // 0600
	}
	if err == nil {
		defer os.Remove(tmp.Name()) //nolint:errcheck // gone when all went well
		_, err = tmp.Write(data)
		if e := tmp.Sync(); err == nil {
			err = e
		}
		if e := tmp.Close(); err == nil {
			err = e
		}
	}
	if err == nil {
		err = os.Rename(tmp.Name(), d.file(h.Issuer))
	}
	if err != nil {
		return &usher.Error{Code: usher.ErrUnreadable, Message: "the look cannot be kept in " + string(d), Err: err, Hint: "name a folder that may be written to with --state"}
	}
	return nil
}
