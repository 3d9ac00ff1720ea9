package mem

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// Join is store.Store's.
func (s *Store) Join(ctx context.Context, o store.Object, parts []store.Part) (store.Final, error) {
	if err := ctx.Err(); err != nil {
		return store.Final{}, err
	}
	final, err := s.sum(o, parts)
	if err != nil {
		return store.Final{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.lookup(o)
	if err != nil && s.options.Cell == 0 && len(parts) == 0 {
		u, err = s.create(o.ID, o.Hidden), nil // an empty file has had no Put
	}
	if err != nil {
		return store.Final{}, err
	}
	if u.final != nil {
		if u.final.CRC != final.CRC || u.final.Size != final.Size {
			return store.Final{}, fmt.Errorf("other parts than those that were joined: %w", store.ErrParts)
		}
		if u.hidden && !o.Hidden {
			u.hidden = false
			s.publish(o, u, &final)
		}
		return *u.final, nil
	}
	if s.options.Cell == 0 {
		if !u.here.Has(extent.Extent{End: final.Size}) {
			return store.Final{}, fmt.Errorf("%s is here, not %d bytes: %w", u.here, final.Size, store.ErrParts)
		}
	} else if err := u.gather(o, parts); err != nil {
		return store.Final{}, err
	}
	s.publish(o, u, &final)
	return final, nil
}

// sum checks the parts against each other and adds them up.
func (s *Store) sum(o store.Object, parts []store.Part) (store.Final, error) {
	if err := shape(parts); err != nil {
		return store.Final{}, err
	}
	final := store.Final{Key: o.Key}
	for i, p := range parts {
		switch {
		case i == 0 && p.Start != 0:
			return store.Final{}, fmt.Errorf("the first part begins at %d: %w", p.Start, store.ErrParts)
		case p.Crumb:
			return store.Final{}, fmt.Errorf("%s is a crumb: %w", p.Extent, store.ErrParts)
		case p.Len() < s.options.MinPart && i < len(parts)-1:
			return store.Final{}, fmt.Errorf("%s is less than %d bytes: %w", p.Extent, s.options.MinPart, store.ErrParts)
		case s.options.MaxParts > 0 && i >= s.options.MaxParts:
			return store.Final{}, fmt.Errorf("more than %d parts: %w", s.options.MaxParts, store.ErrParts)
		}
		final.Size, final.CRC = p.End, final.CRC.Append(p.CRC, p.Len())
	}
	if final.Size != o.Size {
		return store.Final{}, fmt.Errorf("%d bytes of an object of %d: %w", final.Size, o.Size, store.ErrParts)
	}
	return final, nil
}

// shape checks that the parts are in order and without a gap.
func shape(parts []store.Part) error {
	for i, p := range parts {
		if p.Empty() || i > 0 && p.Start != parts[i-1].End {
			return fmt.Errorf("%s after %d others: %w", p.Extent, i, store.ErrParts)
		}
	}
	return nil
}

// gather makes u's file of the parts, if each is what was kept.
func (u *upload) gather(o store.Object, parts []store.Part) error {
	bodies := make([][]byte, len(parts))
	for i, p := range parts {
		_, cell := o.Grid.At(p.Start)
		for _, kept := range u.slots {
			if _, k := o.Grid.At(kept.Start); k == cell && kept.Part == p {
				bodies[i] = kept.bytes
			}
		}
		if bodies[i] == nil {
			return fmt.Errorf("%s with receipt %q is not here: %w", p.Extent, p.Receipt, store.ErrParts)
		}
	}
	for i, p := range parts {
		u.file.write(p.Start, bodies[i])
		u.here = u.here.Add(p.Extent)
	}
	return nil
}

// publish makes u appear under the key of o or a free one beside it.
func (s *Store) publish(o store.Object, u *upload, final *store.Final) {
	if !o.Hidden {
		for n := 1; s.names[final.Key] != "" && !o.Overwrite; n++ {
			final.Key = store.Beside(o.Key, n)
		}
		if other := s.names[final.Key]; other != "" {
			delete(s.uploads, other)
		}
		s.names[final.Key] = o.ID
	}
	told := *final
	u.final, u.slots, u.crumbs = &told, nil, nil
}

// PutWhole is store.WholePutter's.
func (s *Store) PutWhole(ctx context.Context, id string, spec store.Spec, body []byte) (store.Object, store.Final, error) {
	spec.Size = int64(len(body))
	o, err := s.Begin(ctx, id, spec)
	if err != nil {
		return o, store.Final{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	final := store.Final{Size: spec.Size, CRC: store.CRC(0).Update(body), Key: o.Key}
	u := s.uploads[id]
	if u == nil {
		u = s.create(id, o.Hidden)
	}
	if u.final != nil {
		if u.final.CRC != final.CRC || u.final.Size != final.Size {
			return o, store.Final{}, fmt.Errorf("%s is another object", id)
		}
		final = *u.final
	} else {
		u.file.write(0, body)
		u.here = extent.Of(extent.Extent{End: spec.Size})
		s.publish(o, u, &final)
	}
	o.Key, o.Joined = final.Key, true
	return o, final, nil
}

// Walk is store.Walker's, in the order of the names.
func (s *Store) Walk(ctx context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(store.Entry{}, err)
			return
		}
		for _, e := range s.entries() {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (s *Store) entries() []store.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []store.Entry
	for id, u := range s.uploads {
		if u.final != nil {
			e := store.Entry{ID: id, Token: u.token, Key: u.final.Key, Name: u.final.Key, Size: u.final.Size, Began: u.began}
			if u.hidden {
				e.Key, e.Name = "", "hidden/"+id
			}
			all = append(all, e)
			continue
		}
		e := store.Entry{ID: id, Token: u.token, Name: "upload/" + id, Size: u.here.Len(), Began: u.began}
		for p := range maps.Values(u.slots) {
			e.Size += p.Len()
		}
		all = append(all, e)
		for p := range maps.Values(u.crumbs) {
			all = append(all, store.Entry{ID: id, Token: u.token, Name: "crumb/" + id + "/" + p.Receipt, Size: p.Len(), Began: u.began})
		}
	}
	slices.SortFunc(all, func(a, b store.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
