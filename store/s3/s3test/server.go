// Package s3test gives tests a real S3 server over a directory of its own,
// versitygw, or MinIO if MULETEER_TEST_S3=minio, and a Proxy that lets chosen
// operations fail in the ways in which object stores fail. It is for tests
// only.
package s3test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What a Server asks of its clients. The secret is no secret: it guards a
// server of one test on this machine.
const (
	Region    = "us-east-1"
	AccessKey = "muleteer"
	SecretKey = "only-for-tests"
)

// Server is a running S3 server. Its methods may be called concurrently;
// several tests can share one, each in a bucket of its own.
type Server struct {
	Endpoint string // http://127.0.0.1:PORT
	kind     kind
	dir      string
	child    *exec.Cmd
	said     bytes.Buffer  // what it wrote; to be read when it has ended
	over     chan struct{} // closed when it has ended
	buckets  atomic.Int64
}

// Start starts a server that ends with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s, err := Open()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Open starts a server for a TestMain, which has to Close it.
func Open() (*Server, error) { return OpenIn("") }

// OpenIn is Open with the buckets below a directory, "" for the one of temporary
// files.
func OpenIn(within string) (*Server, error) {
	k, err := chosen()
	if err != nil {
		return nil, err
	}
	path, err := k.program()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(within, "muleteer-s3-")
	if err != nil {
		return nil, err
	}
	var last error
	sidecar := false
	for range 20 { // a port that was free a moment ago may not be any more
		s := &Server{kind: k, dir: dir}
		if last = s.start(path, sidecar); last == nil {
			return s, nil
		}
		// Metadata are extended attributes, where the file system has them.
		sidecar = sidecar || strings.Contains(last.Error(), "xattr")
	}
	return nil, errors.Join(last, os.RemoveAll(dir))
}

// start starts the process and returns when it answers.
func (s *Server) start(path string, sidecar bool) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	l.Close()
	for _, name := range []string{buckets, beside} {
		if err := os.MkdirAll(filepath.Join(s.dir, name), 0o755); err != nil {
			return err
		}
	}
	s.Endpoint = "http://" + address
	s.child = exec.Command(path, s.kind.args(address, s.dir, sidecar)...)
	s.child.Env = append(os.Environ(), s.kind.env...)
	s.child.Stdout, s.child.Stderr = &s.said, &s.said
	dieWithParent(s.child)
	if err := s.child.Start(); err != nil {
		return err
	}
	s.over = make(chan struct{})
	go func() {
		defer close(s.over)
		_ = s.child.Wait() // what it says is in ProcessState
	}()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		select {
		case <-s.over:
			return fmt.Errorf("%s ended at once: %s", s.kind.name, s.said.String())
		default:
		}
		if s.answers() {
			return nil
		}
	}
	s.kill()
	return fmt.Errorf("%s did not answer within a minute: %s", s.kind.name, s.said.String())
}

// answers tells whether a bucket can be made, and is in our directory: it might
// be another server that took the port meanwhile.
func (s *Server) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	name := "first-" + strings.ToLower(rand.Text())
	resp, err := s.Do(ctx, http.MethodPut, "/"+name, nil)
	if err != nil {
		return false
	}
	resp.Body.Close()
	_, err = os.Stat(filepath.Join(s.dir, buckets, name))
	return resp.StatusCode == http.StatusOK && err == nil
}

// Close kills the server and removes what it kept.
func (s *Server) Close() {
	s.kill()
	_ = os.RemoveAll(s.dir) // it is temporary
}

func (s *Server) kill() {
	_ = s.child.Process.Kill() // it may have ended already
	<-s.over
}

// Bucket makes a new and empty bucket.
func (s *Server) Bucket(tb testing.TB) string {
	tb.Helper()
	name, err := s.NewBucket(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

// NewBucket is Bucket where there is no test.
func (s *Server) NewBucket(ctx context.Context) (string, error) {
	name := fmt.Sprintf("bucket-%d", s.buckets.Add(1))
	resp, err := s.Do(ctx, http.MethodPut, "/"+name, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("making the bucket %s: %s", name, resp.Status)
	}
	return name, nil
}

// URL is the address of a place in a bucket as `serve --store` takes it.
func (s *Server) URL(bucket, prefix string) string { return storeURL(s.Endpoint, bucket, prefix) }

func storeURL(endpoint, bucket, prefix string) string {
	q := url.Values{"endpoint": {endpoint}, "region": {Region}}
	return "s3://" + strings.TrimSuffix(bucket+"/"+prefix, "/") + "?" + q.Encode()
}

// Env is what the environment of a client of the server has to have.
func Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + SecretKey,
		"AWS_REGION=" + Region,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// Setenv puts Env into the environment of this process, for a store that the
// test itself opens.
func Setenv() error {
	for _, v := range Env() {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}
