package s3test

import (
	"net/http"
	"strconv"
	"strings"
)

// Op is an operation of S3, by the name that its API reference gives it.
type Op string

// The operations that a Proxy tells apart.
const (
	CreateMultipartUpload   Op = "CreateMultipartUpload"
	UploadPart              Op = "UploadPart"
	UploadPartCopy          Op = "UploadPartCopy"
	ListParts               Op = "ListParts"
	CompleteMultipartUpload Op = "CompleteMultipartUpload"
	AbortMultipartUpload    Op = "AbortMultipartUpload"
	PutObject               Op = "PutObject"
	GetObject               Op = "GetObject"
	HeadObject              Op = "HeadObject"
	DeleteObject            Op = "DeleteObject"
	DeleteObjects           Op = "DeleteObjects"
	CopyObject              Op = "CopyObject"
	ListObjectsV2           Op = "ListObjectsV2"
	ListMultipartUploads    Op = "ListMultipartUploads"
	Other                   Op = "Other" // whatever else, such as HeadBucket
)

// Ops are all operations but Other.
func Ops() []Op {
	return []Op{CreateMultipartUpload, UploadPart, UploadPartCopy, ListParts, CompleteMultipartUpload,
		AbortMultipartUpload, PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects, CopyObject,
		ListObjectsV2, ListMultipartUploads}
}

// Call is one request to S3 as the Proxy saw it.
type Call struct {
	Op       Op
	Bucket   string
	Key      string // "" where the operation is of a bucket
	UploadID string // of a multipart upload, else ""
	Part     int    // the part's number, else 0
	Signed   bool   // in its URL, as what the server gives away

	Length int64 // bytes that the request announced as its body, -1 if it did not
	Fault  Fault // what was made of it; None if it was only passed on
	Server int   // what the server answered, 0 if it was not asked or has not answered
	Client int   // what the client was answered, 0 if it was not
	Over   bool  // it has ended
}

// read tells which operation a request is, from its method, path and query.
// Buckets are the first word of the path.
func read(r *http.Request) Call {
	c := Call{Op: Other, Length: r.ContentLength}
	c.Bucket, c.Key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	c.UploadID = q.Get("uploadId")
	c.Part, _ = strconv.Atoi(q.Get("partNumber")) // 0 if it has none
	c.Signed = q.Has("X-Amz-Signature")
	copies := r.Header.Get("X-Amz-Copy-Source") != ""
	// A subresource such as ?tagging is another operation.
	for name := range q {
		switch name {
		case "acl", "tagging", "cors", "policy", "lifecycle", "location", "versioning", "attributes", "retention", "legal-hold":
			return c
		}
	}
	if c.Key == "" {
		switch {
		case r.Method == http.MethodGet && q.Has("uploads"):
			c.Op = ListMultipartUploads
		case r.Method == http.MethodGet && q.Get("list-type") == "2":
			c.Op = ListObjectsV2
		case r.Method == http.MethodPost && q.Has("delete"):
			c.Op = DeleteObjects
		}
		return c
	}
	type kind struct {
		method         string
		upload, copies bool
	}
	ops := map[kind]Op{
		{http.MethodPost, true, false}:    CompleteMultipartUpload,
		{http.MethodPut, true, false}:     UploadPart,
		{http.MethodPut, true, true}:      UploadPartCopy,
		{http.MethodGet, true, false}:     ListParts,
		{http.MethodDelete, true, false}:  AbortMultipartUpload,
		{http.MethodPut, false, false}:    PutObject,
		{http.MethodPut, false, true}:     CopyObject,
		{http.MethodGet, false, false}:    GetObject,
		{http.MethodHead, false, false}:   HeadObject,
		{http.MethodDelete, false, false}: DeleteObject,
	}
	if op, ok := ops[kind{r.Method, c.UploadID != "", copies}]; ok {
		c.Op = op
	} else if r.Method == http.MethodPost && q.Has("uploads") {
		c.Op = CreateMultipartUpload
	}
	return c
}
