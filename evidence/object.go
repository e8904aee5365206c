package evidence

import (
	"encoding/base64"
	"fmt"
	"strings"

	"usher"
)

func sniffJSON(p *piece) int {
	h := p.start()
	if len(h) < 2 {
		return 0
	}
	switch h[0] {
	case '{':
		return 90
	case '[':
		if rest := strings.TrimLeft(h[1:], " \n\t"); rest != "" && strings.IndexByte("{[\"'", rest[0]) >= 0 {
			return 90
		}
		return 20
	}
	return 0
}

// maxRecords is the number of records of one input that are read in full.
const maxRecords = 300

// readJSON reads a JSON document, or several of them one behind the other as
// logs have them.
func readJSON(r *reader, p *piece) bool {
	at := len(p.text) - len(strings.TrimLeft(p.text, " \t\n\u00a0"))
	r.work += len(p.text) // the first pass over a document is free
	count := 0
	for at < len(p.text) {
		doc := parseJSON(p.text, at)
		end := doc.end
		if doc.failed || (!doc.root.is(jsonObject) && !doc.root.is(jsonArray)) {
			if count == 0 {
				if len(p.text)-at > 2 && strings.HasPrefix(p.start(), "{\"") {
					r.ignore(p.place(min(end, len(p.text))), "the JSON is broken here; it was read as text")
				}
				return false
			}
			// The rest of the line is no JSON: go on with the next one.
			rest := p.part(at, len(p.text))
			next := strings.IndexByte(rest.text, '\n')
			if next < 0 {
				next = len(rest.text) - 1
			}
			line := p.part(at, at+next+1)
			r.part(line)
			at += next + 1
			continue
		}
		if count == 0 && len(doc.root.kids) == 0 && !doc.truncated {
			r.ignore(p.place(at), "an empty JSON value")
			return true
		}
		count++
		if count > maxRecords {
			r.ignore(p.place(at), fmt.Sprintf("only the first %d records were read", maxRecords))
			return true
		}
		part := p.part(at, end)
		r.tellJSON(&part, &doc, at)
		// Offsets of the document are those of p.text, so p is what it belongs to.
		if !r.object(&doc.root, p, false) {
			r.plainObject(&doc.root, p)
		}
		at = end
		for at < len(p.text) && strings.IndexByte(" \t\n,;\r", p.text[at]) >= 0 {
			at++
		}
		if at < len(p.text) && p.text[at] != '{' && p.text[at] != '[' {
			if rest := strings.TrimSpace(p.text[at:]); rest != "" {
				// Text behind the document: read it unless more documents follow by lines.
				line := strings.IndexByte(p.text[at:], '\n')
				if count > 1 && line >= 0 {
					part := p.part(at, at+line)
					r.part(part)
					at += line + 1
					continue
				}
				part := p.part(at, len(p.text))
				r.part(part)
			}
			break
		}
	}
	return true
}

// tellJSON says what of a document was forgiven and what was left out.
func (r *reader) tellJSON(part *piece, doc *document, base int) {
	place := func(off int) string { return part.place(off - base) }
	if doc.truncated {
		what := "the JSON ends in the middle; what is there was read"
		if doc.cut {
			what = fmt.Sprintf("the JSON has more than %d values; the rest from here on was left out", maxNodes)
		}
		r.ignore(place(doc.end), what)
		if !doc.cut {
			r.set.Cut = append(r.set.Cut, place(doc.end))
		}
	}
	if doc.tooDeep >= 0 {
		r.ignore(place(doc.tooDeep), fmt.Sprintf("the JSON is nested more than %d deep; what lies deeper was left out", maxDepth))
	}
	for i, name := range doc.repeated {
		r.ignore(place(doc.repeatAt[i]), fmt.Sprintf("the member %q is given twice; the first one counts", r.shown(name)))
	}
	if len(doc.lenient) > 0 {
		r.note(part.place(0) + " is not strict JSON: " + strings.Join(doc.lenient, ", ") + "; it was read all the same")
	}
}

// objectReader is a reader of one kind of JSON object.
type objectReader func(r *reader, v *value, p *piece) bool

// objectReaders are tried in this order; the first that knows the object reads it.
var objectReaders []objectReader

func init() {
	objectReaders = []objectReader{
		(*reader).har,
		(*reader).keySet,
		(*reader).discovery,
		(*reader).policyObject,
		(*reader).registration,
		(*reader).record,
		(*reader).list,
		(*reader).introspection,
		(*reader).claimsObject,
		(*reader).tokenResponse,
		(*reader).genericRecord,
		(*reader).errorObject,
	}
}

// object reads a JSON value by what it is. Offsets of v are those of p.text.
// It gives false when no reader knows it.
func (r *reader) object(v *value, p *piece, embedded bool) bool {
	if v == nil || p.depth > maxUnpack {
		return false
	}
	for _, read := range objectReaders {
		if read(r, v, p) {
			return true
		}
	}
	return false
}

// envelopes are members that hold a list of what counts.
var envelopes = [...]string{"records", "value", "items", "events", "data", "logs", "hits", "results"}

// list reads the entries of an array or of an object that only wraps one.
func (r *reader) list(v *value, p *piece) bool {
	entries := v
	if v.is(jsonObject) {
		entries = nil
		for _, name := range envelopes {
			if m := v.fold(name); m.is(jsonArray) && len(m.kids) > 0 && m.kids[0].is(jsonObject) && len(v.kids) <= 8 {
				entries = m
				break
			}
		}
		if entries == nil {
			return false
		}
	}
	if !entries.is(jsonArray) || len(entries.kids) == 0 {
		return false
	}
	read := 0
	inner := *p
	inner.depth++
	for i := range entries.kids {
		e := &entries.kids[i]
		if obj := e.object(); obj != nil {
			e = obj
		}
		if !e.is(jsonObject) {
			continue
		}
		if read >= maxRecords {
			r.ignore(p.place(int(e.at)), fmt.Sprintf("only the first %d entries of the list were read", maxRecords))
			break
		}
		if r.object(e, &inner, false) {
			read++
		}
	}
	return read > 0
}

// source text of a value: as it stands, or put together again when it comes
// out of a string.
func (p *piece) source(v *value) string {
	if int(v.end) > int(v.at) && int(v.end) <= len(p.text) {
		return p.text[v.at:min(int(v.end), int(v.at)+largeText)]
	}
	var b strings.Builder
	render(&b, v, 0)
	return b.String()
}

func render(b *strings.Builder, v *value, depth int) {
	if b.Len() > 64<<10 || depth > 16 {
		return
	}
	switch v.kind {
	case jsonObject:
		b.WriteByte('{')
		for i := range v.kids {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(`"` + v.kids[i].key + `": `)
			render(b, &v.kids[i], depth+1)
		}
		b.WriteByte('}')
	case jsonArray:
		b.WriteByte('[')
		for i := range v.kids {
			if i > 0 {
				b.WriteString(", ")
			}
			render(b, &v.kids[i], depth+1)
		}
		b.WriteByte(']')
	case jsonString:
		b.WriteString(`"` + v.text + `"`)
	case jsonNull:
		b.WriteString("null")
	default:
		b.WriteString(v.text)
	}
}

// newItem makes an item of a JSON value: with its place, its text and the
// credentials in it noted.
func (r *reader) newItem(kind usher.EvidenceKind, v *value, p *piece) (*Item, string, *folded) {
	raw := p.source(v)
	lower := fold(raw)
	r.secretsIn(raw, lower)
	it := &Item{Line: p.line(int(v.at)), Text: plainText(raw)}
	it.Kind, it.Place = kind, p.place(int(v.at))
	it.bound(p, int(v.at), int(v.end))
	it.Provider = providerIn(lower)
	return it, raw, lower
}

// scan draws facts out of the source text of a JSON value.
func (it *Item) scan(v *value, p *piece, raw string, lower *folded) {
	at := piece{src: p.src, text: raw, base: p.off(int(v.at)), fixed: p.fixed || int(v.end) <= int(v.at), depth: p.depth}
	scanText(it, &at, raw, lower)
}

// plainObject keeps an object that no reader knows, and reads the texts in it.
func (r *reader) plainObject(v *value, p *piece) {
	it, raw, lower := r.newItem(usher.KindContext, v, p)
	it.scan(v, p, raw, lower)
	if !r.context && (it.Error != nil || textKind(lower) == usher.KindErrorText) {
		it.Kind = usher.KindErrorText
	}
	if v.is(jsonObject) {
		if m, ok := v.any().(map[string]any); ok {
			it.Object = m
		}
	}
	it.Summary = summary("JSON: " + strings.Join(memberNames(v, 8), ", "))
	if r.add(it) {
		r.strings(v, p, 0)
	}
}

func memberNames(v *value, most int) []string {
	if v.is(jsonArray) && len(v.kids) > 0 {
		v = &v.kids[0]
	}
	var names []string
	for i := range v.kids {
		if len(names) == most {
			return append(names, "\u2026")
		}
		names = append(names, v.kids[i].key)
	}
	return names
}

// strings reads what stands in the strings of an object: a JSON body, a URL, a
// token, a challenge. Plain words are left alone.
func (r *reader) strings(v *value, p *piece, depth int) {
	if depth > 16 || len(r.set.Items) >= maxItems {
		return
	}
	for i := range v.kids {
		m := &v.kids[i]
		switch m.kind {
		case jsonObject:
			if depth < 16 && r.object(m, p, true) {
				continue
			}
			r.strings(m, p, depth+1)
		case jsonArray:
			r.strings(m, p, depth+1)
		case jsonString:
			if s := strings.TrimSpace(m.text); worthReading(s) {
				part := p.inside(int(m.at), s, m.key)
				r.inner(&part)
			} else if body := decodedBody(m.key, s); body != "" {
				part := p.inside(int(m.at), body, m.key)
				r.inner(&part)
			}
		}
	}
}

// inner reads a text that is known to hold something, without keeping the text itself.
func (r *reader) inner(p *piece) {
	if p.depth > maxUnpack {
		return
	}
	if r.work -= len(p.text); r.work < 0 {
		return
	}
	for i := range forms {
		if forms[i].name != "text" && forms[i].sniff(p) >= 60 && forms[i].read(r, p) {
			return
		}
	}
	r.embedded(p, p.text, p.fold())
}

func worthReading(s string) bool {
	if len(s) < 8 {
		return false
	}
	switch s[0] {
	case '{', '[', '<':
		return true
	}
	return strings.HasPrefix(s, "eyJ") || strings.Contains(s, "://") || strings.Contains(s, `{"`) || strings.Contains(s, "{'") ||
		len(s) < 4096 && (strings.Contains(s, "grant_type") || strings.HasPrefix(s, "Bearer ") || strings.HasPrefix(s, "DPoP ")) || strings.HasPrefix(s, "curl ")
}

// decodedBody gives the text of a body in base64, as gateways log it.
func decodedBody(key, s string) string {
	if len(s) < 16 || len(s) > 1<<20 || !strings.Contains(lowerASCII(key), "body") {
		return ""
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) == 0 || (b[0] != '{' && b[0] != '<') {
		return ""
	}
	text, _ := cleanText(b)
	return text
}
