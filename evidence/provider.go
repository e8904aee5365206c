package evidence

import "strings"

// hostMarks are parts of host names and paths that give a provider away.
var hostMarks = [...]struct{ mark, provider string }{
	{"login.microsoftonline", "entra"}, {"login.windows.net", "entra"}, {"sts.windows.net", "entra"}, {"login.live.com", "entra"},
	{"login.microsoft.com", "entra"}, {"graph.microsoft", "entra"}, {"login.partner.microsoftonline", "entra"}, {"ciamlogin.com", "entra"},
	{"b2clogin.com", "entra"}, {"management.azure.com", "entra"}, {"vault.azure.net", "entra"}, {"microsoft.aadiam", "entra"},
	{".okta.com", "okta"}, {".oktapreview.com", "okta"}, {".okta-emea.com", "okta"}, {"okta-gov.com", "okta"},
	{".auth0.com", "auth0"}, {"accounts.google.com", "google"}, {"oauth2.googleapis.com", "google"}, {"googleapis.com", "google"},
	{"cognito-idp", "cognito"}, {"amazoncognito.com", "cognito"}, {"appleid.apple.com", "apple"},
	{"github.com/login/oauth", "github"}, {"api.github.com", "github"}, {"gitlab.com", "gitlab"}, {"slack.com", "slack"},
	{"salesforce.com", "salesforce"}, {"force.com", "salesforce"}, {"connect.stripe.com", "stripe"}, {"api.stripe.com", "stripe"}, {"paypal.com", "paypal"},
	{"/realms/", "keycloak"}, {"org.keycloak", "keycloak"}, {"identity.xero.com", "xero"}, {"api.xero.com", "xero"}, {"dropboxapi.com", "dropbox"}, {"dropbox.com/oauth2", "dropbox"},
	{"api.twitter.com", "twitter"}, {"api.x.com", "twitter"}, {"twitter.com/i/oauth2", "twitter"}, {"graph.facebook.com", "facebook"}, {"facebook.com/dialog", "facebook"},
	{"linkedin.com/oauth", "linkedin"}, {"auth.atlassian.com", "atlassian"}, {"api.atlassian.com", "atlassian"},
	{"squareup.com", "square"}, {"intuit.com", "quickbooks"}, {"myshopify.com", "shopify"}, {"zoom.us/oauth", "zoom"}, {"discord.com/api", "discord"},
	{".onelogin.com", "onelogin"}, {"pingone.", "ping"}, {"pingidentity.", "ping"}, {".zitadel.", "zitadel"}, {"authelia", "authelia"}, {"authentik", "authentik"},
	{"docusign.com", "docusign"}, {"hubapi.com", "hubspot"}, {"bitbucket.org", "bitbucket"}, {"account.box.com", "box"}, {"api.box.com", "box"},
	{"iam.cloud.ibm.com", "ibm"}, {"token.actions.githubusercontent.com", "github-actions"}, {"accounts.spotify.com", "spotify"},
	{"id.twitch.tv", "twitch"}, {"accounts.zoho", "zoho"}, {"webexapis.com", "webex"}, {"oauth.reddit.com", "reddit"}, {"reddit.com/api", "reddit"},
}

// providerScan is how much of a text is searched for a provider.
const providerScan = 32 << 10

// providerIn tells the provider that is named first in a text in lower case.
func providerIn(lower string) string {
	lower = lower[:min(len(lower), providerScan)]
	if strings.Contains(lower, "aadsts") || strings.Contains(lower, "aadb2c") {
		return "entra"
	}
	best, provider := len(lower), ""
	if strings.IndexByte(lower, '.') >= 0 || strings.IndexByte(lower, '/') >= 0 || strings.Contains(lower, "auth") {
		for i := range hostMarks {
			if at := strings.Index(lower[:best], hostMarks[i].mark); at >= 0 {
				best, provider = at, hostMarks[i].provider
			}
		}
	}
	return provider
}
