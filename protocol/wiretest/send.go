package wiretest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
)

type conn struct {
	net.Conn
	r       *bufio.Reader
	methods []string // of the requests without an answer yet
	chunked bool
}

func (p *player) conn() *conn {
	c := p.conns[p.name]
	if c == nil {
		n, err := net.Dial("tcp", p.addr)
		if err != nil {
			p.fail("%v", err)
		}
		c = &conn{Conn: n, r: bufio.NewReader(n)}
		p.conns[p.name] = c
	}
	return c
}

func (p *player) close() {
	p.conn().Close()
	delete(p.conns, p.name)
}

// has tells whether one of the lines is a header of that name.
func has(lines []string, name string) bool {
	for _, l := range lines {
		if n, _, ok := strings.Cut(l, ":"); ok && strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func (p *player) send(s step) {
	c := p.conn()
	var out bytes.Buffer
	if len(s.head) > 0 {
		c.methods = append(c.methods, strings.Fields(s.head[0])[0])
		c.chunked = has(s.head, "Transfer-Encoding")
		fmt.Fprintf(&out, "%s\r\n", p.expand(s.head[0]))
		p.header(&out, s)
	}
	var trailers, end string
	for _, l := range s.body {
		word, rest, _ := strings.Cut(l, " ")
		switch {
		case l == "@hold" || l == "@cut":
			end = l
		case word == "@trailer":
			trailers += p.expand(rest) + "\r\n"
		case c.chunked:
			b := p.bytes(l)
			fmt.Fprintf(&out, "%x\r\n%s\r\n", len(b), b)
		default:
			out.Write(p.bytes(l))
		}
	}
	if c.chunked && end == "" {
		fmt.Fprintf(&out, "0\r\n%s\r\n", trailers)
	}
	// The server may answer, and close, before it has read everything; whether
	// it did right shows in the answer.
	_, _ = c.Write(out.Bytes())
	if end == "@cut" {
		p.close()
	}
}

// header writes the header lines of a request.
func (p *player) header(out *bytes.Buffer, s step) {
	lines := s.head[1:]
	for _, l := range p.headers {
		if name, _, _ := strings.Cut(l, ":"); !has(lines, name) {
			lines = append(lines[:len(lines):len(lines)], l)
		}
	}
	if !has(lines, "Host") {
		fmt.Fprintf(out, "Host: %s\r\n", p.addr)
	}
	if len(s.body) > 0 && !has(lines, "Content-Length") && !has(lines, "Transfer-Encoding") {
		n := 0
		for _, l := range s.body {
			n += len(p.bytes(l))
		}
		fmt.Fprintf(out, "Content-Length: %d\r\n", n)
	}
	for _, l := range lines {
		if !strings.HasSuffix(l, ": -") {
			fmt.Fprintf(out, "%s\r\n", p.expand(l))
		}
	}
	out.WriteString("\r\n")
}
