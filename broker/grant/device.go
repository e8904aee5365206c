package grant

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"usher"
)

// Device is the answer of a device authorization endpoint, RFC 8628 section 3.2.
type Device struct {
	DeviceCode  usher.Secret
	UserCode    string // for a person to type
	URI         string // where it is typed: https, or http on this machine
	URIComplete string // with the code in it; empty: there is none
	ExpiresIn   time.Duration
	Interval    time.Duration // between two requests for the token
}

// What a device authorization answer leaves open.
const (
	defaultInterval   = 5 * time.Second  // RFC 8628 section 3.2
	defaultDeviceLife = 10 * time.Minute // the RFC requires expires_in; not all send it
	maxInterval       = 5 * time.Minute
)

// Device asks a device authorization endpoint, named by r.Endpoint, for codes;
// the client authenticates as at the token endpoint (RFC 8628 section 3.1). Its
// error is a *Refusal.
func (a *Asker) Device(ctx context.Context, r Request) (*Device, error) {
	got, refusal := a.send(ctx, &r)
	if refusal != nil {
		return nil, refusal
	}
	reader := &reader{answered: got}
	if err := reader.parse(); err != nil {
		return nil, reader.unreadable(err)
	}
	if got.status/100 != 2 || reader.refused() {
		return nil, reader.refusal()
	}
	d := &Device{
		DeviceCode: usher.Secret(reader.text("device_code")), UserCode: strings.TrimSpace(reader.text("user_code")),
		URI: reader.first("verification_uri", "verification_url"), URIComplete: reader.first("verification_uri_complete", "verification_url_complete"),
		ExpiresIn: reader.told("expires_in"), Interval: reader.told("interval"),
	}
	switch {
	case d.DeviceCode == "" || d.UserCode == "" || d.URI == "":
		return nil, reader.unreadable(errors.New("its answer lacks device_code, user_code or verification_uri (RFC 8628 section 3.2)"))
	case len(d.DeviceCode) > 8<<10 || len(d.UserCode) > 60 || strings.ContainsFunc(d.UserCode, func(c rune) bool { return c < ' ' || c > '~' }):
		return nil, reader.unreadable(errors.New("its codes are not such that a person could type them"))
	case !forPeople(d.URI):
		return nil, reader.unreadable(errors.New("its verification_uri is no https address"))
	}
	if !forPeople(d.URIComplete) {
		d.URIComplete = ""
	}
	if d.ExpiresIn <= 0 {
		d.ExpiresIn = defaultDeviceLife
	}
	if d.Interval <= 0 {
		d.Interval = defaultInterval
	}
	d.Interval = min(d.Interval, maxInterval)
	return d, nil
}

// forPeople tells whether a person may be sent to an address.
func forPeople(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || len(address) > 2048 {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
