package systems_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"usher"
	"usher/console"
	"usher/console/consoletest"
)

// screen is a real browser before the pages of the console, with sample cases
// behind them.
type screen struct {
	t      *testing.T
	ctx    context.Context
	url    string
	memory *consoletest.Memory
	broker *consoletest.Connections

	mu       sync.Mutex
	troubles []string
}

func openScreen(t *testing.T, cases ...usher.Case) *screen {
	t.Helper()
	browser := findBrowser(t)
	s := &screen{t: t, memory: consoletest.New(time.Now, cases...), broker: consoletest.SampleConnections(time.Now)}
	handler := console.New(console.Options{Cases: s.memory, Accounts: s.memory, Connections: s.broker, Listen: "127.0.0.1:0", Version: "test"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(console.Trusted(r.Context()))) // the sign-in has its own tests
	}))
	t.Cleanup(server.CloseClientConnections)
	s.url = server.URL
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.WindowSize(1280, 1000), chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	s.ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	err := chromedp.Listen(s.ctx, func(ev any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			s.troubles = append(s.troubles, "an exception: "+ev.ExceptionDetails.Text)
		case *log.EventEntryAdded: // also what the page's own policy refused
			s.troubles = append(s.troubles, fmt.Sprintf("%s: %s", ev.Entry.Level, ev.Entry.Text))
		}
	})
	if err == nil {
		_, err = chromedp.Call(s.ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, trouble := range s.troubles {
			t.Errorf("in the browser: %s", trouble)
		}
	})
	return s
}

func (s *screen) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 15*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// ask gives what an expression is in the page.
func ask[T any](s *screen, expression string) T {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 15*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		s.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// becomes waits until an expression is true in the page, and gives how long it took.
func (s *screen) becomes(limit time.Duration, expression string) time.Duration {
	s.t.Helper()
	started := time.Now()
	for !ask[bool](s, expression) {
		if time.Since(started) > limit {
			s.t.Fatalf("after %v not yet: %s", limit, expression)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(started)
}

// TestConsoleFollows: a change shows within a second, without a reload, and
// what the person is typing, has opened and has chosen stays.
func TestConsoleFollows(t *testing.T) {
	s := openScreen(t, consoletest.Story(time.Now())...)
	s.run("open the case", chromedp.Navigate(s.url+"/cases/1"), chromedp.WaitVisible(chromedp.CSS("#live.on")))
	s.becomes(3*time.Second, `performance.getEntriesByType("resource").some((r) => r.name.endsWith("/cases/1"))`) // the look after what was missed
	s.run("open and type",
		chromedp.Click(chromedp.CSS("#intend summary")),
		chromedp.Click(chromedp.CSS("#evidence summary")),
		chromedp.Clear(chromedp.CSS("#owner")),
		chromedp.SendKeys(chromedp.CSS("#owner"), "the shop team"),
		chromedp.SendKeys(chromedp.CSS("#reason"), "this app is going away"),
	)
	ask[any](s, `window.mark = "not loaded again"; document.querySelector("#reason").setSelectionRange(5, 8)`)

	// The parts around change, and so does the part with the form.
	s.memory.Edit(1, func(c *usher.Case) {
		c.Count, c.State = 15, usher.CaseQuiet
		c.Timeline = append(c.Timeline, usher.Entry{Time: time.Now(), Kind: usher.EntryState, Text: "The tries have stopped."})
	})
	took := s.becomes(time.Second, `document.body.innerText.includes("15 tries") && document.body.innerText.includes("nothing proves why") && !!document.querySelector("#reopen")`)
	t.Logf("the change showed after %v", took.Round(time.Millisecond))
	for what, expression := range map[string]string{
		"the page was loaded again":        `window.mark === "not loaded again"`,
		"the owner is lost":                `document.querySelector("#owner").value === "the shop team"`,
		"the reason is lost":               `document.querySelector("#reason").value === "this app is going away"`,
		"the field has lost the focus":     `document.activeElement.id === "reason"`,
		"the selection is lost":            `document.activeElement.selectionStart === 5 && document.activeElement.selectionEnd === 8`,
		"the form is closed":               `document.querySelector("#intend").open`,
		"the evidence is closed":           `document.querySelector("#evidence").open`,
		"nothing is said to screen reader": `document.querySelector("#news").textContent.includes("quiet")`,
		"a part stands there twice":        `new Set([...document.querySelectorAll("[data-part]")].map((e) => e.id)).size === document.querySelectorAll("[data-part]").length`,
	} {
		if !ask[bool](s, expression) {
			t.Error(what)
		}
	}

	// A form that is no longer offered stays while somebody types in it.
	s.memory.Edit(1, func(c *usher.Case) {
		c.State, c.Owner, c.Reason, c.Expires = usher.CaseIntended, "x", "y", time.Now().Add(time.Hour)
	})
	s.becomes(time.Second, `document.querySelector("#headline .chip").textContent.includes("Intended")`)
	if !ask[bool](s, `document.querySelector("#reason").value === "this app is going away"`) {
		t.Error("what was typed is lost with its form")
	}

	// A new part comes in its place: the proof before what happened.
	s.memory.Edit(1, func(c *usher.Case) { consoletest.Prove(c, time.Now()) })
	s.becomes(time.Second, `document.querySelector("#proof")?.nextElementSibling?.id === "what"`)
}

// TestConsoleList: a new case shows on the list by itself, and a connection that
// was lost is made again.
func TestConsoleList(t *testing.T) {
	story := consoletest.Story(time.Now())
	s := openScreen(t, story[5])
	s.run("open the list", chromedp.Navigate(s.url+"/"), chromedp.WaitVisible(chromedp.CSS("#live.on")))
	s.becomes(2*time.Second, `document.body.innerText.includes("Nothing needs you.")`)
	s.memory.Set(story[0])
	s.becomes(time.Second, `!!document.querySelector("#case-1") && document.title.startsWith("(1)")`)
	if got := s.memory.Watching(); got != 1 {
		t.Errorf("%d streams are open", got)
	}
	ask[any](s, `(() => { const c = document.querySelector("#client"); c.value = "shop"; c.dispatchEvent(new Event("change", { bubbles: true })); })()`)
	s.run("the choice is followed", chromedp.WaitReady(chromedp.CSS("#client option[selected]")))
	s.becomes(3*time.Second, `location.search === "?client=shop" && document.querySelectorAll(".case").length === 1`)
}

// TestConsoleShape: no page is wider than a phone, in both colours everything
// can be read, and every control can be reached and seen with the keyboard.
func TestConsoleShape(t *testing.T) {
	s := openScreen(t, consoletest.Story(time.Now())...)
	paths := []string{"/", "/?show=all", "/cases/1", "/cases/2", "/cases/3", "/cases/5", "/cases/6", "/cases/7", "/keys", "/connections", "/connections/new", "/connections/shop-gateway", "/connections/shop-calendar"}
	for _, scheme := range []string{"light", "dark"} {
		s.run("choose the colours", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}))
		for _, width := range []int64{1280, 360} {
			for _, path := range paths {
				s.run("look at "+path, chromedp.EmulateViewport(width, 900), chromedp.Navigate(s.url+path))
				ask[any](s, `document.querySelectorAll("details").forEach((d) => { d.open = true })`)
				if over := ask[int](s, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
					t.Errorf("%s is %d pixels wider than a screen of %d: %s", path, over, width, ask[string](s, widest))
				}
				for _, pale := range ask[[]string](s, paleTexts) {
					t.Errorf("%s in %s: %s", path, scheme, pale)
				}
			}
		}
	}
	s.run("the case, large", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.url+"/cases/1"))
	reached := map[string]bool{}
	for range 60 {
		s.run("press Tab", chromedp.KeyEvent("\t"))
		var at struct {
			Name  string
			Shown bool
		}
		if err := json.Unmarshal([]byte(ask[string](s, focusNow)), &at); err != nil {
			t.Fatal(err)
		}
		if reached[at.Name] = true; !at.Shown && at.Name != "BODY" {
			t.Errorf("with the keyboard: %s does not show the focus", at.Name)
		}
	}
	for _, name := range ask[[]string](s, controls) {
		if !reached[name] {
			t.Errorf("the keyboard does not reach %s", name)
		}
	}
}

// widest names what sticks out of the page.
const widest = `[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")).slice(0, 4).map((e) => e.tagName + "." + e.className?.baseVal ?? e.className).join(" ")`

// paleTexts finds texts whose contrast with what is behind them is below 4.5
// to 1 (WCAG 2.2, 1.4.3), or 3 to 1 where they are large.
const paleTexts = `(() => {
	const numbers = (c) => { const m = c.match(/[\d.]+/g).map(Number); return { rgb: m.slice(0, 3), a: m[3] ?? 1 }; };
	const light = (rgb) => { const [r, g, b] = rgb.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor); if (c.a === 1) return c.rgb; } return [255, 255, 255]; };
	const found = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walk.nextNode());) {
		const e = n.parentElement;
		if (!n.data.trim() || e.closest("svg, .hidden, .skip, script") || !e.checkVisibility()) continue;
		const style = getComputedStyle(e), a = light(numbers(style.color).rgb), b = light(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
		if (ratio < (large ? 3 : 4.5)) found.add(n.data.trim().slice(0, 40) + " has a contrast of " + ratio.toFixed(2));
	}
	return [...found];
})()`

// focusNow tells which control has the focus and whether that can be seen, and
// controls names all that must be reached.
const (
	named    = "const named = (e) => e.tagName + \" \" + (e.id || e.textContent.trim().slice(0, 30) || e.parentElement?.id); "
	focusNow = "(() => { " + named + `const e = document.activeElement, style = getComputedStyle(e), after = getComputedStyle(e, "::after");
		return JSON.stringify({ Name: e === document.body ? "BODY" : named(e), Shown: style.outlineStyle !== "none" || after.outlineStyle !== "none" }); })()`
	controls = "(() => { " + named + `return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].filter((e) => e.checkVisibility()).map(named); })()`
)

// TestConsoleHostile: in a real browser nothing of a case runs or leads away.
func TestConsoleHostile(t *testing.T) {
	c := consoletest.Redirect(time.Now().Add(-time.Minute))
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	const bad = `\"><script>window.owned=1</script><img src=x onerror=\"window.owned=1\"><svg onload=\"window.owned=1\">' onfocus='window.owned=1' autofocus x='`
	poisoned := strings.ReplaceAll(string(text), "shop.test", bad+"shop.test")
	if err := json.Unmarshal([]byte(poisoned), &c); err != nil {
		t.Fatal(err)
	}
	s := openScreen(t, c)
	for _, path := range []string{"/", "/cases/1"} {
		s.run("open "+path, chromedp.Navigate(s.url+path), chromedp.WaitVisible(chromedp.CSS("#live.on")))
		s.memory.Edit(1, func(c *usher.Case) {
			c.Count++
			c.Affected = append(c.Affected, usher.Party{Name: strings.ReplaceAll(bad, `\"`, `"`)})
		})
		s.becomes(2*time.Second, fmt.Sprintf(`document.body.innerText.includes("%d tries")`, c.Count+1))
		c.Count++
		if ask[bool](s, `"owned" in window || document.querySelectorAll("main img, main script").length > 0`) {
			t.Errorf("%s runs what stands in a case", path)
		}
	}
}

// TestConsoleWithoutScript goes the whole way of a fix with scripts turned off.
func TestConsoleWithoutScript(t *testing.T) {
	s := openScreen(t, consoletest.Story(time.Now())...)
	s.run("turn scripts off", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	s.run("from the list to the case", chromedp.Navigate(s.url+"/"), chromedp.Click(chromedp.CSS("#case-1")), chromedp.WaitVisible(chromedp.CSS("#plan-1")))
	s.run("see the difference", chromedp.Click(chromedp.CSS("#plan-1")), chromedp.WaitVisible(chromedp.CSS("#apply-1")))
	if s.memory.Applications() != 0 {
		t.Error("looking has changed something")
	}
	s.run("make the change", chromedp.Click(chromedp.CSS("#apply-1")), chromedp.WaitVisible(chromedp.CSS("#undo-1")))
	if s.memory.Applications() != 1 {
		t.Error("nothing was carried out")
	}
	s.run("weaken another, wrongly", chromedp.Navigate(s.url+"/cases/7"), chromedp.Click(chromedp.CSS("#plan-2")), chromedp.WaitVisible(chromedp.CSS("#client-2")),
		chromedp.SendKeys(chromedp.CSS("#client-2"), "wrong"), chromedp.Click(chromedp.CSS("#apply-2")), chromedp.WaitVisible(chromedp.CSS("#problem")))
	s.run("and rightly", chromedp.SendKeys(chromedp.CSS("#client-2"), "preview"), chromedp.Click(chromedp.CSS("#apply-2")), chromedp.WaitVisible(chromedp.CSS("#undo-1")))
	if s.memory.Applications() != 2 {
		t.Error("the fix that weakens was not carried out")
	}
	s.mu.Lock()
	s.troubles = nil // the browser notes the answer 409, as it should
	s.mu.Unlock()
}
