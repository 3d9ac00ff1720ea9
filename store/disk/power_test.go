package disk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// upload is what a client knows of an object: its bytes and what it was told.
type upload struct {
	o       store.Object // as it was begun
	data    []byte
	parts   []store.Part // acknowledged
	trying  bool         // Join was begun
	final   *store.Final // Join or PutWhole has returned this
	whole   bool         // PutWhole; Join is not to be repeated
	foreign bool         // removed, or maybe replaced by another
}

// scene is a life of a store with power cuts. It keeps the truth.
type scene struct {
	rnd *rand.Rand
	p   *powerFS
	s   *Store
	all []*upload
}

func (c *scene) key() string {
	return []string{"a", "b.txt", "d/b.txt", "d/e/f", fmt.Sprintf("%d/n", c.rnd.IntN(5))}[c.rnd.IntN(5)]
}

// begin begins an upload with bytes of its own.
func (c *scene) begin() (*upload, error) {
	size := int64(c.rnd.IntN(5) * c.rnd.IntN(9000))
	if c.p.plain {
		size += 9 // without marks, nobody can tell equal files from each other
	}
	spec := store.Spec{Size: size, Key: c.key(), Overwrite: c.rnd.IntN(5) == 0, Hidden: c.rnd.IntN(6) == 0}
	id := fmt.Sprintf("upload-%015d", len(c.all)) + "x"
	o, err := c.s.Begin(context.Background(), id, spec)
	u := &upload{o: o, data: make([]byte, size)}
	for i := 0; i < len(u.data); i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], c.rnd.Uint64()|0x0101010101010101) // never zero, as what was lost is
		copy(u.data[i:], word[:])
	}
	c.all = append(c.all, u)
	return u, err
}

func (u *upload) missing() extent.Set {
	var here extent.Set
	for _, p := range u.parts {
		here = here.Add(p.Extent)
	}
	return here.Missing(extent.Extent{End: u.o.Size})
}

// told records what done is told.
func (u *upload) told(p store.Part) error {
	if want := store.CRC(0).Update(u.data[p.Start:p.End]); p.CRC != want {
		return fmt.Errorf("%s: the CRC of %s is %s, want %s", u.o.ID, p.Extent, p.CRC, want)
	}
	u.parts = append(u.parts, p)
	slices.SortFunc(u.parts, func(a, b store.Part) int { return cmp.Compare(a.Start, b.Start) })
	return nil
}

func (c *scene) put(u *upload) error {
	gaps := u.missing()
	if len(gaps) == 0 {
		return c.join(u)
	}
	e := gaps[c.rnd.IntN(len(gaps))]
	if c.rnd.IntN(2) == 0 {
		e.Start += c.rnd.Int64N(e.Len())
	}
	if c.rnd.IntN(2) == 0 {
		e.End -= c.rnd.Int64N(e.Len())
	}
	sent := e.Len()
	if c.rnd.IntN(4) == 0 {
		sent = c.rnd.Int64N(sent)
	}
	var body io.Reader = bytes.NewReader(u.data[e.Start : e.Start+sent])
	if c.rnd.IntN(2) == 0 {
		body = &packets{body} // so that it is taken quickly, see small
	}
	return c.s.Put(context.Background(), u.o, e, body, u.told)
}

// packets is a body that comes in little pieces.
type packets struct{ r io.Reader }

func (p *packets) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), 2500)]) }

var errRefused = errors.New("the record does not want these bytes")

// exceed sends more bytes than the object has, of which its size is not known
// yet; they are not acknowledged.
func (c *scene) exceed(u *upload) error {
	o := u.o
	o.Size = -1
	junk := make([]byte, 1+c.rnd.IntN(9000))
	err := c.s.Put(context.Background(), o, extent.At(u.o.Size, int64(len(junk))), bytes.NewReader(junk), func(store.Part) error { return errRefused })
	if errors.Is(err, errRefused) {
		return nil
	}
	return err
}

// join joins, or joins again; then it wants the same answer.
func (c *scene) join(u *upload) error {
	if u.whole {
		return nil
	}
	u.trying = true
	if u.o.Overwrite && !u.o.Hidden && u.final == nil {
		c.replace(u)
	}
	final, err := c.s.Join(context.Background(), u.o, u.parts)
	if err != nil {
		return err
	}
	if u.final != nil && *u.final != final && !c.p.plain { // the old name may have stayed, and found a better new one
		return fmt.Errorf("%s: Join told %+v and now %+v", u.o.ID, *u.final, final)
	}
	if u.final == nil {
		u.final = &final
	}
	return nil
}

// replace notes that u may replace what lies under its key.
func (c *scene) replace(u *upload) {
	for _, v := range c.all {
		if v != u && (v.final != nil && v.final.Key == u.o.Key || v.final == nil && v.trying && v.o.Key == u.o.Key) {
			v.foreign = true
		}
	}
}

func (c *scene) putWhole() error {
	u, err := c.begin()
	if err != nil {
		return err
	}
	u.whole, u.foreign = true, true // until it has returned
	if u.o.Overwrite && !u.o.Hidden {
		c.replace(u)
	}
	spec := store.Spec{Key: u.o.Key, Overwrite: u.o.Overwrite, Hidden: u.o.Hidden}
	o, final, err := c.s.PutWhole(context.Background(), u.o.ID, spec, u.data)
	if err == nil {
		u.o, u.final, u.foreign = o, &final, false
	}
	return err
}

// copy begins an upload that is made of another one.
func (c *scene) copy(src *upload) error {
	if c.p.plain || len(src.missing()) > 0 || src.o.Size == 0 || src.final == nil || src.whole {
		return nil
	}
	u, err := c.begin()
	if err != nil {
		return err
	}
	u.data, u.o.Size = src.data, src.o.Size
	return c.s.Copy(context.Background(), u.o, 0, src.now(), src.parts, u.told)
}

// now is the object as the record has it.
func (u *upload) now() store.Object {
	o := u.o
	if u.final != nil {
		o.Key, o.Joined = u.final.Key, true
	}
	return o
}

// act does something.
func (c *scene) act() error {
	var mine []*upload
	for _, u := range c.all {
		if !u.foreign {
			mine = append(mine, u)
		}
	}
	if len(mine) == 0 || c.rnd.IntN(5) == 0 {
		_, err := c.begin()
		return err
	}
	u := mine[c.rnd.IntN(len(mine))]
	switch c.rnd.IntN(12) {
	case 0:
		return c.putWhole()
	case 1:
		if u.trying == (u.final != nil) { // what is being joined is not removed
			u.foreign = true
			return c.s.Remove(context.Background(), u.now())
		}
	case 2:
		if u.final == nil && !u.trying {
			return c.exceed(u)
		}
		return c.copy(u)
	case 3, 4:
		if len(u.missing()) == 0 {
			return c.join(u)
		}
	default:
		if u.final == nil && !u.trying {
			return c.put(u)
		}
	}
	return nil
}

// verify checks that all that anybody was told is true.
func (c *scene) verify() error {
	for _, u := range c.all {
		if u.foreign {
			continue
		}
		if u.trying {
			if err := c.join(u); err != nil {
				return fmt.Errorf("%s: Join repeated: %w", u.o.ID, err)
			}
		}
		if u.final != nil {
			if err := c.verifyBytes(u, extent.Extent{End: u.o.Size}); err != nil {
				return err
			}
		}
		for _, p := range u.parts {
			if err := c.verifyBytes(u, p.Extent); err != nil {
				return err
			}
		}
	}
	return c.verifyVisible()
}

func (c *scene) verifyBytes(u *upload, e extent.Extent) error {
	r, err := c.s.Open(context.Background(), u.now(), e)
	if err != nil {
		return fmt.Errorf("%s of %+v: %w", e, u.now(), err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, u.data[e.Start:e.End]) {
		return fmt.Errorf("%s of %+v, which were acknowledged, have other bytes now (%w)", e, u.now(), err)
	}
	return nil
}

// verifyVisible checks that no torn object is to be seen.
func (c *scene) verifyVisible() error {
	for e, err := range c.s.Walk(context.Background()) {
		if err != nil {
			return err
		}
		if e.Key == "" {
			continue
		}
		have := c.p.find(e.Key).data
		known := slices.ContainsFunc(c.all, func(u *upload) bool {
			return bytes.Equal(u.data, have) && !u.o.Hidden
		})
		if !known {
			return fmt.Errorf("%q with %d bytes is nobody's whole file", e.Key, len(have))
		}
	}
	return nil
}

// play plays a scene of three lives; the last has no power cut, and everything
// is finished in it.
func play(seed uint64, lies string) error {
	c := &scene{rnd: rand.New(rand.NewPCG(seed, 5)), p: newPowerFS(seed)}
	c.p.lies, c.p.plain = lies, seed%5 == 0
	for life := range 3 {
		if life < 2 {
			c.p.left = 1 + c.rnd.IntN(120)
		}
		if err := c.live(life == 2); err != nil && !errors.Is(err, errPower) {
			return err
		}
		c.p = c.p.crash()
	}
	return nil
}

func (c *scene) live(last bool) (err error) {
	pace := defaultPace
	if c.rnd.IntN(2) == 0 {
		pace = small
	}
	if c.s, err = open(c.p, Options{}, pace); err != nil {
		return err
	}
	if err := c.verify(); err != nil {
		return err
	}
	for range 60 {
		if err := c.act(); err != nil {
			return err
		}
	}
	for _, u := range c.all {
		for last && !u.foreign && u.final == nil {
			if err := c.put(u); err != nil {
				return err
			}
		}
	}
	return c.verify()
}

func TestPowerCut(t *testing.T) {
	t.Parallel()
	scenes := uint64(1000)
	if testing.Short() {
		scenes = 200
	}
	for seed := range scenes {
		if err := play(seed, ""); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// A power test that passes without syncing would be worth nothing.
func TestPowerCutFindsPlantedBugs(t *testing.T) {
	t.Parallel()
	for lies, bug := range map[string]string{
		"sync": "files are not synced",
		"dirs": "directories are not synced",
		"late": "bytes are acknowledged before their sync",
		"all":  "the sync of all syncs nothing",
	} {
		found := false
		for seed := uint64(0); seed < 300 && !found; seed++ {
			if err := play(seed, lies); err != nil {
				t.Logf("%s: found at seed %d: %v", bug, seed, err)
				found = true
			}
		}
		if !found {
			t.Errorf("%s: not found", bug)
		}
	}
}
