package s3

import (
	"fmt"
	"mime"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/store"
)

func TestWord(t *testing.T) {
	t.Parallel()
	for value, plain := range map[string]bool{
		"": true, "a b.txt": true, "größe": false, " a": false, "a  b": false, "line\nbreak": false, "tab\t": false,
		"=?utf-8?q?x?=": false, strings.Repeat("文件", 100): false, strings.Repeat("x", 500): true, "50% + more?": true,
	} {
		w := word(value)
		if (w == value) != plain || strings.ContainsAny(w, "\r\n\t") || strings.Contains(w, "  ") {
			t.Errorf("%q became %q", value, w)
		}
		if got, err := new(mime.WordDecoder).DecodeHeader(w); err != nil || got != value {
			t.Errorf("%q became %q, and that %q, %v", value, w, got, err)
		}
	}
}

// What clients say fits into what S3 takes, or stays away; the id is always
// there.
func TestTell(t *testing.T) {
	t.Parallel()
	a := tell(anID, store.Spec{Type: "text/plain", Name: "größe.txt", Fields: map[string]string{
		"filename": "größe.txt", "Some_Field.x": "y", "muleteer-id": "forged", "Muleteer.ID": "forged", "\x00": "x", "large": strings.Repeat("x", 3000),
	}})
	if a.meta[idField] != anID || a.meta["some-field-x"] != "y" || a.meta["filename"] != "=?utf-8?b?Z3LDtsOfZS50eHQ=?=" || len(a.meta) != 3 {
		t.Errorf("%q", a.meta)
	}
	if _, params, err := mime.ParseMediaType(a.disposition); err != nil || params["filename"] != "größe.txt" || !strings.HasPrefix(a.disposition, "attachment") {
		t.Errorf("%q, %v", a.disposition, err)
	}
	many := map[string]string{}
	for i := range 200 {
		many[fmt.Sprint("field-", i)] = "some value"
	}
	n := 0
	for k, v := range tell(anID, store.Spec{Fields: many}).meta {
		n += len(k) + len(v)
	}
	if n > mostMeta || n < mostMeta-50 {
		t.Errorf("%d bytes of metadata", n)
	}
	if a := tell(anID, store.Spec{Type: "text/plain\r\nx-evil: 1", Name: "a\r\nb"}); a.kind != "" || strings.ContainsAny(a.disposition, "\r\n") {
		t.Errorf("%+v", a)
	}
}
