package s3

import (
	"encoding/base64"
	"maps"
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/store"
)

// idField is the word of an object's metadata by which its upload is known
// again: x-amz-meta-muleteer-id.
const idField = "muleteer-id"

// mostMeta is what S3 takes of metadata, in bytes, names and values together.
const mostMeta = 2 << 10

// about is what is kept beside the bytes of an object.
type about struct {
	kind        string // media type
	disposition string
	meta        map[string]string
}

// tell makes what is kept beside an object from what its client said, as far
// as it fits.
func tell(id string, spec store.Spec) about {
	a := about{kind: printable(spec.Type), meta: map[string]string{idField: id}}
	if spec.Name != "" {
		a.disposition = mime.FormatMediaType("attachment", map[string]string{"filename": strings.ToValidUTF8(spec.Name, "_")})
	}
	room := mostMeta - len(idField) - len(id)
	for _, name := range slices.Sorted(maps.Keys(spec.Fields)) {
		key, value := fieldName(name), word(spec.Fields[name])
		if _, there := a.meta[key]; key == "" || there || len(key)+len(value) > room {
			continue
		}
		a.meta[key] = value
		room -= len(key) + len(value)
	}
	return a
}

func (a about) onUpload(in *s3.CreateMultipartUploadInput) {
	in.ContentType, in.ContentDisposition, in.Metadata = optional(a.kind), optional(a.disposition), a.meta
}

func (a about) onObject(in *s3.PutObjectInput) {
	in.ContentType, in.ContentDisposition, in.Metadata = optional(a.kind), optional(a.disposition), a.meta
}

// of is what look found beside an object.
func of(out *s3.HeadObjectOutput) about {
	return about{aws.ToString(out.ContentType), aws.ToString(out.ContentDisposition), out.Metadata}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// printable is s if a header can carry it, else nothing.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return strings.TrimSpace(s)
}

// fieldName is a name as every server takes it, empty if nothing of it is
// left.
func fieldName(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r == '_' || r == '.' || r == ' ':
			return '-'
		}
		return -1
	}, name), "-")
}

// word is a value as a header carries it: plain where it is, else in the
// encoded words of RFC 2047, which S3 itself uses.
func word(value string) string {
	plain := printable(value) == value && !strings.Contains(value, "  ") && !strings.Contains(value, "=?")
	if plain {
		return value
	}
	var words []string
	value = strings.ToValidUTF8(value, "\uFFFD")
	for len(value) > 0 {
		n := min(len(value), 45) // 60 in base64, so that the word has less than 75
		for n < len(value) && !utf8.RuneStart(value[n]) {
			n--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(value[:n]))+"?=")
		value = value[n:]
	}
	return strings.Join(words, " ")
}

// encrypt has an object encrypted at rest, if the store's address says so.
func (s *Store) encrypt(in *s3.PutObjectInput) {
	in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryption(s.sse), optional(s.kmsKey)
}
