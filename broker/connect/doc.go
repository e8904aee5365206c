// Package connect lets a person begin a grant: the hosted page, authorization
// code and device flow.
//
// Nothing happens by opening a page. A form of this server begins a flow; the
// flow is bound to the browser that began it, to one provider, to one client and
// to ten minutes, and its state is taken once. What comes back is redeemed once;
// where an ID token was asked for it is verified before anything is stored. Every
// refusal is an event with its cause.
package connect
