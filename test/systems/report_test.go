package systems_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// view is what a browser made of a page.
type view struct {
	dom     string   // the document when it had loaded
	console []string // what the page put on the console
	fetched []string // the addresses that the page asked for
}

func TestReportInBrowser(t *testing.T) {
	browser := findBrowser(t)
	evidence, err := filepath.Abs("../../examples/53003")
	if err != nil {
		t.Fatal(err)
	}
	report, _ := explain(t, evidence, "--format", "html", "error.json", "sign-in.json", "session.har", "app-registration.json")
	page := write(t, "report.html", report)

	got := open(t, browser, page)
	if len(got.console) > 0 {
		t.Errorf("the report says on the console: %q", got.console)
	}
	if len(got.fetched) > 0 {
		t.Errorf("the report asks for %q", got.fetched)
	}
	for _, want := range []string{
		"A policy refuses the network or country that the request came from",
		"Expenses: block outside the office network",
		"</html>",
	} {
		if !strings.Contains(got.dom, want) {
			t.Errorf("the document lacks %q", want)
		}
	}
	picture := screenshot(t, browser, page)
	if colors, ink := seen(picture); colors < 8 || ink < 0.005 {
		t.Errorf("the picture of the report has %d colors and %.2f %% ink: it looks blank", colors, ink*100)
	}
}

// TestBrowserCatches holds the checks above to account: they are worth
// something if a page that breaks them is caught.
func TestBrowserCatches(t *testing.T) {
	browser := findBrowser(t)
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	picture := fmt.Sprintf(`<img src="%s/pixel.png">`, elsewhere.URL)

	fetches := open(t, browser, write(t, "fetches.html", "<!DOCTYPE html><p>x</p>"+picture))
	if !slices.Contains(fetches.fetched, elsewhere.URL+"/pixel.png") {
		t.Errorf("a page that fetches is not caught: %+v", fetches)
	}
	const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'">`
	refused := open(t, browser, write(t, "refused.html", "<!DOCTYPE html>"+policy+"<p>x</p>"+picture))
	if len(refused.console) == 0 || len(refused.fetched) > 0 {
		t.Errorf("a page whose policy refuses is not caught: %+v", refused)
	}
	if colors, ink := seen(screenshot(t, browser, write(t, "blank.html", "<!DOCTYPE html>"))); colors > 1 || ink > 0 {
		t.Errorf("an empty page has %d colors and %.2f ink", colors, ink)
	}
}

// findBrowser gives the path of Chromium, and ends the test where there is none.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, errors.New("chromium is missing"))
	return ""
}

// write makes a page and gives its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// browse runs the browser without a window on a file; it finds no host but
// this machine's addresses, so that nothing leaves the machine.
func browse(t *testing.T, browser, page string, args ...string) (stdout []byte, stderr string) {
	t.Helper()
	profile, err := os.MkdirTemp("", "usher-browser")
	if err != nil {
		t.Fatal(err)
	}
	// The browser's children may still write while it is removed.
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, append(append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--user-data-dir=" + profile, "--window-size=1100,1400", "--enable-logging=stderr",
	}, args...), "file://"+page)...)
	cmd.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", browser, err, errs.String())
	}
	return out.Bytes(), errs.String()
}

// open loads a page and tells what it did.
func open(t *testing.T, browser, page string) view {
	t.Helper()
	netlog := filepath.Join(t.TempDir(), "net.json")
	dom, log := browse(t, browser, page, "--dump-dom", "--log-net-log="+netlog)
	v := view{dom: string(dom), fetched: pageRequests(t, netlog)}
	for line := range strings.Lines(log) {
		if strings.Contains(line, "CONSOLE") {
			v.console = append(v.console, strings.TrimSpace(line))
		}
	}
	return v
}

// pageRequests reads from the browser's network log what a page asked for;
// what the browser asks for by itself has no origin.
func pageRequests(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var log struct {
		Constants struct {
			Types map[string]int `json:"logEventTypes"`
		} `json:"constants"`
		Events []struct {
			Type   int `json:"type"`
			Params struct {
				Initiator string `json:"initiator"`
				URL       string `json:"url"`
			} `json:"params"`
		} `json:"events"`
	}
	if err := json.Unmarshal(text, &log); err != nil {
		t.Fatalf("the browser's network log: %v", err)
	}
	start, ok := log.Constants.Types["URL_REQUEST_START_JOB"]
	if !ok {
		t.Fatal("the browser's network log has no requests in its vocabulary")
	}
	var urls []string
	for _, e := range log.Events {
		if e.Type == start && e.Params.URL != "" && e.Params.Initiator != "not an origin" {
			urls = append(urls, e.Params.URL)
		}
	}
	return urls
}

// screenshot is the top of a page as the browser paints it.
func screenshot(t *testing.T, browser, page string) image.Image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.png")
	browse(t, browser, page, "--hide-scrollbars", "--screenshot="+path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// seen counts a picture's colors and tells which share of it (0 to 1) differs
// from the color of its corner.
func seen(picture image.Image) (colors int, ink float64) {
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA) }
	b := picture.Bounds()
	ground := at(b.Min.X, b.Min.Y)
	counts := map[color.RGBA]int{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	total := b.Dx() * b.Dy()
	return len(counts), float64(total-counts[ground]) / float64(total)
}
