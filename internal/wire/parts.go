package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/textproto"
)

// parts cuts a body into its parts (RFC 2046, section 5.1). It is the
// library's mime/multipart but for one thing: that one reads a body by 4 KiB
// and copies it twice, which is a quarter of what a chunk costs; here a reader
// with a large buffer gets the bytes from the connection into it.
type parts struct {
	in    pushed
	ahead *bufio.Reader // over in
	dash  []byte        // what ends a part: a line break, two dashes and the boundary
	began bool          // a part has begun
	at    *content      // the current one
}

func newParts(r io.Reader, boundary string) *parts {
	m := &parts{in: pushed{r: r}, dash: []byte("\r\n--" + boundary)}
	m.ahead = bufio.NewReaderSize(&m.in, max(4<<10, len(m.dash)+4))
	return m
}

var errParts = errors.New("a line between two parts is no boundary")

// next returns the head of the next part, and its content, which is good until
// next is called again; io.EOF after the last one. Where the body ends before
// its parts do, it is io.ErrUnexpectedEOF.
func (m *parts) next() (textproto.MIMEHeader, io.Reader, error) {
	if m.at != nil {
		if _, err := io.Copy(io.Discard, m.at); err != nil {
			return nil, nil, err
		}
	}
	last, err := m.boundary()
	if err != nil {
		return nil, nil, err
	}
	if last {
		return nil, nil, io.EOF
	}
	head, err := textproto.NewReader(m.ahead).ReadMIMEHeader()
	if err != nil {
		return nil, nil, unexpected(err)
	}
	m.at = &content{m: m, start: true}
	return head, m.at, nil
}

// boundary reads the line of a boundary, at first with what comes before it,
// and tells whether it is the last.
func (m *parts) boundary() (last bool, err error) {
	for {
		line, err := m.ahead.ReadSlice('\n')
		if err != nil && err != io.EOF {
			return false, err
		}
		rest, ok := bytes.CutPrefix(line, m.line())
		end, dashes := bytes.CutPrefix(rest, []byte("--"))
		switch {
		case ok && dashes && len(bytes.TrimRight(end, " \t\r\n")) == 0:
			return true, nil
		case err == io.EOF:
			return false, io.ErrUnexpectedEOF
		case ok && len(bytes.TrimRight(rest, " \t\r\n")) == 0:
			if !m.began && !bytes.HasSuffix(line, []byte("\r\n")) {
				m.dash = m.dash[1:] // its lines end as those of Unix do
			}
			m.began = true
			return false, nil
		case m.began && len(bytes.TrimRight(line, "\r\n")) > 0:
			return false, errParts
		}
	}
}

// line is how the line of a boundary begins.
func (m *parts) line() []byte { return m.dash[bytes.IndexByte(m.dash, '-'):] }

// content is the bytes of a part.
type content struct {
	m     *parts
	start bool // nothing of it was read
	ended bool
}

// Read reads up to what ends the part; io.ErrUnexpectedEOF if the body ends
// before. What may be the beginning of a boundary then counts as content.
func (c *content) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	m := c.m
	for !c.ended {
		ahead, _ := m.ahead.Peek(m.ahead.Buffered())
		n, found := c.scan(ahead)
		if n > 0 {
			n = copy(p, ahead[:n])
			return c.take(n)
		}
		if c.ended = found; found {
			break
		}
		if len(m.in.back) == 0 && len(p) >= m.ahead.Size() {
			if n, err := c.direct(p); n > 0 || err != nil {
				return n, err
			}
		} else if _, err := m.ahead.Peek(len(ahead) + 1); err != nil {
			ahead, _ = m.ahead.Peek(m.ahead.Buffered())
			if c.ended = c.last(ahead); !c.ended && len(ahead) > 0 {
				return c.take(copy(p, ahead))
			} else if !c.ended {
				return 0, unexpected(err)
			}
		}
	}
	return 0, io.EOF
}

// take takes n bytes from what was read ahead.
func (c *content) take(n int) (int, error) {
	c.start = false
	return c.m.ahead.Discard(n)
}

// direct reads into p itself, behind what was read ahead. What is there beyond
// the content is given back.
func (c *content) direct(p []byte) (int, error) {
	k := c.m.ahead.Buffered()
	if k > 0 {
		k, _ = c.m.ahead.Read(p[:k])
	}
	got, err := c.m.in.Read(p[k:min(len(p), k+most)])
	n, _ := c.scan(p[:k+got])
	if got == 0 && err != nil && !c.last(p[:k]) {
		n = k
	}
	c.start = c.start && n == 0
	c.m.in.back = bytes.Clone(p[n : k+got])
	switch {
	case n > 0 || got > 0:
		return n, nil
	case k > 0 && err != nil:
		c.ended = true
		return 0, io.EOF
	}
	return 0, unexpected(err)
}

// last tells whether b is the beginning of a boundary that ends a part, if
// nothing follows.
func (c *content) last(b []byte) bool {
	return bytes.Equal(b, c.m.dash) || c.start && bytes.Equal(b, c.m.line())
}

// most is how many bytes are read at once, so that what has to be given back
// is no more.
const most = 64 << 10

// scan tells how many bytes of b are content for certain, and whether the end
// of the part follows them.
func (c *content) scan(b []byte) (n int, found bool) {
	dash := c.m.dash
	if c.start { // the line break before the boundary may be that of the head
		if ends, maybe := ending(b, c.m.line()); ends || maybe {
			return 0, ends
		}
	}
	for i := bytes.Index(b, dash); i >= 0; i = bytes.Index(b[n:], dash) {
		n += i
		if ends, maybe := ending(b[n:], dash); ends || maybe {
			return n, ends
		}
		n++
	}
	for n = max(n, len(b)-len(dash)); n < len(b) && !bytes.HasPrefix(dash, b[n:]); n++ {
	}
	return n, false
}

// ending tells whether b begins with a boundary, or may do so when more of it
// has come.
func ending(b, dash []byte) (ends, maybe bool) {
	if len(b) <= len(dash) {
		return false, bytes.HasPrefix(dash, b)
	}
	if !bytes.HasPrefix(b, dash) {
		return false, false
	}
	switch after := b[len(dash):]; after[0] {
	case ' ', '\t', '\r', '\n':
		return true, false
	case '-':
		return len(after) > 1 && after[1] == '-', len(after) == 1
	}
	return false, false
}

// unexpected is the error for a body that ends before its parts do.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// pushed is a reader that bytes can be given back to.
type pushed struct {
	back []byte // read next
	r    io.Reader
}

func (p *pushed) Read(b []byte) (int, error) {
	if len(p.back) == 0 {
		return p.r.Read(b)
	}
	n := copy(b, p.back)
	p.back = p.back[n:]
	return n, nil
}
