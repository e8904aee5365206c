package systems_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"usher"
)

// screenshotFile is shown in the README; `USHER_UPDATE=1` has it made anew.
const screenshotFile = "../../docs/first-case.png"

// page is a real browser before usher.
type page struct {
	*shop
	ctx  context.Context
	base string

	mu       sync.Mutex
	troubles []string // what the browser complained of, and what the pages asked of others
}

// openPage starts the browser and signs in: with the one-time password of the
// terminal, then a password of one's own.
func openPage(s *shop) *page {
	t := s.t
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findBrowser(t)), chromedp.NoSandbox, chromedp.WindowSize(1280, 900), chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)

	p := &page{shop: s, ctx: ctx}
	said := s.said.String()
	if p.base = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(said); p.base == "" {
		t.Fatalf("usher serve does not say where its pages are:\n%s", said)
	}
	once := regexp.MustCompile(`\b[a-z2-7]{5}(-[a-z2-7]{5}){3}\b`).FindString(said)
	if once == "" {
		t.Fatalf("usher serve does not tell the one-time password:\n%s", said)
	}
	p.watch()
	p.run("sign in with the one-time password",
		chromedp.Navigate(p.base+"/"),
		chromedp.SendKeys(chromedp.CSS("#password"), once),
		chromedp.Submit(chromedp.CSS("#password")),
		chromedp.WaitVisible(chromedp.CSS("#again")),
	)
	p.run("set a password",
		chromedp.SendKeys(chromedp.CSS("#name"), "kim"),
		chromedp.SendKeys(chromedp.CSS("#password"), "a password of Kim's own"),
		chromedp.SendKeys(chromedp.CSS("#again"), "a password of Kim's own"),
		chromedp.Submit(chromedp.CSS("#again")),
		chromedp.WaitVisible(chromedp.CSS("#cases")),
	)
	return p
}

// watch notes what goes wrong in the browser, and requests to anybody else.
func (p *page) watch() {
	err := chromedp.Listen(p.ctx, func(ev any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			p.troubles = append(p.troubles, "an exception: "+ev.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			p.troubles = append(p.troubles, fmt.Sprintf("console.%s", ev.Type))
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(ev.Request.URL); err == nil && u.Scheme != "data" && !strings.HasPrefix(ev.Request.URL, p.base+"/") {
				p.troubles = append(p.troubles, "a request to "+ev.Request.URL)
			}
		}
	})
	if err == nil {
		_, err = chromedp.Call(p.ctx, network.Enable, network.EnableParams{})
	}
	if err != nil {
		p.t.Fatalf("start the browser: %v", err)
	}
}

func (p *page) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		at, _ := chromedp.Run(p.ctx, chromedp.Location())
		text, _ := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS("body")))
		p.t.Fatalf("%s: %v\nat %s:\n%s", what, err, at, text)
	}
}

// shows waits until the page has such a text, without being loaded again.
func (p *page) shows(limit time.Duration, texts ...string) {
	p.t.Helper()
	p.within(limit, fmt.Sprintf("the page shows %q", texts), func() error {
		text, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS("body")))
		if err != nil {
			return err
		}
		plain := strings.Join(strings.Fields(text), " ")
		for _, want := range texts {
			if !strings.Contains(plain, want) {
				return fmt.Errorf("it lacks %q:\n%s", want, text)
			}
		}
		return nil
	})
}

// onThePage is the first case as a person in front of a browser has it.
func onThePage(s *shop) {
	t := s.t
	s.breakIt()
	p := openPage(s)
	p.shows(patience, "No sign-in was refused so far.")

	// The list shows the case by itself, and so does the case's page.
	s.fails(1, refused, nil)
	title := strings.ReplaceAll(firstTitle, "`", "")
	p.shows(patience, "redirect-uri-mismatch")
	p.run("open the case", chromedp.Click(chromedp.CSS("#case-1")), chromedp.WaitVisible(chromedp.CSS("#headline")))
	shown, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS("h1")))
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(strings.TrimSuffix(shown, "."), "`", "") != title {
		t.Errorf("the page says\n     %s\nwant %s", shown, title)
	}
	s.fails(13, refused, nil)
	p.shows(patience, "14 tries", "3 addresses")

	// The exact difference, then the change.
	p.run("show the difference", chromedp.Click(chromedp.CSS("#plan-1")), chromedp.WaitVisible(chromedp.CSS("#apply-1")))
	p.shows(patience, withSlash)
	before := s.registration()
	p.picture("planned")
	p.run("make the change", chromedp.Click(chromedp.CSS("#apply-1")), chromedp.WaitVisible(chromedp.CSS("#runs")))
	s.becomes(usher.CaseVerifying)
	if diff := changed(before, s.registration()); len(diff) != 1 {
		t.Errorf("the page makes the difference %v", diff)
	}
	// Ann comes back, and the page says so by itself.
	s.succeeds(nil)
	p.run("the proof appears", chromedp.WaitVisible(chromedp.CSS("#proof")))
	proven(t, s.becomes(usher.CaseFixed), map[string]string{"oauth.redirect_uri": withSlash})
	p.picture("fixed")

	p.mu.Lock()
	defer p.mu.Unlock()
	for _, trouble := range p.troubles {
		t.Errorf("in the browser: %s", trouble)
	}
}

// picture takes what a person sees of the page first. It goes to the folder of
// pictures if somebody asked for them; "fixed" is the one that the README shows.
func (p *page) picture(name string) {
	p.t.Helper()
	p.run("let the page rest at its top",
		chromedp.EmulateViewport(1280, 1230),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := chromedp.Evaluate[any]("document.activeElement.blur(); scrollTo(0, 0)")(ctx, t)
			return err
		}),
		chromedp.Sleep(2*time.Second), // what has just changed is marked for a moment
	)
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if len(png) < 10_000 {
		p.t.Errorf("the picture of the page has %d bytes: it looks blank", len(png))
	}
	if dir := os.Getenv("USHER_PICTURES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	if name == "fixed" && os.Getenv("USHER_UPDATE") != "" {
		if err := os.WriteFile(screenshotFile, png, 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
}
