package socketio_test

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw is a connection with a WebSocket on which a test writes what no library
// would (RFC 6455, section 5.2).
type raw struct {
	conn  net.Conn
	r     *bufio.Reader
	hello hello
}

func newRaw(t *testing.T, h *house) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", h.web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	c := &raw{conn: conn, r: bufio.NewReader(conn)}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", res, err)
	}
	if got := c.next(t); !strings.HasPrefix(got, "0{") || json.Unmarshal([]byte(got[1:]), &c.hello) != nil {
		t.Fatalf("the handshake is %q", got)
	}
	return c
}

// begin connects and begins an upload.
func (c *raw) begin(t *testing.T) (session string) {
	t.Helper()
	session = rand.Text()
	c.frame(t, 1, true, []byte("40"), -1)
	c.next(t)
	c.frame(t, 1, true, fmt.Appendf(nil, `420["begin_upload",{"sessionID":%q,"fileName":"raw"}]`, session), -1)
	if got := c.next(t); got != "430[]" {
		t.Fatalf("begin_upload is answered with %q", got)
	}
	return session
}

// frame writes a frame, of whose payload only n bytes if that is not -1.
func (c *raw) frame(t *testing.T, opcode byte, last bool, payload []byte, n int) {
	t.Helper()
	if last {
		opcode |= 0x80
	}
	b := []byte{opcode}
	switch size := len(payload); {
	case size < 126:
		b = append(b, 0x80|byte(size))
	case size < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(size))
	}
	b = append(b, 0, 0, 0, 0) // a mask that changes nothing
	if n < 0 {
		n = len(payload)
	}
	if _, err := c.conn.Write(append(b, payload[:n]...)); err != nil {
		t.Logf("writing: %v", err) // it may be closed; next tells
	}
}

// next reads a frame; "" when the line has ended.
func (c *raw) next(t *testing.T) string {
	t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	var head [2]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return c.over(t, err)
	}
	size := uint64(head[1])
	if size == 126 {
		var more [2]byte
		if _, err := io.ReadFull(c.r, more[:]); err != nil {
			return c.over(t, err)
		}
		size = uint64(binary.BigEndian.Uint16(more[:]))
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(c.r, payload); err != nil {
		return c.over(t, err)
	}
	if head[0]&0xf == 8 {
		return ""
	}
	return string(payload)
}

func (c *raw) over(t *testing.T, err error) string {
	t.Helper()
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatal("nothing is heard")
	}
	return ""
}
