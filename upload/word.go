package upload

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// WordLimit is how many bytes a client's word for its file may have.
const WordLimit = 1024

// CheckWord is ErrInvalid unless a client can call its file so: 1 to WordLimit
// bytes of UTF-8 without control characters.
func CheckWord(word string) error {
	if word == "" || len(word) > WordLimit || !utf8.ValidString(word) || strings.ContainsFunc(word, unicode.IsControl) {
		return fmt.Errorf("%w: a file's fingerprint has 1 to %d bytes of text", ErrInvalid, WordLimit)
	}
	return nil
}

// File makes of a client's word for its file what the caller's uploads of that
// file have in Record.File, whatever protocol has brought them; "" of no word.
// It is another one for each owner, endpoint and scope: a word is guessed more
// easily than an id, and nobody may find by it what is somebody else's.
func (s *Service) File(ctx context.Context, word string) string {
	if word == "" {
		return ""
	}
	return s.Fingerprint(ctx, "file", Caller(ctx).Scope, word)
}
