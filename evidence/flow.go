package evidence

import (
	"strings"

	"usher"
	"usher/oauth"
)

// flowStep is an exchange with the step of the flow that it is.
type flowStep struct {
	step   usher.Step
	m      *message
	base   string
	query  params // of the URL, with the fragment
	form   params // of the request body
	next   params // of the Location header
	failed bool
	why    string
}

// classify tells for each exchange which step of a flow it is; those that are
// none are left out.
func classify(list []*message) []flowStep {
	var steps []flowStep
	var redirects []string // redirect URIs that authorization requests named
	idp := map[string]bool{}
	for _, m := range list {
		u := m.fullURL()
		base, query, fragment, _, _ := splitURL(u)
		s := flowStep{m: m, base: base, query: append(parseParams(query, 0), parseParams(fragment, 0)...)}
		if body := strings.TrimSpace(m.x.RequestBody); body != "" && body[0] != '{' && body[0] != '<' && len(body) < 256<<10 {
			s.form = parseParams(body, 0)
		}
		if loc := m.x.Header.Get("Location"); loc != "" {
			_, q, f, _, _ := splitURL(loc)
			s.next = append(parseParams(q, 0), parseParams(f, 0)...)
		}
		s.step = stepOf(&s, redirects, idp)
		if s.step == "" {
			continue
		}
		if s.step == usher.StepAuthRequest {
			_, host := splitURI(base)
			idp[host] = true
			for _, uri := range [...]string{s.query.get("redirect_uri"), s.form.get("redirect_uri")} {
				if uri != "" && len(redirects) < 100 {
					redirects = append(redirects, uri)
				}
			}
		}
		s.judge()
		steps = append(steps, s)
	}
	return steps
}

func stepOf(s *flowStep, redirects []string, idp map[string]bool) usher.Step {
	for _, uri := range redirects {
		if b, _, _, _, _ := splitURL(uri); strings.TrimRight(b, "/") == strings.TrimRight(s.base, "/") {
			return usher.StepAuthResponse
		}
	}
	_, host := splitURI(s.base)
	switch endpointOf(s.base) {
	case "discovery", "jwks":
		return usher.StepDiscovery
	case "authorize", "par", "device":
		return usher.StepAuthRequest
	case "token":
		if s.form.get("grant_type") == "refresh_token" {
			return usher.StepRefresh
		}
		return usher.StepTokenRequest
	case "userinfo", "api":
		return usher.StepAPICall
	case "introspect":
		return usher.StepValidation
	case "logout":
		return usher.StepSignOut
	case "callback":
		return usher.StepAuthResponse
	}
	switch {
	case s.form.has("grant_type"):
		return usher.StepTokenRequest
	case (s.query.has("code") || s.query.has("error")) && s.query.has("state"), (s.form.has("code") || s.form.has("error")) && s.form.has("state"):
		return usher.StepAuthResponse
	case s.query.has("error") && !idp[host]:
		return usher.StepAuthResponse
	case idp[host] || providerOf(s.base) != "":
		if strings.Contains(lowerASCII(s.base), "consent") {
			return usher.StepConsent
		}
		return usher.StepSignIn
	case s.m.x.Request.Get("Authorization") != "" || s.m.x.Status == 401 || s.m.x.Status == 403:
		return usher.StepAPICall
	}
	return ""
}

// judge tells whether the exchange failed, and by what.
func (s *flowStep) judge() {
	x := &s.m.x
	switch {
	case s.query.get("error") != "":
		s.failed, s.why = true, s.query.get("error")
	case s.form.get("error") != "":
		s.failed, s.why = true, s.form.get("error")
	case s.next.get("error") != "":
		s.failed, s.why = true, s.next.get("error")
	case s.m.harError != "":
		s.failed, s.why = true, s.m.harError
	case x.Status >= 400:
		s.failed, s.why = true, "HTTP "+itoa(x.Status)
	}
	if x.Body != "" && x.Body[0] == '{' && (s.failed || s.step == usher.StepTokenRequest || s.step == usher.StepRefresh) {
		doc := parseJSON(x.Body, 0)
		if e, _, ok := errorBody(&doc.root, 0); ok && !doc.failed && doc.root.get("access_token") == nil {
			s.failed, s.why = true, errorSummary(&e)
		}
	}
	if x.Status == 0 && x.Method != "" && s.m.har() && !s.failed {
		s.failed, s.why = true, "no answer reached the browser"
	}
	if x.Body != "" && x.Body[0] == '<' && !s.failed && (s.step == usher.StepAuthRequest || s.step == usher.StepSignIn) {
		lower := lowerASCII(x.Body[:min(len(x.Body), 256<<10)])
		for _, mark := range [...]string{"aadsts", "serrorcode\":\"", "kc-error-message", "error 400:", "error 403:"} {
			if i := strings.Index(lower, mark); i >= 0 && !strings.HasPrefix(lower[i:], "serrorcode\":\"50058") && !strings.HasPrefix(lower[i:], "serrorcode\":\"\"") {
				s.failed, s.why = true, "error page"
				break
			}
		}
	}
}

func (m *message) har() bool { return m.at.src != nil && m.at.src.flat }

// flowProvider gives the provider that the steps speak with.
func flowProvider(steps []flowStep) string {
	for i := range steps {
		if p := providerOf(steps[i].base); p != "" {
			return p
		}
	}
	return ""
}

func failedIn(steps []flowStep) string {
	for i := range steps {
		if steps[i].failed {
			return "; the step " + string(steps[i].step) + " failed (" + steps[i].why + ")"
		}
	}
	return ""
}

// flowOf puts a flow together from exchanges that are no HAR.
func (r *reader) flowOf(list []*message) {
	if len(list) < 2 {
		return
	}
	steps := classify(list)
	if len(steps) < 2 {
		return
	}
	it := &Item{Line: list[0].at.line(0)}
	it.Kind, it.Place = usher.KindExchange, list[0].at.place(0)
	flowFacts(it, steps, false)
	r.flow(steps)
	if len(it.Facts) > 0 {
		it.Text = harText(steps)
		it.Provider = flowProvider(steps)
		it.Summary = summary("flow of " + itoa(len(steps)) + " exchanges" + failedIn(steps))
		r.add(it)
	}
}

// flow writes the steps down: those that were seen, those that a failure kept
// from coming, and those that happen where the recording cannot see.
func (r *reader) flow(steps []flowStep) {
	if len(r.set.Flow) > 0 || len(steps) == 0 {
		return
	}
	var out []usher.FlowStep
	failedAt := -1
	seen := map[usher.Step]bool{}
	for i := range steps {
		s := &steps[i]
		state := usher.FlowPassed
		text := strings.TrimSpace(s.m.x.Method + " " + s.base)
		if s.m.x.Status != 0 {
			text += ": " + itoa(s.m.x.Status)
		} else if !s.m.har() {
			state = usher.FlowUnknown
		}
		if s.failed {
			state = usher.FlowFailed
			text += ", " + s.why
		}
		seen[s.step] = true
		f := usher.FlowStep{Step: s.step, Place: s.m.at.place(0), Summary: r.shown(text), State: state}
		if n := len(out); n > 0 && out[n-1].Step == s.step && out[n-1].State == usher.FlowPassed && state == usher.FlowPassed &&
			(s.step == usher.StepSignIn || s.step == usher.StepDiscovery || s.step == usher.StepAPICall) {
			continue // one page of many
		}
		out = append(out, f)
		if s.failed {
			failedAt = len(out) - 1
		}
		if len(out) >= 100 {
			break
		}
	}
	if seen[usher.StepAuthRequest] {
		for _, next := range [...]usher.Step{usher.StepAuthResponse, usher.StepTokenRequest} {
			if seen[next] {
				continue
			}
			state, text := usher.FlowNotReached, ""
			if failedAt < 0 || out[failedAt].Step == usher.StepAPICall || next == usher.StepTokenRequest && seen[usher.StepAuthResponse] && out[failedAt].Step == usher.StepAuthResponse && out[failedAt].Summary != "" && !hasErrorParam(steps) {
				state, text = usher.FlowUnknown, "not in the recording: the application's server sends it"
				if next == usher.StepAuthResponse {
					text = "not in the recording"
				}
			}
			out = insertStep(out, usher.FlowStep{Step: next, Summary: text, State: state})
		}
	}
	r.set.Flow = out
}

// insertStep puts a step that was not seen where it belongs: behind the steps
// that come before it in a flow.
func insertStep(out []usher.FlowStep, s usher.FlowStep) []usher.FlowStep {
	rank := func(step usher.Step) int {
		for i, t := range usher.Steps {
			if t == step {
				return i
			}
		}
		return len(usher.Steps)
	}
	at := 0
	for i := range out {
		if r := rank(out[i].Step); r < rank(s.Step) && r >= rank(usher.StepAuthRequest) {
			at = i + 1
		}
	}
	out = append(out, usher.FlowStep{})
	copy(out[at+1:], out[at:])
	out[at] = s
	return out
}

func hasErrorParam(steps []flowStep) bool {
	for i := range steps {
		if steps[i].query.has("error") || steps[i].next.has("error") || steps[i].form.has("error") {
			return true
		}
	}
	return false
}

// flowFacts finds what differs between the steps of a flow.
func flowFacts(it *Item, steps []flowStep, recorded bool) {
	var requests []*flowStep
	codes := map[string]*flowStep{}
	cookies := false
	for i := range steps {
		if steps[i].m.x.Request.Get("Cookie") != "" {
			cookies = true
		}
	}
	for i := range steps {
		s := &steps[i]
		place := s.m.at.place(0)
		if s.failed {
			it.fact("failed-step", string(s.step), place, s.why)
		}
		corsFacts(it, s, place)
		switch s.step {
		case usher.StepAuthRequest:
			requests = append(requests, s)
			if s.query.get("prompt") == "none" {
				it.fact("prompt", "none", place, s.m.x.URL)
				if dest := s.m.x.Request.Get("Sec-Fetch-Dest"); dest == "iframe" || dest == "frame" {
					it.fact("frame", "iframe", place, "Sec-Fetch-Dest: "+dest)
				}
				if cookies && s.m.x.Request.Get("Cookie") == "" {
					it.fact("header", "cookie-missing", place, "no Cookie header")
				}
			}
		case usher.StepAuthResponse:
			responseFacts(it, s, requests, place, cookies)
		case usher.StepTokenRequest:
			if recorded {
				it.fact("token-request", "browser", place, s.base)
			}
			tokenStepFacts(it, s, requests, codes, place)
		}
	}
}

// responseFacts holds a way back against the request it answers.
func responseFacts(it *Item, s *flowStep, requests []*flowStep, place string, cookies bool) {
	all := append(s.query[:len(s.query):len(s.query)], s.form...)
	state := all.get("state")
	if len(requests) == 0 || !all.has("code") && !all.has("error") {
		return
	}
	match := false
	for _, q := range requests {
		match = match || q.query.get("state") == state || q.form.get("state") == state
	}
	if !match {
		last := requests[len(requests)-1].query.get("state")
		if last != "" || state != "" {
			it.fact("flow-difference", "state", place, "sent "+last+", came back "+state)
		}
	}
	if cookies && s.m.x.Request.Get("Cookie") == "" {
		it.fact("header", "cookie-missing", place, "no Cookie header on "+s.base)
	}
}

// tokenStepFacts holds a code exchange against the request that led to it.
func tokenStepFacts(it *Item, s *flowStep, requests []*flowStep, codes map[string]*flowStep, place string) {
	code := s.form.get("code")
	if code != "" {
		if codes[code] != nil {
			it.fact("flow-difference", "code-reused", place, "the code of "+codes[code].m.at.place(0))
		}
		codes[code] = s
	}
	if s.form.get("grant_type") != "authorization_code" || len(requests) == 0 {
		return
	}
	q := requests[len(requests)-1].query
	sent, now := q.get("redirect_uri"), s.form.get("redirect_uri")
	if sent != now && sent != "" {
		it.fact("flow-difference", "redirect-uri", place, "authorization request "+sent+", token request "+now)
	}
	if a, b := q.get("client_id"), s.form.get("client_id"); a != "" && b != "" && a != b {
		it.fact("flow-difference", "client-id", place, "authorization request "+a+", token request "+b)
	}
	challenge, verifier := q.get("code_challenge"), s.form.get("code_verifier")
	switch {
	case challenge != "" && verifier == "":
		it.fact("flow-difference", "code-verifier-missing", place, "code_challenge was sent, code_verifier was not")
	case challenge == "" && verifier != "":
		it.fact("flow-difference", "code-challenge-missing", place, "code_verifier was sent, code_challenge was not")
	default:
		if err := oauth.MatchPKCE(challenge, q.get("code_challenge_method"), verifier); err != nil {
			it.fact("flow-difference", "code-verifier", place, err.Error())
		}
	}
}

// corsFacts tells of answers that the browser kept from the page.
func corsFacts(it *Item, s *flowStep, place string) {
	x := &s.m.x
	origin := x.Request.Get("Origin")
	lower := lowerASCII(s.m.harError)
	switch {
	case strings.Contains(lower, "cors") || strings.Contains(lower, "blocked_by_response"):
		it.fact("cors", "blocked", place, s.m.harError)
	case x.Status == 0 && s.m.har() && (origin != "" || x.Method == "OPTIONS" || x.Request.Get("Sec-Fetch-Mode") == "cors"):
		it.fact("cors", "blocked", place, "status 0, Origin: "+origin)
	case x.Method == "OPTIONS" && (x.Status >= 400 || x.Status != 0 && x.Header.Get("Access-Control-Allow-Origin") == ""):
		it.fact("cors", "no-header", place, "preflight answered "+itoa(x.Status))
	}
}
