package tokens_test

import (
	"usher/check"
	"usher/evidence"
	"usher/token"
)

const (
	tenant1 = "6b1a3b3c-0000-4000-8000-000000000001"
	tenant2 = "6b1a3b3c-0000-4000-8000-000000000002"
)

func readerRows() []row {
	v1 := access(obj{"iss": "https://sts.windows.net/" + tenant1 + "/", "aud": "api://orders", "tid": tenant1})
	v2 := func(of string) *check.Token {
		return id(obj{"iss": "https://login.microsoftonline.com/" + tenant1 + "/v2.0", "tid": of})
	}
	graph := access(obj{"iss": "https://sts.windows.net/" + tenant1 + "/", "aud": "https://graph.microsoft.com", "tid": tenant1})
	common := metadata(obj{"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"})
	resource := func(t *check.Target) {
		t.Resources = append(t.Resources, &check.ResourceMetadata{Place: "prm.json", Resource: api})
	}
	cognito := access(obj{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x", "token_use": "access", "aud": nil})
	several := id(obj{"aud": []string{client, "other"}, "azp": "other"})
	return []row{
		{"token-iss", "right", target(tokens(access(nil)), issuer(iss)), ok, ""},
		{"token-iss", "another", target(tokens(id(obj{"iss": "https://evil.example"})), issuer(iss)), wrong, "https://evil.example"},
		{"token-iss", "a slash more", target(tokens(id(obj{"iss": iss + "/"})), issuer(iss)), wrong, "slash"},
		{"token-iss", "by the metadata", target(tokens(id(obj{"iss": "https://evil.example"})), metadata(nil)), wrong, iss},
		{"token-iss", "of a pipeline that the client trusts", target(tokens(made(token.TypeAny, sign(key, header(nil), idClaims(obj{"iss": "https://token.actions.githubusercontent.com", "aud": "api://AzureADTokenExchange"})))), issuer(iss), registered(evidence.Registration{ClientID: client, Federated: []evidence.Federated{{Issuer: "https://token.actions.githubusercontent.com"}}})), na, ""},
		{"token-aud", "of a pipeline that the client trusts", target(tokens(made(token.TypeAny, sign(key, header(nil), idClaims(obj{"iss": "https://token.actions.githubusercontent.com", "aud": "api://AzureADTokenExchange"})))), expect(check.Expect{Audiences: []string{api}}), registered(evidence.Registration{ClientID: client, Federated: []evidence.Federated{{Issuer: "https://token.actions.githubusercontent.com"}}})), na, ""},
		{"token-iss", "none", target(tokens(id(obj{"iss": nil})), issuer(iss)), wrong, "does not say who"},
		{"token-iss", "version 1 for 2", target(tokens(v1), issuer("https://login.microsoftonline.com/"+tenant1+"/v2.0")), wrong, "requestedAccessTokenVersion"},
		{"token-iss", "Graph's own", target(tokens(graph), issuer("https://login.microsoftonline.com/"+tenant1+"/v2.0")), na, ""},
		{"token-iss", "template", target(tokens(v2(tenant1)), common, issuer("https://login.microsoftonline.com/common/v2.0")), ok, ""},
		{"token-iss", "template without metadata", target(tokens(v2(tenant1)), issuer("https://login.microsoftonline.com/common/v2.0")), ok, ""},
		{"token-iss", "template, another host", target(tokens(id(obj{"iss": "https://evil.example/" + tenant1 + "/v2.0", "tid": tenant1})), common), wrong, ""},
		{"token-iss", "AD FS's own for access tokens", target(tokens(access(obj{"iss": "http://fs.example/adfs/services/trust"})), metadata(obj{"access_token_issuer": "http://fs.example/adfs/services/trust"})), ok, ""},
		{"token-iss", "AD FS's own, but of an ID token", target(tokens(id(obj{"iss": "http://fs.example/adfs/services/trust"})), metadata(obj{"access_token_issuer": "http://fs.example/adfs/services/trust"})), wrong, ""},
		{"token-iss", "nobody knows", target(tokens(access(nil))), unknown, ""},

		{"token-aud", "right", target(tokens(access(nil)), expect(check.Expect{Audiences: []string{api}})), ok, ""},
		{"token-aud", "another", target(tokens(access(nil)), expect(check.Expect{Audiences: []string{"https://other.example"}})), wrong, "not for"},
		{"token-aud", "api:// left out", target(tokens(v1), expect(check.Expect{Audiences: []string{"orders"}})), wrong, "api://"},
		{"token-aud", "ID token of another client", target(tokens(id(obj{"aud": "other"})), registered(evidence.Registration{ClientID: client})), wrong, `"web"`},
		{"token-aud", "ID token", target(tokens(id(nil)), registered(evidence.Registration{ClientID: client})), ok, ""},
		{"token-aud", "the API's own name", target(tokens(access(nil)), resource), ok, ""},
		{"token-aud", "Cognito", target(tokens(cognito), expect(check.Expect{Audiences: []string{api}})), na, ""},
		{"token-aud", "nobody knows", target(tokens(access(nil))), unknown, ""},

		{"token-azp", "on the list", target(tokens(access(nil)), expect(check.Expect{Clients: []string{client}})), ok, ""},
		{"token-azp", "not on the list", target(tokens(access(obj{"azp": "cli"})), expect(check.Expect{Clients: []string{client}})), wrong, `"cli"`},
		{"token-azp", "ID token of another client", target(tokens(several), registered(evidence.Registration{ClientID: client})), wrong, "another client"},
		{"token-azp", "Google's mobile app", target(tokens(id(obj{"iss": "https://accounts.google.com", "azp": "android"})), registered(evidence.Registration{ClientID: client})), na, ""},
		{"token-azp", "no list", target(tokens(access(nil))), unknown, ""},

		{"token-tenant", "on the list", target(tokens(v2(tenant1)), expect(check.Expect{Tenants: []string{tenant1}})), ok, ""},
		{"token-tenant", "not on the list", target(tokens(v2(tenant1)), expect(check.Expect{Tenants: []string{tenant2}})), wrong, tenant1},
		{"token-tenant", "tid is not of iss", target(tokens(v2(tenant2))), wrong, "another tenant"},
		{"token-tenant", "one tenant only", target(tokens(access(nil)), issuer(iss)), ok, ""},
		{"token-tenant", "any tenant", target(tokens(v2(tenant1)), common), unknown, ""},
		{"token-tenant", "no tenant", target(tokens(access(obj{"iss": "https://login.example"}))), na, ""},
		{"token-tenant", "type", target(tokens(made(token.TypeAccess, "0d1f5c1b8e2f4a6f9c1de2"))), na, ""},
	}
}
