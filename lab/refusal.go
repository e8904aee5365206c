package lab

// problem is one reason to refuse, before a dialect puts it into words.
type problem int

// The reasons.
const (
	fine problem = iota
	requestMalformed
	grantUnknown
	grantNotAllowed
	clientUnknown
	clientDisabled
	secretMissing
	secretWrong
	secretExpired
	secretIsID
	redirectUnknown
	redirectDiffers
	responseType
	pkceMissing
	pkceMalformed
	pkceWrong
	scopeUnknown
	codeInvalid
	codeUsed
	codeOfOther
	refreshInvalid
	refreshEnded
	refreshReused
	sessionGone
	loginRequired
	consentMissing
	consentRefused
	passwordWrong
	userUnknown
	userDisabled
	deviceBlocked
)

// refusal is a problem with what is special about this one.
type refusal struct {
	is         problem
	detail     string // the scope, the parameter
	credential string // id of the secret that was used
}

func (r refusal) bad() bool { return r.is != fine }
