package usher

import "strings"

// Error is a failure told to three readers: Code is for programs, Message and
// Hint are for the person at the terminal, Err is for the log.
//
// Message says what happened and where (file, line, field); Hint says what to
// type or to click next. Neither ever holds a secret.
type Error struct {
	Code    string // one of the Err constants
	Message string
	Hint    string // empty when there is nothing useful to say
	Err     error  // the wrapped error, may be nil
}

// Codes of Error.
const (
	ErrUsage      = "usage"      // the call itself is wrong: flags, arguments
	ErrUnreadable = "unreadable" // the input cannot be read or is not what it claims to be
	ErrTooLarge   = "too-large"  // the input is over a stated limit
	ErrInternal   = "internal"   // a defect of usher

	ErrRefused     = "refused"     // usher will not do it: it must not go there, or it would weaken security
	ErrForbidden   = "forbidden"   // the other side says that a right is missing
	ErrNotFound    = "not-found"   // there is no such thing
	ErrChanged     = "changed"     // it is no longer what was looked at
	ErrUnreachable = "unreachable" // no answer, or none that can be used
)

// Error gives the message and, behind it, the wrapped error.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	if strings.HasSuffix(e.Message, e.Err.Error()) {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap gives the wrapped error to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }
