// Package clients holds the checks of clients: who they are, how they prove it,
// which grants they use and how they carry a sign-in through.
package clients

import "usher/check"

// Checks are the checks of the group client.
var Checks = []*check.Check{
	clientIDKnown, clientDisabled, clientTypeFits, secretInPublicClient,
	secretValid, secretExpiry, secretAge, secretOverlap, secretUnused, secretCount, secretEntropy, secretExposed, secretShared, secretChars,
	authMethodRegistered, authMethodDouble, authMethodWeak,
	assertionAudience, assertionClaims, assertionKeyRegistered, assertionReplay, mtlsBindingRegistered, federatedCredentialSubject,
	grantRegistered, grantImplicit, grantPassword, grantDeviceExposure, devicePolling, responseGrantConsistent,
	pkceSent, pkceVerifierForm, pkceMatches, statePresent, noncePresent, issResponseChecked,
	responseModeFits, samesiteState, callbackHostConsistent, codeOnce, codeFresh, tokenEndpointRedirectURI, logoutURIRegistered,
	clientOwner, clientUnused, serviceAccountMixed, userConsentOpen,
	cimdDocument, dcrResponseKept, credentialsPerIssuer,
	conditionalAccessClient, embeddedWebview,
}
