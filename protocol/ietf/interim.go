package ietf

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// interim sends informational responses (104) before the answer. They are
// written by whoever reads the body, between two reads of it: so they can cross
// neither the "100 Continue" that the first read sends, nor the answer.
type interim struct {
	w     http.ResponseWriter
	v     version
	pace  time.Duration
	where map[string]string // the fields that tell where a new upload is; nil when that was told
	kept  atomic.Int64      // bytes of the upload that are recorded
	mu    sync.Mutex
	told  int64
	at    time.Time // of the last one that told of progress
	ended bool      // the answer comes, so no more may
}

// status is 104, Upload Resumption Supported.
const status = 104

// interim returns what tells the client of its upload; nil if nothing may.
func (a *answer) interim() *interim {
	informs := a.v.informs || a.v.interop == 0 && a.Inform && a.r.Header.Get(interop) == ""
	if !informs || !a.r.ProtoAtLeast(1, 1) {
		return nil
	}
	return &interim{w: a.w, v: a.v, pace: a.Pace, at: time.Now()}
}

// begins notes where the upload is, to be told with the first read: then the
// request has claimed its upload, and a HEAD that follows the 104 ends it
// before it tells an offset.
func (i *interim) begins(location, limits string) {
	if i != nil {
		i.where = map[string]string{"Location": location, limit: limits}
	}
}

// begun tells where the upload is, once.
func (i *interim) begun() {
	if i != nil && i.where != nil {
		i.send(i.where)
		i.where = nil
	}
}

// keep notes that the bytes before offset are safe. It never blocks.
func (i *interim) keep(offset int64) { i.kept.Store(offset) }

// progress tells how much is safe, if that is more than was told, and not too
// soon.
func (i *interim) progress() {
	kept := i.kept.Load()
	now := time.Now()
	i.mu.Lock()
	due := kept > i.told && now.Sub(i.at) >= i.pace
	if due {
		i.told, i.at = kept, now
	}
	i.mu.Unlock()
	if due {
		i.send(map[string]string{offset: decimal(kept)})
	}
}

// send writes a response with these fields and no others: what is set already
// is for the answer.
func (i *interim) send(fields map[string]string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return
	}
	h := i.w.Header()
	answer := maps.Clone(h)
	clear(h)
	for name, value := range fields {
		if value != "" {
			h.Set(name, value)
		}
	}
	if i.v.interop > 0 {
		h.Set(interop, decimal(i.v.interop))
	}
	i.w.WriteHeader(status)
	clear(h)
	maps.Copy(h, answer)
}

// end says that the answer comes.
func (i *interim) end() {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
}

// informed is a body whose client is told, while it is read, where it goes and
// how much of it is safe.
type informed struct {
	body
	interim *interim
}

func (b *informed) Read(p []byte) (int, error) {
	b.interim.begun()
	if b.interim.v.progress {
		b.interim.progress()
	}
	return b.body.Read(p)
}
