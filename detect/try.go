package detect

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/catalog"
)

// try is one failed sign-in.
type try struct {
	at           time.Time
	uid          string
	user, source string
	client       string
}

// userOf gives the user of an event by name, in small letters, because a try of
// a user who does not exist has no id.
func userOf(ev *usher.Event) string { return strings.ToLower(cmp.Or(ev.User.Name, ev.User.UID)) }

func clientOf(ev *usher.Event) string { return cmp.Or(ev.Client.UID, ev.Client.Name) }

// succeeded tells whether somebody signed in.
func succeeded(ev *usher.Event) bool {
	if ev.Status != usher.StatusSuccess || ev.Interrupted {
		return false
	}
	switch ev.Kind {
	case usher.EventSignIn, usher.EventSilentSignIn, usher.EventToken:
		return true
	}
	return false
}

// guessed tells whether a refusal is what guessing passwords looks like: the
// code says that the password, or the user, was wrong or shut.
func guessed(ev *usher.Event) bool {
	if !ev.Refused() {
		return false
	}
	switch ev.Kind {
	case usher.EventSignIn, usher.EventSilentSignIn, usher.EventToken, usher.EventAppSignIn:
	default:
		return false
	}
	code := ev.StatusCode
	if ev.Provider == "entra" && code != "" && strings.Trim(code, "0123456789") == "" {
		code = "AADSTS" + code
	}
	if c := catalog.LookupCode(ev.Provider, code); code != "" && c != nil && c.Cause != "" {
		if Guess(c.Cause) {
			return true
		}
		if !strings.EqualFold(code, "invalid_grant") {
			return false
		}
	}
	return ev.OAuth.GrantType == "password" && (ev.OAuth.Error == "invalid_grant" || strings.EqualFold(code, "invalid_grant"))
}

// Guess tells whether the cause of a refusal is what guessing passwords looks
// like: the password, or the user, is wrong or shut.
func Guess(cause string) bool {
	switch cause {
	case "password-wrong", "user-unknown", "user-locked", "user-disabled":
		return true
	}
	return false
}

// put adds a try in the order of time, once, and takes out what lies further
// back than the window or is more than most.
func put(list []try, t try, window time.Duration, most int) []try {
	if slices.ContainsFunc(list, func(o try) bool { return o.uid == t.uid }) {
		return list
	}
	at := len(list)
	for at > 0 && list[at-1].at.After(t.at) {
		at--
	}
	list = slices.Insert(list, at, t)
	edge := list[len(list)-1].at.Add(-window)
	old := 0
	for list[old].at.Before(edge) {
		old++
	}
	old = max(old, len(list)-most)
	return slices.Delete(list, 0, old)
}

// uids gives the ids of tries, the latest 200.
func uids(list []try) (ids []string) {
	slices.SortStableFunc(list, func(a, b try) int { return a.at.Compare(b.at) })
	for _, t := range list[max(0, len(list)-maxEvents):] {
		ids = append(ids, t.uid)
	}
	return ids
}

const maxEvents = 200

// different gives the different values of tries, sorted, without the empty one.
func different(list []try, value func(*try) string) (values []string) {
	for i := range list {
		if v := value(&list[i]); v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// makeRoom bounds a map to which something is about to be added: when it is
// full, the quarter that was least worth goes.
func makeRoom[K comparable, V any](m map[K]V, limit int, worth func(V) uint64) {
	if len(m) < limit {
		return
	}
	worths := make([]uint64, 0, len(m))
	for _, v := range m {
		worths = append(worths, worth(v))
	}
	slices.Sort(worths)
	edge := worths[len(worths)/4]
	for k, v := range m {
		if worth(v) <= edge {
			delete(m, k)
		}
	}
}
