package s3

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/muleteer/muleteer/store"
)

// relaying reads objects of the bucket, or runs of them, one after another and
// any number of times, so that they can be sent back as one.
type relaying struct {
	ctx  context.Context
	s    *Store
	runs []stretch
	n    int64 // bytes of all
	pos  int64

	open   io.ReadCloser // of the run that pos is in
	opened int64         // the pos at which open stands
	lost   error         // an object is not there
}

// stretch is a run of the bytes of an object.
type stretch struct {
	key  string
	at   int64   // offset of the first byte
	n    int64   // bytes
	held *buffer // nil if they are not in memory
}

func (r *relaying) Read(p []byte) (int, error) {
	if r.pos >= r.n {
		return 0, io.EOF
	}
	i, at := 0, r.pos
	for at >= r.runs[i].n {
		at -= r.runs[i].n
		i++
	}
	p = p[:min(int64(len(p)), r.runs[i].n-at)]
	if held := r.runs[i].held; held != nil {
		n, err := (&bufferReader{b: held, pos: at}).Read(p)
		r.pos += int64(n)
		return n, err
	}
	if r.open == nil || r.opened != r.pos {
		if err := r.fetch(r.runs[i], at); err != nil {
			return 0, err
		}
	}
	n, err := r.open.Read(p)
	r.pos += int64(n)
	r.opened = r.pos
	if whole := at+int64(n) == r.runs[i].n; whole || err == io.EOF {
		r.drop()
		if err == io.EOF && whole {
			err = nil
		}
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// fetch opens a run at one of its bytes.
func (r *relaying) fetch(run stretch, at int64) error {
	r.drop()
	in := &s3.GetObjectInput{
		Bucket: r.s.in(), Key: aws.String(run.key),
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", run.at+at, run.at+run.n-1)),
	}
	out, err := r.s.client.GetObject(r.ctx, in)
	if missing(err) {
		r.lost = fmt.Errorf("%s is not in the bucket: %w", run.key, store.ErrGone)
		return r.lost
	}
	if err != nil {
		return translate(err)
	}
	r.open, r.opened = out.Body, r.pos
	return nil
}

func (r *relaying) drop() {
	if r.open != nil {
		_ = r.open.Close() // it was only read
		r.open = nil
	}
}

func (r *relaying) Seek(offset int64, whence int) (int64, error) {
	return seek(&r.pos, r.n, offset, whence)
}

// close gives what was in memory back to it: if this did not succeed, the next
// try wants it.
func (r *relaying) close() {
	r.drop()
	for _, run := range r.runs {
		if run.held != nil {
			r.s.memory.keep(run.key, run.held)
		}
	}
}
