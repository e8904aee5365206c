package oauth_test

// planted are texts in which @S stands for a secret.
var planted = []string{
	// URLs and forms
	"client_secret=@S", "grant_type=refresh_token&refresh_token=@S&client_id=shop", "https://app.example/cb?code=@S&state=1", "https://app.example/cb#access_token=@S&token_type=Bearer",
	"client_assertion=@S", "assertion=@S&x=1", "code_verifier=@S", "id_token_hint=@S", "device_code=@S", "SAMLResponse=@S", "subject_token=@S", "api_key=@S", "logout_token=@S",
	"user_code=WDJB-@S", "code=4%2F0A@S", "sig=@S%3D", "password=x&y@S&z=1", "password=@S,x=1", `password=abc"@S`, "client_secret=a b@S", "client_secret=@S\n", "user[password]=@S", "user%5Bpassword%5D=@S",
	"https://user:@S@host.example/x", "postgres://u:@S@db/x", "redis://:@S@host", "https://user:p@@S@host/", `https:\/\/user:@S@host\/`,
	// encoded and markup
	"client_secret%3D@S%26x%3D1", "client_secret%253D@S%2526x", "%22client_secret%22%3A%22@S%22", "%2522client_secret%2522%253A%2522@S%2522", "https%3A%2F%2Fuser%3A@S%40host%2F", "https%253A%252F%252Fuser%253A@S%2540host",
	"&quot;client_secret&quot;:&quot;@S&quot;", "&#34;client_secret&#34;: &#34;@S&#34;", "&lt;client_secret&gt;@S&lt;/client_secret&gt;", "client_id=a&amp;client_secret=@S&amp;scope=b",
	"<client_secret>@S</client_secret>", `<wsse:Password Type="x">@S</wsse:Password>`, "<Password><![CDATA[@S]]></Password>", "<password>\n  @S\n</password>",
	`<input type="hidden" name="SAMLResponse" value="@S"/>`, `<input value="@S" name="SAMLResponse">`, `<add key="ClientSecret" value="@S"/>`,
	`{"body":"grant_type=x\u0026client_secret=@S\u0026scope=a"}`, `{"body":"{\u0022client_secret\u0022:\u0022@S\u0022}"}`, `{\"refresh_token\":\"@S\"}`, `{\\\"refresh_token\\\":\\\"@S\\\"}`, `"log":"a\nclient_secret=@S\nb"`, `"log":"a\ncode=@S\nb"`,
	// JSON, YAML, configuration
	`{"client_secret":"@S"}`, `{"access_token": "@S", "expires_in": 3600}`, `{"client_secret":["@S"]}`, `{"refresh_tokens_secret": ["x1y2z3", "@S"]}`, `{'client_secret': '@S'}`, `{"password":"first @S"}`, `"password":"a\"@S"`, `"secretText": "@S"`,
	`{client_secret=@S, scope=openid}`, "CLIENT_SECRET=@S", "OFFICE365_SECRET_APP_KEY=@S", "password: @S", "db_password = '@S'", "clientSecret: \"@S\"", "'password' => '@S'", "apiToken: @S", `password="two words @S"`, "password: |\n  @S",
	`spring.security.oauth2.client.registration.g.client-secret=@S`, `AzureAd__ClientSecret=@S`, `SharedAccessKey=@S;EntityPath=x`, `AccountKey=@S;EndpointSuffix=core`, `Server=db;User Id=sa;Password=@S;`, "PWD_DB=@S", "DB_PASS=@S", "aws_secret_access_key = @S",
	`client_secret := "@S"`, `client_secret => @S`, "code_verifier: @S", "client secret: @S", "The client secret '@S' is wrong",
	`{"kty":"oct","k":"@S@S"}`, `{"kty":"RSA","d":"@S"}`, `{\"kty\":\"EC\",\"d\":\"@S\"}`,
	"-----BEGIN PRIVATE KEY-----\\n@S\\n-----END PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\n@S\n@S\n-----END RSA PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n@S",
	// pairs, lists, code
	`{"name":"client_secret","value":"@S"}`, `{"name": "Authorization", "value": "Bearer @S"}`, `{"name":"client_secret","type":"text","value":"@S"}`, `{\"name\":\"client_secret\",\"value\":\"@S\"}`, `{"value":"@S","key":"client_secret"}`, `{"value": "@S", "enabled": true, "name": "client_secret"}`,
	`{"cookies":[{"name":"theme","value":"@S"}]}`, `{"cookies":[{"name":"a","value":""},{"name":"theme","value":"@S","path":"/"}]}`, "- name: CLIENT_SECRET\n  value: @S", "- name: CLIENT_SECRET\n  value: \"@S\"", "name=\"client_secret\"\r\n\r\n@S\r\n--boundary",
	`map[Authorization:[Bearer @S] Cookie:[sid=@S]]`, `{"Authorization":["Bearer @S"]}`, `{"Cookie":["a=b","sid=@S"]}`, `WithClientSecret("@S")`, `append("client_secret", "@S")`, `("password", "@S")`, `os.Setenv("CLIENT_SECRET", "@S")`, `ConvertTo-SecureString "@S"`, `ConvertTo-SecureString -String "@S" -AsPlainText`,
	// headers
	"Authorization: Bearer @S", "authorization: Basic @S", "Authorization: DPoP @S\r\nHost: a", "Authorization: SSWS @S", "Authorization: token @S", "Authorization: @S", "Authorization: Bearer Bearer @S", "Authorization: Strange @S", "Proxy-Authorization: Basic @S",
	`Authorization: Digest username="a", response="@S"`, `Authorization: OAuth oauth_token="@S"`, `-H 'Authorization: Digest username="a", response="@S"'`, "DPoP: @S", "x-api-key: @S", "X-Amz-Security-Token: @S", "got header \"Bearer @S\"",
	"Cookie: sid=@S; theme=dark", "cookie: a=1; b=@S", `Cookie: a="x"; b="@S"`, `"raw":"GET /\r\nCookie: a=@S\r\nHost: b"`, "Set-Cookie: session=@S; Path=/; HttpOnly", "Set-Cookie: .AspNetCore.Correlation.x=@S; path=/", "Set-Cookie: path=@S=@S",
	// command lines
	"curl -u shop:@S https://a.example/token", "curl --user 'shop:@S'", "curl --oauth2-bearer @S https://a.example", "--client-secret @S", "--client-secret '@S'", "--password=@S", "-ushop:@S", "-U proxy:@S", `--proxy-user "a:@S"`, `curl -b 'sid=@S'`, `curl --cookie "a=@S"`, `-H 'X-Api-Key: @S'`, `-H "Authorization: @S"`,
}

// harmless are texts in which nothing is a credential.
var harmless = []string{
	"AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
	`{"error":"invalid_grant","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215],"trace_id":"e59a364a-19fc-4c8b-8a93-97fb50dcda00","correlation_id":"6243ff61-4242-4a94-b045-7d37fe3d0321"}`,
	"error=invalid_token", "grant_type=refresh_token", `"token_type":"Bearer"`, "token_endpoint: https://login.example/oauth2/token", "code=53003", `"code": 401`, `"code":"InvalidAuthenticationToken"`, "code_challenge_method=S256",
	"token_endpoint_auth_method=client_secret_basic", "token: expired", "the token is expired", "WWW-Authenticate: Bearer realm=\"api\", error=\"invalid_token\", error_description=\"The access token expired\"",
	"client_id=04b07795-8ddb-461a-bbee-02f9e1bf7b46", "iss https://login.microsoftonline.com/8f1d2c3b-1111-4222-8333-444455556666/v2.0", "Microsoft.IdentityModel.Tokens.SecurityTokenInvalidAudienceException: IDX10214",
	"exp 1767225600", "client_secret is missing", "Invalid client secret: the client is unknown", "token_use=access", "secret id", "client_secret=", "client_secret=CLIENT_SECRET_GOES_HERE", `client_secret: null`,
	"https://keycloak.example/realms/acme/protocol/openid-connect/token", "kid \"hBLe8Pk0HtpKnAeQ2LYKzA3XYhWTZJpxlkF-1OCr4bo\"", "Trace ID: ec7eafe6-5ba2-4f71-99ac-01adc26a5200", "refresh_token_type=Refresh", "code=invalid_grant", "Error Code: 53003",
	"prompt=none&response_type=code", "Bearer authentication is required", "Basic auth", "node_modules/@auth0/nextjs-auth0/dist/handlers/callback.js:18:19", "password=", "secretKeyRef:\n  name: app",
	// identifiers and public values
	`code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM`, `client_id=a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6`, `&client_id=a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6&x=1`, `x5t: i6lGk3FZzxRcUb2C3nEQ7syHJlY`, `"uniqueTokenIdentifier":"ZTBkNTgwYWEtMzE2My00ZjY1LTg1ZTMtYjM1ZDk1YjQ0MTAw"`,
	`traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`, `123456789012-a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6.apps.googleusercontent.com`, `Thumbprint of key used by client: 'A1B2C3D4E5F60718293A4B5C6D7E8F9012345678'`, `IDX10503: KeyId: 'CC34C0A0BD5A4A3D8D6E0E2A3F0B5B5B'`,
	`"jti":"a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6"`, `"sub":"AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ"`, `sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`, `claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="`,
	`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs","e":"AQAB"}`, `OAuth2AuthorizationCodeRequestAuthenticationValidator`, `"d":"2026-01-02T03:04"`,
	// words about credentials
	`{"error":{"password":"must not be blank"}}`, `"grant_types":["password","refresh_token"]`, `"token_endpoint_auth_methods_supported":["client_secret_basic"]`, `client_secret_expires_at: 0`, `"passwordCredentials":[{"keyId":"4d2d72bb-bf40-405d-a600-a73e04ef7576","hint":"abc"}]`,
	`Token::Error`, `ERR_TOKEN: invalid`, `Cookie: blocked by the browser`, `Password: Incorrect`, "Authorization: the server refused", `Authorization: Bearer undefined`, `Authorization: Bearer [object Object]`, "The client_secret 'must not be empty'", "docker login --password-stdin registry.example",
	`{"name":"client_secret","in":"formData","type":"string"}`, "Set-Cookie: Path=/; Domain=shop.example; SameSite=None; Secure", `"max_tokens": 4096`,
	`pass: ["error=\"invalid_token\"", "HTTP 401"]`, `Pass: []string{"p"}`, "Send Authorization: DPoP <token> beside the DPoP header, not Bearer.", "curl -v <token endpoint>; see whether DNS, 2026abc", "header Authorization: Basic (client_secret_basic),",
	"oauth2-proxy: --pass-access-token and the rest", "`--access-token FILE` (at_hash)", `"code": "forbidden_token: missing_scope"`, "id-token: write", `["refresh_token", "refresh_oauth2"]`, `"code=<refresh", "x"`, "secret-shape=plus|percent|quoted", "code=entra/aadsts7000215", `{"spaced code", "AADSTS 53003 blocked"}`, `("/access_token", "/oauth.v2.access")`,
	// placeholders, places, users
	`client_secret=${CLIENT_SECRET}`, `password=$(cat file)`, `"password":"[FILTERED]"`, `password: ********`, `client_secret=<your client secret>`, `PWD=/home/user/app`, `http://127.0.0.1:51004/cb`, `https://shop.example@evil.example/cb`, `docker run -u 1000:1000`, "git log -u origin", "curl -b cookies.txt",
	// masks
	"client_secret=[secret 7f3a]&x=1", "Authorization: Bearer [secret 7f3a]", "https://u:[secret 7f3a]@h/", "password: [no secret]",
}
