package fix_test

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"usher/fix"
)

func TestJudgeRedirect(t *testing.T) {
	const web = "https://shop.test/callback"
	tests := []struct {
		uri, registered string // registered: blank-separated
		want            string // "neutral", "never" or a word of the reason
	}{
		// What is near.
		{"https://shop.test/callback/", web, "neutral"},
		{"https://shop.test/Callback", web, "neutral"},
		{"https://shop.test//callback", web, "neutral"},
		{"https://SHOP.test/callback", web, "neutral"},
		{"https://shop.test:443/callback", web, "neutral"},
		{"https://www.shop.test/callback", web, "neutral"},
		{"https://shop.test", "https://shop.test/", "neutral"},
		{"https://shop.test/callback", "http://shop.test/callback", "neutral"}, // stronger than before
		{"https://shop.test/callback", "https://shop.test/callback?x=1", "neutral"},
		{"http://127.0.0.1:4711/cb", "http://localhost:3000/cb", "neutral"},
		{"http://[::1]:4711/cb", "http://localhost:3000/cb", "neutral"},
		{"com.example.app:/cb/", "com.example.app:/cb", "neutral"},
		{"https://shop.test/a/callback", "/a/callback/", "neutral"}, // relative to the root URL

		// Other pages, hosts, ports and schemes.
		{"https://shop.test/other", web, "another page"},
		{"https://shop.test/uploads/evil.html", web, "another page"},
		{"https://shop.test/calback", web, "one letter"}, // which side slipped, and whose page it is, the log does not tell
		{"https://shop.test/jonat/cb", "https://shop.test/jonas/cb", "one letter"},
		{"https://shop.test/calback", "https://shop.test/callback*", "another page"},
		{"https://shop.test/v2/callback", "https://shop.test/v1/callback", "another page"},
		{"https://shop.test/users/11112/callback", "https://shop.test/users/11113/callback", "another page"},
		{"https://shop.test/cb", "https://shop.test/ab", "another page"},
		{"https://shop.test/callback?next=1", web, "query"},
		{"https://shop.test:8443/callback", web, "another port"},
		{"https://evil.shop.test/callback", web, "another host of shop.test"},
		{"https://evil.example/cb", web, "may be an attacker"},
		{"https://shop.test.evil.example/callback", web, "may be an attacker"},
		{"https://evilshop.test/callback", web, "may be an attacker"},
		{"https://mallory.github.io/cb", "https://shop.github.io/cb", "may be an attacker"},
		{"https://www.github.io/cb", "https://github.io/cb", "may be an attacker"},
		{"https://evil.example/cb", "", "nothing is registered"},
		{"https://evil.example/cb", "https://shop.test/* /relative", "may be an attacker"},
		{"https://shop.test/anything", "https://shop.test/*", "another page"},
		{"http://shop.test/callback", web, "it is http"},
		{"http://localhost:3000/cb", web, "own machine"},
		{"http://localhost.evil.example/cb", "http://localhost:3000/cb", "it is http"},
		{"evil.app:/callback", web, "scheme evil.app"},
		{"com.example.app:/other", "com.example.app:/cb", "any program"},
		{"urn:ietf:wg:oauth:2.0:oob", web, "scheme urn"},

		// Tricks.
		{"*", web, "never"},
		{"https://*", web, "the star"},
		{"https://shop.test/*", web, "the star"},
		{"https://*.shop.test/callback", web, "the star"},
		{"https://shop.test/callback#x", web, "fragment"},
		{"https://shop.test@evil.example/callback", web, "user name"},
		{"https://user@shop.test/callback", web, "user name"},
		{"https://10.0.0.1/callback", "https://10.0.0.1/callback/", "number"},
		{"https://0x7f.1/callback", "https://0x7f.1/callback/", "number"},
		{"https://2130706433/callback", "https://2130706433/callback/", "number"},
		{"https://[2001:db8::1]/callback", web, "number"},
		{"https://shop.test/x/../callback", web, "leads elsewhere"},
		{"https://shop.test/x/%2e%2e/callback", web, "leads elsewhere"},
		{"https://shop.test/x/%252e%252e/callback", web, "leads elsewhere"},
		{"https://shop.test/..;/callback", web, "leads elsewhere"},
		{"https://shop.test/./callback", web, "leads elsewhere"},
		{"https://shop.test/callback%2f", web, "encoded form"},
		{"https://shop.test/%63allback", web, "encoded form"},
		{"https://shop.test/callback%00", web, "encoded form"},
		{"https://shop.test/callback%0d%0aSet-Cookie", web, "encoded form"},
		{"https://shop.test/callback;x=1", web, "special ways"},
		{"https://shop.test/@evil.example", web, "special ways"},
		{"https://shop.test/callback?to=https://evil.example", web, "people on"},
		{"https://shop.test/callback?to=%2F%2Fevil.example", web, "people on"},
		{"https://shop.test/callback?to=%252F%252Fevil.example", web, "people on"},
		{"https://xn--shp-0na.test/callback", web, "xn--"},
		{"https://sh\u043ep.test/callback", web, "outside ASCII"},
		{"https://sh\u043ep.test/callback", "https://sh\u043ep.test/callback/", "outside ASCII"},
		{"https://shop.test./callback", web, "ends in a dot"},

		// What nobody should register.
		{"", web, "never"},
		{"shop.test/callback", web, "never"},
		{"/callback", web, "never"},
		{"//evil.example/callback", web, "never"},
		{"+", web, "never"},
		{"javascript:alert(1)", web, "never"},
		{"JavaScript://shop.test/%0aalert(1)", web, "never"},
		{"data:text/html,x", web, "never"},
		{"file:///etc/passwd", web, "never"},
		{"https:shop.test/callback", web, "never"},
		{"https:///evil.example/callback", web, "never"},
		{"https://shop.test\\@evil.example/callback", web, "never"},
		{"https://evil.example\\.shop.test/callback", web, "never"},
		{"https://shop.test%2eevil.example/callback", web, "never"},
		{"https://shop.test/call back", web, "never"},
		{"https://shop.test/callback\n", web, "never"},
		{"https://shop.test/\u202ekcabllac", web, "never"},
		{"https://shop.test/\u200bcallback", web, "never"},
		{"https://shop.test:x/callback", web, "never"},
		{"https://shop.test/\xff", web, "never"},
		{"https://shop.test/callback?code=[secret 7f3a]", web, "never"}, // what a mask left
		{"https://shop.test/" + strings.Repeat("a", 3000), web, "never"},
	}
	for _, tt := range tests {
		c := shop(strings.Fields(tt.registered)...)
		c.RootURL = "https://shop.test/"
		j := fix.JudgeRedirect(tt.uri, c)
		got := strings.Join(j.Weakens, "; ")
		switch tt.want {
		case "neutral":
			if j.Never != "" || got != "" || len(j.Near) == 0 {
				t.Errorf("%q against %q: never %q, weakens %q, near %q; want neutral", tt.uri, tt.registered, j.Never, got, j.Near)
			}
		case "never":
			if j.Never == "" {
				t.Errorf("%q against %q: weakens %q, near %q; want never", tt.uri, tt.registered, got, j.Near)
			}
		default:
			if j.Never != "" || !strings.Contains(got, tt.want) || len(j.Near) > 0 {
				t.Errorf("%q against %q: never %q, weakens %q, near %q; want %q", tt.uri, tt.registered, j.Never, got, j.Near, tt.want)
			}
		}
	}
	if j := fix.JudgeRedirect("https://shop.test/callback", nil); len(j.Weakens) == 0 {
		t.Error("of a client that is unknown something passes")
	}
	c := shop(web)
	c.WebOrigins = []string{"+"}
	if got := strings.Join(fix.JudgeRedirect("https://evil.example/cb", c).Weakens, "; "); !strings.Contains(got, "web origins are '+'") {
		t.Errorf("with the web origins +: %s", got)
	}
}

// leadsElsewhere tells, with net/url and none of the code under test, whether a
// browser would go from uri to another place than the registered one.
func leadsElsewhere(uri, registered string) bool {
	u, err := url.Parse(uri)
	r, _ := url.Parse(registered)
	if err != nil || u.Scheme != r.Scheme || u.User != nil || u.Fragment != "" {
		return true
	}
	host := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	path := strings.Trim(strings.ToLower(u.Path), "/")
	return host != r.Hostname() || u.Port() != "" && u.Port() != "443" || u.RawQuery != "" ||
		strings.ReplaceAll(path, "//", "/") != strings.Trim(r.Path, "/")
}

// TestNoHostileURIIsNeutral: out of pieces that attackers build with, nothing
// neutral comes that leads elsewhere.
func TestNoHostileURIIsNeutral(t *testing.T) {
	const registered = "https://shop.test/jonas"
	piece := rapid.SampledFrom([]string{
		"https", "HTTPS", "http", "javascript", "data", ":", "//", "/", "\\", "@", "#", "?", "&", ";", "%2f", "%2e", "%5c", "%00", "%25", "..", ".", "*", "+",
		"shop.test", "SHOP.TEST", "www.", "evil.example", "evil", ".evil.example", "shop.test.evil.example", "127.0.0.1", "[::1]", "0x7f.1", "localhost",
		":443", ":80", ":8443", "/jonas", "/JONAS", "jonas", "/jonas/", "/jonat", "/jona", "next=https://evil.example", "user:pass", "xn--", "\u043e", "\u200b", "\u3002", " ", "\t", "\n", "//evil.example",
	})
	rapid.Check(t, func(t *rapid.T) {
		head := rapid.SampledFrom([]string{"", "https://", "https://shop.test", "https://shop.test/jonas", "http://shop.test"}).Draw(t, "head")
		uri := head + strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, "pieces"), "")
		j := fix.JudgeRedirect(uri, shop(registered))
		if j.Never == "" && len(j.Weakens) == 0 && leadsElsewhere(uri, registered) {
			t.Fatalf("%q passes for neutral", uri)
		}
	})
}

func FuzzJudgeRedirect(f *testing.F) {
	for _, uri := range []string{"https://shop.test/cb/", "https://evil.example/cb", "javascript:alert(1)", "https://shop.test@evil.example/", "https://www.shop.test:443//CB", "https://shop.test/x/%2e%2e/cb"} {
		f.Add(uri, "https://shop.test/cb", "")
	}
	f.Add("com.app:/cb", "com.app:/cb/", "https://shop.test")
	f.Fuzz(func(t *testing.T, uri, registered, root string) {
		c := shop(registered, "/cb")
		c.RootURL = root
		j := fix.JudgeRedirect(uri, c)
		if j.Never == "" && len(j.Weakens) == 0 && len(j.Near) == 0 {
			t.Errorf("%q is neutral and near nothing", uri)
		}
		if strings.ContainsFunc(j.Never+strings.Join(j.Weakens, ""), func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q breaks the sentence", uri)
		}
		if j = fix.JudgeRedirect(uri, shop("https://shop.test/cb")); j.Never == "" && len(j.Weakens) == 0 && leadsElsewhere(uri, "https://shop.test/cb") {
			t.Errorf("%q is neutral and leads elsewhere", uri)
		}
	})
}

func TestJudgeScope(t *testing.T) {
	memory := newMemory(shop())
	for name, want := range map[string]string{
		"orders.read": "", "email": "", "profile": "", "orders.write": "", "calendar": "", "recall": "",
		"offline_access": "refresh tokens", "admin": "admin", "user_admin": "admin", "userAdmin": "admin", "realm-admin": "realm", "manage-users": "manage",
		"api://x/.default": "every permission", "orders.*": "every permission", "full_access": "full", "Directory.ReadWrite.All": "directory",
		"superadministrator": "superadministrator", "user_impersonation": "impersonation",
		"innocent": "manage-users", "dark": "may not see",
	} {
		j := fix.JudgeScope(name, memory.scopes[name])
		if got := strings.Join(j.Weakens, "; "); j.Never != "" || want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: never %q, weakens %q; want %q", name, j.Never, got, want)
		}
	}
	for _, name := range []string{"", "a b", "a\"b", "\u0430dmin", "a\n", strings.Repeat("a", 300)} {
		if fix.JudgeScope(name, nil).Never == "" {
			t.Errorf("%q passes for a scope", name)
		}
	}
}
