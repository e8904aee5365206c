// Package redirects holds the checks of redirect URIs.
package redirects

import "usher/check"

// Checks are the checks of the group redirect-uri: what is sent against what is
// registered, then the registered entries by themselves, then what only the
// provider or the network can tell.
var Checks = []*check.Check{
	registered, slash, letterCase, scheme, hostPort, query, encoding, loopbackPort, localhostName, platformType,
	absolute, encrypted, dangerousScheme, privateScheme, codeParam,
	wildcard, wildcardGlobal, wildcardLiteral,
	localhostProduction, sharedHost, dangling, openRedirector,
	unused, count, distinctPerIssuer, logoutCORSOrigins,
	serverExact, errorNoRedirect,
}
