package chunkform_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/chunkform"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

// FuzzForm sends anything. It is never a fault of the server; what is taken is
// what the front door would have sent here; and no upload has more bytes than
// were sent.
func FuzzForm(f *testing.F) {
	f.Add("", multipartX, form(resumable(1, 10, 5, 25), "hello"))
	f.Add("?resumableChunkNumber=1&resumableChunkSize=10&resumableTotalSize=5&resumableIdentifier=x", "application/octet-stream", "hello")
	f.Add("", multipartX, form([]string{"dzuuid=u", "dzchunkindex=0", "dzchunkbyteoffset=0", "dztotalchunkcount=1"}, "hello"))
	f.Add("", multipartX, strings.Replace(form([]string{"resumableIdentifier=x", "resumableChunkNumber=1", "file=data:;base64,aGVsbG8="}, ""), "filename", "x", 1))
	f.Add("", multipartX, strings.TrimSuffix(form(nil, "hello"), "--x--\r\n")+form([]string{`metadata={"chunkIndex":0,"totalChunks":1,"totalFileSize":5}`}, ""))
	f.Add("", multipartX, form([]string{"name=a", "chunk=0", "chunks=2"}, "hello"))
	f.Add("", multipartX, form([]string{"id=a", "chunk=1", "chunks=2", "size=9"}, "hello"))
	f.Add("", "application/json", `{"qquuid":"a","qqtotalfilesize":5}`)
	f.Add("", "application/x-www-form-urlencoded", "identifier=a&totalSize=5")
	quiet := slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, query, kind, body string) {
		if len(query) > 0 && query[0] != '?' || strings.ContainsAny(query, " #\r\n\x00") {
			t.Skip()
		}
		r := httptest.NewRequest("POST", "/form/", strings.NewReader(body))
		r.URL.RawQuery = strings.TrimPrefix(query, "?")
		r.Header.Set("Content-Type", kind)
		mine := chunkform.Options{}.Speaks(r, wire.Glance(r, []byte(body), true))
		s, _ := wiretest.Grids()[1].Service(t)
		s.Log = quiet
		w := httptest.NewRecorder()
		chunkform.Handler(s, chunkform.Options{Pause: -1}).ServeHTTP(w, r)
		switch {
		case w.Code >= 500:
			t.Errorf("%d %s", w.Code, w.Body)
		case w.Code == 200 && !mine:
			t.Errorf("the front door does not see this: %s", w.Body)
		}
		for u, err := range s.Find(t.Context(), upload.Query{}) {
			if err != nil || u.Here > int64(len(body)) || u.Size >= 0 && u.Here > u.Size {
				t.Errorf("%v, %d of %d bytes are here", err, u.Here, u.Size)
			}
		}
	})
}
