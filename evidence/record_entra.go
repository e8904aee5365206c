package evidence

import "strings"

// entraRecord reads a sign-in of Entra in the shapes of Azure Monitor, of Log
// Analytics and of Graph. Their columns hold objects or JSON as text.
func (r *reader) entraRecord(v *value, p *piece) bool {
	signIn := strings.HasSuffix(strings.ToLower(v.fold("category").str()), "signinlogs")
	if props := v.fold("properties").object(); props != nil {
		if !signIn && props.path("status", "errorCode") == nil && props.fold("appliedConditionalAccessPolicies") == nil {
			return false
		}
	} else if !signIn && !strings.HasSuffix(strings.ToLower(v.fold("Type").str()), "signinlogs") {
		row := v.fold("ResultType") != nil && (v.fold("ConditionalAccessStatus") != nil || v.fold("UserPrincipalName") != nil || v.fold("ConditionalAccessPolicies") != nil)
		graph := v.fold("status").object().fold("errorCode") != nil &&
			(v.first("appId", "appDisplayName", "userPrincipalName", "conditionalAccessStatus", "createdDateTime", "servicePrincipalId", "clientAppUsed", "ipAddress", "resourceDisplayName") != nil || v.fold("appliedConditionalAccessPolicies") != nil)
		if !row && !graph {
			return false
		}
	}
	return r.ingested("entra", v, p)
}

// m365Record reads a sign-in of the Microsoft 365 audit log.
func (r *reader) m365Record(v *value, p *piece) bool {
	n, _ := v.fold("RecordType").number()
	if !strings.HasPrefix(v.fold("Operation").str(), "UserLog") && !(n == 15 && v.fold("Workload") != nil) {
		return false
	}
	return r.ingested("entra", v, p)
}
