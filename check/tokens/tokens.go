// Package tokens holds the checks of tokens: what they hold, how they are asked
// for, sent, refreshed, ended and read.
package tokens

import "usher/check"

// Checks are the checks of the group token, in the order of a reading person:
// what the token is, whether it is genuine, for whom and when it is good, what
// it holds, the sign-in behind it, how it travels, how it is kept alive and
// ended, and what the API makes of it.
var Checks = []*check.Check{
	wellFormed, kindFits, idAsAccess, critical, size,
	algNone, algAllowed, keyConfusion, embeddedKey, kidFound, signature, notForUs,
	expired, notYet, lifetime, expiresIn,
	issuer, audience, authorizedParty, tenant,
	subject, requiredClaims, unique, personalData, emailVerified,
	nonce, hashes, authTime, stepUpLoop, claimsChallenge, userinfoSub,
	tokenType, headerForm, multipleTransport,
	replay, inLogs, storageBrowser, passthrough,
	refreshPresent, refreshRotation, refreshSingleFlight, refreshEarly, refreshIdle, refreshScopeWiden, refreshRevokedCause,
	refreshReuseDetected, refreshBound,
	revokeOnLogout, revocationWorks, logoutToken,
	introspectionAuth, introspectionActive, introspectionJWT,
	dpopProof, dpopNonce, dpopRequired, mtlsBound,
	exchangeClaims,
	challenge401, status401or403, resourceMetadata,
	apiAudience, apiExpiry, apiSignature,
}
