package wire

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"
)

// parted is what a parser has made of a body: each part's head and content, and
// how it ended.
func parted(next func() (string, io.Reader, error), buf int) (parts []string, end error) {
	for {
		name, r, err := next()
		if err != nil {
			return parts, err
		}
		var content bytes.Buffer
		_, err = io.CopyBuffer(struct{ io.Writer }{&content}, struct{ io.Reader }{r}, make([]byte, buf))
		parts = append(parts, name+"\n"+content.String())
		if err != nil {
			return parts, err
		}
	}
}

func byUs(body io.Reader, boundary string, buf int) ([]string, error) {
	m := newParts(body, boundary)
	return parted(func() (string, io.Reader, error) {
		head, r, err := m.next()
		return head.Get("Content-Disposition"), r, err
	}, buf)
}

func byLibrary(body, boundary string) ([]string, error) {
	m := multipart.NewReader(strings.NewReader(body), boundary)
	return parted(func() (string, io.Reader, error) {
		p, err := m.NextRawPart()
		if err != nil {
			return "", nil, err
		}
		return p.Header.Get("Content-Disposition"), p, nil
	}, 512)
}

const manyParts = "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nhello\r\n--x\r\nContent-Disposition: b\r\n\r\n\r\n--x \r\nContent-Disposition: c\r\n\r\n--x--\r\n"

// FuzzParts holds the parser against the library's: the same parts, whatever
// the sizes in which a body comes and is read, and an error where it has one.
func FuzzParts(f *testing.F) {
	large := strings.Repeat("\r\n--", 20_000) + strings.Repeat("x\r", 50_000)
	for _, body := range []string{
		"", "--x--", "--x--\r\n", manyParts, manyParts[:40], manyParts[:60], manyParts[:len(manyParts)-4],
		"preamble\r\n\r\n" + manyParts + "epilogue", strings.ReplaceAll(manyParts, "\r\n", "\n"),
		"--x\r\n\r\n\r\n--xy\r\n--x-\r\n--x-y\r\n--x--", "--x\r\n\r\n--x", "--x\r\n\r\n--xy\r\n--x--", "--x\r\nbroken\r\n\r\n--x--",
		"--x\r\nA: b\r\n\r\n" + large + "\r\n--x\r\n\r\n" + large + "\r\n--x--\r\n", "--x\r\nA: b\r\n\r\n" + large, "--x\r\n\r\na\r\n--x junk\r\n--x--",
		"--x\r\n\r\n" + strings.Repeat("a", 4096-8) + "\r\n--x--", strings.Repeat("a", 10_000),
	} {
		f.Add(body, "x", uint16(len(body)))
		f.Add(strings.ReplaceAll(body, "x", "----a-boundary-"), "----a-boundary-", uint16(8<<10))
	}
	f.Fuzz(func(t *testing.T, body, boundary string, buf uint16) {
		if boundary == "" || len(boundary) > 70 || strings.ContainsAny(boundary, "\r\n") {
			t.Skip()
		}
		want, wantEnd := byLibrary(body, boundary)
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(body), "by halves": iotest.HalfReader(strings.NewReader(body)),
			"by bytes": iotest.OneByteReader(strings.NewReader(body)), "with its end": iotest.DataErrReader(strings.NewReader(body)),
		} {
			for _, size := range []int{1 + int(buf), 1, 5000, 200_000} {
				got, end := byUs(r, boundary, size)
				cut := end == io.ErrUnexpectedEOF && !strings.Contains(body, boundary+"--") // the library takes a head that breaks off for the end
				if (end == io.EOF) != (wantEnd == io.EOF) && !cut || strings.Join(got, "\n\n") != strings.Join(want, "\n\n") {
					t.Fatalf("%s, read by %d:\n%.300q, %v, the library:\n%.300q, %v", name, size, got, end, want, wantEnd)
				}
				if name != "whole" {
					break
				}
				r = strings.NewReader(body)
			}
		}
	})
}

// A line that breaks is never the end of a form.
func TestPartsBreaks(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is broken")
	for n := range len(manyParts) - 3 {
		for _, size := range []int{1, 100_000} {
			body := io.MultiReader(strings.NewReader(manyParts[:n]), iotest.ErrReader(broken))
			if _, err := byUs(body, "x", size); err == io.EOF {
				t.Errorf("after %d bytes it ends", n)
			}
		}
	}
}

// What is read into a large buffer is not copied there from a small one.
func TestPartsReadsDirectly(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	body := &counting{r: strings.NewReader("--x\r\n\r\n" + strings.Repeat("a", size) + "\r\n--x--\r\n")}
	m := newParts(body, "x")
	_, r, err := m.next()
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.ReadFull(r, make([]byte, size))
	if err != nil || n != size {
		t.Fatal(n, err)
	}
	if _, _, err := m.next(); err != io.EOF {
		t.Errorf("%v at the end", err)
	}
	if body.reads > size/most+8 {
		t.Errorf("%d reads", body.reads)
	}
}

type counting struct {
	r     io.Reader
	reads int
}

func (c *counting) Read(p []byte) (int, error) {
	c.reads++
	return c.r.Read(p)
}
