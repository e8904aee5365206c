package evidence

import (
	"encoding/base64"
	"strings"

	"usher"
)

// errorObject reads an error body in any of the shapes that providers and APIs
// have for it.
func (r *reader) errorObject(v *value, p *piece) bool {
	if !v.is(jsonObject) {
		return false
	}
	e, provider, ok := errorBody(v, 0)
	if !ok {
		return false
	}
	it, raw, lower := r.newItem(usher.KindErrorResponse, v, p)
	if provider != "" {
		it.Provider = provider
	}
	it.Error = &e
	codes := e.Codes
	e.Codes = nil
	it.scan(v, p, raw, lower)
	for _, c := range codes {
		it.code(codeProvider(c, it.Provider), c, it.Place, c)
	}
	errorFacts(it, v, p)
	it.Time = e.Timestamp
	it.Summary = errorSummary(&e)
	if r.add(it) {
		r.strings(v, p, 0)
	}
	return true
}

// codeProvider tells whose code it is.
func codeProvider(code, provider string) string {
	switch {
	case strings.HasPrefix(code, "AADSTS"), strings.HasPrefix(code, "AADB2C"):
		return "entra"
	case strings.HasPrefix(code, "E0000"):
		return "okta"
	case provider != "":
		return provider
	}
	return "rfc"
}

func errorSummary(e *ErrorBody) string {
	parts := make([]string, 0, 3)
	if e.Code != "" {
		parts = append(parts, e.Code)
	}
	if len(e.Codes) > 0 && e.Codes[0] != e.Code && !strings.HasPrefix(e.Description, e.Codes[0]) {
		parts = append(parts, e.Codes[0])
	}
	if e.Description != "" {
		parts = append(parts, e.Description)
	}
	return summary(strings.Join(parts, ": "))
}

// errorFacts tells what the error body of an item holds.
func errorFacts(it *Item, v *value, p *piece) {
	e := it.Error
	at := func(keys ...string) (string, string) {
		if m := v.first(keys...); m != nil {
			return p.place(int(m.keyAt)), m.str()
		}
		return it.Place, ""
	}
	if e.Code != "" {
		place, _ := at("error", "errorCode", "__type", "code", "name")
		it.fact("error", e.Code, place, e.Code)
		if it.Provider != "" && len(e.Codes) == 0 && !strings.ContainsAny(e.Code, " /") {
			it.fact("code", it.Provider+"/"+e.Code, place, e.Code)
		}
	}
	if e.Suberror != "" {
		place, quote := at("suberror", "error_subtype", "error_subcode")
		it.fact("suberror", e.Suberror, place, quote)
	}
	if e.Status != 0 {
		place, quote := at("status", "statusCode", "status_code", "code")
		it.fact("status", itoa(e.Status), place, quote)
	}
	if e.Claims != "" {
		place, _ := at("claims")
		it.fact("challenge", "claims", place, e.Claims)
	}
	for _, id := range e.PolicyIDs {
		it.fact("ca-policy-id", id, it.Place, id)
	}
	if e.Correlation != "" {
		it.fact("correlation", e.Correlation, it.Place, e.Correlation)
	}
	if e.TraceID != "" {
		it.fact("request-id", e.TraceID, it.Place, e.TraceID)
	}
}

// errorBody reads the members of an error. ok is false when it is none.
func errorBody(v *value, depth int) (e ErrorBody, provider string, ok bool) {
	describe := func(from *value, keys ...string) {
		if e.Description == "" {
			e.Description = from.first(keys...).str()
		}
	}
	message := []string{"error_description", "errorDescription", "errorSummary", "message", "error_message", "errorMessage", "description", "detail", "details", "msg", "title", "reason"}

	switch m := v.fold("error"); {
	case m == nil:
	case m.is(jsonString):
		if inner := m.object(); inner != nil && depth < 3 {
			if nested, pr, found := errorBody(inner, depth+1); found {
				e, provider = nested, pr
				break
			}
		}
		if m.text != "" {
			e.Code = m.text
			describe(v, message...)
			if strings.Contains(e.Code, " ") { // a sentence is no code
				if e.Description == "" {
					e.Description = e.Code
				}
				e.Code = ""
			}
		}
	case m.is(jsonObject) && len(m.kids) > 0:
		provider = nestedError(m, &e)
		describe(v, "error_description", "message")
	case m.is(jsonBool) && m.text == "true":
		describe(v, message...)
		e.Code = v.first("code", "type", "name").str()
		if e.Description == "" && e.Code == "" {
			return e, "", false
		}
	case m.is(jsonNumber):
		e.Status, _ = m.number()
		describe(v, message...)
	}

	if ok, known := v.fold("ok").truth(); known && !ok && e.Code != "" {
		provider = "slack"
		if need := v.fold("needed").str(); need != "" {
			e.Description = strings.TrimSpace(e.Description + " needed: " + need + ", provided: " + v.fold("provided").str())
		}
	}
	if m := v.fold("errorCode"); m.str() != "" && e.Code == "" {
		e.Code = m.str()
		describe(v, message...)
		for _, cause := range v.fold("errorCauses").list() {
			if s := cause.fold("errorSummary").str(); s != "" && len(e.Description) < 2000 {
				e.Description = strings.TrimSpace(e.Description + " " + s)
			}
		}
		if v.fold("errorSummary") != nil {
			provider = "okta"
		}
		if len(e.Code) == 8 && strings.HasPrefix(e.Code, "E0000") {
			e.Codes = append(e.Codes, e.Code)
			provider = "okta"
		}
	}
	if m := v.fold("__type"); m.str() != "" {
		_, name, found := strings.Cut(m.str(), "#")
		if !found {
			name = m.str()
		}
		e.Code = name
		e.Codes = append(e.Codes, name)
		describe(v, message...)
		provider = "cognito"
	}
	if m := v.fold("errors"); m != nil && e.Code == "" && e.Description == "" {
		provider = errorList(m, &e, provider)
	}
	if m := v.fold("fault"); m.is(jsonObject) && e.Code == "" {
		if list := m.fold("error").list(); len(list) > 0 {
			e.Code = list[0].first("code", "Message").str()
			e.Description = strings.TrimSpace(list[0].fold("Message").str() + " " + list[0].fold("Detail").str())
			provider = "quickbooks"
		} else {
			describe(m, "faultstring", "message")
			e.Code = m.path("detail", "errorcode").str()
		}
	}
	status := statusOf(v)
	if e.Code == "" && e.Description == "" {
		switch {
		case v.fold("title").str() != "" && (status != 0 || v.fold("detail") != nil || strings.Contains(v.fold("type").str(), "/")):
			e.Description = strings.TrimSpace(v.fold("title").str() + ": " + v.fold("detail").str())
			e.Code = v.first("code", "errorCode").str()
		case v.fold("documentation_url") != nil && v.fold("message") != nil:
			e.Description, provider = v.fold("message").str(), "github"
		case v.fold("name").str() != "" && v.fold("message").str() != "" && (v.fold("debug_id") != nil || v.fold("details") != nil):
			e.Code, e.Description = v.fold("name").str(), v.fold("message").str()
			if v.fold("debug_id") != nil {
				provider = "paypal"
			}
		case v.fold("message").str() != "" && (status != 0 || v.fold("code") != nil || len(v.kids) <= 2 && looksRefused(v.fold("message").str())):
			e.Description = v.fold("message").str()
			if c := v.first("code", "name", "type").str(); c != "" && c != itoa(status) {
				e.Code = c
			}
		case len(v.kids) <= 3 && v.first("detail", "msg", "error_message", "errorMessage", "error_description", "err").str() != "" &&
			(looksRefused(v.first("detail", "msg", "error_message", "errorMessage", "error_description", "err").str()) || v.fold("error_description") != nil):
			e.Description = v.first("detail", "msg", "error_message", "errorMessage", "error_description", "err").str()
		default:
			return e, "", false
		}
	}
	if e.Status == 0 {
		e.Status = status
	}
	e.URI = v.first("error_uri", "documentation_url", "moreInfo").str()
	for _, n := range v.fold("error_codes").list() {
		if s := n.str(); len(s) >= 4 && len(s) <= 8 && allDigits(s) {
			e.Codes = appendNew(e.Codes, "AADSTS"+s)
			provider = "entra"
		}
	}
	if _, code, found := strings.Cut(e.URI, "code="); found && strings.Contains(e.URI, "login.microsoftonline") && allDigits(code) {
		e.Codes = appendNew(e.Codes, "AADSTS"+code)
		provider = "entra"
	}
	if strings.HasPrefix(e.Description, "AADSTS") {
		provider = "entra"
	}
	if s := v.first("suberror", "error_subtype").str(); s != "" {
		e.Suberror = s
		if provider == "" && v.fold("error_subtype") != nil {
			provider = "google"
		}
	}
	if s := v.first("trace_id", "request_id", "requestId").str(); s != "" {
		e.TraceID = s
	}
	if s := v.first("correlation_id", "correlationId").str(); s != "" {
		e.Correlation = s
	}
	if t, found := parseTime(v.first("timestamp", "time").str()); found {
		e.Timestamp = t
	}
	e.State = v.fold("state").str()
	e.Issuer = v.fold("iss").str()
	claims := v.fold("claims")
	if claims.is(jsonString) {
		e.Claims = claims.text
		claimsChallenge(&e)
	} else if claims.is(jsonObject) && v.fold("error") != nil {
		var b strings.Builder
		render(&b, claims, 0)
		e.Claims = b.String()
		claimsChallenge(&e)
	}
	return e, provider, true
}

// nestedError reads {"error": {...}} as Graph, Google, Facebook and Stripe have it.
func nestedError(m *value, e *ErrorBody) (provider string) {
	if n, isNum := m.fold("code").number(); isNum && n >= 400 && n < 600 {
		e.Status = n
	} else {
		e.Code = m.fold("code").str()
	}
	if s := m.fold("status").str(); s != "" && e.Code == "" && !allDigits(s) {
		e.Code, provider = s, "google"
	}
	if e.Code == "" || allDigits(e.Code) {
		if s := m.first("type", "name", "errorCode", "error").str(); s != "" {
			e.Code = s
		}
	}
	if e.Code == "" {
		e.Code = m.fold("error").str()
	}
	e.Description = m.first("message", "error_description", "description", "detail", "msg").str()
	if e.Description == "" {
		e.Description = m.path("message", "value").str()
	}
	for _, d := range m.fold("details").list() {
		if s := d.fold("reason").str(); s != "" {
			e.Suberror, provider = s, "google"
		}
	}
	for _, d := range m.fold("errors").list() {
		if s := d.fold("reason").str(); s != "" && e.Suberror == "" {
			e.Suberror, provider = s, "google"
		}
	}
	if inner := m.fold("innerError", "innererror"); inner != nil {
		if s := inner.fold("code").str(); s != "" {
			e.Suberror = s
		}
		e.TraceID = inner.first("request-id", "requestId").str()
		e.Correlation = inner.first("client-request-id", "clientRequestId").str()
		if t, ok := parseTime(inner.fold("date").str()); ok {
			e.Timestamp = t
		}
		if inner.first("request-id", "client-request-id") != nil {
			provider = "entra"
		}
	}
	if m.fold("fbtrace_id") != nil || m.fold("error_subcode") != nil {
		provider = "facebook"
		e.Suberror = m.fold("error_subcode").str()
	}
	return provider
}

// errorList reads "errors" in its many forms: a list of objects or texts, an
// object of lists, a text.
func errorList(m *value, e *ErrorBody, provider string) string {
	switch m.kind {
	case jsonString:
		e.Description = m.text
	case jsonObject:
		for i := range m.kids {
			if list := m.kids[i].strs(); len(list) > 0 {
				e.Description = strings.TrimSpace(e.Description + " " + m.kids[i].key + ": " + list[0])
			}
		}
	case jsonArray:
		for i := range m.kids {
			entry := &m.kids[i]
			if s := entry.str(); s != "" {
				e.Description = strings.TrimSpace(e.Description + " " + s)
				continue
			}
			if e.Code == "" {
				e.Code = entry.first("code", "errorCode", "reason", "type", "error").str()
				if n, ok := entry.first("status", "statusCode").number(); ok && n >= 400 && n < 600 {
					e.Status = n
				}
				if entry.fold("category") != nil && entry.fold("code") != nil {
					provider = "square"
				}
			}
			if e.Description == "" {
				e.Description = entry.first("detail", "message", "description", "title", "errorMessage").str()
			}
		}
	}
	return provider
}

func statusOf(v *value) int {
	for _, key := range [...]string{"status", "statusCode", "status_code", "httpStatus", "http_status", "httpStatusCode", "code", "httpCode"} {
		if n, ok := v.fold(key).number(); ok && n >= 400 && n < 600 {
			return n
		}
	}
	return 0
}

// looksRefused tells whether a message speaks of a refusal.
func looksRefused(s string) bool {
	lower := lowerASCII(s)
	for _, m := range errorMarks {
		if strings.Contains(lower, m) {
			return true
		}
	}
	return strings.Contains(lower, "authenticat") || strings.Contains(lower, "credential") || strings.Contains(lower, "token") || strings.Contains(lower, "forbid")
}

// claimsChallenge decodes the claims of a challenge: JSON, percent-encoded JSON
// or base64 of it, and notes the policies that they name.
func claimsChallenge(e *ErrorBody) {
	s := strings.TrimSpace(e.Claims)
	if strings.HasPrefix(s, "%7B") || strings.HasPrefix(s, "%7b") {
		s = unescapeQuery(s)
	}
	if !strings.HasPrefix(s, "{") {
		for _, enc := range [...]*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if b, err := enc.DecodeString(s); err == nil && len(b) > 1 && b[0] == '{' {
				s, _ = cleanText(b)
				break
			}
		}
	}
	e.Claims = s
	doc := parseJSON(s, 0)
	if doc.failed {
		return
	}
	for _, place := range [...]string{"access_token", "id_token", "userinfo"} {
		t := doc.root.fold(place)
		for _, name := range [...]string{"capolids", "polids"} {
			m := t.fold(name)
			for _, key := range [...]string{"values", "value"} {
				for _, id := range m.fold(key).strs() {
					if len(e.PolicyIDs) < 64 {
						e.PolicyIDs = appendNew(e.PolicyIDs, id)
					}
				}
			}
		}
	}
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
