package wire

import (
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/muleteer/muleteer/upload"
)

// The most bytes of a file's name and of its path, as file systems have it.
const (
	NameLimit = 255
	PathLimit = 4096
)

// Name takes apart what a browser calls a file: a directory comes as a path
// with slashes, and some clients tell the path on their disk. The name has no
// slash and no control character and may be empty; the path is empty unless
// the file lies within a directory. ErrInvalid if it is too long.
func Name(said string) (name, within string, err error) {
	said = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(said, "_"))
	if windows(said) {
		said = said[strings.LastIndexByte(said, '\\')+1:]
	}
	if name = path.Base(said); name == "." || name == "/" || name == ".." {
		name = ""
	}
	if clean := path.Clean("/" + said)[1:]; strings.Contains(clean, "/") {
		within = clean
	}
	if len(name) > NameLimit || len(within) > PathLimit {
		return "", "", fmt.Errorf("the file's name has more than %d bytes: %w", NameLimit, upload.ErrInvalid)
	}
	return name, within, nil
}

// Unescape undoes what browsers do to a file's name in a form: they write only
// the quote and the line ends in another way (HTML, section 4.10.21.8).
func Unescape(filename string) string {
	return strings.NewReplacer("%22", `"`, "%0D", "_", "%0A", "_").Replace(filename)
}

// windows tells whether a name is a path on a disk of Windows. A backslash
// elsewhere is a character like any other.
func windows(name string) bool {
	return len(name) > 2 && name[1] == ':' && name[2] == '\\' || strings.HasPrefix(name, `\\`)
}
