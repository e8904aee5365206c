package evidence

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"usher"
)

// maxHAREntries is the number of entries of a HAR that are read as exchanges.
const maxHAREntries = 150

// har reads a browser's HTTP archive: every entry that belongs to a flow or
// failed becomes an exchange, and the flow is put together from them. Entries
// are counted from 1, as people count.
func (r *reader) har(v *value, p *piece) bool {
	if !v.is(jsonObject) {
		return false
	}
	log := v.get("log")
	if log == nil && v.get("entries").is(jsonArray) {
		log = v
	}
	entries := log.get("entries")
	if !entries.is(jsonArray) || len(entries.kids) > 0 && entries.kids[0].get("request") == nil {
		return false
	}
	var list []*message
	left, files := 0, 0
	for i := range entries.kids {
		m := harMessage(&entries.kids[i], p, fmt.Sprintf("%s#entry%d", p.src.name, i+1))
		if m == nil {
			continue
		}
		if f := entries.kids[i].path("response", "content", "_file").str(); f != "" {
			files++
			if files == 1 {
				r.ignore(m.at.place(0), fmt.Sprintf("the body lies in a file of its own (%q), which is not opened; export the HAR with its content", r.shown(f)))
			}
		}
		if !harRelevant(m) || len(list) >= maxHAREntries {
			left++
			continue
		}
		list = append(list, m)
	}
	it := &Item{Line: p.line(int(v.at))}
	it.Kind, it.Place = usher.KindHAR, p.place(int(v.at))
	steps := classify(list)
	flowFacts(it, steps, len(list) > 0)
	it.Text = harText(steps)
	it.Summary = summary(fmt.Sprintf("recording of %d requests, %d of them part of a flow%s", len(entries.kids), len(list), failedIn(steps)))
	if len(steps) > 0 {
		it.Provider = flowProvider(steps)
	}
	if left > 0 {
		r.ignore(it.Place, fmt.Sprintf("%d of the %d entries are pictures, scripts or requests outside the flow", left, len(entries.kids)))
	}
	r.add(it)
	for _, m := range list {
		r.message(m)
	}
	r.flow(steps)
	return true
}

// harMessage makes a message of one entry.
func harMessage(e *value, p *piece, place string) *message {
	req, resp := e.get("request"), e.get("response")
	if !req.is(jsonObject) {
		return nil
	}
	src := &source{name: place, flat: true}
	at := piece{src: src, fixed: true, depth: p.depth + 1}
	m := &message{at: at, x: Exchange{Method: req.get("method").str(), URL: req.get("url").str(), Request: harHeaders(req), Header: harHeaders(resp)}}
	m.headSeen = len(m.x.Request) > 0
	m.x.Status, _ = resp.get("status").number()
	if m.x.Status < 0 || m.x.Status > 999 {
		m.x.Status = 0
	}
	if t, ok := parseTime(e.get("startedDateTime").str()); ok {
		m.x.Started = t
	}
	post := req.get("postData")
	body := post.get("text").str()
	if body == "" {
		var b strings.Builder
		for i, q := range post.get("params").list() {
			if i > 0 {
				b.WriteByte('&')
			}
			b.WriteString(q.get("name").str() + "=" + q.get("value").str())
		}
		body = b.String()
	}
	m.x.RequestBody = body[:min(len(body), maxBody)]
	content := resp.get("content")
	text := content.get("text").str()
	if text != "" && strings.EqualFold(content.get("encoding").str(), "base64") && len(text) < 2*maxBody {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil && binaryKind(raw) == "" {
			text = string(raw)
		} else {
			text = ""
		}
	}
	text = text[:min(len(text), maxBody)]
	if needsCleaning(text) {
		text, _ = cleanText([]byte(text))
	}
	m.x.Body = strings.TrimSpace(text)
	m.reqBody, m.respBody = at, at
	m.reqBody.text, m.respBody.text = m.x.RequestBody, m.x.Body
	for _, w := range m.x.Header.Values("WWW-Authenticate") {
		if len(m.www) < maxChallenges {
			part := at
			part.text = w
			m.www = append(m.www, part)
		}
	}
	m.harError = resp.first("_error", "error").str()
	if m.harError == "" {
		m.harError = e.first("_error").str()
	}
	if m.x.Header.Get("Location") == "" {
		if loc := resp.get("redirectURL").str(); loc != "" {
			m.x.Header.Set("Location", loc)
		}
	}
	return m
}

func harHeaders(v *value) http.Header {
	h := http.Header{}
	for i, q := range v.get("headers").list() {
		if i == maxHeaders {
			break
		}
		if name := q.get("name").str(); name != "" && len(name) < 256 {
			h.Add(name, q.get("value").str())
		}
	}
	return h
}

// harRelevant tells whether an entry may tell something of a flow.
func harRelevant(m *message) bool {
	base, query, fragment, _, _ := splitURL(m.x.URL)
	endpoint := endpointOf(base)
	static := hasAnySuffix(lowerASCII(base), ".js", ".css", ".png", ".svg", ".ico", ".woff", ".woff2", ".gif", ".jpg", ".jpeg", ".map", ".webp", ".ttf", ".mp4")
	switch {
	case static:
		return false
	case endpoint != "" && endpoint != "api":
		return true
	case m.x.Status >= 400 || m.harError != "" || m.x.Status == 0 && m.x.Method != "":
		return true
	case strings.Contains(query, "error=") || strings.Contains(query, "code=") || strings.Contains(fragment, "error=") || strings.Contains(fragment, "token="):
		return true
	case strings.Contains(m.x.Header.Get("Location"), "client_id=") || strings.Contains(m.x.Header.Get("Location"), "error=") || strings.Contains(m.x.Header.Get("Location"), "code="):
		return true
	case endpoint == "api" && m.x.Request.Get("Authorization") != "":
		return true
	case providerOf(base) != "" && (m.x.Method == "POST" || strings.HasPrefix(m.x.Body, "<")):
		return true
	}
	return false
}

func harText(steps []flowStep) string {
	var b strings.Builder
	for i := range steps {
		b.WriteString(steps[i].m.x.Method + " " + plainText(steps[i].m.fullURL()) + " " + itoa(steps[i].m.x.Status) + "\n")
		if steps[i].m.harError != "" {
			b.WriteString(steps[i].m.harError + "\n")
		}
		if b.Len() > 64<<10 {
			break
		}
	}
	return b.String()
}
