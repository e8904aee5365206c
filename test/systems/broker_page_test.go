package systems_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"usher/broker"
)

// TestBrokerPage connects in a real browser, once with the width of a phone and
// without scripts, once on a large dark screen: nothing that the pages' own policy
// refuses, nothing that does not fit.
func TestBrokerPage(t *testing.T) {
	browserPath := findBrowser(t)
	p := startStrict(t)
	p.brokered = newBrokered(t, p.issuer)
	v := p.add("shop-gateway", p.issuer, func(c *broker.Config) {
		c.ClientID, c.Scopes, c.Owner = "shop", []string{"openid", "offline_access", "orders"}, "payments team"
	}, p.secret)
	p.do("POST", "/test/callback?uri="+p.h.RedirectURI(v.Config))

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browserPath), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var troubles []string
	err := chromedp.Listen(ctx, func(ev any) {
		if ev, ok := ev.(*log.EventEntryAdded); ok {
			mu.Lock()
			defer mu.Unlock()
			troubles = append(troubles, fmt.Sprintf("%s: %s %s", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL))
		}
	})
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	run := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	text := func(expression string) string {
		t.Helper()
		v, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	look := func(name string) {
		t.Helper()
		if wide, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > window.innerWidth`)); err != nil || wide {
			t.Errorf("%s does not fit: %v", name, err)
		}
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil || len(png) < 8_000 {
			t.Errorf("the picture of %s has %d bytes: it looks blank (%v)", name, len(png), err)
		}
		if dir := os.Getenv("USHER_PICTURES"); dir != "" {
			_ = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
		}
	}
	for _, screen := range []struct {
		name, scheme string
		width        int64
		height       int64
		scripts      bool
	}{{"connect-phone", "light", 390, 844, false}, {"connect-large", "dark", 1280, 900, true}} {
		link, err := p.h.Link(p.ctx, "shop-gateway")
		if err != nil {
			t.Fatal(err)
		}
		run("set up the screen", chromedp.EmulateViewport(screen.width, screen.height), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}}})
			return err
		}), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !screen.scripts})
			return err
		}))
		run("open the link", chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS("button.go")))
		look(screen.name + "-page")
		run("press the button", chromedp.Click(chromedp.CSS("button.go")), chromedp.WaitVisible(chromedp.CSS("section.once")))
		look(screen.name + "-done")
		if got := text(`document.querySelector("h1").textContent`); got != "Connected" {
			t.Errorf("%s ends at %q", screen.name, got)
		}
		if got := p.get("shop-gateway").Status; got.State != broker.StateAlive || got.User != "ana" {
			t.Errorf("%+v", got)
		}
		run("load it again", chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS("section.card")))
		if got := text(`document.body.textContent`); !strings.Contains(got, "used already") && !strings.Contains(got, "in this browser") {
			t.Errorf("loaded again it says %s", got)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, trouble := range troubles {
		if !strings.Contains(trouble, "Failed to load resource: the server responded with a status of 4") { // the page that was loaded again
			t.Errorf("in the browser: %s", trouble)
		}
	}
	p.keepsSecrets()
}
