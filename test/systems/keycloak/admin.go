package keycloak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// token is the administrator's access token, kept while it is good.
type token struct {
	mu    sync.Mutex
	value string
	until time.Time
}

// AdminToken gives an access token of the administrator. Each new one is an
// event in the log, of realm master.
func (s *Server) AdminToken(ctx context.Context) (string, error) {
	s.token.mu.Lock()
	defer s.token.mu.Unlock()
	if time.Now().Before(s.token.until) {
		return s.token.value, nil
	}
	form := url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {admin}, "password": {admin}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Issuer("master")+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var got struct {
		Token   string `json:"access_token"`
		Seconds int    `json:"expires_in"`
	}
	if err := send(req, &got); err != nil {
		return "", fmt.Errorf("the administrator's token: %w", err)
	}
	s.token.value = got.Token
	s.token.until = time.Now().Add(time.Duration(got.Seconds)*time.Second - 10*time.Second)
	return got.Token, nil
}

// Admin calls the admin API as the administrator: method, path below
// /admin/realms ("shop/clients?clientId=shop"), what to send and where to put
// the answer, either of them nil.
func (s *Server) Admin(ctx context.Context, method, path string, in, out any) error {
	bearer, err := s.AdminToken(ctx)
	if err != nil {
		return err
	}
	var body io.Reader
	if in != nil {
		text, ok := in.([]byte)
		if !ok {
			if text, err = json.Marshal(in); err != nil {
				return err
			}
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.URL+"/admin/realms/"+path, "/"), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	if err := send(req, out); err != nil {
		return errors.Join(err, s.Ended())
	}
	return nil
}

// send does a request and reads the JSON of its answer; a status over 299 is an
// error.
func send(req *http.Request, out any) error {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return err
	}
	if res.StatusCode > 299 {
		return fmt.Errorf("%s %s: %s: %.300s", req.Method, req.URL.Path, res.Status, text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	return nil
}

// CreateRealm makes a realm from a representation as Keycloak exports it.
func (s *Server) CreateRealm(ctx context.Context, representation []byte) error {
	return s.Admin(ctx, http.MethodPost, "", representation, nil)
}

// DeleteRealm removes a realm with everything in it.
func (s *Server) DeleteRealm(ctx context.Context, realm string) error {
	return s.Admin(ctx, http.MethodDelete, realm, nil, nil)
}

// Client gives the representation of a client by its client id.
func (s *Server) Client(ctx context.Context, realm, clientID string) (map[string]any, error) {
	var found []map[string]any
	if err := s.Admin(ctx, http.MethodGet, realm+"/clients?clientId="+url.QueryEscape(clientID), nil, &found); err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("realm %s has %d clients %q", realm, len(found), clientID)
	}
	return found[0], nil
}

// EditClient lets the administrator sign in and change members of a client, as
// the admin console does: the whole representation is written back.
func (s *Server) EditClient(ctx context.Context, realm, clientID string, members map[string]any) error {
	s.token.mu.Lock()
	s.token.until = time.Time{}
	s.token.mu.Unlock()
	client, err := s.Client(ctx, realm, clientID)
	if err != nil {
		return err
	}
	for name, value := range members {
		client[name] = value
	}
	return s.Admin(ctx, http.MethodPut, fmt.Sprintf("%s/clients/%v", realm, client["id"]), client, nil)
}
