package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"usher"
)

// keyWish is what is asked for with a new key.
type keyWish struct {
	Name string `json:"name"`           // which program it is for
	Days int    `json:"days,omitempty"` // until it expires; 0: never
	// Connections makes it a key that may take the tokens of these connections,
	// by id, and do nothing else; "*" is every connection. Absent: it may do what
	// people may.
	Connections []string `json:"connections,omitempty"`
}

// madeKey is a new key, with its value for the only time.
type madeKey struct {
	Key   keyBody `json:"key"`
	Value string  `json:"value"`
}

type keysBody struct {
	Keys []keyBody `json:"keys"`
}

// keyBody is a key as the API tells of it.
type keyBody struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	By          string    `json:"by"` // who made it
	Made        time.Time `json:"made"`
	Used        time.Time `json:"used,omitzero"` // rounded down to the minute
	Expires     time.Time `json:"expires,omitzero"`
	Connections []string  `json:"connections,omitempty"` // whose tokens it may take, and nothing else; "*": of every connection; absent: it may do what people may
}

func tellKey(k *Key) keyBody {
	return keyBody{ID: k.ID, Name: k.Name, By: k.By, Made: k.Made, Used: k.Used, Expires: k.Expires, Connections: strings.Fields(k.Connections)}
}

const (
	maxKeys    = 100
	maxKeyDays = 3650
)

func (c *console) makeKey(r *http.Request, wish keyWish) (madeKey, error) {
	if actorOf(r.Context()).program { // who got hold of one that ends must not make one that does not
		return madeKey{}, refusal(usher.ErrForbidden, "a key makes no further key", "make it at /keys, or over the unix socket")
	}
	wish.Name = strings.TrimSpace(wish.Name)
	if err := checkName(wish.Name); err != nil {
		return madeKey{}, refusal(CodeUnprocessed, fmt.Sprintf("a key needs a name of 1 to %d visible characters", maxName), "say which program it is for")
	}
	if wish.Days < 0 || wish.Days > maxKeyDays {
		return madeKey{}, refusal(CodeUnprocessed, fmt.Sprintf("days must be between 0 and %d", maxKeyDays), "0 is for ever")
	}
	rights, err := keyRights(wish.Connections)
	if err != nil {
		return madeKey{}, err
	}
	keys, err := c.opt.Accounts.Keys(r.Context())
	if err != nil {
		return madeKey{}, err
	}
	if len(keys) >= maxKeys {
		return madeKey{}, refusal(CodeConflict, fmt.Sprintf("there are %d keys already", maxKeys), "take away those that nobody uses")
	}
	value := usher.Secret("usher_" + randomID())
	now := c.opt.Now().UTC()
	key := Key{ID: randomID()[:12], Hash: hashOf(value), Name: wish.Name, By: by(r), Made: now, Connections: rights}
	if wish.Days > 0 {
		key.Expires = now.Add(time.Duration(wish.Days) * 24 * time.Hour)
	}
	if err := c.opt.Accounts.PutKey(r.Context(), key); err != nil {
		return madeKey{}, err
	}
	return madeKey{tellKey(&key), value.Reveal()}, nil
}

// maxKeyConnections bounds the connections that one key names.
const maxKeyConnections = 100

// keyRights gives what a key may do, as it is kept: nothing said is everything.
func keyRights(connections []string) (string, error) {
	if connections == nil {
		return "", nil
	}
	if len(connections) == 0 || len(connections) > maxKeyConnections {
		return "", refusal(CodeUnprocessed, fmt.Sprintf("a key for connections names 1 to %d of them", maxKeyConnections), "\"*\" is every connection")
	}
	for _, id := range connections {
		if id == "*" && len(connections) == 1 {
			return "*", nil
		}
		if err := CheckConnectionID(id); err != nil {
			return "", err
		}
	}
	return strings.Join(connections, " "), nil
}

func (c *console) apiKeys(w http.ResponseWriter, r *http.Request) error {
	keys, err := c.opt.Accounts.Keys(r.Context())
	if err != nil {
		return err
	}
	body := keysBody{Keys: []keyBody{}}
	for i := range keys {
		body.Keys = append(body.Keys, tellKey(&keys[i]))
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}

func (c *console) apiMakeKey(w http.ResponseWriter, r *http.Request) error {
	var wish keyWish
	if err := readJSON(r, &wish); err != nil {
		return err
	}
	made, err := c.makeKey(r, wish)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, made)
	return nil
}

func (c *console) apiDropKey(w http.ResponseWriter, r *http.Request) error {
	if err := c.opt.Accounts.DropKey(r.Context(), r.PathValue("key")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// keysView is the page of keys.
type keysView struct {
	Keys  []keyRow
	Value string // of the one that was just made
	Name  string
}

type keyRow struct {
	ID, Name, By        string
	Made, Used, Expires moment
	For                 []string // connections; none: everything
}

func (c *console) keysPage(w http.ResponseWriter, r *http.Request) error {
	return c.showKeys(w, r, http.StatusOK, keysView{}, "")
}

func (c *console) showKeys(w http.ResponseWriter, r *http.Request, status int, view keysView, problem string) error {
	keys, err := c.opt.Accounts.Keys(r.Context())
	if err != nil {
		return err
	}
	for _, k := range keys {
		view.Keys = append(view.Keys, keyRow{k.ID, show(k.Name), show(k.By), c.moment(k.Made), c.moment(k.Used), c.moment(k.Expires), strings.Fields(k.Connections)})
	}
	c.render(w, r, status, "keys", page{Title: "Keys", Problem: problem, View: view})
	return nil
}

func (c *console) makeKeyForm(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	days, _ := strconv.Atoi(r.PostFormValue("days"))
	wish := keyWish{Name: r.PostFormValue("name"), Days: days}
	switch r.PostFormValue("rights") {
	case "connections":
		wish.Connections = []string{"*"}
		if list := strings.FieldsFunc(r.PostFormValue("connections"), func(c rune) bool { return c == ' ' || c == ',' }); len(list) > 0 {
			wish.Connections = list
		}
	case "", "all":
	default:
		return refusal(usher.ErrUsage, "there is no such right", "")
	}
	made, err := c.makeKey(r, wish)
	if err != nil {
		body, status := c.asProblem(r, err)
		return c.showKeys(w, r, status, keysView{}, sentence(capital(body.Error.Message))+hintAfter(body.Error.Hint))
	}
	return c.showKeys(w, r, http.StatusOK, keysView{Value: made.Value, Name: show(made.Key.Name)}, "")
}

func (c *console) dropKeyForm(w http.ResponseWriter, r *http.Request) error {
	if err := c.opt.Accounts.DropKey(r.Context(), r.PathValue("key")); err != nil {
		return err
	}
	http.Redirect(w, r, "/keys", http.StatusSeeOther)
	return nil
}
