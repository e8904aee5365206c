package fix

import (
	"strings"

	"usher/oauth"
	"usher/provider"
)

// JudgeScope judges a scope that a client is to be allowed. Whoever starts a
// sign-in chooses the scopes, so a stranger's wish is assumed. s is what the
// provider knows of it, or nil.
func JudgeScope(name string, s *provider.Scope) Judgement {
	if name == "" || len(name) > 200 || oauth.ValidScope(name) != nil || len(strings.Fields(name)) != 1 {
		return Judgement{Never: "'" + clip(name) + "' is no name of a scope"}
	}
	var j Judgement
	if strings.EqualFold(name, "offline_access") {
		j.Weakens = append(j.Weakens, "offline_access gives refresh tokens that stay good when the person has signed out")
	}
	if strings.Contains(name, "*") || strings.HasSuffix(name, "/.default") {
		j.Weakens = append(j.Weakens, "the scope "+name+" stands for every permission of a resource")
	}
	if word := powerful(name); word != "" {
		j.Weakens = append(j.Weakens, "the scope "+name+" sounds like power over others ("+word+")")
	}
	if s == nil {
		return j
	}
	if s.RolesUnknown {
		j.Weakens = append(j.Weakens, "usher may not see which roles the scope "+name+" brings along")
	}
	for _, role := range s.Roles {
		if word := powerful(role); word != "" {
			j.Weakens = append(j.Weakens, "the scope "+name+" puts the role "+clip(role)+" into tokens, which sounds like power over others ("+word+")")
		}
	}
	return j
}

// powerful gives the word in a name that speaks of administration or of
// everything, in whatever writing: "userAdmin", "realm-management: manage-users".
func powerful(name string) string {
	for _, word := range wordsOf(name) {
		switch word {
		case "admin", "admins", "administer", "administrator", "administration", "root", "superuser", "super", "sudo", "su", "owner", "master", "god",
			"manage", "manager", "management", "impersonate", "impersonation", "impersonator", "delegate", "full", "all", "everything", "any", "unrestricted",
			"privileged", "elevated", "system", "operator", "realm", "directory", "global", "superadmin", "sysadmin":
			return word
		}
		for _, end := range []string{"admin", "administrator", "superuser"} {
			if strings.HasSuffix(word, end) || strings.HasPrefix(word, end) {
				return word
			}
		}
	}
	return ""
}

// wordsOf splits a name at everything that is no letter, and before capitals.
func wordsOf(name string) (words []string) {
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	lower := false
	for _, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if upper && lower {
			end()
		}
		lower = r >= 'a' && r <= 'z'
		if !upper && !lower {
			end()
			continue
		}
		word = append(word, r)
	}
	end()
	return words
}
