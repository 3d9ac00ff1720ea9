package wire

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/muleteer/muleteer/upload"
)

// What protocols share whose clients speak to S3, or take us for it: the
// documents of its multipart uploads (Amazon S3 API reference), and its errors.

// S3Part is a part of a multipart upload, as clients see it.
type S3Part struct {
	PartNumber int64
	ETag       string
	Size       int64
}

// S3Parts returns the parts of an upload as they are listed.
func S3Parts(id string, parts []upload.Numbered) []S3Part {
	list := make([]S3Part, len(parts))
	for i, p := range parts {
		list[i] = S3Part{p.Number, PartETag(id, p.Number, p.Size), p.Size}
	}
	return list
}

// PartETag is the ETag of a part, in quotes: it is the same for as long as the
// part has its size, and no other part has it.
func PartETag(id string, number, size int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "part %s %d %d", id, number, size))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// ObjectETag is the ETag of a whole file, in quotes, as reading it tells.
func ObjectETag(u *upload.Record) string {
	return fmt.Sprintf(`"%016x-%x"`, uint64(u.Final.CRC), u.Final.Size)
}

// S3Same compares what a client completes an upload of with the parts that are
// here, and returns their numbers. ErrInvalid if there is one that is not here.
func S3Same(wanted, here []S3Part) ([]int64, error) {
	etags := map[int64]string{}
	for _, p := range here {
		etags[p.PartNumber] = unquoted(p.ETag)
	}
	numbers := make([]int64, len(wanted))
	for i, p := range wanted {
		if etag, ok := etags[p.PartNumber]; !ok || etag != unquoted(p.ETag) {
			return nil, fmt.Errorf("part %d is not here, or is another one: %w", p.PartNumber, upload.ErrInvalid)
		}
		numbers[i] = p.PartNumber
	}
	return numbers, nil
}

// unquoted is an ETag as it can be compared: clients strip its quotes, or not.
func unquoted(etag string) string { return strings.Trim(strings.TrimSpace(etag), `"`) }

// completeLimit is how many bytes the list of parts has at most by which an upload is
// completed: 10,000 of them, with room for whatever is around.
const completeLimit = 4 << 20

// S3Complete reads the body of CompleteMultipartUpload. An empty one is a list
// of no parts; ErrInvalid if it is anything else.
func S3Complete(body io.Reader) ([]S3Part, error) {
	text, err := S3Body(body)
	if err != nil || len(strings.TrimSpace(string(text))) == 0 {
		return nil, err
	}
	var list struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []S3Part
	}
	if err := xml.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("the list of parts cannot be read: %w: %w", upload.ErrInvalid, err)
	}
	return list.Part, nil
}

// S3Body reads a body that tells of parts; ErrTooLarge if it is larger than it
// can be.
func S3Body(body io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(body, completeLimit+1))
	if err == nil && len(text) > completeLimit {
		err = fmt.Errorf("the list of parts is too long: %w", upload.ErrTooLarge)
	}
	return text, err
}

// S3Begun answers CreateMultipartUpload.
func S3Begun(w http.ResponseWriter, bucket, key, id string) {
	s3Document(w, http.StatusOK, struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string
	}{Bucket: bucket, Key: key, UploadId: id})
}

// S3List answers ListParts, with all of them at once.
func S3List(w http.ResponseWriter, bucket, key, id string, parts []S3Part) {
	s3Document(w, http.StatusOK, struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
		Bucket, Key, UploadId string
		MaxParts              int
		IsTruncated           bool
		Part                  []S3Part
	}{Bucket: bucket, Key: key, UploadId: id, MaxParts: 10_000, Part: parts})
}

// S3Completed answers CompleteMultipartUpload.
func S3Completed(w http.ResponseWriter, location, bucket, key, etag string) {
	s3Document(w, http.StatusOK, struct {
		XMLName                     xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
		Location, Bucket, Key, ETag string
	}{Location: location, Bucket: bucket, Key: key, ETag: etag})
}

// S3Posted answers a form that brought a file.
func S3Posted(w http.ResponseWriter, location, bucket, key, etag string) {
	s3Document(w, http.StatusCreated, struct {
		XMLName                     xml.Name `xml:"PostResponse"`
		Location, Bucket, Key, ETag string
	}{Location: location, Bucket: bucket, Key: key, ETag: etag})
}

// S3Error answers with an error document ("REST error responses").
func S3Error(w http.ResponseWriter, status int, code, message string) {
	Retry(w.Header(), status)
	s3Document(w, status, struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: code, Message: message})
}

// S3Code says what S3 calls an error, with its status; false if it is none that
// a client can be told. What passes is 503, which its clients try again.
func S3Code(err error) (status int, code string, known bool) {
	status, known = Status(err)
	switch {
	case errors.Is(err, upload.ErrNotFound), errors.Is(err, upload.ErrGone):
		return http.StatusNotFound, "NoSuchUpload", true
	case errors.Is(err, upload.ErrInterrupted), errors.Is(err, upload.ErrBusy), errors.Is(err, upload.ErrUnavailable):
		return http.StatusServiceUnavailable, "SlowDown", true
	case errors.Is(err, upload.ErrTooLarge):
		return http.StatusBadRequest, "EntityTooLarge", true
	case errors.Is(err, io.ErrUnexpectedEOF):
		return http.StatusBadRequest, "IncompleteBody", true
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusBadRequest, "RequestTimeout", true
	}
	switch status {
	case http.StatusForbidden:
		code = "AccessDenied"
	case http.StatusConflict:
		code = "OperationAborted"
	case http.StatusInternalServerError:
		code = "InternalError"
	case http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		code = "SlowDown"
	default:
		code = "InvalidRequest"
	}
	return status, code, known
}

func s3Document(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Cache-Control", "no-store")
	body, err := xml.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	body = append([]byte(xml.Header), body...)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // who has left needs no answer
}

// patience is how long Patiently goes on.
const patience = 10 * time.Minute

// Patiently repeats what is busy with the end of an upload, or whatever the
// further errors stand for, for clients that ask once and wait for as long as it
// takes.
func Patiently(ctx context.Context, f func() error, further ...error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := f()
		passing := errors.Is(err, upload.ErrBusy)
		for _, e := range further {
			passing = passing || errors.Is(err, e)
		}
		if !passing {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second / 4):
		}
	}
}
