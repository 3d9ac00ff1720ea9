package chunkform_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/protocol/chunkform"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

const multipartX = "multipart/form-data; boundary=x"

// form writes a form of fields, "a=b" each, and of one file.
func form(fields []string, file string) string {
	var b strings.Builder
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		fmt.Fprintf(&b, "--x\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", name, value)
	}
	fmt.Fprintf(&b, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"blob\"\r\n\r\n%s\r\n", file)
	return b.String() + "--x--\r\n"
}

// resumable are the fields of a chunk.
func resumable(number, step, length, total any) []string {
	return []string{
		fmt.Sprint("resumableChunkNumber=", number), fmt.Sprint("resumableChunkSize=", step),
		fmt.Sprint("resumableCurrentChunkSize=", length), fmt.Sprint("resumableTotalSize=", total),
		"resumableIdentifier=id", "resumableFilename=a.bin", "resumableRelativePath=a.bin", "resumableTotalChunks=2",
	}
}

func send(h http.Handler, method, target, kind, body string) (*httptest.ResponseRecorder, *counter) {
	c := &counter{Reader: strings.NewReader(body)}
	r := httptest.NewRequest(method, target, c)
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, c
}

// counter counts the bytes that are read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// left tells of something that is in the service, or "".
func left(t testing.TB, s *upload.Service) string {
	t.Helper()
	for u, err := range s.Find(t.Context(), upload.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Phase != upload.Gone {
			return fmt.Sprint("an upload of ", u.Here)
		}
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for e, err := range s.Store.(store.Walker).Walk(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		return e.Name
	}
	return ""
}

// S3-R12: what makes no sense is told so, stores nothing, and is read only so far.
func TestHostile(t *testing.T) {
	t.Parallel()
	good := form(resumable(1, 10, 5, 25), "hello")
	fields := resumable(1, 10, 5, 25)
	flood := func(n int) []string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("f%d=x", i))
		}
		return all
	}
	part := func(head, body string) string { return "--x\r\n" + head + "\r\n\r\n" + body + "\r\n" }
	for name, c := range map[string]struct {
		kind, body string
	}{
		"number 0":                      {multipartX, form(resumable(0, 10, 5, 25), "hello")},
		"negative number":               {multipartX, form(resumable(-1, 10, 5, 25), "hello")},
		"number beyond the file":        {multipartX, form(resumable(4, 10, 5, 25), "hello")},
		"number at the end":             {multipartX, form(resumable(3, 10, 0, 20), "")},
		"number that overflows":         {multipartX, form(resumable(int64(1)<<62, 1<<40, 5, 25), "hello")},
		"number beyond 64 bits":         {multipartX, form(resumable("18446744073709551617", 10, 5, 25), "hello")},
		"no number":                     {multipartX, form(fields[1:], "hello")},
		"a number that is none":         {multipartX, form(resumable("1e1", 10, 5, 25), "hello")},
		"a number with a blank":         {multipartX, form(resumable(" 1", 10, 5, 25), "hello")},
		"chunks of no byte":             {multipartX, form(resumable(2, 0, 5, 25), "hello")},
		"chunk longer than the file":    {multipartX, form(resumable(1, 10, 26, 25), "hello")},
		"negative length":               {multipartX, form(resumable(1, 10, -5, 25), "hello")},
		"negative size":                 {multipartX, form(resumable(1, 10, 5, -25), "hello")},
		"size beyond 64 bits":           {multipartX, form(resumable(1, 10, 5, "9223372036854775808"), "hello")},
		"size beyond the limit":         {multipartX, form(resumable(1, 10, 5, 1<<40), "hello")},
		"dropzone beyond the limit":     {multipartX, form([]string{"dzuuid=u", "dzchunkindex=0", "dzchunkbyteoffset=0", "dztotalchunkcount=2", "dztotalfilesize=1099511627776"}, "hello")},
		"dropzone beyond the count":     {multipartX, form([]string{"dzuuid=u", "dzchunkindex=2", "dzchunksize=5", "dzchunkbyteoffset=10", "dztotalchunkcount=2", "dztotalfilesize=10"}, "hello")},
		"dropzone without a place":      {multipartX, form([]string{"dzuuid=u"}, "hello")},
		"webuploader beyond the count":  {multipartX, form([]string{"id=u", "name=a", "size=10", "chunk=2", "chunks=2"}, "hello")},
		"plupload without the first":    {multipartX, form([]string{"name=a", "chunk=1", "chunks=2"}, "hello")},
		"fields without a client":       {multipartX, form([]string{"chunkNumber=1"}, "hello")},
		"nothing that names the file":   {multipartX, form(fields[:4], "hello")},
		"a number only":                 {multipartX, form([]string{"dzuuid=", "dzchunkindex=0", "dzchunkbyteoffset=0", "dztotalchunkcount=2"}, "hello")},
		"no fields":                     {multipartX, form(nil, "hello")},
		"a form without a file":         {multipartX, strings.Replace(good, "; filename=\"blob\"", "", 1)},
		"no part":                       {multipartX, "--x--\r\n"},
		"no boundary":                   {"multipart/form-data", good},
		"empty boundary":                {"multipart/form-data; boundary=", good},
		"another boundary":              {"multipart/form-data; boundary=y", good},
		"another kind of form":          {"multipart/mixed; boundary=x", good},
		"a part without a name":         {multipartX, part(`Content-Disposition: form-data`, "x") + good},
		"a part without a head":         {multipartX, part(`X: y`, "x") + good},
		"a form within the form":        {multipartX, part("Content-Disposition: form-data; name=\"files\"; filename=\"a\"\r\nContent-Type: multipart/mixed; boundary=y", "--y\r\n\r\nhello\r\n--y--") + good},
		"a form within, after fields":   {multipartX, strings.Replace(good, "filename=\"blob\"\r\n", "filename=\"blob\"\r\nContent-Type: multipart/mixed; boundary=y\r\n", 1)},
		"more fields than a form has":   {multipartX, form(append(flood(32), fields...), "hello")},
		"ten thousand fields":           {multipartX, form(flood(10_000), "hello")},
		"ten thousand empty files":      {multipartX, strings.Repeat(part(`Content-Disposition: form-data; name="f"; filename="a"`, ""), 10_000) + good},
		"a field of a megabyte":         {multipartX, form(append([]string{"f=" + strings.Repeat("x", 1<<20)}, fields...), "hello")},
		"a head of a megabyte":          {multipartX, part("X-Long: "+strings.Repeat("x", 1<<20), "") + good},
		"a preamble of a megabyte":      {multipartX, strings.Repeat("preamble\r\n", 100_000) + good},
		"octet without parameters":      {"application/octet-stream", "hello"},
		"two megabytes of parameters":   {"application/x-www-form-urlencoded", "qquuid=" + strings.Repeat("x", 2<<20)},
		"parameters that are none":      {"application/x-www-form-urlencoded", "qquuid=%zz"},
		"a document that is none":       {"application/json", "{"},
		"a result of nothing":           {"application/json", `{"qquuid":"u"}`},
		"a file name of 300 characters": {multipartX, form(append(resumable(1, 10, 5, 25)[:5], "resumableFilename="+strings.Repeat("x", 300)), "hello")},
	} {
		s, _ := wiretest.Grids()[1].Service(t)
		s.MaxSize = 1 << 30
		w, read := send(chunkform.Handler(s, chunkform.Options{Pause: -1}), "POST", "/form/", c.kind, c.body)
		if w.Code < 400 || w.Code > 499 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") != "application/json" || !strings.Contains(w.Body.String(), `"error":`) {
			t.Errorf("%s: %v %s", name, w.Header(), w.Body)
		}
		if got := left(t, s); got != "" {
			t.Errorf("%s: %s is left", name, got)
		}
		if read.n > 50<<20 {
			t.Errorf("%s: %d bytes were read", name, read.n)
		}
		// Whoever asks the same in a query is told so as well, or that nothing is here.
		w, _ = send(chunkform.Handler(s, chunkform.Options{Pause: -1}), "GET", "/form/?resumableChunkNumber=0&resumableIdentifier=x", "", "")
		if w.Code != 400 {
			t.Errorf("a probe for chunk 0: %d", w.Code)
		}
	}
}

// A refused body is read on, so that its client sees the answer, but not for
// ever.
func TestRefusedIsReadWithinABound(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	h := chunkform.Handler(s, chunkform.Options{Pause: -1})
	fields := resumable(9, 10, 5, 25)
	for size, all := range map[int]bool{20 << 20: true, 40 << 20: false} {
		body := form(fields, strings.Repeat("x", size))
		w, read := send(h, "POST", "/form/", multipartX, body)
		if w.Code != 415 || (read.n == len(body)) != all || read.n < 20<<20 {
			t.Errorf("%d bytes: %d, %d were read", size, w.Code, read.n)
		}
	}
}

// A chunk that comes before its fields is held in memory, up to a bound.
func TestHeldWithinABound(t *testing.T) {
	t.Parallel()
	for size, status := range map[int]int{chunkform.HoldLimit: 200, chunkform.HoldLimit + 1: 413} {
		s, _ := wiretest.Grids()[0].Service(t)
		body := "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n" + strings.Repeat("x", size) + "\r\n" +
			"--x\r\nContent-Disposition: form-data; name=\"chunk-index\"\r\n\r\n0\r\n" +
			"--x\r\nContent-Disposition: form-data; name=\"total-chunk\"\r\n\r\n2\r\n--x--\r\n"
		w, _ := send(chunkform.Handler(s, chunkform.Options{Pause: -1}), "POST", "/form/", multipartX, body)
		if w.Code != status || (left(t, s) == "") != (status != 200) {
			t.Errorf("%d bytes: %d %s", size, w.Code, w.Body)
		}
	}
}

// Other methods mean nothing here.
func TestMethods(t *testing.T) {
	t.Parallel()
	s, _ := wiretest.Grids()[0].Service(t)
	for _, method := range []string{"TRACE", "PROPFIND"} {
		w, _ := send(chunkform.Handler(s, chunkform.Options{}), method, "/form/", "", "")
		if w.Code != 405 || w.Header().Get("Allow") == "" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}
