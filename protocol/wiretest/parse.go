package wiretest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// step is one block of a conversation.
type step struct {
	line int    // of the file, for messages
	kind string // ">", "<", "---" or "!"
	head []string
	body []string
}

// parse cuts a conversation into its steps: a run of lines of one kind is a
// step, but every directive is one of its own, and so is every status line.
func parse(text string) ([]step, error) {
	var steps []step
	fresh := true
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" || strings.HasPrefix(line, "#") {
			fresh = true
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		var body bool
		switch kind {
		case ">>", "<<":
			kind, body = kind[:1], true
		case "<!":
			kind, rest = "<", "!"+rest
		case "---", "!":
			fresh = true
		case ">", "<":
		default:
			return nil, fmt.Errorf("line %d: what is %q?", i+1, line)
		}
		if fresh || steps[len(steps)-1].kind != kind || kind == "<" && !body && status.MatchString(rest) {
			steps = append(steps, step{line: i + 1, kind: kind})
			fresh = false
		}
		s := &steps[len(steps)-1]
		if body {
			s.body = append(s.body, rest)
		} else {
			s.head = append(s.head, rest)
		}
	}
	return steps, nil
}

var (
	status     = regexp.MustCompile(`^(\d{3}|closed)( in .*)?$`)
	expression = regexp.MustCompile(`\$\[(\w+) ([^\]]*)\]`)
	variable   = regexp.MustCompile(`\$[a-z][a-z0-9]*`)
)

// expand replaces variables and expressions. An unknown variable stays.
func (p *player) expand(s string) string {
	s = variable.ReplaceAllStringFunc(s, func(name string) string {
		if v, ok := p.vars[name[1:]]; ok {
			return v
		}
		return name
	})
	return expression.ReplaceAllStringFunc(s, func(call string) string {
		m := expression.FindStringSubmatch(call)
		f, ok := functions[m[1]]
		if !ok {
			p.fail("there is no function %q", m[1])
		}
		return f(p.bytes(m[2]))
	})
}

// bytes returns what a notation of bytes means: "@rand N SEED [from K]", a
// part of a form, a quoted Go string, or the text itself.
func (p *player) bytes(s string) []byte {
	s = p.expand(s)
	switch word, rest, _ := strings.Cut(s, " "); word {
	case "@fields":
		return p.formFields(rest)
	case "@file":
		return p.formFile(rest)
	case "@end":
		return []byte("--x--\r\n")
	}
	var n, from int
	var seed uint64
	if strings.HasPrefix(s, "@rand ") {
		if _, err := fmt.Sscanf(s, "@rand %d %d from %d", &n, &seed, &from); err != nil && from == 0 && seed == 0 {
			p.fail("%q: %v", s, err)
		}
		return Rand(n, seed, from)
	}
	if strings.HasPrefix(s, `"`) {
		text, err := strconv.Unquote(s)
		if err != nil {
			p.fail("%q: %v", s, err)
		}
		return []byte(text)
	}
	return []byte(s)
}

// formFields returns the parts of a form that are not files, from a query.
func (p *player) formFields(query string) []byte {
	var b bytes.Buffer
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&b, "--x\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", p.unescaped(name), p.unescaped(value))
	}
	return b.Bytes()
}

// formFile returns the part of a form that is a file.
func (p *player) formFile(s string) []byte {
	name, rest, _ := strings.Cut(s, " ")
	filename, content, _ := strings.Cut(rest, " ")
	return fmt.Appendf(nil, "--x\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\nContent-Type: application/octet-stream\r\n\r\n%s\r\n",
		p.unescaped(name), p.unescaped(filename), p.bytes(content))
}

func (p *player) unescaped(s string) string {
	u, err := url.QueryUnescape(s)
	if err != nil {
		p.fail("%v", err)
	}
	return u
}

// Rand returns n bytes, from the given one on, of an endless stream of bytes
// that the seed determines.
func Rand(n int, seed uint64, from int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, from+n)
	rand.NewChaCha8(key).Read(b) // it never fails
	return b[from:]
}

// short makes bytes fit for a message.
func short(b []byte) string {
	if len(b) > 200 {
		return fmt.Sprintf("%d bytes, %q…", len(b), b[:40])
	}
	return strconv.Quote(string(bytes.TrimSpace(b)))
}
