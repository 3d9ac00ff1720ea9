package s3

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/muleteer/muleteer/store"
)

// private is where everything lies that is not finished.
const private = ".muleteer/"

var (
	validID = regexp.MustCompile(`^[A-Za-z0-9_-]{22,}$`)
	// An id as the rules make them. What begins with one is taken for an upload's.
	ownID = regexp.MustCompile(`^[A-Z2-7]{26}$`)
)

// checkName refuses ids and keys that cannot be.
func (s *Store) checkName(id, key string) error {
	switch {
	case !validID.MatchString(id):
		return fmt.Errorf("%q is not an id", id)
	case !fs.ValidPath(key) || key == "." || strings.Contains(key, "\x00") || len(s.prefix+key) > maxKey:
		return fmt.Errorf("%.80q is not a key", key)
	case strings.HasPrefix(key+"/", private):
		return fmt.Errorf("%.80q is where the store keeps what is not finished", key)
	}
	return nil
}

// beside is a key below which everything of an upload lies that is not
// finished.
func (s *Store) beside(id, name string) string { return s.prefix + private + id + "/" + name }

// The names there.
const (
	stagedName = "object" // the multipart upload, where it is not made under its own key; a hidden object
	crumbName  = "crumb-"
	ticketName = "ticket-" // see publish
)

// crumbReceipt names a crumb. The epoch is in it, and something that nobody
// else can have, so that no writer ever touches what another one wrote.
func crumbReceipt(o store.Object, start int64) string {
	return fmt.Sprintf("%d-%d-%s", start, o.Epoch, rand.Text()[:12])
}

func (s *Store) crumbKey(o store.Object, p store.Part) string {
	return s.beside(o.ID, crumbName+p.Receipt)
}

// direct tells whether an object may be made under the key where it will
// appear: nobody else can have that key, or it may be taken from them. A key
// that begins with an upload's id is only its own, because orphans are known
// by it.
func direct(o store.Object) bool {
	first, _, more := strings.Cut(o.Key, "/")
	switch {
	case o.Hidden:
		return false
	case ownID.MatchString(first):
		return more && first == o.ID
	}
	return o.Overwrite
}

// final is where the object of a handle is, or will be.
func (s *Store) final(o store.Object) string {
	if o.Hidden {
		return s.beside(o.ID, stagedName)
	}
	return s.prefix + o.Key
}

// handle is what a store.Object's Token says.
type handle struct {
	k        int64  // part numbers of a cell
	direct   bool   // the multipart upload is made under the object's key
	uploadID string // as the server calls it
}

func (h handle) token() string {
	mode := "s"
	if h.direct {
		mode = "d"
	}
	return strconv.FormatInt(h.k, 10) + mode + ":" + h.uploadID
}

func parseToken(token string) (handle, error) {
	head, uploadID, found := strings.Cut(token, ":")
	n := len(head) - 1
	if !found || n < 1 || head[n] != 's' && head[n] != 'd' || uploadID == "" {
		return handle{}, fmt.Errorf("%.40q is no handle of an upload in S3", token)
	}
	k, err := strconv.ParseInt(head[:n], 10, 8)
	if err != nil || k < 1 {
		return handle{}, fmt.Errorf("%.40q is no handle of an upload in S3", token)
	}
	return handle{k, head[n] == 'd', uploadID}, nil
}

// at is the key of the multipart upload.
func (s *Store) at(o store.Object, h handle) string {
	if h.direct {
		return s.prefix + o.Key
	}
	return s.beside(o.ID, stagedName)
}

// partReceipt is what Join needs of a part.
func partReceipt(number int32, etag string) string {
	return strconv.Itoa(int(number)) + " " + etag
}

func parseReceipt(receipt string) (number int32, etag string, err error) {
	head, etag, found := strings.Cut(receipt, " ")
	n, err := strconv.ParseInt(head, 10, 32)
	if !found || err != nil || n < 1 || n > maxParts {
		return 0, "", fmt.Errorf("%.40q is no receipt of a part: %w", receipt, store.ErrParts)
	}
	return int32(n), etag, nil
}
