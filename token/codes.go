package token

// Reason codes. A problem carries one of them.
const (
	CodeMalformed     = "malformed"
	CodeEncoding      = "encoding"
	CodeTooLarge      = "too_large"
	CodeDuplicate     = "duplicate_member"
	CodeOpaque        = "opaque"
	CodeEncrypted     = "encrypted"
	CodeAlgNone       = "alg_none"
	CodeAlgNotAllowed = "alg_not_allowed"
	CodeCrit          = "crit_unknown"
	CodeTyp           = "typ_mismatch"
	CodeEmbeddedKey   = "embedded_key"
	CodeRemoteKey     = "remote_key"
	CodeKeyNotFound   = "key_not_found"
	CodeKeyUnfit      = "key_unfit"
	CodeKeyAmbiguous  = "key_ambiguous"
	CodePrivateKey    = "private_key"
	CodeSignature     = "sig_invalid"
	CodeMissingClaim  = "missing_claim"
	CodeClaimType     = "claim_type"
	CodeIssuer        = "iss_mismatch"
	CodeAudience      = "aud_mismatch"
	CodeAuthorized    = "azp_mismatch"
	CodeSubject       = "sub_mismatch"
	CodeExpired       = "expired"
	CodeNotYetValid   = "not_yet_valid"
	CodeFutureIssue   = "issued_in_future"
	CodeLifetime      = "lifetime_too_long"
	CodeNoExpiry      = "never_expires"
	CodeTimeOrder     = "time_order"
	CodeNonce         = "nonce_mismatch"
	CodeNoncePresent  = "nonce_present"
	CodeStaleAuth     = "stale_auth"
	CodeACR           = "acr_mismatch"
	CodeHash          = "hash_mismatch"
	CodeHashMissing   = "hash_missing"
	CodeMethod        = "htm_mismatch"
	CodeURL           = "htu_mismatch"
	CodeTokenHash     = "ath_mismatch"
	CodeThumbprint    = "jkt_mismatch"
	CodeScope         = "scope_not_string"
)

// Code is one row of the table of reason codes.
type Code struct {
	Name    string // "aud_mismatch"
	Meaning string // what is wrong, in a clause
	Fix     string // what to do, an instruction
	Ref     string // where it is written
	// Weak marks what is never a reason to refuse a token by itself. Other
	// codes may come as a weakness too, see Problem.Weakness.
	Weak bool
}

// Codes is the table of reason codes, in the order in which a verifier meets them.
var Codes = []Code{
	{CodeMalformed, "it is not put together as a JWT: wrong number of parts, no JSON object, a member of the wrong type", "Copy the token again, whole; if it is whole, the issuer's library is at fault.", "RFC 7515 section 7.1, RFC 7519 section 7.2", false},
	{CodeEncoding, "a part is not base64url without padding", "Take the token as it was sent: no padding, no line ends, no standard base64.", "RFC 7515 section 2", false},
	{CodeTooLarge, "the token, its header or the depth of its JSON is over the limit", "Carry fewer groups and claims in the token; fetch them when needed.", "RFC 8725 section 3.12", false},
	{CodeDuplicate, "a member is given twice, so that two readers can see two tokens", "Have the issuer write each member once.", "RFC 7515 section 4, RFC 7519 section 4", false},
	{CodeOpaque, "it is no JWT, so that only its issuer can read it", "Ask the introspection or userinfo endpoint; or request a token for an API that gets JWTs.", "RFC 7662", false},
	{CodeEncrypted, "it is encrypted, and nothing is decrypted here", "Decrypt it where the key is, or use the token as the opaque value that it is for this reader.", "RFC 7516", false},
	{CodeAlgNone, "it is not signed: alg is none, in whatever case", "Never accept it. Have the issuer sign its tokens.", "RFC 8725 sections 3.1 and 3.2", false},
	{CodeAlgNotAllowed, "alg is not one of the allowed algorithms", "Set the signing algorithm at the issuer; widen the list only for an asymmetric algorithm that the issuer documents.", "RFC 8725 section 3.1", false},
	{CodeCrit, "crit demands an extension that is not understood", "Do not accept the token; find out which extension the issuer means.", "RFC 7515 section 4.1.11", false},
	{CodeTyp, "typ says that it is another kind of token", "Send the token that this reader expects: an access token to an API, an ID token to the app.", "RFC 8725 section 3.11, RFC 9068 section 4", false},
	{CodeEmbeddedKey, "it brings its own key (jwk or x5c), which proves nothing", "Verify with the issuer's published keys only.", "RFC 8725 section 3.10", false},
	{CodeRemoteKey, "it names an address for its key (jku or x5u), which was not visited", "Verify with the issuer's published keys only.", "RFC 8725 section 3.10", false},
	{CodeKeyNotFound, "no key of the set has its kid", "Fetch the key set again once: keys may have been rotated. If it is still missing, the token is from another issuer or tenant.", "OpenID Connect Core section 10.1.1", false},
	{CodeKeyUnfit, "the key that it names may not or cannot make this signature", "Mend the key set at the issuer: alg, use and key_ops must fit, RSA keys need 2048 bits.", "RFC 7517 section 4, RFC 7518 section 3", false},
	{CodePrivateKey, "a private key stands where only a public one may", "Withdraw the key: whoever saw it can sign.", "RFC 7517 section 9.2, RFC 9449 section 4.3", false},
	{CodeSignature, "the signature does not fit the key and the content", "Check that the keys are of the issuer and tenant in iss and that the token was not changed on its way.", "RFC 7515 section 5.2", false},
	{CodeMissingClaim, "a claim that this kind of token must have is missing", "Have the issuer add the claim, or expect the kind of token that it is.", "RFC 9068 section 2.2 and the like", false},
	{CodeClaimType, "a claim has the wrong JSON type", "Have the issuer write it as the standard says: times are numbers of seconds, iss and sub are strings.", "RFC 7519 sections 2 and 4.1", false},
	{CodeIssuer, "iss, or the issuer that the key is published for, is another one", "Expect the issuer exactly as its metadata writes it; no slash more or less.", "RFC 8414 section 3.3, OpenID Connect Core section 3.1.3.7", false},
	{CodeAudience, "aud does not name this reader", "Request the token for this API (scope or resource or audience parameter), or expect the audience that the issuer uses for it.", "RFC 7519 section 4.1.3, RFC 9068 section 4", false},
	{CodeAuthorized, "azp names another client", "Use an ID token that was issued to this client.", "OpenID Connect Core section 3.1.3.7", false},
	{CodeSubject, "sub is not who it must be", "In a client assertion iss and sub are both the client id.", "RFC 7523 section 3", false},
	{CodeExpired, "its time is over", "Get a new token; if it is fresh, set the clock.", "RFC 7519 section 4.1.4", false},
	{CodeNotYetValid, "its time has not come (nbf)", "Synchronise the clocks of issuer and reader.", "RFC 7519 section 4.1.5", false},
	{CodeFutureIssue, "it was issued in the future (iat)", "Synchronise the clocks of issuer and reader.", "RFC 7519 section 4.1.6", false},
	{CodeLifetime, "it is valid for longer than allowed", "Issue it with a nearer exp.", "RFC 7523 section 3", false},
	{CodeNonce, "nonce is not that of the request", "Start the sign-in again, and keep the nonce with the browser session that sent it.", "OpenID Connect Core section 3.1.3.7", false},
	{CodeNoncePresent, "a logout token must not have a nonce", "Do not accept it: it may be an ID token in disguise.", "OpenID Connect Back-Channel Logout section 2.4", false},
	{CodeStaleAuth, "the person signed in too long ago (auth_time)", "Send the person to sign in again with max_age or prompt=login.", "OpenID Connect Core section 3.1.3.7", false},
	{CodeACR, "acr is not one of those that were demanded", "Ask for the acr as an essential claim and step up.", "OpenID Connect Core section 5.5.1.1", false},
	{CodeHash, "at_hash or c_hash does not fit the access token or code", "Use the tokens of one response together.", "OpenID Connect Core sections 3.1.3.6 and 3.3.2.11", false},
	{CodeMethod, "htm is not the method of the request", "Make a proof for each request.", "RFC 9449 section 4.3", false},
	{CodeURL, "htu is not the address of the request", "Sign the address that the server sees; behind a proxy, set the public address at the server.", "RFC 9449 section 4.3", false},
	{CodeTokenHash, "ath does not fit the access token", "Make the proof for the access token that is sent with it.", "RFC 9449 section 4.3", false},
	{CodeThumbprint, "the proof's key is not the one that the access token is bound to", "Use the key with which the access token was requested.", "RFC 9449 section 4.3", false},
	{CodeKeyAmbiguous, "more than one key fits, so that each had to be tried", "Give every key of a set its own kid, and name it in each token.", "RFC 7517 section 4.5", true},
	{CodeNoExpiry, "it never expires (no exp)", "Have the issuer set exp.", "RFC 8725 section 3.8, RFC 7519 section 4.1.4", true},
	{CodeTimeOrder, "its times contradict each other", "Have the issuer write iat before exp and nbf before exp.", "RFC 7519 section 4.1", true},
	{CodeHashMissing, "at_hash or c_hash is not there to be compared", "Nothing in the code flow; with a response of the authorization endpoint the hash is required.", "OpenID Connect Core section 3.2.2.10", true},
	{CodeScope, "scope is not one string with blanks between", "Read both forms; ask the issuer for the standard one.", "RFC 8693 section 4.2, RFC 9068 section 2.2.3", true},
}

// LookupCode finds the row of a reason code.
func LookupCode(name string) (Code, bool) {
	for _, c := range Codes {
		if c.Name == name {
			return c, true
		}
	}
	return Code{}, false
}
