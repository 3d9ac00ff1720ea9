package s3test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Fault is a way in which a call to an object store goes wrong.
type Fault string

// The faults that a Proxy makes.
const (
	None           Fault = ""
	ServerError    Fault = "500 InternalError"
	SlowDown       Fault = "503 SlowDown"
	TooMany        Fault = "429"
	Skew           Fault = "403 RequestTimeTooSkewed"
	Hang           Fault = "hang"               // nothing happens until the client gives up; Free passes it on
	Reset          Fault = "reset before"       // the server never hears of it
	ResetMidway    Fault = "reset midway"       // the server hears half of the body
	CommitReset    Fault = "commit, then reset" // the server did it, and its answer is lost
	CommitError    Fault = "commit, then 500"   // the server did it, and its answer says that it did not
	Late           Fault = "reset, then commit" // the server hears of it only when Free is called
	ErrorBody      Fault = "200 with an error"  // the server never hears of it
	CommitTruncate Fault = "truncated answer"   // the server did it, and half of the answer arrives
	CommitSum      Fault = "wrong checksum"     // the server did it, and the checksum that it tells is wrong
	Gone           Fault = "404 NoSuchUpload"   // as after a lifecycle rule
	Denied         Fault = "403 AccessDenied"   // as after a change of the policy
	Full           Fault = "507 QuotaExceeded"  // as of a store on a full disk
)

// Passing are the faults that go by when a call is made again: what Random
// chooses from.
func Passing() []Fault {
	return []Fault{ServerError, SlowDown, TooMany, Skew, Hang, Reset, ResetMidway, CommitReset, CommitError,
		ErrorBody, CommitTruncate, CommitSum}
}

// suits tells whether a fault is one that a store may be expected to notice
// in the answer to this operation.
func (f Fault) suits(op Op) bool {
	switch f {
	case ErrorBody: // "Complete … could contain an error in the body" (API reference); so do copies
		return slices.Contains([]Op{CompleteMultipartUpload, UploadPartCopy, CopyObject}, op)
	case CommitSum:
		return slices.Contains([]Op{UploadPart, PutObject, CompleteMultipartUpload, UploadPartCopy}, op)
	case ResetMidway:
		return op == UploadPart || op == PutObject
	}
	return op != Other
}

// refusal is the status and code of a fault that is an answer without an act.
func (f Fault) refusal() (status int, code string) {
	switch f {
	case ServerError, CommitError:
		return http.StatusInternalServerError, "InternalError"
	case SlowDown:
		return http.StatusServiceUnavailable, "SlowDown"
	case TooMany:
		return http.StatusTooManyRequests, "TooManyRequests"
	case Skew:
		return http.StatusForbidden, "RequestTimeTooSkewed"
	case ErrorBody:
		return http.StatusOK, "InternalError"
	case Gone:
		return http.StatusNotFound, "NoSuchUpload"
	case Denied:
		return http.StatusForbidden, "AccessDenied"
	case Full:
		return http.StatusInsufficientStorage, "QuotaExceeded"
	}
	return 0, ""
}

// refuse answers with an error as S3 does (API reference, "Error responses").
func refuse(w http.ResponseWriter, f Fault) int {
	status, code := f.refusal()
	body := fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"+
		"<Message>a fault of the test: %s</Message><RequestId>0</RequestId><ServerTime>%s</ServerTime></Error>",
		code, f, time.Now().UTC().Format(time.RFC3339))
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client may have left
	return status
}

// reset ends a client's connection so that it reads "connection reset by peer".
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the connection is closed all the same
	}
	drop(conn)
}

func drop(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // else a FIN would say that it went well
	}
	conn.Close()
}

// truncate sends half of an answer and resets the connection.
func truncate(w http.ResponseWriter, resp *http.Response, body []byte) {
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.TransferEncoding = nil
	var b bytes.Buffer
	_ = resp.Write(&b) // into memory
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	half := b.Len() / 2
	if len(body) > 0 {
		half = b.Len() - (len(body)+1)/2
	}
	_, _ = conn.Write(b.Bytes()[:half])
	// Half of it has to be read before the reset, which else overtakes it.
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = io.Copy(io.Discard, c)
	}
	conn.Close()
}

var sumElement = regexp.MustCompile(`<(Checksum[A-Z0-9]+)>[^<]*</`)

// missum makes the checksums wrong that an answer tells; where it tells none it
// tells a wrong one.
func missum(resp *http.Response, body []byte) []byte {
	const wrong = "AAAAAAAAAAA=" // of no bytes that anybody sends
	for name := range resp.Header {
		if len(name) > 15 && name[:15] == "X-Amz-Checksum-" && name != "X-Amz-Checksum-Type" {
			resp.Header.Set(name, wrong)
		}
	}
	resp.Header.Set("X-Amz-Checksum-Crc64nvme", wrong)
	return sumElement.ReplaceAll(body, []byte("<$1>"+wrong+"</"))
}
