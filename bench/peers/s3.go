package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/tus/tusd/v2/pkg/s3store"
)

// bucket is tusd's S3 store as its program makes it. Credentials come from the
// environment.
func bucket(ctx context.Context, endpoint, name string) (s3store.S3Store, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return s3store.S3Store{}, err
	}
	return s3store.New(name, s3.NewFromConfig(c, func(o *s3.Options) {
		o.BaseEndpoint = aws.String(endpoint)
		o.UsePathStyle = true
	})), nil
}

// outcome is what minio prints.
type outcome struct {
	Seconds float64
	CPU     float64 // seconds of this process
	Sum     string  // SHA-256 of what was sent
}

// putMinio sends one object from memory with four parts at a time, straight to
// the server and without anybody who uploads: what a front can at best reach.
func putMinio(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("minio", flag.ContinueOnError)
	endpoint := flags.String("s3", "", "URL of the S3 server")
	name := flags.String("bucket", "", "the bucket")
	key := flags.String("key", "", "the object")
	size := flags.Int64("size", 1<<30, "bytes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	u, err := url.Parse(*endpoint)
	if err != nil {
		return err
	}
	c, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewEnvAWS(), Region: os.Getenv("AWS_REGION")})
	if err != nil {
		return err
	}
	n := newNoise()
	before, began := used(), time.Now()
	_, err = c.PutObject(ctx, *name, *key, io.NewSectionReader(n, 0, *size), *size, minio.PutObjectOptions{NumThreads: 4})
	if err != nil {
		return err
	}
	o := outcome{Seconds: time.Since(began).Seconds(), CPU: (used() - before).Seconds()}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(n, 0, *size)); err != nil {
		return err
	}
	o.Sum = hex.EncodeToString(h.Sum(nil))
	return json.NewEncoder(os.Stdout).Encode(o)
}

// noise is endless and takes 32 MiB of memory.
type noise []byte

func newNoise() noise {
	b := make(noise, 32<<20-1)                  // no multiple of a part
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // it never fails
	return b
}

func (n noise) ReadAt(p []byte, off int64) (int, error) {
	for at := 0; at < len(p); {
		at += copy(p[at:], n[(off+int64(at))%int64(len(n)):])
	}
	return len(p), nil
}

// used returns the CPU time of this process.
func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
