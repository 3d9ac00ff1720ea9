//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strings"

	"github.com/muleteer/muleteer/store/s3/s3test"
)

// The sides of P5. The S3 server is versitygw on the same cores for all of
// them, and its CPU time counts for nobody.
const (
	oneBody = "muleteer, one body"
	patches = "muleteer, 8 MiB"
	swarmed = "muleteer, 4 × 8 MiB"
	tusdS3  = "tusd, one body"
	tusd8   = "tusd, 8 MiB"
	direct4 = "minio-go, 4 parts"
)

// cloud is P5.
func (p *plan) cloud(ctx context.Context, r *report, size int64) ([]row, error) {
	f := newFile(size)
	var sides []side
	for _, name := range []string{oneBody, patches, swarmed, tusdS3, tusd8, direct4} {
		sides = append(sides, side{name: name})
	}
	runs, err := p.turns(sides, func(sd side) (run, error) { return p.intoBucket(ctx, sd.name, f) })
	if err != nil {
		return nil, err
	}
	r.add("P5", runs)
	temp := func(r run) float64 { return float64(r.Temp) / (1 << 20) }
	memory := func(r run) float64 { return float64(r.Memory) / (1 << 20) }
	none := compare("P5", "MiB in temporary files, against tusd", runs, oneBody, tusdS3, temp)
	return []row{
		compare("P5", "MiB/s, one body against minio-go direct", runs, oneBody, direct4, mibs).atLeast(0.95),
		compare("P5", "MiB/s, 4 × 8 MiB against minio-go direct", runs, swarmed, direct4, mibs),
		compare("P5", "MiB/s, one body against tusd", runs, oneBody, tusdS3, mibs),
		compare("P5", "MiB/s, 8 MiB PATCHes against tusd's", runs, patches, tusd8, mibs),
		compare("P5", "CPU s/GiB, one body against tusd", runs, oneBody, tusdS3, run.cost).atMost(0.4),
		compare("P5", "CPU s/GiB, 8 MiB PATCHes against tusd's", runs, patches, tusd8, run.cost),
		compare("P5", "CPU s/GiB, one body against minio-go direct", runs, oneBody, direct4, run.cost),
		none.aim("= 0", none.Ours == 0),
		compare("P5", "MiB resident, against tusd", runs, oneBody, tusdS3, memory),
	}, nil
}

// intoBucket uploads the file to a new bucket, and reads it from there.
func (p *plan) intoBucket(ctx context.Context, name string, f *file) (run, error) {
	gateway, err := s3test.OpenIn(p.dir)
	if err != nil {
		return run{}, err
	}
	defer gateway.Close()
	bucket, err := gateway.NewBucket(ctx)
	if err != nil {
		return run{}, err
	}
	var r run
	key, sum := "direct", f.sum
	if name == direct4 {
		r, sum, err = p.minio(ctx, gateway.Endpoint, bucket, key, f.size)
	} else {
		r, key, err = p.front(ctx, name, gateway, bucket, f)
	}
	if err != nil {
		return run{}, err
	}
	got, err := sumIn(gateway, bucket, key)
	if err == nil && got != sum {
		err = fmt.Errorf("the object that was read back is another one: SHA-256 %s, sent was %s", got, sum)
	}
	gateway.Close()
	return r, errors.Join(err, settle())
}

func sumIn(gateway *s3test.Server, bucket, key string) (string, error) {
	object, err := gateway.Read(bucket, key)
	if err != nil {
		return "", err
	}
	defer object.Close()
	h := sha256.New()
	if _, err := io.Copy(h, object); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// minio has minio-go put the object, and tells its time and SHA-256.
func (p *plan) minio(ctx context.Context, endpoint, bucket, key string, size int64) (run, string, error) {
	cmd := exec.CommandContext(ctx, p.peer, "minio", "-s3", endpoint, "-bucket", bucket, "-key", key, "-size", fmt.Sprint(size))
	cmd.Env = s3test.Env()
	out, err := cmd.Output()
	if err != nil {
		return run{}, "", fmt.Errorf("minio-go: %w", err)
	}
	var o struct {
		Seconds, CPU float64
		Sum          string
	}
	err = json.Unmarshal(out, &o)
	return run{Units: gibs(size), Seconds: o.Seconds, CPU: o.CPU}, o.Sum, err
}

// front uploads through a tus server and tells under which key the object
// appeared.
func (p *plan) front(ctx context.Context, name string, gateway *s3test.Server, bucket string, f *file) (run, string, error) {
	sd := side{name: name, env: s3test.Env(), args: func(addr, _ string) []string {
		if name == tusdS3 || name == tusd8 {
			return []string{p.peer, "-listen", addr, "-s3", gateway.Endpoint, "-bucket", bucket}
		}
		args := []string{p.muleteer, "serve", "--listen", addr, "--store", gateway.URL(bucket, ""), "--key", "{id}/object"}
		if name == patches { // tus does not tell the server in what pieces it will come
			args = append(args, "--chunk-size", "8MiB")
		}
		return args
	}}
	s, err := p.start(ctx, sd)
	if err != nil {
		return run{}, "", err
	}
	defer s.stop()
	seen := s.watch()
	var at string
	r, err := s.timed(gibs(f.size), func() error {
		switch name {
		case swarmed:
			at, err = s.ranges(f, 8<<20, 4)
		case patches, tusd8:
			at, err = s.patches(f, 8<<20)
		default:
			at, err = s.patches(f, f.size)
		}
		return err
	})
	r.Temp = seen()
	if err != nil {
		return r, "", err
	}
	if r.Memory, err = s.memory(); err != nil {
		return r, "", err
	}
	key, _, found := strings.Cut(path.Base(at), "+")
	if !found { // in tusd's id, the multipart upload follows
		key += "/object"
	}
	s.stop()
	return r, key, s.forget()
}

// patches uploads the file by tus on one connection.
func (s *server) patches(f *file, chunk int64) (string, error) {
	c, err := s.dial()
	if err != nil {
		return "", err
	}
	defer c.close()
	at, err := c.create(f.size, nil)
	if err != nil {
		return "", err
	}
	for off := int64(0); off < f.size; off += chunk {
		n := min(chunk, f.size-off)
		if err := c.patch(at, off, f.bytes(off, n)); err != nil {
			return "", err
		}
	}
	return at, nil
}

// ranges uploads the file by Content-Range on several connections.
func (s *server) ranges(f *file, chunk int64, connections int) (string, error) {
	at := make([]string, (f.size+chunk-1)/chunk)
	err := s.parallel(connections, len(at), func(c *client, i int) error {
		off := int64(i) * chunk
		b := f.bytes(off, min(chunk, f.size-off))
		res, err := c.do("PUT", "/upload/swarm.bin", b, fmt.Sprintf("Content-Range: bytes %d-%d/%d", off, off+b.len()-1, f.size))
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		if res.StatusCode != 308 && res.StatusCode != 200 {
			return fmt.Errorf("PUT: %s: %.300s", res.Status, text)
		}
		at[i] = res.Header.Get("X-Upload-Location")
		return nil
	})
	return at[0], err
}
