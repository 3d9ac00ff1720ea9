package photo_test

import (
	"image/jpeg"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/photo"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

// A photo of which bytes are missing in the middle has no picture: its decoder
// would be given what nobody has sent.
func TestFrameOfAHole(t *testing.T) {
	t.Parallel()
	for _, g := range wiretest.Grids() {
		a := newAlbum(t, g, nil)
		// A JPEG of zeros is grey, and no error.
		good := encoded(t, func(w io.Writer) error { return jpeg.Encode(w, halves(1600, 800), nil) })
		u := a.begin("t", "id", "image/jpeg", len(good))
		from, to := len(good)/2, len(good)-2
		a.write(u, 0, good[:from])
		a.write(u, to, good[to:])
		if b := a.frame("t", "id"); string(b) != placeholder {
			t.Errorf("%s: a photo with a hole has a picture", g.Name)
		}
		a.write(u, from, good[from:to])
		wantPicture(t, a.frame("t", "id"), 320, 160)
	}
}

var film = append([]byte("\x00\x00\x00\x18ftypmp42"), make([]byte, 1<<20)...)

// What a client calls its file and its upload never comes near the program.
func TestPreviewOfHostileNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := filepath.Join(dir, "args")
	evil := "-f; $(touch " + dir + "/a) `touch " + dir + "/b` | touch " + dir + "/c {time} {file} \n.mp4"
	a := newAlbum(t, wiretest.Grids()[0], preview(t, program(t, `printf '%s\n' "$#" "$@" >`+args)+" -ss {time} -i {file}"))
	q := url.Values{"upload_token": {evil}, "resumableIdentifier": {evil}}
	r := photo.Marked(httptest.NewRequest("PUT", "/?"+q.Encode(), nil), wire.Glimpse{})
	u, err := a.Create(ctx, upload.New{Size: int64(len(film)), Type: "video/mp4", Meta: upload.Meta{Name: evil, Path: evil, Fields: photo.Fields(r)}})
	if err != nil {
		t.Fatal(err)
	}
	a.write(u, 0, film)
	if b := a.frame(evil, evil); string(b) != placeholder {
		t.Error("a picture of nothing")
	}
	got, err := os.ReadFile(args)
	if err != nil {
		t.Fatal(err)
	}
	if want := `^4\n-ss\n10\n-i\n/[^\n]*/muleteer-film-[0-9]+\n$`; !regexp.MustCompile(want).Match(got) {
		t.Errorf("the program was called with %q", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("a word of the client's was run: %v", entries)
	}
}

// A program that hangs is ended, and what one has left behind that is done.
func TestPreviewEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		atMost time.Duration
	}{
		"hangs":                 {"sleep 1000 & echo $! >PID.new; mv PID.new PID; wait", 40 * time.Second},
		"hangs deaf":            {"trap '' TERM INT HUP; sleep 1000 & echo $! >PID.new; mv PID.new PID; wait; sleep 1000", 40 * time.Second},
		"forks":                 {"sleep 1000 & echo $! >PID.new; mv PID.new PID; exit 0", 12 * time.Second},
		"forks and closes":      {"sleep 1000 >/dev/null 2>&1 & echo $! >PID.new; mv PID.new PID; exit 0", 12 * time.Second},
		"forks and fails":       {"sleep 1000 >/dev/null 2>&1 & echo $! >PID.new; mv PID.new PID; exit 1", 12 * time.Second},
		"forks and says much":   {"sleep 1000 & echo $! >PID.new; mv PID.new PID; exec cat /dev/zero", 12 * time.Second},
		"reads nothing of much": {"exec <&-; sleep 1000 >/dev/null 2>&1 & echo $! >PID.new; mv PID.new PID; exit 0", 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pid := filepath.Join(t.TempDir(), "pid")
			a := newAlbum(t, wiretest.Grids()[0], preview(t, program(t, strings.ReplaceAll(c.script, "PID", pid))))
			a.sent("t", "id", "video/mp4", film)
			began := time.Now()
			if b := a.frame("t", "id"); string(b) != placeholder {
				t.Error("it has a picture")
			}
			if took := time.Since(began); took > c.atMost {
				t.Errorf("it took %v", took)
			}
			child, err := os.ReadFile(pid)
			if err != nil {
				t.Fatal(err)
			}
			wait(t, "the end of "+string(child), func() bool {
				stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/stat")
				return err != nil || strings.Contains(string(stat), ") Z ")
			})
		})
	}
}
