package evidence

import (
	"encoding/base64"
	"net/http"
	"strings"
)

func sniffCurl(p *piece) int {
	h := strings.TrimLeft(p.start(), "$#> ")
	if strings.HasPrefix(h, "curl ") || strings.HasPrefix(h, "curl.exe ") {
		return 79
	}
	return 0
}

// readCurl reads a curl command line, and leaves what follows it (its output)
// to the other readers.
func readCurl(r *reader, p *piece) bool {
	at := strings.Index(p.text, "curl")
	end := at + commandEnd(p.text[at:])
	part := p.part(at, end)
	if !r.curl(&part) {
		return false
	}
	if strings.TrimSpace(p.text[end:]) != "" {
		r.part(p.part(end, len(p.text)))
	}
	return true
}

// commandEnd gives the end of the shell command at the start of s: lines that
// end in a backslash or a caret, or inside quotes, go on.
func commandEnd(s string) int {
	quote := byte(0)
	s = s[:min(len(s), 64<<10)]
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '\n':
			if i > 0 && (s[i-1] == '^' || s[i-1] == '`') {
				continue
			}
			return i
		case c == ';' || c == '|':
			return i
		}
	}
	if quote != 0 { // no closing quote: the command is its first line
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			return i
		}
	}
	return len(s)
}

// shellWords splits a command as a shell does, without expanding anything.
func shellWords(s string) []string {
	var words []string
	var b strings.Builder
	quote := byte(0)
	in := false
	for i := 0; i < len(s) && len(words) < 500; i++ {
		c := s[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(s):
			i++
			if s[i] != '\n' {
				if quote == '"' && strings.IndexByte("\"\\$`", s[i]) < 0 {
					b.WriteByte('\\')
				}
				b.WriteByte(s[i])
				in = true
			}
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				b.WriteByte(c)
			}
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\n' || c == '\t' || c == '^' && i+1 < len(s) && s[i+1] == '\n' || c == '`' && i+1 < len(s) && s[i+1] == '\n':
			if in {
				words = append(words, b.String())
				b.Reset()
				in = false
			}
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, b.String())
	}
	return words
}

// curlFlags are curl's options that take a value; one letter each, or long.
const curlFlags = "XHduFbAoeTxmEKcCrYyzwtPQU"

// curl reads one command. It gives false when it asks for nothing.
func (r *reader) curl(p *piece) bool {
	words := shellWords(p.text)
	if len(words) < 2 {
		return false
	}
	x := &Exchange{Request: http.Header{}, Header: http.Header{}}
	var body []string
	asQuery, form, user := false, false, ""
	for i := 1; i < len(words); i++ {
		w := words[i]
		flag, val := "", ""
		switch {
		case strings.HasPrefix(w, "--"):
			var has bool
			flag, val, has = strings.Cut(w, "=")
			switch flag {
			case "--request", "--header", "--data", "--data-raw", "--data-urlencode", "--data-binary", "--data-ascii", "--form", "--user", "--cookie", "--url", "--json",
				"--user-agent", "--output", "--proxy", "--max-time", "--connect-timeout", "--cert", "--key", "--cacert", "--referer", "--resolve", "--oauth2-bearer", "--form-string":
				if !has && i+1 < len(words) {
					i++
					val = words[i]
				}
			}
		case len(w) > 1 && w[0] == '-':
			for j := 1; j < len(w); j++ { // -sSv, -XPOST, -X POST
				if strings.IndexByte(curlFlags, w[j]) >= 0 {
					flag, val = "-"+w[j:j+1], w[j+1:]
					if val == "" && i+1 < len(words) {
						i++
						val = words[i]
					}
					break
				}
				if w[j] == 'G' {
					asQuery = true
				}
			}
		default:
			if x.URL == "" && (strings.Contains(w, "://") || strings.Contains(w, ".") && strings.Contains(w, "/") || strings.HasPrefix(w, "localhost")) {
				x.URL = w
			}
		}
		switch flag {
		case "-X", "--request":
			x.Method = strings.ToUpper(val)
		case "-H", "--header":
			if name, v, ok := strings.Cut(val, ":"); ok && len(x.Request) < maxHeaders {
				x.Request.Add(strings.TrimSpace(name), strings.TrimSpace(v))
			}
		case "-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode":
			if flag == "--data-urlencode" {
				if name, v, ok := strings.Cut(val, "="); ok {
					val = name + "=" + strings.NewReplacer("%", "%25", "&", "%26", "+", "%2B").Replace(v)
				}
			}
			body = append(body, val)
		case "-F", "--form", "--form-string":
			form = true
			body = append(body, val)
		case "--json":
			x.Request.Set("Content-Type", "application/json")
			body = append(body, val)
		case "-u", "--user":
			user = val
		case "-b", "--cookie":
			x.Request.Set("Cookie", val)
		case "--url":
			x.URL = val
		case "--get":
			asQuery = true
		case "--oauth2-bearer":
			x.Request.Set("Authorization", "Bearer "+val)
		}
	}
	if x.URL == "" {
		return false
	}
	if !strings.Contains(x.URL, "://") {
		x.URL = "http://" + x.URL
	}
	x.RequestBody = strings.Join(body, "&")
	if len(x.RequestBody) > maxBody {
		x.RequestBody = x.RequestBody[:maxBody]
	}
	if asQuery && x.RequestBody != "" {
		sep := "?"
		if strings.Contains(x.URL, "?") {
			sep = "&"
		}
		x.URL += sep + x.RequestBody
		x.RequestBody = ""
	}
	if x.Method == "" {
		x.Method = "GET"
		if x.RequestBody != "" {
			x.Method = "POST"
		}
	}
	lower := fold(p.text)
	r.secretsIn(p.text, lower)
	if user != "" {
		_, pass, _ := strings.Cut(user, ":")
		r.secret(pass)
		x.Request.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
	}
	all := parseParams(x.RequestBody, 0)
	if all.has("grant_type") || all.has("client_assertion") || endpointOf(x.URL) == "token" && len(all) > 0 {
		it := &Item{Line: p.line(0), Exchange: x}
		it.Place = p.place(0)
		it.Text = plainText(p.text)
		fixed := *p
		fixed.fixed, fixed.base = true, p.off(0)
		r.tokenRequest(it, x.URL, x.Request.Get("Authorization"), all, &fixed)
		if form {
			it.fact("content-type", "multipart", it.Place, "-F")
		} else if ct := x.Request.Get("Content-Type"); strings.Contains(ct, "json") {
			it.fact("content-type", "json", it.Place, ct)
		}
		it.fact("method", x.Method, it.Place, x.Method)
		it.Provider = providerIn(lower)
		return r.add(it)
	}
	fixed := *p
	fixed.fixed, fixed.base = true, p.off(0)
	m := &message{x: *x, at: fixed, headSeen: true}
	r.message(m)
	return true
}

// embeddedCurl reads the curl commands of a text.
func (r *reader) embeddedCurl(p *piece, text string) {
	for at, n := 0, 0; n < 8; n++ {
		i := strings.Index(text[at:], "curl ")
		if i < 0 {
			return
		}
		i += at
		at = i + 5
		if i > 0 && (isWordByte(text[i-1]) || text[i-1] == '/' || text[i-1] == '-' || text[i-1] == '.') {
			continue
		}
		end := i + commandEnd(text[i:])
		if !strings.Contains(text[i:end], "/") {
			continue
		}
		if r.work -= end - i; r.work < 0 {
			return
		}
		part := p.part(i, end)
		if r.curl(&part) {
			at = end
		}
	}
}
