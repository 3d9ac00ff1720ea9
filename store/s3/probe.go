package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/store"
)

// features are what a server can do that not every one can.
type features struct {
	sum         string // the checksum that it checks
	conditional bool   // it never replaces an object when told so by If-None-Match
	lists       bool   // it lists the checksums of parts that came with one; asked only where clients may put parts
	blind       bool   // and of those that came without
}

// String tells of them, for people.
func (f features) String() string {
	how := map[string]string{
		sumCRC64: "checks CRC-64/NVME of parts and objects", sumCRC32C: "checks CRC-32C of parts",
		sumMD5: "checks MD5 of parts", sumNone: "checks no checksums: sizes are compared",
	}[f.sum]
	if !f.conditional {
		how += "; has no If-None-Match: two servers with one bucket and a key template without {id}/ in front may overwrite each other's files"
	}
	return how
}

// Probe finds out what the server can do, by a small object that it deletes
// again, and tells it in words. Whatever is written later needs it, so that
// missing rights show here.
func (s *Store) Probe(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	f, err := s.features(ctx)
	if err != nil {
		return "", s.explain(err)
	}
	told := f.String()
	if s.equal {
		told += fmt.Sprintf("; parts of one size: a file of unknown size ends at %d GiB", equalCell*maxParts/2>>30)
	}
	switch {
	case s.direct && !f.lists:
		told += "; lists no CRC-64/NVME of parts: clients send them through here, whatever direct=1 says"
	case s.direct && !f.blind:
		told += "; takes parts from clients that tell their checksums, as this project's own do"
	case s.direct:
		told += "; takes parts from clients"
	}
	return told, nil
}

// features returns what the server can do; at first it asks.
func (s *Store) features(ctx context.Context) (*features, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known != nil {
		return s.known, nil
	}
	f, err := s.probe(ctx)
	if err == nil {
		s.known = f
	}
	return f, err
}

func (s *Store) probe(ctx context.Context) (f *features, err error) {
	key := s.beside(rand.Text(), "probe") // an orphan, if the process dies of it
	// Whether a class or an encryption is to be had shows at an upload that is
	// not tried for anything else.
	begun, err := s.client.CreateMultipartUpload(ctx, s.multipart(key, true))
	if err != nil {
		return nil, err
	}
	if err := s.abort(ctx, key, aws.ToString(begun.UploadId)); err != nil {
		return nil, err
	}
	f = &features{sum: s.checksum}
	for _, algorithm := range sums() {
		if f.sum != "" {
			break
		}
		ok, err := s.probeSum(ctx, key, algorithm)
		if err != nil {
			return nil, err
		}
		if ok {
			f.sum = algorithm
		}
	}
	if s.direct && f.sum == sumCRC64 {
		if f.lists, f.blind, err = s.probeList(ctx, key); err != nil {
			return nil, err
		}
	}
	defer func() {
		if e := s.deleteAll(context.WithoutCancel(ctx), []string{key}); err == nil {
			err = e
		}
	}()
	for range 2 {
		_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: s.in(), Key: &key, Body: bytes.NewReader(nil), IfNoneMatch: aws.String("*"),
			ServerSideEncryption: types.ServerSideEncryption(s.sse), SSEKMSKeyId: optional(s.kmsKey),
		}, unsigned)
		switch {
		case status(err) == http.StatusPreconditionFailed:
			f.conditional = true
		case status(err) == http.StatusNotImplemented, status(err) == http.StatusBadRequest:
			return f, nil // there is no such thing here
		case err != nil:
			return nil, err
		}
	}
	return f, nil
}

// probeSum tells whether the server refuses a part whose checksum is wrong,
// and takes one whose checksum is right.
func (s *Store) probeSum(ctx context.Context, key, algorithm string) (bool, error) {
	in := s.multipart(key, false)
	onUpload(algorithm, in)
	begun, err := s.client.CreateMultipartUpload(ctx, in)
	if bad(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer s.abort(context.WithoutCancel(ctx), key, aws.ToString(begun.UploadId))
	body := []byte("muleteer")
	for _, wrong := range []bool{false, true} {
		crc := store.CRC(0).Update(body)
		c, err := sumOf(algorithm, crc, bytes.NewReader(body))
		if err != nil {
			return false, err
		}
		sent := body
		if wrong && algorithm != sumNone {
			sent = []byte("MULETEER")
		}
		part := &s3.UploadPartInput{
			Bucket: s.in(), Key: &key, UploadId: begun.UploadId, PartNumber: aws.Int32(1),
			Body: bytes.NewReader(sent), ContentLength: aws.Int64(int64(len(sent))),
		}
		c.onPart(part)
		_, err = s.client.UploadPart(ctx, part, unsigned)
		switch {
		case err != nil && !bad(err):
			return false, err
		case wrong && algorithm != sumNone && err == nil, !wrong && err != nil:
			return false, nil
		}
	}
	return true, nil
}

// bad tells that the server did not like a request, and would not next time.
func bad(err error) bool {
	switch status(err) {
	case http.StatusBadRequest, http.StatusNotImplemented, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return true
	}
	return false
}
