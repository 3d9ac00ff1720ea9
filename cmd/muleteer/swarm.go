package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// swarm sends one file in pieces over several connections at once. The pieces
// go in any order; what the server says it has is not sent again.
type swarm struct {
	*sender
	source *source
	file   *os.File
	meter  *meter

	mu      sync.Mutex
	missing extent.Set          // not acknowledged and not on its way
	sums    map[int64]store.CRC // of the acknowledged pieces, by their first byte
	lengths map[int64]int64     // likewise, their bytes
	whole   *view               // the server's answer to the last piece
	stopped error               // why no more are sent
}

// sender is what all files of a put share.
type sender struct {
	*remote
	direct  *direct   // nil unless it is wanted
	in      io.Reader // standard input
	chunk   *chunk
	workers int
	slots   chan struct{} // one token per request that may be under way
	limit   func() *patience
	buffers sync.Pool // of *[]byte
}

// errNotDone is what is asked again after: the server has all bytes.
var errNotDone = errors.New("the server is not done yet")

// send sends the file s and returns what the server made of it.
func (d *sender) send(ctx context.Context, s *source, m *meter) (*view, error) {
	if s.path == "-" {
		return d.stream(ctx, s, m)
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, missing(err)
	}
	defer f.Close()
	w := &swarm{sender: d, source: s, file: f, meter: m, sums: map[int64]store.CRC{}, lengths: map[int64]int64{}}
	if err := s.changed(f); err != nil {
		return nil, err
	}
	v, err := w.run(ctx)
	if err == nil {
		err = w.verify(v)
	}
	if errors.Is(err, errChanged) && v == nil {
		d.forget(ctx, s)
	}
	return v, err
}

// run sends until the server says that the file is whole. A file of one piece
// goes without a question, because a server that has it already only drops it.
func (w *swarm) run(ctx context.Context) (*view, error) {
	asked := w.source.size > w.chunk.size()
	for p := w.limit(); ; {
		missing := extent.Of(extent.Extent{End: w.source.size})
		if asked {
			stands, err := w.ask(ctx)
			if err != nil {
				return nil, err
			}
			if stands.file != nil {
				w.meter.resume(w.source.size)
				return stands.file, nil
			}
			missing = stands.here.Missing(extent.Extent{End: w.source.size})
			w.meter.resume(w.source.size - missing.Len())
		}
		asked = true
		if err := w.sendAll(ctx, missing); err != nil || w.whole != nil {
			return w.whole, err
		}
		// All was acknowledged, but nobody said that it is whole: either it is
		// being finished, or bytes went because the upload was removed.
		w.meter.note("finishing")
		if err := p.wait(ctx, errNotDone, w.meter.note); err != nil {
			return nil, err
		}
	}
}

// ask asks what is there until it is answered.
func (w *swarm) ask(ctx context.Context) (standing, error) {
	for p := w.limit(); ; {
		var s standing
		err := w.slot(ctx, func() (err error) {
			s, err = w.query(ctx, w.source, w.source.size)
			return err
		})
		if err == nil {
			return s, nil
		}
		if err := p.wait(ctx, err, w.meter.note); err != nil {
			return standing{}, err
		}
	}
}

// sendAll sends what is missing. It returns when all of it is acknowledged.
func (w *swarm) sendAll(ctx context.Context, missing extent.Set) error {
	w.missing = missing
	for _, e := range missing { // an earlier acknowledgement of these bytes is void
		for at := range w.sums {
			if e.Overlaps(extent.At(at, w.lengths[at])) {
				delete(w.sums, at)
				delete(w.lengths, at)
			}
		}
	}
	if w.source.size == 0 {
		return w.work(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pieces := missing.Len()/w.chunk.size() + 1
	var group sync.WaitGroup
	for range min(int64(w.workers), pieces) {
		group.Go(func() {
			switch err := w.work(ctx); {
			case errors.Is(err, errChanged):
				w.stop(err)
			case err != nil:
				cancel(err) // the first error is the one that counts
			}
		})
	}
	group.Wait()
	return cmp.Or(context.Cause(ctx), w.stopped)
}

// stop lets the pieces that are under way end, and no more begin: one that was
// cut off could reach the server after the request that removes the upload, and
// begin it again.
func (w *swarm) stop(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missing, w.stopped = nil, err
}

// work sends pieces until none is left.
func (w *swarm) work(ctx context.Context) error {
	p := w.limit()
	for {
		e, ok := w.take()
		if !ok {
			return nil
		}
		err := w.slot(ctx, func() error { return w.one(ctx, e) })
		if err == nil {
			p.success()
			continue
		}
		if changed := w.source.changed(w.file); changed != nil {
			return changed
		}
		w.giveBack(e)
		if err := w.chunk.failed(e.Len(), err); err != nil {
			return err
		}
		if shrunk(err) {
			continue
		}
		if err := p.wait(ctx, err, w.meter.note); err != nil {
			return err
		}
	}
}

// one sends one piece.
func (w *swarm) one(ctx context.Context, e extent.Extent) error {
	b := w.buffers.Get().(*[]byte)
	crc, err := sum(io.NewSectionReader(w.file, e.Start, e.Len()), e.Len(), *b)
	w.buffers.Put(b)
	if err != nil {
		return err
	}
	body := io.NewSectionReader(w.file, e.Start, e.Len())
	p := piece{e, w.source.size, crc, body}
	s, err := standing{}, errRound
	if w.direct.open() && (e.Len() >= leastDirect || e.End == w.source.size && e.Start > 0) {
		s, err = w.direct.send(ctx, w.remote, w.source, p, w.meter.note)
	}
	if errors.Is(err, errRound) {
		p.body = io.NewSectionReader(w.file, e.Start, e.Len())
		s, err = w.remote.send(ctx, w.source, p)
	}
	if err != nil {
		return err
	}
	if err := w.source.changed(w.file); err != nil {
		return err
	}
	if e.Empty() && s.file == nil {
		return errNotDone
	}
	w.chunk.ok()
	w.mu.Lock()
	w.sums[e.Start], w.lengths[e.Start] = crc, e.Len()
	if s.file != nil {
		w.whole = s.file
	}
	w.mu.Unlock()
	w.meter.ack(e.Len())
	return nil
}

// take returns the next piece to send. Pieces end where the chunks of a file
// end that was sent without a break, because stores like it so.
func (w *swarm) take() (extent.Extent, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.source.size == 0 && w.whole == nil {
		return extent.Extent{}, true
	}
	if len(w.missing) == 0 || w.whole != nil {
		return extent.Extent{}, false
	}
	e, n := w.missing[0], w.direct.size(w.chunk.size())
	if border := (e.Start/n + 1) * n; border < e.End {
		e.End = border
	}
	rest := extent.Of(extent.Extent{Start: e.End, End: w.missing[0].End})
	w.missing = append(rest, w.missing[1:]...)
	return e, true
}

// giveBack makes a piece missing again.
func (w *swarm) giveBack(e extent.Extent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped == nil {
		w.missing = w.missing.Add(e)
	}
}

// slot runs f when a request more may be under way.
func (d *sender) slot(ctx context.Context, f func() error) error {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}
