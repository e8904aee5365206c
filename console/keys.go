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
}

// madeKey is a new key, with its value for the only time.
type madeKey struct {
	Key   keyBody `json:"key"`
	Value string  `json:"value"`
}

type keysBody struct {
	Keys []keyBody `json:"keys"`
}

type keyBody Key

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
	keys, err := c.opt.Accounts.Keys(r.Context())
	if err != nil {
		return madeKey{}, err
	}
	if len(keys) >= maxKeys {
		return madeKey{}, refusal(CodeConflict, fmt.Sprintf("there are %d keys already", maxKeys), "take away those that nobody uses")
	}
	value := usher.Secret("usher_" + randomID())
	now := c.opt.Now().UTC()
	key := Key{ID: randomID()[:12], Hash: hashOf(value), Name: wish.Name, By: by(r), Made: now}
	if wish.Days > 0 {
		key.Expires = now.Add(time.Duration(wish.Days) * 24 * time.Hour)
	}
	if err := c.opt.Accounts.PutKey(r.Context(), key); err != nil {
		return madeKey{}, err
	}
	return madeKey{keyBody(key), value.Reveal()}, nil
}

func (c *console) apiKeys(w http.ResponseWriter, r *http.Request) error {
	keys, err := c.opt.Accounts.Keys(r.Context())
	if err != nil {
		return err
	}
	body := keysBody{Keys: []keyBody{}}
	for _, k := range keys {
		body.Keys = append(body.Keys, keyBody(k))
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
		view.Keys = append(view.Keys, keyRow{k.ID, show(k.Name), show(k.By), c.moment(k.Made), c.moment(k.Used), c.moment(k.Expires)})
	}
	c.render(w, r, status, "keys", page{Title: "Keys", Problem: problem, View: view})
	return nil
}

func (c *console) makeKeyForm(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	days, _ := strconv.Atoi(r.PostFormValue("days"))
	made, err := c.makeKey(r, keyWish{r.PostFormValue("name"), days})
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
