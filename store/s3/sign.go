package s3

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// signLife is how long a signed request can be good for at most.
const signLife = 15 * time.Minute

// newPresigner returns what signs for readers and clients. What is signed of a
// part stays in its headers: not every server looks for it in the URL.
func newPresigner(client *s3.Client, p place) *s3.PresignClient {
	o := client.Options()
	if p.public != "" {
		o.BaseEndpoint = aws.String(p.public)
	}
	return s3.NewPresignClient(s3.New(o), s3.WithPresignExpires(signLife), func(o *s3.PresignOptions) {
		o.Presigner = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableHeaderHoisting, o.DisableURIPathEscaping = true, true })
	})
}

// Signs is store.Signer's: nothing, unless the store's URL asks for it, and the
// server verifies CRC-64/NVME and lists it.
func (s *Store) Signs(ctx context.Context) (store.Signing, error) {
	if !s.direct {
		return store.Signing{}, nil
	}
	f, err := s.features(ctx)
	if err != nil || !f.lists {
		return store.Signing{}, err
	}
	out, err := s.sign.PresignHeadBucket(ctx, &s3.HeadBucketInput{Bucket: s.in()})
	if err != nil {
		return store.Signing{}, err
	}
	u, err := url.Parse(out.URL)
	if err != nil {
		return store.Signing{}, err
	}
	return store.Signing{Origin: u.Scheme + "://" + u.Host, Least: minPart, Most: maxParts, Blind: f.blind}, nil
}

// Number is store.Signer's.
func (s *Store) Number(o store.Object, cell extent.Extent) (int64, error) {
	h, err := s.check(o, cell)
	if err != nil {
		return 0, err
	}
	_, at := o.Grid.At(cell.Start)
	n, err := h.number(at, o.Epoch)
	return int64(n), err
}

// Sign is store.Signer's.
func (s *Store) Sign(ctx context.Context, o store.Object, number int64, p *store.Part, life time.Duration) (store.Signed, error) {
	h, err := parseToken(o.Token)
	if err != nil {
		return store.Signed{}, err
	}
	if number < 1 || number > maxParts || p != nil && p.Len() > maxPart {
		return store.Signed{}, fmt.Errorf("%w: part %d", store.ErrTooBig, number)
	}
	in := &s3.UploadPartInput{Bucket: s.in(), Key: aws.String(s.at(o, h)), UploadId: &h.uploadID, PartNumber: aws.Int32(int32(number))}
	if p != nil {
		in.ContentLength, in.ChecksumCRC64NVME = aws.Int64(p.Len()), aws.String(p.CRC.String())
	}
	life = min(life, signLife)
	until := time.Now().Add(life)
	out, err := s.sign.PresignUploadPart(ctx, in, s3.WithPresignExpires(life))
	if err != nil {
		return store.Signed{}, err
	}
	signed := store.Signed{Method: out.Method, URL: out.URL, Header: map[string]string{}, Until: until}
	for name := range out.SignedHeader {
		// A client says these by itself, and a browser's page cannot.
		if name := strings.ToLower(name); name != "host" && name != "content-length" {
			signed.Header[name] = out.SignedHeader.Get(name)
		}
	}
	return signed, nil
}

// Arrived is store.Signer's.
func (s *Store) Arrived(ctx context.Context, o store.Object, first, last int64) iter.Seq2[store.Arrival, error] {
	return func(yield func(store.Arrival, error) bool) {
		h, err := parseToken(o.Token)
		if err != nil {
			yield(store.Arrival{}, err)
			return
		}
		for p, err := range s.parts(ctx, s.at(o, h), h.uploadID, first, last) {
			if missing(err) {
				return
			}
			if err != nil {
				yield(store.Arrival{}, fmt.Errorf("listing the parts of %s: %w", s.at(o, h), translate(err)))
				return
			}
			a := store.Arrival{Number: int64(aws.ToInt32(p.PartNumber)), Size: aws.ToInt64(p.Size)}
			if a.CRC, err = store.ParseCRC(aws.ToString(p.ChecksumCRC64NVME)); err != nil {
				continue // nobody can tell what it is
			}
			a.Receipt = partReceipt(int32(a.Number), aws.ToString(p.ETag))
			if !yield(a, nil) {
				return
			}
		}
	}
}

// parts yields the parts of a multipart upload with numbers from first to last.
// After an error, which is the server's, it ends.
//
// MinIO lists nothing after a number that no part has: it is asked for all then.
func (s *Store) parts(ctx context.Context, key, uploadID string, first, last int64) iter.Seq2[types.Part, error] {
	return func(yield func(types.Part, error) bool) {
		in := &s3.ListPartsInput{Bucket: s.in(), Key: &key, UploadId: &uploadID}
		anew := first <= 1
		for after, page := max(first, 1)-1, min(last-first+1, 1000); ; page = 1000 {
			in.PartNumberMarker, in.MaxParts = aws.String(strconv.FormatInt(after, 10)), aws.Int32(int32(page))
			out, err := s.client.ListParts(ctx, in)
			if err != nil {
				yield(types.Part{}, err)
				return
			}
			listed := int64(0)
			for _, p := range out.Parts {
				listed = int64(aws.ToInt32(p.PartNumber))
				if listed > last || listed >= first && !yield(p, nil) {
					return
				}
			}
			if len(out.Parts) == 0 && !anew {
				after, anew = 0, true
				continue
			}
			anew = true
			if !aws.ToBool(out.IsTruncated) || listed == 0 || listed >= last || listed == after {
				return
			}
			after = listed
		}
	}
}

// probeList finds out whether the server lists the checksums of parts: of those
// that came with one, and of those that came without.
func (s *Store) probeList(ctx context.Context, key string) (lists, blind bool, err error) {
	in := s.multipart(key, false)
	onUpload(sumCRC64, in)
	begun, err := s.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return false, false, err
	}
	defer s.abort(context.WithoutCancel(ctx), key, aws.ToString(begun.UploadId))
	body := []byte("muleteer")
	crc := store.CRC(0).Update(body)
	for n := range int32(2) {
		part := &s3.UploadPartInput{
			Bucket: s.in(), Key: &key, UploadId: begun.UploadId, PartNumber: aws.Int32(n + 1),
			Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		}
		if n == 0 {
			sum{sumCRC64, crc.String()}.onPart(part)
		}
		if _, err := s.client.UploadPart(ctx, part, unsigned); err != nil && !bad(err) {
			return false, false, err
		}
	}
	for p, err := range s.parts(ctx, key, aws.ToString(begun.UploadId), 1, 2) {
		if status(err) == http.StatusForbidden || status(err) == http.StatusNotImplemented {
			return false, false, nil // then clients have to come through us
		}
		if err != nil {
			return false, false, err
		}
		told := aws.ToString(p.ChecksumCRC64NVME) == crc.String()
		switch aws.ToInt32(p.PartNumber) {
		case 1:
			lists = told
		case 2:
			blind = told
		}
	}
	return lists, lists && blind, nil
}
