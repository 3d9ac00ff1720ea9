package socketio

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// kind is the type of a packet of Socket.IO (Socket.IO protocol 5, "Packet
// encoding").
type kind byte

const (
	connect      kind = '0'
	disconnect   kind = '1'
	event        kind = '2'
	ack          kind = '3'
	connectError kind = '4'
	binaryEvent  kind = '5'
	binaryAck    kind = '6'
)

// packet is one packet of Socket.IO, without its attachments.
type packet struct {
	kind        kind
	attachments int    // how many binary messages follow; of binary packets only
	namespace   string // "/" if none is said
	ack         int64  // by which the sender finds the acknowledgement, -1 for none
	data        string // JSON, may be empty
}

var errPacket = errors.New("this is no packet of Socket.IO")

// parse takes a packet apart, as it stands after Engine.IO's "4". The data is
// not looked at.
func parse(s string) (packet, error) {
	p := packet{namespace: "/", ack: -1}
	if s == "" || s[0] < byte(connect) || s[0] > byte(binaryAck) {
		return p, errPacket
	}
	p.kind, s = kind(s[0]), s[1:]
	if p.kind == binaryEvent || p.kind == binaryAck {
		count, rest, found := strings.Cut(s, "-")
		n, err := digits(count)
		if !found || err != nil || n < 1 || n > 1000 {
			return p, errPacket
		}
		p.attachments, s = int(n), rest
	}
	if strings.HasPrefix(s, "/") {
		p.namespace, s, _ = strings.Cut(s, ",")
	}
	if end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); end != 0 && s != "" {
		if end < 0 {
			end = len(s)
		}
		n, err := digits(s[:end])
		if err != nil {
			return p, errPacket
		}
		p.ack, s = n, s[end:]
	}
	p.data = s
	return p, nil
}

// digits reads a number without a sign. More than 18 digits are none.
func digits(s string) (int64, error) {
	if s == "" || len(s) > 18 || s[0] == '+' || s[0] == '-' {
		return 0, errPacket
	}
	return strconv.ParseInt(s, 10, 64)
}

// String is the packet as it is sent.
func (p packet) String() string {
	var b strings.Builder
	b.WriteByte(byte(p.kind))
	if p.attachments > 0 {
		b.WriteString(strconv.Itoa(p.attachments) + "-")
	}
	if p.namespace != "/" {
		b.WriteString(p.namespace + ",")
	}
	if p.ack >= 0 {
		b.WriteString(strconv.FormatInt(p.ack, 10))
	}
	b.WriteString(p.data)
	return b.String()
}

// array is JSON of its arguments, which can be written as such.
func array(args ...any) string {
	if len(args) == 0 {
		return "[]"
	}
	text, err := json.Marshal(args)
	if err != nil {
		panic(err) // strings, numbers and structures of these
	}
	return string(text)
}

// call is an event with its arguments.
type called struct {
	name string
	args []json.RawMessage
}

// readEvent takes the data of an event apart.
func readEvent(data string) (called, error) {
	var all []json.RawMessage
	var c called
	if err := json.Unmarshal([]byte(data), &all); err != nil || len(all) == 0 {
		return c, errPacket
	}
	if err := json.Unmarshal(all[0], &c.name); err != nil {
		return c, errPacket
	}
	c.args = all[1:]
	return c, nil
}

// placeholder tells whether v stands for the one attachment of a packet. Keys
// that clients do not send are refused.
func placeholder(v json.RawMessage) bool {
	var keys map[string]json.RawMessage
	if json.Unmarshal(v, &keys) != nil || len(keys) != 2 {
		return false
	}
	return string(keys["_placeholder"]) == "true" && string(keys["num"]) == "0"
}
