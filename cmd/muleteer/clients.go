package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/muleteer/muleteer/protocol/chunkform"
)

// clients is what is asked of clients, and what they find as elsewhere.
type clients struct {
	RenameField list   `name:"rename-field" yaml:"rename-field" env:"MULETEER_RENAME_FIELD" placeholder:"THEIRS=OURS" help:"What a page has renamed of the fields of its upload library, as id=resumableIdentifier; may be given several times."`
	ExactStatus bool   `name:"exact-status" yaml:"exact-status" env:"MULETEER_EXACT_STATUS" help:"Tell clients of the Resumable.js family the very status for which an upload ends, and not 415, at which all of them stop."`
	Compat      list   `yaml:"compat" env:"MULETEER_COMPAT" placeholder:"NAME" help:"Answer as an older server did: resumable (the sample server of Resumable.js: OK as text, and 404 for a chunk that is missing)."`
	MaxAppend   size   `name:"max-append-size" yaml:"max-append-size" env:"MULETEER_MAX_APPEND_SIZE" default:"0" placeholder:"SIZE" help:"The most that one request of a resumable upload of the IETF may bring, where a proxy has a limit; 0 for none (default: 0)."`
	MinAppend   size   `name:"min-append-size" yaml:"min-append-size" env:"MULETEER_MIN_APPEND_SIZE" default:"0" placeholder:"SIZE" help:"The least that one of them may bring, but for the last; 0 for none (default: 0)."`
	MulePath    string `name:"mule-path" yaml:"mule-path" env:"MULETEER_MULE_PATH" default:"${mulePath}" placeholder:"PATH" help:"Where pages with Mule Uploader find their backend, as their ajax_base says: the path before signing_key/ (default: ${mulePath})."`
	Inform      bool   `name:"always-104" yaml:"always-104" env:"MULETEER_ALWAYS_104" help:"Send 104 (Upload Resumption Supported) also to clients that name no version of the draft, as it will be in the RFC."`
}

func (c clients) check() error {
	for _, pair := range c.RenameField {
		theirs, ours, both := strings.Cut(pair, "=")
		if !both || theirs == "" || !chunkform.Field(ours) {
			return fmt.Errorf("--rename-field %q: write THEIRS=OURS, where OURS is the name that the library has by itself, as id=resumableIdentifier", pair)
		}
	}
	if len(c.renamed()) < len(c.RenameField) {
		return errors.New("--rename-field has one field twice")
	}
	for _, name := range c.Compat {
		if name != demoResumable {
			return fmt.Errorf("--compat %q is not known: there is %s", name, demoResumable)
		}
	}
	if c.MaxAppend > 0 && c.MinAppend > c.MaxAppend {
		return errors.New("--min-append-size is more than --max-append-size: nothing could be sent")
	}
	if !mulePath.MatchString(c.mule()) {
		return fmt.Errorf("--mule-path %q is no path: write it as pages have it in ajax_base, without the host, as %s or /app/uploads", c.MulePath, usualMule)
	}
	return nil
}

// usualMule is where Mule Uploader looks for its backend by itself.
const usualMule = "/upload-backend"

// mulePath is a path of up to as many segments as find looks at, none of which
// is made of dots alone.
var mulePath = regexp.MustCompile(fmt.Sprintf(`^(/\.*[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,%d}/$`, deepest))

// mule is the path below which Mule Uploader's backend is, with the slash at its
// end.
func (c clients) mule() string {
	return strings.TrimSuffix(cmp.Or(c.MulePath, usualMule), "/") + "/"
}

// renamed gives the names that pages have chosen those of the libraries.
func (c clients) renamed() map[string]string {
	names := map[string]string{}
	for _, pair := range c.RenameField {
		theirs, ours, _ := strings.Cut(pair, "=")
		names[theirs] = ours
	}
	return names
}
