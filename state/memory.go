package state

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// Volatile is a State in the memory of this process: it ends with it.
type Volatile struct {
	now func() time.Time

	mu      sync.Mutex
	closed  bool
	last    int64 // the number of the newest record
	records map[string]*row
	open    map[string]string // fingerprint to id, of the uploads before Held
	events  []upload.Event    // in the order in which they were written
}

// row is a record with what only a state knows of it.
type row struct {
	upload.Record       // Parts is nil
	number        int64 // counts creations
	solid         int64 // bytes in parts that are not crumbs
	list          list
}

// Memory returns an empty state in memory. A nil now is time.Now.
func Memory(now func() time.Time) *Volatile {
	if now == nil {
		now = time.Now
	}
	return &Volatile{now: now, records: map[string]*row{}, open: map[string]string{}}
}

// enter locks v, unless ctx or v has ended.
func (v *Volatile) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// Create implements upload.State.
func (v *Volatile) Create(ctx context.Context, u *upload.Record, q upload.Quota, ev ...upload.Event) error {
	if err := v.enter(ctx); err != nil {
		return err
	}
	defer v.mu.Unlock()
	if _, ok := v.records[u.ID]; ok {
		return upload.ErrExists
	}
	if _, ok := v.open[u.Fingerprint]; ok && claims(u) {
		return upload.ErrExists
	}
	if q.Once && v.taken(u.Fingerprint) {
		return upload.ErrExists
	}
	r := &row{Record: keep(u), number: v.last + 1}
	r.Version, r.Offset, r.Here = 1, 0, 0
	if err := r.add(u.Parts); err != nil {
		return err
	}
	if err := v.weigh(&r.Record, q); err != nil {
		return err
	}
	v.last++
	v.records[u.ID] = r
	v.append(&r.Record, ev)
	if claims(u) {
		v.open[u.Fingerprint] = u.ID
	}
	u.Version, u.Offset, u.Here = r.Version, r.Offset, r.Here
	return nil
}

// taken tells whether an upload that is not Gone has a fingerprint.
func (v *Volatile) taken(fingerprint string) bool {
	for _, r := range v.records {
		if fingerprint != "" && r.Fingerprint == fingerprint && r.Phase < upload.Gone {
			return true
		}
	}
	return false
}

// Weigh implements upload.State.
func (v *Volatile) Weigh(ctx context.Context, u *upload.Record, q upload.Quota) error {
	if err := v.enter(ctx); err != nil {
		return err
	}
	defer v.mu.Unlock()
	return v.weigh(u, q)
}

func (v *Volatile) weigh(u *upload.Record, q upload.Quota) error {
	if q.Once = false; q == (upload.Quota{}) {
		return nil
	}
	var open, bytes, total int64
	for _, o := range v.records {
		if o.Endpoint != u.Endpoint || o.Owner != u.Owner || o.ID == u.ID || o.Phase == upload.Gone {
			continue
		}
		weight := o.Weight()
		total = plus(total, weight)
		if o.Phase < upload.Done {
			open++
			bytes = plus(bytes, weight)
		}
	}
	return q.Weigh(u, open, bytes, total)
}

// plus adds to a sum; -1 is more than can be counted.
func plus(sum, n int64) int64 {
	if sum < 0 || n > extent.Max-sum {
		return -1
	}
	return sum + n
}

// Load implements upload.State.
func (v *Volatile) Load(ctx context.Context, id string, e extent.Extent) (*upload.Record, error) {
	if err := v.enter(ctx); err != nil {
		return nil, err
	}
	defer v.mu.Unlock()
	r, ok := v.records[id]
	if !ok {
		return nil, upload.ErrNotFound
	}
	u := keep(&r.Record)
	if !e.Empty() {
		u.Parts = r.list.near(e)
	}
	return &u, nil
}

// Add implements upload.State.
func (v *Volatile) Add(ctx context.Context, id string, epoch int64, parts ...store.Part) (upload.Progress, error) {
	if err := v.enter(ctx); err != nil {
		return upload.Progress{}, err
	}
	defer v.mu.Unlock()
	r, ok := v.records[id]
	switch {
	case !ok:
		return upload.Progress{}, upload.ErrNotFound
	case r.Phase != upload.Receiving || r.Epoch != epoch:
		return upload.Progress{}, upload.ErrChanged
	}
	before := r.Here
	if err := r.add(parts); err != nil {
		return upload.Progress{}, err
	}
	now := moment(stamp(v.now()))
	if r.Touched.Before(now) {
		r.Touched = now
	}
	if r.Here == r.Size && before != r.Size {
		r.Due = now
		r.Version++
	} else if r.Size < 0 {
		r.Version++
	}
	return progress(r.Size, r.Offset, r.Here, r.solid), nil
}

// add records all parts or none.
func (r *row) add(parts []store.Part) error {
	var undo []change
	for _, p := range parts {
		c, err := place(r.list.near(p.Extent), p)
		if r.Size >= 0 && p.End > r.Size {
			err = upload.ErrTooLarge
		}
		if err != nil {
			for _, c := range slices.Backward(undo) {
				r.list.remove(c.put.Start)
				for _, p := range c.remove {
					r.list.insert(p)
				}
			}
			return err
		}
		if c.none() {
			continue
		}
		for _, p := range c.remove {
			r.list.remove(p.Start)
		}
		r.list.insert(c.put)
		undo = append(undo, c)
	}
	for _, c := range undo {
		r.Here += c.here()
		r.solid += c.solid()
	}
	r.Offset = r.list.prefix(r.Offset)
	return nil
}

// Save implements upload.State. A fingerprint that another upload before Held
// has is ErrExists.
func (v *Volatile) Save(ctx context.Context, u *upload.Record, ev ...upload.Event) error {
	if err := v.enter(ctx); err != nil {
		return err
	}
	defer v.mu.Unlock()
	r, ok := v.records[u.ID]
	switch {
	case !ok:
		return upload.ErrNotFound
	case r.Version != u.Version:
		return upload.ErrChanged
	}
	if id, ok := v.open[u.Fingerprint]; ok && claims(u) && id != u.ID {
		return upload.ErrExists
	}
	if claims(&r.Record) {
		delete(v.open, r.Fingerprint)
	}
	if claims(u) {
		v.open[u.Fingerprint] = u.ID
	}
	u.Version++
	n := keep(u)
	n.Offset, n.Here, n.Touched = r.Offset, r.Here, r.Touched
	r.Record = n
	v.append(&r.Record, ev)
	return nil
}

// Find implements upload.State. It yields what was there when it began.
func (v *Volatile) Find(ctx context.Context, q upload.Query) iter.Seq2[*upload.Record, error] {
	return func(yield func(*upload.Record, error) bool) {
		found, err := v.find(ctx, q)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, u := range found {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(u, nil) {
				return
			}
		}
	}
}

func (v *Volatile) find(ctx context.Context, q upload.Query) ([]*upload.Record, error) {
	if err := v.enter(ctx); err != nil {
		return nil, err
	}
	defer v.mu.Unlock()
	var rows []*row
	for _, r := range v.records {
		if r.matches(q) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *row) int {
		if !q.DueBefore.IsZero() {
			return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.number, b.number))
		}
		return cmp.Compare(b.number, a.number)
	})
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
	}
	found := make([]*upload.Record, len(rows))
	for i, r := range rows {
		u := keep(&r.Record)
		if !q.Near.Empty() {
			u.Parts = r.list.near(q.Near)
		}
		found[i] = &u
	}
	return found, nil
}

func (r *row) matches(q upload.Query) bool {
	return (q.Endpoint == nil || *q.Endpoint == r.Endpoint) &&
		(q.Owner == nil || *q.Owner == r.Owner) &&
		(q.Fingerprint == "" || q.Fingerprint == r.Fingerprint) &&
		(q.File == "" || q.File == r.File) &&
		(len(q.Phases) == 0 || slices.Contains(q.Phases, r.Phase)) &&
		(q.DueBefore.IsZero() || !r.Due.IsZero() && r.Due.Before(q.DueBefore)) &&
		(q.Source == "" || slices.Contains(r.Sources, q.Source))
}

// Ping tells whether the state is still open.
func (v *Volatile) Ping(ctx context.Context) error {
	if err := v.enter(ctx); err != nil {
		return err
	}
	v.mu.Unlock()
	return nil
}

// Close ends the state and forgets everything.
func (v *Volatile) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed, v.records, v.open, v.events = true, nil, nil, nil
	return nil
}
