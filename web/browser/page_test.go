//go:build browser

package browser

import (
	"fmt"
	"testing"

	"github.com/muleteer/muleteer/internal/trial"
)

const chunk = 6 << 20 // bytes of one request of the client
const workers = 4     // requests at once

// again wants that no more was sent twice than what was in flight when the
// line broke so many times.
func (s *stage) again(t *testing.T, size, breaks int64) {
	t.Helper()
	twice := s.line.passed.Load() - size
	if most := breaks * workers * chunk; twice > most {
		t.Errorf("%d bytes were sent twice; in flight were at most %d", twice, most)
	}
	t.Logf("sent twice: %.1f MiB of %.1f MiB, %d breaks; at most %d requests at once", float64(twice)/(1<<20), float64(size)/(1<<20), breaks, s.line.most.Load())
}

// A pause, a reload, no network, a killed server, a crashed tab, and a closed one.
func TestLong(t *testing.T) {
	t.Parallel()
	const size = 300_000_000
	s := newStage(t)
	s.line.let(40000000)
	s.file(t, "long.bin", trial.Noise(size, 1))
	s.play(t, "long")
	s.arrived(t, false)
	s.again(t, size, 6)
}

func TestSmall(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file(t, "nothing.txt", nil)
	s.file(t, "one.txt", []byte("1"))
	s.file(t, "grüße, 日本語 🎒 — 100 % #1?.txt", trial.Noise(1000, 2))
	s.play(t, "small")
	s.arrived(t, false)
	s.again(t, 1001, 0)
}

func TestFolder(t *testing.T) {
	t.Parallel()
	s := newStage(t, "--key", "{path}", "--durability", "process")
	size := int64(0)
	for i := range 3000 {
		content := trial.Noise(i%2000, uint64(i))
		size += int64(len(content))
		s.file(t, fmt.Sprintf("tree/%d/ordner %d/%04d.txt", i%5, i%37, i), content)
	}
	s.play(t, "folder")
	s.arrived(t, true)
	s.again(t, size, 0)
}

func TestTabs(t *testing.T) {
	t.Parallel()
	const size = 60_000_000
	s := newStage(t)
	s.line.let(10000000)
	s.file(t, "twice.bin", trial.Noise(size, 3))
	s.play(t, "tabs")
	s.arrived(t, false)
	s.again(t, size, 0)
}

func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(20000000)
	s.file(t, "one.bin", trial.Noise(30_000_000, 4))
	s.file(t, "two.bin", trial.Noise(30_000_000, 5))
	s.play(t, "hands")
	s.arrived(t, false)
}

func TestAxe(t *testing.T) {
	t.Parallel()
	s := newStage(t, "--max-size", "70MB")
	s.line.let(50000000)
	s.file(t, "one.bin", trial.Noise(60_000_000, 6))
	s.file(t, "two.bin", trial.Noise(60_000_000, 7))
	s.file(t, "gone.bin", trial.Noise(39_500_000, 12))
	s.file(t, "large.bin", make([]byte, 70_000_001))
	s.play(t, "axe")
}

func TestBox(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(10000000)
	s.file(t, "one.bin", trial.Noise(20_000_000, 8))
	s.file(t, "two.bin", trial.Noise(3_000_000, 9))
	s.play(t, "box")
	s.arrived(t, false)
}

func TestWithoutScript(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file(t, "a.txt", trial.Noise(5000, 10))
	s.file(t, "b.txt", trial.Noise(7000, 11))
	s.play(t, "plain")
	s.arrived(t, false)
}
