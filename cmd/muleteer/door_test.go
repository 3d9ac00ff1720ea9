package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muleteer/muleteer/protocol/chunkform"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

const formX = "multipart/form-data; boundary=x"

// part is a field of a form; file is one with a file.
func part(name, value string) string {
	return fmt.Sprintf("--x\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", name, value)
}

func file(name, filename, content string) string {
	return fmt.Sprintf("--x\r\nContent-Disposition: form-data; name=%q; filename=%q\r\nContent-Type: application/octet-stream\r\n\r\n%s\r\n", name, filename, content)
}

// fields writes "a=b" each as a part.
func fields(all ...string) string {
	var b strings.Builder
	for _, f := range all {
		name, value, _ := strings.Cut(f, "=")
		b.WriteString(part(name, value))
	}
	return b.String()
}

const formEnd = "--x--\r\n"

// protocols are those of the uploads that are there, the newest first.
func protocols(t *testing.T, h *house) (names []string) {
	t.Helper()
	for u, err := range h.kept.State.Find(t.Context(), upload.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Phase != upload.Gone {
			names = append(names, u.Protocol)
		}
	}
	return names
}

// One address takes every client: each is known by what it sends itself, and
// where two could be meant, the order decides.
func TestFrontDoor(t *testing.T) {
	t.Parallel()
	const hello = "hello"
	large := strings.Repeat("x", 100_000)
	resumable := []string{"resumableChunkNumber=1", "resumableChunkSize=10", "resumableTotalSize=25", "resumableIdentifier=i", "resumableFilename=a"}
	query := "?" + strings.Join(resumable, "&")
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		protocol                 string
	}{
		{"tus", "POST", "/upload", "", []string{"Tus-Resumable", "1.0.0", "Upload-Length", "3"}, 201, "tus"},
		{"tus with a slash", "POST", "/upload/", "", []string{"Tus-Resumable", "1.0.0", "Upload-Length", "3"}, 201, "tus"},
		{"tus before the IETF's fields", "POST", "/upload", "", []string{"Tus-Resumable", "1.0.0", "Upload-Length", "3", "Upload-Complete", "?0"}, 201, "tus"},
		{"tus before a range", "POST", "/upload/x", "", []string{"Tus-Resumable", "1.0.0", "Upload-Length", "3", "Content-Range", "bytes 0-4/9"}, 404, ""},
		{"IETF", "POST", "/upload", hello, []string{"Upload-Complete", "?0", "Upload-Draft-Interop-Version", "6"}, 201, "ietf"},
		{"IETF with a name", "PUT", "/upload/x", hello, []string{"Upload-Complete", "?1", "Upload-Draft-Interop-Version", "8"}, 201, "ietf"},
		{"IETF of old", "POST", "/upload/", hello, []string{"Upload-Incomplete", "?1", "Upload-Draft-Interop-Version", "3"}, 201, "ietf"},
		{"a range from URLSession", "PUT", "/upload/x", hello, []string{"Content-Range", "bytes 0-4/9", "Upload-Complete", "?1", "Upload-Draft-Interop-Version", "8"}, 308, "contentrange"},
		{"a form from URLSession", "POST", "/upload", file("file", "a", hello) + formEnd, []string{"Content-Type", formX, "Upload-Complete", "?1", "Upload-Draft-Interop-Version", "8"}, 201, "plain"},
		{"range", "PUT", "/upload/x", hello, []string{"Content-Range", "bytes 0-4/9"}, 308, "contentrange"},
		{"range before chunks", "PUT", "/upload/x" + query, hello, []string{"Content-Range", "bytes 0-4/9"}, 308, "contentrange"},
		{"range without a name", "PUT", "/upload", hello, []string{"Content-Range", "bytes 0-4/9"}, 400, ""},
		{"body with a name", "PUT", "/upload/x", hello, nil, 200, "contentrange"},
		{"body with a name, from curl", "POST", "/upload/x", "a=b&c=d", []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, "contentrange"},
		{"document with a name", "PUT", "/upload/x.json", `{"a":1}`, []string{"Content-Type", "application/json"}, 200, "contentrange"},
		{"body without a name", "PUT", "/upload", hello, nil, 201, "plain"},
		{"form", "POST", "/upload", fields("a=b") + file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 201, "plain"},
		{"form with a name", "POST", "/upload/x", file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 201, "plain"},
		{"form of files", "POST", "/upload", file("files", "a", hello) + formEnd, []string{"Content-Type", formX}, 201, "plain"},
		{"form with a blob", "POST", "/upload", file("file", "blob", hello) + fields("name=a") + formEnd, []string{"Content-Type", formX}, 201, "plain"},
		{"FilePond", "POST", "/upload", fields("filepond={}") + file("filepond", "a", hello) + formEnd, []string{"Content-Type", formX}, 201, "filepond"},
		{"FilePond in chunks", "POST", "/upload", fields("filepond={}") + formEnd, []string{"Content-Type", formX, "Upload-Length", "9"}, 201, "filepond"},
		{"FilePond 5", "POST", "/upload", "", []string{"Upload-Length", "9"}, 201, "filepond"},
		{"Resumable.js", "POST", "/upload", fields(resumable...) + file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 200, "resumable.js"},
		{"Resumable.js with a name", "POST", "/upload/x", fields(resumable...) + file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 200, "resumable.js"},
		{"Resumable.js by its query", "POST", "/upload" + query, file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 200, "resumable.js"},
		{"Resumable.js, octet", "POST", "/upload" + query, hello, []string{"Content-Type", "application/octet-stream"}, 200, "resumable.js"},
		{"Resumable.js, base64", "POST", "/upload", fields(append(resumable, "file=data:;base64,aGVsbG8=")...) + formEnd, []string{"Content-Type", formX}, 200, "resumable.js"},
		{"Resumable.js, after much", "POST", "/upload", fields("a="+strings.Repeat("x", 4000), "b="+strings.Repeat("x", 4000)) + fields(resumable...) + file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 200, "resumable.js"},
		{"Resumable.js' probe", "GET", "/upload" + query, "", nil, 204, ""},
		{"Resumable.js' probe by HEAD", "HEAD", "/upload" + query, "", nil, 204, ""},
		{"Flow.js' probe", "GET", "/upload" + strings.ReplaceAll(query, "resumable", "flow"), "", nil, 204, ""},
		{"Flow.js", "POST", "/upload/", strings.ReplaceAll(fields(resumable...), "resumable", "flow") + file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 200, "flow.js"},
		{"simple-uploader.js", "POST", "/upload", fields("chunkNumber=1", "chunkSize=10", "totalSize=25", "identifier=i", "filename=a") + file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 200, "simple-uploader.js"},
		{"a merge of nothing", "POST", "/upload/merge", `{"identifier":"i","totalSize":25}`, []string{"Content-Type", "application/json"}, 404, ""},
		{"Dropzone", "POST", "/upload", fields("dzuuid=u", "dzchunkindex=0", "dzchunkbyteoffset=0", "dztotalchunkcount=2", "dztotalfilesize=9") + file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 200, "dropzone"},
		{"Fine Uploader", "POST", "/upload", fields("qquuid=u", "qqtotalfilesize=5", "qqfilename=a") + file("qqfile", "a", hello) + formEnd, []string{"Content-Type", formX}, 200, "fine-uploader"},
		{"Fine Uploader's end of nothing", "POST", "/upload", "qquuid=u&qqtotalfilesize=5", []string{"Content-Type", "application/x-www-form-urlencoded"}, 404, ""},
		{"WebUploader", "POST", "/upload", fields("id=WU_FILE_0", "name=a", "size=9", "chunks=2", "chunk=0") + file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 200, "webuploader"},
		{"WebUploader without chunks", "POST", "/upload", fields("id=WU_FILE_0", "name=a", "size=5") + file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 201, "plain"},
		{"Plupload", "POST", "/upload", fields("name=a", "chunk=0", "chunks=2") + file("file", "blob", hello) + formEnd, []string{"Content-Type", formX}, 200, "plupload"},
		{"Syncfusion", "POST", "/upload", file("UploadFiles", "a", hello) + fields("chunk-index=0", "total-chunk=2") + formEnd, []string{"Content-Type", formX}, 200, "syncfusion"},
		{"Syncfusion without chunks", "POST", "/upload", file("UploadFiles", "a", hello) + formEnd, []string{"Content-Type", formX}, 201, "plain"},
		{"DevExtreme", "POST", "/upload", file("file", "blob", hello) + fields(`chunkMetadata={"Index":0,"TotalCount":2,"FileSize":9,"FileGuid":"g"}`) + formEnd, []string{"Content-Type", formX}, 200, "devextreme"},
		{"Kendo", "POST", "/upload", file("files", "a", hello) + fields(`metadata={"chunkIndex":0,"totalChunks":2,"totalFileSize":9,"uploadUid":"u"}`) + formEnd, []string{"Content-Type", formX}, 200, "kendo"},
		{"huge-uploader", "POST", "/upload", file("file", "blob", hello) + formEnd, []string{"Content-Type", formX, "Uploader-File-Id", "1", "Uploader-Chunks-Total", "2", "Uploader-Chunk-Number", "0"}, 200, "huge-uploader"},
		{"jQuery File Upload", "POST", "/upload", file("files[]", "blob", hello) + formEnd, []string{"Content-Type", formX, "Content-Range", "bytes 0-4/9", "Content-Disposition", `attachment; filename="a"`}, 200, "jquery-file-upload"},
		{"jQuery File Upload, no form", "PUT", "/upload", hello, []string{"Content-Range", "bytes 0-4/9", "Content-Disposition", `attachment; filename="a"`}, 200, "jquery-file-upload"},
		{"jQuery File Upload asks", "GET", "/upload?file=a", "", nil, 200, ""},
		{"react-uploady", "POST", "/upload", fields("upload_id=u") + file("file", "a", hello) + formEnd, []string{"Content-Type", formX, "Content-Range", "bytes 0-4/9"}, 200, "react-uploady"},
		{"Cloudinary", "POST", "/upload", file("file", "a", hello) + formEnd, []string{"Content-Type", formX, "Content-Range", "bytes 0-4/9", "X-Unique-Upload-Id", "u"}, 200, "cloudinary"},
		{"a field like Kendo's, with a file of another name", "POST", "/upload", file("attachments", "a", large) + fields(`metadata={"chunkIndex":0,"totalChunks":2}`) + formEnd, []string{"Content-Type", formX}, 413, ""},
		{"the same where forms are waited for", "POST", "/form/", file("attachments", "a", large) + fields(`metadata={"chunkIndex":0,"totalChunks":2}`) + formEnd, []string{"Content-Type", formX}, 200, "kendo"},
		{"a form without chunks at the path of chunks", "POST", "/form", file("file", "a", hello) + formEnd, []string{"Content-Type", formX}, 201, "plain"},
		{"nothing known at the path of chunks", "POST", "/form/", hello, nil, 400, ""},
		{"FilePond's own path", "POST", "/filepond", "", []string{"Upload-Length", "9"}, 201, "filepond"},
		{"a look at nothing", "GET", "/upload", "", nil, 405, ""},
		{"what there is", "OPTIONS", "/upload", "", nil, 200, ""},
	} {
		h, _ := testHouse(t, nil)
		resp, body := do(t, test.method, served(t, h)+test.path, test.body, test.headers...)
		var want []string
		if test.protocol != "" {
			want = []string{test.protocol}
		}
		if got := protocols(t, h); resp.StatusCode != test.status || !slices.Equal(got, want) {
			t.Errorf("%s: %d, %q; want %d, %q\n%s", test.name, resp.StatusCode, got, test.status, want, body)
		}
		if test.method == "OPTIONS" && (resp.Header.Get("Tus-Version") == "" || resp.Header.Get("Accept-Patch") == "") {
			t.Errorf("%s: %v", test.name, resp.Header)
		}
		if test.name == "IETF with a name" && !strings.Contains(body, `"name":"x"`) {
			t.Errorf("%s: the name is lost: %s", test.name, body)
		}
	}
}

// A file that is begun with one client is looked at, continued and finished
// with others.
func TestAcrossProtocols(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, nil)
	base := served(t, h)
	chunk := func(number, length int, content string) map[string]any {
		t.Helper()
		resp, body := do(t, "POST", base+"/upload", fields(fmt.Sprint("resumableChunkNumber=", number), "resumableChunkSize=10",
			fmt.Sprint("resumableCurrentChunkSize=", length), "resumableTotalSize=25", "resumableIdentifier=25-a", "resumableFilename=a")+
			file("file", "a", content)+formEnd, "Content-Type", formX)
		var told map[string]any
		if err := json.Unmarshal([]byte(body), &told); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp.StatusCode, body, err)
		}
		return told
	}
	told := chunk(1, 10, "0123456789")
	id := told["id"].(string)
	if resp, body := do(t, "GET", base+"/uploads/"+id, ""); resp.StatusCode != 200 || !strings.Contains(body, `"ranges":"0-9"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, _ := do(t, "HEAD", base+"/files/"+id, "", "Tus-Resumable", "1.0.0")
	if resp.StatusCode != 200 || resp.Header.Get("Upload-Offset") != "10" || resp.Header.Get("Upload-Length") != "25" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	patch := func(offset, content string) {
		t.Helper()
		resp, body := do(t, "PATCH", base+"/files/"+id, content, "Tus-Resumable", "1.0.0", "Upload-Offset", offset, "Content-Type", "application/offset+octet-stream")
		if resp.StatusCode != 204 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	patch("10", "abcdefg")
	// FilePond may bring some more, and the first client asks, and ends it.
	if resp, body := do(t, "PATCH", base+"/upload?patch="+id, "hij", "Upload-Offset", "17"); resp.StatusCode != 204 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if told := chunk(2, 15, "abcdefghijklmno"); told["complete"] != true || told["id"] != id {
		t.Errorf("%v", told)
	}
	if _, body := do(t, "GET", base+"/files/"+id, ""); body != "0123456789abcdefghijklmno" {
		t.Errorf("%q", body)
	}
	if resp, _ := do(t, "GET", base+"/upload?resumableChunkNumber=1&resumableChunkSize=10&resumableTotalSize=25&resumableIdentifier=25-a&resumableFilename=a", ""); resp.StatusCode != 200 {
		t.Errorf("a probe of what tus has finished: %d", resp.StatusCode)
	}
	if resp, body := do(t, "DELETE", base+"/upload?resumableChunkNumber=1&resumableChunkSize=10&resumableTotalSize=25&resumableIdentifier=25-a&resumableFilename=a", ""); resp.StatusCode != 200 {
		t.Errorf("a removal by the page's own names: %d %s", resp.StatusCode, body)
	}
	if resp, _ := do(t, "GET", base+"/files/"+id, ""); resp.StatusCode != 410 {
		t.Errorf("a removed file is read: %d", resp.StatusCode)
	}
}

// A form that begins with its file may be a chunk: what is too large to be
// waited for is refused if it was one, and is a file if not.
func TestLargeFormsAtTheDoor(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789abcdef", (chunkform.HoldLimit+1<<20)/16)
	for _, path := range []string{"/upload", "/form/"} {
		h, _ := testHouse(t, nil)
		base := served(t, h)
		resp, body := do(t, "POST", base+path, file("files", "a", large)+fields(`metadata={"chunkIndex":0,"totalChunks":2}`)+formEnd, "Content-Type", formX)
		if got := protocols(t, h); resp.StatusCode != 413 || len(got) > 0 {
			t.Errorf("%s: %d %s, %q", path, resp.StatusCode, body, got)
		}
		resp, body = do(t, "POST", base+path, file("files", "a", large)+fields("a=b")+formEnd, "Content-Type", formX)
		if got := protocols(t, h); resp.StatusCode != 201 || !slices.Equal(got, []string{"plain"}) || !strings.Contains(body, fmt.Sprintf(`"size":%d`, len(large))) {
			t.Errorf("%s: %d %s, %q", path, resp.StatusCode, body, got)
		}
	}
}

// What is asked of clients is asked at every path, and what a page has renamed
// is known at each.
func TestSettingsOfClients(t *testing.T) {
	t.Parallel()
	h, _ := testHouse(t, func(s *settings) {
		s.Clients = clients{
			RenameField: list{"no=resumableChunkNumber", "who=resumableIdentifier", "step=resumableChunkSize"},
			ExactStatus: true, Compat: list{"resumable"}, MaxAppend: 100, MinAppend: 10, Inform: true,
		}
		s.MaxSize = 1000
	})
	base := served(t, h)
	chunk := func(number, total string) string {
		return fields("no="+number, "step=10", "who=i", "resumableTotalSize="+total, "resumableFilename=a") + file("file", "a", "0123456789") + formEnd
	}
	for _, path := range []string{"/upload", "/form/"} {
		total := fmt.Sprint(20 + len(path))
		if resp, body := do(t, "POST", base+path, chunk("1", total), "Content-Type", formX); resp.StatusCode != 200 || body != "OK" {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
		query := "?step=10&who=i&resumableFilename=a&resumableTotalSize=" + total
		for number, status := range map[string]int{"&no=1": 200, "&no=2": 404} {
			if resp, body := do(t, "GET", base+path+query+number, ""); resp.StatusCode != status {
				t.Errorf("%s: a probe of %s is %d %s", path, number, resp.StatusCode, body)
			}
		}
		if resp, body := do(t, "POST", base+path, chunk("1", "1001"), "Content-Type", formX); resp.StatusCode != 413 {
			t.Errorf("%s: a file that is too large is %d %s", path, resp.StatusCode, body)
		}
	}
	for _, path := range []string{"/upload", "/rufh/"} {
		resp, _ := do(t, "OPTIONS", base+path, "")
		if limit := resp.Header.Get("Upload-Limit"); !strings.Contains(limit, "max-append-size=100") || !strings.Contains(limit, "min-append-size=10") {
			t.Errorf("%s: the limits are %q", path, limit)
		}
		for n, status := range map[int]int{9: 400, 50: 201, 101: 413} {
			informed := 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { informed = code; return nil },
			})
			r, _ := http.NewRequestWithContext(ctx, "POST", base+path, strings.NewReader(strings.Repeat("x", n)))
			r.Header.Set("Upload-Complete", "?0")
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != status || (informed == 104) != (status == 201) {
				t.Errorf("%s: %d bytes: %d, and %d before", path, n, resp.StatusCode, informed)
			}
		}
	}
}

// Forms that have to be looked at whole share half of the memory: who finds
// none waits, and is asked to come again when that takes long. Nobody else has
// to wait for them.
func TestMemoryAtTheDoor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := settings{Target: Target{Key: "{id}/{name}", ChunkSize: 1 << 20}}
		memory := store.NewBudget(4 << 20)
		k := &kept{Store: mem.New(mem.Options{}), State: state.Memory(nil), memory: memory, closeStore: func() error { return nil }}
		defer k.close()
		h, err := newHouse(s, k, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		handler := h.through(h.front())
		post := func(body io.Reader) *httptest.ResponseRecorder {
			r := httptest.NewRequest("POST", "/upload", body)
			r.Header.Set("Content-Type", formX)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w
		}
		const size = 3 << 19
		chunk := func(id string, i int) string {
			metadata := fmt.Sprintf(`metadata={"chunkIndex":%d,"totalChunks":2,"totalFileSize":%d,"uploadUid":%q}`, i, 2*size, id)
			return file("files", "a", strings.Repeat("x", size)) + fields(metadata) + formEnd
		}
		slow, sender := io.Pipe()
		first := make(chan int)
		go func() { first <- post(slow).Code }()
		body := chunk("a", 0)
		if _, err := io.WriteString(sender, body[:size]); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if held := memory.Size() - memory.Free(); held > memory.Size()/2 || held < size {
			t.Errorf("a form of %d bytes takes %d", size, held)
		}
		began := time.Now()
		if w := post(strings.NewReader(chunk("b", 0))); w.Code != 503 || w.Header().Get("Retry-After") == "" || time.Since(began) < 10*time.Second {
			t.Errorf("%d after %v: %s", w.Code, time.Since(began), w.Body)
		}
		if w := post(strings.NewReader(fields("dzuuid=u", "dzchunkindex=0", "dzchunkbyteoffset=0", "dztotalchunkcount=2", "dztotalfilesize=9") +
			file("file", "a", "hello") + formEnd)); w.Code != 200 {
			t.Errorf("what has not to be held: %d %s", w.Code, w.Body)
		}
		second := make(chan int)
		go func() { second <- post(strings.NewReader(chunk("b", 0))).Code }()
		synctest.Wait()
		go func() {
			_, _ = io.WriteString(sender, body[size:])
			sender.Close()
		}()
		if a, b := <-first, <-second; a != 200 || b != 200 {
			t.Errorf("%d, %d", a, b)
		}
		if w := post(strings.NewReader(chunk("b", 1))); w.Code != 200 || !strings.Contains(w.Body.String(), `"uploaded":true`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		// What is no chunk after all gives its memory back when it goes on.
		slow, sender = io.Pipe()
		go func() { first <- post(slow).Code }()
		go func() {
			_, _ = io.WriteString(sender, file("files", "a", strings.Repeat("x", 5<<20))[:5<<20])
		}()
		synctest.Wait()
		if free := memory.Free(); free != memory.Size() {
			t.Errorf("a large file takes %d bytes for its form", memory.Size()-free)
		}
		sender.Close()
		if code := <-first; code != 400 {
			t.Errorf("%d", code)
		}
		// And so does what nobody reads.
		handler = h.through(door{speaks: chunkform.Options{}.Speaks, waits: chunkform.Late, rows: []entrance{{"none", anything, http.NotFoundHandler()}}})
		post(strings.NewReader(chunk("c", 0)))
		if free := memory.Free(); free != memory.Size() {
			t.Errorf("%d bytes of memory were not given back", memory.Size()-free)
		}
	})
}

// What a client sends and reads is allowed to pages of other origins, at its
// own path and at the one for all.
func TestCorsOfEachClient(t *testing.T) {
	t.Parallel()
	const friend = "https://friend.example"
	h, _ := testHouse(t, func(s *settings) { s.Cors = list{friend} })
	base := served(t, h)
	for _, test := range []struct {
		path, method string
		send, see    []string
	}{
		{"/upload", "PATCH", []string{"Tus-Resumable", "Upload-Offset", "Upload-Metadata", "Upload-Name", "Content-Range", "X-Requested-With", "Cache-Control",
			"Content-Disposition", "Uploader-File-Id", "X-Unique-Upload-Id", "X-Mime-Type", "Authorization", "Content-Type"},
			[]string{"Upload-Offset", "Location", "Range", "Content-Disposition", "Retry-After", "Upload-Expires", "X-Upload-Location"}},
		{"/form/", "POST", []string{"Content-Range", "Content-Disposition", "Uploader-Chunk-Number", "Uploader-Chunks-Total", "X-Requested-With"}, []string{"Range"}},
		{"/filepond/", "PATCH", []string{"Upload-Length", "Upload-Offset", "Upload-Name", "Content-Type"}, []string{"Upload-Offset", "Content-Disposition"}},
	} {
		resp, _ := do(t, "OPTIONS", base+test.path, "", "Origin", friend, "Access-Control-Request-Method", test.method, "Access-Control-Request-Headers", "x")
		has := func(header string, values ...string) {
			t.Helper()
			all := strings.Split(resp.Header.Get(header), ", ")
			for _, v := range values {
				if !slices.Contains(all, v) {
					t.Errorf("%s: %s lacks %s: %v", test.path, header, v, all)
				}
			}
		}
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %d", test.path, resp.StatusCode)
		}
		has("Access-Control-Allow-Methods", test.method)
		has("Access-Control-Allow-Headers", test.send...)
		has("Access-Control-Expose-Headers", test.see...)
	}
}
