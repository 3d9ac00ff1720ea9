package mem

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// epochs is how many part numbers a cell has.
const epochs = 8

// errand is what a signed request says.
type errand struct {
	Object store.Object
	Part   store.Part
}

// Signs is store.Signer's: parts of which all is known, where Options.Signs is
// set and there is a grid. Deliver carries out what is signed.
func (s *Store) Signs(context.Context) (store.Signing, error) {
	if !s.options.Signs || s.options.Cell == 0 {
		return store.Signing{}, nil
	}
	return store.Signing{Origin: "mem:", Least: s.options.MinPart, Most: 10_000}, nil
}

// Number is store.Signer's.
func (s *Store) Number(o store.Object, cell extent.Extent) (int64, error) {
	if err := s.reach(o, cell.Start); err != nil {
		return 0, err
	}
	_, k := o.Grid.At(cell.Start)
	return k*epochs + o.Epoch%epochs + 1, nil
}

// Sign is store.Signer's.
func (s *Store) Sign(ctx context.Context, o store.Object, number int64, p *store.Part, life time.Duration) (store.Signed, error) {
	if err := ctx.Err(); err != nil {
		return store.Signed{}, err
	}
	if n, err := s.Number(o, p.Extent); err != nil || n != number || !o.Grid.Fills(p.Extent, o.Size) {
		return store.Signed{}, cmp.Or(err, fmt.Errorf("%s is not part %d", p.Extent, number))
	}
	words, err := json.Marshal(errand{o, *p})
	return store.Signed{Method: "PUT", URL: string(words), Until: time.Now().Add(life)}, err
}

// Deliver is what a client does with a signed request.
func (s *Store) Deliver(signed store.Signed, body []byte) error {
	var e errand
	if err := json.Unmarshal([]byte(signed.URL), &e); err != nil {
		return err
	}
	if e.Part.Len() != int64(len(body)) || e.Part.CRC != store.CRC(0).Update(body) {
		return errors.New("other bytes were signed")
	}
	_, err := s.keep(context.Background(), e.Object, e.Part.Extent, slices.Clone(body))
	return err
}

// Arrived is store.Signer's.
func (s *Store) Arrived(ctx context.Context, o store.Object, first, last int64) iter.Seq2[store.Arrival, error] {
	return func(yield func(store.Arrival, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(store.Arrival{}, err)
			return
		}
		for _, a := range s.arrivals(o) {
			if a.Number >= first && a.Number <= last && !yield(a, nil) {
				return
			}
		}
	}
}

func (s *Store) arrivals(o store.Object) (all []store.Arrival) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.lookup(o)
	if err != nil {
		return nil
	}
	for at, p := range u.slots {
		all = append(all, store.Arrival{Number: at.cell*epochs + at.epoch%epochs + 1, Size: p.Len(), CRC: p.CRC, Receipt: p.Receipt})
	}
	slices.SortFunc(all, func(a, b store.Arrival) int { return cmp.Compare(a.Number, b.Number) })
	return all
}
