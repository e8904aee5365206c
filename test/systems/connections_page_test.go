package systems_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"usher"
	"usher/broker"
	"usher/console"
)

// TestConnectionFollows: what befalls a connection shows on its page by itself,
// the mark of now moves, and what a person is typing stays.
func TestConnectionFollows(t *testing.T) {
	s := openScreen(t)
	s.broker.Edit("shop-gateway", func(c *console.Connection) {
		c.Status.Obtained, c.Status.Expires, c.Status.RenewAt = time.Now().Add(-time.Second), time.Now().Add(20*time.Second), time.Now().Add(15*time.Second)
	})
	s.run("open the connection", chromedp.Navigate(s.url+"/connections/shop-gateway"), chromedp.WaitVisible(chromedp.CSS("#live.on")))
	s.becomes(3*time.Second, `document.querySelector("#trouble-h").textContent === "Nothing is wrong"`)
	ask[any](s, `window.mark = "not loaded again"; window.before = Number(document.querySelector(".life .now").getAttribute("cx")); document.querySelector("#remove").open = true`)
	s.run("type", chromedp.SendKeys(chromedp.CSS("#remove input"), "shop-g"))
	s.becomes(5*time.Second, `Number(document.querySelector(".life .now").getAttribute("cx")) > window.before`)

	s.broker.Edit("shop-gateway", func(c *console.Connection) {
		c.Status.State = broker.StateWaiting
		c.Status.Trouble = &broker.Trouble{Cause: "client-secret-invalid", Strategy: "rotate", Title: "the client secret is not the one that the provider holds", Turn: usher.FixerDeveloper, Since: time.Now(), Last: time.Now(), Tries: 1}
	})
	s.becomes(2*time.Second, `document.querySelector("#headline .chip").textContent.includes("Waiting") && document.querySelector("#trouble").innerText.includes("the developer’s, to replace the client’s secret")`)
	for what, expression := range map[string]string{
		"the page was loaded again": `window.mark === "not loaded again"`,
		"what was typed is lost":    `document.querySelector("#remove input").value === "shop-g"`,
		"what was opened is closed": `document.querySelector("#remove").open`,
	} {
		if !ask[bool](s, expression) {
			t.Error(what)
		}
	}

	// It heals, and the list tells so too.
	s.broker.Edit("shop-gateway", func(c *console.Connection) {
		c.Status.Healed, c.Status.Trouble, c.Status.State = c.Status.Trouble, nil, broker.StateAlive
		c.Status.Healed.Ended = time.Now()
	})
	s.becomes(2*time.Second, `document.querySelector("#trouble").innerText.includes("It healed at")`)
	s.run("open the list", chromedp.Navigate(s.url+"/connections"), chromedp.WaitVisible(chromedp.CSS("#live.on")))
	s.becomes(3*time.Second, `document.querySelectorAll(".case").length === 5 && document.title.startsWith("(1)")`)
	s.broker.Edit("shop-ledger", func(c *console.Connection) { c.Status.State = broker.StateWaiting })
	s.becomes(2*time.Second, `document.title.startsWith("(2)")`)
}
