// Package client gets tokens from a broker: a token source for
// golang.org/x/oauth2 and for plain HTTP clients.
//
//	c := client.New(client.Options{Server: "https://usher.example", Key: key})
//	api := c.HTTP("shop-gateway", "https://api.example")
//	resp, err := api.Get("https://api.example/v1/charges")
//
// A token is kept here until it is near its end, asked for once however many want
// it, and used on while the server is away for a moment. One that the API refuses
// is replaced, and the request sent again once where that is safe. Watch listens
// for changes, so that a token that was replaced is dropped at once.
//
// It needs the standard library and golang.org/x/oauth2, and nothing of the
// broker itself. Package local gives the same client on a broker in process.
package client
