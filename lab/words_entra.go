package lab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// trace is what Entra puts into every answer, so that its log can be found.
type trace struct {
	id, correlation string
	time            time.Time
}

func (l *Lab) newTrace(r *http.Request) trace {
	t := trace{id: randomID(), correlation: randomID(), time: l.now()}
	if id := r.Header.Get("client-request-id"); len(id) == 36 {
		t.correlation = id
	}
	return t
}

// stamp is the time as Entra's bodies and pages write it.
func (t trace) stamp() string { return t.time.Format("2006-01-02 15:04:05Z") }

// entraWords is how Entra tells a problem.
type entraWords struct {
	code     int // AADSTS number
	status   int // of the token endpoint
	error    string
	text     string
	suberror string
	claims   string
	record   string // failureReason of the sign-in record, where it is not text
	more     string // additionalDetails of the sign-in record
}

// devicePolicyID is the lab's Conditional Access policy on devices.
var devicePolicyID = "2c6f3d1e-8a44-4b0e-9d6a-71f05b3c9e10"

// devicePolicyName is its name.
const devicePolicyName = "Orders only from compliant devices"

// entraWords puts a problem into Entra's words.
func (l *Lab) entraWords(bad refusal, c *client, clientID, redirect string) entraWords {
	app, name := clientID, clientID
	if c != nil {
		app, name = c.AppID, c.Name
	}
	switch bad.is {
	case requestMalformed:
		return entraWords{code: 900144, status: 400, error: "invalid_request", text: fmt.Sprintf("The request body must contain the following parameter: '%s'.", bad.detail)}
	case grantUnknown:
		return entraWords{code: 70003, status: 400, error: "unsupported_grant_type", text: fmt.Sprintf("The app requested an unsupported grant type '%s'.", bad.detail)}
	case grantNotAllowed:
		return entraWords{code: 700025, status: 401, error: "invalid_client", text: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."}
	case clientUnknown:
		return entraWords{code: 700016, status: 400, error: "unauthorized_client", text: fmt.Sprintf("Application with identifier '%s' was not found in the directory 'usher lab'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", app)}
	case clientDisabled:
		return entraWords{code: 7000112, status: 401, error: "unauthorized_client", text: fmt.Sprintf("Application '%s'(%s) is disabled.", app, name)}
	case secretMissing:
		return entraWords{code: 7000218, status: 401, error: "invalid_client", text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	case secretWrong, secretIsID:
		more := ""
		if bad.is == secretIsID {
			more = "The secret id was sent instead of the value."
		}
		return entraWords{code: 7000215, record: "Invalid client secret is provided.", more: more, status: 401, error: "invalid_client", text: fmt.Sprintf("Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", app)}
	case secretExpired:
		return entraWords{code: 7000222, status: 401, error: "invalid_client", text: fmt.Sprintf("The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", app)}
	case redirectUnknown:
		return entraWords{code: 50011, text: fmt.Sprintf("The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to fix this.", redirect, app)}
	case redirectDiffers:
		return entraWords{code: 500112, status: 400, error: "invalid_grant", text: fmt.Sprintf("The reply address '%s' does not match the reply address provided when requesting Authorization code.", redirect)}
	case responseType:
		return entraWords{code: 700054, error: "unsupported_response_type", text: fmt.Sprintf("response_type '%s' is not enabled for the application.", bad.detail)}
	case pkceMissing:
		return entraWords{code: 9002325, status: 400, error: "invalid_request", text: "Proof Key for Code Exchange is required for cross-origin authorization code redemption."}
	case pkceMalformed:
		return entraWords{code: 501491, error: "invalid_request", text: "Invalid size of Code_Challenge parameter."}
	case pkceWrong:
		return entraWords{code: 501481, status: 400, error: "invalid_grant", text: "The Code_Verifier does not match the code_challenge supplied in the authorization request."}
	case scopeUnknown:
		return entraWords{code: 70011, status: 400, error: "invalid_scope", text: fmt.Sprintf("The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", bad.detail)}
	case codeInvalid, codeOfOther:
		return entraWords{code: 70008, status: 400, error: "invalid_grant", text: "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."}
	case codeUsed:
		return entraWords{code: 54005, status: 400, error: "invalid_grant", text: "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."}
	case refreshInvalid:
		return entraWords{code: 9002313, status: 400, error: "invalid_grant", text: "Invalid request. Request is malformed or invalid."}
	case refreshEnded:
		return entraWords{code: 700082, status: 400, error: "invalid_grant", text: "The refresh token has expired due to inactivity."}
	case sessionGone, refreshReused:
		return entraWords{code: 50173, status: 400, error: "invalid_grant", text: "The provided grant has expired due to it being revoked, a fresh auth token is needed.", suberror: "bad_token"}
	case loginRequired:
		return entraWords{code: 50058, error: "login_required", text: "Session information is not sufficient for single-sign-on."}
	case consentMissing:
		return entraWords{code: 65001, status: 400, error: silentError(bad), suberror: "consent_required", text: fmt.Sprintf("The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.", app, name)}
	case consentRefused:
		return entraWords{code: 65004, error: "access_denied", suberror: "consent_declined", text: "User declined to consent to access the app."}
	case passwordWrong:
		return entraWords{code: 50126, error: "invalid_grant", text: "Error validating credentials due to invalid username or password."}
	case userUnknown:
		return entraWords{code: 50034, error: "login_required", text: "The user account does not exist in the directory. To sign into this application, the account must be added to the directory."}
	case userDisabled:
		return entraWords{code: 50057, status: 400, error: "invalid_grant", text: "The user account is disabled."}
	case deviceBlocked:
		return entraWords{
			code: 53003, status: 400, error: "invalid_grant", suberror: "message_only",
			text:   "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
			claims: `{"access_token":{"capolids":{"essential":true,"values":["` + devicePolicyID + `"]}}}`,
			more:   "If this is unexpected, see the conditional access policy that applied to this request in the Azure Portal.",
		}
	}
	return entraWords{code: 90033, status: http.StatusServiceUnavailable, error: "temporarily_unavailable", text: "A transient error has occurred. Please try again."}
}

func silentError(bad refusal) string {
	if bad.detail == "" {
		return "consent_required"
	}
	return "invalid_grant"
}

// description is error_description: the code, the text and the trace.
func (w entraWords) description(t trace) string {
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", w.code, w.text, t.id, t.correlation, t.stamp())
}

func errorURI(code int) string {
	return "https://login.microsoftonline.com/error?code=" + strconv.Itoa(code)
}

// entraBody is the answer of Entra's token endpoint.
func (l *Lab) entraBody(x *exchange, bad refusal) (int, map[string]any) {
	w := l.entraWords(bad, x.client, x.request.ClientID, x.request.RedirectURI)
	t := x.trace(l)
	body := map[string]any{
		"error": w.error, "error_description": w.description(t), "error_codes": []int{w.code},
		"timestamp": t.stamp(), "trace_id": t.id, "correlation_id": t.correlation, "error_uri": errorURI(w.code),
	}
	if w.suberror != "" {
		body["suberror"] = w.suberror
	}
	if w.claims != "" {
		body["claims"] = w.claims
	}
	return w.status, body
}

// entraBack is the error that goes back to the client.
func (l *Lab) entraBack(t trace, p *pending, bad refusal) url.Values {
	w := l.entraWords(bad, p.client, p.request.ClientID, p.request.RedirectURI)
	code := w.error
	switch bad.is {
	case consentMissing:
		code = "consent_required"
	case deviceBlocked:
		code = "interaction_required"
	}
	q := url.Values{"error": {code}, "error_description": {w.description(t)}, "error_uri": {errorURI(w.code)}}
	if w.suberror != "" {
		q.Set("error_subcode", w.suberror)
	}
	return q
}

// entraPage is Entra's page of refusal with its troubleshooting details.
func (l *Lab) entraPage(t trace, p *pending, bad refusal) errorPage {
	w := l.entraWords(bad, p.client, p.request.ClientID, p.request.RedirectURI)
	details := []pair{
		{"Request Id", t.id},
		{"Correlation Id", t.correlation},
		{"Timestamp", t.time.Format(time.RFC3339)},
		{"Message", fmt.Sprintf("AADSTS%d: %s", w.code, w.text)},
	}
	if bad.is == deviceBlocked {
		details = []pair{
			{"Error Code", strconv.Itoa(w.code)},
			{"Request Id", t.id},
			{"Correlation Id", t.correlation},
			{"Timestamp", t.time.Format(time.RFC3339)},
			{"App name", p.client.Name},
			{"App id", p.client.AppID},
			{"Device state", "Unregistered"},
		}
	}
	return errorPage{Realm: l.opt.Realm, Entra: true, Message: fmt.Sprintf("AADSTS%d: %s", w.code, w.text), Details: details}
}

// record is a sign-in as Microsoft Graph gives it (beta), as far as the lab
// knows it.
type record map[string]any

func (l *Lab) write(rec record) {
	data, err := json.Marshal(rec)
	if err != nil {
		return // maps of text and numbers always marshal
	}
	l.records.line(data)
}

// newRecord fills in what every record has.
func (l *Lab) newRecord(r *http.Request, t trace, c *client, clientID string, u *User, d *device, w entraWords, bad refusal) record {
	status := map[string]any{"errorCode": 0, "failureReason": "Other.", "additionalDetails": nil}
	if bad.bad() {
		status = map[string]any{"errorCode": w.code, "failureReason": cmp.Or(w.record, w.text), "additionalDetails": w.more}
	}
	rec := record{
		"id": t.id, "createdDateTime": t.time.Format("2006-01-02T15:04:05Z"), "correlationId": t.correlation, "originalRequestId": t.id,
		"appId": clientID, "appDisplayName": clientID, "ipAddress": address(r), "userAgent": r.UserAgent(), "isInteractive": false,
		"clientAppUsed": "Browser", "status": status, "conditionalAccessStatus": "notApplied", "appliedConditionalAccessPolicies": []any{},
		"resourceDisplayName": "Orders", "resourceId": apiEntraID, "resourceTenantId": l.opt.Tenant, "homeTenantId": l.opt.Tenant,
		"authenticationRequirement": "singleFactorAuthentication", "tokenIssuerType": "AzureAD", "riskState": "none",
		"riskLevelAggregated": "none", "riskLevelDuringSignIn": "none", "riskEventTypes_v2": []any{},
		"servicePrincipalId": "", "servicePrincipalName": "", "userId": "", "userPrincipalName": "", "userDisplayName": "",
		"deviceDetail": map[string]any{"deviceId": "", "displayName": "", "operatingSystem": "", "browser": "", "isCompliant": false, "isManaged": false, "trustType": ""},
	}
	if c != nil {
		rec["appId"], rec["appDisplayName"] = c.AppID, c.Name
	}
	if u != nil {
		rec["userId"], rec["userPrincipalName"], rec["userDisplayName"] = u.ID, u.Email, strings.TrimSpace(u.Given+" "+u.Family)
		rec["userType"] = "member"
	}
	if d != nil {
		rec["deviceDetail"] = map[string]any{
			"deviceId": d.ID, "displayName": d.Name, "operatingSystem": "", "browser": "", "isCompliant": d.Compliant, "isManaged": d.Compliant, "trustType": "AzureAd",
		}
	}
	l.applyPolicies(rec, u, bad)
	return rec
}

// applyPolicies tells what the policy on devices said.
func (l *Lab) applyPolicies(rec record, u *User, bad refusal) {
	if !l.deviceRule || u == nil {
		return
	}
	result, status := "success", "success"
	var met, unmet string
	met, unmet = "application,users,clientType", "none"
	switch bad.is {
	case deviceBlocked:
		result, status = "failure", "failure"
	case fine:
	default:
		return
	}
	rec["conditionalAccessStatus"] = status
	rec["appliedConditionalAccessPolicies"] = []any{map[string]any{
		"id": devicePolicyID, "displayName": devicePolicyName, "result": result,
		"enforcedGrantControls": []string{"RequireCompliantDevice"}, "enforcedSessionControls": []string{},
		"conditionsSatisfied": met, "conditionsNotSatisfied": unmet,
	}}
}

// recordSignIn writes the record of an interactive sign-in.
func (l *Lab) recordSignIn(r *http.Request, t trace, p *pending, s *session, bad refusal) {
	var u *User
	d := l.device(r)
	if s != nil {
		u = s.user
		if s.device != nil {
			d = s.device
		}
	} else if bad.is == passwordWrong || bad.is == userDisabled {
		u = l.user(bad.detail)
	}
	words := l.entraWords(bad, p.client, p.request.ClientID, p.request.RedirectURI)
	rec := l.newRecord(r, t, p.client, p.request.ClientID, u, d, words, bad)
	if u == nil && bad.detail != "" && bad.is == userUnknown {
		rec["userPrincipalName"] = bad.detail
	}
	rec["isInteractive"] = !strings.Contains(p.request.Prompt, "none")
	rec["signInEventTypes"] = []string{"interactiveUser"}
	rec["authenticationProtocol"] = "oAuth2"
	l.write(rec)
}

// recordExchange writes the record of a token request: of the client itself,
// or of a person who is not there. A code's sign-in has its record already.
func (l *Lab) recordExchange(x *exchange, bad refusal) {
	if x.code != nil && !bad.bad() {
		return
	}
	var u *User
	var d *device
	if x.session != nil {
		u, d = x.session.user, x.session.device
	}
	words := l.entraWords(bad, x.client, x.request.ClientID, x.request.RedirectURI)
	rec := l.newRecord(x.r, x.trace(l), x.client, x.request.ClientID, u, d, words, bad)
	if u == nil {
		rec["signInEventTypes"] = []string{"servicePrincipal"}
		if x.client != nil {
			rec["servicePrincipalId"], rec["servicePrincipalName"] = x.client.serviceID(), x.client.Name
			rec["servicePrincipalCredentialKeyId"] = x.secret
		}
	} else {
		rec["signInEventTypes"] = []string{"nonInteractiveUser"}
		if x.token != nil {
			rec["incomingTokenType"] = "refreshToken"
		}
	}
	l.write(rec)
}
