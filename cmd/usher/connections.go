package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"usher/console"
	"usher/report"
)

// ConnectionsCmd answers: which tokens for other people's APIs are alive, until
// when, and what is wrong with the others? It asks the running server.
type ConnectionsCmd struct {
	connectFlags
	List      ConnectionsListCmd      `cmd:"" default:"withargs" help:"List connections: alive until, renewed at, what is wrong and whose turn it is."`
	Add       ConnectionsAddCmd       `cmd:"" help:"Make a connection, from a preset or by what an issuer publishes."`
	Show      ConnectionsShowCmd      `cmd:"" help:"Show one connection."`
	Explain   ConnectionsExplainCmd   `cmd:"" help:"Say why its token lives as long as it does."`
	Connect   ConnectionsConnectCmd   `cmd:"" help:"Make the link where a person connects it."`
	Renew     ConnectionsRenewCmd     `cmd:"" help:"Renew its token now."`
	Configure ConnectionsConfigureCmd `cmd:"" help:"Change what it asks for, its secret, its policy or who may use it."`
	Remove    ConnectionsRemoveCmd    `cmd:"" help:"Take it away, with its tokens."`
	Key       ConnectionsKeyCmd       `cmd:"" help:"Make a key with which a program takes tokens, and does nothing else."`
	Presets   ConnectionsPresetsCmd   `cmd:"" help:"List the APIs of which the addresses and habits are known."`
}

type connectionFormat struct {
	Format string `enum:"text,json" default:"text" help:"Form of the answer: ${enum}."`
}

type connectionName struct {
	ID string `arg:"" name:"connection" help:"Id of the connection."`
}

func (c *connectionName) path(rest string) string {
	return "/api/v1/connections/" + url.PathEscape(c.ID) + rest
}

// ConnectionsListCmd lists connections.
type ConnectionsListCmd struct{ connectionFormat }

// Run lists.
func (c *ConnectionsListCmd) Run(env *Env, at *ConnectionsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var list struct {
		Connections []console.Connection `json:"connections"`
	}
	if err := cl.call(context.Background(), http.MethodGet, "/api/v1/connections", nil, &list); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		return writeJSON(env, list)
	}
	writeConnections(env, list.Connections)
	return nil
}

// ConnectionsShowCmd shows one.
type ConnectionsShowCmd struct {
	connectionName
	connectionFormat
}

// Run shows. Its status tells whether a token can be had.
func (c *ConnectionsShowCmd) Run(env *Env, at *ConnectionsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var found console.Connection
	if err := cl.call(context.Background(), http.MethodGet, c.path(""), nil, &found); err != nil {
		return told(env, err)
	}
	return c.write(env, &found)
}

// write tells of a connection.
func (f connectionFormat) write(env *Env, found *console.Connection) error {
	if f.Format == "json" {
		return writeJSON(env, found)
	}
	writeConnection(env, found)
	return nil
}

// ConnectionsExplainCmd explains the life of a token.
type ConnectionsExplainCmd struct {
	connectionName
	connectionFormat
}

type explained struct {
	Connection string    `json:"connection"`
	Expires    time.Time `json:"expires,omitzero"`
	RenewAt    time.Time `json:"renew_at,omitzero"`
	Reasons    []reason  `json:"reasons"`
}

type reason struct {
	Source string `json:"source"`
	Name   string `json:"name,omitempty"`
	Text   string `json:"text"`
	Field  string `json:"field,omitempty"`
	Value  string `json:"value,omitempty"`
}

// Run explains.
func (c *ConnectionsExplainCmd) Run(env *Env, at *ConnectionsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var why explained
	if err := cl.call(context.Background(), http.MethodGet, c.path("/explain"), nil, &why); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		return writeJSON(env, why)
	}
	if len(why.Reasons) > 0 {
		writeExplained(env, &why)
		return nil
	}
	var found console.Connection
	if err := cl.call(context.Background(), http.MethodGet, c.path(""), nil, &found); err != nil {
		return told(env, err)
	}
	fmt.Fprintf(env.Stdout, "%s has no token yet, so nothing has decided how long it lives.\n", report.Inert(c.ID))
	for _, text := range wrong(&found, env.Now()) {
		fmt.Fprintln(env.Stdout, "  "+text)
	}
	return nil
}

// ConnectionsConnectCmd makes a link.
type ConnectionsConnectCmd struct {
	connectionName
	connectionFormat
}

type connectLink struct {
	Link string `json:"link"`
}

// Run makes the link.
func (c *ConnectionsConnectCmd) Run(env *Env, at *ConnectionsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var link connectLink
	if err := cl.call(context.Background(), http.MethodPost, c.path("/connect"), nil, &link); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		return writeJSON(env, link)
	}
	fmt.Fprintln(env.Stdout, report.Inert(link.Link))
	env.say("hint", "give it to the person whose account it is, and to nobody else: whoever opens it connects "+c.ID+" to an account of theirs")
	return nil
}

// ConnectionsRenewCmd renews a token.
type ConnectionsRenewCmd struct {
	connectionName
	connectionFormat
}

// Run renews. Its status is 1 where it was refused.
func (c *ConnectionsRenewCmd) Run(env *Env, at *ConnectionsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var found console.Connection
	if err := cl.call(context.Background(), http.MethodPost, c.path("/renew"), nil, &found); err != nil {
		return told(env, err)
	}
	if err := c.write(env, &found); err != nil {
		return err
	}
	if found.Status.Trouble != nil {
		return exitWrong
	}
	return nil
}

// ConnectionsRemoveCmd removes a connection.
type ConnectionsRemoveCmd struct {
	connectionName
	Yes bool `help:"Do not ask."`
}

// Run asks and removes.
func (c *ConnectionsRemoveCmd) Run(env *Env, at *ConnectionsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var found console.Connection
	if err := cl.call(context.Background(), http.MethodGet, c.path(""), nil, &found); err != nil {
		return told(env, err)
	}
	if !c.Yes && !env.ask("Remove "+report.Inert(c.ID)+"? Its tokens are revoked where the provider can do that, and programs that use it get none. [y/N] ") {
		fmt.Fprintln(env.Stdout, "nothing was changed")
		return exitWrong
	}
	if err := cl.call(context.Background(), http.MethodDelete, c.path(""), nil, nil); err != nil {
		return told(env, err)
	}
	fmt.Fprintf(env.Stdout, "%s is removed\n", report.Inert(c.ID))
	return nil
}

// ConnectionsKeyCmd makes a caller's key.
type ConnectionsKeyCmd struct {
	connectionFormat
	Name        string   `arg:"" help:"Which program it is for."`
	Connections []string `arg:"" optional:"" name:"connection" help:"Whose tokens it may take; none: of every connection."`
	Days        int      `help:"Until it expires; 0: never." default:"0"`
}

// Run makes the key and prints its value, once.
func (c *ConnectionsKeyCmd) Run(env *Env, at *ConnectionsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	rights := c.Connections
	if len(rights) == 0 {
		rights = []string{"*"}
	}
	for _, id := range c.Connections { // a key for a name that was mistyped would be refused for ever
		one := connectionName{id}
		if err := cl.call(context.Background(), http.MethodGet, one.path(""), nil, nil); err != nil {
			return told(env, err)
		}
	}
	var made struct {
		Key   json.RawMessage `json:"key"`
		Value string          `json:"value"`
	}
	body := map[string]any{"name": c.Name, "days": c.Days, "connections": rights}
	if err := cl.call(context.Background(), http.MethodPost, "/api/v1/keys", body, &made); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		return writeJSON(env, made)
	}
	fmt.Fprintln(env.Stdout, made.Value)
	env.say("hint", "it is shown this once; the program sends it as \"Authorization: Bearer\" to /connections/ID/token")
	return nil
}

// ConnectionsPresetsCmd lists presets.
type ConnectionsPresetsCmd struct{ connectionFormat }

// Run lists.
func (c *ConnectionsPresetsCmd) Run(env *Env, at *ConnectionsCmd) error {
	cl, err := at.client(env)
	if err != nil {
		return err
	}
	var list struct {
		Presets []console.Preset `json:"presets"`
	}
	if err := cl.call(context.Background(), http.MethodGet, "/api/v1/presets", nil, &list); err != nil {
		return told(env, err)
	}
	if c.Format == "json" {
		return writeJSON(env, list)
	}
	writePresets(env, list.Presets)
	return nil
}

// writeJSON writes a value as JSON that people can read too.
func writeJSON(env *Env, v any) error {
	enc := json.NewEncoder(env.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
