// Package s3 keeps bytes in a bucket of Amazon S3 or of a server that speaks
// its protocol. Bytes are held in memory on their way, and nowhere else.
//
// An object is one multipart upload. Its grid is the size of the parts; a run
// that does not fill its cell is a crumb, an object of its own, until the cell
// is full. Everything that is not finished is below PREFIX.muleteer/ID/, but
// for multipart uploads whose key begins with the upload's id: these are made
// where they will appear.
//
// A bucket and prefix belong to one state: what no record of it names is an
// orphan.
package s3

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muleteer/muleteer/store"
)

// Options say how a Store works beside what its URL says. The zero value is
// sensible.
type Options struct {
	Memory *store.Budget // for bodies on their way; nil: 256 MiB of its own
	Limit  int64         // bytes of the largest object of unknown size that will come; 0: 5 TiB

	Key, Secret string // credentials; empty: those of the usual chain
}

// Store is a store.Store, Folder, Copier, WholePutter, Walker, Linker and Signer.
type Store struct {
	place
	limit  int64
	client *s3.Client
	sign   *s3.PresignClient
	memory *memory

	mu        sync.Mutex
	known     *features   // nil until the server has been probed
	copyPart  int64       // bytes that the server copies at once
	miscopies atomic.Bool // the server has told a wrong checksum of what it copied

	publishing locks      // by the upload's id
	naming     sync.Mutex // held while a free name is looked for and taken, where the server cannot do both at once
}

// What bodies on their way may take, in bytes.
const (
	defaultMemory = 256 << 20
	minMemory     = 4 << 20
)

// Check tells what is wrong with the URL of a store, see parseURL.
func Check(where string) error {
	_, err := parseURL(where)
	return err
}

// Open returns the store at a URL. It asks the server whether the bucket is
// there and may be read.
func Open(ctx context.Context, where string, o Options) (*Store, error) {
	p, err := parseURL(where)
	if err != nil {
		return nil, err
	}
	if o.Memory == nil {
		o.Memory = store.NewBudget(defaultMemory)
	}
	if o.Memory.Size() < minMemory {
		return nil, fmt.Errorf("bodies on their way to S3 need memory of at least %d MiB", minMemory>>20)
	}
	s := &Store{place: p, limit: o.Limit, memory: newMemory(o.Memory), copyPart: copyPart}
	if s.limit <= 0 || s.limit > maxObject {
		s.limit = maxObject
	}
	if s.client, err = newClient(ctx, p, given(o)); err != nil {
		return nil, err
	}
	s.sign = newPresigner(s.client, p)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	// Unlike HeadBucket, this answers an error with its name.
	in := &s3.ListObjectsV2Input{Bucket: s.in(), Prefix: aws.String(s.prefix), MaxKeys: aws.Int32(1)}
	if _, err := s.client.ListObjectsV2(ctx, in, hasty); err != nil {
		return nil, s.explain(err)
	}
	return s, nil
}

// startTimeout is how long the server may take to answer when the store is
// opened, or probed.
const startTimeout = 30 * time.Second

// Close ends the connections that are idle.
func (s *Store) Close() error {
	s.memory.close()
	if c, ok := s.client.Options().HTTPClient.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
	return nil
}

// in is the bucket as requests want it.
func (s *Store) in() *string { return aws.String(s.bucket) }
