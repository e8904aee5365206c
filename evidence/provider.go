package evidence

// hostMarks are parts of host names and paths that give a provider away.
var hostMarks = [...]struct{ mark, provider string }{
	{"login.microsoftonline", "entra"},
	{"login.windows.net", "entra"},
	{"sts.windows.net", "entra"},
	{"login.live.com", "entra"},
	{"login.microsoft.com", "entra"},
	{"graph.microsoft", "entra"},
	{"login.partner.microsoftonline", "entra"},
	{"ciamlogin.com", "entra"},
	{"b2clogin.com", "entra"},
	{"management.azure.com", "entra"},
	{"vault.azure.net", "entra"},
	{"microsoft.aadiam", "entra"},
	{".okta.com", "okta"},
	{".oktapreview.com", "okta"},
	{".okta-emea.com", "okta"},
	{"okta-gov.com", "okta"},
	{".auth0.com", "auth0"},
	{"accounts.google.com", "google"},
	{"oauth2.googleapis.com", "google"},
	{"googleapis.com", "google"},
	{"cognito-idp", "cognito"},
	{"amazoncognito.com", "cognito"},
	{"appleid.apple.com", "apple"},
	{"github.com/login/oauth", "github"},
	{"api.github.com", "github"},
	{"gitlab.com", "gitlab"},
	{"slack.com", "slack"},
	{"salesforce.com", "salesforce"},
	{"force.com", "salesforce"},
	{"connect.stripe.com", "stripe"},
	{"api.stripe.com", "stripe"},
	{"paypal.com", "paypal"},
	{"/realms/", "keycloak"},
	{"org.keycloak", "keycloak"},
	{"identity.xero.com", "xero"},
	{"api.xero.com", "xero"},
	{"dropboxapi.com", "dropbox"},
	{"dropbox.com/oauth2", "dropbox"},
	{"api.twitter.com", "twitter"},
	{"api.x.com", "twitter"},
	{"twitter.com/i/oauth2", "twitter"},
	{"graph.facebook.com", "facebook"},
	{"facebook.com/dialog", "facebook"},
	{"linkedin.com/oauth", "linkedin"},
	{"auth.atlassian.com", "atlassian"},
	{"api.atlassian.com", "atlassian"},
	{"squareup.com", "square"},
	{"intuit.com", "quickbooks"},
	{"myshopify.com", "shopify"},
	{"zoom.us/oauth", "zoom"},
	{"discord.com/api", "discord"},
	{".onelogin.com", "onelogin"},
	{"pingone.", "ping"},
	{"pingidentity.", "ping"},
	{".zitadel.", "zitadel"},
	{"authelia", "authelia"},
	{"authentik", "authentik"},
	{"docusign.com", "docusign"},
	{"hubapi.com", "hubspot"},
	{"bitbucket.org", "bitbucket"},
	{"account.box.com", "box"},
	{"api.box.com", "box"},
	{"iam.cloud.ibm.com", "ibm"},
	{"token.actions.githubusercontent.com", "github-actions"},
	{"accounts.spotify.com", "spotify"},
	{"id.twitch.tv", "twitch"},
	{"accounts.zoho", "zoho"},
	{"webexapis.com", "webex"},
	{"oauth.reddit.com", "reddit"},
	{"reddit.com/api", "reddit"},
}

// providerOf tells the provider that a short text, as a URL, names.
func providerOf(s string) string {
	if s == "" {
		return ""
	}
	return providerIn(fold(s[:min(len(s), 16<<10)]))
}

// providerIn tells the provider that is named first in a text.
func providerIn(f *folded) string {
	if f.has("aadsts") || f.has("aadb2c") {
		return "entra"
	}
	best, provider := len(f.s), ""
	t := markIndex()
	for i, n := range t.hosts {
		if at := int(f.at[n]) - 1; at >= 0 && at < best {
			best, provider = at, hostMarks[i].provider
		}
	}
	if provider == "" {
		for i, n := range t.words {
			if f.at[n] > 0 {
				return wordMarks[i].provider
			}
		}
	}
	return provider
}

// wordMarks are sentences that only one provider writes.
var wordMarks = [...]struct{ mark, provider string }{
	{"policy evaluation failed for this request, please check the policy", "okta"},
	{"not enabled for consumers", "entra"},
	{"need admin approval", "entra"},
	{"you can't get there from here", "entra"},
	{"you cannot access this right now", "entra"},
	{"error 400: redirect_uri_mismatch", "google"},
	{"error 403: org_internal", "google"},
	{"error 403: access_denied", "google"},
	{"error 403: disallowed_useragent", "google"},
	{"error 401: invalid_client", "google"},
	{"google verification process", "google"},
	{"error 400: admin_policy_enforced", "google"},
	{"error 401: deleted_client", "google"},
	{"error 400: invalid_request", "google"},
	{"error 400: invalid_scope", "google"},
	{"service not found: ", "auth0"},
	{"docs.github.com", "github"},
}
