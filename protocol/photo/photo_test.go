package photo_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/photo"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

var ctx = context.Background()

const placeholder = "the placeholder"

// album is the package behind one handler, with what it logs.
type album struct {
	*upload.Service
	t   *testing.T
	h   http.Handler
	log *bytes.Buffer
}

func newAlbum(t *testing.T, grid wiretest.Grid, preview photo.Preview) *album {
	t.Helper()
	s, _ := grid.Service(t)
	log := new(bytes.Buffer)
	s.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p := photo.New(s, photo.Options{Preview: preview, Placeholder: []byte(placeholder)})
	mux := http.NewServeMux()
	mux.Handle("/frame", p.Frame())
	mux.Handle("/words", p.Words())
	mux.Handle("/link", p.Link())
	return &album{s, t, mux, log}
}

// begin begins an upload as a protocol does behind Marked.
func (a *album) begin(token, id, kind string, size int) *upload.Record {
	a.t.Helper()
	q := url.Values{"upload_token": {token}, "resumableIdentifier": {id}}
	r := photo.Marked(httptest.NewRequest("PUT", "/?"+q.Encode(), nil), wire.Glimpse{})
	u, err := a.Create(ctx, upload.New{Size: int64(size), Type: kind, Meta: upload.Meta{Name: "x", Fields: photo.Fields(r)}})
	if err != nil {
		a.t.Fatal(err)
	}
	return u
}

func (a *album) write(u *upload.Record, at int, b []byte) {
	a.t.Helper()
	if _, err := a.Write(ctx, u.ID, upload.Chunk{At: int64(at), Len: int64(len(b)), Size: -1, Body: bytes.NewReader(b)}); err != nil {
		a.t.Fatal(err)
	}
}

// sent is a whole file.
func (a *album) sent(token, id, kind string, b []byte) *upload.Record {
	a.t.Helper()
	u := a.begin(token, id, kind, len(b))
	a.write(u, 0, b)
	return u
}

func (a *album) do(method, target, body string) (*http.Response, []byte) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	a.h.ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Result().Body)
	return w.Result(), b
}

func (a *album) frame(token, id string) []byte {
	a.t.Helper()
	resp, b := a.do("GET", "/frame?time=10&"+url.Values{"upload_token": {token}, "resumableIdentifier": {id}}.Encode(), "")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" {
		a.t.Fatalf("frame: %d %v %s", resp.StatusCode, resp.Header, b)
	}
	if want := map[bool]string{true: "image/png", false: "image/jpeg"}[string(b) == placeholder]; resp.Header.Get("Content-Type") != want {
		a.t.Errorf("the picture is said to be %s", resp.Header.Get("Content-Type"))
	}
	return b
}

// wantPicture wants a JPEG of a size, and returns it.
func wantPicture(t *testing.T, b []byte, w, h int) image.Image {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%v: %.40q", err, b)
	}
	if got := m.Bounds().Size(); got != image.Pt(w, h) {
		t.Errorf("it has %v pixels, want %d × %d", got, w, h)
	}
	return m
}

// halves is an image whose left half is red and whose right half is blue.
func halves(w, h int) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}})
	for y := range h {
		for x := w / 2; x < w; x++ {
			m.SetColorIndex(x, y, 1)
		}
	}
	return m
}

func isRed(c color.Color) bool  { r, _, b, _ := c.RGBA(); return r > 0xc000 && b < 0x4000 }
func isBlue(c color.Color) bool { r, _, b, _ := c.RGBA(); return b > 0xc000 && r < 0x4000 }

func encoded(t *testing.T, f func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t *testing.T, m image.Image) []byte {
	return encoded(t, func(w io.Writer) error { return png.Encode(w, m) })
}

// Images of all formats, large and small, over every grid.
func TestFrameOfImages(t *testing.T) {
	t.Parallel()
	for _, g := range wiretest.Grids() {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			a := newAlbum(t, g, nil)
			big := halves(1600, 800)
			a.sent("t", "png", "image/png", asPNG(t, big))
			a.sent("t", "gif", "", encoded(t, func(w io.Writer) error { return gif.Encode(w, big, nil) }))
			a.sent("t", "jpeg", "text/html", encoded(t, func(w io.Writer) error { return jpeg.Encode(w, big, nil) }))
			a.sent("t", "small", "image/png", asPNG(t, halves(16, 9)))
			a.sent("t", "line", "image/png", asPNG(t, halves(2000, 1)))
			for _, id := range []string{"png", "gif", "jpeg"} {
				m := wantPicture(t, a.frame("t", id), 320, 160)
				if !isRed(m.At(20, 80)) || !isBlue(m.At(300, 80)) {
					t.Errorf("%s: another image: %v, %v", id, m.At(20, 80), m.At(300, 80))
				}
			}
			wantPicture(t, a.frame("t", "small"), 16, 9)
			wantPicture(t, a.frame("t", "line"), 320, 1)
		})
	}
}

// A photo is shown as it was seen, however the camera was held.
func TestFrameLies(t *testing.T) {
	t.Parallel()
	a := newAlbum(t, wiretest.Grids()[0], nil)
	plain := encoded(t, func(w io.Writer) error { return jpeg.Encode(w, halves(600, 300), nil) })
	for o, red := range map[int]image.Point{1: {20, 80}, 2: {300, 80}, 3: {300, 80}, 4: {20, 80}, 5: {80, 20}, 6: {80, 20}, 7: {80, 300}, 8: {80, 300}} {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			tiff := []byte("II")
			if order.String() == "BigEndian" {
				tiff = []byte("MM")
			}
			tiff = order.AppendUint32(order.AppendUint16(tiff, 42), 8)
			tiff = order.AppendUint16(tiff, 1)
			tiff = order.AppendUint32(order.AppendUint16(order.AppendUint16(tiff, 0x0112), 3), 1)
			tiff = order.AppendUint32(order.AppendUint16(order.AppendUint16(tiff, uint16(o)), 0), 0)
			exif := append([]byte("Exif\x00\x00"), tiff...)
			segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
			id := fmt.Sprint(o, order)
			a.sent("t", id, "image/jpeg", bytes.Join([][]byte{plain[:2], segment, exif, plain[2:]}, nil))
			w, h := 320, 160
			if o > 4 {
				w, h = h, w
			}
			if m := wantPicture(t, a.frame("t", id), w, h); !isRed(m.At(red.X, red.Y)) || !isBlue(m.At(w-red.X, h-red.Y)) {
				t.Errorf("%s: it lies another way: %v at %v", id, m.At(red.X, red.Y), red)
			}
		}
	}
}

// What is not there yet, is no image, or is a trap, has the placeholder, and at
// once.
func TestFrameTraps(t *testing.T) {
	t.Parallel()
	a := newAlbum(t, wiretest.Grids()[0], nil)
	good := asPNG(t, halves(800, 400))
	if b := a.frame("t", "begun"); string(b) != placeholder {
		t.Error("a picture of what was not begun")
	}
	u := a.begin("t", "begun", "image/png", len(good))
	if b := a.frame("t", "begun"); string(b) != placeholder {
		t.Error("a picture of nothing")
	}
	a.write(u, 0, good[:len(good)/2])
	if b := a.frame("t", "begun"); string(b) != placeholder {
		t.Error("a picture of half a file")
	}
	a.write(u, len(good)/2, good[len(good)/2:])
	wantPicture(t, a.frame("t", "begun"), 320, 160)

	for name, b := range traps(t, good) {
		began := time.Now()
		a.sent("t", name, "image/png", b)
		if b := a.frame("t", name); string(b) != placeholder {
			t.Errorf("%s has a picture", name)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func traps(t *testing.T, good []byte) map[string][]byte {
	bomb := bytes.Clone(good) // that says that it has 60,000 × 60,000 pixels
	binary.BigEndian.PutUint32(bomb[16:], 60_000)
	binary.BigEndian.PutUint32(bomb[20:], 60_000)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	flat := encoded(t, func(w io.Writer) error { // 36 million pixels in some kilobytes
		return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, image.NewPaletted(image.Rect(0, 0, 6000, 6000), color.Palette{color.Black}))
	})
	exif := append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, 40}, "Exif\x00\x00MM\x00*\xff\xff\xff\xff\xff\xff"...)
	return map[string][]byte{
		"empty": nil, "text": []byte("<script>alert(1)</script>"), "bomb": bomb, "flat": flat,
		"torn": good[:len(good)-40], "exif": exif, "svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`),
		"none": {0}, "jpeg of one byte": {0xff, 0xd8, 0xff},
	}
}

// A file is found by token and identifier together; neither is an id, a path or
// a word in the log.
func TestStrangers(t *testing.T) {
	t.Parallel()
	a := newAlbum(t, wiretest.Grids()[0], nil)
	const secret = "secret-token-1"
	u := a.sent(secret, "../../etc/passwd", "image/png", asPNG(t, halves(10, 10)))
	wantPicture(t, a.frame(secret, "../../etc/passwd"), 10, 10)
	q := func(token, id string) string {
		return "?action=resumable-upload-redirect&" + url.Values{"upload_token": {token}, "resumableIdentifier": {id}}.Encode()
	}
	for _, c := range []struct {
		query  string
		status int
	}{
		{q(secret, "../../etc/passwd"), 303}, {q(secret, u.ID), 404}, {q("other", "../../etc/passwd"), 404}, {q(secret, ""), 400},
		{q("", "../../etc/passwd"), 400}, {q(secret, "\x00"), 404}, {q(secret, strings.Repeat("../", 5000)), 404},
		{"?action=delete", 404}, {"?action=resumable-upload-redirect", 400}, {"", 404},
	} {
		resp, b := a.do("GET", "/link"+c.query, "")
		if resp.StatusCode != c.status {
			t.Errorf("%.80s: %d %s, want %d", c.query, resp.StatusCode, b, c.status)
		}
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the answer has the token: %s", b)
		}
		if to := resp.Header.Get("Location"); c.status == 303 && to != "http://example.com/files/"+u.ID {
			t.Errorf("it goes to %s", to)
		}
	}
	if strings.Contains(a.log.String(), secret) {
		t.Errorf("the log has the token: %s", a.log)
	}
	kept, err := a.Get(ctx, u.ID)
	if err != nil || strings.Contains(fmt.Sprintf("%+v", kept), secret) {
		t.Errorf("the record has the token: %+v, %v", kept, err)
	}
	// What a client says of the mark is not believed.
	stolen := kept.Meta.Fields["photo_label"]
	if r := photo.Marked(httptest.NewRequest("PUT", "/?photo_label="+stolen, nil), wire.Glimpse{}); stolen == "" || photo.Fields(r) != nil {
		t.Errorf("a stranger chooses the mark %q", r.URL.RawQuery)
	}
	if resp, b := a.do("GET", "/link"+q(secret, "x")+"&y=1", ""); resp.StatusCode != 404 {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
}

// A link to what is not there yet says how much is.
func TestLinkTooEarly(t *testing.T) {
	t.Parallel()
	a := newAlbum(t, wiretest.Grids()[0], nil)
	u := a.begin("t", "id", "", 1<<20)
	a.write(u, 0, make([]byte, 1<<19))
	resp, b := a.do("GET", "/link?action=resumable-upload-redirect&upload_token=t&resumableIdentifier=id", "")
	if resp.StatusCode != 404 || !bytes.Contains(b, []byte("50 % of it are here")) {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
}

// What a person says is kept with the file, before and after its end; the later
// word counts.
func TestWords(t *testing.T) {
	t.Parallel()
	a := newAlbum(t, wiretest.Grids()[0], nil)
	u := a.begin("t", "id", "", 10)
	words := func(more string) (*http.Response, []byte) {
		return a.do("POST", "/words", "upload_token=t&resumableIdentifier=id&"+more)
	}
	if resp, b := words("title=A+%C3%BC&description=d&album_id=7&album_label=l&tags=x,y&publish=0&evil=1"); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	a.write(u, 0, make([]byte, 10))
	resp, b := words("title=B&publish=1")
	if resp.StatusCode != 200 || !bytes.Contains(b, []byte(`"album_label":"l"`)) {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	v, err := a.Get(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"title": "B", "description": "d", "album_id": "7", "album_label": "l", "tags": "x,y", "publish": "1"}
	for name, value := range want {
		if v.Meta.Fields[name] != value {
			t.Errorf("%s is %q, want %q", name, v.Meta.Fields[name], value)
		}
	}
	if _, kept := v.Meta.Fields["evil"]; kept || v.Phase != upload.Done {
		t.Errorf("%+v", v)
	}
	for _, c := range []struct {
		more   string
		status int
	}{
		{"publish=2", 400}, {"title=%ff", 400}, {"title=%zz", 400}, {"title=" + strings.Repeat("x", 70_000), 413},
		{"&upload_token=other&title=x", 200}, // the first of two counts
	} {
		if resp, b := words(c.more); resp.StatusCode != c.status {
			t.Errorf("%.40s: %d %s, want %d", c.more, resp.StatusCode, b, c.status)
		}
	}
	for method, target := range map[string]string{"GET": "/words", "POST": "/frame", "DELETE": "/link"} {
		if resp, b := a.do(method, target, ""); resp.StatusCode != 405 || resp.Header.Get("Allow") == "" {
			t.Errorf("%s %s: %d %s", method, target, resp.StatusCode, b)
		}
	}
	if resp, _ := a.do("POST", "/words?upload_token=t&resumableIdentifier=id&title=x", "a=b"); resp.StatusCode != 400 {
		t.Errorf("the query counts: %d", resp.StatusCode)
	}
}

// program writes a program that is run as a preview.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "preview")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func preview(t *testing.T, command string) photo.Preview {
	t.Helper()
	p, err := photo.NewPreview(command)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A film's picture is what the program makes of it, of a file or of standard
// input, and also when only its ends are here.
func TestPreview(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	picture := filepath.Join(dir, "picture.png")
	if err := os.WriteFile(picture, asPNG(t, halves(640, 480)), 0o600); err != nil {
		t.Fatal(err)
	}
	film := make([]byte, 300_000)
	copy(film, "\x00\x00\x00\x18ftypmp42")
	film[len(film)-1] = 'E'
	for name, c := range map[string]struct{ script, args string }{
		"file":  {`cat "$2" >` + dir + `/file.got; echo "$1 $#" >` + dir + `/file.args; cat ` + picture, " {time} {file}"},
		"stdin": {`cat >` + dir + `/stdin.got; echo "$1 $#" >` + dir + `/stdin.args; cat ` + picture, " {time} -"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAlbum(t, wiretest.Grids()[3], preview(t, program(t, c.script)+c.args)) // on disk, unfinished bytes can be read
			u := a.begin("t", "$(touch x); id", "video/mp4", len(film))
			got := func() []byte {
				b, err := os.ReadFile(filepath.Join(dir, name+".got"))
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			a.write(u, 0, film[:100_000])
			if b := a.frame("t", "$(touch x); id"); string(b) != placeholder {
				t.Error("a picture without the end")
			}
			a.write(u, 200_000, film[200_000:])
			wantPicture(t, a.frame("t", "$(touch x); id"), 320, 240)
			want := film
			if name == "stdin" {
				want = film[:100_000]
			}
			if !bytes.Equal(got(), want) { // what is missing is zero in this film
				t.Errorf("the program got %d bytes", len(got()))
			}
			a.write(u, 100_000, film[100_000:200_000])
			wantPicture(t, a.frame("t", "$(touch x); id"), 320, 240)
			if !bytes.Equal(got(), film) {
				t.Errorf("the program got %d bytes", len(got()))
			}
			if args, _ := os.ReadFile(filepath.Join(dir, name+".args")); string(args) != "10 2\n" {
				t.Errorf("the program was called with %q", args)
			}
			if resp, b := a.do("GET", "/frame?time=-v&upload_token=t&resumableIdentifier=x", ""); resp.StatusCode != 400 {
				t.Errorf("%d %s", resp.StatusCode, b)
			}
		})
	}
}

// A program that fails, writes without end, writes nonsense or a bomb, reads
// nothing, or hangs, costs nothing but the picture, and sees no secret.
func TestPreviewTraps(t *testing.T) {
	t.Setenv("MULETEER_TOKEN", "secret")
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	bomb := filepath.Join(dir, "bomb.png")
	if err := os.WriteFile(bomb, traps(t, asPNG(t, halves(8, 8)))["flat"], 0o600); err != nil {
		t.Fatal(err)
	}
	film := append([]byte("\x00\x00\x00\x18ftypmp42"), make([]byte, 5<<20)...)
	for name, script := range map[string]string{
		"fails":    "echo no such codec >&2; exit 1",
		"floods":   "exec cat /dev/zero",
		"says":     "while :; do echo complaint; done >&2 & sleep 1; kill $!; exit 3",
		"nonsense": "echo nonsense",
		"nothing":  "exit 0",
		"bomb":     "cat " + bomb,
		"secret":   `test -n "$MULETEER_TOKEN" && echo it has >` + dir + "/secret; exit 1",
	} {
		for _, args := range []string{" {file}", ""} {
			a := newAlbum(t, wiretest.Grids()[0], preview(t, program(t, script)+args))
			a.sent("t", "id", "video/mp4", film)
			if b := a.frame("t", "id"); string(b) != placeholder {
				t.Errorf("%s has a picture", name)
			}
			if a.log.Len() == 0 || a.log.Len() > 2000 {
				t.Errorf("%s: the log has %d bytes: %.200s", name, a.log.Len(), a.log)
			}
		}
	}
	if _, err := os.Stat(dir + "/secret"); err == nil {
		t.Error("the program sees our environment")
	}
	// Who leaves ends the program and all that it has started.
	pid := filepath.Join(dir, "pid")
	a := newAlbum(t, wiretest.Grids()[0], preview(t, program(t, "sleep 1000 & echo $! >"+pid+".new; mv "+pid+".new "+pid+"; wait")))
	a.sent("t", "id", "video/mp4", film)
	leaving, leave := context.WithCancel(ctx)
	left := make(chan struct{})
	go func() {
		defer close(left)
		r := httptest.NewRequestWithContext(leaving, "GET", "/frame?upload_token=t&resumableIdentifier=id", nil)
		a.h.ServeHTTP(httptest.NewRecorder(), r)
	}()
	wait(t, "the program", func() bool { _, err := os.Stat(pid); return err == nil })
	leave()
	<-left
	child, _ := os.ReadFile(pid)
	wait(t, "the end of "+string(child), func() bool {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
	if after, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(after) > 0 {
		t.Errorf("films are left behind: %v", after)
	}
	for _, command := range []string{"", "  ", "no-such-program-anywhere {file}"} {
		if _, err := photo.NewPreview(command); err == nil {
			t.Errorf("%q is a program", command)
		}
	}
}

func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not come", what)
		}
	}
}
