package mule

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// region is what the client is told; its host is the one without a suffix.
const region = "us-east-1"

// bucketName stands before ".s3.amazonaws.com" in paths.
const bucketName = "uploads"

// secretField is where a record keeps the key of its upload, in hexadecimal.
const secretField = "mule-secret"

// grace is how long a finished file is found again by whoever has lost the last
// answer, and an unfinished one whose date the browser does not tell.
const grace = 24 * time.Hour

// session is the answer to signing_key. The client leaves a field that it is
// not told as the page has set it.
type session struct {
	Date        string  `json:"date"`       // ISO 8601, UTC, with the Z
	Signature   string  `json:"signature"`  // the key by which it signs, in hexadecimal
	AccessKey   string  `json:"access_key"` // the name of that key: the id of the upload
	Region      string  `json:"region"`
	Bucket      string  `json:"bucket"` // where its URLs begin
	ContentType string  `json:"content_type"`
	Key         string  `json:"key"`
	BackupKey   string  `json:"backup_key"`
	UploadID    string  `json:"upload_id,omitempty"` // makes it go on
	Chunks      []int64 `json:"chunks,omitempty"`    // those that are here, from 0
}

// begin finds the caller's upload of a file, or begins one.
func (h *handler) begin(w http.ResponseWriter, r *http.Request) error {
	n, dated, err := h.said(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	if !upload.Caller(ctx).May(upload.MayWrite) { // who has the key of an upload may write to it
		return fmt.Errorf("%w: %s was not permitted", upload.ErrDenied, upload.MayWrite)
	}
	u, err := h.find(ctx, n.Fingerprint, dated)
	if err != nil {
		return err
	}
	if u != nil && r.URL.Query().Get("force") == "true" {
		if !u.Whole() {
			if err := h.s.Withdraw(ctx, u.ID); err != nil && !errors.Is(err, upload.ErrGone) {
				return err
			}
		}
		u = nil
	}
	again := u != nil
	if u == nil {
		if u, err = h.s.Create(ctx, n); errors.Is(err, upload.ErrExists) {
			again = true // another tab was faster
			if u, err = h.find(ctx, n.Fingerprint, true); u == nil && err == nil {
				err = upload.ErrBusy
			}
		}
		if err != nil {
			return err
		}
	}
	_, bucket, _ := strings.Cut(h.URL.To(r, h.Bucket+bucketName), "://")
	s := session{
		Date: h.now().UTC().Format("2006-01-02T15:04:05Z"), Signature: u.Meta.Wire[secretField], AccessKey: u.ID,
		Region: region, Bucket: bucket, ContentType: u.Type, Key: u.ID, BackupKey: rand.Text(),
	}
	if again {
		s.UploadID = u.ID
		_, parts, err := h.s.Numbered(ctx, u.ID)
		if err != nil {
			return err
		}
		for _, p := range parts {
			s.Chunks = append(s.Chunks, p.Number-1)
		}
	}
	wire.JSON(w, http.StatusOK, s)
	return nil
}

// said is the file of which a request tells; dated tells whether its date is
// known, by which it is told from another one of its name and size.
func (h *handler) said(r *http.Request) (n upload.New, dated bool, err error) {
	q := r.URL.Query()
	for _, name := range []string{"filename", "filesize", "last_modified", "content_type", "force"} {
		if len(q[name]) > 1 {
			return n, false, fmt.Errorf("%w: %s comes twice", upload.ErrInvalid, name)
		}
	}
	n = upload.New{Protocol: Protocol, Type: q.Get("content_type"), Chunk: h.Chunk}
	if n.Size, err = wire.Int(q.Get("filesize")); err != nil || q.Get("filesize") == "" {
		return n, false, fmt.Errorf("%w: filesize is no number of bytes", upload.ErrInvalid)
	}
	if (n.Size-1)/h.Chunk >= upload.MaxNumber {
		return n, false, fmt.Errorf("%w: it has more than %d chunks of %d bytes", upload.ErrTooLarge, upload.MaxNumber, h.Chunk)
	}
	modified := cmp.Or(q.Get("last_modified"), "0")
	if !strings.Contains(n.Type, "/") || len(n.Type) > wire.NameLimit || strings.ContainsFunc(n.Type, func(c rune) bool { return c < ' ' || c > '~' }) {
		n.Type = ""
	}
	name, path, err := wire.Name(q.Get("filename"))
	if err != nil || len(modified) > 32 {
		return n, false, fmt.Errorf("%w: filename or last_modified is too long", upload.ErrInvalid)
	}
	if n.Word, err = wire.Word(r.Header, q.Get, name, n.Size); err != nil {
		return n, false, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	n.Meta = upload.Meta{Name: name, Path: path, Wire: map[string]string{secretField: hex.EncodeToString(secret)}}
	scope := ""
	if h.Scope != nil {
		scope = h.Scope(r)
	}
	n.Fingerprint = h.s.Fingerprint(r.Context(), Protocol, scope, q.Get("filename"), q.Get("filesize"), modified)
	return n, modified != "0", nil
}

// find returns the upload of a file to go on with, or nil: the one that is not
// finished; or the one that has just been, so that who has lost the last answer
// does not send all of it again.
func (h *handler) find(ctx context.Context, fingerprint string, dated bool) (*upload.Record, error) {
	phases := []upload.Phase{upload.Receiving, upload.Joining, upload.Accepting, upload.Held, upload.Done}
	for u, err := range h.s.Find(ctx, upload.Query{Fingerprint: fingerprint, Phases: phases, Limit: 1}) {
		if err != nil || u.Meta.Wire[secretField] == "" {
			return nil, err
		}
		recent := h.now().Sub(u.Touched) <= grace
		if u.Whole() && dated && recent || !u.Whole() && (dated || recent) {
			return u, nil
		}
		if !u.Whole() { // there cannot be two
			if err := h.s.Withdraw(ctx, u.ID); err != nil && !errors.Is(err, upload.ErrGone) {
				return nil, err
			}
		}
	}
	return nil, nil
}

func (h *handler) log() *slog.Logger {
	if h.s.Log != nil {
		return h.s.Log
	}
	return slog.Default()
}
