package test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// weather is one run of the storm, drawn from a seed.
type weather struct {
	seed   uint64
	size   int64
	how    string // tus or ranges
	piece  int64  // bytes of a request
	faults []s3test.Fault
	rate   float64
	ops    []s3test.Op // which alone fail, nil: all
	kills  int
	staged bool // the key is not the upload's own
}

func (w weather) String() string {
	s := fmt.Sprintf("%d MiB by %s of %d bytes, %.0f%% fail", w.size>>20, w.how, w.piece, 100*w.rate)
	if w.ops != nil {
		s += fmt.Sprintf(" of %v", w.ops)
	}
	if w.staged {
		s += ", staged"
	}
	if len(w.faults) == 1 {
		s += fmt.Sprintf(" by %q", w.faults[0])
	}
	return s + fmt.Sprintf(", %d kills", w.kills)
}

// draw makes the i-th run. Faults, operations and protocols take turns, so that
// few runs show each of them; all else is chance.
func draw(seed uint64, i int) weather {
	rng := random(seed, uint64(1000+i))
	w := weather{seed: rng.Uint64(), size: 12<<20 + rng.Int64N(10<<20), rate: 0.03 + 0.3*rng.Float64()}
	if long() {
		w.size += rng.Int64N(18 << 20)
	}
	ways := []struct {
		how   string
		piece int64
	}{{"tus", 333_333}, {"ranges", 6 << 20}, {"tus", 8 << 20}, {"ranges", 1 << 20}, {"tus", 1 << 20}, {"ranges", 8 << 20}, {"tus", 64 << 20}}
	w.how, w.piece = ways[i%len(ways)].how, ways[i%len(ways)].piece
	if w.piece < 1<<20 { // many requests
		w.size = min(w.size, 14<<20)
	}
	all := s3test.Passing()
	switch i % 3 {
	case 0: // one fault, often
		w.faults = all[i/3%len(all) : i/3%len(all)+1]
		w.rate += 0.1
	case 1: // any
		w.faults = all
	case 2: // some operation, mostly
		w.faults = all
		ops := [][]s3test.Op{{s3test.UploadPart}, {s3test.CompleteMultipartUpload}, {s3test.PutObject}, {s3test.DeleteObject, s3test.DeleteObjects},
			{s3test.GetObject, s3test.HeadObject}, {s3test.CreateMultipartUpload, s3test.AbortMultipartUpload}, {s3test.UploadPart, s3test.PutObject},
			{s3test.CopyObject, s3test.UploadPartCopy, s3test.ListParts}}
		w.ops = ops[i/3%len(ops)]
		w.rate += 0.3
	}
	w.kills = rng.IntN(3)
	w.staged = rng.IntN(4) == 0
	return w
}

// TestStormS3: S3 fails at random, the server is killed, and clients go on.
// What was acknowledged is never missing, what is told to be whole lies whole in
// the bucket, and in the end nothing else lies there.
func TestStormS3(t *testing.T) {
	t.Parallel()
	runs := 42
	if long() {
		runs = 210
	}
	seed := seed(t)
	gateway := s3test.Start(t)
	var mu sync.Mutex
	struck := map[string]int{}
	together(t, runs, 6, strconv.Itoa, func(t *testing.T, i int) {
		w := draw(seed, i)
		t.Log(w)
		c := w.blow(t, gateway)
		mu.Lock()
		defer mu.Unlock()
		for what, n := range c.proxy.Struck() {
			struck[what] += n
		}
	})
	n := 0
	for _, k := range struck {
		n += k
	}
	t.Logf("%d runs, %d faults in %d combinations", runs, n, len(struck))
	if len(struck) < 30 && !t.Failed() {
		t.Errorf("only these struck: %v", struck)
	}
}

// When a run's storm ends, so that it can end: not before calm, and when enough
// has been struck, but not much later.
const (
	calm   = time.Second
	enough = 6
	latest = 4 * time.Second
)

func (w weather) blow(t *testing.T, gateway *s3test.Server) *cloud {
	args := []string{"--chunk-size", "5MiB"}
	if w.staged {
		args = append(args, "--key", "{name}")
	}
	c := inBucket(t, gateway, args...)
	if w.staged {
		c.key = func(u *truth) string { return "kept/" + u.name }
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), 90*time.Second, errors.New("too slow"))
	defer cancel()
	ops := w.ops
	if ops == nil {
		ops = s3test.Ops()
	}
	c.proxy.RandomOn(ops, w.seed, w.rate, w.faults...)
	over := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		defer close(over)
		w.strike(ctx, t, c)
	})
	files, err := w.send(ctx, c, over)
	group.Wait()
	if err != nil {
		t.Fatal(err)
	}
	var names []*truth
	for _, u := range files {
		names = append(names, u.truth)
		if !u.now().done {
			t.Errorf("%s: nobody was told that it is whole", u.name)
		}
		if err := errors.Join(u.look(c.http, c.server), u.object(u.truth)); err != nil {
			t.Error(err)
		}
	}
	c.onlyFinished(t, names...)
	return c
}

// send sends one file after another until the storm is over.
func (w weather) send(ctx context.Context, c *cloud, over <-chan struct{}) (files []*sender, err error) {
	data := trial.Noise(int(w.size), w.seed)
	for i := 0; err == nil; i++ {
		if i > 0 {
			select {
			case <-over:
				return files, nil
			default:
			}
		}
		u := &sender{cloud: c, truth: newTruth(fmt.Sprintf("file-%d.bin", i), data[i:])} // of no two the same
		files = append(files, u)
		if w.how == "tus" {
			err = u.tus(ctx, w.piece)
		} else {
			err = u.swarm(ctx, w.piece, 3, w.seed+uint64(i))
		}
	}
	return files, err
}

// strike kills the server at random moments, and ends the storm.
func (w weather) strike(ctx context.Context, t *testing.T, c *cloud) {
	defer c.proxy.Calm()
	rng := random(w.seed, 1)
	end := time.Now().Add(calm)
	for range w.kills {
		time.Sleep(time.Duration(rng.Int64N(int64(calm) / int64(w.kills))))
		c.Kill()
		// It asks for the bucket at its start, and gets what all get.
		for err := c.Start(); err != nil; err = c.Start() {
			if time.Now().After(end) {
				c.proxy.Calm()
			}
			if ctx.Err() != nil {
				t.Errorf("after a kill: %v", err)
				return
			}
		}
	}
	time.Sleep(time.Until(end))
	for end = end.Add(latest - calm); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		n := 0
		for _, k := range c.proxy.Struck() {
			n += k
		}
		if n >= enough {
			return
		}
	}
}
