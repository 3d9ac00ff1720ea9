package s3

import (
	"fmt"

	"github.com/muleteer/muleteer/store"
)

// What S3 allows, in bytes and numbers ("Amazon S3 multipart upload limits").
const (
	mib       = int64(1) << 20
	minPart   = 5 * mib  // of all parts but the last
	maxPart   = 5 << 30  // of any part
	maxParts  = 10_000   // and the highest number of one
	maxObject = 5 << 40  // that servers are known to take
	maxKey    = 1024     // bytes of a key
	usualCell = 8 * mib  // where nothing says otherwise
	largeCell = 16 * mib // a chunk that is larger is cut
	equalCell = 64 * mib // where all parts must be equal and nobody knows how many there will be
)

// layout tells how an object is cut, and how many part numbers each cell has.
//
// A cell has k of them: what a node writes goes to the number cell × k +
// epoch mod k + 1, so that a node that was taken over from cannot touch what
// its successor wrote.
func (s *Store) layout(size, chunk int64) (g store.Grid, k int64, err error) {
	cell := cellFor(chunk)
	switch {
	case size > maxObject:
		return g, 0, fmt.Errorf("%w: S3 takes up to 5 TiB, not %d bytes", store.ErrTooBig, size)
	case size >= 0:
		const slots = maxParts / 2
		if rows := cell * slots; size > rows {
			cell *= (size + rows - 1) / rows // still a multiple of the chunk
		}
		if (size+cell-1)/cell <= maxParts/4 {
			return store.Grid{Cell: cell}, 4, nil
		}
		return store.Grid{Cell: cell}, 2, nil
	case s.equal:
		return store.Grid{Cell: equalCell}, 2, nil
	}
	return widening(cell, s.limit), 2, nil
}

// cellFor is the size of a cell that suits a client's chunk: equal to it where
// that is possible, so that every chunk is a part, else a multiple of it, or a
// fraction.
func cellFor(chunk int64) int64 {
	switch {
	case chunk <= 0:
		return usualCell
	case chunk < minPart:
		return (usualCell + chunk - 1) / chunk * chunk
	case chunk <= largeCell:
		return chunk
	}
	for n := (chunk + largeCell - 1) / largeCell; chunk/n >= minPart; n++ {
		if chunk%n == 0 {
			return chunk / n
		}
	}
	return usualCell
}

// widening is the grid for an object of unknown size with cells that begin as
// cell and reach the limit within the numbers, with two for each cell.
func widening(cell, limit int64) store.Grid {
	for bands := int64(1); bands <= 10 && cell<<(bands-1) <= maxPart; bands++ {
		widen := maxParts / 2 / bands
		if cell*widen*(1<<bands-1) < limit {
			continue
		}
		if bands == 1 {
			widen = 0
		}
		return store.Grid{Cell: cell, Widen: widen}
	}
	return store.Grid{Cell: 20 * mib, Widen: 520} // 5 TiB, see TestGridReach in package store
}

// number is the part's number of a cell.
func (h handle) number(cell, epoch int64) (int32, error) {
	n := cell*h.k + epoch%h.k + 1
	if n > maxParts {
		return 0, fmt.Errorf("%w: with the size with which it was begun it would have a part %d, and S3 takes %d", store.ErrTooBig, n, maxParts)
	}
	return int32(n), nil
}
