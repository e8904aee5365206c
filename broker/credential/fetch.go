package credential

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"usher"
)

// PollSeconds is how often a program should ask for the secret again: it is what
// Fetch's answers recommend, and what the age of an answer may be.
const PollSeconds = 30

// ServeFetch answers GET /secrets/{name} for a caller who is recognised: 200
// with the secret and its version as ETag; 304 to who presents the current one
// in If-None-Match, which is also how usher learns that it has it. A caller
// with several instances tells them apart by the header Usher-Instance, or by
// instance, which is the address that it comes from.
func (m *Manager) ServeFetch(w http.ResponseWriter, r *http.Request, name, caller, instance string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if own := r.Header.Get("Usher-Instance"); own != "" && len(own) <= 80 && strings.Trim(own, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-") == "" {
		instance = own
	}
	if caller != "" && instance != "" {
		caller += "@" + instance
	}
	given, err := m.Fetch(r.Context(), name, caller, presented(r.Header.Get("If-None-Match")))
	if err != nil {
		m.refuse(w, name, err)
		return
	}
	h.Set("ETag", `"`+itoa(given.Version)+`"`)
	if given.Value == "" {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := struct {
		Name     string `json:"name"`
		Version  int64  `json:"version"`
		ClientID string `json:"client_id"`
		Secret   string `json:"client_secret"`
		Expires  int64  `json:"client_secret_expires_at"` // RFC 7591 section 3.2.1: seconds, 0 is never
		Poll     int    `json:"poll_seconds"`
	}{Name: name, Version: given.Version, ClientID: given.ClientID, Secret: given.Value.Reveal(), Poll: PollSeconds}
	if !given.Expires.IsZero() {
		body.Expires = given.Expires.Unix()
	}
	h.Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// presented reads the version of an ETag; 0: none.
func presented(tag string) int64 {
	tag = strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
	n, err := strconv.ParseInt(tag, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (m *Manager) refuse(w http.ResponseWriter, name string, err error) {
	status, code, text := http.StatusServiceUnavailable, "temporarily_unavailable", "the secret cannot be read now"
	var known *usher.Error
	if errors.As(err, &known) {
		switch known.Code {
		case usher.ErrNotFound:
			status, code, text = http.StatusNotFound, "not_found", known.Message
		case usher.ErrForbidden:
			status, code, text = http.StatusForbidden, "access_denied", known.Message
		case usher.ErrTooLarge:
			status, code, text = http.StatusServiceUnavailable, "temporarily_unavailable", known.Message
		}
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
		m.log.Error("a secret could not be handed out", "secret", name, "error", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": text})
}
