package lab

var consentRequired = &Fault{
	Name:    "consent-required",
	Title:   "The consent to the API's scope was taken back",
	Dialect: DialectEntra,
	Does:    "The scope " + scopeOrders + " needs a person's consent, and nobody has given it.",
	Provoke: "Refresh a grant that has the scope, or ask for it with prompt=none.",
	Command: `curl -si '{authorize}?response_type=code&client_id={id}&redirect_uri={redirect}&scope={scope}&login_hint=lab:dana&prompt=none'`,
	Shows:   "Clients that only ever ask silently: refresh, hidden frame, background job.",
	Fix:     "The person signs in on the page once more and accepts; then the silent request is repeated.",
	Proof:   "The same client gets a token for the same person.",
	on:      func(l *Lab) { l.needConsent[scopeOrders] = true; clear(l.consents) },
	off:     func(l *Lab) { clear(l.needConsent) },
}
