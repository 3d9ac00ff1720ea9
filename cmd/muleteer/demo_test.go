package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/web"
)

func demoHouse(t *testing.T) (*house, *syncBuffer) {
	t.Helper()
	return testHouse(t, func(s *settings) { s.Old.Demo = list{"resumable"} })
}

// demoPaths is all that the demo has.
func demoPaths() []string {
	paths := []string{"/resumable", "/resumable_upload", "/resumable_upload/x", "/api/photo/redeem-upload-token", "/api/photo/redeem-upload-token/x",
		"/api/photo/frame", "/api/photo/update-upload-token", "/actions", "/resources/um/script/resumable.js",
		"/resources/um/script/resumable-uploader.js", "/resources/um/script/demo.js", "/resources/um/style/demo.css"}
	for _, icon := range icons() {
		paths = append(paths, "/resources/um/graphics/uploader/"+icon+".png")
	}
	return paths
}

func icons() []string {
	names := []string{"resume", "pause", "error", "done"}
	for n := 0; n <= 100; n += 10 {
		names = append(names, fmt.Sprint("uploaded-", n))
	}
	return names
}

// Nothing of the demo is there unless somebody wants it.
func TestDemoOff(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	base := served(t, h)
	for _, path := range append(demoPaths(), "/assets/demo/uploader.js", "/assets/demo", "/assets/index.html", "/assets/uploader.js") {
		for _, method := range []string{"GET", "POST", "PUT", "OPTIONS"} {
			if resp, body := do(t, method, base+path, ""); resp.StatusCode != 404 && resp.StatusCode != 405 || resp.StatusCode == 405 && !strings.HasPrefix(path, "/assets") {
				t.Errorf("%s %s: %d %.80s", method, path, resp.StatusCode, body)
			}
		}
	}
}

// What old pages load is there, under the policy of the main page.
func TestDemoFiles(t *testing.T) {
	t.Parallel()
	h, _ := demoHouse(t)
	base := served(t, h)
	resp, page := do(t, "GET", base+"/resumable", "")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Security-Policy") != web.Policy || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	for _, inline := range []string{"<script>", "<style", "style=", " onclick=", "http://", "https://"} {
		if strings.Contains(page, inline) {
			t.Errorf("the page has %s, which its policy forbids", inline)
		}
	}
	for _, name := range []string{"resumable.js", "resumable-uploader.js"} {
		resp, body := do(t, "GET", base+"/resources/um/script/"+name, "")
		if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/javascript") || strings.Contains(body, "import.meta") {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
	seen := map[string]string{}
	for _, name := range icons() {
		resp, body := do(t, "GET", base+"/resources/um/graphics/uploader/"+name+".png", "")
		m, err := png.Decode(strings.NewReader(body))
		if err != nil || m.Bounds().Dx() != 64 || resp.Header.Get("Content-Type") != "image/png" {
			t.Errorf("%s: %v %v", name, err, resp.Header)
		}
		if other := seen[body]; other != "" {
			t.Errorf("%s looks like %s", name, other)
		}
		seen[body] = name
	}
	for _, path := range []string{"/resources/", "/resources/um/", "/resources/um/script/../../../x", "/resources/um/script/none.js", "/resumable/", "/api/", "/api/photo", "/api/photo/redeem-upload-tokens/x"} {
		if resp, body := do(t, "GET", base+path, ""); resp.StatusCode != 404 {
			t.Errorf("%s: %d %.80s", path, resp.StatusCode, body)
		}
	}
}

// form is a chunk as Resumable.js sends it; its parameters are in the form.
func chunkOf(t *testing.T, fields url.Values, chunk []byte) (string, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name := range fields {
		if err := w.WriteField(name, fields.Get(name)); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "blob")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(chunk); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.String(), w.FormDataContentType()
}

// Resumable.js itself, of its first version, which says all in the form, and of
// a later one, with both paths of its samples: probes, chunks in any order, the
// picture, what a person says, and the link. The token is in no log.
func TestDemoConversation(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/resumable_upload", "/api/photo/redeem-upload-token"} {
		for _, inQuery := range []bool{false, true} {
			h, log := demoHouse(t)
			h.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			base := served(t, h)
			m := image.NewGray(image.Rect(0, 0, 640, 480))
			for i := range m.Pix {
				m.Pix[i] = byte(i * i >> 7)
			}
			var file bytes.Buffer
			if err := jpeg.Encode(&file, m, &jpeg.Options{Quality: 100}); err != nil {
				t.Fatal(err)
			}
			const size = 50_000
			n := file.Len() / size
			const token, id = "secret-token", "../../123-x"
			about := func(k int) (url.Values, []byte) {
				chunk := file.Bytes()[k*size:]
				if k < n-1 {
					chunk = chunk[:size]
				}
				return url.Values{"resumableChunkNumber": {fmt.Sprint(k + 1)}, "resumableChunkSize": {fmt.Sprint(size)},
					"resumableCurrentChunkSize": {fmt.Sprint(len(chunk))}, "resumableTotalSize": {fmt.Sprint(file.Len())},
					"resumableIdentifier": {id}, "resumableFilename": {"x.jpg"}, "resumableRelativePath": {"x.jpg"}, "upload_token": {token}}, chunk
			}
			whose := url.Values{"upload_token": {token}, "resumableIdentifier": {id}}.Encode()
			link := base + "/actions?action=resumable-upload-redirect&" + whose
			for i := range n {
				k := (i + 1) % n // the first chunk comes last
				fields, chunk := about(k)
				if resp, _ := do(t, "GET", base+target+"?"+fields.Encode(), ""); resp.StatusCode != 204 {
					t.Fatalf("chunk %d is said to be here: %d", k, resp.StatusCode)
				}
				body, kind := chunkOf(t, fields, chunk)
				to := base + target
				if inQuery {
					to += "?" + fields.Encode()
				}
				if resp, body := do(t, "POST", to, body, "Content-Type", kind); resp.StatusCode != 200 {
					t.Fatalf("chunk %d: %d %s", k, resp.StatusCode, body)
				}
				if resp, _ := do(t, "GET", base+target+"?"+fields.Encode(), ""); resp.StatusCode != 200 {
					t.Fatalf("chunk %d is not here: %d", k, resp.StatusCode)
				}
				resp, _ := do(t, "GET", link, "")
				frame, picture := do(t, "GET", base+"/api/photo/frame?time=10&_=1&"+whose, "")
				_, err := jpeg.Decode(strings.NewReader(picture))
				if whole := i == n-1; whole != (resp.StatusCode == 303) || frame.StatusCode != 200 || whole != (err == nil) {
					t.Fatalf("after %d chunks of %d: the link is %d, the picture %d, %v", i+1, n, resp.StatusCode, frame.StatusCode, err)
				}
			}
			if resp, body := do(t, "POST", base+"/api/photo/update-upload-token", whose+"&title=T&publish=1", "Content-Type", "application/x-www-form-urlencoded"); resp.StatusCode != 200 {
				t.Errorf("words: %d %s", resp.StatusCode, body)
			}
			resp, _ := do(t, "GET", link, "")
			if _, got := do(t, "GET", resp.Header.Get("Location"), ""); got != file.String() {
				t.Error("another file is behind the link")
			}
			if resp, _ := do(t, "GET", base+target, ""); resp.StatusCode != 400 {
				t.Errorf("a probe without parameters: %d", resp.StatusCode)
			}
			if strings.Contains(log.String(), token) || !strings.Contains(log.String(), "request") {
				t.Errorf("the log has the token, or nothing: %.500s", log.String())
			}
		}
	}
}

// Our own client's ranges come to the same place, and two tokens never meet in
// one upload; a form without anything else is taken too.
func TestDemoRanges(t *testing.T) {
	t.Parallel()
	h, _ := demoHouse(t)
	base := served(t, h)
	at := func(token string) string {
		return base + "/api/photo/redeem-upload-token/a%2520b.txt?" + url.Values{"upload_token": {token}, "resumableIdentifier": {"i"}}.Encode()
	}
	put := func(token, content string) string {
		resp, body := do(t, "PUT", at(token), content, "X-Upload-Fingerprint", "i", "Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(content)-1, len(content)))
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		_, whole := do(t, "GET", base+"/actions?action=resumable-upload-redirect&resumableIdentifier=i&upload_token="+token, "")
		return whole
	}
	put("one", "first")
	put("two", "other")
	for token, want := range map[string]string{"one": "first", "two": "other"} {
		resp, _ := do(t, "GET", base+"/actions?action=resumable-upload-redirect&resumableIdentifier=i&upload_token="+token, "")
		got, content := do(t, "GET", resp.Header.Get("Location"), "")
		if content != want || !strings.Contains(got.Header.Get("Content-Disposition"), "a_20b.txt") {
			t.Errorf("%s: %q %v", token, content, got.Header)
		}
	}
	body, kind := chunkOf(t, nil, []byte("plain"))
	if resp, body := do(t, "POST", base+"/api/photo/redeem-upload-token", body, "Content-Type", kind); resp.StatusCode != http.StatusCreated {
		t.Errorf("a form: %d %s", resp.StatusCode, body)
	}
}

// What cannot be meant is said at the start.
func TestDemoSettings(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]demo{
		"is not known":        {Demo: list{"flow"}},
		"give that as well":   {PreviewCmd: "true"},
		"cannot be run":       {Demo: list{"resumable"}, PreviewCmd: "no-such-program {file}"},
		"it names no program": {Demo: list{"resumable"}, PreviewCmd: "  "},
	} {
		if err := d.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", d, err, want)
		}
	}
	if err := (demo{Demo: list{"resumable"}, PreviewCmd: "cat {file}"}).check(); err != nil {
		t.Error(err)
	}
}
