package test

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
)

// The application of examples/album with a server, as its README starts them.
func TestAlbum(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if out, err := exec.Command("go", "build", "-o", in("album"), "../examples/album").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, text := range map[string]string{"token.secret": "mHUBfGDAYzUEsFdmHJs1nfJB1MAt6FGdKQkYbZYjRIM=", "hook.secret": hookSecret, "short": "abc"} {
		if err := os.WriteFile(in(name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole := []string{"TOKEN_SECRET_FILE=" + in("token.secret"), "HOOK_SECRET_FILE=" + in("hook.secret"), "PASSWORD=let me in"}
	for i, bad := range []string{"TOKEN_SECRET_FILE=", "TOKEN_SECRET_FILE=" + in("short"), "HOOK_SECRET_FILE=", "HOOK_SECRET_FILE=" + in("short"), "PASSWORD="} {
		cmd := exec.Command(in("album"))
		cmd.Env = append(append(trial.Environment(), whole...), "LISTEN=127.0.0.1:0", bad)
		name, _, _ := strings.Cut(bad, "=")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), name+" has to ") {
			t.Errorf("%d: with %s it starts, or says %s", i, bad, out)
		}
	}

	app := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
	s := serve(t, "--token-secret-file", in("token.secret"), "--hook-url", "http://"+app+"/events", "--hook-secret-file", in("hook.secret"),
		"--confirm", "24h", "--audit-log", in("audit"), "--cors", "http://"+app)
	cmd := exec.Command(in("album"))
	cmd.Env = append(append(trial.Environment(), whole...), "LISTEN="+app, "MULETEER_URL="+s.URL(""))
	said := new(spoken)
	p, err := trial.Launch(cmd, said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	page := func() string {
		resp, err := browser.Get("http://" + app + "/")
		if err != nil {
			return ""
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return html.UnescapeString(string(text))
	}
	within(t, time.Minute, "the application answers", func() bool { return page() != "" })
	find := func(pattern string) string {
		if found := regexp.MustCompile(pattern).FindStringSubmatch(page()); found != nil {
			return found[1]
		}
		return ""
	}
	login := func(password string) int {
		resp, err := browser.PostForm("http://"+app+"/login", url.Values{"password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	const tokenField = `name="upload_token" value="([^"]+)"`
	if login("guess") != http.StatusUnauthorized || find(tokenField) != "" {
		t.Fatal("without the password there is a token")
	}
	if resp, _ := ask(t, browser, "GET", "http://"+app+"/token", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("/token: %s", resp.Status)
	}
	if login("let me in") != http.StatusOK {
		t.Fatal("with the password there is no page")
	}

	// The form of the page, as a browser sends it to the other origin.
	send := func(token string) (int, string) {
		body := new(bytes.Buffer)
		form := multipart.NewWriter(body)
		_ = form.WriteField("upload_token", token)
		w, _ := form.CreateFormFile("files", "cat.txt")
		_, _ = io.WriteString(w, "miau")
		form.Close()
		request, err := http.NewRequest(http.MethodPost, find(`action="([^"]+)"`), body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", form.FormDataContentType())
		request.Header.Set("Origin", "http://"+app)
		resp, err := browser.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	if code, text := send("x" + find(tokenField)); code != http.StatusUnauthorized {
		t.Errorf("with a token that is not the application's: %d %s", code, text)
	}
	if code, text := send(find(tokenField)); code > 299 {
		t.Fatalf("the upload: %d %s", code, text)
	}
	const linkOf = `href="([^"]+)">cat.txt`
	within(t, time.Minute, "the page has the file", func() bool { return find(linkOf) != "" })
	link := find(linkOf)
	if resp, text := ask(t, http.DefaultClient, "GET", link, nil); resp.StatusCode != http.StatusOK || text != "miau" {
		t.Errorf("the link: %s %q", resp.Status, text)
	}
	bare, token, _ := strings.Cut(link, "?token=")
	for _, what := range []string{bare, bare + "?token=" + find(tokenField)} {
		if resp, _ := ask(t, http.DefaultClient, "GET", what, nil); resp.StatusCode < 400 {
			t.Errorf("without a link the file is read: %s", resp.Status)
		}
	}
	if resp, _ := ask(t, http.DefaultClient, "DELETE", bare+"?token="+token, nil); resp.StatusCode < 400 {
		t.Errorf("by the link the file is removed: %s", resp.Status)
	}
	within(t, time.Minute, "the file is confirmed", func() bool {
		text, err := os.ReadFile(in("audit"))
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
			return strings.Contains(line, filepath.Base(bare)+`/confirm"`) && strings.Contains(line, `"status":"200"`)
		})
	})
	// Who cannot sign tells it nothing.
	forged := `{"kind":"removed","upload":{"id":"` + filepath.Base(bare) + `","owner":"ann"}}`
	if resp, _ := ask(t, http.DefaultClient, "POST", "http://"+app+"/events", strings.NewReader(forged)); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a forged event: %s", resp.Status)
	}
	if find(linkOf) == "" {
		t.Error("a forged event removed the file from the page")
	}
}
