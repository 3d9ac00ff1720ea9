package wire

import (
	"maps"
	"net/http/httptest"
	"testing"
)

// However little of a body is seen, what is told of it is so: a field is there
// with its whole value or not at all.
func TestGlance(t *testing.T) {
	t.Parallel()
	const form = "--x\r\nContent-Disposition: form-data; name=\"one\"\r\n\r\nvalue\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a/b\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"two\"\r\n\r\nother\r\n--x--\r\n"
	for _, c := range []struct {
		kind, body string
		fields     map[string]string
		early      bool // fields show before the end
	}{
		{"multipart/form-data; boundary=x", form, map[string]string{"one": "value", "two": "other"}, true},
		{"application/x-www-form-urlencoded", "one=value&two=other", map[string]string{"one": "value", "two": "other"}, false},
		{"application/json", `{"one":"value","two":5,"three":true,"four":[1],"five":null}`, map[string]string{"one": "value", "two": "5", "three": "true"}, false},
		{"application/json", `[1]`, nil, false},
		{"application/octet-stream", "one=value", nil, false},
		{"multipart/form-data", form, nil, false},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", c.kind)
		for n := range len(c.body) + 1 {
			g := Glance(r, []byte(c.body[:n]), n == len(c.body))
			for name, value := range g.Fields {
				if c.fields[name] != value {
					t.Errorf("%s: after %d bytes %s is %q", c.kind, n, name, value)
				}
			}
			if len(g.Fields) > 0 && !c.early && n < len(c.body) {
				t.Errorf("%s: after %d bytes there are fields", c.kind, n)
			}
			if g.File != nil && (g.File.Name != "file" || g.File.Filename != "a/b" || g.File.Type != "text/plain" || g.First != "one") {
				t.Errorf("after %d bytes the file is %+v", n, g.File)
			}
		}
		if g := Glance(r, []byte(c.body), true); !maps.Equal(g.Fields, c.fields) || (g.File != nil) != c.early {
			t.Errorf("%s: %v", c.kind, g)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for said, want := range map[string][2]string{
		"a.txt": {"a.txt", ""}, "d/a.txt": {"a.txt", "d/a.txt"}, "../../a": {"a", ""}, "/abs/a": {"a", "abs/a"},
		"..": {"", ""}, ".": {"", ""}, "": {"", ""}, "a/..": {"", ""}, `C:\d\a`: {"a", ""}, `\\host\d\a`: {"a", ""}, `a\b`: {`a\b`, ""},
		"a\x00b": {"a_b", ""}, "a\xffb": {"a_b", ""}, "d//./a": {"a", "d/a"},
	} {
		if name, path, err := Name(said); err != nil || name != want[0] || path != want[1] {
			t.Errorf("%q is %q in %q, %v; want %q", said, name, path, err, want)
		}
	}
}
