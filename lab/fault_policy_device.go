package lab

var policyDevice = &Fault{
	Name:    "policy-device",
	Title:   "A Conditional Access policy wants a compliant device",
	Dialect: DialectEntra,
	Does:    "The policy \"" + devicePolicyName + "\" refuses every sign-in and every refresh that does not come from a compliant device: AADSTS53003, and the sign-in record names the policy.",
	Provoke: "Sign in or refresh from any browser or script.",
	Command: `curl -si '{authorize}?response_type=code&client_id={id}&redirect_uri={redirect}&scope={scope}&login_hint=lab:dana'`,
	Shows:   "Every client, after the password was right. Clients that show all errors as \"wrong password\" or try again for ever are found here.",
	Fix:     "The person uses a compliant device: POST /lab/devices enrols one and gives its id, for the header X-Lab-Device or as a cookie.",
	Proof:   "The same person's next sign-in to the client succeeds, from another device.",
	on:      func(l *Lab) { l.deviceRule = true },
	off:     func(l *Lab) { l.deviceRule = false },
}
