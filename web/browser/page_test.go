package browser

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/internal/trial"
)

// again wants that nothing was sent twice but what was under way at breaks, of
// which there were so many.
func (s *stage) again(t *testing.T, breaks int) {
	t.Helper()
	l := s.line
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.wrong {
		t.Error(w)
	}
	if len(l.wrong) > 0 {
		t.Log(strings.Join(l.story, "\n"))
	}
	if l.breaks != breaks {
		t.Errorf("there were %d breaks", l.breaks)
	}
	if l.most > 2*workers {
		t.Errorf("%d requests at once", l.most)
	}
	t.Logf("%.1f MiB of %.1f MiB were sent twice after %d breaks; at most %d requests at once",
		float64(l.twice)/(1<<20), float64(l.there)/(1<<20), l.breaks, l.most)
}

// A pause, a reload, no network, a killed server, a crashed tab, and a closed one.
func TestLong(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(40_000_000)
	s.file(t, "long.bin", trial.Noise(300_000_000, 1))
	s.play(t, "long")
	s.arrived(t, filepath.Base)
	s.again(t, 6)
	if s.line.twice == 0 {
		t.Error("the breaks hit nothing")
	}
}

func TestSmall(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file(t, "nothing.txt", nil)
	s.file(t, "one.txt", []byte("1"))
	s.file(t, "grüße, 日本語 🎒 — 100 % #1?.txt", trial.Noise(1000, 2))
	s.play(t, "small")
	s.arrived(t, filepath.Base)
	s.again(t, 0)
}

func TestFolder(t *testing.T) {
	t.Parallel()
	s := newStage(t, "--key", "{path}", "--durability", "process")
	for i := range 5000 {
		s.file(t, fmt.Sprintf("tree/%d/ordner %d/%04d.txt", i%5, i%37, i), trial.Noise(i%2000, uint64(i)))
	}
	s.play(t, "folder")
	s.arrived(t, whole)
	s.again(t, 0)
}

func TestTabs(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(10_000_000)
	s.file(t, "twice.bin", trial.Noise(60_000_000, 3))
	s.play(t, "tabs")
	s.arrived(t, filepath.Base)
	s.again(t, 0)
}

func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(20_000_000)
	s.file(t, "one.bin", trial.Noise(30_000_000, 4))
	s.file(t, "two.bin", trial.Noise(30_000_000, 5))
	s.play(t, "hands")
	s.arrived(t, filepath.Base)
}

func TestAxe(t *testing.T) {
	t.Parallel()
	s := newStage(t, "--max-size", "70MB")
	s.line.let(50_000_000)
	s.file(t, "one.bin", trial.Noise(60_000_000, 6))
	s.file(t, "two.bin", trial.Noise(60_000_000, 7))
	s.file(t, "gone.bin", trial.Noise(39_500_000, 12))
	s.file(t, "large.bin", make([]byte, 70_000_001))
	s.play(t, "axe")
}

func TestBox(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(10_000_000)
	s.file(t, "one.bin", trial.Noise(20_000_000, 8))
	s.file(t, "two.bin", trial.Noise(3_000_000, 9))
	s.play(t, "box")
	s.arrived(t, filepath.Base)
}

func TestWithoutScript(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file(t, "a.txt", trial.Noise(5000, 10))
	s.file(t, "b.txt", trial.Noise(7000, 11))
	s.play(t, "plain")
	s.arrived(t, filepath.Base)
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(8_000_000)
	s.file(t, "trouble.bin", trial.Noise(260_000_000, 13))
	s.play(t, "trouble")
	s.arrived(t, filepath.Base)
	s.again(t, 8)
}

func TestToken(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(20_000_000)
	s.file(t, "secret.bin", trial.Noise(80_000_000, 14))
	s.play(t, "token")
	s.arrived(t, filepath.Base)
	s.again(t, 1)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(15_000_000)
	s.file(t, "gone.bin", trial.Noise(60_000_000, 15))
	s.file(t, "changed.bin", trial.Noise(60_000_000, 16))
	s.play(t, "files")
	s.arrived(t, filepath.Base)
	s.again(t, 2)
}

func TestHome(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(15_000_000)
	s.file(t, "clock.bin", trial.Noise(80_000_000, 17))
	s.play(t, "home")
	s.again(t, 1)
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.line.let(0)
	s.file(t, "last.bin", trial.Noise(123_456, 18))
	for i, name := range []string{
		"a name that is longer than any row and tells " + strings.Repeat("at length ", 15) + "what is in it.tar.gz",
		"<img src=x onerror='evil=1'>&amp;.html",
		"تقرير سنوي طويل عن المبيعات 2026.pdf",
		"תמונות מהטיול.zip",
		"\u202egnp.evil.exe",
		"日本語の長い名前のファイル、とても長いので省略されるはずです。とても長いので.txt",
		strings.Repeat("🎒", 40) + ".bin",
		"-",
	} {
		s.file(t, name, trial.Noise(1000+i, 20))
	}
	s.play(t, "names")
	s.arrived(t, nothing)
	s.again(t, 0)
}

func TestMule(t *testing.T) {
	t.Parallel()
	s := newStage(t, "--demo", "mule", "--max-size", "60MB")
	s.file(t, "big.bin", trial.Noise(8*6291456-1, 24))
	s.file(t, "exact.bin", trial.Noise(2*6291456, 25))
	s.file(t, "nothing.txt", nil)
	s.file(t, "last.bin", trial.Noise(1000, 26))
	s.file(t, "large.bin", make([]byte, 60_000_001))
	s.play(t, "mule")
	s.arrived(t, nothing)
}

// TestPicture makes docs/page.png anew; it is not a test.
func TestPicture(t *testing.T) {
	if os.Getenv("MULETEER_SHOTS") == "" {
		t.Skip("MULETEER_SHOTS names no folder for pictures")
	}
	s := newStage(t, "--durability", "process")
	for i := range 3 {
		// Hills before an evening sky, each of another colour.
		m := image.NewRGBA(image.Rect(0, 0, 640, 480))
		for x := range 640 {
			for y := range 480 {
				c := color.RGBA{R: uint8(120 + 45*i + y/8), G: uint8(150 + y/6), B: uint8(230 - 40*i - y/8), A: 255}
				for hill := range 3 {
					if float64(y) > 200+80*float64(hill)+40*math.Sin(float64(x)/90+float64(2*hill+i)) {
						c = color.RGBA{R: uint8(90 - 20*hill + 25*i), G: uint8(120 - 30*hill), B: uint8(80 - 15*hill + 30*(2-i)), A: 255}
					}
				}
				m.Set(x, y, c)
			}
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		s.file(t, fmt.Sprintf("holiday/IMG_204%d.png", i), b.Bytes())
	}
	s.file(t, "Mountain hike, raw footage.mov", trial.Noise(210_000_000, 21))
	s.file(t, "Annual report with all annexes.pdf", trial.Noise(58_000_000, 22))
	s.file(t, "backup.tar.zst", trial.Noise(160_000_000, 23))
	s.play(t, "picture")
}
