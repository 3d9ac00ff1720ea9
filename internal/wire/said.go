package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/upload"
)

// AnswerHeader is the header by which protocols whose answers have no room in
// their body tell what a hook has said of a finished upload: the fields of
// upload.Answer, as a JSON object in ASCII.
const AnswerHeader = "Upload-Answer"

// answerLimit is how many bytes that header may have. Proxies refuse answers with
// longer ones; the upload's JSON at /uploads/ID has all of it.
const answerLimit = 4 << 10

// Answer sets AnswerHeader, if there is something to say.
func Answer(h http.Header, u *upload.Record) {
	fields := answer(u)
	if len(fields) == 0 {
		return
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return // strings can always be written
	}
	var ascii strings.Builder
	for _, r := range string(b) {
		switch {
		case r < 0x80:
			ascii.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&ascii, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&ascii, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	if ascii.Len() <= answerLimit {
		h.Set(AnswerHeader, ascii.String())
	}
}

// answer returns the fields that a hook has for the client; nil if there are
// none.
func answer(u *upload.Record) map[string]string {
	if u.Meta.Answer == nil || u.Phase != upload.Done {
		return nil
	}
	return u.Meta.Answer.Fields
}

// Respond writes a response as a hook wants it, as far as it is not settled yet:
// headers that are set stay, and status is what the hook does not replace.
func Respond(w http.ResponseWriter, status int, want *upload.Response) {
	h := w.Header()
	if want == nil {
		w.WriteHeader(status)
		return
	}
	for name, value := range want.Header {
		switch name = http.CanonicalHeaderKey(name); name {
		case "Connection", "Content-Length", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade":
			continue // they belong to the connection
		}
		if _, set := h[name]; !set {
			h.Set(name, value)
		}
	}
	if want.Status >= 200 && want.Status <= 599 {
		status = want.Status
	} else if status == http.StatusNoContent && want.Body != "" {
		status = http.StatusOK
	}
	if want.Body != "" && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(status)
	if status != http.StatusNoContent && status != http.StatusNotModified {
		_, _ = io.WriteString(w, want.Body) // who has left needs no answer
	}
}
