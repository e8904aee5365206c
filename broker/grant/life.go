package grant

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"usher"
)

const (
	// maxLife is the longest life of a token that is believed.
	maxLife = 10 * 365 * 24 * time.Hour
	// apart is how far two clocks, or two statements, may lie from each other
	// without a word about it.
	apart = time.Minute
	// dead is the life of a token that has ended already: not nothing, since
	// nothing means that its life is unknown.
	dead = time.Second
)

// life gives how long the token lives from when the request was sent: what the
// answer says or, where the token itself or its age say less, that.
func (r *reader) life(access usher.Secret) time.Duration {
	skew := r.skew()
	life := r.told("expires_in")
	if !r.has("expires_in") {
		life = r.until(skew, "expires_on", "expires_at", "expires")
		if life == 0 {
			r.note("the answer does not say how long the token lives (RFC 6749 section 5.1 recommends expires_in)")
		}
	}
	if age, ok := r.age(skew); ok && life > 0 {
		r.note("the token was issued " + words(age) + " ago, and its life is counted from then")
		if life -= age; life <= 0 {
			life = dead
		}
	}
	claims, ok := claimsOf(access)
	if !ok {
		return life
	}
	return r.shorter(life, claims, skew)
}

// skew gives how far the clock of who answered is before ours, as the Date of
// the answer says it; 0 when it is not far. It is noted.
func (r *reader) skew() time.Duration {
	date, ok := dateOf(r.header)
	if !ok {
		return 0
	}
	var skew time.Duration
	switch { // the answer was written between the two
	case date.Before(r.sent.Add(-apart)):
		skew = date.Sub(r.sent)
	case date.After(r.came.Add(apart)):
		skew = date.Sub(r.came)
	default:
		return 0
	}
	r.note("the clock of the provider is " + words(skew.Abs()) + map[bool]string{true: " ahead of", false: " behind"}[skew > 0] + " ours, as the Date of its answer says")
	return skew
}

// told reads a lifetime in seconds; 0 where there is none, or none to believe.
func (r *reader) told(name string) time.Duration {
	if !r.has(name) {
		return 0
	}
	n, quoted, ok := r.number(name)
	shown := r.hide.text(string(r.values[name]), 40)
	switch {
	case !ok:
		r.note(name + " is " + shown + ", which is no number; it is not believed")
		return 0
	case n == 0:
		r.note(name + " is 0, by which some mean that the token never ends and others that it has ended; it is not believed")
		return 0
	case n < 0:
		r.note(name + " is negative (" + shown + "); it is not believed")
		return 0
	case n > maxLife.Seconds():
		return r.absurd(name, n, shown)
	case quoted:
		r.note(name + " is written as text and not as a number (RFC 6749 section 5.1)")
	case n != float64(int64(n)):
		r.note(name + " is not a whole number; the rest is left out")
	}
	life := time.Duration(n) * time.Second // a whole number of seconds, rounded down
	if life <= 0 {
		return dead
	}
	return life
}

// absurd reads a lifetime that is too long to be one: some write the moment at
// which the token ends.
func (r *reader) absurd(name string, n float64, shown string) time.Duration {
	for _, unit := range []float64{1, 1000} {
		if s := n / unit; s > 1e9 && s < 1e10 {
			if left := time.Unix(int64(s), 0).Sub(r.sent).Truncate(time.Second); left > 0 && left <= maxLife {
				r.note(name + " is " + shown + ", a point in time and no lifetime; it is read as one, " + words(left) + " from now")
				return left
			}
		}
	}
	r.note(name + " is " + shown + ", more than ten years; it is not believed")
	return 0
}

// until reads the moment at which the token ends, by the provider's clock.
func (r *reader) until(skew time.Duration, names ...string) time.Duration {
	for _, name := range names {
		if !r.has(name) {
			continue
		}
		at, ok := r.moment(name)
		if !ok {
			continue
		}
		left := at.Sub(r.sent.Add(skew)).Truncate(time.Second)
		if left <= 0 || left > maxLife {
			r.note(name + " is not in the ten years to come; it is not believed")
			continue
		}
		r.note("the answer tells the end of the token (" + name + ") and not its lifetime (expires_in)")
		return left
	}
	return 0
}

// moment reads a point in time: seconds or milliseconds since 1970, or RFC 3339.
func (r *reader) moment(name string) (time.Time, bool) {
	if n, _, ok := r.number(name); ok {
		return unix(n)
	}
	t, err := time.Parse(time.RFC3339, r.text(name))
	return t, err == nil
}

func unix(n float64) (time.Time, bool) {
	if n > 1e11 {
		n /= 1000
	}
	if n < 1e8 || n > 1e10 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(n * 1000)).UTC(), true
}

// age gives how old the token was when it was given, where issued_at tells that
// it comes from a cache.
func (r *reader) age(skew time.Duration) (time.Duration, bool) {
	at, ok := r.moment("issued_at")
	if !ok {
		return 0, false
	}
	age := r.sent.Add(skew).Sub(at).Truncate(time.Second)
	return age, age > apart && age < maxLife
}

// shorter holds a life against the times in the token itself. The earlier end
// counts: who is told too much serves dead tokens.
func (r *reader) shorter(life time.Duration, claims members, skew time.Duration) time.Duration {
	n, _, ok := claims.number("exp")
	exp, believed := unix(n)
	if !ok || !believed {
		return life
	}
	// By our clock, and by the provider's where that is another one: a clock that
	// is wrong must not make a good token dead, nor a dead one good.
	left := exp.Sub(r.sent)
	if byTheirs := exp.Sub(r.sent.Add(skew)); left <= 0 || byTheirs > 0 && byTheirs < left {
		left = byTheirs
	}
	if left > maxLife {
		return life
	}
	// Without a Date that says so, a token that was made just now and has its
	// whole life before it by its own times is not dead: one of the clocks is wrong.
	if n, _, ok := claims.number("iat"); ok && left <= 0 {
		if iat, ok := unix(n); ok && exp.After(iat) && life > 0 && (exp.Sub(iat)-life).Abs() <= apart {
			r.note("by its own times the token has ended " + words(-left) + " ago, and by expires_in it is new: one of the clocks is wrong")
			return life
		}
	}
	left = left.Truncate(time.Second)
	switch {
	case left <= 0:
		r.note("by its own exp the token has ended " + words(-left) + " ago")
		return dead
	case life == 0:
		r.note("how long the token lives is read from its own exp: " + words(left))
		return left
	case left < life-apart:
		r.note("the token ends " + words(left) + " from now by its own exp, and the answer says " + words(life) + "; the earlier counts")
		return left
	case left > life+apart:
		r.note("the token lives " + words(left) + " by its own exp, and the answer says " + words(life) + "; the earlier counts")
	}
	return min(left, life)
}

// refreshLives are the members in which providers tell how long the refresh
// token lives: GitHub and Google, Keycloak, Intuit.
var refreshLives = [...]string{"refresh_token_expires_in", "refresh_expires_in", "x_refresh_token_expires_in", "refresh_token_validity"}

func (r *reader) refreshLife() time.Duration {
	for _, name := range refreshLives {
		n, _, ok := r.number(name)
		switch {
		case !ok:
			continue
		case n == 0 && name == "refresh_expires_in":
			return 0 // Keycloak's word for: as long as the offline session
		}
		return r.told(name)
	}
	if at, ok := r.moment("refresh_token_expires_at"); ok {
		if left := at.Sub(r.sent).Truncate(time.Second); left > 0 && left <= maxLife {
			return left
		}
	}
	return 0
}

// claimsOf reads the claims of a JWT without verifying it: they are only used
// to trust the provider's answer less.
func claimsOf(token usher.Secret) (members, bool) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 || len(parts[1]) > 64<<10 {
		return members{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return members{}, false
	}
	claims, _, err := readObject(payload)
	return claims, err == nil
}

// textList gives the texts of a JSON array.
func textList(raw json.RawMessage) (list []string) {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	for _, item := range items {
		if s := text(item); s != "" {
			list = append(list, s)
		}
		if len(list) > maxScopes {
			break
		}
	}
	return list
}

// words write a time in its largest two units, as "1h5m".
func words(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + " days"
	case d >= time.Hour:
		d = d.Round(time.Minute)
	default:
		d = d.Round(time.Second)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
