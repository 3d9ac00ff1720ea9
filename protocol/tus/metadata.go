package tus

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// maxMetadata is how long, in bytes, Upload-Metadata may be: records carry it.
const maxMetadata = 8 << 10

// metadata is the header Upload-Metadata.
type metadata struct {
	raw    string // as it came, to be given back so
	fields map[string]string
}

func parseMetadata(h http.Header) (metadata, error) {
	raw, _, err := wire.Header(h, "Upload-Metadata")
	if err != nil || raw == "" {
		return metadata{}, err
	}
	if len(raw) > maxMetadata {
		return metadata{}, fmt.Errorf("%w: Upload-Metadata has more than %d bytes", upload.ErrTooLarge, maxMetadata)
	}
	m := metadata{raw: raw, fields: map[string]string{}}
	for pair := range strings.SplitSeq(raw, ",") {
		key, value, _ := strings.Cut(strings.Trim(pair, " "), " ")
		text, err := base64.StdEncoding.DecodeString(value)
		if _, twice := m.fields[key]; err != nil || twice || !isKey(key) {
			return metadata{}, fmt.Errorf("%w: Upload-Metadata has the pair %.40q", upload.ErrInvalid, pair)
		}
		m.fields[key] = strings.ToValidUTF8(string(text), "\uFFFD")
	}
	return m, nil
}

func isKey(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// first returns the first of the fields that says something. Some clients write
// out what JavaScript makes of a missing value.
func (m metadata) first(keys ...string) string {
	for _, k := range keys {
		if v := m.fields[k]; v != "" && v != "null" && v != "undefined" {
			return v
		}
	}
	return ""
}

// name returns the file's name.
func (m metadata) name() string { return m.first("filename", "name") }

// mediaType returns the file's type, if it can be one.
func (m metadata) mediaType() string {
	t := m.first("filetype", "type")
	if _, _, err := mime.ParseMediaType(t); err != nil || !isKey(strings.ReplaceAll(t, " ", "")) {
		return ""
	}
	return t
}
