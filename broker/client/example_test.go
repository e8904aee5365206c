package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/oauth2"

	"usher/broker/client"
)

// examples plays usher and an API that wants its token.
func examples() (usher, api *httptest.Server) {
	usher = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"example","token_type":"Bearer","expires_in":600,"generation":1}`)
	}))
	api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "hello, %s", r.Header.Get("Authorization"))
	}))
	return usher, api
}

// Requests of an HTTP client carry the token of a connection.
func ExampleClient_HTTP() {
	usher, api := examples()
	defer usher.Close()
	defer api.Close()

	c := client.New(client.Options{Server: usher.URL, Key: "the key of this program"})
	resp, err := c.HTTP("shop-gateway", api.URL).Get(api.URL + "/v1/charges")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	fmt.Println(string(text))
	// Output: hello, Bearer example
}

// Libraries that want an oauth2.TokenSource are given one.
func ExampleClient_TokenSource() {
	usher, api := examples()
	defer usher.Close()
	defer api.Close()

	ctx := context.Background()
	c := client.New(client.Options{Server: usher.URL, Key: "the key of this program"})
	resp, err := oauth2.NewClient(ctx, c.TokenSource(ctx, "shop-gateway")).Get(api.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	fmt.Println(string(text))
	// Output: hello, Bearer example
}

// A job that takes long asks for a token that lives as long.
func ExampleClient_Token() {
	usher, api := examples()
	defer usher.Close()
	defer api.Close()

	c := client.New(client.Options{Server: usher.URL, Key: "the key of this program"})
	token, err := c.Token(context.Background(), "shop-gateway", client.Ask{LeastLife: 5 * time.Minute})
	fmt.Println(token.Type, token.Generation, err)
	// Output: Bearer 1 <nil>
}
