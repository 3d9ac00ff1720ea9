package wire_test

import (
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// drip gives one piece of n bytes after each pause.
type drip struct {
	n     int
	pause time.Duration
}

func (d drip) Read(p []byte) (int, error) {
	time.Sleep(d.pause)
	return min(d.n, len(p)), nil
}

// A body that is slower than it must be ends with what a silent one ends with;
// one that is as fast goes on.
func TestLeastPace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n     int
		pause time.Duration
		slow  bool
	}{{1, time.Second, true}, {1023, time.Second, true}, {1024, time.Second, false}, {100 << 10, 50 * time.Second, false}, {10 << 10, 11 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			r := httptest.NewRequest("PUT", "/", drip{c.n, c.pause})
			b := wire.Body(httptest.NewRecorder(), wire.Paced(r, wire.Pace{Least: 1024}))
			began := time.Now()
			_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{io.LimitReader(b, int64(c.n)*200)}, make([]byte, 1<<20))
			if slow := errors.Is(err, os.ErrDeadlineExceeded); slow != c.slow {
				t.Errorf("%+v: %v after %v", c, err, time.Since(began))
			}
			if c.slow && time.Since(began) > 2*wire.PaceWindow {
				t.Errorf("%+v: cut off only after %v", c, time.Since(began))
			}
			if status, known := wire.Status(err); c.slow && (status != 408 || !known) {
				t.Errorf("status %d", status)
			}
		})
	}
}

// A body that has to wait waits, and is not taken for slow because of that; who
// interrupts it does not.
func TestMostPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := httptest.NewRequest("PUT", "/", drip{1024, 0})
		pace := wire.Pace{Least: 1 << 20, Most: func(int) time.Duration { return time.Minute }}
		b := wire.Body(httptest.NewRecorder(), wire.Paced(r, pace))
		began := time.Now()
		for range 10 {
			if _, err := b.Read(make([]byte, 1024)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 10*time.Minute {
			t.Errorf("it took %v", took)
		}
		time.AfterFunc(time.Second, b.Interrupt)
		began = time.Now()
		for {
			_, err := b.Read(make([]byte, 1024))
			if err == nil {
				continue
			}
			if !errors.Is(err, upload.ErrInterrupted) || time.Since(began) != time.Second {
				t.Errorf("interrupted, after %v: %v", time.Since(began), err)
			}
			break
		}
	})
}
